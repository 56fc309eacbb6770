//! `memctl config`: lists all settings with value and source, and changes them.

mod change;
mod secret;

pub use secret::key_problem;

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::Path;

use serde::Serialize;

use super::drain::{self, SessionName};
use super::style::{HEAD, paint};
use super::table::{self, Cell, column};
use super::terminal::{self, wrapped};
use crate::clock;
use crate::config::{Settings, Value, ValueSource, misspelled_variables};
use crate::failure::Result;
use crate::recover::deferrals::release_changed;
use crate::store::{self, Store, agent_limits, queue_admin, refusals};

const HELP: &str = "\
Examples
  memctl config                                 List all settings
  memctl config set agent.backend claude        Use a model through the claude program
  memctl config get agent.budget.day_cost       Print the daily budget in dollars
  memctl config unset agent.backend             Restore the default
  memctl config secret set ANTHROPIC_API_KEY    Store an API key, typed or from a pipe
  memctl config --json | jq -r '.[] | select(.origin != \"default\") | .key'

Keys of --json
  key      Name of the setting
  value    Value in effect
  default  Default value
  origin   default, file or environment
  meaning  Description

Keys of secret list --json
  name     Name of the API key
  origin   file or environment
  used_by  Backends that use the key
";

/// List and change settings and API keys
///
/// The config file holds only the settings that you changed, and you can edit it by hand. Times
/// and sizes can also be set in the environment as MEMCTL_SECTION_KEY, or in a file that
/// MEMCTL_CONFIG names. Settings that decide where text is sent, what is run, what is stored or what
/// it costs are read only from ~/.config/memctl/config.toml, where `~` is the home directory in the
/// password database. Only you may be able to change that file, and it must not be part of the
/// session's project.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List all settings (the default)
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Print the value of a setting, and on a terminal also its meaning
    Get {
        /// Name of the setting
        #[arg(value_name = "SETTING")]
        name: String,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Change a setting in the config file
    Set {
        /// Name of the setting
        #[arg(value_name = "SETTING")]
        name: String,
        /// Value; separate list items with commas
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Remove a setting from the config file
    Unset {
        /// Name of the setting
        #[arg(value_name = "SETTING")]
        name: String,
    },
    /// Manage API keys in a file that only you can read
    Secret(secret::Args),
}

#[derive(Serialize)]
struct Row<'a> {
    key: &'a str,
    value: &'a str,
    default: &'a str,
    origin: &'static str,
    meaning: &'a str,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    match &args.action {
        None => list(settings, args.json),
        Some(Action::List { json }) => list(settings, *json),
        Some(Action::Get { name, json }) => get(settings, name, *json),
        Some(Action::Set { name, value }) => {
            change::set(settings, name, value)?;
            concerns_agents(name).then(|| retry_deferred(settings));
            Ok(())
        }
        Some(Action::Unset { name }) => {
            change::unset(settings, name)?;
            concerns_agents(name).then(|| retry_deferred(settings));
            Ok(())
        }
        Some(Action::Secret(args)) => secret::run(settings, args),
    }
}

fn concerns_agents(name: &str) -> bool {
    name.starts_with("agent.")
}

/// Makes events due that waited for another backend, setting or key, and wakes or starts their workers.
/// If this fails, recovery does it at the next start of a session. The setting has been changed already.
fn retry_deferred(settings: &Settings) {
    if settings.paths.data_dir_exists()
        && let Ok(now) = change::reload()
        && let Ok(waiting) = release(&now)
    {
        let _ = drain::wake_workers(&now, &waiting, &waiting);
    }
}

/// Returns the sessions with events that are due now. Empty if nothing was released.
fn release(settings: &Settings) -> store::Result<BTreeSet<SessionName>> {
    let mut store = Store::open(&settings.paths)?;
    store.write(agent_limits::forget)?;
    let released = release_changed(&mut store, settings)?
        + store.write(|tx| refusals::release_deferred(tx, None))?;
    if released == 0 {
        return Ok(BTreeSet::new());
    }
    let due = queue_admin::sessions_with_work(store.connection(), None, clock::now_ms())?;
    let due = due.into_iter().filter(|work| work.not_before_epoch == 0);
    Ok(due.map(|work| (work.client, work.content_session_id)).collect())
}

fn list(settings: &Settings, json: bool) -> Result<()> {
    let rows: Vec<Row> = settings.config.values.iter().map(row).collect();
    if json {
        return super::print_json(&rows);
    }
    let mut files: Vec<&Path> = Vec::new();
    files.extend(settings.own_config.as_deref());
    files.extend(settings.public_config.as_deref().filter(|file| !files.contains(file)));
    let line = |file: &&Path| {
        let missing = if file.exists() { "" } else { " (does not exist yet)" };
        format!("{}{missing}\n", file.display())
    };
    let mut out: String = files.iter().map(line).collect();
    if !out.is_empty() {
        out.push('\n');
    }
    let width = terminal::width();
    let table = table_of(&rows);
    match width {
        Some(width) if terminal::columns(&table) > width => {
            rows.iter().for_each(|row| out.push_str(&paragraph(row, width)));
        }
        _ => out.push_str(&table),
    }
    misspelled_variables().iter().for_each(|why| super::warn(why));
    super::print(&out)
}

/// One line per setting.
fn table_of(rows: &[Row]) -> String {
    let columns = [column("SETTING"), column("VALUE"), column("SOURCE"), column("MEANING")];
    let cells = |row: &Row| -> [Cell; 4] {
        [row.key.into(), short_value(row).into(), row.origin.into(), row.meaning.into()]
    };
    let cells: Vec<[Cell; 4]> = rows.iter().map(cells).collect();
    table::table(&columns, &cells, None)
}

/// A setting on a line, and its meaning below.
fn paragraph(row: &Row, width: usize) -> String {
    let value = if row.value.is_empty() { "\"\"" } else { short_value(row) };
    let value = match row.origin {
        "default" => value.to_owned(),
        origin => format!("{value} ({origin})"),
    };
    let name = paint(row.key, HEAD);
    let indent = row.key.len() + 3;
    wrapped(&format!("{name} = "), indent, &value, Some(width))
        + &wrapped("    ", 4, row.meaning, Some(width))
}

/// The value, or `(built in)` for a long default, which would widen the column of every row.
fn short_value<'a>(row: &Row<'a>) -> &'a str {
    const LONG: usize = 60;
    if row.origin == "default" && row.value.len() > LONG { "(built in)" } else { row.value }
}

fn get(settings: &Settings, name: &str, json: bool) -> Result<()> {
    let key = change::find(name)?;
    let value = value(settings, key.name);
    if json {
        return super::print_json(&row(value));
    }
    // A script reads the value alone.
    match terminal::width().filter(|_| std::io::stdout().is_terminal()) {
        Some(width) => super::print(&paragraph(&row(value), width)),
        None => super::print(&format!("{}\n", value.text)),
    }
}

/// The resolved value of a setting.
fn value<'a>(settings: &'a Settings, name: &str) -> &'a Value {
    let found = settings.config.values.iter().find(|value| value.key.name == name);
    found.unwrap_or_else(|| unreachable!("every setting has a value"))
}

fn row(value: &Value) -> Row<'_> {
    Row {
        key: value.key.name,
        value: &value.text,
        default: value.key.default,
        origin: match value.source {
            ValueSource::Default => "default",
            ValueSource::File => "file",
            ValueSource::Environment => "environment",
        },
        meaning: value.key.doc,
    }
}
