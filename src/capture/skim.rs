//! Reads one JSON object as it comes in, and knows when it is whole: a client may leave the pipe
//! open. Up to [`WHOLE`] bytes are kept as they are; of more, long strings are cut while they are
//! read, so that a payload of any size costs the same memory.
//!
//! What comes out is text that a parser takes where that could be had: broken UTF-8, control
//! characters and halves of surrogate pairs in strings are replaced.

use super::json;
use super::squeeze::Squeeze;

/// Payloads up to this many bytes are kept whole.
pub const WHOLE: usize = 1 << 20;
/// About how much is kept of longer ones.
const KEPT: usize = 1 << 20;
/// Deeper nesting is refused; a parser's own limit is 127.
const MAX_DEPTH: u32 = 120;

/// Why there is no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkimError {
    #[error("there is no input")]
    Empty,
    #[error("the input is not a JSON object")]
    NotAnObject,
    #[error("the input ends inside its JSON object")]
    Incomplete,
    #[error("the input is nested more than {MAX_DEPTH} deep")]
    TooDeep,
}

/// A whole object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skimmed {
    pub text: String,
    /// Bytes of the object as it came.
    pub size: u64,
    /// It was too long to be kept whole.
    pub cut: bool,
}

/// An object that is being read.
pub struct Skim {
    scan: Scan,
    size: u64,
    kept: Kept,
}

enum Kept {
    Whole(Vec<u8>),
    Cut(Squeeze),
}

/// Where in the object the reader stands.
#[derive(Default)]
struct Scan {
    depth: u32,
    in_string: bool,
    escape: Escape,
    /// Something that a parser may refuse: see [`json::repair`].
    odd: bool,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    /// Nothing but blanks came.
    #[default]
    Before,
    Inside,
    Complete,
    NoObject,
    TooDeep,
}

/// What has been read of an escape.
#[derive(Clone, Copy, Default, PartialEq)]
enum Escape {
    #[default]
    None,
    Backslash,
    /// `\u` and that many digits, with their value.
    Code(u8, u16),
}

impl Skim {
    pub fn new() -> Skim {
        let kept = Kept::Whole(Vec::with_capacity(16 << 10));
        Skim { scan: Scan::default(), size: 0, kept }
    }

    /// Takes the next bytes. True when no more are wanted: the object is complete, or it never
    /// will be one. What stands behind the object is not looked at.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        let taken = match self.scan.state {
            State::Before | State::Inside => self.scan.pass(bytes),
            _ => 0..0,
        };
        self.size += taken.len() as u64;
        self.keep(&bytes[taken]);
        !matches!(self.scan.state, State::Before | State::Inside)
    }

    fn keep(&mut self, bytes: &[u8]) {
        match &mut self.kept {
            Kept::Whole(whole) if whole.len() + bytes.len() <= WHOLE => {
                whole.extend_from_slice(bytes);
            }
            Kept::Whole(whole) => {
                let mut squeeze = Squeeze::new(KEPT);
                squeeze.feed(&std::mem::take(whole));
                squeeze.feed(bytes);
                self.kept = Kept::Cut(squeeze);
            }
            Kept::Cut(squeeze) => squeeze.feed(bytes),
        }
    }

    /// # Errors
    /// See [`SkimError`].
    pub fn finish(self) -> Result<Skimmed, SkimError> {
        match self.scan.state {
            State::Complete => {}
            State::Before => return Err(SkimError::Empty),
            State::Inside => return Err(SkimError::Incomplete),
            State::NoObject => return Err(SkimError::NotAnObject),
            State::TooDeep => return Err(SkimError::TooDeep),
        }
        let (bytes, cut) = match self.kept {
            Kept::Whole(bytes) => (bytes, false),
            Kept::Cut(squeeze) => (squeeze.finish(), true),
        };
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        let text = if self.scan.odd { json::repair(&text) } else { text };
        Ok(Skimmed { text, size: self.size, cut })
    }
}

impl Scan {
    /// Which of `bytes` belong to the object.
    fn pass(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let mut at = 0;
        if self.state == State::Before {
            let blank = |b: &&u8| b.is_ascii_whitespace() || matches!(b, 0xEF | 0xBB | 0xBF);
            at = bytes.iter().take_while(blank).count();
            match bytes.get(at) {
                None => return at..at,
                Some(b'{') => self.state = State::Inside,
                Some(_) => {
                    self.state = State::NoObject;
                    return at..at;
                }
            }
        }
        let start = at;
        while at < bytes.len() && self.state == State::Inside {
            if self.in_string && self.escape == Escape::None {
                at += json::plain_run(&bytes[at..]);
                let Some(&byte) = bytes.get(at) else { break };
                match byte {
                    b'"' => self.in_string = false,
                    b'\\' => self.escape = Escape::Backslash,
                    _ => self.odd = true,
                }
            } else if self.in_string {
                self.pass_escape(bytes[at]);
            } else {
                self.pass_outside(bytes[at]);
            }
            at += 1;
        }
        start..at
    }

    fn pass_outside(&mut self, byte: u8) {
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' if self.depth == MAX_DEPTH => self.state = State::TooDeep,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.state = State::Complete;
                }
            }
            _ => {}
        }
    }

    fn pass_escape(&mut self, byte: u8) {
        self.escape = match (self.escape, (byte as char).to_digit(16)) {
            (Escape::Backslash, _) if byte == b'u' => Escape::Code(0, 0),
            (Escape::Backslash, _) => {
                self.odd |= !b"\"\\/bfnrt".contains(&byte);
                Escape::None
            }
            (Escape::Code(3, code), Some(digit)) => {
                let code = code << 4 | digit as u16;
                self.odd |= matches!(code, 0 | 0xD800..=0xDFFF);
                Escape::None
            }
            (Escape::Code(n, code), Some(digit)) => Escape::Code(n + 1, code << 4 | digit as u16),
            (_, None) | (Escape::None, _) => {
                self.odd = true;
                self.in_string = byte != b'"';
                if byte == b'\\' { Escape::Backslash } else { Escape::None }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn skim(chunks: &[&[u8]]) -> Result<Skimmed, SkimError> {
        let mut skim = Skim::new();
        for chunk in chunks {
            skim.feed(chunk);
        }
        skim.finish()
    }

    /// An object of one long string, given in chunks of a length.
    fn long(before: &str, filler: &str, n: usize, after: &str, chunk: usize) -> Value {
        let filler = filler.repeat(n);
        let json = format!(r#"{{"id":"x","r":{{"c":"{before}{filler}{after}"}},"use":"toolu"}}"#);
        assert!(json.len() > WHOLE);
        let skimmed = skim(&json.as_bytes().chunks(chunk).collect::<Vec<_>>()).unwrap();
        assert_eq!((skimmed.size, skimmed.cut), (json.len() as u64, true));
        assert!(skimmed.text.len() < WHOLE / 2, "{}", skimmed.text.len());
        let value: Value = serde_json::from_str(&skimmed.text).expect("JSON");
        assert_eq!((&value["id"], &value["use"]), (&"x".into(), &"toolu".into()));
        value
    }

    #[test]
    fn where_an_object_ends() {
        fn check(chunks: &[&str], expected: Result<&str, SkimError>) {
            let chunks: Vec<&[u8]> = chunks.iter().map(|c| c.as_bytes()).collect();
            assert_eq!(skim(&chunks).as_ref().map(|s| &*s.text).map_err(|e| *e), expected);
        }
        check(&["{}"], Ok("{}"));
        check(&[" \n{\"a\":", "\"}\\", "\"{[\"", "}", "\n"], Ok("{\"a\":\"}\\\"{[\"}"));
        check(&["{} trailing {"], Ok("{}"));
        check(&["\u{feff}{}"], Ok("{}"));
        check(&["{\"a\":[{}]}"], Ok("{\"a\":[{}]}"));
        check(&[], Err(SkimError::Empty));
        check(&[" \n", "\t"], Err(SkimError::Empty));
        check(&["[1]"], Err(SkimError::NotAnObject));
        check(&["hello {"], Err(SkimError::NotAnObject));
        check(&["{\"a\":\"}"], Err(SkimError::Incomplete));
        check(&["{\"a\":\"\\\""], Err(SkimError::Incomplete));
        check(&[&"{\"a\":".repeat(200)], Err(SkimError::TooDeep));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(119), "]".repeat(119));
        check(&[&deep], Ok(&deep));
    }

    #[test]
    fn says_when_it_has_enough() {
        let mut skim = Skim::new();
        assert!(!skim.feed(b"{\"a\":1"));
        assert!(skim.feed(b"}"));
        assert!(skim.feed(b"more"));
        assert_eq!(skim.finish().unwrap().size, 7);
        assert!(Skim::new().feed(b"no"));
    }

    #[test]
    fn broken_text_is_made_readable() {
        fn check(json: &[u8], expected: &str) {
            let skimmed = skim(&[json]).unwrap();
            let value: Value = serde_json::from_str(&skimmed.text).expect(&skimmed.text);
            assert_eq!(value["a"], expected);
        }
        check(b"{\"a\":\"x\xff\xfey\"}", "x\u{fffd}\u{fffd}y");
        check(b"{\"a\":\"x\0\x01\ny\"}", "x\u{fffd}\u{1}\ny");
        check(br#"{"a":"\ud83dx\u0000"}"#, "\u{fffd}x\u{fffd}");
        check(br#"{"a":"\ud83d\ude00"}"#, "😀");
        check(br#"{"a":"\q\u12"}"#, "\\q\\u12");
    }

    #[test]
    fn a_long_string_keeps_head_and_tail() {
        for chunk in [1, 4096, usize::MAX] {
            let value = long("BEGIN", "word \\n\\\"é\\u00e9", 90_000, "END", chunk.min(1 << 21));
            let text = value["r"]["c"].as_str().unwrap();
            assert!(text.starts_with("BEGINword \n") && text.ends_with("END"));
            assert!(text.len() > 100_000);
            let cut: usize =
                text.split_once("…[").unwrap().1.split_once(' ').unwrap().0.parse().unwrap();
            assert!(cut > 1_000_000, "{cut}");
        }
    }

    #[test]
    fn a_long_string_with_a_private_tag_is_dropped_whole() {
        let middle = "filler ".repeat(100_000);
        for tag in [
            "<private>",
            "</private>",
            "\\u003cprivate>",
            "\\u003C/Private\\u003E",
            "<\\/private>",
            "< /\\nprivate x=1>",
        ] {
            for chunk in [3, 65_536] {
                let value = long("", "filler ", 100_000, &format!("{tag}{middle}"), chunk);
                assert_eq!(value["r"]["c"].as_str().unwrap(), {
                    format!("[private, {} bytes]", 1_400_000 + tag.len())
                });
            }
        }
        assert!(long("", "<privat> ", 200_000, "", 999)["r"]["c"].as_str().unwrap().len() > 9999);
    }

    #[test]
    fn fifty_megabytes_need_little_memory() {
        let mut skim = Skim::new();
        skim.feed(br#"{"tool_response":{"lines":["#);
        for i in 0..50 {
            let line = format!("\"line {i} \\\\ {}\",", "x".repeat(80));
            skim.feed(line.repeat(1 << 13).as_bytes());
            if let Kept::Cut(squeeze) = &skim.kept {
                assert!(squeeze.memory() < 2 << 20);
            }
        }
        skim.feed(br#""last"],"filePath":"/a","more":{"s":"#);
        for _ in 0..20 {
            skim.feed(&[b'['; 50]);
            skim.feed(br#""deep""#);
            skim.feed(&[b']'; 50]);
        }
        assert!(skim.feed(br#"},"n":12},"tool_use_id":"toolu_1"}"#));
        let skimmed = skim.finish().unwrap();
        assert!(skimmed.size > 38_000_000 && skimmed.text.len() < WHOLE);
        assert!(skimmed.text.contains(r#""tool_use_id":"toolu_1""#));
        assert!(skimmed.text.contains(r#""filePath":"/a""#));
        assert!(skimmed.text.contains("items cut]"));
    }

    proptest! {
        #[test]
        fn any_bytes(chunks in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let mut skim = Skim::new();
            skim.feed(b"{");
            for chunk in &chunks {
                skim.feed(chunk);
            }
            let _ = skim.finish();
        }

        /// However it is divided, the same comes out; and what was JSON is JSON, also squeezed.
        #[test]
        fn chunks_make_no_difference(
            strings in proptest::collection::vec("[a-z<>/é\\\\\"\u{0}-\u{1f}😀]{0,400}", 1..8),
            chunk in 1usize..50,
            budget in 100usize..2000,
        ) {
            let json = serde_json::to_string(&serde_json::json!({"a": strings, "b": {"c": strings, "d": 1}})).unwrap();
            let whole = skim(&[json.as_bytes()]).unwrap();
            let parts = skim(&json.as_bytes().chunks(chunk).collect::<Vec<_>>()).unwrap();
            prop_assert_eq!(&whole, &parts);
            let squeezed = |chunk: usize| {
                let mut squeeze = Squeeze::new(budget);
                json.as_bytes().chunks(chunk).for_each(|c| squeeze.feed(c));
                squeeze.finish()
            };
            let text = String::from_utf8_lossy(&squeezed(json.len())).into_owned();
            prop_assert!(serde_json::from_str::<Value>(&json::repair(&text)).is_ok(), "{}", text);
            let text = String::from_utf8_lossy(&squeezed(chunk)).into_owned();
            prop_assert!(serde_json::from_str::<Value>(&json::repair(&text)).is_ok(), "{}", text);
        }
    }
}
