//! Tells names from prose.

/// Longer texts are no names.
const MAX_NAME: usize = 120;

/// Whether the text is one name or identifier: a test, a branch, a package, an address. Text with
/// white space is none.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= MAX_NAME
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && text.chars().any(char::is_alphanumeric)
}

/// Whether the text is a short piece of code. Four words in a row are prose, such as a comment.
pub fn is_code(text: &str) -> bool {
    const MAX_CODE: usize = 60;
    const MAX_WORDS: usize = 3;
    let mut row = 0;
    let mut longest = 0;
    for part in text.split_whitespace() {
        let is_word = part
            .trim_matches(['.', ',', ':', ';', '!', '?', '"', '\'', '(', ')'])
            .chars()
            .all(char::is_alphabetic);
        row = if is_word { row + 1 } else { 0 };
        longest = longest.max(row);
    }
    // A script without spaces between words.
    let wide = text.chars().filter(|c| !c.is_ascii() && c.is_alphabetic()).count() > 12;
    text.chars().count() <= MAX_CODE && longest <= MAX_WORDS && !wide
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_spaces() {
        for name in
            ["parser::tests::parse_empty", "TestReconnect/slow", "feature/cache", "@a/b", "x"]
        {
            assert!(is_name(name), "{name}");
        }
        for text in ["", "shows an empty cart", "a\u{a0}b", "--", &"x".repeat(121)] {
            assert!(!is_name(text), "{text}");
        }
    }

    #[test]
    fn code_has_few_words_in_a_row() {
        for code in ["count = 1", "return None", "let x = a + b;", "def old_name(self):"] {
            assert!(is_code(code), "{code}");
        }
        for text in ["# agents must run the setup", "always run this first", &"x ".repeat(40)] {
            assert!(!is_code(text), "{text}");
        }
    }
}
