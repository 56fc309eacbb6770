//! Truncates long text in the middle: keeps head and tail, and a marker with the number of bytes
//! cut.

/// How far a cut moves to keep a word whole.
///
/// Text is first truncated to its limit plus this at each side, then searched for secrets, then
/// truncated to the limit. The second cut removes a secret that the first one cut in half, which
/// the search would miss.
pub const MAX_SHIFT: usize = 4 << 10;

/// The marker that replaces `n` bytes.
pub fn cut_marker(n: usize) -> String {
    format!("…[{n} bytes cut]…")
}

/// Truncates `text` to at most `limit` bytes. Returns `None` if it fits.
pub fn truncate_middle(text: &str, limit: usize) -> Option<String> {
    if text.len() <= limit {
        return None;
    }
    // The marker is longest if all of the text is cut.
    let Some(room) = limit.checked_sub(cut_marker(text.len()).len()) else {
        return Some(text[..text.floor_char_boundary(limit)].to_owned());
    };
    let end = head_end(text, room.div_ceil(2));
    let start = tail_start(text, text.len() - room / 2);
    let n_cut = text[end..start].len() + cut_before(&text[end..start]);
    Some([&text[..end], &cut_marker(n_cut), &text[start..]].concat())
}

/// The number of bytes that earlier cuts removed from `part`, according to their markers.
fn cut_before(part: &str) -> usize {
    let count = |(at, _)| {
        let marker: &str = &part[at..];
        marker.strip_prefix("…[")?.split_once(" bytes cut]…")?.0.parse::<usize>().ok()
    };
    if !part.contains(" bytes cut]…") {
        return 0;
    }
    part.match_indices("…[").filter_map(count).fold(0, usize::saturating_add)
}

/// The last position up to `limit` that follows white space; if none is near, `limit`.
fn head_end(text: &str, limit: usize) -> usize {
    let least = limit.saturating_sub(MAX_SHIFT.min(limit / 2));
    let space = (least..=limit).rev().find(|&at| is_after_space(text, at));
    space.unwrap_or_else(|| text.floor_char_boundary(limit))
}

/// The first position from `from` on that follows white space; if none is near, `from`.
fn tail_start(text: &str, from: usize) -> usize {
    let most = from + MAX_SHIFT.min((text.len() - from) / 2);
    let space = (from..=most).find(|&at| is_after_space(text, at));
    space.unwrap_or_else(|| text.ceil_char_boundary(from))
}

fn is_after_space(text: &str, at: usize) -> bool {
    at > 0 && text.as_bytes()[at - 1].is_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn head_and_tail_keep_whole_words() {
        let long: String = (0..100).map(|i| format!("word{i:02} ")).collect();
        let short = truncate_middle(&long, 120).unwrap();
        assert!(short.starts_with("word00 ") && short.ends_with("word99 "), "{short}");
        assert!(short.contains(" …[") && short.contains("]…word"), "{short}");
        assert!(short.len() <= 120 && short.len() > 90);
        assert_eq!(truncate_middle("fits", 4), None);
        assert_eq!(truncate_middle("éé", 3).unwrap(), "é");
        assert_eq!(truncate_middle("no room for a marker", 0).unwrap(), "");
    }

    #[test]
    fn the_marker_of_a_second_cut_counts_the_first() {
        let long = "word ".repeat(2000);
        let twice = truncate_middle(&truncate_middle(&long, 1000).unwrap(), 200).unwrap();
        let n: usize = twice.split_once('[').unwrap().1.split_once(' ').unwrap().0.parse().unwrap();
        let n_kept = twice.len() - cut_marker(n).len();
        // The second cut counts the bytes of the first marker too.
        assert!((n + n_kept).abs_diff(long.len()) < 40, "{twice}");
    }

    proptest! {
        #[test]
        fn the_result_fits(long in "[a-z \né😀]{0,300}", limit in 0usize..300) {
            let short = truncate_middle(&long, limit).unwrap_or(long);
            prop_assert!(short.len() <= limit);
        }
    }
}
