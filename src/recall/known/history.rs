//! The turns that changed a file.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rusqlite::{Connection, Result};

use super::as_stored;
use super::file::notes_of_file;
use crate::activity::line_prints;
use crate::clock;
use crate::memory::{Change, FileChange};
use crate::store::known::{self, FileNote, TurnRow, Turns};

/// Maximum number of former paths that are followed.
const MAX_NAMES: usize = 5;
/// Maximum number of observations of a file.
const MAX_NOTES: usize = 200;

/// What one turn did to a file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileTurn {
    pub row: TurnRow,
    /// The path that the file had.
    pub path: String,
    pub change: Change,
    /// The path that the turn moved the file from.
    pub from: Option<String>,
    /// The path that the turn moved the file to.
    pub to: Option<String>,
    pub edits: u32,
    /// Ids of the observations of the turn that name the file.
    pub notes: Vec<i64>,
    /// The turn put back what an earlier one had changed.
    pub put_back: bool,
    prints: String,
}

impl FileTurn {
    /// Whether an edit of the turn added this line.
    pub fn added(&self, line: &str) -> bool {
        line_prints::of_line(line).is_some_and(|print| line_prints::contains(&self.prints, &print))
    }
}

/// The turns that changed a file, newest first. Follows the file to the paths that it had before.
pub fn changes_of_file(conn: &Connection, project_id: i64, path: &str) -> Result<Vec<FileTurn>> {
    let mut found: BTreeMap<i64, FileTurn> = BTreeMap::new();
    // Each path, and the turn that moved the file away from it.
    let mut names: Vec<(String, i64)> = vec![(path.to_owned(), i64::MAX)];
    let mut at = 0;
    while at < names.len() && at < MAX_NAMES {
        let (name, until) = names[at].clone();
        let naming = [as_stored(&name)];
        let query = Turns { project_id: Some(project_id), naming: &naming };
        known::visit_turns(conn, query, |row| {
            if row.id >= until {
                return ControlFlow::Continue(());
            }
            if let Some(turn) = file_turn(row, &name) {
                let moved = turn.from.clone().map(|from| (from, turn.row.id));
                names
                    .extend(moved.filter(|(from, _)| names.iter().all(|(known, _)| known != from)));
                found.entry(turn.row.id).or_insert(turn);
            }
            ControlFlow::Continue(())
        })?;
        at += 1;
    }
    let paths: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
    let notes = notes_of_file(conn, project_id, &paths, clock::now_ms(), MAX_NOTES)?;
    let mut turns: Vec<FileTurn> = found.into_values().rev().collect();
    for turn in &mut turns {
        let is_its = |note: &&FileNote| {
            note.session_id == turn.row.session_id && note.prompt_number == turn.row.prompt_number
        };
        turn.notes = notes.iter().filter(is_its).map(|note| note.id).collect();
    }
    Ok(turns)
}

fn file_turn(row: TurnRow, path: &str) -> Option<FileTurn> {
    let evidence = &row.turn.evidence;
    let change = evidence.files.iter().find(|file| file.path == path).cloned();
    let put_back = evidence.put_back.iter().any(|back| back == path);
    // Rows of older releases and of models have only the list of files.
    let is_listed = row.files_modified.iter().any(|file| file == path);
    let is_it = |file: &&FileChange| file.from.as_deref() == Some(path);
    let to = evidence.files.iter().find(is_it).map(|file| file.path.clone());
    let is_changed =
        change.is_some() || to.is_some() || put_back || is_listed && evidence.files.is_empty();
    let change = change.unwrap_or_else(|| FileChange { edits: 0, ..FileChange::default() });
    is_changed.then(|| FileTurn {
        path: path.to_owned(),
        change: change.change,
        from: change.from,
        to,
        edits: change.edits,
        notes: Vec::new(),
        put_back,
        prints: change.added,
        row,
    })
}

/// The paths of changed files that end with `name`: for a name without its folder.
pub fn paths_ending(conn: &Connection, project_id: i64, name: &str) -> Result<Vec<String>> {
    let ending = format!("/{name}");
    let naming = [as_stored(&ending)[1..].to_owned()];
    let query = Turns { project_id: Some(project_id), naming: &naming };
    let mut paths: Vec<String> = Vec::new();
    known::visit_turns(conn, query, |row| {
        let changed = row.turn.evidence.files.into_iter().map(|file| file.path);
        for path in changed.chain(row.files_modified).filter(|path| path.ends_with(&ending)) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(paths)
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
