//! Finds unfinished work in all sessions: in the store, in spools, and in files left by dead workers.
//! Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use rusqlite::Connection;

use super::cleanup::{self, Ended};
use crate::clock;
use crate::deliver::probe::{self, WorkerState};
use crate::paths::{Paths, session_key};
use crate::store::sessions::{Filter, Session};
use crate::store::{self, Reader, accept, queue_admin, sessions};
use crate::{lock, spool};

/// File names contain only a session's key. To find the client and session id behind a key, this
/// many of the newest sessions in the store are searched.
const NAME_SEARCH: usize = 10_000;

/// Maximum number of inactive sessions in one survey.
const MAX_INACTIVE: usize = 500;

/// A spool that was changed within this time is left to its own starter: the hook that writes an event
/// starts a worker with the keys of the session's environment, which a worker of recovery does not have.
pub const STARTER_TIME: Duration = Duration::from_secs(2);

/// Limit on waiting for the store in [`has_due_work`].
const STORE_TIMEOUT: Duration = Duration::from_millis(500);

/// A session that needs a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub key: String,
    pub client: String,
    /// The client's session id.
    pub session: String,
    pub reason: Reason,
    /// Time of its newest known event, in milliseconds since the epoch.
    newest: i64,
}

/// Why a session needs a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its worker holds the session lock and does not reply.
    Hung,
    Spooled,
    /// Its queue holds messages that may be claimed now.
    Queued,
    /// Its worker died while a prompt was open.
    OpenPrompt,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Hung => "its worker does not reply",
            Reason::Spooled => "events wait in its spool",
            Reason::Queued => "events wait in its queue",
            Reason::OpenPrompt => "its worker died during a turn",
        })
    }
}

/// All unfinished work.
#[derive(Debug, Default)]
pub struct Survey {
    /// Newest first.
    pub due: Vec<Due>,
    pub stale_files: Vec<StaleFiles>,
    /// There are sessions that are left to the starters of their workers for now.
    pub left_to_starters: bool,
    /// Active sessions without a worker that count as ended.
    pub inactive: Vec<(Session, Ended)>,
}

/// A session without work that has files of a dead worker, or a spool without a readable event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleFiles {
    pub key: String,
    /// The client's session id, if it is known.
    pub session: Option<String>,
}

/// A session that may have unfinished work.
#[derive(Default)]
struct Candidate {
    /// Client and session id, once they are known.
    name: Option<(String, String)>,
    newest: i64,
    queued: bool,
    spooled: bool,
    /// Its spool was changed within [`STARTER_TIME`].
    is_fresh: bool,
}

/// Examines every session except those whose keys are in `skip`. `conn` is `None` if there is no
/// readable store. `before` is as in [`Ended::of`]. `spare_fresh`: leaves
/// fresh spools to the starters of their workers.
pub fn survey(
    paths: &Paths,
    conn: Option<&Connection>,
    skip: &BTreeSet<String>,
    before: i64,
    now: i64,
    spare_fresh: bool,
) -> store::Result<Survey> {
    let mut candidates = find_candidates(paths, conn, now)?;
    candidates.retain(|key, _| !skip.contains(key));
    if let Some(conn) = conn {
        name_from_store(conn, &mut candidates)?;
    }
    let mut survey = Survey::default();
    for (key, candidate) in candidates {
        classify(paths, conn, key, candidate, spare_fresh, &mut survey)?;
    }
    survey.due.sort_by(|a, b| b.newest.cmp(&a.newest).then_with(|| a.key.cmp(&b.key)));
    if let Some(conn) = conn {
        let silent_since = before.max(cleanup::gone_before(now));
        let silent = sessions::inactive_since(conn, silent_since, MAX_INACTIVE)?.into_iter();
        survey.inactive =
            silent.filter_map(|s| Ended::of(&s, before, now).map(|why| (s, why))).collect();
        survey.inactive.retain(|(session, _)| {
            let key = session_key(&session.client, &session.content_session_id);
            let no_worker = matches!(
                probe::probe(paths, &key),
                WorkerState::Absent | WorkerState::Stale { .. }
            );
            no_worker && !spool::exists(paths, &key)
        });
    }
    Ok(survey)
}

fn find_candidates(
    paths: &Paths,
    conn: Option<&Connection>,
    now: i64,
) -> store::Result<BTreeMap<String, Candidate>> {
    let mut candidates: BTreeMap<String, Candidate> = BTreeMap::new();
    let queued = match conn {
        Some(conn) => queue_admin::sessions_with_work(conn, None, now)?,
        None => Vec::new(),
    };
    for work in queued.into_iter().filter(|work| work.not_before_epoch == 0) {
        let key = session_key(&work.client, &work.content_session_id);
        let name = Some((work.client, work.content_session_id));
        candidates.insert(key, Candidate { name, queued: true, ..Candidate::default() });
    }
    for key in spool::keys(paths) {
        let event = spool::first_event(paths, &key);
        let age = spool::age(paths, &key);
        let candidate = candidates.entry(key).or_default();
        candidate.spooled = true;
        candidate.is_fresh = age.is_some_and(|age| age < STARTER_TIME);
        if let Some(event) = event {
            candidate.newest = event.at.min(now);
            candidate.name.get_or_insert((event.client, event.session));
        }
    }
    for key in probe::keys(paths) {
        let holder = lock::read_holder(&paths.session_lock(&key));
        let candidate = candidates.entry(key).or_default();
        if let Some(holder) = holder.filter(|holder| !holder.session.is_empty()) {
            candidate.name.get_or_insert((holder.client, holder.session));
        }
    }
    // Ignore a name whose hash is another key.
    for (key, candidate) in &mut candidates {
        candidate.name = candidate.name.take().filter(|(c, s)| session_key(c, s) == *key);
    }
    Ok(candidates)
}

fn name_from_store(
    conn: &Connection,
    candidates: &mut BTreeMap<String, Candidate>,
) -> store::Result<()> {
    if candidates.values().any(|candidate| candidate.name.is_none()) {
        for known in sessions::list(conn, Filter::default(), NAME_SEARCH)? {
            let key = session_key(&known.client, &known.content_session_id);
            if let Some(candidate) = candidates.get_mut(&key) {
                candidate.name.get_or_insert((known.client, known.content_session_id));
            }
        }
    }
    for candidate in candidates.values_mut() {
        let Some((client, session)) = &candidate.name else { continue };
        if let Some(known) = sessions::find(conn, client, session)? {
            candidate.newest = candidate.newest.max(known.last_event_epoch);
        }
    }
    Ok(())
}

/// Adds a session to `survey` if it needs a worker or has stale files.
fn classify(
    paths: &Paths,
    conn: Option<&Connection>,
    key: String,
    candidate: Candidate,
    spare_fresh: bool,
    survey: &mut Survey,
) -> store::Result<()> {
    let worker = probe::probe(paths, &key);
    let Candidate { name, newest, queued, spooled, is_fresh } = candidate;
    let reason = match worker {
        // A worker elsewhere is not hung because it cannot be reached from here.
        WorkerState::Live { .. } | WorkerState::Elsewhere { .. } => return Ok(()),
        WorkerState::Hung { .. } => Some(Reason::Hung),
        _ if spooled && is_fresh && spare_fresh => {
            survey.left_to_starters = true;
            return Ok(());
        }
        WorkerState::Stale { .. } | WorkerState::Absent if spooled => Some(Reason::Spooled),
        WorkerState::Stale { .. } | WorkerState::Absent if queued => Some(Reason::Queued),
        WorkerState::Stale { .. } => match (conn, &name) {
            (Some(conn), Some((client, session))) => {
                match sessions::id_of(conn, client, session)? {
                    Some(id) => accept::open_prompts(conn, id)?.any().then_some(Reason::OpenPrompt),
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
        // A worker cannot be started without the session id. The session's next event starts one.
        (Some(Reason::Hung), None) => {}
        (_, name) if cleanup::has_stale_files(paths, &key) => {
            survey.stale_files.push(StaleFiles { key, session: name.map(|(_, session)| session) });
        }
        _ => {}
    }
    Ok(())
}

/// Whether the session still has a spool or messages that may be claimed now.
pub fn has_due_work(paths: &Paths, due: &Due) -> bool {
    if spool::exists(paths, &due.key) {
        return true;
    }
    let Ok(Some(reader)) = Reader::open(paths, STORE_TIMEOUT) else { return true };
    let now = clock::now_ms();
    let work = queue_admin::sessions_with_work(reader.connection(), None, now);
    work.is_ok_and(|work| {
        work.iter().any(|session| {
            session.not_before_epoch == 0
                && session.client == due.client
                && session.content_session_id == due.session
        })
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use memctl_proto::{Event, Kind};

    use super::*;
    use crate::config;
    use crate::store::testing;

    #[test]
    fn a_fresh_spool_is_left_to_the_starter_of_its_worker() {
        let (_dir, paths) = testing::temp_paths();
        let key = session_key("c", "a");
        let limits = config::Spool { max_events: 10, max_bytes: u64::MAX };
        spool::put(&paths, &key, &Event::new(Kind::Prompt, "c", "a", 0), limits).unwrap();
        let check = |spare_fresh: bool, left: bool| {
            let found = survey(&paths, None, &BTreeSet::new(), 0, 0, spare_fresh).unwrap();
            assert_eq!((found.left_to_starters, found.due.len()), (left, usize::from(!left)));
        };
        check(true, true);
        // The starter has had its time, or has died.
        check(false, false);
        let dir = File::open(paths.spool(&key).path()).unwrap();
        dir.set_modified(SystemTime::now() - STARTER_TIME).unwrap();
        check(true, false);
    }
}
