//! The normal form of a statement, in which two wordings of it are equal.

use super::search::fold;
use super::words::stem;

/// Signs around a word that say nothing. A `!` before a word does.
const BEFORE: &[char] =
    &['"', '\'', '“', '”', '„', '‘', '’', '«', '»', '(', '[', '{', '*', '_', '`', '「', '『', '（'];
const AFTER: &[char] = &[
    '"', '\'', '“', '”', '‘', '’', '«', '»', ')', ']', '}', '*', '_', '`', '.', ',', ';', ':', '!',
    '?', '…', '。', '、', '，', '！', '？', '：', '；', '」', '』', '）',
];
const ARTICLE: &str = "the";

/// A single word states nothing, unless its script writes sentences without spaces.
const MIN_WORDS: usize = 2;
const MIN_LETTERS: usize = 4;

/// The words of a statement in their order, without case, composition, endings, `the`, Markdown and the
/// punctuation around words. Negations, numbers and operators stay. `None` if the text states nothing.
pub fn statement(text: &str) -> Option<String> {
    let mut words = Counted::default();
    let mut out = String::new();
    each_word(text, |word| {
        words.add(word);
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    });
    words.is_statement().then_some(out)
}

/// A fast hash of the statement. Equal statements have the same.
pub fn statement_hash(text: &str) -> Option<u64> {
    let mut words = Counted::default();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    each_word(text, |word| {
        words.add(word);
        for byte in word.bytes().chain([b' ']) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    });
    words.is_statement().then_some(hash)
}

/// How many words there are, and whether the first one can be a sentence.
#[derive(Default)]
struct Counted {
    n_words: usize,
    is_long: bool,
}

impl Counted {
    fn add(&mut self, word: &str) {
        self.n_words += 1;
        self.is_long |= !word.is_ascii() && word.chars().count() >= MIN_LETTERS;
    }

    fn is_statement(&self) -> bool {
        self.n_words >= MIN_WORDS || self.is_long
    }
}

/// Calls `f` for each word in its normal form.
fn each_word(text: &str, mut f: impl FnMut(&str)) {
    if !text.is_ascii() {
        return fold(text).split_whitespace().filter_map(word).for_each(f);
    }
    let mut low = String::new();
    for token in text.split_ascii_whitespace() {
        low.clear();
        low.push_str(token);
        low.make_ascii_lowercase();
        word(&low).into_iter().for_each(&mut f);
    }
}

fn word(token: &str) -> Option<&str> {
    let word = token.trim_start_matches(BEFORE).trim_end_matches(AFTER);
    if !word.contains(char::is_alphanumeric) {
        // An operator such as `!=`, but no dash or bullet.
        let is_operator = token.contains(['=', '<', '>', '+', '/', '&', '|', '^', '%', '$', '#']);
        return is_operator.then_some(token);
    }
    (word != ARTICLE).then(|| stem(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(a: &str, b: &str, is_equal: bool) {
        assert_eq!(statement(a).is_some_and(|a| statement(b) == Some(a)), is_equal, "{a} / {b}");
        let hash = statement_hash(a);
        assert_eq!(hash.is_some() && hash == statement_hash(b), is_equal, "{a} / {b}");
    }

    #[test]
    fn wordings_of_a_statement_are_equal() {
        check("The release branch is `prod`.", "- release branch is **prod**", true);
        check("Deploys run on FRIDAYS!", "deploy runs on Friday", true);
        check("l'e\u{301}cole est fermée", "L'ÉCOLE est fermée.", true);
        check("部署在星期五进行。", "部署在星期五进行", true);
    }

    #[test]
    fn a_correction_is_another_statement() {
        check("Deploys run on Fridays", "Deploys do not run on Fridays", false);
        check("Anna replaces Bert", "Bert replaces Anna", false);
        check("Use C for the parser", "Use C++ for the parser", false);
        check("x != y in tests", "x = y in tests", false);
        check("Pin serde to 1.0.3", "Pin serde to 1.0.4", false);
        check("pass !ready on", "pass ready on", false);
    }

    #[test]
    fn a_word_states_nothing() {
        for text in ["", "Changes", "the build", "- …", "記憶"] {
            assert_eq!((statement(text), statement_hash(text)), (None, None), "{text}");
        }
    }
}
