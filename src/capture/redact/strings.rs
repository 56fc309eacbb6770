//! Finds secrets in a JSON text: in its strings, in its keys, and in values whose key names a secret.

use std::borrow::Cow;
use std::ops::Range;

use super::super::json;
use super::assignment::Member;
use super::{Finding, find, keywords, name, shapes};
use crate::config::Redact;

/// A JSON text with the positions of its values.
pub struct JsonText<'a> {
    raw: &'a str,
    own: &'a Redact,
    values: Vec<Value>,
}

/// A string, a key or a number of a JSON text.
#[derive(Clone, Debug)]
struct Value {
    /// A string without its quotes, still escaped.
    range: Range<usize>,
    kind: ValueKind,
    /// The key before the value, still escaped. Elements of an array have the key of the array.
    key: Option<Range<usize>>,
    /// The string of a sibling `name`, if this is the sibling `value`: `{"name": …, "value": …}`.
    named: Option<Range<usize>>,
    /// The array, if the value is a string in one.
    array: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ValueKind {
    Key,
    Text,
    Number,
}

struct Container {
    array: Option<usize>,
    /// The key of the container.
    key: Option<Range<usize>>,
    /// The key before the next value.
    last_key: Option<Range<usize>>,
    /// The string value of the member `name` or `key`.
    name: Option<Range<usize>>,
}

impl<'a> JsonText<'a> {
    pub fn new(raw: &'a str, own: &'a Redact) -> JsonText<'a> {
        JsonText { raw, own, values: values(raw) }
    }

    /// Returns the parts to replace, in order.
    pub fn secrets(&self) -> Vec<(Range<usize>, String)> {
        let mut parts = Vec::new();
        let mut at = 0;
        while at < self.values.len() {
            let value = &self.values[at];
            let mut next = at + 1;
            // The strings of an array are the lines of one text.
            if let Some(array) = value.array {
                while self.values.get(next).is_some_and(|v| v.array == Some(array)) {
                    next += 1;
                }
            }
            self.secrets_in(&self.values[at..next], &mut parts);
            at = next;
        }
        parts
    }

    fn secrets_in(&self, values: &[Value], parts: &mut Vec<(Range<usize>, String)>) {
        let may_have = |value: &Value| match value.kind {
            ValueKind::Number => false,
            // The user's rules have no keywords.
            _ => !self.own.rules.is_empty() || may_have_secret(&self.raw[value.range.clone()]),
        };
        if values.len() > 1 && values.iter().any(may_have) {
            let texts: Vec<_> = values.iter().map(|v| self.decoded(&v.range)).collect();
            let mut found = find(&texts.join("\n"), self.own).into_iter().peekable();
            let mut start = 0;
            for (value, text) in values.iter().zip(&texts) {
                let end = start + text.len();
                let mut inside: Vec<(Range<usize>, String)> = Vec::new();
                while let Some(next) = found.peek().filter(|f| f.range.start <= end) {
                    let range =
                        next.range.start.max(start) - start..next.range.end.min(end) - start;
                    let marker =
                        if next.range.start >= start { next.marker() } else { String::new() };
                    let ends_here = next.range.end <= end;
                    inside.push((range, marker));
                    if !ends_here {
                        break;
                    }
                    found.next();
                }
                if !inside.is_empty() {
                    parts.push((value.range.clone(), json::escape(&json::replace(text, &inside))));
                } else if let Some(part) = self.named_secret(value) {
                    parts.push(part);
                }
                start = end + 1;
            }
            return;
        }
        for value in values {
            let found = if may_have(value) {
                find(&self.decoded(&value.range), self.own)
            } else {
                Vec::new()
            };
            if !found.is_empty() {
                let text = self.decoded(&value.range);
                let inside: Vec<_> =
                    found.iter().map(|f: &Finding| (f.range.clone(), f.marker())).collect();
                parts.push((value.range.clone(), json::escape(&json::replace(&text, &inside))));
            } else if let Some(part) = self.named_secret(value) {
                parts.push(part);
            }
        }
    }

    /// Returns the replacement of a value whose key names a secret.
    fn named_secret(&self, value: &Value) -> Option<(Range<usize>, String)> {
        if value.kind == ValueKind::Key {
            return None;
        }
        let is_name = |range: &&Range<usize>| may_have_secret(&self.raw[(*range).clone()]);
        let key = value.named.as_ref().filter(is_name).or(value.key.as_ref().filter(is_name))?;
        let key = self.decoded(key);
        let name = name::classify(&key)?;
        let text = self.decoded(&value.range);
        let secret = Member { key: &key, value: &text }.secret(name)?;
        let marker = format!("[redacted:{}]", name.kind);
        Some(match value.kind {
            ValueKind::Number => (value.range.clone(), format!("\"{marker}\"")),
            _ => (value.range.clone(), json::escape(&json::replace(&text, &[(secret, marker)]))),
        })
    }

    fn decoded(&self, range: &Range<usize>) -> Cow<'a, str> {
        let inner = &self.raw[range.clone()];
        if inner.contains('\\') { json::unescape(inner).into() } else { inner.into() }
    }
}

/// A string value of a JSON text.
pub struct JsonString {
    /// The part between the quotes, still escaped.
    pub range: Range<usize>,
    /// The key before it, still escaped.
    pub key: Option<Range<usize>>,
}

/// Returns the string values of a valid JSON text in order.
pub fn json_strings(raw: &str) -> impl Iterator<Item = JsonString> {
    let texts = values(raw).into_iter().filter(|value| value.kind == ValueKind::Text);
    texts.map(|value| JsonString { range: value.range, key: value.key })
}

/// Whether a text may have a secret: it has a keyword, or an escape that may hide one.
fn may_have_secret(inner: &str) -> bool {
    let mut has_keyword = false;
    keywords::scan(inner.as_bytes(), |_, _| {
        has_keyword = true;
        true
    });
    if !has_keyword {
        shapes::scan(inner, |_, _| has_keyword = true);
    }
    has_keyword || inner.contains("\\u")
}

/// Returns the strings, keys and numbers of a valid JSON text in order.
fn values(raw: &str) -> Vec<Value> {
    let bytes = raw.as_bytes();
    let mut found = Vec::new();
    let mut open: Vec<Container> = Vec::new();
    let mut n_arrays = 0;
    let (mut is_key, mut at) = (false, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = json::string_end(bytes, at + 1);
                let range = at + 1..end;
                at = end;
                if is_key {
                    if let Some(object) = open.last_mut() {
                        object.last_key = Some(range.clone());
                    }
                    found.push(Value {
                        range,
                        kind: ValueKind::Key,
                        key: None,
                        named: None,
                        array: None,
                    });
                } else {
                    found.push(value(raw, range, ValueKind::Text, open.last_mut()));
                }
            }
            first @ (b'{' | b'[') => {
                let key = open.last_mut().and_then(|c| match c.array {
                    None => c.last_key.take(),
                    Some(_) => c.key.clone(),
                });
                let array = (first == b'[').then(|| {
                    n_arrays += 1;
                    n_arrays
                });
                is_key = first == b'{';
                open.push(Container { array, key, last_key: None, name: None });
            }
            b'}' | b']' => {
                open.pop();
                is_key = false;
            }
            b',' => is_key = open.last().is_some_and(|c| c.array.is_none()),
            b':' => is_key = false,
            b'-' | b'0'..=b'9' => {
                let len = bytes[at..]
                    .iter()
                    .take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
                    .count();
                let range = at..at + len;
                at += len - 1;
                found.push(value(raw, range, ValueKind::Number, open.last_mut()));
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn value(raw: &str, range: Range<usize>, kind: ValueKind, parent: Option<&mut Container>) -> Value {
    let mut value = Value { range, kind, key: None, named: None, array: None };
    let Some(parent) = parent else { return value };
    match parent.array {
        Some(_) => {
            value.key = parent.key.clone();
            value.array = parent.array.filter(|_| kind == ValueKind::Text);
        }
        None => {
            value.key = parent.last_key.take();
            let key = value.key.as_ref().map_or("", |key| &raw[key.clone()]);
            if ["name", "key", "header", "variable"]
                .iter()
                .any(|name| key.eq_ignore_ascii_case(name))
            {
                parent.name = Some(value.range.clone());
            } else if ["value", "default", "current"]
                .iter()
                .any(|name| key.eq_ignore_ascii_case(name))
            {
                value.named = parent.name.clone();
            }
        }
    }
    value
}
