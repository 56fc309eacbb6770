//! `memctl config`: every setting as it holds, and who said so; and the changes to it.

mod change;
mod secret;

pub use secret::trouble_with_key;

use serde::Serialize;

use super::table::{self, Cell, column};
use super::terminal;
use crate::config::{Settings, Value, ValueSource};
use crate::failure::Result;
use crate::store::{Store, refusals};

const HELP: &str = "\
Examples
  memctl config                                 every setting as it holds
  memctl config set agent.backend claude        the one that takes to use a model
  memctl config get agent.budget.day_cost       what it may cost in a day, in dollars
  memctl config unset agent.backend             back to the default
  memctl config secret set ANTHROPIC_API_KEY    keep an API key, typed or from a pipe
  memctl config --json | jq -r '.[] | select(.origin != \"default\") | .key'

Keys of --json
  key  name of the setting
  value  what holds
  default  what would hold if nobody had said anything
  origin  default, file or environment
  meaning  what it is for

Keys of secret list --json
  name  of the API key
  origin  file or environment
  used_by  backends that may take it
";

/// List the settings, what they mean and who set them; change them
///
/// They are kept in the config file, which holds only what differs from the defaults and may be
/// edited by hand. Times and sizes can also be given in the environment, as MEMCTL_SECTION_KEY.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Print an array of objects
    #[arg(long)]
    json: bool,
}

#[derive(clap::Subcommand)]
enum What {
    /// List the settings, as without a word
    List {
        /// Print an array of objects
        #[arg(long)]
        json: bool,
    },
    /// Print what holds for one setting
    Get {
        /// Its name
        name: String,
        /// Print an object
        #[arg(long)]
        json: bool,
    },
    /// Change one setting in the config file
    Set {
        /// Its name
        name: String,
        /// Its value; the items of a list are separated by commas
        value: String,
    },
    /// Take one setting out of the config file, so that its default holds again
    Unset {
        /// Its name
        name: String,
    },
    /// Keep API keys in a file that only you can read
    Secret(secret::Args),
}

#[derive(Serialize)]
struct Row<'a> {
    key: &'a str,
    value: &'a str,
    default: &'a str,
    /// `default`, `file` or `environment`.
    origin: &'static str,
    meaning: &'a str,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    match &args.what {
        None => list(settings, args.json),
        Some(What::List { json }) => list(settings, *json),
        Some(What::Get { name, json }) => get(settings, name, *json),
        Some(What::Set { name, value }) => {
            change::set(settings, name, value)?;
            of_agents(name).then(|| try_again(settings));
            Ok(())
        }
        Some(What::Unset { name }) => {
            change::unset(settings, name)?;
            of_agents(name).then(|| try_again(settings));
            Ok(())
        }
        Some(What::Secret(args)) => secret::run(settings, args),
    }
}

fn of_agents(name: &str) -> bool {
    name.starts_with("agent.")
}

/// Events that wait because a memory agent cannot be used as it was set up are due now. The
/// setting stands whether or not that can be written down: then they wait out their hour.
fn try_again(settings: &Settings) {
    if settings.paths.exist()
        && let Ok(mut store) = Store::open(&settings.paths)
    {
        let _ = store.write(|tx| refusals::release_deferred(tx, None));
    }
}

fn list(settings: &Settings, json: bool) -> Result<()> {
    let rows: Vec<Row> = settings.config.values.iter().map(row).collect();
    if json {
        return super::print_json(&rows);
    }
    let columns = [
        column("SETTING"),
        column("VALUE").cut(8),
        column("FROM").dispensable(1),
        column("MEANING").cut(20).dispensable(2),
    ];
    let cells: Vec<[Cell; 4]> = rows
        .iter()
        .map(|row| [row.key.into(), shown(row).into(), row.origin.into(), row.meaning.into()])
        .collect();
    let file = match &settings.config_file {
        Some(file) if file.exists() => format!("{}\n\n", file.display()),
        Some(file) => format!("{} (not there: all defaults hold)\n\n", file.display()),
        None => String::new(),
    };
    super::print(&format!("{file}{}", table::table(&columns, &cells, terminal::width())))
}

/// A table that is built in would make every other line as long: `get` prints it.
fn shown<'a>(row: &Row<'a>) -> &'a str {
    const LONG: usize = 60;
    if row.origin == "default" && row.value.len() > LONG { "(built in)" } else { row.value }
}

fn get(settings: &Settings, name: &str, json: bool) -> Result<()> {
    let key = change::find(name)?;
    let value = value(settings, key.name);
    if json {
        return super::print_json(&row(value));
    }
    super::print(&format!("{}\n", value.text))
}

/// A setting of the table, as it holds.
fn value<'a>(settings: &'a Settings, name: &str) -> &'a Value {
    let found = settings.config.values.iter().find(|value| value.key.name == name);
    found.unwrap_or_else(|| unreachable!("every key of the table has a value"))
}

fn row(value: &Value) -> Row<'_> {
    Row {
        key: value.key.name,
        value: &value.text,
        default: value.key.default,
        origin: match value.origin {
            ValueSource::Default => "default",
            ValueSource::File => "file",
            ValueSource::Environment => "environment",
        },
        meaning: value.key.doc,
    }
}
