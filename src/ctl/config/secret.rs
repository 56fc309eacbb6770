//! `memctl config secret`: API keys in a file of their own. A key comes from standard input and
//! goes nowhere but into that file: it is no argument, is not echoed and never printed.

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

/// No key is as long.
const MOST: u64 = 16 << 10;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Keep a key: typed without an echo, or read from a pipe
    Set {
        /// Its name, as ANTHROPIC_API_KEY
        name: String,
    },
    /// Forget a key
    Unset {
        /// Its name
        name: String,
    },
    /// List the names of the keys that are known, never the keys
    List {
        /// Print an array of objects
        #[arg(long)]
        json: bool,
    },
}

#[derive(Serialize)]
struct Row {
    name: String,
    /// `file` or `environment`.
    origin: &'static str,
    used_by: Vec<&'static str>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    match &args.what {
        What::Set { name } => set(settings, name),
        What::Unset { name } => unset(settings, name),
        What::List { json } => list(settings, *json),
    }
}

fn set(settings: &Settings, name: &str) -> Result<()> {
    if !is_key_name(name) {
        // Perhaps the key itself, typed where its name belongs: it is not repeated.
        return Err(usage("that is no name of a key")
            .hint("as ANTHROPIC_API_KEY; the key itself is asked for"));
    }
    let file = file(settings)?;
    let secret = ask(name)?;
    secrets::set(&file, name, &secret).map_err(failed)?;
    super::super::print(&format!("{name} is kept in {}\n", file.display()))?;
    super::try_again(settings);
    let agent = &settings.config.agent;
    if users(agent, name).is_empty() && !default_key_names().any(|known| known == name) {
        let hint = match nearest(name, default_key_names()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("memctl config set agent.openai.key {name} makes one"),
        };
        super::super::tell(&format!("memctl: no backend asks for {name} by itself; {hint}"));
    }
    Ok(())
}

fn unset(settings: &Settings, name: &str) -> Result<()> {
    if secrets::unset(&file(settings)?, name).map_err(failed)? {
        return super::super::print(&format!("{name} is forgotten\n"));
    }
    Err(failed(format!("no key {name} is kept")).hint("memctl config secret list names them"))
}

fn list(settings: &Settings, json: bool) -> Result<()> {
    let agent = &settings.config.agent;
    let mut known: BTreeMap<String, &'static str> = BTreeMap::new();
    let of_backends = BACKENDS.iter().flat_map(|backend| agent.key_names(backend));
    for name in of_backends.cloned().chain(default_key_names().map(str::to_owned)) {
        if process_env(&name).is_some_and(|key| !key.is_empty()) {
            known.insert(name, "environment");
        }
    }
    for (name, _) in secrets::read(&file(settings)?).map_err(failed)? {
        known.insert(name, "file");
    }
    let rows: Vec<Row> = known
        .into_iter()
        .map(|(name, origin)| Row { used_by: users(agent, &name), name, origin })
        .collect();
    if json {
        return super::super::print_json(&rows);
    }
    if rows.is_empty() {
        return super::super::print("no API key is known\n");
    }
    let columns = [column("NAME"), column("FROM"), column("FOR")];
    let cells: Vec<[Cell; 3]> = rows
        .iter()
        .map(|row| {
            let used_by = row.used_by.join(", ");
            [row.name.as_str().into(), row.origin.into(), format::or_dash(&used_by).into()]
        })
        .collect();
    super::super::print(&table(&columns, &cells, terminal::width()))
}

/// Backends that may take a key of this name.
fn users(agent: &Agent, name: &str) -> Vec<&'static str> {
    let takes = |backend: &&&str| agent.key_names(backend).iter().any(|key| key == name);
    BACKENDS.iter().filter(takes).copied().collect()
}

/// Says so when a backend lacks its key.
pub fn missing(settings: &Settings, backend: &str) {
    if let Some(trouble) = trouble_with_key(settings, backend) {
        super::super::tell(&format!("memctl: {trouble}"));
    }
}

/// Why a backend that wants a key has none, and what to do.
pub fn trouble_with_key(settings: &Settings, backend: &str) -> Option<String> {
    let keys = settings.config.agent.key_names(backend);
    let name = keys.first()?;
    match secrets::api_key(settings, &process_env, keys) {
        Ok(Some((_, KeySource::File | KeySource::Environment))) => None,
        Ok(None) => Some(format!("{backend} has no key yet: memctl config secret set {name}")),
        Err(why) => Some(why),
    }
}

fn file(settings: &Settings) -> Result<PathBuf> {
    secrets::file(settings).ok_or_else(|| {
        failed("there is no place for keys").hint("set HOME, or MEMCTL_CONFIG to a path")
    })
}

fn ask(name: &str) -> Result<Secret> {
    let mut stdin = std::io::stdin();
    let text = if stdin.is_terminal() {
        let _ = write!(anstream::stderr(), "{name}, not shown: ");
        let line = terminal::hidden_line().context("the terminal")?;
        super::super::tell("");
        line.ok_or_else(|| failed("nothing was kept"))?
    } else {
        let mut text = String::new();
        stdin.by_ref().take(MOST).read_to_string(&mut text).context("standard input")?;
        text
    };
    let text = text.trim();
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(failed("that is no key: nothing was kept").hint("one word, without blanks"));
    }
    Ok(Secret::new(text))
}
