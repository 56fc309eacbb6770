//! Commands that repair: `finish`, `cleanup`, `kill --stale`, and the subcommands of `queue` that
//! change waiting or failed events.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::directories::in_dir;
use crate::support::recordings::{prompt, stop, tool};
use crate::support::{World, until};

const SUMMARIES: &str = "SELECT count(*) FROM session_summaries";

/// Every file with its content, except the WAL and its index.
fn files(w: &World) -> Vec<(String, Vec<u8>)> {
    fn walk(dir: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.display().to_string();
            if path.is_dir() {
                found.push((name, Vec::new()));
                walk(&path, found);
            } else if !name.contains("memctl.db-") {
                found.push((name, fs::read(&path).unwrap_or_default()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&w.data(), &mut found);
    walk(&w.sockets(), &mut found);
    found.sort();
    found
}

/// Creates a session with a dead worker, a failed message and an open prompt.
fn create_failed_message(w: &World) {
    let pid = w.worker_of("s");
    w.hook(&tool("s", "t", "u", "ls", "x"));
    w.until_count("SELECT count(*) FROM pending_messages", 1);
    w.kill(pid);
    w.execute_sql(
        "UPDATE pending_messages SET status = 'failed', retry_count = 3, error = 'prose'",
    );
}

/// A world without automatic recovery, which would repair everything first.
fn without_recovery() -> World {
    World::lingering().with("MEMCTL_TESTPOINT", NO_RECOVERY)
}

const NO_RECOVERY: &str = "recover.begun=exit";

#[test]
fn finish_ends_a_session() {
    let w = World::lingering();
    w.worker_of("session-one");
    assert_eq!(w.memctl(&["finish", "session-o"]).ok(), "session-one: ended\n");
    w.settle();
    assert_eq!(w.session_state(), "failed|finish");
    assert_eq!(w.summaries().len(), 1);
    let repeated = w.memctl(&["finish", "session-one"]).ok();
    assert_eq!(repeated, "session-one: already ended (finish)\n");
    let unknown = w.memctl(&["finish", "nobody"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
}

#[test]
fn finish_returns_when_the_last_turn_can_be_told() {
    let w = World::lingering();
    w.hook(&prompt("s", "t", "Limit the queue of the importer"));
    w.hook(&tool("s", "t", "u", "cargo test", "1 passed"));
    w.hook(&stop("s", "t", "The queue in `import/queue.rs` takes at most 100 rows."));
    w.until_count("SELECT count(*) FROM user_prompts", 1);
    assert_eq!(w.memctl(&["finish", "s"]).ok(), "s: ended\n");
    let context = w.memctl(&["context", "--project", "/"]).ok();
    assert!(context.contains("Limit the queue of the importer"), "{context}");
}

#[test]
fn finish_tells_what_is_not_distilled_yet() {
    let mut w = World::lingering().with("MEMCTL_WORKER_END_DEADLINE", "100ms");
    let claimed = w.path("claimed");
    w.set("MEMCTL_TESTPOINT", &format!("distill.begun=pause:{}", claimed.display()));
    w.hook(&prompt("s", "t", "go"));
    w.hook(&stop("s", "t", "It is done."));
    until("a batch is claimed", || claimed.exists().then_some(()).ok_or("no".into()));
    let told = "not distilled yet: 1 event\n";
    assert_eq!(w.memctl(&["finish", "s"]).ok(), format!("s: ended; {told}"));
    assert_eq!(w.memctl(&["finish", "s"]).ok(), format!("s: already ended (finish); {told}"));
    fs::remove_file(&claimed).unwrap();
}

#[test]
fn finish_works_without_a_live_worker() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    w.kill(pid);
    assert_eq!(w.memctl(&["finish", "s"]).ok(), "s: ended\n");
    w.settle();
    assert_eq!(w.summaries().len(), 1);
}

#[test]
fn finish_without_a_name_takes_the_only_active_session_of_the_project() {
    let w = World::new();
    let none = w.memctl(&["finish"]);
    assert_eq!(none.code, Some(1), "{none:?}");
    let start_here = |session: &str| {
        w.hook(&in_dir(prompt(session, "t", "go"), &w.path("home")));
    };
    w.hook(&prompt("elsewhere", "t", "go"));
    start_here("first");
    w.until_count("SELECT count(*) FROM user_prompts", 2);
    assert_eq!(w.memctl(&["finish"]).ok(), "first: ended\n");
    let none = w.memctl(&["finish"]);
    assert_eq!(none.code, Some(1), "{none:?}");
    start_here("second");
    start_here("third");
    w.until_count("SELECT count(*) FROM user_prompts", 4);
    let ambiguous = w.memctl(&["finish"]);
    assert_eq!(ambiguous.code, Some(2), "{ambiguous:?}");
    assert!(ambiguous.err.contains("second") && ambiguous.err.contains("third"), "{ambiguous:?}");
    assert!(!ambiguous.err.contains("elsewhere"), "{ambiguous:?}");
    assert_eq!(w.count("SELECT count(*) FROM sessions WHERE status = 'active'"), 3);
}

/// A dead worker's files, a spool, a queue and a silent session.
fn world_to_clean_up() -> World {
    let mut w = without_recovery();
    let pid = w.worker_of("done");
    w.hook(&stop("done", "t", "Done."));
    w.until_count(SUMMARIES, 1);
    w.kill(pid);
    w.set("MEMCTL_TESTPOINT", &format!("worker.completing=kill,{NO_RECOVERY}"));
    w.hook(&prompt("queued", "t", "go"));
    w.hook(&stop("queued", "t", "Done."));
    until("all workers are dead", || match w.processes()[..] {
        [] => Ok(()),
        ref pids => Err(format!("{pids:?}")),
    });
    w.set("MEMCTL_TESTPOINT", "");
    w.spool(&prompt("spooled", "t", "go"));
    w.spool(&stop("spooled", "t", "Done."));
    w.execute_sql(
        "INSERT INTO sessions (uuid, client, content_session_id, started_at_epoch,
           last_event_epoch) VALUES ('u', 'claude-code', 'silent', 1, 1)",
    );
    w
}

#[test]
fn cleanup_does_what_its_dry_run_lists() {
    let w = world_to_clean_up();
    let before = files(&w);
    let planned = w.memctl(&["cleanup", "--dry-run"]).ok();
    for line in [
        "would end silent: no event for",
        "would remove files of the dead worker of done",
        "would recover spooled: events wait in its spool",
        "would recover queued: events wait in its queue",
    ] {
        assert!(planned.contains(line), "{line}: {planned}");
    }
    assert_eq!(planned.lines().count(), 4, "{planned}");
    assert_eq!(files(&w), before, "a dry run changes nothing");
    assert!(w.processes().is_empty());
    assert_eq!(
        w.rows("SELECT status FROM sessions WHERE content_session_id = 'silent'"),
        ["active"]
    );

    let done = w.memctl(&["cleanup"]).ok();
    for line in ["ended silent", "removed files of the dead worker of done", "recovering spooled"] {
        assert!(done.contains(line), "{line}: {done}");
    }
    w.settle();
    assert_eq!(w.summaries().len(), 3);
    assert_eq!(
        w.rows("SELECT end_reason FROM sessions WHERE content_session_id = 'silent'"),
        ["stale"]
    );
    assert!(w.socket_files().is_empty());
    assert_eq!(w.memctl(&["cleanup"]).ok(), "nothing to clean up\n");
}

#[test]
fn cleanup_leaves_live_sessions_alone() {
    let w = World::lingering();
    assert_eq!(w.memctl(&["cleanup"]).ok(), "nothing to clean up: nothing is stored yet\n");
    assert!(!w.data().exists());
    let pid = w.worker_of("s");
    w.execute_sql("UPDATE sessions SET last_event_epoch = 1");
    for more in [&["--dry-run"][..], &[]] {
        let args = [&["cleanup", "--max-age", "1s"], more].concat();
        assert_eq!(w.memctl(&args).ok(), "nothing to clean up\n");
    }
    assert_eq!(w.worker(), pid);
    assert_eq!(w.session()["status"], "active");
    assert_eq!(w.memctl(&["cleanup", "--max-age", "soon"]).code, Some(2));
}

#[test]
fn kill_stale_ends_hung_workers_and_removes_files_of_dead_ones() {
    let w = without_recovery();
    let dead = w.worker_of("dead");
    w.kill(dead);
    let serving = |session: &str| {
        until("the worker serves", || {
            let rows = w.memctl(&["ps", "--json"]).json();
            let row = rows.as_array().unwrap().iter().find(|r| r["session"] == session).cloned();
            match row {
                Some(row) if row["state"] == "serving" => Ok(row["pid"].as_i64().unwrap() as i32),
                other => Err(format!("{other:?}")),
            }
        })
    };
    w.hooks(&[prompt("hung", "t", "go"), prompt("healthy", "t", "go")]);
    let (hung, healthy) = (serving("hung"), serving("healthy"));
    w.signal(hung, Signal::SIGSTOP);
    let output = w.memctl(&["kill", "--stale"]).ok();
    assert!(output.contains("hung: killed"), "{output}");
    assert_eq!((w.session_locks().len(), w.socket_files().len()), (1, 1), "{output}");
    assert_eq!(serving("healthy"), healthy);
    assert_eq!(w.memctl(&["kill", "--stale"]).ok(), "no hung worker and no stale file\n");
}

#[test]
fn failed_messages_can_be_retried() {
    let w = World::lingering();
    create_failed_message(&w);
    assert_eq!(w.memctl(&["queue", "retry", "s"]).ok(), "1 event scheduled for retry\n");
    w.hook(&stop("s", "t", "Listed."));
    w.until_count("SELECT count(*) FROM pending_messages WHERE status = 'processed'", 2);
    assert_eq!(w.memctl(&["queue", "retry", "s"]).ok(), "no matching event\n");
}

/// The session has no new event that would start one.
#[test]
fn a_retry_starts_a_worker() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    w.hook(&stop("s", "t", "Listed."));
    w.until_count(SUMMARIES, 1);
    w.kill(pid);
    w.execute_sql(
        "UPDATE pending_messages SET status = 'failed', retry_count = 3, error = 'prose';
         DELETE FROM session_summaries",
    );
    assert_eq!(w.memctl(&["queue", "retry", "--id", "1"]).ok(), "1 event scheduled for retry\n");
    w.settle();
    assert_eq!(w.summaries().len(), 1);
    w.execute_sql(
        "UPDATE pending_messages SET status = 'processing', worker_pid = 1;
         DELETE FROM session_summaries",
    );
    assert_eq!(w.memctl(&["queue", "reset", "--all"]).ok(), "1 event released\n");
    w.settle();
    assert_eq!(w.summaries().len(), 1);
}

#[test]
fn an_aborted_message_keeps_no_content_and_cannot_be_retried() {
    let w = World::lingering();
    create_failed_message(&w);
    assert_eq!(w.memctl(&["queue", "abort", "--all"]).ok(), "1 event given up\n");
    assert_eq!(
        w.rows("SELECT status, error, tool_input FROM pending_messages"),
        ["failed|aborted|-"]
    );
    assert_eq!(w.memctl(&["queue", "retry", "--all"]).ok(), "no matching event\n");
}

/// The findings of `doctor` about the queue: level and message.
fn queue_findings(w: &World) -> Vec<String> {
    let report: Value = serde_json::from_str(&w.memctl(&["doctor", "--json"]).out).unwrap();
    let all = report["findings"].as_array().unwrap().iter();
    let of_queue = all.filter(|f| f["check"] == "queue");
    of_queue.map(|f| format!("{} {}", f["level"], f["says"]).replace('"', "")).collect()
}

#[test]
fn an_aborted_message_is_no_fault_and_leaves_the_list() {
    for clear in [&["cleanup"][..], &["doctor", "--fix"]] {
        let w = World::lingering();
        create_failed_message(&w);
        assert_eq!(queue_findings(&w), ["wrong 1 event failed and not distilled"]);
        w.memctl(&["queue", "abort", "--all"]).ok();
        assert_eq!(queue_findings(&w), ["ok 0 events unfinished, none stuck"]);
        let listed = w.memctl(&["queue"]).ok();
        assert!(listed.starts_with("0 pending, 0 processing, 0 failed, 1 aborted, "), "{listed}");
        let counts = |w: &World| {
            let queue = w.memctl(&["queue", "--json"]).json();
            [&queue["failed"], &queue["aborted"], &queue["processed"]].map(|n| n.as_i64().unwrap())
        };
        assert_eq!(counts(&w), [0, 1, 0]);
        assert_eq!(w.memctl(&["status", "--json"]).json()["queue"]["failed"], 0);
        let planned = w.memctl(&["cleanup", "--dry-run"]).ok();
        assert!(planned.contains("would clear 1 aborted event from the queue's list"), "{planned}");
        assert_eq!(counts(&w), [0, 1, 0], "a dry run changes nothing");
        let done = w.memctl(clear).out;
        assert!(done.contains("cleared 1 aborted event from the queue's list"), "{done}");
        assert_eq!(counts(&w), [0, 0, 1], "the ids stay, so that a repeat is recognized");
    }
}

/// The session ended long ago.
#[test]
fn failed_and_aborted_messages_are_deleted_after_queue_keep() {
    let w = World::new();
    let ids = "SELECT tool_use_id FROM pending_messages WHERE tool_use_id NOTNULL ORDER BY id";
    w.hooks(&[prompt("old", "t", "go"), tool("old", "t", "failed", "ls", "x")]);
    w.hooks(&[tool("old", "t", "aborted", "ls", "x"), tool("old", "t", "recent", "ls", "x")]);
    w.hooks(&[stop("old", "t", "Done."), crate::support::recordings::end("old")]);
    w.settle();
    w.execute_sql(
        "UPDATE pending_messages SET status = 'failed', error = iif(tool_use_id = 'aborted', 'aborted', 'x')
           WHERE tool_use_id NOTNULL;
         UPDATE pending_messages SET completed_at_epoch = 1 WHERE tool_use_id <> 'recent';
         UPDATE sessions SET last_event_epoch = 1",
    );
    w.hooks(&[prompt("new", "t", "go"), stop("new", "t", "Done.")]);
    w.settle();
    assert_eq!(w.rows(ids), ["recent"]);
}

#[test]
fn the_age_of_events_can_limit_a_retry_and_a_reset() {
    let w = without_recovery();
    let pid = w.worker_of("s");
    for use_id in ["old", "young"] {
        w.hook(&tool("s", "t", use_id, "ls", "x"));
    }
    w.until_count("SELECT count(*) FROM pending_messages", 2);
    w.kill(pid);
    let set = |status: &str| {
        w.execute_sql(&format!(
            "UPDATE pending_messages SET status = '{status}', worker_pid = 1, error = 'x'"
        ));
    };
    w.execute_sql(
        "UPDATE pending_messages SET created_at_epoch = created_at_epoch - 7200000
         WHERE tool_use_id = 'old'",
    );
    set("processing");
    let older = |verb| w.memctl(&["queue", verb, "s", "--older-than", "1h"]).ok();
    assert_eq!(older("reset"), "1 event released\n");
    let pid = w.worker();
    w.kill(pid);
    set("failed");
    assert_eq!(older("retry"), "1 event scheduled for retry\n");
    let failed = "SELECT tool_use_id FROM pending_messages WHERE status = 'failed'";
    assert_eq!(w.rows(failed), ["young"]);
    assert_eq!(w.memctl(&["queue", "retry", "s", "--older-than", "soon"]).code, Some(2));
}

/// A reset would pay a model for a second answer.
#[test]
fn the_events_of_a_live_worker_are_not_reset() {
    let mut w = without_recovery();
    let reached = w.path("distilling");
    w.set("MEMCTL_TESTPOINT", &format!("distill.begun=pause:{},{NO_RECOVERY}", reached.display()));
    w.hooks(&[prompt("s", "t", "go"), tool("s", "t", "u", "ls", "x"), stop("s", "t", "Done.")]);
    until("the worker distills", || match reached.exists() {
        true => Ok(()),
        false => Err(w.logs()),
    });
    w.set("MEMCTL_TESTPOINT", NO_RECOVERY);
    let status = "SELECT DISTINCT status FROM pending_messages WHERE message_type <> 'none'";
    for args in [&["reset", "s"][..], &["reset", "--all"], &["retry", "--id", "1"]] {
        let output = w.memctl(&[&["queue"], args].concat());
        assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "{output:?}");
        assert!(output.err.contains("the worker of s works on "), "{output:?}");
        assert!(output.err.contains("memctl kill s"), "{output:?}");
        assert_eq!(w.rows(status), ["processing"]);
    }
    let pid = w.worker();
    w.kill(pid);
    assert_eq!(w.memctl(&["queue", "reset", "s"]).ok(), "2 events released\n");
}

#[test]
fn the_spool_is_drained_before_the_queue_is_changed() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    w.kill(pid);
    w.spool(&tool("s", "t", "u", "ls", "x"));
    let output = w.memctl(&["queue", "abort", "s"]);
    assert!(output.err.contains("moved 1 event"), "{output:?}");
    assert_eq!(output.ok(), "1 event given up\n");
    assert!(w.spools().is_empty());
    assert_eq!(w.rows("SELECT event, error FROM pending_messages"), ["tool|aborted"]);
    assert_eq!(w.rows("SELECT restarts FROM sessions"), ["0"], "no restart is counted");
}

#[test]
fn queue_changes_need_a_selection() {
    let w = World::lingering();
    w.worker_of("s");
    for args in [&["queue", "retry"][..], &["queue", "abort", "s", "--all"]] {
        let output = w.memctl(args);
        assert_eq!(output.code, Some(2), "{output:?}");
    }
    let unknown = w.memctl(&["queue", "retry", "--id", "99"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.err.contains("no event with id 99"), "{unknown:?}");
    assert!(
        w.memctl(&["queue", "s"]).ok().starts_with("0 pending"),
        "`s` is a session, not a subcommand"
    );
}
