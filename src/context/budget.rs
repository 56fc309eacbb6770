//! How much fits: an estimate of a text's tokens, and the client's limit in UTF-16 units.

/// What a block may hold, whatever the settings say: the client cuts a hook's context at 10,000
/// UTF-16 units.
pub const MAX_UNITS: usize = 9_500;

/// Room that is left, in quarters of a token and in UTF-16 units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    quarters: usize,
    units: usize,
}

impl Budget {
    pub fn of_tokens(tokens: usize) -> Budget {
        Budget { quarters: tokens.saturating_mul(4), units: MAX_UNITS }
    }

    /// Takes the room that `text` needs, or nothing where there is too little.
    #[must_use]
    pub fn take(&mut self, text: &str) -> bool {
        let cost = Budget { quarters: quarters(text), units: text.encode_utf16().count() };
        let fits = cost.quarters <= self.quarters && cost.units <= self.units;
        if fits {
            self.quarters -= cost.quarters;
            self.units -= cost.units;
        }
        fits
    }

    /// A part of what is left.
    pub fn share(&self, percent: usize) -> Budget {
        let part = |whole: usize| (whole as u128 * percent as u128 / 100) as usize;
        Budget { quarters: part(self.quarters), units: part(self.units) }
    }
}

/// The text's estimated length in tokens.
pub fn tokens(text: &str) -> usize {
    quarters(text).div_ceil(4)
}

/// The text's estimated length in quarters of a token: four ASCII bytes make one, and two bytes of
/// anything else, for scripts that a tokenizer knows less well cost about a token per letter.
fn quarters(text: &str) -> usize {
    text.bytes().map(|b| if b.is_ascii() { 1 } else { 2 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_counts_a_quarter_and_the_rest_more() {
        let check = |text, expected| assert_eq!(quarters(text), expected, "{text}");
        check("", 0);
        check("four", 4);
        check("é", 4);
        check("記憶", 12);
        check("🦀", 8);
    }

    #[test]
    fn takes_what_fits_and_nothing_else() {
        let mut budget = Budget::of_tokens(2);
        assert!(budget.take("12345"));
        assert!(!budget.take("1234"));
        assert!(budget.take("123"));
        assert!(!budget.take("1"));
        assert!(budget.take(""));
    }

    #[test]
    fn units_bind_where_tokens_do_not() {
        let mut budget = Budget::of_tokens(usize::MAX);
        assert!(!budget.take(&"x".repeat(MAX_UNITS + 1)));
        assert!(!budget.take(&"🦀".repeat(MAX_UNITS / 2 + 1)));
        assert!(budget.take(&"🦀".repeat(MAX_UNITS / 2)));
    }

    #[test]
    fn shares() {
        let mut part = Budget::of_tokens(100).share(25);
        assert!(!part.take(&"x".repeat(101)));
        assert!(part.take(&"x".repeat(100)));
        assert_eq!(Budget::of_tokens(usize::MAX).share(100), Budget::of_tokens(usize::MAX));
    }
}
