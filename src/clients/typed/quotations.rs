//! Quotations within a line.

use super::lead_ins::{SOURCES, names};
use crate::text::is_code;

/// Quotations of fewer words are names.
const MIN_QUOTED_WORDS: usize = 4;

/// The line with `"…"` in place of longer quotations that begin it, or that a source or a colon
/// introduces.
pub fn without_quotations(line: &str) -> String {
    /// A line with more quotations is data. The rest of the line is left out.
    const MAX_QUOTATIONS: usize = 200;
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    let mut n_quotations = 0;
    while let Some((at, open, close)) = opening_quote(rest, &out) {
        n_quotations += 1;
        if n_quotations > MAX_QUOTATIONS {
            out.push('…');
            return out;
        }
        let inner = &rest[at + open.len_utf8()..];
        out.push_str(&rest[..at]);
        let Some(end) = closing_quote(inner, close) else {
            // The quotation goes on beyond the line.
            if !matches!(close, '\'' | '`') && introduces(&out) && long(inner) {
                out.push('…');
                return out;
            }
            out.push(open);
            rest = inner;
            continue;
        };
        let quoted = &inner[..end];
        let is_prose = close != '`' || !is_code(quoted);
        if long(quoted) && is_prose && introduces(&out) {
            out.extend([open, '…', close]);
        } else {
            out.push(open);
            out.push_str(quoted);
            out.push(close);
        }
        rest = &inner[end + close.len_utf8()..];
    }
    out.push_str(rest);
    out
}

/// The first quotation mark of `rest`: its place, and the mark that ends it. `before` is the text before
/// `rest`. An apostrophe inside a word is none.
fn opening_quote(rest: &str, before: &str) -> Option<(usize, char, char)> {
    const PAIRS: [(char, char); 9] = [
        ('"', '"'),
        ('“', '”'),
        ('«', '»'),
        ('„', '“'),
        ('‘', '’'),
        ('「', '」'),
        ('『', '』'),
        ('`', '`'),
        ('\'', '\''),
    ];
    let mut last = before.chars().next_back();
    for (at, c) in rest.char_indices() {
        let in_word = c == '\'' && last.is_some_and(char::is_alphanumeric);
        if let Some((open, close)) = PAIRS.iter().find(|pair| pair.0 == c).filter(|_| !in_word) {
            return Some((at, *open, *close));
        }
        last = Some(c);
    }
    None
}

fn closing_quote(inner: &str, close: char) -> Option<usize> {
    // A limit keeps the time linear if many quotations are not closed.
    const MAX_QUOTATION: usize = 4000;
    let near = &inner[..inner.floor_char_boundary(MAX_QUOTATION)];
    near.match_indices(close).map(|(at, _)| at).find(|at| {
        let after = inner[at + close.len_utf8()..].chars().next();
        close != '\'' || !after.is_some_and(char::is_alphanumeric)
    })
}

fn long(quoted: &str) -> bool {
    quoted.split_whitespace().count() >= MIN_QUOTED_WORDS
        || !quoted.is_ascii() && quoted.chars().count() >= 12
}

fn introduces(before: &str) -> bool {
    const MAX_BEFORE: usize = 200;
    let before = before.trim_end();
    let from = before.len().saturating_sub(MAX_BEFORE);
    let near = &before[before.ceil_char_boundary(from)..];
    let sentence = near.rsplit(['.', '!', '?']).next().unwrap_or(near);
    sentence.trim().is_empty()
        || before.ends_with([':', '：', ',', '-', '–', '—'])
        || names(sentence, SOURCES)
}
