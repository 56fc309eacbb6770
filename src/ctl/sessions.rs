//! Which session a person means by what they typed of its id.

use rusqlite::Connection;

use super::words::{self, short};
use crate::failure::{Context, Failure, Result, failed, usage};
use crate::store::sessions::{self, Found, Session};

/// Most that are named where several begin alike.
const NAMED: usize = 8;

/// By the client's id of it, or any beginning that no other session has.
///
/// # Errors
/// 1 when there is none, 2 with the candidates when there are several.
pub fn by_prefix(conn: &Connection, prefix: &str) -> Result<Session> {
    match sessions::by_prefix(conn, prefix).context("database")? {
        Found::One(session) => Ok(*session),
        Found::Many(many) => Err(ambiguous(
            prefix,
            &many.iter().map(|s| s.content_session_id.as_str()).collect::<Vec<_>>(),
        )),
        Found::Nothing => Err(failed(format!("no session begins with '{prefix}'"))
            .hint("memctl status lists the latest of this project")),
    }
}

/// Says which ones `prefix` may mean.
pub fn ambiguous(prefix: &str, ids: &[&str]) -> Failure {
    let n = words::distinct(ids, 13);
    let mut named: Vec<String> = ids.iter().take(NAMED).map(|id| short(id, n)).collect();
    if ids.len() > NAMED {
        named.push(format!("{} more", ids.len() - NAMED));
    }
    usage(format!("'{prefix}' is the beginning of {} sessions: {}", ids.len(), named.join(", ")))
        .hint("type more of it")
}
