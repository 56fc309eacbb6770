//! `memctl logs`: what hooks and workers wrote down, of one session or of all.

mod file;
mod names;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;

use super::format::{self, short};
use super::style::{self, ID, paint};
use super::{poll, terminal};
use crate::config::Settings;
use crate::failure::Result;
use crate::text::sanitize;
use file::{LogFile, Written};
use names::Names;

const HELP: &str = "\
Examples
  memctl logs                   the newest lines of all sessions, by time
  memctl logs 6f2b9c54 -n 20    the last ones of one session
  memctl logs --follow          and what is written from now on, until Ctrl-C

Keys of --json, one object a line
  session  the client's session id, null for what belongs to none
  time     UTC
  level    ERROR, WARN, INFO, DEBUG
  pid      of the process that wrote it
  message  ids, kinds, sizes and errors, never text
";

/// Print what hooks and workers logged
///
/// Logs hold ids, kinds, sizes and errors, never what you or an agent wrote.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Only of this session: its id, or the beginning of one
    session: Option<String>,
    /// Go on printing what is written
    #[arg(long, short)]
    follow: bool,
    /// Most lines from before now
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    lines: usize,
    /// Print an object for each line
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

/// What is printed, and how far each file of it was.
struct Watch<'a> {
    settings: &'a Settings,
    names: Names,
    /// Keys of the one session that is asked for.
    only: Option<Vec<String>>,
    /// By the name of the file without its ending: a session's key, or `memctl`.
    files: BTreeMap<String, LogFile>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let names = Names::load(settings);
    let only = args.session.as_deref().map(|prefix| names.keys(prefix)).transpose()?;
    let mut watch = Watch { settings, names, only, files: BTreeMap::new() };
    let before = watch.look();
    if before.is_empty() && !args.follow {
        super::tell("memctl: nothing is logged");
    }
    let skipped = before.len().saturating_sub(args.lines);
    watch.print(&before[skipped..], args)?;
    while args.follow && !reader_is_gone() {
        poll::pause();
        let new = watch.look();
        watch.print(&new, args)?;
    }
    Ok(())
}

/// Warnings and errors of all logs since a moment, by time.
pub fn recent(settings: &Settings, since: i64) -> Vec<Written> {
    let names = Names::load(settings);
    let mut watch = Watch { settings, names, only: None, files: BTreeMap::new() };
    let mut lines = watch.look();
    let since = jiff::Timestamp::from_millisecond(since).unwrap_or_default();
    let is_new = |line: &Written| line.time().parse().is_ok_and(|at: jiff::Timestamp| at >= since);
    lines.retain(|line| matches!(line.level(), "WARN" | "ERROR") && is_new(line));
    lines
}

impl Watch<'_> {
    /// What was written since the last look, by time. A file that cannot be read is left out: it
    /// may be removed at any time.
    fn look(&mut self) -> Vec<Written> {
        let paths = &self.settings.paths;
        let entries = fs::read_dir(paths.logs()).into_iter().flatten().flatten();
        let keys = entries.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.strip_suffix(".log").map(str::to_owned)
        });
        for key in keys {
            let wanted = self.only.as_ref().is_none_or(|only| only.contains(&key));
            if wanted && !self.files.contains_key(&key) {
                self.names.learn(self.settings, &key);
                self.files.insert(key.clone(), LogFile::new(paths.log(&key)));
            }
        }
        let mut lines: Vec<Written> = self
            .files
            .iter_mut()
            .flat_map(|(key, file)| file.read(key).unwrap_or_default())
            .collect();
        lines.sort_by(|a, b| a.time().cmp(b.time()));
        lines
    }

    fn print(&self, lines: &[Written], args: &Args) -> Result<()> {
        let name = |line: &Written| self.names.session(&line.key).unwrap_or(&line.key).to_owned();
        let ids: Vec<String> = self
            .files
            .keys()
            .map(|key| self.names.session(key).unwrap_or(key).to_owned())
            .collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let id_length = format::id_length(&ids, terminal::width());
        let column = ids.iter().map(|id| id.chars().count().min(id_length)).max().unwrap_or(0);
        let mut out = String::new();
        for line in lines {
            if args.json {
                out.push_str(&self.json(line));
            } else {
                if self.only.is_none() {
                    let id = format!("{:column$}", short(&name(line), id_length));
                    out.push_str(&format!("{}  ", paint(&id, ID)));
                }
                let text = sanitize(&line.text);
                match text.strip_prefix(line.time()).filter(|_| !line.time().is_empty()) {
                    Some(rest) => {
                        out.push_str(&paint(line.time(), ID));
                        out.push_str(&paint(rest, style::of_level(line.level())));
                    }
                    None => out.push_str(&text),
                }
            }
            out.push('\n');
        }
        super::print(&out)
    }

    fn json(&self, line: &Written) -> String {
        let (pid, message) = line.pid_and_message();
        let row = Row {
            session: self.names.session(&line.key),
            time: line.time(),
            level: line.level(),
            pid: pid.parse().ok(),
            message,
        };
        serde_json::to_string(&row).expect("texts and numbers")
    }
}

/// Whether nobody reads what we print: a pipe says so without being written to.
fn reader_is_gone() -> bool {
    let out = std::io::stdout();
    let mut fds = [PollFd::new(out.as_fd(), PollFlags::empty())];
    let asked = poll(&mut fds, PollTimeout::ZERO);
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
    asked.is_ok() && fds[0].revents().is_some_and(|events| events.intersects(gone))
}
