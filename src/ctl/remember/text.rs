//! Splits the text of a note into its title and the rest.

use crate::text::{collapse_spaces, truncate};

/// Maximum characters of a title that is a whole line or sentence.
const MAX_TITLE: usize = 200;

/// Maximum characters of a title that is cut.
const MAX_CUT: usize = 120;

/// Title and narrative of a text. A short text is its own title. If neither the first line nor the
/// first sentence is short enough, the title is the beginning and the narrative the whole text.
pub fn split(text: &str) -> (String, Option<String>) {
    let text = text.trim();
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let first = first.trim_end();
    if fits(first) {
        return (first.to_owned(), non_empty(rest));
    }
    match sentence_end(first) {
        Some(end) => (first[..end].trim_end().to_owned(), non_empty(&text[end..])),
        None => (truncate(first, MAX_CUT), Some(text.to_owned())),
    }
}

/// A given title on one line, of limited length.
pub fn one_line(title: &str) -> String {
    truncate(collapse_spaces(title).trim(), 2 * MAX_TITLE)
}

fn fits(text: &str) -> bool {
    text.char_indices().nth(MAX_TITLE).is_none()
}

fn non_empty(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The end of the first sentence that has at least three words and fits into a title.
fn sentence_end(line: &str) -> Option<usize> {
    let mut end = None;
    for (at, c) in line.char_indices() {
        let after = at + c.len_utf8();
        let ends = match c {
            '.' | '!' | '?' | ';' | ':' => line[after..].starts_with(' '),
            '。' | '！' | '？' => true,
            _ => false,
        };
        if !fits(&line[..after]) {
            break;
        }
        let has_words = c > '\u{3000}' || line[..at].split_whitespace().count() >= 3;
        if ends && has_words {
            end = Some(after);
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_a_line_a_sentence_or_a_beginning() {
        let check = |text: &str, title: &str, rest: Option<&str>| {
            assert_eq!(split(text), (title.to_owned(), rest.map(str::to_owned)), "{text:?}");
        };
        check("  short  ", "short", None);
        check("one\n\ntwo\nthree\n", "one", Some("two\nthree"));
        let long = "word ".repeat(50);
        let two = format!("The port is 5433. {long}");
        check(&two, "The port is 5433.", Some(long.trim()));
        let no_sentence = format!("e.g. {}", "x".repeat(300));
        let (title, rest) = split(&no_sentence);
        assert!(title.ends_with('…') && title.chars().count() <= MAX_CUT);
        assert_eq!(rest.as_deref(), Some(no_sentence.as_str()));
        let cjk = format!("端口是五四三三。{}", "记".repeat(300));
        assert_eq!(split(&cjk).0, "端口是五四三三。");
    }
}
