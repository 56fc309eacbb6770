//! Parses the `sessions.json` of older dispatchers. Does no I/O.
//!
//! Known shapes: an object of entries by key, the same under `sessions`, or an array of objects with
//! a `key`. An entry is the session id of the agent or an object that contains it. Times are seconds
//! or milliseconds since 1970, or text (`2026-11-27T09:30:00Z`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::key;
use crate::store::agent_sessions::AgentSession;

/// Defaults and renames that are applied to the entries.
pub struct Rewrite<'a> {
    /// Forge of keys without one.
    pub forge: &'a str,
    /// Old and new names of agents.
    pub renames: &'a [(String, String)],
    /// Time of use of entries without one.
    pub now: i64,
}

/// The valid entries by their new keys, and the keys of invalid ones.
#[derive(Debug, Default, PartialEq)]
pub struct Parsed {
    pub sessions: Vec<AgentSession>,
    pub invalid: Vec<String>,
}

const IDS: [&str; 6] =
    ["agent_session_id", "session_id", "sessionId", "agentSessionId", "session", "id"];
const USED: [&str; 9] = [
    "last_used_at_epoch",
    "last_used_at",
    "last_used",
    "lastUsedAt",
    "lastUsed",
    "updated_at",
    "updatedAt",
    "updated",
    "timestamp",
];
const CREATED: [&str; 6] =
    ["created_at_epoch", "created_at", "createdAt", "created", "started_at", "ts"];
const FAILURES: [&str; 4] = ["failures", "failure_count", "failureCount", "failed"];

/// Parses a legacy file.
///
/// # Errors
/// A message if the file has none of the known shapes.
pub fn parse(text: &str, rewrite: &Rewrite) -> Result<Parsed, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!("invalid JSON: {e}"))?;
    let mut sessions: BTreeMap<String, AgentSession> = BTreeMap::new();
    let mut invalid = Vec::new();
    for (old, entry) in entries(&value)? {
        match session(old, entry, rewrite) {
            None => invalid.push(old.to_owned()),
            // Two old keys may map to one new key. The last used entry wins.
            Some(session) => match sessions.get(&session.key) {
                Some(other) if other.last_used_at_epoch >= session.last_used_at_epoch => {}
                _ => {
                    sessions.insert(session.key.clone(), session);
                }
            },
        }
    }
    Ok(Parsed { sessions: sessions.into_values().collect(), invalid })
}

fn entries(value: &Value) -> Result<Vec<(&str, &Value)>, String> {
    let inner = match value {
        Value::Object(object) => match object.get("sessions") {
            Some(inner @ (Value::Object(_) | Value::Array(_))) if !is_entry(inner) => inner,
            _ => value,
        },
        other => other,
    };
    match inner {
        Value::Object(object) => Ok(object.iter().map(|(key, v)| (key.as_str(), v)).collect()),
        Value::Array(items) => {
            Ok(items.iter().map(|item| (item["key"].as_str().unwrap_or(""), item)).collect())
        }
        _ => Err("no sessions found; expected an object of sessions by key".into()),
    }
}

/// Whether this is one entry whose key is `sessions`, and not the object of all entries.
fn is_entry(value: &Value) -> bool {
    value.as_object().is_some_and(|object| first(object, &IDS).is_some_and(Value::is_string))
}

fn session(old: &str, entry: &Value, rewrite: &Rewrite) -> Option<AgentSession> {
    let none = Map::new();
    let (id, object) = match entry {
        Value::String(id) => (id.as_str(), &none),
        Value::Object(object) => (first(object, &IDS)?.as_str()?, object),
        _ => return None,
    };
    let (key, id) = (new_key(old, rewrite)?, id.trim());
    key::check("key", &key).and_then(|()| key::check("session", id)).ok()?;
    let created = first(object, &CREATED).and_then(epoch);
    let used = first(object, &USED).and_then(epoch).or(created).unwrap_or(rewrite.now);
    Some(AgentSession {
        key,
        agent_session_id: id.to_owned(),
        failures: first(object, &FAILURES).and_then(Value::as_u64).unwrap_or(0),
        last_used_at_epoch: used,
        created_at_epoch: created.unwrap_or(used).min(used),
    })
}

fn first<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| object.get(*name)).filter(|value| !value.is_null())
}

/// Adds the forge to `agent:repo:issue` and renames the agent.
fn new_key(old: &str, rewrite: &Rewrite) -> Option<String> {
    let mut parts: Vec<&str> = old.split(':').map(str::trim).collect();
    if parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    if parts.len() < 4 {
        parts.insert(0, rewrite.forge);
    }
    let renamed = rewrite.renames.iter().find(|(old, _)| old.eq_ignore_ascii_case(parts[1]));
    if let Some((_, new)) = renamed {
        parts[1] = new;
    }
    match parts[..] {
        [forge, agent, repo, issue] => key::build(forge, agent, repo, issue).ok(),
        _ => Some(parts.join(":")),
    }
}

/// Converts a time to milliseconds.
fn epoch(value: &Value) -> Option<i64> {
    /// A smaller number is seconds. As milliseconds it would be before March 1973.
    const SECONDS: f64 = 1e11;
    let number = |n: f64| (if n < SECONDS { n * 1000.0 } else { n }) as i64;
    match value {
        Value::Number(n) => n.as_f64().filter(|n| *n > 0.0).map(number),
        Value::String(text) => {
            let time: Option<jiff::Timestamp> = text.parse().ok();
            let utc = || {
                text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()
            };
            let time = time.or_else(|| Some(utc()?.timestamp()));
            time.map(jiff::Timestamp::as_millisecond)
                .or_else(|| text.parse().ok().filter(|n| *n > 0.0).map(number))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, sessions: &[(&str, &str, u64, i64, i64)], invalid: &[&str]) {
        let renames = [("bot".to_owned(), "claude".to_owned())];
        let parsed = parse(text, &Rewrite { forge: "github", renames: &renames, now: 99 }).unwrap();
        let found: Vec<_> = parsed
            .sessions
            .iter()
            .map(|s| {
                let AgentSession { key, agent_session_id: id, failures, .. } = s;
                (key.as_str(), id.as_str(), *failures, s.last_used_at_epoch, s.created_at_epoch)
            })
            .collect();
        assert_eq!(found, sessions, "{text}");
        assert_eq!(parsed.invalid, invalid, "{text}");
    }

    #[test]
    fn every_known_shape_is_parsed() {
        check(r#"{"gh:a:o/r:1":"id"}"#, &[("gh:a:o/r:1", "id", 0, 99, 99)], &[]);
        check(
            r#"{"version":1,"sessions":{"a:o/r:1":{"session_id":"id","last_used":1700000000,"created_at":"2023-11-14T22:13:20Z","failures":2}}}"#,
            &[("github:a:o/r:1", "id", 2, 1_700_000_000_000, 1_700_000_000_000)],
            &[],
        );
        check(
            r#"[{"key":"gh:a:r:1","id":"id","updatedAt":1700000000123},{"id":"x"}]"#,
            &[("gh:a:r:1", "id", 0, 1_700_000_000_123, 1_700_000_000_123)],
            &[""],
        );
        check(
            r#"{"a:r:1":{"id":"x","created":"1700000000"},"a:r:2":{"id":"y","created":"2023-11-14T22:13:20"}}"#,
            &[
                ("github:a:r:1", "x", 0, 1_700_000_000_000, 1_700_000_000_000),
                ("github:a:r:2", "y", 0, 1_700_000_000_000, 1_700_000_000_000),
            ],
            &[],
        );
        check("{}", &[], &[]);
    }

    #[test]
    fn keys_are_normalized_and_the_last_used_session_wins() {
        check(
            r#"{" GH : Bot : o/R : 7 ":{"id":"old","last_used":1700000000},
                "gh:claude:o/R:7":{"id":"new","last_used":1700000001}}"#,
            &[("gh:claude:o/R:7", "new", 0, 1_700_000_001_000, 1_700_000_001_000)],
            &[],
        );
        check(r#"{"bot:r:1":"id"}"#, &[("github:claude:r:1", "id", 0, 99, 99)], &[]);
        check(r#"{"gh:bot:r:1:extra":"id"}"#, &[("gh:claude:r:1:extra", "id", 0, 99, 99)], &[]);
    }

    #[test]
    fn invalid_entries_are_reported() {
        check(
            r#"{"a:r:1":{"last_used":1},"a::2":"id","a:r:3":7,"a:r:4":" ","a:r:5":"id"}"#,
            &[("github:a:r:5", "id", 0, 99, 99)],
            &["a::2", "a:r:1", "a:r:3", "a:r:4"],
        );
        // `resume set` refuses these keys and ids too.
        let long = "x".repeat(600);
        for (key, id) in [
            ("gh:a:r:1:\\u001b[2J", "id"),
            ("gh:a:r:1", "id\\nrm -rf ~"),
            (&*format!("gh:a:r:1:{long}"), "id"),
            ("gh:a:r:1", &*long),
        ] {
            let key_text: String = serde_json::from_str(&format!("\"{key}\"")).unwrap();
            check(&format!(r#"{{"{key}":"{id}"}}"#), &[], &[&*key_text]);
        }
        let rewrite = Rewrite { forge: "gh", renames: &[], now: 0 };
        for text in ["", "7", "null", "\"id\"", "{"] {
            assert!(parse(text, &rewrite).is_err(), "{text}");
        }
    }
}
