//! Lists of rows that a condition or a text without words selects: no index of words is asked.

use rusqlite::{Connection, params};

use super::row::{RowId, RowKind};
use crate::store::error::Result;
use crate::store::told;

/// At most `limit` rows of each kind, the newest first: of a project with those that hold in every
/// project, or of all projects.
pub fn newest(conn: &Connection, project: Option<i64>, limit: usize) -> Result<Vec<RowId>> {
    let mut found: Vec<(i64, RowId)> = Vec::new();
    for (kind, of_project, of_all) in NEWEST {
        let mut rows = conn.prepare_cached(if project.is_some() { of_project } else { of_all })?;
        let mut rows = rows.query(params![project, limit as i64])?;
        while let Some(row) = rows.next()? {
            found.push((row.get(1)?, RowId { kind, id: row.get(0)? }));
        }
    }
    if let Some(project) = project {
        for kind in RowKind::ALL {
            let mut rows = conn.prepare_cached(&told_sql(kind))?;
            let mut rows = rows.query([project, limit as i64])?;
            while let Some(row) = rows.next()? {
                found.push((row.get(1)?, RowId { kind, id: row.get(0)? }));
            }
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.dedup();
    Ok(found.into_iter().map(|(_, row)| row).collect())
}

const NEWEST: [(RowKind, &str, &str); 4] = [
    (
        RowKind::Observation,
        "SELECT id, created_at_epoch FROM observations WHERE project_id = ?1 ORDER BY id DESC LIMIT ?2",
        "SELECT id, created_at_epoch FROM observations WHERE ?1 IS NULL ORDER BY id DESC LIMIT ?2",
    ),
    (
        RowKind::Observation,
        "SELECT id, created_at_epoch FROM observations
         WHERE scope = 'user' AND ?1 NOTNULL ORDER BY id DESC LIMIT ?2",
        "SELECT id, created_at_epoch FROM observations WHERE id < 0 AND ?1 IS NULL LIMIT ?2",
    ),
    (
        RowKind::Summary,
        "SELECT id, created_at_epoch FROM session_summaries
         WHERE project_id = ?1 ORDER BY id DESC LIMIT ?2",
        "SELECT id, created_at_epoch FROM session_summaries WHERE ?1 IS NULL ORDER BY id DESC LIMIT ?2",
    ),
    (
        RowKind::Prompt,
        "SELECT p.id, p.created_at_epoch FROM sessions s JOIN user_prompts p ON p.session_id = s.id
         WHERE s.project_id = ?1 ORDER BY p.id DESC LIMIT ?2",
        "SELECT id, created_at_epoch FROM user_prompts WHERE ?1 IS NULL ORDER BY id DESC LIMIT ?2",
    ),
];

/// The rows of other projects' turns that are told in a project.
fn told_sql(kind: RowKind) -> String {
    format!(
        "SELECT id, created_at_epoch FROM {} WHERE {} ORDER BY id DESC LIMIT ?2",
        kind.table(),
        told::turn_in("?1", "")
    )
}

/// The rows of the sessions whose ids at the client begin with `prefix`: at most `limit` of each kind,
/// the newest first.
pub fn of_sessions(conn: &Connection, prefix: &str, limit: usize) -> Result<Vec<RowId>> {
    let mut sessions = conn.prepare_cached(
        "SELECT id FROM sessions WHERE substr(content_session_id, 1, length(?1)) = ?1 LIMIT 100",
    )?;
    let sessions = sessions.query_map([prefix], |r| r.get::<_, i64>(0))?;
    let mut found = Vec::new();
    for session in sessions {
        let session = session?;
        for (kind, sql) in OF_SESSION {
            let mut rows = conn.prepare_cached(sql)?;
            let rows = rows.query_map(params![session, limit as i64], |r| r.get(0))?;
            for id in rows {
                found.push(RowId { kind, id: id? });
            }
        }
    }
    Ok(found)
}

const OF_SESSION: [(RowKind, &str); 3] = [
    (
        RowKind::Observation,
        "SELECT id FROM observations WHERE session_id = ?1
         ORDER BY created_at_epoch DESC, id DESC LIMIT ?2",
    ),
    (
        RowKind::Summary,
        "SELECT id FROM session_summaries WHERE session_id = ?1
         ORDER BY created_at_epoch DESC, id DESC LIMIT ?2",
    ),
    (
        RowKind::Prompt,
        "SELECT id FROM user_prompts WHERE session_id = ?1
         ORDER BY created_at_epoch DESC, id DESC LIMIT ?2",
    ),
];
