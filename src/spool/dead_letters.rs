//! The dead-letter directory: spooled files that could not be drained. They stay there until the user
//! takes them in again, gives them up or forgets them.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};

use memctl_proto::Event;
use uuid::Uuid;

use super::{put, read_file, remove};
use crate::config;
use crate::files::Place;
use crate::paths::{Paths, session_key};

/// The letters were in a spool before, so its limits do not apply.
const NO_LIMITS: config::Spool = config::Spool { max_events: usize::MAX, max_bytes: u64::MAX };

/// Moves a file that cannot be drained to the dead-letter directory. If that fails, the file stays
/// in the spool.
pub fn quarantine(paths: &Paths, path: &Place) -> io::Result<()> {
    paths.dead_letters().make_dir()?;
    let name = format!("{}-{}", Uuid::now_v7(), path.file_name().to_string_lossy());
    let dead_letter = paths.dead_letters().join(&name);
    match path.rename(&dead_letter) {
        Err(e) if e.kind() == ErrorKind::CrossesDevices => match path.read() {
            Ok(bytes) => {
                dead_letter.write(&bytes)?.sync_all()?;
                remove(path)
            }
            // A directory, a pipe or a link cannot be copied. It stays beside the spools.
            Err(_) => path.rename(&paths.fallback_dir().join(name)),
        },
        result => result,
    }
}

/// Number of files in the dead-letter directory.
pub fn count(paths: &Paths) -> u64 {
    paths.dead_letters().entries().count() as u64
}

/// The result of [`requeue`].
#[derive(Debug, Default)]
pub struct Requeued {
    pub events: u64,
    /// Client and session id of the sessions that have these events.
    pub sessions: BTreeSet<(String, String)>,
}

/// Moves the selected events back to the spools of their sessions, oldest first. Files without an
/// event that this version can read stay.
///
/// As from a hook, an event becomes the newest of its spool, and counts as new if it was older than
/// `queue.keep`. A crash leaves the event in both places; the store ignores the repeat. The caller
/// holds the store lock, so that `forget` does not look between the two.
///
/// # Errors
/// If a file cannot be read or written. A second call handles the remaining files.
pub fn requeue(paths: &Paths, selects: &dyn Fn(&Event) -> bool) -> io::Result<Requeued> {
    let mut requeued = Requeued::default();
    for letter in in_order(paths) {
        let Ok(event) = read_file(letter.clone())?.event else { continue };
        if !selects(&event) {
            continue;
        }
        put(paths, &session_key(&event.client, &event.session), &event, NO_LIMITS)?;
        remove(&letter)?;
        requeued.events += 1;
        requeued.sessions.insert((event.client, event.session));
    }
    Ok(requeued)
}

/// Deletes the selected files and returns their number. `selects` gets `None` for a file without an
/// event. The caller holds the store lock.
///
/// # Errors
/// If a file cannot be deleted.
pub fn delete(paths: &Paths, selects: &dyn Fn(Option<&Event>) -> bool) -> io::Result<u64> {
    let mut n_deleted = 0;
    for letter in in_order(paths) {
        // A directory or a link that stood in place of a spool has no event either.
        let event = read_file(letter.clone()).ok().and_then(|file| file.event.ok());
        if !selects(event.as_ref()) {
            continue;
        }
        match letter.stat()?.is_dir() {
            true => letter.remove_dir()?,
            false => remove(&letter)?,
        }
        n_deleted += 1;
    }
    Ok(n_deleted)
}

/// The files in the order in which they were moved here: their names begin with the time.
fn in_order(paths: &Paths) -> Vec<Place> {
    let mut letters: Vec<Place> = paths.dead_letters().entries().collect();
    letters.sort_by(|a, b| a.file_name().cmp(b.file_name()));
    letters
}
