//! What needs no worker: files that dead workers left behind, spools that hold no event or are
//! wanted in the queue, sessions that ended unseen. Each is done holding the session's lock, so that nobody lives there.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use memctl_proto::{Event, Kind, Reply, Request};

use crate::config::Settings;
use crate::deliver::{connect, probe};
use crate::lock::SessionLock;
use crate::paths::{Paths, session_key};
use crate::process;
use crate::spool::{self, drain};
use crate::store::sessions::{self, Session};
use crate::store::{Fence, Result, Store, accept};
use crate::testpoint;

/// As many names as a worker tries for its socket.
const NAMES: u32 = 8;

/// What does not go away after so many looks stays.
const ROUNDS: usize = 100;

/// Files of a spool that are looked at in one go.
const PIECE: usize = 500;

/// Removes the sockets and the lock file of a session that is nobody's, and sets aside what lies
/// in its spool and is no event. `false`: somebody lives there after all.
///
/// # Errors
/// What the file system says.
pub fn remove_stale_files(paths: &Paths, key: &str) -> io::Result<bool> {
    let Some(lock) = SessionLock::try_take(&paths.session_lock(key))? else { return Ok(false) };
    testpoint::at("tidy.locked");
    clear_spool(paths, key)?;
    remove_sockets(paths, key, &lock)?;
    testpoint::at("tidy.cleared");
    lock.remove()
}

fn remove_sockets(paths: &Paths, key: &str, lock: &SessionLock) -> io::Result<()> {
    let named = lock.previous_holder().map(|holder| holder.socket.clone());
    for socket in (0..NAMES).map(|attempt| paths.socket(key, attempt)).chain(named) {
        // Between the look and the unlink nobody binds: who binds holds the lock.
        if is_our_socket(&socket) && lock.is_linked() {
            fs::remove_file(&socket)?;
        }
    }
    Ok(())
}

/// Whether the session has files that a worker of ours may have left, and nobody answers at them:
/// one whose lock file was deleted under it lives on.
pub fn has_stale_files(paths: &Paths, key: &str) -> bool {
    let sockets = || (0..NAMES).map(|attempt| paths.socket(key, attempt));
    let left = paths.session_lock(key).exists()
        || spool::exists(paths, key)
        || sockets().any(|socket| is_our_socket(&socket));
    left && !sockets().any(|socket| {
        matches!(connect::request(&socket, &Request::Ping, probe::TIMEOUT), Ok(Reply::Pong { .. }))
    })
}

fn is_our_socket(path: &Path) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|meta| meta.file_type().is_socket() && meta.uid() == process::own_uid())
}

/// Buries files that cannot be read until one can, which then says whose spool it is.
fn clear_spool(paths: &Paths, key: &str) -> io::Result<()> {
    for _ in 0..ROUNDS {
        if !spool::exists(paths, key) {
            break;
        }
        let files = spool::read(paths, key, PIECE)?;
        if files.iter().any(|file| file.event.is_ok()) {
            return Ok(());
        }
        for file in &files {
            tracing::warn!("a spooled file that says nothing was set aside");
            spool::quarantine(paths, &file.path)?;
        }
        if files.is_empty() && spool::remove_dirs(paths, key)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Takes the spool of a session in that is nobody's. How many events; none where somebody lives,
/// who does it himself.
pub fn drain_spool(
    settings: &Settings,
    store: &mut Store,
    client: &str,
    session: &str,
    now: i64,
) -> Result<u64> {
    let (paths, keep) = (&settings.paths, settings.config.queue.keep);
    let key = session_key(client, session);
    if !spool::exists(paths, &key) {
        return Ok(0);
    }
    let Some(lock) = SessionLock::try_take(&paths.session_lock(&key))? else { return Ok(0) };
    let mut fence = Fence::new(client, session);
    let taken = drain::drain(store, paths, &key, &mut fence, keep, now)?;
    testpoint::at("tidy.took_in");
    if let Some(id) = fence.session() {
        // Whoever holds the session for a moment is no worker that died.
        store.write(|tx| sessions::reset_restarts(tx, id))?;
    }
    remove_sockets(paths, &key, &lock)?;
    lock.remove()?;
    Ok(taken.events as u64)
}

/// Ends a session that is active and has had no event since `before`. `false`: it is somebody's
/// again, or has had one.
///
/// In one transaction with a last look, where an event on its way to a worker could come too
/// late: a prompt that has just been accepted must not be ended. The end is dated when the
/// session was last heard of, for that is when it ended as far as anybody knows.
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
            let still = sessions::find(tx, client, id)?
                .filter(|s| s.status == "active" && s.last_event_epoch < before);
            let Some(still) = still else { return Ok(false) };
            let mut end = Event::new(Kind::End, client, id, still.last_event_epoch);
            end.reason = Some("stale".into());
            accept::accept(tx, &end, now).map(|_| true)
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
    use crate::lock::{self, LockState};
    use crate::paths::{Paths, Roots};

    struct World {
        paths: Paths,
        key: String,
        _dir: tempfile::TempDir,
    }

    fn world() -> World {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = Paths::new(&Roots {
            data_dir: Some(dir.path().join("data").into()),
            socket_dir: Some(dir.path().into()),
            ..Roots::default()
        })
        .unwrap();
        paths.create().unwrap();
        World { paths, key: session_key("c", "s"), _dir: dir }
    }

    impl World {
        fn accept(&self, store: &mut Store, kind: Kind, at: i64) {
            let event = Event::new(kind, "c", "s", at);
            store.write(|tx| accept::accept(tx, &event, at)).unwrap();
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
    fn files_go_only_when_nobody_lives_there() {
        let w = world();
        assert!(!has_stale_files(&w.paths, &w.key));
        let lock = w.take();
        drop(w.socket());
        assert!(!w.remove(), "somebody holds the lock");
        assert!(is_our_socket(&w.paths.socket(&w.key, 0)));
        drop(lock);
        assert!(has_stale_files(&w.paths, &w.key));
        assert!(w.remove());
        assert!(!has_stale_files(&w.paths, &w.key));
        assert_eq!(lock::probe(&w.paths.session_lock(&w.key)).unwrap(), LockState::Absent);
    }

    #[test]
    fn a_file_that_is_no_socket_stays() {
        let w = world();
        let path = w.paths.socket(&w.key, 0);
        fs::write(&path, "somebody's").unwrap();
        drop(w.take());
        assert!(w.remove());
        assert!(path.exists());
        assert!(!has_stale_files(&w.paths, &w.key));
    }

    /// As when its lock file was deleted: the socket is no leaving of the dead.
    #[test]
    fn a_socket_that_answers_is_nobodys_leaving() {
        let w = world();
        let listener = w.socket();
        let answer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let pong = Reply::Pong { version: "0".into(), pid: 1 };
            let bytes = memctl_proto::frame::encode(&pong).unwrap();
            std::io::Write::write_all(&mut stream, &bytes).unwrap();
            let mut asked = Vec::new();
            std::io::Read::read_to_end(&mut stream, &mut asked).unwrap();
        });
        assert!(!has_stale_files(&w.paths, &w.key));
        answer.join().unwrap();
        assert!(has_stale_files(&w.paths, &w.key), "now nobody answers");
    }

    #[test]
    fn what_is_no_event_is_buried_and_an_event_never() {
        let w = world();
        let event = Event::new(Kind::Prompt, "c", "s", 1);
        spool::put(&w.paths, &w.key, &event, 10).unwrap();
        fs::write(w.paths.spool(&w.key).join("0000000000.json"), "{").unwrap();
        assert!(w.remove());
        assert!(spool::first(&w.paths, &w.key).is_some());
        fs::write(w.paths.spool(&w.key).join("0000000001.json"), "{").unwrap();
        assert!(w.remove());
        assert!(!spool::exists(&w.paths, &w.key));
    }

    /// Ends the session as it was seen before `change`.
    fn check_end(change: impl FnOnce(&World, &mut Store), expected: bool) {
        let w = world();
        let mut store = Store::open(&w.paths).unwrap();
        w.accept(&mut store, Kind::Prompt, 10);
        let seen = sessions::find(store.connection(), "c", "s").unwrap().unwrap();
        change(&w, &mut store);
        let ended = end_inactive(&w.paths, &mut store, &seen, 20, 1000).unwrap();
        assert_eq!(ended, expected);
        let now = sessions::find(store.connection(), "c", "s").unwrap().unwrap();
        let reason = now.end_reason.as_deref();
        assert_eq!(reason == Some("stale"), expected, "{reason:?}");
        if ended {
            assert_eq!((now.status.as_str(), now.completed_at_epoch), ("failed", Some(10)));
        }
    }

    #[test]
    fn a_session_is_ended_only_while_it_is_still_silent() {
        check_end(|_, _| {}, true);
        check_end(|w, store| w.accept(store, Kind::Tool, 30), false);
        check_end(|w, store| w.accept(store, Kind::End, 10), false);
        let spooled = |w: &World, _: &mut Store| {
            let event = Event::new(Kind::Prompt, "c", "s", 30);
            spool::put(&w.paths, &w.key, &event, 10).map(drop).unwrap();
        };
        check_end(spooled, false);
        let mut held = None;
        check_end(|w, _| held = Some(w.take()), false);
    }
}
