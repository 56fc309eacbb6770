//! The JSON dialect, for scripts and `nc -U`: one line per request and per reply.
//!
//! ```text
//! {"type":"observation","tool_name":"Bash","tool_input":{…},"tool_response":…}
//! {"type":"finalize"}   {"type":"status"}   {"type":"ping"}
//! ```
//!
//! An observation has the field names of Claude Code's payload. Session, client and id are optional.
//! Replies are `{"ok":true,…}` or `{"ok":false,"code":…,"message":…}`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Code;

/// A request in the JSON dialect.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// The whole line. `capture` parses it as a payload.
    Observation(String),
    Finalize,
    Status,
    Ping,
}

/// Parses one line.
///
/// # Errors
/// A message for the script's author.
pub fn parse(line: &str) -> Result<Request, String> {
    let value: Value = serde_json::from_str(line).map_err(|e| format!("not JSON: {e}"))?;
    match value.get("type").and_then(Value::as_str) {
        Some("observation") => Ok(Request::Observation(line.to_owned())),
        Some("finalize") => Ok(Request::Finalize),
        Some("status") => Ok(Request::Status),
        Some("ping") => Ok(Request::Ping),
        Some(other) => {
            Err(format!("unknown type '{other}'; use observation, finalize, status or ping"))
        }
        None => Err("expected an object with a \"type\"".into()),
    }
}

/// A worker's status. Keys are stable, and later versions may add some.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    pub client: String,
    /// The client's session id.
    pub session: String,
    pub pid: u32,
    pub version: String,
    /// `serving` or `ending`.
    pub state: String,
    /// `idle`, `distilling`, `finalising` or `lingering`.
    pub doing: String,
    /// Number of the newest prompt.
    pub prompt: i64,
    pub backend: String,
    pub started_at_epoch: i64,
    pub idle_ms: u64,
}

pub fn accepted(id: &str, duplicate: bool) -> String {
    json!({"ok": true, "id": id, "duplicate": duplicate}).to_string()
}

/// `closed` is the number of prompts that the request closed.
pub fn finalized(closed: u64) -> String {
    json!({"ok": true, "closed": closed}).to_string()
}

pub fn pong(version: &str, pid: u32) -> String {
    json!({"ok": true, "version": version, "pid": pid}).to_string()
}

pub fn status(status: &Status) -> String {
    let mut value = serde_json::to_value(status).expect("plain values");
    value["ok"] = true.into();
    value.to_string()
}

pub fn rejected(code: Code, message: &str) -> String {
    json!({"ok": false, "code": code.as_str(), "message": message}).to_string()
}
