//! Reads what is known of a file, an error or a command: turns whose data name it, and observations
//! of a file.
//!
//! A turn of another project that changed files of this one names them as its own session does. Here it has
//! their names in this project, and only these files.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row};

use super::observations::list;
use super::summaries::turn;
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
    pub session_id: Option<i64>,
    pub session: Option<String>,
    pub prompt_number: i64,
    pub kind: String,
    pub origin: Origin,
    pub title: String,
    pub is_pinned: bool,
    /// The session changed the file.
    pub modified: bool,
    /// Number of files that the observation names.
    pub files: usize,
    pub created_at_epoch: i64,
}

/// Which turns to visit.
#[derive(Clone, Copy, Debug)]
pub struct Turns<'a> {
    /// `None`: those of all projects.
    pub project_id: Option<i64>,
    /// The turn's data or its list of files contains one of these texts. Empty: all turns.
    pub naming: &'a [String],
    /// How many of the newest turns are examined.
    pub examined: usize,
}

/// Visits turns, newest first, until `visit` breaks. Hidden and private ones are left out.
pub fn visit_turns(
    conn: &Connection,
    turns: Turns,
    mut visit: impl FnMut(TurnRow) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let examined = i64::try_from(turns.examined).unwrap_or(i64::MAX);
    let naming = serde_json::to_string(turns.naming).expect("texts serialize to JSON");
    let mut told = match turns.project_id {
        Some(project) => told_here(conn, project, turns)?,
        None => Vec::new(),
    };
    let mut statement = conn.prepare_cached(&newest_sql(turns.project_id.is_some()))?;
    let mut rows = statement.query((turns.project_id, examined, naming))?;
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

/// The newest turns of other projects that are told in this one, newest first. Their names of files are other
/// ones, so only the last part of `naming` is looked for.
fn told_here(conn: &Connection, project: i64, turns: Turns) -> rusqlite::Result<Vec<TurnRow>> {
    let limit = i64::try_from(turns.examined).unwrap_or(i64::MAX);
    let last = |name: &String| name.trim_matches('"').rsplit('/').next().map(str::to_owned);
    let naming: Vec<String> = turns.naming.iter().filter_map(last).collect();
    let naming = serde_json::to_string(&naming).expect("texts serialize to JSON");
    let mut statement = conn.prepare_cached(&told_sql())?;
    let rows = statement.query_map((project, limit, naming), |row| {
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

/// Observations that name one of these paths, newest first, without those that no session gets.
/// `now` is in milliseconds.
pub fn notes_of_file(
    conn: &Connection,
    project_id: i64,
    paths: &[String],
    now: i64,
    limit: usize,
) -> rusqlite::Result<Vec<FileNote>> {
    let read = |paths: &[String], sql: &str| -> rusqlite::Result<Vec<FileNote>> {
        let paths = serde_json::to_string(paths).expect("texts serialize to JSON");
        conn.prepare_cached(sql)?.query_map((paths, project_id, now, limit as i64), note)?.collect()
    };
    let mut notes = read(paths, &of_file_sql("o.project_id = ?2"))?;
    let elsewhere = names_elsewhere(conn, project_id, paths)?;
    if !elsewhere.is_empty() {
        let is_told = format!("o.project_id IS NOT ?2 AND {}", told::turn_in("?2", "o."));
        notes.extend(read(&elsewhere, &of_file_sql(&is_told))?);
        notes.sort_by_key(|note| std::cmp::Reverse(note.id));
        notes.truncate(limit);
    }
    Ok(notes)
}

/// How sessions of other projects, of which turns are told in this one, name these files.
fn names_elsewhere(
    conn: &Connection,
    project_id: i64,
    paths: &[String],
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

/// The user's own rules and decisions that contain a text, newest first. Of the newest 300.
pub fn notes_of_user(
    conn: &Connection,
    project_id: i64,
    text: &str,
    now: i64,
) -> rusqlite::Result<Vec<FileNote>> {
    conn.prepare_cached(&of_user_sql())?.query_map((project_id, text, now), note)?.collect()
}

/// The texts are compared after the newest rows are chosen, so that the time is bounded.
fn newest_sql(of_project: bool) -> String {
    let project = if of_project { "project_id = ?1" } else { "?1 IS NULL" };
    format!(
        "SELECT {COLUMNS} FROM
           (SELECT * FROM session_summaries WHERE {project} ORDER BY id DESC LIMIT ?2) AS t
         LEFT JOIN sessions AS s ON s.id = t.session_id
         WHERE {VISIBLE} AND {NAMING} ORDER BY t.id DESC"
    )
}

/// `?3` has the texts.
const NAMING: &str = "(?3 = '[]' OR EXISTS (SELECT 1 FROM json_each(?3) AS n
    WHERE instr(t.turn, n.value) OR instr(t.files_modified, n.value)))";

fn told_sql() -> String {
    format!(
        "SELECT {COLUMNS}, s.root FROM session_summaries AS t
         JOIN sessions AS s ON s.id = t.session_id
         WHERE t.project_id IS NOT ?1 AND {} AND {VISIBLE} AND {NAMING}
         ORDER BY t.id DESC LIMIT ?2",
        told::turn_in("?1", "t.")
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

fn of_file_sql(of_project: &str) -> String {
    format!(
        "SELECT {NOTE} FROM
           (SELECT observation_id, max(role = 'modified') AS modified FROM observation_files
            WHERE path IN (SELECT value FROM json_each(?1)) GROUP BY observation_id) AS f
         JOIN observations AS o ON o.id = f.observation_id
         LEFT JOIN sessions AS s ON s.id = o.session_id
         WHERE {of_project} AND {TOLD} ORDER BY o.id DESC LIMIT ?4"
    )
}

fn of_user_sql() -> String {
    format!(
        "SELECT {} FROM
           (SELECT * FROM observations INDEXED BY observations_of_user
            WHERE project_id = ?1 AND origin = 'user' ORDER BY id DESC LIMIT 300) AS o
         LEFT JOIN sessions AS s ON s.id = o.session_id
         WHERE (instr(o.title, ?2) OR instr(o.narrative, ?2)) AND {TOLD} ORDER BY o.id DESC",
        NOTE.replace("f.modified", "0")
    )
}

/// What a session may get. `?3` is the time.
const TOLD: &str = "o.origin <> 'web' AND NOT o.quarantined AND o.superseded_by IS NULL
    AND (o.expires_at_epoch IS NULL OR o.expires_at_epoch > ?3)";

const NOTE: &str = "o.id, o.session_id, s.content_session_id, o.prompt_number, o.type, o.origin,
    o.title, o.pinned, f.modified, json_array_length(o.files_modified) +
    json_array_length(o.files_read), o.created_at_epoch";

fn note(row: &Row) -> rusqlite::Result<FileNote> {
    let origin: String = row.get(5)?;
    Ok(FileNote {
        id: row.get(0)?,
        session_id: row.get(1)?,
        session: row.get(2)?,
        prompt_number: row.get(3)?,
        kind: row.get(4)?,
        // An unknown origin counts as the least trusted one.
        origin: Origin::parse(&origin).unwrap_or(Origin::Web),
        title: row.get(6)?,
        is_pinned: row.get(7)?,
        modified: row.get(8)?,
        files: row.get::<_, i64>(9)?.try_into().unwrap_or_default(),
        created_at_epoch: row.get(10)?,
    })
}
