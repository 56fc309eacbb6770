//! What is stored of one project, in numbers.

use rusqlite::Connection;

use super::error::Result;
use super::projects;

/// Numbers of a project. Times are milliseconds since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    pub sessions: u64,
    pub prompts: u64,
    pub summaries: u64,
    pub observations: u64,
    /// Size of their texts in bytes, without the index and the queue.
    pub bytes: u64,
    pub first_event_epoch: Option<i64>,
    pub last_event_epoch: Option<i64>,
    /// The user has separated its directory.
    pub separate: bool,
    /// Names of the projects that were merged into it.
    pub merged: Vec<String>,
}

/// Counts the rows of a project.
pub fn of(conn: &Connection, project: i64) -> Result<Overview> {
    let size = |columns: &[&str]| {
        let sizes: Vec<String> =
            columns.iter().map(|c| format!("length(CAST(ifnull({c}, '') AS BLOB))")).collect();
        format!("count(*), ifnull(sum({}), 0)", sizes.join(" + "))
    };
    let count = |sql: &str| -> Result<(u64, u64)> {
        Ok(conn.query_row(sql, [project], |r| {
            Ok((r.get::<_, i64>(0)? as u64, r.get::<_, i64>(1)? as u64))
        })?)
    };
    let observations = size(&["title", "subtitle", "narrative", "facts", "concepts", "metadata"]);
    let summaries = size(&[
        "title",
        "turn",
        "request",
        "investigated",
        "learned",
        "completed",
        "next_steps",
        "notes",
    ]);
    let (n_observations, observation_bytes) =
        count(&format!("SELECT {observations} FROM observations WHERE project_id = ?1"))?;
    let (n_summaries, summary_bytes) = count(&format!(
        "SELECT {summaries} FROM session_summaries WHERE project_id = ?1 AND NOT hidden"
    ))?;
    let (n_prompts, prompt_bytes) = count(&format!(
        "SELECT {} FROM user_prompts
         WHERE session_id IN (SELECT id FROM sessions WHERE project_id = ?1)",
        size(&["prompt_text"])
    ))?;
    let times = "SELECT count(*), min(started_at_epoch), max(last_event_epoch) FROM sessions
       WHERE project_id = ?1";
    let (n_sessions, first, last) =
        conn.query_row(times, [project], |r| Ok((r.get::<_, i64>(0)?, r.get(1)?, r.get(2)?)))?;
    let mut merged =
        conn.prepare("SELECT name FROM projects WHERE merged_into = ?1 ORDER BY name, id")?;
    let merged = merged.query_map([project], |r| r.get(0))?;
    Ok(Overview {
        sessions: n_sessions as u64,
        prompts: n_prompts,
        summaries: n_summaries,
        observations: n_observations,
        bytes: observation_bytes + summary_bytes + prompt_bytes,
        first_event_epoch: first,
        last_event_epoch: last,
        separate: projects::is_separate(conn, project)?,
        merged: merged.collect::<rusqlite::Result<_>>()?,
    })
}
