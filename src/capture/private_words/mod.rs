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

mod words;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::json::{self, Edit};
use super::json_text;
use super::known_secrets::KnownSecrets;
use crate::text::fnv_32;
use words::Words;

/// Stands for private text that came back.
pub const MARK: &str = "[private]";

/// At most this many phrases of one event are kept.
const MAX_PHRASES: usize = 4096;

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

#[cfg(test)]
mod tests;
