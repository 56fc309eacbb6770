//! Finds and changes the strings of a JSON text. Builds no values, because most of a payload is never
//! used.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::text::bytes::{memchr, memchr2};

/// Replaces `range` of a text by `with`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub range: Range<usize>,
    pub with: &'static str,
}

/// A string value (never a key) inside a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The part between the quotes, still escaped.
    pub inner: Range<usize>,
    /// The strings that are direct elements of one array form a group. Any other string is a
    /// group of its own.
    group: usize,
}

/// A key, a string or a number of a JSON text.
#[derive(Clone, Debug)]
pub struct Value {
    pub kind: Kind,
    /// The position, without the quotes. Strings and keys are still escaped.
    pub range: Range<usize>,
    /// The key before the value. Elements of an array have the key of the array.
    pub key: Option<Range<usize>>,
    /// The value of a sibling `name`, if this is the sibling `value`: `{"name": …, "value": …}`.
    pub named: Option<Range<usize>>,
    /// The position of the array of which the value is a direct element.
    pub array: Option<usize>,
}

/// What a part of a JSON text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Key,
    String,
    Number,
}

/// An open array or object.
struct Container {
    /// The position of an array.
    array: Option<usize>,
    /// The key of the container.
    key: Option<Range<usize>>,
    /// The key before the next value.
    last_key: Option<Range<usize>>,
    /// The value of the member `name` or `key`.
    name: Option<Range<usize>>,
}

impl Container {
    /// The key of the next value.
    fn take_key(&mut self) -> Option<Range<usize>> {
        match self.array {
            Some(_) => self.key.clone(),
            None => self.last_key.take(),
        }
    }

    /// The name of a value with this key, if there is one. Remembers the value if it is a name itself.
    fn name_of(&mut self, key: &str, value: &Range<usize>) -> Option<Range<usize>> {
        let is_one = |names: &[&str]| names.iter().any(|name| key.eq_ignore_ascii_case(name));
        if is_one(&["name", "key", "header", "variable"]) {
            self.name = Some(value.clone());
        } else if is_one(&["value", "default", "current"]) {
            return self.name.clone();
        }
        None
    }
}

/// Returns the number of leading bytes that need no escape inside a string. A quote, a backslash or a
/// control character ends the run.
pub fn plain_run(bytes: &[u8]) -> usize {
    // A limit for the search, because a control character may end each run early.
    const MAX_SEARCH: usize = 256;
    let is_control = |b: &u8| *b < 0x20;
    let mut done = 0;
    for chunk in bytes.chunks(MAX_SEARCH) {
        let end = memchr2(b'"', b'\\', chunk);
        let run = &chunk[..end.unwrap_or(chunk.len())];
        // The compiler can vectorize this test, because it has no early exit.
        if run.iter().fold(false, |any, b| any | is_control(b)) {
            return done + run.iter().position(is_control).unwrap_or(run.len());
        }
        done += run.len();
        if end.is_some() {
            break;
        }
    }
    done
}

/// Returns all string values of a valid JSON text in order.
pub fn leaves(raw: &str) -> Vec<Leaf> {
    let mut found = Vec::new();
    scan(raw, |value| {
        if value.kind == Kind::String {
            let group = value.array.unwrap_or(value.range.start);
            found.push(Leaf { inner: value.range, group });
        }
    });
    found
}

/// Calls `visit` for each key, string and number of a valid JSON text in order.
pub fn scan(raw: &str, mut visit: impl FnMut(Value)) {
    let bytes = raw.as_bytes();
    let mut open: Vec<Container> = Vec::new();
    let (mut is_key, mut at) = (false, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at + 1);
                let range = at + 1..end;
                if is_key {
                    if let Some(object) = open.last_mut() {
                        object.last_key = Some(range.clone());
                    }
                    visit(Value { kind: Kind::Key, range, key: None, named: None, array: None });
                } else {
                    visit(value(raw, Kind::String, range, open.last_mut()));
                }
                at = end;
            }
            first @ (b'{' | b'[') => {
                let key = open.last_mut().and_then(Container::take_key);
                let array = (first == b'[').then_some(at);
                open.push(Container { array, key, last_key: None, name: None });
                is_key = first == b'{';
            }
            b'}' | b']' => drop(open.pop()),
            b',' => is_key = open.last().is_some_and(|container| container.array.is_none()),
            b':' => is_key = false,
            b'-' | b'0'..=b'9' => {
                let is_part = |b: &&u8| b.is_ascii_digit() || b"+-.eE".contains(b);
                let end = at + bytes[at..].iter().take_while(is_part).count();
                visit(value(raw, Kind::Number, at..end, open.last_mut()));
                at = end - 1;
            }
            _ => {}
        }
        at += 1;
    }
}

fn value(raw: &str, kind: Kind, range: Range<usize>, parent: Option<&mut Container>) -> Value {
    let mut value = Value { kind, range, key: None, named: None, array: None };
    if let Some(parent) = parent {
        value.array = parent.array;
        value.key = parent.take_key();
        if let Some(key) = value.key.as_ref().filter(|_| parent.array.is_none()) {
            value.named = parent.name_of(&raw[key.clone()], &value.range);
        }
    }
    value
}

/// Returns the position of the closing quote of a string that begins at `start`, or `bytes.len()` if
/// there is none.
pub fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(n) = bytes.get(at..).and_then(|rest| memchr(b'"', rest)) {
        let quote = at + n;
        let n_backslashes = bytes[start..quote].iter().rev().take_while(|b| **b == b'\\').count();
        if n_backslashes % 2 == 0 {
            return quote;
        }
        at = quote + 1;
    }
    bytes.len()
}

/// Decodes the inside of a JSON string.
pub fn unescape(inner: &str) -> String {
    serde_json::from_str(&format!("\"{inner}\"")).unwrap_or_else(|_| inner.to_owned())
}

/// Decodes a key, a string or a number at `range` of a JSON text, as [`scan`] returns it.
pub fn decode<'a>(raw: &'a str, range: &Range<usize>) -> Cow<'a, str> {
    let inner = &raw[range.clone()];
    if memchr(b'\\', inner.as_bytes()).is_none() {
        return inner.into();
    }
    let quoted = range.start.checked_sub(1).and_then(|start| raw.get(start..range.end + 1));
    let decoded = quoted.and_then(|quoted| serde_json::from_str(quoted).ok());
    decoded.map_or(Cow::Borrowed(inner), Cow::Owned)
}

/// Encodes `text` as the inside of a JSON string.
pub fn escape(text: &str) -> String {
    // Growing the buffer would copy a long text several times.
    let mut quoted = Vec::with_capacity(2 + text.len() * 9 / 8);
    serde_json::to_writer(&mut quoted, text).expect("a string always serializes");
    quoted.pop();
    quoted.remove(0);
    String::from_utf8(quoted).expect("JSON is text")
}

/// The length of [`escape`]'s result.
pub fn escaped_len(text: &str) -> usize {
    let more = |b: u8| match b {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.len() + text.bytes().map(more).sum::<usize>()
}

/// Applies `edits`, which are in order and do not overlap.
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let parts: Vec<_> = edits.iter().map(|edit| (edit.range.clone(), edit.with)).collect();
    replace(text, &parts)
}

/// Replaces each range by its text. The ranges are in order and do not overlap.
pub fn replace(raw: &str, parts: &[(Range<usize>, impl AsRef<str>)]) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut at = 0;
    for (range, text) in parts {
        out.push_str(&raw[at..range.start]);
        out.push_str(text.as_ref());
        at = range.end;
    }
    out + &raw[at..]
}

/// Changes the string values of a JSON text. Returns `None` if nothing changed.
///
/// `find` gets decoded strings. It gets the strings of one array joined as the lines of one text: a
/// patch is such an array, and a block may begin in one of its lines and end in another. `find` is
/// called only if `suspect` is true for one of the strings, which are still escaped then.
pub fn rewrite(
    raw: &str,
    suspect: impl Fn(&str) -> bool,
    find: impl Fn(&str) -> Vec<Edit>,
) -> Option<String> {
    let mut groups: BTreeMap<usize, Vec<Range<usize>>> = BTreeMap::new();
    for leaf in leaves(raw) {
        groups.entry(leaf.group).or_default().push(leaf.inner);
    }
    let mut changed: Vec<(Range<usize>, String)> = Vec::new();
    for group in groups.into_values() {
        if !group.iter().any(|inner| suspect(&raw[inner.clone()])) {
            continue;
        }
        let texts: Vec<Cow<str>> = group.iter().map(|inner| decode(raw, inner)).collect();
        let edits = find(&texts.join("\n"));
        let mut rest = &edits[..];
        let mut start = 0;
        for (inner, text) in group.into_iter().zip(&texts) {
            let end = start + text.len();
            let edits_here = within(&mut rest, start..end);
            if !edits_here.is_empty() {
                changed.push((inner, escape(&apply(text, &edits_here))));
            }
            start = end + 1;
        }
    }
    if changed.is_empty() {
        return None;
    }
    changed.sort_by_key(|(range, _)| range.start);
    Some(replace(raw, &changed))
}

/// Returns the parts of `edits` inside `range`, relative to its start. The replacement text of an edit
/// is inserted where the edit begins. Removes the edits from `edits` that end before the next range,
/// so that a caller with many ranges in order reads each edit only a few times.
pub fn within(edits: &mut &[Edit], range: Range<usize>) -> Vec<Edit> {
    let inside = |edit: &Edit| {
        let (start, end) = (edit.range.start.max(range.start), edit.range.end.min(range.end));
        let begins_here = range.contains(&edit.range.start) || edit.range.start == range.end;
        let with = if begins_here { edit.with } else { "" };
        let part = start.checked_sub(range.start)?..end.checked_sub(range.start)?;
        (part.start < part.end || (part.start == part.end && !with.is_empty()))
            .then_some(Edit { range: part, with })
    };
    let n_begun = edits.iter().take_while(|edit| edit.range.start <= range.end).count();
    let n_done = edits.iter().take_while(|edit| edit.range.end <= range.end).count();
    let parts = edits[..n_begun].iter().filter_map(inside).collect();
    *edits = &edits[n_done..];
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_run_ends_at_a_special_byte() {
        let plain = "aZ !~\u{7f}é😀".repeat(7);
        assert_eq!(plain_run(plain.as_bytes()), plain.len());
        for special in ["\"", "\\", "\n", "\0", "\u{1f}"] {
            for at in (0..plain.len()).filter(|&at| plain.is_char_boundary(at)) {
                let text = [&plain[..at], special, &plain[at..]].concat();
                assert_eq!(plain_run(text.as_bytes()), at, "{text:?}");
            }
        }
    }

    #[test]
    fn keys_strings_and_numbers_are_decoded() {
        let raw = r#"{"\u0061":"x\n\"y\"","b":[-1.5e3,"plain é"]}"#;
        let mut decoded = Vec::new();
        scan(raw, |value| decoded.push(decode(raw, &value.range).into_owned()));
        assert_eq!(decoded, ["a", "x\n\"y\"", "b", "-1.5e3", "plain é"]);
        for broken in [r#""a\"#, r#""\u12"#, r#""a\x""#] {
            scan(broken, |value| assert_eq!(decode(broken, &value.range), &broken[value.range]));
        }
    }

    #[test]
    fn names_of_siblings_and_keys_of_arrays_are_known() {
        let raw = r#"{"env":[{"name":"A","value":"x"},{"k":1}],"args":["y",["z"]]}"#;
        let mut found = Vec::new();
        scan(raw, |value| {
            let text = |range: Option<Range<usize>>| range.map_or("", |range| &raw[range]);
            if value.kind != Kind::Key {
                found.push((&raw[value.range], text(value.key), text(value.named)));
            }
        });
        let expected = [
            ("A", "name", ""),
            ("x", "value", "A"),
            ("1", "k", ""),
            ("y", "args", ""),
            ("z", "args", ""),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_direct_strings_of_an_array_form_a_group() {
        let raw = r#"{"a":"x","b":["y",{"c":"z"},"w"],"d":[["v\"]"]],"e":1}"#;
        let texts: Vec<_> = leaves(raw).iter().map(|l| &raw[l.inner.clone()]).collect();
        assert_eq!(texts, ["x", "y", "z", "w", "v\\\"]"]);
        let groups: Vec<_> = leaves(raw).iter().map(|l| l.group).collect();
        assert_eq!(
            [groups[1], groups[0], groups[2], groups[4]].map(|g| g == groups[3]),
            [true, false, false, false]
        );
        assert_eq!(leaves(r#""just a string""#)[0].inner, 1..14);
    }

    #[test]
    fn an_edit_spans_the_strings_of_an_array() {
        let find = |text: &str| match (text.find('<'), text.find('>')) {
            (Some(a), Some(b)) => vec![Edit { range: a..b + 1, with: "#" }],
            _ => vec![],
        };
        let check = |raw: &str, expected: Option<&str>| {
            assert_eq!(rewrite(raw, |_| true, find).as_deref(), expected, "{raw}");
        };
        check(r#"["a<b","\n","c>d"]"#, Some(r##"["a#","","d"]"##));
        check(r#"{"x":"<\"é>","<":">"}"#, Some(r##"{"x":"#","<":">"}"##));
        check(r#"["<",["x"],">"]"#, Some(r##"["#",["x"],""]"##));
        check(r#"{"x":"<","y":">"}"#, None);
    }

    #[test]
    fn many_edits_take_linear_time() {
        let every = |text: &str| {
            let edit = |(at, _)| Edit { range: at..at + 1, with: "" };
            text.match_indices('<').map(edit).collect()
        };
        let raw = format!("[{}\"\"]", "\"a<b\",".repeat(300_000));
        let expected = raw.replace('<', "");
        assert_eq!(rewrite(&raw, |_| true, every), Some(expected));
    }

    #[test]
    fn escaped_len_is_the_length_of_escape() {
        for text in ["", "plain", "\"\\\n\t\r\u{8}\u{c}\0\u{1f}\u{7f}é"] {
            assert_eq!(escaped_len(text), escape(text).len(), "{text:?}");
            assert_eq!(unescape(&escape(text)), text);
        }
    }
}
