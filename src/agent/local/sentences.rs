//! Splits a paragraph into sentences.

/// The sentences of a paragraph, with their punctuation. A point within a name, a number or an
/// abbreviation and marks within code do not end a sentence.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut from = 0;
    let mut in_code = false;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '`' {
            in_code = !in_code;
        }
        let end = at + c.len_utf8();
        let ends = match c {
            '。' | '！' | '？' => true,
            '.' | '!' | '?' | '؟' | '…' => {
                let next = chars.peek().map(|(_, next)| *next);
                // A closing quotation mark or bracket belongs to the sentence.
                next.is_none_or(char::is_whitespace) && !is_abbreviation(&text[from..at], c)
            }
            _ => false,
        };
        if ends && !in_code {
            push(&mut out, &text[from..end]);
            from = end;
        }
    }
    push(&mut out, &text[from..]);
    out
}

fn push<'a>(out: &mut Vec<&'a str>, sentence: &'a str) {
    let sentence = sentence.trim();
    if sentence.contains(char::is_alphanumeric) {
        out.push(sentence);
    }
}

/// Whether the text before a point ends with an abbreviation, an initial or the number of an item.
fn is_abbreviation(before: &str, mark: char) -> bool {
    const KNOWN: [&str; 12] =
        ["e.g", "i.e", "z.b", "d.h", "etc", "vs", "bzw", "cf", "p.ej", "approx", "ca", "no"];
    let word = before.rsplit(char::is_whitespace).next().unwrap_or("");
    let low = word.trim_start_matches(['(', '"']).to_lowercase();
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    let is_number = before.trim().len() <= 3 && before.trim().chars().all(|c| c.is_ascii_digit());
    mark == '.'
        && (is_initial
            || is_number
            || KNOWN.contains(&low.as_str()) && word.len() != before.trim().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_with_their_marks() {
        let check = |text, expected: &[&str]| assert_eq!(sentences(text), expected, "{text}");
        check("Fix it. Then push!", &["Fix it.", "Then push!"]);
        check("Use v1.2 of a.b, e.g. x. Ok?", &["Use v1.2 of a.b, e.g. x.", "Ok?"]);
        check("No. We use tabs.", &["No.", "We use tabs."]);
        check("直してください。次は?", &["直してください。", "次は?"]);
        check("Run `a. b` now", &["Run `a. b` now"]);
        check("1. first thing", &["1. first thing"]);
        check(" ... ", &[]);
    }
}
