//! Drains a spool into the store. The session's worker does this at startup, when it is woken and
//! before it shuts down. Commands and recovery do it for sessions without a worker.
//!
//! The store lock is held from the first read to the last unlink. Otherwise one of two processes that
//! drain the same spool could unlink a file that the other has not committed.

use memctl_proto::event::Process;
use memctl_proto::{Event, Kind};

use super::SpoolFile;
use super::location::locations;
use crate::config::Settings;
use crate::paths::{Paths, session_key};
use crate::store::accept::{Prepared, accept_prepared, deletes_texts};
use crate::store::claims;
use crate::store::queue::BatchMeasure;
use crate::store::{self, Fence, Locked, Store, StoreError};
use crate::testpoint;

/// Events per transaction.
const EVENTS_PER_TRANSACTION: usize = 500;

/// The result of a drain.
#[derive(Debug, Default)]
pub struct Drained {
    /// Kinds of the events that were new to the store.
    pub kinds: Vec<Kind>,
    /// Client processes that these events name.
    pub clients: Vec<Process>,
    /// An event deleted texts that were stored before.
    pub deletes_texts: bool,
    /// Number of events, including those that the store already had.
    pub events: usize,
    /// Number of files moved to the dead-letter directory.
    pub dead_letters: usize,
}

/// Drains the session's whole spool and removes its directories.
///
/// Some files go to the dead-letter directory instead: unreadable ones, events of another session,
/// events whose content the store refuses, and files older than `queue.keep`. The store may have
/// deleted the ids of such old events and would accept them a second time. After any other error all
/// files stay, because the next drain may succeed.
///
/// Each transaction checks `fence` first, and fails if another worker has taken over the session.
///
/// # Errors
/// Errors of the store. No file is unlinked before its event is committed.
pub fn drain(
    store: &mut Store,
    settings: &Settings,
    key: &str,
    fence: &mut Fence,
    now: i64,
) -> store::Result<Drained> {
    let (paths, keep) = (&settings.paths, settings.config.queue.keep);
    let measure = BatchMeasure::configured(&settings.config.agent);
    let mut drained = Drained::default();
    store.locked(|locked| {
        loop {
            let files = super::read(paths, key, EVENTS_PER_TRANSACTION)?;
            testpoint::at("take_in.read");
            if files.is_empty() && super::remove_dirs(paths, key)? {
                testpoint::at("take_in.removed");
                return Ok(());
            }
            let is_valid = |file: &SpoolFile| {
                let event = file.event.as_ref();
                event.is_ok_and(|e| session_key(&e.client, &e.session) == key) && file.age < keep
            };
            let (valid, invalid): (Vec<_>, Vec<_>) = files.into_iter().partition(is_valid);
            for file in invalid {
                drained.dead_letters += 1;
                super::quarantine(paths, &file.path)?;
            }
            commit(locked, paths, &valid, measure, fence, now, &mut drained)?;
            testpoint::at("take_in.committed");
            for file in &valid {
                super::remove(&file.path)?;
                testpoint::at("take_in.unlinked");
            }
        }
    })?;
    Ok(drained)
}

/// Accepts the events of a session whose worker does not drain its spool, and leaves the files where
/// they are. The worker drains them later and finds that the store has them. The caller holds the store
/// lock.
///
/// # Errors
/// Errors of the store. A file that cannot be read, or whose event the store refuses, is left out.
pub fn accept_copies(
    locked: &mut Locked,
    settings: &Settings,
    key: &str,
    now: i64,
) -> store::Result<()> {
    let measure = BatchMeasure::configured(&settings.config.agent);
    for location in locations(&settings.paths, key) {
        for path in location.files()? {
            let file = super::read_file(path)?;
            let Ok(event) = file.event.as_ref() else { continue };
            if session_key(&event.client, &event.session) != key
                || file.age >= settings.config.queue.keep
            {
                continue;
            }
            let prepared = Prepared::new(locked.connection(), event, measure.cost_to_store(event))?;
            match locked.write(|tx| accept_prepared(tx, event, &prepared, now)) {
                Ok(_) | Err(StoreError::Bug(_)) => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(())
}

fn commit(
    locked: &mut Locked,
    paths: &Paths,
    files: &[SpoolFile],
    measure: BatchMeasure,
    fence: &mut Fence,
    now: i64,
    drained: &mut Drained,
) -> store::Result<()> {
    let events = || files.iter().filter_map(|f| f.event.as_ref().ok());
    let prepare = |event| {
        Ok((event, Prepared::new(locked.connection(), event, measure.cost_to_store(event))?))
    };
    let prepared: Vec<_> = events().map(prepare).collect::<store::Result<_>>()?;
    let result = locked.fenced(fence, now, |tx, _| {
        let is_duplicate =
            |(event, p): &(&Event, _)| Ok(accept_prepared(tx, event, p, now)?.duplicate);
        prepared.iter().map(is_duplicate).collect::<store::Result<Vec<_>>>()
    });
    match result {
        Ok(duplicates) => {
            drained.events += duplicates.len();
            drained.deletes_texts |= events().any(deletes_texts);
            for (event, _) in events().zip(duplicates).filter(|(_, duplicate)| !duplicate) {
                drained.kinds.push(event.kind);
                drained.clients.extend(event.process);
            }
            record_directories(locked, events(), now)
        }
        // A refused event must not block the events behind it: commit them one by one.
        Err(StoreError::Refused(_)) if files.len() > 1 => files.iter().try_for_each(|file| {
            let file = std::slice::from_ref(file);
            commit(locked, paths, file, measure, fence, now, drained)
        }),
        Err(StoreError::Refused(_)) => {
            drained.dead_letters += 1;
            Ok(super::quarantine(paths, &files[0].path)?)
        }
        Err(e) => Err(e),
    }
}

/// Records what is new of the directories of these events.
fn record_directories<'a>(
    locked: &mut Locked,
    events: impl Iterator<Item = &'a Event>,
    now: i64,
) -> store::Result<()> {
    for project in events.filter_map(|event| event.project.as_ref()) {
        if let Some(new) = claims::unrecorded(locked.connection(), project)? {
            locked.write(|tx| claims::record(tx, &new, now))?;
        }
    }
    Ok(())
}
