//! Recognizes edits that undo earlier edits exactly.

use crate::text::fnv_64;

/// The hash of an edit that nothing undoes.
pub const FINAL: u64 = 0;

/// The hash of an edit that replaces `old` by `new`. The inverse edit has the negated hash. Whole
/// strings are compared, white space included. Hashes are stored, so they must not change between
/// versions.
///
/// Returns `None` if one of the texts is empty, because the place in the file is unknown then, or if
/// capture truncated one.
pub fn hash(old: &str, new: &str) -> Option<u64> {
    let is_known = |text: &str| !text.is_empty() && !text.contains("bytes cut]");
    let print = |text: &str| mix(fnv_64(text.as_bytes()));
    (is_known(old) && is_known(new) && old != new).then(|| print(old).wrapping_sub(print(new)))
}

/// The finalizer of SplitMix64. FNV-1a ends with an xor and a multiplication, so the hashes of two texts
/// that differ in their last byte have the same difference for many pairs.
fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// Adds an edit to the edits that are left: an inverse one removes its counterpart instead.
pub fn add(left: &mut Vec<u64>, edit: u64) {
    let counterpart = left.iter().rposition(|done| edit != FINAL && *done == edit.wrapping_neg());
    match counterpart {
        Some(at) => {
            left.remove(at);
        }
        None => left.push(edit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_edit_removes_its_counterpart() {
        let edit = |old, new| hash(old, new).unwrap();
        let mut left = vec![edit("a\n b", "a\n c"), edit("x", "y")];
        add(&mut left, edit("a\n c", "a\nb"));
        assert_eq!(left.len(), 3, "white space counts");
        add(&mut left, edit("a\n c", "a\n b"));
        add(&mut left, edit("y", "x"));
        assert_eq!(left, [edit("a\n c", "a\nb")]);
        add(&mut left, FINAL);
        add(&mut left, FINAL);
        assert_eq!(left.len(), 3);
        for (old, new) in [("", "x"), ("x", ""), ("x", "x"), ("x…[9 bytes cut]…", "y")] {
            assert_eq!(hash(old, new), None, "{old} {new}");
        }
    }

    #[test]
    fn edits_of_other_texts_are_no_inverse() {
        let edit = |old: &str, new: &str| hash(old, new).unwrap();
        let counterpart = |old, new| edit(old, new).wrapping_neg();
        assert_ne!(
            edit("MAX_RETRIES = 2", "MAX_RETRIES = 3"),
            counterpart("WORKERS = 3", "WORKERS = 2")
        );
        assert_ne!(edit("x = 1", "x = 2"), counterpart("y = 2", "y = 3"));
        // All edits of one digit of 120 lines: 10,800 hashes, none of which may occur twice or negated.
        let mut hashes = Vec::new();
        for name in 0..120 {
            for old in 0..10 {
                for new in (0..10).filter(|new| *new != old) {
                    let line = |digit| format!("const N{name}: u32 = {digit}");
                    hashes.push(edit(&line(old), &line(new)));
                }
            }
        }
        let all = hashes.len();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), all);
    }
}
