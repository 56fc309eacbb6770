//! What lies in spools, for verbs that change what is in the queue: it has to be there first.

use std::collections::BTreeSet;

use crate::config::Settings;
use crate::failure::{Context, Result};
use crate::recover::cleanup;
use crate::spool;
use crate::store::Store;

/// A session: client and the client's id.
pub type SessionName = (String, String);

/// The sessions that have a spool.
pub fn sessions_with_spool(settings: &Settings) -> BTreeSet<SessionName> {
    let paths = &settings.paths;
    let named = spool::keys(paths).into_iter().filter_map(|key| spool::first(paths, &key));
    named.map(|event| (event.client, event.session)).collect()
}

/// Takes in what lies where nobody lives. Where a worker lives it does that itself. How many.
pub fn drain(
    settings: &Settings,
    store: &mut Store,
    sessions: &BTreeSet<SessionName>,
    now: i64,
) -> Result<u64> {
    let mut taken = 0;
    for (client, session) in sessions {
        taken += cleanup::drain_spool(settings, store, client, session, now).context("spool")?;
    }
    Ok(taken)
}
