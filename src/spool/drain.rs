//! The spool into the store: by the session's worker at birth, when it is rung and before it
//! leaves, and by whoever recovers a session.
//!
//! The store lock is held from the first reading to the last unlink: two who take in at once
//! would otherwise unlink what the other has not committed.

use super::SpoolFile;
use crate::paths::{Paths, session_key};
use crate::store::accept::accept;
use crate::store::{self, Fence, Locked, Store, StoreError};
use crate::testpoint;
use std::time::Duration;

use memctl_proto::event::Process;
use memctl_proto::{Event, Kind};

/// At most so many events in one transaction.
const PIECE: usize = 500;

/// What was drained in.
#[derive(Debug, Default)]
pub struct Drained {
    /// Events that the store did not know.
    pub kinds: Vec<Kind>,
    /// The client's processes that these name.
    pub clients: Vec<Process>,
    /// Files that held an event, known or not.
    pub events: usize,
    /// Files that could not be read, or whose event the store refused: set aside.
    pub dead: usize,
}

/// Takes in all that the session has spooled and removes its folders.
///
/// Events of another session, and those that lay here longer than `keep`, whose ids the store may
/// have forgotten, are set aside.
///
/// Each transaction goes through `fence`: a session that is another's is left to it.
///
/// # Errors
/// What the store says; nothing is unlinked that is not committed.
pub fn drain(
    store: &mut Store,
    paths: &Paths,
    key: &str,
    fence: &mut Fence,
    keep: Duration,
    now: i64,
) -> store::Result<Drained> {
    let mut drained = Drained::default();
    store.locked(|locked| {
        loop {
            let files = super::read(paths, key, PIECE)?;
            testpoint::at("take_in.read");
            if files.is_empty() && super::remove_dirs(paths, key)? {
                testpoint::at("take_in.removed");
                return Ok(());
            }
            let fits = |file: &SpoolFile| {
                let event = file.event.as_ref();
                event.is_ok_and(|e| session_key(&e.client, &e.session) == key) && file.age < keep
            };
            let (good, bad): (Vec<_>, Vec<_>) = files.into_iter().partition(fits);
            for file in bad {
                drained.dead += 1;
                super::quarantine(paths, &file.path)?;
            }
            commit(locked, paths, &good, fence, now, &mut drained)?;
            testpoint::at("take_in.committed");
            for file in &good {
                super::remove(&file.path)?;
                testpoint::at("take_in.unlinked");
            }
        }
    })?;
    Ok(drained)
}

fn commit(
    locked: &mut Locked,
    paths: &Paths,
    files: &[SpoolFile],
    fence: &mut Fence,
    now: i64,
    drained: &mut Drained,
) -> store::Result<()> {
    let events = || files.iter().filter_map(|f| f.event.as_ref().ok());
    let all = locked.fenced(fence, now, |tx, _| {
        let accepted = |event: &Event| Ok(accept(tx, event, now)?.duplicate);
        events().map(accepted).collect::<store::Result<Vec<_>>>()
    });
    match all {
        Ok(accepted) => {
            drained.events += accepted.len();
            for (event, _) in events().zip(accepted).filter(|(_, known)| !known) {
                drained.kinds.push(event.kind);
                drained.clients.extend(event.process);
            }
            Ok(())
        }
        // One event that the store chokes on must not hold up all behind it.
        Err(StoreError::Bug(_)) if files.len() > 1 => files
            .iter()
            .try_for_each(|f| commit(locked, paths, std::slice::from_ref(f), fence, now, drained)),
        Err(StoreError::Bug(_)) => {
            drained.dead += 1;
            Ok(super::quarantine(paths, &files[0].path)?)
        }
        Err(e) => Err(e),
    }
}
