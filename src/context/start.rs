//! What a session that starts is told: the one way to the block for the hook and for
//! `memctl context`, which print the same.

use std::path::Path;

use memctl_proto::event::Project;
use rusqlite::Connection;

use super::{Ask, Context, observations, tell as tell_block};
use crate::git::Repository;
use crate::store::{self, projects, sessions};

/// What the conversation holds of memory already.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Told {
    /// A new conversation, or one that lost its context: all of it is told.
    #[default]
    Nothing,
    /// It goes on: only rows that are newer, and none that it made itself.
    UpTo { epoch: i64, own: Vec<i64> },
}

/// The conversation that a session goes on with.
///
/// `reason` is the client's word for how it starts. An unknown conversation is told everything.
pub fn told(
    conn: &Connection,
    client: &str,
    session: &str,
    reason: &str,
    parent: Option<i64>,
) -> store::Result<Told> {
    let known = match reason {
        "resume" => sessions::find(conn, client, session)?,
        "fork" => match parent {
            Some(parent) => sessions::get(conn, parent)?,
            None => sessions::find(conn, client, session)?,
        },
        _ => None,
    };
    Ok(known.map_or(Told::Nothing, |known| Told::UpTo {
        // Shown at its start, which nobody delivers, or later, which is.
        epoch: known.context_epoch.unwrap_or(known.started_at_epoch),
        own: std::iter::once(known.id).chain(known.parent_session_id).collect(),
    }))
}

/// The block for a session of `project`.
pub fn tell(
    conn: &Connection,
    project: &Project,
    told: &Told,
    tokens: usize,
) -> store::Result<Context> {
    let project_id = projects::find(conn, project)?;
    let repository = Repository::find(Path::new(&project.root));
    let (newer_than, not_sessions) = match told {
        Told::Nothing => (None, Vec::new()),
        Told::UpTo { epoch, own } => (Some(*epoch), own.clone()),
    };
    let known_files = match project_id {
        Some(id) => observations::recent_paths(conn, id)?,
        None => Vec::new(),
    };
    let ask = Ask {
        project_id,
        newer_than,
        not_sessions,
        tokens,
        branch: repository.as_ref().and_then(Repository::branch),
        changed_files: repository.map_or_else(Vec::new, |r| r.changed_files(&known_files)),
    };
    Ok(tell_block(conn, &ask)?)
}
