//! `memctl forget --text` removes a text from everything that contains it, and keeps the rest.

use std::fs;

use serde_json::Value;

use crate::support::directories::moved_to;
use crate::support::recordings::{end, prompt, stop, tool};
use crate::support::{World, until};

/// It occurs nowhere in the program.
const SECRET: &str = "hunter-Green-42";

const SUMMARIES: &str =
    "SELECT id || title || turn || request || learned || completed || next_steps
   || notes || changed_at_epoch FROM session_summaries";
const OBSERVATIONS: &str = "SELECT id || title || ifnull(narrative, '') || facts || metadata
   || files_modified || changed_at_epoch FROM observations";

/// In the directory in which commands run.
fn play(w: &World, payloads: &[Value]) {
    let home = w.path("home");
    payloads.iter().for_each(|payload| drop(w.hook(&moved_to(payload.clone(), &home))));
}

/// A password in a prompt, which the next turn repeats beside its result.
fn world() -> World {
    let w = World::new();
    play(
        &w,
        &[
            prompt("first", "t1", &format!("The deploy fails, I use {SECRET} as the password.")),
            tool("first", "t1", "u1", "./deploy", &format!("error: {SECRET} was refused")),
            stop("first", "t1", "The account was locked. I unlocked it, and the deploy works now."),
            prompt("first", "t2", "Make load() dispatch on the suffix."),
            stop(
                "first",
                "t2",
                &format!(
                    "`load` dispatches on the suffix now. {SECRET} stays out of the code.\n\n\
              Next:\n- document `load` in the manual"
                ),
            ),
            end("first"),
        ],
    );
    w.settle();
    w.memctl(&["remember", &format!("The old password was {}.", SECRET.to_uppercase())]).ok();
    w
}

fn memory(w: &World) -> Vec<String> {
    let prompts = w.rows("SELECT id || ifnull(prompt_text, '-') FROM user_prompts");
    let events = w.rows(
        "SELECT id || ifnull(tool_input, '') || ifnull(tool_response, '')
           || ifnull(last_assistant_message, '') FROM pending_messages",
    );
    [prompts, events, w.rows(SUMMARIES), w.rows(OBSERVATIONS)].concat()
}

fn traces(w: &World) -> Vec<String> {
    w.files_with(&[SECRET.to_owned(), SECRET.to_uppercase(), SECRET.to_lowercase()])
}

#[test]
fn a_killed_run_is_completed_by_the_next_one() {
    let mut w = world();
    let run = ["forget", "--text", SECRET, "--now", "--yes"];
    w.set("MEMCTL_TESTPOINT", "forget.replaced=kill");
    assert_eq!(w.memctl(&run).code, None);
    w.set("MEMCTL_TESTPOINT", "");
    w.memctl(&run).ok();
    assert_eq!(traces(&w), [] as [&str; 0]);
}

#[test]
fn a_text_goes_and_the_work_around_it_stays() {
    let w = world();
    let n_rows = memory(&w).len();
    let planned = w.memctl(&["forget", "--query", SECRET, "--dry-run"]);
    assert!(
        planned.err.contains("`memctl forget --text TEXT` removes only the text"),
        "{planned:?}"
    );
    let planned = w.memctl(&["forget", "--text", SECRET, "--now", "--dry-run"]).ok();
    assert!(planned.contains("would delete the text in 1 prompt, "), "{planned}");
    let without_yes = w.memctl(&["forget", "--text", SECRET, "--now"]);
    assert_eq!(without_yes.code, Some(2), "{without_yes:?}");
    assert!(!traces(&w).is_empty(), "nothing is changed yet");

    let done = w.memctl(&["forget", "--text", SECRET, "--now", "--yes", "--verify"]);
    assert!(done.out.starts_with("deleted the text in 1 prompt, "), "{done:?}");
    assert!(done.out.contains(": none contains the text"), "{done:?}");
    assert_eq!((done.code, traces(&w)), (Some(0), Vec::new()));
    assert_eq!(memory(&w).len(), n_rows);
    let prompt = w.memctl(&["show", "p1"]).ok();
    assert!(prompt.contains("The deploy fails, I use [forgotten] as the password."), "{prompt}");
    let context = w.memctl(&["context"]).ok();
    for told in ["`load` dispatches on the suffix", "document `load` in the manual"] {
        assert!(context.contains(told), "{context}");
    }
    assert_eq!(w.memctl(&["search", SECRET]).code, Some(1), "the words are not found");
    assert!(w.memctl(&["search", "suffix"]).ok().contains("suffix"));
    let again = w.memctl(&["forget", "--text", SECRET, "--now", "--yes"]).ok();
    assert_eq!(again, "nothing to forget\n");
}

#[test]
fn an_undo_puts_the_text_back_and_now_does_not() {
    let w = world();
    let before = memory(&w);
    let done = w.memctl(&["forget", "--text", SECRET, "--yes"]).ok();
    assert!(
        done.starts_with("forgot the text in 1 prompt, ") && done.contains("kept until"),
        "{done}"
    );
    assert!(!memory(&w).concat().to_lowercase().contains(&SECRET.to_lowercase()));
    let undone = w.memctl(&["forget", "--undo"]).ok();
    assert!(undone.contains("restored 1 prompt, "), "{undone}");
    assert_eq!(memory(&w), before);
    assert!(w.memctl(&["search", SECRET]).ok().contains("p1"));
    assert_eq!(w.count("SELECT count(*) FROM tombstones"), 0);
    // What can be restored is deleted, too.
    w.memctl(&["forget", "p1"]).ok();
    w.memctl(&["forget", "--text", SECRET, "--now", "--yes", "--verify"]).ok();
    assert_eq!(traces(&w), [] as [&str; 0]);
    w.memctl(&["forget", "--undo"]).ok();
    assert_eq!(traces(&w), [] as [&str; 0]);
}

#[test]
fn the_text_does_not_come_back() {
    let w = world();
    let backup = w.path("backup.db");
    let exported = w.path("export.jsonl");
    w.memctl(&["backup", backup.to_str().unwrap()]).ok();
    fs::write(&exported, w.memctl(&["export"]).ok()).unwrap();
    w.memctl(&["forget", "--text", SECRET, "--now", "--yes"]).ok();
    // A later event, a note, an import and a restore.
    play(
        &w,
        &[
            prompt("second", "t", &format!("Again: {}", SECRET.to_lowercase())),
            stop("second", "t", &format!("I do not write {SECRET} anywhere.")),
            end("second"),
        ],
    );
    w.settle();
    w.memctl(&["remember", &format!("It is {SECRET}, after all.")]).ok();
    let known = memory(&w).concat();
    assert!(known.contains("Again: [forgotten]"), "{known}");
    assert!(known.contains("It is [forgotten], after all."), "{known}");
    w.memctl(&["import", "jsonl", exported.to_str().unwrap()]).ok();
    assert_eq!(traces(&w), [] as [&str; 0]);
    let restored =
        w.memctl(&["restore", backup.to_str().unwrap(), "--end-workers", "--json"]).json();
    fs::remove_dir_all(restored["kept"].as_str().unwrap()).unwrap();
    assert_eq!(traces(&w), [] as [&str; 0]);
    let context = w.memctl(&["context"]).ok();
    assert!(context.contains("`load` dispatches on the suffix"), "{context}");
}

#[test]
fn spooled_events_and_dead_letters_keep_the_rest() {
    let w = World::lingering();
    let pid = w.worker_of("session");
    w.signal(pid, nix::sys::signal::Signal::SIGSTOP);
    w.spool(&prompt("session", "t2", &format!("explain {SECRET} to me")));
    let dead = w.data().join("spool/dead");
    fs::create_dir_all(&dead).unwrap();
    fs::write(dead.join("1.json"), format!("{{\"text\": \"x {SECRET} y\", ")).unwrap();
    let done = w.memctl(&["forget", "--text", SECRET, "--now", "--yes"]).ok();
    assert_eq!(done, "deleted the text in 2 spooled events\n");
    assert_eq!(traces(&w), [] as [&str; 0]);
    let letter = fs::read_to_string(dead.join("1.json")).unwrap();
    assert_eq!(letter, "{\"text\": \"x [forgotten] y\", ");
    w.signal(pid, nix::sys::signal::Signal::SIGCONT);
    w.hook(&stop("session", "t2", "Done."));
    until("the prompt is stored", || {
        match w.rows("SELECT ifnull(prompt_text, '-') FROM user_prompts") {
            prompts if prompts.iter().any(|p| p == "explain [forgotten] to me") => Ok(()),
            prompts => Err(format!("{prompts:?}")),
        }
    });
}

#[test]
fn a_text_must_be_long_enough() {
    let w = world();
    for (text, why) in [
        ("abc", "fewer than 4 characters"),
        ("forgotten", "would take its place"),
        ("  ", "fewer than 4 characters"),
    ] {
        let output = w.memctl(&["forget", "--text", text, "--yes"]);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.err.contains(why), "{output:?}");
    }
    let output = w.memctl(&["forget", "--text", "sender", "--yes"]);
    assert_ne!(output.code, Some(101), "{output:?}");
    assert!(w.memctl(&["context"]).ok().contains("`load` dispatches on the suffix"));
}
