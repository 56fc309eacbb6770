//! Finds seed phrases of wallets and lists of recovery codes.

use std::ops::Range;

/// A phrase has at least this many words.
const MIN_WORDS: usize = 12;
/// At most this many bytes are read.
const MAX_LEN: usize = 1 << 10;

/// Returns the phrase or the codes after the words at `at`.
pub fn find(text: &str, at: usize) -> Vec<Range<usize>> {
    let end = text.floor_char_boundary(text.len().min(at + MAX_LEN));
    let part = &text[at..end];
    let Some(colon) = part.find([':', '=', '\n', '>']).filter(|colon| *colon < 60) else {
        return Vec::new();
    };
    let rest = &part[colon + 1..];
    let found = match phrase(rest) {
        Some(range) => Vec::from([range]),
        None if part[..colon].to_ascii_lowercase().contains("code") => codes(rest),
        None => Vec::new(),
    };
    let base = at + colon + 1;
    found.into_iter().map(|range| base + range.start..base + range.end).collect()
}

/// Returns the words of a phrase: short, in lower case, separated by blanks or numbered.
fn phrase(text: &str) -> Option<Range<usize>> {
    let mut n_words = 0;
    let (mut start, mut end, mut at) = (0, 0, 0);
    for word in text.split_inclusive(|c: char| c.is_whitespace() || matches!(c, ',' | '"' | '\'')) {
        let core = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_word = matches!(core.len(), 3..=8) && core.bytes().all(|b| b.is_ascii_lowercase());
        let is_number = core.bytes().all(|b| b.is_ascii_digit());
        if is_word {
            if n_words == 0 {
                start = at;
            }
            n_words += 1;
            end = at + core.len();
        } else if !is_number {
            if n_words >= MIN_WORDS {
                break;
            }
            n_words = 0;
        }
        at += word.len();
    }
    // Common words that no list of words for phrases has.
    const PROSE: [&str; 24] = [
        "the", "and", "for", "from", "has", "its", "not", "are", "was", "with", "have", "than",
        "into", "only", "does", "each", "which", "when", "them", "they", "been", "can", "will",
        "must",
    ];
    let is_prose = || text[start..end].split_whitespace().any(|word| PROSE.contains(&word));
    (n_words >= MIN_WORDS && !is_prose()).then_some(start..end)
}

/// Returns the codes: words of letters and digits, often with a dash in the middle.
fn codes(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    for word in text
        .split_inclusive(|c: char| c.is_whitespace() || matches!(c, ',' | '"' | '\'' | '[' | ']'))
    {
        let core = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_code = core.len() >= 8
            && core.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && core.bytes().any(|b| b.is_ascii_digit());
        match is_code {
            true => found.push(at..at + core.len()),
            false if core.len() > 2 && !found.is_empty() => break,
            false => {}
        }
        at += word.len();
    }
    found
}
