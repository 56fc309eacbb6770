//! Resolves each setting from the environment, the config file and the default, and collects
//! problems.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::keys::{self, KEYS, Key};
use super::values::{Value, ValueSource, Values};
use super::{Agent, Config, Context, Env, Hook, Limits, Queue, Worker};

impl Config {
    /// `config_in_project`: the file is inside the project, so its user-only settings are ignored.
    pub fn from(env: Env, file: Option<&str>, config_in_project: bool) -> Config {
        let mut problems = Vec::new();
        let in_file = file.map(|text| flatten(text, &mut problems)).unwrap_or_default();
        for name in in_file.keys() {
            if !KEYS.iter().any(|k| k.name == name) {
                problems.push(keys::unknown(name));
            }
        }
        let values = KEYS
            .iter()
            .map(|key| resolve(key, env, in_file.get(key.name), config_in_project, &mut problems));
        Config::build(Values(values.collect()), problems)
    }
}

fn resolve(
    key: &'static Key,
    env: Env,
    in_file: Option<&String>,
    config_in_project: bool,
    problems: &mut Vec<String>,
) -> Value {
    let variable = env_name(key.name);
    let from_file = || in_file.map(|text| (text.clone(), ValueSource::File));
    let value = match (key.user_only, env(&variable)) {
        (true, in_env) => {
            if in_env.is_some() {
                problems
                    .push(format!("{variable} is ignored: set {} in the config file", key.name));
            }
            if in_file.is_some() && config_in_project {
                problems.push(format!(
                    "{} is ignored: the config file is inside the project",
                    key.name
                ));
            }
            from_file().filter(|_| !config_in_project)
        }
        (false, Some(text)) => {
            Some((text.to_string_lossy().into_owned(), ValueSource::Environment))
        }
        (false, None) => from_file(),
    };
    let value = value.filter(|(text, _)| match keys::check(key, text) {
        Ok(()) => true,
        Err(why) => {
            problems.push(why);
            false
        }
    });
    match value {
        Some((text, source)) => Value { key, text: text.into(), source },
        None => Value { key, text: key.default.into(), source: ValueSource::Default },
    }
}

impl Config {
    fn build(values: Values, problems: Vec<String>) -> Config {
        let exclude =
            values.list("exclude").iter().filter_map(|w| glob::Pattern::new(w).ok()).collect();
        Config {
            hook: Hook {
                deadline: values.time("hook.deadline"),
                end_deadline: values.time("hook.end_deadline"),
                accept: values.time("hook.accept"),
                ring: values.time("hook.ring"),
                stdin: values.time("hook.stdin"),
            },
            capture: Limits {
                input: values.size("capture.input"),
                response: values.size("capture.response"),
                text: values.size("capture.text"),
            },
            spool_max: values.size("spool.max"),
            agent: Arc::new(LazyLock::new({
                let values = values.clone();
                Box::new(move || Agent::from(&values))
            })),
            worker: Worker {
                linger: values.time("worker.linger"),
                idle_timeout: values.time("worker.idle_timeout"),
                max_age: values.time("worker.max_age"),
                hang_timeout: values.time("worker.hang_timeout"),
                end_deadline: values.time("worker.end_deadline"),
                client_grace: values.time("worker.client_grace"),
                peer_timeout: values.time("worker.peer_timeout"),
                connections: values.size("worker.connections"),
            },
            context: Context {
                tokens: values.size("context.tokens"),
                sources: values.list("context.sources"),
            },
            queue: Queue { keep: values.time("queue.keep"), stuck: values.time("queue.stuck") },
            resume_max_age: values.time("resume.max_age"),
            log_max: values.size("log.max") as u64,
            exclude,
            problems,
            values: values.0,
        }
    }
}

/// The environment variable of a setting: `MEMCTL_HOOK_DEADLINE` for `hook.deadline`.
pub fn env_name(key: &str) -> String {
    let mut name = ["MEMCTL_", key].concat().into_bytes();
    for byte in &mut name {
        *byte = if *byte == b'.' { b'_' } else { byte.to_ascii_uppercase() };
    }
    String::from_utf8(name).expect("keys are ASCII")
}

/// Flattens TOML tables into `section.key` = text.
fn flatten(text: &str, problems: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    match text.parse::<toml::Table>() {
        Ok(table) => collect("", &table, &mut flat),
        Err(e) => problems.push(format!("the config file is not valid TOML: {}", e.message())),
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
    use std::ffi::OsString;
    use std::time::Duration;

    use super::*;

    fn with(env: &[(&str, &str)], file: Option<&str>, inside: bool) -> Config {
        let get = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
        Config::from(&get, file, inside)
    }

    #[test]
    fn defaults_are_valid() {
        let config = with(&[], None, false);
        assert!(config.problems.is_empty(), "{:?}", config.problems);
        assert_eq!(config.hook.deadline, Duration::from_millis(250));
        assert_eq!(config.worker.linger, Duration::from_secs(30));
        assert_eq!(config.capture.response, 64 << 10);
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let file = "[worker]\nlinger = '5s'\nidle_timeout = '1h'\n";
        let config = with(&[("MEMCTL_WORKER_LINGER", "20ms")], Some(file), false);
        assert_eq!(config.worker.linger, Duration::from_millis(20));
        assert_eq!(config.worker.idle_timeout, Duration::from_secs(3600));
    }

    #[test]
    fn user_only_settings_come_only_from_a_file_outside_the_project() {
        let config = with(&[("MEMCTL_EXCLUDE", "*")], Some("exclude = ['/secret/*']"), false);
        assert_eq!(config.exclude.len(), 1);
        assert!(config.problems[0].contains("MEMCTL_EXCLUDE is ignored"));
        let config = with(&[], Some("exclude = ['*']"), true);
        assert!(config.exclude.is_empty());
        assert!(config.problems[0].contains("inside the project"));
        let file = "[agent]\nbackend = 'openai'\nopenai.base_url = 'https://evil.example'\n\
                    budget.day_cost = 1000\nbatch_events = 4";
        let env = [("MEMCTL_AGENT_CLAUDE_COMMAND", "./evil"), ("MEMCTL_AGENT_OPENAI_PROXY", "x")];
        let config = with(&env, Some(file), true);
        assert_eq!(config.agent.backend, "extractive");
        assert_eq!(config.agent.openai.base_url, "https://api.openai.com/v1");
        assert_eq!(config.agent.claude.command, "claude");
        assert_eq!(config.agent.budget.day.cost, 3.0);
        assert_eq!(config.agent.batch_events, 4, "a setting that is not user-only is used");
        assert_eq!(config.problems.len(), 5, "{:?}", config.problems);
    }

    #[test]
    fn invalid_settings_are_reported_and_keep_their_default() {
        let config = with(&[], Some("[worker]\nlingr = '5s'\nmax_age = 'soon'"), false);
        assert!(config.problems.iter().any(|t| t.contains("did you mean 'worker.linger'")));
        assert!(config.problems.iter().any(|t| t.contains("worker.max_age")));
        assert_eq!(config.worker.max_age, Duration::from_secs(86_400));
        assert!(!with(&[], Some("not toml"), false).problems.is_empty());
        let config = with(&[], Some("[agent]\nbackend = 'claud'"), false);
        assert_eq!(config.agent.backend, "extractive");
        assert!(config.problems[0].contains("expected one of extractive, claude"));
    }
}
