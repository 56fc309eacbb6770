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
use crate::spool::{self, take_in};
use crate::store::sessions::{self, Session};
use crate::store::{Fence, Result, Store, accept};

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
pub fn remove_left_behind(paths: &Paths, key: &str) -> io::Result<bool> {
    let Some(lock) = SessionLock::try_take(&paths.session_lock(key))? else { return Ok(false) };
    clear_spool(paths, key)?;
    remove_sockets(paths, key, &lock)?;
    lock.remove()
}

fn remove_sockets(paths: &Paths, key: &str, lock: &SessionLock) -> io::Result<()> {
    let named = lock.before().map(|holder| holder.socket.clone());
    for socket in (0..NAMES).map(|attempt| paths.socket(key, attempt)).chain(named) {
        // Between the look and the unlink nobody binds: who binds holds the lock.
        if is_our_socket(&socket) && lock.still_mine() {
            fs::remove_file(&socket)?;
        }
    }
    Ok(())
}

/// Whether the session has files that a worker of ours may have left, and nobody answers at them:
/// one whose lock file was deleted under it lives on.
pub fn has_leavings(paths: &Paths, key: &str) -> bool {
    let sockets = || (0..NAMES).map(|attempt| paths.socket(key, attempt));
    let left = paths.session_lock(key).exists()
        || spool::exists(paths, key)
        || sockets().any(|socket| is_our_socket(&socket));
    left && !sockets().any(|socket| {
        matches!(connect::ask(&socket, &Request::Ping, probe::PATIENCE), Ok(Reply::Pong { .. }))
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
            spool::bury(paths, &file.path)?;
        }
        if files.is_empty() && spool::remove_folders(paths, key)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Takes the spool of a session in that is nobody's. How many events; none where somebody lives,
/// who does it himself.
pub fn take_in(
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
    let taken = take_in::take_in(store, paths, &key, &mut fence, keep, now)?;
    if let Some(id) = fence.session() {
        // Whoever holds the session for a moment is no worker that died.
        store.write(|tx| sessions::leave_in_good_order(tx, id))?;
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
pub fn end_silent(
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
    remove_sockets(paths, &key, &lock)?;
    lock.remove()?;
    Ok(ended)
}
