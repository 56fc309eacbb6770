//! A tool's input or response, read leniently.
//!
//! Hooks truncate long texts in the middle: a string may end early or contain a marker, and the payload
//! may not parse as JSON. An unreadable field is `None`, never an error.

use std::borrow::Cow;

use serde_json::Value;

use crate::clients::salvage;

/// An input or a response.
pub enum Payload<'a> {
    Json(Value),
    /// Not JSON: an error text, a line from a script, or truncated JSON.
    Text(&'a str),
    Absent,
}

impl<'a> Payload<'a> {
    pub fn read(text: Option<&'a str>) -> Payload<'a> {
        let Some(text) = text.map(str::trim).filter(|t| !t.is_empty()) else {
            return Payload::Absent;
        };
        match serde_json::from_str(text) {
            Ok(Value::Null) => Payload::Absent,
            Ok(value) => Payload::Json(value),
            Err(_) => Payload::Text(text),
        }
    }

    /// The string under the first of `keys` that has one, at the top level or one level below.
    pub fn string(&self, keys: &[&str]) -> Option<String> {
        match self {
            Payload::Json(value) => keys.iter().find_map(|key| find_string(value, key)),
            Payload::Text(text) => keys.iter().find_map(|key| salvage(text, key)),
            Payload::Absent => None,
        }
    }

    /// The value of `key` at the top level, if the payload is JSON.
    pub fn value(&self, key: &str) -> Option<&Value> {
        match self {
            Payload::Json(value) => value.get(key),
            _ => None,
        }
    }

    /// The JSON object. Some clients send it as a string.
    pub fn object(&self) -> Option<Cow<'_, Value>> {
        match self {
            Payload::Json(value @ Value::Object(_)) => Some(Cow::Borrowed(value)),
            Payload::Json(Value::String(text)) => {
                let inner: Value = serde_json::from_str(text).ok()?;
                inner.is_object().then_some(Cow::Owned(inner))
            }
            _ => None,
        }
    }

    /// The readable text: output streams, content blocks, or a plain string.
    pub fn text(&self) -> String {
        match self {
            Payload::Json(value) => readable(value),
            Payload::Text(text) => {
                let streams: Vec<String> =
                    ["stdout", "stderr"].iter().filter_map(|key| salvage(text, key)).collect();
                if streams.is_empty() { (*text).to_owned() } else { streams.join("\n") }
            }
            Payload::Absent => String::new(),
        }
    }
}

fn find_string(value: &Value, key: &str) -> Option<String> {
    if let Some(Value::String(found)) = value.get(key) {
        return Some(found.clone());
    }
    let Value::Object(map) = value else { return None };
    map.values().find_map(|inner| match inner.get(key) {
        Some(Value::String(found)) => Some(found.clone()),
        _ => None,
    })
}

fn readable(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => join(items.iter().map(readable)),
        Value::Object(map) => {
            const TEXTS: [&str; 11] = [
                "stdout",
                "stderr",
                "text",
                "content",
                "result",
                "output",
                "llmContent",
                "textResultForLlm",
                "error",
                "message",
                "file",
            ];
            join(TEXTS.iter().filter_map(|key| map.get(*key)).map(readable))
        }
        _ => String::new(),
    }
}

fn join(texts: impl Iterator<Item = String>) -> String {
    texts.filter(|t| !t.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, keys: &[&str], string: Option<&str>, readable: &str) {
        let payload = Payload::read(Some(text));
        assert_eq!(payload.string(keys).as_deref(), string, "{text}");
        assert_eq!(payload.text(), readable, "{text}");
    }

    #[test]
    fn json_truncated_json_and_text_are_read() {
        check(r#"{"stdout":"hi","stderr":"","interrupted":false}"#, &["stdout"], Some("hi"), "hi");
        check(r#"{"file":{"filePath":"/a/b.rs"}}"#, &["filePath"], Some("/a/b.rs"), "");
        check(r#"[{"type":"text","text":"echo: hello"}]"#, &["x"], None, "echo: hello");
        check(r#""a plain string""#, &["x"], None, "a plain string");
        check(r#"{"llmContent":"out","returnDisplay":"x"}"#, &["x"], None, "out");
        check("File does not exist.", &["file_path"], None, "File does not exist.");
        let cut = r#"{"command":"echo \"a\"\nb","stdout":"one\ntwo…[9 byte"#;
        check(cut, &["command"], Some("echo \"a\"\nb"), "one\ntwo…[9 byte");
        check(r#"{"a":"\u00e9\ud83d"#, &["a"], Some("é\u{fffd}"), r#"{"a":"\u00e9\ud83d"#);
    }
}
