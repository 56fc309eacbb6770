//! Log files: one per session, and `memctl.log` for messages without a session. Logs hold ids, kinds,
//! sizes and errors, never the text of a user, an assistant or a tool.
//!
//! ```text
//! 2026-11-24T21:09:00.123Z  WARN 4711 what happened name=value
//! ```
//!
//! The fields are the time in UTC, the level and the pid. Workers and recovery log through
//! `tracing`. Hooks call [`Log::append`], which costs one open and one write per message. Each line is
//! a single write in append mode, so lines of several processes do not interleave.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Mutex;

use jiff::Timestamp;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::files::Place;

/// Maximum length of a message in bytes. Longer messages are truncated.
const MAX_MESSAGE: usize = 2048;

/// Maximum number of log files.
const MAX_LOGS: usize = 500;

/// A log file. If it grows beyond its limit, it keeps its newer half.
#[derive(Clone, Debug)]
pub struct Log {
    pub place: Place,
    pub max_bytes: u64,
}

impl Log {
    /// Appends one line. Ignores errors: there is no place to report them.
    pub fn append(&self, level: Level, message: &str) {
        let mut text = String::with_capacity(message.len() + 48);
        if write_line(&mut text, level, message).is_ok()
            && let Ok(file) = self.place.open_append()
        {
            let _ = Writable { log: self.clone(), file }.write_all(text.as_bytes());
        }
    }

    /// Removes the older lines of a file that is too long.
    fn shorten(&self, file: &File) -> io::Result<()> {
        let len = file.metadata()?.len();
        if len <= self.max_bytes {
            return Ok(());
        }
        let keep = self.max_bytes / 2;
        let mut reader = self.place.open()?;
        reader.seek(SeekFrom::Start(len - keep))?;
        let mut tail = Vec::new();
        reader.take(keep).read_to_end(&mut tail)?;
        // The first line may be incomplete.
        let start = tail.iter().position(|byte| *byte == b'\n').map_or(tail.len(), |n| n + 1);
        // Other processes append too. A line that one of them writes in between is lost.
        file.set_len(0)?;
        (&*file).write_all(&tail[start..])
    }
}

/// An open log.
struct Writable {
    log: Log,
    file: File,
}

impl Write for Writable {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.log.shorten(&self.file)?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes the `tracing` events of this process to `log`.
///
/// # Errors
/// If the file cannot be opened or a subscriber is already set.
pub fn init(log: Log, verbosity: LevelFilter) -> io::Result<()> {
    let file = log.place.open_append()?;
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(verbosity)
        .with_ansi(false)
        .event_format(Line)
        .with_writer(Mutex::new(Writable { log, file }))
        .finish();
    tracing::subscriber::set_global_default(subscriber).map_err(io::Error::other)
}

/// Removes the oldest logs in `dir` until the total size is at most `max_bytes` and there are at most
/// [`MAX_LOGS`]. The newest log is kept, and loses its older lines if it is too long by itself.
/// Returns the remaining size.
pub fn prune(dir: &Place, max_bytes: u64) -> io::Result<u64> {
    let mut logs = Vec::new();
    for name in dir.names()? {
        let log = dir.join(name);
        // Another worker may remove the file concurrently.
        let Ok(stat) = log.stat() else { continue };
        if stat.is_file() && log.path().extension().is_some_and(|e| e == "log") {
            logs.push((stat.modified, stat.len, log));
        }
    }
    logs.sort_by(|(at, _, log), (other_at, _, other)| {
        (at, log.path()).cmp(&(other_at, other.path()))
    });
    let Some((_, _, newest)) = logs.pop() else { return Ok(0) };
    let newest = Log { place: newest, max_bytes };
    newest.place.open_append().and_then(|file| newest.shorten(&file))?;
    let older: u64 = logs.iter().map(|(_, bytes, _)| bytes).sum();
    let mut remaining = newest.place.stat()?.len + older;
    let surplus = (logs.len() + 1).saturating_sub(MAX_LOGS);
    for (i, (_, bytes, log)) in logs.iter().enumerate() {
        if remaining <= max_bytes && i >= surplus {
            break;
        }
        match log.remove_file() {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => remaining -= bytes,
        }
    }
    Ok(remaining)
}

fn write_line(out: &mut impl fmt::Write, level: Level, message: &str) -> fmt::Result {
    let pid = std::process::id();
    write!(out, "{:.3} {level:>5} {pid} ", Timestamp::now())?;
    escape(out, message)?;
    out.write_char('\n')
}

/// Escapes control characters, so that a message stays on one line and cannot control a terminal.
fn escape(out: &mut impl fmt::Write, message: &str) -> fmt::Result {
    let cut = message.floor_char_boundary(MAX_MESSAGE);
    for c in message[..cut].chars() {
        if c.is_control() {
            write!(out, "{}", c.escape_default())?;
        } else {
            out.write_char(c)?;
        }
    }
    if cut < message.len() {
        write!(out, "… ({} bytes)", message.len())?;
    }
    Ok(())
}

struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut message = String::new();
        context.field_format().format_fields(Writer::new(&mut message), event)?;
        write_line(&mut writer, *event.metadata().level(), &message)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn check_escape(message: &str, expected: &str) {
        let mut out = String::new();
        escape(&mut out, message).unwrap();
        assert_eq!(out, expected);
    }

    #[test]
    fn control_characters_are_escaped_and_long_messages_truncated() {
        check_escape("plain, ünïcode too", "plain, ünïcode too");
        check_escape("a\nb\tc\r", "a\\nb\\tc\\r");
        check_escape("\u{1b}[2J\0\u{9b}", "\\u{1b}[2J\\u{0}\\u{9b}");
        let long = "ü".repeat(MAX_MESSAGE);
        check_escape(&long, &format!("{}… (4096 bytes)", &long[..MAX_MESSAGE]));
    }

    #[test]
    fn append_and_tracing_use_the_same_format() {
        let dir = tempfile::tempdir().unwrap();
        let path = Place::in_dir(dir.path(), "s.log");
        Log { place: path.clone(), max_bytes: 1000 }.append(Level::WARN, "spooled\nevent");
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::INFO)
            .event_format(Line)
            .with_writer(Mutex::new(path.open_append().unwrap()))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(bytes = 3, why = "a\nb", "accepted");
            tracing::debug!("not at this verbosity");
        });
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let pid = std::process::id();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].ends_with(&format!("Z  WARN {pid} spooled\\nevent")), "{text}");
        assert!(
            lines[1].ends_with(&format!("Z  INFO {pid} accepted bytes=3 why=\"a\\nb\"")),
            "{text}"
        );
        for line in lines {
            let time = line.split(' ').next().unwrap();
            assert_eq!(time.len(), "2026-11-24T21:09:00.123Z".len());
            time.parse::<Timestamp>().unwrap();
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
    }

    #[test]
    fn append_ignores_errors_and_refuses_symlinks() {
        let dir = tempfile::tempdir().unwrap();
        let append = |place: Place| Log { place, max_bytes: 1000 }.append(Level::ERROR, "lost");
        append(Place::in_dir(dir.path(), "missing/x.log"));
        let link = Place::in_dir(dir.path(), "link.log");
        let target = dir.path().join("target");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        append(link);
        assert!(!target.exists());
    }

    #[test]
    fn a_log_that_is_too_long_keeps_its_newer_lines() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log { place: Place::in_dir(dir.path(), "s.log"), max_bytes: 2000 };
        let text = || fs::read_to_string(log.place.path()).unwrap();
        for n in 0..200 {
            log.append(Level::WARN, &format!("message {n}"));
            assert!(text().len() <= 2000 && text().ends_with(&format!(" message {n}\n")));
        }
        assert!(text().lines().count() > 10, "{}", text());
        assert!(text().lines().all(|line| line.contains("  WARN ")), "{}", text());
        let logs = Place::in_dir(dir.path(), "");
        assert!(prune(&logs, 500).unwrap() <= 500);
        assert!(text().len() <= 500 && text().ends_with(" message 199\n"), "{}", text());
    }

    #[test]
    fn the_number_of_logs_is_limited() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..MAX_LOGS + 7 {
            fs::write(dir.path().join(format!("{n}.log")), "x").unwrap();
        }
        let logs = Place::in_dir(dir.path(), "");
        assert_eq!(prune(&logs, u64::MAX).unwrap(), MAX_LOGS as u64);
        assert_eq!(logs.names().unwrap().len(), MAX_LOGS);
    }

    #[test]
    fn the_oldest_logs_are_removed_first() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, age: u64, bytes: usize| {
            let path = dir.path().join(name);
            fs::write(&path, vec![b'x'; bytes]).unwrap();
            let when = SystemTime::now() - Duration::from_secs(age);
            File::options().write(true).open(&path).unwrap().set_modified(when).unwrap();
        };
        // The order by age differs from the orders by name and by creation.
        for (name, age) in [("d", 300), ("a", 100), ("f", 500), ("c", 200), ("b", 600), ("e", 400)]
        {
            put(&format!("{name}.log"), age, 10);
        }
        put("other.txt", 900, 10);
        let files = || {
            let mut names: Vec<_> =
                fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let logs = Place::in_dir(dir.path(), "");
        assert_eq!(prune(&logs, 60).unwrap(), 60);
        assert_eq!(prune(&logs, 35).unwrap(), 30);
        assert_eq!(files(), ["a.log", "c.log", "d.log", "other.txt"]);
        assert_eq!(prune(&logs, 10).unwrap(), 10);
        assert_eq!(files(), ["a.log", "other.txt"]);
        assert_eq!(prune(&logs, 0).unwrap(), 0);
        assert_eq!(files(), ["a.log", "other.txt"]);
    }
}
