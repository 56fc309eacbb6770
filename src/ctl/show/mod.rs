//! `memctl show`: one memory whole, or what a session left behind.

mod json;
mod text;

use rusqlite::Connection;
use serde_json::Value;

use super::{lookup, overview, terminal};
use crate::config::Settings;
use crate::failure::{Context, Failure, Result, failed};
use crate::store::Reader;
use crate::store::observations::{self, ObservationRow};
use crate::store::sessions::{self, PrefixMatch, Session, StoredPrompt};
use crate::store::summaries::{self, SummaryRow};

const HELP: &str = "\
Examples
  memctl show s37         the summary of a turn
  memctl show o412        an observation
  memctl show 6f2b9c54    a session: its prompts, and what came of each

Keys of --json
  o412     id, uuid, type, title, subtitle, narrative, facts, concepts, files_read, \
files_modified, origin, scope, prompt_number, agent_type, backend, pinned, \
superseded_by, created_at_epoch
  s37      id, uuid, prompt_number, turn_id, request, investigated, learned, completed, \
next_steps, notes, files_read, files_modified, backend, provisional, created_at_epoch
  p88      id, prompt_number, turn_id, text, created_at_epoch, finalized_at_epoch, finalized_by
  session  session, client, project, cwd, status, end_reason, started_at_epoch, \
last_event_epoch, prompts, summaries, observations
";

/// Print one memory whole, or what a session left behind
///
/// Ids stand in what a new session is told (memctl context) and in the list that a session's own
/// id gives.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// An observation (o412), a summary (s37), a prompt (p88), a uuid, or the beginning of a
    /// session's id
    #[arg(value_name = "WHAT")]
    what: String,
    /// Print an object with every field
    #[arg(long)]
    json: bool,
}

/// A session with what it left behind, in the order in which it came.
struct Whole<'a> {
    session: &'a Session,
    prompts: Vec<StoredPrompt>,
    summaries: Vec<SummaryRow>,
    observations: Vec<ObservationRow>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let Some(reader) = Reader::open(&settings.paths, super::PATIENCE).context("database")? else {
        let hint = overview::hint(settings);
        let hint = hint.as_deref().unwrap_or("the next session of your agent is recorded");
        return Err(failed("nothing remembered yet").hint(hint));
    };
    let conn = reader.connection();
    let name = args.what.as_str();
    let width = terminal::width();
    if let Some(row) = observations::by_name(conn, name).context("database")? {
        let newer = match &row.superseded_by {
            Some(uuid) => observations::by_name(conn, uuid).context("database")?.map(|o| o.id),
            None => None,
        };
        return print(args, || json::observation(&row), || text::observation(&row, newer, width));
    }
    if let Some(row) = summaries::by_name(conn, name).context("database")? {
        return print(args, || json::summary(&row), || text::summary(&row, width));
    }
    if let Some(prompt) = sessions::prompt_by_name(conn, name).context("database")? {
        return print(args, || json::prompt(&prompt), || text::prompt(&prompt, width));
    }
    match sessions::by_prefix(conn, name).context("database")? {
        PrefixMatch::None => Err(unknown(name)),
        _ => {
            let session = lookup::session(conn, name)?;
            let whole = whole(conn, &session)?;
            print(args, || json::session(&whole), || text::session(&whole, width))
        }
    }
}

fn unknown(name: &str) -> Failure {
    failed(format!("there is no memory '{name}'"))
        .hint("memctl context shows ids of this project, memctl status its latest sessions")
}

fn whole<'a>(conn: &Connection, session: &'a Session) -> Result<Whole<'a>> {
    let all = i64::MAX as usize;
    let prompts = sessions::prompts(conn, session.id).context("database")?;
    let mut summaries = summaries::of_session(conn, session.id, all).context("database")?;
    let mut observations = observations::of_session(conn, session.id, all).context("database")?;
    summaries.sort_by_key(|s| s.prompt_number);
    observations.sort_by_key(|o| o.id);
    Ok(Whole { session, prompts, summaries, observations })
}

fn print(args: &Args, json: impl FnOnce() -> Value, text: impl FnOnce() -> String) -> Result<()> {
    if args.json { super::print_json(&json()) } else { super::print(&text()) }
}
