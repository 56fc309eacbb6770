//! A directory of this user that is opened once and checked at each use. All places are below one.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

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
/// removed, moved or replaced, the next use opens and checks what is at the path then.
pub struct Root {
    path: PathBuf,
    privacy: Privacy,
    refusal: Option<String>,
    open: Mutex<Option<Arc<OpenRoot>>>,
}

/// The descriptor of a [`Root`].
pub struct OpenRoot {
    fd: OwnedFd,
    id: FileId,
}

impl AsFd for OpenRoot {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Root {
    pub fn new(path: impl Into<PathBuf>, privacy: Privacy) -> Arc<Root> {
        Arc::new(Root { path: path.into(), privacy, refusal: None, open: Mutex::new(None) })
    }

    /// A directory that must not be used. Each use fails with this message.
    pub fn refused(path: &Path, why: &str) -> Arc<Root> {
        let (path, refusal) = (path.to_owned(), Some(why.to_owned()));
        Arc::new(Root { path, privacy: Privacy::Private, refusal, open: Mutex::new(None) })
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
        let found = self.stat()?;
        self.check(&found)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = open.as_ref().filter(|open| open.id == found.id) {
            return Ok(open.clone());
        }
        let fd = self.open_unchecked()?;
        let opened = Stat::from(stat::fstat(&fd)?);
        self.check(&opened)?;
        Ok(open.insert(Arc::new(OpenRoot { fd, id: opened.id })).clone())
    }

    /// Removes the access of other users. Returns whether they had any.
    ///
    /// # Errors
    /// As [`Root::open`], if the directory belongs to another user.
    pub fn restrict(&self) -> io::Result<bool> {
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

    /// The number of a descriptor of the directory, which is never closed. For signal handlers.
    pub fn leak(&self) -> io::Result<RawFd> {
        let open = self.open()?;
        let fd = open.as_fd().as_raw_fd();
        let _ = Arc::into_raw(open);
        Ok(fd)
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
        let mut flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        if self.privacy == Privacy::Private {
            flags |= OFlag::O_NOFOLLOW;
        }
        Ok(fcntl::open(&self.path, flags, Mode::empty())?)
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
