//! What `memctl forget` removes is invisible until `memctl forget --undo` restores it exactly, or until
//! its time is over: then no byte is left.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::agent::configure;
use crate::support::recordings::{edit, end, prompt, start, stop, tool};
use crate::support::terminal::at_terminal;
use crate::support::{World, until};

/// A word that occurs nowhere in the program.
const SECRET: &str = "Xylophon7731";

/// Two finished sessions, of the projects `work` and `other`. The first one contains the word.
fn two_sessions() -> World {
    let w = World::new();
    for (session, project, topic) in
        [("first-session", "work", SECRET), ("other-session", "other", "nothing")]
    {
        let failure = format!("error[E0308]: mismatched types in {topic}");
        for payload in [
            prompt(session, "t", &format!("From now on, write {topic} in capitals.")),
            edit(session, "t", "u1", &format!("{topic}.rs")),
            tool(session, "t", "u2", "cargo test", &failure),
            tool(session, "t", "u3", "cargo test", "test result: ok. 7 passed; 0 failed"),
            stop(session, "t", &format!("The types of {topic} were wrong. All 7 pass now.")),
            end(session),
        ] {
            w.hook(&in_project(&w, payload, project));
        }
        // Ids grow in the order of the sessions.
        w.settle();
    }
    w
}

fn directory(w: &World, project: &str) -> String {
    let dir = w.path("home").join(project);
    fs::create_dir_all(&dir).unwrap();
    dir.display().to_string()
}

fn in_project(w: &World, mut payload: Value, project: &str) -> Value {
    payload["cwd"] = directory(w, project).into();
    payload
}

/// All rows of the memory, by table. Each worker of a session changes its generation. The index of words
/// can be read by its words only; `search_index` compares it with the rows.
fn memory(w: &World) -> BTreeMap<String, Vec<String>> {
    let tables = w.rows(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'
           AND name NOT LIKE 'words%'
           AND name NOT IN ('meta', 'tombstones', 'forgotten', 'forgotten_rows')",
    );
    let rows = |table: &String| match table.as_str() {
        "sessions" => w.rows(
            "SELECT id, uuid, client, content_session_id, parent_session_id, project_id, root, cwd,
               status, end_reason, prompt_counter, started_at_epoch, last_event_epoch,
               completed_at_epoch FROM sessions ORDER BY id",
        ),
        _ => w.rows(&format!("SELECT * FROM {table} ORDER BY 1, 2")),
    };
    tables.iter().map(|table| (table.clone(), rows(table))).collect()
}

/// Compares two states of the memory.
#[track_caller]
fn assert_same(
    now: &BTreeMap<String, Vec<String>>,
    before: &BTreeMap<String, Vec<String>>,
    what: impl Debug,
) {
    for (table, rows) in before {
        let differs = |a: &[String], b: &[String]| -> Vec<String> {
            a.iter().filter(|row| !b.contains(row)).cloned().collect()
        };
        let differences = (differs(&now[table], rows), differs(rows, &now[table]));
        assert_eq!(differences, (vec![], vec![]), "{what:?}: {table}");
    }
}

/// What the commands print that read the memory.
fn outputs(w: &World) -> Vec<String> {
    let commands: &[&[&str]] = &[
        &["status"],
        &["stats", "--by", "session", "--json"],
        &["stats", "--by", "project", "--json"],
        &["context", "--project", &directory(w, "work")],
        &["context", "--project", &directory(w, "other")],
        &["queue", "--recent", "--json"],
        &["project", "list", "--json"],
        &["ps", "--json"],
        &["show", "other-session", "--json"],
        &["cleanup", "--dry-run"],
        &["search", "-a", "--json", SECRET],
    ];
    let mut outputs: Vec<String> = commands.iter().map(|args| w.memctl(args).ok()).collect();
    outputs.push(w.hook(&in_project(w, start("third"), "work")).to_string());
    outputs
}

fn is_told(w: &World) -> bool {
    outputs(w).iter().any(|text| text.contains(SECRET) || text.contains("first-session"))
}

/// Simulates that the time of every undo is over.
fn end_every_undo(w: &World) {
    w.execute_sql("UPDATE forgotten SET at_epoch = 1, until_epoch = 2");
}

fn traces(w: &World) -> Vec<String> {
    w.files_with(&[SECRET.to_owned()])
}

#[test]
fn what_is_forgotten_is_invisible_until_it_is_restored() {
    let w = two_sessions();
    let context = || w.memctl(&["context", "--project", &directory(&w, "work")]).ok();
    let (before, told) = (memory(&w), context());
    assert!(is_told(&w));
    let output = w.memctl(&["forget", "first"]);
    assert_eq!(output.err, "");
    let lines: Vec<&str> = output.out.lines().collect();
    assert!(lines[0].starts_with("forgot 1 session, 1 prompt, 1 summary, "), "{lines:?}");
    assert!(lines[0].contains(", kept until 20"), "{lines:?}");
    assert!(lines[0].ends_with(". Undo: memctl forget --undo"), "{lines:?}");
    assert!(!is_told(&w), "{:?}", outputs(&w));
    for name in ["first", "p1", "s1", "o1"] {
        assert_eq!(w.memctl(&["show", name]).code, Some(1), "{name}");
        assert_eq!(w.memctl(&["forget", name]).code, Some(1), "{name}");
    }

    let planned = w.memctl(&["forget", "--undo", "--dry-run"]).ok();
    assert!(planned.contains("first-session") && planned.contains("would restore 1 session"));
    assert!(!is_told(&w), "a dry run changes nothing");
    let restored = w.memctl(&["forget", "--undo"]).ok();
    assert!(restored.contains("restored 1 session, 1 prompt, 1 summary, "), "{restored}");
    w.settle();
    w.execute_sql("DELETE FROM sessions WHERE content_session_id = 'third'");
    assert_same(&memory(&w), &before, "");
    assert_eq!(context(), told);
    assert_eq!(w.count("SELECT count(*) FROM tombstones"), 0);
    let nothing = w.memctl(&["forget", "--undo"]);
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert!(nothing.err.starts_with("error: there is nothing to restore\n"), "{nothing:?}");
}

#[test]
fn every_selection_is_restored_exactly() {
    let selections: &[&[&str]] = &[
        &["first-session", "other-session"],
        &["o1"],
        &["s1", "p2"],
        &["p1"],
        &["--query", SECRET],
        &["--project", "work"],
        &["--project", "work", "--since", "1h"],
        &["--since", "1h"],
    ];
    let w = two_sessions();
    let before = memory(&w);
    for selection in selections {
        let args = [&["forget", "--yes", "--json"], *selection].concat();
        let forgotten = w.memctl(&args).json();
        assert!(forgotten["undo_until_epoch"].as_i64() > Some(1_700_000_000_000), "{forgotten}");
        assert_ne!(memory(&w), before, "{selection:?}");
        let restored = w.memctl(&["forget", "--undo", "--json"]).json();
        for key in ["sessions", "prompts", "summaries", "observations", "events"] {
            assert_eq!(restored[key], forgotten[key], "{selection:?}: {key}");
        }
        assert_eq!(restored["left_out"], 0, "{restored}");
        assert_same(&memory(&w), &before, selection);
        assert_eq!(w.rows("PRAGMA foreign_key_check"), [] as [&str; 0], "{selection:?}");
    }
}

/// A follow-up that says little by itself has a copy of the request that it refers to.
#[test]
fn a_forgotten_request_leaves_the_turns_that_refer_to_it() {
    let w = World::new();
    w.hooks(&[
        prompt("s", "t1", &format!("Add a {SECRET} cache to the export of the invoices")),
        edit("s", "t1", "u1", "cache.rs"),
        stop("s", "t1", "The export has a cache now."),
        prompt("s", "t2", "try it again"),
        edit("s", "t2", "u2", "again.rs"),
        stop("s", "t2", "The second try works."),
    ]);
    w.settle();
    let exported = || w.memctl(&["export"]).ok();
    let shown = || w.memctl(&["show", "s2"]).ok();
    assert!(shown().contains(&format!("try it again (re: Add a {SECRET} cache")), "{}", shown());
    let before = memory(&w);
    for id in ["p1", "s1"] {
        w.memctl(&["forget", id]).ok();
        assert!(shown().contains("try it again"), "the turn itself stays");
        assert!(!shown().contains(SECRET), "{}", shown());
        assert_eq!(exported().contains(SECRET), id == "s1", "the prompt is another row");
        let found = w.memctl(&["search", "-a", "--type", "summary", SECRET]);
        assert_eq!(found.code, Some(1), "{found:?}");
        w.memctl(&["forget", "--undo"]).ok();
        assert_same(&memory(&w), &before, id);
    }
    // What could be restored goes with its source, too.
    w.memctl(&["forget", "p1"]).ok();
    w.memctl(&["forget", "p1", "--now", "--verify", "--yes"]).ok();
    assert!(!exported().contains(SECRET));
    assert_eq!(traces(&w), [""; 0]);
}

#[test]
fn several_commands_are_undone_the_newest_first() {
    let w = two_sessions();
    let mut states = vec![memory(&w)];
    let selections = [&["o1"][..], &["p1"], &["first"], &["--project", "other", "--yes"]];
    for selection in selections {
        w.memctl(&[&["forget"], selection].concat()).ok();
        states.push(memory(&w));
    }
    for (n, state) in states.iter().take(selections.len()).enumerate().rev() {
        let output = w.memctl(&["forget", "--undo"]).ok();
        assert_same(&memory(&w), state, n);
        assert_eq!(output.contains("`memctl forget --undo` now restores"), n > 0, "{output}");
    }
}

/// The events of a transcript have the same ids whenever it is replayed.
#[test]
fn a_replay_restores_nothing_and_doubles_nothing_after_an_undo() {
    let w = World::new();
    let transcript = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/claude-code-2.1.329/transcript/main.jsonl");
    let replay = || {
        let _ = w.memctl(&["replay", transcript.to_str().unwrap()]).ok();
        w.settle();
    };
    replay();
    let before = memory(&w);
    for selection in [&["875f5c17"][..], &["o1"], &["p1"], &["s2"]] {
        w.memctl(&[&["forget"], selection].concat()).ok();
        let forgotten = memory(&w);
        replay();
        assert_same(&memory(&w), &forgotten, selection);
        w.memctl(&["forget", "--undo"]).ok();
        assert_same(&memory(&w), &before, selection);
        replay();
        assert_same(&memory(&w), &before, selection);
    }
}

#[test]
fn a_session_that_continues_gets_its_past_back() {
    let w = World::lingering();
    let turn = |turn: &str| [prompt("s", turn, turn), stop("s", turn, "Done.")];
    w.hooks(&[turn("one"), turn("two")].concat());
    let summaries = "SELECT count(*) FROM session_summaries";
    w.until_count(summaries, 2);
    let pid = w.worker();
    w.memctl(&["forget", "s"]).ok();
    w.hooks(&turn("three"));
    w.until_count(summaries, 1);
    w.memctl(&["forget", "s"]).ok();
    w.hooks(&turn("four"));
    w.until_count(summaries, 1);
    for _ in 0..2 {
        w.memctl(&["forget", "--undo"]).ok();
    }
    w.hooks(&turn("five"));
    w.until_count(summaries, 5);
    assert_eq!(
        w.rows("SELECT prompt_number || prompt_text FROM user_prompts ORDER BY prompt_number"),
        ["1one", "2two", "3three", "4four", "5five"]
    );
    assert_eq!(w.worker(), pid);
    let started = "SELECT count(*) FROM sessions WHERE started_at_epoch >
      (SELECT min(created_at_epoch) FROM user_prompts)";
    assert_eq!(w.count(started), 0, "the session began with its first prompt");
}

/// New rows must not take the ids that forgotten rows get back.
#[test]
fn what_is_stored_meanwhile_stays_beside_what_is_restored() {
    let w = two_sessions();
    w.memctl(&["forget", "--since", "1h", "--yes"]).ok();
    assert_eq!(w.count("SELECT count(*) FROM projects"), 2, "the projects are not selected");
    w.hooks(&[prompt("new", "t", "look"), edit("new", "t", "u", "new.rs"), end("new")]);
    w.settle();
    assert_eq!(w.memctl(&["forget", "--undo", "--json"]).json()["left_out"], 0);
    assert_eq!(w.rows("PRAGMA foreign_key_check"), [] as [&str; 0]);
    assert_eq!(w.sessions().len(), 3);
    assert_eq!(w.count("SELECT count(*) FROM user_prompts"), 3);
    let of_new = w.memctl(&["show", "new", "--json"]).json();
    assert_eq!(of_new["prompts"][0]["text"], "look");
}

#[test]
fn a_project_that_is_used_again_gets_its_past_back() {
    let w = two_sessions();
    for project in ["work", "other"] {
        w.memctl(&["forget", "--project", project, "--yes"]).ok();
    }
    assert_eq!(w.memctl(&["project", "list", "--json"]).ok(), "[]\n");
    // A new project comes first. It must not take the id of one that can be restored.
    for (session, project) in [("elsewhere", "new"), ("again", "work")] {
        w.hook(&in_project(&w, prompt(session, "t", "look"), project));
        w.hook(&in_project(&w, end(session), project));
        w.settle();
    }
    for _ in 0..2 {
        w.memctl(&["forget", "--undo"]).ok();
    }
    let projects = w.memctl(&["project", "list", "--json"]).json();
    let mut n_sessions: Vec<(&str, u64)> = projects
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["name"].as_str().unwrap(), p["sessions"].as_u64().unwrap()))
        .collect();
    n_sessions.sort();
    assert_eq!(n_sessions, [("new", 1), ("other", 1), ("work", 2)]);
}

#[test]
fn undistilled_events_are_distilled_after_an_undo() {
    let mut w = World::new();
    let batch = w.path("batch");
    w.set("MEMCTL_TESTPOINT", &format!("distill.begun=pause:{}", batch.display()));
    w.hooks(&[prompt("s", "t", "go"), edit("s", "t", "u", "a.rs")]);
    w.hooks(&[stop("s", "t", "Changed the value."), end("s")]);
    until("a batch is claimed", || batch.exists().then_some(()).ok_or(String::new()));
    let worker = w.processes()[0];
    w.kill(worker);
    w.set("MEMCTL_TESTPOINT", "");
    let forgotten = w.memctl(&["forget", "s", "--json"]).json();
    assert!(forgotten["events"].as_u64() >= Some(2), "{forgotten}");
    assert_eq!(w.memctl(&["queue", "--json"]).json()["processing"], 0);
    let restored = w.memctl(&["forget", "--undo", "--json"]).json();
    assert_eq!(restored["events"], forgotten["events"], "{restored}");
    w.until_count("SELECT count(*) FROM session_summaries", 1);
    w.settle();
    assert_eq!((w.unfinished(), w.titles().len()), (0, 1));
}

/// A live worker drops the batch that it has claimed. It must get the events again.
#[test]
fn a_dropped_batch_is_distilled_after_an_undo() {
    let mut w = World::lingering();
    let batch = w.path("batch");
    w.set("MEMCTL_TESTPOINT", &format!("distill.begun#1=pause:{}", batch.display()));
    w.hooks(&[prompt("s", "t", "go"), stop("s", "t", &format!("Changed {SECRET}."))]);
    until("a batch is claimed", || batch.exists().then_some(()).ok_or(String::new()));
    w.memctl(&["forget", "--query", SECRET, "--yes"]).ok();
    fs::remove_file(&batch).unwrap();
    until("the worker has dropped its batch", || {
        match w.memctl(&["ps", "--json"]).json()[0]["doing"].as_str() {
            Some("lingering") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    w.memctl(&["forget", "--undo"]).ok();
    w.until_count("SELECT count(*) FROM session_summaries", 1);
    assert_eq!((w.unfinished(), w.processes().len()), (0, 1));
}

/// The worker hangs, so it cannot drain its spool before.
#[test]
fn spooled_events_are_restored_too() {
    for selection in [&["session"][..], &["--query", SECRET, "--yes"]] {
        let w = World::lingering();
        let pid = w.worker_of("session");
        w.signal(pid, Signal::SIGSTOP);
        w.spool(&tool("session", "t", "u1", "cat", &format!("it said {SECRET}")));
        w.spool(&prompt("session", "t2", &format!("explain {SECRET}")));
        let forgotten = w.memctl(&[&["forget"], selection].concat()).ok();
        assert!(!forgotten.contains("spooled"), "{selection:?}: {forgotten}");
        let words = [SECRET.to_owned()];
        let in_spool: Vec<String> =
            w.files_with(&words).into_iter().filter(|path| path.contains("spool")).collect();
        assert_eq!(in_spool, [] as [&str; 0], "{selection:?}");
        assert!(!w.memctl(&["queue", "--json"]).ok().contains("u1"));
        w.memctl(&["forget", "--undo"]).ok();
        w.signal(pid, Signal::SIGCONT);
        w.hook(&stop("session", "t2", "Done."));
        until("the spool is drained", || match w.spools() {
            spools if spools.is_empty() => Ok(()),
            spools => Err(format!("{spools:?}")),
        });
        assert_eq!(
            w.rows("SELECT prompt_text FROM user_prompts ORDER BY prompt_number"),
            ["go".to_owned(), format!("explain {SECRET}")],
            "{selection:?}"
        );
        w.until_count("SELECT count(*) FROM session_summaries WHERE prompt_number = 2", 1);
        w.until_count("SELECT count(*) FROM pending_messages WHERE tool_use_id = 'u1'", 1);
    }
}

#[test]
fn nothing_is_lost_if_forget_or_its_undo_is_killed() {
    // At the first visit, the session has its tombstones and all its rows.
    for n in [1, 2, 3, 5] {
        let mut w = two_sessions();
        let before = memory(&w);
        w.set("MEMCTL_TESTPOINT", &format!("forget.removed#{n}=kill"));
        let killed = w.memctl(&["forget", "first"]);
        assert_eq!(killed.code, None, "{killed:?}");
        w.set("MEMCTL_TESTPOINT", "");
        assert_eq!(memory(&w) == before, n == 1, "{n}");
        w.memctl(&["forget", "first"]).ok();
        assert_eq!(w.memctl(&["show", "first"]).code, Some(1));
        w.set("MEMCTL_TESTPOINT", "undo.restored=kill");
        assert_eq!(w.memctl(&["forget", "--undo"]).code, None);
        w.set("MEMCTL_TESTPOINT", "");
        assert_eq!(w.memctl(&["show", "first"]).code, Some(1), "it was rolled back");
        w.memctl(&["forget", "--undo"]).ok();
        w.memctl(&["forget", "--undo"]).ok();
        assert_same(&memory(&w), &before, n);
    }
}

#[test]
fn a_starting_worker_deletes_what_can_no_longer_be_restored() {
    let w = two_sessions();
    w.memctl(&["forget", "first"]).ok();
    w.hooks(&[prompt("third", "t", "go"), end("third")]);
    w.settle();
    assert!(!traces(&w).is_empty(), "its time is not over");
    end_every_undo(&w);
    w.hooks(&[prompt("fourth", "t", "go"), end("fourth")]);
    w.settle();
    assert_eq!(traces(&w), [] as [&str; 0]);
    assert_eq!(w.count("SELECT count(*) FROM forgotten"), 0);
    assert_eq!(w.memctl(&["forget", "--undo"]).code, Some(1));
    assert_eq!(w.memctl(&["show", "first"]).code, Some(1));
}

/// The next `forget` deletes it, too, whatever it selects.
#[test]
fn a_later_forget_deletes_what_can_no_longer_be_restored() {
    let w = two_sessions();
    w.memctl(&["forget", "first"]).ok();
    end_every_undo(&w);
    w.memctl(&["forget", "p2"]).ok();
    assert_eq!(traces(&w), [] as [&str; 0]);
    w.memctl(&["forget", "--undo"]).ok();
    assert_eq!(w.memctl(&["forget", "--undo"]).code, Some(1));
}

#[test]
fn now_deletes_what_is_forgotten_already() {
    // The last number: how many commands can be undone afterwards.
    let selections: &[(&[&str], &str, usize)] = &[
        (&["first"], "1 session, 1 prompt, ", 1),
        (&["--project", "work"], "1 session, 1 prompt, ", 1),
        (&["--query", SECRET], "1 prompt, 1 summary, ", 2),
        (&["--since", "1h"], "2 sessions, 2 prompts, ", 0),
        (&[], "1 session, ", 0),
    ];
    for (selection, expected, n_left) in selections {
        let w = two_sessions();
        for forgotten in ["o1", "p1", "first", "p2"] {
            w.memctl(&["forget", forgotten]).ok();
        }
        let args = [&["forget", "--now", "--yes"], *selection].concat();
        let planned = w.memctl(&[&args[..], &["--dry-run"]].concat()).ok();
        assert!(planned.contains(&format!("would delete {expected}")), "{selection:?}: {planned}");
        assert!(!traces(&w).is_empty());
        let output = w.memctl(&args);
        let deleted = format!("deleted {expected}");
        assert!(output.out.starts_with(&deleted), "{selection:?}: {output:?}");
        assert_eq!(traces(&w), [] as [&str; 0], "{selection:?}");
        for _ in 0..*n_left {
            w.memctl(&["forget", "--undo"]).ok();
        }
        assert_eq!(w.memctl(&["forget", "--undo"]).code, Some(1), "{selection:?}");
        assert_eq!(w.rows("PRAGMA foreign_key_check"), [] as [&str; 0], "{selection:?}");
        let is_gone = w.memctl(&["show", "first"]).code == Some(1);
        assert_eq!(is_gone, selection != &["--query", SECRET], "{selection:?}");
        assert_eq!(traces(&w), [] as [&str; 0], "{selection:?}");
    }
}

#[test]
fn without_an_undo_everything_is_deleted_at_once() {
    let w = two_sessions();
    configure(&w, "[forget]\nundo = '0s'\n");
    assert!(w.memctl(&["forget", "first"]).ok().starts_with("deleted 1 session, "));
    assert_eq!(traces(&w), [] as [&str; 0]);
    assert_eq!(w.memctl(&["forget", "--undo"]).code, Some(1));
}

#[test]
fn without_a_terminal_everything_but_one_id_needs_yes() {
    let w = two_sessions();
    let before = memory(&w);
    for args in [
        &["--project", "work"][..],
        &["--query", SECRET],
        &["--since", "1h"],
        &["--before", "0s"],
        &["p1", "p2"],
        &["p1", "p2", "--now"],
    ] {
        let output = w.memctl(&[&["forget"], args].concat());
        assert_eq!((output.code, output.out.as_str()), (Some(2), ""), "{args:?}: {output:?}");
        let error = output.err.lines().find(|line| line.starts_with("error: ")).unwrap();
        let verb = if args.contains(&"--now") { "delete" } else { "forget" };
        assert!(error.starts_with(&format!("error: this would {verb} ")), "{output:?}");
        assert!(error.ends_with("; without a terminal this needs --yes"), "{args:?}: {output:?}");
        assert!(output.err.lines().count() > 2, "it shows what is selected: {output:?}");
        assert_same(&memory(&w), &before, args);
    }
    w.memctl(&["forget", "p1"]).ok();
    let output = w.memctl(&["forget", "--now"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.err.contains("this would delete 1 prompt"), "{output:?}");
    w.memctl(&["forget", "--undo"]).ok();
    assert_same(&memory(&w), &before, "");
}

#[test]
fn a_bare_number_is_not_forgotten() {
    let w = two_sessions();
    let before = memory(&w);
    let output = w.memctl(&["forget", "1"]);
    assert_eq!(output.code, Some(2));
    assert!(output.err.contains("use o1, s1 or p1"), "{output:?}");
    assert_eq!(w.memctl(&["forget", "o1", "1", "--yes"]).code, Some(2));
    assert_same(&memory(&w), &before, "");
    assert_eq!(w.memctl(&["show", "1", "--json"]).json()["id"], "o1");
    for args in [&["--undo", "o1"][..], &["--undo", "--now"], &["o1", "--verify"]] {
        assert_eq!(w.memctl(&[&["forget"], args].concat()).code, Some(2), "{args:?}");
    }
}

#[test]
fn forgetting_a_session_asks_for_confirmation_at_a_terminal() {
    let w = two_sessions();
    let forget = ["forget", "first-session"];
    for typed in ["n\n", "\n"] {
        let (stdout, shown) = at_terminal(&w, &forget, typed);
        assert!(shown.contains("Forget 1 session, 1 prompt") && shown.contains("first-session"));
        assert_eq!(stdout, "nothing was forgotten\n");
    }
    assert_eq!(w.sessions().len(), 2);
    let (stdout, _) = at_terminal(&w, &forget, "y\n");
    assert!(stdout.starts_with("forgot 1 session"), "{stdout}");
    assert_eq!(w.sessions().len(), 1);
    let (stdout, shown) = at_terminal(&w, &["forget", "--now"], "n\n");
    assert!(shown.contains("Delete 1 session, 1 prompt") && shown.contains("for good"), "{shown}");
    assert_eq!(stdout, "nothing was forgotten\n");
    let (stdout, shown) = at_terminal(&w, &["forget", "other", "--now"], "y\n");
    assert!(shown.contains("There is no undo."), "{shown}");
    assert!(stdout.starts_with("deleted 1 session"), "{stdout}");
    w.memctl(&["forget", "--undo"]).ok();
    assert_eq!(w.sessions().len(), 1);
}

/// Runs a command with a terminal on stderr until it shows `text`, then removes `pause` so that the
/// command ends.
fn shows_progress(w: &World, args: &[&str], text: &str, pause: &Path) {
    let pty = nix::pty::openpty(None, None).unwrap();
    let mut command = w.program();
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(pty.slave);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut terminal = File::from(pty.master);
    let mut shown = String::new();
    while !shown.contains(text) {
        let mut bytes = [0; 4096];
        let n = terminal.read(&mut bytes).unwrap_or_else(|e| panic!("{e}: {shown}"));
        shown.push_str(&String::from_utf8_lossy(&bytes[..n]));
    }
    fs::remove_file(pause).unwrap();
    assert!(child.wait().unwrap().success());
    while let Ok(n) = terminal.read(&mut [0; 4096])
        && n > 0
    {}
}

#[test]
fn long_commands_show_their_progress_at_a_terminal() {
    let mut w = two_sessions();
    let pause = w.path("pause");
    w.set("MEMCTL_TESTPOINT", &format!("forget.removed#2=pause:{}", pause.display()));
    shows_progress(&w, &["forget", "first"], "forgetting: ", &pause);
    w.set("MEMCTL_TESTPOINT", "");
    w.memctl(&["forget", "--undo"]).ok();

    let file = w.path("transcript.jsonl");
    let line = json!({"type": "user", "uuid": "6f2b9c54-3d1e-4c0a-9b7e-2a5d8c41f0e3",
        "sessionId": "replayed", "cwd": "/", "timestamp": "2026-11-21T10:00:00.000Z",
        "message": {"role": "user", "content": "please look"}});
    fs::write(&file, format!("{line}\n")).unwrap();
    w.set("MEMCTL_TESTPOINT", &format!("worker.claimed#1=pause:{}", pause.display()));
    shows_progress(&w, &["replay", file.to_str().unwrap()], "events, distilling", &pause);
    w.settle();
}
