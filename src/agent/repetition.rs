//! Recognizes the answer of a model that repeats itself: it is complete and well formed, and says nothing.
//! Small models do this at the end of their context, and when a schema forces them to go on.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// The fields that tell something.
const TELLING: [&str; 11] = [
    "title",
    "subtitle",
    "narrative",
    "fact",
    "facts",
    "request",
    "investigated",
    "learned",
    "completed",
    "next_steps",
    "notes",
];
/// Equal observations, or equal fields of one: honest answers say a thing twice.
const OFTEN: usize = 3;
/// A shorter sentence, such as "All pass", may stand in several fields.
const MIN_WORDS: usize = 3;
/// A text of fewer words may repeat some.
const MIN_TEXT: usize = 14;

/// Whether the observations and summaries of an answer repeat one text. Each has the names and texts of its
/// fields.
pub fn is_repetitive(roots: &[Vec<(&str, &str)>]) -> bool {
    let told: Vec<Vec<Vec<String>>> = roots.iter().map(|fields| told(fields)).collect();
    let fields: Vec<&Vec<String>> = told.iter().flatten().collect();
    let is_same = |fields: &[Vec<String>]| {
        fields.len() >= OFTEN && fields.iter().all(|field| *field == fields[0])
    };
    let objects = told.iter().filter(|fields| !fields.is_empty());
    let (n_equal, n_objects) = most(objects);
    let (n_same, n_fields) = most(fields.iter().filter(|words| words.len() >= MIN_WORDS));
    told.iter().any(|fields| is_same(fields))
        || n_equal >= OFTEN && 2 * n_equal > n_objects
        || n_same > OFTEN && 4 * n_same >= 3 * n_fields
        || roots.iter().flatten().any(|(name, text)| TELLING.contains(name) && repeats(text))
}

/// Whether a text says the same words again and again: at most half of its sequences of three words differ.
pub fn repeats(text: &str) -> bool {
    let words = words(text);
    let sequences: HashSet<&[String]> = words.windows(3).collect();
    words.len() >= MIN_TEXT && 2 * sequences.len() <= words.len() - 2
}

/// The words of the fields that tell something. A sentence that a field repeats counts once.
fn told(fields: &[(&str, &str)]) -> Vec<Vec<String>> {
    let is_telling = |(name, text): &&(&str, &str)| {
        TELLING.contains(name) && !(*name == "facts" && text.contains('<'))
    };
    let of_field = |(_, text): &(&str, &str)| {
        let mut seen = HashSet::new();
        let sentences = text.split(['.', '!', '?', '。', '\n']).map(words);
        let new = sentences.filter(|sentence| seen.insert(sentence.clone()));
        new.flatten().collect::<Vec<String>>()
    };
    fields.iter().filter(is_telling).map(of_field).filter(|words| !words.is_empty()).collect()
}

/// In lower case. A character of a script that is written without spaces is a word.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_open = false;
    for c in text.chars() {
        let is_alone = c >= '\u{2e80}';
        if !c.is_alphanumeric() {
            is_open = false;
            continue;
        }
        if !is_open || is_alone {
            words.push(String::new());
        }
        is_open = !is_alone;
        words.last_mut().expect("pushed before").extend(c.to_lowercase());
    }
    words
}

/// How often the most frequent item occurs, and how many there are.
fn most<T: Eq + Hash>(items: impl Iterator<Item = T>) -> (usize, usize) {
    let mut counts: HashMap<T, usize> = HashMap::new();
    items.for_each(|item| *counts.entry(item).or_default() += 1);
    (counts.values().copied().max().unwrap_or(0), counts.values().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENTENCE: &str = "The parser was updated to handle dotted dates.";

    #[test]
    fn honest_answers_may_say_a_thing_twice() {
        for honest in [
            vec![vec![("title", "All tests pass"), ("narrative", "All tests pass.")]],
            vec![
                vec![("type", "change"), ("title", "All 7 tests pass"), ("concept", "testing")],
                vec![("request", "Run the tests"), ("completed", "All 7 tests pass")],
            ],
            vec![
                vec![("title", SENTENCE), ("narrative", SENTENCE)],
                vec![("request", "Fix the dates"), ("completed", SENTENCE), ("notes", "Slow.")],
            ],
            vec![
                vec![("title", "Test a passes"), ("fact", "Test a passes in 3 ms")],
                vec![("title", "Test b passes"), ("fact", "Test b passes in 4 ms")],
                vec![("title", "Test c passes"), ("fact", "Test c passes in 5 ms")],
            ],
            vec![vec![(
                "narrative",
                "No. No. The test a.rs failed, then b.rs failed, then c.rs failed, then d.rs failed.",
            )]],
            vec![vec![("request", "Hi")], vec![]],
            vec![],
        ] {
            assert!(!is_repetitive(&honest), "{honest:?}");
        }
    }

    #[test]
    fn a_text_in_every_field_or_again_and_again_is_a_repetition() {
        let again = SENTENCE.repeat(5);
        let phrase = "and then the parser ".repeat(12);
        let object = vec![("title", "Fix the parser"), ("narrative", "It reads dates now.")];
        let chinese = "解析器现在可以读取日期。".repeat(4);
        for looping in [
            vec![vec![("request", SENTENCE), ("learned", SENTENCE), ("completed", SENTENCE)]],
            vec![vec![("title", SENTENCE), ("narrative", &again[..]), ("fact", SENTENCE)]],
            vec![
                vec![("title", SENTENCE), ("narrative", SENTENCE)],
                vec![("request", SENTENCE), ("completed", SENTENCE)],
            ],
            vec![vec![("request", "Fix it"), ("completed", &again[..])]],
            vec![vec![("request", "Fix it"), ("notes", &phrase[..])]],
            vec![vec![("request", "修复"), ("completed", &chinese[..])]],
            vec![object.clone(), object.clone(), object.clone(), vec![("request", "Fix it")]],
        ] {
            assert!(is_repetitive(&looping), "{looping:?}");
        }
    }
}
