//! What the block contains already, so that nothing is told twice.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::native::Native;
use super::similarity::{WordSet, sentences};

/// The words of each sentence of a text.
type Sentences = Rc<[WordSet]>;

/// What the block contains already.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Each sentence: its bits, which exclude most sentences at once, and its text with its position there.
    sentences: Vec<(u64, Sentences, usize)>,
    sessions: BTreeSet<i64>,
    /// Ids of summaries.
    turns: BTreeSet<i64>,
    /// The words of each text that was asked for. Copies share them.
    known: Rc<RefCell<HashMap<Box<str>, Sentences>>>,
    native: Rc<Native>,
}

impl Seen {
    /// A block that is read beside the client's own memory.
    pub fn beside(native: &Rc<Native>) -> Seen {
        Seen { native: native.clone(), ..Seen::default() }
    }

    pub fn add(&mut self, text: &str) {
        let words = self.words(text);
        let sentences = words.iter().enumerate();
        self.sentences.extend(sentences.map(|(at, set)| (set.bits(), words.clone(), at)));
    }

    /// Notes that lines about this session, by its key, are told.
    pub fn add_session(&mut self, id: Option<i64>) {
        self.sessions.extend(id);
    }

    /// Notes that a row of the turn with this summary is told.
    pub fn add_turn(&mut self, summary: Option<i64>) {
        self.turns.extend(summary);
    }

    pub fn has_turn(&self, summary: i64) -> bool {
        self.turns.contains(&summary)
    }

    pub fn has_session(&self, id: Option<i64>) -> bool {
        id.is_some_and(|id| self.sessions.contains(&id))
    }

    /// Whether each sentence of `text` repeats one of the block, or stands in the client's own memory.
    pub fn contains(&self, text: &str) -> bool {
        self.all_sentences(text, |new| {
            let mut old = self.sentences.iter().filter(|(bits, ..)| new.may_repeat(*bits));
            old.any(|(_, text, at)| new.repeats(&text[*at])) || self.native.says(new)
        })
    }

    /// Whether each sentence of `text` repeats one of `others`, which need not be part of the block.
    pub fn is_among<T: AsRef<str>>(&self, text: &str, others: &[T]) -> bool {
        let others: Vec<Sentences> = others.iter().map(|text| self.words(text.as_ref())).collect();
        self.all_sentences(text, |new| {
            others.iter().flat_map(|text| text.iter()).any(|old| new.repeats(old))
        })
    }

    fn all_sentences(&self, text: &str, is_old: impl Fn(&WordSet) -> bool) -> bool {
        let sentences = self.words(text);
        !sentences.is_empty() && sentences.iter().all(|new| new.has_letters() && is_old(new))
    }

    fn words(&self, text: &str) -> Sentences {
        if let Some(words) = self.known.borrow().get(text) {
            return words.clone();
        }
        let words: Sentences = sentences(text).into_iter().map(WordSet::words).collect();
        self.known.borrow_mut().insert(text.into(), words.clone());
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_sentence_is_recognized() {
        let check = |old, new, expected| {
            let mut seen = Seen::default();
            seen.add(old);
            assert_eq!(seen.contains(new), expected, "{old:?} contains {new:?}");
        };
        check("Fixed the login bug.", "fixed login bug", true);
        check("First. Fixed the login bug in auth", "Fixed the login bug", true);
        check("One is done. Two is not.", "Two is not; one is done", true);
        check("One is done.", "One is done. Two is not.", false);
        check("Add parser tests", "Add parser", false);
        check("Add parser", "Add the parser", true);
        check("Retry is needed", "Retry is not needed", false);
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
