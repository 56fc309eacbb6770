//! `memctl project`: names, moved directories, merged and split projects, and their undo.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::directories::{context, directory, in_dir, session, started};
use crate::support::recordings::{end, prompt, start, stop, tool};
use crate::support::{World, until};

/// Two directories with a session each: `a` knows of walnuts, `b` of hemlock.
fn world() -> (World, PathBuf, PathBuf) {
    let w = World::new().with("MEMCTL_CONTEXT_NOTICE", "false");
    let (a, b) = (directory(&w, "a"), directory(&w, "b"));
    session(&w, &a, "session-a", "walnut");
    session(&w, &b, "session-b", "hemlock");
    (w, a, b)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Everything that the commands tell of a project, byte for byte.
fn told(w: &World, project: &Path) -> Vec<String> {
    let project = text(project);
    [
        vec!["context", "--project", project],
        vec!["search", "--project", project, "--json", "parser"],
        vec!["search", "--project", project, "--json", "walnut"],
        vec!["list", "--project", project, "--json"],
    ]
    .map(|args| w.memctl(&args).out)
    .into()
}

/// The same without scores: these depend on the rows of all projects.
fn told_unscored(w: &World, project: &Path) -> Vec<String> {
    let unscored = |text: String| -> String {
        let Ok(Value::Array(rows)) = serde_json::from_str(&text) else { return text };
        let strip = |mut row: Value| {
            for key in ["score", "confidence"] {
                row.as_object_mut().unwrap().remove(key);
            }
            row.to_string()
        };
        rows.into_iter().map(strip).collect()
    };
    told(w, project).into_iter().map(unscored).collect()
}

#[track_caller]
fn undo(w: &World) -> String {
    let undone = w.memctl(&["project", "undo"]);
    assert_eq!(undone.code, Some(0), "{undone:?}");
    undone.err
}

fn names(w: &World) -> Vec<String> {
    let mut names: Vec<String> = w
        .memctl(&["project", "list", "--json"])
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn sessions(w: &World, project: &str) -> Vec<String> {
    let list = w.memctl(&["list", "--project", project, "--json"]).json();
    let mut ids: Vec<String> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["session"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

#[test]
fn a_merge_and_its_undo_leave_search_and_context_as_they_were() {
    let (w, a, b) = world();
    w.memctl(&["remember", "--project", text(&a), "Releases are cut from main"]).ok();
    w.memctl(&["remember", "--project", text(&b), "Releases are cut from the branch stable"]).ok();
    let before = [told(&w, &a), told(&w, &b)];
    let all = w.memctl(&["search", "--all-projects", "--json", "parser"]).out;
    assert!(before[0][0].contains("walnut") && !before[0][0].contains("hemlock"));

    let merge = ["project", "merge", text(&a), text(&b)];
    let planned = w.memctl(&[&merge[..], &["--dry-run"]].concat()).ok();
    let want = "would merge project a into b: 1 session, 1 summary, ";
    assert!(planned.starts_with(want), "{planned}");
    assert!(planned.contains(&format!("\n  dir:{}\n", text(&a))), "{planned}");
    assert_eq!([told(&w, &a), told(&w, &b)], before, "a dry run changes nothing");

    let merged = w.memctl(&merge).ok();
    assert!(merged.starts_with("merged project a into b: 1 session, 1 summary, "), "{merged}");
    assert!(merged.ends_with("Undo: memctl project undo 1\n"), "{merged}");
    assert_eq!(names(&w), ["b"]);
    for place in [&a, &b] {
        let context = w.memctl(&["context", "--project", text(place)]).ok();
        assert!(context.contains("walnut") && context.contains("hemlock"), "{context}");
        let found = w.memctl(&["search", "--project", text(place), "--json", "walnut"]).out;
        assert!(found.contains("walnut"), "{found}");
    }
    assert_eq!(sessions(&w, "b"), ["session-a", "session-b"]);
    assert_eq!(sessions(&w, "a"), ["session-a", "session-b"], "the old name finds the memory");

    assert_eq!(undo(&w), "");
    assert_eq!([told(&w, &a), told(&w, &b)], before);
    assert_eq!(w.memctl(&["search", "--all-projects", "--json", "parser"]).out, all);
    assert_eq!(names(&w), ["a", "b"]);
    let nothing = w.memctl(&["project", "undo"]);
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    let again = w.memctl(&merge).ok();
    assert!(again.ends_with("Undo: memctl project undo 2\n"), "an id means one change: {again}");
}

#[test]
fn sessions_begun_after_a_merge_stay_there_when_it_is_undone() {
    let (w, a, b) = world();
    let before = told_unscored(&w, &a);
    w.memctl(&["project", "merge", "a", "b"]).ok();
    session(&w, &a, "session-later", "juniper");
    assert_eq!(names(&w), ["b"], "the directory does not rename the project");
    let err = undo(&w);
    assert!(err.contains("1 session begun since then stays in project b"), "{err}");
    assert_eq!(told_unscored(&w, &a), before);
    assert_eq!(sessions(&w, "b"), ["session-b", "session-later"]);
    assert!(w.memctl(&["context", "--project", text(&b)]).ok().contains("juniper"));
    // The next session in the directory belongs to its own project again.
    session(&w, &a, "session-last", "larch");
    assert_eq!(sessions(&w, "a"), ["session-a", "session-last"]);
}

#[test]
fn a_statement_that_a_merge_replaced_holds_again_after_its_undo() {
    let (w, a, b) = world();
    let note = "The API listens on port 8080";
    w.memctl(&["remember", "--project", text(&a), note]).ok();
    let before = told_unscored(&w, &a);
    assert!(before[0].contains(note));
    w.memctl(&["project", "merge", "a", "b"]).ok();
    w.memctl(&["remember", "--project", text(&b), "The API listens on port 9000 now"]).ok();
    let context = w.memctl(&["context", "--project", text(&b)]).ok();
    assert!(!context.contains(note), "the newer statement replaces it: {context}");
    undo(&w);
    assert_eq!(told_unscored(&w, &a), before);
    assert!(w.memctl(&["context", "--project", text(&b)]).ok().contains("port 9000"));
}

/// The rows of a session get the project that it has when they are stored.
#[test]
fn a_live_session_goes_on_in_the_merged_project_and_goes_back_with_it() {
    let (w, a, b) = world();
    let w = w.with("MEMCTL_WORKER_LINGER", "60s");
    let turn = |n: &str, word: &str| {
        w.hooks(
            &[
                prompt("live", n, "make the tests pass"),
                tool("live", n, &format!("{n}1"), "cargo test", "error[E0308]: mismatched types"),
                tool("live", n, &format!("{n}2"), "cargo test", "test result: ok. 7 passed"),
                stop("live", n, &format!("The {word} parser was wrong. All 7 tests pass now.")),
            ]
            .map(|payload| in_dir(payload, &a)),
        );
    };
    w.hook(&in_dir(start("live"), &a));
    turn("t1", "juniper");
    w.memctl(&["project", "merge", "a", "b"]).ok();
    turn("t2", "larch");
    let told_of = |place: &Path| w.memctl(&["context", "--project", text(place)]).ok();
    until("both turns are told in the merged project", || {
        let context = told_of(&b);
        match context.contains("larch") && context.contains("juniper") {
            true => Ok(()),
            false => Err(context),
        }
    });
    undo(&w);
    turn("t3", "mistletoe");
    until("the last turn is told", || match told_of(&a) {
        context if context.contains("mistletoe") => Ok(()),
        context => Err(context),
    });
    assert!(w.memctl(&["ps"]).ok().contains("live"), "one worker has done all of it");
    w.hook(&in_dir(end("live"), &a));
    w.memctl(&["kill", "--all"]).ok();
    w.settle();
    let (of_a, of_b) = (told_of(&a), told_of(&b));
    for word in ["juniper", "larch", "mistletoe"] {
        assert!(of_a.contains(word) && !of_b.contains(word), "{word}: {of_a}\n{of_b}");
    }
    assert_eq!(sessions(&w, "a"), ["live", "session-a"]);
    let export = w.memctl(&["export"]).ok();
    let summaries = export.lines().filter(|line| line.contains("\"type\":\"summary\""));
    assert_eq!(summaries.count(), 5, "no row is lost: {export}");
}

#[test]
fn a_chosen_name_stays_until_it_is_undone() {
    let (w, a, _) = world();
    let renamed = w.memctl(&["project", "rename", "a", "  Ledger\u{7}  2 "]).ok();
    assert_eq!(renamed, "renamed project a to Ledger 2\nUndo: memctl project undo 1\n");
    session(&w, &a, "session-later", "juniper");
    assert_eq!(names(&w), ["Ledger 2", "b"]);
    assert_eq!(sessions(&w, "Ledger 2").len(), 2);
    let again = w.memctl(&["project", "rename", "Ledger 2", "Ledger 2"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert_eq!(w.memctl(&["project", "rename", "b", " "]).code, Some(2));
    // An export keeps it.
    let export = w.memctl(&["export"]).ok();
    let other = World::new();
    other.memctl_with(&["import", "jsonl", "-"], export.as_bytes()).ok();
    assert_eq!(other.memctl(&["export"]).ok(), export);
    undo(&w);
    assert_eq!(names(&w), ["a", "b"]);
    session(&w, &a, "session-last", "larch");
    assert_eq!(names(&w), ["a", "b"]);
}

#[test]
fn a_moved_directory_takes_its_memory_along() {
    let (w, a, _) = world();
    let inner = directory(&w, "a/inner");
    session(&w, &inner, "session-inner", "juniper");
    let new = w.path("home").join("moved/here");
    let refused = w.memctl(&["project", "move", text(&a), text(&a)]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    fs::create_dir_all(new.join("inner")).unwrap();
    let refused = w.memctl(&["project", "move", text(&a), text(&new)]);
    assert!(refused.err.contains("is still there") && refused.err.contains("link"), "{refused:?}");
    fs::remove_dir_all(&a).unwrap();
    // A session began in the new directory before the user said so.
    session(&w, &new, "session-new", "larch");
    let before = [told(&w, &a), told(&w, &new)];

    let planned = w.memctl(&["project", "move", text(&a), text(&new), "--dry-run"]).ok();
    let (old_key, new_key) = (format!("dir:{}", text(&a)), format!("dir:{}", text(&new)));
    assert!(planned.contains(&format!("  {new_key} (was {old_key})\n")), "{planned}");
    assert!(planned.contains(&format!("  {new_key}/inner (was {old_key}/inner)\n")), "{planned}");
    assert!(planned.contains("the directory of 2 sessions"), "{planned}");
    w.memctl(&["project", "move", text(&a), text(&new)]).ok();
    let context = w.memctl(&["context", "--project", text(&new)]).ok();
    assert!(context.contains("walnut") && context.contains("larch"), "{context}");
    let context = w.memctl(&["context", "--project", text(&new.join("inner"))]).ok();
    assert!(context.contains("juniper"), "{context}");
    let shown = w.memctl(&["project", "show", text(&new)]).ok();
    assert!(shown.contains(text(&new)) && !shown.contains("(gone)"), "{shown}");
    session(&w, &new, "session-last", "mistletoe");
    assert_eq!(sessions(&w, text(&new)), ["session-a", "session-last", "session-new"]);
    w.memctl(&["forget", "session-last", "--now"]).ok();
    undo(&w);
    assert_eq!([told(&w, &a), told(&w, &new)], before);
    let unknown = w.memctl(&["project", "move", "/nowhere/at/all", text(&new)]);
    assert!(unknown.err.contains("no project has a directory at"), "{unknown:?}");
}

#[test]
fn sessions_can_be_split_off_by_id_time_or_directory() {
    let (w, a, b) = world();
    session(&w, &a, "session-2", "juniper");
    w.memctl(&["project", "merge", "b", "a"]).ok();
    let before = [told(&w, &a), told(&w, &b)];
    let check = |args: &[&str], code, err: &str| {
        let output = w.memctl(&[&["project", "split"][..], args].concat());
        assert!(output.code == Some(code) && output.err.contains(err), "{args:?}: {output:?}");
    };
    check(&["a"], 2, "no sessions are named");
    check(&["a", "session-2"], 2, "needs a name");
    check(&["a", "session-2", "--to", "a"], 2, "both are project a");
    check(&["a", "--before", "2001-01-01", "--name", "n"], 1, "no session of project a matches");
    check(&["a", "nothing", "--name", "n"], 1, "no session starts with");
    check(&["a", "--dir", text(&w.path("home"))], 1, "has no directory outside of");

    // By id, into a project that has only a name.
    let split = w.memctl(&["project", "split", "a", "session-2", "--name", "orchard"]);
    assert!(split.err.contains("later sessions there stay"), "{split:?}");
    assert!(split.ok().starts_with("split orchard off project a: 1 session, 1 summary, "));
    assert_eq!(sessions(&w, "orchard"), ["session-2"]);
    assert_eq!(sessions(&w, "a"), ["session-a", "session-b"]);
    let found = w.memctl(&["search", "--project", "orchard", "--json", "juniper"]).out;
    assert!(found.contains("juniper"), "{found}");
    let found = w.memctl(&["search", "--project", "a", "--json", "juniper"]).out;
    assert!(!found.contains("juniper"), "{found}");
    check(&["a", "session-2", "--name", "n"], 2, "does not belong to project a");
    undo(&w);
    assert_eq!([told(&w, &a), told(&w, &b)], before);
    assert_eq!(names(&w), ["a"]);

    // By directory: later sessions there go along.
    let unscored = told_unscored(&w, &a);
    let planned = w.memctl(&["project", "split", "a", "--dir", text(&b), "--dry-run"]).ok();
    assert!(planned.starts_with("would split b off project a: 1 session, "), "{planned}");
    w.memctl(&["project", "split", "a", "--dir", text(&b), "--name", "grove"]).ok();
    session(&w, &b, "session-3", "larch");
    assert_eq!(sessions(&w, "grove"), ["session-3", "session-b"]);
    assert_eq!(sessions(&w, text(&a)), ["session-2", "session-a"]);
    let err = undo(&w);
    assert!(err.contains("1 session begun since then stays in project grove"), "{err}");
    assert_eq!(told_unscored(&w, &a), unscored);
    assert_eq!(sessions(&w, "grove"), ["session-3"]);
    let before = told(&w, &a);

    // By time, into a known project.
    w.memctl(&["project", "split", "a", "--after", "1h", "--to", "grove"]).ok();
    assert_eq!(sessions(&w, "grove"), ["session-2", "session-3", "session-a", "session-b"]);
    undo(&w);
    assert_eq!(told(&w, &a), before);
}

#[test]
fn links_can_be_tried_and_undone() {
    let (w, a, b) = world();
    let before = [told(&w, &a), told(&w, &b)];
    let link = ["project", "link", text(&b), "--to", text(&a)];
    let planned = w.memctl(&[&link[..], &["--dry-run"]].concat()).ok();
    assert!(planned.starts_with(&format!("{} would belong to project a: ", text(&b))), "{planned}");
    assert_eq!([told(&w, &a), told(&w, &b)], before);
    let linked = w.memctl(&link).ok();
    assert!(linked.starts_with(&format!("{} belongs to project a now: ", text(&b))), "{linked}");
    assert_eq!(sessions(&w, "a"), ["session-a", "session-b"]);
    w.memctl(&["project", "unlink", text(&b)]).ok();
    let context = w.memctl(&["context", "--project", text(&b)]).ok();
    assert!(!context.contains("walnut") && !context.contains("hemlock"), "{context}");
    // A change that a later one builds on cannot be undone before it.
    let refused = w.memctl(&["project", "undo", "1"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("memctl project undo 2"), "{refused:?}");
    let tried = w.memctl(&["project", "undo", "--dry-run"]).ok();
    assert!(tried.starts_with("would undo what was done at "), "{tried}");
    undo(&w);
    assert_eq!(sessions(&w, text(&b)), ["session-a", "session-b"]);
    undo(&w);
    assert_eq!([told(&w, &a), told(&w, &b)], before);
}

#[test]
fn forgetting_a_project_forgets_what_was_merged_into_it() {
    let (w, a, b) = world();
    w.memctl(&["project", "merge", "a", "b"]).ok();
    let merged = [told(&w, &a), told(&w, &b)];
    w.memctl(&["forget", "--project", "a", "--yes"]).ok();
    assert_eq!(names(&w), [] as [&str; 0]);
    assert_eq!(w.memctl(&["project", "undo"]).code, Some(1));
    w.memctl(&["forget", "--undo"]).ok();
    assert_eq!([told(&w, &a), told(&w, &b)], merged);
    // The undo of the merge is back, too.
    undo(&w);
    assert_eq!(names(&w), ["a", "b"]);
    assert_eq!(
        (sessions(&w, "a"), sessions(&w, "b")),
        (vec!["session-a".into()], vec!["session-b".into()])
    );
    w.memctl(&["project", "merge", "a", "b"]).ok();
    w.memctl(&["forget", "--project", text(&b), "--now", "--yes"]).ok();
    let words = ["walnut".to_owned(), "hemlock".to_owned(), text(&a).to_owned()];
    assert_eq!(w.files_with(&words), [] as [&str; 0], "no name or path stays");
}

/// What was forgotten before a merge is restored into the merged project, and goes back with its undo.
#[test]
fn forgotten_rows_follow_their_project() {
    let (w, a, b) = world();
    let before = told(&w, &a);
    w.memctl(&["forget", "session-a"]).ok();
    w.memctl(&["project", "merge", "a", "b"]).ok();
    w.memctl(&["forget", "--undo"]).ok();
    assert_eq!(sessions(&w, text(&b)), ["session-a", "session-b"]);
    undo(&w);
    assert_eq!(told(&w, &a), before);
}

#[test]
fn a_pause_follows_a_merge() {
    let (w, a, b) = world();
    let pause = |dir: &Path, verb: &str| drop(w.memctl_in(dir, &[verb, "--project"]).ok());
    let is_recorded = |dir: &Path| {
        let shown = w.memctl(&["project", "show", text(dir), "--json"]).json();
        let status = w.memctl_in(dir, &["status", "--json"]).out;
        let status: Value = serde_json::from_str(&status).unwrap();
        assert!(shown["not_recorded"].is_null() || shown["not_recorded"] == "paused", "{shown}");
        status["recording"] != "paused"
    };
    pause(&b, "pause");
    assert_eq!([&a, &b].map(|dir| is_recorded(dir)), [true, false]);
    w.memctl(&["project", "merge", "a", "b"]).ok();
    assert_eq!([&a, &b].map(|dir| is_recorded(dir)), [false, false]);
    let err = undo(&w);
    assert!(err.contains("project a stays paused"), "{err}");
    pause(&b, "unpause");
    assert_eq!([&a, &b].map(|dir| is_recorded(dir)), [false, true], "nothing is recorded unasked");
    pause(&a, "unpause");
    w.memctl(&["project", "merge", "a", "b"]).ok();
    pause(&b, "pause");
    assert_eq!([&a, &b].map(|dir| is_recorded(dir)), [false, false]);
    pause(&a, "unpause");
    assert_eq!([&a, &b].map(|dir| is_recorded(dir)), [true, true]);
}

#[test]
fn show_tells_what_belongs_to_a_project() {
    let (w, a, _) = world();
    w.memctl(&["project", "merge", "b", "a"]).ok();
    let shown = w.memctl(&["project", "show", "b"]).ok();
    for part in [
        "project      a\n".to_owned(),
        format!("directory    {}\n", text(&a)),
        "merged       b\n".to_owned(),
        "stored       2 sessions, 2 prompts, 2 summaries, ".to_owned(),
        "recorded     yes\n".to_owned(),
        "merged project b into a. Undo: memctl project undo 1\n".to_owned(),
    ] {
        assert!(shown.contains(&part), "{part}: {shown}");
    }
    let unknown = w.memctl(&["project", "show"]);
    assert!(unknown.code == Some(1) && unknown.err.contains("project list"), "{unknown:?}");
    assert_eq!(World::new().memctl(&["project", "show", "x"]).code, Some(1));
}

#[test]
fn a_narrow_list_keeps_the_end_of_each_path() {
    let mut w = World::new();
    let dir = directory(&w, "projects/a-rather-long-name-of-a-directory/tally");
    session(&w, &dir, "session", "walnut");
    w.set("COLUMNS", "60");
    let list = w.memctl(&["project", "list"]).ok();
    let line = list.lines().nth(1).unwrap();
    assert!(line.ends_with("/tally") && line.contains('…'), "{list}");
    assert!(line.chars().count() <= 60, "{list}");
}

#[test]
fn a_memory_is_promoted_to_all_projects_and_back() {
    let (w, a, b) = world();
    let note = "Commit messages are written in English";
    let id = w.memctl(&["remember", "--project", text(&a), "--json", note]).json();
    let id = id["id"].as_str().unwrap();
    let before = [told(&w, &a), told(&w, &b)];
    let promoted = w.memctl(&["promote", id]).ok();
    assert!(promoted.contains(&format!("Undo: memctl promote --undo {id}")), "{promoted}");
    assert!(context(&started(&w, &b, "session-later")).contains(note));
    assert!(w.memctl(&["promote", id]).ok().contains("already"));
    // It outlives its project.
    assert!(told(&w, &b)[0].contains(note));
    w.memctl(&["promote", "--undo", id]).ok();
    assert!(!told(&w, &b)[0].contains(note) && told(&w, &a)[0].contains(note));
    assert_eq!(told(&w, &a), before[0]);
    let summary = w.memctl(&["promote", "s1"]);
    assert_eq!(summary.code, Some(2), "{summary:?}");
}

/// Its rows move in pieces. Whatever is interrupted goes on with the next command or repair.
#[test]
fn a_killed_change_of_a_large_project_can_be_completed_or_undone() {
    let (mut w, a, b) = world();
    w.execute_sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
         INSERT INTO observations (uuid, project_id, origin, type, title, backend, content_hash,
           created_at_epoch, changed_at_epoch)
         SELECT 'u' || i, (SELECT id FROM projects WHERE name = 'a'), 'tool', 'change',
           'Row ' || i, 'extractive', 'h' || i, i, i FROM n;
         DELETE FROM meta WHERE key = 'words'",
    );
    let fix = |w: &World| w.memctl(&["doctor", "--fix"]).out;
    fix(&w);
    let state = |w: &World| {
        let index =
            "SELECT scope, kind, n_rows, n_words FROM word_totals WHERE n_rows > 0 ORDER BY 1, 2";
        (w.rows(index), told_unscored(w, &a), told_unscored(w, &b), names(w))
    };
    let rows_of = |w: &World, name: &str| {
        w.count(&format!(
            "SELECT count(*) FROM observations WHERE title LIKE 'Row %'
               AND project_id = (SELECT id FROM projects WHERE name = '{name}')"
        ))
    };
    let kill_at = |w: &mut World, point: &str, args: &[&str]| {
        w.set("MEMCTL_TESTPOINT", &format!("{point}=kill"));
        let killed = w.memctl(args);
        assert_eq!(killed.code, None, "{point}: {killed:?}");
        w.set("MEMCTL_TESTPOINT", "");
    };
    let merge = ["project", "merge", "a", "b"];
    let before = state(&w);
    kill_at(&mut w, "project.changing", &merge);
    assert_eq!(state(&w), before, "nothing was committed");
    for point in ["project.changed", "project.moved"] {
        kill_at(&mut w, point, &merge);
        let n = rows_of(&w, "a");
        assert!(n > 0 && (n < 1200) == (point == "project.moved"), "{point}: {n}");
        assert_eq!(names(&w).len(), 2, "{point}");
        let export = w.memctl(&["export"]).ok();
        let other = World::new();
        let imported = other.memctl_with(&["import", "jsonl", "-"], export.as_bytes()).ok();
        assert!(!imported.contains("damaged"), "{point}: {imported}");
        undo(&w);
        assert_eq!(state(&w), before, "{point}");
    }
    kill_at(&mut w, "project.moved", &merge);
    assert!(fix(&w).contains("completed a change of projects that was interrupted"));
    assert_eq!((rows_of(&w, "a"), rows_of(&w, "b"), names(&w).len()), (0, 1200, 1));
    kill_at(&mut w, "project.moved", &["project", "undo"]);
    let n = rows_of(&w, "b");
    assert!(0 < n && n < 1200, "{n}");
    // The next worker goes on.
    session(&w, &directory(&w, "c"), "session-c", "juniper");
    w.until_count("SELECT count(*) FROM meta WHERE key = 'project_change_moving'", 0);
    w.memctl(&["forget", "session-c", "--now"]).ok();
    w.memctl(&["forget", "--project", "c", "--now", "--yes"]).ok();
    assert_eq!(state(&w), before);
}
