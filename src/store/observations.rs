//! Reads observations, and the headlines for a new session's context. `commit` writes them.
//!
//! "Newest" means the latest `created_at_epoch`, then the highest id. Ids grow in the order of commits, so
//! an imported session has higher ids than sessions that came after it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::marks::{self, Feedback, Marks};
use crate::memory::{Head, Observation, Origin};
use crate::project::seen_from;

/// One row of `observations`. Times are milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservationRow {
    pub id: i64,
    pub uuid: String,
    pub external_id: Option<String>,
    pub session_id: Option<i64>,
    pub project_id: Option<i64>,
    /// `project`, `user`, later `team`.
    pub scope: String,
    /// `sources` and `replaces` are empty: the table `observation_sources` holds the sources, and
    /// the superseded row holds the uuid of its successor.
    pub observation: Observation,
    /// A JSON object.
    pub metadata: String,
    pub backend: String,
    pub tokens: i64,
    pub marks: Marks,
    /// The user has changed its text.
    pub edited: bool,
    pub weight: f64,
    /// The uuid of the observation that superseded it.
    pub superseded_by: Option<String>,
    pub expires_at_epoch: Option<i64>,
    pub created_at_epoch: i64,
    pub changed_at_epoch: i64,
    /// HEAD of the work tree when the row was stored. `None` in rows of older releases.
    pub branch: Option<String>,
    pub head: Option<String>,
}

/// The columns that a list of observations needs, without long texts, so that hundreds can be read
/// quickly.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headline {
    pub id: i64,
    pub session_id: Option<i64>,
    pub project_id: Option<i64>,
    pub scope: String,
    pub origin: Origin,
    pub kind: String,
    pub title: String,
    /// The narrative, if the observation has origin `user`. Others may quote tools.
    pub text: Option<String>,
    pub concepts: Vec<String>,
    pub files_read: Vec<String>,
    pub files_modified: Vec<String>,
    pub pinned: bool,
    pub feedback: Option<Feedback>,
    pub weight: f64,
    /// HEAD when the observation was stored.
    pub head: Option<Head>,
    pub expires_at_epoch: Option<i64>,
    pub created_at_epoch: i64,
    pub changed_at_epoch: i64,
}

impl Headline {
    /// Whether the title is of a turn and says what was asked or changed, which the turn's result completes. A
    /// decision and the user's words are told as they are.
    pub fn has_result(&self) -> bool {
        self.session_id.is_some() && self.kind != "decision" && self.origin != Origin::User
    }

    /// Whether the user saved it on purpose: it is in the user's words and belongs to no session.
    pub fn is_note(&self) -> bool {
        self.origin == Origin::User && self.session_id.is_none()
    }
}

/// Parses a short name like `o412` or `412`.
pub fn parse_id(name: &str) -> Option<i64> {
    let digits = name.strip_prefix('o').unwrap_or(name);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Finds an observation by its short name (`o412`, `412`) or uuid.
pub fn by_name(conn: &Connection, name: &str) -> rusqlite::Result<Option<ObservationRow>> {
    match parse_id(name) {
        Some(id) => by_id(conn, id),
        None => {
            conn.prepare_cached(&select("WHERE uuid = ?1"))?.query_row([name], from_row).optional()
        }
    }
}

pub fn by_id(conn: &Connection, id: i64) -> rusqlite::Result<Option<ObservationRow>> {
    conn.prepare_cached(&select("WHERE id = ?1"))?.query_row([id], from_row).optional()
}

/// Observations of a session, newest first.
pub fn of_session(
    conn: &Connection,
    session_id: i64,
    limit: usize,
) -> rusqlite::Result<Vec<ObservationRow>> {
    let tail = "WHERE session_id = ?1 ORDER BY prompt_number DESC, id DESC LIMIT ?2";
    rows(conn, tail, (session_id, limit as i64))
}

/// Observations of a project that belong to no session, newest first.
pub fn without_session(
    conn: &Connection,
    project_id: i64,
    limit: usize,
) -> rusqlite::Result<Vec<ObservationRow>> {
    let tail = "WHERE project_id = ?1 AND session_id IS NULL
       ORDER BY created_at_epoch DESC, id DESC LIMIT ?2";
    rows(conn, tail, (project_id, limit as i64))
}

/// The project's newest headlines for a context, newest first.
pub fn newest_for_context(
    conn: &Connection,
    project_id: i64,
    excluded_sessions: &[i64],
    limit: usize,
) -> rusqlite::Result<Vec<Headline>> {
    headlines(conn, &context_sql(NEWEST), (json(excluded_sessions), limit as i64, project_id))
}

/// The project's newest pinned headlines for a context.
pub fn pinned_for_context(
    conn: &Connection,
    project_id: i64,
    excluded_sessions: &[i64],
    limit: usize,
) -> rusqlite::Result<Vec<Headline>> {
    headlines(conn, &context_sql(PINNED), (json(excluded_sessions), limit as i64, project_id))
}

/// The newest headlines of scope `user` for a context, from all projects.
pub fn user_for_context(
    conn: &Connection,
    excluded_sessions: &[i64],
    limit: usize,
) -> rusqlite::Result<Vec<Headline>> {
    headlines(conn, &context_sql(USER), (json(excluded_sessions), limit as i64))
}

/// The project's newest headlines of origin `user` for a context.
pub fn said_by_user_for_context(
    conn: &Connection,
    project_id: i64,
    excluded_sessions: &[i64],
    limit: usize,
) -> rusqlite::Result<Vec<Headline>> {
    headlines(conn, &context_sql(OF_USER), (json(excluded_sessions), limit as i64, project_id))
}

/// Ids of the newest observations of all projects that mention one of these paths: at most 40 per
/// path, of the 200 with the highest ids. The newest come first.
pub fn mentioning(conn: &Connection, paths: &[&str]) -> rusqlite::Result<Vec<i64>> {
    const PER_PATH: usize = 40;
    let mut statement = conn.prepare_cached(MENTIONING)?;
    let mut found = BTreeSet::new();
    for path in paths {
        let rows = statement.query_map([path], |row| Ok((row.get(1)?, row.get(0)?)))?;
        let mut of_path: Vec<(i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
        of_path.sort_unstable();
        found.extend(of_path.into_iter().rev().take(PER_PATH));
    }
    Ok(found.into_iter().rev().map(|(_, id)| id).collect())
}

/// The observations of `ids` that belong to the project, as headlines for a context, newest first.
pub fn for_context_among(
    conn: &Connection,
    project_id: i64,
    ids: &[i64],
    excluded_sessions: &[i64],
    limit: usize,
) -> rusqlite::Result<Vec<Headline>> {
    headlines(
        conn,
        &context_sql(AMONG),
        (json(excluded_sessions), limit as i64, project_id, json(ids)),
    )
}

/// The hashes of the files that these observations speak of: id, path and hash, in this order. A file that
/// was read and modified is listed once. `root`: the work tree in which the paths are names, also those of
/// sessions that began in another directory.
pub fn blobs(
    conn: &Connection,
    ids: &[i64],
    root: &Path,
) -> rusqlite::Result<Vec<(i64, String, String)>> {
    conn.prepare_cached(
        "SELECT f.observation_id, f.path, max(f.blob), s.root FROM observation_files AS f
         JOIN observations AS o ON o.id = f.observation_id
         LEFT JOIN sessions AS s ON s.id = o.session_id
         WHERE f.observation_id IN (SELECT value FROM json_each(?1)) AND f.blob NOTNULL
         GROUP BY f.observation_id, f.path ORDER BY f.observation_id, f.path",
    )?
    .query_map([json(ids)], |row| {
        let (path, session_root): (String, Option<String>) = (row.get(1)?, row.get(3)?);
        let seen = session_root.and_then(|own| seen_from(root, Path::new(&own), &path));
        Ok((row.get(0)?, seen.unwrap_or(path), row.get(2)?))
    })?
    .collect()
}

/// The last hashes of files that a session modified, by path.
pub fn blobs_of_session(
    conn: &Connection,
    session_id: i64,
    paths: &[&str],
) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut rows = conn.prepare_cached(BLOBS_OF_SESSION)?;
    let paths = serde_json::to_string(paths).expect("texts serialize to JSON");
    let rows = rows.query_map((session_id, paths), |row| Ok((row.get(0)?, row.get(1)?)))?;
    // A later row takes the place of an earlier one.
    rows.collect()
}

/// The headline of one observation, if a context may contain it.
pub fn headline(conn: &Connection, id: i64) -> rusqlite::Result<Option<Headline>> {
    Ok(headlines(conn, &context_sql(ONE), ("[]", 1, id))?.pop())
}

/// At most 300 of the paths that the project's newest 200 observations mention, sorted.
pub fn recent_paths(conn: &Connection, project_id: i64) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare_cached(RECENT_PATHS)?;
    let mut paths = BTreeSet::new();
    for path in statement.query_map([project_id], |row| row.get::<_, String>(0))? {
        paths.insert(path?);
        if paths.len() == 300 {
            break;
        }
    }
    Ok(paths.into_iter().collect())
}

/// The sessions of the project with the newest observations of a branch, newest first. A main branch has
/// none: its sessions are the project's.
pub fn sessions_of_branch(
    conn: &Connection,
    project_id: i64,
    branch: &str,
    limit: usize,
) -> rusqlite::Result<Vec<i64>> {
    let mut statement = conn.prepare_cached(SESSIONS_OF_BRANCH)?;
    let mut sessions = Vec::new();
    for session in statement.query_map((project_id, branch), |row| row.get(0))? {
        let session = session?;
        if sessions.len() < limit && !sessions.contains(&session) {
            sessions.push(session);
        }
    }
    Ok(sessions)
}

/// The types of the newest 2,000 observations, sorted.
pub fn types(conn: &Connection) -> super::Result<Vec<String>> {
    let sql = "SELECT DISTINCT type FROM
        (SELECT type FROM observations ORDER BY id DESC LIMIT 2000) ORDER BY type";
    let mut rows = conn.prepare(sql)?;
    let rows = rows.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The branches of the project's newest 2,000 observations, sorted.
pub fn branches(conn: &Connection, project_id: i64) -> super::Result<Vec<String>> {
    let sql = "SELECT DISTINCT branch FROM
        (SELECT branch FROM observations WHERE project_id = ?1 ORDER BY id DESC LIMIT 2000)
        WHERE branch <> '' ORDER BY branch";
    let mut rows = conn.prepare(sql)?;
    let rows = rows.query_map([project_id], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

// The `WHERE` clauses of the headline queries. Each walks one index from its newest end and stops
// at the limit.
const NEWEST: &str = "INDEXED BY observations_newest WHERE project_id = ?3";
/// The newest rows that an older release stored, before texts were checked for instructions to the
/// model.
#[derive(Clone, Copy, Debug)]
pub struct Unscreened {
    pub observation_id: i64,
    pub summary_id: i64,
}

pub fn unscreened(conn: &Connection) -> rusqlite::Result<Unscreened> {
    let mut query = conn.prepare("SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?1")?;
    let mut newest = |key| -> rusqlite::Result<i64> {
        let id = query.query_row([key], |row| row.get(0)).optional()?;
        // Without the entry, every row is checked.
        Ok(id.unwrap_or(i64::MAX))
    };
    Ok(Unscreened {
        observation_id: newest("unscreened_observation")?,
        summary_id: newest("unscreened_summary")?,
    })
}

const ONE: &str = "WHERE id = ?3";
const PINNED: &str = "INDEXED BY observations_newest_pinned WHERE project_id = ?3 AND pinned";
const OF_USER: &str =
    "INDEXED BY observations_newest_of_user WHERE project_id = ?3 AND origin = 'user'";
const USER: &str = "INDEXED BY observations_newest_user WHERE scope = 'user'";
const AMONG: &str = "WHERE +project_id = ?3 AND id IN (SELECT value FROM json_each(?4))";

const MENTIONING: &str = "SELECT f.observation_id, o.created_at_epoch FROM observation_files AS f
    CROSS JOIN observations AS o ON o.id = f.observation_id WHERE f.path = ?1
    ORDER BY f.observation_id DESC LIMIT 200";
const BLOBS_OF_SESSION: &str = "SELECT f.path, f.blob FROM observations AS o
    CROSS JOIN json_each(?2) AS wanted
    CROSS JOIN observation_files AS f
      ON f.observation_id = o.id AND f.path = wanted.value AND f.role = 'modified'
    WHERE o.session_id = ?1 AND f.blob NOTNULL ORDER BY o.prompt_number, o.id";
const SESSIONS_OF_BRANCH: &str = "SELECT session_id FROM observations
    INDEXED BY observations_newest_of_branch
    WHERE project_id = ?1 AND branch = ?2 AND branch NOT IN ('', 'main', 'master')
      AND session_id NOTNULL
    ORDER BY created_at_epoch DESC, id DESC LIMIT 300";
const RECENT_PATHS: &str = "SELECT f.path FROM
    (SELECT id FROM observations INDEXED BY observations_newest WHERE project_id = ?1
     ORDER BY created_at_epoch DESC, id DESC LIMIT 200) AS o
    CROSS JOIN observation_files AS f ON f.observation_id = o.id";

/// The query for headlines of a context, from the rows that `source` selects. It leaves out
/// observations of origin `web`, quarantined, superseded, hidden and wrong ones, and those of the sessions
/// in `?1` (a JSON array).
fn context_sql(source: &str) -> String {
    format!(
        "SELECT id, session_id, project_id, scope, origin, type, title,
           CASE WHEN origin = 'user' THEN narrative END,
           concepts, files_read, files_modified, weight, expires_at_epoch,
           created_at_epoch, changed_at_epoch, branch, head, pinned, hidden, feedback
         FROM observations {source}
           AND origin <> 'web' AND NOT quarantined AND superseded_by IS NULL
           AND NOT hidden AND feedback IS NOT 'wrong'
           AND (session_id IS NULL OR session_id NOT IN (SELECT value FROM json_each(?1)))
         ORDER BY created_at_epoch DESC, id DESC LIMIT ?2"
    )
}

fn headlines<P: Params>(
    conn: &Connection,
    sql: &str,
    params: P,
) -> rusqlite::Result<Vec<Headline>> {
    conn.prepare_cached(sql)?
        .query_map(params, |row| {
            Ok(Headline {
                id: row.get(0)?,
                session_id: row.get(1)?,
                project_id: row.get(2)?,
                scope: row.get(3)?,
                origin: origin(row, 4)?,
                kind: row.get(5)?,
                title: row.get(6)?,
                text: row.get(7)?,
                concepts: list(row, 8)?,
                files_read: list(row, 9)?,
                files_modified: list(row, 10)?,
                weight: row.get(11)?,
                expires_at_epoch: row.get(12)?,
                created_at_epoch: row.get(13)?,
                changed_at_epoch: row.get(14)?,
                head: head(row, 15)?,
                pinned: row.get(17)?,
                feedback: marks::read(row, 17)?.feedback,
            })
        })?
        .collect()
}

const EDITED: &str = "EXISTS (SELECT 1 FROM revisions WHERE observation_id = observations.id)";

fn select(tail: &str) -> String {
    format!(
        "SELECT id, uuid, external_id, session_id, project_id, scope, origin, prompt_number,
           agent_id, agent_type, type, title, subtitle, narrative, facts, concepts, files_read,
           files_modified, metadata, backend, tokens, weight, superseded_by,
           expires_at_epoch, created_at_epoch, changed_at_epoch, quarantined, names,
           branch, head, pinned, hidden, feedback, {EDITED} FROM observations {tail}"
    )
}

fn rows<P: Params>(
    conn: &Connection,
    tail: &str,
    params: P,
) -> rusqlite::Result<Vec<ObservationRow>> {
    conn.prepare_cached(&select(tail))?.query_map(params, from_row)?.collect()
}

fn from_row(row: &Row) -> rusqlite::Result<ObservationRow> {
    Ok(ObservationRow {
        id: row.get(0)?,
        uuid: row.get(1)?,
        external_id: row.get(2)?,
        session_id: row.get(3)?,
        project_id: row.get(4)?,
        scope: row.get(5)?,
        observation: Observation {
            origin: origin(row, 6)?,
            prompt_number: row.get(7)?,
            agent_id: row.get(8)?,
            agent_type: row.get(9)?,
            kind: row.get(10)?,
            title: row.get(11)?,
            subtitle: row.get(12)?,
            narrative: row.get(13)?,
            facts: list(row, 14)?,
            concepts: list(row, 15)?,
            files_read: list(row, 16)?,
            files_modified: list(row, 17)?,
            names: list(row, 27)?,
            quarantined: row.get(26)?,
            sources: Vec::new(),
            replaces: Vec::new(),
        },
        metadata: row.get(18)?,
        backend: row.get(19)?,
        tokens: row.get(20)?,
        weight: row.get(21)?,
        superseded_by: row.get(22)?,
        expires_at_epoch: row.get(23)?,
        created_at_epoch: row.get(24)?,
        changed_at_epoch: row.get(25)?,
        branch: row.get(28)?,
        head: row.get(29)?,
        marks: marks::read(row, 30)?,
        edited: row.get(33)?,
    })
}

/// Reads HEAD from two columns: branch and commit.
fn head(row: &Row, column: usize) -> rusqlite::Result<Option<Head>> {
    let branch: Option<String> = row.get(column)?;
    let commit: Option<String> = row.get(column + 1)?;
    let (branch, commit) = (branch.unwrap_or_default(), commit.unwrap_or_default());
    Ok((!branch.is_empty() || !commit.is_empty()).then_some(Head { branch, commit }))
}

/// An unknown origin counts as the least trusted one.
fn origin(row: &Row, column: usize) -> rusqlite::Result<Origin> {
    let word: String = row.get(column)?;
    Ok(Origin::parse(&word).unwrap_or(Origin::Web))
}

/// Reads a JSON array of strings. Invalid JSON counts as an empty list, because one damaged row
/// must not hide all others.
pub(super) fn list(row: &Row, column: usize) -> rusqlite::Result<Vec<String>> {
    match row.get_ref(column)?.as_bytes()? {
        // Most lists are empty.
        b"[]" => Ok(Vec::new()),
        text => Ok(serde_json::from_slice(text).unwrap_or_default()),
    }
}

/// Ids as a JSON array, for `json_each`.
pub(super) fn json(ids: &[i64]) -> String {
    serde_json::to_string(ids).expect("integers serialize to JSON")
}

#[cfg(test)]
#[path = "observations_tests.rs"]
mod tests;
