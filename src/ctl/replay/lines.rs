//! Reads the lines of a transcript.
//!
//! A line that is not JSON is skipped: the client may be writing the last one, or was killed while it
//! did.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

pub struct Lines {
    reader: BufReader<File>,
    /// Number of lines that were read.
    n_read: u64,
    n_damaged: u64,
    /// Number and error of the first line that is not JSON.
    first_damaged: Option<(u64, serde_json::Error)>,
}

impl Lines {
    pub fn open(file: &Path) -> io::Result<Lines> {
        let reader = BufReader::new(File::open(file)?);
        Ok(Lines { reader, n_read: 0, n_damaged: 0, first_damaged: None })
    }

    /// Returns the next line that is JSON. `None` at the end of the file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn next(&mut self) -> io::Result<Option<Value>> {
        let mut line = Vec::new();
        loop {
            line.clear();
            if self.reader.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.n_read += 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_str(&String::from_utf8_lossy(&line)) {
                Ok(value) => return Ok(Some(value)),
                Err(e) => {
                    self.n_damaged += 1;
                    self.first_damaged.get_or_insert((self.n_read, e));
                }
            }
        }
    }

    /// Number of lines that were skipped.
    pub fn n_damaged(&self) -> u64 {
        self.n_damaged
    }

    /// What is wrong with the first line that was skipped.
    pub fn first_error(&self) -> Option<String> {
        self.first_damaged.as_ref().map(|(n, e)| format!("line {n} is not JSON: {e}"))
    }
}
