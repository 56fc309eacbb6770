//! Finds secrets in a JSON text: in its strings, in its keys, and in values whose key names a secret.

use std::ops::Range;

use super::super::json::{self, Kind, Value};
use super::super::plain_view::{self, Reads};
use super::assignment::Member;
use super::{Finding, Tell, decision, find, keywords, name, shapes};
use crate::config::Redact;
use crate::text::bytes::contains;

/// Returns the parts of a valid JSON text to replace, in order.
pub fn secrets(raw: &str, own: &Redact, tell: Tell) -> Vec<(Range<usize>, String)> {
    let mut values = Vec::new();
    json::scan(raw, |value| values.push(value));
    let json = JsonText { raw, own, tell };
    let mut parts = Vec::new();
    // The strings of an array are the lines of one text.
    let is_line = |value: &Value| value.kind == Kind::String && value.array.is_some();
    for group in values.chunk_by(|a, b| is_line(a) && is_line(b) && a.array == b.array) {
        json.secrets_in(group, &mut parts);
    }
    parts
}

struct JsonText<'a> {
    raw: &'a str,
    own: &'a Redact,
    tell: Tell<'a>,
}

impl<'a> JsonText<'a> {
    fn secrets_in(&self, values: &[Value], parts: &mut Vec<(Range<usize>, String)>) {
        let may_have = |value: &Value| match value.kind {
            Kind::Number => false,
            // The user's rules have no keywords.
            _ => !self.own.rules.is_empty() || may_have_secret(&self.raw[value.range.clone()]),
        };
        if values.len() > 1 && values.iter().any(may_have) {
            let texts: Vec<_> = values.iter().map(|v| json::decode(self.raw, &v.range)).collect();
            let text = texts.join("\n");
            let found = find(&text, self.own);
            found.iter().for_each(|finding| finding.tell(&text, self.tell));
            let mut found = found.into_iter().peekable();
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
                find(&json::decode(self.raw, &value.range), self.own)
            } else {
                Vec::new()
            };
            if !found.is_empty() {
                let text = json::decode(self.raw, &value.range);
                found.iter().for_each(|finding| finding.tell(&text, self.tell));
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
        if value.kind == Kind::Key {
            return None;
        }
        let is_name = |range: &&Range<usize>| may_have_secret(&self.raw[(*range).clone()]);
        let key = value.named.as_ref().filter(is_name).or(value.key.as_ref().filter(is_name))?;
        let key = json::decode(self.raw, key);
        let name = name::classify(&key)?;
        let text = json::decode(self.raw, &value.range);
        let secret = decision::secret_of_member(name, &Member { key: &key, value: &text })?;
        (self.tell)(&text[secret.clone()], name.kind);
        let marker = format!("[redacted:{}]", name.kind);
        Some(match value.kind {
            Kind::Number => (value.range.clone(), format!("\"{marker}\"")),
            _ => (value.range.clone(), json::escape(&json::replace(&text, &[(secret, marker)]))),
        })
    }
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
    has_keyword || contains(inner.as_bytes(), b"\\u") || plain_view::may_differ(inner, Reads::Words)
}
