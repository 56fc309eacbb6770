//! Removes tagged blocks: `<private>…</private>`, which the user writes, and blocks that the client or
//! memctl inserts. A regular expression is not enough, because tags nest and either tag of a pair may
//! be missing.

use std::borrow::Cow;
use std::ops::Range;

use super::json::{self, Edit};

const PRIVATE: &str = "private";
/// Our own context block. It is removed so that memory is not recorded again.
const OWN: &str = "memctl-context";
/// Blocks with these names are removed.
const NAMES: [&str; 8] = [
    PRIVATE,
    OWN,
    "system-reminder",
    "local-command-stdout",
    "local-command-stderr",
    "local-command-caveat",
    "tools-used-before-summary",
    "claude-mem-context",
];
/// Something that looks like a tag but has longer attributes is plain text.
const MAX_ATTRIBUTES: usize = 1024;

#[derive(Debug, PartialEq)]
pub struct Stripped<'a> {
    pub text: Cow<'a, str>,
    /// Whether a private tag was found.
    pub private: bool,
}

impl Stripped<'_> {
    /// Private text was removed and nothing else is left.
    pub fn wholly_private(&self) -> bool {
        self.private && self.text.trim().is_empty()
    }
}

/// Removes all blocks from a text.
pub fn strip(text: &str) -> Stripped<'_> {
    let (edits, private) = find(text);
    let text = if edits.is_empty() { text.into() } else { json::apply(text, &edits).into() };
    Stripped { text, private }
}

/// Removes all blocks from the strings of a JSON text. Returns `None` if there are none.
pub fn strip_json(raw: &str) -> Option<String> {
    if may_have_tags(raw) { json::rewrite(raw, may_have_tags, |text| find(text).0) } else { None }
}

/// Whether a string of a JSON text has a private tag.
pub fn has_private_json(raw: &str) -> bool {
    let private = |leaf: &json::Leaf| find(&json::unescape(&raw[leaf.inner.clone()])).1;
    may_have_tags(raw) && json::leaves(raw).iter().any(private)
}

/// Whether escaped text may contain a `<`, literally or as `\u003c`.
fn may_have_tags(raw: &str) -> bool {
    json::find_byte(raw.as_bytes(), b'<').is_some() || raw.contains("\\u003")
}

/// Returns `/name args` as the user typed it. A transcript writes such a prompt as
/// `<command-name>/name</command-name> … <command-args>args</command-args>`.
pub fn slash_command(text: &str) -> Option<String> {
    if !text.trim_start().starts_with("<command-") {
        return None;
    }
    let inside = |name: &str| {
        let from = text.split_once(&format!("<{name}>"))?.1;
        Some(from.split_once(&format!("</{name}>"))?.0.trim())
    };
    let typed = [inside("command-name")?, inside("command-args").unwrap_or("")].join(" ");
    Some(typed.trim_end().to_owned())
}

struct Tag {
    range: Range<usize>,
    name: &'static str,
    is_closing: bool,
}

/// Returns the edits that [`strip`] applies, and whether there is a private tag.
fn find(text: &str) -> (Vec<Edit>, bool) {
    let tags = tags(text);
    if tags.is_empty() {
        return (Vec::new(), false);
    }
    let mut ranges = Vec::new();
    let mut private = false;
    for name in NAMES {
        let same_name: Vec<&Tag> = tags.iter().filter(|t| t.name == name).collect();
        private |= name == PRIVATE && !same_name.is_empty();
        blocks(name, &same_name, text.len(), &mut ranges);
    }
    ranges.sort_by_key(|r| r.start);
    let mut edits: Vec<Edit> = Vec::new();
    for range in ranges {
        match edits.last_mut() {
            Some(last) if range.start <= last.range.end => {
                last.range.end = last.range.end.max(range.end);
            }
            _ => edits.push(Edit { range, with: "" }),
        }
    }
    (edits, private)
}

/// Adds the blocks of one name to `ranges`.
///
/// - An opening tag of a private block or of our own block without a closing tag begins a block that
///   reaches to the end of the text, because the text may have been truncated there.
/// - A closing private tag without an opening tag makes everything before it private.
/// - Any other tag without its counterpart is plain text.
fn blocks(name: &str, tags: &[&Tag], end: usize, ranges: &mut Vec<Range<usize>>) {
    let open_ended = name == PRIVATE || name == OWN;
    let mut open: Vec<usize> = Vec::new();
    for tag in tags {
        match (tag.is_closing, open.pop()) {
            (false, outer) => {
                open.extend(outer);
                open.push(tag.range.start);
            }
            (true, Some(start)) => ranges.push(start..tag.range.end),
            (true, None) if name == PRIVATE => ranges.push(0..tag.range.end),
            (true, None) => {}
        }
    }
    match open.first() {
        Some(&start) if open_ended => ranges.push(start..end),
        _ => {}
    }
}

fn tags(text: &str) -> Vec<Tag> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(n) = text[at..].find('<') {
        at += n + 1;
        let Some((name, is_closing, after)) = name_at(bytes, at) else { continue };
        let rest = &bytes[after..bytes.len().min(after + MAX_ATTRIBUTES)];
        let Some(end) = rest.iter().position(|b| matches!(b, b'<' | b'>')) else { continue };
        if rest[end] == b'<' {
            continue;
        }
        let range = at - 1..after + end + 1;
        at = range.end;
        // `<private/>` is an empty block.
        if end > 0 && rest[end - 1] == b'/' && !is_closing {
            found.push(Tag { range: range.clone(), name, is_closing: false });
            found.push(Tag { range, name, is_closing: true });
        } else {
            found.push(Tag { range, name, is_closing });
        }
    }
    found
}

/// Returns the known name after a `<`, whether the tag is a closing one, and where the name ends.
fn name_at(bytes: &[u8], mut at: usize) -> Option<(&'static str, bool, usize)> {
    let blanks =
        |at: usize| bytes[at..].iter().take_while(|b| b.is_ascii_whitespace()).take(16).count();
    at += blanks(at);
    let is_closing = bytes.get(at) == Some(&b'/');
    if is_closing {
        at += 1;
        at += blanks(at);
    }
    let rest = &bytes[at..];
    let matches = |name: &&&str| {
        rest.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()))
            && rest.get(name.len()).is_some_and(|&b| ends_name(b))
    };
    let name = NAMES.iter().find(matches)?;
    Some((name, is_closing, at + name.len()))
}

fn ends_name(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/')
}

/// Detects private tags in decoded text that arrives in pieces. Finds every tag that [`strip`]
/// finds in the whole text, and may find more.
#[derive(Debug, Default)]
pub struct PrivateTagDetector {
    pub found: bool,
    state: TagState,
}

/// The part of a tag that the last bytes match.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum TagState {
    #[default]
    Text,
    /// `<`, then any blanks and slashes.
    Bracket,
    /// This many letters of the name.
    Name(usize),
}

impl PrivateTagDetector {
    pub fn scan(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.state == TagState::Text {
                let Some(n) = bytes.iter().position(|&b| b == b'<') else { return };
                bytes = &bytes[n..];
            }
            self.scan_byte(bytes[0]);
            bytes = &bytes[1..];
        }
    }

    fn scan_byte(&mut self, byte: u8) {
        let name = PRIVATE.as_bytes();
        let lower = byte.to_ascii_lowercase();
        self.state = match self.state {
            _ if byte == b'<' => TagState::Bracket,
            TagState::Bracket if byte == b'/' || byte.is_ascii_whitespace() => TagState::Bracket,
            TagState::Bracket if lower == name[0] => TagState::Name(1),
            TagState::Name(n) if n < name.len() && lower == name[n] => TagState::Name(n + 1),
            TagState::Name(n) if n == name.len() && ends_name(byte) => {
                self.found = true;
                TagState::Text
            }
            _ => TagState::Text,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn detects(text: &str) -> bool {
        let mut detector = PrivateTagDetector::default();
        detector.scan(text.as_bytes());
        detector.found
    }

    fn check(text: &str, rest: &str, private: bool) {
        let stripped = strip(text);
        assert_eq!((&*stripped.text, stripped.private), (rest, private), "{text:?}");
        assert!(detects(text) || !private, "{text:?}");
    }

    #[test]
    fn private_blocks_are_removed() {
        check("nothing special, a < b > c", "nothing special, a < b > c", false);
        check("a<private>b</private>c", "ac", true);
        check("a<PRIVATE class=\"x\">b</Private >c", "ac", true);
        check("a< private\n>b</ private>c", "ac", true);
        check("a<private>b<private>c</private>d</private>e", "ae", true);
        check("a<private>b</private>c<private>d</private>e", "ace", true);
        check("a<private>never closed", "a", true);
        check("a<private>b<private>c</private>d", "a", true);
        check("secret</private> open", " open", true);
        check("a<private>b</private>c</private>d", "d", true);
        check("a<private/>b", "ab", true);
        check("é<private>é</private>é", "éé", true);
        check("<privateer>b</privateer>", "<privateer>b</privateer>", false);
        check("<private without an end", "<private without an end", false);
        check("<private <b>", "<private <b>", false);
    }

    #[test]
    fn blocks_of_the_client_are_removed() {
        check("a<system-reminder>b</system-reminder>c", "ac", false);
        check("<system-reminder> is a tag", "<system-reminder> is a tag", false);
        check("and </system-reminder> ends it", "and </system-reminder> ends it", false);
        check("a<memctl-context v=1>b", "a", false);
        check("<system-reminder>a<private>b</system-reminder>c</private>d", "d", true);
        check("<local-command-stdout>x</local-command-stdout>", "", false);
        check(
            "<system-reminder>a<system-reminder>b</system-reminder>c",
            "<system-reminder>ac",
            false,
        );
    }

    #[test]
    fn a_text_is_wholly_private_if_nothing_else_is_left() {
        let check = |text: &str, expected| {
            assert_eq!(strip(text).wholly_private(), expected, "{text:?}");
        };
        check(" <private>all of it</private>\n", true);
        check("all of it</private>", true);
        check("a <private>b</private>", false);
        check("  ", false);
        check("<system-reminder>x</system-reminder>", false);
    }

    #[test]
    fn blocks_in_json_strings_are_removed() {
        fn check(raw: &str, expected: Option<&str>) {
            assert_eq!(strip_json(raw).as_deref(), expected, "{raw}");
        }
        check(r#"{"a":"x","n":1}"#, None);
        check(r#"{"a":"<b>x</b> \u003ci>"}"#, None);
        check(r#"{"a":"x<private>y</private>z","n":1}"#, Some(r#"{"a":"xz","n":1}"#));
        check(r#"{"a":"x\u003cprivate\u003ey"}"#, Some(r#"{"a":"x"}"#));
        check(r#"{"a":"x\u003Cprivate>\"y"}"#, Some(r#"{"a":"x"}"#));
        check(r#"{"a":"<private>\n<\/private>z"}"#, Some(r#"{"a":"z"}"#));
        check(r#"{"a":"<priv\u0061te>x"}"#, Some(r#"{"a":""}"#));
        check(r#"["-a","+<private>"," b","-</private>","c"]"#, Some(r#"["-a","+","","","c"]"#));
    }

    #[test]
    fn a_slash_command_is_read_as_typed() {
        let text = "<command-name>/compact</command-name>\n   <command-message>compact\
            </command-message>\n <command-args>keep the names</command-args>";
        assert_eq!(slash_command(text).as_deref(), Some("/compact keep the names"));
        assert_eq!(slash_command("<command-name>/a</command-name>").as_deref(), Some("/a"));
        assert_eq!(slash_command("why <command-name>?"), None);
    }

    proptest! {
        #[test]
        fn json_strings_are_stripped_like_texts(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("<private>"), Just("</private>"), Just("< Private x='<'>"), Just("é"),
                    Just("<system-reminder>"), Just("</system-reminder>"), Just("word "),
                    Just("<memctl-context>"), Just("</memctl-context>"), Just("<"), Just("private"),
                    Just("</"), Just(">"), Just("\n"), Just("\""),
                ],
                0..24,
            )
        ) {
            let text: String = parts.concat();
            let stripped = strip(&text);
            prop_assert!(detects(&text) || !stripped.private);
            let raw = format!("{{\"a\":{}}}", serde_json::to_string(&text).unwrap());
            let json = strip_json(&raw).unwrap_or(raw);
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(value["a"].as_str().unwrap(), &*stripped.text);
        }

        /// Nested blocks, with words inside and outside.
        #[test]
        fn no_private_text_is_left(steps in proptest::collection::vec(0u8..4, 0..40)) {
            let (mut text, mut depth, mut expected) = (String::new(), 0, String::new());
            for step in steps {
                match step {
                    0 => {
                        text.push_str("<private>");
                        depth += 1;
                    }
                    1 if depth > 0 => {
                        text.push_str("</private>");
                        depth -= 1;
                    }
                    _ if depth > 0 => text.push_str("hidden <b>"),
                    _ => {
                        text.push_str("shown <b>");
                        expected.push_str("shown <b>");
                    }
                }
            }
            prop_assert_eq!(&*strip(&text).text, expected);
        }
    }
}
