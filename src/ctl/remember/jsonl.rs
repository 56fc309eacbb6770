//! `memctl remember --jsonl`: stores the rows of a script, in transactions of at most 500 rows. A bad
//! line is reported and does not stop the others.

use std::collections::HashMap;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};

use rusqlite::Connection;
use serde_json::json;

use super::draft::Redacted;
use super::line::{self, Line};
use super::place::{self, Target};
use crate::clock;
use crate::config::{Limits, Redact, Settings};
use crate::ctl::format::count;
use crate::ctl::lines::{self, Lines};
use crate::ctl::progress::Progress;
use crate::failure::{Context, Result, failed};
use crate::project::PathBase;
use crate::store::links;
use crate::store::notes::{self, Note, Stored};
use crate::store::words;
use crate::store::{self, Store};

/// More new rows in a transaction are not compared with others: their number of pairs costs too much.
const MAX_COMPARED: usize = 50;

/// Rows of one transaction: notes and their files. Workers wait for it about 0.2 seconds.
const MAX_ROWS: usize = 1000;

/// Lines, and their bytes, that are read ahead.
const MAX_LINES: usize = 500;
const MAX_PART: usize = 4 << 20;

/// More threads would wait for the one that stores.
const MAX_THREADS: usize = 4;

/// How many bad lines are reported one by one.
const MAX_REPORTED: usize = 100;

#[derive(Debug, Default)]
struct Counts {
    added: u64,
    updated: u64,
    known: u64,
    forgotten: u64,
}

/// A line that was not stored.
struct BadLine {
    number: u64,
    why: String,
}

/// A row that waits for its transaction.
struct Row {
    number: u64,
    external_id: String,
    session: Option<String>,
    /// The project as the line names it. `None`: the default one.
    project: Option<String>,
    note: Note,
}

/// A project, or why nothing is stored for it.
type Named = std::result::Result<Target, String>;

struct Import<'a> {
    settings: &'a Settings,
    store: Store,
    /// The project of lines that name none.
    default: Named,
    /// The project of each name, or why nothing is stored for it.
    targets: HashMap<String, Named>,
    waiting: Vec<Row>,
    n_waiting: usize,
    counts: Counts,
    bad: Vec<BadLine>,
    n_bad: u64,
}

/// Stores the lines of a file, or of stdin if its name is `-`.
pub fn run(
    settings: &Settings,
    store: Store,
    file: &str,
    default: Named,
    as_json: bool,
) -> Result<()> {
    let mut lines = Lines::open(file)?;
    let mut store = store;
    // The report comes after a checkpoint, which brings all rows to disk.
    store.commit_without_sync()?;
    let mut import = Import {
        settings,
        store,
        default,
        targets: HashMap::new(),
        waiting: Vec::new(),
        n_waiting: 0,
        counts: Counts::default(),
        bad: Vec::new(),
        n_bad: 0,
    };
    let progress = Progress::new("remembering");
    let outcome = import.read(&mut lines, &progress);
    drop(progress);
    if !as_json {
        import.report_bad_lines();
    }
    if let Err(failure) = outcome {
        let stored = count(import.counts.stored(), "row");
        return Err(failure.hint(format!(
            "{stored} stored before; run it again: rows that are stored already stay as they are"
        )));
    }
    import.finish(as_json)
}

impl Counts {
    fn add(&mut self, stored: Stored) {
        *match stored {
            Stored::Added(_) => &mut self.added,
            Stored::Updated(_) => &mut self.updated,
            Stored::Known(_) => &mut self.known,
            Stored::Forgotten => &mut self.forgotten,
        } += 1;
    }

    fn stored(&self) -> u64 {
        self.added + self.updated + self.known
    }
}

impl Import<'_> {
    /// Reads all lines. While threads check and redact the lines of a part, this one stores the part
    /// before it.
    fn read(&mut self, lines: &mut Lines, progress: &Progress) -> Result<()> {
        let rules = Rules::of(self.settings);
        let mut checked: Vec<Checked> = Vec::new();
        loop {
            let part = next_part(lines)?;
            let is_last = part.is_empty();
            let next = thread::scope(|scope| {
                let shares = part.chunks(part.len().div_ceil(n_threads()).max(1));
                let threads: Vec<_> = shares
                    .map(|share| {
                        scope.spawn(move || share.iter().map(|l| rules.check(l)).collect())
                    })
                    .collect();
                let kept = self.keep(std::mem::take(&mut checked), progress);
                let join = |thread: ScopedJoinHandle<Vec<Checked>>| {
                    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
                };
                let next: Vec<Checked> = threads.into_iter().flat_map(join).collect();
                kept.map(|()| next)
            })?;
            if is_last {
                return self.store();
            }
            checked = next;
        }
    }

    /// Stores checked lines, in transactions of at most [`MAX_ROWS`] rows. The last rows wait.
    fn keep(&mut self, checked: Vec<Checked>, progress: &Progress) -> Result<()> {
        for Checked { number, line } in checked {
            let row = match line.and_then(|(line, redacted)| self.row(number, line, redacted)) {
                Ok(row) => row,
                Err(why) => {
                    self.refuse(number, why);
                    continue;
                }
            };
            let n_rows = 1 + row.note.observation.files_read.len();
            if self.n_waiting + n_rows > MAX_ROWS {
                self.store()?;
                let n = self.counts.stored();
                progress.set(|| format!("remembering: {}", count(n, "row")));
            }
            self.n_waiting += n_rows;
            self.waiting.push(row);
        }
        Ok(())
    }

    fn row(
        &mut self,
        number: u64,
        line: Line,
        mut redacted: Redacted,
    ) -> std::result::Result<Row, String> {
        let target = match &line.project {
            None => &self.default,
            Some(name) => {
                let (conn, settings) = (self.store.connection(), self.settings);
                let find = || find_target(conn, settings, name);
                self.targets.entry(name.clone()).or_insert_with(find)
            }
        };
        let target = target.as_ref().map_err(Clone::clone)?;
        if let Some(root) = target.root() {
            let base = PathBase { root: Some(root), cwd: None };
            for path in &mut redacted.observation.files_read {
                *path = base.relative(path);
            }
        }
        Ok(Row {
            number,
            external_id: format!("{}{}", notes::EXTERNAL, line.id),
            session: line.session,
            project: line.project,
            note: Note {
                observation: redacted.observation,
                metadata: redacted.metadata,
                expires_at_epoch: line.expires_at_epoch,
                created_at_epoch: line.created_at_epoch,
                ..Note::default()
            },
        })
    }

    fn refuse(&mut self, number: u64, why: String) {
        self.n_bad += 1;
        if self.bad.len() < MAX_REPORTED {
            self.bad.push(BadLine { number, why });
        }
    }

    /// Stores the waiting rows in one transaction.
    fn store(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        self.n_waiting = 0;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        let lines = format!("lines {} to {}", first.number, last.number);
        let (targets, default) = (&self.targets, &self.default);
        let now = clock::now_ms();
        let stored = self.store.write(|tx| {
            let mut projects: HashMap<Option<&str>, Option<i64>> = HashMap::new();
            let mut stored = Vec::with_capacity(rows.len());
            for row in &rows {
                let name = row.project.as_deref();
                let project = match projects.get(&name) {
                    Some(project) => *project,
                    None => {
                        let target = name.map_or(default, |name| &targets[name]);
                        let project = match target {
                            Ok(target) => target.resolve(tx)?,
                            Err(_) => None,
                        };
                        projects.insert(name, project);
                        project
                    }
                };
                let session = row.session.as_deref();
                stored.push(notes::put(tx, &row.external_id, project, session, &row.note, now)?);
            }
            let changed: Vec<i64> = stored.iter().filter_map(Stored::changed).collect();
            if changed.len() <= MAX_COMPARED {
                links::reconcile(tx, &changed, now)?;
            }
            Ok(stored)
        });
        for stored in stored.context(format!("cannot store {lines}"))? {
            self.counts.add(stored);
        }
        Ok(self.store.maintain_log()?)
    }

    fn report_bad_lines(&self) {
        for BadLine { number, why } in &self.bad {
            crate::ctl::warn(&format!("line {number}: {why}"));
        }
        let rest = self.n_bad - self.bad.len() as u64;
        if rest > 0 {
            crate::ctl::warn(&format!("and {}", count(rest, "more bad line")));
        }
    }

    fn finish(mut self, as_json: bool) -> Result<()> {
        words::compact(&mut self.store, self.counts.added)?;
        // Ignore a log that a reader still needs: the next worker empties it.
        let _: store::Result<bool> = self.store.empty_log();
        let Counts { added, updated, known, forgotten } = self.counts;
        if as_json {
            let error = |bad: &BadLine| json!({ "line": bad.number, "error": bad.why });
            crate::ctl::print_json(&json!({
                "added": added, "updated": updated, "unchanged": known, "forgotten": forgotten,
                "invalid": self.n_bad, "errors": self.bad.iter().map(error).collect::<Vec<_>>(),
            }))?;
        } else {
            let mut parts = vec![format!("{added} new"), format!("{updated} changed")];
            parts.push(format!("{known} known"));
            if forgotten > 0 {
                parts.push(format!("{forgotten} left out because they were forgotten"));
            }
            let n = count(self.counts.stored(), "row");
            crate::ctl::print(&format!("remembered {n}: {}\n", parts.join(", ")))?;
        }
        match self.n_bad {
            0 => Ok(()),
            n => Err(failed(format!("{} not stored", lines_were(n)))),
        }
    }
}

/// A line with its redacted texts, or the reason why it cannot be stored.
struct Checked {
    number: u64,
    line: std::result::Result<(Line, Redacted), String>,
}

/// What a thread needs to redact a line.
#[derive(Clone, Copy)]
struct Rules<'a> {
    limits: Limits,
    redact: &'a Redact,
}

impl<'a> Rules<'a> {
    fn of(settings: &'a Settings) -> Rules<'a> {
        Rules { limits: settings.config.capture, redact: &settings.config.redact }
    }

    fn check(self, line: &lines::Line) -> Checked {
        let checked = line.text.clone().and_then(|text| {
            let line = line::parse(&text)?;
            let redacted = line.draft.redact(line.origin, self.limits, self.redact)?;
            Ok((line, redacted))
        });
        Checked { number: line.number, line: checked }
    }
}

fn n_threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS)
}

/// The next lines. Empty at the end of the input.
fn next_part(lines: &mut Lines) -> Result<Vec<lines::Line>> {
    let (mut part, mut n_bytes) = (Vec::new(), 0);
    while part.len() < MAX_LINES && n_bytes < MAX_PART {
        let Some(line) = lines.next()? else { break };
        n_bytes += line.text.as_ref().map_or(0, String::len);
        part.push(line);
    }
    Ok(part)
}

fn lines_were(n: u64) -> String {
    if n == 1 { "1 line was".into() } else { format!("{n} lines were") }
}

fn find_target(conn: &Connection, settings: &Settings, name: &str) -> Named {
    recorded(conn, settings, place::named(conn, name)?)
}

/// The target, or why nothing of it is recorded.
pub fn recorded(conn: &Connection, settings: &Settings, target: Target) -> Named {
    match target.not_recorded(conn, settings) {
        Some(why) => Err(why.to_string()),
        None => Ok(target),
    }
}
