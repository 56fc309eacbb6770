//! What the store and the work tree say about an observation: which rows it has superseded, and what became
//! of its files.

use std::path::Path;

use rusqlite::Connection;

use crate::failure::Result;
use crate::freshness::{self, Freshness};
use crate::project;
use crate::store::links::{self, Link};
use crate::store::observations::{self, ObservationRow};
use crate::store::projects;

#[derive(Default)]
pub struct Details {
    /// The row that has superseded it.
    pub successor: Option<Link>,
    /// The rows that it has superseded.
    pub predecessors: Vec<Link>,
    /// Paths and git's hashes of its files when it was stored.
    pub blobs: Vec<(String, String)>,
    pub freshness: Freshness,
}

impl Details {
    pub fn load(conn: &Connection, row: &ObservationRow) -> Result<Details> {
        let root = match row.session_id {
            Some(id) => projects::root_of(conn, id)?,
            None => None,
        };
        let root = match (root, row.project_id) {
            (None, Some(id)) => Some(projects::get(conn, id)?.root),
            (root, _) => root,
        };
        let base = Path::new(root.as_deref().unwrap_or_default());
        let blobs = observations::blobs(conn, &[row.id], base)?;
        let freshness = match root.as_deref().map(Path::new).filter(|_| !blobs.is_empty()) {
            Some(root) => {
                let repository = project::repository(root);
                freshness::of_rows(conn, root, repository.as_ref(), &[row.id])?
            }
            None => Freshness::default(),
        };
        Ok(Details {
            successor: links::successor(conn, row.id)?,
            predecessors: links::predecessors(conn, row.id)?,
            blobs: blobs.into_iter().map(|(_, path, blob)| (path, blob)).collect(),
            freshness,
        })
    }
}
