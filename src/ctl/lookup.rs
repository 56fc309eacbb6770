//! Which session a person means: by its id or the beginning of it, or by where he stands.

use rusqlite::Connection;

use super::format::{self, short};
use crate::failure::{Context, Failure, Result, failed, usage};
use crate::project;
use crate::store::projects;
use crate::store::sessions::{self, Filter, PrefixMatch, Session};

/// Most that are named where several are possible.
const NAMED: usize = 8;

/// Most that are looked at.
const LOOKED_AT: usize = 50;

/// By the client's id of it, or any beginning that no other session has.
///
/// # Errors
/// 1 when there is none, 2 with the candidates when there are several.
pub fn session(conn: &Connection, prefix: &str) -> Result<Session> {
    match sessions::by_prefix(conn, prefix).context("database")? {
        PrefixMatch::One(session) => Ok(*session),
        PrefixMatch::Many(many) => Err(ambiguous(prefix, &ids(&many))),
        PrefixMatch::None => Err(failed(format!("no session begins with '{prefix}'"))
            .hint("memctl status lists the latest of this project")),
    }
}

/// The only active session of the project of this directory.
///
/// # Errors
/// 1 when there is none, 2 with the candidates when there are several.
pub fn only_active(conn: &Connection) -> Result<Session> {
    let here = std::env::current_dir().context("this directory")?;
    let project = project::identify(&here);
    let none = || {
        failed(format!("no session of {} is active", project.name))
            .hint("name one: memctl status lists the latest")
    };
    let id = projects::find(conn, &project).context("database")?.ok_or_else(none)?;
    let active = Filter { project_id: Some(id), active: true };
    let mut found = sessions::list(conn, active, LOOKED_AT).context("database")?;
    match found.len() {
        0 => Err(none()),
        1 => Ok(found.remove(0)),
        n => Err(usage(format!(
            "{n} sessions of {} are active: {}",
            project.name,
            named(&ids(&found))
        ))
        .hint("name one of them")),
    }
}

/// Says which ones `prefix` may mean.
pub fn ambiguous(prefix: &str, ids: &[&str]) -> Failure {
    let n = ids.len();
    usage(format!("'{prefix}' is the beginning of {n} sessions: {}", named(ids)))
        .hint("type more of it")
}

fn ids(sessions: &[Session]) -> Vec<&str> {
    sessions.iter().map(|s| s.content_session_id.as_str()).collect()
}

fn named(ids: &[&str]) -> String {
    let n = format::distinct(ids, 13);
    let mut named: Vec<String> = ids.iter().take(NAMED).map(|id| short(id, n)).collect();
    if ids.len() > NAMED {
        named.push(format!("{} more", ids.len() - NAMED));
    }
    named.join(", ")
}
