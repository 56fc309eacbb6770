//! Strips Markdown from text, splits text into sentences, and joins sentences into paragraphs.

pub use crate::activity::fit;

/// A paragraph of as many whole sentences as fit into `max` characters. Skips repeated ones.
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

/// Capitalizes the first letter, unless the text begins with code or a name in mixed case.
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

/// Strips emphasis, link URLs and leading emoji. Code keeps its backticks.
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

/// The label of a leading `[label](url)`, and the text after the link.
fn link(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    let address = inner[end..].strip_prefix("](")?;
    let close = address.find([')', '['])?;
    let after = address[close..].strip_prefix(')')?;
    Some((&inner[..end], after))
}

/// Splits a paragraph into sentences, but not inside code or after an abbreviation such as `e.g.`.
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

/// Whether the text ends with an abbreviation or a short number, so that a period is no full stop.
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
    fn a_paragraph_has_whole_sentences_only() {
        assert_eq!(
            paragraph(["added x", "fixed y.", "fixed y."].into_iter(), 100),
            "Added x. Fixed y."
        );
        assert_eq!(paragraph(["added x", "a much longer sentence"].into_iter(), 20), "Added x.");
    }
}
