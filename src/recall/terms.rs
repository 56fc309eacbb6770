//! The words of a query: stems with the weights that their places give them, and pairs.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use crate::terms::{self, Form, Token};

/// Later words of a long text are not looked at.
const MAX_LOOKED_AT: usize = 4000;

/// Words up to this position have the full weight; after `FADE` more, half of it.
const FULL: usize = 8;
const FADE: f64 = 20.0;

/// The distance in content words of a pair.
pub const PAIR_DISTANCE: usize = 2;

/// A word of the query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Term {
    /// As it was written first, folded.
    pub word: String,
    pub stem: String,
    /// The weight `q`.
    pub weight: f64,
    /// It stands for all words that begin with it.
    pub is_prefix: bool,
    /// A name as a whole, such as `getUserId`, whose parts are words of their own.
    pub is_whole: bool,
    /// A word of grammar in the query's language. It finds rows, and says nothing about the subject.
    pub is_grammar: bool,
}

impl Term {
    /// Whether the word counts for the confidence.
    pub fn counts(&self) -> bool {
        !self.is_whole && !self.is_grammar
    }

    /// Whether it counts against the confidence if no row has it. A pair of characters with a syllable of
    /// hiragana is mostly an ending.
    pub fn counts_if_unknown(&self) -> bool {
        let is_hiragana = |c: char| ('\u{3040}'..='\u{309f}').contains(&c);
        self.counts() && !self.word.contains(is_hiragana)
    }
}

/// The words of a query.
#[derive(Debug, Default)]
pub struct Terms {
    pub list: Vec<Term>,
    /// Pairs of positions in `list`, the smaller first.
    pub pairs: Vec<(usize, usize)>,
    /// Only the words that are kept are looked for in texts.
    heads: OnceCell<Heads>,
    known: RefCell<HashMap<String, Option<usize>>>,
}

/// The number of letters from which a hexadecimal word stands for the longer hashes that begin with it.
const MIN_HASH: usize = 7;
const MAX_HASH: usize = 39;

impl Terms {
    /// `prefixes`: words of the text that stand for all words which begin with them.
    pub fn of(text: &str, prefixes: &[String]) -> Terms {
        let mut all: Vec<(String, Form)> = Vec::new();
        terms::visit(text, |token| {
            if all.len() < MAX_LOOKED_AT {
                all.push((token.word.to_owned(), token.form));
            }
        });
        let is_content = |(word, _): &&(String, Form)| !terms::is_stop_word(word);
        let mut content: Vec<&(String, Form)> = all.iter().filter(is_content).collect();
        if content.is_empty() {
            content = all.iter().collect();
        }
        // The sum of the occurrences of each term.
        let mut counts: Vec<f64> = Vec::new();
        let mut list: Vec<Term> = Vec::new();
        let mut of_word: HashMap<&str, usize> = HashMap::new();
        let mut of_stem: HashMap<(String, bool), usize> = HashMap::new();
        let mut sequence: Vec<usize> = Vec::new();
        for (i, (word, form)) in content.iter().enumerate() {
            // The last character of a run is in the pair before it.
            let in_pair = i > 0 && content[i - 1].1 == Form::Pair;
            if *form == Form::Single && in_pair {
                continue;
            }
            let is_whole = *form == Form::Compound;
            // A word has the same form wherever it is single.
            let term = *of_word.entry(word).or_insert_with(|| {
                let is_prefix = *form == Form::Single || prefixes.contains(word) || is_hash(word);
                let stem = if is_prefix { word.clone() } else { terms::stem(word) };
                *of_stem.entry((stem.clone(), is_prefix)).or_insert_with(|| {
                    let word = word.clone();
                    list.push(Term { word, stem, is_prefix, is_whole, ..Term::default() });
                    counts.push(0.0);
                    list.len() - 1
                })
            });
            counts[term] += 1.0 / (1.0 + sequence.len().saturating_sub(FULL) as f64 / FADE);
            list[term].is_whole &= is_whole;
            if !is_whole {
                sequence.push(term);
            }
        }
        for (term, c) in list.iter_mut().zip(counts) {
            term.weight = 4.0 * c / (c + 3.0);
        }
        mark_grammar(&mut list);
        let pairs = pairs(&sequence);
        Terms { list, pairs, ..Terms::default() }
    }

    /// Keeps the terms at these positions, in this order.
    pub fn keep(&mut self, positions: &[usize]) {
        let place: HashMap<usize, usize> =
            positions.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        self.list = positions.iter().map(|i| self.list[*i].clone()).collect();
        let pairs = self.pairs.iter().filter_map(|(a, b)| Some((*place.get(a)?, *place.get(b)?)));
        self.pairs = pairs.map(|(a, b)| (a.min(b), a.max(b))).collect();
        self.pairs.sort_unstable();
        self.pairs.dedup();
        self.heads = OnceCell::new();
        self.known.borrow_mut().clear();
    }

    /// The term that a word of a text is, as its position in the list.
    pub fn find(&self, token: &Token) -> Option<usize> {
        if !self.heads.get_or_init(|| Heads::of(&self.list)).may_be(token.word) {
            return None;
        }
        if let Some(known) = self.known.borrow().get(token.word) {
            return *known;
        }
        let stem = terms::stem(token.word);
        let found = self.list.iter().position(|term| match term.is_prefix {
            true => token.word.starts_with(&term.stem),
            false => stem == term.stem,
        });
        self.known.borrow_mut().insert(token.word.to_owned(), found);
        found
    }

    pub fn is_pair(&self, a: usize, b: usize) -> Option<usize> {
        self.pairs.binary_search(&(a.min(b), a.max(b))).ok()
    }
}

/// Marks words of grammar of the languages of which the query has at least two.
fn mark_grammar(list: &mut [Term]) {
    const MIN: usize = 2;
    let places: HashMap<String, usize> =
        list.iter().enumerate().map(|(at, term)| (term.word.clone(), at)).collect();
    let lines = include_str!("function_words.txt").lines().filter(|line| !line.starts_with('#'));
    for language in lines {
        let of_query: Vec<usize> =
            language.split(' ').filter_map(|word| places.get(word).copied()).collect();
        if of_query.len() >= MIN {
            of_query.into_iter().for_each(|at| list[at].is_grammar = true);
        }
    }
}

/// How the words that may be a term begin. Most words of a text begin otherwise, and are not stemmed.
#[derive(Debug, Default)]
struct Heads {
    /// By the first byte.
    of_byte: Vec<Vec<String>>,
}

impl Heads {
    fn of(list: &[Term]) -> Heads {
        let mut heads = Heads::default();
        for term in list {
            // A stem differs from the words that have it in its last character at most.
            let cut = if term.is_prefix { None } else { term.stem.char_indices().next_back() };
            heads.add(&term.stem[..cut.map_or(term.stem.len(), |(at, _)| at)]);
            terms::irregular_forms(&term.stem).for_each(|form| heads.add(form));
        }
        heads
    }

    fn add(&mut self, head: &str) {
        self.of_byte.resize_with(257, Vec::new);
        let at = head.bytes().next().map_or(256, usize::from);
        self.of_byte[at].push(head.to_owned());
    }

    fn may_be(&self, word: &str) -> bool {
        let Some(first) = word.bytes().next() else { return false };
        let begins = |heads: &Vec<String>| heads.iter().any(|head| word.starts_with(head.as_str()));
        // Every word begins with the empty head of a stem of one character.
        self.of_byte.get(usize::from(first)).is_some_and(begins)
            || self.of_byte.get(256).is_some_and(|heads| !heads.is_empty())
    }
}

/// Whether the word may be the beginning of a commit's hash.
fn is_hash(word: &str) -> bool {
    (MIN_HASH..=MAX_HASH).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_hexdigit())
        && word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_alphabetic())
}

/// Pairs of different terms that stand close to each other.
fn pairs(sequence: &[usize]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (i, a) in sequence.iter().enumerate() {
        for b in sequence.iter().skip(i + 1).take(PAIR_DISTANCE).filter(|b| *b != a) {
            pairs.push((*a.min(b), *a.max(b)));
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}
