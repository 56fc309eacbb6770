//! How memory names a file: relative to the project's root, or by its full path outside of it.

use std::path::{Component, Path, PathBuf};

/// What the paths of an event are relative to.
pub struct PathBase<'a> {
    /// The project's root.
    pub root: Option<&'a Path>,
    /// The working directory. Without it, paths are relative to the root.
    pub cwd: Option<&'a Path>,
}

impl PathBase<'_> {
    /// The path relative to the project's root. The full path if the file is outside of it.
    pub fn relative(&self, path: &str) -> String {
        let given = Path::new(path);
        let full = match self.cwd.or(self.root) {
            Some(dir) if given.is_relative() => dir.join(given),
            _ => given.to_owned(),
        };
        let full = normalize(&full);
        let below_root = self.root.and_then(|root| full.strip_prefix(root).ok());
        match below_root {
            Some(rest) if rest.as_os_str().is_empty() => ".".to_owned(),
            Some(rest) => rest.to_string_lossy().into_owned(),
            None if self.root.is_none() && given.is_relative() => {
                normalize(given).to_string_lossy().into_owned()
            }
            None => full.to_string_lossy().into_owned(),
        }
    }
}

/// How a file is named in the work tree at `root`, if it lies there. `path` is as a session with its root at
/// `session_root` named it. `None` if it lies outside.
pub fn seen_from(root: &Path, session_root: &Path, path: &str) -> Option<String> {
    let full = normalize(&session_root.join(path));
    let rest = full.strip_prefix(root).ok().filter(|rest| !rest.as_os_str().is_empty())?;
    Some(rest.to_string_lossy().into_owned())
}

/// How a session with its root at `session_root` names a file of the work tree at `root`.
pub fn named_by(session_root: &Path, root: &Path, path: &str) -> String {
    let full = root.join(path);
    PathBase { root: Some(session_root), cwd: None }.relative(&full.to_string_lossy())
}

/// Removes `.` and `..` without accessing the file system.
fn normalize(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_root() {
        let base = PathBase { root: Some(Path::new("/p")), cwd: Some(Path::new("/p/sub")) };
        for (path, expected) in [
            ("/p/src/a.rs", "src/a.rs"),
            ("b.rs", "sub/b.rs"),
            ("../c.rs", "c.rs"),
            ("/elsewhere/d.rs", "/elsewhere/d.rs"),
            ("/p", "."),
            ("../../q/e.rs", "/q/e.rs"),
        ] {
            assert_eq!(base.relative(path), expected, "{path}");
        }
        assert_eq!(PathBase { root: None, cwd: None }.relative("./x.rs"), "x.rs");
    }

    #[test]
    fn a_file_has_one_name_in_each_work_tree() {
        let root = Path::new("/work/tally");
        for (session_root, path, seen) in [
            ("/work", "tally/src/a.rs", Some("src/a.rs")),
            ("/other", "/work/tally/src/a.rs", Some("src/a.rs")),
            ("/work", "src/a.rs", None),
            ("/work/tally-2", "/work/tally-2/src/a.rs", None),
            ("/work", "tally", None),
        ] {
            let found = seen_from(root, Path::new(session_root), path);
            assert_eq!(found.as_deref(), seen, "{session_root} {path}");
            if let Some(seen) = found {
                assert_eq!(named_by(Path::new(session_root), root, &seen), path);
            }
        }
    }
}
