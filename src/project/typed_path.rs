//! Paths of directories that a user or a model types where a name may stand, too.

use std::path::PathBuf;

use crate::config::process_env;

/// The directory that `text` names by its path, with the home directory for `~`. `None`: it is a name.
pub fn typed_path(text: &str) -> Option<PathBuf> {
    let is_path = text.starts_with(['/', '~'])
        || ["./", "../"].iter().any(|start| text.starts_with(start))
        || [".", ".."].contains(&text);
    if !is_path {
        return None;
    }
    let below_home = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
    Some(match below_home.zip(process_env("HOME")) {
        Some((rest, home)) => PathBuf::from(home).join(rest.trim_start_matches('/')),
        None => PathBuf::from(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_no_name() {
        for path in ["/a", "./a", "../a", "~/a", "~", ".", ".."] {
            assert!(typed_path(path).is_some(), "{path}");
        }
        for name in ["a", "owner/repo", ".config", "name:a", "git:h/o/r", "a~"] {
            assert_eq!(typed_path(name), None);
        }
        assert_eq!(typed_path("/a b"), Some("/a b".into()));
        assert_eq!(typed_path("~other/a"), Some("~other/a".into()));
        assert!(!typed_path("~/a").unwrap().starts_with("~"));
    }
}
