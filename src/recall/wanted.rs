//! Which sentence of a text answers a prompt.

use std::collections::BTreeSet;

use super::terms::Terms;
use crate::terms;

/// The words that a prompt asks with.
pub struct Wanted(Terms);

impl Wanted {
    pub fn of(prompt: &str) -> Wanted {
        Wanted(Terms::of(prompt, &[]))
    }

    /// How many different words say something about the subject.
    pub fn n_words(&self) -> usize {
        self.0.list.iter().filter(|term| term.counts()).count()
    }

    /// The words of the prompt that the text has, as positions.
    pub fn shared(&self, text: &str) -> BTreeSet<usize> {
        let mut shared = BTreeSet::new();
        terms::visit(&terms::compose(text), |token| shared.extend(self.0.find(&token)));
        shared.retain(|at| self.0.list[*at].counts());
        shared
    }

    /// The position of the sentence that shares most with the prompt, the first one among equals. A word says
    /// less the more of the sentences have it: what they all are about tells none of them from the others. It
    /// depends on these sentences alone, so the same prompt gets the same line again. `None` if none shares a
    /// word.
    pub fn best<'a>(&self, sentences: impl Iterator<Item = &'a str>) -> Option<usize> {
        let shared: Vec<BTreeSet<usize>> = sentences.map(|text| self.shared(text)).collect();
        let n_with = |word: &usize| shared.iter().filter(|words| words.contains(word)).count();
        let value = |word: &usize| {
            self.0.list[*word].weight * (1.0 + shared.len() as f64 / n_with(word) as f64).ln()
        };
        let values = shared.iter().map(|words| words.iter().map(value).sum::<f64>());
        let best = values.enumerate().rev().max_by(|(_, a), (_, b)| a.total_cmp(b));
        best.filter(|(_, value)| *value > 0.0).map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_with_the_rarest_words_of_the_prompt_is_the_best() {
        let check = |prompt: &str, sentences: &[&str], expected: Option<usize>| {
            let found = Wanted::of(prompt).best(sentences.iter().copied());
            assert_eq!(found, expected, "{prompt}");
        };
        let orders = [
            "The orders page shows number and date",
            "The orders API returns `total` in the header `X-Total-Count`",
            "Orders are sorted by date",
        ];
        check("where does the orders api put the total count?", &orders, Some(1));
        check("how are orders sorted", &orders, Some(2));
        check("orders", &orders, Some(0));
        check("invoices", &orders, None);
        check("orders", &[], None);
    }
}
