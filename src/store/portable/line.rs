//! A line of an export: as it is read, and as it is written.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// A line of an export. Values keep their text, so that a later export has the same bytes.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub struct Line(pub(super) BTreeMap<String, Box<RawValue>>);

impl Line {
    /// # Errors
    /// If the text is no JSON object.
    pub fn parse(text: &str) -> serde_json::Result<Line> {
        serde_json::from_str(text)
    }

    pub fn value(&self, key: &str) -> Value {
        let raw = self.0.get(key).map(|raw| raw.get());
        raw.and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default()
    }

    /// A text. Empty if the value is missing, or no text.
    pub fn text(&self, key: &str) -> String {
        self.optional(key).unwrap_or_default()
    }

    pub(super) fn optional(&self, key: &str) -> Option<String> {
        self.value(key).as_str().map(str::to_owned)
    }

    /// Replaces a value.
    pub fn set(&mut self, key: &str, value: &Value) {
        let raw = serde_json::value::to_raw_value(value).expect("a value serializes to JSON");
        self.0.insert(key.to_owned(), raw);
    }
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Inserted {
    New,
    /// The store has it, or another row in its place.
    Known,
    /// It was forgotten or rejected here, or belongs to a session that was forgotten.
    Forgotten,
    /// Its type is unknown, or its session is missing.
    Unknown,
}

/// A JSON object whose keys keep their order.
pub(super) struct Object(String);

impl Object {
    /// The object with these members, which are an object, too.
    pub(super) fn of_kind(kind: &str, members: &str) -> String {
        format!("{{\"type\":\"{kind}\",{}", members.trim_start_matches('{'))
    }

    pub(super) fn new(kind: &str) -> Object {
        Object(format!("{{\"type\":\"{kind}\""))
    }

    pub(super) fn put(&mut self, key: &str, json: &str) {
        self.0.push_str(&format!(",\"{key}\":{json}"));
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
