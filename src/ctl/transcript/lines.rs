//! Reads the lines of a transcript, one at a time.
//!
//! A line that is not JSON is skipped: the client may be writing the last one, or was killed while it
//! did. So is a line that is longer than any that a client writes, because it would not fit into memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Take};
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// Longer lines are skipped.
const MAX_LINE: u64 = 24 << 20;

pub struct Lines {
    reader: Take<BufReader<File>>,
    line: Vec<u8>,
    /// Number of lines that were read.
    n_read: u64,
    n_bytes: u64,
    n_damaged: u64,
    /// Number and error of the first damaged line.
    first_damaged: Option<(u64, String)>,
}

/// The fields that decide whether a line is needed. Reading them costs a fraction of the whole line.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    r#type: Option<Word>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Word {
    Text(String),
    Other(IgnoredAny),
}

impl Lines {
    pub fn open(file: &Path) -> io::Result<Lines> {
        let reader = BufReader::with_capacity(64 << 10, File::open(file)?).take(0);
        Ok(Lines {
            reader,
            line: Vec::new(),
            n_read: 0,
            n_bytes: 0,
            n_damaged: 0,
            first_damaged: None,
        })
    }

    /// Returns the next line that is JSON and whose `type` is wanted. The type of a line without one is
    /// empty. `None` at the end of the file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn next_of(&mut self, is_wanted: impl Fn(&str) -> bool) -> io::Result<Option<Value>> {
        while self.read_line()? {
            let line = self.line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let text = String::from_utf8_lossy(line);
            let value = match serde_json::from_str::<Head>(&text) {
                Ok(head) => {
                    let kind = match &head.r#type {
                        Some(Word::Text(kind)) => kind.as_str(),
                        Some(Word::Other(_)) | None => "",
                    };
                    if !is_wanted(kind) {
                        continue;
                    }
                    serde_json::from_str(&text)
                }
                Err(e) => Err(e),
            };
            match value {
                Ok(value) => return Ok(Some(value)),
                Err(e) => {
                    let why = format!("is not JSON: {e}");
                    self.damaged(why);
                }
            }
        }
        Ok(None)
    }

    /// Reads a line that is not too long. Returns `false` at the end of the file.
    fn read_line(&mut self) -> io::Result<bool> {
        loop {
            self.line.clear();
            if self.line.capacity() > 1 << 20 {
                self.line.shrink_to(1 << 20);
            }
            self.reader.set_limit(MAX_LINE);
            let n = self.reader.read_until(b'\n', &mut self.line)?;
            self.n_bytes += n as u64;
            if n == 0 {
                return Ok(false);
            }
            self.n_read += 1;
            if self.line.ends_with(b"\n") || (n as u64) < MAX_LINE {
                return Ok(true);
            }
            self.skip_rest()?;
            self.damaged(format!("has more than {} MB", MAX_LINE >> 20));
        }
    }

    /// Reads up to the end of a line, without keeping it.
    fn skip_rest(&mut self) -> io::Result<()> {
        loop {
            self.line.clear();
            self.reader.set_limit(1 << 20);
            let n = self.reader.read_until(b'\n', &mut self.line)?;
            self.n_bytes += n as u64;
            if n == 0 || self.line.ends_with(b"\n") {
                return Ok(());
            }
        }
    }

    fn damaged(&mut self, why: String) {
        self.n_damaged += 1;
        self.first_damaged.get_or_insert((self.n_read, why));
    }

    /// Number of bytes that were read.
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Number of lines that were skipped because they are damaged.
    pub fn n_damaged(&self) -> u64 {
        self.n_damaged
    }

    /// What is wrong with the first damaged line.
    pub fn first_error(&self) -> Option<String> {
        self.first_damaged.as_ref().map(|(n, why)| format!("line {n} {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(content: &[u8]) -> Lines {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        Lines::open(file.path()).unwrap()
    }

    #[test]
    fn damaged_and_unwanted_lines_are_skipped() {
        let mut lines = open(
            b"{\"type\":\"a\",\"n\":1}\n\n{\"type\":\"b\"\n{\"type\":\"b\",\"n\":2}\n{\"type\":3}\n\xff\n{\"type\":\"a\",\"n\":3}",
        );
        let mut next = || Some(lines.next_of(|kind| kind == "a").unwrap()?["n"].as_u64().unwrap());
        assert_eq!((next(), next(), next()), (Some(1), Some(3), None));
        assert_eq!(lines.n_damaged(), 2);
        assert!(lines.first_error().unwrap().starts_with("line 3 is not JSON"));
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_without_being_kept() {
        let mut content = vec![b'"'; (MAX_LINE + 5) as usize];
        content.extend_from_slice(b"\n{\"n\":2}\n");
        let mut lines = open(&content);
        assert_eq!(lines.next_of(|_| true).unwrap().unwrap()["n"], 2);
        assert_eq!(lines.n_damaged(), 1);
        assert!(lines.line.capacity() < 8 << 20);
    }
}
