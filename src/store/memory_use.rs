//! Which memories were used: given to a model by a hook, named in its final message, or looked at by
//! the user.
//!
//! Uses enter the weight of an observation only when a turn's summary is stored ([`count`]). The bytes
//! of a context therefore do not change because a context was shown.

use std::collections::BTreeSet;

use memctl_proto::event::Use;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Result;
use super::words::{RowId, RowKind};

/// A title counts as named only if it has this many characters.
const MIN_TITLE: usize = 16;

/// Names that are read of one message. The others are ignored.
const MAX_NAMES: usize = 50;

/// What the weight of an observation gains if a final message names it, and if the user looks at it.
const OF_CITED: f64 = 0.5;
const OF_SHOWN: f64 = 0.1;
/// What it loses each time when it is given to a model that does not name it.
const OF_UNUSED: f64 = 0.02;
/// Uses change a weight within these limits.
const MIN_WEIGHT: f64 = -1.0;
const MAX_WEIGHT: f64 = 2.0;

/// The observation or summary with this short name.
fn memory(name: &str) -> Option<RowId> {
    RowId::parse(name).filter(|row| row.kind != RowKind::Prompt)
}

/// Records memories that hooks gave to the session's model. Each counts once per session and place. Rows
/// that were forgotten meanwhile are left out.
pub(super) fn record_injected(tx: &Transaction, session_id: i64, uses: &[Use]) -> Result<()> {
    for used in uses {
        let Some(row) = memory(&used.row) else { continue };
        let column = row.kind.reference();
        tx.prepare_cached(&format!(
            "INSERT INTO memory_use (session_id, {column}, use, place, tokens, at_epoch)
             SELECT ?1, id, 'injected', ?3, ?4, ?5 FROM {} WHERE id = ?2
             ON CONFLICT DO NOTHING",
            row.kind.table()
        ))?
        .execute(params![session_id, row.id, used.place, used.tokens, used.at])?;
    }
    Ok(())
}

/// Records the memories that a final message names: by the short name of a row of the session's
/// project, or by the title of a row that the session was given.
pub(super) fn record_cited(
    tx: &Transaction,
    session_id: i64,
    message: &str,
    at: i64,
) -> Result<()> {
    let mut cited = BTreeSet::new();
    for row in names(message).filter_map(memory) {
        let sql = format!(
            "SELECT 1 FROM {} WHERE id = ?1
               AND project_id IS (SELECT project_id FROM sessions WHERE id = ?2)",
            row.kind.table()
        );
        if tx.prepare_cached(&sql)?.exists([row.id, session_id])? {
            cited.insert(row);
        }
    }
    let message = message.to_lowercase();
    for (name, title) in titles(tx, session_id)? {
        let title = title.trim_end_matches(['…', '.']).to_lowercase();
        if title.chars().count() >= MIN_TITLE && message.contains(&title) {
            cited.extend(memory(&name));
        }
    }
    for row in cited {
        tx.prepare_cached(&format!(
            "INSERT INTO memory_use (session_id, {}, use, at_epoch)
             VALUES (?1, ?2, 'cited', ?3) ON CONFLICT DO NOTHING",
            row.kind.reference()
        ))?
        .execute([session_id, row.id, at])?;
    }
    Ok(())
}

/// The words of a message that look like the name of a row: `o412`, `s37`.
fn names(message: &str) -> impl Iterator<Item = &str> {
    let is_name = |word: &&str| {
        let digits = word.strip_prefix(['o', 's']).unwrap_or_default();
        !digits.is_empty() && digits.len() < 19 && digits.bytes().all(|b| b.is_ascii_digit())
    };
    message.split(|c: char| !c.is_alphanumeric()).filter(is_name).take(MAX_NAMES)
}

/// Short names and titles of the rows that the session was given.
fn titles(conn: &Connection, session_id: i64) -> Result<Vec<(String, String)>> {
    let mut rows = conn.prepare_cached(
        "SELECT 'o' || o.id, o.title FROM memory_use u JOIN observations o ON o.id = u.observation_id
         WHERE u.session_id = ?1 AND u.use = 'injected'
         UNION ALL SELECT 's' || s.id, s.title FROM memory_use u
           JOIN session_summaries s ON s.id = u.summary_id
         WHERE u.session_id = ?1 AND u.use = 'injected'",
    )?;
    let rows = rows.query_map([session_id], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Records that the user looked at a row. Each row counts once, until its weight includes it.
pub fn record_shown(tx: &Transaction, name: &str, at: i64) -> Result<()> {
    let Some(row) = memory(name) else { return Ok(()) };
    let column = row.kind.reference();
    tx.execute(
        &format!(
            "INSERT INTO memory_use ({column}, use, at_epoch)
             SELECT id, 'shown', ?2 FROM {} WHERE id = ?1 AND NOT EXISTS
               (SELECT 1 FROM memory_use
                WHERE {column} = ?1 AND session_id IS NULL AND NOT counted)",
            row.kind.table()
        ),
        [row.id, at],
    )?;
    Ok(())
}

/// Adds the uses of the session, and those without a session, to the weights of their observations.
/// Each use is added once. Called when the summary of a turn is stored.
pub(super) fn count(tx: &Transaction, session_id: i64) -> Result<()> {
    tx.prepare_cached(
        "UPDATE observations SET weight = round(max(?2, min(?3, weight + gain)), 2)
             FROM (SELECT observation_id, sum(CASE use WHEN 'cited' THEN ?4 WHEN 'shown' THEN ?5
                     ELSE CASE WHEN EXISTS (SELECT 1 FROM memory_use c WHERE c.use = 'cited'
                       AND c.observation_id = u.observation_id AND c.session_id = u.session_id)
                     THEN 0 ELSE -?6 END END) AS gain
                   FROM memory_use u
                   WHERE NOT counted AND observation_id NOTNULL
                     AND (session_id = ?1 OR session_id IS NULL)
                   GROUP BY observation_id)
             WHERE id = observation_id AND weight BETWEEN ?2 AND ?3",
    )?
    .execute(params![session_id, MIN_WEIGHT, MAX_WEIGHT, OF_CITED, OF_SHOWN, OF_UNUSED])?;
    tx.prepare_cached(
        "UPDATE memory_use SET counted = 1
         WHERE NOT counted AND (session_id = ?1 OR session_id IS NULL)",
    )?
    .execute([session_id])?;
    Ok(())
}

/// A memory that a session was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Injected {
    /// An observation or a summary.
    pub row: RowId,
    pub kind: String,
    pub title: String,
    pub place: String,
    pub tokens: i64,
    pub at_epoch: i64,
    /// A final message of the session names it.
    pub cited: bool,
}

/// The rows that a session was given, each with its place.
pub fn given(conn: &Connection, session_id: i64) -> Result<Vec<(RowId, String)>> {
    let mut rows = conn.prepare(
        "SELECT observation_id, summary_id, place FROM memory_use
         WHERE session_id = ?1 AND use = 'injected'",
    )?;
    let rows = rows.query_map([session_id], |r| {
        let row = match r.get(0)? {
            Some(id) => RowId::observation(id),
            None => RowId::summary(r.get(1)?),
        };
        Ok((row, r.get(2)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The memories that a session was given, in the order of time.
pub fn injected(conn: &Connection, session_id: i64) -> Result<Vec<Injected>> {
    let mut rows = conn.prepare(
        "SELECT u.observation_id, u.summary_id, coalesce(o.type, 'summary'),
           coalesce(o.title, nullif(s.title, ''), s.request), u.place, u.tokens, u.at_epoch,
           EXISTS (SELECT 1 FROM memory_use c WHERE c.session_id = u.session_id AND c.use = 'cited'
             AND c.observation_id IS u.observation_id AND c.summary_id IS u.summary_id)
         FROM memory_use u LEFT JOIN observations o ON o.id = u.observation_id
           LEFT JOIN session_summaries s ON s.id = u.summary_id
         WHERE u.session_id = ?1 AND u.use = 'injected' ORDER BY u.at_epoch, u.id",
    )?;
    let rows = rows.query_map([session_id], |r| {
        Ok(Injected {
            row: match r.get(0)? {
                Some(id) => RowId::observation(id),
                None => RowId::summary(r.get(1)?),
            },
            kind: r.get(2)?,
            title: r.get(3)?,
            place: r.get(4)?,
            tokens: r.get(5)?,
            at_epoch: r.get(6)?,
            cited: r.get(7)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The newest session of a project, or of all projects, whose model was given a memory.
pub fn newest_session(conn: &Connection, project_id: Option<i64>) -> Result<Option<i64>> {
    Ok(conn
        .prepare(
            "SELECT u.session_id FROM memory_use u JOIN sessions s ON s.id = u.session_id
             WHERE u.use = 'injected' AND (?1 IS NULL OR s.project_id = ?1)
             ORDER BY u.id DESC LIMIT 1",
        )?
        .query_row([project_id], |r| r.get(0))
        .optional()?)
}

#[cfg(test)]
#[path = "memory_use_tests.rs"]
mod tests;
