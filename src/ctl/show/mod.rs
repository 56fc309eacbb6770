//! `memctl show`: prints an observation, a summary, a prompt or a session.

mod details;
mod json;
mod source;
mod text;

use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use super::{lookup, terminal};
use crate::clock;
use crate::config::Settings;
use crate::ctl::open;
use crate::failure::{Failure, Result, failed};
use crate::store::observations::{self, ObservationRow};
use crate::store::sessions::{self, PrefixMatch, Session, StoredPrompt};
use crate::store::summaries::{self, SummaryRow};
use crate::store::{self, LockWait, Store, memory_use};
use details::Details;
use source::Source;

const HELP: &str = "\
Examples
  memctl show s37         Print a summary
  memctl show o412        Print an observation
  memctl show 6f2b9c54    Print a session with its prompts, summaries and observations
  memctl show s37 s36     Print several

Keys of --json, one object per line
  o412     id, uuid, session, client, project, prompt, type, title, subtitle, narrative, facts, concepts, files_read, \
files_modified, origin, scope, prompt_number, agent_type, backend, pinned, \
hidden, feedback, edited, quarantined, superseded_by, superseded_kind, supersedes, files, external_id, \
metadata, expires_at_epoch, created_at_epoch
  s37      id, uuid, session, client, project, prompt, prompt_number, turn_id, request, investigated, learned, completed, \
next_steps, notes, files_read, files_modified, backend, provisional, pinned, \
hidden, feedback, edited, created_at_epoch
  p88      id, session, client, project, prompt, prompt_number, turn_id, text, created_at_epoch, finalized_at_epoch, finalized_by
  session  session, client, project, cwd, status, end_reason, started_at_epoch, \
last_event_epoch, prompts, summaries, observations
";

/// How long a command waits for the store lock to count what it has shown.
const RECORD_TIMEOUT: Duration = Duration::from_millis(50);

/// Print observations, summaries, prompts and sessions
///
/// `memctl context` prints ids of memories, and so do `memctl timeline` and `memctl show SESSION`. If an id
/// is unknown, the others are printed.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Ids of observations (o412), summaries (s37) and prompts (p88), UUIDs, and sessions: their ids,
    /// prefixes of them or CLIENT:ID
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Print one JSON object per id and line
    #[arg(long)]
    json: bool,
}

/// A session with its prompts and memories, oldest first.
struct SessionContent<'a> {
    session: &'a Session,
    prompts: Vec<StoredPrompt>,
    summaries: Vec<SummaryRow>,
    observations: Vec<(ObservationRow, Details)>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let reader = open::stored(settings)?;
    let mut gap = "";
    let mut failures = Vec::new();
    for name in &args.ids {
        match show(reader.connection(), args, name) {
            Ok(shown) => {
                super::print(&format!("{gap}{shown}"))?;
                gap = if args.json { "" } else { "\n" };
            }
            Err(failure) => failures.push(failure),
        }
    }
    // Ignore errors: the user has read the memories, and the count only adds to their weight.
    let _ = record_shown(settings, &args.ids);
    // The others are printed first.
    let last = failures.pop();
    for failure in failures {
        let _ = super::exit(Err(failure));
    }
    last.map_or(Ok(()), Err)
}

/// Counts the memories that the user looked at. Does nothing if another process writes.
fn record_shown(settings: &Settings, names: &[String]) -> store::Result<()> {
    let rows: Vec<&String> = names
        .iter()
        .filter(|name| name.starts_with('o') && observations::parse_id(name).is_some())
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let now = clock::now_ms();
    let mut store = Store::open_within(&settings.paths, LockWait::Within(RECORD_TIMEOUT))?;
    store.write(|tx| rows.iter().try_for_each(|row| memory_use::record_shown(tx, row, now)))
}

/// The memory or session with this name, as text or JSON.
fn show(conn: &Connection, args: &Args, name: &str) -> Result<String> {
    let width = terminal::width();
    if let Some(row) = observations::by_name(conn, name)? {
        let details = Details::load(conn, &row)?;
        let source = Source::load(conn, row.session_id, row.observation.prompt_number)?;
        return render(
            args,
            || source.added_to(json::observation(&row, &details)),
            || text::observation(&row, &details, &source, width),
        );
    }
    if let Some(row) = summaries::by_name(conn, name)? {
        let source = Source::load(conn, row.session_id, row.prompt_number)?;
        return render(
            args,
            || source.added_to(json::summary(&row)),
            || text::summary(&row, &source, width),
        );
    }
    if let Some(prompt) = sessions::prompt_by_name(conn, name)? {
        let source = Source::load(conn, Some(prompt.session_id), prompt.number)?;
        return render(
            args,
            || source.added_to(json::prompt(&prompt)),
            || text::prompt(&prompt, &source, width),
        );
    }
    match sessions::by_prefix(conn, name)? {
        PrefixMatch::None => Err(unknown(name)),
        _ => {
            let session = lookup::session(conn, name)?;
            let content = load_content(conn, &session)?;
            render(args, || json::session(&content), || text::session(&content, width))
        }
    }
}

fn unknown(name: &str) -> Failure {
    failed(format!("no memory or session matches '{name}'"))
        .hint("`memctl context` prints ids of this project, `memctl status` its latest sessions")
}

fn load_content<'a>(conn: &Connection, session: &'a Session) -> Result<SessionContent<'a>> {
    let all = i64::MAX as usize;
    let prompts = sessions::prompts(conn, session.id)?;
    let mut summaries = summaries::of_session(conn, session.id, all)?;
    let mut observations = observations::of_session(conn, session.id, all)?;
    summaries.sort_by_key(|s| s.prompt_number);
    observations.sort_by_key(|o| o.id);
    let with_details =
        |row: ObservationRow| Details::load(conn, &row).map(|details| (row, details));
    let observations = observations.into_iter().map(with_details).collect::<Result<_>>()?;
    Ok(SessionContent { session, prompts, summaries, observations })
}

fn render(
    args: &Args,
    json: impl FnOnce() -> Value,
    text: impl FnOnce() -> String,
) -> Result<String> {
    match args.json {
        true => Ok(super::json_line(&json())? + "\n"),
        false => Ok(text()),
    }
}
