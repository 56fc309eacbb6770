//! Selects the rows to forget, and deletes them from every table. A forgotten session, prompt,
//! summary or observation leaves a tombstone.
//!
//! A session is deleted as a whole, and its events from before that time are refused afterwards. A
//! prompt is deleted with its results and becomes private, so that later events of its turn keep no
//! text. A queued event keeps its ids, so that a repeat is recognized, and loses its texts; a
//! claimed batch that contains it is dropped. Later turns of the session lose the copy that they have of a
//! forgotten request (`copied_requests`). `forgotten` keeps what can be restored.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Params, Transaction, params};

use super::error::Result;
use super::forgotten::record::Record;
use super::private::{STRIP, STRIPPED};
use super::references::References;
use super::tombstones::{self, OBSERVATION, PROMPT, SESSION, SUMMARY};
use super::words::{self, RowId, RowKind};
use super::{
    Locked, copied_requests, links, projects, revisions, sessions, told_turns, turn_evidence,
};
use crate::testpoint;
use crate::text::Needle;

/// Maximum number of rows that one transaction changes.
pub(super) const MAX_ROWS: usize = 500;

/// Conditions on the rows to forget. A row must meet all that are set.
#[derive(Clone, Debug, Default)]
pub struct ForgetFilter {
    pub project: Option<i64>,
    /// Occurs in one of the row's texts.
    pub text: Option<Needle>,
    /// Created at this time or later, in milliseconds since the epoch.
    pub since: Option<i64>,
    /// Created before this time.
    pub before: Option<i64>,
}

/// Row ids to forget.
#[derive(Clone, Debug, Default)]
pub struct ForgetSet {
    pub sessions: BTreeSet<i64>,
    pub prompts: BTreeSet<i64>,
    pub summaries: BTreeSet<i64>,
    pub observations: BTreeSet<i64>,
    /// Rows of the queue that have texts or are unfinished.
    pub(super) events: BTreeSet<i64>,
    /// Earlier texts of edited memories that are not in the set.
    pub(super) versions: BTreeSet<i64>,
    /// Sessions whose evidence of the latest turn is deleted.
    evidence: BTreeSet<i64>,
    /// Projects that are deleted if nothing else refers to them.
    projects: BTreeSet<i64>,
}

/// Number of rows to forget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForgetCounts {
    pub sessions: u64,
    pub prompts: u64,
    pub summaries: u64,
    pub observations: u64,
    /// Earlier texts of edited memories.
    pub versions: u64,
    pub events: u64,
}

impl ForgetCounts {
    pub fn total(&self) -> u64 {
        let memories = self.sessions + self.prompts + self.summaries + self.observations;
        memories + self.versions + self.events
    }
}

/// The project of an observation. One that holds in every project belongs to none.
const OWN_PROJECT: &str = "CASE WHEN m.scope <> 'user' THEN m.project_id END";

const EVENTS: &str =
    "SELECT m.id FROM pending_messages m WHERE (m.status IN ('pending', 'processing')
   OR coalesce(m.tool_input, m.tool_response, m.last_assistant_message) NOTNULL)";
const PROMPTS: &str = "SELECT m.id FROM user_prompts m WHERE m.prompt_text NOTNULL";
const SUMMARIES: &str = "SELECT m.id FROM session_summaries m WHERE NOT m.hidden";
const OBSERVATIONS: &str = "SELECT m.id FROM observations m WHERE 1";
/// The earlier texts of edited memories, with what [`matching`] needs of the memory.
const VERSIONS: &str = "SELECT m.id FROM
   (SELECT r.id, r.content, ifnull(o.session_id, s.session_id) AS session_id,
     ifnull(o.project_id, s.project_id) AS project_id,
     ifnull(o.created_at_epoch, s.created_at_epoch) AS created_at_epoch
    FROM revisions r LEFT JOIN observations o ON o.id = r.observation_id
    LEFT JOIN session_summaries s ON s.id = r.summary_id) m WHERE 1";
/// A session has at most one row, which is named by the session.
const EVIDENCE: &str = "SELECT m.id FROM
   (SELECT session_id AS id, session_id, evidence,
     (SELECT started_at_epoch FROM sessions WHERE id = session_id) AS created_at_epoch
    FROM turn_evidence) m WHERE 1";

// The columns of each table that hold text.
pub(super) const EVENT_TEXTS: [&str; 5] =
    ["tool_name", "tool_input", "tool_response", "last_assistant_message", "files"];
pub(super) const SUMMARY_TEXTS: [&str; 10] = [
    "title",
    "turn",
    "request",
    "investigated",
    "learned",
    "completed",
    "next_steps",
    "notes",
    "files_read",
    "files_modified",
];
pub(super) const OBSERVATION_TEXTS: [&str; 10] = [
    "title",
    "subtitle",
    "narrative",
    "facts",
    "concepts",
    "files_read",
    "files_modified",
    "metadata",
    "names",
    "branch",
];

impl ForgetSet {
    pub fn count(&self) -> ForgetCounts {
        ForgetCounts {
            sessions: self.sessions.len() as u64,
            prompts: self.prompts.len() as u64,
            summaries: self.summaries.len() as u64,
            observations: self.observations.len() as u64,
            versions: self.versions.len() as u64,
            events: self.events.len() as u64,
        }
    }

    /// The observations and summaries.
    pub fn memories(&self) -> impl Iterator<Item = RowId> {
        let observations = self.observations.iter().copied().map(RowId::observation);
        observations.chain(self.summaries.iter().copied().map(RowId::summary))
    }

    pub fn is_empty(&self) -> bool {
        self.count() == ForgetCounts::default()
            && self.projects.is_empty()
            && self.evidence.is_empty()
    }

    /// The ids of a table's rows. `None` for a table whose rows are not selected one by one.
    fn rows(&mut self, table: &str) -> Option<&mut BTreeSet<i64>> {
        Some(match table {
            "sessions" => &mut self.sessions,
            "user_prompts" => &mut self.prompts,
            "session_summaries" => &mut self.summaries,
            "observations" => &mut self.observations,
            "pending_messages" => &mut self.events,
            "projects" => &mut self.projects,
            _ => return None,
        })
    }

    pub(super) fn has_row(&mut self, table: &str, id: i64) -> bool {
        self.rows(table).is_some_and(|rows| rows.contains(&id))
    }

    /// Adds a row. `false` if the rows of this table are not selected one by one.
    pub(super) fn add_row(&mut self, table: &str, id: i64) -> bool {
        self.rows(table).map(|rows| rows.insert(id)).is_some()
    }

    /// Client and id of the sessions that are deleted or lose queued events.
    pub fn affected_sessions(&self, conn: &Connection) -> Result<BTreeSet<(String, String)>> {
        let names_by = |sql: &str, ids: &BTreeSet<i64>| {
            let mut names = conn.prepare(sql)?;
            let name = |id| Ok(names.query_map([id], |r| Ok((r.get(0)?, r.get(1)?)))?.collect());
            let found: Result<Vec<rusqlite::Result<Vec<_>>>> = ids.iter().map(name).collect();
            found?.into_iter().map(|n| Ok(n?)).collect::<Result<Vec<Vec<_>>>>()
        };
        let session = "SELECT client, content_session_id FROM sessions WHERE id = ?1";
        let event = "SELECT s.client, s.content_session_id FROM pending_messages m
           JOIN sessions s ON s.id = m.session_id WHERE m.id = ?1";
        let names = [names_by(session, &self.sessions)?, names_by(event, &self.events)?];
        Ok(names.into_iter().flatten().flatten().collect())
    }

    /// Adds a session and everything that belongs to it.
    pub fn add_session(&mut self, conn: &Connection, id: i64) -> Result<()> {
        self.sessions.insert(id);
        let select = |sql: &str| ids(conn, &format!("{sql} AND m.session_id = ?1"), [id]);
        self.prompts.extend(select(PROMPTS)?);
        self.summaries.extend(select(SUMMARIES)?);
        self.observations.extend(select(OBSERVATIONS)?);
        self.events.extend(select(EVENTS)?);
        Ok(())
    }

    /// Adds a prompt and its summaries, observations and queued events.
    pub fn add_prompt(&mut self, conn: &Connection, id: i64) -> Result<()> {
        self.prompts.insert(id);
        let Some(turn) = turn_of(conn, "user_prompts", id)? else { return Ok(()) };
        let select = |sql: &str| ids(conn, &format!("{sql} AND {OF_TURN}"), turn);
        self.summaries.extend(select(SUMMARIES)?);
        self.observations.extend(select(OBSERVATIONS)?);
        self.events.extend(select(EVENTS)?);
        self.evidence.extend(ids(
            conn,
            "SELECT e.session_id FROM turn_evidence e JOIN user_prompts p
               ON p.session_id = e.session_id AND p.prompt_number = ?2
             WHERE e.session_id = ?1 AND (e.prompt_number = ?2 OR e.prompt_number IN
               (SELECT prompt_number FROM user_prompts
                WHERE session_id = ?1 AND turn_id = p.turn_id))",
            turn,
        )?);
        Ok(())
    }

    /// Adds a summary and the queued `summarize` messages that would write it again.
    pub fn add_summary(&mut self, conn: &Connection, id: i64) -> Result<()> {
        self.summaries.insert(id);
        let Some(turn) = turn_of(conn, "session_summaries", id)? else { return Ok(()) };
        let sql = format!("{EVENTS} AND m.message_type = 'summarize' AND {OF_TURN}");
        self.events.extend(ids(conn, &sql, turn)?);
        Ok(())
    }

    /// The summaries that stay and contain a request that does not.
    fn copies(&self, conn: &Connection) -> Result<Vec<i64>> {
        let mut of_prompt = conn.prepare("SELECT session_id FROM user_prompts WHERE id = ?1")?;
        let mut of_summary =
            conn.prepare("SELECT session_id FROM session_summaries WHERE id = ?1")?;
        let mut sessions = BTreeSet::new();
        for (of_row, rows) in [(&mut of_prompt, &self.prompts), (&mut of_summary, &self.summaries)]
        {
            for row in rows {
                let session: Option<Option<i64>> =
                    of_row.query_row([row], |r| r.get(0)).optional()?;
                sessions.extend(session.flatten().filter(|id| !self.sessions.contains(id)));
            }
        }
        let copies =
            sessions.iter().map(|id| copied_requests::without_source(conn, *id, &self.summaries));
        Ok(copies.collect::<Result<Vec<_>>>()?.concat())
    }

    /// Adds observations with their copies, and with earlier accounts of the same turn. A statement that
    /// one of them replaces stays.
    pub fn add_observations(&mut self, conn: &Connection, ids: &[i64]) -> Result<()> {
        let mut pairs = conn.prepare(
            "SELECT newer.id, older.id FROM observations older
             JOIN observations newer ON newer.uuid = older.superseded_by
             WHERE NOT EXISTS (SELECT 1 FROM observation_links l WHERE l.old_id = older.id
               AND l.new_id = newer.id AND l.kind = 'replaces')",
        )?;
        let mut superseded: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for pair in pairs.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))? {
            let (newer, older) = pair?;
            superseded.entry(newer).or_default().push(older);
        }
        let mut open = ids.to_vec();
        while let Some(id) = open.pop() {
            if self.observations.insert(id) {
                open.extend(superseded.get(&id).into_iter().flatten());
            }
        }
        Ok(())
    }

    /// Adds the rows that match the filter. Without a text, a session whose rows all match is added
    /// as a whole.
    pub fn add_matching(&mut self, conn: &Connection, filter: &ForgetFilter) -> Result<()> {
        let ForgetFilter { project, text, since, before } = filter;
        if text.is_none() {
            let sessions = ids(
                conn,
                "SELECT id FROM sessions WHERE (?1 IS NULL OR project_id = ?1)
                   AND (?2 IS NULL OR started_at_epoch >= ?2)
                   AND (?3 IS NULL OR last_event_epoch < ?3)",
                params![project, since, before],
            )?;
            sessions.into_iter().try_for_each(|id| self.add_session(conn, id))?;
            if since.is_none()
                && before.is_none()
                && let Some(project) = *project
            {
                self.projects.insert(project);
                self.projects.extend(projects::merged_into(conn, project)?);
            }
        }
        // Most rows belong to a session or a prompt that is in the set already.
        let mut prompts = matching(conn, PROMPTS, "NULL", &["prompt_text"], filter)?;
        prompts.retain(|id| !self.prompts.contains(id));
        prompts.into_iter().try_for_each(|id| self.add_prompt(conn, id))?;
        let mut summaries = matching(conn, SUMMARIES, "m.project_id", &SUMMARY_TEXTS, filter)?;
        summaries.retain(|id| !self.summaries.contains(id));
        summaries.into_iter().try_for_each(|id| self.add_summary(conn, id))?;
        let observations = matching(conn, OBSERVATIONS, OWN_PROJECT, &OBSERVATION_TEXTS, filter)?;
        self.add_observations(conn, &observations)?;
        self.events.extend(matching(conn, EVENTS, "NULL", &EVENT_TEXTS, filter)?);
        if text.is_some() {
            self.evidence.extend(matching(conn, EVIDENCE, "NULL", &["evidence"], filter)?);
            for id in matching(conn, VERSIONS, "m.project_id", &["content"], filter)? {
                let is_removed_anyway = match revisions::memory_of(conn, id)? {
                    Some(RowId { kind: RowKind::Observation, id }) => {
                        self.observations.contains(&id)
                    }
                    Some(RowId { kind: RowKind::Summary, id }) => self.summaries.contains(&id),
                    Some(RowId { kind: RowKind::Prompt, .. }) | None => false,
                };
                self.versions.extend((!is_removed_anyway).then_some(id));
            }
        }
        Ok(())
    }
}

/// A condition on rows of the table `m`. The parameters are those of [`turn_of`].
const OF_TURN: &str = "m.session_id = ?1 AND m.prompt_number = ?2";

/// Session and prompt number of a row.
fn turn_of(conn: &Connection, table: &str, id: i64) -> Result<Option<[i64; 2]>> {
    let sql = format!("SELECT session_id, prompt_number FROM {table} WHERE id = ?1");
    let mut turn = conn.prepare_cached(&sql)?;
    let turn: Option<(Option<i64>, i64)> =
        turn.query_row([id], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    Ok(turn.and_then(|(session, number)| Some([session?, number])))
}

/// Ids of the rows that match the filter. `select` names the table `m`.
fn matching(
    conn: &Connection,
    select: &str,
    project: &str,
    texts: &[&str],
    filter: &ForgetFilter,
) -> Result<Vec<i64>> {
    let columns: Vec<String> = texts.iter().map(|text| format!(", m.{text}")).collect();
    let select = select.replacen("m.id", &format!("m.id{}", columns.concat()), 1);
    let mut rows = conn.prepare(&format!(
        "{select} AND (?1 IS NULL OR ?1 = coalesce({project},
             (SELECT project_id FROM sessions WHERE id = m.session_id)))
           AND (?2 IS NULL OR m.created_at_epoch >= ?2)
           AND (?3 IS NULL OR m.created_at_epoch < ?3)"
    ))?;
    let mut rows = rows.query(params![filter.project, filter.since, filter.before])?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next()? {
        let needles = filter.text.as_slice();
        let has_text = || (1..=texts.len()).any(|i| contains(row, i, needles));
        if needles.is_empty() || has_text() {
            ids.push(row.get(0)?);
        }
    }
    Ok(ids)
}

pub(super) fn contains(row: &rusqlite::Row, column: usize, needles: &[Needle]) -> bool {
    match row.get_ref(column) {
        Ok(ValueRef::Text(text) | ValueRef::Blob(text)) => {
            Needle::any_in(needles, &String::from_utf8_lossy(text))
        }
        _ => false,
    }
}

fn ids(conn: &Connection, sql: &str, params: impl Params) -> Result<Vec<i64>> {
    let mut rows = conn.prepare_cached(sql)?;
    let rows = rows.query_map(params, |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Deletes the rows in several transactions. Afterwards, events of a forgotten session with a time
/// up to `now` are refused. `until`: how long this can be undone, in milliseconds since the epoch.
/// `on_row` is called for each row.
///
/// # Errors
/// An I/O error. A second call forgets the remaining rows.
pub fn forget(
    locked: &mut Locked,
    set: &ForgetSet,
    until: Option<i64>,
    now: i64,
    on_row: &dyn Fn(),
) -> Result<()> {
    let removal = Removal {
        keys: References::load(locked.connection())?,
        record: Record::begin(locked, until, now)?,
        now,
        on_row,
    };
    // First, because a `forget` that is killed would not find their sources again.
    let copies = set.copies(locked.connection())?;
    removal
        .each(locked, &copies, |tx, id| copied_requests::remove(tx, &removal.record, *id, now))?;
    removal.remove_sessions(locked, &set.sessions)?;
    removal.each(locked, &set.evidence, |tx, session| {
        removal.record.deleted_rows(tx, "turn_evidence", "session_id", *session)?;
        turn_evidence::clear(tx, *session)
    })?;
    removal.each(locked, &set.events, |tx, id| {
        removal.record.changed(tx, "pending_messages", &STRIPPED, *id)?;
        tx.prepare_cached(&format!("{STRIP} id = ?2"))?.execute([now, *id])?;
        Ok(())
    })?;
    removal.each(locked, &set.prompts, |tx, id| {
        removal.record.changed(tx, "user_prompts", &["uuid", "prompt_text", "private"], *id)?;
        removal.record_tombstone(tx, "user_prompts", PROMPT, *id)?;
        words::remove(tx, RowId::prompt(*id))?;
        tx.prepare_cached("UPDATE user_prompts SET prompt_text = NULL, private = 1 WHERE id = ?1")?
            .execute([id])?;
        Ok(())
    })?;
    removal.each(locked, &set.versions, |tx, id| {
        removal.record.deleted_rows(tx, "rejected", "revision", *id)?;
        removal.record.deleted_rows(tx, "revisions", "id", *id)?;
        revisions::delete(tx, *id)
    })?;
    removal.each(locked, &set.summaries, |tx, id| {
        removal.remove(tx, "session_summaries", Some(SUMMARY), id)
    })?;
    removal.each(locked, &set.observations, |tx, id| {
        removal.remove(tx, "observations", Some(OBSERVATION), id)
    })?;
    for project in &set.projects {
        locked.write(|tx| {
            let referenced = ["sessions", "observations", "session_summaries"]
                .map(|t| format!("EXISTS (SELECT 1 FROM {t} WHERE project_id = ?1)"))
                .join(" OR ");
            let in_use: bool =
                tx.query_row(&format!("SELECT {referenced}"), [project], |r| r.get(0))?;
            if !in_use {
                // Turns of other projects are not told there any more.
                let rows = told_turns::rows(tx, &told_turns::told_in(tx, *project)?)?;
                words::changing(tx, &rows, || removal.remove(tx, "projects", None, project))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// How rows are removed.
struct Removal<'a> {
    keys: References,
    record: Record,
    now: i64,
    on_row: &'a dyn Fn(),
}

impl Removal<'_> {
    fn remove_sessions(&self, locked: &mut Locked, sessions: &BTreeSet<i64>) -> Result<()> {
        // The tombstones come first, so that events that arrive during the deletion are refused.
        self.each(locked, sessions, |tx, session| {
            let Some(known) = sessions::get(tx, *session)? else { return Ok(()) };
            let (client, id) = (&known.client, &known.content_session_id);
            self.record.identity(tx, *session, client, id)?;
            tombstones::put(tx, &known.uuid, SESSION, *session, self.now)?;
            tombstones::put_identity(tx, client, id, self.now)
        })?;
        for (table, kind) in [
            ("observations", Some(OBSERVATION)),
            ("session_summaries", Some(SUMMARY)),
            ("user_prompts", Some(PROMPT)),
            ("pending_messages", None),
        ] {
            let sql = format!("SELECT id FROM {table} WHERE session_id = ?1");
            let of_session = |session: &i64| ids(locked.connection(), &sql, [session]);
            let rows = sessions.iter().map(of_session).collect::<Result<Vec<_>>>()?.concat();
            self.each(locked, &rows, |tx, id| self.remove(tx, table, kind, id))?;
        }
        self.each(locked, sessions, |tx, session| self.remove(tx, "sessions", None, session))
    }

    /// Runs `each` for every id, in transactions of at most [`MAX_ROWS`] ids.
    fn each<'a>(
        &self,
        locked: &mut Locked,
        ids: impl IntoIterator<Item = &'a i64>,
        each: impl Fn(&Transaction, &i64) -> Result<()>,
    ) -> Result<()> {
        let ids: Vec<&i64> = ids.into_iter().collect();
        for chunk in ids.chunks(MAX_ROWS) {
            locked.write(|tx| {
                chunk.iter().try_for_each(|id| {
                    (self.on_row)();
                    each(tx, id)
                })
            })?;
            testpoint::at("forget.removed");
        }
        Ok(())
    }

    /// Deletes a row and clears the references to it. Puts up a tombstone of `kind`, if given.
    fn remove(&self, tx: &Transaction, table: &str, kind: Option<&str>, id: &i64) -> Result<()> {
        if let Some(kind) = kind {
            self.record_tombstone(tx, table, kind, *id)?;
        }
        if table == "observations" {
            for old in links::kept_out_by(tx, *id)? {
                self.record.changed(tx, table, &["superseded_by", "changed_at_epoch"], old)?;
            }
            links::release(tx, *id, self.now)?;
        }
        self.record.deleted(tx, &self.keys, table, *id)?;
        if let Some(kind) = RowKind::of_table(table) {
            words::remove(tx, RowId { kind, id: *id })?;
        }
        self.keys.clear(tx, table, *id)?;
        tx.prepare_cached(&format!("DELETE FROM {table} WHERE id = ?1"))?.execute([id])?;
        Ok(())
    }

    fn record_tombstone(&self, tx: &Transaction, table: &str, kind: &str, id: i64) -> Result<()> {
        let mut uuid = tx.prepare_cached(&format!("SELECT uuid FROM {table} WHERE id = ?1"))?;
        let mut rows = uuid.query([id])?;
        match rows.next()? {
            Some(row) => tombstones::put(tx, &row.get::<_, String>(0)?, kind, id, self.now),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "forget_tests.rs"]
mod tests;
