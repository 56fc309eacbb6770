//! `memctl remember --jsonl`: stores the rows of a script, in transactions of at most 500 rows. A bad
//! line is reported and does not stop the others.

use std::collections::HashMap;

use rusqlite::Connection;
use serde_json::json;

use super::line::{self, Line};
use super::place::{self, Target};
use crate::clock;
use crate::config::Settings;
use crate::ctl::format::count;
use crate::ctl::lines::Lines;
use crate::ctl::progress::Progress;
use crate::failure::{Context, Result, failed};
use crate::project::PathBase;
use crate::store::notes::{self, Note, Stored};
use crate::store::{self, Store};

/// Rows of one transaction: notes and their files.
const MAX_ROWS: usize = 500;

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
    fn read(&mut self, lines: &mut Lines, progress: &Progress) -> Result<()> {
        while let Some(line) = lines.next()? {
            let number = line.number;
            let parsed = line.text.and_then(|text| line::parse(&text));
            let row = parsed.and_then(|line| self.row(number, line));
            let row = match row {
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
        self.store()
    }

    fn row(&mut self, number: u64, line: Line) -> std::result::Result<Row, String> {
        let config = &self.settings.config;
        let target = match &line.project {
            None => &self.default,
            Some(name) => {
                let (conn, settings) = (self.store.connection(), self.settings);
                let find = || find_target(conn, settings, name);
                self.targets.entry(name.clone()).or_insert_with(find)
            }
        };
        let target = target.as_ref().map_err(Clone::clone)?;
        let mut redacted = line.draft.redact(line.origin, config)?;
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

    /// Stores what waits, in one transaction.
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
            Ok(stored)
        });
        for stored in stored.context(format!("cannot store {lines}"))? {
            self.counts.add(stored);
        }
        self.store.maintain_log().context("database")
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
