//! What the others here need to know about the text of JSON: where its strings are, where an
//! escaped string may be cut, how a string is changed in place, and how text that no parser
//! takes is made valid. No values are built, for most of a payload is never looked at.

use std::collections::HashMap;
use std::ops::Range;

/// A change of a text: what stands in `range` becomes `with`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub range: Range<usize>,
    pub with: &'static str,
}

/// A string value (never a key) inside a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Between the quotes, still escaped.
    pub inner: Range<usize>,
    /// Number of the array whose direct element it is.
    pub array: Option<u32>,
}

/// How many bytes from the start stand for themselves inside a string: no quote, no backslash,
/// no control character.
pub fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    // The lowest bit that is set belongs to a byte that is zero; higher ones may be wrong.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let mut done = 0;
    for eight in bytes.chunks_exact(8) {
        let word = u64::from_le_bytes(eight.try_into().expect("eight bytes"));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let quote = zeros(word ^ (ONES * b'"' as u64));
        let backslash = zeros(word ^ (ONES * b'\\' as u64));
        let special = (control | quote | backslash) & (ONES << 7);
        if special != 0 {
            return done + special.trailing_zeros() as usize / 8;
        }
        done += 8;
    }
    let special = |b: &u8| *b == b'"' || *b == b'\\' || *b < 0x20;
    done + bytes[done..].iter().position(special).unwrap_or(bytes.len() - done)
}

/// All string values of a valid JSON text, in order.
pub fn leaves(raw: &str) -> Vec<Leaf> {
    let bytes = raw.as_bytes();
    let mut found = Vec::new();
    // Of each open container: its number when it is an array.
    let mut open: Vec<Option<u32>> = Vec::new();
    let (mut n_arrays, mut is_key, mut at) = (0, false, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at + 1);
                if !is_key {
                    found.push(Leaf { inner: at + 1..end, array: open.last().copied().flatten() });
                }
                at = end;
            }
            b'{' => {
                open.push(None);
                is_key = true;
            }
            b'[' => {
                open.push(Some(n_arrays));
                n_arrays += 1;
                is_key = false;
            }
            b'}' | b']' => drop(open.pop()),
            b',' => is_key = matches!(open.last(), Some(None)),
            b':' => is_key = false,
            _ => {}
        }
        at += 1;
    }
    found
}

/// Where the closing quote of a string is that begins at `at`; the end when there is none.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at += plain_run(&bytes[at.min(bytes.len())..]);
        match bytes.get(at) {
            None => return bytes.len(),
            Some(b'"') => return at,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

/// The text of an escaped string, without its quotes.
pub fn unescape(inner: &str) -> String {
    serde_json::from_str(&format!("\"{inner}\"")).unwrap_or_else(|_| inner.to_owned())
}

/// `text` as the inside of a JSON string.
pub fn escape(text: &str) -> String {
    let mut quoted = serde_json::to_string(text).expect("a string");
    quoted.pop();
    quoted.remove(0);
    quoted
}

/// How many bytes `text` has as the inside of a JSON string.
pub fn escaped_len(text: &str) -> usize {
    let more = |b: u8| match b {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.len() + text.bytes().map(more).sum::<usize>()
}

/// Whether an escaped string may be divided at `at`: not inside a character, an escape, or a
/// pair of surrogates.
pub fn is_boundary(inner: &[u8], at: usize) -> bool {
    if at == 0 || at >= inner.len() {
        return true;
    }
    if inner[at] & 0xC0 == 0x80 {
        return false;
    }
    let inside = (at.saturating_sub(5)..at)
        .any(|i| begins_escape(inner, i) && i + escape_len(&inner[i..]) > at);
    let pair = at >= 6
        && surrogate(&inner[at..]).is_some_and(|d| d >= 12)
        && surrogate(&inner[at - 6..]).is_some_and(|d| d < 12)
        && begins_escape(inner, at - 6);
    !inside && !pair
}

/// Whether the backslash at `at` begins an escape, and is not itself escaped.
pub fn begins_escape(inner: &[u8], at: usize) -> bool {
    inner[at] == b'\\'
        && inner[..at].iter().rev().take_while(|&&b| b == b'\\').count().is_multiple_of(2)
}

fn escape_len(escape: &[u8]) -> usize {
    if escape.get(1) == Some(&b'u') { 6 } else { 2 }
}

/// Of an escape `\udXYZ` the X: 8 to 11 in the first half of a pair, 12 to 15 in the second.
pub fn surrogate(text: &[u8]) -> Option<u32> {
    match text {
        [b'\\', b'u', b'd' | b'D', third, ..] => (*third as char).to_digit(16).filter(|d| *d > 7),
        _ => None,
    }
}

/// Carries out `edits`, which are in order and do not overlap.
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        out.push_str(&text[at..edit.range.start]);
        out.push_str(edit.with);
        at = edit.range.end;
    }
    out + &text[at..]
}

/// Changes the string values of a JSON text. `find` sees them unescaped, and the strings of one
/// array as the lines of one text: a patch is such an array, and what begins in one of its
/// lines ends in another. It is asked only about what `suspect` suspects, still escaped. None:
/// nothing was to be changed.
pub fn rewrite(
    raw: &str,
    suspect: impl Fn(&str) -> bool,
    find: impl Fn(&str) -> Vec<Edit>,
) -> Option<String> {
    let leaves = leaves(raw);
    let mut changed: Vec<(Range<usize>, String)> = Vec::new();
    for group in groups(&leaves) {
        if !group.iter().any(|leaf| suspect(&raw[leaf.inner.clone()])) {
            continue;
        }
        let texts: Vec<String> = group.iter().map(|l| unescape(&raw[l.inner.clone()])).collect();
        let edits = find(&texts.join("\n"));
        let mut start = 0;
        for (leaf, text) in group.iter().zip(&texts) {
            let own = within(&edits, start..start + text.len());
            if !own.is_empty() {
                changed.push((leaf.inner.clone(), escape(&apply(text, &own))));
            }
            start += text.len() + 1;
        }
    }
    if changed.is_empty() {
        return None;
    }
    changed.sort_by_key(|(range, _)| range.start);
    Some(replace(raw, &changed))
}

/// The strings of one array together, every other string by itself.
fn groups(leaves: &[Leaf]) -> Vec<Vec<&Leaf>> {
    let mut groups: Vec<Vec<&Leaf>> = Vec::new();
    let mut by_array = HashMap::new();
    for leaf in leaves {
        match leaf.array.map(|array| *by_array.entry(array).or_insert(groups.len())) {
            Some(group) if group < groups.len() => groups[group].push(leaf),
            _ => groups.push(vec![leaf]),
        }
    }
    groups
}

/// The parts of `edits` that lie in `place`, counted from its start. What an edit puts in goes
/// where the edit begins.
fn within(edits: &[Edit], place: Range<usize>) -> Vec<Edit> {
    let inside = |edit: &Edit| {
        let (start, end) = (edit.range.start.max(place.start), edit.range.end.min(place.end));
        let begins_here = place.contains(&edit.range.start) || edit.range.start == place.end;
        let with = if begins_here { edit.with } else { "" };
        let range = start.checked_sub(place.start)?..end.checked_sub(place.start)?;
        (range.start < range.end || (range.start == range.end && !with.is_empty()))
            .then_some(Edit { range, with })
    };
    edits.iter().filter_map(inside).collect()
}

/// `raw` with each range, in order, replaced by its text.
pub fn replace(raw: &str, parts: &[(Range<usize>, String)]) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut at = 0;
    for (range, text) in parts {
        out.push_str(&raw[at..range.start]);
        out.push_str(text);
        at = range.end;
    }
    out + &raw[at..]
}

/// Makes strings readable that no parser takes: control characters are escaped, NUL and halves
/// of surrogate pairs become U+FFFD, unknown escapes lose their meaning. What is outside of
/// strings stays.
pub fn repair(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len() + 64);
    let (mut at, mut in_string) = (0, false);
    while at < bytes.len() {
        let run = plain_run(&bytes[at..]);
        out.push_str(&text[at..at + run]);
        at += run;
        let Some(&byte) = bytes.get(at) else { break };
        at += 1;
        match byte {
            b'"' => {
                in_string = !in_string;
                out.push('"');
            }
            b'\\' if in_string => at += repaired_escape(&bytes[at..], &mut out),
            0 if in_string => out.push_str("\\ufffd"),
            b'\n' if in_string => out.push_str("\\n"),
            0..0x20 if in_string => out.push_str(&format!("\\u{byte:04x}")),
            _ => out.push(byte as char),
        }
    }
    out
}

/// Writes the escape whose backslash stands before `rest`; how many bytes of `rest` it took.
fn repaired_escape(rest: &[u8], out: &mut String) -> usize {
    let code = |at: usize| {
        let digits = rest.get(at..at + 4)?;
        let text = std::str::from_utf8(digits).ok().filter(|_| rest[at] != b'+')?;
        u16::from_str_radix(text, 16).ok()
    };
    match rest.first() {
        Some(b'u') => match (code(1), rest.get(5..7) == Some(b"\\u"), code(7)) {
            (Some(high @ 0xD800..=0xDBFF), true, Some(low @ 0xDC00..=0xDFFF)) => {
                out.push_str(&format!("\\u{high:04x}\\u{low:04x}"));
                11
            }
            (Some(0 | 0xD800..=0xDFFF), ..) => {
                out.push_str("\\ufffd");
                5
            }
            (Some(code), ..) => {
                out.push_str(&format!("\\u{code:04x}"));
                5
            }
            (None, ..) => {
                out.push_str("\\\\");
                0
            }
        },
        Some(b @ (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => {
            out.push('\\');
            out.push(*b as char);
            1
        }
        _ => {
            out.push_str("\\\\");
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_runs() {
        let plain = "aZ !~\u{7f}é😀".repeat(3);
        assert_eq!(plain_run(plain.as_bytes()), plain.len());
        for special in ["\"", "\\", "\n", "\0", "\u{1f}"] {
            for at in (0..plain.len()).filter(|&at| plain.is_char_boundary(at)) {
                let text = [&plain[..at], special, &plain[at..]].concat();
                assert_eq!(plain_run(text.as_bytes()), at, "{text:?}");
            }
        }
    }

    #[test]
    fn strings_and_their_arrays() {
        let raw = r#"{"a":"x","b":["y",{"c":"z"},"w"],"d":[["v\"]"]],"e":1}"#;
        let texts: Vec<_> = leaves(raw).iter().map(|l| &raw[l.inner.clone()]).collect();
        assert_eq!(texts, ["x", "y", "z", "w", "v\\\"]"]);
        let arrays: Vec<_> = leaves(raw).iter().map(|l| l.array).collect();
        assert_eq!(arrays, [None, Some(0), None, Some(0), Some(2)]);
        assert_eq!(leaves(r#""just a string""#)[0].inner, 1..14);
    }

    #[test]
    fn escaped_strings_are_divided_between_characters() {
        fn check(inner: &str, expected: &[usize]) {
            let all: Vec<_> =
                (0..=inner.len()).filter(|&i| is_boundary(inner.as_bytes(), i)).collect();
            assert_eq!(all, expected, "{inner}");
        }
        check("ab", &[0, 1, 2]);
        check("é", &[0, 2]);
        check(r"a\nb", &[0, 1, 3, 4]);
        check(r"\\n", &[0, 2, 3]);
        check(r"\\\n", &[0, 2, 4]);
        check(r"\u00e9x", &[0, 6, 7]);
        check(r"\ud83d\ude00", &[0, 12]);
        check(r"\uD83D\uDE00", &[0, 12]);
        check(r"\u00e9\u00e9", &[0, 6, 12]);
    }

    #[test]
    fn an_edit_runs_through_the_lines_of_an_array() {
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
    fn lengths() {
        for text in ["", "plain", "\"\\\n\t\r\u{8}\u{c}\0\u{1f}\u{7f}é"] {
            assert_eq!(escaped_len(text), escape(text).len(), "{text:?}");
            assert_eq!(unescape(&escape(text)), text);
        }
    }

    #[test]
    fn what_no_parser_takes_is_repaired() {
        fn check(broken: &str, expected: &str) {
            let repaired = repair(&format!("{{\"a\" : \"{broken}\"}}"));
            let value: serde_json::Value = serde_json::from_str(&repaired).expect(&repaired);
            assert_eq!(value["a"], expected);
        }
        check("fine\\n\\u00e9", "fine\né");
        check("a\u{0}b\u{1}\nc", "a\u{fffd}b\u{1}\nc");
        check("\\u0000", "\u{fffd}");
        check("\\ud83d\\ude00", "😀");
        check("\\ud83dx", "\u{fffd}x");
        check("\\ude00\\ud83d\\u0041", "\u{fffd}\u{fffd}A");
        check("\\x41\\u12", "\\x41\\u12");
        check("\\u+123", "\\u+123");
    }
}
