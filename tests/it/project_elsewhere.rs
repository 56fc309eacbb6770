//! Work belongs to the repository whose files it changed, also when the client was started elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::directories::{context, directory, in_dir, repository, started, write};
use crate::support::recordings::end;
use crate::support::transcripts::Transcript;
use crate::support::work::Work;
use crate::support::world::{Output, run};
use crate::support::{McpClient, World};

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
    assert_eq!(w.count("SELECT count(*) FROM turn_projects"), 0);
}

fn memctl_in(w: &World, dir: &Path, args: &[&str]) -> Output {
    let mut memctl = w.command(Path::new(env!("CARGO_BIN_EXE_memctl")));
    run(memctl.args(args).current_dir(dir), b"")
}

fn ids(output: Output, key: &str) -> Vec<String> {
    // A search that finds nothing exits with 1.
    let found: Value =
        serde_json::from_str(&output.out).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let rows = if key.is_empty() { &found } else { &found[key] };
    let id = |row: &Value| row["id"].as_str().or(row["session"].as_str()).unwrap().to_owned();
    let of_turn = |row: &Value| -> Vec<String> {
        let others = row["same_turn"].as_array().into_iter().flatten();
        others.map(|id| id.as_str().unwrap().to_owned()).chain([id(row)]).collect()
    };
    let mut ids: Vec<String> = rows.as_array().unwrap().iter().flat_map(of_turn).collect();
    ids.sort();
    ids
}

/// The ids that a search, a timeline, a list and `why` tell in a directory.
fn told(w: &World, dir: &Path) -> [Vec<String>; 4] {
    [
        ids(memctl_in(w, dir, &["search", "walnut", "--json"]), ""),
        ids(memctl_in(w, dir, &["timeline", "--json"]), ""),
        ids(memctl_in(w, dir, &["list", "--json"]), ""),
        ids(memctl_in(w, dir, &["why", "src/a.rs", "--json"]), "changes"),
    ]
}

/// A session in `work` with a turn that changed a file of `work/tally`, and one that did not.
fn worked_in_tally(w: &World) -> PathBuf {
    directory(w, "work");
    let tally = repository(w, "work/tally");
    let mut work = Work::new(w, "work", "parent");
    turn(&mut work, "hazel", "notes.rs");
    turn(&mut work, "walnut", "tally/src/a.rs");
    tally
}

#[test]
fn what_a_session_changed_elsewhere_is_found_there_by_every_command() {
    let w = world();
    let tally = worked_in_tally(&w);
    let [searched, timeline, listed, why] = told(&w, &tally);
    let all = w.rows(
        "SELECT 'o' || id FROM observations WHERE prompt_number = 2
         UNION ALL SELECT 's' || id FROM session_summaries WHERE prompt_number = 2
         UNION ALL SELECT 'p' || id FROM user_prompts WHERE prompt_number = 2 ORDER BY 1",
    );
    assert!(all.iter().any(|id| id.starts_with('o')), "{all:?}");
    assert_eq!(searched, all);
    assert_eq!(timeline, all);
    assert_eq!(listed, ["parent"]);
    assert_eq!(why, ["s2"]);
    let list = memctl_in(&w, &tally, &["list", "--json"]).json();
    assert!(list[0]["title"].as_str().unwrap().contains("walnut"), "{list}");
    let hazel = memctl_in(&w, &tally, &["search", "hazel", "--json"]);
    assert_eq!(ids(hazel, ""), [""; 0], "the other turn is not of this project");
    // Each row once, where both projects are searched, and what stands beside it.
    let everywhere =
        ids(memctl_in(&w, &tally, &["search", "walnut", "--all-projects", "--json"]), "");
    assert_eq!(everywhere, ["o2", "p2", "s1", "s2"]);
    let mut client = McpClient::new(&w, Some(vec![tally]));
    let answer = client.call("search", json!({"query": "walnut parser"}));
    assert!(answer.contains("s2"), "{answer}");
    client.close();
    let recalled = w.hook(&json!({"hook_event_name": "UserPromptSubmit", "session_id": "later",
        "cwd": w.path("home/work/tally"), "prompt_id": "p1",
        "prompt": "How does the walnut parser read dotted dates?"}));
    let given = recalled["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default();
    assert!(given.contains("walnut"), "{recalled}");
    // An open prompt keeps the worker.
    w.hook(&in_dir(end("later"), &w.path("home/work/tally")));
    w.settle();
}

/// After a merge, the turn is told in the whole project; after the undo, as before. A forgotten project tells
/// nothing more, and its restored one does again.
#[test]
fn told_turns_follow_changes_of_projects_and_forgetting() {
    let w = world();
    let tally = worked_in_tally(&w);
    let other = repository(&w, "other");
    let mut work = Work::new(&w, "other", "o");
    turn(&mut work, "acorn", "b.rs");
    let before = told(&w, &tally);
    w.memctl(&["project", "merge", tally.to_str().unwrap(), other.to_str().unwrap()]).ok();
    let merged = ids(memctl_in(&w, &other, &["search", "walnut", "--json"]), "");
    assert_eq!(merged, before[0]);
    w.memctl(&["project", "undo"]).ok();
    assert_eq!(told(&w, &tally), before);
    let none = ids(memctl_in(&w, &other, &["search", "walnut", "--json"]), "");
    assert_eq!(none, [""; 0]);

    w.memctl(&["forget", "--project", tally.to_str().unwrap(), "--yes"]).ok();
    let parent = w.path("home/work");
    let session = memctl_in(&w, &parent, &["list", "--json"]).json()[0]["session"].clone();
    w.memctl(&["forget", session.as_str().unwrap(), "--yes"]).ok();
    assert_eq!(ids(memctl_in(&w, &tally, &["search", "walnut", "--json"]), ""), [""; 0]);
    // First the session, then the project in which it is told.
    w.memctl(&["forget", "--undo"]).ok();
    assert_eq!(ids(memctl_in(&w, &tally, &["search", "walnut", "--json"]), ""), [""; 0]);
    w.memctl(&["forget", "--undo"]).ok();
    assert_eq!(told(&w, &tally), before);
    assert_index_is_as_if_built_again(&w, &tally, &before);
}

#[track_caller]
fn assert_index_is_as_if_built_again(w: &World, dir: &Path, before: &[Vec<String>; 4]) {
    let totals =
        "SELECT scope, kind, n_rows, n_words FROM word_totals WHERE n_rows > 0 ORDER BY 1, 2";
    let live = w.rows(totals);
    w.execute_sql("DELETE FROM meta WHERE key IN ('words', 'schema')");
    let _ = w.memctl(&["doctor", "--fix"]);
    assert_eq!(w.rows(totals), live);
    assert_eq!(&told(w, dir), before);
}

#[test]
fn an_export_tells_it_elsewhere_too() {
    let w = world();
    let tally = worked_in_tally(&w);
    let exported = w.memctl(&["export"]).ok();
    assert_eq!(exported.matches("{\"type\":\"told\"").count(), 1, "{exported}");
    let second = world();
    second.memctl_with(&["import", "jsonl", "-"], exported.as_bytes()).ok();
    assert_eq!(second.memctl(&["export"]).ok(), exported);
    // The directories are those of the first world.
    let found =
        second.memctl(&["search", "walnut", "--project", tally.to_str().unwrap(), "--json"]);
    assert_eq!(ids(found, "").len(), told(&w, &tally)[0].len());
    let again = second.memctl_with(&["import", "jsonl", "-", "--json"], exported.as_bytes()).json();
    assert_eq!(again["new"], 0, "{again}");

    // That of one project, too.
    let projects = w.memctl(&["project", "list", "--json"]).json();
    let is_own = |p: &&Value| p["name"] != "tally";
    let own = projects.as_array().unwrap().iter().find(is_own).unwrap()["name"].as_str().unwrap();
    let exported = w.memctl(&["export", "--project", own]).ok();
    assert_eq!(exported.matches("{\"type\":\"told\"").count(), 1, "{exported}");
    let third = world();
    third.memctl_with(&["import", "jsonl", "-"], exported.as_bytes()).ok();
    assert_eq!(third.memctl(&["export", "--project", own]).ok(), exported);
    let found = third.memctl(&["search", "walnut", "--project", tally.to_str().unwrap(), "--json"]);
    assert_eq!(ids(found, "").len(), told(&w, &tally)[0].len());
}

#[test]
fn an_imported_transcript_is_told_where_it_changed_files() {
    let w = world();
    let parent = directory(&w, "work");
    let tally = repository(&w, "work/tally");
    let (file, text) = (tally.join("src/a.rs"), "fn walnut() {}\n");
    write(&file, text);
    let used = json!({"type": "tool_use", "id": "toolu_1", "name": "Write",
        "input": {"file_path": file, "content": text}});
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "created"});
    let response = json!({"type": "create", "filePath": file, "content": text,
        "structuredPatch": [], "originalFile": null});
    let said = json!([{"type": "text", "text": "The walnut parser reads dotted dates now."}]);
    let request = json!({"content": "Please fix the walnut parser."});
    Transcript::new("t1", 3)
        .in_dir(parent.to_str().unwrap())
        .line(json!({"type": "user", "message": request}))
        .line(json!({"type": "assistant", "message": {"content": [used]}}))
        .line(json!({"type": "user", "message": {"content": [result]}, "toolUseResult": response}))
        .line(json!({"type": "assistant", "message": {"content": said}}))
        .write(&w);
    w.memctl(&["import", "claude-code", "--json"]).ok();
    let found = ids(memctl_in(&w, &tally, &["search", "walnut", "--json"]), "");
    assert!(found.iter().any(|id| id.starts_with('s')), "{found:?}");
    assert_told(&w, &tally, "in-tally", &["walnut"], &[]);
}

/// Earlier, only the summary was told in the further project.
#[test]
fn links_of_an_older_database_tell_the_whole_turn() {
    let w = world();
    let tally = worked_in_tally(&w);
    let before = told(&w, &tally);
    w.execute_sql(
        "CREATE TABLE summary_projects (
           project_id INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
           summary_id INTEGER NOT NULL REFERENCES session_summaries(id) ON DELETE CASCADE,
           PRIMARY KEY (project_id, summary_id)) WITHOUT ROWID;
         INSERT INTO summary_projects SELECT t.project_id, s.id FROM turn_projects t
           JOIN session_summaries s USING (session_id, prompt_number);
         DROP TABLE turn_projects;
         DELETE FROM meta WHERE key = 'schema'; PRAGMA user_version = 20",
    );
    // A command that writes brings the database up to date.
    w.memctl(&["pin", "s2"]).ok();
    let _ = w.memctl(&["doctor", "--fix"]);
    assert_eq!(told(&w, &tally), before);
    assert_eq!(w.count("SELECT count(*) FROM sqlite_schema WHERE name = 'summary_projects'"), 0);
}
