//! Workers: one per session, also when hooks race, workers are killed, or time limits expire.

use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::recordings::{edit, end, prompt, stop, tool};
use crate::support::{World, notes, until};

fn observations(w: &World) -> i64 {
    w.count("SELECT count(*) FROM pending_messages WHERE message_type = 'observation'")
}

#[test]
fn a_turn_leaves_its_summary_but_no_payload() {
    let w = World::new();
    w.hook(&prompt("s", "t", "look"));
    let pid = w.worker();
    w.hook(&tool("s", "t", "u", "cargo test", "test result: ok. 3 passed"));
    w.hook(&stop("s", "t", "All three tests pass."));
    w.settle();
    assert!(!w.processes().contains(&pid));
    assert!(w.socket_files().is_empty() && w.session_locks().is_empty() && w.spools().is_empty());
    assert_eq!(w.summarized_prompts(), [1]);
    assert_eq!(w.rows("SELECT DISTINCT status FROM pending_messages"), ["processed"]);
    assert_eq!(
        w.count("SELECT count(*) FROM pending_messages WHERE tool_input IS NOT NULL OR tool_response IS NOT NULL"),
        0,
        "a processed message keeps no payload"
    );
}

/// A commit that extends the file waits for the journal of the file system.
#[test]
fn accepted_events_do_not_extend_the_file_of_the_log() {
    let w = World::lingering();
    w.worker_of("s");
    let bytes = || fs::metadata(w.data().join("memctl.db-wal")).map_or(0, |meta| meta.len());
    until("the worker has made room", || match bytes() {
        n if n > 256 << 10 => Ok(()),
        n => Err(n.to_string()),
    });
    let before = bytes();
    for n in 0..5 {
        w.hook(&tool("s", "t", &format!("u{n}"), "ls", "x"));
    }
    assert_eq!((observations(&w), bytes()), (5, before));
}

/// Silent peers use all file descriptors of the worker.
#[test]
fn a_worker_without_free_file_descriptors_pauses_and_then_accepts_again() {
    const FAILED: &str = "cannot accept a connection: Too many open files";
    let w = World::lingering().with("MEMCTL_WORKER_PEER_TIMEOUT", "600s");
    let pid = w.worker_of("s");
    let pid_text = pid.to_string();
    let limit = Command::new("prlimit").args(["--nofile=24:24", "--pid", &pid_text]).status();
    if !limit.is_ok_and(|status| status.success()) {
        notes::skipped("there is no prlimit program");
        return;
    }
    let socket = w.socket_files().remove(0);
    let connect = || UnixStream::connect(&socket).unwrap();
    let peers: Vec<UnixStream> = (0..24).map(|_| connect()).collect();
    let since = (Instant::now(), cpu_time(pid));
    until("three attempts have failed", || match w.logs().matches(FAILED).count() {
        n if n >= 3 => Ok(()),
        _ => Err(w.logs()),
    });
    let (elapsed, used) = (since.0.elapsed(), cpu_time(pid) - since.1);
    assert!(used < elapsed / 2, "{used:?} of {elapsed:?}");
    drop(peers);
    w.hook(&tool("s", "t", "u", "ls", "x"));
    until("the event is stored", || match observations(&w) {
        1 => Ok(()),
        n => Err(format!("{n}")),
    });
    assert_eq!(w.worker(), pid);
}

/// The processor time that a process has used.
fn cpu_time(pid: i32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

#[test]
fn ten_sessions_of_a_hundred_events_are_all_distilled_before_the_last_worker_exits() {
    let w = World::new();
    thread::scope(|scope| {
        for s in 0..10 {
            let w = &w;
            scope.spawn(move || {
                let session = format!("session-{s}");
                w.hook(&prompt(&session, "t", &format!("do number {s}")));
                for n in 0..98 {
                    w.hook(&tool(&session, "t", &format!("u{n}"), &format!("run {n}"), "ok"));
                }
                w.hook(&stop(&session, "t", &format!("Did number {s}.")));
            });
        }
    });
    w.settle();
    assert_eq!(observations(&w), 980);
    assert_eq!(w.unfinished(), 0);
    assert_eq!(w.summaries().len(), 10);
}

#[test]
fn a_turn_without_a_prompt_is_summarized_once_at_its_stop() {
    let w = World::new().with("MEMCTL_WORKER_LINGER", "1ms");
    w.hook(&prompt("s", "t1", "Port the exporter, in the background where you can."));
    w.hook(&stop("s", "t1", "A subagent looks at the formats; I go on when it is back."));
    w.settle();
    let note = "<task-notification>\n<status>completed</status>\n</task-notification>";
    w.hook(&prompt("s", "t2", note));
    let pid = w.worker();
    for n in 0..5 {
        w.hook(&tool("s", "t2", &format!("u{n}"), &format!("make part-{n}"), "built"));
        assert_eq!(w.worker(), pid, "the worker stays during the turn");
    }
    w.hook(&stop("s", "t2", "The exporter is ported, all five parts build."));
    w.settle();
    assert_eq!(
        w.rows("SELECT event FROM pending_messages WHERE message_type = 'summarize' ORDER BY id"),
        ["stop", "notification", "stop"]
    );
    assert_eq!(w.summaries().len(), 1);
}

#[test]
fn racing_hooks_leave_one_worker_and_no_starter() {
    let w = World::lingering();
    thread::scope(|scope| {
        for n in 0..8 {
            let w = &w;
            scope.spawn(move || w.hook(&tool("s", "t", &format!("u{n}"), "ls", "x")));
        }
    });
    until("one worker, nothing spooled", || match (w.processes().len(), w.spools().len()) {
        (1, 0) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(observations(&w), 8);
    assert_eq!(w.socket_files().len(), 1);
}

#[test]
fn the_first_tool_use_right_after_the_prompt_is_never_lost() {
    for _ in 0..10 {
        let w = World::new();
        w.hook(&prompt("s", "t", "go"));
        w.hook(&tool("s", "t", "u", "ls", "x"));
        w.hook(&stop("s", "t", "Listed."));
        w.settle();
        assert_eq!(
            w.rows("SELECT prompt_number, event FROM pending_messages ORDER BY id"),
            ["1|tool", "1|stop"]
        );
    }
}

#[test]
fn events_of_a_killed_worker_survive_and_take_effect_once() {
    let w = World::lingering();
    w.hook(&prompt("s", "t", "go"));
    let first = w.worker();
    w.hook(&tool("s", "t", "u1", "ls", "x"));
    until("the first worker owns the session", || {
        match w.count("SELECT ifnull(max(generation), 0) FROM sessions") {
            1 => Ok(()),
            n => Err(n.to_string()),
        }
    });
    w.kill(first);
    w.hook(&tool("s", "t", "u2", "pwd", "/"));
    let second = w.worker();
    assert_ne!(first, second);
    w.hook(&stop("s", "t", "Looked around."));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(
        w.rows("SELECT tool_use_id, status FROM pending_messages WHERE message_type = 'observation' ORDER BY id"),
        ["u1|processed", "u2|processed"]
    );
    assert_eq!(w.summaries().len(), 1);
    assert_eq!(w.rows("SELECT generation FROM sessions"), ["2"]);
}

#[test]
fn a_stale_socket_file_is_replaced() {
    let w = World::lingering();
    w.hook(&prompt("s", "t", "go"));
    let first = w.worker();
    let socket = w.socket_files().remove(0);
    w.kill(first);
    std::fs::remove_file(&socket).unwrap();
    // Binding and dropping a listener leaves a file on which no process listens.
    drop(UnixListener::bind(&socket).unwrap());
    w.hook(&tool("s", "t", "u", "ls", "x"));
    until("the session is served again", || match observations(&w) {
        1 => Ok(()),
        n => Err(n.to_string()),
    });
    assert_ne!(w.worker(), first);
}

/// An event belongs to the newest prompt of its turn. If that prompt was lost with its hook, the
/// event belongs to the newest prompt of the session, and its Stop rewrites that prompt's summary.
#[test]
fn a_turn_whose_prompt_was_lost_belongs_to_the_previous_prompt() {
    let w = World::new();
    w.hooks(&[prompt("s", "t1", "first"), edit("s", "t1", "u1", "a.rs")]);
    w.hook(&stop("s", "t1", "Changed how the parser reads its table."));
    let _ = w.hook_at(&prompt("s", "t2", "second"), "hook.captured=kill");
    w.hooks(&[edit("s", "t2", "u2", "b.rs"), stop("s", "t2", "Taught the printer to fold lines.")]);
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.rows("SELECT prompt_text FROM user_prompts"), ["first"]);
    assert_eq!(w.summarized_prompts(), [1]);
    assert_eq!(
        w.rows(
            "SELECT DISTINCT o.prompt_number, path FROM observation_files f
                JOIN observations o ON o.id = f.observation_id ORDER BY path"
        ),
        ["1|work/a.rs", "1|work/b.rs"]
    );
}

#[test]
fn an_event_sent_by_plugin_and_settings_counts_once() {
    let w = World::new();
    let events = [prompt("s", "t", "go"), tool("s", "t", "u", "ls", "x"), stop("s", "t", "Done.")];
    for event in &events {
        w.hook(event);
        w.hook(event);
    }
    w.settle();
    assert_eq!(w.prompts().len(), 1);
    assert_eq!(observations(&w), 1);
    assert_eq!(w.summaries().len(), 1);
}

#[test]
fn an_event_whose_reply_was_lost_counts_once() {
    let mut w = World::new();
    w.set("MEMCTL_TESTPOINT", "worker.replying=kill");
    // The worker is killed after its commit, before its reply. The hook spools and starts another
    // worker.
    w.hook(&prompt("s", "t", "go"));
    w.worker();
    w.hook(&tool("s", "t", "u", "ls", "x"));
    w.set("MEMCTL_TESTPOINT", "");
    w.hook(&stop("s", "t", "Done."));
    w.settle();
    assert_eq!(observations(&w), 1);
    assert_eq!(w.rows("SELECT status FROM pending_messages WHERE event = 'tool'"), ["processed"]);
}

#[test]
fn an_idle_worker_closes_open_turns_and_exits() {
    let w = World::new().with("MEMCTL_WORKER_IDLE_TIMEOUT", "300ms");
    w.hook(&prompt("s", "t", "interrupted"));
    w.hook(&tool("s", "t", "u", "ls", "x"));
    w.settle();
    assert_eq!(w.rows("SELECT finalized_by FROM user_prompts"), ["idle"]);
    assert_eq!(w.session()["status"], "active");
    assert_eq!(w.summaries().len(), 1);
}

#[test]
fn a_worker_exits_at_its_maximum_age() {
    let w = World::new().with("MEMCTL_WORKER_MAX_AGE", "400ms");
    w.hook(&prompt("s", "t", "long work"));
    w.settle();
    assert_eq!(w.rows("SELECT finalized_by FROM user_prompts"), ["age"]);
}

#[test]
fn a_prompt_cancels_the_end() {
    let w = World::new();
    for n in 0..5 {
        w.hook(&prompt("s", &format!("t{n}"), &format!("prompt {n}")));
        w.hook(&stop("s", &format!("t{n}"), "Done."));
        w.hook(&end("s"));
    }
    w.hook(&prompt("s", "last", "one more"));
    until("the session is active again", || match &w.session()["status"] {
        status if status == "active" => Ok(()),
        status => Err(status.to_string()),
    });
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.summaries().len(), 6);
    assert_eq!(w.session()["status"], "failed");
}

#[test]
fn two_data_directories_do_not_share_a_worker() {
    let (a, b) = (World::new(), World::new());
    a.hook(&prompt("s", "t", "in a"));
    b.hook(&prompt("s", "t", "in b"));
    let (worker_a, worker_b) = (a.worker(), b.worker());
    assert_ne!(worker_a, worker_b);
    assert_ne!(a.socket_files()[0].file_name(), b.socket_files()[0].file_name());
    for (w, text) in [(&a, "in a"), (&b, "in b")] {
        w.hook(&end("s"));
        w.settle();
        assert_eq!(w.rows("SELECT prompt_text FROM user_prompts"), [text]);
    }
}

#[test]
fn a_deleted_socket_is_replaced_at_the_next_event() {
    let w = World::lingering();
    w.hook(&prompt("s", "t", "go"));
    let first = w.worker();
    std::fs::remove_file(w.socket_files().remove(0)).unwrap();
    w.hook(&tool("s", "t", "u", "ls", "x"));
    until("one worker serves", || match (&w.processes()[..], w.socket_files().len()) {
        ([pid], 1) if *pid != first => Ok(()),
        other => Err(format!("{other:?}")),
    });
    until("the event is stored", || match observations(&w) {
        1 => Ok(()),
        n => Err(n.to_string()),
    });
}

#[test]
fn without_a_socket_events_go_through_the_spool() {
    let long = format!("/tmp/{}", "x".repeat(100));
    for sockets in ["/nowhere/at/all", long.as_str()] {
        let w = World::new().with("MEMCTL_SOCKET_DIR", sockets);
        w.hook(&prompt("s", "t", "go"));
        w.hook(&tool("s", "t", "u", "ls", "x"));
        w.hook(&stop("s", "t", "Listed."));
        w.hook(&end("s"));
        w.settle();
        assert_eq!(observations(&w), 1);
        assert_eq!(w.summaries().len(), 1);
        assert_eq!(w.session()["status"], "completed");
        let status = w.memctl(&["status"]).ok();
        assert!(status.contains("MEMCTL_SOCKET_DIR"), "{status}");
    }
}
