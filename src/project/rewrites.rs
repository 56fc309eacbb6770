//! The URL that git uses instead of a written one: `url.<base>.insteadOf` in the user's configuration, with the
//! files that it includes.
//!
//! Git also reads the repository's own configuration, which does not count here.

use super::user_files::UserFiles;
use crate::git::{Situation, with_includes};

/// The written URL with its longest known prefix replaced. `None` if no rule applies. `pushInsteadOf`
/// does not say where a repository is. `situation` is that of the repository.
pub fn rewritten(url: &str, files: &mut UserFiles, situation: Situation) -> Option<String> {
    let situation = Situation { home: Some(files.home().to_owned()), ..situation };
    let mut rules = Vec::new();
    for path in files.git_configs() {
        let entries = with_includes(&path, &situation, &mut |path| files.read(path));
        let of_file = entries.into_iter().filter(|entry| entry.is("url", "insteadof"));
        rules.extend(of_file.map(|entry| (entry.value, entry.subsection)));
    }
    let applies = rules.iter().filter(|(prefix, _)| !prefix.is_empty() && url.starts_with(prefix));
    let (prefix, base) = applies.max_by_key(|(prefix, _)| prefix.len())?;
    Some(format!("{base}{}", &url[prefix.len()..]))
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
             [includeIf \"gitdir:~/acme/\"]\n\tpath = more/conditional\n\
             [includeIf \"gitdir:~/other/\"]\n\tpath = more/other\n",
        );
        write("more/rules", "[url \"https://git.example.org/a b/\"] insteadOf = work:\n");
        write("more/conditional", "[url \"x:\"]\n\tinsteadOf = conditional:\n");
        write("more/other", "[url \"y:\"]\n\tinsteadOf = of-other:\n");
        write("xdg/git/config", "[url \"https://xdg.example.org/\"]\n\tinsteadOf = xdg:\n");
        let check = |url: &str, expected: Option<&str>| {
            let mut files = UserFiles::new(home.path(), home.path().join("xdg"));
            let git_dirs = vec![home.path().join("acme/tally/.git")];
            let situation = Situation { git_dirs, ..Situation::default() };
            assert_eq!(rewritten(url, &mut files, situation).as_deref(), expected, "{url}");
        };
        check("gh:a/b", Some("git@github.com:a/b"));
        check("https://github.com/a/b", Some("git@github.com:a/b"));
        check("https://github.com/acme/b", Some("https://mirror.example.org/acme/b"));
        check("work:b", Some("https://git.example.org/a b/b"));
        check("xdg:b", Some("https://xdg.example.org/b"));
        check("https://other.example.org/b", None);
        check("conditional:b", Some("x:b"));
        check("of-other:b", None);
        check("", None);
    }
}
