//! What the files of a directory prove about its project.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use memctl_proto::event::Project;
use rusqlite::{Connection, OptionalExtension};

use super::error::Result;
use super::projects;
use crate::git::{Located, Objects, Repository};
use crate::project;

/// How many commits of a project a proof looks for.
pub const MAX_COMMITS: i64 = 500;

/// What the files of a directory tell about its project.
pub struct Directory {
    root: PathBuf,
    pub located: Located,
    objects: OnceCell<Option<Objects>>,
}

impl Directory {
    pub fn of(project: &Project) -> Directory {
        let root = PathBuf::from(&project.root);
        let located = project::locate(&root);
        Directory { root, located, objects: OnceCell::new() }
    }

    /// The object store of the directory's own repository.
    pub fn objects(&self) -> Option<&Objects> {
        let read = || match &self.located {
            Located::Repository(repository) => repository.objects(),
            Located::Unreachable(_) | Located::Outside => None,
        };
        self.objects.get_or_init(read).as_ref()
    }

    /// The claims, with all spellings of the origin. The one that git uses comes first.
    pub fn claims(&self, keys: &[String]) -> Vec<String> {
        let mut claims = match &self.located {
            Located::Repository(repository) if projects::has_origin_key(keys) => {
                project::origin_keys(repository)
            }
            _ => Vec::new(),
        };
        for key in keys {
            if !claims.contains(key) {
                claims.push(key.clone());
            }
        }
        claims
    }

    /// Whether the directory has a commit of the project, or the project's repository a link to it.
    pub fn proves(&self, conn: &Connection, id: i64) -> Result<bool> {
        if let Located::Unreachable(work_tree) = &self.located {
            let repositories = projects::dirs(conn, id)?;
            return Ok(repositories.iter().any(|dir| work_tree.is_linked_from(dir)));
        }
        let Some(objects) = self.objects() else { return Ok(false) };
        let mut commits = conn.prepare_cached(
            "SELECT hash FROM project_commits WHERE project_id = ?1
             ORDER BY seen_at_epoch DESC LIMIT ?2",
        )?;
        let mut commits = commits.query([id, MAX_COMMITS])?;
        while let Some(row) = commits.next()? {
            if objects.contains(&row.get::<_, String>(0)?) {
                return Ok(true);
            }
        }
        // Releases before this table recorded no commits. The project's directory may still be there.
        let root: Option<String> = conn
            .prepare_cached("SELECT root FROM projects WHERE id = ?1")?
            .query_row([id], |r| r.get(0))
            .optional()?;
        let known = root.filter(|root| Path::new(root) != self.root);
        let known = known.and_then(|root| project::repository(Path::new(&root)));
        let head = known.filter(Repository::owns_git_dir).and_then(|k| k.head_commit());
        Ok(head.is_some_and(|head| objects.contains(&head)))
    }

    /// The key that leads from the directory to its known project, which has the key `home`. `None` if
    /// another repository has replaced it, or if no further key is needed.
    pub fn key_of_home(
        &self,
        conn: &Connection,
        home: (&str, i64),
        claims: &[String],
    ) -> Result<Option<String>> {
        let (key, id) = home;
        let origin = projects::origin(conn, id)?;
        match origin.filter(|_| projects::has_origin_key(claims)) {
            // The origin was renamed.
            Some(origin) => Ok(self.proves(conn, id)?.then_some(origin)),
            None => Ok(Some(key.to_owned())),
        }
    }
}
