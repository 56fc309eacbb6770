//! A folder that only claims to be a known repository neither reads nor changes its memory. Honest
//! clones and work trees share it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::World;
use crate::support::directories::{context, session, started, write};

const ORIGIN: &str = "https://example.org/acme/tally";

/// The first commit of the repository, and a later one.
const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "22222222222222222222222222222222222222ab";

/// A repository with this origin. Its object store has these commits, and the last one is checked
/// out.
fn repository(w: &World, name: &str, origin: &str, commits: &[&str]) -> PathBuf {
    let dir = w.path("home").join(name);
    let git = dir.join(".git");
    write(&git.join("HEAD"), "ref: refs/heads/main\n");
    write(&git.join("config"), format!("[remote \"origin\"]\n\turl = {origin}\n"));
    fs::create_dir_all(git.join("objects/pack")).unwrap();
    for commit in commits {
        write(&git.join("objects").join(&commit[..2]).join(&commit[2..]), "");
    }
    if let Some(commit) = commits.last() {
        write(&git.join("refs/heads/main"), format!("{commit}\n"));
    }
    dir
}

/// A world whose memory knows the repository `tally`.
fn known() -> (World, PathBuf) {
    let w = World::new().with("MEMCTL_CONTEXT_NOTICE", "false");
    let tally = repository(&w, "tally", ORIGIN, &[FIRST]);
    session(&w, &tally, "honest", "walnut");
    assert!(context(&started(&w, &tally, "again")).contains("walnut"));
    (w, tally)
}

/// Checks that a session in `evil` gets nothing of `tally`'s memory, and gives it nothing.
#[track_caller]
fn assert_separate(w: &World, tally: &Path, evil: &Path) {
    let response = started(w, evil, "evil-start");
    assert!(!context(&response).contains("walnut"), "{response}");
    let notice = response["systemMessage"].as_str().unwrap_or_default();
    assert!(notice.contains("memctl project link"), "{}: {response}", evil.display());
    assert!(notice.contains(&evil.display().to_string()), "{response}");
    session(w, evil, "evil-session", "hemlock");
    assert!(!context(&started(w, tally, "honest-start")).contains("hemlock"));
    assert!(context(&started(w, evil, "evil-again")).contains("hemlock"), "it has its own memory");
    let printed = w.memctl(&["context", "--project", &evil.display().to_string()]);
    assert!(!printed.out.contains("walnut"), "{printed:?}");
}

#[test]
fn an_archive_with_a_forged_origin_has_its_own_memory() {
    for commits in [&[][..], &["3333333333333333333333333333333333333333"]] {
        let (w, tally) = known();
        let evil = repository(&w, "downloads/evil", ORIGIN, commits);
        assert_separate(&w, &tally, &evil);
    }
}

#[test]
fn a_local_path_as_origin_is_no_proof() {
    let (w, tally) = known();
    let evil = repository(&w, "downloads/evil", &tally.display().to_string(), &[]);
    assert_separate(&w, &tally, &evil);
}

/// The object store of the known repository is no proof for a folder that points to it.
#[test]
fn a_git_directory_that_points_to_a_repository_is_no_proof() {
    type Forge = fn(&Path, &Path);
    let forges: [Forge; 7] = [
        |evil, tally| {
            let git_dir = tally.join(".git/worktrees/none");
            write(&evil.join(".git"), format!("gitdir: {}\n", git_dir.display()));
        },
        |evil, tally| write(&evil.join(".git"), format!("gitdir: {}/.git\n", tally.display())),
        |evil, tally| std::os::unix::fs::symlink(tally.join(".git"), evil.join(".git")).unwrap(),
        |evil, tally| {
            write(&evil.join(".git/HEAD"), "ref: refs/heads/main\n");
            write(&evil.join(".git/commondir"), format!("{}/.git\n", tally.display()));
        },
        |evil, tally| {
            // The git directory of a work tree that git made. Its link leads back to that one.
            let git_dir = tally.join(".git/worktrees/tree");
            write(&git_dir.join("HEAD"), "ref: refs/heads/main\n");
            write(&git_dir.join("commondir"), "../..\n");
            write(
                &git_dir.join("gitdir"),
                format!("{}/.git\n", tally.with_file_name("tree").display()),
            );
            write(&evil.join(".git"), format!("gitdir: {}\n", git_dir.display()));
        },
        |evil, tally| {
            // A work tree's git directory outside of the repository, with a link that leads back.
            write(&evil.join(".git"), "gitdir: tree\n");
            write(&evil.join("tree/HEAD"), "ref: refs/heads/main\n");
            write(&evil.join("tree/commondir"), format!("{}/.git\n", tally.display()));
            write(&evil.join("tree/gitdir"), format!("{}/.git\n", evil.display()));
        },
        |evil, tally| {
            let git = evil.join(".git");
            write(&git.join("HEAD"), "ref: refs/heads/main\n");
            write(&git.join("config"), format!("[remote \"origin\"]\n\turl = {ORIGIN}\n"));
            std::os::unix::fs::symlink(tally.join(".git/objects"), git.join("objects")).unwrap();
        },
    ];
    for forge in forges {
        let (w, tally) = known();
        let evil = w.path("home/downloads/evil");
        fs::create_dir_all(&evil).unwrap();
        forge(&evil, &tally);
        assert_separate(&w, &tally, &evil);
    }
}

/// A folder that claims a known project and a repository that memory does not know yet does not found the
/// memory of that repository.
#[test]
fn a_refused_folder_founds_no_other_project() {
    let (w, _) = known();
    let fresh = repository(&w, "fresh", ORIGIN, &[]);
    let evil = w.path("home/downloads/evil");
    write(&evil.join(".git"), format!("gitdir: {}/.git\n", fresh.display()));
    session(&w, &evil, "evil-session", "hemlock");
    assert!(
        context(&started(&w, &evil, "evil-again")).contains("hemlock"),
        "it has its own memory"
    );
    assert!(!context(&started(&w, &fresh, "fresh-start")).contains("hemlock"));
}

/// An archive can name another object store. Objects there are no proof.
#[test]
fn alternates_of_an_object_store_are_no_proof() {
    let (w, tally) = known();
    let evil = repository(&w, "downloads/evil", ORIGIN, &[]);
    let objects = format!("{}\n", tally.join(".git/objects").display());
    write(&evil.join(".git/objects/info/alternates"), objects);
    assert_separate(&w, &tally, &evil);
}

#[test]
fn a_clone_shares_the_memory_without_fuss() {
    let (w, tally) = known();
    let clone = repository(&w, "second/tally", ORIGIN, &[FIRST, SECOND]);
    let response = started(&w, &clone, "clone");
    assert!(context(&response).contains("walnut") && response["systemMessage"].is_null());
    session(&w, &clone, "clone-session", "acorn");
    assert!(context(&started(&w, &tally, "first")).contains("acorn"));

    // The first clone is deleted. A third one has only commits that the second one made known.
    fs::remove_dir_all(&tally).unwrap();
    let third = repository(&w, "third/tally", ORIGIN, &[SECOND]);
    let response = started(&w, &third, "third");
    assert!(context(&response).contains("acorn") && response["systemMessage"].is_null());
}

#[test]
fn a_work_tree_that_git_made_shares_the_memory() {
    let (w, tally) = known();
    let tree = w.path("home/tree");
    let git_dir = tally.join(".git/worktrees/tree");
    write(&git_dir.join("HEAD"), "ref: refs/heads/main\n");
    write(&git_dir.join("commondir"), "../..\n");
    write(&git_dir.join("gitdir"), format!("{}/.git\n", tree.display()));
    write(&tree.join(".git"), format!("gitdir: {}\n", git_dir.display()));
    let response = started(&w, &tree, "tree");
    assert!(context(&response).contains("walnut") && response["systemMessage"].is_null());
}

#[test]
fn the_user_links_and_unlinks_a_directory() {
    let (w, tally) = known();
    let copy = repository(&w, "copy", ORIGIN, &[]);
    let dir = copy.display().to_string();
    session(&w, &copy, "copied", "hazel");
    let linked = w.memctl(&["project", "link", &dir]).ok();
    assert!(linked.starts_with(&format!("{dir} belongs to project tally now")), "{linked}");
    let again = w.memctl(&["project", "link", &dir]).ok();
    assert_eq!(again, format!("{dir} belongs to project tally already\n"));
    let block = context(&started(&w, &tally, "linked"));
    assert!(block.contains("hazel") && block.contains("walnut"), "{block}");

    let projects = w.memctl(&["project", "list", "--json"]).json();
    assert_eq!(projects.as_array().map(Vec::len), Some(1), "{projects}");
    assert_eq!(projects[0]["name"], "tally");
    assert_eq!(projects[0]["keys"].as_array().map(Vec::len), Some(5), "{projects}");

    let unlinked = w.memctl(&["project", "unlink", &dir]).ok();
    assert!(unlinked.starts_with(&format!("{dir} is a project of its own now")), "{unlinked}");
    let again = w.memctl(&["project", "unlink", &dir]).ok();
    assert_eq!(again, format!("{dir} is a project of its own already\n"));
    // A separated directory stays separate, and no notice asks to link it.
    write(&copy.join(".git/objects").join(&FIRST[..2]).join(&FIRST[2..]), "");
    let response = started(&w, &copy, "separate");
    assert!(context(&response).is_empty() && response["systemMessage"].is_null(), "{response}");
    let list = w.memctl(&["project", "list"]).ok();
    assert!(list.starts_with("PROJECT") && list.lines().count() == 3, "{list}");

    let plain = w.path("home/plain");
    fs::create_dir(&plain).unwrap();
    let plain = plain.display().to_string();
    let error = w.memctl(&["project", "link", &plain]);
    assert_eq!(error.code, Some(1), "{error:?}");
    assert!(error.err.contains("hint: --to names another project"), "{error:?}");
    let linked = w.memctl(&["project", "link", &plain, "--to", &tally.display().to_string()]).ok();
    assert!(linked.starts_with(&format!("{plain} belongs to project tally now")), "{linked}");
}

#[test]
fn without_a_memory_there_is_nothing_to_link() {
    let w = World::new();
    assert_eq!(w.memctl(&["project", "list"]).ok(), "no projects\n");
    assert_eq!(w.memctl(&["project", "list", "--json"]).ok(), "[]\n");
    for action in ["link", "unlink"] {
        let error = w.memctl(&["project", action]);
        assert_eq!(error.code, Some(1));
        assert!(error.err.starts_with("error: nothing is stored yet\n"), "{error:?}");
    }
    assert!(!w.data().exists());
}

/// Releases before this one recorded no commits: the repository that is still there is the proof.
#[test]
fn a_memory_without_commits_trusts_the_repository_that_it_knows() {
    let (w, _) = known();
    w.execute_sql("DELETE FROM project_commits");
    let clone = repository(&w, "second/tally", ORIGIN, &[FIRST, SECOND]);
    let evil = repository(&w, "downloads/evil", ORIGIN, &[SECOND]);
    assert!(context(&started(&w, &evil, "evil")).is_empty());
    assert!(context(&started(&w, &clone, "clone")).contains("walnut"));
}
