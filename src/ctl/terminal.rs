//! The width of the terminal, wrapped text, and input without echo.

use std::io::{self, Read};

use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Maximum line length of wrapped text. Longer lines are hard to read.
pub const READABLE: usize = 100;

/// The byte that the terminal sends for Ctrl-C.
const CTRL_C: u8 = 3;

/// The width of the terminal on stdout, or `None` in a pipe. `COLUMNS` takes precedence.
pub fn width() -> Option<usize> {
    let measured = || terminal_size::terminal_size_of(std::io::stdout());
    columns_variable().or_else(|| measured().map(|(width, _)| width.0.into()))
}

/// The same for stderr.
pub fn error_width() -> Option<usize> {
    let measured = || terminal_size::terminal_size_of(std::io::stderr());
    columns_variable().or_else(|| measured().map(|(width, _)| width.0.into()))
}

fn columns_variable() -> Option<usize> {
    let variable = crate::config::process_env("COLUMNS").and_then(|c| c.to_str()?.parse().ok());
    variable.filter(|n| *n > 0)
}

/// Reads a line from the terminal on stdin without echo. Returns `None` if the user pressed Ctrl-C.
///
/// # Errors
/// If the terminal's attributes or the line cannot be read.
pub fn hidden_line() -> io::Result<Option<String>> {
    let stdin = io::stdin();
    let before = termios::tcgetattr(&stdin)?;
    let mut hidden = before.clone();
    // ISIG off: a Ctrl-C that killed this process here would leave the terminal without echo.
    hidden.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
    hidden.control_chars[SpecialCharacterIndices::VEOL as usize] = CTRL_C;
    termios::tcsetattr(&stdin, SetArg::TCSAFLUSH, &hidden)?;
    let line = read_line(&mut stdin.lock());
    termios::tcsetattr(&stdin, SetArg::TCSAFLUSH, &before)?;
    let line = String::from_utf8_lossy(&line?).into_owned();
    Ok((!line.contains(char::from(CTRL_C))).then_some(line))
}

/// Reads up to the end of the line or Ctrl-C.
fn read_line(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let n = input.read(&mut chunk)?;
        line.extend_from_slice(&chunk[..n]);
        if n == 0 || matches!(line.last(), Some(b'\n' | &CTRL_C)) {
            return Ok(line);
        }
    }
}

/// The width of the longest line, without color codes.
pub fn columns(text: &str) -> usize {
    let plain = anstream::adapter::strip_str(text).to_string();
    plain.lines().map(UnicodeWidthStr::width).max().unwrap_or(0)
}

/// Wraps `text` at word boundaries. `first` starts the first line, `indent` blanks start the others.
/// Line breaks in `text` are kept, and in a pipe nothing is wrapped. Long words are not split, except
/// between wide characters: Chinese and Japanese have no blanks.
///
/// `first` may contain color codes. It must be `indent` columns wide.
pub fn wrapped(first: &str, indent: usize, text: &str, width: Option<usize>) -> String {
    let columns = width.map_or(usize::MAX, |w| w.min(READABLE).saturating_sub(indent).max(20));
    let mut out = String::new();
    let mut start = first.to_owned();
    let mut lines = text.lines().peekable();
    if lines.peek().is_none() {
        return format!("{}\n", first.trim_end());
    }
    for paragraph in lines {
        // Keep the indentation of lists and code.
        let inner = paragraph.len() - paragraph.trim_start_matches(' ').len();
        let mut used = inner;
        out.push_str(&start);
        out.push_str(&" ".repeat(inner));
        for (n, word) in paragraph[inner..].split(' ').enumerate() {
            // A word that fits on a line stays whole.
            let is_split = inner + word.width() > columns;
            let parts: Vec<&str> = if is_split { unbroken(word).collect() } else { vec![word] };
            let beginning = parts.first().copied().unwrap_or_default();
            if n > 0 && used + 1 + beginning.width() > columns {
                out.push('\n');
                out.push_str(&" ".repeat(indent + inner));
                used = inner;
            } else if n > 0 {
                out.push(' ');
                used += 1;
            }
            for part in parts {
                if used > inner && used + part.width() > columns {
                    out.push('\n');
                    out.push_str(&" ".repeat(indent + inner));
                    used = inner;
                }
                out.push_str(part);
                used += part.width();
            }
        }
        out.push('\n');
        start = " ".repeat(indent);
    }
    out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The parts of a word between which a line may end: before and after each wide character, but not
/// before punctuation.
fn unbroken(word: &str) -> impl Iterator<Item = &str> {
    fn may_break(before: char, after: char) -> bool {
        let is_wide = |c: char| c.width() == Some(2);
        (is_wide(before) || is_wide(after)) && after.is_alphanumeric()
    }
    let mut rest = word;
    std::iter::from_fn(move || {
        let mut pairs = rest.chars().zip(rest.char_indices().skip(1));
        let end = pairs.find(|(before, (_, after))| may_break(*before, *after));
        let (part, others) = rest.split_at(end.map_or(rest.len(), |(_, (at, _))| at));
        rest = others;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_wraps_at_word_boundaries() {
        let check = |text, width, want: &str| {
            assert_eq!(wrapped("o1  ", 4, text, width), want, "{text:?} at {width:?}");
        };
        check("one two three four five", Some(24), "o1  one two three four\n    five\n");
        check("one two three four five", None, "o1  one two three four five\n");
        check("a\n\n  b", Some(24), "o1  a\n\n      b\n");
        check(
            "/a/very/long/path/that/stays.rs x",
            Some(24),
            "o1  /a/very/long/path/that/stays.rs\n    x\n",
        );
        check("記憶記憶記憶 記憶記憶記憶", Some(24), "o1  記憶記憶記憶\n    記憶記憶記憶\n");
        check(
            "記憶記憶記憶記憶記憶記憶。と言う",
            Some(24),
            "o1  記憶記憶記憶記憶記憶\n    記憶。と言う\n",
        );
        check("", Some(24), "o1\n");
        // At least 20 columns of text, however narrow the terminal is.
        check("one two three", Some(3), "o1  one two three\n");
    }

    #[test]
    fn lines_on_a_wide_terminal_have_a_maximum_length() {
        let text = wrapped("", 0, &"word ".repeat(60), Some(200));
        assert!(text.lines().all(|l| l.len() <= READABLE), "{text}");
        assert_eq!(text.lines().count(), 3);
    }
}
