//! `memctl doctor`: every look there is, what is wrong, and what to do.

mod fix;
mod trial;

use serde::Serialize;
use serde_json::json;

use super::format::count;
use super::health::{self, Finding, Level, agents, database, files, workers};
use super::style::{self, BAD, GOOD, PASSING, paint};
use super::terminal::{self, wrapped};
use crate::config::Settings;
use crate::failure::{Result, failed};

const HELP: &str = "\
Examples
  memctl doctor            look at everything, change nothing
  memctl doctor --fix      set a damaged database aside, clear what the dead left
  memctl doctor --agent    have the memory agent distil a few events

Keys of --json
  healthy   nothing is wrong
  fixed     what --fix did, in sentences
  findings  an object for each look: check, level (ok, note, wrong), says, do
";

/// Look for what is wrong, and say what to do
///
/// Exits with 1 when something is wrong. Notes are worth knowing, and no failure.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Mend what can be mended without a loss
    #[arg(long)]
    fix: bool,
    /// Have the backend distil a few made-up events, and say what that cost
    #[arg(long)]
    agent: bool,
    /// Print an object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    check: &'a str,
    level: &'a str,
    says: &'a str,
    r#do: Option<&'a str>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let fixed = if args.fix { fix::run(settings)? } else { Vec::new() };
    let mut found = look(settings)?;
    if args.agent {
        found.push(trial::run(settings));
    }
    let wrong = found.iter().filter(|finding| finding.level == Level::Wrong).count() as u64;
    if args.json {
        let rows: Vec<Row> = found.iter().map(row).collect();
        super::print_json(&json!({"healthy": wrong == 0, "fixed": fixed, "findings": rows}))?;
    } else {
        super::print(&in_words(&fixed, &found))?;
    }
    match wrong {
        0 => Ok(()),
        1 => Err(failed("1 thing is wrong")),
        n => Err(failed(format!("{} are wrong", count(n, "thing")))),
    }
}

fn look(settings: &Settings) -> Result<Vec<Finding>> {
    let mut found = files::data(settings);
    found.extend(files::config(settings));
    found.extend(agents::findings(settings));
    found.extend(health::of_hooks(settings));
    if settings.paths.exist() {
        found.extend(database::findings(settings)?);
        found.extend(files::spool(settings));
        found.extend(files::spooled(settings));
        found.extend(workers::findings(settings));
        found.extend(workers::logs(settings));
    }
    found.extend(files::sockets(settings));
    Ok(found)
}

/// A line for each look, and below it what to do.
fn in_words(fixed: &[String], found: &[Finding]) -> String {
    const INDENT: usize = 16;
    let width = terminal::width();
    let mut out = String::new();
    for done in fixed {
        let first = format!("{} {:9} ", paint("fixed", GOOD), "");
        out.push_str(&wrapped(&first, INDENT, done, width));
    }
    for finding in found {
        let level = format!("{:5}", word(finding.level));
        let first = format!("{} {:9} ", paint(&level, style(finding.level)), finding.check);
        out.push_str(&wrapped(&first, INDENT, &finding.says, width));
        if let Some(todo) = &finding.todo {
            let arrow = format!("{:INDENT$}", "");
            out.push_str(&wrapped(&arrow, INDENT, &format!("-> {todo}"), width));
        }
    }
    out
}

fn row(finding: &Finding) -> Row<'_> {
    Row {
        check: finding.check,
        level: word(finding.level),
        says: &finding.says,
        r#do: finding.todo.as_deref(),
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Note => "note",
        Level::Wrong => "wrong",
    }
}

fn style(level: Level) -> owo_colors::Style {
    match level {
        Level::Ok => style::PLAIN,
        Level::Note => PASSING,
        Level::Wrong => BAD,
    }
}
