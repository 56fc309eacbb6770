//! Which project a directory is, with real repositories: spellings of an origin, directories that become a
//! repository or move, work trees, and repositories that count for one directory only.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::support::World;
use crate::support::directories::{
    commit, context, directory, git, notice, repository, session, started, write,
};

fn world() -> World {
    World::new().with("MEMCTL_CONTEXT_NOTICE", "false")
}

/// The context of the next session in this directory has these words and not the others, and no notice.
#[track_caller]
fn assert_knows(w: &World, dir: &Path, name: &str, words: &[&str], others: &[&str]) {
    let response = started(w, dir, name);
    let block = context(&response);
    assert!(words.iter().all(|word| block.contains(word)), "{words:?}: {response}");
    assert!(!others.iter().any(|word| block.contains(word)), "{others:?}: {response}");
    assert_eq!(notice(&response), "");
}

fn n_projects(w: &World) -> usize {
    w.memctl(&["project", "list", "--json"]).json().as_array().unwrap().len()
}

#[test]
fn a_directory_that_becomes_a_repository_keeps_its_memory() {
    let w = world();
    let dir = directory(&w, "idea");
    session(&w, &dir, "before", "walnut");
    git(&w, &dir, &["init", "-q"]);
    assert_knows(&w, &dir, "empty", &["walnut"], &[]);
    commit(&w, &dir, "first");
    session(&w, &dir, "after", "acorn");
    assert_knows(&w, &dir.join("sub"), "sub", &["walnut", "acorn"], &[]);
    git(&w, &dir, &["remote", "add", "origin", "https://example.org/me/idea"]);
    assert_knows(&w, &dir, "origin", &["walnut", "acorn"], &[]);
    assert_eq!(n_projects(&w), 1);
    // Without its .git, it is the same directory.
    fs::remove_dir_all(dir.join(".git")).unwrap();
    assert_knows(&w, &dir, "plain", &["walnut", "acorn"], &[]);
}

#[test]
fn a_directory_that_gets_a_repository_and_an_origin_at_once_keeps_its_memory() {
    let w = world();
    let dir = directory(&w, "idea");
    session(&w, &dir, "before", "walnut");
    git(&w, &dir, &["init", "-q"]);
    commit(&w, &dir, "first");
    git(&w, &dir, &["remote", "add", "origin", "https://example.org/me/idea"]);
    assert_knows(&w, &dir, "origin", &["walnut"], &[]);
    assert_eq!(n_projects(&w), 1);
}

/// A paused project is not recorded again because it becomes a repository.
#[test]
fn a_pause_holds_when_the_directory_becomes_a_repository() {
    let w = world();
    let dir = directory(&w, "idea");
    let paused = |action: &str| drop(w.memctl_in(&dir, &[action, "--project"]).ok());
    paused("pause");
    git(&w, &dir, &["init", "-q"]);
    session(&w, &dir, "paused", "walnut");
    assert!(!w.data().join("memctl.db").exists());
    paused("unpause");
    session(&w, &dir, "recorded", "acorn");
    assert_knows(&w, &dir, "next", &["acorn"], &["walnut"]);
}

/// Spellings of `github.com/acme/tally`, with what the user's files say about them.
const SPELLINGS: [&str; 11] = [
    "https://github.com/Acme/Tally.git",
    "https://me:secret@github.com:443/acme/tally/",
    "git@github.com:acme/tally.git",
    "ssh://git@ssh.github.com:443/acme/tally.git",
    "gh:acme/tally",
    "xdg:acme/tally",
    "included:tally",
    "git@work:acme/tally.git",
    "ssh://git@home.alias/acme/tally",
    "if-here:acme/tally",
    "git@matched:acme/tally",
];

fn configure_spellings(w: &World) {
    let home = w.path("home");
    write(
        &home.join(".gitconfig"),
        "[url \"git@github.com:\"]\n\tinsteadOf = gh:\n[include]\n\tpath = ~/git/more\n\
         [includeIf \"gitdir:~/\"]\n\tpath = ~/git/conditional\n\
         [includeIf \"gitdir:~/nowhere/\"]\n\tpath = ~/git/wrong\n",
    );
    write(&home.join("git/conditional"), "[url \"https://github.com/\"]\n\tinsteadOf = if-here:\n");
    write(
        &home.join("git/wrong"),
        "[url \"https://wrong.example/\"]\n\tinsteadOf = if-here:acme\n",
    );
    write(&home.join("git/more"), "[url \"https://github.com/acme/\"]\n\tinsteadOf = included:\n");
    write(
        &home.join(".config/git/config"),
        "[url \"gh:\"]\n\tpushInsteadOf = https://\n[url \"work:\"]\n\tinsteadOf = xdg:\n",
    );
    write(&home.join(".ssh/config"), "Include more\nHost *\n  User git\n");
    write(
        &home.join(".ssh/more"),
        "Match exec \"touch ~/ran\" host matched\n  HostName wrong.example\n\
         Match originalhost matched,other\n  HostName github.com\n\
         Host work\n  HostName ssh.github.com\n  Port 443\nHost *.alias !no.alias\n  HostName github.com\n",
    );
}

#[test]
fn all_spellings_of_an_origin_are_one_project() {
    let w = world();
    configure_spellings(&w);
    let first = repository(&w, "tally");
    git(&w, &first, &["remote", "add", "origin", "https://github.com/acme/tally"]);
    session(&w, &first, "first", "walnut");
    for (n, url) in SPELLINGS.iter().enumerate() {
        let clone = w.path(&format!("home/clone{n}"));
        git(&w, &first, &["clone", "-q", "--no-hardlinks", ".", clone.to_str().unwrap()]);
        git(&w, &clone, &["config", "remote.origin.url", url]);
        assert_knows(&w, &clone, &format!("clone{n}"), &["walnut"], &[]);
    }
    assert_eq!(n_projects(&w), 1);
}

/// Git reads the files that a repository's configuration includes, in their place.
#[test]
fn an_origin_in_an_included_file_is_found() {
    let w = world();
    let first = repository(&w, "tally");
    git(&w, &first, &["remote", "add", "origin", "https://github.com/acme/tally"]);
    session(&w, &first, "first", "walnut");
    let clone = w.path("home/clone");
    git(&w, &first, &["clone", "-q", "--no-hardlinks", ".", clone.to_str().unwrap()]);
    git(&w, &clone, &["remote", "remove", "origin"]);
    write(&clone.join(".git/more"), "[remote \"origin\"]\n\turl = git@github.com:acme/tally\n");
    git(&w, &clone, &["config", "includeIf.onbranch:main.path", "more"]);
    assert_eq!(git(&w, &clone, &["remote", "get-url", "origin"]), "git@github.com:acme/tally");
    assert_knows(&w, &clone, "clone", &["walnut"], &[]);
    assert_eq!(n_projects(&w), 1);
}

/// Earlier releases kept the case of the path, and knew no directory but by its path.
#[test]
fn the_origin_of_an_older_store_is_found_in_lower_case() {
    let w = world();
    let first = repository(&w, "tally");
    git(&w, &first, &["remote", "add", "origin", "https://github.com/acme/tally"]);
    session(&w, &first, "first", "walnut");
    let version = w.rows("PRAGMA user_version");
    w.execute_sql(
        "DROP TABLE turn_projects; DROP INDEX project_keys_inode; DROP INDEX project_commits_hash;
         DROP INDEX project_commits_newest;
         ALTER TABLE project_keys DROP COLUMN device; ALTER TABLE project_keys DROP COLUMN inode;
         ALTER TABLE project_keys DROP COLUMN born;
         DELETE FROM project_keys WHERE key LIKE 'dir:%tally';
         UPDATE project_keys SET key = 'git:github.com/Acme/Tally' WHERE key LIKE 'git:%';
         PRAGMA user_version = 16",
    );
    let clone = w.path("home/clone");
    git(&w, &first, &["clone", "-q", ".", clone.to_str().unwrap()]);
    git(&w, &clone, &["remote", "set-url", "origin", "git@github.com:ACME/tally.git"]);
    assert_knows(&w, &clone, "clone", &["walnut"], &[]);
    assert_knows(&w, &first, "again", &["walnut"], &[]);
    assert_eq!(n_projects(&w), 1);
    assert_eq!(w.rows("PRAGMA user_version"), version);
}

/// The memory of a spelling that only the user's files explain is found by the usual one.
#[test]
fn the_first_spelling_may_be_an_alias() {
    let w = world();
    configure_spellings(&w);
    for (n, url) in SPELLINGS.iter().enumerate() {
        let first = repository(&w, &format!("first{n}"));
        let url = url.replace("tally", &format!("tally{n}")).replace("Tally", &format!("Tally{n}"));
        git(&w, &first, &["remote", "add", "origin", &url]);
        session(&w, &first, &format!("first{n}"), "walnut");
        let clone = w.path(&format!("home/clone{n}"));
        git(&w, &first, &["clone", "-q", "--no-hardlinks", ".", clone.to_str().unwrap()]);
        let usual = format!("https://github.com/acme/tally{n}");
        git(&w, &clone, &["config", "remote.origin.url", &usual]);
        assert_knows(&w, &clone, &format!("clone{n}"), &["walnut"], &[]);
    }
    assert_eq!(n_projects(&w), SPELLINGS.len());
}

/// Neither an alias nor a rule in the repository's own configuration proves anything.
#[test]
fn a_forged_spelling_has_its_own_memory() {
    let w = world();
    configure_spellings(&w);
    let tally = repository(&w, "tally");
    git(&w, &tally, &["remote", "add", "origin", "https://github.com/acme/tally"]);
    session(&w, &tally, "honest", "walnut");
    for (n, url) in SPELLINGS.iter().chain(&["own:tally"]).enumerate() {
        let evil = repository(&w, &format!("downloads/evil{n}"));
        git(&w, &evil, &["remote", "add", "origin", url]);
        git(&w, &evil, &["config", "url.https://github.com/acme/.insteadOf", "own:"]);
        let response = started(&w, &evil, &format!("evil{n}"));
        assert_eq!(context(&response), "", "{url}: {response}");
        assert_eq!(notice(&response).contains("memctl project link"), *url != "own:tally", "{url}");
        session(&w, &evil, &format!("evil-session{n}"), "hemlock");
    }
    assert_knows(&w, &tally, "again", &["walnut"], &["hemlock"]);
}

#[test]
fn a_repository_with_a_renamed_origin_keeps_its_memory() {
    let w = world();
    let dir = repository(&w, "tally");
    git(&w, &dir, &["remote", "add", "origin", "https://example.org/acme/tally"]);
    session(&w, &dir, "first", "walnut");
    git(&w, &dir, &["remote", "set-url", "origin", "https://example.org/acme/counter"]);
    assert_knows(&w, &dir, "renamed", &["walnut"], &[]);
    session(&w, &dir, "second", "acorn");
    // A clone of either name belongs to the project.
    for name in ["tally", "counter"] {
        let clone = w.path("home/clones").join(name);
        git(&w, &dir, &["clone", "-q", ".", clone.to_str().unwrap()]);
        let url = format!("https://example.org/acme/{name}");
        git(&w, &clone, &["remote", "set-url", "origin", &url]);
        assert_knows(&w, &clone, name, &["walnut", "acorn"], &[]);
    }
    assert_eq!(n_projects(&w), 1);
    // Another repository replaces it in its directory.
    fs::remove_dir_all(&dir).unwrap();
    let other = directory(&w, "tally");
    git(&w, &other, &["init", "-q"]);
    commit(&w, &other, "another repository");
    git(&w, &other, &["remote", "add", "origin", "https://example.org/acme/other"]);
    assert_knows(&w, &other, "other", &[], &["walnut"]);
}

#[test]
fn a_note_follows_its_directory_without_a_session() {
    let w = world();
    let dir = directory(&w, "local");
    w.memctl_in(&dir, &["remember", "The walnut press runs at 40 degrees"]).ok();
    let moved = w.path("home/renamed");
    fs::rename(&dir, &moved).unwrap();
    let context = w.memctl_in(&moved, &["context"]).ok();
    assert!(context.contains("walnut press"), "{context}");
}

#[test]
fn a_moved_repository_keeps_its_memory() {
    let w = world();
    let dir = repository(&w, "tally");
    session(&w, &dir, "first", "walnut");
    let moved = w.path("home/renamed");
    fs::rename(&dir, &moved).unwrap();
    assert_knows(&w, &moved, "moved", &["walnut"], &[]);
    session(&w, &moved, "second", "acorn");

    // Another file system: a copy, and the first one is deleted.
    let copy = w.path("home/copy");
    git(&w, &moved, &["clone", "-q", "--no-hardlinks", ".", copy.to_str().unwrap()]);
    git(&w, &copy, &["remote", "remove", "origin"]);
    fs::remove_dir_all(&moved).unwrap();
    assert_knows(&w, &copy, "copied", &["walnut", "acorn"], &[]);
    assert_eq!(n_projects(&w), 1);
}

#[test]
fn a_copied_repository_is_named_and_not_joined() {
    let w = world();
    let dir = repository(&w, "tally");
    session(&w, &dir, "first", "walnut");
    let copy = w.path("home/copy");
    git(&w, &dir, &["clone", "-q", "--no-hardlinks", ".", copy.to_str().unwrap()]);
    git(&w, &copy, &["remote", "remove", "origin"]);
    let response = started(&w, &copy, "copy");
    assert_eq!(context(&response), "");
    let command = format!("memctl project link --to {}", dir.display());
    assert!(notice(&response).contains(&command), "{response}");
    session(&w, &copy, "second", "hazel");
    assert_knows(&w, &dir, "again", &["walnut"], &["hazel"]);
    let printed = w.memctl_in(&w.path("home"), &["doctor"]).out;
    assert!(printed.contains("memctl project link"), "{printed}");
    let (copy, dir) = (copy.display().to_string(), dir.display().to_string());
    let linked = w.memctl(&["project", "link", &copy, "--to", &dir]).ok();
    assert!(linked.starts_with(&format!("{copy} belongs to project tally now")), "{linked}");
    assert_knows(&w, Path::new(&dir), "joined", &["walnut", "hazel"], &[]);
}

#[test]
fn a_moved_directory_keeps_its_memory_and_a_new_one_gets_none() {
    let w = world();
    let dir = directory(&w, "notes");
    session(&w, &dir, "first", "walnut");
    let moved = w.path("home/renamed");
    fs::rename(&dir, &moved).unwrap();
    assert_knows(&w, &moved, "moved", &["walnut"], &[]);
    session(&w, &moved, "second", "acorn");
    assert_eq!(n_projects(&w), 1);
    // A new directory often has the inode of a deleted one.
    let inode = fs::metadata(&moved).unwrap().ino();
    fs::remove_dir_all(&moved).unwrap();
    let new = (0..50).map(|n| directory(&w, &format!("new{n}")));
    let new = new.into_iter().find(|dir| fs::metadata(dir).unwrap().ino() == inode);
    let new = new.unwrap_or_else(|| directory(&w, "new"));
    assert_knows(&w, &new, "new", &[], &["walnut", "acorn"]);
}

#[test]
fn a_separated_directory_stays_separate_when_it_moves() {
    let w = world();
    let first = repository(&w, "tally");
    git(&w, &first, &["remote", "add", "origin", "https://example.org/acme/tally"]);
    session(&w, &first, "first", "walnut");
    let clone = w.path("home/clone");
    git(&w, &first, &["clone", "-q", ".", clone.to_str().unwrap()]);
    git(&w, &clone, &["remote", "set-url", "origin", "https://example.org/acme/tally"]);
    let moved = w.path("home/moved");
    assert_knows(&w, &clone, "joined", &["walnut"], &[]);
    fs::rename(&clone, &moved).unwrap();
    assert_knows(&w, &moved, "moved", &["walnut"], &[]);
    w.memctl(&["project", "unlink", moved.to_str().unwrap()]).ok();
    session(&w, &moved, "separate", "acorn");
    fs::rename(&moved, &clone).unwrap();
    // The path is that of a clone again, but the user's decision is about the directory.
    let again = w.path("home/again");
    fs::rename(&clone, &again).unwrap();
    assert_knows(&w, &again, "again", &["acorn"], &["walnut"]);
    assert_knows(&w, &first, "first-again", &["walnut"], &["acorn"]);
}

/// A directory that was copied to another file system and deleted is recognized by its name only.
#[test]
fn a_directory_of_the_same_name_is_named_if_the_first_one_is_gone() {
    let w = world();
    let dir = directory(&w, "old/notes");
    session(&w, &dir, "first", "walnut");
    fs::remove_dir_all(&dir).unwrap();
    let copy = directory(&w, "new/notes");
    let response = started(&w, &copy, "copy");
    assert_eq!(context(&response), "");
    let command = format!("memctl project move {} .", dir.display());
    assert!(notice(&response).contains(&command), "{response}");
    let (copy, dir) = (copy.display().to_string(), dir.display().to_string());
    w.memctl(&["project", "link", &copy, "--to", &dir]).ok();
    assert_knows(&w, Path::new(&copy), "linked", &["walnut"], &[]);
}

#[test]
fn a_repository_at_the_home_directory_counts_for_it_alone() {
    let w = world();
    let home = w.path("home").canonicalize().unwrap();
    git(&w, &home, &["init", "-q"]);
    commit(&w, &home, "dotfiles");
    git(&w, &home, &["remote", "add", "origin", "https://example.org/me/dotfiles"]);
    let (one, two) = (directory(&w, "one"), directory(&w, "two/deep"));
    session(&w, &home, "home", "walnut");
    session(&w, &one, "one", "acorn");
    session(&w, &two, "two", "hazel");
    assert_knows(&w, &home, "home-again", &["walnut"], &["acorn", "hazel"]);
    assert_knows(&w, &one, "one-again", &["acorn"], &["walnut", "hazel"]);
    assert_knows(&w, &two, "two-again", &["hazel"], &["walnut", "acorn"]);
    // What is below becomes a repository of its own.
    git(&w, &one, &["init", "-q"]);
    commit(&w, &one, "one");
    assert_knows(&w, &one.join("src"), "one-src", &["acorn"], &["walnut", "hazel"]);
    assert_eq!(n_projects(&w), 3);
}

#[test]
fn a_work_tree_stays_with_its_project_when_its_repository_is_not_reachable() {
    let w = world();
    let main = repository(&w, "main");
    session(&w, &main, "main", "walnut");
    let tree = w.path("home/tree");
    git(&w, &main, &["worktree", "add", "-q", tree.to_str().unwrap()]);
    assert_knows(&w, &tree, "tree", &["walnut"], &[]);
    session(&w, &tree, "in-tree", "acorn");
    // As in a container that mounts the work tree only.
    fs::rename(&main, w.path("hidden")).unwrap();
    assert_knows(&w, &tree, "alone", &["walnut", "acorn"], &[]);
    session(&w, &tree, "alone-session", "hazel");
    fs::rename(w.path("hidden"), &main).unwrap();
    assert_knows(&w, &main, "main-again", &["walnut", "acorn", "hazel"], &[]);
    assert_eq!(n_projects(&w), 1);
}

#[test]
fn an_unknown_work_tree_without_its_repository_is_named() {
    let w = world();
    let main = repository(&w, "main");
    session(&w, &main, "main", "walnut");
    let tree = w.path("home/tree");
    git(&w, &main, &["worktree", "add", "-q", tree.to_str().unwrap()]);
    fs::rename(&main, w.path("hidden")).unwrap();
    let response = started(&w, &tree, "alone");
    assert_eq!(context(&response), "");
    assert!(notice(&response).contains("git directory is not reachable"), "{response}");
    let printed = w.memctl_in(&tree, &["doctor"]).out;
    assert!(printed.contains("is not reachable"), "{printed}");
    // The repository comes back in another place, and its own link leads to the work tree.
    let moved = w.path("home/moved");
    fs::rename(w.path("hidden"), &moved).unwrap();
    assert_knows(&w, &moved, "moved", &["walnut"], &[]);
    session(&w, &moved, "moved-session", "acorn");
    assert_knows(&w, &tree, "found", &["walnut", "acorn"], &[]);
}

#[test]
fn a_bare_repository_and_its_work_trees_are_one_project() {
    let w = world();
    let source = repository(&w, "source");
    let dir = directory(&w, "tool");
    git(&w, &source, &["clone", "-q", "--bare", ".", dir.join(".bare").to_str().unwrap()]);
    git(&w, &dir.join(".bare"), &["remote", "remove", "origin"]);
    write(&dir.join(".git"), "gitdir: ./.bare\n");
    git(&w, &dir, &["worktree", "add", "-q", "main"]);
    git(&w, &dir, &["worktree", "add", "-q", "topic"]);
    session(&w, &dir.join("main"), "main", "walnut");
    assert_knows(&w, &dir, "root", &["walnut"], &[]);
    session(&w, &dir, "root-session", "acorn");
    assert_knows(&w, &dir.join("topic"), "topic", &["walnut", "acorn"], &[]);
    assert_knows(&w, &dir.join(".bare"), "bare", &["walnut", "acorn"], &[]);
    assert_eq!(n_projects(&w), 1);
}

#[test]
fn submodules_and_nested_repositories_are_projects_of_their_own() {
    let w = world();
    let lib = repository(&w, "lib");
    let main = repository(&w, "main");
    git(&w, &main, &["submodule", "--quiet", "add", lib.to_str().unwrap(), "vendor"]);
    git(&w, &main.join("vendor"), &["remote", "remove", "origin"]);
    let nested = repository(&w, "main/nested");
    commit(&w, &nested, "nested");
    session(&w, &main, "main", "walnut");
    session(&w, &main.join("vendor"), "vendor", "acorn");
    session(&w, &nested, "nested", "hazel");
    assert_knows(&w, &main.join("src"), "main-again", &["walnut"], &["acorn", "hazel"]);
    assert_knows(&w, &main.join("vendor"), "vendor-again", &["acorn"], &["walnut", "hazel"]);
    assert_knows(&w, &nested, "nested-again", &["hazel"], &["walnut", "acorn"]);
    // A part of the work tree is checked out.
    git(&w, &main, &["sparse-checkout", "set", "src"]);
    assert_knows(&w, &main, "sparse", &["walnut"], &["acorn", "hazel"]);
}

/// The first release gave a directory another project when it became a repository. Both are one again, and the
/// user can undo that.
#[test]
fn a_project_that_an_older_release_split_is_joined() {
    let w = world();
    let dir = repository(&w, "tally");
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schema/001.sql");
    let dump = fs::read_to_string(dump).unwrap().replace("/home/me/tally", dir.to_str().unwrap());
    fs::create_dir(w.data()).unwrap();
    w.execute_sql("PRAGMA journal_mode = WAL");
    w.execute_sql(&dump);
    let place = dir.display();
    w.execute_sql(&format!(
        "INSERT INTO projects VALUES (2, 'tally', '{place}');
         INSERT INTO project_keys VALUES ('dir:{place}/.git', 2);
         UPDATE sessions SET status = 'completed';
         DELETE FROM pending_messages WHERE session_id = 2;
         INSERT INTO sessions SELECT 3, 'u3', client, 's3', NULL, NULL, 2, root, cwd, 'completed',
           end_reason, 1, 1, 0, backend, NULL, NULL, NULL, 1795775400000, 1795775400000, 1795775400000
           FROM sessions WHERE id = 1;
         INSERT INTO session_summaries SELECT 30, 'm30', NULL, 3, 2, 1, 't1', 'Port the parser.', '', '',
           'The walnut parser is ported.', '', '', '[]', '[]', 'extractive', 0, 0, 1795775400000,
           1795775400000 FROM session_summaries WHERE id = 3;"
    ));
    assert_knows(&w, &dir, "first", &["walnut"], &["leap years"]);
    session(&w, &dir, "live", "acorn");
    assert_knows(&w, &dir, "second", &["walnut", "leap years"], &[]);
    assert_eq!(n_projects(&w), 1);
    w.memctl(&["project", "undo"]).ok();
    assert_eq!(n_projects(&w), 2);
    session(&w, &dir, "third", "hazel");
    assert_knows(&w, &dir, "fourth", &["walnut"], &["leap years"]);
}

/// A clone in the place of a deleted directory is no repository that the directory became.
#[test]
fn a_clone_in_the_place_of_a_directory_stays_apart() {
    let w = world();
    let tally = repository(&w, "tally");
    git(&w, &tally, &["remote", "add", "origin", "https://example.org/acme/tally"]);
    let place = directory(&w, "place");
    session(&w, &place, "plain", "hazel");
    session(&w, &tally, "known", "walnut");
    fs::remove_dir_all(&place).unwrap();
    git(&w, &tally, &["clone", "-q", "--no-hardlinks", ".", place.to_str().unwrap()]);
    git(&w, &place, &["remote", "set-url", "origin", "https://example.org/acme/tally"]);
    assert_knows(&w, &place, "clone", &["walnut"], &["hazel"]);
    assert_knows(&w, &place, "again", &["walnut"], &["hazel"]);
    assert_eq!(n_projects(&w), 2);
}
