//! Finds out whether a sentence repeats or closely follows other text.
//!
//! Text is compared by its words without fillers and endings. A text is kept as hashes of
//! pairs of words that stand near each other, in any order: a sentence that was copied shares all of
//! them, one that was reworded most, one about the same subject few.

use std::collections::HashSet;

use crate::text::{Words, fnv_32, sanitize, stem};

/// Words with at most this distance form a pair.
const WINDOW: usize = 2;

/// Bits of the hash of a pair. They are stored, and a dictionary has far more pairs than values, so
/// no pair can be told from its hash.
const PAIR_BITS: u32 = (1 << 24) - 1;

/// Words that carry no meaning.
const FILLERS: Words = Words(
    "a|an|the|to|of|in|on|for|and|or|with|is|are|was|were|be|been|it|its|this|that|these|\
     those|by|as|at|from|into|so|we|i|you|your|then|now|also|will|has|have|had|does|do|\
     did|which|there|here|please|can|may|if|when|der|die|das|und|ist|le|la|les|et|est|el|\
     los|las|y|es|que|de",
);

/// The hashes of the words of a text that carry meaning, in order.
pub fn words_of(text: &str) -> Vec<u32> {
    let text = sanitize(text);
    let mut out = Vec::new();
    for run in text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()) {
        if run.is_ascii() {
            let word = run.to_ascii_lowercase();
            if !FILLERS.are(word.as_str()) {
                out.push(fnv_32(stem(&word).as_bytes()));
            }
            continue;
        }
        // Scripts without spaces between words are compared by character.
        let mut word = String::new();
        for c in run.chars().flat_map(char::to_lowercase) {
            if is_wide(c) {
                push(&mut out, &mut word);
                word.push(c);
                push(&mut out, &mut word);
            } else {
                word.push(c);
            }
        }
        push(&mut out, &mut word);
    }
    out
}

fn push(out: &mut Vec<u32>, word: &mut String) {
    if !word.is_empty() && !FILLERS.are(word.as_str()) {
        out.push(fnv_32(word.as_bytes()));
    }
    word.clear();
}

/// Han, kana, Hangul, Thai and other scripts of Southeast Asia.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..='\u{3ffff}')
}

fn pair(a: u32, b: u32) -> u32 {
    let (low, high) = (a.min(b), a.max(b));
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&low.to_le_bytes());
    bytes[4..].copy_from_slice(&high.to_le_bytes());
    fnv_32(&bytes) & PAIR_BITS
}

/// Pairs of nearby words, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Shingles {
    known: HashSet<u32>,
    in_order: Vec<u32>,
}

/// How much of a sentence repeats a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// Words that stand beside the same word as in the text.
    pub covered: usize,
    /// All words but fillers.
    pub total: usize,
    /// The longest row of such words.
    pub row: usize,
}

impl Likeness {
    /// Whether at least `percent` of at least `words` words are covered.
    pub fn is_at_least(&self, percent: usize, words: usize) -> bool {
        self.total >= words && self.covered * 100 >= self.total * percent
    }
}

impl Shingles {
    pub fn from_pairs(pairs: &[u32]) -> Shingles {
        let mut all = Shingles::default();
        pairs.iter().for_each(|pair| all.insert(*pair));
        all
    }

    fn insert(&mut self, pair: u32) {
        if self.known.insert(pair) {
            self.in_order.push(pair);
        }
    }

    /// Adds the pairs of a text.
    pub fn add(&mut self, text: &str) {
        let words = words_of(text);
        for (at, word) in words.iter().enumerate() {
            words[at + 1..].iter().take(WINDOW).for_each(|near| self.insert(pair(*word, *near)));
        }
    }

    /// Adds the pairs of a text that `own` does not have.
    pub fn add_beyond(&mut self, own: &Shingles, text: &str) {
        let words = words_of(text);
        for (at, word) in words.iter().enumerate() {
            for near in words[at + 1..].iter().take(WINDOW) {
                if !own.has(*word, *near) {
                    self.insert(pair(*word, *near));
                }
            }
        }
    }

    pub fn len(&self) -> usize {
        self.in_order.len()
    }

    /// The newest `max` pairs, oldest first.
    pub fn newest(&self, max: usize) -> Vec<u32> {
        self.in_order[self.in_order.len().saturating_sub(max)..].to_vec()
    }

    pub fn likeness(&self, words: &[u32]) -> Likeness {
        self.likeness_beyond(&Shingles::default(), words)
    }

    /// The likeness by pairs that `own` does not have.
    pub fn likeness_beyond(&self, own: &Shingles, words: &[u32]) -> Likeness {
        let has = |a, b| self.has(a, b) && !own.has(a, b);
        let mut likeness = Likeness { covered: 0, total: words.len(), row: 0 };
        let mut row = 0;
        for (at, word) in words.iter().enumerate() {
            let near = &words[at.saturating_sub(WINDOW)..(at + WINDOW + 1).min(words.len())];
            let covered = near.iter().filter(|other| *other != word).any(|o| has(*word, *o));
            likeness.covered += usize::from(covered);
            let follows = at > 0 && has(words[at - 1], *word);
            row = if follows { row + 1 } else { 1 };
            likeness.row = likeness.row.max(row);
        }
        likeness
    }

    fn has(&self, a: u32, b: u32) -> bool {
        self.known.contains(&pair(a, b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "Set `pool.max` to 50 before you start the workers. The server closes idle \
        connections after ten minutes, so clients have to reconnect.";

    fn likeness(text: &str) -> (usize, usize) {
        let mut page = Shingles::default();
        page.add(PAGE);
        let found = page.likeness(&words_of(text));
        (found.covered * 100 / found.total.max(1), found.row)
    }

    #[test]
    fn copies_and_rewordings_are_alike_and_others_are_not() {
        assert_eq!(likeness("The server closes idle connections after ten minutes.").0, 100);
        assert!(likeness("Idle connections get closed by the server after ten minutes.").0 >= 80);
        assert!(likeness("Before starting workers, set `pool.max` to 50.").0 >= 80);
        assert!(
            likeness("The tests of the connection pool pass, and the workers start twice.").0 <= 50
        );
        assert_eq!(likeness("All 12 tests pass.").0, 0);
    }

    #[test]
    fn a_copy_inside_a_longer_sentence_is_a_row() {
        let text = "I looked at everything that the team wrote about this, and the server closes idle \
            connections after ten minutes, which surprised all of us very much last week";
        assert!(likeness(text).1 >= 7);
        assert!(likeness(text).0 < 70);
    }

    #[test]
    fn scripts_without_spaces_are_compared() {
        let mut page = Shingles::default();
        page.add("空闲连接会在十分钟后关闭。");
        assert!(page.likeness(&words_of("空闲连接会在十分钟后关闭")).is_at_least(100, 8));
        assert!(!page.likeness(&words_of("所有测试都已通过")).is_at_least(30, 4));
    }

    #[test]
    fn the_newest_pairs_are_kept() {
        let mut all = Shingles::default();
        all.add("one two three four");
        assert_eq!(all.len(), 5);
        let kept = Shingles::from_pairs(&all.newest(3));
        assert!(kept.likeness(&words_of("three four")).covered == 2);
        assert!(kept.likeness(&words_of("one two")).covered == 0);
    }
}
