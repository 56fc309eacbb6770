//! Turns that changed files of other repositories than that of their session: the client was started in a
//! parent directory, or works in several. Their summaries are told in the projects of these files, too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use memctl_proto::event::Project;
use rusqlite::{Connection, Transaction};

use super::error::Result;
use super::{claims, projects};
use crate::project;

/// How many directories are looked at for a turn.
const MAX_DIRS: usize = 200;
/// In how many further projects a turn is told.
const MAX_PROJECTS: usize = 16;

/// The projects of the repositories that contain these files, except that of the session. `root` is the
/// root of the session's work tree, which relative paths begin at. `is_recorded` says whether the user
/// wants a directory to be recorded.
pub fn projects_of_files(
    conn: &Connection,
    session_id: i64,
    root: &Path,
    files: &[&str],
    is_recorded: &dyn Fn(&Path) -> bool,
) -> Result<Vec<Project>> {
    let dirs: BTreeSet<PathBuf> =
        files.iter().filter_map(|file| Some(root.join(file).parent()?.to_owned())).collect();
    let mut roots = BTreeSet::new();
    for dir in dirs.iter().take(MAX_DIRS) {
        // The file may be gone, with its directory.
        let Some(dir) = dir.ancestors().find_map(|dir| dir.canonicalize().ok()) else { continue };
        roots.extend(project::repository(&dir).map(|repository| repository.root));
    }
    roots.retain(|found| found != root);
    let own = projects::of_session(conn, session_id)?;
    let mut found: Vec<Project> = Vec::new();
    for root in roots.iter().filter(|root| is_recorded(root)).take(MAX_PROJECTS) {
        let examined = claims::examine(conn, &project::identify(root))?.project;
        let id = projects::find(conn, &examined)?;
        if id.is_none() || id != own {
            found.push(examined);
        }
    }
    Ok(found)
}

/// Tells the summary in these projects, too.
pub fn link(tx: &Transaction, summary_id: i64, further: &[Project]) -> Result<()> {
    for project in further {
        let Some(id) = projects::resolve(tx, project)? else { continue };
        tx.prepare_cached(
            "INSERT INTO summary_projects (project_id, summary_id) VALUES (?1, ?2)
             ON CONFLICT DO NOTHING",
        )?
        .execute([id, summary_id])?;
    }
    Ok(())
}
