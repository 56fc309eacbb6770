//! Phrases of several languages, from a table with a column per language, and how they are found in a
//! text.
//!
//! A table is TSV. Its first line names the columns: `row`, then one per language. A row's name may
//! stand on several lines. A cell has phrases with `|` between them:
//!
//! - `root cause`: these words in a row
//! - `gerek*`: a word that begins so
//! - `*medim`: a longer word that ends so
//! - `hat … gemacht`: up to eight words between
//! - `^remember`: at the beginning of the text
//! - `next steps+`: in a heading, more words may follow
//!
//! Case and accents do not count, nor the article and the conjunctions that Arabic writes together with
//! a word. Chinese, Japanese and Korean text has no spaces between words, so each character counts as a
//! word. Punctuation counts in texts that are split into `tokens`.

use std::collections::HashMap;

use icu_normalizer::DecomposingNormalizerBorrowed;

/// An enum of the rows of a table, with their names.
macro_rules! rows {
    ($rows:ident: $($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A row of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $rows { $($(#[$doc])* $variant),* }

        impl $rows {
            const ALL: &[($rows, &str)] = &[$(($rows::$variant, $name)),*];
        }
    };
}
pub(super) use rows;

/// Maximum words that `…` stands for.
const MAX_GAP: usize = 8;

/// The languages, in the order of the columns.
pub const LANGUAGES: [&str; 12] =
    ["en", "de", "fr", "es", "pt", "it", "ru", "zh", "ja", "ko", "ar", "tr"];

/// The phrases of a table. `R` names its rows.
#[derive(Debug)]
pub struct Phrases<R> {
    /// By first word.
    whole: HashMap<String, Vec<Phrase<R>>>,
    /// Phrases whose first word has a `*`, by first character.
    begun: HashMap<char, Vec<Phrase<R>>>,
    /// Phrases whose first word is an ending, by its last character.
    ended: HashMap<char, Vec<Phrase<R>>>,
}

#[derive(Debug)]
struct Phrase<R> {
    row: R,
    language: &'static str,
    parts: Vec<Part>,
    /// Only at the beginning of a text.
    begins: bool,
    /// In a heading, more words may follow.
    open: bool,
}

#[derive(Debug)]
enum Part {
    Word(String),
    Beginning(String),
    Ending(String),
    Gap,
}

/// A phrase found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<R> {
    pub row: R,
    pub language: &'static str,
    /// Position of its first word, and of the word after its last.
    pub start: usize,
    pub end: usize,
    /// In a heading, more words may follow.
    pub open: bool,
}

impl<R: Copy> Phrases<R> {
    /// Reads a table. `row` gives the row of a name. A line with an unknown name is skipped; the tests
    /// of each table check that there is none.
    pub fn read(table: &str, row: impl Fn(&str) -> Option<R>) -> Phrases<R> {
        let mut phrases =
            Phrases { whole: HashMap::new(), begun: HashMap::new(), ended: HashMap::new() };
        for line in table.lines().skip(1) {
            let mut cells = line.split('\t');
            let Some(row) = cells.next().and_then(&row) else { continue };
            for (language, cell) in LANGUAGES.into_iter().zip(cells) {
                cell.split('|').for_each(|text| phrases.add(row, language, text.trim()));
            }
        }
        phrases
    }

    fn add(&mut self, row: R, language: &'static str, text: &str) {
        let (text, open) = text.strip_suffix('+').map_or((text, false), |text| (text, true));
        let (text, begins) = text.strip_prefix('^').map_or((text, false), |text| (text, true));
        let mut parts = Vec::new();
        for word in text.split_whitespace() {
            match (word, word.strip_suffix('*')) {
                ("…", _) => parts.push(Part::Gap),
                _ if word.len() > 1 && word.starts_with('*') => {
                    parts.extend(tokens(&word[1..]).into_iter().next().map(Part::Ending));
                }
                (_, Some(stem)) => {
                    parts.extend(tokens(stem).into_iter().map(Part::Word));
                    if let Some(Part::Word(last)) = parts.pop() {
                        parts.push(Part::Beginning(last));
                    }
                }
                _ => parts.extend(tokens(word).into_iter().map(Part::Word)),
            }
        }
        let phrases = match parts.first() {
            Some(Part::Word(word)) => self.whole.entry(word.clone()).or_default(),
            Some(Part::Beginning(word)) => {
                let Some(first) = word.chars().next() else { return };
                self.begun.entry(first).or_default()
            }
            Some(Part::Ending(word)) => {
                let Some(last) = word.chars().next_back() else { return };
                self.ended.entry(last).or_default()
            }
            Some(Part::Gap) | None => return,
        };
        phrases.push(Phrase { row, language, parts, begins, open });
    }

    /// The phrases that begin at word `at`.
    pub fn at<'a>(
        &'a self,
        text: &'a [String],
        at: usize,
    ) -> impl Iterator<Item = Found<R>> + use<'a, R> {
        let word = text.get(at).map(String::as_str).unwrap_or_default();
        let whole = self.whole.get(word).into_iter().flatten();
        let begun = word.chars().next().and_then(|first| self.begun.get(&first));
        let ended = word.chars().next_back().and_then(|last| self.ended.get(&last));
        let all = whole.chain(begun.into_iter().chain(ended).flatten());
        all.filter(move |phrase| at == 0 || !phrase.begins).filter_map(move |phrase| {
            let end = matches(&phrase.parts, text, at)?;
            let Phrase { row, language, open, .. } = *phrase;
            Some(Found { row, language, start: at, end, open })
        })
    }

    /// The phrases anywhere in the text, by their position.
    pub fn find<'a>(&'a self, text: &'a [String]) -> impl Iterator<Item = Found<R>> + use<'a, R> {
        (0..text.len()).flat_map(move |at| self.at(text, at))
    }
}

/// Where the phrase ends if it begins at `at`. Tables have at most two gaps in a phrase, so the work is
/// bounded.
fn matches(parts: &[Part], text: &[String], at: usize) -> Option<usize> {
    let Some((part, rest)) = parts.split_first() else { return Some(at) };
    let word = text.get(at)?;
    match part {
        Part::Word(want) if word == want => matches(rest, text, at + 1),
        Part::Beginning(want) if word.starts_with(want.as_str()) => matches(rest, text, at + 1),
        Part::Ending(want) if word.len() > want.len() && word.ends_with(want.as_str()) => {
            matches(rest, text, at + 1)
        }
        Part::Word(_) | Part::Beginning(_) | Part::Ending(_) => None,
        Part::Gap => (at..=at + MAX_GAP).find_map(|at| matches(rest, text, at)),
    }
}

/// The words of a text in the form that phrases are compared in: lower case, without accents.
pub fn words(text: &str) -> Vec<String> {
    let mut words = tokens(text);
    words.retain(|word| is_word(word));
    words
}

/// The text behind its first `n` words.
pub fn rest_after(text: &str, n: usize) -> &str {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| words(&text[..*end]).len() <= n).last().unwrap_or(0);
    text[end..].trim_start()
}

/// Whether a token is no punctuation mark.
pub fn is_word(token: &str) -> bool {
    token.contains(|c: char| c.is_alphanumeric() || stands_alone(c))
}

/// The words and the punctuation marks between them. A mark within a word (`don't`, `v1.2`) separates its
/// parts, and is no token.
pub fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut word = String::new();
    // A mark is a token unless the next character continues the word before it.
    let mut mark: Option<char> = None;
    let mut add = |c: char| {
        if is_mark(c) {
            return;
        }
        if c.is_alphanumeric() || stands_alone(c) {
            if let Some(mark) = mark.take() {
                let joins = !word.is_empty() && matches!(mark, '\'' | '.' | '_' | '-');
                push_word(&mut tokens, &mut word);
                tokens.extend((!joins).then(|| mark.to_string()));
            }
            if stands_alone(c) {
                push_word(&mut tokens, &mut word);
                tokens.push(c.to_string());
            } else {
                word.push(c);
            }
            return;
        }
        if let Some(mark) = mark.take() {
            push_word(&mut tokens, &mut word);
            tokens.push(mark.to_string());
        }
        match c.is_whitespace() || c == '`' {
            true => push_word(&mut tokens, &mut word),
            false => mark = Some(c),
        }
    };
    if text.is_ascii() {
        text.chars().for_each(|c| add(c.to_ascii_lowercase()));
    } else {
        let nfd = DecomposingNormalizerBorrowed::new_nfd();
        let lower = text.chars().flat_map(char::to_lowercase);
        nfd.normalize_iter(lower).for_each(|c| {
            add(match c {
                'ı' => 'i',
                '’' | 'ʼ' => '\'',
                c => c,
            })
        });
    }
    add(' ');
    tokens
}

fn push_word(tokens: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        tokens.push(bare_arabic(word).to_owned());
        word.clear();
    }
}

/// A word without the article and the conjunctions that Arabic writes together with it.
fn bare_arabic(word: &str) -> &str {
    const PREFIXES: [&str; 8] = ["وال", "فال", "بال", "كال", "لل", "ال", "و", "ف"];
    const MIN_LETTERS: usize = 3;
    let rest = PREFIXES.iter().find_map(|prefix| word.strip_prefix(prefix));
    rest.filter(|rest| rest.chars().count() >= MIN_LETTERS).unwrap_or(word)
}

/// Accents, vowel signs of Arabic and its letter stretcher.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{200c}' | '\u{200d}')
}

/// Characters of scripts that are written without spaces. Korean syllables are decomposed to their
/// letters, so that a stem matches whatever ending its last syllable takes.
fn stands_alone(c: char) -> bool {
    matches!(c,
        '\u{1100}'..='\u{11ff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Expects that a table names only known rows and has a phrase for each of them in every language.
#[cfg(test)]
pub fn check_table<R>(table: &str, row: impl Fn(&str) -> Option<R>) {
    let header = format!("row\t{}", LANGUAGES.join("\t"));
    assert_eq!(table.lines().next(), Some(header.as_str()));
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        assert!(row(cells[0]).is_some(), "{}", cells[0]);
        assert_eq!(cells.len(), 13, "{}", cells[0]);
        assert!(cells.iter().all(|cell| !cell.trim().is_empty()), "{}", cells[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(table: &str, text: &str) -> Vec<(usize, usize)> {
        let table = format!("row\ten\nx\t{table}");
        let phrases = Phrases::read(&table, |_| Some(()));
        phrases.find(&tokens(text)).map(|found| (found.start, found.end)).collect()
    }

    #[test]
    fn words_have_one_form() {
        let check = |text, want: &str| assert_eq!(words(text).join(" "), want);
        check("Don't, Étape N°2", "don t etape n 2");
        check("Nächste e\u{301}tape", "nachste etape");
        check("İLERİ ışık", "ileri isik");
        check("次のステップ", "次 の ス テ ッ フ \u{309a}");
        check("التّالي", "تالي");
        check("", "");
    }

    #[test]
    fn phrases_match_whole_words() {
        assert_eq!(found("next step", "The next step, and next steps"), [(1, 3)]);
        assert_eq!(found("gerek*", "Bunu yapmanız gerekiyor"), [(2, 3)]);
        assert_eq!(found("não *ei", "Não testei, não sei, ei"), [(0, 2), (3, 5)]);
        assert_eq!(found("*medim", "Test etmedim"), [(1, 2)]);
        assert_eq!(found("需要", "你需要设置"), [(1, 3)]);
        assert_eq!(found("habe … gemacht", "ich habe das alles gemacht"), [(1, 5)]);
        assert_eq!(found("a … b", "a x x x x x x x x x b"), []);
        assert_eq!(found("필요하", "설정이 필요합니다").len(), 1);
        assert_eq!(found("^remember :", "Remember: tabs. Remember: spaces"), [(0, 2)]);
        assert_eq!(found(", not", "pnpm, not npm"), [(1, 3)]);
        assert_eq!(found("مفتاح", "والمفتاح هنا"), [(0, 1)]);
    }

    proptest::proptest! {
        #[test]
        fn any_table_and_text(table in ".{0,80}", text in ".{0,80}") {
            found(&table, &text);
        }
    }
}
