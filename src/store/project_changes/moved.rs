//! Rows and keys that move from one project to another.

use std::collections::HashSet;
use std::iter::Sum;

use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::store::error::Result;
use crate::store::links::{self, CutLink};
use crate::store::told_turns::{self, ToldTurn};
use crate::store::words::{self, RowId};

/// The tables whose rows have a project, without those that name it.
const TABLES: [&str; 3] = ["sessions", "observations", "session_summaries"];

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

    pub(super) fn apply(&mut self, tx: &Transaction, now: i64) -> Result<()> {
        let Some(to) = self.to else { return Ok(()) };
        self.move_rows(tx, self.from, to, now)?;
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

    /// Moves the rows back, with those that their sessions have stored since. Rows and keys that are
    /// in another project by now stay there.
    pub(super) fn reverse(&self, tx: &Transaction, since: i64, now: i64) -> Result<()> {
        let Some(to) = self.to else { return Ok(()) };
        let mut back = self.clone();
        for (table, id) in &self.forgotten {
            // It may have been restored since.
            match table.as_str() {
                "sessions" => back.sessions.push(*id),
                "observations" => back.observations.push(*id),
                _ => back.summaries.push(*id),
            }
        }
        for (table, ids) in
            [("observations", &mut back.observations), ("session_summaries", &mut back.summaries)]
        {
            let sql = format!(
                "SELECT id FROM {table} WHERE project_id = ?1
                   AND session_id IN (SELECT value FROM json_each(?2))"
            );
            let mut rows = tx.prepare(&sql)?;
            let rows = rows.query_map(params![to, json(&back.sessions)], |r| r.get(0))?;
            ids.extend(rows.collect::<rusqlite::Result<Vec<i64>>>()?);
            ids.sort_unstable();
            ids.dedup();
        }
        back.move_rows(tx, to, self.from, now)?;
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

    fn move_rows(&self, tx: &Transaction, from: i64, to: i64, now: i64) -> Result<()> {
        words::changing(tx, &self.words(tx)?, || {
            let update =
                |sql: &str, ids: &[i64]| tx.execute(sql, params![from, to, json(ids), now]);
            update(
                "UPDATE sessions SET project_id = ?2 WHERE project_id = ?1 AND ?4 NOTNULL
                   AND id IN (SELECT value FROM json_each(?3))",
                &self.sessions,
            )?;
            for (table, ids) in
                [("observations", &self.observations), ("session_summaries", &self.summaries)]
            {
                let sql = format!(
                    "UPDATE {table} SET project_id = ?2, changed_at_epoch = ?4
                     WHERE project_id = ?1 AND id IN (SELECT value FROM json_each(?3))"
                );
                update(&sql, ids)?;
            }
            Ok(())
        })?;
        tx.execute(
            "UPDATE project_keys SET project_id = ?2 WHERE project_id = ?1
               AND key IN (SELECT value FROM json_each(?3))",
            params![from, to, json(&self.keys)],
        )?;
        // What is forgotten can still be restored, and what was forgotten since, too.
        let mut update = tx.prepare_cached(
            "UPDATE forgotten_rows SET content = json_set(content, '$.project_id', ?2)
             WHERE table_name = ?3 AND row_id = ?4 AND json_extract(content, '$.project_id') = ?1",
        )?;
        let live = [&self.sessions, &self.observations, &self.summaries].map(|ids| set(ids));
        let known: HashSet<&(String, i64)> = self.forgotten.iter().collect();
        // Few rows are forgotten, and a project may have very many.
        for row in forgotten(tx, from, None)? {
            let is_live =
                TABLES.iter().zip(&live).any(|(of, ids)| *of == row.0 && ids.contains(&row.1));
            if is_live || known.contains(&row) {
                update.execute(params![from, to, row.0, row.1])?;
            }
        }
        Ok(())
    }

    /// The rows in the index of words.
    fn words(&self, tx: &Transaction) -> Result<Vec<RowId>> {
        let sql =
            "SELECT id FROM user_prompts WHERE session_id IN (SELECT value FROM json_each(?1))";
        let prompts = ids(tx, sql, json(&self.sessions))?.into_iter().map(RowId::prompt);
        let observations = self.observations.iter().copied().map(RowId::observation);
        let summaries = self.summaries.iter().copied().map(RowId::summary);
        Ok(prompts.chain(observations).chain(summaries).collect())
    }
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
    let mut rows = conn.prepare(sql)?;
    let rows = rows.query_map([value], |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn set(ids: &[i64]) -> HashSet<i64> {
    ids.iter().copied().collect()
}

fn json(list: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(list).expect("a list serializes to JSON")
}
