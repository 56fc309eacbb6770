//! A text in another form, and where each part of it was in the original.

use std::ops::Range;

use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;

use super::search::{escaped_char, fold};

/// A text with the offset in the original of each of its bytes, and of its end.
#[derive(Debug)]
pub struct Located {
    pub text: String,
    offsets: Vec<usize>,
}

impl Located {
    pub fn new(text: &str) -> Located {
        Located { text: text.to_owned(), offsets: (0..=text.len()).collect() }
    }

    /// The text without differences in case and in how letters with accents are composed.
    pub fn folded(&self) -> Located {
        if self.text.is_ascii() {
            return Located { text: self.text.to_ascii_lowercase(), offsets: self.offsets.clone() };
        }
        let mut folded = Located { text: String::with_capacity(self.text.len()), offsets: vec![] };
        let mut start = 0;
        let ends =
            self.text.char_indices().skip(1).filter(|(_, c)| !continues(*c)).map(|(at, _)| at);
        for end in ends.chain([self.text.len()]) {
            folded.push(&fold(&self.text[start..end]), self.offsets[start]);
            start = end;
        }
        folded.end(self)
    }

    /// The text with its JSON escapes resolved. `None` if it has no backslash.
    pub fn unescaped(&self) -> Option<Located> {
        let mut at = self.text.find('\\')?;
        let mut out =
            Located { text: self.text[..at].to_owned(), offsets: self.offsets[..at].to_vec() };
        while let Some(c) = self.text[at..].chars().next() {
            let (c, len) = match c {
                '\\' => escaped_char(&self.text[at + 1..]),
                c => (c, c.len_utf8() - 1),
            };
            out.push(c.encode_utf8(&mut [0; 4]), self.offsets[at]);
            at += 1 + len;
        }
        Some(out.end(self))
    }

    /// The place in the original of a part of the text.
    pub fn original(&self, part: Range<usize>) -> Range<usize> {
        self.offsets[part.start]..self.offsets[part.end]
    }

    fn push(&mut self, text: &str, offset: usize) {
        self.text.push_str(text);
        self.offsets.resize(self.text.len(), offset);
    }

    fn end(mut self, of: &Located) -> Located {
        self.offsets.push(of.offsets[of.text.len()]);
        self
    }
}

/// Whether a character may be composed with the one before it.
fn continues(c: char) -> bool {
    let classes = CanonicalCombiningClassMapBorrowed::new();
    matches!(c, '\u{1160}'..='\u{11ff}') || (!c.is_ascii() && classes.get_u8(c) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_in_the_original() {
        let text = r#"x {"a": "L'E\u0301COLE \\\"Straße\\\""}"#;
        let level_1 = Located::new(text).unescaped().unwrap();
        let level_2 = level_1.unescaped().unwrap().folded();
        for (part, original) in [("école", r"E\u0301COLE"), ("strasse", "Straße")] {
            let at = level_2.text.find(part).unwrap();
            assert_eq!(&text[level_2.original(at..at + part.len())], original);
        }
        assert!(Located::new("plain").unescaped().is_none());
        let whole = level_2.original(0..level_2.text.len());
        assert_eq!(whole, 0..text.len());
    }
}
