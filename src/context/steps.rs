//! The open steps of a project, as the context tells them.

use std::path::Path;

use memctl_proto::event::Project;
use rusqlite::Connection;

use super::branches::Branches;
use super::retire::Left;
use super::{FEW_SESSIONS, Query, Reason, Screens, Selection, select};
use crate::clock;
use crate::project;
use crate::store::{self, projects};
use crate::text::collapse_spaces;

/// Something that is left to do.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenStep {
    /// Id of the summary that tells it.
    pub summary: i64,
    /// The step as stored.
    pub text: String,
    pub at_epoch: i64,
    pub sessions_ago: usize,
}

impl OpenStep {
    /// The step on one line.
    pub fn line(&self) -> String {
        collapse_spaces(&self.text)
    }
}

/// The steps of a project.
#[derive(Clone, Debug, Default)]
pub struct Steps {
    /// `None` if the project is not known.
    pub project_id: Option<i64>,
    pub open: Vec<OpenStep>,
    /// Those that the user closed and that would be open otherwise.
    pub closed: Vec<OpenStep>,
    /// Those that are not told any more, each once.
    pub retired: Vec<(OpenStep, Reason)>,
}

/// What is open in a project, each end with the summary that tells it. All that counts open ends counts these.
pub fn open_ends(conn: &Connection, project: &Project) -> store::Result<Vec<OpenStep>> {
    let project_id = projects::find(conn, project)?;
    let repository = project::repository(Path::new(&project.root));
    let query = Query {
        project_id,
        repository: repository.as_ref(),
        now: clock::now_ms(),
        ..Query::default()
    };
    let branches = Branches::new(repository.as_ref());
    let found = select(conn, &query, &branches, &Screens::load(conn)?, FEW_SESSIONS)?;
    Ok(found.open.into_iter().map(step).collect())
}

/// Finds the steps of a project.
pub fn steps(conn: &Connection, project: &Project) -> store::Result<Steps> {
    let project_id = projects::find(conn, project)?;
    let repository = project::repository(Path::new(&project.root));
    let branches = Branches::new(repository.as_ref());
    let screens = Screens::load(conn)?;
    let find = |all| -> store::Result<Selection> {
        let query = Query {
            project_id,
            repository: repository.as_ref(),
            with_closed_steps: all,
            now: clock::now_ms(),
            ..Query::default()
        };
        Ok(select(conn, &query, &branches, &screens, FEW_SESSIONS)?)
    };
    let found = find(false)?;
    let open: Vec<OpenStep> = found.open.into_iter().map(step).collect();
    let mut closed: Vec<OpenStep> = find(true)?.open.into_iter().map(step).collect();
    closed.retain(|step| !open.contains(step));
    let mut retired: Vec<(OpenStep, Reason)> = Vec::new();
    for (left, reason) in found.retired.into_iter().filter(|(left, _)| left.open.kind.is_step()) {
        if !retired.iter().any(|(known, _)| known.text == left.open.text) {
            retired.push((step(left), reason));
        }
    }
    Ok(Steps { project_id, open, closed, retired })
}

fn step(left: Left) -> OpenStep {
    let Left { open, sessions_ago } = left;
    OpenStep { summary: open.id, text: open.text, at_epoch: open.at_epoch, sessions_ago }
}
