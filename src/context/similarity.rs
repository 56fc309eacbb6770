//! Compares texts by the words that carry meaning. Filler words and word endings are those of
//! English; other languages are compared by all of their words, and scripts without spaces by pairs
//! of characters.

use std::collections::{BTreeMap, BTreeSet};

use crate::text;

/// Words that carry no meaning.
const FILLERS: &[&str] = &[
    "a", "an", "the", "to", "of", "in", "on", "for", "and", "or", "with", "is", "are", "was",
    "were", "be", "it", "its", "this", "that", "these", "those", "by", "as", "at", "from", "into",
    "so", "we", "i", "you", "he", "they", "then", "now", "also", "can", "could", "should", "would",
    "will", "do", "does", "did", "please", "let", "me", "my", "our", "your", "if", "when", "which",
    "what", "how", "why", "but", "have", "has", "had", "there", "here",
];

/// How many letters of a word of an alphabet other than Latin count. Their endings are many.
const BEGINNING: usize = 5;

/// Hashes of the words of a text, sorted, without duplicates. The same on every machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordSet(Vec<u64>);

/// Set in the hash of a word with a digit. `1.0.3` is not `1.0.4`.
const NUMERIC: u64 = 1;
/// Set in the hash of a word with a letter.
const ALPHABETIC: u64 = 2;

impl WordSet {
    /// The words that carry meaning, in lower case.
    pub fn words(text: &str) -> WordSet {
        WordSet::of(text, false)
    }

    /// The same words without the endings of English verbs and plurals: `add` and `added` are equal. Words
    /// of other alphabets are cut to their beginning, and names are split: `PurgeTask`.
    pub fn stems(text: &str) -> WordSet {
        WordSet::of(text, true)
    }

    fn of(text: &str, stemmed: bool) -> WordSet {
        let mut hashes = Vec::new();
        let parts = |word| if stemmed { name_parts(word) } else { vec![word] };
        for word in text::words(text).flat_map(parts) {
            let word = word.to_lowercase();
            if word.chars().any(has_no_spaces) {
                let chars: Vec<char> = word.chars().collect();
                let pairs = chars.windows(2).map(|pair| pair.iter().collect::<String>());
                hashes.extend(pairs.map(|pair| hash(&pair)));
                if let [only] = chars.as_slice() {
                    hashes.push(hash(&only.to_string()));
                }
            } else if stemmed && word.chars().all(|c| c.is_alphabetic() && !c.is_ascii()) {
                // Particles of one or two letters carry no meaning.
                let beginning: String = word.chars().take(BEGINNING).collect();
                hashes.extend((beginning.chars().count() > 2).then(|| hash(&beginning)));
            } else if !FILLERS.contains(&word.as_str()) {
                hashes.push(hash(if stemmed { text::stem(&word) } else { &word }));
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        WordSet(hashes)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, hash: u64) -> bool {
        self.0.binary_search(&hash).is_ok()
    }

    /// How many words both have.
    pub fn common(&self, other: &WordSet) -> usize {
        let (mut a, mut b, mut n) = (self.0.iter().peekable(), other.0.iter().peekable(), 0);
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            match x.cmp(y) {
                std::cmp::Ordering::Less => drop(a.next()),
                std::cmp::Ordering::Greater => drop(b.next()),
                std::cmp::Ordering::Equal => {
                    n += 1;
                    a.next();
                    b.next();
                }
            }
        }
        n
    }

    /// Adds the words of another set.
    pub fn extend(&mut self, other: &WordSet) {
        self.0.extend(&other.0);
        self.0.sort_unstable();
        self.0.dedup();
    }

    fn has_letters(&self) -> bool {
        self.0.iter().any(|word| word & ALPHABETIC != 0)
    }
}

/// `Purge` and `Task` of `PurgeTask`.
fn name_parts(word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut was_lower) = (0, false);
    for (at, c) in word.char_indices() {
        if was_lower && c.is_uppercase() {
            parts.push(&word[start..at]);
            start = at;
        }
        was_lower = c.is_lowercase();
    }
    parts.push(&word[start..]);
    parts
}

/// FNV-1a, with two bits that tell what the word consists of.
fn hash(word: &str) -> u64 {
    let hash = word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let numeric = if word.chars().any(char::is_numeric) { NUMERIC } else { 0 };
    let alphabetic = if word.chars().any(char::is_alphabetic) { ALPHABETIC } else { 0 };
    (hash & !(NUMERIC | ALPHABETIC)) | numeric | alphabetic
}

/// Whether words of this script are written without spaces, or with particles attached.
pub fn has_no_spaces(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{e7f}' | '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// How many texts of a project use a word.
#[derive(Clone, Debug, Default)]
pub struct Frequencies {
    uses: BTreeMap<u64, u32>,
    n_texts: u32,
}

impl Frequencies {
    pub fn add(&mut self, stems: &WordSet) {
        self.n_texts += 1;
        for word in &stems.0 {
            *self.uses.entry(*word).or_default() += 1;
        }
    }

    /// The words of a text that are rare in the project: those of at most an eighth of its texts. In a
    /// small project every word is rare. If none is, all of them.
    pub fn rare(&self, stems: &WordSet) -> WordSet {
        let max = (self.n_texts / 8).max(4);
        let is_rare = |word: &&u64| self.uses.get(word).is_none_or(|n| *n <= max);
        let rare: Vec<u64> = stems.0.iter().filter(is_rare).copied().collect();
        if rare.is_empty() { stems.clone() } else { WordSet(rare) }
    }
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

/// What the block contains already.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    sentences: Vec<WordSet>,
    sessions: BTreeSet<i64>,
}

impl Seen {
    pub fn add(&mut self, text: &str) {
        self.sentences.extend(sentences(text).into_iter().map(WordSet::words));
    }

    /// Notes that lines about this session, by its key, are told.
    pub fn add_session(&mut self, id: Option<i64>) {
        self.sessions.extend(id);
    }

    pub fn has_session(&self, id: Option<i64>) -> bool {
        id.is_some_and(|id| self.sessions.contains(&id))
    }

    /// Whether each sentence of `text` repeats one of these: it has no other words. In a long one, one
    /// word in seven may differ unless it has a digit.
    pub fn contains(&self, text: &str) -> bool {
        let sentences = sentences(text);
        !sentences.is_empty()
            && sentences.into_iter().all(|sentence| {
                let new = WordSet::words(sentence);
                new.has_letters() && self.sentences.iter().any(|old| repeats(&new, old))
            })
    }
}

fn repeats(new: &WordSet, old: &WordSet) -> bool {
    match new.len() - new.common(old) {
        0 => new.len() >= 3 || new.len() == old.len(),
        n if n * 7 > new.len() => false,
        _ => new.0.iter().all(|word| word & NUMERIC == 0 || old.contains(*word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflected_words_have_equal_stems() {
        let check =
            |a, b, same| assert_eq!(WordSet::stems(a) == WordSet::stems(b), same, "{a} {b}");
        check("add tests", "Added the test", true);
        check("write", "writing", true);
        check("plan", "planned", true);
        check("use", "uses", true);
        check("parser", "passer", false);
        check("v10", "v1", false);
        check("修正导出", "修正导出", true);
    }

    #[test]
    fn scripts_without_spaces_are_compared_by_pairs() {
        let common = |a, b| WordSet::stems(a).common(&WordSet::stems(b));
        assert_eq!(common("修正第几页的导出", "导出已经修正"), 2);
        assert_eq!(common("수정", "수정했다"), 1);
        assert_eq!(common("好", "好"), 1);
    }

    #[test]
    fn words_of_many_texts_are_not_rare() {
        let mut frequencies = Frequencies::default();
        for n in 0..80 {
            frequencies.add(&WordSet::stems(&format!("export page{n}")));
        }
        let rare = |text| frequencies.rare(&WordSet::stems(text));
        assert_eq!(rare("export page7"), WordSet::stems("page7"));
        assert_eq!(rare("export unknown"), WordSet::stems("unknown"));
        assert_eq!(rare("export"), WordSet::stems("export"), "better a frequent word than none");
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
