//! Settings. [`keys`] has the table of all settings with their defaults.
//!
//! Directories, times and sizes can also be set in the environment as `MEMCTL_SECTION_KEY`, or in a
//! config file that the environment names. Settings that decide where text is sent, what is run, what
//! is stored or what it costs come only from the user's own config file ([`mod@file`]). API keys are in
//! `secrets.toml` next to that file, or in the environment under their usual names ([`secrets`]).
//! Nothing else in the program reads the environment. [`Config::from`] does no I/O.

pub mod agent;
mod child_env;
pub mod edit;
mod environment;
mod exclusions;
mod file;
mod keys;
mod layer;
mod locations;
mod parse;
mod prices;
mod resolve;
pub mod secrets;
mod unit;
mod values;

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use regex_lite::Regex;

use crate::files::RealPaths;
use crate::paths::{self, Paths};
pub use agent::{Agent, Allowance, Http, default_key_names};
pub use child_env::{
    StartedBy, claude_account_env, claude_config_dir, claude_credentials, claude_env, worker_env,
};
pub use environment::{OffSwitch, misspelled_variables, process_env};
use file::{ConfigFile, Content, Files};
pub use keys::{BACKENDS, KEYS, Key, Scope, check, env_name, find};
use locations::Location;
pub use parse::{is_key_name, parse_duration};
pub use prices::Price;
pub use values::{Value, ValueSource};

/// Looks up an environment variable. It is a parameter, so that tests can pass their own environment.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The resolved settings of a process.
#[derive(Clone, Debug)]
pub struct Config {
    pub hook: Hook,
    pub capture: Limits,
    pub spool: Spool,
    /// Built on first use. Hooks never use it.
    pub agent: Arc<LazyLock<Agent, Box<dyn FnOnce() -> Agent + Send>>>,
    pub worker: Worker,
    pub context: Context,
    pub recall: Recall,
    pub queue: Queue,
    /// How long `forget` can be undone.
    pub forget_undo: Duration,
    pub resume_max_age: Duration,
    pub log_max: u64,
    pub recording: Recording,
    pub redact: Redact,
    /// Messages about invalid or ignored settings.
    pub problems: Vec<String>,
    /// All settings in the order of the table.
    pub values: Arc<[Value]>,
}

/// The user's own rules for secrets.
#[derive(Clone, Debug, Default)]
pub struct Redact {
    /// Kinds with their regexes.
    pub rules: Vec<(String, Regex)>,
    /// Regexes on the whole text of a finding, which is then no secret.
    pub allow: Vec<Regex>,
}

/// Limits of a session's spool.
#[derive(Clone, Copy, Debug)]
pub struct Spool {
    pub max_events: usize,
    pub max_bytes: u64,
}

#[derive(Clone, Debug)]
pub struct Hook {
    pub deadline: Duration,
    pub end_deadline: Duration,
    pub accept: Duration,
    pub ring: Duration,
    pub recall: Duration,
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
    pub notice: bool,
}

/// Memories that a session receives after its start.
#[derive(Clone, Debug)]
pub struct Recall {
    pub on_prompt: bool,
    pub on_tools: bool,
    pub tokens: usize,
}

#[derive(Clone, Debug)]
pub struct Queue {
    pub keep: Duration,
    pub stuck: Duration,
}

/// Which sessions are recorded. `project::recording` decides with it.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// A variable switches recording off.
    pub switch: Option<OffSwitch>,
    /// Why these rules are not known completely. Nothing is recorded then.
    pub fault: Option<String>,
    /// Only projects with a marker file or in `allow` are recorded.
    pub only_marked: bool,
    pub allow: Vec<glob::Pattern>,
    /// The valid patterns of all config files, and those of the last valid list.
    pub exclude: Vec<glob::Pattern>,
    /// The home directories that `~` stands for.
    pub homes: Vec<PathBuf>,
    /// The file in which `memctl pause` keeps its state.
    pub pauses: Option<PathBuf>,
}

impl Recording {
    /// Sets the directories in which state is kept and that `~` stands for. The first is preferred.
    fn set_homes(&mut self, homes: [Option<&Path>; 2]) {
        let mut homes: Vec<PathBuf> = homes.into_iter().flatten().map(Path::to_owned).collect();
        homes.dedup();
        self.pauses = homes.first().map(|home| paths::pauses(home));
        if !self.exclude.is_empty() || !self.allow.is_empty() {
            for n in 0..homes.len() {
                homes.extend(homes[n].canonicalize().ok().filter(|home| !homes.contains(home)));
            }
            self.homes = homes;
        }
    }
}

/// The directory of a session's project, with symbolic links resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectDir {
    pub path: PathBuf,
    /// The root of a git work tree, not just a directory.
    pub is_repository: bool,
}

impl ProjectDir {
    /// Whether a file belongs to the project. A repository that is the home directory itself holds the
    /// user's own dotfiles. A directory without a repository is no project if the home directory is
    /// below it.
    fn owns(&self, file: &Path, home: Option<&Path>) -> bool {
        let is_exempt = match (home, self.is_repository) {
            (Some(home), true) => home == self.path,
            (Some(home), false) => home.starts_with(&self.path),
            (None, _) => self.path.parent().is_none(),
        };
        file.starts_with(&self.path) && !is_exempt
    }
}

/// Settings, directories and other values from the environment.
#[derive(Clone, Debug)]
pub struct Settings {
    pub config: Config,
    pub paths: Paths,
    /// The user's own config file: the only one with settings that decide where text goes, what is run,
    /// what is stored or what it costs. `None`: this user has no home directory.
    pub own_config: Option<PathBuf>,
    /// The config file with the other settings. Usually the same file.
    pub public_config: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// Why the user's own config file is not trusted.
    pub distrust: Option<String>,
    /// The home directory in the password database.
    account_home: Option<PathBuf>,
    /// A config file exists. Only then it can be inside a project.
    pub has_config_file: bool,
    /// The environment names a config file that is not read.
    config_refused: bool,
    /// The data dir and the socket directory, if the environment names them.
    locations: Vec<Location>,
    /// What started this process, if it is a worker.
    pub started_by: StartedBy,
    /// For a worker that recovery started: `CLAUDE_CONFIG_DIR` of the session, empty for the default
    /// account. `None`: not known.
    pub recorded_account: Option<String>,
    /// The user's own config file exists and can be trusted, and the recording rules are complete.
    own_config_is_valid: bool,
}

impl Settings {
    /// Whether a config file belongs to this project.
    pub fn config_is_in(&self, project: &ProjectDir) -> bool {
        self.own_config_is_in(project) || self.is_in(project, self.public_config.as_deref())
    }

    /// Whether the user's own config file belongs to this project.
    pub fn own_config_is_in(&self, project: &ProjectDir) -> bool {
        self.is_in(project, self.own_config.as_deref())
    }

    fn is_in(&self, project: &ProjectDir, file: Option<&Path>) -> bool {
        let Some(file) = file.and_then(|file| file.canonicalize().ok()) else { return false };
        let home = self.account_home.as_deref().and_then(|home| home.canonicalize().ok());
        project.owns(&file, home.as_deref())
    }

    /// Refuses a data dir or socket directory that the environment names and that is in this project,
    /// if it is a repository. Nothing is recorded then.
    fn refuse_locations_in(&mut self, project: &ProjectDir) {
        if let Some(why) = self.location_fault(project) {
            self.refuse_locations(why);
        }
    }

    fn refuse_locations(&mut self, why: String) {
        self.paths.refuse(&why);
        self.config.recording.fault.get_or_insert(why);
    }

    /// Why a directory that the environment names is not used in a session of this project.
    fn location_fault(&self, project: &ProjectDir) -> Option<String> {
        let canonical = |dir: Option<&Path>| dir.and_then(|dir| dir.canonicalize().ok());
        // A shell that starts in its home directory has no project.
        let has_home = |home: PathBuf| home.starts_with(&project.path);
        if !project.is_repository && canonical(self.home.as_deref()).is_some_and(has_home) {
            return None;
        }
        let home = canonical(self.account_home.as_deref());
        self.locations.iter().find_map(|location| location.refusal(project, home.as_deref()))
    }

    /// Whether settings or directories depend on the session's project: a config file exists, or the
    /// environment names a directory.
    pub fn may_be_in_project(&self) -> bool {
        self.has_config_file || !self.locations.is_empty()
    }

    /// Whether a config file, or a directory that the environment names, belongs to this project.
    pub fn are_in(&self, project: &ProjectDir) -> bool {
        self.has_config_file && self.config_is_in(project) || self.location_fault(project).is_some()
    }

    /// The file that holds a setting.
    pub fn file_of(&self, key: &Key) -> Option<&Path> {
        let file = if key.scope == Scope::Public { &self.public_config } else { &self.own_config };
        file.as_deref()
    }
}

/// Loads settings from the environment and the config files.
///
/// `account_home` is the home directory in the password database, which the environment does not
/// change. `projects` returns the directories of the session's project, if known. Config files in them
/// are not trusted, and other directories in them are not used. It is called only if there is a config
/// file, or a directory that the environment names.
///
/// # Errors
/// A message if no data dir can be determined.
pub fn load(
    env: Env,
    account_home: Result<Option<PathBuf>, String>,
    projects: &dyn Fn(&RealPaths) -> Vec<ProjectDir>,
) -> Result<Settings, String> {
    let real_paths = &RealPaths::default();
    let found_projects = OnceCell::new();
    let projects = &|| found_projects.get_or_init(|| projects(real_paths)).clone();
    let roots = locations::roots(env);
    let paths = Paths::new(&roots)?;
    let home = env("HOME").filter(|h| !h.is_empty()).map(PathBuf::from);
    let account_ref = account_home.as_ref().map(Option::as_deref).map_err(Clone::clone);
    let files = Files::read(env, account_ref, projects, real_paths);
    let account_home = account_home.ok().flatten();
    let mut config = Config::from(env, &files);
    if let Some(home) = &account_home {
        exclusions::add_last(&mut config, &files, home);
    }
    config.recording.set_homes([account_home.as_deref(), home.as_deref()]);
    let own_config_is_valid =
        files.own.as_ref().is_some_and(ConfigFile::is_valid) && config.recording.fault.is_none();
    let exists = |file: &&ConfigFile| file.content != Content::Missing;
    let has_config_file =
        [&files.own, &files.moved].into_iter().flatten().any(|file| exists(&file));
    let (own_config, distrust) = files.own.map(|file| (file.path, file.distrust)).unzip();
    let public_config = files.moved.map(|file| file.path).or_else(|| own_config.clone());
    let locations = locations::chosen(&roots, &paths, account_home.as_deref(), real_paths);
    let mut settings = Settings {
        config,
        paths,
        own_config,
        public_config,
        home,
        distrust: distrust.flatten(),
        account_home,
        has_config_file,
        config_refused: files.refused.is_some(),
        own_config_is_valid,
        started_by: StartedBy::Session,
        recorded_account: None,
        locations: Vec::new(),
    };
    match locations {
        Ok(locations) => settings.locations = locations,
        Err(why) => settings.refuse_locations(why),
    }
    if !settings.locations.is_empty() {
        projects().iter().for_each(|project| settings.refuse_locations_in(project));
    }
    Ok(settings)
}

#[cfg(test)]
impl Config {
    /// The settings of a config file with this text.
    pub fn of_text(text: &str) -> Config {
        Config::from(&|_| None, &Files::of_text(text))
    }
}
