//! Recognizes a secret that comes back without the name or the form that revealed it. The values that
//! redaction replaced count until the session ends.
//!
//! A value is compared as a whole, without case, and without the escapes of JSON, URLs, HTML and shells. It
//! counts if ordinary text does not contain it: eight characters with a digit, or with a form that words do
//! not have. Paths and placeholders do not count.
//!
//! On disk a value is a salted hash, with its length and a check of 16 bits.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::json::{self, Kind};
use super::redact::value;

/// Shorter values are not recognized, longer ones neither.
const MIN_CHARS: usize = 8;
const MAX_CHARS: usize = 4096;

/// At most this many values of a session are known.
const MAX_VALUES: usize = 1024;

/// The factor of the rolling hash.
const FACTOR: u32 = 0x0100_0193;

/// The secrets of a session.
#[derive(Debug, Default)]
pub struct KnownSecrets {
    values: RefCell<Vec<Value>>,
    /// How many of them are from earlier events.
    n_earlier: Cell<usize>,
}

/// A value without its text.
#[derive(Debug)]
struct Value {
    salt: String,
    n_chars: usize,
    check: u16,
    hash: u64,
    kind: String,
}

impl KnownSecrets {
    /// Adds a secret that was found.
    pub fn add(&self, text: &str, kind: &str) {
        let chars = Chars::of(text);
        let is_full = self.values.borrow().len() >= MAX_VALUES;
        if is_full || !is_distinct(text, chars.0.len()) || !self.find(text).is_empty() {
            return;
        }
        let salt = uuid::Uuid::now_v7().simple().to_string();
        let hash = hash(&salt, &chars.key(&(0..chars.0.len())));
        let check = chars.0.iter().fold(0, |sum, (c, _)| next(sum, *c));
        self.values.borrow_mut().push(Value {
            salt,
            n_chars: chars.0.len(),
            check: fold(check),
            hash,
            kind: kind.to_owned(),
        });
    }

    /// How many secrets are known.
    pub fn len(&self) -> usize {
        self.values.borrow().len()
    }

    /// Returns `text` with the known secrets replaced. `None` if it has none.
    pub fn redact(&self, text: &str) -> Option<String> {
        let found = self.find(text);
        (!found.is_empty()).then(|| json::replace(text, &found))
    }

    /// Replaces the known secrets in the keys, strings and numbers of a JSON text. Returns `None` if it
    /// has none.
    pub fn redact_json(&self, raw: &str) -> Option<String> {
        if self.len() == 0 {
            return None;
        }
        let mut parts = Vec::new();
        json::scan(raw, |value| {
            if let Some(new) = self.redact(&json::decode(raw, &value.range)) {
                let new = json::escape(&new);
                let new = if value.kind == Kind::Number { format!("\"{new}\"") } else { new };
                parts.push((value.range, new));
            }
        });
        (!parts.is_empty()).then(|| json::replace(raw, &parts))
    }

    /// Returns the secrets that were added, as one line of text.
    pub fn added(&self) -> Option<String> {
        let values = self.values.borrow();
        let new = values.iter().skip(self.n_earlier.get());
        let new: Vec<String> = new.map(Value::written).collect();
        (!new.is_empty()).then(|| new.join(" "))
    }

    /// Reads what [`KnownSecrets::added`] returned. Ignores damaged parts.
    pub fn read(&mut self, text: &str) {
        let values = self.values.get_mut();
        values.extend(text.split(' ').filter_map(Value::parse));
        values.truncate(MAX_VALUES);
        self.n_earlier.set(values.len());
    }

    /// Where known secrets are, and what replaces them.
    fn find(&self, text: &str) -> Vec<(Range<usize>, String)> {
        let values = self.values.borrow();
        if values.is_empty() {
            return Vec::new();
        }
        let chars = Chars::of(text);
        let lens: BTreeSet<usize> = values.iter().map(|value| value.n_chars).collect();
        let mut found: Vec<(Range<usize>, String)> = Vec::new();
        for len in lens {
            let of_len: Vec<&Value> = values.iter().filter(|v| v.n_chars == len).collect();
            chars.windows(len, |window, check| {
                let mut same = of_len.iter().filter(|value| value.check == check);
                if let Some(value) = same.find(|v| v.hash == hash(&v.salt, &chars.key(&window))) {
                    found.push((chars.range(&window), format!("[redacted:{}]", value.kind)));
                }
            });
        }
        found.sort_by_key(|(range, _)| (range.start, usize::MAX - range.end));
        let mut parts: Vec<(Range<usize>, String)> = Vec::new();
        for (range, marker) in found {
            match parts.last_mut().filter(|(last, _)| range.start < last.end) {
                Some((last, _)) => last.end = last.end.max(range.end),
                None => parts.push((range, marker)),
            }
        }
        parts
    }
}

impl Value {
    fn written(&self) -> String {
        let Value { salt, n_chars, check, hash, kind } = self;
        format!("{kind}:{n_chars}:{check:04x}:{hash:016x}:{salt}")
    }

    fn parse(text: &str) -> Option<Value> {
        let parts: Vec<&str> = text.split(':').collect();
        let [kind, n_chars, check, hash, salt] = parts[..] else { return None };
        Some(Value {
            salt: salt.to_owned(),
            n_chars: n_chars.parse().ok().filter(|n| (MIN_CHARS..=MAX_CHARS).contains(n))?,
            check: u16::from_str_radix(check, 16).ok()?,
            hash: u64::from_str_radix(hash, 16).ok()?,
            kind: kind.to_owned(),
        })
    }
}

/// Whether ordinary text hardly contains a value.
fn is_distinct(text: &str, n_chars: usize) -> bool {
    if !(MIN_CHARS..=MAX_CHARS).contains(&n_chars)
        || value::is_placeholder(text)
        || value::is_reference(text)
        || value::is_file_path(text)
        || value::is_number(text)
    {
        return false;
    }
    let has = |is_kind: fn(&char) -> bool| text.chars().any(|c| is_kind(&c));
    let is_digits = text.bytes().all(|b| b.is_ascii_digit());
    if is_digits {
        // `20261201` is a date.
        return n_chars > MIN_CHARS || !text.starts_with(['1', '2']);
    }
    let has_cases = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase);
    let has_sign = has(|c| !c.is_alphanumeric() && !c.is_whitespace());
    has(char::is_ascii_digit) || has_cases && has_sign || value::is_random(text)
}

/// The characters of a text without escapes, in lower case, with their positions.
struct Chars(Vec<(char, Range<usize>)>);

impl Chars {
    fn of(text: &str) -> Chars {
        let mut chars = Vec::with_capacity(text.len());
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            let (c, len) = match first {
                '\\' | '%' | '&' => escaped(&text[at..]),
                _ => (Some(first), first.len_utf8()),
            };
            chars.extend(c.map(|c| (c.to_ascii_lowercase(), at..at + len)));
            at += len;
        }
        Chars(chars)
    }

    fn key(&self, window: &Range<usize>) -> String {
        self.0[window.clone()].iter().map(|(c, _)| c).collect()
    }

    fn range(&self, window: &Range<usize>) -> Range<usize> {
        self.0[window.start].1.start..self.0[window.end - 1].1.end
    }

    /// Calls `visit` with each run of `len` characters and its check.
    fn windows(&self, len: usize, mut visit: impl FnMut(Range<usize>, u16)) {
        let highest = (0..len).fold(1, |power: u32, _| power.wrapping_mul(FACTOR));
        let mut sum = 0;
        for (at, (c, _)) in self.0.iter().enumerate() {
            sum = next(sum, *c);
            if at >= len {
                let left = u32::from(self.0[at - len].0).wrapping_mul(highest);
                sum = sum.wrapping_sub(left);
            }
            if at + 1 >= len {
                visit(at + 1 - len..at + 1, fold(sum));
            }
        }
    }
}

/// The character that an escape at the start of `rest` stands for, and the length of the escape. The
/// backslash of other escapes is no character.
fn escaped(rest: &str) -> (Option<char>, usize) {
    const ENTITIES: [(&str, char); 5] =
        [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#39;", '\'')];
    let code = |range: Range<usize>| u32::from_str_radix(rest.get(range)?, 16).ok();
    let first = rest.chars().next();
    match first {
        Some('%') => match code(1..3).filter(|code| *code < 0x80).and_then(char::from_u32) {
            Some(c) => (Some(c), 3),
            None => (first, 1),
        },
        Some('&') => match ENTITIES.iter().find(|(name, _)| rest.starts_with(name)) {
            Some((name, c)) => (Some(*c), name.len()),
            None => (first, 1),
        },
        _ if rest[1..].starts_with('u') => match code(2..6).and_then(char::from_u32) {
            Some(c) => (Some(c), 6),
            None => (None, 1),
        },
        _ => (None, 1),
    }
}

fn next(sum: u32, c: char) -> u32 {
    sum.wrapping_mul(FACTOR).wrapping_add(u32::from(c))
}

fn fold(sum: u32) -> u16 {
    (sum >> 16 ^ sum) as u16
}

fn hash(salt: &str, key: &str) -> u64 {
    let digest = Sha256::new_with_prefix(salt).chain_update(key).finalize();
    u64::from_be_bytes(digest[..8].try_into().expect("8 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the result with a value in memory, and with its hash.
    #[track_caller]
    fn check(secret: &str, text: &str, expected: &str) {
        let known = KnownSecrets::default();
        known.add(secret, "password");
        let mut read = KnownSecrets::default();
        read.read(&known.added().unwrap_or_default());
        assert_eq!(read.added(), None);
        for known in [known, read] {
            assert_eq!(known.redact(text).as_deref().unwrap_or(text), expected, "{secret}");
        }
    }

    #[test]
    fn a_value_is_found_inside_of_longer_text() {
        let secret = "maple-Garden-41";
        check(
            secret,
            "the login etl / maple-Garden-41 works",
            "the login etl / [redacted:password] works",
        );
        check(secret, "mysql -pmaple-garden-41x", "mysql -p[redacted:password]x");
        check(secret, "maple garden 41, maple-Garden-4", "maple garden 41, maple-Garden-4");
        check("p@ss&wörd'9", "a/p%40ss&amp;w\\u00f6rd&#39;9?", "a/[redacted:password]?");
        check("p%40ss-w\\$rd", "é p@ss-w$rd é", "é [redacted:password] é");
    }

    #[test]
    fn values_that_ordinary_text_has_do_not_count() {
        for text in [
            "short9",
            "changeme",
            "my-example-9",
            "${DB_PASSWORD_2}",
            "/etc/app/key9",
            "Swordfish",
            "user-service",
            "20261201",
            "sha256:0123456789",
            "1979-05-27",
            "your-token-99",
        ] {
            check(text, text, text);
        }
        for text in
            ["Correct-Horse", "hunter2x9", "471108155", "q7Xw2Lk9!vB", "xkqzjvbwpfgmxrtqzkwp"]
        {
            check(text, text, "[redacted:password]");
        }
    }

    #[test]
    fn json_stays_valid() {
        let known = KnownSecrets::default();
        known.add("471108155", "password");
        let raw = r#"{"471108155":[471108155,"a\n471108155\t"],"n":4711}"#;
        let expected = r#"{"[redacted:password]":["[redacted:password]","a\n[redacted:password]\t"],"n":4711}"#;
        assert_eq!(known.redact_json(raw).as_deref(), Some(expected));
        assert_eq!(known.redact_json("{}"), None);
    }

    #[test]
    fn damaged_lines_are_ignored() {
        let mut known = KnownSecrets::default();
        known.read("a b:c password:0:0:0:s password:9:zz:0:s ::::");
        assert_eq!(known.len(), 0);
    }
}
