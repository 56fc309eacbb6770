//! `memctl how`: the invocations of a program that worked on this machine.

use rusqlite::Connection;
use serde::Serialize;
use serde_json::json;

use super::style::{HEAD, paint};
use super::terminal::{self, wrapped};
use super::{format, lookup, open};
use crate::clock;
use crate::config::Settings;
use crate::failure::{Result, failed, no_match};
use crate::recall::known::{Invocation, about_command, invocations};
use crate::text::sanitize;

const HELP: &str = "\
Examples
  memctl how cargo           Print the command lines of cargo that worked, this project's first
  memctl how docker compose  A program and its verb
  memctl how \"git push -f\"   Also says what went wrong with it the last time
  memctl how pytest          Also finds `uv run pytest` and `python -m pytest`
  memctl how make --json | jq -r '.commands[0].command'

Keys of --json
  tool      The program
  caution   What went wrong with this command the last time in this project; null if nothing did
  commands  One object per command line: command, dir, project, here, worked, failed, last_ok, \
last_exit, last_id, last_epoch
";

/// Print the command lines of a program that worked
///
/// Arguments that are long or span several lines are printed as `…`, and secrets as they are stored.
/// Only commands are known whose outcome the client reported.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The program, e.g. cargo, and optionally its verb; in quotes with flags
    #[arg(value_name = "TOOL", required = true)]
    tool: Vec<String>,
    /// Print at most this many command lines
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Entry<'a> {
    command: &'a str,
    dir: &'a str,
    project: Option<String>,
    here: bool,
    worked: u64,
    failed: u64,
    last_ok: bool,
    last_exit: Option<i32>,
    last_id: String,
    last_epoch: i64,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let reader = open::stored(settings)?;
    let conn = reader.connection();
    let here = lookup::here()?;
    let here = lookup::project_of(conn, &here)?;
    let tool = args.tool.join(" ");
    let mut found = invocations(conn, &tool, here, clock::now_ms())?;
    found.truncate(args.limit);
    let caution = match here {
        Some(here) => about_command(conn, here, &tool)?,
        None => None,
    };
    let caution = caution.map(|known| known.text);
    if args.json {
        let entries = found.iter().map(|invocation| Entry::new(conn, invocation));
        let entries = entries.collect::<Result<Vec<Entry>>>()?;
        super::print_json(&json!({ "tool": tool, "caution": caution, "commands": entries }))?;
        return if found.is_empty() { Err(no_match()) } else { Ok(()) };
    }
    caution.iter().for_each(|text| super::note(text));
    if found.is_empty() {
        return Err(failed(format!("no command line of '{tool}' is known to have worked"))
            .hint("commands are recorded while sessions run them"));
    }
    super::print(&text(conn, &found)?)
}

impl<'a> Entry<'a> {
    fn new(conn: &Connection, invocation: &'a Invocation) -> Result<Entry<'a>> {
        Ok(Entry {
            command: &invocation.line,
            dir: &invocation.dir,
            project: lookup::project_name(conn, invocation.project_id)?,
            here: invocation.here,
            worked: invocation.worked,
            failed: invocation.failed,
            last_ok: invocation.ok,
            last_exit: invocation.exit,
            last_id: format!("s{}", invocation.row),
            last_epoch: invocation.last_epoch,
        })
    }
}

fn text(conn: &Connection, found: &[Invocation]) -> Result<String> {
    let width = terminal::width();
    let mut out = String::new();
    for (here, heading) in [(true, "In this project"), (false, "In other projects")] {
        let of_group = found.iter().filter(|invocation| invocation.here == here);
        for (n, invocation) in of_group.enumerate() {
            if n == 0 {
                let gap = if out.is_empty() { "" } else { "\n" };
                out.push_str(&format!("{gap}{}\n", paint(heading, HEAD)));
            }
            out.push_str(&wrapped("  ", 2, &sanitize(&invocation.line), width));
            let project =
                if here { None } else { lookup::project_name(conn, invocation.project_id)? };
            let about = about(invocation, project.as_deref());
            out.push_str(&wrapped("      ", 6, &about, width));
        }
    }
    Ok(out)
}

/// `worked 12 times, failed once, last 2026-11-24 10:30 CET with exit status 0 (s37)`.
fn about(invocation: &Invocation, project: Option<&str>) -> String {
    let times = |n: u64| match n {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    };
    let mut parts = vec![format!("worked {}", times(invocation.worked))];
    if invocation.failed > 0 {
        parts.push(format!("failed {}", times(invocation.failed)));
    }
    let status = match (invocation.exit, invocation.ok) {
        (Some(exit), _) => format!(" with exit status {exit}"),
        (None, true) => String::new(),
        (None, false) => ", then failed".to_owned(),
    };
    let at = format::at(invocation.last_epoch);
    parts.push(format!("last {at}{status} (s{})", invocation.row));
    if !invocation.dir.is_empty() {
        parts.push(format!("in {}", sanitize(&invocation.dir)));
    }
    parts.extend(project.map(|name| format!("project {}", sanitize(name))));
    parts.join(", ")
}
