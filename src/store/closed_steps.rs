//! Open steps that the user closed with `memctl done`. A step is kept as a salted hash of its words, with
//! the summary that tells it.

use std::collections::HashMap;

use rusqlite::{Connection, Transaction, params};

use super::error::Result;
use super::forgotten::UNUSED_CLOSED_STEP;
use super::rejected::{fingerprint, salt};

/// The closed steps of a project.
#[derive(Clone, Debug, Default)]
pub struct ClosedSteps {
    salt: String,
    /// By fingerprint: the session, and when the step was closed.
    closed: HashMap<String, Vec<(Option<i64>, i64)>>,
}

impl ClosedSteps {
    pub fn load(conn: &Connection, project_id: i64) -> rusqlite::Result<ClosedSteps> {
        let mut rows = conn.prepare_cached(
            "SELECT c.fingerprint, s.session_id, c.at_epoch FROM closed_steps c
             JOIN session_summaries s ON s.id = c.summary_id WHERE s.project_id = ?1",
        )?;
        let rows =
            rows.query_map([project_id], |r| Ok((r.get::<_, String>(0)?, (r.get(1)?, r.get(2)?))))?;
        let mut closed: HashMap<String, Vec<_>> = HashMap::new();
        for row in rows {
            let (fingerprint, of) = row?;
            closed.entry(fingerprint).or_default().push(of);
        }
        Ok(ClosedSteps { salt: salt(conn)?, closed })
    }

    /// Whether a step is closed. A later session may open it again.
    pub fn has(&self, text: &str, session: Option<i64>, told_at: i64) -> bool {
        if self.closed.is_empty() {
            return false;
        }
        let closed = key(&self.salt, text).and_then(|key| self.closed.get(&key));
        let is_it =
            |(of, at): &(Option<i64>, i64)| (session.is_some() && *of == session) || told_at <= *at;
        closed.is_some_and(|closed| closed.iter().any(is_it))
    }
}

/// A step may be a single word.
fn key(salt: &str, text: &str) -> Option<String> {
    fingerprint(salt, &format!("step: {text}"))
}

/// Closes a step that a summary tells.
pub fn close(tx: &Transaction, summary: i64, text: &str, now: i64) -> Result<()> {
    let Some(key) = key(&salt(tx)?, text) else { return Ok(()) };
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
    let Some(key) = key(&salt(tx)?, text) else { return Ok(false) };
    let n_open = tx.execute(
        "DELETE FROM closed_steps WHERE fingerprint = ?2 AND summary_id IN
           (SELECT id FROM session_summaries WHERE project_id = ?1)",
        params![project_id, key],
    )?;
    Ok(n_open > 0)
}

/// Which of these steps was closed last, as an index.
pub fn closed_last(conn: &Connection, project_id: i64, texts: &[&str]) -> Result<Option<usize>> {
    let salt = salt(conn)?;
    let keys: Vec<Option<String>> = texts.iter().map(|text| key(&salt, text)).collect();
    let mut rows = conn.prepare(
        "SELECT c.fingerprint FROM closed_steps c JOIN session_summaries s ON s.id = c.summary_id
         WHERE s.project_id = ?1 ORDER BY c.id DESC",
    )?;
    let mut rows = rows.query([project_id])?;
    while let Some(row) = rows.next()? {
        let fingerprint: Option<String> = row.get(0)?;
        if let Some(at) = keys.iter().position(|key| *key == fingerprint) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}
