//! Events that no worker has accepted: in spools, and in the dead-letter directory.

use memctl_proto::Event;
use rusqlite::Connection;

use super::Args;
use super::selection::filter;
use crate::clock;
use crate::config::Settings;
use crate::ctl::drain::{self, SessionName};
use crate::ctl::poll;
use crate::deliver::{self, probe};
use crate::failure::{Context, Result};
use crate::paths::session_key;
use crate::spool;
use crate::spool::Removed;
use crate::spool::forget::{Candidate, Mode};
use crate::store::forget::ForgetFilter;
use crate::store::{Store, claims, projects, sessions};

/// How long to wait until live workers have drained their spools.
const DRAIN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// Removes the texts of events that no worker has accepted, and of dead letters, if they match.
/// Sessions that are deleted as a whole are not counted, because [`spool::discard`] deletes their
/// events.
pub fn remove(settings: &Settings, conn: &Connection, args: &Args, mode: Mode) -> Result<Removed> {
    if !args.ids.is_empty() {
        return Ok(Removed::default());
    }
    let filter = filter(conn, args)?;
    let selects = |file: &Candidate| matches(conn, &filter, file);
    spool::forget::remove_texts(&settings.paths, mode, &selects).context("cannot read the spool")
}

/// Whether a file of a spool or of the dead-letter directory matches the filter.
fn matches(conn: &Connection, filter: &ForgetFilter, file: &Candidate) -> bool {
    let event = file.event.as_ref();
    let at = event.map_or(file.written_at, |event| event.at);
    if filter.since.is_some_and(|since| at < since) || filter.before.is_some_and(|end| at >= end) {
        return false;
    }
    let project = || {
        let event = event?;
        match &event.project {
            Some(project) => {
                let examined = claims::examine(conn, project).ok()?;
                projects::find(conn, &examined.project).ok()?
            }
            None => sessions::find(conn, &event.client, &event.session).ok()??.project_id,
        }
    };
    if filter.project.is_some() && filter.project != project() {
        return false;
    }
    match (event, &filter.text) {
        (Some(event), Some(needle)) => texts(event).any(|text| needle.is_in(text)),
        (Some(event), None) => texts(event).next().is_some(),
        (None, Some(needle)) => needle.is_in(&file.content),
        (None, None) => true,
    }
}

fn texts(event: &Event) -> impl Iterator<Item = &str> {
    let tool = event.tool.as_ref();
    let files = tool.into_iter().flat_map(|tool| &tool.files).map(|file| &file.path);
    let of_tool = [tool.map(|t| &t.name), tool.and_then(|t| t.input.as_ref())];
    let others = [tool.and_then(|t| t.response.as_ref()), event.text.as_ref()];
    let all = of_tool.into_iter().chain(others).flatten().chain(files);
    all.map(String::as_str).filter(|text| !text.is_empty())
}

/// Whether the selection may match events that are still spooled. Row ids match only stored rows.
fn may_match_spool(args: &Args) -> bool {
    let is_row_id = |name: &String| {
        name.strip_prefix(['o', 's', 'p']).is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
    };
    !args.ids.iter().all(is_row_id) || args.ids.is_empty()
}

/// Moves spooled events to the database, where they can be selected. A live worker drains its own
/// spool.
pub fn drain(settings: &Settings, args: &Args, store: &mut Store) -> Result<()> {
    if !may_match_spool(args) {
        return Ok(());
    }
    let sessions = drain::sessions_with_spool(settings);
    drain::drain(settings, store, &sessions, clock::now_ms())?;
    let has_spool = |key: &str| spool::exists(&settings.paths, key);
    let worker_drains = |(client, session): &&SessionName| {
        let key = session_key(client, session);
        has_spool(&key) && deliver::wake(settings, &key, probe::TIMEOUT)
    };
    let draining: Vec<&SessionName> = sessions.iter().filter(worker_drains).collect();
    let is_drained = |(client, session): &&SessionName| !has_spool(&session_key(client, session));
    poll::until(DRAIN_TIMEOUT, || draining.iter().all(is_drained));
    Ok(())
}

/// Counts the spooled events of these sessions.
pub fn count(settings: &Settings, keys: &[String]) -> u64 {
    let spooled = |key: &String| spool::read(&settings.paths, key, usize::MAX);
    keys.iter().map(|key| spooled(key).map_or(0, |files| files.len() as u64)).sum()
}
