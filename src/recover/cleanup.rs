//! Work that needs no worker: removing files of dead workers, draining a spool for a command, ending
//! inactive sessions. Each of these holds the session lock, so that no worker can start meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use memctl_proto::{Event, Kind, Reply, Request};
use rusqlite::Connection;
use uuid::Uuid;

use crate::config::Settings;
use crate::deliver::{connect, probe, unfinished};
use crate::files::Place;
use crate::lock::{SessionLock, StarterLock};
use crate::paths::{Paths, session_key};
use crate::process;
use crate::spool::{self, drain};
use crate::store::sessions::{self, Filter, Session};
use crate::store::{Fence, Result, Store, accept, queue_admin};
use crate::testpoint;

/// Maximum number of rounds of [`quarantine_unreadable`]. Later files stay in the spool.
const MAX_ROUNDS: usize = 100;

/// Maximum number of active sessions that are read. If there were more, the lists of the oldest ones
/// would be removed early.
const MAX_ACTIVE: usize = 10_000;

/// Younger lists of private turns may belong to a session that is not in the store yet.
const LIST_MIN_AGE: Duration = Duration::from_secs(3600);

/// Number of spool files that a round reads.
const FILES_PER_ROUND: usize = 500;

/// Removes the sockets and the lock files of a session without a worker, and quarantines unreadable
/// files of its spool. `false` if another process holds the session lock.
///
/// # Errors
/// Errors of the file system.
pub fn remove_stale_files(paths: &Paths, key: &str) -> io::Result<bool> {
    let Some(lock) = SessionLock::try_take(&paths.session_lock(key))? else { return Ok(false) };
    testpoint::at("tidy.locked");
    quarantine_unreadable(paths, key)?;
    remove_sockets(paths, key, &lock)?;
    StarterLock::remove_stale(&paths.starter_lock(key))?;
    testpoint::at("tidy.cleared");
    lock.remove()
}

fn remove_sockets(paths: &Paths, key: &str, lock: &SessionLock) -> io::Result<()> {
    let recorded = lock.previous_holder().map(|holder| holder.socket.clone());
    for socket in paths.possible_sockets(key).chain(recorded) {
        // No process can bind between the check and the unlink, because it would need the lock.
        if is_our_socket(&socket) && lock.is_linked() {
            fs::remove_file(&socket)?;
        }
    }
    Ok(())
}

/// Removes the lists of private turns and given memories of sessions that have ended without a SessionEnd. A list
/// that was just written stays, because its session may not be in the store yet.
pub fn remove_lists(paths: &Paths, conn: &Connection) -> Result<()> {
    let is_list =
        |file: &Place| file.path().extension().is_some_and(|e| e == "private" || e == "given");
    let dirs = [paths.run_dir(), paths.fallback_dir()];
    let lists: Vec<Place> = dirs.iter().flat_map(Place::entries).filter(is_list).collect();
    if lists.is_empty() {
        return Ok(());
    }
    let active = Filter { active: true, ..Filter::default() };
    let active: BTreeSet<String> = sessions::list(conn, active, MAX_ACTIVE)?
        .iter()
        .map(|session| session_key(&session.client, &session.content_session_id))
        .collect();
    for list in lists {
        let key = list.file_name().to_str().and_then(|name| paths.key_of_list(name));
        let Some(key) = key else { continue };
        let age = list.stat().ok().and_then(|stat| stat.modified.elapsed().ok());
        let is_old = age.is_some_and(|age| age > LIST_MIN_AGE);
        if is_old && !active.contains(key) && !spool::exists(paths, key) {
            list.remove_file()?;
        }
    }
    Ok(())
}

/// Whether the session has files of a dead worker. If a worker replies at a socket, its files are
/// not stale even if its lock file was deleted.
pub fn has_stale_files(paths: &Paths, key: &str) -> bool {
    let has_files = paths.session_lock(key).exists()
        || paths.starter_lock(key).exists()
        || spool::exists(paths, key)
        || paths.possible_sockets(key).any(|socket| is_our_socket(&socket));
    has_files
        && !paths.possible_sockets(key).any(|socket| {
            matches!(
                connect::request(&socket, &Request::Ping, probe::TIMEOUT),
                Ok(Reply::Pong { .. })
            )
        })
}

fn is_our_socket(path: &Path) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|meta| meta.file_type().is_socket() && meta.uid() == process::own_uid())
}

/// Quarantines unreadable spool files until one is readable. That event names the session, so a
/// worker can be started for the rest.
fn quarantine_unreadable(paths: &Paths, key: &str) -> io::Result<()> {
    for _ in 0..MAX_ROUNDS {
        if !spool::exists(paths, key) {
            break;
        }
        let files = spool::read(paths, key, FILES_PER_ROUND)?;
        if files.iter().any(|file| file.event.is_ok()) {
            return Ok(());
        }
        for file in &files {
            tracing::warn!("a spool file without an event was moved to the dead-letter directory");
            spool::quarantine(paths, &file.path)?;
        }
        if files.is_empty() && spool::remove_dirs(paths, key)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Drains the spool of a session without a worker. Returns the number of events; 0 if a process holds
/// the session lock, because that worker drains the spool itself.
pub fn drain_spool(
    settings: &Settings,
    store: &mut Store,
    client: &str,
    session: &str,
    now: i64,
) -> Result<u64> {
    let paths = &settings.paths;
    let key = session_key(client, session);
    if !spool::exists(paths, &key) {
        return Ok(0);
    }
    let Some(lock) = SessionLock::try_take(&paths.session_lock(&key))? else { return Ok(0) };
    let mut fence = Fence::new(client, session);
    let drained = drain::drain(store, settings, &key, &mut fence, now)?;
    testpoint::at("tidy.took_in");
    if let Some(id) = fence.session() {
        // This process held the session lock but is not a crashed worker: reset the restart count.
        store.write(|tx| sessions::reset_restarts(tx, id))?;
    }
    remove_sockets(paths, &key, &lock)?;
    lock.remove()?;
    Ok(drained.events as u64)
}

/// Takes all aborted messages off the queue's list of failed ones. Returns their number.
pub fn clear_aborted(store: &mut Store, now: i64) -> Result<u64> {
    let mut cleared = 0;
    loop {
        match store.write(|tx| queue_admin::clear_aborted(tx, now))? {
            0 => return Ok(cleared),
            n => cleared += n,
        }
    }
}

/// Runs `f` while this process holds the lock of a session without a worker. `None` if a process holds
/// the lock.
///
/// # Errors
/// The error of `f`, or of the file system.
pub fn without_worker<T>(
    paths: &Paths,
    client: &str,
    session: &str,
    f: impl FnOnce() -> Result<T>,
) -> Result<Option<T>> {
    let key = session_key(client, session);
    let Some(lock) = SessionLock::try_take(&paths.session_lock(&key))? else { return Ok(None) };
    let done = f();
    remove_sockets(paths, &key, &lock)?;
    lock.remove()?;
    done.map(Some)
}

/// Why an active session without a worker counts as ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its client process has exited, and no event came for [`unfinished::GONE_AFTER`].
    ClientGone,
    /// It has had no event since the time that the caller gives.
    Silent,
}

impl Ended {
    /// `None`: the session goes on, or was ended. Times are milliseconds since the epoch.
    pub fn of(session: &Session, before: i64, now: i64) -> Option<Ended> {
        let is_silent = session.last_event_epoch < gone_before(now);
        match session.status == "active" {
            true if is_silent && unfinished::is_client_gone(session) => Some(Ended::ClientGone),
            true if session.last_event_epoch < before => Some(Ended::Silent),
            _ => None,
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Ended::ClientGone => "client_gone",
            Ended::Silent => "stale",
        }
    }
}

/// A session of a client that is gone has had no event since this time.
pub fn gone_before(now: i64) -> i64 {
    now - unfinished::GONE_AFTER.as_millis() as i64
}

/// Ends an active session that counts as ended; `before` is as in [`Ended::of`]. `false` if a process holds
/// the session lock or the session has a newer event.
///
/// Checks the session again and ends it in one transaction, so that it never ends a prompt accepted
/// meanwhile. The end event has the time of the session's last event.
pub fn end_inactive(
    paths: &Paths,
    store: &mut Store,
    session: &Session,
    before: i64,
    now: i64,
) -> Result<bool> {
    let (client, id) = (&session.client, &session.content_session_id);
    let key = session_key(client, id);
    let Some(lock) = SessionLock::try_take(&paths.session_lock(&key))? else { return Ok(false) };
    let ended = !spool::exists(paths, &key)
        && store.write(|tx| {
            let Some(current) = sessions::find(tx, client, id)? else { return Ok(false) };
            let Some(why) = Ended::of(&current, before, now) else { return Ok(false) };
            let since = current.last_event_epoch;
            let mut end = Event::new(Kind::End, client, id, since);
            // Like an end from a worker, it differs from the end that a hook sends (UUIDv7).
            let name = format!("{key} without events from {since} to {now}");
            end.id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
            end.reason = Some(why.reason().into());
            accept::accept(tx, &end, None, now).map(|_| true)
        })?;
    testpoint::at("tidy.ended");
    remove_sockets(paths, &key, &lock)?;
    lock.remove()?;
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::config;
    use crate::lock::{self, LockState};
    use crate::paths::Paths;
    use crate::paths::testing::temp_paths;

    const SPOOL: config::Spool = config::Spool { max_events: 10, max_bytes: u64::MAX };

    struct World {
        paths: Paths,
        key: String,
        _dir: tempfile::TempDir,
    }

    fn world() -> World {
        let (dir, paths) = temp_paths();
        World { paths, key: session_key("c", "s"), _dir: dir }
    }

    impl World {
        fn accept(&self, store: &mut Store, kind: Kind, at: i64) {
            let event = Event::new(kind, "c", "s", at);
            store.write(|tx| accept::accept(tx, &event, None, at)).unwrap();
        }

        fn take(&self) -> SessionLock {
            SessionLock::try_take(&self.paths.session_lock(&self.key)).unwrap().unwrap()
        }

        fn socket(&self) -> UnixListener {
            UnixListener::bind(self.paths.socket(&self.key, 0)).unwrap()
        }

        fn remove(&self) -> bool {
            remove_stale_files(&self.paths, &self.key).unwrap()
        }
    }

    #[test]
    fn files_are_removed_only_if_the_lock_is_free() {
        let w = world();
        assert!(!has_stale_files(&w.paths, &w.key));
        let lock = w.take();
        drop(w.socket());
        assert!(!w.remove(), "the lock is held");
        assert!(is_our_socket(&w.paths.socket(&w.key, 0)));
        drop(lock);
        assert!(has_stale_files(&w.paths, &w.key));
        assert!(w.remove());
        assert!(!has_stale_files(&w.paths, &w.key));
        assert_eq!(lock::probe(&w.paths.session_lock(&w.key)).unwrap(), LockState::Absent);
    }

    #[test]
    fn a_regular_file_at_the_sockets_path_stays() {
        let w = world();
        let path = w.paths.socket(&w.key, 0);
        fs::write(&path, "not a socket").unwrap();
        drop(w.take());
        assert!(w.remove());
        assert!(path.exists());
        assert!(!has_stale_files(&w.paths, &w.key));
    }

    /// A worker whose lock file was deleted still replies.
    #[test]
    fn a_socket_that_replies_is_not_stale() {
        let w = world();
        let listener = w.socket();
        let worker = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let pong = Reply::Pong { version: "0".into(), pid: 1 };
            let bytes = memctl_proto::frame::encode(&pong).unwrap();
            std::io::Write::write_all(&mut stream, &bytes).unwrap();
            let mut request = Vec::new();
            std::io::Read::read_to_end(&mut stream, &mut request).unwrap();
        });
        assert!(!has_stale_files(&w.paths, &w.key));
        worker.join().unwrap();
        assert!(has_stale_files(&w.paths, &w.key), "the worker is gone");
    }

    #[test]
    fn unreadable_files_are_quarantined_and_events_are_not() {
        let w = world();
        let event = Event::new(Kind::Prompt, "c", "s", 1);
        spool::put(&w.paths, &w.key, &event, SPOOL).unwrap();
        fs::write(w.paths.spool(&w.key).join("0000000000.json"), "{").unwrap();
        assert!(w.remove());
        assert!(spool::first_event(&w.paths, &w.key).is_some());
        fs::write(w.paths.spool(&w.key).join("0000000001.json"), "{").unwrap();
        assert!(w.remove());
        assert!(!spool::exists(&w.paths, &w.key));
    }

    /// Reads an inactive session, applies `change`, then checks whether the session is ended.
    fn check_end(change: impl FnOnce(&World, &mut Store), expected: bool) {
        let w = world();
        let mut store = Store::open(&w.paths).unwrap();
        w.accept(&mut store, Kind::Prompt, 10);
        let inactive = sessions::find(store.connection(), "c", "s").unwrap().unwrap();
        change(&w, &mut store);
        let ended = end_inactive(&w.paths, &mut store, &inactive, 20, 1000).unwrap();
        assert_eq!(ended, expected);
        let current = sessions::find(store.connection(), "c", "s").unwrap().unwrap();
        let reason = current.end_reason.as_deref();
        assert_eq!(reason == Some("stale"), expected, "{reason:?}");
        if ended {
            let end = (current.status.as_str(), current.completed_at_epoch);
            assert_eq!(end, ("failed", Some(10)));
        }
    }

    #[test]
    fn a_session_of_a_client_that_is_gone_is_ended_after_a_minute() {
        let check = |start: u64, now: i64, expected: Option<&str>| {
            let w = world();
            let mut store = Store::open(&w.paths).unwrap();
            let own = process::lookup(std::process::id().cast_signed()).unwrap();
            let mut event = Event::new(Kind::Prompt, "c", "s", 10);
            event.process = Some(memctl_proto::event::Process { start: own.start + start, ..own });
            store.write(|tx| accept::accept(tx, &event, None, 10)).unwrap();
            let session = sessions::find(store.connection(), "c", "s").unwrap().unwrap();
            let ended = end_inactive(&w.paths, &mut store, &session, 0, now).unwrap();
            let current = sessions::find(store.connection(), "c", "s").unwrap().unwrap();
            assert_eq!((current.end_reason.as_deref(), ended), (expected, expected.is_some()));
        };
        let gone = 11 + unfinished::GONE_AFTER.as_millis() as i64;
        check(1, gone, Some("client_gone"));
        check(1, gone - 1, None);
        check(0, gone, None);
    }

    #[test]
    fn a_session_is_ended_only_if_it_is_still_inactive() {
        check_end(|_, _| {}, true);
        check_end(|w, store| w.accept(store, Kind::Tool, 30), false);
        check_end(|w, store| w.accept(store, Kind::End, 10), false);
        let spooled = |w: &World, _: &mut Store| {
            let event = Event::new(Kind::Prompt, "c", "s", 30);
            spool::put(&w.paths, &w.key, &event, SPOOL).map(drop).unwrap();
        };
        check_end(spooled, false);
        let mut held = None;
        check_end(|w, _| held = Some(w.take()), false);
    }
}
