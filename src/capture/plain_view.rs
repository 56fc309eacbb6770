//! A text without what hides its words: escape sequences of a terminal, characters without a width and
//! letters that are written as escapes. Places in it are mapped back to the text.
//!
//! Most texts have nothing of this, and then there is no view.

use std::borrow::Cow;
use std::ops::Range;

use crate::text::bytes::{contains, memchr, memchr_iter};

/// What a view writes in another way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Escape sequences, characters without a width, `\u0077`.
    Words,
    /// These, and other spellings of the brackets of a tag: `&#60;`, `%3C`, a full-width bracket.
    Tags,
}

pub struct PlainView {
    pub text: String,
    /// The parts that differ: where each ends in [`Self::text`] and in the original text. Between two of
    /// them, both texts are equal.
    changes: Vec<Change>,
}

struct Change {
    start: usize,
    /// One byte of [`PlainView::text`] or none.
    len: usize,
    original: Range<usize>,
}

impl PlainView {
    /// Returns the view of a text, or `None` if it equals the text.
    pub fn of(text: &str, reads: Reads) -> Option<PlainView> {
        if !may_differ(text, reads) {
            return None;
        }
        let mut view = PlainView { text: String::new(), changes: Vec::new() };
        let mut copied = 0;
        let mut at = 0;
        while at < text.len() {
            let Some((len, letter)) = change(&text[at..], reads) else {
                at = text.ceil_char_boundary(at + 1);
                continue;
            };
            view.text.push_str(&text[copied..at]);
            let start = view.text.len();
            view.text.extend(letter);
            let original = at..at + len;
            view.changes.push(Change { start, len: view.text.len() - start, original });
            at += len;
            copied = at;
        }
        view.text.push_str(&text[copied..]);
        (!view.changes.is_empty()).then_some(view)
    }

    /// Returns the part of the original text for a part of the view.
    pub fn original(&self, part: &Range<usize>) -> Range<usize> {
        self.position(part.start, true)..self.position(part.end, false)
    }

    /// A part that was removed belongs to neither side of it.
    fn position(&self, at: usize, is_start: bool) -> usize {
        let is_before = |change: &Change| {
            change.start + change.len < at
                || is_start && change.start + change.len == at
                || change.len > 0 && change.start + change.len == at
        };
        match self.changes.partition_point(is_before).checked_sub(1) {
            Some(n) => {
                let change = &self.changes[n];
                change.original.end + at - (change.start + change.len)
            }
            None => at,
        }
    }
}

/// Returns `text` without what hides its words.
pub fn plain(text: &str) -> Cow<'_, str> {
    PlainView::of(text, Reads::Words).map_or(text.into(), |view| view.text.into())
}

/// Whether a text may have something that a view writes in another way.
pub fn may_differ(text: &str, reads: Reads) -> bool {
    let bytes = text.as_bytes();
    let has_wide = || {
        let parts: [&[u8]; 6] = [
            b"\xe2\x80\x8b",
            b"\xe2\x80\x8c",
            b"\xe2\x80\x8d",
            b"\xe2\x81\xa0",
            b"\xef\xbb\xbf",
            b"\xc2\xad",
        ];
        !text.is_ascii() && parts.iter().any(|part| contains(bytes, part))
    };
    memchr(0x1b, bytes).is_some()
        || contains(bytes, b"\\u00")
        || has_wide()
        || reads == Reads::Tags && has_brackets(bytes)
}

/// Whether a text may have a bracket in another spelling.
pub fn has_brackets(bytes: &[u8]) -> bool {
    contains(bytes, "\u{ff1c}".as_bytes())
        || contains(bytes, b"&#")
        || memchr_iter(b'%', bytes).any(|at| bytes[at..].starts_with(b"%3"))
}

/// The length of what is written in another way at the start of `text`, and the letter for it.
fn change(text: &str, reads: Reads) -> Option<(usize, Option<char>)> {
    let bytes = text.as_bytes();
    match bytes[0] {
        0x1b if bytes.get(1) == Some(&b'[') => {
            let n = bytes[2..].iter().take(32).take_while(|b| (0x20..0x40).contains(*b)).count();
            let is_end = bytes.get(2 + n).is_some_and(|b| (0x40..0x7f).contains(b));
            is_end.then_some((3 + n, None))
        }
        b'\\' => {
            let code = text.get(..6)?.strip_prefix("\\u00")?;
            let letter = char::from(u8::from_str_radix(code, 16).ok()?);
            letter.is_ascii_alphanumeric().then_some((6, Some(letter)))
        }
        b'&' | b'%' | 0xef if reads == Reads::Tags => bracket(text),
        0xc2 | 0xe2 | 0xef => {
            let first = text.chars().next()?;
            let is_hidden =
                matches!(first, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}');
            is_hidden.then_some((first.len_utf8(), None))
        }
        _ => None,
    }
}

fn bracket(text: &str) -> Option<(usize, Option<char>)> {
    const FORMS: [(&str, char); 8] = [
        ("\u{ff1c}", '<'),
        ("\u{ff1e}", '>'),
        ("\u{ff0f}", '/'),
        ("%3c", '<'),
        ("%3e", '>'),
        ("%2f", '/'),
        ("&sol;", '/'),
        ("\u{feff}", '\0'),
    ];
    let starts = |form: &str| text.get(..form.len()).is_some_and(|t| t.eq_ignore_ascii_case(form));
    if let Some((form, letter)) = FORMS.iter().find(|(form, _)| starts(form)) {
        return Some((form.len(), Some(*letter).filter(|letter| *letter != '\0')));
    }
    let inner = text.strip_prefix("&#")?;
    let len = inner.bytes().take(9).position(|b| b == b';')?;
    let code = match inner[..len].strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => inner[..len].parse(),
    };
    let letter = char::from_u32(code.ok()?).filter(|c| matches!(c, '<' | '>' | '/'))?;
    Some((len + 3, Some(letter)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_are_mapped_back() {
        let text = "a\u{1b}[31mto\u{200b}ken\u{1b}[0m b \\u0077x";
        let view = PlainView::of(text, Reads::Words).unwrap();
        assert_eq!(view.text, "atoken b wx");
        assert_eq!(&text[view.original(&(1..6))], "to\u{200b}ken");
        assert_eq!(&text[view.original(&(9..10))], "\\u0077");
        assert_eq!(&text[view.original(&(10..11))], "x");
        assert_eq!(&text[view.original(&(0..1))], "a");
        assert!(PlainView::of("no escapes, \u{e9}\u{2014}", Reads::Tags).is_none());
    }

    proptest! {
        #[test]
        fn any_part_is_mapped_to_characters(
            parts in prop::collection::vec(
                prop::sample::select(&["\u{1b}[31m", "\u{1b}[", "\u{200b}", "\\u0077", "&#60;", "&#x3e", "%3C", "\u{ff1c}", "a", "\u{e9}", "\u{65e5}"][..]), 0..12)
        ) {
            let text = parts.concat();
            if let Some(view) = PlainView::of(&text, Reads::Tags) {
                let places: Vec<usize> = (0..=view.text.len()).filter(|at| view.text.is_char_boundary(*at)).collect();
                for pair in places.windows(2) {
                    let range = view.original(&(pair[0]..pair[1]));
                    prop_assert!(range.start <= range.end && text.get(range).is_some());
                }
            }
        }
    }
}
