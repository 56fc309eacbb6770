//! Reads the configuration of git and ssh that belongs to the user, a bounded part of it. A repository's
//! own configuration is not read here: it must not decide for the user.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::{config, files, process};

/// Of a longer file, only the beginning is read.
const MAX_FILE: u64 = 256 << 10;
/// How many files are read in all.
const MAX_FILES: usize = 24;

/// The files of this user, until the bound is reached.
pub struct UserFiles {
    home: PathBuf,
    xdg_config: PathBuf,
    n_read: usize,
}

impl UserFiles {
    /// `None` if the user has no home directory. It is the one in the password database.
    pub fn of_account() -> Option<UserFiles> {
        let home = process::account_home().ok().flatten()?;
        let xdg_config = config::process_env("XDG_CONFIG_HOME").map(PathBuf::from);
        let xdg_config = xdg_config.filter(|dir| dir.is_absolute());
        Some(UserFiles::new(&home, xdg_config.unwrap_or_else(|| home.join(".config"))))
    }

    pub fn new(home: &Path, xdg_config: PathBuf) -> UserFiles {
        UserFiles { home: home.to_owned(), xdg_config, n_read: 0 }
    }

    /// Git's files, in the order in which git reads them.
    pub fn git_configs(&self) -> [PathBuf; 3] {
        ["/etc/gitconfig".into(), self.xdg_config.join("git/config"), self.home.join(".gitconfig")]
    }

    /// The user's file for ssh.
    pub fn ssh_config(&self) -> PathBuf {
        self.home.join(".ssh/config")
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The path that a file in `dir` names. `~/` is the home directory.
    pub fn resolve(&self, path: &str, dir: &Path) -> PathBuf {
        match path.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None => dir.join(path),
        }
    }

    /// Reads a regular file that belongs to this user or to the system, through symbolic links.
    pub fn read(&mut self, path: &Path) -> Option<String> {
        if self.n_read == MAX_FILES {
            return None;
        }
        self.n_read += 1;
        let file = files::open_trusted(path).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}
