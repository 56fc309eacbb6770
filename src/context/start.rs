//! The block for a session that starts. The SessionStart hook and `memctl context` both call
//! [`block`], so their output is the same.

use std::path::Path;
use std::rc::Rc;

use memctl_proto::event::Project;
use rusqlite::Connection;

use super::native::Native;
use super::{Block, Query, build};
use crate::clock;
use crate::project;
use crate::store::{self, observations, projects, sessions};

/// Which rows the conversation contains already.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AlreadyShown {
    /// No rows: the conversation is new, or it lost its context.
    #[default]
    Nothing,
    /// The conversation continues. It contains the rows that changed up to `epoch`, and those of
    /// its own sessions.
    UpTo { epoch: i64, own_sessions: Vec<i64> },
}

/// Finds out which rows a session's conversation contains already. `reason` is the `source` in the
/// client's SessionStart payload: `startup`, `resume`, `fork` and others. An unknown conversation
/// contains no rows.
pub fn already_shown(
    conn: &Connection,
    client: &str,
    session: &str,
    reason: &str,
    parent: Option<i64>,
) -> store::Result<AlreadyShown> {
    let previous = match reason {
        "resume" => sessions::find(conn, client, session)?,
        "fork" => match parent {
            Some(parent) => sessions::get(conn, parent)?,
            None => sessions::find(conn, client, session)?,
        },
        _ => None,
    };
    Ok(previous.map_or(AlreadyShown::Nothing, |previous| AlreadyShown::UpTo {
        // Only later blocks record their epoch. The first one was shown when the session started.
        epoch: previous.context_epoch.unwrap_or(previous.started_at_epoch),
        own_sessions: std::iter::once(previous.id).chain(previous.parent_session_id).collect(),
    }))
}

/// Builds the block for a session of `project`, without what the client's own memory says.
pub fn block(
    conn: &Connection,
    project: &Project,
    shown: &AlreadyShown,
    native: &Rc<Native>,
    max_tokens: usize,
) -> store::Result<Block> {
    let project_id = projects::find(conn, project)?;
    let (newer_than, not_sessions) = match shown {
        AlreadyShown::Nothing => (None, Vec::new()),
        AlreadyShown::UpTo { epoch, own_sessions } => (Some(*epoch), own_sessions.clone()),
    };
    let known_files = match project_id {
        Some(id) => observations::recent_paths(conn, id)?,
        None => Vec::new(),
    };
    let repository = project::repository(Path::new(&project.root));
    let query = Query {
        project_id,
        newer_than,
        not_sessions,
        max_tokens,
        root: Some(Path::new(&project.root)),
        repository: repository.as_ref(),
        now: clock::now_ms(),
        changed_files: repository.as_ref().map_or_else(Vec::new, |r| r.changed_files(&known_files)),
        with_closed_steps: false,
        native: native.clone(),
    };
    build(conn, &query)
}
