//! What is left to do, over all sessions: found in the store, in spools, and in the files that
//! workers leave behind when they die. Looks and changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use rusqlite::Connection;

use super::cleanup;
use crate::clock;
use crate::deliver::probe::{self, WorkerState};
use crate::paths::{Paths, session_key};
use crate::store::sessions::{Filter, Session};
use crate::store::{self, Reader, accept, queue_admin, sessions};
use crate::{lock, spool};

/// Among so many sessions, the newest, the owner of a nameless file is looked for.
const KNOWN: usize = 10_000;

/// Most sessions that are ended at a time.
const SILENT: usize = 500;

/// How long a look at one session may wait for the store.
const PATIENCE: Duration = Duration::from_millis(500);

/// A session for which a worker has something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub key: String,
    pub client: String,
    /// The client's session id.
    pub session: String,
    pub reason: Reason,
    /// Its newest event, in milliseconds since the epoch.
    newest: i64,
}

/// Why a worker is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its worker holds the session and does not answer.
    Hung,
    Spooled,
    /// Its queue holds what may be taken now.
    Queued,
    /// Its worker died while a prompt was open.
    Open,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Hung => "its worker does not answer",
            Reason::Spooled => "events wait in its spool",
            Reason::Queued => "events wait in its queue",
            Reason::Open => "its worker died in the middle of a turn",
        })
    }
}

/// All that is left over.
#[derive(Debug, Default)]
pub struct Survey {
    /// Newest first.
    pub due: Vec<Due>,
    pub stale_files: Vec<StaleFiles>,
    /// Active, nobody's, and without an event for long.
    pub inactive: Vec<Session>,
}

/// A session without work that has files of a dead worker, or a spool without an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleFiles {
    pub key: String,
    /// The client's session id, when it can be told.
    pub session: Option<String>,
}

/// What is known of a session that may have something left.
#[derive(Default)]
struct Sighting {
    /// Client and session id.
    name: Option<(String, String)>,
    newest: i64,
    queued: bool,
    spooled: bool,
}

/// Looks at every session but those whose keys are in `but`. `conn`: none, when there is no store
/// to be read. Silent are those without an event since `before`.
pub fn survey(
    paths: &Paths,
    conn: Option<&Connection>,
    but: &BTreeSet<String>,
    before: i64,
    now: i64,
) -> store::Result<Survey> {
    let mut seen = sightings(paths, conn, now)?;
    seen.retain(|key, _| !but.contains(key));
    if let Some(conn) = conn {
        name_from_store(conn, &mut seen)?;
    }
    let mut survey = Survey::default();
    for (key, sighting) in seen {
        sort_in(paths, conn, key, sighting, &mut survey)?;
    }
    survey.due.sort_by(|a, b| b.newest.cmp(&a.newest).then_with(|| a.key.cmp(&b.key)));
    if let Some(conn) = conn {
        survey.inactive = sessions::inactive_since(conn, before, SILENT)?;
        survey.inactive.retain(|session| {
            let key = session_key(&session.client, &session.content_session_id);
            let nobodys = matches!(
                probe::probe(paths, &key),
                WorkerState::Absent | WorkerState::Stale { .. }
            );
            nobodys && !spool::exists(paths, &key)
        });
    }
    Ok(survey)
}

fn sightings(
    paths: &Paths,
    conn: Option<&Connection>,
    now: i64,
) -> store::Result<BTreeMap<String, Sighting>> {
    let mut seen: BTreeMap<String, Sighting> = BTreeMap::new();
    let queued = match conn {
        Some(conn) => queue_admin::sessions_with_work(conn, None, now)?,
        None => Vec::new(),
    };
    for work in queued.into_iter().filter(|work| work.not_before_epoch == 0) {
        let key = session_key(&work.client, &work.content_session_id);
        let name = Some((work.client, work.content_session_id));
        seen.insert(key, Sighting { name, queued: true, ..Sighting::default() });
    }
    for key in spool::keys(paths) {
        let first = spool::first(paths, &key);
        let sighting = seen.entry(key).or_default();
        sighting.spooled = true;
        if let Some(event) = first {
            sighting.newest = event.at.min(now);
            sighting.name.get_or_insert((event.client, event.session));
        }
    }
    for key in probe::keys(paths) {
        let holder = lock::read_holder(&paths.session_lock(&key));
        let sighting = seen.entry(key).or_default();
        if let Some(holder) = holder.filter(|holder| !holder.session.is_empty()) {
            sighting.name.get_or_insert((holder.client, holder.session));
        }
    }
    // A name that leads elsewhere is no name.
    for (key, sighting) in &mut seen {
        sighting.name = sighting.name.take().filter(|(c, s)| session_key(c, s) == *key);
    }
    Ok(seen)
}

fn name_from_store(conn: &Connection, seen: &mut BTreeMap<String, Sighting>) -> store::Result<()> {
    if seen.values().any(|sighting| sighting.name.is_none()) {
        for known in sessions::list(conn, Filter::default(), KNOWN)? {
            let key = session_key(&known.client, &known.content_session_id);
            if let Some(sighting) = seen.get_mut(&key) {
                sighting.name.get_or_insert((known.client, known.content_session_id));
            }
        }
    }
    for sighting in seen.values_mut() {
        let Some((client, session)) = &sighting.name else { continue };
        if let Some(known) = sessions::find(conn, client, session)? {
            sighting.newest = sighting.newest.max(known.last_event_epoch);
        }
    }
    Ok(())
}

/// Whether a worker is wanted, or only somebody who clears away, or neither.
fn sort_in(
    paths: &Paths,
    conn: Option<&Connection>,
    key: String,
    sighting: Sighting,
    survey: &mut Survey,
) -> store::Result<()> {
    let found = probe::probe(paths, &key);
    let Sighting { name, newest, queued, spooled } = sighting;
    let reason = match found {
        WorkerState::Live { .. } => return Ok(()),
        WorkerState::Hung { .. } => Some(Reason::Hung),
        WorkerState::Stale { .. } | WorkerState::Absent if spooled => Some(Reason::Spooled),
        WorkerState::Stale { .. } | WorkerState::Absent if queued => Some(Reason::Queued),
        WorkerState::Stale { .. } => match (conn, &name) {
            (Some(conn), Some((client, session))) => {
                match sessions::id_of(conn, client, session)? {
                    Some(id) => accept::open_prompts(conn, id)?.any().then_some(Reason::Open),
                    None => None,
                }
            }
            _ => None,
        },
        WorkerState::Absent => None,
    };
    match (reason, name) {
        (Some(reason), Some((client, session))) => {
            survey.due.push(Due { key, client, session, reason, newest });
        }
        // Whose it is cannot be told: it is left to its own next event.
        (Some(Reason::Hung), None) => {}
        (_, name) if cleanup::has_stale_files(paths, &key) => {
            survey.stale_files.push(StaleFiles { key, session: name.map(|(_, session)| session) });
        }
        _ => {}
    }
    Ok(())
}

/// Whether spool or queue of a session still hold anything that is due.
pub fn work_left(paths: &Paths, due: &Due) -> bool {
    if spool::exists(paths, &due.key) {
        return true;
    }
    let Ok(Some(reader)) = Reader::open(paths, PATIENCE) else { return true };
    let now = clock::now_ms();
    let work = queue_admin::sessions_with_work(reader.connection(), None, now);
    work.is_ok_and(|work| {
        work.iter().any(|work| {
            work.not_before_epoch == 0
                && work.client == due.client
                && work.content_session_id == due.session
        })
    })
}
