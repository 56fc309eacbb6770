//! The words for a change of projects.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::How;
use crate::ctl::format::{count, summaries};
use crate::failure::Result;
use crate::store::project_changes::{Change, Counts, Kind};
use crate::store::projects;
use crate::text::escape;

/// When a change is told.
#[derive(Clone, Copy, PartialEq)]
pub enum Tense {
    /// `--dry-run`.
    Would,
    Done,
}

/// The change as a sentence without an end.
pub fn sentence(conn: &Connection, change: &Change, tense: Tense) -> Result<String> {
    let name = |id: i64| -> Result<String> {
        let known = change.name_before(id).map(str::to_owned);
        let name = known.map_or_else(|| projects::name(conn, id), Ok)?;
        Ok(escape(&name).into_owned())
    };
    let new = change.new.as_ref().map(|new| escape(&new.name).into_owned());
    let other = match (new, change.other) {
        (Some(new), _) => new,
        (None, Some(id)) => name(id)?,
        (None, None) => String::new(),
    };
    let project = name(change.project)?;
    let dir = escape(change.dir.as_deref().unwrap_or_default());
    let is_done = tense == Tense::Done;
    let verb = |would: &str, done: &str| match is_done {
        true => done.to_owned(),
        false => format!("would {would}"),
    };
    Ok(match change.kind {
        Kind::Rename => {
            let new = escape(change.name.as_deref().unwrap_or_default());
            format!("{} project {project} to {new}", verb("rename", "renamed"))
        }
        Kind::Move => {
            let moved = change.relocated.as_ref();
            let (old, new) = moved.map(|m| (m.old.as_str(), m.new.as_str())).unwrap_or_default();
            let (old, new) = (escape(old), escape(new));
            format!("{} {old} to {new}, of project {project}", verb("move", "moved"))
        }
        Kind::Merge => format!("{} project {other} into {project}", verb("merge", "merged")),
        Kind::Split => format!("{} {other} off project {project}", verb("split", "split")),
        Kind::Link if is_done => format!("{dir} belongs to project {project} now"),
        Kind::Link => format!("{dir} would belong to project {project}"),
        Kind::Unlink if is_done => format!("{dir} is a project of its own now"),
        Kind::Unlink => format!("{dir} would be a project of its own"),
    })
}

/// `: 12 sessions, 40 summaries, 2 keys`. Empty if nothing goes to another project.
pub fn amounts(change: &Change) -> String {
    let Counts { sessions, summaries: n_summaries, observations, .. } = change.counts();
    let (relocated, n_keys) =
        (change.relocated.as_ref().map_or(0, |r| r.sessions.len() as u64), change.keys().len());
    let all = [
        (sessions, count(sessions, "session")),
        (n_summaries, summaries(n_summaries)),
        (observations, count(observations, "observation")),
        (relocated, format!("the directory of {}", count(relocated, "session"))),
        (n_keys as u64, count(n_keys as u64, "key")),
    ];
    let some: Vec<String> = all.into_iter().filter(|(n, _)| *n > 0).map(|(_, text)| text).collect();
    if some.is_empty() { String::new() } else { format!(": {}", some.join(", ")) }
}

/// The keys, one on each line.
pub fn keys(change: &Change) -> String {
    let before = |key: &str| {
        let renamed = change.renamed.iter().find(|renamed| renamed.new == key);
        renamed.map_or(String::new(), |renamed| format!(" (was {})", escape(&renamed.old)))
    };
    let line = |key: &&str| format!("  {}{}\n", escape(key), before(key));
    change.keys().iter().map(line).collect()
}

/// What an object of `--json` says.
pub struct Told<'a> {
    pub change: &'a Change,
    pub id: Option<i64>,
    pub what: String,
    pub undone: bool,
    pub stays: u64,
}

pub fn object(told: &Told, how: &How) -> Value {
    let counts = told.change.counts();
    json!({
        "change": told.id, "kind": told.change.kind.as_str(), "what": told.what,
        "sessions": counts.sessions, "summaries": counts.summaries,
        "observations": counts.observations, "keys": told.change.keys(),
        "dry_run": how.dry_run, "undone": told.undone, "stays": told.stays,
    })
}
