//! Splits a text into the pieces that have an author: sentences, list items, lines of code.

use std::ops::Range;

use crate::text::Words;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it stands in the text, without a list marker.
    pub range: Range<usize>,
    /// The number of its paragraph or list item.
    pub block: usize,
    /// It stands under a heading or a lead-in such as `Next steps:`.
    pub is_step: bool,
}

/// Words of headings above what is to be done.
const STEPS: Words = Words(
    "next|todo|to do|remaining|follow-up|follow up|recommend|action|step|instruction|\
     required|must|please|nächste|offen|prochain|étape|siguiente|paso|próxim|дальше|шаг|\
     下一步|待办|次の|다음",
);

/// The pieces of a message, in order. A sentence may be wrapped over lines. A line of a fenced block or
/// a table is one piece.
pub fn of(text: &str) -> Vec<Piece> {
    split(text, is_wrapped)
}

/// The pieces of a text whose lines do not belong together, such as a log.
pub fn of_lines(text: &str) -> Vec<Piece> {
    split(text, |_, _| false)
}

/// Whether a sentence seems to go on from one line to the next.
fn is_wrapped(line: &str, next: &str) -> bool {
    const MIN_WRAPPED: usize = 40;
    let ends = line.ends_with(['.', '!', '?', ':', ';', '|', '。', '！', '？', '：']);
    let goes_on =
        next.starts_with(|c: char| c.is_lowercase() || c.is_numeric() || "`\"'(".contains(c));
    !ends && (goes_on || line.chars().count() >= MIN_WRAPPED)
}

fn split(text: &str, joins: fn(&str, &str) -> bool) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    let mut in_code = false;
    let mut is_step = false;
    // The paragraph that the next line may continue.
    let mut open: Option<Range<usize>> = None;
    let mut after_blank = true;
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let start = from;
        from += line.len();
        let trimmed = line.trim();
        let at = start + (line.len() - line.trim_start().len());
        let is_fence = trimmed.starts_with("```") || trimmed.starts_with("~~~");
        let is_row = in_code || trimmed.starts_with('|');
        let marker = if is_row { 0 } else { marker(trimmed) };
        let heading = !is_row && (trimmed.starts_with('#') || is_bold(trimmed));
        let continues = !trimmed.is_empty() && !is_fence && !is_row && marker == 0 && !heading;
        if let Some(block) = &mut open
            && continues
            && joins(&text[block.clone()], trimmed)
        {
            block.end = at + trimmed.len();
            continue;
        }
        close(&mut out, text, open.take(), is_step);
        if trimmed.is_empty() {
            after_blank = true;
            continue;
        }
        if is_fence {
            in_code = !in_code;
            continue;
        }
        let body = at + marker..at + trimmed.len();
        let announces = !is_row && trimmed.ends_with([':', '：']);
        if heading || announces {
            close(&mut out, text, Some(body.clone()), false);
            let last = text[body].rsplit(['.', '!', '?']).find(|s| s.len() > 1).unwrap_or("");
            let last = last.to_lowercase();
            is_step = STEPS.iter().any(|word| last.contains(word));
        } else if is_row {
            let block = out.last().map_or(0, |piece| piece.block + 1);
            out.push(Piece { range: body, block, is_step });
        } else {
            // A paragraph below a list is no part of it.
            is_step &= marker > 0 || !after_blank;
            open = Some(body);
        }
        after_blank = false;
    }
    close(&mut out, text, open, is_step);
    out
}

/// Adds the sentences of a paragraph.
fn close(out: &mut Vec<Piece>, text: &str, paragraph: Option<Range<usize>>, is_step: bool) {
    let Some(paragraph) = paragraph.filter(|range| !range.is_empty()) else { return };
    let block = out.last().map_or(0, |piece| piece.block + 1);
    out.extend(sentences(&text[paragraph.clone()]).into_iter().map(|r| Piece {
        range: paragraph.start + r.start..paragraph.start + r.end,
        block,
        is_step,
    }));
}

/// The text without these ranges, which are in order. Lines of which nothing but a marker is left are
/// removed.
pub fn without(text: &str, ranges: &[Range<usize>]) -> String {
    if ranges.is_empty() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut ranges = ranges.iter().peekable();
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let (start, end) = (from, from + line.len());
        from = end;
        let mut kept = String::new();
        let mut at = start;
        while let Some(range) = ranges.peek().filter(|range| range.start < end) {
            kept.push_str(&text[at..range.start.max(at)]);
            at = range.end.min(end);
            let after = &text[at..end];
            at += after.len() - after.trim_start_matches(' ').len();
            if range.end > end {
                break;
            }
            ranges.next();
        }
        if at == start {
            out.push_str(line);
            continue;
        }
        kept.push_str(&text[at..end]);
        let rest = kept.trim();
        if rest[marker(rest)..].chars().any(char::is_alphanumeric) {
            out.push_str(kept.trim_end());
            out.push('\n');
        }
    }
    out
}

fn is_bold(line: &str) -> bool {
    line.len() > 4 && line.starts_with("**") && line.ends_with("**")
}

/// The length of the list marker or heading marker that a line begins with.
fn marker(line: &str) -> usize {
    for marker in ["- [x] ", "- [X] ", "- [ ] ", "- ", "* ", "+ ", "• ", "– ", "> "] {
        if line.starts_with(marker) {
            return marker.len();
        }
    }
    let hashes = line.len() - line.trim_start_matches('#').len();
    if hashes > 0 && line[hashes..].starts_with(' ') {
        return hashes + 1;
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let numbered = line[digits..].starts_with(". ") || line[digits..].starts_with(") ");
    if (1..=3).contains(&digits) && numbered { digits + 2 } else { 0 }
}

/// The sentences of a paragraph, without the spaces between them.
fn sentences(line: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let (mut start, mut in_code) = (0, false);
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '`' {
            in_code = !in_code;
        }
        let end = at + c.len_utf8();
        let wide = matches!(c, '。' | '！' | '？');
        let before_space = chars.clone().next().is_some_and(|(_, c)| c.is_whitespace());
        let narrow = matches!(c, '.' | '!' | '?' | ';')
            && before_space
            && !is_abbreviation(&line[start..at]);
        if !in_code && (wide || narrow) {
            out.push(start..end);
            start = end;
        }
    }
    out.push(start..line.len());
    let trimmed = |r: Range<usize>| {
        let text = &line[r.clone()];
        let lead = text.len() - text.trim_start().len();
        r.start + lead..r.start + lead + text.trim().len()
    };
    out.into_iter().map(trimmed).filter(|r| !r.is_empty()).collect()
}

fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit([' ', '(']).next().unwrap_or("");
    matches!(word, "e.g" | "i.e" | "vs" | "etc" | "cf" | "z.B" | "p.ex")
        || word.len() <= 2 && !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(&str, bool)> {
        of(text).into_iter().map(|p| (&text[p.range], p.is_step)).collect()
    }

    #[test]
    fn sentences_items_and_code_are_pieces() {
        let text = "Done. See `a. b`; all pass.\n\n## Next steps\n- Run `x`. Then y\n1. z\n\nBye!\n```\nrm x. y\n```\n| a | b |";
        assert_eq!(
            texts(text),
            [
                ("Done.", false),
                ("See `a. b`;", false),
                ("all pass.", false),
                ("Next steps", false),
                ("Run `x`.", true),
                ("Then y", true),
                ("z", true),
                ("Bye!", false),
                ("rm x. y", false),
                ("| a | b |", false),
            ]
        );
    }

    #[test]
    fn wrapped_sentences_are_one_piece() {
        let text = "Cause:\n- The key is\n  shared by\n  all. Other\n- item\nNext line";
        assert_eq!(texts(text)[1].0, "The key is\n  shared by\n  all.");
        let ranges: Vec<_> = of(text)[1..2].iter().map(|p| p.range.clone()).collect();
        assert_eq!(without(text, &ranges), "Cause:\nOther\n- item\nNext line");
        let lines = of_lines(text).into_iter().map(|p| &text[p.range]);
        assert_eq!(lines.take(3).collect::<Vec<_>>(), ["Cause:", "The key is", "shared by"]);
        let blocks: Vec<usize> = of("One. Two.\n\nThree.").into_iter().map(|p| p.block).collect();
        assert_eq!(blocks, [0, 0, 1]);
    }

    #[test]
    fn pieces_are_removed_with_their_lines() {
        let text = "One. Two. Three.\n- item\n- other\nend";
        let cut = |parts: &[&str]| {
            let found = of(text).into_iter().map(|p| p.range);
            let ranges: Vec<_> = found.filter(|r| parts.contains(&&text[r.clone()])).collect();
            without(text, &ranges)
        };
        assert_eq!(cut(&[]), text);
        assert_eq!(cut(&["Two."]), "One. Three.\n- item\n- other\nend");
        assert_eq!(cut(&["item", "One.", "Two.", "Three."]), "- other\nend");
    }
}
