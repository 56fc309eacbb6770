//! What was done after an error, before the same check or command worked.

use std::ops::ControlFlow;

use rusqlite::{Connection, Result};

use super::{Known, KnownKind, MAX_SAID, as_stored, in_turn, listed};
use crate::activity::{error_prints, fit};
use crate::evidence::{covers_failure, is_same_command};
use crate::memory::{Block, Evidence, Failure, Outcome};
use crate::store::known::{self, TurnRow, Turns};
use crate::store::words::{Name, named};

/// Maximum number of prints of a text that is asked about.
const MAX_PRINTS: usize = 60;
/// Maximum number of words of a question that is no error.
const MAX_WORDS: usize = 4;
/// After more turns, a pass says little about the error.
const MAX_TURNS: usize = 12;
/// Of more changed files, nobody knows which one helped.
const MAX_CHANGED: usize = 20;
/// Maximum number of occurrences that are followed, and for a session that is under way.
const MAX_OCCURRENCES: usize = 20;
const MAX_TOLD_OCCURRENCES: usize = 5;

/// What was done after an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    /// The turn in which the error occurred.
    pub failed: TurnRow,
    /// The turn in which the command worked again. May be the same.
    pub fixed: TurnRow,
    /// The command: `cargo test`, `git push`.
    pub command: String,
    /// Codes and names in the errors.
    pub about: Vec<String>,
    /// How alike the errors are: the same code and names, the same words, or only the same failed test.
    pub likeness: Likeness,
    /// Files changed in between.
    pub changed: Vec<String>,
    pub changed_more: usize,
    /// Commands run in between.
    pub ran: Vec<String>,
    /// What worked instead.
    pub worked_as: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// Only the code or names were asked for.
    Named,
    Test,
    Words,
    Code,
}

impl Likeness {
    pub fn as_str(self) -> &'static str {
        match self {
            Likeness::Named => "name",
            Likeness::Test => "test",
            Likeness::Words => "words",
            Likeness::Code => "code",
        }
    }

    fn of(print: &str) -> Likeness {
        match print.as_bytes().first() {
            Some(b'c') => Likeness::Code,
            Some(b'w') => Likeness::Words,
            _ => Likeness::Test,
        }
    }
}

/// What helped when this error occurred the last time. `None` if nothing is known, or if it came back
/// in the same session. `error` is the output of a failed command.
pub fn about_error(conn: &Connection, project_id: i64, error: &str) -> Result<Option<Known>> {
    let asked = Asked::read(error);
    let names: Vec<Name> = asked.prints.iter().map(|print| Name::Error(print)).collect();
    let rows = named(conn, project_id, &names, MAX_TOLD_OCCURRENCES)?;
    let fixes = fixes_after(conn, &asked, &known::turns(conn, &rows)?)?;
    // The same test may fail for another reason.
    let fix = fixes.into_iter().find(|fix| fix.likeness > Likeness::Test);
    Ok(fix.map(|fix| Known::of_turn(KnownKind::Fixed, &fix.fixed, fix.sentence())))
}

/// The fixes of an error, the most alike first, then the newest. `project_id`: `None` for all projects.
/// Examines all turns.
pub fn fixes(
    conn: &Connection,
    project_id: Option<i64>,
    error: &str,
    limit: usize,
) -> Result<Vec<Fix>> {
    let asked = Asked::read(error);
    if asked.naming.is_empty() {
        return Ok(Vec::new());
    }
    let mut occurrences: Vec<TurnRow> = Vec::new();
    known::visit_turns(conn, Turns { project_id, naming: &asked.naming }, |row| {
        occurrences.push(row);
        match occurrences.len() == MAX_OCCURRENCES {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    let mut found = fixes_after(conn, &asked, &occurrences)?;
    found.truncate(limit);
    Ok(found)
}

/// The fixes after these turns, the most alike first, then the newest.
fn fixes_after(conn: &Connection, asked: &Asked, occurrences: &[TurnRow]) -> Result<Vec<Fix>> {
    let mut found: Vec<Fix> = Vec::new();
    for row in occurrences {
        for failure in row.turn.evidence.failures.iter().rev() {
            let Some(likeness) = asked.likeness(failure) else { continue };
            if let Some(fix) = follow(conn, row, failure, likeness)? {
                let is_known =
                    |known: &Fix| known.fixed.id == fix.fixed.id && known.command == fix.command;
                if !found.iter().any(is_known) {
                    found.push(fix);
                }
            }
        }
    }
    found.sort_by_key(|fix| std::cmp::Reverse((fix.likeness, fix.fixed.id)));
    Ok(found)
}

/// What is asked about: an error, or only its code or its names.
struct Asked {
    prints: Vec<String>,
    words: Vec<String>,
    /// What a stored turn must contain.
    naming: Vec<String>,
}

impl Asked {
    fn read(error: &str) -> Asked {
        let prints = error_prints::read(error, MAX_PRINTS);
        if !prints.is_empty() {
            let naming = prints.iter().map(|print| as_stored(print)).collect();
            return Asked { prints, words: Vec::new(), naming };
        }
        let words: Vec<String> = error.split_whitespace().map(str::to_owned).collect();
        // More words are a sentence.
        let words = if words.len() <= MAX_WORDS { words } else { Vec::new() };
        let naming = words.iter().take(1).map(|word| as_stored(word)).collect();
        Asked { prints, words, naming }
    }

    fn likeness(&self, failure: &Failure) -> Option<Likeness> {
        let shared = failure.prints.iter().filter(|print| self.prints.contains(print));
        let has_all = || self.words.iter().all(|word| failure.about.contains(word));
        let named = !self.words.is_empty() && has_all();
        shared.map(|print| Likeness::of(print)).max().or(named.then_some(Likeness::Named))
    }
}

/// What happened after a failure until the same command worked.
fn follow(
    conn: &Connection,
    row: &TurnRow,
    failure: &Failure,
    likeness: Likeness,
) -> Result<Option<Fix>> {
    let Some(project_id) = row.project_id else { return Ok(None) };
    let mut fix = Fix {
        failed: row.clone(),
        fixed: row.clone(),
        command: shown_command(failure),
        about: failure.about.clone(),
        likeness,
        changed: failure.changed.clone(),
        changed_more: failure.changed_more as usize,
        ran: failure.ran.clone(),
        worked_as: failure.worked_as.clone(),
    };
    let mut passed = failure.passed;
    for later in known::turns_after(conn, project_id, row.id, MAX_TURNS)? {
        let evidence = &later.turn.evidence;
        let same_session = later.session_id == row.session_id;
        let occurs = |known: &Failure| known.prints.iter().any(|p| failure.prints.contains(p));
        let came_back = evidence.failures.iter().any(occurs);
        if passed {
            // In another session, it is another occasion.
            if came_back && same_session {
                return Ok(None);
            }
            continue;
        }
        if came_back {
            return Ok(None);
        }
        let Some(pass) = pass(evidence, failure) else {
            if !failure.gone {
                fix.add(evidence, i64::MAX);
            }
            continue;
        };
        if !failure.gone {
            fix.add(evidence, pass);
        }
        fix.fixed = later;
        passed = true;
    }
    let n_changed = fix.changed.len() + fix.changed_more;
    let tells = n_changed > 0 || !fix.ran.is_empty() || !fix.worked_as.is_empty();
    Ok((passed && tells && n_changed <= MAX_CHANGED).then_some(fix))
}

fn shown_command(failure: &Failure) -> String {
    if failure.kind.is_none() {
        return failure.line.clone();
    }
    let words = std::iter::once(&failure.command).chain(&failure.arguments);
    words.cloned().collect::<Vec<String>>().join(" ")
}

/// The message in which the failed command worked; `i64::MAX` if it is not known. `None` if it did
/// not work.
fn pass(evidence: &Evidence, failure: &Failure) -> Option<i64> {
    let mut checks = evidence.checks.iter().filter(|check| check.outcome == Outcome::Pass);
    if let Some(check) = checks.find(|check| covers_failure(check, failure)) {
        return Some(check.sources.last().copied().unwrap_or(i64::MAX));
    }
    let mut worked = evidence.commands.iter().filter(|command| command.ok);
    let is_same = |line: &str, name: &str| is_same_command(failure, line, name);
    worked.any(|command| is_same(&command.line, &command.name)).then_some(i64::MAX)
}

impl Fix {
    /// Adds what a turn changed before the message `until`.
    fn add(&mut self, evidence: &Evidence, until: i64) {
        let is_before = |sources: &[i64]| sources.first().is_none_or(|first| *first < until);
        let files = evidence.files.iter().filter(|file| !file.scratch && is_before(&file.sources));
        for file in files {
            if !self.changed.contains(&file.path) {
                self.changed.push(file.path.clone());
            }
        }
        let effects = evidence.effects.iter().filter(|effect| is_before(&effect.sources));
        let installs = effects.filter(|e| e.kind == crate::memory::EffectKind::Installed);
        self.ran.extend(installs.map(|effect| effect.text.clone()));
    }

    /// What was done: ``changes of `a.rs`; ran `npm install` ``.
    pub fn deeds(&self) -> String {
        let mut parts = Vec::new();
        if !self.changed.is_empty() {
            parts.push(format!("a change of {}", listed(&self.changed, self.changed_more)));
        }
        if !self.ran.is_empty() {
            parts.push(listed(&self.ran, 0));
        }
        parts.join(" and ")
    }

    /// The fix in one or two sentences.
    fn sentence(&self) -> String {
        let deeds = self.deeds();
        let turn = because(&self.fixed).unwrap_or_else(|| in_turn(&self.fixed));
        let command = &self.command;
        match (deeds.is_empty(), self.worked_as.is_empty()) {
            (true, _) => {
                format!("`{command}` failed like this before; `{}` worked{turn}.", self.worked_as)
            }
            (false, true) => {
                format!("`{command}` failed like this before and worked after {deeds}{turn}.")
            }
            (false, false) => format!(
                "`{command}` failed like this before; `{}` worked after {deeds}{turn}.",
                self.worked_as
            ),
        }
    }
}

/// The cause that the turn names: `; cause: The guard ran twice`.
fn because(row: &TurnRow) -> Option<String> {
    let cause = row.turn.cause.iter().find_map(Block::lasting)?;
    let line = cause.lines.first()?.trim_end_matches(['.', '。']);
    Some(format!("; cause: {}", fit(line, MAX_SAID)))
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
