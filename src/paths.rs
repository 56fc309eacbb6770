//! Paths of all files and directories. Names inside the spool directories belong to `spool`.
//!
//! Ids from a client never become part of a path. A session is named by a hash of client and session
//! id, which is short enough that the socket path fits `sun_path` (104 bytes on macOS).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::BASE32_DNSSEC;
use sha2::{Digest, Sha256};

use crate::files::{Place, Privacy, Root};

/// Maximum length of a socket path, without the NUL, that every supported system accepts.
pub const MAX_SOCKET_PATH: usize = 103;

/// Number of names that a session's socket can have. A worker tries them in order, because other
/// users' files may occupy the first ones.
const SOCKET_NAMES: u32 = 8;

/// The directories of one installation, resolved once per process.
#[derive(Clone, Debug, PartialEq)]
pub struct Paths {
    data: Arc<Root>,
    sockets: PathBuf,
    /// The directory for spools while the data dir is not writable.
    fallback: Arc<Root>,
    uid: u32,
    /// 40 bits of a hash of the data dir's device and inode. It keeps the sockets of two data dirs
    /// apart and lets them be listed by name. Empty while the data dir does not exist.
    inode_hash: String,
}

/// The environment variables that determine the directories. `config` fills them in.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    pub data_dir: Option<OsString>,
    pub xdg_data_home: Option<OsString>,
    pub home: Option<OsString>,
    pub socket_dir: Option<OsString>,
}

/// The session key in every path: 80 bits of a hash of client and session id.
pub fn session_key(client: &str, session: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(client.as_bytes());
    hash.update([0]);
    hash.update(session.as_bytes());
    BASE32_DNSSEC.encode(&hash.finalize()[..10])
}

impl Roots {
    /// The variable that determines the data dir.
    pub fn data_dir_variable(&self) -> &'static str {
        let is_set = |value: &Option<OsString>| value.as_ref().is_some_and(|v| !v.is_empty());
        match &self.xdg_data_home {
            _ if is_set(&self.data_dir) => "MEMCTL_DATA_DIR",
            Some(dir) if Path::new(dir).is_absolute() => "XDG_DATA_HOME",
            _ => "HOME",
        }
    }
}

impl Paths {
    /// Resolves the directories without creating them.
    ///
    /// # Errors
    /// A message if neither a data dir nor a home directory is set.
    pub fn new(roots: &Roots) -> Result<Paths, String> {
        let non_empty =
            |v: &Option<OsString>| v.clone().filter(|v| !v.is_empty()).map(PathBuf::from);
        let xdg = || non_empty(&roots.xdg_data_home).filter(|p| p.is_absolute());
        let data = non_empty(&roots.data_dir)
            .or_else(|| Some(xdg()?.join("memctl")))
            .or_else(|| Some(non_empty(&roots.home)?.join(".local/share/memctl")))
            .ok_or("no data dir: set HOME or MEMCTL_DATA_DIR")?;
        // A relative path is refused later. It must not become one below the working directory.
        let data = match data.is_absolute() {
            true => std::path::absolute(data).map_err(|e| e.to_string())?,
            false => data,
        };
        let sockets = non_empty(&roots.socket_dir).unwrap_or_else(|| "/tmp".into());
        let uid = nix::unistd::getuid().as_raw();
        let fallback = Root::new(sockets.join(format!("memctl-{uid}")), Privacy::Private);
        let data = Root::new(data, Privacy::NotWritable);
        let mut paths = Paths { data, sockets, fallback, uid, inode_hash: String::new() };
        paths.set_inode_hash();
        Ok(paths)
    }

    /// Makes every use of the data dir and of the fallback location fail with this message.
    pub fn refuse(&mut self, why: &str) {
        self.data = Root::refused(self.data(), why);
        self.fallback = Root::refused(self.fallback.path(), why);
        self.inode_hash.clear();
    }

    /// The message of [`Paths::refuse`].
    pub fn refusal(&self) -> Option<&str> {
        self.data.refusal()
    }

    fn set_inode_hash(&mut self) {
        if let Ok(meta) = fs::metadata(self.data()) {
            self.inode_hash = short_hash(&[&meta.dev().to_le_bytes(), &meta.ino().to_le_bytes()]);
        }
    }

    /// 40 bits of a hash of the data dir's path. Used while the data dir does not exist, and for
    /// files that must be found in both cases.
    fn path_hash(&self) -> String {
        short_hash(&[self.data().as_os_str().as_encoded_bytes()])
    }

    /// Whether the data dir exists.
    pub fn data_dir_exists(&self) -> bool {
        !self.inode_hash.is_empty()
    }

    /// Whether the data dir can be used. It need not exist.
    ///
    /// # Errors
    /// `PermissionDenied` if it is refused, if it belongs to another user or if others can write to
    /// it, or another error of the file system.
    pub fn check(&self) -> io::Result<()> {
        match self.data.open() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            opened => opened.map(drop),
        }
    }

    /// Creates the data dir and its subdirectories with mode 0700, and takes the access of other
    /// users from an existing data dir.
    ///
    /// # Errors
    /// `PermissionDenied` if the data dir belongs to another user, or any other I/O error.
    pub fn create(&mut self) -> io::Result<()> {
        self.create_data_dir()?;
        for part in [self.run_dir(), self.logs(), self.spools(), self.spool_tmp()] {
            part.make_dir()?;
        }
        Ok(())
    }

    /// Creates the data dir with mode 0700, or takes the access of other users from an existing one.
    ///
    /// # Errors
    /// As [`Paths::create`].
    pub fn create_data_dir(&mut self) -> io::Result<()> {
        if self.data_dir_exists() {
            return self.restrict_data_dir().map(drop);
        }
        self.make_data_dir()?;
        self.set_inode_hash();
        Ok(())
    }

    /// Creates the data dir and the directory of lock files, if they are missing.
    ///
    /// # Errors
    /// As [`Paths::create`].
    pub fn create_run_dir(&self) -> io::Result<()> {
        self.make_data_dir()?;
        self.run_dir().make_dir()
    }

    fn make_data_dir(&self) -> io::Result<()> {
        self.data.check_refusal()?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(self.data())?;
        self.restrict_data_dir().map(drop)
    }

    /// Takes the access of other users from the data dir. Returns whether they had any.
    ///
    /// # Errors
    /// As [`Paths::create`].
    pub fn restrict_data_dir(&self) -> io::Result<bool> {
        self.data.restrict()
    }

    pub fn data(&self) -> &Path {
        self.data.path()
    }

    pub fn data_dir(&self) -> Place {
        Place::root(&self.data)
    }

    /// Keeps the data dir open, see [`Root::hold`]. Returns the number of its descriptor.
    pub fn hold_data_dir(&self) -> io::Result<RawFd> {
        self.data.hold()
    }

    /// The directories of databases that were set aside: damaged ones (`corrupt-<time>`), and those that
    /// a backup has replaced (`replaced-<time>`). The newest is last.
    pub fn databases_set_aside(&self) -> Vec<Place> {
        let is_set_aside = |dir: &Place| {
            let name = dir.file_name().to_string_lossy();
            name.starts_with("corrupt-") || name.starts_with("replaced-")
        };
        let mut dirs: Vec<Place> = self.data_dir().entries().filter(is_set_aside).collect();
        dirs.sort_by_key(|dir| {
            let name = dir.file_name().to_string_lossy().into_owned();
            name.rsplit('-').next().and_then(|time| time.parse::<u64>().ok())
        });
        dirs
    }

    pub fn database(&self) -> Place {
        self.data_dir().join("memctl.db")
    }

    /// The database with its rollback journal, write-ahead log and shared memory.
    pub fn database_files(&self) -> [Place; 4] {
        ["memctl.db", "memctl.db-journal", "memctl.db-wal", "memctl.db-shm"]
            .map(|name| self.data_dir().join(name))
    }

    pub fn run_dir(&self) -> Place {
        self.data_dir().join("run")
    }

    pub fn session_lock(&self, key: &str) -> Place {
        self.run_dir().join(format!("{key}.lock"))
    }

    /// Lock file of the starter that waits for the session's lock.
    pub fn starter_lock(&self, key: &str) -> Place {
        self.run_dir().join(format!("{key}.start"))
    }

    /// The session key in the name of a session's lock file or starter lock.
    pub fn key_of_lock(name: &str) -> Option<&str> {
        let key = name.strip_suffix(".lock").or_else(|| name.strip_suffix(".start"));
        key.filter(|key| is_key(key))
    }

    /// Lists the session's private turns and phrases (`capture::PrivateTurns`).
    pub fn private_turns(&self, key: &str) -> Place {
        self.run_dir().join(format!("{key}.private"))
    }

    /// The list of private turns while the data dir is not writable.
    pub fn fallback_private_turns(&self, key: &str) -> Place {
        self.fallback_dir().join(format!("{}{key}.private", self.path_hash()))
    }

    /// Lists the memories that the session was given (`injection`).
    pub fn given_memories(&self, key: &str) -> Place {
        self.run_dir().join(format!("{key}.given"))
    }

    /// The session key in the name of a list of private turns or of given memories.
    pub fn key_of_list<'a>(&self, name: &'a str) -> Option<&'a str> {
        let name = name.strip_suffix(".private").or_else(|| name.strip_suffix(".given"))?;
        let key = name.strip_prefix(&self.path_hash()).filter(|key| is_key(key)).unwrap_or(name);
        is_key(key).then_some(key)
    }

    /// Lists the session starts of the last seconds (`hook::first_start`).
    pub fn recent_starts(&self) -> Place {
        self.run_dir().join("starts")
    }

    pub fn store_lock(&self) -> Place {
        self.run_dir().join("store.lock")
    }

    pub fn recover_lock(&self) -> Place {
        self.run_dir().join("recover.lock")
    }

    /// Lock file of an agent slot. Its holder may run a backend program.
    pub fn agent_slot(&self, n: usize) -> Place {
        self.run_dir().join(format!("agent-{n}.slot"))
    }

    /// Working directory of backend programs. It is empty.
    pub fn agent_dir(&self) -> Place {
        self.run_dir().join("agent")
    }

    /// The counter of lost events. Its length is their number.
    pub fn lost_events(&self) -> Place {
        self.data_dir().join("lost")
    }

    /// The notices that the user has already seen.
    pub fn notices_shown(&self) -> Place {
        self.data_dir().join("told")
    }

    /// The records of `memctl edit` while they are open in an editor, and those that were refused.
    pub fn edits(&self) -> Place {
        self.data_dir().join("edit")
    }

    pub fn logs(&self) -> Place {
        self.data_dir().join("logs")
    }

    pub fn log(&self, key: &str) -> Place {
        self.logs().join(format!("{key}.log"))
    }

    /// The log for messages without a session.
    pub fn general_log(&self) -> Place {
        self.logs().join("memctl.log")
    }

    pub fn spools(&self) -> Place {
        self.data_dir().join("spool")
    }

    pub fn spool(&self, key: &str) -> Place {
        self.spools().join(format!("{key}.d"))
    }

    pub fn spool_tmp(&self) -> Place {
        self.spools().join("tmp")
    }

    /// The dead-letter directory: spool files that could not be drained.
    pub fn dead_letters(&self) -> Place {
        self.spools().join("dead")
    }

    /// The directory for spools while the data dir is not writable.
    pub fn fallback_dir(&self) -> Place {
        Place::root(&self.fallback)
    }

    /// Whether the directory for spools is a directory of this user with mode 0700, and not a link.
    pub fn fallback_is_ours(&self) -> bool {
        self.fallback.open().is_ok()
    }

    /// Creates the directory for spools while the data dir is not writable.
    ///
    /// # Errors
    /// `PermissionDenied` if the path is not a private directory of this user.
    pub fn create_fallback(&self) -> io::Result<()> {
        self.fallback.check_refusal()?;
        match fs::DirBuilder::new().mode(0o700).create(self.fallback.path()) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            _ => self.fallback.open().map(drop),
        }
    }

    /// Fallback spools of a session. The first is named by the data dir's inode, the second by its
    /// path, which is used while the data dir does not exist.
    pub fn fallback_spools(&self, key: &str) -> Vec<Place> {
        let by_inode = self.data_dir_exists().then(|| self.inode_hash.clone());
        let names = by_inode.into_iter().chain([self.path_hash()]);
        names.map(|dir| self.fallback_dir().join(format!("{dir}{key}.d"))).collect()
    }

    pub fn fallback_spool_tmp(&self) -> Place {
        self.fallback_dir().join("tmp")
    }

    pub fn fallback_lost_events(&self) -> Place {
        self.fallback_dir().join(format!("{}lost", self.path_hash()))
    }

    /// The session key in the name of a directory in [`Paths::spools`] or [`Paths::fallback_dir`].
    pub fn key_of_spool<'a>(&self, name: &'a str) -> Option<&'a str> {
        let name = name.strip_suffix(".d")?;
        let key_after = |hash: &str| name.strip_prefix(hash).filter(|key| is_key(key));
        key_after("")
            .or_else(|| key_after(&self.inode_hash))
            .or_else(|| key_after(&self.path_hash()))
    }

    pub fn sockets(&self) -> &Path {
        &self.sockets
    }

    /// The socket of a session. `attempt` 0 is the usual name; a higher attempt is used if
    /// another user's file or socket blocks the lower ones.
    pub fn socket(&self, key: &str, attempt: u32) -> PathBuf {
        let suffix = if attempt == 0 { String::new() } else { format!("-{}", attempt + 1) };
        self.sockets.join(format!("memctl-{}-{}{key}{suffix}.sock", self.uid, self.inode_hash))
    }

    /// All paths that the session's socket can have, the usual one first.
    pub fn possible_sockets(&self, key: &str) -> impl Iterator<Item = PathBuf> {
        (0..SOCKET_NAMES).map(move |attempt| self.socket(key, attempt))
    }

    /// The session key in the name of a socket of this data dir.
    pub fn key_of_socket<'a>(&self, name: &'a str) -> Option<&'a str> {
        let rest = name.strip_prefix(&format!("memctl-{}-{}", self.uid, self.inode_hash))?;
        let rest = rest.strip_suffix(".sock")?;
        let key = rest.split('-').next()?;
        (self.data_dir_exists() && is_key(key)).then_some(key)
    }
}

/// The state of `memctl pause`, below a home directory. It is not in the data dir, which the
/// environment can move.
pub fn pauses(home: &Path) -> PathBuf {
    home.join(".local/state/memctl/paused.json")
}

/// The last valid `exclude` list, below a home directory.
pub fn last_exclusions(home: &Path) -> PathBuf {
    home.join(".local/state/memctl/exclude")
}

/// 40 bits of a SHA-256 hash as eight letters and digits.
fn short_hash(parts: &[&[u8]]) -> String {
    let hash = parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part));
    BASE32_DNSSEC.encode(&hash.finalize()[..5])
}

fn is_key(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'v').contains(&b))
}

/// Fixtures for tests.
#[cfg(test)]
pub(crate) mod testing {
    use tempfile::TempDir;

    use super::*;

    /// Paths below a temporary directory, of which none exists.
    pub fn paths_below(dir: &Path) -> Paths {
        let data_dir = Some(dir.join("data").into());
        Paths::new(&Roots { data_dir, socket_dir: Some(dir.into()), ..Roots::default() }).unwrap()
    }

    /// The paths of a temporary data dir.
    pub fn temp_paths() -> (TempDir, Paths) {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = paths_below(dir.path());
        paths.create().unwrap();
        (dir, paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(data: &Path) -> Roots {
        Roots { data_dir: Some(data.into()), ..Roots::default() }
    }

    #[test]
    fn session_keys_can_be_read_from_file_names() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(&roots(dir.path())).unwrap();
        let key = session_key("claude-code", "../../etc/passwd");
        assert_eq!(key.len(), 16);
        let socket = paths.socket(&key, 0);
        assert!(socket.as_os_str().len() <= MAX_SOCKET_PATH);
        for attempt in [0, 1, 7] {
            let socket = paths.socket(&key, attempt);
            let name = socket.file_name().unwrap().to_str().unwrap();
            assert_eq!(paths.key_of_socket(name), Some(key.as_str()));
        }
        let name = paths.session_lock(&key).file_name().to_str().unwrap().to_owned();
        assert_eq!(Paths::key_of_lock(&name), Some(key.as_str()));
        let name = paths.starter_lock(&key).file_name().to_str().unwrap().to_owned();
        assert_eq!(Paths::key_of_lock(&name), Some(key.as_str()));
        let given = paths.given_memories(&key);
        for list in [paths.private_turns(&key), paths.fallback_private_turns(&key), given] {
            let name = list.file_name().to_str().unwrap().to_owned();
            assert_eq!(paths.key_of_list(&name), Some(key.as_str()));
        }
        let fallback = paths.fallback_spools(&key);
        assert_eq!(fallback.len(), 2);
        for spool in fallback.into_iter().chain([paths.spool(&key)]) {
            let name = spool.file_name().to_str().unwrap().to_owned();
            assert_eq!(paths.key_of_spool(&name), Some(key.as_str()));
        }
    }

    #[test]
    fn client_and_session_are_separated_in_the_key() {
        assert_ne!(session_key("ab", "c"), session_key("a", "bc"));
    }

    #[test]
    fn the_data_dir_defaults_to_home() {
        let home = Roots { home: Some("/h".into()), ..Roots::default() };
        assert_eq!(Paths::new(&home).unwrap().data(), Path::new("/h/.local/share/memctl"));
        assert!(Paths::new(&Roots::default()).is_err());
    }
}
