//! One log, read as it grows.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A line of a log: `TIME LEVEL PID MESSAGE`, when it is a whole one.
#[derive(Debug)]
pub struct Written {
    /// Name of the file without its ending.
    pub key: String,
    pub text: String,
    /// Bytes of the time; 0 when the line begins with none.
    time: usize,
    /// Goes with the line before it, in time.
    after: String,
}

impl Written {
    fn new(key: &str, text: String, before: Option<&Written>) -> Written {
        let first = text.split(' ').next().unwrap_or_default();
        let time = if first.parse::<jiff::Timestamp>().is_ok() { first.len() } else { 0 };
        let after =
            if time == 0 { before.map_or("", Written::time).to_owned() } else { String::new() };
        Written { key: key.to_owned(), text, time, after }
    }

    /// When it was written; of a line that does not say so, when the one before it was.
    pub fn time(&self) -> &str {
        if self.time == 0 { &self.after } else { &self.text[..self.time] }
    }

    pub fn level(&self) -> &str {
        let level = self.rest().split(' ').next().unwrap_or_default();
        if self.time == 0 { "" } else { level }
    }

    pub fn pid_and_message(&self) -> (&str, &str) {
        let after_level = self.rest().split_once(' ').map_or("", |(_, rest)| rest);
        match after_level.split_once(' ') {
            Some((pid, message)) if self.time > 0 => (pid, message),
            _ => ("", &self.text),
        }
    }

    fn rest(&self) -> &str {
        self.text[self.time..].trim_start()
    }
}

pub struct LogFile {
    path: PathBuf,
    inode: u64,
    at: u64,
}

impl LogFile {
    pub fn new(path: PathBuf) -> LogFile {
        LogFile { path, inode: 0, at: 0 }
    }

    /// The whole lines that are new. One that took the place of another is read from its start.
    pub fn read(&mut self, key: &str) -> io::Result<Vec<Written>> {
        let mut file = File::open(&self.path)?;
        let meta = file.metadata()?;
        if meta.ino() != self.inode || meta.len() < self.at {
            (self.inode, self.at) = (meta.ino(), 0);
        }
        if meta.len() == self.at {
            return Ok(Vec::new());
        }
        file.seek(SeekFrom::Start(self.at))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        self.at += whole as u64;
        let mut lines: Vec<Written> = Vec::new();
        for line in String::from_utf8_lossy(&bytes[..whole]).lines() {
            lines.push(Written::new(key, line.to_owned(), lines.last()));
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let line = |text: &str| Written::new("k", text.to_owned(), None);
        let whole = line("2026-11-24T21:09:00.123Z  WARN 4711 hook: no place  left");
        assert_eq!((whole.time(), whole.level()), ("2026-11-24T21:09:00.123Z", "WARN"));
        assert_eq!(whole.pid_and_message(), ("4711", "hook: no place  left"));
        let strange = Written::new("k", "what is this".into(), Some(&whole));
        assert_eq!((strange.time(), strange.level()), (whole.time(), ""));
        assert_eq!(strange.pid_and_message(), ("", "what is this"));
    }

    #[test]
    fn a_file_is_read_as_it_grows_and_when_it_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k.log");
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
