//! Settings. [`keys`] has the table of all settings with their defaults.
//!
//! Directories, times and sizes can also be set in the environment as `MEMCTL_SECTION_KEY`. Settings
//! that decide where text is sent, what is run or what it costs come only from the config file, and
//! only if the file is outside the session's project. API keys are in `secrets.toml` next to the
//! config file, or in the environment under their usual names ([`secrets`]). Nothing else in the
//! program reads the environment. [`Config::from`] does no I/O.

pub mod agent;
mod child_env;
pub mod edit;
mod environment;
mod keys;
mod parse;
mod prices;
mod resolve;
pub mod secrets;
mod unit;
mod values;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::files;
use crate::paths::{Paths, Roots};
pub use agent::{Agent, Allowance, Claude, Http, default_key_names};
pub use child_env::{StartedBy, claude_credentials, claude_env, worker_env};
pub use environment::process_env;
pub use keys::{BACKENDS, Key, check, find};
pub use parse::{is_key_name, parse_duration};
pub use prices::Price;
pub use resolve::env_name;
pub use values::{Value, ValueSource};

/// Looks up an environment variable. It is a parameter, so that tests can pass their own environment.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The resolved settings of a process.
#[derive(Clone, Debug)]
pub struct Config {
    pub hook: Hook,
    pub capture: Limits,
    pub spool_max: usize,
    /// Built on first use. Hooks never use it.
    pub agent: Arc<LazyLock<Agent, Box<dyn FnOnce() -> Agent + Send>>>,
    pub worker: Worker,
    pub context: Context,
    pub queue: Queue,
    pub resume_max_age: Duration,
    pub log_max: u64,
    pub exclude: Vec<glob::Pattern>,
    /// Messages about invalid or ignored settings.
    pub problems: Vec<String>,
    /// All settings in the order of the table.
    pub values: Arc<[Value]>,
}

#[derive(Clone, Debug)]
pub struct Hook {
    pub deadline: Duration,
    pub end_deadline: Duration,
    pub accept: Duration,
    pub ring: Duration,
    pub stdin: Duration,
}

/// Maximum number of bytes kept of each text of an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    pub input: usize,
    pub response: usize,
    pub text: usize,
}

#[derive(Clone, Debug)]
pub struct Worker {
    pub linger: Duration,
    pub idle_timeout: Duration,
    pub max_age: Duration,
    pub hang_timeout: Duration,
    pub end_deadline: Duration,
    pub client_grace: Duration,
    pub peer_timeout: Duration,
    pub connections: usize,
}

#[derive(Clone, Debug)]
pub struct Context {
    pub tokens: usize,
    pub sources: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Queue {
    pub keep: Duration,
    pub stuck: Duration,
}

/// Settings, directories and other values from the environment.
#[derive(Clone, Debug)]
pub struct Settings {
    pub config: Config,
    pub paths: Paths,
    pub config_file: Option<PathBuf>,
    pub home: Option<PathBuf>,
    /// The config file is inside the session's project. Its user-only settings are ignored.
    pub config_in_project: bool,
}

impl Settings {
    /// Whether the config file is inside a project other than the home directory.
    pub fn config_file_is_in(&self, project: &Path) -> bool {
        let file = self.config_file.as_deref().filter(|file| file.exists());
        file.is_some_and(|file| is_inside(file, project, self.home.as_deref()))
    }
}

/// Whether a file is inside a project. The home directory and its parents do not count as projects,
/// because the user's own config file is below them.
fn is_inside(file: &Path, project: &Path, home: Option<&Path>) -> bool {
    file.starts_with(project) && !home.is_some_and(|home| home.starts_with(project))
}

/// Loads settings from the environment and the config file. `project` is the session's project
/// directory, if known. User-only settings from a config file inside it are ignored.
///
/// # Errors
/// A message if no data dir can be determined.
pub fn load(env: Env, project: Option<&Path>) -> Result<Settings, String> {
    let paths = Paths::new(&Roots {
        data_dir: env("MEMCTL_DATA_DIR"),
        xdg_data_home: env("XDG_DATA_HOME"),
        home: env("HOME"),
        socket_dir: env("MEMCTL_SOCKET_DIR"),
    })?;
    let home = env("HOME").filter(|h| !h.is_empty()).map(PathBuf::from);
    let config_file = config_file(env, home.as_deref());
    let text = config_file.as_deref().and_then(|f| files::read_regular(f).ok());
    let inside = matches!((project, &config_file), (Some(project), Some(file))
        if is_inside(file, project, home.as_deref()));
    let config = Config::from(env, text.as_deref(), inside);
    Ok(Settings { config, paths, config_file, home, config_in_project: inside })
}

fn config_file(env: Env, home: Option<&Path>) -> Option<PathBuf> {
    if let Some(file) = env("MEMCTL_CONFIG").filter(|f| !f.is_empty()) {
        return Some(file.into());
    }
    let base = env("XDG_CONFIG_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    Some(base.or_else(|| Some(home?.join(".config")))?.join("memctl/config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_file_is_inside_a_project_but_not_inside_home() {
        let check = |file: &str, project: &str, want: bool| {
            let found = is_inside(Path::new(file), Path::new(project), Some(Path::new("/home/u")));
            assert_eq!(found, want, "{file} in {project}");
        };
        check("/home/u/p/memctl.toml", "/home/u/p", true);
        check("/home/u/p/sub/memctl.toml", "/home/u/p", true);
        check("/home/u/.config/memctl/config.toml", "/home/u/p", false);
        check("/home/u/.config/memctl/config.toml", "/home/u/.config", true);
        check("/home/u/.config/memctl/config.toml", "/home/u", false);
        check("/home/u/.config/memctl/config.toml", "/", false);
        check("/home/u/px/memctl.toml", "/home/u/p", false);
    }
}
