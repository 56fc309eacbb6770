//! Copies JSON of any size into a bounded buffer while it arrives in chunks.
//!
//! Long strings keep their head and tail, and arrays and objects keep their first items. Valid JSON
//! stays valid. Each string is decoded, cut and encoded again, so a cut never splits an escape. This
//! also repairs strings that a parser rejects: invalid UTF-8, NUL and unpaired surrogates become
//! U+FFFD, control characters get their escape, and unknown escapes become plain text.
//!
//! The writer does not check the grammar. The parser that reads the result does.

use super::json;
use super::tags::PrivateTagDetector;
use crate::text::cut_marker;

/// Each end of a string gets this fraction of the remaining room. Encoding turns one byte into at most
/// six, so both ends together take at most three quarters of the room.
const ROOM_PER_END: usize = 16;
/// Strings keep this much at each end even if no room is left.
const MIN_END: usize = 256;
/// Longer numbers and literals are cut, which makes them invalid or keeps their leading digits.
const MAX_SCALAR: usize = 64;
/// A parser rejects deeper nesting.
const MAX_LEVELS: usize = 128;
/// Maximum number of bytes decoded at once. Limits the memory of a string beyond its two ends.
const MAX_RUN: usize = 64 << 10;

const REPLACEMENT: &str = "\u{fffd}";

/// Cuts JSON to about `budget` bytes.
pub fn truncate(json: &str, budget: usize) -> String {
    let mut writer = TruncatingWriter::new(budget);
    writer.write(json.as_bytes());
    writer.finish()
}

/// Repairs strings that a parser rejects.
pub fn repair(json: &str) -> String {
    truncate(json, usize::MAX)
}

/// Whether a JSON value is the note that replaced a long string with a private tag.
pub fn is_private_note(json: &str) -> bool {
    json.starts_with("\"</private>[private, ")
}

pub struct TruncatingWriter {
    out: Vec<u8>,
    /// Open containers. The first level is not a container: its only item is the top-level value.
    levels: Vec<Level>,
    /// While an item is skipped: the number of levels where it began.
    skipped_at: Option<usize>,
    string: Option<StringCutter>,
    scalar_len: usize,
    /// Maximum size of `out`. Only malformed input, such as values without commas, reaches it.
    max_out: usize,
}

struct Level {
    is_object: bool,
    /// Whether the next value, or the next key of an object, begins an item.
    is_between_items: bool,
    /// Items begin only while `out` is shorter than this.
    limit: usize,
    n_kept: usize,
    n_skipped: usize,
    /// Whether a skipped item had a private tag.
    skipped_private: bool,
}

impl Level {
    fn new(is_object: bool, limit: usize) -> Level {
        Level {
            is_object,
            is_between_items: true,
            limit,
            n_kept: 0,
            n_skipped: 0,
            skipped_private: false,
        }
    }
}

impl TruncatingWriter {
    pub fn new(budget: usize) -> TruncatingWriter {
        // A container gets three quarters of this.
        let limit = (budget / 3).saturating_mul(4);
        TruncatingWriter {
            out: Vec::new(),
            levels: vec![Level::new(false, limit)],
            skipped_at: None,
            string: None,
            scalar_len: 0,
            max_out: budget.saturating_mul(4).max(4 << 20),
        }
    }

    pub fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.out.len() <= self.max_out && self.levels.len() <= MAX_LEVELS
        {
            let n = match &mut self.string {
                Some(string) if bytes[0] != b'"' || string.is_in_escape() => string.decode(bytes),
                Some(_) => {
                    self.end_string();
                    1
                }
                None => {
                    self.write_structure(bytes[0]);
                    1
                }
            };
            bytes = &bytes[n..];
        }
    }

    pub fn finish(self) -> String {
        String::from_utf8(self.out)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
    }

    #[cfg(test)]
    pub fn memory(&self) -> usize {
        let string = self.string.as_ref().map_or(0, |s| s.head.capacity() + s.tail.capacity());
        self.out.capacity() + self.levels.capacity() * size_of::<Level>() + string
    }

    fn level(&mut self) -> &mut Level {
        self.levels.last_mut().expect("the top level stays")
    }

    fn write_structure(&mut self, byte: u8) {
        let scalar_len = std::mem::take(&mut self.scalar_len);
        match byte {
            b'"' => self.begin_string(),
            b'{' | b'[' => self.begin_container(byte),
            b'}' | b']' => self.end_container(byte),
            b',' => {
                self.end_item();
                self.level().is_between_items = true;
            }
            // `end_string` writes the colon of a key.
            b':' => {}
            // Two scalars with a space between them must not become one.
            b' ' | b'\t'..=b'\r' if scalar_len > 0 => self.write_unless_skipped(b' '),
            b' ' | b'\t'..=b'\r' => {}
            _ => {
                self.begin_item();
                if scalar_len < MAX_SCALAR {
                    self.write_unless_skipped(byte);
                }
                self.scalar_len = scalar_len + 1;
            }
        }
    }

    fn write_unless_skipped(&mut self, byte: u8) {
        if self.skipped_at.is_none() {
            self.out.push(byte);
        }
    }

    /// Begins an item if none has begun since the last comma, and skips it if its level is full.
    /// Returns whether one began.
    fn begin_item(&mut self) -> bool {
        let n_levels = self.levels.len();
        let (written, skipping) = (self.out.len(), self.skipped_at.is_some());
        let level = self.level();
        let begins = std::mem::take(&mut level.is_between_items);
        if !begins || skipping {
            return begins;
        }
        if written >= level.limit {
            level.n_skipped += 1;
            self.skipped_at = Some(n_levels);
        } else {
            level.n_kept += 1;
            if level.n_kept > 1 {
                self.out.push(b',');
            }
        }
        begins
    }

    fn end_item(&mut self) {
        if self.skipped_at == Some(self.levels.len()) {
            self.skipped_at = None;
        }
    }

    fn room(&mut self) -> usize {
        let written = self.out.len();
        self.level().limit.saturating_sub(written)
    }

    fn begin_container(&mut self, bracket: u8) {
        self.begin_item();
        // Leave a quarter of the room for the items after the container.
        let limit = self.out.len() + self.room() / 4 * 3;
        self.write_unless_skipped(bracket);
        self.levels.push(Level::new(bracket == b'{', limit));
    }

    fn end_container(&mut self, bracket: u8) {
        if self.levels.len() == 1 {
            return;
        }
        self.end_item();
        let level = self.levels.pop().expect("more than one");
        if self.skipped_at.is_some() {
            return;
        }
        if level.n_skipped > 0 {
            let comma = if level.n_kept > 0 { "," } else { "" };
            let key = if level.is_object { "\"…\":" } else { "" };
            // A skipped tag may close a block that opened before the array or in an earlier item.
            // The closing tag in the note makes all items before it private, see `tags`.
            let tag = if level.skipped_private { "</private>" } else { "" };
            let note = format!("{comma}{key}\"…[{} items cut]…{tag}\"", level.n_skipped);
            self.out.extend_from_slice(note.as_bytes());
        }
        self.out.push(bracket);
    }

    fn begin_string(&mut self) {
        let begins = self.begin_item();
        let is_key = begins && self.level().is_object;
        let end = match self.skipped_at {
            Some(_) => 0,
            None => (self.room() / ROOM_PER_END).max(MIN_END),
        };
        self.string = Some(StringCutter::new(is_key, end));
    }

    fn end_string(&mut self) {
        let Some(string) = self.string.take() else { return };
        if let Some(n_levels) = self.skipped_at {
            self.levels[n_levels - 1].skipped_private |= string.private_tags.found;
            return;
        }
        let is_key = string.is_key;
        serde_json::to_writer(&mut self.out, &string.finish())
            .expect("writing to a Vec cannot fail");
        if is_key {
            self.out.push(b':');
        }
    }
}

/// Decodes a string and keeps its two ends.
struct StringCutter {
    is_key: bool,
    /// Bytes that a cut string keeps at each end.
    end: usize,
    /// The first `end` bytes.
    head: Vec<u8>,
    /// The last bytes, `end` of them or more.
    tail: Vec<u8>,
    /// Decoded bytes so far.
    len: usize,
    escape: Escape,
    /// The first half of a surrogate pair, until the second is read.
    high_surrogate: Option<u16>,
    private_tags: PrivateTagDetector,
}

/// The part of an escape that has been read so far.
#[derive(Clone, Copy, PartialEq)]
enum Escape {
    None,
    Backslash,
    /// `\u` and some of its four digits.
    Unicode {
        n_digits: u8,
        unit: u16,
    },
}

impl StringCutter {
    fn new(is_key: bool, end: usize) -> StringCutter {
        StringCutter {
            is_key,
            end,
            head: Vec::new(),
            tail: Vec::new(),
            len: 0,
            escape: Escape::None,
            high_surrogate: None,
            private_tags: PrivateTagDetector::default(),
        }
    }

    fn is_in_escape(&self) -> bool {
        self.escape != Escape::None
    }

    /// Decodes some of `bytes` and returns how many. The first byte is not the closing quote.
    fn decode(&mut self, bytes: &[u8]) -> usize {
        let byte = bytes[0];
        match self.escape {
            Escape::None if byte == b'\\' => self.escape = Escape::Backslash,
            Escape::None => {
                // A raw control character is invalid JSON. Keep it as it is.
                let n = json::plain_run(&bytes[..bytes.len().min(MAX_RUN)]).max(1);
                self.push(&bytes[..n]);
                return n;
            }
            Escape::Backslash if byte == b'u' => {
                self.escape = Escape::Unicode { n_digits: 0, unit: 0 };
            }
            Escape::Backslash => {
                self.escape = Escape::None;
                match byte {
                    b'n' => self.push(b"\n"),
                    b't' => self.push(b"\t"),
                    b'r' => self.push(b"\r"),
                    b'b' => self.push(b"\x08"),
                    b'f' => self.push(b"\x0c"),
                    b'"' | b'\\' | b'/' => self.push(&[byte]),
                    _ => self.push(&[b'\\', byte]),
                }
            }
            Escape::Unicode { n_digits, unit } => match (byte as char).to_digit(16) {
                Some(digit) => {
                    let unit = unit << 4 | digit as u16;
                    if n_digits < 3 {
                        self.escape = Escape::Unicode { n_digits: n_digits + 1, unit };
                    } else {
                        self.escape = Escape::None;
                        self.push_unit(unit);
                    }
                }
                None => {
                    self.escape = Escape::None;
                    self.push(REPLACEMENT.as_bytes());
                    return 0;
                }
            },
        }
        1
    }

    /// Decodes one unit of UTF-16. The first half of a pair is held until the second arrives.
    fn push_unit(&mut self, unit: u16) {
        if self.high_surrogate.is_none() && matches!(unit, 0xD800..=0xDBFF) {
            self.high_surrogate = Some(unit);
            return;
        }
        let units = self.high_surrogate.take().into_iter().chain([unit]);
        for c in char::decode_utf16(units) {
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.push(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.high_surrogate.take().is_some() {
            self.push(REPLACEMENT.as_bytes());
        }
        // A NUL is never part of a plain run. Replace it, because it ends the text in C programs that
        // read it later.
        let bytes = if bytes == b"\0" { REPLACEMENT.as_bytes() } else { bytes };
        self.len += bytes.len();
        self.private_tags.scan(bytes);
        let (head, tail) = bytes.split_at(bytes.len().min(self.end - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend_from_slice(tail);
        if self.tail.len() > self.end.saturating_mul(2) {
            self.tail.drain(..self.tail.len() - self.end);
        }
    }

    fn finish(mut self) -> String {
        self.push(b""); // replaces an unpaired surrogate at the end
        if self.len <= self.end.saturating_mul(2) {
            self.head.append(&mut self.tail);
            return String::from_utf8_lossy(&self.head).into_owned();
        }
        if self.private_tags.found {
            let note = format!("[private, {} bytes]", self.len);
            // A block may begin or end in another string of the array. These tags, which `tags`
            // removes, make all the other strings private.
            return if self.is_key { note } else { format!("</private>{note}<private>") };
        }
        let head = String::from_utf8_lossy(&self.head);
        let tail = String::from_utf8_lossy(&self.tail[self.tail.len() - self.end..]);
        // Drop the rest of a character that the cut split.
        let (head, tail) =
            (head.trim_end_matches(REPLACEMENT), tail.trim_start_matches(REPLACEMENT));
        let n_cut = self.len.saturating_sub(head.len() + tail.len());
        [head, &cut_marker(n_cut), tail].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn strings_that_a_parser_rejects_are_repaired() {
        fn check(broken: &str, expected: &str) {
            let repaired = repair(&format!("{{\"a\" : \"{broken}\"}}"));
            let value: Value = serde_json::from_str(&repaired).expect(&repaired);
            assert_eq!(value["a"], expected);
        }
        check("fine\\n\\u00e9", "fine\né");
        check("\\b\\f\\n\\r\\t\\/\\\\\\\"", "\u{8}\u{c}\n\r\t/\\\"");
        check("a\u{0}b\u{1}\nc", "a\u{fffd}b\u{1}\nc");
        check("\\u0000", "\u{fffd}");
        check("\\ud83d\\ude00", "😀");
        check("\\ud83dx", "\u{fffd}x");
        check("\\ud83d", "\u{fffd}");
        check("\\ud83d\\n\\ude00", "\u{fffd}\n\u{fffd}");
        check("\\ude00\\ud83d\\u0041", "\u{fffd}\u{fffd}A");
        check("\\x41", "\\x41");
        check("\\u12", "\u{fffd}");
        check("\\u12é\\u+123", "\u{fffd}é\u{fffd}+123");
    }

    #[test]
    fn invalid_grammar_stays_invalid() {
        for json in ["[1 2]", "[tru e]", "{\"a\" 1 2}", "{1}", "[\"a\"\"b\"]", "{]", "[", "\"a"] {
            let repaired = repair(json);
            assert!(serde_json::from_str::<Value>(&repaired).is_err(), "{json} -> {repaired}");
        }
    }

    #[test]
    fn malformed_input_is_bounded() {
        for token in ["\"\"", "1 ", "[]", "["] {
            let mut writer = TruncatingWriter::new(1 << 20);
            for _ in 0..20 {
                writer.write(token.repeat(1 << 19).as_bytes());
            }
            assert!(writer.memory() < 16 << 20, "{token} needs {} bytes", writer.memory());
        }
    }

    #[test]
    fn strings_of_escapes_leave_room_for_later_fields() {
        let long = "\u{1}".repeat(300_000);
        let raw =
            json!({"tool_input": long, "tool_response": {"a": long, "b": "short"}, "use": "u"});
        let value: Value = serde_json::from_str(&truncate(&raw.to_string(), 1 << 20)).unwrap();
        assert_eq!((&value["use"], &value["tool_response"]["b"]), (&json!("u"), &json!("short")));
    }

    #[test]
    fn a_cut_falls_between_characters() {
        for shift in 0..4 {
            let raw = json!(["x".repeat(shift) + &"😀".repeat(1000)]).to_string();
            let value: Value = serde_json::from_str(&truncate(&raw, 100)).unwrap();
            let text = value[0].as_str().unwrap();
            assert!(text.contains("bytes cut]…😀") && !text.contains(REPLACEMENT), "{text}");
            let n: usize = text.split(['[', ' ']).nth(1).unwrap().parse().unwrap();
            assert_eq!(text.len() - cut_marker(n).len() + n, shift + 4000);
        }
    }

    fn strings() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec("[a-z<>/é\\\\\"\u{1}-\u{1f}😀]{0,400}", 1..8)
    }

    proptest! {
        /// Valid JSON keeps its value if it fits, and stays valid if it does not.
        #[test]
        fn valid_json_stays_valid(strings in strings(), chunk in 1usize..50, budget in 100usize..2000) {
            let raw = json!({"a": strings, "b": {"c": strings, "d": [1, -2.5, null, true, [], {}]}});
            let json = raw.to_string();
            prop_assert_eq!(&serde_json::from_str::<Value>(&repair(&json)).unwrap(), &raw);
            let whole = truncate(&json, budget);
            prop_assert!(serde_json::from_str::<Value>(&whole).is_ok(), "{}", whole);
            let mut writer = TruncatingWriter::new(budget);
            json.as_bytes().chunks(chunk).for_each(|c| writer.write(c));
            prop_assert_eq!(writer.finish(), whole);
        }

        #[test]
        fn output_for_arbitrary_text_is_bounded(text in "[\\[\\]{}:,\"\\\\ud83a-f0-9 \u{0}é]{0,200}", budget in 0usize..300) {
            prop_assert!(truncate(&text, budget).len() < 16 * text.len() + 64);
        }
    }
}
