//! `memctl config secret`: API keys in `secrets.toml`.
//!
//! A key is read from stdin without echo. It is never an argument and never printed.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::super::table::{Cell, column, table};
use super::super::{format, terminal};
use crate::config::secrets::{self, KeySource, Secret};
use crate::config::{Agent, BACKENDS, Settings, default_key_names, is_key_name, process_env};
use crate::failure::{Context, Result, failed, usage};
use crate::text::nearest;

/// Maximum number of bytes read from stdin.
const MAX_INPUT: u64 = 16 << 10;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Store a key, typed without echo or read from a pipe
    Set {
        /// Name of the key, e.g. ANTHROPIC_API_KEY
        #[arg(value_name = "API_KEY")]
        name: String,
    },
    /// Remove a key
    Unset {
        /// Name of the key
        #[arg(value_name = "API_KEY")]
        name: String,
    },
    /// List the names of all known keys
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
}

#[derive(Serialize)]
struct Row {
    name: String,
    origin: &'static str,
    used_by: Vec<&'static str>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    match &args.action {
        Action::Set { name } => set(settings, name),
        Action::Unset { name } => unset(settings, name),
        Action::List { json } => list(settings, *json),
    }
}

fn set(settings: &Settings, name: &str) -> Result<()> {
    if !is_key_name(name) {
        // Do not repeat the argument: it may be the key itself.
        return Err(usage("invalid key name")
            .hint("use a name such as ANTHROPIC_API_KEY; the key itself is read from stdin"));
    }
    let file = file(settings)?;
    let secret = read_secret(name)?;
    secrets::set(&file, name, &secret).map_err(failed)?;
    crate::ctl::print(&format!("stored {name} in {}\n", file.display()))?;
    super::retry_deferred(settings);
    let agent = &settings.config.agent;
    if backends_with_key(agent, name).is_empty() && !default_key_names().any(|known| known == name)
    {
        let hint = match nearest(name, default_key_names()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("to use it with a backend: memctl config set agent.openai.key {name}"),
        };
        crate::ctl::warn(&format!("no backend uses {name}"));
        crate::ctl::hint(&hint);
    }
    Ok(())
}

fn unset(settings: &Settings, name: &str) -> Result<()> {
    if secrets::unset(&file(settings)?, name).map_err(failed)? {
        return crate::ctl::print(&format!("removed {name}\n"));
    }
    Err(failed(format!("{name} is not stored")).hint("`memctl config secret list` lists the keys"))
}

fn list(settings: &Settings, json: bool) -> Result<()> {
    let agent = &settings.config.agent;
    let mut origins: BTreeMap<String, &'static str> = BTreeMap::new();
    let of_backends = BACKENDS.iter().flat_map(|backend| agent.key_names(backend));
    for name in of_backends.cloned().chain(default_key_names().map(str::to_owned)) {
        if process_env(&name).is_some_and(|key| !key.is_empty()) {
            origins.insert(name, "environment");
        }
    }
    for (name, _) in secrets::read(&file(settings)?).map_err(failed)? {
        origins.insert(name, "file");
    }
    let rows: Vec<Row> = origins
        .into_iter()
        .map(|(name, origin)| Row { used_by: backends_with_key(agent, &name), name, origin })
        .collect();
    if json {
        return crate::ctl::print_json(&rows);
    }
    if rows.is_empty() {
        return crate::ctl::print("no API key is stored\n");
    }
    let columns = [column("NAME"), column("SOURCE"), column("USED BY")];
    let cells: Vec<[Cell; 3]> = rows
        .iter()
        .map(|row| {
            let used_by = row.used_by.join(", ");
            [row.name.as_str().into(), row.origin.into(), format::or_dash(&used_by).into()]
        })
        .collect();
    crate::ctl::print(&table(&columns, &cells, terminal::width()))
}

/// Backends that use a key of this name.
fn backends_with_key(agent: &Agent, name: &str) -> Vec<&'static str> {
    let uses_key = |backend: &&&str| agent.key_names(backend).iter().any(|key| key == name);
    BACKENDS.iter().filter(uses_key).copied().collect()
}

/// Prints a warning if a backend lacks its key.
pub fn warn_if_missing(settings: &Settings, backend: &str) {
    if let Some(problem) = key_problem(settings, backend) {
        crate::ctl::warn(&problem);
    }
}

/// Why a backend that needs an API key has none, and what to do.
pub fn key_problem(settings: &Settings, backend: &str) -> Option<String> {
    let keys = settings.config.agent.key_names(backend);
    let name = keys.first()?;
    match secrets::api_key(settings, &process_env, keys) {
        Ok(Some((_, KeySource::File | KeySource::Environment))) => None,
        Ok(None) => {
            Some(format!("{backend} has no API key; run `memctl config secret set {name}`"))
        }
        Err(why) => Some(why),
    }
}

fn file(settings: &Settings) -> Result<PathBuf> {
    secrets::file(settings).ok_or_else(|| {
        failed("no location for the secrets file")
            .hint("API keys need a home directory for your user in the password database")
    })
}

fn read_secret(name: &str) -> Result<Secret> {
    let mut stdin = std::io::stdin();
    let text = if stdin.is_terminal() {
        let _ = write!(anstream::stderr(), "{name} (hidden): ");
        let line = terminal::hidden_line().context("cannot read from the terminal")?;
        crate::ctl::eprint_line("");
        line.ok_or_else(|| failed("canceled; no key was stored"))?
    } else {
        let mut text = String::new();
        stdin.by_ref().take(MAX_INPUT).read_to_string(&mut text).context("cannot read stdin")?;
        text
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(failed("no key was given; nothing was stored").hint("it is read from stdin"));
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(
            failed("invalid API key; nothing was stored").hint("a key is one word without spaces")
        );
    }
    Ok(Secret::new(text))
}
