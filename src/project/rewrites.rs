//! The URL that git uses instead of a written one: `url.<base>.insteadOf` in the user's configuration.
//!
//! Git also reads the repository's own configuration, and files that `includeIf` names. Neither counts
//! here.

use std::path::Path;

use super::user_files::{MAX_DEPTH, UserFiles};
use crate::git::config_entries;

/// The written URL with its longest known prefix replaced. `None` if no rule applies. `pushInsteadOf`
/// does not say where a repository is.
pub fn rewritten(url: &str, files: &mut UserFiles) -> Option<String> {
    let mut rules = Vec::new();
    for path in files.git_configs() {
        add_rules(&path, files, MAX_DEPTH, &mut rules);
    }
    let applies = rules.iter().filter(|(prefix, _)| !prefix.is_empty() && url.starts_with(prefix));
    let (prefix, base) = applies.max_by_key(|(prefix, _)| prefix.len())?;
    Some(format!("{base}{}", &url[prefix.len()..]))
}

/// Adds the rules of a file and of those that it includes, each with the prefix and its replacement.
fn add_rules(path: &Path, files: &mut UserFiles, depth: usize, rules: &mut Vec<(String, String)>) {
    let Some(text) = files.read(path) else { return };
    for entry in config_entries(&text) {
        if entry.is("url", "insteadof") {
            rules.push((entry.value, entry.subsection));
        } else if entry.is("include", "path") && depth > 0 && entry.subsection.is_empty() {
            let dir = path.parent().unwrap_or(Path::new("/"));
            add_rules(&files.resolve(&entry.value, dir), files, depth - 1, rules);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_longest_prefix_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            ".gitconfig",
            "[url \"git@github.com:\"]\n\tinsteadOf = gh:\n\tinsteadOf = \"https://github.com/\"\n\
             [URL \"https://mirror.example.org/acme/\"]\n insteadOf = https://github.com/acme/\n\
             [url \"ssh://push.example.org/\"]\n\tpushInsteadOf = https://other.example.org/\n\
             [include]\n\tpath = more/rules\n[include]\n\tpath = ~/.gitconfig\n\
             [includeIf \"gitdir:/\"]\n\tpath = more/conditional\n",
        );
        write("more/rules", "[url \"https://git.example.org/a b/\"] insteadOf = work:\n");
        write("more/conditional", "[url \"x:\"]\n\tinsteadOf = conditional:\n");
        write("xdg/git/config", "[url \"https://xdg.example.org/\"]\n\tinsteadOf = xdg:\n");
        let check = |url: &str, expected: Option<&str>| {
            let mut files = UserFiles::new(home.path(), home.path().join("xdg"));
            assert_eq!(rewritten(url, &mut files).as_deref(), expected, "{url}");
        };
        check("gh:a/b", Some("git@github.com:a/b"));
        check("https://github.com/a/b", Some("git@github.com:a/b"));
        check("https://github.com/acme/b", Some("https://mirror.example.org/acme/b"));
        check("work:b", Some("https://git.example.org/a b/b"));
        check("xdg:b", Some("https://xdg.example.org/b"));
        check("https://other.example.org/b", None);
        check("conditional:b", None);
        check("", None);
    }
}
