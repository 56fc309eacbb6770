//! Resolves the symbolic links of several paths.

use std::cell::RefCell;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// Remembers which directories are not links: the paths of a hook are below the same few, and asking costs a
/// system call for each component. It is made for one look at these paths, because directories can be replaced.
#[derive(Debug, Default)]
pub struct RealPaths {
    no_links: RefCell<Vec<PathBuf>>,
}

impl RealPaths {
    /// The path with symbolic links resolved, as far as it exists.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.without_links(path).unwrap_or_else(|| resolve_links(path))
    }

    /// The path itself, if it is absolute and has no symbolic link and no `..`. Its end need not exist. `None` also
    /// on an error.
    pub fn without_links(&self, path: &Path) -> Option<PathBuf> {
        let is_plain = |c: Component| matches!(c, Component::RootDir | Component::Normal(_));
        if !path.is_absolute() || !path.components().all(is_plain) {
            return None;
        }
        let mut real = PathBuf::new();
        let mut names = path.components();
        for name in names.by_ref() {
            real.push(name);
            if name != Component::RootDir && !self.is_no_link(&real)? {
                break;
            }
        }
        real.extend(names);
        Some(real)
    }

    /// Whether there is something that is not a link. `None`: it is a link, or nobody knows.
    fn is_no_link(&self, path: &Path) -> Option<bool> {
        let mut known = self.no_links.borrow_mut();
        if known.iter().any(|known| known.as_os_str() == path.as_os_str()) {
            return Some(true);
        }
        match fs::read_link(path).err()?.kind() {
            ErrorKind::InvalidInput => {
                known.push(path.to_owned());
                Some(true)
            }
            ErrorKind::NotFound => Some(false),
            _ => None,
        }
    }
}

fn resolve_links(path: &Path) -> PathBuf {
    let exists = path.ancestors().find_map(|dir| Some((dir, fs::canonicalize(dir).ok()?)));
    match exists {
        Some((dir, resolved)) => match path.strip_prefix(dir) {
            Ok(rest) if !rest.as_os_str().is_empty() => resolved.join(rest),
            _ => resolved,
        },
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_resolved_as_far_as_a_path_exists() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        fs::create_dir_all(dir.join("real/sub")).unwrap();
        symlink("real", dir.join("link")).unwrap();
        symlink("absent", dir.join("dangling")).unwrap();
        fs::write(dir.join("file"), "").unwrap();
        let paths = RealPaths::default();
        for (path, want) in [
            ("real/sub", "real/sub"),
            ("real//./sub/", "real/sub"),
            ("real/absent/below", "real/absent/below"),
            ("link", "real"),
            ("link/sub", "real/sub"),
            ("link/absent", "real/absent"),
            ("link/../real", "real"),
            ("link/sub/../../absent", "absent"),
            ("dangling/below", "dangling/below"),
            ("file/below", "file/below"),
        ] {
            assert_eq!(paths.resolve(&dir.join(path)), dir.join(want), "{path}");
            let is_plain = !path.starts_with("link") && !path.starts_with("dangling");
            let plain = paths.without_links(&dir.join(path));
            assert_eq!(plain.is_some(), is_plain && path != "file/below", "{path}");
        }
        assert_eq!(paths.without_links(Path::new("relative")), None);
        assert_eq!(paths.resolve(Path::new("/")), Path::new("/"));
    }
}
