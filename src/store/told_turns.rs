//! The turns that are told in further projects, as stored. The index of words has their rows once for each
//! project, so a link is added and deleted only here. `told` has the conditions of queries.

use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};

use super::error::Result;
use super::words::{self, RowId, RowKind};

/// A turn that is told in a further project.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct ToldTurn {
    /// Row id.
    pub session: i64,
    /// Number of the prompt.
    pub prompt: i64,
}

/// The turns of other projects that are told in a project.
pub(super) fn told_in(conn: &Connection, project: i64) -> Result<Vec<ToldTurn>> {
    let mut turns = conn.prepare_cached(
        "SELECT session_id, prompt_number FROM turn_projects WHERE project_id = ?1 ORDER BY 1, 2",
    )?;
    let turns =
        turns.query_map([project], |r| Ok(ToldTurn { session: r.get(0)?, prompt: r.get(1)? }))?;
    Ok(turns.collect::<rusqlite::Result<_>>()?)
}

/// Tells turns in a project. Returns those that were not told there before. Forgotten ones are left out.
pub(super) fn tell(tx: &Transaction, project: i64, turns: &[ToldTurn]) -> Result<Vec<ToldTurn>> {
    let mut is_told = tx.prepare_cached(
        "SELECT 1 FROM sessions s WHERE id = ?2 AND NOT EXISTS (SELECT 1 FROM turn_projects
           WHERE project_id = ?1 AND session_id = s.id AND prompt_number = ?3)",
    )?;
    let mut new = Vec::new();
    for turn in turns {
        if is_told.exists(params![project, turn.session, turn.prompt])? {
            new.push(*turn);
        }
    }
    let sql =
        "INSERT INTO turn_projects (project_id, session_id, prompt_number) VALUES (?1, ?2, ?3)";
    change(tx, sql, project, &new)?;
    Ok(new)
}

/// The turns are told in the project no more.
pub(super) fn untell(tx: &Transaction, project: i64, turns: &[ToldTurn]) -> Result<()> {
    let sql = "DELETE FROM turn_projects
       WHERE project_id = ?1 AND session_id = ?2 AND prompt_number = ?3";
    change(tx, sql, project, turns)
}

fn change(tx: &Transaction, sql: &str, project: i64, turns: &[ToldTurn]) -> Result<()> {
    words::changing(tx, &rows(tx, turns)?, || {
        let mut statement = tx.prepare_cached(sql)?;
        for turn in turns {
            statement.execute(params![project, turn.session, turn.prompt])?;
        }
        Ok(())
    })
}

/// The rows of turns in the index of words.
pub(super) fn rows(conn: &Connection, turns: &[ToldTurn]) -> Result<Vec<RowId>> {
    let mut found = Vec::new();
    for kind in RowKind::ALL {
        let sql =
            format!("SELECT id FROM {} WHERE session_id = ?1 AND prompt_number = ?2", kind.table());
        let mut ids = conn.prepare_cached(&sql)?;
        for turn in turns {
            let ids = ids.query_map([turn.session, turn.prompt], |r| r.get(0))?;
            for id in ids {
                found.push(RowId { kind, id: id? });
            }
        }
    }
    Ok(found)
}
