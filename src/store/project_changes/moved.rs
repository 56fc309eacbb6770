//! Rows and keys that move from one project to another.

use std::collections::HashSet;
use std::iter::Sum;

use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::store::error::Result;
use crate::store::links::{self, CutLink};
use crate::store::told_turns::{self, ToldTurn};
use crate::store::words::{self, RowId};

/// A session or a row that moves by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    kind: UnitKind,
    /// Row id.
    id: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UnitKind {
    Session,
    Observation,
    Summary,
}

impl UnitKind {
    const ALL: [UnitKind; 3] = [UnitKind::Session, UnitKind::Observation, UnitKind::Summary];

    fn table(self) -> &'static str {
        match self {
            UnitKind::Session => "sessions",
            UnitKind::Observation => "observations",
            UnitKind::Summary => "session_summaries",
        }
    }
}

/// What moves. The ids are row ids.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Moved {
    pub from: i64,
    /// `None` until the project is created.
    pub to: Option<i64>,
    pub sessions: Vec<i64>,
    pub observations: Vec<i64>,
    pub summaries: Vec<i64>,
    pub keys: Vec<String>,
    /// Commits of the project, with the time at which they were seen.
    pub(super) commits: Vec<(String, i64)>,
    /// Those of the commits that the other project did not have.
    pub(super) new_commits: Vec<String>,
    /// Turns of other projects that are told in the project.
    #[serde(default)]
    pub(super) told_turns: Vec<ToldTurn>,
    /// Those of them that were not told in the other project.
    #[serde(default)]
    pub(super) newly_told_turns: Vec<ToldTurn>,
    /// Forgotten rows that can be restored: table and row id.
    pub(super) forgotten: Vec<(String, i64)>,
    /// Links with rows that stay. A row that another project replaces would be in no context.
    pub(super) cut: Vec<CutLink>,
}

/// How many rows and keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub sessions: u64,
    pub summaries: u64,
    pub observations: u64,
    pub keys: u64,
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Counts>>(all: I) -> Counts {
        all.fold(Counts::default(), |a, b| Counts {
            sessions: a.sessions + b.sessions,
            summaries: a.summaries + b.summaries,
            observations: a.observations + b.observations,
            keys: a.keys + b.keys,
        })
    }
}

impl Moved {
    /// Everything of a project.
    pub(super) fn all_of(conn: &Connection, from: i64, to: i64) -> Result<Moved> {
        let of = |table: &str| {
            ids(conn, &format!("SELECT id FROM {table} WHERE project_id = ?1 ORDER BY id"), from)
        };
        let mut keys = conn.prepare("SELECT key FROM project_keys WHERE project_id = ?1")?;
        let keys = keys.query_map([from], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
        let mut commits =
            conn.prepare("SELECT hash, seen_at_epoch FROM project_commits WHERE project_id = ?1")?;
        let commits = commits
            .query_map([from], |r| Ok((r.get(0)?, r.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Moved {
            from,
            to: Some(to),
            sessions: of("sessions")?,
            observations: of("observations")?,
            summaries: of("session_summaries")?,
            keys,
            commits,
            told_turns: told_turns::told_in(conn, from)?,
            forgotten: forgotten(conn, from, None)?,
            ..Moved::default()
        })
    }

    /// These sessions of a project, with their rows.
    pub(super) fn of_sessions(conn: &Connection, from: i64, sessions: &[i64]) -> Result<Moved> {
        let list = json(sessions);
        let rows = |table: &str| -> Result<Vec<i64>> {
            let mut rows = conn.prepare(&format!(
                "SELECT id FROM {table} WHERE project_id = ?1
                   AND session_id IN (SELECT value FROM json_each(?2)) ORDER BY id"
            ))?;
            let rows = rows.query_map(params![from, list], |r| r.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        Ok(Moved {
            from,
            sessions: sessions.to_vec(),
            observations: rows("observations")?,
            summaries: rows("session_summaries")?,
            forgotten: forgotten(conn, from, Some(&list))?,
            ..Moved::default()
        })
    }

    pub fn counts(&self) -> Counts {
        Counts {
            sessions: self.sessions.len() as u64,
            summaries: self.summaries.len() as u64,
            observations: self.observations.len() as u64,
            keys: self.keys.len() as u64,
        }
    }

    /// What moves, sessions first: their project decides where later rows go. An undo takes back what was
    /// restored since, too.
    pub(super) fn units(&self, is_undo: bool) -> Vec<Unit> {
        let restored = self.forgotten.iter().filter(|_| is_undo);
        let restored = restored.filter_map(|(table, id)| {
            let kind = UnitKind::ALL.into_iter().find(|kind| kind.table() == table)?;
            Some(Unit { kind, id: *id })
        });
        UnitKind::ALL.into_iter().flat_map(|kind| self.planned(kind)).chain(restored).collect()
    }

    fn planned(&self, kind: UnitKind) -> impl Iterator<Item = Unit> {
        self.list(kind).iter().map(move |id| Unit { kind, id: *id })
    }

    fn list(&self, kind: UnitKind) -> &Vec<i64> {
        match kind {
            UnitKind::Session => &self.sessions,
            UnitKind::Observation => &self.observations,
            UnitKind::Summary => &self.summaries,
        }
    }

    /// Adds what was stored since the plan.
    pub(super) fn add(&mut self, units: &[Unit]) {
        for Unit { kind, id } in units {
            match kind {
                UnitKind::Session => self.sessions.push(*id),
                UnitKind::Observation => self.observations.push(*id),
                UnitKind::Summary => self.summaries.push(*id),
            }
        }
    }

    /// At most `limit` rows of `project` that were stored since the plan: those of the sessions that move,
    /// or with `all` everything.
    pub(super) fn unplanned(
        &self,
        conn: &Connection,
        project: i64,
        all: bool,
        limit: usize,
    ) -> Result<Vec<Unit>> {
        let sessions = json(&self.sessions);
        let mut found = Vec::new();
        for kind in UnitKind::ALL {
            let sql = match (kind, all) {
                (UnitKind::Session, false) => continue,
                (_, true) => {
                    format!(
                        "SELECT id FROM {} WHERE project_id = ?1 AND ?2 NOTNULL LIMIT ?3",
                        kind.table()
                    )
                }
                (_, false) => format!(
                    "SELECT id FROM {} WHERE project_id = ?1
                       AND session_id IN (SELECT value FROM json_each(?2)) LIMIT ?3",
                    kind.table()
                ),
            };
            let mut ids = conn.prepare_cached(&sql)?;
            let left = (limit - found.len()) as i64;
            let ids = ids.query_map(params![project, sessions, left], |r| r.get(0))?;
            for id in ids {
                found.push(Unit { kind, id: id? });
            }
        }
        Ok(found)
    }

    pub(super) fn move_keys(&self, tx: &Transaction, from: i64, to: i64) -> Result<()> {
        tx.execute(
            "UPDATE project_keys SET project_id = ?2 WHERE project_id = ?1
               AND key IN (SELECT value FROM json_each(?3))",
            params![from, to, json(&self.keys)],
        )?;
        Ok(())
    }

    /// Moves what is not a row of the memory, after all rows have moved.
    pub(super) fn complete(&mut self, tx: &Transaction, now: i64) -> Result<()> {
        let Some(to) = self.to else { return Ok(()) };
        self.move_forgotten(tx, self.from, to)?;
        for (hash, seen) in &self.commits {
            let added = tx
                .prepare_cached(
                    "INSERT INTO project_commits (project_id, hash, seen_at_epoch)
                     VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                )?
                .execute(params![to, hash, seen])?;
            self.new_commits.extend((added > 0).then(|| hash.clone()));
        }
        let delete = "DELETE FROM project_commits WHERE project_id = ?1
           AND hash IN (SELECT value ->> 0 FROM json_each(?2))";
        tx.execute(delete, params![self.from, json(&self.commits)])?;
        self.newly_told_turns = told_turns::tell(tx, to, &self.told_turns)?;
        told_turns::untell(tx, self.from, &self.told_turns)?;
        self.cut = links::cut(tx, self.from, to, i64::MIN, now)?;
        Ok(())
    }

    /// Takes back what [`complete`](Moved::complete) did.
    pub(super) fn complete_undo(&self, tx: &Transaction, since: i64, now: i64) -> Result<()> {
        let Some(to) = self.to else { return Ok(()) };
        self.move_forgotten(tx, to, self.from)?;
        for (hash, seen) in &self.commits {
            tx.execute(
                "INSERT INTO project_commits (project_id, hash, seen_at_epoch) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
                params![self.from, hash, seen],
            )?;
        }
        tx.execute(
            "DELETE FROM project_commits WHERE project_id = ?1
               AND hash IN (SELECT value FROM json_each(?2))",
            params![to, json(&self.new_commits)],
        )?;
        told_turns::tell(tx, self.from, &self.told_turns)?;
        told_turns::untell(tx, to, &self.newly_told_turns)?;
        links::cut(tx, self.from, to, since, now)?;
        self.cut.iter().try_for_each(|link| links::join(tx, link, now))
    }

    /// What is forgotten can still be restored, and what was forgotten since, too.
    fn move_forgotten(&self, tx: &Transaction, from: i64, to: i64) -> Result<()> {
        let mut update = tx.prepare_cached(
            "UPDATE forgotten_rows SET content = json_set(content, '$.project_id', ?2)
             WHERE table_name = ?3 AND row_id = ?4 AND json_extract(content, '$.project_id') = ?1",
        )?;
        let live = UnitKind::ALL.map(|kind| (kind, self.list(kind).iter().collect::<HashSet<_>>()));
        let known: HashSet<&(String, i64)> = self.forgotten.iter().collect();
        // Few rows are forgotten, and a project may have very many.
        for row in forgotten(tx, from, None)? {
            let is_live = live.iter().any(|(of, ids)| of.table() == row.0 && ids.contains(&row.1));
            if is_live || known.contains(&row) {
                update.execute(params![from, to, row.0, row.1])?;
            }
        }
        Ok(())
    }
}

/// Moves rows of `from` to `to`. Those that are in another project by now stay there.
pub(super) fn move_units(
    tx: &Transaction,
    units: &[Unit],
    from: i64,
    to: i64,
    now: i64,
) -> Result<()> {
    words::changing(tx, &indexed(tx, units)?, || {
        for Unit { kind, id } in units {
            let sql = match kind {
                UnitKind::Session => {
                    "UPDATE sessions SET project_id = ?2 WHERE id = ?3 AND project_id = ?1 AND ?4 NOTNULL"
                }
                UnitKind::Observation => {
                    "UPDATE observations SET project_id = ?2, changed_at_epoch = ?4
                     WHERE id = ?3 AND project_id = ?1"
                }
                UnitKind::Summary => {
                    "UPDATE session_summaries SET project_id = ?2, changed_at_epoch = ?4
                     WHERE id = ?3 AND project_id = ?1"
                }
            };
            tx.prepare_cached(sql)?.execute(params![from, to, id, now])?;
        }
        Ok(())
    })
}

/// The rows in the index of words. The prompts of a session are in the part of its project.
fn indexed(tx: &Transaction, units: &[Unit]) -> Result<Vec<RowId>> {
    let mut rows = Vec::new();
    for Unit { kind, id } in units {
        match kind {
            UnitKind::Session => {
                let sql = "SELECT id FROM user_prompts WHERE session_id = ?1";
                rows.extend(ids(tx, sql, id)?.into_iter().map(RowId::prompt));
            }
            UnitKind::Observation => rows.push(RowId::observation(*id)),
            UnitKind::Summary => rows.push(RowId::summary(*id)),
        }
    }
    Ok(rows)
}

/// How many of the first units move in one transaction: at least one.
pub(super) fn piece(tx: &Transaction, units: &[Unit], max_rows: usize) -> Result<usize> {
    let (mut n, mut rows) = (0, 0_usize);
    for unit in units {
        rows += 1;
        if unit.kind == UnitKind::Session {
            let sql = "SELECT count(*) FROM user_prompts WHERE session_id = ?1";
            let prompts = tx.prepare_cached(sql)?.query_row([unit.id], |r| r.get::<_, u32>(0))?;
            rows += prompts as usize;
        }
        if rows > max_rows && n > 0 {
            break;
        }
        n += 1;
    }
    Ok(n)
}

/// The forgotten rows of a project. `sessions`: only those of these sessions, a JSON array.
fn forgotten(
    conn: &Connection,
    project: i64,
    sessions: Option<&str>,
) -> Result<Vec<(String, i64)>> {
    let mut rows = conn.prepare(
        "SELECT table_name, row_id FROM forgotten_rows
         WHERE table_name IN ('sessions', 'observations', 'session_summaries')
           AND row_id NOTNULL AND json_extract(content, '$.project_id') = ?1
           AND (?2 IS NULL OR json_extract(content, '$.session_id') IN
             (SELECT value FROM json_each(?2)))",
    )?;
    let rows = rows.query_map(params![project, sessions], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn ids(conn: &Connection, sql: &str, value: impl rusqlite::ToSql) -> Result<Vec<i64>> {
    let mut rows = conn.prepare_cached(sql)?;
    let rows = rows.query_map([value], |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn json(list: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(list).expect("a list serializes to JSON")
}
