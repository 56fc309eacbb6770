//! Words of a text as search compares them: folded, stemmed, the parts of `camelCase` names, and pairs
//! of characters for scripts without spaces.
//!
//! The index and the ranking use the same words, so that what one finds, the other counts. A change
//! that gives other words for a text must increment [`VERSION`]: the index is then built again.

mod fold;
mod porter;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::OnceLock;

pub use fold::compose;
use fold::{Class, class, push_folded};
use porter::porter;

/// The version of what the index holds: the words that this module makes of a text, and the names of a row
/// (`store/words/names.rs`).
pub const VERSION: u32 = 2;

/// Longer words are cut, in bytes.
const MAX_WORD: usize = 64;

/// One word of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token<'a> {
    /// Lower case, without accents, not stemmed.
    pub word: &'a str,
    /// Where it stands in the text, in bytes.
    pub start: usize,
    pub end: usize,
    pub form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A word as it stands in the text.
    Plain,
    /// A word that has parts, such as `getUserId`. They follow it.
    Compound,
    /// A part of the compound before it.
    Part,
    /// Two characters of a script without spaces between words.
    Pair,
    /// The last character of such a run.
    Single,
}

impl Form {
    /// Whether the word counts for the length of a text.
    pub fn counts(self) -> bool {
        !matches!(self, Form::Compound | Form::Single)
    }
}

/// Calls `each` for every word of the text, in order.
pub fn visit(text: &str, mut each: impl FnMut(Token)) {
    let bytes = text.as_bytes();
    let mut cutter = Cutter::default();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii() && cutter.is_idle() {
            at = visit_ascii(text, at, &mut cutter, &mut each);
        } else {
            let c = text[at..].chars().next().expect("a character begins here");
            cutter.take(at, c, &mut each);
            at += c.len_utf8();
        }
    }
    cutter.end_word(&mut each);
    cutter.end_dense(&mut each);
}

/// Handles a run of ASCII letters and digits, or one other ASCII character. Returns where it ends. Most
/// words of most texts are simple, and are not handled by character.
fn visit_ascii(
    text: &str,
    start: usize,
    cutter: &mut Cutter,
    each: &mut impl FnMut(Token),
) -> usize {
    let bytes = text.as_bytes();
    let (mut end, mut n_upper) = (start, 0);
    while let Some(b) = bytes.get(end).filter(|b| b.is_ascii_alphanumeric()) {
        n_upper += usize::from(b.is_ascii_uppercase());
        end += 1;
    }
    if end == start {
        return start + 1;
    }
    let (run, len) = (&bytes[start..end], end - start);
    let continues = bytes.get(end).is_some_and(|b| !b.is_ascii());
    let has_parts = match n_upper {
        0 => false,
        1 => !run[0].is_ascii_uppercase(),
        n => n < len,
    };
    if continues || has_parts || len > MAX_WORD {
        for (i, b) in run.iter().enumerate() {
            cutter.take(start + i, char::from(*b), each);
        }
        return end;
    }
    let (word, form) = (&text[start..end], Form::Plain);
    match n_upper {
        0 => each(Token { word, start, end, form }),
        _ => {
            cutter.pair.clear();
            cutter.pair.push_str(word);
            cutter.pair.make_ascii_lowercase();
            each(Token { word: &cutter.pair, start, end, form });
        }
    }
    end
}

/// The state of [`visit`].
#[derive(Default)]
struct Cutter {
    /// The word so far, folded.
    word: String,
    start: usize,
    end: usize,
    /// Where parts of the word begin: in `word`, and in the text.
    parts: Vec<(usize, usize)>,
    /// The last two characters were upper case, lower case or digits.
    last: Option<Case>,
    /// Where the last character begins: in `word`, and in the text.
    last_at: (usize, usize),
    /// Characters of a script without spaces, with the positions in the text.
    dense: Vec<(usize, usize, char)>,
    pair: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Case {
    Upper,
    Other,
}

impl Cutter {
    fn is_idle(&self) -> bool {
        self.word.is_empty() && self.dense.is_empty()
    }

    fn take(&mut self, at: usize, c: char, each: &mut impl FnMut(Token)) {
        match class(c) {
            Class::Word => {
                self.end_dense(each);
                self.add(at, c);
            }
            Class::Dense => {
                self.end_word(each);
                self.add_dense(at, c);
            }
            Class::Mark => self.extend(at + c.len_utf8()),
            Class::Other => {
                self.end_word(each);
                self.end_dense(each);
            }
        }
    }

    fn add(&mut self, at: usize, c: char) {
        let case = if c.is_uppercase() { Case::Upper } else { Case::Other };
        if self.word.is_empty() {
            self.start = at;
        } else if self.word.len() >= MAX_WORD {
            // The rest of the word is left out, but for its place.
            self.end = at + c.len_utf8();
            return;
        } else if self.last == Some(Case::Other) && case == Case::Upper {
            self.parts.push((self.word.len(), at));
        } else if self.last == Some(Case::Upper) && case == Case::Other && c.is_lowercase() {
            // The last upper-case letter begins the part: `HTTPServer`.
            if self.last_at.0 > self.parts.last().map_or(0, |part| part.0) {
                self.parts.push(self.last_at);
            }
        }
        self.last_at = (self.word.len(), at);
        push_folded(&mut self.word, c);
        self.last = Some(case);
        self.end = at + c.len_utf8();
    }

    fn add_dense(&mut self, at: usize, c: char) {
        self.dense.push((at, at + c.len_utf8(), c));
    }

    fn extend(&mut self, end: usize) {
        if let Some(last) = self.dense.last_mut() {
            last.1 = end;
        } else if !self.word.is_empty() {
            self.end = end;
        }
    }

    fn end_word(&mut self, each: &mut impl FnMut(Token)) {
        if self.word.is_empty() {
            return;
        }
        let is_compound = !self.parts.is_empty();
        let form = if is_compound { Form::Compound } else { Form::Plain };
        each(Token { word: &self.word, start: self.start, end: self.end, form });
        if is_compound {
            let mut from = (0, self.start);
            let ends = self.parts.iter().copied().chain([(self.word.len(), self.end)]);
            for (to, end) in ends {
                let word = &self.word[from.0..to];
                each(Token { word, start: from.1, end, form: Form::Part });
                from = (to, end);
            }
            self.parts.clear();
        }
        self.word.clear();
        self.last = None;
    }

    fn end_dense(&mut self, each: &mut impl FnMut(Token)) {
        let Some(last) = self.dense.last().copied() else { return };
        for two in self.dense.windows(2) {
            self.pair.clear();
            push_folded(&mut self.pair, two[0].2);
            push_folded(&mut self.pair, two[1].2);
            let (start, end) = (two[0].0, two[1].1);
            each(Token { word: &self.pair, start, end, form: Form::Pair });
        }
        self.pair.clear();
        push_folded(&mut self.pair, last.2);
        each(Token { word: &self.pair, start: last.0, end: last.1, form: Form::Single });
        self.dense.clear();
    }
}

/// The stem of a folded word. Irregular forms have the stem of their base.
pub fn stem(word: &str) -> String {
    porter(irregular().get(word).copied().unwrap_or(word))
}

/// The irregular forms of words with this stem.
pub fn irregular_forms(stem: &str) -> impl Iterator<Item = &'static str> {
    // A stem differs from its word in the last character at most.
    let end = stem.char_indices().next_back().map_or(0, |(at, _)| at);
    let same = table().iter().filter(move |(base, _)| base.starts_with(&stem[..end]));
    same.filter(move |(base, _)| porter(base) == stem).flat_map(|(_, forms)| forms.split(' '))
}

/// The base forms, each with its irregular forms.
fn table() -> &'static [(&'static str, &'static str)] {
    static TABLE: OnceLock<Vec<(&'static str, &'static str)>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let lines = include_str!("irregular.tsv").lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.split_once('\t')).collect()
    })
}

fn irregular() -> &'static HashMap<&'static str, &'static str> {
    static BASES: OnceLock<HashMap<&'static str, &'static str>> = OnceLock::new();
    BASES.get_or_init(|| {
        let forms = |(base, forms): &(&'static str, &'static str)| {
            let base = *base;
            forms.split(' ').map(move |form| (form, base))
        };
        table().iter().flat_map(forms).collect()
    })
}

/// Whether the folded word is so common that it says nothing about a text.
pub fn is_stop_word(word: &str) -> bool {
    /// By their first byte, as numbers. A search asks for each word of its candidates, and numbers are compared
    /// faster.
    static WORDS: OnceLock<Vec<Vec<u128>>> = OnceLock::new();
    const LONGEST: usize = 10;
    let number = |word: &str| {
        let mut bytes = [0; 16];
        bytes[..word.len()].copy_from_slice(word.as_bytes());
        u128::from_le_bytes(bytes)
    };
    let words = WORDS.get_or_init(|| {
        let mut words = vec![Vec::new(); 256];
        for word in include_str!("stop_words.txt").split_whitespace() {
            words[usize::from(word.as_bytes()[0])].push(number(word));
        }
        words
    });
    let same = word.bytes().next().map(|first| &words[usize::from(first)]);
    word.len() <= LONGEST && same.is_some_and(|words| words.contains(&number(word)))
}

/// The stems of the texts' words, each once, separated by spaces, and the number of words.
pub fn index_text<const N: usize>(texts: [&str; N]) -> (String, usize) {
    let mut stems = BTreeSet::new();
    let mut seen: HashSet<String> = HashSet::new();
    let mut n_words = 0;
    for text in texts {
        visit(&compose(text), |token| {
            n_words += usize::from(token.form.counts());
            if !seen.contains(token.word) {
                seen.insert(token.word.to_owned());
                stems.insert(stem(token.word));
            }
        });
    }
    let stems: Vec<String> = stems.into_iter().collect();
    (stems.join(" "), n_words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        visit(&compose(text), |token| words.push(token.word.to_owned()));
        words
    }

    #[test]
    fn words_are_folded_and_names_have_parts() {
        let check = |text, want: &[&str]| assert_eq!(words(text), want, "{text}");
        check("Fix: the v1.2 Parser", &["fix", "the", "v1", "2", "parser"]);
        check("getUserId(x)", &["getuserid", "get", "user", "id", "x"]);
        check("HTTPServer", &["httpserver", "http", "server"]);
        check("snake_case a/b.rs:42", &["snake", "case", "a", "b", "rs", "42"]);
        check("Café CAFE\u{301} Straße ΟΔΟΣ", &["cafe", "cafe", "strasse", "οδοσ"]);
        check("記憶を", &["記憶", "憶を", "を"]);
        check("utf記憶8", &["utf", "記憶", "憶", "8"]);
        check("한국어", &["한국", "국어", "어"]);
        check("ＡＢＣ", &["abc"]);
        check(" -- ()*\" ", &[]);
    }

    /// The short way for simple words gives what the way by character gives.
    #[test]
    fn simple_words_are_those_of_the_way_by_character() {
        let by_character = |text: &str| {
            let (mut cutter, mut words) = (Cutter::default(), Vec::new());
            let mut each = |t: Token| words.push((t.word.to_owned(), t.start, t.end, t.form));
            text.char_indices().for_each(|(at, c)| cutter.take(at, c, &mut each));
            cutter.end_word(&mut each);
            cutter.end_dense(&mut each);
            words
        };
        let long = "x".repeat(100);
        for text in [
            "Fix getUserId in SHA256 and HTTPServer, A1 b2C3 aB Ab ABc x9Y ",
            "naïve caféX Xé 記憶a a記 abc\u{301}d e\u{301}",
            include_str!("../../ARCHITECTURE.md"),
            include_str!("mod.rs"),
            &long,
        ] {
            let mut words = Vec::new();
            visit(text, |t| words.push((t.word.to_owned(), t.start, t.end, t.form)));
            assert_eq!(words, by_character(text));
        }
    }

    #[test]
    fn places_are_those_in_the_text() {
        let text = "a getUserId, café 記憶";
        let mut found = Vec::new();
        visit(text, |t| found.push(&text[t.start..t.end]));
        assert_eq!(found, ["a", "getUserId", "get", "User", "Id", "café", "記憶", "憶"]);
    }

    #[test]
    fn irregular_forms_share_the_stem_of_their_base() {
        for (a, b) in
            [("went", "goes"), ("wrote", "writing"), ("indices", "index"), ("broke", "breaks")]
        {
            assert_eq!(stem(a), stem(b), "{a} {b}");
        }
        assert!(irregular_forms(&stem("writes")).any(|form| form == "wrote"));
    }

    #[test]
    fn a_text_without_end_is_one_short_word() {
        let (text, n_words) = index_text([&"x".repeat(10_000)]);
        assert_eq!((text.len(), n_words), (MAX_WORD, 1));
    }
}
