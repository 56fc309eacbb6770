//! Who owns a session: taking its lock, its socket's coming and going, and the last look.
//!
//! Whoever holds the lock is the session's worker; the socket file means nothing by itself.
//! Nobody unlinks a socket or a lock file without holding the lock of that path, and before each
//! unlink the lock's inode, and on leaving the socket's, are compared once more: another's stays.

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
use crate::lock::{self, Holder, SessionLock};
use crate::paths::MAX_SOCKET_PATH;
use crate::process::{self, Handle, Identity};
use crate::testpoint;

/// A starter looks often while a worker may just be leaving, then seldom.
const OFTEN: Duration = Duration::from_millis(10);
const SELDOM: Duration = Duration::from_millis(100);
const EAGER: Duration = Duration::from_millis(200);

/// How long a lock may be held without a socket: somebody cleaned `/tmp`.
const WITHOUT_SOCKET: Duration = Duration::from_secs(1);

/// Between asking a silent worker to go and making it go.
const TERM_GRACE: Duration = Duration::from_secs(2);

/// How many names are tried when strangers sit on ours.
const NAMES: u32 = 8;

/// Which session, in which installation.
#[derive(Clone, Debug)]
pub struct Session {
    pub client: String,
    pub id: String,
    pub key: String,
}

/// Becomes the session's worker, or finds that another one is and answers.
pub fn start(settings: &Settings, session: &Session) -> io::Result<Option<SessionLock>> {
    let path = settings.paths.session_lock(&session.key);
    let begun = Instant::now();
    let mut silent: Option<(Holder, Instant)> = None;
    loop {
        if let Some(lock) = SessionLock::try_take(&path)? {
            testpoint::at("worker.locked");
            return Ok(Some(lock));
        }
        let holder = lock::holder(&path);
        let named = !holder.socket.as_os_str().is_empty();
        let socket = match named {
            true => holder.socket.clone(),
            false => settings.paths.socket(&session.key, 0),
        };
        if let Ok(Reply::Pong { .. }) = connect::request(&socket, &Request::Wake, SELDOM) {
            return Ok(None);
        }
        let since = match &silent {
            Some((same, since)) if same.identity == holder.identity => *since,
            _ => silent.insert((holder.clone(), Instant::now())).1,
        };
        // Who has not said where he listens is being born, or holds the lock for a moment only.
        let hangs = settings.config.worker.hang_timeout;
        let patience = match socket.symlink_metadata() {
            Err(_) if named => WITHOUT_SOCKET.min(hangs),
            _ => hangs,
        };
        if since.elapsed() >= patience {
            match lock::verified_holder(&path) {
                // Another holder than the one who was silent: his time begins anew.
                Ok(handle) if *handle.process() != holder.identity.process() => silent = None,
                Ok(handle) if end(&handle) => {}
                Ok(_) => return Ok(None),
                // It cannot be told who it is: leave it alone. The event is durable.
                Err(_) if since.elapsed() >= 2 * patience => return Ok(None),
                Err(_) => {}
            }
        }
        pause(if begun.elapsed() < EAGER { OFTEN } else { SELDOM });
    }
}

/// Ends a worker that holds the lock and does not answer. `false`: not even SIGKILL does, now.
fn end(handle: &Handle) -> bool {
    tracing::warn!(pid = handle.process().pid, "ending a worker that does not answer");
    let _ = handle.signal(Signal::SIGTERM);
    if handle.wait_exit(TERM_GRACE) {
        return true;
    }
    let _ = handle.signal(Signal::SIGKILL);
    handle.wait_exit(TERM_GRACE)
}

#[expect(clippy::disallowed_methods, reason = "a lock has no event to wait for")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A session that this process owns, and the socket it bound for it.
pub struct Owner {
    lock: SessionLock,
    socket: Option<Bound>,
}

struct Bound {
    path: PathBuf,
    inode: (u64, u64),
}

impl Owner {
    pub fn new(lock: SessionLock) -> Owner {
        Owner { lock, socket: None }
    }

    /// Binds the session's socket, listens, and says in the lock file who serves where. `None`
    /// where no socket can be had: hooks spool then, and each starts a worker that takes it in.
    ///
    /// # Errors
    /// `Interrupted` when the lock is no longer ours.
    pub fn listen(
        &mut self,
        settings: &Settings,
        session: &Session,
    ) -> io::Result<Option<Listener>> {
        let listener = match self.bind(settings, session) {
            Ok(listener) => Some(listener),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Err(e),
            Err(e) => {
                tracing::warn!("no socket can be had: {e}");
                None
            }
        };
        let bound = self.socket.as_ref().map(|bound| bound.path.clone());
        self.lock.write(&Holder {
            identity: Identity::own()?,
            socket: bound.unwrap_or_else(|| settings.paths.socket(&session.key, 0)),
            version: env!("CARGO_PKG_VERSION").into(),
            client: session.client.clone(),
            session: session.id.clone(),
        })?;
        testpoint::at("worker.named");
        Ok(listener)
    }

    fn bind(&mut self, settings: &Settings, session: &Session) -> io::Result<Listener> {
        for attempt in 0..NAMES {
            // Whoever is not the path's holder neither clears the socket's place nor takes it.
            self.check()?;
            let path = settings.paths.socket(&session.key, attempt);
            if path.as_os_str().len() > MAX_SOCKET_PATH {
                return Err(io::Error::new(io::ErrorKind::InvalidFilename, "its path is too long"));
            }
            match fs::symlink_metadata(&path) {
                Ok(meta) if !meta.file_type().is_socket() || meta.uid() != process::own_uid() => {
                    tracing::warn!(path = %path.display(), "a stranger sits at the socket's path");
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
            self.socket = Some(Bound { path, inode: (meta.dev(), meta.ino()) });
            return Ok(listener);
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "strangers sit at all of the socket's names"))
    }

    fn check(&self) -> io::Result<()> {
        if self.lock.is_linked() {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::Interrupted, "the session's lock file is another's"))
    }

    /// Takes the socket away. The listener is closed already.
    pub fn unlink_socket(&mut self) {
        let Some(bound) = self.socket.take() else { return };
        let same = fs::symlink_metadata(&bound.path)
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == bound.inode);
        if same && self.lock.is_linked() {
            let _ = fs::remove_file(&bound.path);
        }
    }

    /// The last act: the lock file goes while the lock is still held.
    pub fn leave(mut self) {
        self.unlink_socket();
        testpoint::at("worker.unlinked");
        match self.lock.remove() {
            Ok(true) => {}
            Ok(false) => tracing::warn!("the lock file is another's"),
            Err(e) => tracing::warn!("the lock file stays: {e}"),
        }
        testpoint::at("worker.gone");
    }
}
