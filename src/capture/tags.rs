//! Removes tagged blocks: `<private>…</private>`, which the user writes, and blocks that the client or
//! memctl inserts. A regular expression is not enough, because tags nest and either tag of a pair may
//! be missing.
//!
//! JSON and HTML inside of a text write a bracket as `\u003c` or `&lt;`. Such a tag counts too. So does
//! one that a [`PlainView`] shows.

use std::borrow::Cow;
use std::ops::Range;

use super::json::{self, Edit};
use super::json_text::JsonText;
use super::plain_view::{self, PlainView, Reads};
use crate::text::bytes::{contains, memchr_iter, memchr2_iter};

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
    /// Private text was removed, and nothing else is left but what the client added to it.
    pub fn wholly_private(&self) -> bool {
        self.private && !without_client_text(&self.text).contains(char::is_alphanumeric)
    }
}

/// Removes all blocks from a text.
pub fn strip(text: &str) -> Stripped<'_> {
    let blocks = find(text);
    let private = blocks.iter().any(|block| block.is_private());
    let edits = removals(blocks.into_iter().map(|block| block.range).collect());
    let text = if edits.is_empty() { text.into() } else { json::apply(text, &edits).into() };
    Stripped { text, private }
}

/// Removes all blocks from the keys, strings and numbers of a JSON text, which count as one text.
/// Returns `None` if there are none.
///
/// A block of which one tag is missing reaches to the end, or begins at the start, of the whole. Then
/// the paths of files stay: a tool's arguments have the path before or after the text with the tag.
pub fn strip_json(raw: &str) -> Option<String> {
    if !may_have_tags(raw) {
        return None;
    }
    let json = JsonText::new(raw);
    let ranges = find(&json.text).into_iter().flat_map(|block| parts_of(&json, block));
    json.apply(&removals(ranges.collect()))
}

/// The parts of a JSON text that a block covers.
fn parts_of(json: &JsonText, block: Block) -> Vec<Range<usize>> {
    match block.has_both_tags {
        true => vec![block.range],
        false => json.without_paths(&block.range),
    }
}

/// Whether a JSON text has a private tag.
pub fn has_private_json(raw: &str) -> bool {
    may_have_tags(raw) && find(&JsonText::new(raw).text).iter().any(Block::is_private)
}

/// The private parts of a text, and the rest of it. `None` if there are none.
pub fn split(text: &str) -> Option<(String, String)> {
    let blocks = find(text).into_iter().filter(Block::is_private);
    split_at(text, blocks.map(|block| block.range).collect())
}

/// The same for the keys, strings and numbers of a JSON text.
pub fn split_json(raw: &str) -> Option<(String, String)> {
    if !may_have_tags(raw) {
        return None;
    }
    let json = JsonText::new(raw);
    let blocks = find(&json.text).into_iter().filter(Block::is_private);
    split_at(&json.text, blocks.flat_map(|block| parts_of(&json, block)).collect())
}

fn split_at(text: &str, private: Vec<Range<usize>>) -> Option<(String, String)> {
    let edits = removals(private);
    if edits.is_empty() {
        return None;
    }
    let private: Vec<&str> = edits.iter().map(|edit| &text[edit.range.clone()]).collect();
    Some((without_tags(&private.join("\n")), json::apply(text, &edits)))
}

fn without_tags(text: &str) -> String {
    json::apply(text, &removals(tags(text).into_iter().map(|tag| tag.range).collect()))
}

/// Removes what a client adds to a typed prompt: `[Image #1]`, and blocks such as
/// `<ide_selection>…</ide_selection>`, whose names have a `_` or a `-`.
fn without_client_text(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '[']) {
        let (before, from) = rest.split_at(at);
        kept.push_str(before);
        rest = after_image(from).or_else(|| after_block(from)).unwrap_or_else(|| {
            kept.push_str(&from[..1]);
            &from[1..]
        });
    }
    kept + rest
}

fn after_image(text: &str) -> Option<&str> {
    let (number, rest) = text.strip_prefix("[Image #")?.split_once(']')?;
    number.bytes().all(|b| b.is_ascii_digit()).then_some(rest)
}

fn after_block(text: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let (name, _) = text.strip_prefix('<')?.split_once(|c: char| !is_part(c))?;
    let is_known = name.len() <= 64 && name.contains(['_', '-']);
    let (_, rest) = text.split_once(&format!("</{name}>")).filter(|_| is_known)?;
    Some(rest)
}

/// Whether the decoded strings of a JSON text may have tags. May return true for other texts.
pub fn may_have_tags(raw: &str) -> bool {
    let begins_tag = |after: usize| {
        let is_skipped = |b: &u8| b.is_ascii_whitespace() || *b == b'/';
        let rest = &raw.as_bytes()[after..];
        let rest = &rest[rest.iter().take_while(|b| is_skipped(b)).take(32).count()..];
        let has_name = |name: &str| {
            rest.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()))
        };
        // An escape may be a blank, a slash or a letter of the name. In an array, the next string may
        // have the rest of the tag.
        rest.first().is_none_or(|b| b"\\\"".contains(b))
            || NAMES.into_iter().any(has_name)
            || rest[..rest.len().min(32)].windows(2).any(|pair| pair == b"\\u")
    };
    let bytes = raw.as_bytes();
    let escaped = |at: usize, form: &[u8], len: usize| {
        bytes[at..].starts_with(form) && raw.len() > at + len && begins_tag(at + len)
    };
    let is_tag = |at: usize| match bytes[at] {
        b'<' => begins_tag(at + 1),
        _ => escaped(at, b"&lt;", 4),
    };
    // Each line of an output ends with a backslash and `n`, so backslashes are looked at only if there is
    // another escape.
    memchr2_iter(b'<', b'&', bytes).any(is_tag)
        || plain_view::has_brackets(bytes)
        || contains(bytes, b"<") && plain_view::may_differ(raw, Reads::Words)
        || contains(bytes, b"\\u003")
            && memchr_iter(b'\\', bytes).any(|at| escaped(at, b"\\u003", 6))
}

struct Tag {
    range: Range<usize>,
    name: &'static str,
    is_closing: bool,
}

/// A tagged block with its tags.
struct Block {
    name: &'static str,
    range: Range<usize>,
    has_both_tags: bool,
}

impl Block {
    fn is_private(&self) -> bool {
        self.name == PRIVATE
    }
}

fn find(text: &str) -> Vec<Block> {
    let tags = tags(text);
    let mut found = Vec::new();
    if tags.is_empty() {
        return found;
    }
    for name in NAMES {
        let same_name: Vec<&Tag> = tags.iter().filter(|t| t.name == name).collect();
        blocks(name, &same_name, text.len(), &mut found);
    }
    found
}

/// Returns edits that remove these ranges, in order and merged.
fn removals(mut ranges: Vec<Range<usize>>) -> Vec<Edit> {
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
    edits
}

/// Adds the blocks of one name to `found`.
///
/// - An opening tag of a private block or of our own block without a closing tag begins a block that
///   reaches to the end of the text, because the text may have been truncated there.
/// - A closing private tag without an opening tag makes everything before it private.
/// - Any other tag without its counterpart is plain text.
fn blocks(name: &'static str, tags: &[&Tag], end: usize, found: &mut Vec<Block>) {
    let open_ended = name == PRIVATE || name == OWN;
    let mut open: Vec<usize> = Vec::new();
    let mut add = |range, has_both_tags| found.push(Block { name, range, has_both_tags });
    for tag in tags {
        match (tag.is_closing, open.pop()) {
            (false, outer) => {
                open.extend(outer);
                open.push(tag.range.start);
            }
            (true, Some(start)) => add(start..tag.range.end, true),
            (true, None) if name == PRIVATE => add(0..tag.range.end, false),
            (true, None) => {}
        }
    }
    match open.first() {
        Some(&start) if open_ended => add(start..end, false),
        _ => {}
    }
}

fn tags(text: &str) -> Vec<Tag> {
    let Some(view) = PlainView::of(text, Reads::Tags) else { return tags_as_written(text) };
    // The view has each tag as written too, except escapes that the view does not read.
    let mut tags = tags_as_written(&view.text);
    for tag in &mut tags {
        tag.range = view.original(&tag.range);
    }
    tags
}

fn tags_as_written(text: &str) -> Vec<Tag> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(n) = text[at..].find(['<', '\\', '&']) {
        let start = at + n;
        at = start + 1;
        let Some((b'<', inner)) = bracket(bytes, start) else { continue };
        let Some((name, is_closing, after)) = name_at(bytes, inner) else { continue };
        let Some((end, next)) = closing_bracket(bytes, after) else { continue };
        let range = start..next;
        at = next;
        // `<private/>` is an empty block.
        if end > after && bytes[end - 1] == b'/' && !is_closing {
            found.push(Tag { range: range.clone(), name, is_closing: false });
            found.push(Tag { range, name, is_closing: true });
        } else {
            found.push(Tag { range, name, is_closing });
        }
    }
    found
}

/// The bracket at a position, `<` or `>`, and the position after it.
fn bracket(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let rest = &bytes[at..];
    let starts = |forms: [&str; 2]| {
        let form = forms.into_iter().find(|form| rest.starts_with(form.as_bytes()))?;
        Some(at + form.len())
    };
    match rest.first()? {
        b'<' | b'>' => Some((rest[0], at + 1)),
        b'&' => match rest.get(..4)? {
            b"&lt;" => Some((b'<', at + 4)),
            b"&gt;" => Some((b'>', at + 4)),
            _ => None,
        },
        b'\\' => {
            let less = starts(["\\u003c", "\\u003C"]).map(|next| (b'<', next));
            less.or_else(|| starts(["\\u003e", "\\u003E"]).map(|next| (b'>', next)))
        }
        _ => None,
    }
}

/// The position of the bracket that ends a tag, and the position after it. `None` if another tag begins
/// before it, or none is near.
fn closing_bracket(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let candidates = from..bytes.len().min(from + MAX_ATTRIBUTES);
    let mut brackets = candidates.filter_map(|at| Some((at, bracket(bytes, at)?)));
    match brackets.next()? {
        (at, (b'>', next)) => Some((at, next)),
        _ => None,
    }
}

/// Returns the known name after a bracket, whether the tag is a closing one, and where the name ends.
fn name_at(bytes: &[u8], mut at: usize) -> Option<(&'static str, bool, usize)> {
    let blanks =
        |at: usize| bytes[at..].iter().take_while(|b| b.is_ascii_whitespace()).take(16).count();
    at += blanks(at);
    // JSON may write a slash as `\/`.
    let backslashes = bytes[at..].iter().take_while(|b| **b == b'\\').take(4).count();
    let is_closing = bytes.get(at + backslashes) == Some(&b'/');
    if is_closing {
        at += backslashes + 1;
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

/// Whether a byte may follow the name. `\` and `&` may begin a bracket.
fn ends_name(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b">/\\&".contains(&byte)
}

/// Detects private tags in decoded text that arrives in pieces. Finds every tag that [`strip`]
/// finds in the whole text, except those that only a [`PlainView`] shows, and may find more.
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
    /// This many bytes of one of the [`ESCAPED`] brackets.
    Escape(usize, usize),
    /// A bracket, then any blanks, slashes and backslashes.
    Bracket,
    /// This many letters of the name.
    Name(usize),
}

/// Brackets that are not written as `<`, in lower case.
const ESCAPED: [&[u8]; 2] = [b"\\u003c", b"&lt;"];

impl PrivateTagDetector {
    pub fn scan(&mut self, mut bytes: &[u8]) {
        let may_begin = |b: &u8| (*b == b'<') | (*b == b'\\') | (*b == b'&');
        while !bytes.is_empty() {
            if self.state == TagState::Text {
                let Some(n) = bytes.iter().position(may_begin) else { return };
                bytes = &bytes[n..];
            }
            self.scan_byte(bytes[0]);
            bytes = &bytes[1..];
        }
    }

    fn scan_byte(&mut self, byte: u8) {
        let name = PRIVATE.as_bytes();
        let lower = byte.to_ascii_lowercase();
        let begin = ESCAPED.iter().position(|form| form[0] == byte);
        let begin = begin.map_or(TagState::Text, |form| TagState::Escape(form, 1));
        self.state = match self.state {
            TagState::Name(n) if n == name.len() && ends_name(byte) => {
                self.found = true;
                TagState::Text
            }
            _ if byte == b'<' => TagState::Bracket,
            TagState::Escape(form, n) if ESCAPED[form][n] == lower => {
                if n + 1 == ESCAPED[form].len() {
                    TagState::Bracket
                } else {
                    TagState::Escape(form, n + 1)
                }
            }
            // JSON may write a slash as `\/`.
            TagState::Escape(_, 1) if byte == b'/' => TagState::Bracket,
            TagState::Bracket if byte == b'/' || byte.is_ascii_whitespace() => TagState::Bracket,
            TagState::Bracket if lower == name[0] => TagState::Name(1),
            TagState::Name(n) if n < name.len() && lower == name[n] => TagState::Name(n + 1),
            _ => begin,
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

    #[test]
    fn tags_in_other_spellings_are_private() {
        for (open, close) in [
            ("&#60;private&#62;", "&#60;/private&#62;"),
            ("&#x3c;private&#x3E;", "&#x3c;&#47;private&#x3E;"),
            ("%3Cprivate%3E", "%3C%2Fprivate%3E"),
            ("\u{ff1c}private\u{ff1e}", "\u{ff1c}\u{ff0f}private\u{ff1e}"),
            ("<pri\u{200b}vate>", "</pri\u{200b}vate>"),
            ("<\u{1b}[1mprivate\u{1b}[0m>", "</private>"),
        ] {
            let stripped = strip(&format!("a {open}secret{close} b")).text.into_owned();
            assert_eq!(stripped, "a  b", "{open}");
            let raw = serde_json::json!({ "x": format!("a {open}secret{close} b") }).to_string();
            assert_eq!(strip_json(&raw).as_deref(), Some(r#"{"x":"a  b"}"#), "{open}");
        }
        assert_eq!(
            strip("a %3C b &#60; \u{ff1c}c\u{ff1e} \u{200b}").text,
            "a %3C b &#60; \u{ff1c}c\u{ff1e} \u{200b}"
        );
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
    fn tags_in_json_and_html_inside_of_a_text_count() {
        check(r"a\u003cprivate\u003eb\u003C/private\u003Ec", "ac", true);
        check(r"a\\u003cprivate>b<\/private\\u003ec", r"a\c", true);
        check("a&lt;private&gt;b&lt;/private&gt;c", "ac", true);
        check(r"<\u003cprivate>b", "<", true);
        check(r"a \u003d <b>&lt;i&gt;", r"a \u003d <b>&lt;i&gt;", false);
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
        check("<private>a</private>, <private>b</private>.", true);
        check("[Image #1] <private>what is this?</private> [Image #12]", true);
        check("<ide_opened_file>The user opened x.</ide_opened_file>\n<private>a</private>", true);
        check("<private>a</private><ide_selection>x\n<b></ide_selection>\u{1f600}", true);
        check("<system-reminder>x</system-reminder><private>a</private>", true);
        check("a <private>b</private>", false);
        check("[Image #1] <private>a</private> [Image]", false);
        check("<private>a</private> <b>c</b>", false);
        check("<private>a</private> <my-tag>c", false);
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
        check(r#"{"a":"<priv","b":"ate>"}"#, None);
        check(r#"{"a":["x <","private>y"]}"#, Some(r#"{"a":["x ",""]}"#));
        check(r#"{"a":"x<\n  private>y"}"#, Some(r#"{"a":"x"}"#));
        check(r#"{"a":"{\"b\":\"\\u003cprivate\\u003ey\"}"}"#, Some(r#"{"a":"{\"b\":\""}"#));
    }

    #[test]
    fn the_parts_of_a_json_text_are_one_text() {
        fn check(raw: &str, expected: &str) {
            assert_eq!(strip_json(raw).as_deref(), Some(expected), "{raw}");
        }
        check(
            r#"[{"type":"text","text":"a <private>b"},{"type":"text","text":"c"},{"type":"text","text":"d</private> e"}]"#,
            r#"[{"type":"text","text":"a "},{"type":"","text":""},{"type":"","text":" e"}]"#,
        );
        check(r#"{"pin <private>":4711,"x</private>":"y"}"#, r#"{"pin ":null,"":"y"}"#);
        check(
            r#"{"stdout":"a<private>b","stderr":"c","code":7}"#,
            r#"{"stdout":"a","stderr":"","code":null}"#,
        );
        check(r#"{"stdout":"a","stderr":"b</private>c"}"#, r#"{"stdout":"","stderr":"c"}"#);
        // Only a block with both tags covers the path of a file.
        check(
            r#"{"file_path":"/p/a.md","content":"b</private>c<private>d","more":"e"}"#,
            r#"{"file_path":"/p/a.md","content":"c","":""}"#,
        );
        check(
            r#"{"a":"<private>","file_path":"/p/a.md","b":"</private>"}"#,
            r#"{"a":"","file_path":"","":""}"#,
        );
        check(
            r#"{"file_path":"/p/<private>a","content":"b"}"#,
            r#"{"file_path":"/p/","content":""}"#,
        );
    }

    #[test]
    fn private_parts_are_split_from_the_rest() {
        let split = |text: &str| split(text).unwrap();
        let pair = |private: &str, rest: &str| (private.to_owned(), rest.to_owned());
        assert_eq!(split("a<private>b<private>c</private></private>d"), pair("bc", "ad"));
        assert_eq!(
            split("a</private>b<system-reminder>c<private>d"),
            pair("a\nd", "b<system-reminder>c")
        );
        assert_eq!(super::split("a<system-reminder>b</system-reminder>"), None);
        let raw = r#"{"k":"<private>v","file_path":"/p","n":1}"#;
        assert_eq!(split_json(raw), Some(pair("v\n\n\nn\n1\n", "k\n/p")));
    }

    proptest! {
        #[test]
        fn json_strings_are_stripped_like_texts(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("<private>"), Just("</private>"), Just("< Private x='<'>"), Just("é"),
                    Just("<system-reminder>"), Just("</system-reminder>"), Just("word "),
                    Just("<memctl-context>"), Just("</memctl-context>"), Just("<"), Just("private"),
                    Just("</"), Just(">"), Just("\n"), Just("\""), Just("\\"), Just("\\u003c"),
                    Just("&lt;"), Just("\\u003E"), Just("/"),
                ],
                0..24,
            )
        ) {
            let text: String = parts.concat();
            let stripped = strip(&text);
            prop_assert!(detects(&text) || !stripped.private);
            let raw = format!("{{\"text\":{}}}", serde_json::to_string(&text).unwrap());
            let json = strip_json(&raw).unwrap_or(raw);
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(value["text"].as_str().unwrap(), &*stripped.text);
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
