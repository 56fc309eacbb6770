//! Turns that changed files of other repositories than that of their session: the client was started in a
//! parent directory, or works in several. They are told in the projects of these files, too: searches, lists
//! and contexts there have their summary, prompt and observations. The rows stay in the project of the
//! session. Queries ask `told`, and the index of words has a row once for each project.

use std::collections::BTreeSet;
use std::path::PathBuf;

use memctl_proto::event::Project;
use rusqlite::{Connection, OptionalExtension, Transaction};

use super::error::Result;
use super::told_turns::{self, ToldTurn};
use super::{claims, projects};
use crate::config::Recording;
use crate::memory::{Batch, Evidence, Summary};
use crate::project::{self, recording};

/// How many directories are looked at for a turn.
const MAX_DIRS: usize = 200;
/// In how many further projects a turn is told.
const MAX_PROJECTS: usize = 16;

/// The projects of the repositories in which the batch's turn changed files, except that of the session and
/// those that the user does not want to be recorded.
pub fn projects_of_turn(
    conn: &Connection,
    session_id: i64,
    batch: &Batch,
    summary: Option<&Summary>,
    evidence: Option<&Evidence>,
    rules: &Recording,
) -> Result<Vec<Project>> {
    let (Some(root), Some(summary)) = (&batch.project_root, summary) else {
        return Ok(Vec::new());
    };
    // The summary does not name files outside of the session's directory.
    let changed = evidence.map_or(&[][..], |evidence| &evidence.files);
    let files = summary.files_modified.iter().chain(changed.iter().map(|file| &file.path));
    let dirs: BTreeSet<PathBuf> =
        files.filter_map(|file| Some(root.join(file).parent()?.to_owned())).collect();
    let mut roots = BTreeSet::new();
    for dir in dirs.iter().take(MAX_DIRS) {
        // The file may be gone, with its directory.
        let Some(dir) = dir.ancestors().find_map(|dir| dir.canonicalize().ok()) else { continue };
        roots.extend(project::repository(&dir).map(|repository| repository.root));
    }
    roots.retain(|found| found != root);
    let is_recorded = |dir: &&PathBuf| recording::not_recorded(&[dir], rules).is_none();
    let own = projects::of_session(conn, session_id)?;
    let mut found: Vec<Project> = Vec::new();
    for root in roots.iter().filter(is_recorded).take(MAX_PROJECTS) {
        let examined = claims::examine(conn, &project::identify(root))?.project;
        let id = projects::find(conn, &examined)?;
        if id.is_none() || id != own {
            found.push(examined);
        }
    }
    Ok(found)
}

/// Tells the turn of a summary in these projects, too.
pub fn link(tx: &Transaction, summary_id: i64, further: &[Project]) -> Result<()> {
    if further.is_empty() {
        return Ok(());
    }
    let turn = tx
        .prepare_cached("SELECT session_id, prompt_number FROM session_summaries WHERE id = ?1")?
        .query_row([summary_id], |r| Ok((r.get::<_, Option<i64>>(0)?, r.get(1)?)))
        .optional()?;
    let Some((Some(session), prompt)) = turn else { return Ok(()) };
    for project in further {
        if let Some(id) = projects::resolve(tx, project)? {
            told_turns::tell(tx, id, &[ToldTurn { session, prompt }])?;
        }
    }
    Ok(())
}
