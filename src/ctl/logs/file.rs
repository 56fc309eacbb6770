//! Reads a log file as it grows.

use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;

use crate::files::Place;

/// A line of a log: `TIME LEVEL PID MESSAGE`, or free text.
#[derive(Debug)]
pub struct LogLine {
    /// File stem of the log.
    pub key: String,
    pub text: String,
    /// Length of the leading timestamp; 0 if there is none.
    time_len: usize,
    /// Time of the previous line if this one has no timestamp.
    previous_time: String,
}

impl LogLine {
    fn new(key: &str, text: String, previous: Option<&LogLine>) -> LogLine {
        let first = text.split(' ').next().unwrap_or_default();
        let time_len = if first.parse::<jiff::Timestamp>().is_ok() { first.len() } else { 0 };
        let previous_time = if time_len == 0 {
            previous.map_or("", LogLine::time).to_owned()
        } else {
            String::new()
        };
        LogLine { key: key.to_owned(), text, time_len, previous_time }
    }

    /// The timestamp, or that of the previous line.
    pub fn time(&self) -> &str {
        if self.time_len == 0 { &self.previous_time } else { &self.text[..self.time_len] }
    }

    pub fn level(&self) -> &str {
        let level = self.rest().split(' ').next().unwrap_or_default();
        if self.time_len == 0 { "" } else { level }
    }

    pub fn pid_and_message(&self) -> (&str, &str) {
        let after_level = self.rest().split_once(' ').map_or("", |(_, rest)| rest);
        match after_level.split_once(' ') {
            Some((pid, message)) if self.time_len > 0 => (pid, message),
            _ => ("", &self.text),
        }
    }

    fn rest(&self) -> &str {
        self.text[self.time_len..].trim_start()
    }
}

pub struct LogFile {
    place: Place,
    inode: u64,
    offset: u64,
}

impl LogFile {
    pub fn new(place: Place) -> LogFile {
        LogFile { place, inode: 0, offset: 0 }
    }

    /// Reads the new complete lines. A replaced or truncated file is read from its start.
    pub fn read(&mut self, key: &str) -> io::Result<Vec<LogLine>> {
        let mut file = self.place.open()?;
        let meta = file.metadata()?;
        if meta.ino() != self.inode || meta.len() < self.offset {
            (self.inode, self.offset) = (meta.ino(), 0);
        }
        if meta.len() == self.offset {
            return Ok(Vec::new());
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let complete = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        self.offset += complete as u64;
        let mut lines: Vec<LogLine> = Vec::new();
        for line in String::from_utf8_lossy(&bytes[..complete]).lines() {
            lines.push(LogLine::new(key, line.to_owned(), lines.last()));
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_are_split_into_fields() {
        let line = |text: &str| LogLine::new("k", text.to_owned(), None);
        let whole = line("2026-11-24T21:09:00.123Z  WARN 4711 hook: no place  left");
        assert_eq!((whole.time(), whole.level()), ("2026-11-24T21:09:00.123Z", "WARN"));
        assert_eq!(whole.pid_and_message(), ("4711", "hook: no place  left"));
        let free_text = LogLine::new("k", "free text".into(), Some(&whole));
        assert_eq!((free_text.time(), free_text.level()), (whole.time(), ""));
        assert_eq!(free_text.pid_and_message(), ("", "free text"));
    }

    #[test]
    fn new_lines_are_read_and_a_replaced_file_starts_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = Place::in_dir(dir.path(), "k.log");
        let mut log = LogFile::new(path.clone());
        let mut check = |want: &[&str]| {
            let lines = log.read("k").unwrap_or_default();
            let texts: Vec<&str> = lines.iter().map(|l| l.text.as_str()).collect();
            assert_eq!(texts, want);
        };
        check(&[]);
        let append = |text: &str| {
            let mut file = File::options().append(true).create(true).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        append("one\ntwo\nhal");
        check(&["one", "two"]);
        append("f\n");
        check(&["half"]);
        check(&[]);
        fs::write(&path, "new\n").unwrap();
        check(&["new"]);
        fs::remove_file(&path).unwrap();
        check(&[]);
    }
}
