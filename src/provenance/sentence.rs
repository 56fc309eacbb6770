//! A sentence in the form in which it is compared with lists of words. Invisible characters, letters of
//! other scripts that look alike, and letters written apart do not hide a word.

use crate::text::{Words, sanitize};

pub struct Sentence {
    /// In lower case, on one line, without invisible characters.
    pub low: String,
    /// The words of `low`. Identifiers are split: `ignore_all` and `ignoreAll` are two words.
    pub words: Vec<String>,
    /// The words, each between single spaces.
    spaced: String,
    heads: Heads,
}

impl Sentence {
    pub fn new(text: &str) -> Sentence {
        const MAX_WORDS: usize = 400;
        let text = sanitize(text);
        let mut words: Vec<String> = Vec::new();
        let mut word = String::new();
        let mut before = ' ';
        for c in text.chars().map(narrow) {
            if matches!(c, '\'' | '’') {
                continue;
            }
            let hump = c.is_uppercase() && before.is_lowercase();
            if (hump || !c.is_alphanumeric()) && !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            if c.is_alphanumeric() {
                word.extend(c.to_lowercase());
            }
            before = c;
        }
        words.extend(Some(word).filter(|w| !w.is_empty()));
        words.truncate(MAX_WORDS);
        let words = joined(words.into_iter().map(without_look_alikes).collect());
        let low = text.chars().map(narrow).flat_map(char::to_lowercase).collect();
        let spaced = format!(" {} ", words.join(" "));
        let heads = Heads::of(&words);
        Sentence { low, words, spaced, heads }
    }

    /// Whether one of the words is in the list.
    pub fn has(&self, list: Words) -> bool {
        let known: Vec<&str> = list.iter().filter(|word| self.heads.may_have(word)).collect();
        self.words.iter().any(|word| known.contains(&word.as_str()))
    }

    /// Positions of words that begin with one of these stems.
    pub fn stems<'a>(&'a self, stems: Words) -> impl Iterator<Item = usize> + 'a {
        let may_begin = |stem: &&str| stem.len() < 2 || self.heads.may_have(stem);
        let stems: Vec<&str> = stems.iter().filter(may_begin).collect();
        let words =
            self.words.iter().enumerate().take(if stems.is_empty() { 0 } else { usize::MAX });
        let begins = move |word: &str| stems.iter().any(|stem| word.starts_with(stem));
        words.filter(move |(_, word)| begins(word)).map(|(at, _)| at)
    }

    /// Whether one of the words begins with one of these stems.
    pub fn has_stem(&self, stems: Words) -> bool {
        self.stems(stems).next().is_some()
    }

    /// Positions of a phrase.
    pub fn phrase<'a>(&'a self, phrase: &'a str) -> impl Iterator<Item = usize> + 'a {
        let spaced = self.spaced.as_bytes();
        let whole = move |at: &usize| spaced[at - 1] == b' ' && spaced[at + phrase.len()] == b' ';
        let text = if self.heads.may_have(phrase) { self.spaced.as_str() } else { "" };
        let found = text.match_indices(phrase).map(|(at, _)| at).filter(whole);
        found.map(|at| self.spaced[..at].matches(' ').count() - 1)
    }

    /// Whether one of the phrases stands in the sentence.
    pub fn has_phrase(&self, phrases: Words) -> bool {
        phrases.iter().any(|phrase| self.phrase(phrase).next().is_some())
    }

    /// The first words of a part of a sentence.
    pub fn first_words(part: &str) -> Vec<String> {
        let words = part.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’');
        words.filter(|w| !w.is_empty()).take(3).map(|w| w.replace(['\'', '’'], "")).collect()
    }

    /// The word at a position. Empty beyond the end.
    pub fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }
}

/// How the words of a sentence begin: a set of hashes of their first two bytes. Hundreds of words and
/// phrases are looked for in each sentence, and most begin otherwise.
struct Heads([u64; 8]);

impl Heads {
    fn of(words: &[String]) -> Heads {
        let mut heads = [0; 8];
        for word in words {
            let bit = head(word);
            heads[bit / 64] |= 1 << (bit % 64);
        }
        Heads(heads)
    }

    /// Whether a word may begin like this one, or like the first word of this phrase.
    fn may_have(&self, text: &str) -> bool {
        let bit = head(text);
        self.0[bit / 64] & 1 << (bit % 64) != 0
    }
}

fn head(text: &str) -> usize {
    let bytes = text.as_bytes();
    let [first, second] = [0, 1].map(|at| usize::from(*bytes.get(at).unwrap_or(&b' ')));
    (first * 31 + second) % 512
}

/// Full-width forms as ASCII.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        c => c,
    }
}

/// A word of mixed scripts with Latin letters in place of those that look like them.
fn without_look_alikes(word: String) -> String {
    let is_mixed = word.is_ascii() || !word.chars().any(|c| c.is_ascii_alphabetic());
    if is_mixed {
        return word;
    }
    let latin = |c: char| match c {
        'а' | 'α' => 'a',
        'е' | 'ε' => 'e',
        'о' | 'ο' => 'o',
        'р' | 'ρ' => 'p',
        'с' => 'c',
        'у' | 'υ' => 'y',
        'х' | 'χ' => 'x',
        'і' | 'ι' | 'ı' => 'i',
        'ѕ' => 's',
        'ј' => 'j',
        'ԁ' => 'd',
        'ɡ' => 'g',
        'ո' => 'n',
        'т' | 'τ' => 't',
        'к' | 'κ' => 'k',
        c => c,
    };
    word.chars().map(latin).collect()
}

/// Joins letters that are written apart: `i g n o r e`.
fn joined(words: Vec<String>) -> Vec<String> {
    const MIN_ROW: usize = 4;
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    let mut row: Vec<String> = Vec::new();
    for word in words.into_iter().chain([String::new()]) {
        if word.chars().count() == 1 && word.is_ascii() {
            row.push(word);
            continue;
        }
        match row.len() >= MIN_ROW {
            true => out.push(std::mem::take(&mut row).concat()),
            false => out.append(&mut row),
        }
        if !word.is_empty() {
            out.push(word);
        }
    }
    out
}
