//! Stores rows in transactions of a few hundred, as this release would have stored them.

use serde_json::{Value, json};

use crate::capture;
use crate::config::Settings;
use crate::ctl::format::count;
use crate::ctl::replay;
use crate::failure::{Context, Result};
use crate::provenance::{Speaker, reads_like_instruction};
use crate::store::links;
use crate::store::portable::{self, Inserted, Line, References};
use crate::store::{Store, StoreError};
use crate::testpoint;

/// Rows of a transaction.
const ROWS: usize = 200;

/// What became of the rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub new: u64,
    pub known: u64,
    pub forgotten: u64,
    pub unknown: u64,
    pub damaged: u64,
}

impl Counts {
    pub fn json(&self) -> Value {
        let Counts { new, known, forgotten, unknown, damaged } = *self;
        json!({
            "new": new, "known": known, "forgotten": forgotten, "unknown": unknown,
            "damaged": damaged,
        })
    }

    pub fn text(&self) -> String {
        let mut text = count(self.new, "new row");
        for (n, what) in [
            (self.known, "known"),
            (self.forgotten, "forgotten here"),
            (self.unknown, "of unknown types or sessions"),
            (self.damaged, "damaged"),
        ] {
            if n > 0 {
                text.push_str(&format!(", {n} {what}"));
            }
        }
        text
    }
}

/// Collects rows and stores them.
pub struct Rows {
    store: Store,
    references: References,
    waiting: Vec<Line>,
    pub counts: Counts,
}

impl Rows {
    /// Creates the data dir and opens the database.
    ///
    /// # Errors
    /// If nothing can be stored.
    pub fn open(settings: &mut Settings) -> Result<Rows> {
        settings.paths.create().context("cannot create the data dir")?;
        replay::check_writable(settings)?;
        let mut store = Store::open(&settings.paths)?;
        store.commit_without_sync()?;
        let (references, waiting, counts) = Default::default();
        Ok(Rows { store, references, waiting, counts })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// If the rows cannot be stored.
    pub fn push(&mut self, line: Line) -> Result<()> {
        // Most rows of a second import. The check for secrets costs more than the search.
        if portable::is_known(self.store.connection(), &line)? {
            self.counts.known += 1;
            return Ok(());
        }
        self.waiting.push(cleaned(line));
        if self.waiting.len() >= ROWS { self.store() } else { Ok(()) }
    }

    /// Number of rows that were pushed.
    pub fn n(&self) -> u64 {
        let Counts { new, known, forgotten, unknown, damaged } = self.counts;
        new + known + forgotten + unknown + damaged + self.waiting.len() as u64
    }

    fn store(&mut self) -> Result<()> {
        let (rows, references) = (std::mem::take(&mut self.waiting), &mut self.references);
        let counts = self.store.write(|tx| {
            let mut counts = self.counts;
            for row in &rows {
                match portable::insert(tx, references, row) {
                    Ok(Inserted::New) => counts.new += 1,
                    Ok(Inserted::Known) => counts.known += 1,
                    Ok(Inserted::Forgotten) => counts.forgotten += 1,
                    Ok(Inserted::Unknown) => counts.unknown += 1,
                    Err(StoreError::Bug(_) | StoreError::Refused(_)) => counts.damaged += 1,
                    Err(e) => return Err(e),
                }
            }
            Ok(counts)
        });
        self.counts = counts.context("cannot store the rows")?;
        testpoint::at("import.stored");
        self.store.maintain_log().context("database")
    }

    /// Stores the last rows.
    ///
    /// # Errors
    /// If they cannot be stored.
    pub fn finish(mut self) -> Result<Counts> {
        self.store()?;
        let references = &self.references;
        let linked = self.store.write(|tx| {
            links::compare_again(tx)?;
            portable::link_parents(tx, references)
        });
        linked?;
        Ok(self.counts)
    }
}

/// The row without secrets, and marked if it reads like an instruction to the model. A row of this release
/// stays as it is.
fn cleaned(mut line: Line) -> Line {
    const TEXTS: [&str; 15] = [
        "text",
        "title",
        "subtitle",
        "narrative",
        "facts",
        "concepts",
        "names",
        "request",
        "investigated",
        "learned",
        "completed",
        "next_steps",
        "notes",
        "turn",
        "metadata",
    ];
    for key in TEXTS {
        let mut value = line.value(key);
        if redact(&mut value) {
            line.set(key, &value);
        }
    }
    if line.text("type") == "observation" && line.value("quarantined") != true {
        let speaker = if line.text("origin") == "user" { Speaker::User } else { Speaker::Other };
        let texts = ["title", "narrative"].map(|key| line.text(key));
        if texts.iter().any(|text| reads_like_instruction(text, speaker)) {
            line.set("quarantined", &Value::Bool(true));
        }
    }
    line
}

/// Replaces secrets in all texts of a value. Returns whether there were any.
fn redact(value: &mut Value) -> bool {
    match value {
        Value::String(text) => {
            let clean = capture::without_secrets(text);
            let is_changed = clean != *text;
            *text = clean;
            is_changed
        }
        Value::Array(values) => values.iter_mut().map(redact).fold(false, |a, b| a | b),
        Value::Object(members) => members.values_mut().map(redact).fold(false, |a, b| a | b),
        _ => false,
    }
}
