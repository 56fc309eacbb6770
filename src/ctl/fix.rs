//! `memctl fix`: what was done after an error when it did not come back.

use std::io::Read;

use rusqlite::Connection;
use serde::Serialize;
use serde_json::json;

use super::style::{ID, paint};
use super::terminal::{self, wrapped};
use super::{format, lookup, open};
use crate::config::Settings;
use crate::failure::{Context, Result, failed, no_match};
use crate::recall::known::{Fix, fixes, said, title};
use crate::text::sanitize;

/// Maximum number of bytes read from stdin. Of a longer log, the end counts.
const MAX_INPUT: usize = 4 << 20;

const HELP: &str = "\
Examples
  memctl fix 'error[E0425]: cannot find value `left_pad` in this scope'
  cargo build 2>&1 | memctl fix -             Read a whole log
  memctl fix E0425 left_pad                   Look for a code and names
  memctl fix - --json < build.log | jq -r '.fixes[].changed[]'

Keys of --json
  fixes  One object per fix, this project first, then the most alike: id, failed_id, session, \
project, command, about, match, changed, changed_more, ran, worked_as, title, said, \
failed_at_epoch, created_at_epoch
";

/// Print what helped when an error occurred before
///
/// An error is recognized by its code, its names and its words; numbers, paths and quotes do not
/// count. Only errors are listed after which something was changed, the same check or command then
/// worked, and that did not come back in the same session.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The error as a program printed it, or - for stdin
    #[arg(value_name = "ERROR", required = true)]
    error: Vec<String>,
    /// Print at most this many fixes
    #[arg(long, value_name = "N", default_value_t = 3)]
    limit: usize,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: String,
    failed_id: String,
    session: Option<&'a str>,
    project: Option<String>,
    command: &'a str,
    about: &'a [String],
    #[serde(rename = "match")]
    likeness: &'static str,
    changed: &'a [String],
    changed_more: usize,
    ran: &'a [String],
    worked_as: Option<&'a str>,
    title: &'a str,
    said: Vec<String>,
    failed_at_epoch: i64,
    created_at_epoch: i64,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let error = match args.error.as_slice() {
        [only] if only == "-" => read_stdin()?,
        words => words.join(" "),
    };
    let reader = open::stored(settings)?;
    let conn = reader.connection();
    let here = lookup::here()?;
    let here = lookup::project_of(conn, &here)?;
    let found = find(conn, here, &error, args.limit)?;
    if args.json {
        let entries = found.iter().map(|fix| Entry::new(conn, fix));
        let entries = entries.collect::<Result<Vec<Entry>>>()?;
        super::print_json(&json!({ "fixes": entries }))?;
        return if found.is_empty() { Err(no_match()) } else { Ok(()) };
    }
    if found.is_empty() {
        return Err(failed("no fix of this error is known")
            .hint("`memctl search` finds sessions that mention its words"));
    }
    let mut out = String::new();
    for fix in &found {
        if !out.is_empty() {
            out.push('\n');
        }
        let elsewhere = fix.fixed.project_id != here;
        let project =
            if elsewhere { lookup::project_name(conn, fix.fixed.project_id)? } else { None };
        out.push_str(&text(fix, project.as_deref(), terminal::width()));
    }
    super::print(&out)
}

fn read_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read stdin")?;
    let from = bytes.len().saturating_sub(MAX_INPUT);
    Ok(String::from_utf8_lossy(&bytes[from..]).into_owned())
}

/// The fixes in this project, then those in others.
fn find(conn: &Connection, here: Option<i64>, error: &str, limit: usize) -> Result<Vec<Fix>> {
    let of = |project| fixes(conn, project, error, limit);
    let mut found = match here {
        Some(_) => of(here)?,
        None => Vec::new(),
    };
    if found.len() < limit {
        found.extend(of(None)?.into_iter().filter(|fix| fix.fixed.project_id != here));
    }
    found.truncate(limit);
    Ok(found)
}

impl<'a> Entry<'a> {
    fn new(conn: &Connection, fix: &'a Fix) -> Result<Entry<'a>> {
        let row = &fix.fixed;
        Ok(Entry {
            id: format!("s{}", row.id),
            failed_id: format!("s{}", fix.failed.id),
            session: row.session.as_deref(),
            project: lookup::project_name(conn, fix.fixed.project_id)?,
            command: &fix.command,
            about: &fix.about,
            likeness: fix.likeness.as_str(),
            changed: &fix.changed,
            changed_more: fix.changed_more,
            ran: &fix.ran,
            worked_as: Some(fix.worked_as.as_str()).filter(|line| !line.is_empty()),
            title: title(row),
            said: said(row),
            failed_at_epoch: fix.failed.created_at_epoch,
            created_at_epoch: row.created_at_epoch,
        })
    }
}

/// `project` is the name of another project.
fn text(fix: &Fix, project: Option<&str>, width: Option<usize>) -> String {
    let row = &fix.fixed;
    let id = format!("s{}", row.id);
    let project = project.map(|name| format!(" · project {}", sanitize(name))).unwrap_or_default();
    let head = format!("{id} · {}{project}", format::at(row.created_at_epoch));
    let mut out = wrapped("", 0, &head, width).replacen(&id, &paint(&id, ID), 1);
    let mut line = |text: &str| out.push_str(&wrapped("  ", 2, &sanitize(text), width));
    let about =
        if fix.about.is_empty() { String::new() } else { format!(" ({})", fix.about.join(", ")) };
    line(&format!("`{}` failed{about}.", fix.command));
    if !fix.changed.is_empty() {
        let more = match fix.changed_more {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        line(&format!("Changed: {}{more}", fix.changed.join(", ")));
    }
    fix.ran.iter().for_each(|command| line(&format!("Ran: {command}")));
    match fix.worked_as.as_str() {
        "" => line("Then it worked."),
        instead => line(&format!("Then `{instead}` worked.")),
    }
    line(title(row));
    let said = said(row);
    said.iter().filter(|text| *text != title(row)).for_each(|text| line(text));
    out
}
