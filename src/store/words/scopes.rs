//! The parts of the index that have a row.

use rusqlite::Connection;

use super::load::StoredRow;
use super::row::{EVERYWHERE, RowKind, Scope};
use crate::store::error::Result;

/// The part of the row's project, then those of the projects in which its turn is told.
pub fn scopes(conn: &Connection, stored: &StoredRow) -> Result<Vec<Scope>> {
    let own = stored.scope;
    let mut scopes = vec![own];
    if stored.session_id.is_none() || own.project == EVERYWHERE {
        return Ok(scopes);
    }
    let sql = match stored.row.kind {
        RowKind::Observation => {
            "SELECT t.project_id FROM observations m JOIN turn_projects t
               ON t.session_id = m.session_id AND t.prompt_number = m.prompt_number WHERE m.id = ?1"
        }
        RowKind::Summary => {
            "SELECT t.project_id FROM session_summaries m JOIN turn_projects t
               ON t.session_id = m.session_id AND t.prompt_number = m.prompt_number WHERE m.id = ?1"
        }
        RowKind::Prompt => {
            "SELECT t.project_id FROM user_prompts m JOIN turn_projects t
               ON t.session_id = m.session_id AND t.prompt_number = m.prompt_number WHERE m.id = ?1"
        }
    };
    let mut projects = conn.prepare_cached(sql)?;
    let projects = projects.query_map([stored.row.id], |r| r.get(0))?;
    for project in projects {
        scopes.push(Scope { project: project?, ..own });
    }
    // A session that was moved there, or a merge, may have made it the row's own project.
    let mut is_first = true;
    scopes.retain(|scope| std::mem::take(&mut is_first) || scope.project != own.project);
    Ok(scopes)
}
