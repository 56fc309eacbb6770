//! The phrases that show what a sentence of a user is.

use std::sync::LazyLock;

use super::phrases::{Found, Phrases, is_word, rows, tokens, words};

static PHRASES: LazyLock<Phrases<Marker>> =
    LazyLock::new(|| Phrases::read(include_str!("markers.tsv"), marker));

/// The marker of this name.
pub fn marker(name: &str) -> Option<Marker> {
    Marker::ALL.iter().find(|(_, known)| *known == name).map(|(marker, _)| *marker)
}

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
    Did = "did",
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
    We = "we",
    World = "world",
    Decides = "decides",
    Present = "present",
    Past = "past",
    Looks = "looks",
    Negation = "negation",
    Consent = "consent",
    CanYou = "can_you",
    Wants = "wants",
    So = "so",
    Future = "future",
    Task = "task",
}

/// A sentence, prepared for the table.
#[derive(Clone, Debug)]
pub struct Text {
    /// The words and punctuation marks.
    tokens: Vec<String>,
    found: Vec<Found<Marker>>,
    length: usize,
    /// Words are not set apart by spaces.
    is_unspaced: bool,
    has_arabic: bool,
    has_hangul: bool,
}

impl Text {
    pub fn new(text: &str) -> Text {
        let text = text.trim_start_matches(|c: char| !c.is_alphanumeric());
        let has = |wanted: fn(char) -> bool| text.contains(wanted);
        let is_kana = |c| matches!(c, '\u{3040}'..='\u{30ff}');
        let tokens = tokens(text);
        // Chinese phrases are single characters that Japanese has too.
        let found = PHRASES.find(&tokens).filter(|found| found.language != "zh" || !has(is_kana));
        Text {
            found: found.collect(),
            length: length(text),
            is_unspaced: has(is_wide),
            has_arabic: has(|c| matches!(c, '\u{600}'..='\u{6ff}')),
            has_hangul: has(|c| matches!(c, '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7af}')),
            tokens,
        }
    }

    /// Whether the sentence contains one of the marker's phrases.
    pub fn has(&self, marker: Marker) -> bool {
        self.all(marker).next().is_some()
    }

    /// Whether the sentence is one of the marker's phrases.
    pub fn is(&self, marker: Marker) -> bool {
        let words: Vec<&str> = self.words().collect();
        self.is_word(&words.join(" "), marker)
    }

    /// Whether the sentence begins with one of the marker's phrases. The verb of a Turkish sentence is its
    /// last word, and scripts without spaces have no first word.
    pub fn begins(&self, marker: Marker) -> bool {
        self.has_early(marker, 1)
    }

    /// Whether one of the marker's phrases begins within the first `n` words. In languages with the verb
    /// at the end and in scripts without spaces, any place counts.
    pub fn has_early(&self, marker: Marker, n: usize) -> bool {
        let n_words = self.words().count();
        self.all(marker).any(|found| {
            let before = self.tokens[..found.start].iter().filter(|token| is_word(token)).count();
            match found.language {
                "zh" | "ja" | "ko" | "ar" => true,
                "tr" => before < n || n > 1 || before + 1 == n_words,
                _ => before < n,
            }
        })
    }

    /// Whether the sentence ends with one of the marker's phrases.
    pub fn ends(&self, marker: Marker) -> bool {
        self.all(marker).any(|found| !self.tokens[found.end..].iter().any(|token| is_word(token)))
    }

    /// Whether all words belong to phrases of the markers.
    pub fn consists_of(&self, markers: &[Marker]) -> bool {
        let is_covered = |at: usize| {
            self.found
                .iter()
                .any(|found| markers.contains(&found.row) && (found.start..found.end).contains(&at))
        };
        let mut words = (0..self.tokens.len()).filter(|at| is_word(&self.tokens[*at])).peekable();
        words.peek().is_some() && words.all(is_covered)
    }

    /// Whether a word is one of the marker's phrases.
    pub fn is_word(&self, word: &str, marker: Marker) -> bool {
        let word = words(word);
        PHRASES.at(&word, 0).any(|found| found.row == marker && found.end == word.len())
    }

    pub fn all(&self, marker: Marker) -> impl Iterator<Item = &Found<Marker>> {
        self.found.iter().filter(move |found| found.row == marker)
    }

    pub fn words(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.tokens().filter(|token| is_word(token))
    }

    /// The words and the punctuation marks.
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.tokens.iter().map(String::as_str)
    }

    /// The number of words. Two characters of a script without spaces count as a word.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Whether the text has words that are not set apart by spaces.
    pub fn is_unspaced(&self) -> bool {
        self.is_unspaced
    }

    /// Whether the languages of the script join words, or put the verb at the end.
    pub fn matches_inside(&self) -> bool {
        self.is_unspaced || self.has_hangul || self.has_arabic
    }
}

fn length(text: &str) -> usize {
    let words = text.split(|c: char| !c.is_alphanumeric() && !"'’._".contains(c));
    let plain = words.filter(|word| is_word(word) && !word.contains(is_wide)).count();
    plain + text.chars().filter(|c| is_wide(*c)).count().div_ceil(2)
}

fn is_wide(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_known_rows() {
        let names = include_str!("markers.tsv").lines().skip(1);
        let names: Vec<&str> = names.map(|line| line.split('\t').next().unwrap()).collect();
        let known: Vec<&str> = Marker::ALL.iter().map(|(_, name)| *name).collect();
        assert_eq!(names, known);
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
