//! Words of commands that are printed for the user to run.

/// The text as one word of a shell, in quotes if it needs them.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@%,:".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_need_quotes_have_them() {
        let check = |text: &str, expected: &str| assert_eq!(shell_word(text), expected);
        check("/home/u/ä-b_1.2", "/home/u/ä-b_1.2");
        check("/home/u/a b", "'/home/u/a b'");
        check("it's $HOME", r"'it'\''s $HOME'");
        check("", "''");
    }
}
