//! Ownership of a session: the session lock, the socket, and their files.
//!
//! The process that holds the lock is the session's worker; the socket file proves nothing. A
//! process must hold the lock of a path to unlink its socket or lock file. Before each unlink it
//! compares the lock's inode with the one it holds, and at shutdown the socket's inode with the one
//! it bound. A file that belongs to another process stays.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use memctl_proto::{Reply, Request};
use nix::sys::signal::Signal;

use crate::config::Settings;
use crate::deliver::connect;
use crate::lock::{self, Holder, SessionLock, StarterLock};
use crate::paths::MAX_SOCKET_PATH;
use crate::process::{self, Handle};
use crate::testpoint;

/// A starter retries often at first, because the holder may just be exiting, then less often.
const RETRY_FAST: Duration = Duration::from_millis(10);
const RETRY_SLOW: Duration = Duration::from_millis(100);
const RETRY_FAST_FOR: Duration = Duration::from_millis(200);

/// The timeout for a holder whose socket was deleted, for example with the rest of `/tmp`. Hooks
/// cannot reach such a worker.
const WITHOUT_SOCKET: Duration = Duration::from_secs(1);

/// The time between SIGTERM and SIGKILL.
const TERM_GRACE: Duration = Duration::from_secs(2);

/// A session of this data dir.
#[derive(Clone, Debug)]
pub struct Session {
    pub client: String,
    pub id: String,
    /// The hash that names the session's files.
    pub key: String,
}

/// Takes the right to wait for the session lock. `None` if another starter waits already.
pub fn queue_up(settings: &Settings, session: &Session) -> io::Result<Option<StarterLock>> {
    let path = settings.paths.starter_lock(&session.key);
    StarterLock::take(&path, settings.config.worker.hang_timeout)
}

/// Takes the session lock, and ends a holder that does not answer. Returns `None` if the holder
/// answers or cannot be ended, or if another starter waits already.
///
/// `starter`: the right to wait, if the caller has it.
pub fn acquire(
    settings: &Settings,
    session: &Session,
    mut starter: Option<StarterLock>,
) -> io::Result<Option<SessionLock>> {
    let path = settings.paths.session_lock(&session.key);
    let started = Instant::now();
    let mut silent: Option<(Holder, Instant)> = None;
    loop {
        if let Some(lock) = SessionLock::try_take(&path)? {
            drop(starter);
            if let Err(e) = StarterLock::remove_stale(&settings.paths.starter_lock(&session.key)) {
                tracing::warn!("cannot remove a starter's lock file: {e}");
            }
            testpoint::at("worker.locked");
            return Ok(Some(lock));
        }
        let waiting = match starter.take() {
            Some(waiting) => waiting,
            None => match queue_up(settings, session)? {
                Some(waiting) => waiting,
                None => return Ok(None),
            },
        };
        waiting.renew();
        testpoint::at("starter.waiting");
        let holder = lock::holder(&path);
        let names_socket = !holder.socket.as_os_str().is_empty();
        let socket = match names_socket {
            true => holder.socket.clone(),
            false => settings.paths.socket(&session.key, 0),
        };
        let answers_wake = || {
            let reply = connect::request(&socket, &Request::Wake, RETRY_SLOW);
            matches!(reply, Ok(Reply::Pong { .. }))
        };
        if answers_wake() {
            testpoint::at("starter.answered");
            let others_rely_on_it = waiting.is_held();
            drop(waiting);
            // Another starter may have exited since the wake because this one was waiting. The event
            // for which it was started may be newer than the wake.
            if !others_rely_on_it || answers_wake() {
                return Ok(None);
            }
            continue;
        }
        starter = Some(waiting);
        let silent_since = match &silent {
            Some((same, since)) if same.identity == holder.identity => *since,
            _ => silent.insert((holder.clone(), Instant::now())).1,
        };
        // A holder that names no socket is starting, or holds the lock only for a probe.
        let hang_timeout = settings.config.worker.hang_timeout;
        let limit = match socket.symlink_metadata() {
            Err(_) if names_socket => WITHOUT_SOCKET.min(hang_timeout),
            _ => hang_timeout,
        };
        if silent_since.elapsed() >= limit && holder.is_elsewhere() {
            // It drains the spool before it exits.
            return Ok(None);
        }
        if silent_since.elapsed() >= limit {
            match lock::verified_holder(&path) {
                // The holder has changed. The new one gets the whole timeout.
                Ok(handle) if *handle.process() != holder.identity.process() => silent = None,
                Ok(handle) if terminate(&handle) => {}
                Ok(_) => return Ok(None),
                // Nothing proves which process holds the lock. The event stays in the spool.
                Err(_) if silent_since.elapsed() >= 2 * limit => return Ok(None),
                Err(_) => {}
            }
        }
        pause(if started.elapsed() < RETRY_FAST_FOR { RETRY_FAST } else { RETRY_SLOW });
    }
}

/// Ends a lock holder. Returns false if it still runs `TERM_GRACE` after SIGKILL.
fn terminate(handle: &Handle) -> bool {
    tracing::warn!(pid = handle.process().pid, "ending a worker that does not answer");
    let _ = handle.signal(Signal::SIGTERM);
    if handle.wait_exit(TERM_GRACE) {
        return true;
    }
    let _ = handle.signal(Signal::SIGKILL);
    handle.wait_exit(TERM_GRACE)
}

#[expect(clippy::disallowed_methods, reason = "no event reports that a lock is free")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// The session lock, and the socket that was bound under it.
pub struct Owner {
    lock: SessionLock,
    socket: Option<BoundSocket>,
}

struct BoundSocket {
    path: PathBuf,
    inode: (u64, u64),
}

/// The result of [`Owner::listen`].
pub enum Listening {
    Socket(Listener),
    /// No socket can be bound. Each hook spools its event and starts a worker, which drains the
    /// spool.
    NoSocket,
    /// The lock file was deleted or replaced. Another process may own the session.
    LockLost,
}

impl Owner {
    pub fn new(lock: SessionLock) -> Owner {
        Owner { lock, socket: None }
    }

    /// Binds the session's socket and writes its path to the lock file.
    pub fn listen(&mut self, settings: &Settings, session: &Session) -> io::Result<Listening> {
        let listening = self.bind(settings, session).unwrap_or_else(|e| {
            tracing::warn!("cannot bind the socket: {e}");
            Listening::NoSocket
        });
        if let Listening::LockLost = listening {
            return Ok(listening);
        }
        let bound = self.socket.as_ref().map(|bound| bound.path.clone());
        let socket = bound.unwrap_or_else(|| settings.paths.socket(&session.key, 0));
        self.lock.write(&Holder::own(socket, &session.client, &session.id)?)?;
        testpoint::at("worker.named");
        Ok(listening)
    }

    fn bind(&mut self, settings: &Settings, session: &Session) -> io::Result<Listening> {
        for path in settings.paths.possible_sockets(&session.key) {
            // Only the lock holder may unlink a stale socket.
            if !self.lock.is_linked() {
                return Ok(Listening::LockLost);
            }
            if path.as_os_str().len() > MAX_SOCKET_PATH {
                return Err(io::Error::new(io::ErrorKind::InvalidFilename, "the path is too long"));
            }
            match fs::symlink_metadata(&path) {
                Ok(meta) if !meta.file_type().is_socket() || meta.uid() != process::own_uid() => {
                    tracing::warn!(path = %path.display(), "another file occupies the socket path");
                    continue;
                }
                Ok(_) => {
                    fs::remove_file(&path)?;
                    testpoint::at("worker.cleared");
                }
                Err(_) => {}
            }
            let name = path.as_path().to_fs_name::<GenericFilePath>()?;
            let bound =
                ListenerOptions::new().name(name).mode(0o600).reclaim_name(false).create_tokio();
            let listener = match bound {
                Ok(listener) => listener,
                Err(e) if e.kind() == io::ErrorKind::AddrInUse => continue,
                Err(e) => return Err(e),
            };
            testpoint::at("worker.bound");
            let meta = fs::symlink_metadata(&path)?;
            self.socket = Some(BoundSocket { path, inode: (meta.dev(), meta.ino()) });
            return Ok(Listening::Socket(listener));
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "other files occupy all socket paths"))
    }

    /// Unlinks the socket. Its listener must be closed.
    pub fn unlink_socket(&mut self) {
        let Some(bound) = self.socket.take() else { return };
        let is_ours = fs::symlink_metadata(&bound.path)
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == bound.inode);
        if is_ours && self.lock.is_linked() {
            let _ = fs::remove_file(&bound.path);
        }
    }

    /// Unlinks the socket, then the lock file while the lock is still held, and releases the lock.
    pub fn release(mut self) {
        self.unlink_socket();
        testpoint::at("worker.unlinked");
        match self.lock.remove() {
            Ok(true) => {}
            Ok(false) => tracing::warn!("this worker's lock file was deleted or replaced"),
            Err(e) => tracing::warn!("cannot remove the lock file: {e}"),
        }
        testpoint::at("worker.gone");
    }
}
