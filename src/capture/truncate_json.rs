//! Shortens JSON and keeps it valid where possible.

use std::ops::Range;

use super::json;
use super::truncating_writer;
use crate::text::bytes::contains;
use crate::text::{MAX_SHIFT, cut_marker, truncate_middle};

/// Strings are not cut shorter than this. If that is not enough, items are dropped.
const MIN_STRING: usize = 128;

/// Shortens a JSON text to at most `limit` bytes. Returns `None` if it fits.
///
/// The longest strings are cut first, so that short strings stay whole. If that is not enough, the
/// last items of arrays and objects are dropped. If even that is not enough, the middle of the text
/// is cut, and the result is not valid JSON.
pub fn fit(raw: &str, limit: usize) -> Option<String> {
    if raw.len() <= limit {
        return None;
    }
    let strings = strings(raw);
    if let Some(longest) = longest_allowed(&strings, raw.len(), limit) {
        return Some(cut_strings(raw, &strings, longest));
    }
    let fewer_items = truncating_writer::truncate(raw, limit / 4 * 3);
    if fewer_items.len() <= limit { Some(fewer_items) } else { truncate_middle(raw, limit) }
}

/// Cuts every string that is much longer than `longest` bytes, so that about `longest` remain. Returns
/// `None` if there is none. Decodes nothing.
pub fn drop_middles(raw: &str, longest: usize) -> Option<String> {
    if raw.len() <= longest {
        return None;
    }
    let strings = strings(raw).into_iter().filter(|s| s.len() > longest);
    let parts: Vec<_> = strings
        .filter_map(|s| Some((s.clone(), without_middle(&raw[s], longest.div_ceil(2))?)))
        .collect();
    (!parts.is_empty()).then(|| json::replace(raw, &parts))
}

/// Replaces long base64 strings, such as images, with a note. Returns `None` if there are none.
pub fn replace_base64(raw: &str) -> Option<String> {
    if !contains(raw.as_bytes(), b"base64") {
        return None;
    }
    let mut strings = strings(raw);
    strings.retain(|s| is_base64(&raw[s.clone()]));
    let note = |s: Range<usize>| (s.clone(), format!("[base64, {} bytes]", s.len()));
    let parts: Vec<_> = strings.into_iter().map(note).collect();
    (!parts.is_empty()).then(|| json::replace(raw, &parts))
}

/// Whether a string, or the data of a `data:` URL, is long and both of its ends are base64.
fn is_base64(inner: &str) -> bool {
    let data = match inner.split_once(";base64,") {
        Some((head, data)) if head.starts_with("data:") => data.as_bytes(),
        _ => inner.as_bytes(),
    };
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    let n = data.len();
    n >= 1024 && data[..768].iter().all(base64) && data[n - 256..].iter().all(base64)
}

/// The string values of a JSON text, without their quotes.
fn strings(raw: &str) -> Vec<Range<usize>> {
    json::leaves(raw).into_iter().map(|leaf| leaf.inner).collect()
}

fn cut_strings(raw: &str, strings: &[Range<usize>], longest: usize) -> String {
    let parts: Vec<_> = strings
        .iter()
        .filter(|s| s.len() > longest)
        .map(|s| (s.clone(), cut_string(&raw[s.clone()], longest)))
        .collect();
    json::replace(raw, &parts)
}

/// Leaves room for an uneven spread of escapes, so that the first attempt to cut is usually enough.
const SLACK: usize = 32;

/// Cuts the middle of an escaped string so that at most `longest` bytes remain.
fn cut_string(inner: &str, longest: usize) -> String {
    let ends = without_middle(inner, longest);
    let ends = ends.as_deref().unwrap_or(inner);
    let text = json::unescape(ends);
    // Assume that escapes are spread evenly. The limit shrinks with every attempt.
    let mut limit = (longest * text.len() / ends.len().max(1)).saturating_sub(SLACK);
    loop {
        let cut = truncate_middle(&text, limit);
        let escaped = json::escape(cut.as_deref().unwrap_or(&text));
        if escaped.len() <= longest {
            return escaped;
        }
        limit = limit * longest / escaped.len();
    }
}

/// Drops the middle of an escaped string before it is decoded, because decoding takes 2 ms per MB. At
/// least `end` bytes remain at each end. Returns `None` if the string is not longer than that, or if
/// no position outside of an escape is near a cut.
fn without_middle(inner: &str, end: usize) -> Option<String> {
    // The longest escape is a surrogate pair with 12 bytes.
    let is_outside_escape = |at: &usize| {
        inner.is_char_boundary(*at)
            && !inner.as_bytes()[at.saturating_sub(11)..*at].contains(&b'\\')
    };
    let tail_end = inner.len().checked_sub(end)?;
    let tail_start = tail_end.checked_sub(MAX_SHIFT).filter(|start| *start > end + MAX_SHIFT)?;
    let head = (end..end + MAX_SHIFT).find(is_outside_escape)?;
    let tail = (tail_start..tail_end).rfind(is_outside_escape)?;
    Some([&inner[..head], &cut_marker(tail - head), &inner[tail..]].concat())
}

/// Returns the length to which the longest strings must be cut so that the text has `limit` bytes.
/// Returns `None` if they would be shorter than [`MIN_STRING`].
fn longest_allowed(strings: &[Range<usize>], total: usize, limit: usize) -> Option<usize> {
    let mut lens: Vec<usize> = strings.iter().map(|s| s.len()).collect();
    lens.sort_unstable_by(|a, b| b.cmp(a));
    // Cut the n longest strings to the same length, for the smallest n that leaves no other string
    // longer.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn short_strings_stay_whole() {
        let raw = json!({"file_path": "/a/b.rs", "content": "line one\n".repeat(500), "also": "x y ".repeat(900), "n": [1, "short"]});
        let cut = fit(&raw.to_string(), 2000).unwrap();
        assert!(cut.len() <= 2000 && cut.len() > 1900, "{}", cut.len());
        let value: Value = serde_json::from_str(&cut).unwrap();
        assert_eq!((&value["file_path"], &value["n"]), (&raw["file_path"], &raw["n"]));
        let (content, also) = (value["content"].as_str().unwrap(), value["also"].as_str().unwrap());
        assert!(content.starts_with("line one\n") && content.ends_with("line one\n"));
        assert!(content.contains("bytes cut]") && also.contains("bytes cut]"));
    }

    #[test]
    fn the_last_of_too_many_small_strings_are_dropped() {
        let lines: Vec<String> = (0..5000).map(|i| format!("+line {i}")).collect();
        let raw = json!({"structuredPatch": [{"lines": lines}], "filePath": "/a"}).to_string();
        let cut = fit(&raw, 4000).unwrap();
        let value: Value = serde_json::from_str(&cut).unwrap();
        assert!(cut.len() <= 4000 && cut.len() > 1000, "{}", cut.len());
        assert_eq!(value["filePath"], "/a");
        let kept = value["structuredPatch"][0]["lines"].as_array().unwrap();
        assert_eq!(kept.last().unwrap(), &format!("…[{} items cut]…", 5001 - kept.len()));
    }

    #[test]
    fn base64_is_replaced_with_a_note() {
        let image = "iVBORw0KGgo/+".repeat(200);
        let url = format!("data:image/png;base64,{image}");
        for data in [&image, &url] {
            let raw = json!({"file": {"base64": data, "type": "image/png"}}).to_string();
            let expected = format!(
                "{{\"file\":{{\"base64\":\"[base64, {} bytes]\",\"type\":\"image/png\"}}}}",
                data.len()
            );
            assert_eq!(replace_base64(&raw).unwrap(), expected);
        }
        assert_eq!(
            replace_base64(&json!({"base64": "short", "text": "word ".repeat(400)}).to_string()),
            None
        );
        assert_eq!(replace_base64(&json!([image]).to_string()), None);
    }

    #[test]
    fn a_cut_string_fits_with_its_escapes() {
        for text in ["\u{1}", "\"\\", "é\n", "😀", "x"] {
            let inner = json::escape(&text.repeat(20_000));
            for longest in [0, 10, 300, 2000, 19_999] {
                let cut = cut_string(&inner, longest);
                let n = cut.len();
                assert!(n <= longest && n + longest / 8 + 200 > longest, "{n} {longest}");
                assert!(serde_json::from_str::<String>(&format!("\"{cut}\"")).is_ok(), "{cut}");
            }
        }
    }

    #[test]
    fn the_middle_is_dropped_outside_of_escapes() {
        let inner = r"\ud83d\ude00\\\\ several words \u00e9\n é".repeat(2000);
        for end in 1000..1100 {
            let ends = without_middle(&inner, end).unwrap();
            assert!(ends.len() >= 2 * end && ends.len() < 2 * (end + MAX_SHIFT), "{}", ends.len());
            // A split pair is invalid, and a split `\\\\` changes the meaning of the next characters.
            let text: String = serde_json::from_str(&format!("\"{ends}\"")).expect("valid escapes");
            let (head, tail) = text.split_once("…[").unwrap();
            let whole = json::unescape(&inner);
            assert!(whole.starts_with(head) && whole.ends_with(tail.split_once("]…").unwrap().1));
        }
        assert_eq!(without_middle(&r"\u00e9".repeat(20_000), 1000), None);
        assert_eq!(without_middle("short", 1000), None);
    }

    fn leaf() -> impl Strategy<Value = Value> {
        prop_oneof![
            "[a-z \\\\\"\n\té😀\u{1}]{0,600}".prop_map(Value::from),
            any::<i32>().prop_map(Value::from)
        ]
    }

    proptest! {
        #[test]
        fn the_result_fits_and_is_json(
            leaves in proptest::collection::vec(leaf(), 0..12), limit in 0usize..3000
        ) {
            let raw = json!({"a": leaves, "path": "/x/y"}).to_string();
            if let Some(cut) = fit(&raw, limit) {
                prop_assert!(raw.len() > limit && cut.len() <= limit, "{} > {}", cut.len(), limit);
                if limit > 2500 {
                    let value: Value = serde_json::from_str(&cut).unwrap();
                    prop_assert_eq!(&value["path"], "/x/y");
                }
            } else {
                prop_assert!(raw.len() <= limit);
            }
        }
    }
}
