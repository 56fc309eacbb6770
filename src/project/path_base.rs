//! How memory names a file: from the project's root, or by its full path outside of it.

use std::path::{Component, Path, PathBuf};

/// What the paths of an event are relative to.
pub struct PathBase<'a> {
    /// The project's root.
    pub root: Option<&'a Path>,
    /// The working directory; without it, relative paths start from the root.
    pub cwd: Option<&'a Path>,
}

impl PathBase<'_> {
    /// The path from the project's root; of a file outside of it, the full path.
    pub fn relative(&self, path: &str) -> String {
        let given = Path::new(path);
        let whole = match self.cwd.or(self.root) {
            Some(dir) if given.is_relative() => dir.join(given),
            _ => given.to_owned(),
        };
        let whole = normalize(&whole);
        let below = self.root.and_then(|root| whole.strip_prefix(root).ok());
        match below {
            Some(rest) if rest.as_os_str().is_empty() => ".".to_owned(),
            Some(rest) => rest.to_string_lossy().into_owned(),
            None if self.root.is_none() && given.is_relative() => {
                normalize(given).to_string_lossy().into_owned()
            }
            None => whole.to_string_lossy().into_owned(),
        }
    }
}

/// Removes `.` and `..` without asking the file system.
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
    fn paths_start_from_the_root() {
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
}
