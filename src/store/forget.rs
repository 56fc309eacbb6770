//! Forgetting: what is meant, and taking it out of every table. What goes leaves a tombstone.
//!
//! A session goes as a whole, and what happened in it before is refused when it comes late. A
//! prompt takes along what came of it and turns private, so that nothing is kept of what its turn
//! still reports. A queued event keeps its ids, so that a repeat is known, and loses its texts; a
//! batch that has it in hand is dropped.

use std::collections::BTreeSet;

use rusqlite::{Connection, Params, Transaction, params};

use super::error::Result;
use super::private::STRIP;
use super::tombstones::{self, OBSERVATION, PROMPT, SESSION, SUMMARY};
use super::{Locked, sessions};

/// At most so many rows in one transaction.
const PIECE: usize = 500;

/// All that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct ForgetFilter {
    pub project: Option<i64>,
    /// Stands in one of the texts; A to Z count as a to z.
    pub text: Option<String>,
    /// Milliseconds since the epoch.
    pub since: Option<i64>,
    pub before: Option<i64>,
}

/// Row ids of what is to go.
#[derive(Clone, Debug, Default)]
pub struct ForgetSet {
    pub sessions: BTreeSet<i64>,
    pub prompts: BTreeSet<i64>,
    pub summaries: BTreeSet<i64>,
    pub observations: BTreeSet<i64>,
    /// Queued events that have texts or are not done.
    events: BTreeSet<i64>,
    /// Once nothing of them is left.
    projects: BTreeSet<i64>,
}

/// How much is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForgetCounts {
    pub sessions: u64,
    pub prompts: u64,
    pub summaries: u64,
    pub observations: u64,
    pub events: u64,
}

impl ForgetCounts {
    pub fn all(&self) -> u64 {
        self.sessions + self.prompts + self.summaries + self.observations + self.events
    }
}

const EVENTS: &str =
    "SELECT m.id FROM pending_messages m WHERE (m.status IN ('pending', 'processing')
   OR coalesce(m.tool_input, m.tool_response, m.last_assistant_message) NOTNULL)";
const PROMPTS: &str = "SELECT m.id FROM user_prompts m WHERE m.prompt_text NOTNULL";
const SUMMARIES: &str = "SELECT m.id FROM session_summaries m WHERE NOT m.hidden";
const OBSERVATIONS: &str = "SELECT m.id FROM observations m WHERE 1";

/// The columns of each that hold what was said and done.
const OF_EVENTS: [&str; 5] =
    ["tool_name", "tool_input", "tool_response", "last_assistant_message", "files"];
const OF_SUMMARIES: [&str; 8] = [
    "request",
    "investigated",
    "learned",
    "completed",
    "next_steps",
    "notes",
    "files_read",
    "files_modified",
];
const OF_OBSERVATIONS: [&str; 8] = [
    "title",
    "subtitle",
    "narrative",
    "facts",
    "concepts",
    "files_read",
    "files_modified",
    "metadata",
];

impl ForgetSet {
    pub fn count(&self) -> ForgetCounts {
        ForgetCounts {
            sessions: self.sessions.len() as u64,
            prompts: self.prompts.len() as u64,
            summaries: self.summaries.len() as u64,
            observations: self.observations.len() as u64,
            events: self.events.len() as u64,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.count() == ForgetCounts::default() && self.projects.is_empty()
    }

    /// Client and id of the sessions that go, and of those whose queue is touched.
    pub fn affected_sessions(&self, conn: &Connection) -> Result<BTreeSet<(String, String)>> {
        let of = |sql: &str, ids: &BTreeSet<i64>| {
            let mut names = conn.prepare(sql)?;
            let name = |id| Ok(names.query_map([id], |r| Ok((r.get(0)?, r.get(1)?)))?.collect());
            let found: Result<Vec<rusqlite::Result<Vec<_>>>> = ids.iter().map(name).collect();
            found?.into_iter().map(|n| Ok(n?)).collect::<Result<Vec<Vec<_>>>>()
        };
        let session = "SELECT client, content_session_id FROM sessions WHERE id = ?1";
        let event = "SELECT s.client, s.content_session_id FROM pending_messages m
           JOIN sessions s ON s.id = m.session_id WHERE m.id = ?1";
        let names = [of(session, &self.sessions)?, of(event, &self.events)?];
        Ok(names.into_iter().flatten().flatten().collect())
    }

    /// A session with all that belongs to it.
    pub fn add_session(&mut self, conn: &Connection, id: i64) -> Result<()> {
        self.sessions.insert(id);
        let of = |select: &str| ids(conn, &format!("{select} AND m.session_id = ?1"), [id]);
        self.prompts.extend(of(PROMPTS)?);
        self.summaries.extend(of(SUMMARIES)?);
        self.observations.extend(of(OBSERVATIONS)?);
        self.events.extend(of(EVENTS)?);
        Ok(())
    }

    /// A prompt and what came of it.
    pub fn add_prompt(&mut self, conn: &Connection, id: i64) -> Result<()> {
        self.prompts.insert(id);
        let of = |select: &str| {
            let sql = format!(
                "{select} AND (m.session_id, m.prompt_number) =
                   (SELECT session_id, prompt_number FROM user_prompts WHERE id = ?1)"
            );
            ids(conn, &sql, [id])
        };
        self.summaries.extend(of(SUMMARIES)?);
        self.observations.extend(of(OBSERVATIONS)?);
        self.events.extend(of(EVENTS)?);
        Ok(())
    }

    /// A summary, also the one that is just being written anew.
    pub fn add_summary(&mut self, conn: &Connection, id: i64) -> Result<()> {
        self.summaries.insert(id);
        let sql = format!(
            "{EVENTS} AND m.message_type = 'summarize' AND (m.session_id, m.prompt_number) =
               (SELECT session_id, prompt_number FROM session_summaries WHERE id = ?1)"
        );
        self.events.extend(ids(conn, &sql, [id])?);
        Ok(())
    }

    /// An observation, and those whose place it took.
    pub fn add_observation(&mut self, conn: &Connection, id: i64) -> Result<()> {
        let mut of = conn.prepare_cached(
            "WITH RECURSIVE told(id, uuid) AS (SELECT id, uuid FROM observations WHERE id = ?1
               UNION SELECT o.id, o.uuid FROM observations o
               JOIN told ON o.superseded_by = told.uuid)
             SELECT id FROM told",
        )?;
        let all = of.query_map([id], |r| r.get(0))?;
        self.observations.extend(all.collect::<rusqlite::Result<Vec<i64>>>()?);
        Ok(())
    }

    /// Whatever is filter: of a project or a time whole sessions, where all of one is meant.
    pub fn add_matching(&mut self, conn: &Connection, filter: &ForgetFilter) -> Result<()> {
        let ForgetFilter { project, text, since, before } = filter;
        if text.is_none() {
            let whole = ids(
                conn,
                "SELECT id FROM sessions WHERE (?1 IS NULL OR project_id = ?1)
                   AND (?2 IS NULL OR started_at_epoch >= ?2)
                   AND (?3 IS NULL OR last_event_epoch < ?3)",
                params![project, since, before],
            )?;
            whole.into_iter().try_for_each(|id| self.add_session(conn, id))?;
            if since.is_none() && before.is_none() {
                self.projects.extend(*project);
            }
        }
        let prompts = matching(conn, PROMPTS, "NULL", &["prompt_text"], filter)?;
        prompts.into_iter().try_for_each(|id| self.add_prompt(conn, id))?;
        let summaries = matching(conn, SUMMARIES, "m.project_id", &OF_SUMMARIES, filter)?;
        summaries.into_iter().try_for_each(|id| self.add_summary(conn, id))?;
        let observed = matching(conn, OBSERVATIONS, "m.project_id", &OF_OBSERVATIONS, filter)?;
        observed.into_iter().try_for_each(|id| self.add_observation(conn, id))?;
        self.events.extend(matching(conn, EVENTS, "NULL", &OF_EVENTS, filter)?);
        Ok(())
    }
}

/// Rows of a table, which `select` calls `m`, that are filter.
fn matching(
    conn: &Connection,
    select: &str,
    project: &str,
    texts: &[&str],
    filter: &ForgetFilter,
) -> Result<Vec<i64>> {
    let text = filter.text.as_deref().map(str::to_ascii_lowercase);
    // Lists and inputs of tools are JSON, in which quotes and line ends look otherwise.
    let in_json = text.as_ref().map(|text| {
        let quoted = serde_json::to_string(text).expect("a text");
        quoted[1..quoted.len() - 1].to_owned()
    });
    let texts: Vec<String> = texts.iter().map(|t| format!("ifnull(m.{t}, '')")).collect();
    let all = format!("lower({})", texts.join(" || char(10) || "));
    let sql = format!(
        "{select} AND (?1 IS NULL OR ?1 = coalesce({project},
             (SELECT project_id FROM sessions WHERE id = m.session_id)))
           AND (?2 IS NULL OR m.created_at_epoch >= ?2)
           AND (?3 IS NULL OR m.created_at_epoch < ?3)
           AND (?4 IS NULL OR instr({all}, ?4) OR instr({all}, ?5))"
    );
    ids(conn, &sql, params![filter.project, filter.since, filter.before, text, in_json])
}

fn ids(conn: &Connection, sql: &str, params: impl Params) -> Result<Vec<i64>> {
    let mut rows = conn.prepare(sql)?;
    let rows = rows.query_map(params, |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Takes it out, in pieces. `now`: milliseconds since the epoch; what happened in a forgotten
/// session until then is refused from now on.
///
/// # Errors
/// What the disk says. What is left of `set` then can be forgotten by asking again.
pub fn forget(locked: &mut Locked, set: &ForgetSet, now: i64) -> Result<()> {
    let tables = References::of(locked.connection())?;
    for session in &set.sessions {
        // First of all: whatever comes from now on finds that it was forgotten.
        locked.write(|tx| {
            let Some(known) = sessions::get(tx, *session)? else { return Ok(()) };
            tombstones::put(tx, &known.uuid, SESSION, *session, now)?;
            tombstones::put_identity(tx, &known.client, &known.content_session_id, now)
        })?;
        for (table, kind) in [
            ("observations", Some(OBSERVATION)),
            ("session_summaries", Some(SUMMARY)),
            ("user_prompts", Some(PROMPT)),
            ("pending_messages", None),
        ] {
            let sql = format!("SELECT id FROM {table} WHERE session_id = ?1");
            let all = ids(locked.connection(), &sql, [session])?;
            in_pieces(locked, &all, |tx, id| remove(tx, &tables, table, kind, id, now))?;
        }
        locked.write(|tx| remove(tx, &tables, "sessions", None, session, now))?;
    }
    in_pieces(locked, &set.events, |tx, id| {
        tx.prepare_cached(&format!("{STRIP} id = ?2"))?.execute([now, *id])?;
        Ok(())
    })?;
    in_pieces(locked, &set.prompts, |tx, id| {
        entomb(tx, "user_prompts", PROMPT, *id, now)?;
        tx.prepare_cached("UPDATE user_prompts SET prompt_text = NULL, private = 1 WHERE id = ?1")?
            .execute([id])?;
        Ok(())
    })?;
    in_pieces(locked, &set.summaries, |tx, id| {
        remove(tx, &tables, "session_summaries", Some(SUMMARY), id, now)
    })?;
    in_pieces(locked, &set.observations, |tx, id| {
        remove(tx, &tables, "observations", Some(OBSERVATION), id, now)
    })?;
    for project in &set.projects {
        locked.write(|tx| {
            let left = ["sessions", "observations", "session_summaries"]
                .map(|t| format!("EXISTS (SELECT 1 FROM {t} WHERE project_id = ?1)"))
                .join(" OR ");
            let in_use: bool = tx.query_row(&format!("SELECT {left}"), [project], |r| r.get(0))?;
            if !in_use {
                tx.execute("DELETE FROM project_keys WHERE project_id = ?1", [project])?;
                remove(tx, &tables, "projects", None, project, now)?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn in_pieces<'a>(
    locked: &mut Locked,
    all: impl IntoIterator<Item = &'a i64>,
    each: impl Fn(&Transaction, &i64) -> Result<()>,
) -> Result<()> {
    let all: Vec<&i64> = all.into_iter().collect();
    for piece in all.chunks(PIECE) {
        locked.write(|tx| piece.iter().try_for_each(|id| each(tx, id)))?;
    }
    Ok(())
}

/// Takes a row out and leaves its name.
fn remove(
    tx: &Transaction,
    tables: &References,
    table: &str,
    kind: Option<&str>,
    id: &i64,
    now: i64,
) -> Result<()> {
    if let Some(kind) = kind {
        entomb(tx, table, kind, *id, now)?;
    }
    tables.let_go(tx, table, *id)?;
    tx.prepare_cached(&format!("DELETE FROM {table} WHERE id = ?1"))?.execute([id])?;
    Ok(())
}

fn entomb(tx: &Transaction, table: &str, kind: &str, id: i64, now: i64) -> Result<()> {
    let mut uuid = tx.prepare_cached(&format!("SELECT uuid FROM {table} WHERE id = ?1"))?;
    let mut rows = uuid.query([id])?;
    match rows.next()? {
        Some(row) => tombstones::put(tx, &row.get::<_, String>(0)?, kind, id, now),
        None => Ok(()),
    }
}

/// Which columns refer to which table, as the schema says: (table, column, referred to, may be
/// null). Those that go with what they refer to are not among them.
struct References(Vec<(String, String, String, bool)>);

impl References {
    fn of(conn: &Connection) -> Result<References> {
        let mut rows = conn.prepare(
            "SELECT t.name, k.\"from\", k.\"table\", NOT c.\"notnull\"
             FROM pragma_table_list AS t, pragma_foreign_key_list(t.name) AS k
             JOIN pragma_table_info(t.name) AS c ON c.name = k.\"from\"
             WHERE t.schema = 'main' AND t.type = 'table' AND k.on_delete <> 'CASCADE'",
        )?;
        let rows = rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?;
        Ok(References(rows.collect::<rusqlite::Result<_>>()?))
    }

    /// What refers to the row refers to nothing, or goes where that cannot be.
    fn let_go(&self, tx: &Transaction, table: &str, id: i64) -> Result<()> {
        for (child, column, _, nullable) in self.0.iter().filter(|(_, _, to, _)| to == table) {
            let sql = match nullable {
                true => format!("UPDATE {child} SET {column} = NULL WHERE {column} = ?1"),
                false => format!("DELETE FROM {child} WHERE {column} = ?1"),
            };
            tx.prepare_cached(&sql)?.execute([id])?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "forget_tests.rs"]
mod tests;
