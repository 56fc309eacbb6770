//! Reading observations: by name, by project, session and turn, and the headlines that a new
//! session may be told. Writing them is the business of whoever commits a batch.
//!
//! "Newest" is the highest id everywhere: ids are given in the order of commits, while stored times
//! follow whatever the clock said.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Params, Row};

use crate::memory::{Observation, Origin};

/// One row of `observations`, whole. Times are milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservationRow {
    pub id: i64,
    pub uuid: String,
    pub external_id: Option<String>,
    pub session_id: Option<i64>,
    pub project_id: Option<i64>,
    /// `project`, `user`, later `team`.
    pub scope: String,
    /// `sources` is empty here: which events it was made of stands in a table of its own.
    pub observation: Observation,
    /// A JSON object.
    pub metadata: String,
    pub backend: String,
    pub tokens: i64,
    pub pinned: bool,
    pub weight: f64,
    /// The uuid of the observation that took its place.
    pub superseded_by: Option<String>,
    pub expires_at_epoch: Option<i64>,
    pub created_at_epoch: i64,
    pub changed_at_epoch: i64,
}

/// What a list of observations needs, without the texts: cheap to read by the hundred.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headline {
    pub id: i64,
    pub session_id: Option<i64>,
    pub project_id: Option<i64>,
    pub scope: String,
    pub origin: Origin,
    pub kind: String,
    pub title: String,
    /// The narrative, only of what somebody wants remembered: pinned, said by the user, or of
    /// scope `user`.
    pub text: Option<String>,
    pub concepts: Vec<String>,
    pub files_read: Vec<String>,
    pub files_modified: Vec<String>,
    pub pinned: bool,
    pub weight: f64,
    pub expires_at_epoch: Option<i64>,
    pub created_at_epoch: i64,
    pub changed_at_epoch: i64,
}

/// The id behind `o412` or a bare `412`.
pub fn parse_id(name: &str) -> Option<i64> {
    let digits = name.strip_prefix('o').unwrap_or(name);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// The row that a person or a model calls `o412`, `412` or by its uuid.
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

/// Everything stored about a project, newest first, also what is superseded.
pub fn of_project(
    conn: &Connection,
    project_id: i64,
    limit: usize,
) -> rusqlite::Result<Vec<ObservationRow>> {
    rows(conn, "WHERE project_id = ?1 ORDER BY id DESC LIMIT ?2", (project_id, limit as i64))
}

/// What a session left behind, newest first.
pub fn of_session(
    conn: &Connection,
    session_id: i64,
    limit: usize,
) -> rusqlite::Result<Vec<ObservationRow>> {
    let tail = "WHERE session_id = ?1 ORDER BY prompt_number DESC, id DESC LIMIT ?2";
    rows(conn, tail, (session_id, limit as i64))
}

/// What one prompt of a session left behind, oldest first.
pub fn of_turn(
    conn: &Connection,
    session_id: i64,
    prompt_number: i64,
) -> rusqlite::Result<Vec<ObservationRow>> {
    let tail = "WHERE session_id = ?1 AND prompt_number = ?2 ORDER BY id";
    rows(conn, tail, (session_id, prompt_number))
}

/// When the newest of a project's observations last changed.
pub fn newest_epoch(conn: &Connection, project_id: i64) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached(
        "SELECT max(changed_at_epoch) FROM (SELECT changed_at_epoch FROM observations
         WHERE project_id = ?1 ORDER BY id DESC LIMIT 20)",
    )?
    .query_row([project_id], |row| row.get(0))
}

/// The project's newest headlines that may be told, newest first.
pub fn newest_tellable(
    conn: &Connection,
    project_id: i64,
    without: &[i64],
    limit: usize,
) -> rusqlite::Result<Vec<Headline>> {
    headlines(conn, &tellable(NEWEST), (json(without), limit as i64, project_id))
}

/// The project's newest pinned headlines that may be told.
pub fn pinned_tellable(
    conn: &Connection,
    project_id: i64,
    without: &[i64],
    limit: usize,
) -> rusqlite::Result<Vec<Headline>> {
    headlines(conn, &tellable(PINNED), (json(without), limit as i64, project_id))
}

/// The newest headlines of scope `user`, of whatever project, that may be told.
pub fn user_tellable(
    conn: &Connection,
    without: &[i64],
    limit: usize,
) -> rusqlite::Result<Vec<Headline>> {
    headlines(conn, &tellable(USER), (json(without), limit as i64))
}

/// The project's newest headlines about one file, by its path from the project's root, that may be
/// told. Looks at the newest 200 mentions of that path in any project.
pub fn tellable_about(
    conn: &Connection,
    project_id: i64,
    path: &str,
    without: &[i64],
    limit: usize,
) -> rusqlite::Result<Vec<Headline>> {
    headlines(conn, &tellable(ABOUT), (json(without), limit as i64, project_id, path))
}

/// The paths that the project's newest 200 observations name, sorted; at most 300.
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

// Where candidates come from. Each walks one index from its newest end and stops at the limit.
const NEWEST: &str = "WHERE project_id = ?3";
const PINNED: &str = "INDEXED BY observations_pinned WHERE project_id = ?3 AND pinned";
const USER: &str = "INDEXED BY observations_user WHERE scope = 'user'";
const ABOUT: &str = "WHERE +project_id = ?3 AND id IN (SELECT observation_id
    FROM observation_files WHERE path = ?4 ORDER BY observation_id DESC LIMIT 200)";

const RECENT_PATHS: &str = "SELECT f.path FROM
    (SELECT id FROM observations WHERE project_id = ?1 ORDER BY id DESC LIMIT 200) AS o
    CROSS JOIN observation_files AS f ON f.observation_id = o.id";

/// The one query behind everything told unasked, so that one place says what never is: what rests
/// on the web, what was superseded, and what the given sessions (a JSON array) made themselves.
fn tellable(source: &str) -> String {
    format!(
        "SELECT id, session_id, project_id, scope, origin, type, title,
           CASE WHEN pinned OR scope = 'user' OR origin = 'user' THEN narrative END,
           concepts, files_read, files_modified, pinned, weight, expires_at_epoch,
           created_at_epoch, changed_at_epoch
         FROM observations {source}
           AND origin <> 'web' AND superseded_by IS NULL
           AND (session_id IS NULL OR session_id NOT IN (SELECT value FROM json_each(?1)))
         ORDER BY id DESC LIMIT ?2"
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
                pinned: row.get(11)?,
                weight: row.get(12)?,
                expires_at_epoch: row.get(13)?,
                created_at_epoch: row.get(14)?,
                changed_at_epoch: row.get(15)?,
            })
        })?
        .collect()
}

fn select(tail: &str) -> String {
    format!(
        "SELECT id, uuid, external_id, session_id, project_id, scope, origin, prompt_number,
           agent_id, agent_type, type, title, subtitle, narrative, facts, concepts, files_read,
           files_modified, metadata, backend, tokens, pinned, weight, superseded_by,
           expires_at_epoch, created_at_epoch, changed_at_epoch FROM observations {tail}"
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
            sources: Vec::new(),
        },
        metadata: row.get(18)?,
        backend: row.get(19)?,
        tokens: row.get(20)?,
        pinned: row.get(21)?,
        weight: row.get(22)?,
        superseded_by: row.get(23)?,
        expires_at_epoch: row.get(24)?,
        created_at_epoch: row.get(25)?,
        changed_at_epoch: row.get(26)?,
    })
}

/// A word this version does not know counts as the least trusted.
fn origin(row: &Row, column: usize) -> rusqlite::Result<Origin> {
    let word: String = row.get(column)?;
    Ok(Origin::parse(&word).unwrap_or(Origin::Web))
}

/// A column that holds a JSON array of strings; anything else in it is an empty list, for one odd
/// row must not hide all others.
pub(super) fn list(row: &Row, column: usize) -> rusqlite::Result<Vec<String>> {
    let text: String = row.get(column)?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// Ids as the JSON array that the queries take.
pub(super) fn json(ids: &[i64]) -> String {
    serde_json::to_string(ids).expect("integers are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::summaries;

    fn open() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(include_str!("schema/001-tables.sql")).unwrap();
        conn.execute_batch(
            "INSERT INTO projects (id, name, root) VALUES (1, 'one', '/one'), (2, 'two', '/two');
             INSERT INTO sessions (id, uuid, client, content_session_id, started_at_epoch, last_event_epoch)
               VALUES (1, 'sa', 'c', 'a', 0, 0), (2, 'sb', 'c', 'b', 0, 0);",
        )
        .unwrap();
        conn
    }

    /// `columns` and `values` come on top of an unremarkable observation of project 1, session 1.
    fn add(conn: &Connection, id: i64, columns: &str, values: &str) {
        let mut all = vec![
            ("project_id", "1".to_owned()),
            ("session_id", "1".to_owned()),
            ("origin", "'tool'".to_owned()),
            ("narrative", "'told at length'".to_owned()),
        ];
        let given = columns.split(", ").zip(values.split(", ")).filter(|(c, _)| !c.is_empty());
        for (column, value) in given {
            all.retain(|(c, _)| *c != column);
            all.push((column, value.to_owned()));
        }
        let (columns, values): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        conn.execute_batch(&format!(
            "INSERT INTO observations (id, uuid, type, title, backend, content_hash,
               created_at_epoch, changed_at_epoch, {})
             VALUES ({id}, 'u{id}', 'change', 'title {id}', 'extractive', 'h{id}',
               {id}000, {id}000, {})",
            columns.join(", "),
            values.join(", ")
        ))
        .unwrap();
    }

    fn ids(headlines: Vec<Headline>) -> Vec<i64> {
        headlines.iter().map(|h| h.id).collect()
    }

    #[test]
    fn names_of_observations() {
        let check = |name, expected| assert_eq!(parse_id(name), expected, "{name}");
        check("o412", Some(412));
        check("412", Some(412));
        check("s412", None);
        check("o", None);
        check("", None);
        check("-4", None);
        check("o+4", None);
        check("99999999999999999999", None);
    }

    #[test]
    fn a_row_comes_back_whole() {
        let conn = open();
        add(
            &conn,
            7,
            "facts, files_modified, pinned, superseded_by",
            r#"'["f"]', '["src/a.rs"]', 1, 'u9'"#,
        );
        let row = by_name(&conn, "o7").unwrap().unwrap();
        assert_eq!(by_name(&conn, "u7").unwrap().unwrap(), row);
        assert_eq!(row.observation.title, "title 7");
        assert_eq!(row.observation.facts, ["f"]);
        assert_eq!(row.observation.files_modified, ["src/a.rs"]);
        assert_eq!(row.superseded_by.as_deref(), Some("u9"));
        assert!(row.pinned);
        assert_eq!(by_name(&conn, "o8").unwrap(), None);
    }

    #[test]
    fn odd_cells_hide_no_row() {
        let conn = open();
        add(&conn, 1, "files_read, origin", "'not json', 'oracle'");
        let row = by_id(&conn, 1).unwrap().unwrap();
        assert!(row.observation.files_read.is_empty());
        assert_eq!(row.observation.origin, Origin::Web);
    }

    #[test]
    fn by_project_session_and_turn() {
        let conn = open();
        add(&conn, 1, "prompt_number", "1");
        add(&conn, 2, "prompt_number", "2");
        add(&conn, 3, "prompt_number", "1");
        add(&conn, 4, "project_id, session_id", "2, 2");
        let ids = |rows: Vec<ObservationRow>| rows.iter().map(|r| r.id).collect::<Vec<_>>();
        assert_eq!(ids(of_project(&conn, 1, 2).unwrap()), [3, 2]);
        assert_eq!(ids(of_session(&conn, 1, 9).unwrap()), [2, 3, 1]);
        assert_eq!(ids(of_turn(&conn, 1, 1).unwrap()), [1, 3]);
        assert_eq!(newest_epoch(&conn, 2).unwrap(), Some(4000));
        assert_eq!(newest_epoch(&conn, 3).unwrap(), None);
    }

    #[test]
    fn what_may_be_told() {
        let conn = open();
        add(&conn, 1, "", "");
        add(&conn, 2, "origin", "'web'");
        add(&conn, 3, "superseded_by", "'u1'");
        add(&conn, 4, "session_id", "2");
        add(&conn, 5, "session_id, pinned", "NULL, 1");
        add(&conn, 6, "project_id, scope", "2, 'user'");
        add(&conn, 7, "project_id, scope, origin", "2, 'user', 'web'");
        add(&conn, 8, "pinned, origin", "1, 'web'");
        assert_eq!(ids(newest_tellable(&conn, 1, &[], 9).unwrap()), [5, 4, 1]);
        assert_eq!(ids(newest_tellable(&conn, 1, &[1], 9).unwrap()), [5, 4]);
        assert_eq!(ids(newest_tellable(&conn, 1, &[], 1).unwrap()), [5]);
        assert_eq!(ids(pinned_tellable(&conn, 1, &[], 9).unwrap()), [5]);
        assert_eq!(ids(user_tellable(&conn, &[], 9).unwrap()), [6]);
    }

    #[test]
    fn a_headline_carries_text_only_where_somebody_wants_it_remembered() {
        let conn = open();
        add(&conn, 1, "", "");
        add(&conn, 2, "pinned", "1");
        add(&conn, 3, "origin", "'user'");
        add(&conn, 4, "scope", "'user'");
        let texts: Vec<_> = newest_tellable(&conn, 1, &[], 9)
            .unwrap()
            .into_iter()
            .map(|h| h.text.is_some())
            .collect();
        assert_eq!(texts, [true, true, true, false]);
    }

    #[test]
    fn about_a_file() {
        let conn = open();
        for id in 1..=4 {
            add(&conn, id, "project_id", if id == 3 { "2" } else { "1" });
        }
        conn.execute_batch(
            "INSERT INTO observation_files (observation_id, path, role) VALUES
               (1, 'a.rs', 'read'), (1, 'a.rs', 'modified'), (2, 'b.rs', 'read'),
               (3, 'a.rs', 'read'), (4, 'a.rs', 'read')",
        )
        .unwrap();
        assert_eq!(ids(tellable_about(&conn, 1, "a.rs", &[], 9).unwrap()), [4, 1]);
        assert_eq!(ids(tellable_about(&conn, 1, "a.rs", &[], 1).unwrap()), [4]);
        assert_eq!(recent_paths(&conn, 1).unwrap(), ["a.rs", "b.rs"]);
        assert_eq!(recent_paths(&conn, 2).unwrap(), ["a.rs"]);
    }

    /// A session's start may not cost more because more is stored: every query walks an index from
    /// its newest end, none sorts and none reads a table through.
    #[test]
    fn queries_that_stay_cheap() {
        let conn = open();
        let check = |sql: &str, index: &str| {
            let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let empty = vec![rusqlite::types::Value::Null; plan.parameter_count()];
            let steps: Vec<String> = plan
                .query_map(rusqlite::params_from_iter(empty), |row| row.get(3))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap();
            let costly = |step: &&String| {
                let harmless = ["SCAN json_each VIRTUAL TABLE", "SCAN o"];
                (step.starts_with("SCAN") && !harmless.iter().any(|h| step.starts_with(h)))
                    || step.contains("TEMP B-TREE")
            };
            assert_eq!(steps.iter().find(costly), None, "{sql}\n{steps:#?}");
            assert!(steps.iter().any(|s| s.contains(index)), "{index}\n{steps:#?}");
        };
        check(&tellable(NEWEST), "observations_project (project_id=?)");
        check(&tellable(PINNED), "observations_pinned (project_id=?)");
        check(&tellable(USER), "json_each");
        check(&tellable(ABOUT), "observation_files_path (path=?)");
        check(RECENT_PATHS, "observations_project (project_id=?)");
        check(&summaries::tellable_sql(), "session_summaries_project (project_id=?)");
    }
}
