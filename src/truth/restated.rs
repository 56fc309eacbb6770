//! Whether two statements say the same in another order: `run the linter before each commit`, `before every
//! commit, run the linter`.
//!
//! No word may be missing or different but those that carry no meaning, so names, numbers and denials are
//! equal. Of the orders, two are safe: a part that begins with a preposition or conjunction stands first or
//! last, and an adverb stands elsewhere.

use super::statement::{Role, Statement, Word};
use crate::text::Words;

/// Words that may differ, beside articles and the like.
const EMPTY: Words = Words("we|our|you|your|please|also|just|do|wir|bitte|nous");
/// Words that mean the same.
const EQUAL: [(&str, &str); 4] =
    [("each", "every"), ("jeden", "jedem"), ("jede", "jedem"), ("never", "not")];
/// Words that begin a part which may stand first or last.
const OPENERS: Words = Words(
    "before|after|when|if|unless|until|while|during|in|on|for|vor|nach|wenn|bevor|bei|für|avant|après|quand\
     |si|pour|antes|después|cuando|para|en",
);
/// Fewer words say too little to be compared in another order.
const MIN_WORDS: usize = 4;

pub fn restates(a: &Statement, b: &Statement) -> bool {
    let turns = |s: &Statement| {
        let roles = [Role::Alt, Role::Swap, Role::Neg, Role::Gone, Role::Move, Role::Ban];
        // `no` and `without` deny and ban; a denial is compared as a word.
        roles.into_iter().any(|role| s.words.iter().any(|w| w.is(role) && !w.is(Role::Never)))
    };
    let (a_words, b_words) = (told(a), told(b));
    if a_words.len() != b_words.len() || a_words.len() < MIN_WORDS || turns(a) || turns(b) {
        return false;
    }
    is_turned(&a_words, &b_words) || is_turned(&b_words, &a_words) || is_moved(&a_words, &b_words)
}

struct Told<'a> {
    stem: &'a str,
    word: &'a Word,
}

/// The words that count, in order. Prepositions do, because they tell who does what to whom.
fn told(statement: &Statement) -> Vec<Told<'_>> {
    let is_empty = |word: &&Word| {
        let is_loose = word.is(Role::Loose) && !OPENERS.are(&word.text);
        word.value().is_some() || !is_loose && !EMPTY.are(&word.text)
    };
    let stem = |word: &'_ Word| -> Option<&'static str> {
        EQUAL.iter().find(|(from, _)| *from == word.text).map(|(_, to)| *to)
    };
    let words = statement.words.iter().filter(is_empty);
    words.map(|word| Told { stem: stem(word).unwrap_or(&word.stem), word }).collect()
}

fn is_same(a: &[Told], b: &[Told]) -> bool {
    a.iter().map(|told| told.stem).eq(b.iter().map(|told| told.stem))
}

/// `x, before y` and `before y, x`.
fn is_turned(a: &[Told], b: &[Told]) -> bool {
    let openers = (1..a.len()).filter(|at| OPENERS.are(&a[*at].word.text));
    openers.into_iter().any(|at| {
        let (head, tail) = a.split_at(at);
        is_same(tail, &b[..tail.len()]) && is_same(head, &b[tail.len()..])
    })
}

/// The same words, of which one adverb stands elsewhere.
fn is_moved(a: &[Told], b: &[Told]) -> bool {
    let Some(start) = (0..a.len()).find(|n| a[*n].stem != b[*n].stem) else { return true };
    let end = (0..a.len()).rfind(|n| a[*n].stem != b[*n].stem).unwrap_or(start);
    let stands_later = |a: &[Told], b: &[Told]| {
        is_adverb(a[start].word)
            && a[start].stem == b[end].stem
            && is_same(&a[start + 1..=end], &b[start..end])
    };
    stands_later(a, b) || stands_later(b, a)
}

/// Adverbs of the languages whose adverbs have an ending.
fn is_adverb(word: &Word) -> bool {
    let text = word.text.as_str();
    !word.is_specific() && text.len() > 4 && (text.ends_with("ly") || text.ends_with("mente"))
}
