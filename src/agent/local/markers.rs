//! The table of markers: phrases of twelve languages that show what a sentence of a user is.
//!
//! `markers.tsv` has a row per marker and a column per language. Phrases stand between `|`. `^` means
//! the beginning of the sentence, `*` the end of a stem, `…` any words between two parts. Chinese,
//! Japanese, Korean and Arabic phrases match inside of words, all others match whole words.

use std::sync::OnceLock;

use super::phrases::rows;

const TABLE: &str = include_str!("markers.tsv");

rows! {
    Marker:
    Lasting = "lasting",
    Principle = "principle",
    Prefer = "prefer",
    Always = "always",
    Never = "never",
    Modal = "modal",
    NotOrder = "not_order",
    Habit = "habit",
    Instead = "instead",
    Ban = "ban",
    Harmless = "harmless",
    Limit = "limit",
    Bound = "bound",
    Sequence = "sequence",
    Touch = "touch",
    Production = "production",
    Forbid = "forbid",
    NoMore = "no_more",
    Subject = "subject",
    Tool = "tool",
    Platform = "platform",
    Use = "use",
    Verb = "verb",
    Runs = "runs",
    Clause = "clause",
    Every = "every",
    Look = "look",
    Actor = "actor",
    RulesHeading = "rules_heading",
    Temporary = "temporary",
    Whole = "whole",
    Here = "here",
    It = "it",
    Spot = "spot",
    OwnLabel = "own_label",
    Deny = "deny",
    Dont = "dont",
    Because = "because",
    Reports = "reports",
    GoOn = "go_on",
    Defer = "defer",
    When = "when",
    Yes = "yes",
    No = "no",
    Option = "option",
    First = "nth_1",
    Second = "nth_2",
    Third = "nth_3",
    Fourth = "nth_4",
    Last = "nth_last",
    AllOfThem = "all_of_them",
    Greeting = "greeting",
    Filler = "filler",
    SmallTalk = "small_talk",
    Still = "still",
    Wrong = "wrong",
    Why = "why",
    If = "if",
    Asks = "asks",
    Then = "then",
    Pronoun = "pronoun",
}

/// The languages, in the order of the columns.
const LANGUAGES: [&str; 12] =
    ["en", "de", "fr", "es", "pt", "it", "ru", "zh", "ja", "ko", "ar", "tr"];

/// A phrase of the table.
struct Phrase {
    language: &'static str,
    begins: bool,
    /// With the spaces that make them whole words.
    parts: Vec<String>,
    /// Without punctuation.
    bare: String,
}

/// A sentence, prepared for the table.
#[derive(Clone, Debug)]
pub struct Text {
    /// Lowercase, with a space around each word and each punctuation mark.
    spaced: String,
    /// The words alone.
    bare: String,
    scripts: Scripts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Scripts {
    cyrillic: bool,
    han: bool,
    kana: bool,
    hangul: bool,
    arabic: bool,
}

impl Scripts {
    fn of(text: &str) -> Scripts {
        let mut scripts = Scripts::default();
        for c in text.chars() {
            match c {
                '\u{400}'..='\u{4ff}' => scripts.cyrillic = true,
                '\u{600}'..='\u{6ff}' => scripts.arabic = true,
                '\u{3040}'..='\u{30ff}' => scripts.kana = true,
                '\u{4e00}'..='\u{9fff}' => scripts.han = true,
                '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7af}' => scripts.hangul = true,
                _ => {}
            }
        }
        scripts
    }

    /// Whether a text of these scripts may be of the language.
    fn allow(self, language: &str) -> bool {
        match language {
            "ru" => self.cyrillic,
            "zh" => self.han && !self.kana,
            "ja" => self.han || self.kana,
            "ko" => self.hangul,
            "ar" => self.arabic,
            _ => true,
        }
    }
}

impl Text {
    pub fn new(text: &str) -> Text {
        let spaced = spaced(text.trim_start_matches(|c: char| !c.is_alphanumeric()));
        let bare = bare(&spaced);
        Text { scripts: Scripts::of(&spaced), spaced: format!(" {spaced} "), bare }
    }

    /// Whether the sentence contains one of the marker's phrases.
    pub fn has(&self, marker: Marker) -> bool {
        self.phrases(marker).any(|phrase| phrase.is_in(&self.spaced))
    }

    /// Whether the sentence is one of the marker's phrases.
    pub fn is(&self, marker: Marker) -> bool {
        let compact = self.compact();
        self.phrases(marker).any(|phrase| {
            phrase.bare == self.bare || is_unspaced(phrase.language) && phrase.bare == compact
        })
    }

    /// Whether the first word is one of the marker's phrases. The verb of a Turkish sentence is its
    /// last word, and scripts without spaces have no words.
    pub fn begins(&self, marker: Marker) -> bool {
        let first = self.words().next().unwrap_or("");
        let last = self.words().next_back().unwrap_or("");
        self.phrases(marker).any(|phrase| match phrase.language {
            "tr" => phrase.bare == first || phrase.bare == last,
            language if is_unspaced(language) => phrase.is_in(&self.spaced),
            _ => phrase.bare == first,
        })
    }

    /// Whether one of the first `n` words is one of the marker's phrases. In languages with the verb at
    /// the end and in scripts without spaces, any word counts.
    pub fn has_early(&self, marker: Marker, n: usize) -> bool {
        self.phrases(marker).any(|phrase| match phrase.language {
            "tr" => phrase.is_in(&self.spaced),
            language if is_unspaced(language) => phrase.is_in(&self.spaced),
            _ => self.words().take(n).any(|word| word == phrase.bare),
        })
    }

    /// Whether all words are phrases of one of the markers.
    pub fn consists_of(&self, markers: &[Marker]) -> bool {
        let of_marker = |word: &str| {
            markers.iter().any(|marker| self.phrases(*marker).any(|phrase| phrase.bare == word))
        };
        !self.bare.is_empty() && self.words().all(of_marker)
    }

    /// Whether a word is one of the marker's phrases.
    pub fn is_word(&self, word: &str, marker: Marker) -> bool {
        self.phrases(marker).any(|phrase| phrase.bare == word)
    }

    pub fn words(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.bare.split(' ').filter(|word| !word.is_empty())
    }

    /// The words and the punctuation marks.
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.spaced.split(' ').filter(|token| !token.is_empty())
    }

    /// The number of words. Two characters of a script without spaces count as a word.
    pub fn length(&self) -> usize {
        let wide = |c: &char| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}');
        let n_wide = self.bare.chars().filter(wide).count();
        let plain = self.words().filter(|word| !word.chars().any(|c| wide(&c))).count();
        plain + n_wide.div_ceil(2)
    }

    /// Whether the text has words that are not set apart by spaces.
    pub fn is_unspaced(&self) -> bool {
        self.scripts.han || self.scripts.kana
    }

    /// Whether phrases match inside of the words of the text.
    pub fn matches_inside(&self) -> bool {
        self.is_unspaced() || self.scripts.hangul || self.scripts.arabic
    }

    fn compact(&self) -> String {
        self.bare.replace(' ', "")
    }

    fn phrases(&self, marker: Marker) -> impl Iterator<Item = &'static Phrase> {
        let scripts = self.scripts;
        table()[marker as usize].iter().filter(move |phrase| scripts.allow(phrase.language))
    }
}

impl Phrase {
    fn new(language: &'static str, text: &str) -> Phrase {
        let begins = text.starts_with('^');
        let text = text.trim_start_matches('^');
        let part = |part: &str| {
            let is_stem = part.ends_with('*');
            let words = spaced(part.trim_end_matches('*'));
            match (is_unspaced(language), is_stem) {
                (true, _) => words,
                (false, true) => format!(" {words}"),
                (false, false) => format!(" {words} "),
            }
        };
        Phrase {
            language,
            begins,
            parts: text.split('…').map(|text| part(text.trim())).collect(),
            bare: bare(&spaced(text)),
        }
    }

    fn is_in(&self, text: &str) -> bool {
        let mut rest = if is_unspaced(self.language) { text.trim_start() } else { text };
        for (nth, part) in self.parts.iter().enumerate() {
            let found = match nth == 0 && self.begins {
                true => rest.starts_with(part.as_str()).then_some(0),
                false => rest.find(part.as_str()),
            };
            let Some(at) = found else { return false };
            // The space after one word is the space before the next.
            let end = at + part.len();
            rest = &rest[if part.ends_with(' ') { end - 1 } else { end }..];
        }
        true
    }
}

fn is_unspaced(language: &str) -> bool {
    matches!(language, "zh" | "ja" | "ko" | "ar")
}

/// Lowercase, with one space between words and punctuation marks. Apostrophes and points within a word
/// stay, and a hyphen there becomes a space.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().flat_map(char::to_lowercase).peekable();
    let mut last = ' ';
    while let Some(c) = chars.next() {
        let c = if matches!(c, '’' | 'ʼ') { '\'' } else { c };
        let within = last.is_alphanumeric() && chars.peek().is_some_and(|c| c.is_alphanumeric());
        let c = if c == '-' && within { ' ' } else { c };
        let joins = within && matches!(c, '\'' | '.' | '_');
        match c {
            // The dot that lowercase İ leaves.
            '\u{307}' => continue,
            c if c.is_alphanumeric() || joins => {
                if is_mark(last) {
                    out.push(' ');
                }
                out.push(c);
            }
            c if c.is_whitespace() || c == '`' => {
                if last != ' ' {
                    out.push(' ');
                }
                last = ' ';
                continue;
            }
            c => {
                if last != ' ' {
                    out.push(' ');
                }
                out.push(c);
            }
        }
        last = if joins { 'x' } else { c };
    }
    out.truncate(out.trim_end().len());
    out
}

fn is_mark(c: char) -> bool {
    !c.is_alphanumeric() && c != ' '
}

/// The words of a spaced text without its punctuation marks.
fn bare(spaced: &str) -> String {
    let words = spaced.split(' ').filter(|word| word.contains(char::is_alphanumeric));
    words.collect::<Vec<_>>().join(" ")
}

fn table() -> &'static Vec<Vec<Phrase>> {
    static PHRASES: OnceLock<Vec<Vec<Phrase>>> = OnceLock::new();
    PHRASES.get_or_init(|| {
        let row = |name: &str| {
            let mut rows = TABLE.lines().map(|line| line.split('\t'));
            let cells = rows.find_map(|mut row| (row.next() == Some(name)).then_some(row));
            let phrases = |(language, cell): (&'static str, &'static str)| {
                let phrases = cell.split('|').filter(|phrase| !phrase.is_empty());
                phrases.map(move |phrase| Phrase::new(language, phrase))
            };
            LANGUAGES.into_iter().zip(cells.into_iter().flatten()).flat_map(phrases).collect()
        };
        Marker::ALL.iter().map(|(_, name)| row(name)).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_all_markers_and_languages() {
        let mut lines = TABLE.lines();
        let header: Vec<&str> = lines.next().unwrap().split('\t').collect();
        assert_eq!(header[1..], LANGUAGES);
        let names: Vec<&str> = lines
            .map(|line| {
                let cells: Vec<&str> = line.split('\t').collect();
                assert_eq!(cells.len(), 13, "{}", cells[0]);
                assert!(cells[1..].iter().all(|cell| *cell == cell.to_lowercase()), "{}", cells[0]);
                cells[0]
            })
            .collect();
        let markers: Vec<&str> = Marker::ALL.iter().map(|(_, name)| *name).collect();
        assert_eq!(names, markers);
        for (nth, (marker, _)) in Marker::ALL.iter().enumerate() {
            assert_eq!(*marker as usize, nth);
        }
    }

    #[test]
    fn phrases_match_whole_words() {
        let has = |text: &str, marker, expected| {
            assert_eq!(Text::new(text).has(marker), expected, "{text}");
        };
        has("From now on: tabs", Marker::Lasting, true);
        has("Here on, from now online", Marker::Lasting, false);
        has("No, we don’t", Marker::Deny, true);
        has("no problem", Marker::Deny, false);
        has("Keine neuen Abhängigkeiten!", Marker::Subject, true);
        has("drop Ansible, use Nix", Marker::Instead, true);
        has("从现在开始用 tabs", Marker::Lasting, true);
        has("BU PROJEDE HER ZAMAN TABS", Marker::Lasting, true);
        assert!(Text::new("Yes, please!").is(Marker::Yes));
        assert!(Text::new("はい、お願いします。").is(Marker::Yes));
        assert!(!Text::new("Yes, but").is(Marker::Yes));
    }

    #[test]
    fn length_counts_words_of_all_scripts() {
        assert_eq!(Text::new("don't use `a-b` v1.2!").length(), 5);
        assert_eq!(Text::new("使用中文").length(), 2);
        assert_eq!(Text::new("").length(), 0);
    }
}
