//! Releases messages that wait for a backend which is no longer configured, or has another key or login.

use crate::agent::deferral;
use crate::config::Settings;
use crate::store::{Result, Store, deferrals};

/// Makes the messages of all sessions due that wait for what has changed. Returns their number.
pub fn release_changed(store: &mut Store, settings: &Settings) -> Result<u64> {
    let mut changed = deferrals::waited_for(store.connection(), None)?;
    if changed.is_empty() {
        return Ok(0);
    }
    let current = deferral::current(settings);
    changed.retain(|waits_for| !deferral::is_valid(waits_for, &current));
    match changed.is_empty() {
        true => Ok(0),
        false => store.write(|tx| deferrals::release(tx, &changed)),
    }
}
