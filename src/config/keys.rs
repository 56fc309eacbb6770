//! The table of all settings: name, default, unit and description.

use super::prices;
use super::unit::Unit;
use crate::text::{nearest, quote};

/// One setting.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub default: &'static str,
    pub unit: Unit,
    /// The smallest value that works. Empty: any.
    pub least: &'static str,
    /// The largest value that works. Empty: any.
    pub most: &'static str,
    pub scope: Scope,
    pub doc: &'static str,
}

impl Key {
    const fn new(
        name: &'static str,
        default: &'static str,
        unit: Unit,
        scope: Scope,
        doc: &'static str,
    ) -> Key {
        Key { name, default, unit, least: "", most: "", scope, doc }
    }

    /// Refuses smaller values.
    const fn least(self, least: &'static str) -> Key {
        Key { least, ..self }
    }

    /// Refuses larger values.
    const fn most(self, most: &'static str) -> Key {
        Key { most, ..self }
    }
}

/// Which sources may set a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The environment and each config file.
    Public,
    /// The setting decides where text is sent, which program is run, what is stored or what it costs.
    /// Only the user's own config file sets it, if that file can be trusted.
    UserOnly,
    /// The setting restricts what is recorded. It is read from each config file, trusted or not, and the
    /// strictest value applies: the union of lists, the last of choices.
    Restriction,
}

use Unit::{
    Bytes, Choice, Choices, Count, Globs, KeyName, Money, OptionalText, OptionalUrl, Regexes,
    Rules, Server, Text, Time, Url,
};

/// Names of the memory agent backends.
pub const BACKENDS: &[&str] = &["extractive", "claude", "anthropic", "gemini", "openai"];

/// Sources of a session start, as clients name them.
pub const SOURCES: &[&str] = &["startup", "resume", "fork", "clear", "compact"];

/// Values of `capture.mode`, the strictest last.
pub const MODES: &[&str] = &["all", "marked"];

/// Values of a setting that is on or off.
const SWITCH: &[&str] = &["true", "false"];

const fn key(name: &'static str, default: &'static str, unit: Unit, doc: &'static str) -> Key {
    Key::new(name, default, unit, Scope::Public, doc)
}

const fn user_only(
    name: &'static str,
    default: &'static str,
    unit: Unit,
    doc: &'static str,
) -> Key {
    Key::new(name, default, unit, Scope::UserOnly, doc)
}

const fn restriction(
    name: &'static str,
    default: &'static str,
    unit: Unit,
    doc: &'static str,
) -> Key {
    Key::new(name, default, unit, Scope::Restriction, doc)
}

/// All settings.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("hook.deadline", "250ms", Time, "time limit of a hook after its payload is complete").least("10ms").most("60s"),
    key("hook.end_deadline", "1s", Time, "time limit of the SessionEnd hook").least("10ms").most("60s"),
    key("hook.accept", "150ms", Time, "how long a hook waits for the reply of the worker").least("1ms").most("60s"),
    key("hook.ring", "50ms", Time, "how long a hook waits for the worker to wake after spooling an event").most("60s"),
    key("hook.recall", "100ms", Time, "how long a hook looks for memories after its event is delivered; then it answers without").least("1ms").most("2s"),
    key("hook.stdin", "1s", Time, "how long a hook waits for the rest of its payload; three times as long for the first byte").most("60s"),
    key("capture.input", "32KiB", Bytes, "bytes kept of a tool input"),
    key("capture.response", "64KiB", Bytes, "bytes kept of a tool response"),
    key("capture.text", "64KiB", Bytes, "bytes kept of a prompt or a message"),
    restriction("capture.mode", "all", Choice(MODES), "which projects are recorded; marked: only those with a .memctl file or in capture.allow"),
    user_only("capture.allow", "", Globs, "projects that are recorded without a .memctl file if capture.mode is marked (globs on path or name)"),
    key("spool.max", "10000", Count, "events that are spooled with their text, per session"),
    user_only("spool.max_bytes", "256MiB", Bytes, "bytes of events that are spooled with their text, per session").least("64KiB"),
    user_only("agent.backend", "extractive", Choice(BACKENDS), "backend that distills events; extractive is local and free"),
    user_only("agent.fallback", "extractive", Choices(BACKENDS), "backends that take over when the backend fails, in this order"),
    key("agent.turn_timeout", "120s", Time, "time limit for distilling one batch").least("100ms"),
    key("agent.defer_max", "24h", Time, "how long events wait for a backend before the next one takes over"),
    key("agent.max_children", "2", Count, "backend programs that run at the same time on this machine").least("1"),
    key("agent.batch_events", "8", Count, "maximum events in one model call").least("1"),
    key("agent.batch_bytes", "32KiB", Bytes, "maximum bytes of events in one model call").least("1KiB"),
    key("agent.batch_quiet", "20s", Time, "time without events after which a partial batch is sent"),
    user_only("agent.claude.command", "claude", Text, "program of the claude backend"),
    user_only("agent.claude.model", "haiku", Text, "model"),
    user_only("agent.claude.proxy", "", OptionalUrl, "HTTP proxy"),
    user_only("agent.anthropic.base_url", "https://api.anthropic.com", Url, "URL of the API"),
    user_only("agent.anthropic.model", "claude-haiku-4-5", Text, "model"),
    user_only("agent.anthropic.key", "ANTHROPIC_API_KEY", KeyName, "name of the API key"),
    user_only("agent.anthropic.proxy", "", OptionalUrl, "HTTP proxy"),
    user_only("agent.anthropic.max_tokens", "4096", Count, "maximum tokens of a reply").least("256"),
    user_only("agent.gemini.base_url", "https://generativelanguage.googleapis.com", Url, "URL of the API"),
    user_only("agent.gemini.model", "gemini-2.5-flash", Text, "model"),
    user_only("agent.gemini.key", "GEMINI_API_KEY", KeyName, "name of the API key"),
    user_only("agent.gemini.proxy", "", OptionalUrl, "HTTP proxy"),
    user_only("agent.gemini.max_tokens", "4096", Count, "maximum tokens of a reply").least("256"),
    user_only("agent.openai.base_url", "https://api.openai.com/v1", Server, "URL of an OpenAI-compatible API, or ollama for the local server"),
    user_only("agent.openai.model", "gpt-5-mini", OptionalText, "model; empty: the first model of the server"),
    user_only("agent.openai.key", "", KeyName, "name of the API key, if the host has no default"),
    user_only("agent.openai.proxy", "", OptionalUrl, "HTTP proxy"),
    user_only("agent.openai.max_tokens", "4096", Count, "maximum tokens of a reply").least("256"),
    user_only("agent.budget.session_tokens", "1000000", Count, "tokens per session; 0: unlimited"),
    user_only("agent.budget.day_tokens", "3000000", Count, "tokens per day; 0: unlimited"),
    user_only("agent.budget.session_turns", "300", Count, "model calls per session; 0: unlimited"),
    user_only("agent.budget.day_turns", "1000", Count, "model calls per day; 0: unlimited"),
    user_only("agent.budget.session_cost", "1", Money, "dollars per session; 0: unlimited"),
    user_only("agent.budget.day_cost", "3", Money, "dollars per day; 0: unlimited"),
    user_only("agent.prices", prices::DEFAULT, Unit::Prices, "model=in/out[/cache-read[/cache-write]] in dollars per million tokens; extends the built-in list"),
    key("worker.linger", "30s", Time, "how long a worker waits for more events after the summary of a turn"),
    key("worker.idle_timeout", "2h", Time, "time without events after which a worker ends the session and exits").least("100ms"),
    key("worker.max_age", "24h", Time, "maximum lifetime of a worker").least("100ms"),
    key("worker.hang_timeout", "30s", Time, "time without a reply after which a worker counts as hung").least("100ms"),
    key("worker.end_deadline", "60s", Time, "how long a worker processes the queue of an ended session").least("100ms"),
    key("worker.client_grace", "5s", Time, "delay between the death of the client and the end of its session"),
    key("worker.peer_timeout", "2s", Time, "time limit of one read or write on a worker's socket").least("10ms"),
    key("worker.connections", "64", Count, "maximum socket connections of a worker").least("1"),
    key("context.tokens", "2000", Count, "maximum tokens of the context of a new session").least("100").most("100000"),
    key("context.sources", "startup,resume,fork,compact", Choices(SOURCES), "session starts that receive the context: some of startup, resume, fork, clear, compact"),
    key("context.notice", "true", Choice(SWITCH), "whether a session start tells the user in one line how much context it receives"),
    key("recall.on_prompt", "true", Choice(SWITCH), "whether a prompt receives memories that answer it"),
    key("recall.on_tools", "true", Choice(SWITCH), "whether a file, a failure or a risky command receives what is known about it"),
    key("recall.tokens", "300", Count, "maximum tokens of the memories that one prompt or tool use receives").least("50").most("2000"),
    key("queue.keep", "90d", Time, "how long ids of processed events are kept").least("1d"),
    key("queue.stuck", "5min", Time, "age at which an unfinished event counts as stuck").least("1s"),
    user_only("forget.undo", "7d", Time, "how long forgotten memories can be restored; 0s: not at all"),
    user_only("resume.max_age", "30d", Time, "how long unused entries of the resume store are kept").least("1s"),
    key("log.max", "20MiB", Bytes, "total size of all logs").least("64KiB"),
    restriction("redact.rules", "", Rules, "own rules for secrets, as name=regex; the name is the kind in [redacted:name]"),
    user_only("redact.allow", "", Regexes, "texts that are no secrets (regexes on the whole text that a rule found)"),
    restriction("exclude", "", Globs, "projects that are not recorded (globs on path or name)"),
];

/// Checks the value of a setting.
///
/// # Errors
/// A message with the name of the setting and the expected format.
pub fn check(key: &Key, text: &str) -> Result<(), String> {
    let checked = key.unit.check(text).and_then(|()| in_range(key, text));
    checked.map_err(|expected| match key.unit.may_be_secret(text) {
        true => format!("invalid value for {}: {expected}", key.name),
        false => format!("invalid value '{}' for {}: {expected}", quote(text), key.name),
    })
}

fn in_range(key: &Key, text: &str) -> Result<(), String> {
    let amount = key.unit.amount(text);
    if !key.least.is_empty() && amount < key.unit.amount(key.least) {
        return Err(format!("expected at least {}", key.least));
    }
    if !key.most.is_empty() && amount > key.unit.amount(key.most) {
        return Err(format!("expected at most {}", key.most));
    }
    Ok(())
}

/// The environment variable of a setting: `MEMCTL_HOOK_DEADLINE` for `hook.deadline`.
pub fn env_name(key: &str) -> String {
    let mut name = ["MEMCTL_", key].concat().into_bytes();
    for byte in &mut name {
        *byte = if *byte == b'.' { b'_' } else { byte.to_ascii_uppercase() };
    }
    String::from_utf8(name).expect("keys are ASCII")
}

/// Finds a setting by name.
///
/// # Errors
/// A message that suggests the nearest name.
pub fn find(name: &str) -> Result<&'static Key, String> {
    KEYS.iter().find(|key| key.name == name).ok_or_else(|| unknown(name))
}

/// The message for an unknown setting.
pub fn unknown(name: &str) -> String {
    match nearest(name, KEYS.iter().map(|key| key.name)) {
        Some(meant) => format!("unknown setting '{name}', did you mean '{meant}'?"),
        None => format!("unknown setting '{name}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing: the message is a line of a notice.
    #[test]
    fn a_refused_value_is_quoted_as_one_line() {
        let key = find("agent.openai.base_url").unwrap();
        let refused = check(key, &format!("http://a\t\n\u{1b}[31m:1/v1{}", "x".repeat(500)));
        let message = refused.unwrap_err();
        assert!(!message.contains(char::is_control) && message.len() < 300, "{message:?}");
    }

    #[test]
    fn every_setting_has_a_description_and_a_valid_default() {
        for key in KEYS {
            assert!(!key.doc.is_empty() && !key.doc.ends_with('.'), "{}", key.name);
            assert_eq!(check(key, key.default), Ok(()), "{}", key.name);
            assert!(find(key.name).is_ok());
            for limit in [key.least, key.most].into_iter().filter(|limit| !limit.is_empty()) {
                assert!(key.unit.amount(limit).is_some(), "{}: {limit}", key.name);
            }
        }
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        let check = |name, text, want: &str| {
            let why = check(find(name).unwrap(), text).unwrap_err();
            assert!(why.contains(want), "{why}");
        };
        check("context.tokens", "0", "expected at least 100");
        check("context.tokens", "1000000", "expected at most 100000");
        check("log.max", "1", "expected at least 64KiB");
        check("hook.deadline", "2h", "expected at most 60s");
        check("queue.keep", "23h", "expected at least 1d");
        check("worker.max_age", "99999999d", "expected a duration of at most 3650d");
        check("context.sources", "startup,foo", "expected some of startup, resume, fork");
        check("context.sources", "startup,resum", "did you mean 'resume'?");
        check("agent.backend", "claud", "did you mean 'claude'?");
    }

    #[test]
    fn the_nearest_name_is_suggested() {
        let check = |name, want: &str| assert_eq!(find(name).unwrap_err(), want);
        check("worker.lingr", "unknown setting 'worker.lingr', did you mean 'worker.linger'?");
        check(
            "agent.budget.day",
            "unknown setting 'agent.budget.day', did you mean 'agent.budget.day_cost'?",
        );
        check("xyz", "unknown setting 'xyz'");
    }
}
