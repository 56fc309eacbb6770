//! `memctl config`: every setting as it holds, and who said so.

use serde::Serialize;

use super::table::{table, text};
use crate::config::{Origin, Settings};
use crate::failure::Result;

/// Settings are changed in the config file, which holds only what differs from the defaults. Times
/// and sizes can also be given in the environment, as MEMCTL_SECTION_KEY.
#[derive(clap::Args)]
pub struct Args {
    /// Print an array of objects: key, value, default, origin, meaning
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
    let mut out = table(&["SETTING", "VALUE", "FROM", "MEANING"]);
    for row in &rows {
        out.add_row([row.key, row.value, row.origin, row.meaning]);
    }
    let file = match &settings.config_file {
        Some(file) if file.exists() => format!("{}\n\n", file.display()),
        Some(file) => format!("{} (not there: all defaults hold)\n\n", file.display()),
        None => String::new(),
    };
    super::print(&format!("{file}{}", text(&mut out)))
}
