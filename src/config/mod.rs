//! Settings: what the user made of the table of [`keys`].
//!
//! [`Config::from`] is pure. Directories, times and sizes can also be given in the environment
//! as `MEMCTL_SECTION_KEY`; what decides where text goes or what is run comes from the config
//! file alone, and never from one that lies inside the session's project. Nothing else in the
//! program reads the environment.

mod keys;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use crate::paths::{Paths, Roots};
use keys::{KEYS, Unit, check, parse_bytes, unknown_key};
pub use keys::{Key, parse_duration};

/// The environment, as a function so that tests bring their own.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What holds for this process.
#[derive(Clone, Debug)]
pub struct Config {
    pub hook: Hook,
    pub capture: Limits,
    pub spool_max: usize,
    pub agent: Agent,
    pub worker: Worker,
    pub context: Context,
    pub queue: Queue,
    pub log_max: u64,
    pub exclude: Vec<glob::Pattern>,
    /// Sentences on what was set and could not be used.
    pub troubles: Vec<String>,
    /// Every setting as it holds, in the order of the table.
    pub values: Vec<Value>,
}

/// A setting as it holds.
#[derive(Clone, Debug)]
pub struct Value {
    pub key: &'static Key,
    pub text: Cow<'static, str>,
    pub origin: Origin,
}

/// Who said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File,
    Environment,
}

#[derive(Clone, Debug)]
pub struct Hook {
    pub deadline: Duration,
    pub end_deadline: Duration,
    pub accept: Duration,
    pub ring: Duration,
    pub stdin: Duration,
}

/// Most bytes kept of each text of an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    pub input: usize,
    pub response: usize,
    pub text: usize,
}

#[derive(Clone, Debug)]
pub struct Agent {
    pub backend: String,
    pub turn_timeout: Duration,
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

/// Settings, directories and what else a process takes from its environment.
#[derive(Clone, Debug)]
pub struct Settings {
    pub config: Config,
    pub paths: Paths,
    pub config_file: Option<PathBuf>,
    pub home: Option<PathBuf>,
}

impl Settings {
    /// Whether the config file lies in a project, and not just in the user's home.
    pub fn config_lies_in(&self, project: &Path) -> bool {
        let file = self.config_file.as_deref().filter(|file| file.exists());
        file.is_some_and(|file| lies_in(file, project, self.home.as_deref()))
    }
}

fn lies_in(file: &Path, project: &Path, home: Option<&Path>) -> bool {
    file.starts_with(project) && home != Some(project)
}

/// Reads environment and config file. `project` is the session's project directory when it is
/// known: what could send text elsewhere is not taken from a file inside it.
///
/// # Errors
/// A sentence when there is no place for the data.
pub fn load(env: Env, project: Option<&Path>) -> Result<Settings, String> {
    let paths = Paths::new(&Roots {
        data_dir: env("MEMCTL_DATA_DIR"),
        xdg_data_home: env("XDG_DATA_HOME"),
        home: env("HOME"),
        socket_dir: env("MEMCTL_SOCKET_DIR"),
    })?;
    let home = env("HOME").filter(|h| !h.is_empty()).map(PathBuf::from);
    let config_file = config_file(env, home.as_deref());
    let text = config_file.as_deref().and_then(|f| fs::read_to_string(f).ok());
    let inside = matches!((project, &config_file), (Some(project), Some(file))
        if lies_in(file, project, home.as_deref()));
    let config = Config::from(env, text.as_deref(), inside);
    Ok(Settings { config, paths, config_file, home })
}

/// The process's own environment. Variables of ours are picked out once: each setting asks for
/// one, and to look through all of a client's environment for each is a good part of a hook's work.
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub fn process_env(name: &str) -> Option<OsString> {
    static OURS: OnceLock<Vec<(OsString, OsString)>> = OnceLock::new();
    let is_ours = |name: &OsStr| name.as_encoded_bytes().starts_with(b"MEMCTL_");
    if !is_ours(OsStr::new(name)) {
        return std::env::var_os(name);
    }
    let ours = OURS.get_or_init(|| std::env::vars_os().filter(|(name, _)| is_ours(name)).collect());
    ours.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

/// The environment a worker is given: a list, not an inheritance. API keys and the client's own
/// variables are not on it.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
pub fn worker_env() -> Vec<(OsString, OsString)> {
    let wanted = |name: &str| {
        matches!(name, "PATH" | "HOME" | "USER" | "LANG" | "TMPDIR")
            || ["LC_", "XDG_", "MEMCTL_"].iter().any(|p| name.starts_with(p))
    };
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(wanted)).collect()
}

fn config_file(env: Env, home: Option<&Path>) -> Option<PathBuf> {
    if let Some(file) = env("MEMCTL_CONFIG").filter(|f| !f.is_empty()) {
        return Some(file.into());
    }
    let base = env("XDG_CONFIG_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    Some(base.or_else(|| Some(home?.join(".config")))?.join("memctl/config.toml"))
}

impl Config {
    /// `inside_project`: the file lies in the project, so its private keys are not believed.
    pub fn from(env: Env, file: Option<&str>, inside_project: bool) -> Config {
        let mut troubles = Vec::new();
        let said = file.map(|text| flatten(text, &mut troubles)).unwrap_or_default();
        for name in said.keys() {
            if !KEYS.iter().any(|k| k.name == name) {
                troubles.push(unknown_key(name));
            }
        }
        let mut resolved = Resolved { values: Vec::with_capacity(KEYS.len()), troubles };
        for key in KEYS {
            resolved.resolve(key, env, said.get(key.name), inside_project);
        }
        resolved.build()
    }
}

struct Resolved {
    values: Vec<Value>,
    troubles: Vec<String>,
}

impl Resolved {
    fn resolve(&mut self, key: &'static Key, env: Env, said: Option<&String>, inside: bool) {
        let variable = env_name(key.name);
        let in_file = || said.map(|text| (text.clone(), Origin::File));
        let value = match (key.unit, env(&variable)) {
            (Unit::Private, in_env) => {
                if in_env.is_some() {
                    self.troubles.push(format!(
                        "{variable} is not obeyed: set {} in the config file",
                        key.name
                    ));
                }
                if said.is_some() && inside {
                    self.troubles.push(format!(
                        "{} is not obeyed: the config file lies inside the project",
                        key.name
                    ));
                }
                in_file().filter(|_| !inside)
            }
            (_, Some(text)) => Some((text.to_string_lossy().into_owned(), Origin::Environment)),
            (_, None) => in_file(),
        };
        let value = value.filter(|(text, _)| match check(key, text) {
            Ok(()) => true,
            Err(why) => {
                self.troubles.push(why);
                false
            }
        });
        self.values.push(match value {
            Some((text, origin)) => Value { key, text: text.into(), origin },
            None => Value { key, text: key.default.into(), origin: Origin::Default },
        });
    }

    fn value(&self, name: &str) -> &str {
        let found = self.values.iter().find(|value| value.key.name == name);
        found.map_or_else(|| unreachable!("{name} is not in the table"), |value| &value.text)
    }

    fn time(&self, name: &str) -> Duration {
        parse_duration(self.value(name)).expect("checked")
    }

    fn size(&self, name: &str) -> usize {
        parse_bytes(self.value(name)).expect("checked") as usize
    }

    fn words(&self, name: &str) -> Vec<String> {
        self.value(name).split(',').map(|w| w.trim().to_owned()).filter(|w| !w.is_empty()).collect()
    }

    fn build(mut self) -> Config {
        let exclude =
            self.words("exclude").iter().filter_map(|w| glob::Pattern::new(w).ok()).collect();
        Config {
            hook: Hook {
                deadline: self.time("hook.deadline"),
                end_deadline: self.time("hook.end_deadline"),
                accept: self.time("hook.accept"),
                ring: self.time("hook.ring"),
                stdin: self.time("hook.stdin"),
            },
            capture: Limits {
                input: self.size("capture.input"),
                response: self.size("capture.response"),
                text: self.size("capture.text"),
            },
            spool_max: self.size("spool.max"),
            agent: Agent {
                backend: self.value("agent.backend").to_owned(),
                turn_timeout: self.time("agent.turn_timeout"),
            },
            worker: Worker {
                linger: self.time("worker.linger"),
                idle_timeout: self.time("worker.idle_timeout"),
                max_age: self.time("worker.max_age"),
                hang_timeout: self.time("worker.hang_timeout"),
                end_deadline: self.time("worker.end_deadline"),
                client_grace: self.time("worker.client_grace"),
                peer_timeout: self.time("worker.peer_timeout"),
                connections: self.size("worker.connections"),
            },
            context: Context {
                tokens: self.size("context.tokens"),
                sources: self.words("context.sources"),
            },
            queue: Queue { keep: self.time("queue.keep"), stuck: self.time("queue.stuck") },
            log_max: self.size("log.max") as u64,
            exclude,
            troubles: std::mem::take(&mut self.troubles),
            values: std::mem::take(&mut self.values),
        }
    }
}

/// `hook.deadline` is `MEMCTL_HOOK_DEADLINE`.
pub fn env_name(key: &str) -> String {
    let mut name = String::with_capacity(32);
    name.push_str("MEMCTL_");
    name.extend(
        key.bytes().map(|b| if b == b'.' { '_' } else { char::from(b.to_ascii_uppercase()) }),
    );
    name
}

/// Tables of TOML as `section.key` = text.
fn flatten(text: &str, troubles: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    match text.parse::<toml::Table>() {
        Ok(table) => collect("", &table, &mut flat),
        Err(e) => troubles.push(format!("the config file is not TOML: {}", e.message())),
    }
    flat
}

fn collect(prefix: &str, table: &toml::Table, flat: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let text = |v: &toml::Value| match v {
            toml::Value::String(s) => s.clone(),
            other => other.to_string(),
        };
        match value {
            toml::Value::Table(inner) => collect(&name, inner, flat),
            toml::Value::Array(items) => {
                flat.insert(name, items.iter().map(text).collect::<Vec<_>>().join(","));
            }
            other => {
                flat.insert(name, text(other));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(env: &[(&str, &str)], file: Option<&str>, inside: bool) -> Config {
        let get = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
        Config::from(&get, file, inside)
    }

    #[test]
    fn defaults_are_valid() {
        let config = with(&[], None, false);
        assert!(config.troubles.is_empty(), "{:?}", config.troubles);
        assert_eq!(config.hook.deadline, Duration::from_millis(250));
        assert_eq!(config.worker.linger, Duration::from_secs(30));
        assert_eq!(config.capture.response, 64 << 10);
    }

    #[test]
    fn file_then_environment() {
        let file = "[worker]\nlinger = '5s'\nidle_timeout = '1h'\n";
        let config = with(&[("MEMCTL_WORKER_LINGER", "20ms")], Some(file), false);
        assert_eq!(config.worker.linger, Duration::from_millis(20));
        assert_eq!(config.worker.idle_timeout, Duration::from_secs(3600));
    }

    #[test]
    fn what_decides_where_text_goes_comes_from_the_users_own_file() {
        let config = with(&[("MEMCTL_EXCLUDE", "*")], Some("exclude = ['/secret/*']"), false);
        assert_eq!(config.exclude.len(), 1);
        assert!(config.troubles[0].contains("MEMCTL_EXCLUDE is not obeyed"));
        let config = with(&[], Some("exclude = ['*']"), true);
        assert!(config.exclude.is_empty());
        assert!(config.troubles[0].contains("inside the project"));
    }

    #[test]
    fn mistakes_are_named_and_defaults_hold() {
        let config = with(&[], Some("[worker]\nlingr = '5s'\nmax_age = 'soon'"), false);
        assert!(config.troubles.iter().any(|t| t.contains("did you mean 'worker.linger'")));
        assert!(config.troubles.iter().any(|t| t.contains("worker.max_age")));
        assert_eq!(config.worker.max_age, Duration::from_secs(86_400));
        assert!(!with(&[], Some("not toml"), false).troubles.is_empty());
    }

    #[test]
    fn every_key_is_used_and_documented() {
        for key in KEYS {
            assert!(!key.doc.is_empty() && !key.doc.ends_with('.'), "{}", key.name);
            assert!(check(key, key.default).is_ok(), "{}", key.name);
        }
    }
}
