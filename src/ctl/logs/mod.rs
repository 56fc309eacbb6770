//! `memctl logs`: prints and follows the logs of one session or all.

mod file;
mod names;

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;

use super::format::{self, short};
use super::style::{self, ID, paint};
use super::{poll, terminal};
use crate::config::Settings;
use crate::failure::Result;
use crate::text::sanitize;
use file::{LogFile, LogLine};
use names::Names;

const HELP: &str = "\
Examples
  memctl logs                   Print the newest lines of all sessions
  memctl logs 6f2b9c54 -n 20    Print the last 20 lines of one session
  memctl logs --follow          Keep printing new lines

Keys of --json, one object per line
  session  Session id of the client; null for lines without a session
  time     Time in UTC
  level    ERROR, WARN, INFO or DEBUG
  pid      Process id of the writer
  message  Ids, kinds, sizes and errors
";

/// Print or follow the logs of hooks and workers
///
/// Logs hold ids, kinds, sizes and errors, never the text of a prompt or a tool.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Only lines of this session: its id or a prefix of it, or CLIENT:ID
    session: Option<String>,
    /// Keep printing new lines
    #[arg(long, short)]
    follow: bool,
    /// Number of existing lines to print
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    lines: usize,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    session: Option<&'a str>,
    time: &'a str,
    level: &'a str,
    pid: Option<u32>,
    message: &'a str,
}

/// The logs that are printed, and the position up to which each was read.
struct Follower<'a> {
    settings: &'a Settings,
    names: Names,
    /// Keys of the requested session.
    only: Option<Vec<String>>,
    /// By file stem: a session key or `memctl`.
    files: BTreeMap<String, LogFile>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let names = Names::load(settings);
    let only = args.session.as_deref().map(|prefix| names.keys(prefix)).transpose()?;
    let mut follower = Follower { settings, names, only, files: BTreeMap::new() };
    let existing = follower.read_new();
    if existing.is_empty() && !args.follow {
        super::note("no log entries");
    }
    let skipped = existing.len().saturating_sub(args.lines);
    follower.print(&existing[skipped..], args)?;
    while args.follow && !reader_is_gone() {
        poll::pause();
        let new = follower.read_new();
        follower.print(&new, args)?;
    }
    Ok(())
}

/// Warnings and errors of all logs since a time, in order of time.
pub fn recent(settings: &Settings, since: i64) -> Vec<LogLine> {
    let names = Names::default();
    let mut follower = Follower { settings, names, only: None, files: BTreeMap::new() };
    let mut lines = follower.read_new();
    let since = jiff::Timestamp::from_millisecond(since).unwrap_or_default();
    let is_new = |line: &LogLine| line.time().parse().is_ok_and(|at: jiff::Timestamp| at >= since);
    lines.retain(|line| matches!(line.level(), "WARN" | "ERROR") && is_new(line));
    lines
}

impl Follower<'_> {
    /// Reads the lines written since the last call, sorted by time. Skips unreadable files, because
    /// a starting worker may remove logs at any time.
    fn read_new(&mut self) -> Vec<LogLine> {
        let paths = &self.settings.paths;
        let names = paths.logs().names().unwrap_or_default();
        let keys =
            names.iter().filter_map(|name| name.to_str()?.strip_suffix(".log").map(str::to_owned));
        for key in keys {
            let wanted = self.only.as_ref().is_none_or(|only| only.contains(&key));
            if wanted && !self.files.contains_key(&key) {
                self.files.insert(key.clone(), LogFile::new(paths.log(&key)));
            }
        }
        let mut lines: Vec<LogLine> = self
            .files
            .iter_mut()
            .flat_map(|(key, file)| file.read(key).unwrap_or_default())
            .collect();
        lines.sort_by(|a, b| a.time().cmp(b.time()));
        lines
    }

    fn print(&mut self, lines: &[LogLine], args: &Args) -> Result<()> {
        for key in self.files.keys() {
            self.names.refresh(self.settings, key);
        }
        let labels = self.names.labels();
        let label = |key: &str| labels.get(key).map_or_else(|| key.to_owned(), String::clone);
        let ids: Vec<String> = self.files.keys().map(|key| label(key)).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let id_length = format::id_length(&ids, terminal::width());
        let column = ids.iter().map(|id| id.chars().count().min(id_length)).max().unwrap_or(0);
        let mut out = String::new();
        for line in lines {
            if args.json {
                out.push_str(&self.json(line));
            } else {
                if self.only.is_none() {
                    let id = format!("{:column$}", short(&label(&line.key), id_length));
                    out.push_str(&format!("{}  ", paint(&id, ID)));
                }
                let text = sanitize(&line.text);
                match text.strip_prefix(line.time()).filter(|_| !line.time().is_empty()) {
                    Some(rest) => {
                        out.push_str(&paint(&format::log_time(line.time()), ID));
                        out.push_str(&paint(rest, style::of_level(line.level())));
                    }
                    None => out.push_str(&text),
                }
            }
            out.push('\n');
        }
        super::print(&out)
    }

    fn json(&self, line: &LogLine) -> String {
        let (pid, message) = line.pid_and_message();
        let row = Row {
            session: self.names.session(&line.key),
            time: line.time(),
            level: line.level(),
            pid: pid.parse().ok(),
            message,
        };
        super::json_line(&row).expect("strings and numbers serialize")
    }
}

/// Whether the reader of stdout is gone. `poll` reports it without a write.
fn reader_is_gone() -> bool {
    let out = std::io::stdout();
    let mut fds = [PollFd::new(out.as_fd(), PollFlags::empty())];
    let polled = poll(&mut fds, PollTimeout::ZERO);
    let closed = PollFlags::POLLERR | PollFlags::POLLHUP;
    polled.is_ok() && fds[0].revents().is_some_and(|events| events.intersects(closed))
}
