//! Whether the words that a prompt shares with a row say anything: `run the tests again` shares words with
//! many rows and asks for none of them.

use std::collections::HashSet;
use std::sync::OnceLock;

use crate::terms;

/// Words of requests, one language a line.
const TABLE: &str = include_str!("request_words.txt");
/// A single word tells what is asked for only if it is as long and has a digit, as `E0425`.
const MIN_NAME: usize = 4;

/// Whether these words of a prompt, which a row has too, are enough to give the row to the model: one that
/// names a subject, and another one beside it.
pub fn suffices<'a>(shared: impl Iterator<Item = &'a str>) -> bool {
    let (mut n_words, mut n_subjects, mut has_name) = (0, 0, false);
    for word in shared {
        n_words += 1;
        if is_of_requests(word) || word.chars().count() < 2 {
            continue;
        }
        n_subjects += 1;
        let has_digit = word.chars().any(|c| c.is_ascii_digit());
        let has_letter = word.chars().any(char::is_alphabetic);
        has_name |= has_digit && has_letter && word.chars().count() >= MIN_NAME;
    }
    has_name || n_subjects > 0 && n_words > 1
}

fn is_of_requests(word: &str) -> bool {
    static STEMS: OnceLock<HashSet<String>> = OnceLock::new();
    let stems = STEMS.get_or_init(|| {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        let mut stems = HashSet::new();
        lines.for_each(|line| {
            terms::visit(line, |token| {
                stems.insert(terms::stem(token.word));
            });
        });
        stems
    });
    stems.contains(&terms::stem(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_must_name_a_subject() {
        let check = |words: &str, want| {
            assert_eq!(suffices(words.split_whitespace()), want, "{words}");
        };
        check("x", false);
        check("x y", false);
        check("thanks", false);
        check("run tests again", false);
        check("schreib funktion liste", false);
        check("celery", false);
        check("celery broker", true);
        check("fix ledger", true);
        check("e0425", true);
        check("404", false);
        check("", false);
    }
}
