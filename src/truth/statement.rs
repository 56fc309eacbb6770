//! A statement as words with their roles.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

use crate::text::{self, Mixer};

const TABLE: &str = include_str!("words.tsv");
/// Longer texts are explanations. Their first words are what they state.
const MAX_WORDS: usize = 80;

macro_rules! roles {
    ($($name:ident = $word:literal),* $(,)?) => {
        /// What a word does in a statement. A word may have several roles.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Role { $($name),* }

        impl Role {
            fn parse(word: &str) -> Option<Role> {
                match word {
                    $($word => Some(Role::$name),)*
                    _ => None,
                }
            }
        }
    };
}

roles! {
    Filler = "filler",
    Copula = "copula",
    Modal = "modal",
    Change = "change",
    Neg = "neg",
    Alt = "alt",
    Swap = "swap",
    By = "by",
    Move = "move",
    From = "from",
    Gone = "gone",
    Ban = "ban",
    Never = "never",
    More = "more",
    Reason = "reason",
    Day = "day",
    Month = "month",
    Language = "language",
    Unit = "unit",
    Number = "number",
    Loose = "loose",
    Per = "per",
}

/// Values of which a statement holds one at a time.
pub const VALUES: [Role; 5] = [Role::Number, Role::Day, Role::Language, Role::Month, Role::Unit];

/// A word, or a phrase of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    pub text: String,
    pub stem: String,
    roles: u32,
    /// A name, as its letters show: `SQLite`, `new_issue`, a capital inside of a sentence.
    pub is_name: bool,
    /// A name that only code has: `new_issue`, `--force`, `src/a.rs`.
    pub is_code: bool,
    /// The number of its clause.
    pub clause: usize,
}

impl Word {
    pub fn is(&self, role: Role) -> bool {
        self.roles & (1 << role as u32) != 0
    }

    /// The class of its value, if it is one.
    pub fn value(&self) -> Option<Role> {
        VALUES.into_iter().find(|role| self.is(*role))
    }

    /// Whether the word carries meaning of its own.
    pub fn is_content(&self) -> bool {
        const GRAMMAR: [Role; 13] = [
            Role::Filler,
            Role::Copula,
            Role::Change,
            Role::Neg,
            Role::Alt,
            Role::Swap,
            Role::By,
            Role::Gone,
            Role::Ban,
            Role::Never,
            Role::More,
            Role::Reason,
            Role::From,
        ];
        self.value().is_some() || !GRAMMAR.iter().any(|role| self.is(*role))
    }

    /// Whether it names something, or is a value.
    pub fn is_specific(&self) -> bool {
        self.is_name || self.value().is_some()
    }
}

/// The words of a text, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statement {
    pub words: Vec<Word>,
    /// Hashes of the stems of its content words, sorted.
    stems: Vec<u64>,
}

impl Statement {
    pub fn read(text: &str) -> Statement {
        let mut raw = tokens(text);
        let table = table();
        let mut words = Vec::with_capacity(raw.len());
        let mut at = 0;
        while at < raw.len() && words.len() < MAX_WORDS {
            let same_clause = |n: &usize| {
                at + n <= raw.len() && raw[at..at + n].iter().all(|t| t.clause == raw[at].clause)
            };
            let known = table.get(raw[at].text.as_str()).copied().unwrap_or_default();
            let found = (1..=known.longest).rev().filter(same_clause).find_map(|n| {
                let known = match n {
                    1 => known,
                    _ => *table.get(phrase(&raw[at..at + n]).as_str())?,
                };
                (known.roles != 0).then_some((n, known.roles))
            });
            let (n, mut roles) = found.unwrap_or((1, 0));
            let token = &raw[at];
            let has_digit = token.text.chars().any(char::is_numeric);
            let number = token.text.trim_start_matches(['$', '£', '€', '¥', '-', '~', '≈']);
            let is_number = n == 1 && number.chars().next().is_some_and(char::is_numeric);
            if is_number && roles == 0 {
                roles |= 1 << Role::Number as u32;
            }
            let (is_code, clause) = (token.is_code, token.clause);
            let is_name = roles == 0 && (token.is_capital || is_code || has_digit);
            let text = match n {
                1 => std::mem::take(&mut raw[at].text),
                _ => phrase(&raw[at..at + n]),
            };
            let stem = stem(&text);
            words.push(Word { text, stem, roles, is_name, is_code: roles == 0 && is_code, clause });
            at += n;
        }
        let content = words.iter().filter(|word| word.is_content());
        let mut stems: Vec<u64> = content.map(|word| hash(&word.stem)).collect();
        stems.sort_unstable();
        Statement { words, stems }
    }

    /// Whether both have a content word. Without one, they speak of different things.
    pub fn has_common(&self, other: &Statement) -> bool {
        let (a, b) = if self.stems.len() < other.stems.len() {
            (&self.stems, &other.stems)
        } else {
            (&other.stems, &self.stems)
        };
        a.iter().any(|stem| b.binary_search(stem).is_ok())
    }

    pub fn has(&self, role: Role) -> bool {
        self.words.iter().any(|word| word.is(role))
    }

    /// The words of a clause.
    pub fn clause(&self, clause: usize) -> impl Iterator<Item = (usize, &Word)> {
        self.words.iter().enumerate().filter(move |(_, word)| word.clause == clause)
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What the table says of a word or phrase.
#[derive(Clone, Copy, Default)]
struct Known {
    /// 0 if phrases begin with the word and it is none itself.
    roles: u32,
    /// How many words the longest phrase has that begins with it.
    longest: usize,
}

type Table = HashMap<&'static str, Known, BuildHasherDefault<Mixer>>;

fn table() -> &'static Table {
    static TABLE_OF_ROLES: OnceLock<Table> = OnceLock::new();
    TABLE_OF_ROLES.get_or_init(|| {
        let mut table = Table::with_capacity_and_hasher(TABLE.len() / 8, Default::default());
        for line in TABLE.lines() {
            if let Some((role, phrases)) = line.split_once('\t')
                && let Some(role) = Role::parse(role)
            {
                for phrase in phrases.split('|') {
                    table.entry(phrase).or_default().roles |= 1 << role as u32;
                    let first = phrase.split(' ').next().unwrap_or(phrase);
                    let n_words = phrase.split(' ').count();
                    let longest = &mut table.entry(first).or_default().longest;
                    *longest = n_words.max(*longest);
                }
            }
        }
        table
    })
}

/// The word without its ending. The endings are those of nouns and adjectives in the languages of the
/// table, so that `Tarife` and `Tarifen` are equal.
fn stem(word: &str) -> String {
    let word = text::stem(word);
    if word.bytes().any(|b| b.is_ascii_digit()) {
        return word.to_owned();
    }
    let mut stem = word;
    for _ in 0..2 {
        let Some(end) = stem.chars().next_back() else { break };
        if stem.chars().count() <= 5 || !"senrmao".contains(end) {
            break;
        }
        stem = &stem[..stem.len() - end.len_utf8()];
    }
    stem.to_owned()
}

/// The words with spaces between them.
fn phrase(tokens: &[Token]) -> String {
    tokens.iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ")
}

struct Token {
    text: String,
    is_capital: bool,
    is_code: bool,
    clause: usize,
}

/// Signs around a word that are no part of it.
const AROUND: &[char] = &[
    ',', ';', ':', '.', '!', '?', '(', ')', '[', ']', '"', '\'', '`', '“', '”', '„', '’', '‘', '«',
    '»', '…', '*', '。', '，', '、', '；', '：', '！', '？', '「', '」',
];
const ENDS: &[char] =
    &[',', ';', ':', '.', '!', '?', '。', '，', '、', '；', '：', '！', '？', ')', '('];

fn tokens(text: &str) -> Vec<Token> {
    // Words have five letters and more on average.
    let mut out: Vec<Token> = Vec::with_capacity(text.len() / 5);
    let mut clause = 0;
    let mut begins = true;
    for part in text.split_whitespace() {
        if part.chars().all(|c| matches!(c, '-' | '–' | '—' | '→')) {
            clause += 1;
            continue;
        }
        let mut rest = part;
        // Wide signs end clauses inside of a word: `不要 Ansible，用 Nix`.
        let is_end = |c: char| c >= '\u{3000}' && ENDS.contains(&c);
        while let Some(at) = if rest.is_ascii() { None } else { rest.find(is_end) } {
            add(&mut out, &rest[..at], clause, begins);
            begins = false;
            clause += 1;
            let len = rest[at..].chars().next().map_or(1, char::len_utf8);
            rest = &rest[at + len..];
        }
        let end = match rest.ends_with(is_plain) {
            true => "",
            false => &rest[rest.trim_end_matches(AROUND).len()..],
        };
        if rest.starts_with('(') {
            clause += 1;
        }
        add(&mut out, rest, clause, begins);
        begins = end.contains(['.', '!', '?', ':']);
        clause += usize::from(end.contains(ENDS));
    }
    out
}

/// Whether it is none of the signs around a word.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

fn add(out: &mut Vec<Token>, part: &str, clause: usize, begins: bool) {
    let part = match part.starts_with(is_plain) && part.ends_with(is_plain) {
        true => part,
        false => part.trim_matches(AROUND),
    };
    if !part.chars().any(char::is_alphanumeric) {
        return;
    }
    if !part.is_ascii() && part.chars().any(text::similarity::has_no_spaces) {
        return add_wide(out, part, clause);
    }
    let word = match part.is_ascii() {
        true => Cow::Borrowed(part),
        false => Cow::Owned(part.replace('’', "'")),
    };
    // French elisions: `n'utilise`, `l'interface`.
    if let Some((lead, rest)) = word.split_once('\'')
        && matches!(
            lead.to_lowercase().as_str(),
            "l" | "d" | "n" | "j" | "s" | "c" | "qu" | "m" | "t"
        )
        && rest.chars().count() > 1
    {
        let lead = if lead.eq_ignore_ascii_case("n") { "ne" } else { lead };
        push(out, lead, clause, true);
        push(out, rest, clause, begins);
        return;
    }
    push(out, word.strip_suffix("'s").unwrap_or(&word), clause, begins);
}

fn push(out: &mut Vec<Token>, word: &str, clause: usize, begins: bool) {
    let mut upper = word.chars().map(char::is_uppercase);
    let first = upper.next().unwrap_or(false);
    let has_upper_inside = upper.any(|is| is);
    let has_sign = |c: char| matches!(c, '_' | '/' | '\\' | '=' | '@' | '#');
    let is_code = word.contains(has_sign)
        || word.starts_with("--")
        || word.contains('.')
            && word.split('.').filter(|part| part.chars().any(char::is_alphabetic)).count() > 1;
    out.push(Token {
        text: if word.is_ascii() { word.to_ascii_lowercase() } else { word.to_lowercase() },
        is_capital: has_upper_inside || first && !begins,
        is_code,
        clause,
    });
}

/// Text without spaces: names in Latin letters, phrases of the table, else single characters.
fn add_wide(out: &mut Vec<Token>, part: &str, clause: usize) {
    let mut rest = part;
    while let Some(c) = rest.chars().next() {
        let wide =
            |c: char| text::similarity::has_no_spaces(c) || ('\u{3040}'..'\u{3100}').contains(&c);
        let len = if wide(c) {
            let phrases = (2..=4).rev().filter_map(|n| {
                let end = rest.char_indices().nth(n).map_or(rest.len(), |(at, _)| at);
                table().get(&rest[..end]).is_some_and(|known| known.roles != 0).then_some(end)
            });
            phrases.into_iter().next().unwrap_or(c.len_utf8())
        } else {
            rest.find(wide).unwrap_or(rest.len())
        };
        let word = rest[..len].trim_matches(AROUND);
        if word.chars().any(char::is_alphanumeric) {
            push(out, word, clause, false);
        }
        rest = &rest[len..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let words = Statement::read(text).words.into_iter();
        words.map(|word| format!("{}{}", word.clause, word.text)).collect()
    }

    #[test]
    fn clauses_phrases_and_elisions() {
        assert_eq!(words("From now on, use X."), ["0from now on", "1use", "1x"]);
        assert_eq!(words("On n'utilise plus `a_b`"), ["0on", "0ne", "0utilise", "0plus", "0a_b"]);
        assert_eq!(
            words("不要 Ansible，用 Nix 部署"),
            ["0不要", "0ansible", "1用", "1nix", "1部", "1署"]
        );
    }

    #[test]
    fn names_and_values() {
        let read = Statement::read("The API moved to Oslo, port 8080, src/a.rs");
        let names: Vec<&str> =
            read.words.iter().filter(|w| w.is_name).map(|w| w.text.as_str()).collect();
        assert_eq!(names, ["api", "oslo", "src/a.rs"]);
        let value = |text| Statement::read(text).words.last().unwrap().value();
        assert_eq!(value("port 8080"), Some(Role::Number));
        assert_eq!(value("on Tuesdays"), Some(Role::Day));
        assert_eq!(value("auf Deutsch"), Some(Role::Language));
        assert_eq!(value("use Redis"), None);
    }

    #[test]
    fn inflected_words_have_equal_stems() {
        let check = |a, b| assert_eq!(stem(a), stem(b), "{a} {b}");
        check("tarife", "tarifen");
        check("antworte", "antworten");
        check("sessions", "session");
        check("training", "train");
    }
}
