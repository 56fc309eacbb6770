//! How much text fits: the estimated tokens, and the client's limit in UTF-16 units.

/// The client cuts a hook's context at 10,000 UTF-16 units, so no setting allows a longer block.
pub const MAX_UNITS: usize = 9_500;

/// The room that is left. A token has four quarters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    quarters: usize,
    units: usize,
}

impl Budget {
    pub fn of_tokens(tokens: usize) -> Budget {
        Budget { quarters: tokens.saturating_mul(4), units: MAX_UNITS }
    }

    /// Takes the room that `text` needs. Returns false and takes none if there is too little.
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

    /// A budget of `percent` of the room that is left.
    pub fn share(&self, percent: usize) -> Budget {
        let part = |whole: usize| (whole as u128 * percent as u128 / 100) as usize;
        Budget { quarters: part(self.quarters), units: part(self.units) }
    }
}

/// The estimated number of tokens.
pub fn tokens(text: &str) -> usize {
    quarters(text).div_ceil(4)
}

/// The estimated number of quarters of a token. Four ASCII bytes are a token, and two bytes of any
/// other script: tokenizers know those less well and use about a token per letter.
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
    fn take_refuses_what_does_not_fit() {
        let mut budget = Budget::of_tokens(2);
        assert!(budget.take("12345"));
        assert!(!budget.take("1234"));
        assert!(budget.take("123"));
        assert!(!budget.take("1"));
        assert!(budget.take(""));
    }

    #[test]
    fn utf16_units_are_limited_whatever_the_tokens() {
        let mut budget = Budget::of_tokens(usize::MAX);
        assert!(!budget.take(&"x".repeat(MAX_UNITS + 1)));
        assert!(!budget.take(&"🦀".repeat(MAX_UNITS / 2 + 1)));
        assert!(budget.take(&"🦀".repeat(MAX_UNITS / 2)));
    }

    #[test]
    fn a_share_is_a_part_of_the_room() {
        let mut part = Budget::of_tokens(100).share(25);
        assert!(!part.take(&"x".repeat(101)));
        assert!(part.take(&"x".repeat(100)));
        assert_eq!(Budget::of_tokens(usize::MAX).share(100), Budget::of_tokens(usize::MAX));
    }
}
