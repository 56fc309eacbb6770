//! Finds a session by a prefix of its id or by the current directory.

use std::path::Path;

use rusqlite::Connection;

use super::format::{self, short};
use crate::failure::{Context, Failure, Result, failed, usage};
use crate::project;
use crate::store::sessions::{self, Filter, PrefixMatch, Session};
use crate::store::{claims, projects};

/// How many candidates an error lists.
const MAX_LISTED: usize = 8;

/// How many active sessions are loaded.
const MAX_LOADED: usize = 50;

/// Finds a session by a prefix of its id that no other session has.
///
/// # Errors
/// Exit code 1 if no session matches, 2 with the candidates if several do.
pub fn session(conn: &Connection, prefix: &str) -> Result<Session> {
    match sessions::by_prefix(conn, prefix).context("database")? {
        PrefixMatch::One(session) => Ok(*session),
        PrefixMatch::Many(many) => Err(ambiguous(prefix, &ids(&many))),
        PrefixMatch::None => Err(failed(format!("no session starts with '{prefix}'"))
            .hint("`memctl status` lists the latest sessions of this project")),
    }
}

/// Finds the only active session of the project in the current directory.
///
/// # Errors
/// Exit code 1 if there is none, 2 with the candidates if there are several.
pub fn only_active(conn: &Connection) -> Result<Session> {
    let here = std::env::current_dir().context("current directory")?;
    let project = project::identify(&here);
    let none = || {
        failed(format!("project {} has no active session", project.name))
            .hint("name a session; `memctl status` lists the latest ones")
    };
    let examined = claims::examine(conn, &project).context("database")?;
    let id = projects::find(conn, &examined.project).context("database")?.ok_or_else(none)?;
    let active = Filter { project_id: Some(id), active: true };
    let mut found = sessions::list(conn, active, MAX_LOADED).context("database")?;
    match found.len() {
        0 => Err(none()),
        1 => Ok(found.remove(0)),
        n => Err(usage(format!(
            "project {} has {n} active sessions: {}",
            project.name,
            join_ids(&ids(&found))
        ))
        .hint("name one of them")),
    }
}

/// Finds a project by its directory or its name. The directory need not exist any more.
///
/// # Errors
/// Exit code 1 if no project matches, 2 with their directories if several do.
pub fn project(conn: &Connection, name: &str) -> Result<i64> {
    let dir = Path::new(name);
    let examined = claims::examine(conn, &project::identify(dir)).context("database")?;
    if let Some(id) = projects::find(conn, &examined.project).context("database")? {
        return Ok(id);
    }
    for removed in project::removed(dir) {
        if let Some(id) = projects::of_removed(conn, &removed).context("database")? {
            return Ok(id);
        }
    }
    let found = projects::by_name(conn, name).context("database")?;
    match &found[..] {
        [(id, _)] => Ok(*id),
        [] => Err(failed(format!("nothing is stored for project '{name}'"))
            .hint("use its directory, or its name as `memctl project list` prints it")),
        several => {
            let roots: Vec<&str> = several.iter().map(|(_, root)| root.as_str()).collect();
            let n = roots.len();
            Err(usage(format!("{n} projects have the name '{name}': {}", roots.join(", ")))
                .hint("use the directory of one of them"))
        }
    }
}

/// The error for a prefix that several sessions share.
pub fn ambiguous(prefix: &str, ids: &[&str]) -> Failure {
    let n = ids.len();
    usage(format!("{n} sessions start with '{prefix}': {}", join_ids(ids)))
        .hint("use a longer prefix")
}

fn ids(sessions: &[Session]) -> Vec<&str> {
    sessions.iter().map(|s| s.content_session_id.as_str()).collect()
}

fn join_ids(ids: &[&str]) -> String {
    let n = format::distinct(ids, 13);
    let mut listed: Vec<String> = ids.iter().take(MAX_LISTED).map(|id| short(id, n)).collect();
    if ids.len() > MAX_LISTED {
        listed.push(format!("{} more", ids.len() - MAX_LISTED));
    }
    listed.join(", ")
}
