//! Splits a text into the pieces that have an author: sentences, list items, lines of code.

use std::ops::Range;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it stands in the text, without a list marker.
    pub range: Range<usize>,
    /// It stands under a heading or a lead-in such as `Next steps:`.
    pub is_step: bool,
}

/// Words of headings above what is to be done.
const STEPS: &[&str] = &[
    "next",
    "todo",
    "to do",
    "remaining",
    "follow-up",
    "follow up",
    "recommend",
    "action",
    "step",
    "instruction",
    "required",
    "must",
    "please",
    "nächste",
    "offen",
    "prochain",
    "étape",
    "siguiente",
    "paso",
    "próxim",
    "дальше",
    "шаг",
    "下一步",
    "待办",
    "次の",
    "다음",
];

/// The pieces of `text`, in order. A line of a fenced block or a table is one piece.
pub fn of(text: &str) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut in_code = false;
    let mut is_step = false;
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let start = from;
        from += line.len();
        let trimmed = line.trim();
        if trimmed.is_empty() {
            continue;
        }
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            in_code = !in_code;
            continue;
        }
        let lead = start + (line.len() - line.trim_start().len());
        let marker = if in_code { 0 } else { marker(trimmed) };
        let (at, body) = (lead + marker, &trimmed[marker..]);
        if body.is_empty() {
            continue;
        }
        let heading = !in_code && (trimmed.starts_with('#') || is_bold(trimmed));
        let announces = !in_code && body.ends_with([':', '：']);
        if heading || announces {
            let low =
                body.rsplit(['.', '!', '?']).find(|s| s.len() > 1).unwrap_or(body).to_lowercase();
            is_step = STEPS.iter().any(|word| low.contains(word));
        } else if !in_code
            && marker == 0
            && !trimmed.starts_with('|')
            && start > 0
            && ends_paragraph(&text[..start])
        {
            // A paragraph below a list is no part of it.
            is_step = false;
        }
        if in_code || trimmed.starts_with('|') {
            out.push(Piece { range: at..at + body.len(), is_step });
            continue;
        }
        out.extend(sentences(body).into_iter().map(|r| Piece {
            range: at + r.start..at + r.end,
            is_step: is_step && !heading && !announces,
        }));
    }
    out
}

/// The text without the pieces at these ranges, which are in order. Lines of which nothing but a
/// marker is left are removed.
pub fn without(text: &str, ranges: &[Range<usize>]) -> String {
    if ranges.is_empty() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let (start, end) = (from, from + line.len());
        from = end;
        let inside: Vec<&Range<usize>> =
            ranges.iter().filter(|r| r.start >= start && r.end <= end).collect();
        if inside.is_empty() {
            out.push_str(line);
            continue;
        }
        let mut kept = String::new();
        let mut at = start;
        for range in inside {
            kept.push_str(&text[at..range.start]);
            let after = &text[range.end..end];
            at = range.end + (after.len() - after.trim_start_matches(' ').len());
        }
        kept.push_str(&text[at..end]);
        let rest = kept.trim();
        if marker(rest) < rest.len() && rest.chars().any(char::is_alphanumeric) {
            out.push_str(kept.trim_end());
            out.push('\n');
        }
    }
    out
}

fn ends_paragraph(before: &str) -> bool {
    before.ends_with("\n\n") || before.trim_end_matches([' ', '\t']).ends_with("\n\n")
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

/// The sentences of a line, without the spaces between them.
fn sentences(line: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let (mut start, mut in_code) = (0, false);
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '`' {
            in_code = !in_code;
        }
        let end = at + c.len_utf8();
        let wide = matches!(c, '。' | '！' | '？');
        let narrow = matches!(c, '.' | '!' | '?' | ';')
            && chars.peek().is_some_and(|(_, c)| *c == ' ')
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
