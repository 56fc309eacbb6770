//! A part of a sentence: its subject and its values.

use std::cell::OnceCell;

use super::super::statement::{Role, Statement, Word};
use crate::text::Words;

/// What a part says with one of these goes on.
const KEEPS: Words = Words(
    " stay| keep| kept| remain| unchanged| still | bleib| unverändert| weiterhin| as before| wie bisher\
     | sigue| queda| mantiene| mantén| reste| gard",
);
/// Units of time that are no words of the table.
const TIMES: Words = Words("s|sec|secs|ms|min|mins|h|hr|hrs|d|std");
/// Names of money that differ in one conversation.
const MONEY: Words = Words("pound|gbp|euro|eur|dollar|usd|franc|franken|chf|quid|buck");
/// Words for `%`.
const PERCENT: Words = Words("percent|prozent|porcient");
/// Articles of a thing of which there is one.
const ARTICLES: Words =
    Words("the|our|der|die|das|unser|unsere|le|la|notre|el|nuestro|nuestra|o|a|il");
const MONEY_SIGNS: [char; 4] = ['$', '£', '€', '¥'];
/// Signs before a number.
const SIGNS: [char; 6] = ['$', '£', '€', '¥', '~', '≈'];
/// Conjunctions between two statements with numbers.
const CONJUNCTIONS: [&str; 6] = [" and ", " und ", " y ", " et ", " e ", " en "];
/// Letters that two forms of a word share.
const MIN_SHARED: usize = 5;
/// Letters that they may differ in.
const MAX_ENDING: usize = 3;
/// The beginning of a name that stands for it: `couch` for `CouchDB`.
const MIN_SHORT_NAME: usize = 3;

/// A value that a statement holds one of.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Number(Option<String>),
    /// A span of time, with or without a number.
    Time,
    Money,
    Other(Role),
}

impl Value {
    /// Whether both are the same value.
    pub fn is(&self, other: &Value) -> bool {
        self.text == other.text
    }

    /// Whether the unit is not said.
    pub fn is_bare(&self) -> bool {
        self.kind == Kind::Number(None)
    }

    fn is_of_kind(&self, other: &Value) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Number(a), Kind::Number(b)) => a.is_none() || b.is_none() || a == b,
            (Kind::Number(None), Kind::Money) | (Kind::Money, Kind::Number(None)) => true,
            (a, b) => a == b,
        }
    }
}

/// A part of a sentence.
#[derive(Debug)]
pub struct Part {
    pub text: String,
    /// The user said it.
    pub is_asked: bool,
    /// Stems of its words that carry meaning, without values, in order.
    pub topic: Vec<String>,
    pub values: Vec<Value>,
    /// It stands in the same sentence as the part before it.
    pub continues: bool,
    /// It ends with a colon.
    pub introduces: bool,
    /// The topic of what introduces the part, or of the sentence before a part without a subject.
    lead: Vec<String>,
    words: Vec<Word>,
    keeps: OnceCell<bool>,
}

/// The parts of a sentence: between commas and the like, and statements with numbers between conjunctions.
pub fn parts(sentence: &str, is_asked: bool) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut is_introduced = false;
    for text in split(sentence) {
        let words = match text.contains(" %") {
            true => Statement::read(&text.replace(" %", "%")).words,
            false => Statement::read(text).words,
        };
        let has_meaning =
            |word: &&Word| word.is_content() && word.value().is_none() && !word.is(Role::Move);
        let topic: Vec<String> =
            words.iter().filter(has_meaning).map(|word| word.stem.clone()).collect();
        let lead = match is_introduced || topic.is_empty() {
            true => parts.iter().flat_map(|part| part.topic.iter().cloned()).collect(),
            false => Vec::new(),
        };
        let (values, continues) = (values(&words), !parts.is_empty());
        is_introduced = text.ends_with([':', '：']);
        let text = text.trim_end_matches([',', ';', ':', '…', '，', '；', '：', '、']);
        parts.push(Part {
            text: text.to_owned(),
            is_asked,
            topic,
            values,
            continues,
            introduces: is_introduced,
            lead,
            words,
            keeps: OnceCell::new(),
        });
    }
    parts
}

fn split(sentence: &str) -> Vec<&str> {
    let mut ends: Vec<usize> = Vec::new();
    for (at, c) in sentence.char_indices() {
        let end = at + c.len_utf8();
        let is_end = match c {
            ',' | ';' | ':' => sentence[end..].starts_with(char::is_whitespace),
            '…' | '、' | '，' | '；' | '：' => true,
            '–' | '—' => sentence[..at].ends_with(' '),
            _ => false,
        };
        if is_end {
            ends.push(end);
        }
    }
    ends.push(sentence.len());
    let mut parts = Vec::new();
    let mut start = 0;
    for end in ends {
        split_numbers(&sentence[start..end], &mut parts);
        start = end;
    }
    parts.retain(|part| part.chars().any(char::is_alphanumeric));
    let is_space = |c: char| c.is_whitespace() || matches!(c, '–' | '—');
    parts.into_iter().map(|part| part.trim_matches(is_space)).collect()
}

fn split_numbers<'a>(text: &'a str, parts: &mut Vec<&'a str>) {
    let has_digit = |text: &str| text.chars().any(char::is_numeric);
    let mut rest = text;
    if !has_digit(text) {
        return parts.push(text);
    }
    let is_between = |(at, word): &(usize, &&str)| {
        has_digit(&rest[..*at]) && has_digit(&rest[at + word.len()..])
    };
    let found = CONJUNCTIONS.iter().filter_map(|word| Some((rest.find(word)?, word)));
    if let Some((at, _)) = found.filter(is_between).min() {
        parts.push(&rest[..at]);
        rest = &rest[at..];
    }
    parts.push(rest);
}

fn values(words: &[Word]) -> Vec<Value> {
    let mut values = Vec::new();
    let is_article = |word: &Word| matches!(word.text.as_str(), "ein" | "one");
    let has_number = words.iter().any(|w| w.is(Role::Number) && !is_article(w));
    for (at, word) in words.iter().enumerate() {
        let (text, kind) = match word.value() {
            Some(Role::Number) if !is_article(word) => {
                (digits(&word.text), number(word, words.get(at + 1)))
            }
            Some(Role::Unit) if !has_number => (word.stem.as_str(), Kind::Time),
            Some(role @ (Role::Day | Role::Language)) => (word.stem.as_str(), Kind::Other(role)),
            _ => continue,
        };
        values.push(Value { text: text.to_owned(), kind });
    }
    values
}

/// A number without its unit. A number as a word is its own.
fn digits(text: &str) -> &str {
    let digits = text.trim_start_matches(SIGNS);
    let end = digits.find(|c: char| c.is_alphabetic() || c == '%').unwrap_or(digits.len());
    if end == 0 { text } else { digits[..end].trim_end_matches('-') }
}

/// A number with its unit: a word after it, or letters at its end.
fn number(word: &Word, next: Option<&Word>) -> Kind {
    let letters = word.text.trim_start_matches(|c: char| !c.is_alphabetic());
    let is_word = letters.len() == word.text.len();
    match next {
        _ if word.text.ends_with('%') => Kind::Number(Some("%".to_owned())),
        _ if word.text.starts_with(MONEY_SIGNS) => Kind::Money,
        _ if !is_word && TIMES.are(letters) => Kind::Time,
        _ if !is_word && !letters.is_empty() => Kind::Number(Some(letters.to_owned())),
        Some(next) if next.is(Role::Unit) || TIMES.are(&next.text) => Kind::Time,
        Some(next) if MONEY.are(&next.stem) => Kind::Money,
        Some(next) if PERCENT.are(&next.stem) => Kind::Number(Some("%".to_owned())),
        Some(next) if next.is_content() && next.value().is_none() && !next.is(Role::Move) => {
            Kind::Number(Some(next.stem.clone()))
        }
        _ => Kind::Number(None),
    }
}

impl Part {
    /// What it speaks of.
    pub fn subject(&self) -> impl Iterator<Item = &String> {
        self.topic.iter().chain(&self.lead)
    }

    pub fn first(&self) -> Option<&String> {
        self.topic.first()
    }

    /// The word before the verb of a state: `limit` of `the rate limit is 40`.
    pub fn head(&self) -> Option<&String> {
        let verb = self.words.iter().position(|w| w.is(Role::Copula) || w.is(Role::Modal))?;
        let before = self.words[..verb].iter().rfind(|w| w.is_content() && w.value().is_none());
        before.map(|word| &word.stem)
    }

    /// The small word before its last one: `por` of `los avisos van por SMS`.
    pub fn link(&self) -> Option<&str> {
        let last = self.words.iter().rposition(Word::is_content)?;
        let run = self.words[..last].iter().rposition(|word| !word.is_content())? + 1;
        let words = self.words[..run].iter().rev().take_while(|word| !word.is_content());
        words.last().map(|word| word.text.as_str())
    }

    pub fn ends_with_name(&self) -> bool {
        let is_told = |word: &&Word| word.is_content() && word.value().is_none();
        self.words.iter().rfind(is_told).is_some_and(|word| word.is_name)
    }

    /// Whether the stem is what it names of its subject: a name, or its last word.
    pub fn tells(&self, stem: &str) -> bool {
        let is_name = |word: &Word| word.is_name && word.stem == stem;
        self.topic.last().is_some_and(|last| last == stem) || self.words.iter().any(is_name)
    }

    /// Whether it has a name that the older part does not have.
    pub fn names_other_than(&self, old: &Part) -> bool {
        let names = self.words.iter().filter(|word| word.is_name && word.value().is_none());
        names.into_iter().any(|word| !old.topic.iter().any(|stem| same(stem, &word.stem)))
    }

    /// `we're on Mollie now for payments`, after `payments go through Adyen`: another name, and nothing that the
    /// older part does not speak of.
    pub fn names_only(&self, old: &Part) -> bool {
        let of_old = |word: &&Word| old.topic.iter().any(|stem| same(stem, &word.stem));
        let told = || self.words.iter().filter(|w| w.is_content() && !w.is(Role::Move));
        let first = old.topic.first();
        self.names_other_than(old)
            && told().all(|word| word.is_name || of_old(&word))
            && told().any(|word| first.is_some_and(|first| same(first, &word.stem)))
    }

    pub fn has_kind_of(&self, value: &Value) -> bool {
        self.values.iter().any(|own| own.is_of_kind(value))
    }

    pub fn shares_value(&self, other: &Part) -> bool {
        self.values.iter().any(|value| other.values.iter().any(|v| v.is(value)))
    }

    /// Whether it has a value of the same kind as the older part, and none of that kind in common with it.
    pub fn has_other_value(&self, old: &Part) -> bool {
        let is_told = |v: &Value| self.values.iter().any(|new| new.is(v));
        let is_other = |value: &Value| {
            let mut of_kind = old.values.iter().filter(|v| v.is_of_kind(value)).peekable();
            of_kind.peek().is_some() && !of_kind.any(is_told)
        };
        self.values.iter().any(is_other)
    }

    /// Whether it has another value of a kind that both say: a unit, a day, a sum of money.
    pub fn has_other_measure(&self, old: &Part) -> bool {
        self.values.iter().any(|value| {
            let mut of_kind = old.values.iter().filter(|v| v.kind == value.kind).peekable();
            let is_said = !value.is_bare() && of_kind.peek().is_some();
            is_said && !of_kind.any(|old| self.values.iter().any(|new| new.is(old)))
        })
    }

    /// Whether its words say that something holds from now on, or not any more.
    pub fn tells_change(&self) -> bool {
        let roles = [Role::Change, Role::Neg, Role::Alt, Role::Gone];
        let has = |role| self.words.iter().any(|word| word.is(role));
        let moves = self.words.iter().position(|w| w.is(Role::Move) || w.is(Role::Swap));
        let to = |at: usize| self.words[at..].iter().any(|word| word.is(Role::By));
        roles.into_iter().any(has) || moves.is_some_and(to) || self.text.contains('→')
    }

    /// Whether it says that something is no more.
    pub fn tells_end(&self) -> bool {
        self.words.iter().any(|word| word.is(Role::Gone))
    }

    /// Whether it says what the subject is: `Traefik is the ingress controller`.
    pub fn names_the(&self, subject: &[String]) -> bool {
        let Some(verb) = self.words.iter().position(|word| word.is(Role::Copula)) else {
            return false;
        };
        let (before, after) = self.words.split_at(verb);
        let is_name = |word: &Word| word.is_name || before[0] == *word;
        let mut named = before.iter().filter(|word| word.is_content()).peekable();
        let follows =
            after.iter().skip(1).take_while(|word| word.is_content() || ARTICLES.are(&word.text));
        let told: Vec<&String> =
            follows.filter(|word| word.is_content()).map(|word| &word.stem).collect();
        let has_article = after.get(1).is_some_and(|word| ARTICLES.are(&word.text));
        has_article
            && named.peek().is_some()
            && named.all(is_name)
            && !told.is_empty()
            && !subject.is_empty()
            && subject.iter().all(|stem| told.iter().any(|other| same(stem, other)))
    }

    /// Whether it says that something goes on.
    pub fn keeps(&self) -> bool {
        *self.keeps.get_or_init(|| KEEPS.inside(&format!(" {} ", self.text.to_lowercase())))
    }
}

/// Gives numbers without a unit the one that another part of the turn has for them: `28`, `at 28 %`.
pub fn share_units(parts: &mut [Part]) {
    let all: Vec<Value> = parts.iter().flat_map(|part| part.values.clone()).collect();
    for value in parts.iter_mut().flat_map(|part| &mut part.values).filter(|v| v.is_bare()) {
        if let Some(known) = all.iter().find(|known| known.is(value) && !known.is_bare()) {
            value.kind = known.kind.clone();
        }
    }
}

/// Whether two stems are forms of one word.
pub fn same(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    // Most stems begin with another letter.
    if short.bytes().next() != long.bytes().next() {
        return is_end_of_name(short, long);
    }
    let shared: usize = short
        .chars()
        .zip(long.chars())
        .take_while(|(a, b)| a == b)
        .map(|(c, _)| c.len_utf8())
        .sum();
    let rest = |word: &str| word[shared..].chars().count();
    let is_form = short[..shared].chars().count() >= MIN_SHARED
        && rest(short) <= MAX_ENDING
        && rest(long) <= MAX_ENDING;
    is_form || is_short_name(short, long)
}

/// `fly` and `fly.io`, `mongo` and `mongodb`, `nginx` and `ingress-nginx`.
pub fn is_short_name(short: &str, long: &str) -> bool {
    const ENDINGS: [&str; 6] = ["db", "sql", "js", "lang", "ql", "io"];
    let rest = long.strip_prefix(short).filter(|_| short.len() >= MIN_SHORT_NAME);
    rest.is_some_and(|rest| rest.starts_with(['.', '-']) || ENDINGS.contains(&rest))
        || is_end_of_name(short, long)
}

fn is_end_of_name(short: &str, long: &str) -> bool {
    short.len() > MIN_SHORT_NAME && long.strip_suffix(short).is_some_and(|rest| rest.ends_with('-'))
}
