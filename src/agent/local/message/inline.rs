//! Text inside a line of Markdown, without emphasis and links. Code in backticks stays as it is.

use crate::text::code_len;

const QUESTION_MARKS: [char; 3] = ['?', '？', '؟'];

/// The text without emphasis, link targets, tags and runs of spaces.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.trim();
    while let Some(c) = rest.chars().next() {
        let len = match c {
            '`' => {
                let len = code_len(rest).unwrap_or(1);
                out.push_str(&rest[..len]);
                len
            }
            '*' | '_' if is_emphasis(&out, rest, c) => {
                rest.len() - rest.trim_start_matches(c).len()
            }
            '~' if rest.starts_with("~~") => 2,
            '!' if rest.starts_with("![") => 1,
            '[' => match link(rest) {
                Some((label, len)) => {
                    out.push_str(label);
                    len
                }
                None => push(&mut out, c),
            },
            '<' => match tag_len(rest) {
                Some(len) => {
                    push(&mut out, ' ');
                    len
                }
                None => push(&mut out, c),
            },
            c => push(&mut out, c),
        };
        rest = &rest[len..];
    }
    out.truncate(out.trim_end().len());
    out
}

/// Appends a character, spaces and controls as one space. Its length.
fn push(out: &mut String, c: char) -> usize {
    if c.is_whitespace() || c.is_control() {
        if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    } else {
        out.push(c);
    }
    c.len_utf8()
}

/// Whether `*` or `_` at the beginning of `rest` marks emphasis. `snake_case` and `2 * 3` do not.
fn is_emphasis(before: &str, rest: &str, c: char) -> bool {
    let run = rest.trim_start_matches(c);
    let word_before = before.chars().next_back().is_some_and(char::is_alphanumeric);
    let word_after = run.chars().next().is_some_and(char::is_alphanumeric);
    let space_before = before.chars().next_back().is_none_or(char::is_whitespace);
    let space_after = run.chars().next().is_none_or(char::is_whitespace);
    if rest.len() - run.len() >= 2 && c == '*' {
        return true;
    }
    !(space_before && space_after || word_before && word_after)
}

/// The label of the link at the beginning of `text`, and the length of both.
fn link(text: &str) -> Option<(&str, usize)> {
    const MAX_LINK: usize = 300;
    let at = |text: &str, b: u8| text.bytes().take(MAX_LINK).position(|c| c == b);
    let label = at(text, b']')?;
    let target = text[label + 1..].strip_prefix('(')?;
    let end = at(target, b')')?;
    Some((&text[1..label], label + 2 + end + 1))
}

/// The length of the HTML tag at the beginning of `text`.
fn tag_len(text: &str) -> Option<usize> {
    const TAGS: [&str; 12] =
        ["br", "details", "summary", "p", "b", "i", "em", "strong", "sub", "sup", "kbd", "code"];
    let end = text.bytes().take(40).position(|b| b == b'>')?;
    let name = text[1..end].trim_start_matches('/').trim_end_matches('/');
    let name = name.split_whitespace().next()?;
    TAGS.contains(&name).then_some(end + 1)
}

/// Whether the sentence ends with a question mark.
pub fn is_question(sentence: &str) -> bool {
    sentence.trim_end_matches(['*', '"', ')', '”', ' ']).ends_with(QUESTION_MARKS)
}

/// Whether the text asks anything.
pub fn has_question(text: &str) -> bool {
    text.contains(QUESTION_MARKS)
}

/// The text with its first letter in upper case.
pub fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The same, unless it begins with a name: `iOS`, `parse_empty`.
pub fn sentence_case(text: &str) -> String {
    let is_word = text.chars().nth(1).is_some_and(|c| c.is_lowercase() || c == ' ');
    let first_word = text.split(' ').next().unwrap_or_default();
    match is_word && !first_word.contains(['_', '.', '/', ':', '(', '`']) {
        true => capitalized(text),
        false => text.to_owned(),
    }
}

/// The text without a final colon.
pub fn without_colon(text: &str) -> &str {
    text.trim_end_matches([':', '：', ' '])
}

/// Whether the text introduces what follows it.
pub fn ends_with_colon(text: &str) -> bool {
    text.ends_with([':', '：'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_goes_and_code_stays() {
        let check = |text, want: &str| assert_eq!(plain(text), want);
        check("**Fixed** the _guard_ in `a*b*c`", "Fixed the guard in `a*b*c`");
        check("snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4");
        check("See [the page](https://example.com/a) [x] a[0]", "See the page [x] a[0]");
        check("a<br>b  <T> c", "a b <T> c");
        check("~~old~~ *new*", "old new");
        check("`open", "`open");
        check("", "");
    }

    proptest::proptest! {
        #[test]
        fn any_text(text in r"[`*_\[\]()<>~!a-z .。é\n]{0,120}") {
            plain(&text);
        }
    }
}
