//! Truncates JSON so that it stays JSON.

use std::ops::Range;

use super::json;
use super::truncating_writer;
use crate::text::{CutPoints, cut_middle, truncate_middle};

/// Strings in JSON are not cut shorter; then the JSON has too many of them.
const MIN_STRING: usize = 128;

/// The inside of a JSON string is cut between characters, escapes and pairs of surrogates.
const ESCAPED: CutPoints = CutPoints {
    divides: |text, at| json::is_boundary(text.as_bytes(), at),
    after_space: |text, at| match &text.as_bytes()[..at] {
        [.., b' '] => true,
        before @ [.., b'\\', b'n' | b't' | b'r'] => json::begins_escape(before, at - 2),
        _ => false,
    },
};

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
    let fewer_items = truncating_writer::truncate(raw, limit / 4 * 3);
    if fewer_items.len() <= limit { Some(fewer_items) } else { truncate_middle(raw, limit) }
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
    let shorter = |leaf: &Range<usize>| cut_middle(&raw[leaf.clone()], longest, ESCAPED);
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

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
    }
}
