//! Every setting there is: name, default, unit, meaning, in one table.

use std::time::Duration;

/// One setting.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub default: &'static str,
    pub unit: Unit,
    pub doc: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `500ms`, `30s`, `2h`, `90d`.
    Time,
    /// `64KiB`, `20MiB`, or a number of bytes.
    Bytes,
    Count,
    /// Words, separated by commas in the environment. From the file alone when `Private`.
    Words,
    /// Decides where text goes or what is kept: from the file alone.
    Private,
}

use Unit::{Bytes, Count, Private, Time, Words};

const fn key(name: &'static str, default: &'static str, unit: Unit, doc: &'static str) -> Key {
    Key { name, default, unit, doc }
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
    key("agent.backend", "extractive", Private, "who distils"),
    key("agent.turn_timeout", "120s", Time, "how long distilling one batch may take"),
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
    key("log.max", "20MiB", Bytes, "most bytes of logs in all"),
    key("exclude", "", Private, "projects that are not recorded: globs on path or name"),
];

/// Whether a value can be used.
///
/// # Errors
/// A sentence that names the setting and says what to write.
pub fn check(key: &Key, text: &str) -> Result<(), String> {
    let complain = |want: &str| format!("{} = {text:?} is not used: {want}", key.name);
    match key.unit {
        Time => parse_duration(text).map(drop).ok_or_else(|| complain("write 500ms, 30s or 2h")),
        Bytes => parse_bytes(text).map(drop).ok_or_else(|| complain("write 64KiB or 20MiB")),
        Count => text.parse::<usize>().map(drop).map_err(|_| complain("write a whole number")),
        Words => Ok(()),
        Private if key.name == "agent.backend" && text != "extractive" => {
            Err(complain("this version knows 'extractive'"))
        }
        Private if key.name == "exclude" => text
            .split(',')
            .try_for_each(|w| glob::Pattern::new(w.trim()).map(drop))
            .map_err(|e| complain(&e.to_string())),
        Private => Ok(()),
    }
}

/// `500ms`, `30s`, `5min`, `2h`, `90d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let n: u64 = text[..digits].parse().ok()?;
    let ms = match text[digits..].trim() {
        "ms" => 1,
        "s" => 1000,
        "min" | "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(n.checked_mul(ms)?))
}

/// `64KiB`, `20MiB`, `10000`.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let n: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "" | "B" => 1,
        "KiB" | "K" | "k" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => return None,
    };
    n.checked_mul(unit)
}

/// What to say of a setting that is not in the table.
pub fn unknown_key(name: &str) -> String {
    let nearest = KEYS.iter().min_by_key(|k| distance(k.name, name)).expect("there are keys");
    if distance(nearest.name, name) <= name.len().div_ceil(2) {
        format!("unknown setting '{name}', did you mean '{}'?", nearest.name)
    } else {
        format!("unknown setting '{name}'")
    }
}

/// Edits between two short names.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let here = if x == y { before } else { 1 + before.min(row[j]).min(row[j + 1]) };
            before = std::mem::replace(&mut row[j + 1], here);
        }
    }
    row[b.len()]
}
