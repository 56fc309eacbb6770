//! Drains spools into the queue, for verbs that change the queue.

use std::collections::BTreeSet;

use crate::config::Settings;
use crate::failure::{Context, Result};
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
