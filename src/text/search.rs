//! Finds a text in others, whatever its case, its Unicode composition and its JSON escapes.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

/// A tool's response may be JSON, in a string of JSON, in the JSON of an event.
pub const MAX_ESCAPED: usize = 3;

/// A text to search for. It matches texts that differ only in case or in how letters with accents
/// are composed: `STRASSE` matches `Straße`, and `é` matches `e` with a combining accent.
#[derive(Clone, Debug, PartialEq)]
pub struct Needle {
    folded: String,
}

impl Needle {
    pub fn new(text: &str) -> Needle {
        Needle { folded: fold(text) }
    }

    /// Whether `text` contains the needle, as it is or with its JSON escapes resolved.
    pub fn is_in(&self, text: &str) -> bool {
        Needle::any_in(std::slice::from_ref(self), text)
    }

    /// Whether `text` contains one of the needles.
    pub fn any_in(needles: &[Needle], text: &str) -> bool {
        let mut text = Cow::Borrowed(text);
        for _ in 0..=MAX_ESCAPED {
            let folded = fold(&text);
            if needles.iter().any(|needle| folded.contains(&needle.folded)) {
                return true;
            }
            if !text.contains('\\') {
                return false;
            }
            text = Cow::Owned(unescape(&text));
        }
        false
    }

    /// The maximum length in bytes of a match, also if each character is escaped.
    pub fn max_len(&self) -> usize {
        // Twelve bytes escape a character of four bytes as two surrogates, and each further level
        // doubles the backslashes.
        self.folded.chars().count() * 12 * (MAX_ESCAPED + 1)
    }
}

/// Upper case comes first, because several lower-case letters may share one: `ς` and `σ`.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let folded: String = nfc
        .normalize(text)
        .chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect();
    nfc.normalize(&folded).into_owned()
}

/// Resolves the escapes of JSON strings, wherever they are. Anything else stays as it is.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let (c, len) = escaped_char(escape);
        out.push(c);
        rest = &escape[len..];
    }
    out + rest
}

/// The character of an escape, and its length in bytes after the backslash.
pub(super) fn escaped_char(escape: &str) -> (char, usize) {
    match escape.chars().next() {
        Some('n') => ('\n', 1),
        Some('r') => ('\r', 1),
        Some('t') => ('\t', 1),
        Some('b') => ('\u{8}', 1),
        Some('f') => ('\u{c}', 1),
        Some(c @ ('"' | '\\' | '/')) => (c, 1),
        Some('u') => unescape_unicode(escape).unwrap_or(('\\', 0)),
        _ => ('\\', 0),
    }
}

/// The character of `uXXXX` or of two surrogates, and the number of bytes after the backslash.
fn unescape_unicode(escape: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = unit(1)?;
    if let Some(c) = char::from_u32(first.into()) {
        return Some((c, 5));
    }
    let second = unit(7).filter(|_| escape.get(5..7) == Some("\\u"))?;
    let c = char::decode_utf16([first, second]).next()?.ok()?;
    Some((c, 11))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_composition_do_not_matter() {
        for (needle, text) in [
            ("acme", "at ACME Corp"),
            ("ÉCOLE", "l'e\u{301}cole"),
            ("e\u{301}cole", "L'ÉCOLE"),
            ("STRASSE", "die Straße"),
            ("straße", "STRASSE"),
            ("ΟΔΟΣ", "οδός οδος"),
            ("ПРИВЕТ", "привет"),
            ("日本", "日本語"),
            ("\u{212B}", "\u{e5}"),
        ] {
            assert!(Needle::new(needle).is_in(text), "{needle} in {text}");
        }
        for (needle, text) in [("acme", "acne"), ("ecole", "école"), ("x", "")] {
            assert!(!Needle::new(needle).is_in(text), "{needle} not in {text}");
        }
    }

    #[test]
    fn escapes_of_json_are_resolved() {
        let needle = Needle::new("say \"Ünï\"\nnow 😀");
        let mut text = "say \"ünï\"\nnow 😀".to_owned();
        for level in 0..=MAX_ESCAPED {
            assert!(needle.is_in(&text), "level {level}: {text}");
            text = serde_json::to_string(&text).unwrap();
        }
        assert!(needle.is_in(r#"say \"\u00dcn\u00EF\"\nnow \ud83d\ude00"#));
        for odd in [r"\u", r"\u12", r"\ud83d", r"\ud83d\u00", r"\q\", "\\é"] {
            assert_eq!(unescape(odd), odd);
        }
    }
}
