//! What the client's own memory says already: the block does not tell it again.
//!
//! A sentence counts if it stands there in the same or nearly the same words. Headings and code say
//! nothing.

use std::cell::RefCell;
use std::path::Path;

use super::similarity::{WordSet, sentences};
use crate::clients::native::{self, MemoryFile};
use crate::config::Settings;

/// A word alone says nothing.
const MIN_WORDS: usize = 2;

#[derive(Clone, Debug, Default)]
pub struct Native {
    /// By the number of their words.
    sentences: Vec<Sentence>,
    /// The sentences of memories that are left out, with the numbers of the files that say them.
    left_out: RefCell<Vec<(WordSet, usize)>>,
}

#[derive(Clone, Debug)]
struct Sentence {
    words: WordSet,
    /// Number of its file.
    file: usize,
}

impl Native {
    /// Reads what the client tells its model in this directory.
    pub fn of_session(settings: &Settings, client: &str, dir: &Path) -> Native {
        Native::new(&native::find(settings, client, dir).files)
    }

    pub fn new(files: &[MemoryFile]) -> Native {
        let mut sentences: Vec<Sentence> = Vec::new();
        for (file, text) in files.iter().map(|file| &file.text).enumerate() {
            let words = statements(text).into_iter().map(|text| WordSet::words(&text));
            let words = words.filter(|words| words.len() >= MIN_WORDS && words.has_letters());
            sentences.extend(words.map(|words| Sentence { words, file }));
        }
        sentences.sort_by_key(|sentence| sentence.words.len());
        Native { sentences, ..Native::default() }
    }

    /// Whether a sentence with these words stands in a file.
    pub fn says(&self, words: &WordSet) -> bool {
        // Of seven words, one may differ.
        let n = words.len();
        let from = self.sentences.partition_point(|s| s.words.len() < n - n / 7);
        let to = self.sentences.partition_point(|s| s.words.len() <= n * 7 / 6);
        let may_be =
            |s: &&Sentence| words.may_repeat(s.words.bits()) && s.words.may_repeat(words.bits());
        let mut candidates = self.sentences[from..to].iter().filter(may_be);
        let found = candidates.find(|s| words.says_same(&s.words));
        if let Some(Sentence { file, .. }) = found {
            let mut left_out = self.left_out.borrow_mut();
            if !left_out.iter().any(|(known, _)| known == words) {
                left_out.push((words.clone(), *file));
            }
        }
        found.is_some()
    }

    /// How many sentences were left out because the file with this number says them.
    pub fn n_left_out(&self, file: usize) -> usize {
        self.left_out.borrow().iter().filter(|(_, of)| *of == file).count()
    }
}

/// The sentences of a Markdown text, and what follows a label: `**Money**: whole cents`,
/// `[Money](money.md) — whole cents`.
fn statements(text: &str) -> Vec<String> {
    let (mut found, mut paragraph, mut is_code) = (Vec::new(), String::new(), false);
    for line in text.lines() {
        let line = line.trim();
        let is_fence = line.starts_with("```") || line.starts_with("~~~");
        is_code ^= is_fence;
        let (item, is_item) = without_marker(line);
        if is_fence || is_code || is_item || line.is_empty() || line.starts_with('#') {
            add(&mut found, &mut paragraph);
        }
        if !is_fence && !is_code && !line.starts_with('#') {
            paragraph.push(' ');
            paragraph.push_str(item);
        }
    }
    add(&mut found, &mut paragraph);
    found
}

/// Adds the sentences of a paragraph, and empties it.
fn add(found: &mut Vec<String>, paragraph: &mut String) {
    let text = std::mem::take(paragraph);
    let labels = [": ", " — ", " – ", " - "];
    for sentence in sentences(&text) {
        let rests = labels.iter().filter_map(|label| Some(sentence.split_once(label)?.1));
        found.extend(rests.map(str::to_owned));
        found.push(sentence.to_owned());
    }
}

/// The text behind the marker of a list item or a quotation, and whether there is one.
fn without_marker(line: &str) -> (&str, bool) {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let marked =
        [(line, "- "), (line, "* "), (line, "+ "), (line, "> "), (number, ". "), (number, ") ")];
    let is_number = number.len() < line.len();
    for (text, marker) in marked {
        if let Some(rest) =
            text.strip_prefix(marker).filter(|_| text.len() == line.len() || is_number)
        {
            return (rest, true);
        }
    }
    (line, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::native::Kind;

    fn native(text: &str) -> Native {
        Native::new(&[MemoryFile {
            path: "CLAUDE.md".into(),
            kind: Kind::Instructions,
            bytes: 0,
            modified_epoch: 0,
            text: text.into(),
        }])
    }

    #[track_caller]
    fn check(text: &str, sentence: &str, expected: bool) {
        let native = native(text);
        assert_eq!(native.says(&WordSet::words(sentence)), expected, "{text:?} / {sentence:?}");
        assert_eq!(native.n_left_out(0), usize::from(expected));
    }

    #[test]
    fn a_statement_of_the_file_is_recognized_in_nearly_the_same_words() {
        let text = "# Rules\n\n- **Money** is integer cents, everywhere.\n- Tests: run them with nextest\n\
                    1. Releases are cut from main. Tags are signed.\nA paragraph that goes on\n\
                    in the next line.\n- [Port](port.md) — the database listens on 5433\n";
        check(text, "money is integer cents everywhere", true);
        check(text, "Run them with nextest", true);
        check(text, "The tags are signed", true);
        check(text, "Releases are cut from `main`.", true);
        check(text, "A paragraph that goes on in the next line", true);
        check(text, "The database listens on 5433", true);
        check(text, "The database listens on 5432", false);
        check(text, "Money is integer cents", false);
        check(text, "Rules", false);
    }

    #[test]
    fn what_a_file_denies_or_limits_is_told() {
        check(
            "Do not deploy the service to production on a Friday or before holidays",
            "Deploy the service to production on a Friday or before holidays",
            false,
        );
        check("Never run the slow tests in the pipeline", "Run the slow tests", false);
        check("Use tabs in Makefiles only, spaces elsewhere", "Use tabs in Makefiles", false);
    }

    #[test]
    fn code_says_nothing() {
        check("```\nrun the tests with nextest\n```\n", "run the tests with nextest", false);
    }
}
