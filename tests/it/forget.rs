//! `memctl forget --now` leaves no trace in tables, queue, spool or free pages. Events from before that
//! arrive late are dropped. If the session continues, its new events are recorded.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::thread;

use serde_json::{Value, json};

use crate::support::directories::{directory, in_dir};
use crate::support::recordings::{end, prompt, start, stop, tool};
use crate::support::world::Output;
use crate::support::{Work, World, until};

const SUMMARIES: &str = "SELECT count(*) FROM session_summaries";

/// A word that occurs nowhere in the program.
const SECRET: &str = "Xylophon7731";

fn traces(w: &World) -> Vec<String> {
    w.files_with(&[SECRET.to_owned()])
}

/// Deletes at once.
fn now(w: &World, args: &[&str]) -> Output {
    w.memctl(&[&["forget", "--now", "--yes"], args].concat())
}

/// Two finished sessions; the first one contains the word.
fn two_sessions() -> World {
    let w = World::new();
    for session in ["first-session", "other-session"] {
        let topic = if session == "first-session" { SECRET } else { "nothing" };
        w.hook(&prompt(session, "t", &format!("look for {topic}")));
        let failure = format!("error[E0308]: mismatched types in {topic}");
        w.hook(&tool(session, "t", "u1", "cargo test", &failure));
        w.hook(&tool(session, "t", "u2", "cargo test", "test result: ok. 7 passed; 0 failed"));
        w.hook(&stop(session, "t", &format!("The types of {topic} were wrong. All 7 pass now.")));
        w.hook(&end(session));
    }
    w.settle();
    assert_eq!(w.count(SUMMARIES), 2);
    w
}

#[test]
fn no_byte_of_a_forgotten_session_is_left() {
    let w = two_sessions();
    assert!(!traces(&w).is_empty());
    let planned = w.memctl(&["forget", "first", "--now", "--dry-run"]).ok();
    assert!(planned.contains("first-session") && planned.contains("would delete 1 session"));
    assert!(!traces(&w).is_empty(), "a dry run changes nothing");
    let output = w.memctl(&["forget", "first", "--now"]);
    assert_eq!(output.err, "");
    assert!(output.ok().starts_with("deleted 1 session, 1 prompt, 1 summary"));
    assert_eq!(traces(&w), [] as [&str; 0]);
    assert_eq!(w.rows("SELECT content_session_id FROM sessions"), ["other-session"]);
    assert_eq!(w.count(SUMMARIES), 1);
    assert!(w.count("SELECT count(*) FROM tombstones WHERE kind = 'summary'") > 0);
    let shown = w.memctl(&["show", "first"]);
    assert_eq!(shown.code, Some(1), "{shown:?}");
    // The next session start does not restore it.
    w.hook(&start("third"));
    w.settle();
    assert_eq!(traces(&w), [] as [&str; 0]);
}

#[test]
fn forgetting_a_text_removes_everything_that_contains_it() {
    let w = two_sessions();
    w.spool(&tool("other-session", "t2", "u3", "cat a", &format!("it said {SECRET}")));
    let json = now(&w, &["--query", &SECRET.to_uppercase(), "--json"]).json();
    assert_eq!(json["prompts"], 1);
    assert!(json["summaries"].as_u64() >= Some(1) && json["events"].as_u64() >= Some(1), "{json}");
    assert_eq!(json["left"], Value::Array(vec![]));
    assert_eq!(traces(&w), [] as [&str; 0]);
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 2, "the sessions stay");
    assert_eq!(w.count(SUMMARIES), 1);
    let second = now(&w, &["--query", SECRET]).ok();
    assert_eq!(second, "nothing to forget\n");
}

#[test]
fn single_rows_can_be_forgotten_and_their_ids_are_not_reused() {
    let w = two_sessions();
    let summaries = w.rows("SELECT id FROM session_summaries ORDER BY id DESC");
    let last = format!("s{}", summaries[0]);
    assert_eq!(now(&w, &[&last]).ok(), "deleted 1 summary\n");
    assert_eq!(w.memctl(&["show", &last]).code, Some(1));
    w.hooks(&[prompt("third", "t", "go"), stop("third", "t", "Done."), end("third")]);
    w.settle();
    assert_eq!(w.memctl(&["show", &last]).code, Some(1), "the id is not reused");
    assert_eq!(w.count(SUMMARIES), 2);
    let uuid = w.rows("SELECT uuid FROM user_prompts WHERE id = 1").remove(0);
    assert!(now(&w, &[&uuid]).ok().starts_with("deleted 1 prompt"));
    assert_eq!(w.memctl(&["show", "p1"]).ok().lines().last(), Some("[private]"));
    for (args, code) in [
        (&["forget", "o999"][..], 1),
        (&["forget", "nobody"], 1),
        (&["forget"], 2),
        (&["forget", "o1", "--query", "x"], 2),
        (&["forget", "--query", " "], 2),
        (&["forget", "--since", "soon"], 2),
        (&["forget", "--project", "unknown"], 1),
    ] {
        let output = w.memctl(args);
        assert_eq!(output.code, Some(code), "{args:?}: {output:?}");
        assert!(output.err.contains("memctl") || code == 2, "{output:?}");
    }
}

#[test]
fn sessions_can_be_selected_by_project_and_time() {
    let w = World::new();
    for (dir, session) in [("alpha", "in-alpha"), ("beta", "in-beta"), ("beta", "in-beta-too")] {
        let asked = in_dir(prompt(session, "t", "go"), &directory(&w, dir));
        w.hooks(&[asked, stop(session, "t", "Done."), end(session)]);
    }
    w.settle();
    w.execute_sql(
        "UPDATE sessions SET started_at_epoch = 1, last_event_epoch = 2
              WHERE content_session_id = 'in-beta-too'",
    );
    assert_eq!(w.memctl(&["forget", "--project", "gamma"]).code, Some(1));
    let early = now(&w, &["--project", "beta", "--before", "1d"]).ok();
    assert!(early.starts_with("deleted 1 session"), "{early}");
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 2);
    let beta = w.path("home").join("beta").display().to_string();
    let all = now(&w, &["--project", &beta]).ok();
    assert!(all.starts_with("deleted 1 session, 1 prompt, 1 summary"), "{all}");
    assert_eq!(w.rows("SELECT name FROM projects"), ["alpha"]);
    assert!(now(&w, &["--since", "1h"]).ok().starts_with("deleted 1 session"));
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 0);
}

/// The name of another project must not mean the repository in which the command runs.
#[test]
fn inside_a_repository_a_name_means_the_project_of_that_name() {
    let w = World::new();
    let mut other = Work::new(&w, "tally", "in-tally");
    other.prompt("Count the hours");
    other.stop("They are counted.");
    let mut here = Work::new(&w, "shop", "in-shop");
    here.prompt("Add a cart");
    here.stop("It is added.");
    assert_eq!(here.memctl("", &["forget", "--project", "nope", "--yes"]).code, Some(1));
    assert_eq!(here.memctl("", &["remember", "--project", "nope", "hello"]).code, Some(1));
    other.memctl("", &["remember", "--global", "I prefer short answers"]).ok();
    here.memctl("", &["forget", "--project", "tally", "--yes"]).ok();
    assert_eq!(w.rows("SELECT content_session_id FROM sessions"), ["in-shop"]);
    // A note for all projects belongs to none of them.
    assert!(here.memctl("", &["context"]).ok().contains("I prefer short answers"));
    // A directory with the name of another project is ambiguous.
    let mut cart = Work::new(&w, "cart", "in-cart");
    cart.prompt("Start");
    cart.stop("It is started.");
    fs::create_dir(here.dir.join("cart")).unwrap();
    let both = here.memctl("", &["forget", "--project", "cart", "--yes"]);
    assert_eq!(both.code, Some(2), "{both:?}");
    assert!(both.err.contains("use ./cart or"), "{both:?}");
}

/// When `forget` runs, the worker has claimed a batch and a hook has captured an event.
#[test]
fn a_running_session_can_be_forgotten_without_a_trace() {
    let mut w = World::lingering();
    let batch = w.path("batch");
    let late = w.path("late");
    w.set("MEMCTL_TESTPOINT", &format!("distill.begun#1=pause:{}", batch.display()));
    w.hook(&prompt("session", "t", &format!("look for {SECRET}")));
    let pid = w.worker();
    w.hook(&tool("session", "t", "u1", &format!("grep {SECRET}"), "error: none"));
    w.hook(&stop("session", "t", &format!("No {SECRET}.")));
    until("a batch is claimed", || batch.exists().then_some(()).ok_or(String::new()));
    // A hook delivers its event only after the session is forgotten.
    thread::scope(|scope| {
        let delayed = scope.spawn(|| {
            let points = format!("hook.captured=pause:{}", late.display());
            w.hook_at(&tool("session", "t", "u3", "cat", SECRET), &points)
        });
        until("a hook has captured its event", || late.exists().then_some(()).ok_or(String::new()));
        let output = now(&w, &["session"]);
        assert_eq!(output.code, Some(0), "{output:?}");
        fs::remove_file(&batch).unwrap();
        fs::remove_file(&late).unwrap();
        let answer = delayed.join().unwrap();
        assert_eq!((answer.code, answer.err.as_str()), (Some(0), ""));
    });
    until("the worker has dropped its batch", || {
        w.memctl(&["ps", "--json"]).json()[0]["doing"].as_str().map_or(
            Err("no worker".into()),
            |d| {
                if d == "lingering" { Ok(()) } else { Err(d.to_owned()) }
            },
        )
    });
    assert_eq!(w.worker(), pid);
    for table in
        ["sessions", "user_prompts", "pending_messages", "observations", "session_summaries"]
    {
        assert_eq!(w.count(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    assert_eq!(traces(&w), [] as [&str; 0]);

    // Later events of the session are recorded.
    w.hooks(&[prompt("session", "t2", "something else"), stop("session", "t2", "Done.")]);
    w.until_count(SUMMARIES, 1);
    assert_eq!(w.rows("SELECT prompt_text FROM user_prompts"), ["something else"]);
    w.memctl(&["kill", "--all"]).ok();
    assert_eq!(traces(&w), [] as [&str; 0]);
}

/// What the tools of a turn prove is kept while the session may continue it.
#[test]
fn the_evidence_of_a_turn_is_removed_with_its_prompt() {
    for selection in [&["p1"][..], &["--query", SECRET]] {
        let w = World::lingering();
        w.hook(&prompt("s", "t", "go"));
        let pytest = format!("FAILED tests/{SECRET}.py::test_a - assert 1 == 2\n1 failed in 0.1s");
        w.hook(&tool("s", "t", "u", &format!("pytest tests/{SECRET}.py"), &pytest));
        w.hook(&stop("s", "t", "A test fails."));
        let evidence =
            format!("SELECT count(*) FROM turn_evidence WHERE evidence LIKE '%{SECRET}%'");
        w.until_count(&evidence, 1);
        assert_eq!(now(&w, selection).code, Some(0), "{selection:?}");
        assert_eq!(traces(&w), [] as [&str; 0], "{selection:?}");
    }
}

/// The worker hangs, so it cannot drain the spool itself.
#[test]
fn the_spool_of_a_forgotten_session_is_removed() {
    let w = World::lingering();
    let pid = w.worker_of("session");
    w.signal(pid, nix::sys::signal::Signal::SIGSTOP);
    w.spool(&tool("session", "t", "u", "cat", SECRET));
    let json = now(&w, &["session", "--json"]).json();
    assert_eq!(json["spooled"], 1, "{json}");
    assert_eq!(json["left"], Value::Array(vec![]));
    assert!(w.spools().is_empty());
    assert_eq!(traces(&w), [] as [&str; 0]);
    w.signal(pid, nix::sys::signal::Signal::SIGCONT);
    until("the worker has nothing to do", || {
        let rows = w.memctl(&["ps", "--json"]).json();
        match rows[0]["doing"].as_str() {
            Some("lingering") | None => Ok(()),
            Some(other) => Err(other.to_owned()),
        }
    });
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 0);
}

/// The events keep their ids, so that the worker does not wait for them, and nothing is distilled.
#[test]
fn a_text_in_the_spool_of_a_hung_worker_is_removed() {
    let w = World::lingering();
    let pid = w.worker_of("session");
    w.signal(pid, nix::sys::signal::Signal::SIGSTOP);
    w.spool(&tool("session", "t", "u1", "cat", "harmless"));
    w.spool(&tool("session", "t", "u2", "cat", &format!("it said {SECRET}")));
    w.spool(&prompt("session", "t2", &format!("explain {SECRET}")));
    w.spool(&tool("session", "t2", "u3", "cat", "of a forgotten prompt"));
    let planned = now(&w, &["--query", SECRET, "--dry-run"]).ok();
    assert_eq!(planned, "would delete 2 spooled events\n");
    assert!(!traces(&w).is_empty());
    let output = now(&w, &["--query", &SECRET.to_lowercase()]);
    assert_eq!((output.out.as_str(), output.err.as_str()), ("deleted 2 spooled events\n", ""));
    assert_eq!(traces(&w), [] as [&str; 0]);
    assert_eq!(now(&w, &["--query", SECRET]).ok(), "nothing to forget\n");
    w.signal(pid, nix::sys::signal::Signal::SIGCONT);
    w.hook(&stop("session", "t2", "Done."));
    until("the spool is drained", || match w.spools() {
        spools if spools.is_empty() => Ok(()),
        spools => Err(format!("{spools:?}")),
    });
    w.until_count("SELECT count(*) FROM pending_messages WHERE tool_use_id NOT NULL", 3);
    let texts = "SELECT tool_use_id || ifnull(tool_name, '-') FROM pending_messages
      WHERE tool_use_id IN ('u2', 'u3') ORDER BY id";
    assert_eq!(w.rows(texts), ["u2-", "u3-"], "the turn of a forgotten prompt is private");
    assert_eq!(w.rows("SELECT ifnull(prompt_text, '-') FROM user_prompts"), ["go", "-"]);
}

#[test]
fn a_text_in_dead_letters_is_removed() {
    let w = two_sessions();
    let dead = w.data().join("spool/dead");
    fs::create_dir_all(&dead).unwrap();
    let in_json = "{\"text\": \"\\u0058ylophon7731\", ";
    for (name, text) in
        [("1.json", in_json), ("2.json", "Xylophon"), ("3.json", "\u{ff}XYLOPHON7731")]
    {
        fs::write(dead.join(name), text).unwrap();
    }
    let json = now(&w, &["--query", SECRET, "--json"]).json();
    assert_eq!((&json["spooled"], &json["left"]), (&json!(2), &json!([])), "{json}");
    let names = fs::read_dir(&dead).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["2.json"]);
    assert_eq!(traces(&w), [] as [&str; 0]);
}

#[test]
fn a_database_set_aside_that_contains_the_text_is_reported() {
    let w = World::new();
    for (dir, text) in [("corrupt-1", "nothing"), ("corrupt-2", SECRET), ("replaced-1", SECRET)] {
        fs::create_dir_all(w.data().join(dir)).unwrap();
        fs::write(w.data().join(dir).join("memctl.db"), format!("\0\u{1}{text}\0")).unwrap();
    }
    for args in [&["forget", "--query", SECRET][..], &["forget", "--query", SECRET, "--dry-run"]] {
        let output = w.memctl(args);
        let warnings =
            [("database before a restore", "replaced-1"), ("damaged database", "corrupt-2")];
        let warning = warnings.map(|(kind, dir)| {
            let dir = w.data().join(dir);
            let dir = dir.display();
            format!("warning: the {kind} in {dir} contains the text; delete that directory\n")
        });
        let warning = warning.concat();
        assert_eq!((output.out.as_str(), output.err), ("nothing was forgotten\n", warning));
    }
    let output = w.memctl(&["forget", "--query", "another text"]);
    assert_eq!((output.out.as_str(), output.err.as_str()), ("nothing to forget\n", ""));
}

#[test]
fn a_query_ignores_case_and_composition_of_letters() {
    let composed = "Zürcher Straße";
    let decomposed = "Zu\u{308}rcher Strasse";
    for (stored, query) in [
        (composed, "ZÜRCHER STRASSE"),
        (decomposed, "zürcher straße"),
        (composed, "zu\u{308}rcher strasse"),
    ] {
        let w = World::new();
        w.hook(&prompt("s", "t", &format!("walk to {stored} 7")));
        w.hook(&tool("s", "t", "u", &format!("echo '{stored}'"), "ok"));
        w.hook(&stop("s", "t", &format!("\"{stored}\" is far.")));
        w.hook(&end("s"));
        w.settle();
        let output = now(&w, &["--query", query]).ok();
        assert!(output.starts_with("deleted 1 prompt, 1 summary"), "{query}: {output}");
        assert_eq!(w.files_with(&[composed.to_owned(), decomposed.to_owned()]), [] as [&str; 0]);
    }
}

#[test]
fn verify_searches_all_files_for_what_was_forgotten() {
    let w = two_sessions();
    let before = w.memctl(&["forget", "--query", SECRET, "--dry-run", "--verify"]);
    assert_eq!(before.code, Some(1));
    let database = w.data().join("memctl.db");
    let warning = format!("warning: {} (", database.display());
    assert!(before.err.contains(&warning) && before.err.contains("user_prompts.prompt_text"));
    assert!(before.err.ends_with("error: the text is in 1 file\n"), "{before:?}");

    let deleted = now(&w, &["first", "--verify"]);
    assert_eq!((deleted.code, deleted.err.as_str()), (Some(0), ""), "{deleted:?}");
    let last = deleted.out.lines().last().unwrap();
    assert!(
        last.starts_with("searched ") && last.ends_with(": none contains a deleted text"),
        "{last}"
    );

    // The text is searched for even if no memory contains it.
    let log = w.data().join("logs/old.log");
    fs::write(&log, format!("-- {} --", SECRET.to_uppercase())).unwrap();
    let found = now(&w, &["--query", SECRET, "--verify"]);
    assert_eq!(found.code, Some(1));
    let warning = format!("warning: {} contains the text\n", log.display());
    assert!(found.err.starts_with(&warning), "{found:?}");
    assert!(found.out.starts_with("nothing to forget\nsearched "), "{found:?}");
    let json = now(&w, &["--query", SECRET, "--verify", "--json"]);
    let verified = serde_json::from_str::<Value>(&json.out).unwrap()["verified"].take();
    assert_eq!(verified["found"], json!([log]));
    assert!(verified["files"].as_u64() > Some(2) && verified["bytes"].as_u64() > Some(10_000));
    assert_eq!(verified["unread"], json!([]));
    fs::remove_file(&log).unwrap();
    assert_eq!(now(&w, &["--query", SECRET, "--verify"]).code, Some(0));

    // A hook that cannot use the data dir spools here.
    let fallback = w.sockets().join(format!("memctl-{}", nix::unistd::getuid()));
    fs::create_dir_all(&fallback).unwrap();
    fs::set_permissions(&fallback, Permissions::from_mode(0o700)).unwrap();
    let left = fallback.join("left");
    fs::write(&left, SECRET).unwrap();
    let json = now(&w, &["--query", SECRET, "--verify", "--json"]);
    let verified = serde_json::from_str::<Value>(&json.out).unwrap()["verified"].take();
    assert_eq!(verified["found"], json!([left]));
}

/// The copy of a deleted session in another file is found by its passages.
#[test]
fn verify_finds_the_texts_of_a_forgotten_session_in_other_files() {
    let w = World::new();
    let text = "The harbor master keeps the tide tables in a drawer.";
    w.hooks(&[prompt("s", "t", "where are they?"), stop("s", "t", text), end("s")]);
    w.settle();
    fs::create_dir(w.data().join("corrupt-1")).unwrap();
    fs::copy(w.data().join("memctl.db"), w.data().join("corrupt-1/memctl.db")).unwrap();
    let output = now(&w, &["s", "--verify"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    let copy = w.data().join("corrupt-1/memctl.db");
    assert!(output.err.contains(&format!("{} contains a deleted text", copy.display())));
    assert!(!output.err.contains(&w.data().join("memctl.db").display().to_string()));
}

#[test]
fn an_empty_memory_has_nothing_to_forget() {
    let w = World::new();
    let query = ["forget", "--query", "x", "--yes"];
    assert_eq!(w.memctl(&query).ok(), "nothing to forget\n");
    let unknown = w.memctl(&["forget", "o1"]);
    assert_eq!((unknown.code, unknown.err.as_str()), (Some(1), "error: nothing is stored yet\n"));
    assert!(!w.data().exists());
}
