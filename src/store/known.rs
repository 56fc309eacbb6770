//! Reads what is known of a file, an error or a command: turns and observations by their names in the index,
//! and, for commands of the user, all turns whose data name it.
//!
//! A turn of another project that changed files of this one names them as its own session does. Here it has
//! their names in this project, and only these files.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row};

use super::observations::list;
use super::summaries::turn;
use super::words::{RowId, RowKind};
use super::{projects, told};
use crate::memory::{Origin, Turn};
use crate::project::{named_by, seen_from};

/// A turn with what a person needs to find it again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnRow {
    /// Id of the summary: `s37`.
    pub id: i64,
    pub project_id: Option<i64>,
    pub session_id: Option<i64>,
    /// The client's id of the session.
    pub session: Option<String>,
    pub prompt_number: i64,
    pub title: String,
    pub request: String,
    /// What was done, in a row without a turn.
    pub completed: String,
    pub files_modified: Vec<String>,
    /// Empty in rows of older releases and of imports.
    pub turn: Turn,
    pub created_at_epoch: i64,
}

/// An observation of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileNote {
    pub id: i64,
    pub project_id: Option<i64>,
    pub session_id: Option<i64>,
    pub session: Option<String>,
    pub prompt_number: i64,
    pub kind: String,
    pub origin: Origin,
    pub title: String,
    pub is_pinned: bool,
    /// Paths of the files that the session changed, and that it only read.
    pub files_modified: Vec<String>,
    pub files_read: Vec<String>,
    pub created_at_epoch: i64,
}

/// Which turns to visit.
#[derive(Clone, Copy, Debug)]
pub struct Turns<'a> {
    /// `None`: those of all projects.
    pub project_id: Option<i64>,
    /// The turn's data or its list of files contains one of these texts. Empty: all turns.
    pub naming: &'a [String],
}

/// Visits turns, newest first, until `visit` breaks. Hidden and private ones are left out.
pub fn visit_turns(
    conn: &Connection,
    turns: Turns,
    mut visit: impl FnMut(TurnRow) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let naming = serde_json::to_string(turns.naming).expect("texts serialize to JSON");
    let mut told = match turns.project_id {
        Some(project) => told_here(conn, project, turns)?,
        None => Vec::new(),
    };
    let mut statement = conn.prepare_cached(&all_sql(turns.project_id.is_some()))?;
    let mut rows = statement.query((turns.project_id, naming))?;
    while let Some(row) = rows.next()? {
        let row = from_row(row)?;
        for newer in told.extract_if(.., |other| other.id > row.id) {
            if visit(newer).is_break() {
                return Ok(());
            }
        }
        if visit(row).is_break() {
            return Ok(());
        }
    }
    for row in told {
        if visit(row).is_break() {
            break;
        }
    }
    Ok(())
}

/// The turns of other projects that are told in this one, newest first. Their names of files are other
/// ones, so only the last part of `naming` is looked for.
fn told_here(conn: &Connection, project: i64, turns: Turns) -> rusqlite::Result<Vec<TurnRow>> {
    let last = |name: &String| name.trim_matches('"').rsplit('/').next().map(str::to_owned);
    let naming: Vec<String> = turns.naming.iter().filter_map(last).collect();
    let naming = serde_json::to_string(&naming).expect("texts serialize to JSON");
    let mut statement = conn.prepare_cached(&told_sql())?;
    let rows = statement.query_map((project, naming), |row| {
        Ok((from_row(row)?, row.get::<_, Option<String>>(11)?.unwrap_or_default()))
    })?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let dirs = projects::work_trees(conn, project)?;
    Ok(rows.into_iter().map(|(row, root)| renamed(row, &dirs, Path::new(&root))).collect())
}

/// The turn with the names that its files have in these directories, without its other files.
fn renamed(mut row: TurnRow, dirs: &[PathBuf], session_root: &Path) -> TurnRow {
    let seen = |path: &String| dirs.iter().find_map(|dir| seen_from(dir, session_root, path));
    row.files_modified = row.files_modified.iter().filter_map(seen).collect();
    let evidence = &mut row.turn.evidence;
    evidence.put_back = evidence.put_back.iter().filter_map(seen).collect();
    evidence.files.retain_mut(|file| {
        let Some(path) = seen(&file.path) else { return false };
        file.path = path;
        file.from = file.from.as_ref().map(|from| seen(from).unwrap_or_else(|| from.clone()));
        true
    });
    row
}

/// The project's turns after the one with this id, oldest first.
pub fn turns_after(
    conn: &Connection,
    project_id: i64,
    id: i64,
    limit: usize,
) -> rusqlite::Result<Vec<TurnRow>> {
    conn.prepare_cached(&after_sql())?
        .query_map((project_id, id, limit as i64), from_row)?
        .collect()
}

/// The turns among these rows, in their order. Hidden and private ones are left out.
pub fn turns(conn: &Connection, rows: &[RowId]) -> rusqlite::Result<Vec<TurnRow>> {
    let mut one = conn.prepare_cached(&one_sql())?;
    let rows = rows.iter().filter(|row| row.kind == RowKind::Summary);
    let found = rows.map(|row| one.query_row([row.id], from_row).optional());
    found.filter_map(Result::transpose).collect()
}

/// As [`turns`], with the names that files have in this project.
pub fn turns_here(
    conn: &Connection,
    project: i64,
    rows: &[RowId],
) -> rusqlite::Result<Vec<TurnRow>> {
    let mut found = turns(conn, rows)?;
    if found.iter().any(|row| row.project_id != Some(project)) {
        let dirs = projects::work_trees(conn, project)?;
        for row in found.iter_mut().filter(|row| row.project_id != Some(project)) {
            let mut root = conn.prepare_cached("SELECT root FROM sessions WHERE id = ?1")?;
            let root: Option<Option<String>> =
                root.query_row([row.session_id], |r| r.get(0)).optional()?;
            let root = root.flatten().unwrap_or_default();
            *row = renamed(std::mem::take(row), &dirs, Path::new(&root));
        }
    }
    Ok(found)
}

/// How sessions of other projects, of which turns are told in this one, name these files.
pub fn names_elsewhere(
    conn: &Connection,
    project_id: i64,
    paths: &[&str],
) -> rusqlite::Result<Vec<String>> {
    let mut roots = conn.prepare_cached(
        "SELECT DISTINCT s.root FROM turn_projects t JOIN sessions s ON s.id = t.session_id
         WHERE t.project_id = ?1 AND s.root NOTNULL LIMIT 20",
    )?;
    let roots = roots.query_map([project_id], |row| row.get(0))?;
    let roots = roots.collect::<rusqlite::Result<Vec<String>>>()?;
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    let dirs = projects::work_trees(conn, project_id)?;
    let mut names = Vec::new();
    for root in &roots {
        let in_dir = |dir: &PathBuf| {
            paths.iter().map(|path| named_by(Path::new(root), dir, path)).collect::<Vec<_>>()
        };
        names.extend(dirs.iter().flat_map(in_dir));
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// The observations among these rows, in their order, without those that no session gets. `now` is in
/// milliseconds.
pub fn notes(conn: &Connection, rows: &[RowId], now: i64) -> rusqlite::Result<Vec<FileNote>> {
    let mut one = conn.prepare_cached(NOTE)?;
    let rows = rows.iter().filter(|row| row.kind == RowKind::Observation);
    let found = rows.map(|row| one.query_row((row.id, now), note).optional());
    found.filter_map(Result::transpose).collect()
}

fn all_sql(of_project: bool) -> String {
    let project = if of_project { "t.project_id = ?1" } else { "?1 IS NULL" };
    format!(
        "SELECT {COLUMNS} FROM session_summaries AS t LEFT JOIN sessions AS s ON s.id = t.session_id
         WHERE {project} AND {VISIBLE} AND {NAMING} ORDER BY t.id DESC"
    )
}

/// `?2` has the texts.
const NAMING: &str = "(?2 = '[]' OR EXISTS (SELECT 1 FROM json_each(?2) AS n
    WHERE instr(t.turn, n.value) OR instr(t.files_modified, n.value)))";

fn told_sql() -> String {
    format!(
        "SELECT {COLUMNS}, s.root FROM session_summaries AS t
         JOIN sessions AS s ON s.id = t.session_id
         WHERE t.project_id IS NOT ?1 AND {} AND {VISIBLE} AND {NAMING} ORDER BY t.id DESC",
        told::turn_in("?1", "t.")
    )
}

fn one_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM session_summaries AS t LEFT JOIN sessions AS s ON s.id = t.session_id
         WHERE t.id = ?1 AND {VISIBLE}"
    )
}

fn after_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM session_summaries AS t LEFT JOIN sessions AS s ON s.id = t.session_id
         WHERE t.project_id = ?1 AND t.id > ?2 AND {VISIBLE} ORDER BY t.id LIMIT ?3"
    )
}

/// Without hidden turns and the placeholders of private ones ([`crate::memory::PRIVATE`]).
const VISIBLE: &str = "NOT t.hidden AND t.request <> '[private]'";

const COLUMNS: &str = "t.id, t.project_id, t.session_id, s.content_session_id, t.prompt_number,
    t.title, t.request, t.completed, t.files_modified, t.turn, t.created_at_epoch";

fn from_row(row: &Row) -> rusqlite::Result<TurnRow> {
    Ok(TurnRow {
        id: row.get(0)?,
        project_id: row.get(1)?,
        session_id: row.get(2)?,
        session: row.get(3)?,
        prompt_number: row.get(4)?,
        title: row.get(5)?,
        request: row.get(6)?,
        completed: row.get(7)?,
        files_modified: list(row, 8)?,
        turn: turn(row, 9)?.unwrap_or_default(),
        created_at_epoch: row.get(10)?,
    })
}

/// What a session may get. `?2` is the time.
const NOTE: &str =
    "SELECT o.id, o.project_id, o.session_id, s.content_session_id, o.prompt_number, o.type,
    o.origin, o.title, o.pinned, o.files_modified, o.files_read, o.created_at_epoch
  FROM observations AS o LEFT JOIN sessions AS s ON s.id = o.session_id
  WHERE o.id = ?1 AND o.origin <> 'web' AND NOT o.quarantined AND o.superseded_by IS NULL
    AND (o.expires_at_epoch IS NULL OR o.expires_at_epoch > ?2)";

fn note(row: &Row) -> rusqlite::Result<FileNote> {
    let origin: String = row.get(6)?;
    Ok(FileNote {
        id: row.get(0)?,
        project_id: row.get(1)?,
        session_id: row.get(2)?,
        session: row.get(3)?,
        prompt_number: row.get(4)?,
        kind: row.get(5)?,
        // An unknown origin counts as the least trusted one.
        origin: Origin::parse(&origin).unwrap_or(Origin::Web),
        title: row.get(7)?,
        is_pinned: row.get(8)?,
        files_modified: list(row, 9)?,
        files_read: list(row, 10)?,
        created_at_epoch: row.get(11)?,
    })
}
