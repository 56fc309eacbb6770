//! Work belongs to the repository whose files it changed, also when the client was started elsewhere.

use std::fs;
use std::path::Path;

use crate::support::World;
use crate::support::directories::{context, directory, repository, started};
use crate::support::work::Work;

fn world() -> World {
    World::new().with("MEMCTL_CONTEXT_NOTICE", "false")
}

#[track_caller]
fn assert_told(w: &World, dir: &Path, name: &str, words: &[&str], others: &[&str]) {
    let response = started(w, dir, name);
    let block = context(&response);
    assert!(words.iter().all(|word| block.contains(word)), "{name}: {words:?}: {block}");
    assert!(!others.iter().any(|word| block.contains(word)), "{name}: {others:?}: {block}");
}

/// A turn that changes this file.
fn turn(work: &mut Work, word: &str, file: &str) {
    work.prompt(&format!("Please fix the {word} parser."));
    work.write(file, &format!("fn {word}() {{}}\n"));
    work.runs("cargo test", "test result: ok. 7 passed; 0 failed");
    work.stop(&format!("The {word} parser reads dotted dates now. All 7 tests pass."));
}

#[test]
fn a_turn_is_told_in_the_directory_of_the_session_and_where_it_changed_files() {
    let w = world();
    let parent = directory(&w, "work");
    let tally = repository(&w, "work/tally");
    let counter = repository(&w, "work/counter");
    let other = repository(&w, "work/other");
    let mut work = Work::new(&w, "work", "parent");
    turn(&mut work, "walnut", "tally/src/new/a.rs");
    turn(&mut work, "acorn", "counter/b.rs");
    fs::remove_dir_all(tally.join("src")).unwrap();
    assert_told(&w, &tally, "in-tally", &["walnut"], &["acorn"]);
    assert_told(&w, &counter, "in-counter", &["acorn"], &["walnut"]);
    assert_told(&w, &other, "in-other", &[], &["walnut", "acorn"]);
    assert_told(&w, &parent, "in-parent", &["walnut", "acorn"], &[]);
}

/// As with `claude --add-dir`.
#[test]
fn a_turn_that_changed_files_of_a_second_repository_is_told_there() {
    let w = world();
    let second = repository(&w, "second");
    repository(&w, "first");
    let mut work = Work::new(&w, "first", "s");
    turn(&mut work, "hazel", "c.rs");
    turn(&mut work, "walnut", second.join("a.rs").to_str().unwrap());
    assert_told(&w, &second, "in-second", &["walnut"], &["hazel"]);
    let first = work.dir.clone();
    assert_told(&w, &first, "in-first", &["walnut", "hazel"], &[]);
    let projects = w.memctl(&["project", "list", "--json"]).json();
    assert_eq!(projects.as_array().map(Vec::len), Some(2), "{projects}");
}

#[test]
fn a_repository_that_is_not_recorded_gets_no_memory() {
    let w = world();
    directory(&w, "work");
    let secret = repository(&w, "work/secret");
    let config = w.path("home/.config/memctl/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, format!("exclude = [\"{}\"]\n", secret.display())).unwrap();
    let mut work = Work::new(&w, "work", "parent");
    turn(&mut work, "walnut", "secret/a.rs");
    assert_eq!(w.rows("SELECT name FROM projects"), ["work"]);
    assert_eq!(w.count("SELECT count(*) FROM summary_projects"), 0);
}
