//! Foreign text in messages: paths, names of settings, values of environment variables. It may
//! contain line breaks and escape sequences, and may be longer than the message.

use std::ffi::OsStr;

use super::{sanitize, truncate};

/// Maximum number of characters of a quoted text.
const MAX_QUOTED: usize = 120;

/// Maximum number of characters of a message.
const MAX_MESSAGE: usize = 1000;

/// Foreign text as a part of a message: one line of limited length.
pub fn quote(text: impl AsRef<OsStr>) -> String {
    truncate(&sanitize(&text.as_ref().to_string_lossy()), MAX_QUOTED)
}

/// A message that may contain foreign text, such as an error of another library, as one line of
/// limited length.
pub fn one_line(message: &str) -> String {
    truncate(&sanitize(message), MAX_MESSAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_is_one_short_line() {
        assert_eq!(quote("/home/u/a b"), "/home/u/a b");
        assert_eq!(quote("a\nalias ls='rm -rf ~'\n\u{1b}[31m"), "a alias ls='rm -rf ~' ");
        assert_eq!(quote("x".repeat(200)).chars().count(), MAX_QUOTED);
        assert_eq!(one_line("x".repeat(2000).as_str()).chars().count(), MAX_MESSAGE);
        assert_eq!(one_line("cannot open a\nb"), "cannot open a b");
    }
}
