//! Recognizes edits that undo earlier edits exactly.

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
    (is_known(old) && is_known(new) && old != new).then(|| fnv(old).wrapping_sub(fnv(new)))
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

/// FNV-1a. Stored, so it must not change between versions.
pub fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
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
}
