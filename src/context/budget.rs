//! Limits the length of the block, in estimated tokens and in UTF-16 units.

/// The client truncates a hook's context at 10,000 UTF-16 units, so no setting allows a longer
/// block.
pub const MAX_UNITS: usize = 9_500;

/// What may still be written, in quarters of a token and in UTF-16 units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    quarters: usize,
    units: usize,
}

impl Budget {
    pub fn of_tokens(tokens: usize) -> Budget {
        Budget { quarters: tokens.saturating_mul(4), units: MAX_UNITS }
    }

    /// Subtracts the cost of `text`. Returns false and subtracts nothing if it exceeds the budget.
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

    /// What both have together.
    pub fn plus(&self, other: Budget) -> Budget {
        Budget {
            quarters: self.quarters.saturating_add(other.quarters),
            units: self.units.saturating_add(other.units),
        }
    }

    /// What was spent of this budget if `rest` is left.
    pub fn without(&self, rest: Budget) -> Budget {
        Budget {
            quarters: self.quarters.saturating_sub(rest.quarters),
            units: self.units.saturating_sub(rest.units),
        }
    }

    /// A budget of `percent` of this one.
    pub fn share(&self, percent: usize) -> Budget {
        let part = |whole: usize| (whole as u128 * percent as u128 / 100) as usize;
        Budget { quarters: part(self.quarters), units: part(self.units) }
    }
}

/// The estimated number of tokens.
pub fn tokens(text: &str) -> usize {
    quarters(text).div_ceil(4)
}

/// The estimated number of tokens of a line with its line break. A memory counts as its lines, at a session's
/// start and later.
pub fn tokens_of_line(line: &str) -> u32 {
    (quarters(line) + quarters("\n")).div_ceil(4) as u32
}

/// The estimated number of quarters of a token. Four ASCII bytes are a token, and so are two other
/// bytes, because tokenizers use about one token per letter in other scripts.
fn quarters(text: &str) -> usize {
    text.bytes().map(|b| if b.is_ascii() { 1 } else { 2 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ascii_byte_is_a_quarter_of_a_token_and_others_are_half() {
        let check = |text, expected| assert_eq!(quarters(text), expected, "{text}");
        check("", 0);
        check("four", 4);
        check("é", 4);
        check("記憶", 12);
        check("🦀", 8);
    }

    #[test]
    fn text_that_exceeds_the_budget_is_refused() {
        let mut budget = Budget::of_tokens(2);
        assert!(budget.take("12345"));
        assert!(!budget.take("1234"));
        assert!(budget.take("123"));
        assert!(!budget.take("1"));
        assert!(budget.take(""));
    }

    #[test]
    fn utf16_units_are_limited_even_if_tokens_are_not() {
        let mut budget = Budget::of_tokens(usize::MAX);
        assert!(!budget.take(&"x".repeat(MAX_UNITS + 1)));
        assert!(!budget.take(&"🦀".repeat(MAX_UNITS / 2 + 1)));
        assert!(budget.take(&"🦀".repeat(MAX_UNITS / 2)));
    }

    #[test]
    fn a_share_is_a_percentage_of_the_budget() {
        let mut part = Budget::of_tokens(100).share(25);
        assert!(!part.take(&"x".repeat(101)));
        assert!(part.take(&"x".repeat(100)));
        assert_eq!(Budget::of_tokens(usize::MAX).share(100), Budget::of_tokens(usize::MAX));
    }
}
