//! How wide the terminal is, text that fits it, and a line that is typed unseen.

use std::io::{self, Read};

use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices};
use unicode_width::UnicodeWidthStr;

/// Longer lines are hard to read, however wide the terminal is.
pub const READABLE: usize = 100;

/// ^C, as the terminal sends it.
const GIVE_UP: u8 = 3;

/// Columns of the terminal on stdout; none in a pipe. `COLUMNS` wins, as everywhere.
pub fn width() -> Option<usize> {
    let told = crate::config::process_env("COLUMNS").and_then(|c| c.to_str()?.parse().ok());
    let measured = || terminal_size::terminal_size_of(std::io::stdout());
    told.filter(|n| *n > 0).or_else(|| measured().map(|(width, _)| width.0.into()))
}

/// Reads a line from the terminal on stdin without showing it. `None`: it was given up, with ^C.
///
/// # Errors
/// What the terminal says.
pub fn hidden_line() -> io::Result<Option<String>> {
    let stdin = io::stdin();
    let before = termios::tcgetattr(&stdin)?;
    let mut hidden = before.clone();
    // Without signals too: one that ended us here would leave a terminal that shows nothing.
    hidden.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
    hidden.control_chars[SpecialCharacterIndices::VEOL as usize] = GIVE_UP;
    termios::tcsetattr(&stdin, SetArg::TCSAFLUSH, &hidden)?;
    let line = read_line(&mut stdin.lock());
    termios::tcsetattr(&stdin, SetArg::TCSAFLUSH, &before)?;
    let line = String::from_utf8_lossy(&line?).into_owned();
    Ok((!line.contains(char::from(GIVE_UP))).then_some(line))
}

/// To the end of the line, or to where it is given up.
fn read_line(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let n = input.read(&mut piece)?;
        line.extend_from_slice(&piece[..n]);
        if n == 0 || matches!(line.last(), Some(b'\n' | &GIVE_UP)) {
            return Ok(line);
        }
    }
}

/// Writes `text` after `first`, wrapped between words, its other lines behind `indent` blanks.
/// Paragraphs stay paragraphs; a word that does not fit stays whole; in a pipe no line is wrapped.
///
/// `first` may hold colours; it is taken to be as wide as the indent.
pub fn wrapped(first: &str, indent: usize, text: &str, width: Option<usize>) -> String {
    let room = width.map_or(usize::MAX, |w| w.min(READABLE).saturating_sub(indent).max(20));
    let mut out = String::new();
    let mut begun = first.to_owned();
    let mut lines = text.lines().peekable();
    if lines.peek().is_none() {
        return format!("{}\n", first.trim_end());
    }
    for paragraph in lines {
        // What a list or code is indented by is kept.
        let inner = paragraph.len() - paragraph.trim_start_matches(' ').len();
        let mut used = inner;
        out.push_str(&begun);
        out.push_str(&" ".repeat(inner));
        for (n, word) in paragraph[inner..].split(' ').enumerate() {
            if n > 0 && used + 1 + word.width() > room {
                out.push('\n');
                out.push_str(&" ".repeat(indent + inner));
                used = inner;
            } else if n > 0 {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
            used += word.width();
        }
        out.push('\n');
        begun = " ".repeat(indent);
    }
    out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_wrapped_between_words() {
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
        check("", Some(24), "o1\n");
        // A terminal of a few columns gets lines that can be read.
        check("one two three", Some(3), "o1  one two three\n");
    }

    #[test]
    fn lines_on_a_wide_terminal_can_be_read() {
        let text = wrapped("", 0, &"word ".repeat(60), Some(200));
        assert!(text.lines().all(|l| l.len() <= READABLE), "{text}");
        assert_eq!(text.lines().count(), 3);
    }
}
