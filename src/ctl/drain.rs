//! Drains spools into the queue and wakes workers, for verbs that change the queue.

use std::collections::BTreeSet;

use crate::config::Settings;
use crate::deliver::{self, launch, probe};
use crate::failure::{Context, Result};
use crate::paths::session_key;
use crate::recover::cleanup;
use crate::spool;
use crate::store::Store;

/// A session: client name and content session id.
pub type SessionName = (String, String);

/// The sessions that have spooled events.
pub fn sessions_with_spool(settings: &Settings) -> BTreeSet<SessionName> {
    let paths = &settings.paths;
    let events = spool::keys(paths).into_iter().filter_map(|key| spool::first_event(paths, &key));
    events.map(|event| (event.client, event.session)).collect()
}

/// Drains the spools of sessions without a worker. A live worker drains its own spool. Returns the
/// number of events.
pub fn drain(
    settings: &Settings,
    store: &mut Store,
    sessions: &BTreeSet<SessionName>,
    now: i64,
) -> Result<u64> {
    let mut drained = 0;
    for (client, session) in sessions {
        drained += cleanup::drain_spool(settings, store, client, session, now)
            .context("cannot drain the spool")?;
    }
    Ok(drained)
}

/// Wakes the worker of each session. If one unfinished session has no worker, starts one. If several
/// have none, starts recovery, which limits the number of workers at a time.
pub fn wake_workers(
    settings: &Settings,
    sessions: &BTreeSet<SessionName>,
    unfinished: &BTreeSet<SessionName>,
) -> Result<()> {
    let mut without_worker = Vec::new();
    for name in sessions {
        let key = session_key(&name.0, &name.1);
        if !deliver::wake(settings, &key, probe::TIMEOUT) && unfinished.contains(name) {
            without_worker.push(name);
        }
    }
    match without_worker[..] {
        [] => Ok(()),
        [(client, session)] => launch::start_recovery_worker(settings, client, session)
            .context("cannot start a worker"),
        _ => launch::start_recovery(settings).context("cannot start recovery"),
    }
}
