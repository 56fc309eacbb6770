//! `memctl doctor`: runs all checks and prints how to fix failures.

mod fix;
mod trial;

use serde::Serialize;
use serde_json::json;

use super::format::count;
use super::health::verdict::Verdict;
use super::health::{self, Depth, Finding, Fix, Level};
use super::style::{self, BAD, CAUTION, GOOD, paint};
use super::terminal::{self, wrapped};
use crate::config::Settings;
use crate::failure::{Result, failed};

const HELP: &str = "\
Examples
  memctl doctor            Run all checks, change nothing
  memctl doctor --fix      Also repair modes and the schema, remove stale files, replace a damaged database
  memctl doctor --agent    Also let the memory agent distill a few test events

Keys of --json
  verdict   Whether sessions in the current directory are recorded, and whether a check failed
  healthy   true if no check failed; notes do not count
  fixed     What --fix did, one sentence each
  findings  One object per result: check, level (ok, note, wrong), says, do
";

/// Run all checks and print how to fix failures
///
/// Exits with 1 if a check fails. Notes do not count as failures.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Repair everything that can be repaired without losing data
    #[arg(long)]
    fix: bool,
    /// Let the backend distill a few test events and print the cost
    #[arg(long)]
    agent: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    check: &'a str,
    level: &'a str,
    says: &'a str,
    r#do: Option<String>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let fixed = if args.fix { fix::run(settings)? } else { Vec::new() };
    let mut found = health::run(settings, Depth::Full);
    if args.agent {
        found.push(trial::run(settings));
    }
    let verdict = Verdict::of(&found);
    if args.json {
        let rows: Vec<Row> = found.iter().map(row).collect();
        super::print_json(&json!({
            "verdict": verdict.sentence(), "healthy": verdict.failures == 0, "fixed": fixed,
            "findings": rows,
        }))?;
    } else {
        let verdict = verdict.text(terminal::width());
        super::print(&format!("{}\n{verdict}", report(&fixed, &found)))?;
    }
    match verdict.failures {
        0 => Ok(()),
        n => Err(failed(format!("{} failed", count(n, "check")))),
    }
}

/// One line per finding, with what to do below it.
fn report(fixed: &[String], found: &[Finding]) -> String {
    const INDENT: usize = 16;
    let width = terminal::width();
    let mut out = String::new();
    for done in fixed {
        let first = format!("{} {:9} ", paint("fixed", GOOD), "");
        out.push_str(&wrapped(&first, INDENT, done, width));
    }
    for finding in found {
        let level = format!("{:5}", level_name(finding.level));
        let first = format!("{} {:9} ", paint(&level, style(finding.level)), finding.check);
        out.push_str(&wrapped(&first, INDENT, &finding.message, width));
        if let Some(fix) = &finding.fix {
            let blanks = format!("{:INDENT$}", "");
            out.push_str(&wrapped(&blanks, INDENT, &format!("-> {fix}"), width));
        }
    }
    out
}

fn row(finding: &Finding) -> Row<'_> {
    Row {
        check: finding.check,
        level: level_name(finding.level),
        says: &finding.message,
        r#do: finding.fix.as_ref().map(Fix::to_string),
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Note => "note",
        Level::Wrong => "wrong",
    }
}

fn style(level: Level) -> owo_colors::Style {
    match level {
        Level::Ok => style::PLAIN,
        Level::Note => CAUTION,
        Level::Wrong => BAD,
    }
}
