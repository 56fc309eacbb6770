//! A session in a few lines, for the commands that list sessions. The same record as that of the context
//! ([`RollUp`]), whatever is hidden.

use rusqlite::Connection;

use super::OpenStep;
use super::blocks;
use super::rollup::RollUp;
use super::stored_turn::StoredTurn;
use crate::memory::{Ending, Outcome};
use crate::store::summaries;

/// What is known of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outline {
    /// Empty if no turn is distilled yet.
    pub title: String,
    /// The user's requests, oldest first.
    pub asked: Vec<String>,
    /// Subjects of commits, then what the turns say about their work, newest last, or the answers.
    pub done: Vec<String>,
    /// What it left open, and what is still open.
    pub left: Vec<String>,
    pub commits: usize,
    /// Files that differ from the beginning of the session.
    pub files: Vec<String>,
    pub tool_uses: u32,
    /// The checks whose last run failed.
    pub failing: Vec<String>,
    /// The last run of at least one check passed.
    pub passes: bool,
    /// `interrupted` and so on. Empty if the last turn stopped.
    pub ending: String,
    pub answers: usize,
}

/// How many turns of a session are read, and how much of what was said is told, in characters.
const TURNS: usize = 200;
const MAX_SAID: usize = 1_500;

/// Reads a session. `open` is what is open in the project ([`open_ends`](super::open_ends)).
pub fn outline(
    conn: &Connection,
    session_id: i64,
    project_id: Option<i64>,
    open: &[OpenStep],
) -> rusqlite::Result<Outline> {
    let rows = summaries::of_session_for_context(conn, session_id, project_id, TURNS)?;
    let ending = rows.last().and_then(|row| row.turn.as_ref()).map(|turn| turn.ending_note());
    let is_own = |step: &&OpenStep| rows.iter().any(|row| row.id == step.summary);
    let left = open.iter().filter(is_own).map(OpenStep::line).collect();
    let turns: Vec<StoredTurn> = rows.into_iter().map(StoredTurn::of_row).collect();
    let session = RollUp::fold(&turns);
    let subjects = session.commits.iter().map(|commit| commit.subject.clone());
    let mut done: Vec<String> = subjects.filter(|subject| !subject.is_empty()).collect();
    // The newest turns have room first.
    let mut said = blocks::lines(&session.done, MAX_SAID);
    let mut room = MAX_SAID.saturating_sub(said.iter().map(|line| line.chars().count()).sum());
    for before in session.done_before.iter().rev() {
        let lines = blocks::lines(&blocks::gist(before), room.min(MAX_SAID / 3));
        let length: usize = lines.iter().map(|line| line.chars().count()).sum();
        if length > room {
            break;
        }
        room -= length;
        said = [lines, said].concat();
    }
    done.extend(said);
    if done.is_empty() {
        let answers = session.answers.iter().rev().take(2);
        done.extend(answers.map(|answered| blocks::text(&answered.answer, MAX_SAID / 2)));
    }
    let failing = session.checks.iter().filter(|check| check.outcome == Outcome::Fail);
    Ok(Outline {
        asked: session.asks.iter().map(|ask| ask.text.clone()).collect(),
        done,
        left,
        commits: session.commits.len(),
        files: session.files.iter().map(|file| file.path.clone()).collect(),
        tool_uses: session.tool_uses,
        failing: failing.map(|check| check.key.clone()).collect(),
        passes: session.checks.iter().any(|check| check.outcome == Outcome::Pass),
        ending: match session.ending {
            Ending::Stop | Ending::Open | Ending::Continued => String::new(),
            _ => ending.unwrap_or_default(),
        },
        answers: session.answers.len(),
        title: session.title,
    })
}

impl Outline {
    /// How the session ended, in a few words.
    pub fn outcome(&self) -> String {
        let count = |n: usize, noun: &str| match n {
            1 => format!("1 {noun}"),
            n => format!("{n} {noun}s"),
        };
        let mut parts = Vec::new();
        parts.extend(Some(self.ending.clone()).filter(|ending| !ending.is_empty()));
        if let Some(check) = self.failing.first() {
            parts.push(format!("{check} fails"));
        }
        match (self.commits, self.files.len()) {
            (0, 0) if self.answers > 0 => parts.push("answered".into()),
            (0, 0) => {}
            (0, files) => parts.push(format!("{} changed", count(files, "file"))),
            (commits, _) => parts.push(count(commits, "commit")),
        }
        if self.failing.is_empty() && self.passes {
            parts.push("checks pass".into());
        }
        if !self.left.is_empty() {
            parts.push(format!("{} open", self.left.len()));
        }
        parts.join(", ")
    }
}
