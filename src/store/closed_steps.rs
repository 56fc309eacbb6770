//! Open steps that the user closed with `memctl done`. A step is kept as a salted hash of its words, with
//! the summary that tells it.

use std::collections::HashMap;

use rusqlite::{Connection, Transaction, params};

use super::error::Result;
use super::forgotten::UNUSED_CLOSED_STEP;
use super::rejected::{fingerprint, salt, salts};
use super::told;

/// The closed steps of a project.
#[derive(Clone, Debug, Default)]
pub struct ClosedSteps {
    salts: Vec<String>,
    /// By fingerprint: the session, and when the step was closed.
    closed: HashMap<String, Vec<(Option<i64>, i64)>>,
}

/// The few closed steps come first, whatever SQLite knows about the sizes of the tables.
pub(super) fn of_project_sql() -> String {
    format!(
        "SELECT c.fingerprint, s.session_id, c.at_epoch
         FROM closed_steps c CROSS JOIN session_summaries s ON s.id = c.summary_id
         WHERE s.project_id = ?1 OR {}",
        told::turn_in("?1", "s.")
    )
}

impl ClosedSteps {
    pub fn load(conn: &Connection, project_id: i64) -> rusqlite::Result<ClosedSteps> {
        let mut rows = conn.prepare_cached(&of_project_sql())?;
        let rows =
            rows.query_map([project_id], |r| Ok((r.get::<_, String>(0)?, (r.get(1)?, r.get(2)?))))?;
        let mut closed: HashMap<String, Vec<_>> = HashMap::new();
        for row in rows {
            let (fingerprint, of) = row?;
            closed.entry(fingerprint).or_default().push(of);
        }
        Ok(ClosedSteps { salts: salts(conn, "closed_steps")?, closed })
    }

    /// Whether a step is closed. A later session may open it again.
    pub fn has(&self, text: &str, session: Option<i64>, told_at: i64) -> bool {
        if self.closed.is_empty() {
            return false;
        }
        let mut closed = keys(&self.salts, text).filter_map(|key| self.closed.get(&key));
        let is_it =
            |(of, at): &(Option<i64>, i64)| (session.is_some() && *of == session) || told_at <= *at;
        closed.any(|closed| closed.iter().any(is_it))
    }
}

/// The hash of a step, for each salt. A step may be a single word.
fn keys(salts: &[String], text: &str) -> impl Iterator<Item = String> {
    let text = format!("step: {text}");
    salts.iter().filter_map(move |salt| fingerprint(salt, &text))
}

/// Closes a step that a summary tells.
pub fn close(tx: &Transaction, summary: i64, text: &str, now: i64) -> Result<()> {
    let Some(key) = keys(&[salt(tx)?], text).next() else { return Ok(()) };
    tx.execute(
        &format!(
            "INSERT INTO closed_steps (id, summary_id, fingerprint, at_epoch)
             VALUES ({UNUSED_CLOSED_STEP}, ?1, ?2, ?3)"
        ),
        params![summary, key, now],
    )?;
    Ok(())
}

/// Opens a step again, whichever summary tells it. Returns whether it was closed.
pub fn reopen(tx: &Transaction, project_id: i64, text: &str) -> Result<bool> {
    let mut n_open = 0;
    for key in keys(&salts(tx, "closed_steps")?, text) {
        n_open += tx.execute(
            &format!(
                "DELETE FROM closed_steps WHERE fingerprint = ?2 AND summary_id IN
                   (SELECT id FROM session_summaries WHERE project_id = ?1 OR {})",
                told::turn_in("?1", "")
            ),
            params![project_id, key],
        )?;
    }
    Ok(n_open > 0)
}

/// Which of these steps was closed last, as an index.
pub fn closed_last(conn: &Connection, project_id: i64, texts: &[&str]) -> Result<Option<usize>> {
    let salts = salts(conn, "closed_steps")?;
    let keys: Vec<Vec<String>> = texts.iter().map(|text| keys(&salts, text).collect()).collect();
    let mut rows = conn.prepare(&format!(
        "SELECT c.fingerprint FROM closed_steps c JOIN session_summaries s ON s.id = c.summary_id
         WHERE s.project_id = ?1 OR {} ORDER BY c.id DESC",
        told::turn_in("?1", "s.")
    ))?;
    let mut rows = rows.query([project_id])?;
    while let Some(row) = rows.next()? {
        let fingerprint: String = row.get(0)?;
        if let Some(at) = keys.iter().position(|keys| keys.contains(&fingerprint)) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}
