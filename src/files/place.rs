//! A file or directory below a [`Root`].

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{self, AtFlags, OFlag};
use nix::sys::stat::{self, FchmodatFlags, Mode};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

use super::root::OpenRoot;
use super::{Root, Stat, own_uid, read_all, text};

/// A file or directory below a [`Root`]. It need not exist. All methods fail with `NotFound` if the
/// directory above it does not exist, and with the errors of [`Root::open`].
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    root: Arc<Root>,
    /// Absolute. The path of the root, or below it.
    path: PathBuf,
}

/// The directory that contains a place.
enum Parent {
    Root(Arc<OpenRoot>),
    Dir(OwnedFd),
}

impl AsFd for Parent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Parent::Root(root) => root.as_fd(),
            Parent::Dir(fd) => fd.as_fd(),
        }
    }
}

impl Place {
    /// The directory itself.
    pub fn root(root: &Arc<Root>) -> Place {
        let root = root.clone();
        let path = root.path().to_owned();
        Place { root, path }
    }

    /// A place in a directory of a test.
    #[cfg(test)]
    pub fn in_dir(dir: &Path, name: &str) -> Place {
        Place::root(&Root::new(dir, super::Privacy::NotWritable)).join(name)
    }

    /// The place `name` in this directory. `name` is one or more names, separated by slashes.
    pub fn join(&self, name: impl AsRef<Path>) -> Place {
        debug_assert!(
            name.as_ref().components().all(|c| matches!(c, std::path::Component::Normal(_))),
            "{} leaves its directory",
            name.as_ref().display()
        );
        Place { root: self.root.clone(), path: self.path.join(name) }
    }

    /// The directory that contains this place. The root contains itself.
    pub fn parent(&self) -> Place {
        let path = match self.below().parent() {
            Some(_) => self.path.parent().unwrap_or(&self.path),
            None => &self.path,
        };
        Place { root: self.root.clone(), path: path.to_owned() }
    }

    /// The absolute path, for messages and for programs that need one.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path relative to the root.
    fn below(&self) -> &Path {
        // `join` keeps the root's path as it is, so no component needs to be compared.
        let below = &self.path.as_os_str().as_bytes()[self.root.path().as_os_str().len()..];
        let n_slashes = below.iter().take_while(|b| **b == b'/').count();
        Path::new(OsStr::from_bytes(&below[n_slashes..]))
    }

    /// The last name of the path.
    pub fn file_name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// The metadata. Does not follow a symbolic link.
    pub fn stat(&self) -> io::Result<Stat> {
        let (parent, name) = self.resolve()?;
        Ok(stat::fstatat(&parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?.into())
    }

    /// Whether there is anything at this place.
    pub fn exists(&self) -> bool {
        self.stat().is_ok()
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// `PermissionDenied` if it is not a regular file of this user, or an error of the file system.
    pub fn open(&self) -> io::Result<File> {
        self.open_file(OFlag::O_RDONLY)
    }

    /// Opens a file for reading and writing, and creates it if it is missing.
    ///
    /// # Errors
    /// As [`Place::open`].
    pub fn open_or_create(&self) -> io::Result<File> {
        self.open_file(OFlag::O_RDWR | OFlag::O_CREAT)
    }

    /// Opens a file for appending, and creates it if it is missing.
    ///
    /// # Errors
    /// As [`Place::open`].
    pub fn open_append(&self) -> io::Result<File> {
        self.open_file(OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT)
    }

    /// Appends to a file, in one write. Creates it if it is missing.
    ///
    /// # Errors
    /// As [`Place::open`].
    pub fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.open_append()?.write_all(bytes)
    }

    /// Writes a new file, or replaces the content of an existing one. Does not sync it.
    ///
    /// # Errors
    /// As [`Place::open`].
    pub fn write(&self, bytes: &[u8]) -> io::Result<File> {
        let mut file = self.open_file(OFlag::O_WRONLY | OFlag::O_CREAT)?;
        file.set_len(0)?;
        file.write_all(bytes)?;
        Ok(file)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`Place::open`]; `FileTooLarge` if the file has more than 64 MiB.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        read_all(self.open()?)
    }

    /// Reads a file of UTF-8 text.
    ///
    /// # Errors
    /// As [`Place::read`]; `InvalidData` if the text is not UTF-8.
    pub fn read_to_string(&self) -> io::Result<String> {
        text(self.read()?)
    }

    /// The names in this directory, in no order.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut dir = Dir::from_fd(self.open_dir()?)?;
        let mut names = Vec::new();
        for entry in dir.iter() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    /// The places in this directory, in no order. Empty if it cannot be read.
    pub fn entries(&self) -> impl Iterator<Item = Place> {
        let names = self.names().unwrap_or_default();
        names.into_iter().map(|name| self.join(name))
    }

    /// Creates a directory with mode 0700 unless there is one.
    pub fn make_dir(&self) -> io::Result<()> {
        let (parent, name) = self.resolve()?;
        match stat::mkdirat(&parent, name, Mode::S_IRWXU) {
            Err(Errno::EEXIST) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Creates a directory with mode 0700.
    ///
    /// # Errors
    /// `AlreadyExists`, or another error of the file system.
    pub fn make_new_dir(&self) -> io::Result<()> {
        let (parent, name) = self.resolve()?;
        Ok(stat::mkdirat(&parent, name, Mode::S_IRWXU)?)
    }

    pub fn remove_file(&self) -> io::Result<()> {
        let (parent, name) = self.resolve()?;
        Ok(unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir)?)
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self) -> io::Result<()> {
        let (parent, name) = self.resolve()?;
        Ok(unlinkat(&parent, name, UnlinkatFlags::RemoveDir)?)
    }

    /// Moves a file or directory. Replaces a file at `to`.
    ///
    /// # Errors
    /// `CrossesDevices` if `to` is on another file system, or another error of the file system.
    pub fn rename(&self, to: &Place) -> io::Result<()> {
        let ((from_dir, from), (to_dir, to)) = (self.resolve()?, to.resolve()?);
        Ok(fcntl::renameat(&from_dir, from, &to_dir, to)?)
    }

    /// Gives a file a second name.
    ///
    /// # Errors
    /// `AlreadyExists`, or another error of the file system.
    pub fn hard_link(&self, to: &Place) -> io::Result<()> {
        let ((from_dir, from), (to_dir, to)) = (self.resolve()?, to.resolve()?);
        Ok(linkat(&from_dir, from, &to_dir, to, AtFlags::empty())?)
    }

    /// Syncs the entries of this directory.
    pub fn sync_dir(&self) -> io::Result<()> {
        File::from(self.open_dir()?).sync_all()
    }

    /// Removes the access of other users to a file or directory.
    pub fn restrict(&self) -> io::Result<()> {
        let found = self.stat()?;
        if found.uid != own_uid() || !(found.is_file() || found.is_dir()) {
            return Err(self.irregular());
        }
        let mode = if found.is_dir() { Mode::S_IRWXU } else { Mode::S_IRUSR | Mode::S_IWUSR };
        let (parent, name) = self.resolve()?;
        // Does not open the file: closing the database would drop the locks of SQLite.
        Ok(stat::fchmodat(&parent, name, mode, FchmodatFlags::FollowSymlink)?)
    }

    fn open_dir(&self) -> io::Result<OwnedFd> {
        let (parent, name) = self.resolve()?;
        open_dir_at(&parent, name)
    }

    fn open_file(&self, flags: OFlag) -> io::Result<File> {
        let (parent, name) = self.resolve()?;
        let safe = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let file = match fcntl::openat(&parent, name, flags | safe, Mode::from_bits_retain(0o600)) {
            Ok(fd) => File::from(fd),
            // A symbolic link; a pipe or socket; a directory.
            Err(Errno::ELOOP | Errno::ENXIO | Errno::EISDIR) => return Err(self.irregular()),
            Err(e) => return Err(e.into()),
        };
        let meta = file.metadata()?;
        match meta.is_file() && meta.uid() == own_uid() {
            true => Ok(file),
            false => Err(self.irregular()),
        }
    }

    /// The error for a place that is not a regular file of this user.
    pub fn irregular(&self) -> io::Error {
        let message = format!("{self} is not a regular file of this user");
        io::Error::new(ErrorKind::PermissionDenied, message)
    }

    /// Opens the directory above this place. Returns the name in it.
    fn resolve(&self) -> io::Result<(Parent, &OsStr)> {
        let mut parent = Parent::Root(self.root.open()?);
        let mut names = self.below().iter();
        let Some(mut name) = names.next() else { return Ok((parent, OsStr::new("."))) };
        for next in names {
            parent = Parent::Dir(open_dir_at(&parent, name)?);
            name = next;
        }
        Ok((parent, name))
    }
}

/// Opens a directory of this user. Does not follow a symbolic link.
fn open_dir_at(parent: &Parent, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let dir = fcntl::openat(parent, name, flags, Mode::empty())?;
    let found = Stat::from(stat::fstat(&dir)?);
    if found.uid != own_uid() {
        let message = format!("directory {} belongs to user {}", name.display(), found.uid);
        return Err(io::Error::new(ErrorKind::PermissionDenied, message));
    }
    Ok(dir)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// Tests put anything at a place.
#[cfg(test)]
impl AsRef<Path> for Place {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}
