//! Where the words of a query stand in a text.

use crate::recall::terms::{PAIR_DISTANCE, Terms};
use crate::store::words::{Document, Side};
use crate::terms::{self, Form};

/// A word of the query in a text.
struct Place {
    /// Number of words before it.
    at: u32,
    /// Number of words before it that are no stop words.
    content: u32,
    term: usize,
}

/// The words of a query in the text of a row.
pub struct Scan {
    /// Number of words of the text.
    pub len: usize,
    /// The row is never told unasked.
    pub unasked: bool,
    places: Vec<Place>,
}

impl Scan {
    pub fn new(document: &Document, unasked: bool, terms: &Terms) -> Scan {
        let (mut at, mut content) = (0, 0);
        let mut places = Vec::new();
        for part in document.parts() {
            let part = terms::compose(part);
            terms::visit(&part, |token| {
                let term = terms.find(&token);
                places.extend(term.map(|term| Place { at, content, term }));
                if token.form.counts() {
                    at += 1;
                    content +=
                        u32::from(token.form == Form::Pair || !terms::is_stop_word(token.word));
                }
            });
            // Words of different parts do not stand together.
            content += PAIR_DISTANCE as u32;
        }
        Scan { len: at as usize, unasked, places }
    }

    /// How often each of the terms occurs.
    pub fn counts(&self, n_terms: usize) -> Vec<u32> {
        let mut counts = vec![0; n_terms];
        for place in &self.places {
            counts[place.term] += 1;
        }
        counts
    }

    /// The counts in each window of `len` words.
    pub fn windows(&self, n_terms: usize, len: usize, step: usize) -> Vec<Vec<u32>> {
        let mut windows = Vec::new();
        let mut first = 0;
        for start in (0..self.len.saturating_sub(len) + step).step_by(step) {
            let (start, end) = (start as u32, (start + len) as u32);
            while self.places.get(first).is_some_and(|place| place.at < start) {
                first += 1;
            }
            let mut counts = vec![0; n_terms];
            for place in self.places[first..].iter().take_while(|place| place.at < end) {
                counts[place.term] += 1;
            }
            windows.push(counts);
        }
        windows
    }

    /// How often each pair of the query stands together.
    pub fn pairs(&self, terms: &Terms) -> Vec<u32> {
        let mut counts = vec![0; terms.pairs.len()];
        for (i, a) in self.places.iter().enumerate() {
            let near = |b: &&Place| b.content - a.content <= PAIR_DISTANCE as u32;
            for b in self.places[i + 1..].iter().take_while(near) {
                if let Some(pair) = terms.is_pair(a.term, b.term) {
                    counts[pair] += 1;
                }
            }
        }
        counts
    }

    /// Adds the words of the text that are nearest to the row beside which it stands, at most `limit`.
    /// Returns their number.
    pub fn add_to(&self, counts: &mut [u32], side: Side, limit: usize) -> usize {
        let n = self.len.min(limit);
        let range = match side {
            Side::Before => (self.len - n) as u32..self.len as u32,
            Side::After => 0..n as u32,
        };
        for place in self.places.iter().filter(|place| range.contains(&place.at)) {
            counts[place.term] += 1;
        }
        n
    }
}
