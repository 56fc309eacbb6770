//! Recognizes private text that comes back without its tags: in a command, a tool's output or an
//! answer. Words are compared without case, and without the characters between them.
//!
//! A phrase is a run of up to three words, or more if all of them have digits. Of a private text these
//! phrases count:
//!
//! - one word, if it is not common and does not occur in the open text around the private parts
//! - two words of which none is a function word, and three of which one is none
//! - all of it, if it has one or two words
//!
//! A private word of at least five letters is also found at the beginning of a longer word.
//!
//! On disk a phrase is a salted hash. It hides long phrases, but not a number of four digits from
//! someone who reads the file and tries all of them. The file is as well protected as the database.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::json::{self, Edit};
use super::json_text;
use super::known_secrets::KnownSecrets;
use crate::text::fnv_32;

/// Stands for private text that came back.
pub const MARK: &str = "[private]";

/// Maximum number of words in a phrase, and in one whose words all have digits, such as an IBAN.
const MAX_WORDS: usize = 3;
const MAX_NUMBERS: usize = 8;

/// At most this many phrases of one event are kept.
const MAX_PHRASES: usize = 4096;

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

/// At most this many bytes of a private text, and of the open text around it, are read.
const MAX_PRIVATE: usize = 64 << 10;
const MAX_OPEN: usize = 256 << 10;

/// At most this many places of a row are compared with private lines.
const MAX_STARTS: usize = 64;

/// The private phrases of a turn.
#[derive(Debug, Default)]
pub struct PrivateWords {
    /// Phrases of earlier events.
    earlier: Vec<Salted>,
    /// The checks of these.
    checks: Checks,
    /// Phrases of the event that is captured.
    added: RefCell<Phrases>,
    /// Private parts of files that its tool may have printed.
    files: RefCell<Vec<FilePart>>,
    /// Secrets that redaction found in the session.
    pub secrets: KnownSecrets,
}

/// Hashes with the same salt.
#[derive(Debug)]
struct Salted {
    salt: String,
    hashes: HashSet<u64>,
}

#[derive(Debug, Default)]
struct Phrases {
    /// Each phrase, and whether it is a value, such as a number or a password.
    keys: BTreeMap<String, bool>,
    checks: Checks,
}

/// The private parts of a file. Whole lines of them are private even if they are common words.
#[derive(Debug, Default)]
struct FilePart {
    phrases: Phrases,
    lines: HashSet<String>,
    /// The lengths of these lines.
    lens: HashSet<usize>,
    /// Whether the event has some of it.
    is_printed: Cell<bool>,
}

impl PrivateWords {
    /// Adds the phrases of `private`, except those that also occur in `open`, the text around it.
    pub fn add(&self, private: &str, open: &str) {
        self.added.borrow_mut().extend(Phrases::of(private, open));
    }

    /// Adds the private parts of a file that a tool may have printed, and the rest of the file.
    pub fn add_file(&self, private: &str, open: &str) {
        let phrases = Phrases::of(private, open);
        let has_word = |line: &&str| line.contains(char::is_alphanumeric);
        let open: HashSet<&str> = open.lines().map(str::trim).collect();
        let lines = private.lines().map(str::trim).filter(has_word);
        let lines: HashSet<String> =
            lines.filter(|line| !open.contains(line)).map(str::to_owned).collect();
        let lens = lines.iter().map(String::len).collect();
        self.files.borrow_mut().push(FilePart { phrases, lines, lens, ..FilePart::default() });
    }

    /// Keeps the private parts of files for later events, even if nothing of them was printed.
    pub fn keep_files(&self) {
        self.files.borrow().iter().for_each(|file| file.is_printed.set(true));
    }

    /// Returns edits that replace what is private in `text`.
    pub fn find(&self, text: &str) -> Vec<Edit> {
        if self.is_empty() {
            return Vec::new();
        }
        let words = Words::of(text);
        let (added, files) = (self.added.borrow(), self.files.borrow());
        let is_earlier = |key: &str| {
            let salted = |known: &Salted| known.hashes.contains(&hash(&known.salt, key));
            self.checks.may_have(key) && self.earlier.iter().any(salted)
        };
        let is_known =
            |key: &str| added.has(key) || is_earlier(key) || files.iter().any(|file| file.has(key));
        let is_private = |phrase: &Range<usize>| {
            let key = words.key(phrase);
            is_known(key) || phrase.len() == 1 && glued(key).any(is_known)
        };
        let mut ranges: Vec<Range<usize>> =
            words.phrases().filter(is_private).map(|phrase| words.range(&phrase)).collect();
        files.iter().for_each(|file| file.add_lines(text, &mut ranges));
        ranges.sort_by_key(|range| range.start);
        let mut edits: Vec<Edit> = Vec::new();
        for range in ranges {
            match edits.last_mut() {
                Some(last) if is_gap(text, last.range.end, range.start) => {
                    last.range.end = last.range.end.max(range.end);
                }
                _ => edits.push(Edit { range, with: MARK }),
            }
        }
        edits
    }

    /// Replaces the private phrases in the keys, strings and numbers of a JSON text. Returns `None` if
    /// there are none.
    pub fn redact_json(&self, raw: &str) -> Option<String> {
        if self.is_empty() { None } else { json_text::rewrite(raw, |text| self.find(text)) }
    }

    /// Replaces the private phrases in a text. Returns `None` if there are none.
    pub fn redact(&self, text: &str) -> Option<String> {
        let edits = self.find(text);
        (!edits.is_empty()).then(|| json::apply(text, &edits))
    }

    fn is_empty(&self) -> bool {
        self.earlier.is_empty()
            && self.added.borrow().keys.is_empty()
            && self.files.borrow().is_empty()
    }

    /// Returns the hashes of the phrases that were added.
    pub fn added(&self) -> AddedHashes {
        let (added, files) = (self.added.borrow(), self.files.borrow());
        let of_files = files.iter().filter(|file| file.is_printed.get()).map(|file| &file.phrases);
        let (values, others): (Vec<_>, Vec<_>) = std::iter::once(&*added)
            .chain(of_files)
            .flat_map(|phrases| &phrases.keys)
            .partition(|(_, is_value)| **is_value);
        AddedHashes { values: written(&values), others: written(&others) }
    }

    /// Reads what [`PrivateWords::added`] returned. Ignores damaged parts.
    pub fn read(&mut self, text: &str) {
        let mut parts = text.split(' ');
        let salt = parts.next().unwrap_or_default().to_owned();
        let mut hashes = HashSet::new();
        for (hash, check) in parts.filter_map(parse_hash) {
            hashes.insert(hash);
            self.checks.add(check);
        }
        self.earlier.push(Salted { salt, hashes });
    }
}

impl Phrases {
    /// The phrases of `private` that do not occur in `open`.
    fn of(private: &str, open: &str) -> Phrases {
        let private = Words::of(start_of(private, MAX_PRIVATE));
        let mut found = Phrases::default();
        for phrase in private.phrases().filter(|phrase| private.counts(phrase)) {
            found.add(private.key(&phrase), private.is_value(&phrase));
            if found.keys.len() >= MAX_PHRASES {
                break;
            }
        }
        if found.keys.is_empty() {
            return found;
        }
        let open = Words::of(start_of(open, MAX_OPEN));
        for phrase in open.phrases() {
            let key = open.key(&phrase);
            if found.has(key) {
                found.keys.remove(key);
            }
        }
        found
    }

    fn add(&mut self, key: &str, is_value: bool) {
        if self.keys.insert(key.to_owned(), is_value).is_none() {
            self.checks.add(check(key));
        }
    }

    fn extend(&mut self, other: Phrases) {
        let room = MAX_PHRASES.saturating_sub(self.keys.len());
        other.keys.iter().take(room).for_each(|(key, is_value)| self.add(key, *is_value));
    }

    fn has(&self, key: &str) -> bool {
        self.checks.may_have(key) && self.keys.contains_key(key)
    }
}

impl FilePart {
    fn has(&self, key: &str) -> bool {
        let has = self.phrases.has(key);
        if has {
            self.is_printed.set(true);
        }
        has
    }

    /// Adds where `text` has a private line: after its own indent, a line number, a path or a mark of a
    /// diff.
    fn add_lines(&self, text: &str, ranges: &mut Vec<Range<usize>>) {
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let row = line.trim_end();
            let is_private = |start: &usize| {
                let rest = &row[*start..];
                self.lens.contains(&rest.len()) && self.lines.contains(rest)
            };
            if let Some(start) = starts(row).find(is_private) {
                self.is_printed.set(true);
                ranges.push(at + start..at + row.len());
            }
            at += line.len();
        }
    }
}

/// Where the text of a row may begin.
fn starts(row: &str) -> impl Iterator<Item = usize> {
    let is_mark = |c: char| c.is_whitespace() || ":-+|>\u{2192}".contains(c);
    let after = row.char_indices().filter(move |(_, c)| is_mark(*c));
    std::iter::once(0).chain(after.map(|(at, c)| at + c.len_utf8()).take(MAX_STARTS))
}

/// Phrases as one line of text: `SALT HASH HASH…`. `None` if there are none.
#[derive(Debug, Default, PartialEq)]
pub struct AddedHashes {
    /// Values such as passwords.
    pub values: Option<String>,
    /// Words and phrases of a language.
    pub others: Option<String>,
}

fn written(phrases: &[(&String, &bool)]) -> Option<String> {
    if phrases.is_empty() {
        return None;
    }
    let salt = uuid::Uuid::now_v7().simple().to_string();
    let hashes =
        phrases.iter().map(|(key, _)| format!(" {:016x}{:04x}", hash(&salt, key), check(key)));
    let hashes: String = hashes.collect();
    Some(salt + &hashes)
}

fn parse_hash(text: &str) -> Option<(u64, u16)> {
    let (hash, check) = text.split_at_checked(16)?;
    Some((u64::from_str_radix(hash, 16).ok()?, u16::from_str_radix(check, 16).ok()?))
}

fn hash(salt: &str, key: &str) -> u64 {
    let digest = Sha256::new_with_prefix(salt).chain_update(key).finalize();
    u64::from_be_bytes(digest[..8].try_into().expect("8 bytes"))
}

/// A bit for each check. Most phrases of a text need no hash.
#[derive(Debug, Default)]
struct Checks(Vec<u64>);

impl Checks {
    fn add(&mut self, check: u16) {
        self.0.resize(1 << 10, 0);
        self.0[usize::from(check) / 64] |= 1 << (check % 64);
    }

    fn may_have(&self, key: &str) -> bool {
        let check = check(key);
        self.0.get(usize::from(check) / 64).is_some_and(|bits| bits >> (check % 64) & 1 == 1)
    }
}

/// FNV-1a, folded.
fn check(key: &str) -> u16 {
    let hash = fnv_32(key.as_bytes());
    (hash >> 16 ^ hash) as u16
}

/// The beginnings of a word that may be a private word to which others are glued: `acme` in `AcmeHandler`.
/// They have no digits, because a longer number is another number.
fn glued(word: &str) -> impl Iterator<Item = &str> {
    const MIN: usize = 5;
    const MAX: usize = 32;
    let n_letters = word.bytes().take(MAX).take_while(|b| !b.is_ascii_digit()).count();
    (MIN..=n_letters.min(word.len().saturating_sub(1))).filter_map(|len| word.get(..len))
}

fn start_of(text: &str, len: usize) -> &str {
    &text[..text.floor_char_boundary(len)]
}

/// Whether nothing but punctuation and spaces of one line is between two positions.
fn is_gap(text: &str, from: usize, to: usize) -> bool {
    to <= from || !text[from..to].contains(|c: char| c == '\n' || c.is_alphanumeric())
}

/// The words of a text.
struct Words {
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
    fn of(text: &str) -> Words {
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
    fn phrases(&self) -> impl Iterator<Item = Range<usize>> {
        (0..self.words.len()).flat_map(move |start| {
            let rest = &self.words[start..];
            let n_numbers = rest.iter().take(MAX_NUMBERS).take_while(|w| w.has_digit).count();
            let longest = rest.len().min(MAX_WORDS).max(n_numbers);
            (start + 1..=start + longest).map(move |end| start..end)
        })
    }

    fn key(&self, phrase: &Range<usize>) -> &str {
        &self.keys[self.words[phrase.start].key.start..self.words[phrase.end - 1].key.end]
    }

    fn range(&self, phrase: &Range<usize>) -> Range<usize> {
        self.words[phrase.start].range.start..self.words[phrase.end - 1].range.end
    }

    /// Whether a phrase is a value, such as a number or a password, and not a phrase of a language.
    fn is_value(&self, phrase: &Range<usize>) -> bool {
        self.words[phrase.clone()].iter().all(|w| w.has_digit) && self.key(phrase).len() >= 4
    }

    /// Whether a phrase of a private text counts.
    fn counts(&self, phrase: &Range<usize>) -> bool {
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
    use proptest::prelude::*;

    fn words(private: &str, open: &str) -> PrivateWords {
        let words = PrivateWords::default();
        words.add(private, open);
        words
    }

    /// Checks the result with the phrases in memory, and with their hashes.
    #[track_caller]
    fn check(private: &str, text: &str, expected: &str) {
        let words = words(private, "");
        let AddedHashes { values, others } = words.added();
        let mut read = PrivateWords::default();
        [values, others].into_iter().flatten().for_each(|text| read.read(&text));
        for words in [words, read] {
            let redacted = words.redact(text);
            assert_eq!(redacted.as_deref().unwrap_or(text), expected, "{private:?}");
        }
    }

    #[test]
    fn lists_are_in_order() {
        assert!(FUNCTION.is_sorted());
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.is_sorted() && lines.iter().all(|l| l.len() > 3), "{lines:?}");
    }

    #[test]
    fn a_word_that_is_not_common_is_found_alone() {
        check(
            "the password is hunter2",
            "curl -u root:HUNTER2@host",
            "curl -u root:[private]@host",
        );
        check("hunter2", "a 'hunter2', hunter2s", "a '[private]', hunter2s");
        check("my pin is 4711", "pin=4711; 47110", "pin=[private]; 47110");
        check(
            "the codename is bluefin",
            "git checkout feature/bluefin",
            "git checkout feature/[private]",
        );
        check("Anna Zimmermann is ill", "zimmermann, the user", "[private], the user");
        check("red", "a red line, reduce", "a [private] line, reduce");
        check("the", "the end", "the end");
        check(
            "its password is in the database",
            "open the password database",
            "open the password database",
        );
    }

    #[test]
    fn a_word_to_which_others_are_glued_is_found() {
        check(
            "the customer vexmor",
            "vexmors, VexmorHandler, /srv/vexmordata, touch vexmor2.txt, VEXMOR_URL",
            "[private], /srv/[private], touch [private].txt, [private]_URL",
        );
        check("the customer acme", "acmes, devexmor", "acmes, devexmor");
    }

    #[test]
    fn common_words_are_found_as_phrases() {
        check("the main server runs at night", "main-server, a server", "[private], a server");
        check(
            "the main server runs at night",
            "on the main server at night",
            "on [private] at night",
        );
        check("log in as the main user", "the user", "the user");
        check("blue sky", "blueSky BlueSky blue_sky blue%20sky", "[private]");
        check("10 Green Street", "10, green street", "[private]");
    }

    #[test]
    fn separators_and_escapes_do_not_hide_a_word() {
        for text in [
            "S3cr3t-Pa$$",
            "s3cr3t_pa",
            "S3cr3tPa",
            r"\nS3cr3t\tPa",
            r"S3cr3t\u0050a",
            "S3cr3t%2DPa",
            "S3cr3%74%20pa",
            "S3cr3t&amp;Pa",
            "\u{1b}[1;31mS3cr3t\u{1b}[0mPa",
            "S3c\u{200b}r3t Pa",
            "S3cr3t\nPa",
        ] {
            let redacted = words("S3cr3t-Pa$$", "").redact(text).expect(text);
            let rest: String = redacted.replace(MARK, "").to_lowercase();
            assert!(!rest.contains("s3") && !rest.contains("pa"), "{text}: {redacted}");
        }
        check("DE89 3704 0044 0532 0130 00", "to DE89370400440532013000.", "to [private].");
        check("DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "[private]");
        check(
            "+49 170 1234567",
            "call 491701234567 or (170) 123 4567",
            "call [private] or ([private]",
        );
        check("秘密は老虎です", "答えは老虎だ", "答え[private]だ");
    }

    #[test]
    fn words_of_the_open_text_are_not_private() {
        let words = words("deploy bluefin to the cluster", "deploy to the cluster");
        assert_eq!(
            words.redact("deploy the cluster bluefin").unwrap(),
            "deploy the cluster [private]"
        );
    }

    #[test]
    fn private_lines_of_a_file_are_found_whole() {
        let words = PrivateWords::default();
        words.add_file("  the pin\n}\nnew line\nhunter2", "new line\n");
        let check = |text: &str, expected: &str| {
            assert_eq!(words.redact(text).as_deref().unwrap_or(text), expected);
        };
        assert_eq!(words.added(), AddedHashes::default(), "nothing was printed");
        check("a-b.md-12-  the pin\nthe pins", "a-b.md-12-  [private]\nthe pins");
        check("    3\u{2192}the pin\n}\n+a new line", "    3\u{2192}[private]\n}\n+a new line");
        check("cut hunter2", "cut [private]");
        assert!(words.added().values.is_some());
    }

    #[test]
    fn phrases_in_json_are_replaced() {
        let words = words("pin 4711 of Zimmermann", "");
        let raw = r#"{"stdout":"a","zimmermann":[4711,"x\n4711"],"n":47}"#;
        let expected = r#"{"stdout":"a","[private]":["[private]","x\n[private]"],"n":47}"#;
        assert_eq!(words.redact_json(raw).as_deref(), Some(expected));
        assert_eq!(words.redact_json(r#"{"a":1}"#), None);
    }

    #[test]
    fn only_values_outlast_a_turn() {
        let AddedHashes { values, others } = words("hunter2 of Zimmermann", "").added();
        let mut read = PrivateWords::default();
        read.read(&values.unwrap());
        assert_eq!(read.redact("hunter2, Zimmermann").unwrap(), "[private], Zimmermann");
        assert!(others.is_some());
        assert_eq!(words("", "").added(), AddedHashes::default());
        read.read("damaged xyz 0123456789abcdef 0123456789abcdef01234");
    }

    #[test]
    fn long_texts_take_linear_time() {
        let private = words(&"7 8 word1 ".repeat(5_000), "");
        assert!(private.added.borrow().keys.len() < 100);
        let text = "1 2 ".repeat(50_000) + &"a".repeat(500_000);
        assert_eq!(private.redact(&text), None);
    }

    proptest! {
        /// A word with a digit is found wherever it stands alone.
        #[test]
        fn no_value_is_left(
            value in "[a-zA-Z]{1,6}[0-9]{3,6}", before in "[a-z ,.%&\\\\\n-]{0,20}[ ,:=\"]",
            after in "([ ,:=\"][a-z ,.%&\\\\\n-]{0,20})?",
        ) {
            let words = words(&format!("the key is {value} ok"), "");
            let text = format!("{before}{value}{after}");
            let redacted = words.redact(&text).unwrap_or(text);
            prop_assert!(!redacted.to_lowercase().contains(&value.to_lowercase()), "{redacted}");
        }

        #[test]
        fn arbitrary_text_does_not_panic(private in ".{0,60}", text in "[\\\\%&\u{1b}a-z0-9é記\\[;]{0,60}") {
            let words = words(&private, &text);
            words.add(&text, "");
            let _ = words.redact(&text);
        }
    }
}
