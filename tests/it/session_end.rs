//! Ends: of sessions, by every word a client has for it, and of workers whose time is over. After
//! each of them nothing is resident, and nothing lies in the sockets' place.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::recordings::{edit, end, prompt, start, stop, tool};
use crate::support::{World, until};

/// What a client gives the hook of a session's end before it kills it.
const CLIENT_WAITS: Duration = Duration::from_millis(1500);

fn ended(session: &str, reason: &str) -> Value {
    let mut payload = end(session);
    payload["reason"] = reason.into();
    payload
}

/// As `rest`, and nobody is shown, and the place of sockets is as it was found.
#[track_caller]
fn nothing_is_left(w: &World) {
    w.rest();
    assert_eq!(w.memctl(&["ps", "--json"]).ok(), "[]\n");
    assert_eq!(fs::read_dir(w.sockets()).unwrap().count(), 0);
}

#[test]
fn every_word_for_an_end_is_kept_and_leaves_nothing() {
    for reason in ["clear", "logout", "prompt_input_exit", "resume", "other"] {
        let w = World::new().with("MEMCTL_WORKER_LINGER", "60s");
        w.worker_of("stopped");
        w.hooks(&[edit("stopped", "t", "u", "a.rs"), stop("stopped", "t", "Done.")]);
        w.hook(&ended("stopped", reason));
        nothing_is_left(&w);
        // As by Ctrl-C in the middle of a turn: it has no Stop.
        w.hooks(&[prompt("cut off", "t", "go"), edit("cut off", "t", "u", "a.rs")]);
        w.hook(&ended("cut off", reason));
        nothing_is_left(&w);
        assert_eq!(
            w.rows("SELECT content_session_id, status, end_reason FROM sessions ORDER BY id"),
            [format!("stopped|completed|{reason}"), format!("cut off|failed|{reason}")]
        );
        assert_eq!(w.count("SELECT count(*) FROM session_summaries"), 2, "{reason}");
    }
}

#[test]
fn a_cleared_conversation_ends_and_another_begins() {
    let w = World::new().with("MEMCTL_WORKER_LINGER", "60s");
    w.worker_of("old");
    let mut begun = start("new");
    begun["source"] = "clear".into();
    w.hooks(&[ended("old", "clear"), begun, prompt("new", "t", "afresh")]);
    until("the old one has gone", || match w.processes().len() {
        1 => Ok(()),
        n => Err(n.to_string()),
    });
    w.hook(&end("new"));
    nothing_is_left(&w);
    assert_eq!(
        w.rows(
            "SELECT content_session_id, parent_session_id, end_reason FROM sessions ORDER BY id"
        ),
        ["old|-|clear", "new|-|other"]
    );
}

#[test]
fn the_hook_of_an_end_is_in_time_whatever_its_worker_does() {
    for state in ["alive", "hung", "dead"] {
        let w = World::new()
            .with("MEMCTL_WORKER_LINGER", "60s")
            .with("MEMCTL_WORKER_HANG_TIMEOUT", "300ms");
        let pid = w.worker_of("s");
        match state {
            "hung" => w.signal(pid, Signal::SIGSTOP),
            "dead" => w.kill(pid),
            _ => {}
        }
        let begun = Instant::now();
        w.hook(&ended("s", "other"));
        assert!(begun.elapsed() < CLIENT_WAITS, "{state}: {:?}", begun.elapsed());
        nothing_is_left(&w);
        assert_eq!(w.rows("SELECT status, end_reason FROM sessions"), ["failed|other"], "{state}");
        assert_eq!(w.count("SELECT count(*) FROM session_summaries"), 1, "{state}");
    }
}

#[test]
fn an_end_of_a_session_that_nobody_knows_leaves_nothing() {
    let w = World::new();
    w.hook(&end("unknown"));
    nothing_is_left(&w);
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 0);
}

/// How often the threads of a process have been woken or have given way.
fn switches(pid: i32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let status = tasks.map(|task| fs::read_to_string(task.path().join("status")).unwrap());
    let count = |text: String| -> u64 {
        let lines = text.lines().filter(|line| line.contains("ctxt_switches"));
        lines.map(|line| line.rsplit('\t').next().unwrap().parse::<u64>().unwrap()).sum()
    };
    status.map(count).sum()
}

/// The bench watches one for longer (`idle: woken`).
#[test]
fn an_idle_worker_sleeps_while_others_work() {
    let w = World::new().with("MEMCTL_WORKER_LINGER", "60s");
    let idle = w.worker_of("s");
    // What follows an event has been done when nothing has moved between two looks.
    let mut before = switches(idle);
    until("it comes to rest", || {
        let last = std::mem::replace(&mut before, switches(idle));
        (last == before).then_some(()).ok_or(before.to_string())
    });
    let begun = Instant::now();
    another_session(&w);
    assert_eq!(switches(idle), before, "woken within {:?}", begun.elapsed());
    assert!(w.processes().contains(&idle));
}

/// From its first prompt to its end.
fn another_session(w: &World) {
    w.hook(&prompt("other", "t", "go"));
    for n in 0..20 {
        w.hook(&tool("other", "t", &format!("u{n}"), "ls", "x"));
    }
    w.hooks(&[stop("other", "t", "Listed."), end("other")]);
    until("the other one has gone", || match w.processes().len() {
        1 => Ok(()),
        n => Err(n.to_string()),
    });
}

/// One whose own timers have died: it hangs where it would first listen to them.
#[test]
fn the_kernel_ends_a_worker_whose_timers_have_died() {
    let mut w = World::new().with("MEMCTL_WORKER_MAX_AGE", "100ms");
    let paused = w.path("paused");
    w.set("MEMCTL_TESTPOINT", &format!("worker.bound=pause:{}", paused.display()));
    w.hook(&prompt("s", "t", "go"));
    until("it hangs", || paused.exists().then_some(()).ok_or(String::new()));
    until("it is ended", || match w.processes()[..] {
        [] => Ok(()),
        ref left => Err(format!("{left:?}")),
    });
    assert!(paused.exists(), "it hung to the last");
    w.set("MEMCTL_TESTPOINT", "");
    w.hook(&end("s"));
    nothing_is_left(&w);
    assert_eq!(w.count("SELECT count(*) FROM user_prompts"), 1);
}

#[test]
fn a_worker_that_is_told_to_go_finishes_or_gives_back_what_it_has_in_hand() {
    for (words, claims) in [(&["kill", "s"][..], "0"), (&["kill", "--graceful", "s"], "1")] {
        let mut w = World::new().with("MEMCTL_WORKER_LINGER", "60s");
        let in_hand = w.path("in hand");
        w.set("MEMCTL_TESTPOINT", &format!("distill.begun=pause:{}", in_hand.display()));
        w.hooks(&[prompt("s", "t", "go"), edit("s", "t", "u", "a.rs"), stop("s", "t", "Done.")]);
        until("a batch in hand", || in_hand.exists().then_some(()).ok_or(String::new()));
        let mut command = w.spawn(words);
        if claims == "1" {
            until("it only finishes", || {
                let rows = w.memctl(&["ps", "--json"]).json();
                (rows[0]["state"] == "ending").then_some(()).ok_or(rows.to_string())
            });
            fs::remove_file(&in_hand).unwrap();
        }
        assert!(command.wait().unwrap().success());
        assert_eq!(w.rows("SELECT DISTINCT claims FROM pending_messages"), [claims]);
        let done = i64::from(claims == "1");
        assert_eq!(w.count("SELECT count(*) FROM session_summaries"), done);
        w.set("MEMCTL_TESTPOINT", "");
        w.hook(&end("s"));
        nothing_is_left(&w);
        assert_eq!(w.count("SELECT count(*) FROM session_summaries"), 1);
    }
}
