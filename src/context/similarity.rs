//! Compares sentences by the words that carry meaning. Filler words and word endings are those of
//! English. Text in other languages is compared by all of its words.

use std::collections::BTreeSet;

use crate::text;

/// Words that carry no meaning.
const FILLERS: &[&str] = &[
    "a", "an", "the", "to", "of", "in", "on", "for", "and", "or", "with", "is", "are", "was", "be",
    "it", "its", "this", "that", "by", "as", "at", "from", "into", "so", "we", "i", "then", "now",
    "also",
];

/// The words of a text that carry meaning, in lower case.
fn words(text: &str) -> BTreeSet<String> {
    text::words(text).map(str::to_lowercase).filter(|w| !FILLERS.contains(&w.as_str())).collect()
}

/// The same words without the endings of English verbs and plurals: `add` and `added` are equal.
pub fn stems(text: &str) -> BTreeSet<String> {
    words(text).iter().map(|word| text::stem(word).to_owned()).collect()
}

/// The sentences of a field. A line break, full stop, semicolon, exclamation or question mark ends
/// a sentence.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    for line in text.lines() {
        let mut start = 0;
        for (at, c) in line.char_indices() {
            let end = at + c.len_utf8();
            let stops = matches!(c, '.' | ';' | '!' | '?') && line[end..].starts_with(' ');
            if stops || matches!(c, '。' | '！' | '？') {
                all.push(line[start..end].trim());
                start = end;
            }
        }
        all.push(line[start..].trim());
    }
    all.retain(|s| s.chars().any(char::is_alphanumeric));
    all
}

/// The sentences that the block contains already.
#[derive(Default)]
pub struct SeenSentences {
    sentences: Vec<BTreeSet<String>>,
}

impl SeenSentences {
    pub fn add(&mut self, text: &str) {
        self.sentences.extend(sentences(text).into_iter().map(words));
    }

    /// Whether one of these sentences has all words of `text`. In a long text one word in seven may
    /// differ unless it has a digit: `1.0.3` is not `1.0.4`.
    pub fn contains(&self, text: &str) -> bool {
        let new = words(text);
        let has_letters = new.iter().any(|w| w.chars().any(char::is_alphabetic));
        has_letters
            && self.sentences.iter().any(|old| {
                let missing: Vec<_> = new.difference(old).collect();
                let has_number = missing.iter().any(|w| w.chars().any(char::is_numeric));
                match missing.len() {
                    0 => new.len() >= 3 || new.len() == old.len(),
                    n => n * 7 <= new.len() && !has_number,
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflected_words_have_equal_stems() {
        let check = |a, b, same| assert_eq!(stems(a) == stems(b), same, "{a} {b}");
        check("add tests", "Added the test", true);
        check("write", "writing", true);
        check("plan", "planned", true);
        check("use", "uses", true);
        check("parser", "passer", false);
        check("v10", "v1", false);
    }

    #[test]
    fn lines_stops_and_semicolons_end_a_sentence() {
        let check = |text, expected: &[&str]| assert_eq!(sentences(text), expected, "{text}");
        check("One. Two; three\nfour", &["One.", "Two;", "three", "four"]);
        check("in src/main.rs 1.5 times", &["in src/main.rs 1.5 times"]);
        check("一つ。二つ", &["一つ。", "二つ"]);
        check(" \n--\n", &[]);
    }

    #[test]
    fn a_repeated_sentence_is_recognized() {
        let check = |old, new, expected| {
            let mut seen = SeenSentences::default();
            seen.add(old);
            assert_eq!(seen.contains(new), expected, "{old:?} contains {new:?}");
        };
        check("Fixed the login bug.", "fixed login bug", true);
        check("First. Fixed the login bug in auth", "Fixed the login bug", true);
        check("Add parser tests", "Add parser", false);
        check("Add parser", "Add the parser", true);
        check("Retry is needed here", "Retry is not needed here", false);
        check(
            "Bump serde in core, proto and tests to 1.0.3",
            "Bump serde in core, proto and tests to 1.0.4",
            false,
        );
        check(
            "Moved budget, render, rank, words and plain out",
            "Moved budget, render, rank, words, steps and plain out",
            true,
        );
        check("something", "", false);
        check("1 2 3", "1 2 3", false);
    }
}
