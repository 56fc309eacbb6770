//! A directory of this user that is opened once and checked at each use. All places are below one.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::sys::stat::{self, Mode};

use super::{FileId, Stat, own_uid};

/// What other users may do with a [`Root`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// Nobody else may write to it. Its path may be a symbolic link.
    NotWritable,
    /// Nobody else may use it, and its path is no symbolic link. For directories in `/tmp`, where
    /// any user can create one at the path.
    Private,
}

/// A directory at an absolute path.
///
/// Its descriptor stays open as long as the path names the same directory. If the directory is
/// removed, moved or replaced, the next use opens and checks what is at the path then. [`Root::hold`]
/// saves this comparison.
pub struct Root {
    path: PathBuf,
    privacy: Privacy,
    refusal: Option<String>,
    open: Mutex<Option<Arc<OpenRoot>>>,
    held: OnceLock<Arc<OpenRoot>>,
}

/// The descriptor of a [`Root`].
pub struct OpenRoot {
    fd: OwnedFd,
    id: FileId,
    /// The permission bits when it was opened.
    mode: u32,
}

impl AsFd for OpenRoot {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Root {
    pub fn new(path: impl Into<PathBuf>, privacy: Privacy) -> Arc<Root> {
        Arc::new(Root::unopened(path.into(), privacy, None))
    }

    /// A directory that must not be used. Each use fails with this message.
    pub fn refused(path: &Path, why: &str) -> Arc<Root> {
        Arc::new(Root::unopened(path.to_owned(), Privacy::Private, Some(why.to_owned())))
    }

    fn unopened(path: PathBuf, privacy: Privacy, refusal: Option<String>) -> Root {
        Root { path, privacy, refusal, open: Mutex::new(None), held: OnceLock::new() }
    }

    /// Why the directory must not be used.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// # Errors
    /// `PermissionDenied` if the directory must not be used.
    pub fn check_refusal(&self) -> io::Result<()> {
        match &self.refusal {
            Some(why) => Err(io::Error::new(ErrorKind::PermissionDenied, why.clone())),
            None => Ok(()),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the directory, or returns its open descriptor.
    ///
    /// # Errors
    /// `PermissionDenied` if it must not be used, belongs to another user, or if others may write to
    /// it; `NotADirectory`, `NotFound` or another error of the file system.
    pub fn open(&self) -> io::Result<Arc<OpenRoot>> {
        if let Some(held) = self.held.get() {
            return Ok(held.clone());
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = open.as_ref() {
            let found = self.stat()?;
            self.check(&found)?;
            if open.id == found.id {
                return Ok(open.clone());
            }
        }
        let fd = self.open_unchecked()?;
        let opened = Stat::from(stat::fstat(&fd)?);
        self.check(&opened)?;
        Ok(open.insert(Arc::new(OpenRoot { fd, id: opened.id, mode: opened.mode })).clone())
    }

    /// Opens the directory for the rest of the process, which from now on uses it without looking at
    /// the path. Returns the number of the descriptor, which is never closed. For a process that lives
    /// for milliseconds, and for its signal handlers.
    ///
    /// # Errors
    /// As [`Root::open`].
    pub fn hold(&self) -> io::Result<RawFd> {
        let open = self.open()?;
        let fd = open.as_fd().as_raw_fd();
        let _ = self.held.set(open.clone());
        let _ = Arc::into_raw(open);
        Ok(fd)
    }

    /// Removes the access of other users. Returns whether they had any.
    ///
    /// # Errors
    /// As [`Root::open`], if the directory belongs to another user.
    pub fn restrict(&self) -> io::Result<bool> {
        if self.held.get().is_some_and(|held| held.mode & 0o077 == 0) {
            return Ok(false);
        }
        let found = self.stat()?;
        self.check_owner(&found)?;
        if found.mode & 0o077 == 0 {
            return Ok(false);
        }
        let fd = self.open_unchecked()?;
        self.check_owner(&stat::fstat(&fd)?.into())?;
        stat::fchmod(&fd, Mode::S_IRWXU)?;
        Ok(true)
    }

    fn stat(&self) -> io::Result<Stat> {
        self.check_refusal()?;
        Ok(match self.privacy {
            Privacy::NotWritable => stat::stat(&self.path)?,
            Privacy::Private => stat::lstat(&self.path)?,
        }
        .into())
    }

    fn open_unchecked(&self) -> io::Result<OwnedFd> {
        self.check_refusal()?;
        let mut flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        if self.privacy == Privacy::Private {
            flags |= OFlag::O_NOFOLLOW;
        }
        match fcntl::open(&self.path, flags, Mode::empty()) {
            Err(e) if e != Errno::ENOENT => {
                // The type or the owner of what is there explains the error better.
                self.check(&self.stat()?)?;
                Err(e.into())
            }
            opened => Ok(opened?),
        }
    }

    fn check(&self, found: &Stat) -> io::Result<()> {
        if !found.is_dir() {
            return Err(self.error(ErrorKind::NotADirectory, "is not a directory"));
        }
        self.check_owner(found)?;
        let forbidden = match self.privacy {
            Privacy::NotWritable => 0o022,
            Privacy::Private => 0o077,
        };
        if found.mode & forbidden != 0 {
            let why = format!("is open to other users (mode {:03o})", found.mode & 0o777);
            return Err(self.error(ErrorKind::PermissionDenied, &why));
        }
        Ok(())
    }

    fn check_owner(&self, found: &Stat) -> io::Result<()> {
        if found.uid == own_uid() {
            return Ok(());
        }
        let why = format!("belongs to user {}", found.uid);
        Err(self.error(ErrorKind::PermissionDenied, &why))
    }

    fn error(&self, kind: ErrorKind, why: &str) -> io::Error {
        io::Error::new(kind, format!("{} {why}", self.path.display()))
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

impl PartialEq for Root {
    fn eq(&self, other: &Root) -> bool {
        (&self.path, self.privacy) == (&other.path, other.privacy)
    }
}
