//! Words and white space.

/// The runs of letters and digits of a text.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The word without the endings of English verbs and plurals: `add` of `added`. Words with digits and
/// words of other scripts stay.
pub fn stem(word: &str) -> &str {
    if !word.is_ascii() || word.bytes().any(|b| b.is_ascii_digit()) {
        return word;
    }
    let endings = ["ing", "ed", "es", "s"].into_iter();
    let mut shorter =
        endings.filter_map(|ending| word.strip_suffix(ending)).filter(|s| s.len() >= 3);
    let stem = shorter.next().unwrap_or(word);
    let bytes = stem.as_bytes();
    let doubled = bytes.len() >= 3 && bytes[bytes.len() - 1] == bytes[bytes.len() - 2];
    let stem = if doubled { &stem[..stem.len() - 1] } else { stem };
    stem.strip_suffix('e').filter(|s| s.len() >= 3).unwrap_or(stem)
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
