//! Texts that the user has forgotten without the memories that contained them. Only a salted hash of
//! each is kept, as a tombstone. Whatever is stored later has [`MARK`] in their place.

use data_encoding::HEXLOWER;
use memctl_proto::Event;
use rusqlite::Connection;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::Result;
use super::rejected;
use crate::text::{Located, MAX_ESCAPED};

/// What stands in place of a forgotten text.
pub const MARK: &str = "[forgotten]";

/// A shorter text occurs in words that have nothing to do with it.
pub const MIN_CHARS: usize = 4;

/// Prefix of the tombstones of texts. It is followed by the length, the hint, the salt and the hash.
const PREFIX: &str = "text:";

/// The multiplier of [`rolling`].
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of a forgotten text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Forgotten {
    /// Length in bytes of the folded text.
    len: usize,
    /// 16 bits of a fast hash. They decide which parts of a text are hashed with the salt.
    hint: u16,
    salt: String,
    hash: String,
}

/// Forgotten texts.
#[derive(Clone, Debug, Default)]
pub struct ForgottenTexts(Vec<Forgotten>);

impl ForgottenTexts {
    /// All that were forgotten.
    pub fn load(conn: &Connection) -> Result<ForgottenTexts> {
        let mut names = conn.prepare_cached(
            "SELECT uuid FROM tombstones WHERE uuid >= 'text:' AND uuid < 'text;'",
        )?;
        let names = names.query_map([], |r| r.get(0))?;
        Ok(ForgottenTexts::named(&names.collect::<rusqlite::Result<Vec<String>>>()?))
    }

    /// Those with these tombstones. Other tombstones are left out.
    pub fn named(tombstones: &[String]) -> ForgottenTexts {
        ForgottenTexts(tombstones.iter().filter_map(|name| Forgotten::read(name)).collect())
    }

    /// One text, which need not be forgotten yet.
    pub fn of(conn: &Connection, text: &str) -> Result<ForgottenTexts> {
        Ok(ForgottenTexts(vec![Forgotten::new(rejected::salt(conn)?, text)]))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ids of their tombstones.
    pub fn tombstones(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|Forgotten { len, hint, salt, hash }| {
            format!("{PREFIX}{len}:{hint:04x}:{salt}:{hash}")
        })
    }

    /// The text with [`MARK`] in their place. `None` if it contains none of them.
    pub fn replace(&self, text: &str) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        // In JSON, only strings are replaced, so that it stays JSON.
        if text.starts_with(['{', '['])
            && let Ok(mut value) = serde_json::from_str::<Value>(text)
        {
            return self.replace_in_json(&mut value).then(|| value.to_string());
        }
        let mut replaced: Option<String> = None;
        for level in 0..=MAX_ESCAPED {
            let current = replaced.as_deref().unwrap_or(text);
            let Some(located) = unescaped(current, level) else { break };
            if let Some(without) = self.replace_at(current, &located.folded()) {
                replaced = Some(without);
            }
        }
        replaced
    }

    /// Replaces them in the strings of a JSON value, but not in names of keys. Returns whether it did.
    pub fn replace_in_json(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.replace(text) {
                Some(replaced) => {
                    *text = replaced;
                    true
                }
                None => false,
            },
            Value::Array(values) => {
                values.iter_mut().fold(false, |any, value| self.replace_in_json(value) | any)
            }
            Value::Object(values) => {
                values.values_mut().fold(false, |any, value| self.replace_in_json(value) | any)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// The event without them. `None` if it contains none of them.
    pub fn clean_event(&self, event: &Event) -> Option<Event> {
        if self.is_empty() {
            return None;
        }
        let mut event = event.clone();
        let mut is_changed = false;
        let mut clean = |text: &mut String| {
            if let Some(replaced) = self.replace(text) {
                *text = replaced;
                is_changed = true;
            }
        };
        event.text.as_mut().map(&mut clean);
        if let Some(tool) = &mut event.tool {
            clean(&mut tool.name);
            tool.input.as_mut().map(&mut clean);
            tool.response.as_mut().map(&mut clean);
            tool.files.iter_mut().for_each(|file| clean(&mut file.path));
        }
        is_changed.then_some(event)
    }

    /// Replaces what is found in another form of the text.
    fn replace_at(&self, text: &str, folded: &Located) -> Option<String> {
        let mut ranges: Vec<_> = self.0.iter().flat_map(|one| one.find(&folded.text)).collect();
        ranges.sort_by_key(|range| range.start);
        let (mut out, mut end) = (String::new(), 0);
        for range in &ranges {
            let place = folded.original(range.clone());
            if place.start < end || place.is_empty() {
                continue;
            }
            out.push_str(&text[end..place.start]);
            out.push_str(MARK);
            end = place.end;
        }
        (!ranges.is_empty()).then(|| out + &text[end..])
    }
}

fn unescaped(text: &str, level: usize) -> Option<Located> {
    (0..level).try_fold(Located::new(text), |located, _| located.unescaped())
}

impl Forgotten {
    fn new(salt: String, text: &str) -> Forgotten {
        let folded = Located::new(text).folded().text;
        let hint = hint(rolling(folded.as_bytes()));
        Forgotten { len: folded.len(), hint, hash: salted(&salt, &folded), salt }
    }

    fn read(tombstone: &str) -> Option<Forgotten> {
        let mut parts = tombstone.strip_prefix(PREFIX)?.split(':');
        let (len, hint) = (parts.next()?.parse().ok()?, parts.next()?);
        let hint = u16::from_str_radix(hint, 16).ok()?;
        let (salt, hash) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        (len > 0).then_some(Forgotten { len, hint, salt, hash })
    }

    /// The parts of a folded text that are the forgotten one.
    fn find(&self, text: &str) -> Vec<std::ops::Range<usize>> {
        let (bytes, len) = (text.as_bytes(), self.len);
        let mut found: Vec<std::ops::Range<usize>> = Vec::new();
        if bytes.len() < len {
            return found;
        }
        let highest = (1..len).fold(1u64, |power, _| power.wrapping_mul(BASE));
        let mut window = rolling(&bytes[..len]);
        for end in len..=bytes.len() {
            let start = end - len;
            let follows = found.last().is_none_or(|last| last.end <= start);
            if follows
                && hint(window) == self.hint
                && text.get(start..end).is_some_and(|part| salted(&self.salt, part) == self.hash)
            {
                found.push(start..end);
            }
            if let Some(next) = bytes.get(end) {
                let without_first =
                    window.wrapping_sub(u64::from(bytes[start]).wrapping_mul(highest));
                window = without_first.wrapping_mul(BASE).wrapping_add(u64::from(*next));
            }
        }
        found
    }
}

/// A hash that the next byte changes in constant time.
fn rolling(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |hash: u64, byte| hash.wrapping_mul(BASE).wrapping_add(u64::from(*byte)))
}

fn hint(hash: u64) -> u16 {
    ((hash ^ hash >> 29).wrapping_mul(BASE) >> 48) as u16
}

fn salted(salt: &str, folded: &str) -> String {
    let hash = Sha256::new().chain_update(salt).chain_update(folded).finalize();
    HEXLOWER.encode(&hash[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forgotten(text: &str) -> ForgottenTexts {
        let texts = ForgottenTexts(vec![Forgotten::new("5a17".into(), text)]);
        let names: Vec<String> = texts.tombstones().collect();
        assert!(!names[0].contains(text));
        ForgottenTexts::named(&names)
    }

    #[test]
    fn a_text_is_replaced_in_every_form() {
        for (text, stored, expected) in [
            ("hunter-42", "a hunter-42 b HUNTER-42.", "a [forgotten] b [forgotten]."),
            ("hunter-42", "hunter-4 2", ""),
            ("école 7", "L'E\u{301}COLE 7!", "L'[forgotten]!"),
            ("straße", "die STRASSE hier", "die [forgotten] hier"),
            ("a\"b\"c", r#"cut {"x": "1 a\"b\"c"#, r#"cut {"x": "1 [forgotten]"#),
            ("a\"b\"c", r#"{"x":"{\"y\":\"a\\\"b\\\"c\"}"}"#, r#"{"x":"{\"y\":\"[forgotten]\"}"}"#),
            (r#"a","b"#, r#"["a","b"]"#, ""),
            ("aaaa", "aaaaaaaaa", "[forgotten][forgotten]a"),
        ] {
            let replaced = forgotten(text).replace(stored).unwrap_or_default();
            assert_eq!(replaced, expected, "{text} in {stored}");
        }
    }
}
