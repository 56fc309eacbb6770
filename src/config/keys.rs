//! Every setting there is: name, default, unit, meaning, in one table.

use super::prices;
use super::unit::Unit;
use crate::text::nearest;

/// One setting.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub default: &'static str,
    pub unit: Unit,
    /// Decides where text goes, what is run, what is kept or what it may cost: from the config
    /// file alone, never from the environment or from a file inside the session's project.
    pub user_only: bool,
    pub doc: &'static str,
}

use Unit::{
    Bytes, Choice, Choices, Count, Globs, KeyName, MaybeText, MaybeUrl, Money, Server, Text, Time,
    Url, Words,
};

/// The memory agents that can be named.
pub const BACKENDS: &[&str] = &["extractive", "claude", "anthropic", "gemini", "openai"];

const fn key(name: &'static str, default: &'static str, unit: Unit, doc: &'static str) -> Key {
    Key { name, default, unit, user_only: false, doc }
}

const fn user_only(
    name: &'static str,
    default: &'static str,
    unit: Unit,
    doc: &'static str,
) -> Key {
    Key { name, default, unit, user_only: true, doc }
}

/// Every setting there is.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("hook.deadline", "250ms", Time, "how long a hook may take once its payload is complete"),
    key("hook.end_deadline", "1s", Time, "the same for the hook of a session's end"),
    key("hook.accept", "150ms", Time, "how long a hook waits for the worker's answer"),
    key("hook.ring", "50ms", Time, "how long a hook that spooled waits for the worker to wake"),
    key("hook.stdin", "1s", Time, "how long a hook waits for its payload"),
    key("capture.input", "32KiB", Bytes, "most bytes kept of a tool's input"),
    key("capture.response", "64KiB", Bytes, "most bytes kept of a tool's response"),
    key("capture.text", "64KiB", Bytes, "most bytes kept of a prompt or a message"),
    key("spool.max", "10000", Count, "events of a session that are spooled with their texts"),
    user_only("agent.backend", "extractive", Choice(BACKENDS), "who distils: extractive is local and free"),
    user_only("agent.fallback", "extractive", Choices(BACKENDS), "who distils what the backend cannot, in this order"),
    key("agent.turn_timeout", "120s", Time, "how long distilling one batch may take"),
    key("agent.defer_max", "24h", Time, "how long events wait for a backend before the next one takes them"),
    key("agent.max_children", "2", Count, "programs of backends that run on this machine at a time"),
    key("agent.batch_events", "8", Count, "events that a model is told at once"),
    key("agent.batch_bytes", "32KiB", Bytes, "bytes of events that a model is told at once"),
    key("agent.batch_quiet", "20s", Time, "quiet after which a model is told what there is"),
    user_only("agent.claude.command", "claude", Text, "the program of the claude backend"),
    user_only("agent.claude.model", "haiku", Text, "its model"),
    user_only("agent.claude.proxy", "", MaybeUrl, "the proxy on its way to its model"),
    user_only("agent.anthropic.base_url", "https://api.anthropic.com", Url, "where the anthropic backend's API is"),
    user_only("agent.anthropic.model", "claude-haiku-4-5", Text, "its model"),
    user_only("agent.anthropic.key", "ANTHROPIC_API_KEY", KeyName, "name of its API key"),
    user_only("agent.anthropic.proxy", "", MaybeUrl, "the proxy on the way there"),
    user_only("agent.anthropic.max_tokens", "4096", Count, "most tokens of a reply"),
    user_only("agent.gemini.base_url", "https://generativelanguage.googleapis.com", Url, "where the gemini backend's API is"),
    user_only("agent.gemini.model", "gemini-2.5-flash", Text, "its model"),
    user_only("agent.gemini.key", "GEMINI_API_KEY", KeyName, "name of its API key"),
    user_only("agent.gemini.proxy", "", MaybeUrl, "the proxy on the way there"),
    user_only("agent.gemini.max_tokens", "4096", Count, "most tokens of a reply"),
    user_only("agent.openai.base_url", "https://api.openai.com/v1", Server, "where the openai backend's API is, or any server that speaks it; ollama: the one on this machine"),
    user_only("agent.openai.model", "gpt-5-mini", MaybeText, "its model; without one the first the server has"),
    user_only("agent.openai.key", "", KeyName, "name of its API key, where base_url does not tell"),
    user_only("agent.openai.proxy", "", MaybeUrl, "the proxy on the way there"),
    user_only("agent.openai.max_tokens", "4096", Count, "most tokens of a reply"),
    user_only("agent.budget.session_tokens", "1000000", Count, "tokens that models may use for a session; 0: any"),
    user_only("agent.budget.day_tokens", "3000000", Count, "tokens that models may use in a day; 0: any"),
    user_only("agent.budget.session_turns", "300", Count, "calls of models for a session; 0: any"),
    user_only("agent.budget.day_turns", "1000", Count, "calls of models in a day; 0: any"),
    user_only("agent.budget.session_cost", "1", Money, "dollars that models may cost for a session; 0: any"),
    user_only("agent.budget.day_cost", "3", Money, "dollars that models may cost in a day; 0: any"),
    user_only("agent.prices", prices::DEFAULT, Unit::Prices, "model=in/out[/cache-read[/cache-write]] in dollars for a million tokens; yours come before these"),
    key("worker.linger", "30s", Time, "how long a worker stays after its last summary"),
    key("worker.idle_timeout", "2h", Time, "without an event a worker closes what is open and leaves"),
    key("worker.max_age", "24h", Time, "no worker lives longer"),
    key("worker.hang_timeout", "30s", Time, "silence after which a starter gives a worker up"),
    key("worker.end_deadline", "60s", Time, "how long queued work may take once the session has ended"),
    key("worker.client_grace", "5s", Time, "between the client's death and the end of its session"),
    key("worker.peer_timeout", "2s", Time, "how long a slow peer is waited for"),
    key("worker.connections", "64", Count, "peers a worker talks to at a time"),
    key("context.tokens", "2000", Count, "most tokens the next session is told"),
    key("context.sources", "startup,resume,fork,compact", Words, "session starts that are told"),
    key("queue.keep", "90d", Time, "how long ids of processed events are kept"),
    key("queue.stuck", "5min", Time, "age from which unfinished events are shown as stuck"),
    key("resume.max_age", "30d", Time, "how long agents' sessions in the resume store are kept unused"),
    key("log.max", "20MiB", Bytes, "most bytes of logs in all"),
    user_only("exclude", "", Globs, "projects that are not recorded: globs on path or name"),
];

/// Whether a value can be used.
///
/// # Errors
/// A sentence that names the setting and says what to write.
pub fn check(key: &Key, text: &str) -> Result<(), String> {
    key.unit.check(text).map_err(|want| match key.unit.hides(text) {
        true => format!("{} is not used as it stands: {want}", key.name),
        false => format!("{} = {text:?} is not used: {want}", key.name),
    })
}

/// The setting of this name.
///
/// # Errors
/// A sentence, with the nearest name there is.
pub fn find(name: &str) -> Result<&'static Key, String> {
    KEYS.iter().find(|key| key.name == name).ok_or_else(|| unknown(name))
}

/// What to say of a setting that is not in the table.
pub fn unknown(name: &str) -> String {
    match nearest(name, KEYS.iter().map(|key| key.name)) {
        Some(meant) => format!("unknown setting '{name}', did you mean '{meant}'?"),
        None => format!("unknown setting '{name}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented_and_its_default_can_be_used() {
        for key in KEYS {
            assert!(!key.doc.is_empty() && !key.doc.ends_with('.'), "{}", key.name);
            assert_eq!(check(key, key.default), Ok(()), "{}", key.name);
            assert!(find(key.name).is_ok());
        }
    }

    #[test]
    fn what_was_meant_is_said() {
        let check = |name, want: &str| assert_eq!(find(name).unwrap_err(), want);
        check("worker.lingr", "unknown setting 'worker.lingr', did you mean 'worker.linger'?");
        check(
            "agent.budget.day",
            "unknown setting 'agent.budget.day', did you mean 'agent.budget.day_cost'?",
        );
        check("xyz", "unknown setting 'xyz'");
    }
}
