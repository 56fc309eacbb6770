//! Text made to fit: cleaned of Markdown and colours, split into sentences, shortened without
//! breaking words, joined into paragraphs. What a sentence means is not its business.

use super::words;
use crate::text::{collapse_spaces, strip_escapes};

/// Removes terminal escapes.
pub fn without_colours(text: &str) -> String {
    strip_escapes(text).replace('\r', "\n")
}

/// At most `max` characters of one line: whole when it fits, else up to a clause's or a word's end,
/// never inside a word, and without a mark that something was left out.
pub fn fit(text: &str, max: usize) -> String {
    let line = collapse_spaces(text);
    if line.chars().count() <= max {
        return line;
    }
    let head: String = line.chars().take(max + 1).collect();
    // Not inside of brackets: `three of them (a, b)` names two.
    let whole = |at: &usize| head[..*at].matches('(').count() <= head[..*at].matches(')').count();
    let share = |at: usize| head[..at].chars().count() * 10 / max.max(1);
    let last = |marks: &[&str], least: usize| {
        let found = marks.iter().filter_map(|mark| head.rfind(mark)).filter(whole);
        found.filter(|at| share(*at) >= least).max()
    };
    let clause = last(&["; ", " — ", " – ", ": ", ", ", " (", "。", "，", "、"], 6);
    let clause = clause.or_else(|| last(&["; ", " — ", " – ", "。"], 5));
    let end = clause
        .or_else(|| head.rfind(' '))
        .unwrap_or_else(|| head.char_indices().nth(max).map_or(head.len(), |(at, _)| at));
    let mut cut = head[..end].trim_end().to_owned();
    if cut.matches('`').count() % 2 == 1 {
        match cut.rfind('`').filter(|at| cut[..*at].chars().count() * 2 >= max) {
            Some(at) => cut.truncate(at),
            None => cut.push('`'),
        }
    }
    let mut kept = cut.trim_end_matches([' ', ',', ';', ':', '(', '—', '–', '-']);
    while let Some((before, last)) = kept.rsplit_once(' ') {
        let bare = last.trim_matches(|c: char| !c.is_alphanumeric());
        if !words::DANGLING.are(&bare.to_lowercase()) {
            break;
        }
        kept = before.trim_end_matches([' ', ',', ';', ':', '(', '—', '–', '-']);
    }
    let open = kept.matches('(').count() > kept.matches(')').count();
    if open { format!("{kept})") } else { kept.to_owned() }
}

/// The first `max` characters' worth of whole sentences, put together as one paragraph.
pub fn paragraph<'a>(sentences: impl Iterator<Item = &'a str>, max: usize) -> String {
    let mut out = String::new();
    for sentence in sentences {
        let sentence = sentence.trim();
        let room = max.saturating_sub(out.chars().count());
        if sentence.is_empty() || out.contains(&capital(sentence)) {
            continue;
        }
        let piece = if out.is_empty() { fit(sentence, max) } else { sentence.to_owned() };
        if piece.chars().count() + 2 > room && !out.is_empty() {
            break;
        }
        if !out.is_empty() && !out.ends_with(['。', '！', '？']) {
            out.push(' ');
        }
        out.push_str(&capital(&piece));
        if !piece.ends_with(['.', '!', '?', '。', '！', '？', ':', '…']) {
            out.push('.');
        }
    }
    out
}

/// With a capital first letter, unless it begins with code or a name in mixed letters.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let word = text.split_whitespace().next().unwrap_or("");
    let code = word
        .chars()
        .skip(1)
        .any(|c| c.is_uppercase() || matches!(c, '_' | '/' | '.' | ':' | '(' | '='));
    if code { text.to_owned() } else { first.to_uppercase().chain(chars).collect() }
}

/// Without emphasis, links' addresses and emoji at the front; code stays in its backticks.
pub fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(code) = rest.strip_prefix('`') {
            let end = code.find('`').map_or(rest.len(), |e| e + 2);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if rest.starts_with("**") || rest.starts_with("__") && !in_word(&out, &rest[2..]) {
            rest = &rest[2..];
        } else if c == '*'
            && !rest[1..].starts_with(' ')
            && !out.ends_with(|c: char| c.is_alphanumeric())
            && rest[1..].contains('*')
        {
            let end = rest[1..].find('*').unwrap_or(0) + 1;
            out.push_str(&rest[1..end]);
            rest = &rest[end + 1..];
        } else if let Some((label, after)) = link(rest) {
            out.push_str(label);
            rest = after;
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out.trim_start_matches(|c: char| !c.is_alphanumeric() && !"`\"'([{<#/.-@$~_“„«¿¡".contains(c))
        .trim()
        .to_owned()
}

fn in_word(before: &str, after: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    before.ends_with(word) || after.starts_with(word)
}

/// `[label](address)` at the beginning: the label, and what follows.
fn link(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    let address = inner[end..].strip_prefix("](")?;
    let close = address.find([')', '['])?;
    let after = address[close..].strip_prefix(')')?;
    Some((&inner[..end], after))
}

/// Splits a paragraph at the ends of its sentences; not inside code, and not after `e.g.`.
pub fn split(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut in_code = false;
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    for (i, (at, c)) in chars.iter().enumerate() {
        if *c == '`' {
            in_code = !in_code;
        }
        let next = chars.get(i + 1).map(|(_, c)| *c);
        let wide = matches!(c, '。' | '！' | '？');
        let narrow = matches!(c, '.' | '!' | '?') && next == Some(' ') && {
            let after = chars.get(i + 2).map_or('A', |(_, c)| *c);
            !after.is_lowercase() && !abbreviation(&text[start..*at])
        };
        if !in_code && (wide || narrow) {
            let end = at + c.len_utf8();
            out.push(text[start..end].trim().to_owned());
            start = end;
        }
    }
    out.push(text[start..].trim().to_owned());
    out.retain(|s| s.chars().any(char::is_alphanumeric));
    out
}

fn abbreviation(before: &str) -> bool {
    let word = before.rsplit([' ', '(']).next().unwrap_or("").to_ascii_lowercase();
    matches!(
        word.as_str(),
        "e.g" | "i.e" | "vs" | "etc" | "cf" | "approx" | "no" | "z.b" | "p.ex" | "dr" | "mr"
    ) || (!word.is_empty() && word.len() <= 2 && word.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_without_breaking() {
        assert_eq!(fit("short", 10), "short");
        assert_eq!(
            fit("guard for the empty input and the rest of it", 30),
            "guard for the empty input"
        );
        assert_eq!(fit("one two three, four five six seven", 18), "one two three");
        assert_eq!(
            fit("`parse everything` as it comes `or not` please", 36),
            "`parse everything` as it comes"
        );
        assert_eq!(fit("call it with `parse everything now` please", 24), "call it");
        assert_eq!(
            fit("a rather long beginning `of some code` here", 30),
            "a rather long beginning"
        );
        assert_eq!(fit("wwwwwwwwwwwwwwwwwwwwww", 5), "wwwww");
    }

    #[test]
    fn joins_whole_sentences_only() {
        assert_eq!(
            paragraph(["added x", "fixed y.", "fixed y."].into_iter(), 100),
            "Added x. Fixed y."
        );
        assert_eq!(paragraph(["added x", "a much longer sentence"].into_iter(), 20), "Added x.");
    }
}
