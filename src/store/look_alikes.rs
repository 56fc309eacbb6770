//! Finds projects that are likely one. Nothing is joined for it: the user is told, with the command.
//!
//! A copy has the commits of a repository that is still there, and so has a fork. A directory that was
//! copied to another file system has nothing but its name.

use std::path::Path;

use memctl_proto::event::Project;
use rusqlite::{Connection, params};

use super::directory::Directory;
use super::error::Result;
use super::{places, projects};
use crate::project;
use crate::text::shell_word;

/// How many pairs are looked at.
const MAX_PAIRS: usize = 1000;

/// A project that a directory may belong to.
#[derive(Clone, Debug, PartialEq)]
pub struct LookAlike {
    /// The directory.
    pub dir: String,
    /// Name and directory of the project.
    pub name: String,
    pub root: String,
    pub likeness: Likeness,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// Both have the same commits.
    Commits,
    /// Both have the same name, and the project's directory is gone.
    Name,
}

impl LookAlike {
    /// One sentence for the user, without the command.
    pub fn sentence(&self) -> String {
        let LookAlike { dir, name, root, likeness } = self;
        match likeness {
            Likeness::Commits => format!("{dir} has commits of project {name} in {root}"),
            Likeness::Name => {
                format!("{dir} may be project {name}, whose directory {root} is gone")
            }
        }
    }

    /// The command that joins them. `is_here`: the user is in the directory.
    pub fn command(&self, is_here: bool) -> String {
        let (dir, root) = (shell_word(&self.dir), shell_word(&self.root));
        match (self.likeness, is_here) {
            (Likeness::Name, true) => format!("memctl project move {root} ."),
            (Likeness::Name, false) => format!("memctl project move {root} {dir}"),
            (Likeness::Commits, true) => format!("memctl project link --to {root}"),
            (Likeness::Commits, false) => format!("memctl project link {dir} --to {root}"),
        }
    }
}

/// A project that the directory of an examined project may belong to. `None` if the directory's own
/// project is known.
pub fn of_directory(conn: &Connection, project: &Project) -> Result<Option<LookAlike>> {
    if projects::find(conn, project)?.is_some() {
        return Ok(None);
    }
    let found = |id, likeness| {
        let Project { name, root, .. } = projects::get(conn, id)?;
        Ok(Some(LookAlike { dir: project.root.clone(), name, root, likeness }))
    };
    if let Some(objects) = Directory::of(project).objects() {
        for (id, commits) in places::known_commits(conn)? {
            if commits.iter().any(|commit| objects.contains(commit)) {
                return found(id, Likeness::Commits);
            }
        }
    }
    let mut same_name = projects::by_name(conn, &project.name)?;
    same_name.retain(|(_, root)| *root != project.root);
    for (id, root) in same_name {
        if is_deleted(conn, id, &root)? && !project::is_temporary(Path::new(&project.root)) {
            return found(id, Likeness::Name);
        }
    }
    Ok(None)
}

/// Pairs of known projects that are likely one.
pub fn pairs(conn: &Connection) -> Result<Vec<LookAlike>> {
    let shared_commit = "SELECT DISTINCT a.project_id, b.project_id
         FROM project_commits a JOIN project_commits b ON b.hash = a.hash
         WHERE a.project_id < b.project_id LIMIT ?1";
    let same_name = "SELECT a.id, b.id FROM projects a JOIN projects b ON b.name = a.name
         WHERE a.id < b.id AND a.name <> '' LIMIT ?1";
    let mut found: Vec<LookAlike> = Vec::new();
    for (sql, likeness) in [(shared_commit, Likeness::Commits), (same_name, Likeness::Name)] {
        let mut rows = conn.prepare(sql)?;
        let ids = rows.query_map(params![MAX_PAIRS as i64], |r| Ok((r.get(0)?, r.get(1)?)))?;
        for ids in ids.collect::<rusqlite::Result<Vec<(i64, i64)>>>()? {
            let pair = pair(conn, ids, likeness)?;
            let is_new = |pair: &LookAlike| {
                !found.iter().any(|known| (&known.dir, &known.root) == (&pair.dir, &pair.root))
            };
            found.extend(pair.filter(is_new));
        }
    }
    Ok(found)
}

/// Two projects, if they are likely one.
fn pair(conn: &Connection, (a, b): (i64, i64), likeness: Likeness) -> Result<Option<LookAlike>> {
    if projects::is_separate(conn, a)? || projects::is_separate(conn, b)? {
        return Ok(None);
    }
    let (one, two) = (projects::get(conn, a)?, projects::get(conn, b)?);
    let is_gone = |id, project: &Project| is_deleted(conn, id, &project.root);
    let (one_is_gone, two_is_gone) = (is_gone(a, &one)?, is_gone(b, &two)?);
    let have_origins = projects::origin(conn, a)?.is_some() && projects::origin(conn, b)?.is_some();
    let (gone, there) = match (one_is_gone, two_is_gone) {
        (true, false) => (one, two),
        (false, true) => (two, one),
        // Forks have different origins.
        (false, false) if likeness == Likeness::Commits && !have_origins => (one, two),
        _ => return Ok(None),
    };
    if one_is_gone != two_is_gone && likeness == Likeness::Name && have_origins {
        return Ok(None);
    }
    Ok(Some(LookAlike { dir: there.root, name: gone.name, root: gone.root, likeness }))
}

/// Whether none of the project's directories is there. Temporary ones are deleted on purpose.
fn is_deleted(conn: &Connection, id: i64, root: &str) -> Result<bool> {
    if root.is_empty() || project::is_temporary(Path::new(root)) {
        return Ok(false);
    }
    let dirs = projects::dirs(conn, id)?;
    Ok(!dirs.is_empty() && !dirs.iter().any(|dir| dir.exists()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_quote_paths_for_a_shell() {
        let with = |dir: &str, likeness| LookAlike {
            dir: dir.into(),
            name: "n".into(),
            root: "/a".into(),
            likeness,
        };
        let look_alike = |dir: &str| with(dir, Likeness::Commits);
        let moved = with("/x", Likeness::Name);
        assert_eq!(moved.command(false), "memctl project move /a /x");
        assert_eq!(moved.command(true), "memctl project move /a .");
        assert_eq!(look_alike("/x").command(false), "memctl project link /x --to /a");
        assert_eq!(look_alike("/x").command(true), "memctl project link --to /a");
        let odd = look_alike("/it's $HOME").command(false);
        assert_eq!(odd, r"memctl project link '/it'\''s $HOME' --to /a");
    }
}
