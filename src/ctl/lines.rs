//! Lines of input for commands that take one JSON object a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::failure::{Context, Result, usage};

/// A longer line is refused.
const MAX_LINE: usize = 16 << 20;

/// The lines of a file or of stdin, without blank ones.
pub struct Lines {
    input: Box<dyn BufRead>,
    number: u64,
    bytes: Vec<u8>,
}

/// A line with its number, from 1.
pub struct Line {
    pub number: u64,
    /// The error is the reason why the line cannot be read.
    pub text: std::result::Result<String, String>,
}

/// Opens a file that the user names.
///
/// # Errors
/// Exit code 2 if it cannot be opened, or is a directory.
pub fn open_file(path: &Path) -> Result<File> {
    let opened = File::open(path).and_then(|file| match file.metadata()?.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => Ok(file),
    });
    opened.context(format!("cannot open {}", path.display())).map_err(usage)
}

impl Lines {
    /// Opens a file, or stdin if the name is `-`.
    ///
    /// # Errors
    /// Exit code 2 if the file cannot be opened.
    pub fn open(name: &str) -> Result<Lines> {
        let input: Box<dyn BufRead> = match name {
            "-" => Box::new(io::stdin().lock()),
            path => Box::new(BufReader::with_capacity(1 << 16, open_file(Path::new(path))?)),
        };
        Ok(Lines::of(input))
    }

    fn of(input: Box<dyn BufRead>) -> Lines {
        Lines { input, number: 0, bytes: Vec::new() }
    }

    /// The next line. Bytes that are not UTF-8 are replaced.
    pub fn next(&mut self) -> Result<Option<Line>> {
        loop {
            self.bytes.clear();
            let is_whole = self.read_line().context("cannot read the input")?;
            if self.bytes.is_empty() {
                return Ok(None);
            }
            self.number += 1;
            let number = self.number;
            if !is_whole {
                let why = format!("longer than {} MiB", MAX_LINE >> 20);
                return Ok(Some(Line { number, text: Err(why) }));
            }
            let text = String::from_utf8_lossy(&self.bytes);
            let text = text.trim_start_matches('\u{feff}').trim();
            if !text.is_empty() {
                return Ok(Some(Line { number, text: Ok(text.to_owned()) }));
            }
        }
    }

    /// Reads a line with its end. Returns `false` if it is too long; the rest of it is skipped.
    fn read_line(&mut self) -> io::Result<bool> {
        let Lines { input, bytes, .. } = self;
        let n = input.take(MAX_LINE as u64).read_until(b'\n', bytes)?;
        if n < MAX_LINE || bytes.last() == Some(&b'\n') {
            return Ok(true);
        }
        let mut rest = Vec::new();
        while rest.last() != Some(&b'\n') {
            rest.clear();
            if input.take(1 << 16).read_until(b'\n', &mut rest)? == 0 {
                break;
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_are_skipped_and_long_ones_refused() {
        let mut text = "\u{feff}one\r\n\n".as_bytes().to_vec();
        text.extend(vec![b'x'; MAX_LINE + 70_000]);
        text.extend(b"\nf\xffur");
        let mut lines = Lines::of(Box::new(io::Cursor::new(text)));
        let mut next = || lines.next().unwrap().map(|line| (line.number, line.text));
        assert_eq!(next(), Some((1, Ok("one".into()))));
        assert_eq!(next(), Some((3, Err("longer than 16 MiB".into()))));
        assert_eq!(next(), Some((4, Ok("f\u{fffd}ur".into()))));
        assert_eq!(next(), None);
    }
}
