//! How memory names a file: from the project's root where it lies below it, else as it is.

use std::path::{Component, Path, PathBuf};

/// Where a path is to be read from.
pub struct Place<'a> {
    pub root: Option<&'a Path>,
    /// What a relative path is relative to; else the root.
    pub cwd: Option<&'a Path>,
}

impl Place<'_> {
    /// From the project's root where it lies below it, else as it is.
    pub fn relative(&self, path: &str) -> String {
        let given = Path::new(path);
        let whole = match self.cwd.or(self.root) {
            Some(base) if given.is_relative() => base.join(given),
            _ => given.to_owned(),
        };
        let whole = tidy(&whole);
        let below = self.root.and_then(|root| whole.strip_prefix(root).ok());
        match below {
            Some(rest) if rest.as_os_str().is_empty() => ".".to_owned(),
            Some(rest) => rest.to_string_lossy().into_owned(),
            None if self.root.is_none() && given.is_relative() => {
                tidy(given).to_string_lossy().into_owned()
            }
            None => whole.to_string_lossy().into_owned(),
        }
    }
}

/// Without `.` and `..`, by name alone.
fn tidy(path: &Path) -> PathBuf {
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
    fn paths_are_told_from_the_root() {
        let place = Place { root: Some(Path::new("/p")), cwd: Some(Path::new("/p/sub")) };
        for (path, expected) in [
            ("/p/src/a.rs", "src/a.rs"),
            ("b.rs", "sub/b.rs"),
            ("../c.rs", "c.rs"),
            ("/elsewhere/d.rs", "/elsewhere/d.rs"),
            ("/p", "."),
            ("../../q/e.rs", "/q/e.rs"),
        ] {
            assert_eq!(place.relative(path), expected, "{path}");
        }
        assert_eq!(Place { root: None, cwd: None }.relative("./x.rs"), "x.rs");
    }
}
