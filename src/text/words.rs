//! Words and white space.

/// The runs of letters and digits of a text.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Replaces each run of white space and control characters by one space, and trims the ends.
pub fn collapse_spaces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let parts = text.split(|c: char| c.is_whitespace() || c.is_control());
    for part in parts.filter(|part| !part.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits() {
        let check = |text, want: &[&str]| assert_eq!(words(text).collect::<Vec<_>>(), want);
        check("fix: the v1.2 parser, 記憶", &["fix", "the", "v1", "2", "parser", "記憶"]);
        check(" -- ", &[]);
    }

    #[test]
    fn spaces_collapse() {
        let check = |text, want: &str| assert_eq!(collapse_spaces(text), want);
        check("  two\n lines\tand\u{7}a bell\u{a0}", "two lines and a bell");
        check(" \n", "");
    }
}
