//! Compares texts by the words that carry meaning. Filler words and word endings are those of
//! English; other languages are compared by all of their words, and scripts without spaces by pairs
//! of characters.

use std::collections::BTreeMap;

pub use crate::text::sentences;
use crate::text::{self, fnv_64};

/// Words that carry no meaning.
const FILLERS: [&str; N_FILLERS] = [
    "a", "an", "the", "to", "of", "in", "on", "for", "and", "or", "with", "is", "are", "was",
    "were", "be", "it", "its", "this", "that", "these", "those", "by", "as", "at", "from", "into",
    "so", "we", "i", "you", "he", "they", "then", "now", "also", "can", "could", "should", "would",
    "will", "do", "does", "did", "please", "let", "me", "my", "our", "your", "if", "when", "which",
    "what", "how", "why", "but", "have", "has", "had", "there", "here",
];
const N_FILLERS: usize = 62;
const LONGEST_FILLER: usize = 6;
/// Their sorted hashes: whole numbers are compared faster than words.
const FILLER_HASHES: [u64; N_FILLERS] = {
    let (mut hashes, mut n) = ([0; N_FILLERS], 0);
    while n < N_FILLERS {
        let hash = fnv(FILLERS[n].as_bytes()) | ALPHABETIC;
        let mut at = n;
        while at > 0 && hashes[at - 1] > hash {
            hashes[at] = hashes[at - 1];
            at -= 1;
        }
        hashes[at] = hash;
        n += 1;
    }
    hashes
};

/// Words that deny a sentence. Contractions are split before their `t`.
const NEGATIONS: [&str; 12] = [
    "not", "no", "never", "without", "don", "doesn", "cannot", "mustn", "shouldn", "isn", "aren",
    "except",
];

/// How many letters of a word of an alphabet other than Latin count. Their endings are many.
const BEGINNING: usize = 5;

/// Hashes of the words of a text, sorted, without duplicates. The same on every machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordSet {
    hashes: Vec<u64>,
    /// A bit for each hash. The bits that only one of two sets has give a lower bound of their difference.
    bits: u64,
}

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
        for word in text::words(text) {
            if word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
                add_word(&mut hashes, word, stemmed);
            } else if stemmed {
                name_parts(word, |part| add_word(&mut hashes, &part.to_lowercase(), true));
            } else {
                add_word(&mut hashes, &word.to_lowercase(), false);
            }
        }
        WordSet::new(hashes)
    }

    /// Whether the text has at least `n` words that carry meaning. The rest of the text is not read.
    pub fn has_words(text: &str, n: usize) -> bool {
        let mut hashes = Vec::new();
        for word in text::words(text) {
            add_word(&mut hashes, &word.to_lowercase(), false);
            if hashes.len() >= n {
                hashes.sort_unstable();
                hashes.dedup();
            }
            if hashes.len() >= n {
                return true;
            }
        }
        n == 0
    }

    fn new(mut hashes: Vec<u64>) -> WordSet {
        hashes.sort_unstable();
        hashes.dedup();
        let bits = hashes.iter().fold(0, |bits, hash| bits | 1 << (hash >> 58));
        WordSet { hashes, bits }
    }

    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    fn contains(&self, hash: u64) -> bool {
        self.hashes.binary_search(&hash).is_ok()
    }

    /// How many words both have.
    pub fn common(&self, other: &WordSet) -> usize {
        if self.bits & other.bits == 0 {
            return 0;
        }
        let (mut a, mut b) = (self.hashes.iter().peekable(), other.hashes.iter().peekable());
        let mut n = 0;
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

    /// False if the words of a sentence, by their bits, cannot repeat the older one with the bits `old`.
    pub fn may_repeat(&self, old: u64) -> bool {
        let lacking = self.bits & !old;
        lacking == 0 || (self.len() >= 7 && lacking.count_ones() as usize * 7 <= self.len())
    }

    pub fn bits(&self) -> u64 {
        self.bits
    }

    /// Whether these words of a sentence repeat an older one: there are no others. In a long sentence, one
    /// word in seven may differ unless it has a digit.
    pub fn repeats(&self, old: &WordSet) -> bool {
        match self.len() - self.common(old) {
            0 => self.len() >= 3 || self.len() == old.len(),
            n if n * 7 > self.len() => false,
            _ => self.hashes.iter().all(|word| word & NUMERIC == 0 || old.contains(*word)),
        }
    }

    /// Whether two sentences say the same: each repeats the other one, and neither denies it.
    pub fn says_same(&self, other: &WordSet) -> bool {
        let denies = |a: &WordSet, b: &WordSet| {
            let negations = NEGATIONS.map(|word| fnv(word.as_bytes()) | ALPHABETIC);
            negations.into_iter().any(|word| a.contains(word) && !b.contains(word))
        };
        self.repeats(other)
            && other.repeats(self)
            && (self == other || !(denies(self, other) || denies(other, self)))
    }

    /// Adds the words of another set.
    pub fn extend(&mut self, other: &WordSet) {
        let hashes = std::mem::take(&mut self.hashes);
        *self = WordSet::new([hashes.as_slice(), &other.hashes].concat());
    }

    pub fn has_letters(&self) -> bool {
        self.hashes.iter().any(|word| word & ALPHABETIC != 0)
    }
}

/// Adds the hashes of a word in lower case, unless it carries no meaning.
fn add_word(hashes: &mut Vec<u64>, word: &str, stemmed: bool) {
    if !word.is_ascii() && word.chars().any(has_no_spaces) {
        let chars: Vec<char> = word.chars().collect();
        let pairs = chars.windows(2).map(|pair| pair.iter().collect::<String>());
        hashes.extend(pairs.map(|pair| hash(&pair)));
        if let [only] = chars.as_slice() {
            hashes.push(hash(&only.to_string()));
        }
    } else if stemmed && word.chars().all(|c| !c.is_ascii() && c.is_alphabetic()) {
        // Particles of one or two letters carry no meaning.
        let beginning: String = word.chars().take(BEGINNING).collect();
        hashes.extend((beginning.chars().count() > 2).then(|| hash(&beginning)));
    } else {
        let is_filler =
            word.len() <= LONGEST_FILLER && FILLER_HASHES.binary_search(&hash(word)).is_ok();
        if !is_filler {
            hashes.push(hash(if stemmed { text::stem(word) } else { word }));
        }
    }
}

/// Calls `each` with `Purge` and `Task` of `PurgeTask`.
fn name_parts<'a>(word: &'a str, mut each: impl FnMut(&'a str)) {
    let (mut start, mut was_lower) = (0, false);
    for (at, c) in word.char_indices() {
        if was_lower && c.is_uppercase() {
            each(&word[start..at]);
            start = at;
        }
        was_lower = c.is_lowercase();
    }
    each(&word[start..]);
}

/// A hash with two bits that tell what the word consists of.
fn hash(word: &str) -> u64 {
    let kind = |c: char| match c {
        'a'..='z' => ALPHABETIC,
        '0'..='9' => NUMERIC,
        _ => {
            let (is_numeric, is_alphabetic) = (c.is_numeric(), c.is_alphabetic());
            (u64::from(is_numeric) * NUMERIC) | (u64::from(is_alphabetic) * ALPHABETIC)
        }
    };
    fnv(word.as_bytes()) | word.chars().fold(0, |kinds, c| kinds | kind(c))
}

/// Without the two bits of [`hash`].
const fn fnv(bytes: &[u8]) -> u64 {
    fnv_64(bytes) & !(NUMERIC | ALPHABETIC)
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
        for word in &stems.hashes {
            *self.uses.entry(*word).or_default() += 1;
        }
    }

    /// The words of a text that are rare in the project: those of at most an eighth of its texts. In a
    /// small project every word is rare. If none is, all of them.
    pub fn rare(&self, stems: &WordSet) -> WordSet {
        let max = (self.n_texts / 8).max(4);
        let is_rare = |word: &&u64| self.uses.get(word).is_none_or(|n| *n <= max);
        let rare: Vec<u64> = stems.hashes.iter().filter(is_rare).copied().collect();
        if rare.is_empty() { stems.clone() } else { WordSet::new(rare) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_as_far_as_needed() {
        for text in [
            "",
            "the",
            "add",
            "Add the parser",
            "add add ADD",
            "go to parser, then lexer",
            "修正導出",
        ] {
            let n_words = WordSet::words(text).len();
            for n in 0..6 {
                assert_eq!(WordSet::has_words(text, n), n_words >= n, "{text}: {n}");
            }
        }
    }

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
    fn fillers_carry_no_meaning() {
        assert!(FILLERS.iter().all(|word| word.len() <= LONGEST_FILLER));
        assert_eq!(WordSet::words("What is there to do?").len(), 0);
        assert_eq!(WordSet::words("The Parser of a Page"), WordSet::words("page parser"));
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
}
