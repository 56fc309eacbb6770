//! `memctl config`: every setting as it holds, and who said so.

use serde::Serialize;

use super::table::{self, Cell, column};
use super::terminal;
use crate::config::{Origin, Settings};
use crate::failure::Result;

const HELP: &str = "\
Examples
  memctl config                       every setting as it holds
  memctl config --json | jq -r '.[] | select(.origin != \"default\") | .key'

Keys of --json
  key  name of the setting
  value  what holds
  default  what would hold if nobody had said anything
  origin  default, file or environment
  meaning  what it is for
";

/// List the settings, what they mean and who set them
///
/// Settings are changed in the config file, which holds only what differs from the defaults.
/// Times and sizes can also be given in the environment, as MEMCTL_SECTION_KEY.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Print an array of objects
    #[arg(long)]
    json: bool,
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
    let rows: Vec<Row> = settings
        .config
        .values
        .iter()
        .map(|value| Row {
            key: value.key.name,
            value: &value.text,
            default: value.key.default,
            origin: match value.origin {
                Origin::Default => "default",
                Origin::File => "file",
                Origin::Environment => "environment",
            },
            meaning: value.key.doc,
        })
        .collect();
    if args.json {
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
        .map(|row| [row.key.into(), row.value.into(), row.origin.into(), row.meaning.into()])
        .collect();
    let file = match &settings.config_file {
        Some(file) if file.exists() => format!("{}\n\n", file.display()),
        Some(file) => format!("{} (not there: all defaults hold)\n\n", file.display()),
        None => String::new(),
    };
    super::print(&format!("{file}{}", table::table(&columns, &cells, terminal::width())))
}
