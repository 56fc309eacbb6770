//! Checks at SessionStart and at a worker's startup whether other sessions have unfinished work.
//! The check is cheap: it lists file names and runs one indexed query. `recover` decides what is
//! due.

use std::time::Duration;

use crate::lock::{self, LockState};
use crate::paths::{Paths, session_key};
use crate::store::sessions::Session;
use crate::store::{self, Reader, queue_admin, sessions};
use crate::{process, spool};

/// An active session without a worker and without an event for this long counts as ended. Its
/// client probably exited without reporting the end.
pub const STALE_AFTER: Duration = Duration::from_secs(6 * 3600);

/// An active session without a worker whose client process has exited, and without an event for this long,
/// counts as ended. By then a SessionEnd, or the first event of another client process, has arrived.
pub const GONE_AFTER: Duration = Duration::from_secs(60);

/// At most so many active sessions are compared with their client processes.
const MAX_COMPARED: usize = 100;

/// Whether a session is active, but its latest client process has exited.
pub fn is_client_gone(session: &Session) -> bool {
    let client = session.client_process();
    session.status == "active" && client.is_some_and(|client| !process::is_alive(&client))
}

/// Whether other sessions have unfinished work, so that recovery should be started. `store` is the
/// result of opening the store: a damaged store needs recovery too.
pub fn in_other_sessions(
    paths: &Paths,
    store: &store::Result<Option<Reader>>,
    client: &str,
    session: &str,
    now: i64,
) -> bool {
    let own = session_key(client, session);
    if spool::keys(paths).iter().any(|key| *key != own) || has_stale_lock(paths, &own) {
        return true;
    }
    match store {
        Ok(Some(reader)) => {
            let conn = reader.connection();
            let before = now - STALE_AFTER.as_millis() as i64;
            let gone_before = now - GONE_AFTER.as_millis() as i64;
            let has_work = || -> store::Result<bool> {
                let own = sessions::id_of(conn, client, session)?;
                let silent = sessions::inactive_since(conn, gone_before, MAX_COMPARED)?;
                let is_gone = |other: &Session| Some(other.id) != own && is_client_gone(other);
                Ok(queue_admin::other_sessions_have_work(conn, own, before)?
                    || silent.iter().any(is_gone))
            };
            has_work().unwrap_or_else(|e| e.is_corruption())
        }
        Ok(None) => false,
        Err(e) => e.is_corruption(),
    }
}

/// Whether another session has a lock file that no process holds. A worker unlinks its socket
/// before its lock file, so a leftover socket has a leftover lock file. Sockets are not listed,
/// because `/tmp` may hold thousands of files.
fn has_stale_lock(paths: &Paths, own: &str) -> bool {
    paths.run_dir().entries().any(|file| {
        let name = file.file_name().to_str();
        let key = name.and_then(Paths::key_of_lock).filter(|key| *key != own);
        key.is_some() && matches!(lock::probe(&file), Ok(LockState::Free))
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use memctl_proto::{Event, Kind};

    use super::*;
    use crate::config;
    use crate::store::accept::accept;
    use crate::store::{Store, testing};

    const HOUR: i64 = 3_600_000;
    const SPOOL: config::Spool = config::Spool { max_events: 10, max_bytes: u64::MAX };

    struct World {
        paths: Paths,
        _dir: tempfile::TempDir,
    }

    fn world() -> World {
        let (dir, paths) = testing::temp_paths();
        World { paths, _dir: dir }
    }

    impl World {
        fn accept(&self, kind: Kind, session: &str, at: i64) {
            let mut store = Store::open(&self.paths).unwrap();
            let event = Event::new(kind, "c", session, at);
            store.write(|tx| accept(tx, &event, None, at)).unwrap();
        }

        #[track_caller]
        fn check(&self, session: &str, now: i64, expected: bool) {
            let store = Reader::open(&self.paths, Duration::from_secs(1));
            let unfinished = in_other_sessions(&self.paths, &store, "c", session, now);
            assert_eq!(unfinished, expected, "for session {session}");
        }
    }

    #[test]
    fn a_pending_message_of_another_session_is_unfinished() {
        let w = world();
        w.check("a", 0, false);
        w.accept(Kind::Prompt, "a", 0);
        w.check("b", 0, false);
        w.accept(Kind::Tool, "a", 0);
        w.check("b", 0, true);
        w.check("a", 0, false);
    }

    #[test]
    fn a_spool_of_another_session_is_unfinished() {
        let w = world();
        let event = Event::new(Kind::Prompt, "c", "a", 0);
        spool::put(&w.paths, &session_key("c", "a"), &event, SPOOL).unwrap();
        w.check("a", 0, false);
        w.check("b", 0, true);
    }

    #[test]
    fn a_lock_file_without_a_holder_is_unfinished() {
        let w = world();
        let path = w.paths.session_lock(&session_key("c", "a"));
        let lock = lock::SessionLock::try_take(&path).unwrap().unwrap();
        w.check("b", 0, false);
        drop(lock);
        w.check("b", 0, true);
        w.check("a", 0, false);
        lock::SessionLock::try_take(&path).unwrap().unwrap().remove().unwrap();
        // These lock files are permanent.
        for permanent in [w.paths.store_lock(), w.paths.recover_lock()] {
            File::create(permanent).unwrap();
        }
        w.check("b", 0, false);
    }

    #[test]
    fn a_session_without_events_for_six_hours_is_unfinished() {
        let w = world();
        w.accept(Kind::Prompt, "a", 0);
        w.check("b", 6 * HOUR, false);
        w.check("b", 6 * HOUR + 1, true);
        w.check("a", 6 * HOUR + 1, false);
        w.accept(Kind::Notification, "a", HOUR);
        w.check("b", 6 * HOUR + 1, false);
    }

    #[test]
    fn a_damaged_store_is_unfinished() {
        let w = world();
        fs::write(w.paths.database(), "no database ".repeat(999)).unwrap();
        w.check("a", 0, true);
    }
}
