//! Reads one JSON object in chunks and detects where it ends, because a client may leave the pipe
//! open. An object of up to [`MAX_WHOLE`] bytes is kept as it is. A larger one is truncated while it is
//! read, so that memory use does not depend on the size of the payload.

use std::ops::Range;

use super::json;
use super::truncating_writer::{self, TruncatingWriter};

/// Larger objects are truncated.
const MAX_WHOLE: usize = 1 << 20;
/// Approximate size to which a larger object is truncated.
const BUDGET: usize = 1 << 20;
/// The parser's own limit is 127.
const MAX_DEPTH: u32 = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("no input; expected a JSON object")]
    Empty,
    #[error("the input is not a JSON object")]
    NotAnObject,
    #[error("the input ends inside its JSON object")]
    Incomplete,
    #[error("the input is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
}

/// An object, or its beginning.
#[derive(Debug)]
pub struct Object {
    /// The object's JSON, as valid UTF-8.
    pub text: String,
    /// Why the rest of the object is missing. `None` if the object is complete.
    pub missing: Option<ReadError>,
}

pub struct ObjectReader {
    depth: u32,
    in_string: bool,
    after_backslash: bool,
    /// Whether a string has a control character or an unusual escape, which a parser may reject.
    needs_repair: bool,
    end: Option<Result<(), ReadError>>,
    /// The object so far. With a writer, only the last bytes of it.
    bytes: Vec<u8>,
    /// How many of the bytes are examined.
    n_examined: usize,
    /// Gets the object once it is too large.
    writer: Option<TruncatingWriter>,
}

impl ObjectReader {
    pub fn new() -> ObjectReader {
        ObjectReader {
            depth: 0,
            in_string: false,
            after_backslash: false,
            needs_repair: false,
            end: None,
            bytes: Vec::new(),
            n_examined: 0,
            writer: None,
        }
    }

    /// The buffer to which the caller appends the next bytes of the input, with room for `n`. Then it calls
    /// [`ObjectReader::examine`]. A buffer of the caller would be a copy of the payload.
    pub fn buffer(&mut self, n: usize) -> &mut Vec<u8> {
        if self.writer.is_some() {
            self.bytes.clear();
            self.n_examined = 0;
        }
        self.bytes.reserve(n);
        &mut self.bytes
    }

    /// Examines the bytes that were appended. Returns true if no more are needed: the object is complete, or
    /// the input is not an object. Bytes after the object are ignored.
    pub fn examine(&mut self) -> bool {
        let mut bytes = std::mem::take(&mut self.bytes);
        let object = match self.end {
            None => self.scan(&bytes[self.n_examined..]),
            Some(_) => 0..0,
        };
        bytes.truncate(self.n_examined + object.end);
        // Only blanks are before the object.
        bytes.drain(..object.start);
        match &mut self.writer {
            Some(writer) => writer.write(&bytes),
            None if bytes.len() > MAX_WHOLE => {
                let mut writer = TruncatingWriter::new(BUDGET);
                writer.write(&bytes);
                self.writer = Some(writer);
            }
            None => {}
        }
        self.n_examined = bytes.len();
        self.bytes = bytes;
        self.end.is_some()
    }

    /// Adds the next bytes, as [`ObjectReader::examine`].
    #[cfg(test)]
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        self.buffer(bytes.len()).extend_from_slice(bytes);
        self.examine()
    }

    /// Returns what was read of the object.
    ///
    /// # Errors
    /// If the input has no object.
    pub fn finish(self) -> Result<Object, ReadError> {
        let missing = match self.end {
            Some(Ok(())) => None,
            Some(Err(ReadError::TooDeep)) => Some(ReadError::TooDeep),
            Some(Err(error)) => return Err(error),
            None if self.depth == 0 => return Err(ReadError::Empty),
            None => Some(ReadError::Incomplete),
        };
        let text = match self.writer {
            Some(writer) => writer.finish(),
            None => {
                let text = String::from_utf8(self.bytes)
                    .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
                if self.needs_repair { truncating_writer::repair(&text) } else { text }
            }
        };
        Ok(Object { text, missing })
    }

    /// Returns the part of `bytes` that belongs to the object.
    fn scan(&mut self, bytes: &[u8]) -> Range<usize> {
        let mut at = 0;
        if self.depth == 0 {
            // Skip blanks and a byte order mark.
            let skipped = |b: &&u8| b.is_ascii_whitespace() || matches!(b, 0xEF | 0xBB | 0xBF);
            at = bytes.iter().take_while(skipped).count();
            if bytes.get(at).is_some_and(|b| *b != b'{') {
                self.end = Some(Err(ReadError::NotAnObject));
            }
        }
        let start = at;
        while at < bytes.len() && self.end.is_none() {
            if self.after_backslash {
                self.after_backslash = false;
                self.needs_repair |= !b"\"\\/bfnrt".contains(&bytes[at]);
            } else if self.in_string {
                at += json::plain_run(&bytes[at..]);
                match bytes.get(at) {
                    None => break,
                    Some(b'"') => self.in_string = false,
                    Some(b'\\') => self.after_backslash = true,
                    Some(_) => self.needs_repair = true,
                }
            } else {
                self.scan_structure(bytes[at]);
            }
            at += 1;
        }
        start..at
    }

    fn scan_structure(&mut self, byte: u8) {
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' if self.depth == MAX_DEPTH => self.end = Some(Err(ReadError::TooDeep)),
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.end = Some(Ok(()));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::cut_marker;
    use proptest::prelude::*;
    use serde_json::Value;

    fn read(chunks: &[&[u8]]) -> Result<String, ReadError> {
        let mut reader = ObjectReader::new();
        for chunk in chunks {
            reader.feed(chunk);
        }
        let object = reader.finish()?;
        object.missing.map_or(Ok(object.text), Err)
    }

    /// Reads an object with one long string, `chunk` bytes at a time.
    fn read_long(before: &str, filler: &str, n: usize, after: &str, chunk: usize) -> Value {
        let filler = filler.repeat(n);
        let json = format!(r#"{{"id":"x","r":{{"c":"{before}{filler}{after}"}},"use":"toolu"}}"#);
        assert!(json.len() > MAX_WHOLE);
        let text = read(&json.as_bytes().chunks(chunk).collect::<Vec<_>>()).unwrap();
        assert!(text.len() < MAX_WHOLE / 2, "{}", text.len());
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&value["id"], &value["use"]), (&"x".into(), &"toolu".into()));
        value
    }

    #[test]
    fn input_after_the_object_is_ignored() {
        fn check(chunks: &[&str], expected: Result<&str, ReadError>) {
            let chunks: Vec<&[u8]> = chunks.iter().map(|c| c.as_bytes()).collect();
            assert_eq!(read(&chunks).as_deref().map_err(|e| *e), expected);
        }
        check(&["{}"], Ok("{}"));
        check(&[" \n{\"a\":", "\"}\\", "\"{[\"", "}", "\n"], Ok("{\"a\":\"}\\\"{[\"}"));
        check(&["{} trailing {"], Ok("{}"));
        check(&["\u{feff}{}"], Ok("{}"));
        check(&["{\"a\":[{}]}"], Ok("{\"a\":[{}]}"));
        check(&[], Err(ReadError::Empty));
        check(&[" \n", "\t"], Err(ReadError::Empty));
        check(&["[1]"], Err(ReadError::NotAnObject));
        check(&["hello {"], Err(ReadError::NotAnObject));
        check(&["{\"a\":\"}"], Err(ReadError::Incomplete));
        check(&["{\"a\":\"\\\""], Err(ReadError::Incomplete));
        check(&[&"{\"a\":".repeat(200)], Err(ReadError::TooDeep));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(119), "]".repeat(119));
        check(&[&deep], Ok(&deep));
    }

    #[test]
    fn feed_returns_true_when_no_more_is_needed() {
        let mut reader = ObjectReader::new();
        assert!(!reader.feed(b"{\"a\":1"));
        assert!(reader.feed(b"}"));
        assert!(reader.feed(b"more"));
        assert_eq!(reader.finish().unwrap().text, "{\"a\":1}");
        assert!(ObjectReader::new().feed(b"no"));
    }

    #[test]
    fn broken_strings_are_repaired() {
        fn check(json: &[u8], expected: &str) {
            let text = read(&[json]).unwrap();
            let value: Value = serde_json::from_str(&text).expect(&text);
            assert_eq!(value["a"], expected);
        }
        check(b"{\"a\":\"x\xff\xfey\"}", "x\u{fffd}\u{fffd}y");
        check(b"{\"a\":\"x\0\x01\ny\"}", "x\u{fffd}\u{1}\ny");
        check(br#"{"a":"\ud83dx\u0000"}"#, "\u{fffd}x\u{fffd}");
        check(br#"{"a":"\ud83d\ude00"}"#, "😀");
        check(br#"{"a":"\q\u12"}"#, "\\q\u{fffd}");
    }

    #[test]
    fn a_long_string_keeps_head_and_tail() {
        for chunk in [1, 4096, usize::MAX] {
            let value = read_long("BEGIN", "word \\n\\\"é\\u00e9", 90_000, "END", chunk);
            let text = value["r"]["c"].as_str().unwrap();
            assert!(text.starts_with("BEGINword \n") && text.ends_with("END"));
            assert!(text.len() > 90_000);
            let n_cut: usize =
                text.split_once("…[").unwrap().1.split_once(' ').unwrap().0.parse().unwrap();
            assert_eq!(text.len() - cut_marker(n_cut).len() + n_cut, 11 * 90_000 + 8);
        }
    }

    #[test]
    fn a_long_string_with_a_private_tag_is_replaced_entirely() {
        let middle = "filler ".repeat(100_000);
        for (tag, decoded_len) in [
            ("<private>", 9),
            ("</private>", 10),
            ("\\u003cprivate>", 9),
            ("\\u003C/Private\\u003E", 10),
            ("<priv\\u0061te>", 9),
            ("<\\/private>", 10),
            ("< /\\nprivate x=1>", 16),
        ] {
            for chunk in [3, 65_536] {
                let value = read_long("", "filler ", 100_000, &format!("{tag}{middle}"), chunk);
                let len = 1_400_000 + decoded_len;
                let expected = format!("</private>[private, {len} bytes]<private>");
                assert_eq!(value["r"]["c"], expected);
            }
        }
        let value = read_long("", "<privat> ", 200_000, "", 999);
        assert!(value["r"]["c"].as_str().unwrap().len() > 9999);
    }

    #[test]
    fn a_block_that_begins_in_a_long_string_of_an_array_stays_private() {
        let long = format!("<private>{}", "x".repeat(3 << 20));
        let json = format!(r#"{{"lines":["before","{long}","after"],"text":"c"}}"#);
        let text = read(&[json.as_bytes()]).unwrap();
        let rest = crate::capture::tags::strip_json(&text).unwrap();
        assert_eq!(rest, r#"{"lines":["","[private, 3145737 bytes]",""],"text":""}"#);
    }

    #[test]
    fn a_large_object_needs_little_memory() {
        let mut reader = ObjectReader::new();
        reader.feed(br#"{"tool_response":{"lines":["#);
        for i in 0..50 {
            let line = format!("\"line {i} \\\\ {}\",", "x".repeat(80));
            reader.feed(line.repeat(1 << 13).as_bytes());
            if let Some(writer) = &reader.writer {
                assert!(writer.memory() < 2 << 20);
            }
        }
        reader.feed(br#""last"],"filePath":"/a","more":{"s":"#);
        for _ in 0..20 {
            reader.feed(&[b'['; 50]);
            reader.feed(br#""deep""#);
            reader.feed(&[b']'; 50]);
        }
        assert!(reader.feed(br#"},"n":12},"tool_use_id":"toolu_1"}"#));
        let text = reader.finish().unwrap().text;
        assert!(text.len() < MAX_WHOLE);
        assert!(text.contains(r#""tool_use_id":"toolu_1""#));
        assert!(text.contains(r#""filePath":"/a""#));
        assert!(text.contains("items cut]"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(chunks in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let mut reader = ObjectReader::new();
            reader.feed(b"{");
            for chunk in &chunks {
                reader.feed(chunk);
            }
            let _ = reader.finish();
        }

        #[test]
        fn the_chunk_size_does_not_change_the_result(
            strings in proptest::collection::vec("[a-z<>/é\\\\\"\u{0}-\u{1f}😀]{0,400}", 1..8),
            chunk in 1usize..50,
        ) {
            let json = serde_json::json!({"a": strings, "b": {"c": strings}}).to_string();
            let parts: Vec<&[u8]> = json.as_bytes().chunks(chunk).collect();
            prop_assert_eq!(read(&[json.as_bytes()]).unwrap(), read(&parts).unwrap());
        }
    }
}
