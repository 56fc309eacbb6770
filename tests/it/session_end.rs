//! How sessions end, for each reason that a client gives, and how workers exit at their time
//! limits. No process and no socket is left.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::recordings::{edit, end, prompt, start, stop, tool};
use crate::support::{World, until};

fn end_with(session: &str, reason: &str) -> Value {
    let mut payload = end(session);
    payload["reason"] = reason.into();
    payload
}

/// Waits until no worker is left and nothing is spooled. Then `ps` and the socket directory must be
/// empty.
#[track_caller]
fn assert_nothing_is_left(w: &World) {
    w.settle();
    assert_eq!(w.memctl(&["ps", "--json"]).ok(), "[]\n");
    assert_eq!(fs::read_dir(w.sockets()).unwrap().count(), 0);
}

#[test]
fn every_end_reason_is_stored_and_leaves_no_process() {
    for reason in ["clear", "logout", "prompt_input_exit", "resume", "other"] {
        let w = World::lingering();
        w.worker_of("stopped");
        w.hooks(&[edit("stopped", "t", "u", "a.rs"), stop("stopped", "t", "Done.")]);
        w.hook(&end_with("stopped", reason));
        assert_nothing_is_left(&w);
        // Ctrl-C during a turn: there is no Stop.
        w.hooks(&[prompt("cut off", "t", "go"), edit("cut off", "t", "u", "a.rs")]);
        w.hook(&end_with("cut off", reason));
        assert_nothing_is_left(&w);
        assert_eq!(
            w.rows("SELECT content_session_id, status, end_reason FROM sessions ORDER BY id"),
            [format!("stopped|completed|{reason}"), format!("cut off|failed|{reason}")]
        );
        assert_eq!(w.summaries().len(), 2, "{reason}");
    }
}

#[test]
fn a_cleared_conversation_ends_and_a_new_one_starts() {
    let w = World::lingering();
    w.worker_of("old");
    let mut started = start("new");
    started["source"] = "clear".into();
    w.hooks(&[end_with("old", "clear"), started, prompt("new", "t", "afresh")]);
    until("the old worker exits", || match w.processes().len() {
        1 => Ok(()),
        n => Err(n.to_string()),
    });
    w.hook(&end("new"));
    assert_nothing_is_left(&w);
    assert_eq!(
        w.rows(
            "SELECT content_session_id, parent_session_id, end_reason FROM sessions ORDER BY id"
        ),
        ["old|-|clear", "new|-|other"]
    );
}

#[test]
fn session_end_is_stored_whether_its_worker_is_alive_hung_or_dead() {
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
        w.hook(&end_with("s", "other"));
        assert_nothing_is_left(&w);
        assert_eq!(w.session_state(), "failed|other", "{state}");
        assert_eq!(w.summaries().len(), 1, "{state}");
    }
}

#[test]
fn the_end_of_an_unknown_session_leaves_nothing() {
    let w = World::new();
    w.hook(&end("unknown"));
    assert_nothing_is_left(&w);
    assert_eq!(w.sessions().len(), 0);
}

/// Context switches of all threads of a process.
fn switches(pid: i32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let status = tasks.map(|task| fs::read_to_string(task.path().join("status")).unwrap());
    let count = |text: String| -> u64 {
        let lines = text.lines().filter(|line| line.contains("ctxt_switches"));
        lines.map(|line| line.rsplit('\t').next().unwrap().parse::<u64>().unwrap()).sum()
    };
    status.map(count).sum()
}

/// The benchmark observes an idle worker for a minute (`idle: woken`).
#[test]
fn an_idle_worker_sleeps_while_another_session_works() {
    let w = World::lingering();
    let idle = w.worker_of("s");
    // Equal counts in a row: the work after the last reply, such as the growth of the log, is done.
    const IN_A_ROW: u32 = 20;
    let (mut before, mut n_equal) = (switches(idle), 0);
    until("the worker is idle", || {
        let previous = std::mem::replace(&mut before, switches(idle));
        n_equal = if previous == before { n_equal + 1 } else { 0 };
        (n_equal == IN_A_ROW).then_some(()).ok_or(before.to_string())
    });
    run_another_session(&w);
    assert_eq!(switches(idle), before, "the idle worker woke up");
    assert!(w.processes().contains(&idle));
}

/// Runs a session from its first prompt to its end.
fn run_another_session(w: &World) {
    w.hook(&prompt("other", "t", "go"));
    for n in 0..20 {
        w.hook(&tool("other", "t", &format!("u{n}"), "ls", "x"));
    }
    w.hooks(&[stop("other", "t", "Listed."), end("other")]);
    until("the other worker exits", || match w.processes().len() {
        1 => Ok(()),
        n => Err(n.to_string()),
    });
}

/// The worker hangs before its event loop starts, so its own timers do not work.
#[test]
fn the_kernel_ends_a_worker_whose_event_loop_hangs() {
    let mut w = World::new().with("MEMCTL_WORKER_MAX_AGE", "100ms");
    let paused = w.path("paused");
    w.set("MEMCTL_TESTPOINT", &format!("worker.bound=pause:{}", paused.display()));
    w.hook(&prompt("s", "t", "go"));
    until("the worker hangs", || paused.exists().then_some(()).ok_or(String::new()));
    until("the worker is killed", || match w.processes()[..] {
        [] => Ok(()),
        ref pids => Err(format!("{pids:?}")),
    });
    assert!(paused.exists(), "it never left the test point");
    w.set("MEMCTL_TESTPOINT", "");
    w.hook(&end("s"));
    assert_nothing_is_left(&w);
    assert_eq!(w.prompts().len(), 1);
}

#[test]
fn sigterm_finishes_or_releases_the_claimed_batch() {
    for (args, claims) in [(&["kill", "s"][..], "0"), (&["kill", "--graceful", "s"], "1")] {
        let mut w = World::lingering();
        let claimed = w.path("claimed");
        w.set("MEMCTL_TESTPOINT", &format!("distill.begun=pause:{}", claimed.display()));
        w.hooks(&[prompt("s", "t", "go"), edit("s", "t", "u", "a.rs"), stop("s", "t", "Done.")]);
        until("a batch is claimed", || claimed.exists().then_some(()).ok_or(String::new()));
        let mut command = w.spawn(args);
        if claims == "1" {
            until("the worker is shutting down", || {
                let rows = w.memctl(&["ps", "--json"]).json();
                (rows[0]["state"] == "ending").then_some(()).ok_or(rows.to_string())
            });
            fs::remove_file(&claimed).unwrap();
        }
        assert!(command.wait().unwrap().success());
        assert_eq!(w.rows("SELECT DISTINCT claims FROM pending_messages"), [claims]);
        let done = i64::from(claims == "1");
        assert_eq!(w.count("SELECT count(*) FROM session_summaries"), done);
        w.set("MEMCTL_TESTPOINT", "");
        w.hook(&end("s"));
        assert_nothing_is_left(&w);
        assert_eq!(w.summaries().len(), 1);
    }
}
