//! Links between observations: a newer row replaces an older one, copies it, or tells the same turn
//! again. The older row stays, can be searched, and is out of the context. [`reconcile`] finds the links
//! of new rows; the user can undo each.
//!
//! `observations.superseded_by` says whether a row is out; `observation_links` says why and since when.

mod candidates;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::error::Result;
pub use candidates::reconcile;

/// Why a row is out of the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The new row says something else about the same thing.
    Replaces,
    /// It says the same.
    Copies,
    /// It tells the same turn again, with more of it.
    Rewrites,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Replaces => "replaces",
            Kind::Copies => "copies",
            Kind::Rewrites => "rewrites",
        }
    }

    fn parse(text: &str) -> Kind {
        match text {
            "replaces" => Kind::Replaces,
            "copies" => Kind::Copies,
            _ => Kind::Rewrites,
        }
    }
}

/// A row that takes the place of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The other row.
    pub id: i64,
    pub kind: Kind,
    pub at_epoch: i64,
}

/// Has the user's statements of all projects compared with each other at the next commit, because rows were
/// imported.
pub fn compare_again(tx: &Transaction) -> Result<()> {
    tx.execute("UPDATE projects SET linked = 0 WHERE linked", [])?;
    Ok(())
}

/// Puts a row out of the context in favor of another one. Does nothing if one of them is missing, if they
/// are the same, if the row is out already, or if the user has undone this link. Returns whether the row
/// is out now because of it.
pub fn supersede(tx: &Transaction, old: i64, new: i64, kind: Kind, now: i64) -> Result<bool> {
    let is_undone = tx
        .prepare_cached(
            "SELECT 1 FROM observation_links
             WHERE old_id = ?1 AND new_id = ?2 AND undone_at_epoch NOTNULL",
        )?
        .exists([old, new])?;
    if is_undone {
        return Ok(false);
    }
    put(tx, old, new, kind, now)
}

/// The same at the user's wish: also if the user has undone it before, and if another row has taken the
/// place already.
pub fn supersede_by_user(tx: &Transaction, old: i64, new: i64, now: i64) -> Result<bool> {
    if leads_to(tx, new, old)? {
        return Ok(false);
    }
    if undo(tx, old, now)?.is_none() {
        // A row that replaced it may be gone.
        reopen_if_out(tx, old, now)?;
    }
    put(tx, old, new, Kind::Replaces, now)
}

fn put(tx: &Transaction, old: i64, new: i64, kind: Kind, now: i64) -> Result<bool> {
    let changed = tx
        .prepare_cached(
            "UPDATE observations SET changed_at_epoch = ?3,
               superseded_by = (SELECT uuid FROM observations WHERE id = ?2)
             WHERE id = ?1 AND id <> ?2 AND superseded_by IS NULL
               AND EXISTS (SELECT 1 FROM observations WHERE id = ?2)",
        )?
        .execute([old, new, now])?;
    if changed == 0 {
        return Ok(false);
    }
    tx.prepare_cached(
        "INSERT INTO observation_links (old_id, new_id, kind, at_epoch) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET kind = ?3, at_epoch = ?4, undone_at_epoch = NULL",
    )?
    .execute(params![old, new, kind.as_str(), now])?;
    Ok(true)
}

/// Whether the row, or one that took its place, was superseded by `other`.
fn leads_to(conn: &Connection, id: i64, other: i64) -> Result<bool> {
    let mut at = id;
    // A damaged database may have a circle.
    for _ in 0..100 {
        if at == other {
            return Ok(true);
        }
        match successor(conn, at)? {
            Some(link) => at = link.id,
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// Puts a row back that another one has superseded. Returns the link that is undone; `None` if the row is
/// not out.
pub fn undo(tx: &Transaction, old: i64, now: i64) -> Result<Option<Link>> {
    let Some(link) = successor(tx, old)? else { return Ok(None) };
    reopen(tx, old, now)?;
    // A row of an older release has no link.
    tx.prepare_cached(
        "INSERT INTO observation_links (old_id, new_id, kind, at_epoch, undone_at_epoch)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET undone_at_epoch = ?5",
    )?
    .execute(params![old, link.id, link.kind.as_str(), link.at_epoch, now])?;
    Ok(Some(link))
}

fn reopen_if_out(tx: &Transaction, id: i64, now: i64) -> Result<()> {
    let is_out = tx
        .prepare_cached("SELECT 1 FROM observations WHERE id = ?1 AND superseded_by NOTNULL")?
        .exists([id])?;
    if is_out { reopen(tx, id, now) } else { Ok(()) }
}

fn reopen(tx: &Transaction, id: i64, now: i64) -> Result<()> {
    tx.prepare_cached(
        "UPDATE observations SET superseded_by = NULL, changed_at_epoch = ?2 WHERE id = ?1",
    )?
    .execute([id, now])?;
    Ok(())
}

/// Ids of the rows that only this one keeps out of the context. They are in the context again when it is
/// forgotten.
pub fn kept_out_by(conn: &Connection, id: i64) -> Result<Vec<i64>> {
    let mut rows = conn.prepare_cached(
        "SELECT o.id FROM observation_links l JOIN observations o ON o.id = l.old_id
         JOIN observations n ON n.id = l.new_id
         WHERE l.new_id = ?1 AND o.superseded_by = n.uuid",
    )?;
    let rows = rows.query_map([id], |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Puts the rows back that this one keeps out. Must come before it is deleted.
pub fn release(tx: &Transaction, id: i64, now: i64) -> Result<()> {
    kept_out_by(tx, id)?.into_iter().try_for_each(|old| reopen(tx, old, now))
}

/// Puts the rows back of which this one says something else. Its copies and earlier accounts stay out.
pub fn release_replaced(tx: &Transaction, id: i64, now: i64) -> Result<()> {
    let mut replaced = predecessors(tx, id)?;
    replaced.retain(|link| link.kind == Kind::Replaces);
    replaced.into_iter().try_for_each(|link| reopen(tx, link.id, now))
}

/// Takes a row out of all links that were made of its text, which has changed. Links that the user has
/// undone stay undone.
pub fn reset(tx: &Transaction, id: i64, now: i64) -> Result<()> {
    release(tx, id, now)?;
    match successor(tx, id)? {
        Some(_) => reopen(tx, id, now),
        None => Ok(()),
    }
}

/// A link between rows that belong to different projects now.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CutLink {
    old: i64,
    new: i64,
    kind: String,
    at_epoch: i64,
}

/// Takes out the links between rows of two projects that were made at `since` or later. Rows for all
/// projects keep theirs.
pub(super) fn cut(tx: &Transaction, a: i64, b: i64, since: i64, now: i64) -> Result<Vec<CutLink>> {
    let mut rows = tx.prepare(
        "SELECT l.old_id, l.new_id, l.kind, l.at_epoch FROM observation_links l
         JOIN observations o ON o.id = l.old_id JOIN observations n ON n.id = l.new_id
         WHERE l.at_epoch >= ?3 AND l.undone_at_epoch IS NULL AND o.superseded_by = n.uuid
           AND (o.project_id, n.project_id) IN (VALUES (?1, ?2), (?2, ?1))
           AND 'user' NOT IN (o.scope, n.scope) ORDER BY l.old_id",
    )?;
    let rows = rows.query_map([a, b, since], |r| {
        Ok(CutLink { old: r.get(0)?, new: r.get(1)?, kind: r.get(2)?, at_epoch: r.get(3)? })
    })?;
    let found = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    for link in &found {
        reopen(tx, link.old, now)?;
        let delete = "DELETE FROM observation_links WHERE old_id = ?1 AND new_id = ?2";
        tx.prepare_cached(delete)?.execute([link.old, link.new])?;
    }
    Ok(found)
}

/// Makes a link again that was taken out, with its time.
pub(super) fn join(tx: &Transaction, link: &CutLink, now: i64) -> Result<()> {
    let CutLink { old, new, kind, at_epoch } = link;
    if supersede(tx, *old, *new, Kind::parse(kind), now)? {
        let sql = "UPDATE observation_links SET at_epoch = ?3 WHERE old_id = ?1 AND new_id = ?2";
        tx.prepare_cached(sql)?.execute([old, new, at_epoch])?;
    }
    Ok(())
}

/// The row that has superseded this one.
pub fn successor(conn: &Connection, id: i64) -> Result<Option<Link>> {
    let link = conn
        .prepare_cached(
            "SELECT n.id, ifnull(l.kind, 'rewrites'), ifnull(l.at_epoch, o.changed_at_epoch)
             FROM observations o JOIN observations n ON n.uuid = o.superseded_by
             LEFT JOIN observation_links l ON l.old_id = o.id AND l.new_id = n.id
             WHERE o.id = ?1",
        )?
        .query_row([id], from_row)
        .optional()?;
    Ok(link)
}

/// The rows that this one has superseded, oldest first. Not those of the same turn.
pub fn predecessors(conn: &Connection, id: i64) -> Result<Vec<Link>> {
    let mut rows = conn.prepare_cached(
        "SELECT l.old_id, l.kind, l.at_epoch FROM observation_links l
         JOIN observations o ON o.id = l.old_id JOIN observations n ON n.id = l.new_id
         WHERE l.new_id = ?1 AND l.undone_at_epoch IS NULL AND l.kind <> 'rewrites'
           AND o.superseded_by = n.uuid ORDER BY l.old_id",
    )?;
    let rows = rows.query_map([id], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn from_row(row: &rusqlite::Row) -> rusqlite::Result<Link> {
    let kind: String = row.get(1)?;
    Ok(Link { id: row.get(0)?, kind: Kind::parse(&kind), at_epoch: row.get(2)? })
}

pub(super) const REPLACED_TITLES: &str = "SELECT title FROM observations
    INDEXED BY observations_newest_replaced
    WHERE project_id = ?1 AND origin = 'user' AND superseded_by NOTNULL AND EXISTS
      (SELECT 1 FROM observation_links l WHERE l.old_id = observations.id
         AND l.kind = 'replaces' AND l.undone_at_epoch IS NULL)
    ORDER BY created_at_epoch DESC LIMIT ?2";

/// Titles of the project's newest rows of the user that others replace. A context must not quote them from
/// old requests.
pub fn replaced_titles(
    conn: &Connection,
    project_id: i64,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    let mut rows = conn.prepare_cached(REPLACED_TITLES)?;
    rows.query_map([project_id, limit as i64], |r| r.get(0))?.collect()
}

#[cfg(test)]
mod tests;
