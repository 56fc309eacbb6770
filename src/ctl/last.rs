//! `memctl last`: the latest session of this project.

use serde_json::json;

use super::list::title;
use super::lookup;
use super::style::{self, HEAD, ID, paint};
use super::terminal::{self, wrapped};
use super::{format, open};
use crate::config::Settings;
use crate::context;
use crate::failure::Result;
use crate::store::Reader;
use crate::store::sessions::{self, Filter};
use crate::text::{collapse_spaces, escape, sanitize, truncate};

const HELP: &str = "\
Examples
  memctl last                         What the latest session of this project did and left
  memctl last --project ~/src/app     The same for another project
  memctl last --json | jq -r '.left'  Print only what is left

Keys of --json
  session           Session id of the client; all keys are missing if nothing is stored
  client            Name of the client
  project           Name of the project
  status            active, completed or failed
  started_at_epoch  When it started, in milliseconds
  last_event_epoch  When its latest event arrived, in milliseconds
  title             What it is about
  outcome           Commits, files, checks and open steps in a few words; may be empty
  asked             The user's requests, oldest first
  done              What was done, or what was answered
  files             Changed files
  left              What it left open, and what is still open: `memctl done` lists the same
";

/// Print the latest session of this project: what was asked, done and left
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The project, given as a directory or a name [default: the current directory]
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Longest text of an item, in characters, and most files.
const MAX_ITEM: usize = 400;
const MAX_FILES: usize = 12;

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let reader = open::reader(settings)?;
    let nothing = || match args.json {
        true => super::print_json(&json!({})),
        false => {
            super::note("nothing is stored for this project yet");
            Ok(())
        }
    };
    let Some(conn) = reader.as_ref().map(Reader::connection) else { return nothing() };
    let project_id = lookup::project_or_here(conn, args.project.as_deref())?;
    if project_id.is_none() {
        return nothing();
    }
    let filter = Filter { project_id, told: true, active: false };
    let Some(session) = sessions::list(conn, filter, 1)?.pop() else {
        return nothing();
    };
    let open = lookup::open_ends(conn, project_id)?;
    let outline = context::outline(conn, session.id, project_id, &open)?;
    let title = title(conn, &session, &outline)?;
    if args.json {
        return super::print_json(&json!({
            "session": session.content_session_id, "client": session.client,
            "project": session.project, "status": session.status,
            "started_at_epoch": session.started_at_epoch,
            "last_event_epoch": session.last_event_epoch, "title": title,
            "outcome": outline.outcome(), "asked": outline.asked, "done": outline.done,
            "files": outline.files, "left": outline.left,
        }));
    }
    let width = terminal::width();
    let id = escape(&session.content_session_id).into_owned();
    let head = format!("{id} · {}", format::at(session.started_at_epoch));
    let mut out = wrapped("", 0, &head, width).replacen(&id, &paint(&id, ID), 1);
    let status = format::status(&session);
    let outcome = outline.outcome();
    let state = match outcome.is_empty() {
        true => status.to_owned(),
        false => format!("{status}: {}", sanitize(&outcome)),
    };
    let painted = paint(status, style::of_state(status));
    out.push_str(&wrapped("", 0, &state, width).replacen(status, &painted, 1));
    out.push_str(&wrapped("", 0, &sanitize(&title), width));
    let mut files = outline.files.clone();
    let n_more = files.len().saturating_sub(MAX_FILES);
    files.truncate(MAX_FILES);
    files.extend((n_more > 0).then(|| format!("{n_more} more")));
    for (name, items) in [
        ("Asked", &outline.asked),
        ("Done", &outline.done),
        ("Files", &files),
        ("Open", &outline.left),
    ] {
        out.push_str(&section(name, items, width));
    }
    super::print(&out)
}

fn section(name: &str, items: &[String], width: Option<usize>) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items = items.iter().map(|item| {
        wrapped("  - ", 4, &truncate(&sanitize(&collapse_spaces(item)), MAX_ITEM), width)
    });
    format!("\n{}\n{}", paint(name, HEAD), items.collect::<String>())
}
