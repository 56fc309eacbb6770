//! The words of a text, and which runs of them are phrases.

use std::ops::Range;

/// Maximum number of words in a phrase, and in one whose words all have digits, such as an IBAN.
const MAX_WORDS: usize = 3;
const MAX_NUMBERS: usize = 8;

/// Words that say nothing alone, one per line.
const COMMON: &str = include_str!("common_words.txt");

/// Words that connect others.
const FUNCTION: [&str; 117] = [
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
    "been", "before", "but", "by", "can", "could", "did", "do", "does", "don", "for", "from",
    "get", "got", "had", "has", "have", "he", "her", "here", "him", "his", "how", "i", "if", "in",
    "into", "is", "it", "its", "just", "like", "ll", "m", "made", "make", "may", "me", "more",
    "most", "must", "my", "new", "no", "not", "now", "of", "off", "on", "one", "only", "or",
    "other", "our", "out", "over", "re", "s", "same", "she", "should", "so", "some", "such", "t",
    "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those",
    "to", "too", "two", "up", "us", "use", "used", "using", "ve", "very", "via", "was", "we",
    "were", "what", "when", "where", "which", "while", "who", "why", "will", "with", "would",
    "yes", "you", "your", "yours",
];

/// The words of a text.
pub struct Words {
    /// All words in lower case, one after the other.
    keys: String,
    words: Vec<Word>,
}

struct Word {
    /// Position in the text.
    range: Range<usize>,
    /// Position in `keys`.
    key: Range<usize>,
    has_digit: bool,
}

impl Words {
    pub fn of(text: &str) -> Words {
        let mut words = Words { keys: String::with_capacity(text.len()), words: Vec::new() };
        let mut rest = Scanner { text, at: 0 };
        let mut is_open = false;
        while let Some((part, range)) = rest.next() {
            let Part::Letter(c) = part else {
                is_open &= part == Part::Ignored;
                continue;
            };
            let start = words.keys.len();
            words.keys.extend(c.to_lowercase());
            let key = start..words.keys.len();
            let has_digit = c.is_numeric();
            // Scripts without spaces between words: each character is a word.
            let is_alone = c >= '\u{2e80}';
            match words.words.last_mut().filter(|_| is_open && !is_alone) {
                Some(word) => {
                    word.range.end = range.end;
                    word.key.end = key.end;
                    word.has_digit |= has_digit;
                }
                None => words.words.push(Word { range, key, has_digit }),
            }
            is_open = !is_alone;
        }
        words
    }

    /// All phrases, in order of their first word.
    pub fn phrases(&self) -> impl Iterator<Item = Range<usize>> {
        (0..self.words.len()).flat_map(move |start| {
            let rest = &self.words[start..];
            let n_numbers = rest.iter().take(MAX_NUMBERS).take_while(|w| w.has_digit).count();
            let longest = rest.len().min(MAX_WORDS).max(n_numbers);
            (start + 1..=start + longest).map(move |end| start..end)
        })
    }

    pub fn key(&self, phrase: &Range<usize>) -> &str {
        &self.keys[self.words[phrase.start].key.start..self.words[phrase.end - 1].key.end]
    }

    pub fn range(&self, phrase: &Range<usize>) -> Range<usize> {
        self.words[phrase.start].range.start..self.words[phrase.end - 1].range.end
    }

    /// Whether a phrase is a value, such as a number or a password, and not a phrase of a language.
    pub fn is_value(&self, phrase: &Range<usize>) -> bool {
        self.words[phrase.clone()].iter().all(|w| w.has_digit) && self.key(phrase).len() >= 4
    }

    /// Whether a phrase of a private text counts.
    pub fn counts(&self, phrase: &Range<usize>) -> bool {
        let words = &self.words[phrase.clone()];
        let key = self.key(phrase);
        let is_all = phrase.len() == self.words.len();
        let n_function =
            words.iter().filter(|w| FUNCTION.binary_search(&&self.keys[w.key.clone()]).is_ok());
        let n_function = n_function.count();
        match words.len() {
            _ if n_function == words.len() => false,
            1 if is_all => true,
            1 if words[0].has_digit => key.len() >= 3 && !is_common(key),
            1 => key.len() >= 4 && !is_common(key),
            2 => is_all || n_function == 0 && key.len() >= 4,
            _ => key.len() >= 5,
        }
    }
}

fn is_common(word: &str) -> bool {
    COMMON.lines().any(|common| common == word)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Letter(char),
    /// Between words.
    Separator,
    /// Inside of words, and invisible.
    Ignored,
}

/// Reads a text, and the escapes of JSON, URLs, HTML and terminals in it.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<(Part, Range<usize>)> {
        let start = self.at;
        let rest = &self.text[start..];
        let c = rest.chars().next()?;
        let (part, len) = match c {
            '\\' => escape(rest),
            '%' => percent(rest),
            '&' => entity(rest),
            '\u{1b}' => (Part::Separator, control_sequence(rest)),
            _ => (plain(c), c.len_utf8()),
        };
        self.at += len;
        Some((part, start..self.at))
    }
}

fn plain(c: char) -> Part {
    match c {
        c if c.is_alphanumeric() => Part::Letter(c),
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => Part::Ignored,
        _ => Part::Separator,
    }
}

/// `\n` in JSON inside of a text, and `\u00e9`.
fn escape(rest: &str) -> (Part, usize) {
    let code = |digits: &str| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
    match rest.as_bytes().get(1) {
        Some(b'n' | b'r' | b't' | b'b' | b'f') => (Part::Separator, 2),
        Some(b'u') => match rest.get(2..6).and_then(code) {
            Some(c) => (plain(c), 6),
            None => (Part::Separator, 1),
        },
        _ => (Part::Separator, 1),
    }
}

/// `%20`. A byte that is not ASCII is a part of a character, and ends the word.
fn percent(rest: &str) -> (Part, usize) {
    match rest.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
        Some(byte) if byte.is_ascii() => (plain(char::from(byte)), 3),
        Some(_) => (Part::Separator, 3),
        None => (Part::Separator, 1),
    }
}

/// `&amp;`.
fn entity(rest: &str) -> (Part, usize) {
    let name = rest[1..].bytes().take(6).take_while(|b| b.is_ascii_alphanumeric()).count();
    match rest.as_bytes().get(1 + name) {
        Some(b';') if name > 0 => (Part::Separator, name + 2),
        _ => (Part::Separator, 1),
    }
}

/// The length of a terminal's control sequence, such as a color.
fn control_sequence(rest: &str) -> usize {
    let Some(after) = rest.strip_prefix("\u{1b}[") else { return 1 };
    let n = after.bytes().take(32).take_while(|b| (0x20..0x40).contains(b)).count();
    let is_end = after.as_bytes().get(n).is_some_and(|b| (0x40..0x7f).contains(b));
    2 + n + usize::from(is_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_in_order() {
        assert!(FUNCTION.is_sorted());
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.is_sorted() && lines.iter().all(|l| l.len() > 3), "{lines:?}");
    }
}
