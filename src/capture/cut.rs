//! Makes texts fit: head and tail stay, the middle goes, and what went is said.

use std::ops::Range;

use super::json;
use super::squeeze::{Squeeze, marker};

/// How far a cut moves so that it does not divide a word. Text that is looked through for
/// secrets has as much more at each side of the cut: the word that straddles it goes.
pub const SPARE: usize = 4 << 10;
/// Strings in JSON are not cut shorter; then the JSON has too many of them.
const MIN_STRING: usize = 128;

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Plain,
    /// The inside of a JSON string.
    Escaped,
}

/// At most `limit` bytes of `text`. None: it fits.
pub fn text(text: &str, limit: usize) -> Option<String> {
    (text.len() > limit).then(|| middle(text, limit, Form::Plain))
}

/// At most `limit` bytes of a JSON text. Its longest strings are cut first, so that it stays
/// JSON and short strings stay whole; of too many, the last items go. None: it fits.
pub fn json(raw: &str, limit: usize) -> Option<String> {
    if raw.len() <= limit {
        return None;
    }
    let leaves: Vec<Range<usize>> = json::leaves(raw).into_iter().map(|l| l.inner).collect();
    if let Some(longest) = longest_allowed(&leaves, raw.len(), limit) {
        return Some(with_strings_of(raw, &leaves, longest));
    }
    let mut squeeze = Squeeze::new(limit / 4 * 3);
    squeeze.feed(raw.as_bytes());
    match String::from_utf8(squeeze.finish()) {
        Ok(fewer) if fewer.len() <= limit => Some(fewer),
        _ => text(raw, limit),
    }
}

/// A JSON text in which no string is longer than `longest`. None: none is.
pub fn long_strings(raw: &str, longest: usize) -> Option<String> {
    if raw.len() <= longest {
        return None;
    }
    let leaves: Vec<Range<usize>> = json::leaves(raw).into_iter().map(|l| l.inner).collect();
    leaves.iter().any(|l| l.len() > longest).then(|| with_strings_of(raw, &leaves, longest))
}

/// A JSON text without images and the like: strings of base64 become a note. None: there are
/// none.
pub fn blobs(raw: &str) -> Option<String> {
    if !raw.contains("base64") {
        return None;
    }
    let note = |leaf: json::Leaf| {
        let data = is_blob(&raw[leaf.inner.clone()]);
        data.then(|| (leaf.inner.clone(), format!("[base64, {} bytes]", leaf.inner.len())))
    };
    let parts: Vec<_> = json::leaves(raw).into_iter().filter_map(note).collect();
    (!parts.is_empty()).then(|| json::replace(raw, &parts))
}

/// Begins and ends with much base64, perhaps as a `data:` URL.
fn is_blob(inner: &str) -> bool {
    let data = match inner.split_once(";base64,") {
        Some((head, data)) if head.starts_with("data:") => data.as_bytes(),
        _ => inner.as_bytes(),
    };
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    let n = data.len();
    n >= 1024 && data[..768].iter().all(base64) && data[n - 256..].iter().all(base64)
}

fn with_strings_of(raw: &str, leaves: &[Range<usize>], longest: usize) -> String {
    let shorter = |leaf: &Range<usize>| middle(&raw[leaf.clone()], longest, Form::Escaped);
    let parts: Vec<_> = leaves
        .iter()
        .filter(|leaf| leaf.len() > longest)
        .map(|leaf| (leaf.clone(), shorter(leaf)))
        .collect();
    json::replace(raw, &parts)
}

/// The greatest length of strings with which all of the text has `limit` bytes.
fn longest_allowed(leaves: &[Range<usize>], total: usize, limit: usize) -> Option<usize> {
    let mut lens: Vec<usize> = leaves.iter().map(|l| l.len()).collect();
    lens.sort_unstable_by(|a, b| b.cmp(a));
    // With the n longest cut to the same length, all others stay whole.
    let mut rest = total;
    for (i, len) in lens.iter().enumerate() {
        rest -= len;
        let each = limit.checked_sub(rest).map(|room| room / (i + 1));
        if let Some(each) = each
            && each >= lens.get(i + 1).copied().unwrap_or(0)
        {
            return (each >= MIN_STRING).then_some(each);
        }
    }
    None
}

/// Head and tail of a text that is longer than `limit`.
fn middle(text: &str, limit: usize, form: Form) -> String {
    // The number of digits is that of the longest there can be.
    let note = marker(text.len()).len();
    let Some(room) = limit.checked_sub(note) else {
        let end = (0..=limit).rev().find(|&at| divides(text, at, form)).unwrap_or(0);
        return text[..end].to_owned();
    };
    let end = head_end(text, room.div_ceil(2), form);
    let start = tail_start(text, text.len() - room / 2, form);
    let gone = text[end..start].len() + cut_before(&text[end..start]);
    [&text[..end], &marker(gone), &text[start..]].concat()
}

/// What earlier cuts of the same text took from the part that goes now.
fn cut_before(gone: &str) -> usize {
    let number = |(at, _)| {
        let note: &str = &gone[at..];
        note.strip_prefix("…[")?.split_once(" bytes cut]…")?.0.parse::<usize>().ok()
    };
    if !gone.contains(" bytes cut]…") {
        return 0;
    }
    gone.match_indices("…[").filter_map(number).fold(0, usize::saturating_add)
}

fn divides(text: &str, at: usize, form: Form) -> bool {
    match form {
        Form::Plain => text.is_char_boundary(at),
        Form::Escaped => json::is_boundary(text.as_bytes(), at),
    }
}

/// Behind the last word that ends at `limit` or before.
fn head_end(text: &str, limit: usize, form: Form) -> usize {
    let least = limit.saturating_sub(SPARE.min(limit / 2));
    let blank = (least..=limit).rev().find(|&at| blank_before(text, at, form));
    let any = || (0..=limit).rev().find(|&at| divides(text, at, form));
    blank.or_else(any).unwrap_or(0)
}

/// Where the first word begins that begins at `from` or behind.
fn tail_start(text: &str, from: usize, form: Form) -> usize {
    let most = from + SPARE.min((text.len() - from) / 2);
    let blank = (from..=most).find(|&at| blank_before(text, at, form));
    let any = || (from..=text.len()).find(|&at| divides(text, at, form));
    blank.or_else(any).unwrap_or(text.len())
}

fn blank_before(text: &str, at: usize, form: Form) -> bool {
    let before = &text.as_bytes()[..at];
    match (form, before) {
        (Form::Plain, [.., b]) => b.is_ascii_whitespace(),
        (Form::Escaped, [.., b' ']) => true,
        (Form::Escaped, [.., b'\\', b'n' | b't' | b'r']) => json::begins_escape(before, at - 2),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn head_and_tail_of_words() {
        let long: String = (0..100).map(|i| format!("word{i:02} ")).collect();
        let short = text(&long, 120).unwrap();
        assert!(short.starts_with("word00 ") && short.ends_with("word99 "), "{short}");
        assert!(short.contains(" …[") && short.contains("]…word"), "{short}");
        assert!(short.len() <= 120 && short.len() > 90);
        assert_eq!(text("fits", 4), None);
        assert_eq!(text("éé", 3).unwrap(), "é");
        assert_eq!(text("no room for a note", 0).unwrap(), "");
    }

    #[test]
    fn what_went_is_counted_through_two_cuts() {
        let long = "word ".repeat(2000);
        let twice = text(&text(&long, 1000).unwrap(), 200).unwrap();
        let n: usize = twice.split_once('[').unwrap().1.split_once(' ').unwrap().0.parse().unwrap();
        let left = twice.len() - marker(n).len();
        // The first note itself is counted too.
        assert!((n + left).abs_diff(long.len()) < 40, "{twice}");
    }

    #[test]
    fn json_stays_json_with_its_short_strings() {
        let raw = json!({"file_path": "/a/b.rs", "content": "line one\n".repeat(500), "also": "x y ".repeat(900), "n": [1, "short"]});
        let cut = json(&raw.to_string(), 2000).unwrap();
        assert!(cut.len() <= 2000 && cut.len() > 1900, "{}", cut.len());
        let value: Value = serde_json::from_str(&cut).unwrap();
        assert_eq!((&value["file_path"], &value["n"]), (&raw["file_path"], &raw["n"]));
        let (content, also) = (value["content"].as_str().unwrap(), value["also"].as_str().unwrap());
        assert!(content.starts_with("line one\n") && content.ends_with("line one\n"));
        assert!(content.contains("bytes cut]") && also.contains("bytes cut]"));
    }

    #[test]
    fn many_small_strings() {
        let lines: Vec<String> = (0..5000).map(|i| format!("+line {i}")).collect();
        let raw = json!({"structuredPatch": [{"lines": lines}], "filePath": "/a"}).to_string();
        let cut = json(&raw, 4000).unwrap();
        let value: Value = serde_json::from_str(&cut).unwrap();
        assert!(cut.len() <= 4000 && cut.len() > 1000, "{}", cut.len());
        assert_eq!(value["filePath"], "/a");
        let kept = value["structuredPatch"][0]["lines"].as_array().unwrap();
        assert_eq!(kept.last().unwrap(), &format!("…[{} items cut]…", 5001 - kept.len()));
    }

    #[test]
    fn images() {
        let image = "iVBORw0KGgo/+".repeat(200);
        let url = format!("data:image/png;base64,{image}");
        for data in [&image, &url] {
            let raw = json!({"file": {"base64": data, "type": "image/png"}}).to_string();
            let expected = format!(
                "{{\"file\":{{\"base64\":\"[base64, {} bytes]\",\"type\":\"image/png\"}}}}",
                data.len()
            );
            assert_eq!(blobs(&raw).unwrap(), expected);
        }
        assert_eq!(
            blobs(&json!({"base64": "short", "text": "word ".repeat(400)}).to_string()),
            None
        );
        assert_eq!(blobs(&json!([image]).to_string()), None);
    }

    fn leaf() -> impl Strategy<Value = Value> {
        prop_oneof![
            "[a-z \\\\\"\n\té😀\u{1}]{0,600}".prop_map(Value::from),
            any::<i32>().prop_map(Value::from)
        ]
    }

    proptest! {
        #[test]
        fn never_longer_and_always_json(
            leaves in proptest::collection::vec(leaf(), 0..12), limit in 0usize..3000
        ) {
            let raw = json!({"a": leaves, "path": "/x/y"}).to_string();
            if let Some(cut) = json(&raw, limit) {
                prop_assert!(raw.len() > limit && cut.len() <= limit, "{} > {}", cut.len(), limit);
                if limit > 2500 {
                    let value: Value = serde_json::from_str(&cut).unwrap();
                    prop_assert_eq!(&value["path"], "/x/y");
                }
            } else {
                prop_assert!(raw.len() <= limit);
            }
        }

        #[test]
        fn text_fits(long in "[a-z \né😀]{0,300}", limit in 0usize..300) {
            let cut = text(&long, limit).unwrap_or(long);
            prop_assert!(cut.len() <= limit);
        }
    }
}
