//! Truncates text and marks the cut with `…`.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// At most `max` characters of `text`, including the final `…`.
///
/// Cuts between words unless that would lose more than half of the characters that fit.
pub fn truncate(text: &str, max: usize) -> String {
    if text.char_indices().nth(max).is_none() {
        return text.to_owned();
    }
    let end = text.char_indices().nth(max.saturating_sub(1)).map_or(0, |(at, _)| at);
    let head = &text[..end];
    let cut = match head.rfind(' ') {
        Some(space) if space * 2 >= head.len() => &head[..space],
        _ => head,
    };
    let cut = cut.trim_end_matches([' ', ',', ';', ':', '.', '—', '(', '<']);
    format!("{cut}…")
}

/// At most `columns` terminal columns of `text`, including the final `…`.
pub fn truncate_columns(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut free = columns.saturating_sub(1);
    let fits = |c: &char| {
        let width = c.width().unwrap_or(0);
        let fits = width <= free;
        free = free.saturating_sub(width);
        fits
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// At most `columns` terminal columns of the end of `text`, including the leading `…`.
pub fn truncate_columns_start(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let reversed: String = text.chars().rev().collect();
    truncate_columns(&reversed, columns).chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_between_words() {
        let check = |text, max, expected: &str| assert_eq!(truncate(text, max), expected);
        check("short", 5, "short");
        check("one two three", 12, "one two…");
        check("unbreakable", 6, "unbre…");
        check("記憶記憶", 3, "記憶…");
        check("aaaaaaaa, bb", 10, "aaaaaaaa…");
        check("a <= b", 4, "a…");
        check("abc", 1, "…");
        check("abc", 0, "…");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let check = |text, width, want: &str| assert_eq!(truncate_columns(text, width), want);
        check("tally", 5, "tally");
        check("tally", 4, "tal…");
        check("記憶記憶", 8, "記憶記憶");
        check("記憶記憶", 6, "記憶…");
        check("x", 0, "");
        check("xy", 1, "…");
    }
}
