//! Resolves each setting from the environment, the config files and the default, and collects
//! problems.
//!
//! A problem with a setting that restricts what is recorded is a fault: nothing is recorded until the
//! user has corrected it.

use std::sync::{Arc, LazyLock};

use super::file::Files;
use super::keys::{self, KEYS, Key, Scope, env_name};
use super::layer::{Findings, Layer, Source};
use super::parse::list_items;
use super::unit::{Unit, pattern, regex, rule};
use super::values::{Value, ValueSource, Values};
use super::{
    Agent, Config, Context, Env, Hook, Limits, OffSwitch, Queue, Recall, Recording, Redact, Spool,
    Worker,
};

impl Config {
    /// Resolves all settings.
    pub fn from(env: Env, files: &Files) -> Config {
        let mut found = Findings::default();
        found.problems.extend(files.refused.clone());
        if let Some(why) = &files.unknown_home {
            found.fault(format!("the config file cannot be found: {why}"));
        }
        let own = files.own.as_ref().map(|file| Layer::read(file, &mut found));
        let moved = files.moved.as_ref().map(|file| Layer::read(file, &mut found));
        let layers = Layers { own, moved };
        let values = KEYS.iter().map(|key| match key.scope {
            Scope::Public => layers.public(key, env, &mut found),
            Scope::UserOnly => layers.user_only(key, env, &mut found),
            Scope::Restriction => layers.strictest(key, env, &mut found),
        });
        let values = values.collect();
        let undecided = std::mem::take(&mut found.undecided).into();
        Config::build(Values { all: values, undecided }, OffSwitch::find(env), found)
    }
}

struct Layers<'a> {
    own: Option<Layer<'a>>,
    /// The file that the environment names.
    moved: Option<Layer<'a>>,
}

impl Layers<'_> {
    fn public(&self, key: &'static Key, env: Env, found: &mut Findings) -> Value {
        let layer = self.moved.as_ref().or(self.own.as_ref());
        let value = match env(&env_name(key.name)) {
            Some(text) => Some((text.to_string_lossy().into_owned(), Source::Variable(key))),
            None => layer.and_then(|layer| layer.value(key)),
        };
        checked(key, value, found)
    }

    fn user_only(&self, key: &'static Key, env: Env, found: &mut Findings) -> Value {
        let own = self.own.as_ref();
        report_variable(key, env, found);
        let moved = self.moved.as_ref().filter(|moved| moved.texts.contains_key(key.name));
        if let Some(moved) = moved {
            let moved = moved.file.path.display();
            found.problems.push(match own.map(|own| own.file.path.display()) {
                Some(own) => format!("{} in {moved} is ignored: set it in {own}", key.name),
                None => format!(
                    "{} in {moved} is ignored: the password database has no home directory for this user",
                    key.name
                ),
            });
        }
        let text = own.and_then(|own| own.texts.get(key.name));
        if let (Some(_), Some(why)) = (text, own.and_then(|own| own.file.distrust.as_ref())) {
            found.problems.push(format!("{} is ignored: {why}", key.name));
            return checked(key, None, found);
        }
        checked(key, own.and_then(|own| own.value(key)), found)
    }

    fn strictest(&self, key: &'static Key, env: Env, found: &mut Findings) -> Value {
        report_variable(key, env, found);
        let layers = [&self.own, &self.moved].into_iter().flatten();
        let texts: Vec<(String, Source)> = layers.filter_map(|layer| layer.value(key)).collect();
        if texts.is_empty() {
            return checked(key, None, found);
        }
        let mut valid: Vec<&str> = Vec::new();
        let items =
            texts.iter().flat_map(|(text, source)| list_items(text).map(move |i| (i, source)));
        for (item, source) in items {
            match keys::check(key, item) {
                Ok(()) if valid.contains(&item) => {}
                Ok(()) => valid.push(item),
                Err(why) => found.fault(format!("{source}: {why}")),
            }
        }
        let text = match key.unit {
            Unit::Choice(all) => valid
                .into_iter()
                .max_by_key(|text| all.iter().position(|choice| choice == text))
                .unwrap_or(key.default)
                .to_owned(),
            _ => valid.join(","),
        };
        Value { key, text: text.into(), source: ValueSource::File }
    }
}

/// Reports an environment variable that does not set this setting.
fn report_variable(key: &Key, env: Env, found: &mut Findings) {
    let variable = env_name(key.name);
    if env(&variable).is_some() {
        let message = format!("{variable} is ignored: set {} in the config file", key.name);
        found.problems.push(message);
    }
}

/// The value, or the default if it is invalid.
fn checked(key: &'static Key, value: Option<(String, Source)>, found: &mut Findings) -> Value {
    let default = || Value { key, text: key.default.into(), source: ValueSource::Default };
    let Some((text, source)) = value else { return default() };
    if let Err(why) = keys::check(key, &text) {
        let message = format!("{source}: {why}");
        if key.scope == Scope::UserOnly {
            found.without_value(key.name, &message);
        }
        found.problems.push(message);
        return default();
    }
    let source = match source {
        Source::Line(..) => ValueSource::File,
        Source::Variable(_) => ValueSource::Environment,
    };
    Value { key, text: text.into(), source }
}

impl Config {
    fn build(values: Values, switch: Option<OffSwitch>, found: Findings) -> Config {
        let patterns = |name: &str| -> Vec<glob::Pattern> {
            values.list(name).iter().filter_map(|text| pattern(text).ok()).collect()
        };
        let recording = Recording {
            switch,
            fault: (!found.faults.is_empty()).then(|| found.faults.join("; ")),
            only_marked: values.text("capture.mode") == "marked",
            allow: patterns("capture.allow"),
            exclude: patterns("exclude"),
            ..Recording::default()
        };
        Config {
            hook: Hook {
                deadline: values.time("hook.deadline"),
                end_deadline: values.time("hook.end_deadline"),
                accept: values.time("hook.accept"),
                ring: values.time("hook.ring"),
                recall: values.time("hook.recall"),
                stdin: values.time("hook.stdin"),
            },
            capture: Limits {
                input: values.size("capture.input"),
                response: values.size("capture.response"),
                text: values.size("capture.text"),
            },
            spool: Spool {
                max_events: values.size("spool.max"),
                max_bytes: values.size("spool.max_bytes") as u64,
            },
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
                notice: values.switch("context.notice"),
            },
            recall: Recall {
                on_prompt: values.switch("recall.on_prompt"),
                on_tools: values.switch("recall.on_tools"),
                tokens: values.size("recall.tokens"),
            },
            queue: Queue { keep: values.time("queue.keep"), stuck: values.time("queue.stuck") },
            forget_undo: values.time("forget.undo"),
            resume_max_age: values.time("resume.max_age"),
            log_max: values.size("log.max") as u64,
            recording,
            redact: Redact {
                rules: values
                    .list("redact.rules")
                    .iter()
                    .filter_map(|text| rule(text).ok())
                    .collect(),
                allow: values
                    .list("redact.allow")
                    .iter()
                    .filter_map(|text| regex(&format!("^(?:{text})$")).ok())
                    .collect(),
            },
            problems: found.problems,
            values: values.all,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::PathBuf;
    use std::time::Duration;

    use super::super::file::{ConfigFile, Content};
    use super::*;

    fn with(env: &[(&str, &str)], files: &Files) -> Config {
        let get = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
        Config::from(&get, files)
    }

    fn moved(own: &str, moved: &str) -> Files {
        let path = PathBuf::from("/m/config.toml");
        let content = Content::Text(moved.to_owned());
        let file = ConfigFile { canonical: path.clone(), path, content, distrust: None };
        Files { moved: Some(file), ..Files::of_text(own) }
    }

    fn distrusted(own: &str) -> Files {
        let mut files = Files::of_text(own);
        files.own.as_mut().unwrap().distrust = Some("/u is open".into());
        files
    }

    fn excluded(config: &Config) -> Vec<&str> {
        config.recording.exclude.iter().map(glob::Pattern::as_str).collect()
    }

    /// Text and spending, all user-only, and one public setting.
    const REDIRECT: &str = "[agent]\nbackend = 'openai'\nopenai.base_url = 'https://evil.example'\n\
        budget.day_cost = 1000\nbatch_events = 4";

    #[track_caller]
    fn check_not_redirected(config: &Config) {
        assert_eq!(config.agent.backend, "extractive");
        assert_eq!(config.agent.openai.base_url, "https://api.openai.com/v1");
        assert_eq!(config.agent.claude.command, "claude");
        assert_eq!(config.agent.budget.day.cost, 3.0);
        assert_eq!(config.agent.batch_events, 4, "a public setting is used");
    }

    #[test]
    fn defaults_are_valid() {
        let config = with(&[], &Files::default());
        assert!(config.problems.is_empty(), "{:?}", config.problems);
        assert_eq!(config.hook.deadline, Duration::from_millis(250));
        assert_eq!(config.worker.linger, Duration::from_secs(30));
        assert_eq!(config.capture.response, 64 << 10);
        assert!(config.recording.fault.is_none() && !config.recording.only_marked);
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let file = "[worker]\nlinger = '5s'\nidle_timeout = '1h'\n";
        let config = with(&[("MEMCTL_WORKER_LINGER", "20ms")], &Files::of_text(file));
        assert_eq!(config.worker.linger, Duration::from_millis(20));
        assert_eq!(config.worker.idle_timeout, Duration::from_secs(3600));
    }

    #[test]
    fn the_environment_does_not_set_user_only_settings() {
        let env = [
            ("MEMCTL_AGENT_CLAUDE_COMMAND", "./evil"),
            ("MEMCTL_AGENT_OPENAI_PROXY", "x"),
            ("MEMCTL_EXCLUDE", "*"),
            ("MEMCTL_CAPTURE_MODE", "marked"),
            ("MEMCTL_AGENT_BATCH_EVENTS", "4"),
        ];
        let config = with(&env, &Files::default());
        check_not_redirected(&config);
        assert!(config.recording.exclude.is_empty() && !config.recording.only_marked);
        assert_eq!(config.problems.len(), 4, "{:?}", config.problems);
        assert!(config.problems.iter().all(|why| why.contains("is ignored")));
    }

    #[test]
    fn a_moved_file_sets_only_public_settings() {
        let config = with(&[], &moved("[agent]\nbatch_events = 9\nbatch_quiet = '1s'", REDIRECT));
        check_not_redirected(&config);
        assert_eq!(config.agent.batch_quiet, Duration::from_secs(20), "not from the own file");
        assert_eq!(config.problems.len(), 3, "{:?}", config.problems);
        let want = "agent.backend in /m/config.toml is ignored: set it in /u/config.toml";
        assert_eq!(config.problems[0], want);
        let config = with(&[], &moved(REDIRECT, ""));
        assert_eq!(config.agent.backend, "openai", "the user's own file is always read");
    }

    #[test]
    fn a_file_that_is_not_trusted_sets_only_public_settings() {
        let config = with(&[], &distrusted(REDIRECT));
        check_not_redirected(&config);
        assert_eq!(config.problems[0], "agent.backend is ignored: /u is open");
        assert_eq!(config.problems.len(), 3, "{:?}", config.problems);
    }

    #[test]
    fn each_file_can_restrict_what_is_recorded() {
        let strict = "exclude = ['/b', '/a']\ncapture.mode = 'marked'\ncapture.allow = ['x']";
        let config = with(&[], &moved("exclude = ['/a']", strict));
        assert_eq!(excluded(&config), ["/a", "/b"]);
        assert!(config.recording.only_marked && config.recording.allow.is_empty());
        let config = with(&[], &moved(strict, "capture.mode = 'all'"));
        assert_eq!(excluded(&config), ["/b", "/a"]);
        assert!(config.recording.only_marked && config.recording.allow.len() == 1);
        let config = with(&[], &distrusted(strict));
        assert_eq!(excluded(&config), ["/b", "/a"]);
        assert!(config.recording.only_marked && config.recording.allow.is_empty());
        assert!(config.recording.fault.is_none());
    }

    #[test]
    fn an_invalid_exclude_list_is_a_fault_and_keeps_its_valid_part() {
        let check = |text: &str, kept: &[&str]| {
            let config = Config::of_text(text);
            let fault = config.recording.fault.as_deref();
            assert!(fault.is_some_and(|fault| !fault.contains('\n')), "{text}: {fault:?}");
            assert_eq!(excluded(&config), kept, "{text}");
            assert!(config.problems.iter().any(|why| fault.unwrap().contains(why)), "{text}");
        };
        check("exclude = ['/a/*', '[', '/b']", &["/a/*", "/b"]);
        check("exclude = ['/a/***']", &[]);
        check("exclude = ['clients/*']", &[]);
        check("exclude = ['$HOME/clients']", &[]);
        check("exclude = [4, '/b']", &["/b"]);
        check("exclude = true", &[]);
        check("exclude = [['/a']]", &[]);
        check("[exclude]\npaths = ['/a']", &[]);
        check("[exclude]\n", &[]);
        check("exlude = ['/a']", &[]);
        check("excludes = ['/a']", &[]);
        check("Exclude = ['/a']", &[]);
        check("[worker]\nlinger = '1s'\nexclude = ['/a']", &[]);
        check("exclude = ['/a']\nexclude = ['/b']", &[]);
        check("exclude = ['/a'", &[]);
        check("exclude = ['/a']\n[worker]\nlinger = 5s", &[]);
        check("capture.mode = 'markd'", &[]);
        check("capture.mod = 'marked'", &[]);
        check("capture.mode = true", &[]);
        check("\u{feff}exclude = ['/a'\n\"new\\nline\"", &[]);
        let unreadable = |own: bool| {
            let mut files = moved("exclude = ['/a']", "exclude = ['/b']");
            let file = if own { &mut files.own } else { &mut files.moved };
            file.as_mut().unwrap().content = Content::Unreadable("it is a pipe".into());
            with(&[], &files)
        };
        for (own, kept) in [(true, "/b"), (false, "/a")] {
            let config = unreadable(own);
            assert!(config.recording.fault.as_ref().unwrap().ends_with("it is a pipe"));
            assert_eq!(excluded(&config), [kept]);
        }
    }

    #[test]
    fn other_mistakes_do_not_stop_recording() {
        for text in [
            "[worker]\nlingr = '5s'",
            "[agent]\nbackend = 'claud'",
            "capture.allow = ['[']",
            "color = true",
            "exclude = []",
            "exclude = ''",
            "exclude = ['~/a', '*/b', 'c*', '/d, e']",
        ] {
            assert_eq!(Config::of_text(text).recording.fault, None, "{text}");
        }
        assert_eq!(excluded(&Config::of_text("exclude = '/a, b'")), ["/a", "b"]);
    }

    #[test]
    fn an_unknown_home_directory_is_a_fault() {
        let files = Files { unknown_home: Some("no answer".into()), ..Files::default() };
        assert!(with(&[], &files).recording.fault.unwrap().contains("no answer"));
    }

    #[test]
    fn invalid_settings_are_reported_and_keep_their_default() {
        let config = Config::of_text("[worker]\nlingr = '5s'\nmax_age = 'soon'");
        assert!(config.problems.iter().any(|t| t.contains("did you mean 'worker.linger'")));
        assert!(config.problems.iter().any(|t| t.contains("worker.max_age")));
        assert_eq!(config.worker.max_age, Duration::from_secs(86_400));
        assert!(!Config::of_text("not toml").problems.is_empty());
        let config = Config::of_text("[agent]\nbackend = 'claud'");
        assert_eq!(config.agent.backend, "extractive");
        assert!(config.problems[0].contains("expected one of extractive, claude"));
        let config = Config::of_text("# a\n[log]\nmax = 1\n[agent]\nmax_children = 0x0");
        let want = [
            "/u/config.toml, line 5: invalid value '0' for agent.max_children: expected at least 1",
            "/u/config.toml, line 3: invalid value '1' for log.max: expected at least 64KiB",
        ];
        assert_eq!(config.problems, want);
        let config = Config::of_text("[worker]\nlinger = '5s'\n\nmax_age = [");
        let why = &config.problems[0];
        assert!(why.starts_with("/u/config.toml, line 4: not valid TOML: "), "{why}");
        let env = [("MEMCTL_WORKER_LINGER", "soon")];
        let why = &with(&env, &Files::default()).problems[0];
        assert!(why.starts_with("MEMCTL_WORKER_LINGER: invalid value 'soon'"), "{why}");
    }
}
