//! The words of a query: stems with the weights that their places give them, and pairs.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use crate::terms::{self, Form, Token};

/// Later words of a long text are not looked at.
const MAX_LOOKED_AT: usize = 4000;

/// Words up to this position have the full weight; after `FADE` more, half of it.
const FULL: usize = 8;
const FADE: f64 = 20.0;

/// The distance in content words of a pair.
pub const PAIR_DISTANCE: usize = 2;

/// A word of the query.
#[derive(Clone, Debug, PartialEq)]
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
    heads: Heads,
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
        let mut counted: BTreeMap<(String, bool), (usize, f64, usize)> = BTreeMap::new();
        let mut list: Vec<Term> = Vec::new();
        let mut sequence: Vec<Option<usize>> = Vec::new();
        let n_content = content.len();
        for (i, (word, form)) in content.iter().enumerate() {
            // The last character of a run is in the pair before it.
            let in_pair = i > 0 && content[i - 1].1 == Form::Pair;
            if *form == Form::Single && in_pair {
                continue;
            }
            let is_whole = *form == Form::Compound;
            let is_prefix = *form == Form::Single || prefixes.contains(word) || is_hash(word);
            let stem = if is_prefix { word.clone() } else { terms::stem(word) };
            let position = sequence.len();
            let occurrence = 1.0 / (1.0 + position.saturating_sub(FULL) as f64 / FADE);
            let entry = counted.entry((stem.clone(), is_prefix)).or_insert_with(|| {
                list.push(Term {
                    word: word.clone(),
                    stem,
                    weight: 0.0,
                    is_prefix,
                    is_whole,
                    is_grammar: false,
                });
                (list.len() - 1, 0.0, n_content)
            });
            entry.1 += occurrence;
            let term = entry.0;
            list[term].is_whole &= is_whole;
            if !is_whole {
                sequence.push(Some(term));
            }
        }
        for (term, c, _) in counted.values() {
            list[*term].weight = 4.0 * c / (c + 3.0);
        }
        mark_grammar(&mut list);
        let pairs = pairs(&sequence);
        let mut terms = Terms { list, pairs, ..Terms::default() };
        terms.index();
        terms
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
        self.index();
    }

    fn index(&mut self) {
        self.known.borrow_mut().clear();
        let mut heads = Heads::default();
        for term in &self.list {
            // A stem differs from the words that have it in its last character at most.
            let cut = if term.is_prefix { None } else { term.stem.char_indices().next_back() };
            heads.add(&term.stem[..cut.map_or(term.stem.len(), |(at, _)| at)]);
            for form in terms::irregular_forms(&term.stem) {
                heads.add(form);
            }
        }
        self.heads = heads;
    }

    /// The term that a word of a text is, as its position in the list.
    pub fn find(&self, token: &Token) -> Option<usize> {
        if !self.heads.may_be(token.word) {
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
    let lines = include_str!("function_words.txt").lines().filter(|line| !line.starts_with('#'));
    for language in lines {
        let is_of = |term: &Term| language.split(' ').any(|word| word == term.word);
        if list.iter().filter(|term| is_of(term)).nth(MIN - 1).is_some() {
            list.iter_mut().filter(|term| is_of(term)).for_each(|term| term.is_grammar = true);
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
fn pairs(sequence: &[Option<usize>]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (i, a) in sequence.iter().enumerate() {
        for b in sequence.iter().skip(i + 1).take(PAIR_DISTANCE) {
            if let (Some(a), Some(b)) = (a, b)
                && a != b
            {
                pairs.push((*a.min(b), *a.max(b)));
            }
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}
