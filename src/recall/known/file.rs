//! What is known of a file: rules that name it, refused and undone changes, failures after its last
//! change, observations, the last change.

use rusqlite::{Connection, Result};

use super::{Known, KnownKind, in_turn, listed, safe_names, title};
use crate::clock;
use crate::memory::{Change, CheckRun, FileChange};
use crate::store::known::{self, FileNote, TurnRow};
use crate::store::words::{EVERYWHERE, Name, RowId, file_name, named};

/// How many turns of each kind are read: the newest one tells most, unless it is hidden.
const MAX_TURNS: usize = 3;
/// Maximum number of observations that are read.
const MAX_NOTES: usize = 30;
/// An observation of more files says little about each of them.
const MAX_FILES: usize = 12;

/// What is known of a file, most specific first. `path` is relative to the project's root, else
/// absolute.
pub fn about_file(
    conn: &Connection,
    project_id: i64,
    path: &str,
    limit: usize,
) -> Result<Vec<Known>> {
    let now = clock::now_ms();
    let name = file_name(path);
    let elsewhere = known::names_elsewhere(conn, project_id, &[path])?;
    let turns = |names: &[Name]| -> Result<Vec<TurnRow>> {
        known::turns_here(conn, project_id, &named(conn, project_id, names, MAX_TURNS)?)
    };
    let turns_with = |name: &dyn for<'a> Fn(&'a str) -> Name<'a>| -> Result<Vec<TurnRow>> {
        let paths = elsewhere.iter().map(String::as_str).chain([path]);
        turns(&paths.map(name).collect::<Vec<_>>())
    };
    let mut out: Vec<Known> = Vec::new();
    for note in notes_that_mention(conn, project_id, name, now)? {
        out.push(noted(&note, KnownKind::Said));
    }
    out.extend(turns(&[Name::Refused(name)])?.iter().find_map(|row| refused(row, path)));
    out.extend(turns_with(&|path| Name::PutBack(path))?.iter().find_map(|row| put_back(row, path)));
    let changes = turns_with(&|path| Name::Changed(path))?;
    let last = changes.iter().find_map(|row| Some((row, change(row, path)?)));
    out.extend(last.and_then(|(row, file)| failing(row, file)));
    let moves = turns_with(&|path| Name::Moved(path))?;
    let mut paths = vec![path];
    paths.extend(moves.iter().filter_map(|row| change(row, path)?.from.as_deref()));
    let mut notes = notes_of_file(conn, project_id, &paths, now, MAX_NOTES)?;
    notes.retain(|note| n_files(note) <= MAX_FILES || note.is_pinned);
    // Decisions before changes; the last change is told below.
    notes.sort_by_key(|note| (!note.is_pinned, rank(&note.kind), std::cmp::Reverse(note.id)));
    for note in notes {
        let is_it = |file: &String| {
            paths.contains(&file.as_str()) || elsewhere.iter().any(|name| name == file)
        };
        let is_modified = note.files_modified.iter().any(is_it);
        let is_last = last.is_some_and(|(row, _)| is_of_turn(&note, row) && is_modified);
        let is_known = out.iter().any(|known| known.row == RowId::observation(note.id));
        if !is_last && !is_known {
            out.push(noted(&note, KnownKind::Noted));
        }
    }
    if let Some((row, file)) = last {
        let at = out.iter().position(|known| known.kind == KnownKind::Noted).unwrap_or(out.len());
        out.insert(at, changed(row, file));
    }
    out.truncate(limit);
    Ok(out)
}

/// What the user said about a file of this name, also in every project.
fn notes_that_mention(
    conn: &Connection,
    project_id: i64,
    name: &str,
    now: i64,
) -> Result<Vec<FileNote>> {
    let mut found = Vec::new();
    for project in [project_id, EVERYWHERE] {
        let rows = named(conn, project, &[Name::Mentioned(name)], MAX_NOTES)?;
        found.extend(known::notes(conn, &rows, now)?);
    }
    Ok(found)
}

/// Observations of the project, and of turns that are told in it, that name one of these paths, newest first.
pub(super) fn notes_of_file(
    conn: &Connection,
    project_id: i64,
    paths: &[&str],
    now: i64,
    limit: usize,
) -> Result<Vec<FileNote>> {
    let elsewhere = known::names_elsewhere(conn, project_id, paths)?;
    let elsewhere: Vec<&str> = elsewhere.iter().map(String::as_str).collect();
    let names: Vec<Name> = paths.iter().chain(&elsewhere).map(|path| Name::Noted(path)).collect();
    let mut found = known::notes(conn, &named(conn, project_id, &names, limit)?, now)?;
    let everywhere = known::notes(conn, &named(conn, EVERYWHERE, &names, limit)?, now)?;
    found.extend(everywhere.into_iter().filter(|note| note.project_id == Some(project_id)));
    found.retain(|note| {
        let is_own = note.project_id == Some(project_id);
        let paths = if is_own { paths } else { &elsewhere };
        let mut files = note.files_modified.iter().chain(&note.files_read);
        files.any(|file| paths.contains(&file.as_str()))
    });
    Ok(found)
}

fn n_files(note: &FileNote) -> usize {
    note.files_modified.len() + note.files_read.len()
}

/// Whether an observation tells about this turn.
fn is_of_turn(note: &FileNote, row: &TurnRow) -> bool {
    note.session_id == row.session_id && note.prompt_number == row.prompt_number
}

fn rank(kind: &str) -> u8 {
    match kind {
        "decision" | "rule" | "gotcha" | "security_alert" => 0,
        "bugfix" => 1,
        "discovery" => 2,
        _ => 3,
    }
}

fn noted(note: &FileNote, kind: KnownKind) -> Known {
    let text = match (kind, note.kind.as_str()) {
        (KnownKind::Said, _) => format!("The user said: {}", note.title),
        (_, "change" | "") => note.title.clone(),
        (_, kind) => format!("{}: {}", kind.replace('_', " "), note.title),
    };
    Known {
        kind,
        row: RowId::observation(note.id),
        text,
        created_at_epoch: note.created_at_epoch,
        session: note.session.clone(),
    }
}

fn refused(row: &TurnRow, path: &str) -> Option<Known> {
    let names_it = |what: &str| what.split(' ').any(|word| is_same_path(word, path));
    let refusal = row.turn.evidence.refusals.iter().find(|refusal| names_it(&refusal.what))?;
    let text = match refusal.words.trim() {
        "" => format!("The user refused a change of this file{}.", in_turn(row)),
        words => format!("The user refused a change of this file and said: “{words}”"),
    };
    Some(Known::of_turn(KnownKind::Refused, row, text))
}

/// Whether the path of a refused use, which may be absolute, is this one.
fn is_same_path(word: &str, path: &str) -> bool {
    word.strip_suffix(path).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

fn put_back(row: &TurnRow, path: &str) -> Option<Known> {
    let is_back = row.turn.evidence.put_back.iter().any(|back| back == path);
    let text = || format!("An earlier change of this file was taken back{}.", in_turn(row));
    is_back.then(|| Known::of_turn(KnownKind::Undone, row, text()))
}

fn change<'a>(row: &'a TurnRow, path: &str) -> Option<&'a FileChange> {
    row.turn.evidence.files.iter().find(|file| file.path == path)
}

/// A check that failed last in the turn of the last change: rather after it than before it.
fn failing(row: &TurnRow, file: &FileChange) -> Option<Known> {
    // Events have increasing ids.
    let is_after = |check: &CheckRun| match (check.sources.last(), file.sources.last()) {
        (Some(check), Some(change)) => check >= change,
        _ => !check.edited_since,
    };
    let failures = || row.turn.evidence.open_failures();
    let after = failures().find(|check| is_after(check));
    let check = after.or_else(|| failures().next())?;
    let when = match after {
        Some(_) => "failed after the last change",
        None => "failed before the last change, and was not run again",
    };
    let tests = safe_names(&check.failing);
    let names = if tests.is_empty() { String::new() } else { format!(": {}", listed(&tests, 0)) };
    let text = format!("`{}` {when}{}{names}", check.key, in_turn(row));
    Some(Known::of_turn(KnownKind::Failing, row, text))
}

fn changed(row: &TurnRow, file: &FileChange) -> Known {
    let how = match (file.change, &file.from) {
        (Change::Created, None) => "Created".to_owned(),
        (Change::Removed, _) => "Removed".to_owned(),
        (Change::Created | Change::Moved, Some(from)) => format!("Moved here from `{from}`"),
        _ => "Last changed".to_owned(),
    };
    let title = title(row);
    let commit = row.turn.evidence.commits.last();
    let commit = commit.map_or_else(String::new, |commit| format!(", commit {}", commit.hash));
    let title = if title.is_empty() { String::new() } else { format!(": {title}") };
    Known::of_turn(KnownKind::Changed, row, format!("{how}{commit}{title}"))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
