//! Recovery from dead or hung workers, hooks without a worker, and dead clients: by the next start
//! of any session, by the session's next event, or by the worker itself.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::recordings::{end, prompt, start, stop, tool};
use crate::support::{Client, World, until};

const SUMMARIES: &str = "SELECT count(*) FROM session_summaries";

#[test]
fn a_crashed_workers_queue_is_finished_when_another_session_starts() {
    let mut w = World::new();
    w.set("MEMCTL_TESTPOINT", "worker.completing=kill");
    w.hook(&prompt("s", "t", "go"));
    w.hook(&tool("s", "t", "u", "cargo test", "test result: ok. 3 passed"));
    w.hook(&stop("s", "t", "All pass."));
    until("the worker dies", || match w.processes()[..] {
        [] => Ok(()),
        ref pids => Err(format!("{pids:?}")),
    });
    w.set("MEMCTL_TESTPOINT", "");
    assert_eq!(w.summaries().len(), 0);
    w.hook(&start("other"));
    w.settle();
    assert_eq!(w.summaries().len(), 1);
    assert_eq!(w.unfinished(), 0);
    assert!(w.socket_files().is_empty());
}

#[test]
fn a_crashed_workers_queue_is_finished_when_another_worker_starts() {
    let mut w = World::new();
    w.set("MEMCTL_TESTPOINT", "worker.completing=kill");
    w.hooks(&[prompt("s", "t", "go"), stop("s", "t", "Done.")]);
    until("the worker dies", || match w.processes()[..] {
        [] => Ok(()),
        ref pids => Err(format!("{pids:?}")),
    });
    w.set("MEMCTL_TESTPOINT", "");
    w.hooks(&[prompt("other", "t", "go"), stop("other", "t", "Done."), end("other")]);
    w.settle();
    assert_eq!(w.summaries().len(), 2);
    assert_eq!(w.unfinished(), 0);
}

#[test]
fn a_spool_without_a_worker_is_drained_when_another_session_starts() {
    let w = World::new();
    for payload in [
        prompt("unknown to the store", "t", "go"),
        tool("unknown to the store", "t", "u", "ls", "x"),
        stop("unknown to the store", "t", "Listed."),
    ] {
        w.spool(&payload);
    }
    assert!(w.processes().is_empty());
    w.hook(&start("other"));
    w.settle();
    assert_eq!(w.rows("SELECT content_session_id FROM sessions"), ["unknown to the store"]);
    assert_eq!(w.summaries().len(), 1);
}

#[test]
fn a_spool_with_only_a_malformed_file_is_removed() {
    let w = World::new();
    w.spool(&prompt("s", "t", "go"));
    let folder = w.spools().remove(0);
    fs::write(folder.join("0000000001.json"), "{").unwrap();
    w.hook(&start("other"));
    w.settle();
    assert_eq!(fs::read_dir(w.data().join("spool/dead")).unwrap().count(), 1);
}

#[test]
fn files_of_a_dead_worker_without_work_are_removed() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    w.hook(&stop("s", "t", "Done."));
    w.until_count(SUMMARIES, 1);
    w.kill(pid);
    assert_eq!((w.socket_files().len(), w.session_locks().len()), (1, 1));
    w.hook(&start("other"));
    until("the files are gone", || match [w.socket_files(), w.session_locks()].concat()[..] {
        [] => Ok(()),
        ref files => Err(format!("{files:?}")),
    });
    w.settle();
    assert_eq!(w.rows("SELECT generation FROM sessions"), ["1"], "no worker was needed");
}

#[test]
fn a_hung_worker_is_replaced_by_the_next_event_and_no_starter_is_left() {
    let w = World::new()
        .with("MEMCTL_WORKER_LINGER", "60s")
        .with("MEMCTL_WORKER_HANG_TIMEOUT", "300ms");
    let hung = w.worker_of("s");
    w.signal(hung, Signal::SIGSTOP);
    w.hook(&tool("s", "t", "u1", "ls", "x"));
    w.hook(&tool("s", "t", "u2", "ls", "y"));
    until("only the new worker is left", || match w.processes()[..] {
        [pid] if pid != hung && w.spools().is_empty() => Ok(()),
        ref other => Err(format!("{other:?}")),
    });
    w.until_count("SELECT count(*) FROM pending_messages WHERE event = 'tool'", 2);
}

#[test]
fn one_starter_waits_for_a_hung_worker() {
    let w = World::lingering().with("MEMCTL_WORKER_HANG_TIMEOUT", "600s");
    let hung = w.worker_of("s");
    w.signal(hung, Signal::SIGSTOP);
    for n in 0..12 {
        w.hook(&tool("s", "t", &format!("u{n}"), "ls", "x"));
    }
    until("one starter is left", || match w.processes().len() {
        2 => Ok(()),
        n => Err(format!("{n} processes")),
    });
    w.signal(hung, Signal::SIGCONT);
    w.until_count("SELECT count(*) FROM pending_messages WHERE event = 'tool'", 12);
    assert_eq!(w.worker(), hung);
    until("no starter lock is left", || no_starter_lock(&w));
}

/// A starter exits because another one waits. The worker answered that one before it hung, and the
/// starter's event is newer.
#[test]
fn a_starter_wakes_the_worker_for_a_starter_that_relied_on_it() {
    let mut w = World::lingering().with("MEMCTL_WORKER_HANG_TIMEOUT", "3s");
    let hung = w.worker_of("s");
    w.signal(hung, Signal::SIGSTOP);
    let answered = w.path("answered");
    w.set("MEMCTL_TESTPOINT", &format!("starter.answered=pause:{}", answered.display()));
    w.hook(&tool("s", "t", "u1", "ls", "x"));
    w.set("MEMCTL_TESTPOINT", "");
    // The starter's wake is in the socket when the worker continues.
    until("the starter has an answer", || {
        w.signal(hung, Signal::SIGCONT);
        answered.exists().then_some(()).ok_or_else(|| format!("{:?}", w.processes()))
    });
    w.until_count("SELECT count(*) FROM pending_messages WHERE event = 'tool'", 1);
    until("the spool is drained", || w.spools().is_empty().then_some(()).ok_or(String::new()));
    w.signal(hung, Signal::SIGSTOP);
    w.hook(&tool("s", "t", "u2", "ls", "y"));
    until("the second starter has exited", || match w.processes().len() {
        2 => Ok(()),
        n => Err(format!("{n} processes")),
    });
    assert_eq!(w.spools().len(), 1);
    fs::remove_file(&answered).unwrap();
    w.until_count("SELECT count(*) FROM pending_messages WHERE event = 'tool'", 2);
    assert_ne!(w.worker(), hung, "the starter has replaced the hung worker");
}

#[test]
fn a_starter_that_hangs_does_not_keep_others_from_replacing_the_worker() {
    let mut w = World::new()
        .with("MEMCTL_WORKER_LINGER", "60s")
        .with("MEMCTL_WORKER_HANG_TIMEOUT", "300ms");
    let hung = w.worker_of("s");
    w.signal(hung, Signal::SIGSTOP);
    let waiting = w.path("waiting");
    w.set("MEMCTL_TESTPOINT", &format!("starter.waiting=pause:{}", waiting.display()));
    w.hook(&tool("s", "t", "u1", "ls", "x"));
    w.set("MEMCTL_TESTPOINT", "");
    until("the first starter hangs", || waiting.exists().then_some(()).ok_or(String::new()));
    until("another starter replaces the worker", || {
        w.hook(&tool("s", "t", "u2", "ls", "y"));
        w.spools().is_empty().then_some(()).ok_or_else(|| format!("{:?}", w.processes()))
    });
    fs::remove_file(&waiting).unwrap();
    assert_ne!(w.worker(), hung);
    until("no starter lock is left", || no_starter_lock(&w));
}

#[test]
fn the_lock_of_a_starter_that_died_is_removed() {
    let mut w = World::lingering().with("MEMCTL_WORKER_HANG_TIMEOUT", "600s");
    let hung = w.worker_of("s");
    w.signal(hung, Signal::SIGSTOP);
    w.set("MEMCTL_TESTPOINT", "starter.waiting=kill");
    w.hook(&tool("s", "t", "u1", "ls", "x"));
    w.set("MEMCTL_TESTPOINT", "");
    until("the starter has died", || match w.processes()[..] {
        [pid] if pid == hung => no_starter_lock(&w).err().map(drop).ok_or(String::new()),
        ref other => Err(format!("{other:?}")),
    });
    w.kill(hung);
    w.hook(&start("other"));
    until("no starter lock is left", || no_starter_lock(&w));
}

fn no_starter_lock(w: &World) -> Result<(), String> {
    let names = fs::read_dir(w.data().join("run")).unwrap().map(|entry| entry.unwrap().file_name());
    let locks: Vec<_> = names.filter(|name| name.to_string_lossy().ends_with(".start")).collect();
    if locks.is_empty() { Ok(()) } else { Err(format!("{locks:?}")) }
}

/// The hung worker's session sends no more events.
#[test]
fn a_hung_worker_is_replaced_when_another_session_starts() {
    let w = World::new()
        .with("MEMCTL_WORKER_LINGER", "60s")
        .with("MEMCTL_WORKER_HANG_TIMEOUT", "300ms");
    let hung = w.worker_of("s");
    w.signal(hung, Signal::SIGSTOP);
    w.spool(&stop("s", "t", "Done."));
    w.hook(&start("other"));
    w.until_count(SUMMARIES, 1);
    w.settle();
    assert_eq!(w.rows("SELECT generation FROM sessions"), ["2"]);
}

#[test]
fn a_session_whose_idle_workers_socket_was_deleted_is_recovered() {
    let w = World::lingering();
    let first = w.worker_of("s");
    fs::remove_file(w.socket_files().remove(0)).unwrap();
    w.spool(&stop("s", "t", "Done."));
    w.hook(&start("other"));
    w.until_count(SUMMARIES, 1);
    w.settle();
    assert!(!w.processes().contains(&first));
}

#[test]
fn only_one_recovery_runs_at_a_time() {
    let mut w = World::new();
    w.spool(&prompt("s", "t", "go"));
    w.spool(&end("s"));
    let paused = w.path("paused");
    w.set("MEMCTL_TESTPOINT", &format!("recover.begun=pause:{}", paused.display()));
    let mut first = w.spawn(&["recover"]);
    until("the first recovery runs", || paused.exists().then_some(()).ok_or(String::new()));
    w.set("MEMCTL_TESTPOINT", "");
    assert_eq!(w.memctl(&["recover"]).ok(), "");
    assert_eq!(w.spools().len(), 1, "the second recovery leaves the work to the first");
    fs::remove_file(&paused).unwrap();
    assert!(first.wait().unwrap().success());
    w.settle();
    assert_eq!(w.rows("SELECT generation FROM sessions"), ["1"]);
    assert_eq!(w.session()["status"], "failed");
}

#[test]
fn work_that_appears_during_a_recovery_is_done_by_it() {
    check_work_during_a_recovery(|w| assert_eq!(w.memctl(&["recover"]).ok(), ""));
    check_work_during_a_recovery(|w| drop(w.hook(&start("other"))));
}

/// The running recovery has already visited the session when new work appears. `request` asks for
/// recovery.
fn check_work_during_a_recovery(request: impl Fn(&World)) {
    let mut w = World::lingering();
    let pid = w.worker_of("revisited");
    w.hook(&stop("revisited", "t", "Done."));
    w.until_count(SUMMARIES, 1);
    w.kill(pid);
    w.spool(&prompt("first", "t", "go"));
    w.spool(&end("first"));
    let paused = w.path("paused");
    w.set("MEMCTL_TESTPOINT", &format!("worker.completing#1=pause:{}", paused.display()));
    let mut first = w.spawn(&["recover"]);
    until("recovery has visited one session and waits for the other", || {
        let visited = w.logs().contains("removed files of a dead worker");
        (visited && paused.exists()).then_some(()).ok_or_else(|| w.logs())
    });
    w.set("MEMCTL_TESTPOINT", "");
    w.spool(&prompt("revisited", "t2", "go on"));
    w.spool(&end("revisited"));
    request(&w);
    assert_eq!(w.spools().len(), 1, "the running recovery does the work");
    let code = until("the first recovery exits", || {
        // Every worker that it starts pauses at this point.
        let _ = fs::remove_file(&paused);
        first.try_wait().unwrap().ok_or(format!("{:?}", w.spools()))
    });
    assert!(code.success());
    assert!(w.spools().is_empty(), "the first recovery has drained it");
    w.settle();
    assert_eq!(w.summaries().len(), 3);
}

#[test]
fn recovery_runs_two_workers_at_a_time() {
    let mut w = World::new();
    for n in 0..5 {
        w.spool(&prompt(&format!("s{n}"), "t", "go"));
        w.spool(&end(&format!("s{n}")));
    }
    let paused = w.path("paused");
    w.set("MEMCTL_TESTPOINT", &format!("worker.locked=pause:{}", paused.display()));
    w.hook(&start("other"));
    until("two sessions have started", || match w.session_locks().len() {
        n if n >= 2 => Ok(()),
        n => Err(n.to_string()),
    });
    // Recovery scans all sessions before it starts the next ones.
    let _ = w.memctl(&["ps"]);
    assert_eq!(w.session_locks().len(), 2);
    until("all sessions are done", || {
        let _ = fs::remove_file(&paused);
        match (w.processes().len(), w.spools().len()) {
            (0, 0) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    assert_eq!(w.sessions().len(), 5);
}

/// Otherwise recovery would never end.
#[test]
fn a_session_whose_worker_crashes_is_tried_once_per_recovery() {
    let w = World::new()
        .with("MEMCTL_WORKER_HANG_TIMEOUT", "100ms")
        .with("MEMCTL_TESTPOINT", "worker.locked=kill");
    w.spool(&prompt("s", "t", "go"));
    assert_eq!(w.memctl(&["recover"]).ok(), "");
    assert_eq!(w.spools().len(), 1);
}

/// Otherwise workers and recoveries would start each other endlessly.
#[test]
fn a_worker_started_by_recovery_starts_no_recovery() {
    let mut w = World::new();
    w.spool(&prompt("s", "t", "go"));
    w.spool(&end("s"));
    w.spool(&prompt("other", "t", "go"));
    let begun = w.path("begun");
    w.set("MEMCTL_TESTPOINT", &format!("recover.begun=pause:{}", begun.display()));
    let recovering = ["worker", "--client", "claude-code", "--session", "s", "--recovery"];
    assert_eq!(w.memctl(&recovering).ok(), "");
    assert!(w.processes().is_empty());
    assert!(!begun.exists());
    assert_eq!(w.spools().len(), 1, "the other session's spool");
    // A worker without `--recovery` starts one.
    w.spool(&end("s"));
    assert_eq!(w.memctl(&recovering[..5]).ok(), "");
    until("recovery is started", || begun.exists().then_some(()).ok_or(String::new()));
}

#[test]
fn recovery_leaves_deferred_messages_unless_their_time_is_implausible() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    w.hook(&stop("s", "t", "Done."));
    w.until_count(SUMMARIES, 1);
    w.kill(pid);
    let n_summaries_after_recovery = |hours: i64| {
        w.execute_sql(&format!(
            "UPDATE pending_messages SET status = 'pending',
               not_before_epoch = unixepoch() * 1000 + {hours} * 3600000 - 60000;
             DELETE FROM session_summaries"
        ));
        assert_eq!(w.memctl(&["recover"]).ok(), "");
        w.count(SUMMARIES)
    };
    assert_eq!(n_summaries_after_recovery(1), 0);
    assert_eq!(w.rows("SELECT generation FROM sessions"), ["1"], "no worker was started");
    // Too far in the future, as after the clock was set back.
    assert_eq!(n_summaries_after_recovery(3), 1);
}

#[test]
fn old_work_is_not_discarded() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    w.hook(&tool("s", "t", "u", "cargo test", "test result: ok. 3 passed"));
    w.until_count("SELECT count(*) FROM pending_messages", 1);
    w.kill(pid);
    w.execute_sql(
        "UPDATE sessions SET started_at_epoch = 1, last_event_epoch = 1;
         UPDATE user_prompts SET created_at_epoch = 1;
         UPDATE pending_messages SET created_at_epoch = 1",
    );
    w.hook(&start("other"));
    w.settle();
    assert_eq!(w.session_state(), "failed|stale");
    assert_eq!(w.unfinished(), 0);
    assert_eq!(w.summaries().len(), 1);
}

#[test]
fn twenty_sessions_are_recovered_and_no_process_is_left() {
    let w = World::new();
    for n in 0..20 {
        let session = format!("session-{n:02}");
        w.spool(&prompt(&session, "t", "go"));
        w.spool(&stop(&session, "t", "Done."));
    }
    w.hook(&start("other"));
    w.settle();
    assert_eq!(w.summaries().len(), 20);
    let newest_first = w.rows("SELECT content_session_id FROM sessions ORDER BY id");
    assert!(newest_first[0].as_str() >= "session-17", "{newest_first:?}");
}

#[test]
fn a_silent_session_is_ended_with_its_open_turn() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    w.kill(pid);
    w.execute_sql(
        "UPDATE sessions SET last_event_epoch = last_event_epoch - 6 * 3600 * 1000 - 60000",
    );
    w.hook(&start("other"));
    w.settle();
    assert_eq!(w.session_state(), "failed|stale");
    assert_eq!(w.summaries().len(), 1);
    assert_eq!(
        w.count("SELECT completed_at_epoch = last_event_epoch FROM sessions"),
        1,
        "the end time is that of its last event"
    );
    // A later prompt reopens it.
    w.hook(&prompt("s", "t2", "again"));
    until("the session is active again", || match &w.session()["status"] {
        status if status == "active" => Ok(()),
        status => Err(status.to_string()),
    });
}

/// The client of the first session died without a SessionEnd.
#[test]
fn the_list_of_private_turns_is_removed_after_its_session_has_ended() {
    let w = World::new();
    let list = |session: &str| {
        w.hook(&prompt(session, "t", "<private>all of it</private>"));
        w.hook(&stop(session, "t", "Done."));
        w.settle();
        let run = fs::read_dir(w.data().join("run")).unwrap().map(|entry| entry.unwrap().path());
        let lists = run.filter(|path| path.extension().is_some_and(|e| e == "private"));
        let list = lists.max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
        let list = list.expect("a list");
        let yesterday = SystemTime::now() - Duration::from_secs(86_400);
        fs::File::open(&list).unwrap().set_modified(yesterday).unwrap();
        list
    };
    let (ended, active) = (list("ended"), list("active"));
    assert!(ended.exists() && active.exists() && ended != active);
    w.execute_sql("UPDATE sessions SET status = 'completed' WHERE content_session_id = 'ended'");
    w.hook(&prompt("next", "t", "go"));
    w.hook(&end("next"));
    w.settle();
    assert_eq!((ended.exists(), active.exists()), (false, true));
}

#[test]
fn a_silent_session_with_a_worker_is_not_ended() {
    let w = World::lingering();
    w.worker_of("s");
    w.execute_sql("UPDATE sessions SET last_event_epoch = 1");
    assert_eq!(w.memctl(&["recover"]).ok(), "");
    assert_eq!(w.session()["status"], "active");
}

/// A client that sends these payloads and stays alive.
fn client(w: &World, payloads: &[Value]) -> Client {
    let mut client = Client::new(w);
    for payload in payloads {
        client.hook(payload, "").unwrap().ok();
    }
    client
}

#[test]
fn a_session_whose_client_died_is_ended() {
    let w = World::new()
        .with("MEMCTL_WORKER_LINGER", "60s")
        .with("MEMCTL_WORKER_CLIENT_GRACE", "100ms");
    let go = prompt("s", "t", "go");
    let client = client(&w, &[go, tool("s", "t", "u", "cargo test", "ok. 3 passed")]);
    w.worker();
    w.until_count("SELECT count(*) FROM pending_messages", 1);
    client.kill();
    // The worker notices it: there is no further event and no session start.
    until("the worker exits", || match w.session_locks()[..] {
        [] => Ok(()),
        ref files => Err(format!("{files:?}")),
    });
    w.settle();
    assert_eq!(w.session_state(), "failed|client_gone");
    assert_eq!(w.rows("SELECT finalized_by FROM user_prompts"), ["end"]);
    assert_eq!(w.summaries().len(), 1);
}

/// Its worker had left after the turn, so no process saw the client die.
#[test]
fn the_next_start_ends_a_session_whose_client_died_without_a_worker() {
    let w = World::new();
    let client = client(&w, &[prompt("s", "t", "Read the log"), stop("s", "t", "Done.")]);
    w.settle();
    w.execute_sql("UPDATE sessions SET last_event_epoch = last_event_epoch - 61000");
    let list = || w.memctl(&["list", "--all-projects"]).ok();
    assert_eq!(w.memctl(&["recover"]).ok(), "");
    assert_eq!(w.session()["status"], "active", "its client lives");
    assert!(list().contains("active") && !list().contains("client exited"), "{}", list());
    client.kill();
    assert!(list().contains("client exited"), "{}", list());
    w.hook(&start("other"));
    w.settle();
    assert_eq!(w.session_state(), "completed|client_gone");
    assert!(!list().contains("client exited") && !list().contains("active"), "{}", list());
}

#[test]
fn a_session_continues_while_one_of_its_clients_is_alive() {
    let w = World::lingering().with("MEMCTL_WORKER_CLIENT_GRACE", "2s");
    let one = client(&w, &[prompt("s", "t", "go")]);
    let pid = w.worker();
    let other = client(&w, &[tool("s", "t", "u", "ls", "x")]);
    w.until_count("SELECT count(*) FROM pending_messages", 1);
    one.kill();
    w.hook(&tool("s", "t", "u2", "ls", "y"));
    assert_eq!(w.worker(), pid);
    assert_eq!(w.session()["status"], "active");
    // This process is a client, too, because it runs hooks.
    other.kill();
    w.hook(&tool("s", "t", "u3", "ls", "z"));
    assert_eq!(w.worker(), pid);
    w.hook(&end("s"));
    w.until_count("SELECT count(*) FROM sessions WHERE end_reason = 'other'", 1);
}

#[test]
fn a_session_end_within_the_grace_period_takes_precedence_over_a_dead_client() {
    let w = World::new()
        .with("MEMCTL_WORKER_LINGER", "60s")
        .with("MEMCTL_WORKER_CLIENT_GRACE", "100ms");
    let client = client(&w, &[prompt("s", "t", "go"), end("s")]);
    client.kill();
    w.settle();
    assert_eq!(w.session()["end_reason"], "other");
    assert_eq!(
        w.count("SELECT count(*) FROM pending_messages WHERE message_type = 'summarize'"),
        2
    );
}

/// Recovery reads the client from the store.
#[test]
fn a_session_whose_worker_and_client_died_is_ended() {
    let w = World::new()
        .with("MEMCTL_WORKER_LINGER", "60s")
        .with("MEMCTL_WORKER_CLIENT_GRACE", "100ms");
    let client = client(&w, &[prompt("s", "t", "go")]);
    let pid = w.worker();
    w.until_count("SELECT ifnull(max(generation), 0) FROM sessions", 1);
    w.kill(pid);
    client.kill();
    w.hook(&start("other"));
    w.until_count("SELECT count(*) FROM sessions WHERE end_reason = 'client_gone'", 1);
    w.settle();
    assert_eq!(w.summaries().len(), 1);
}

#[test]
fn a_batch_that_hangs_is_abandoned_and_retried() {
    let mut w = World::new().with("MEMCTL_AGENT_TURN_TIMEOUT", "200ms");
    let stuck = w.path("stuck");
    w.set("MEMCTL_TESTPOINT", &format!("distill.begun#1=pause:{}", stuck.display()));
    w.hook(&prompt("s", "t", "go"));
    let pid = w.worker();
    w.hook(&stop("s", "t", "Done."));
    until("the first try hangs", || stuck.exists().then_some(()).ok_or(String::new()));
    w.until_count(SUMMARIES, 1);
    assert!(stuck.exists(), "the thread of the first try still hangs");
    // It blocks neither the next turn nor the session's end.
    w.hooks(&[prompt("s", "t2", "more"), stop("s", "t2", "Done too."), end("s")]);
    w.settle();
    assert!(stuck.exists());
    assert!(!w.processes().contains(&pid));
    assert_eq!(w.summaries().len(), 2);
    assert_eq!(w.unfinished(), 0);
    assert!(w.logs().contains("did not answer within 200ms"));
}

#[test]
fn workers_that_keep_crashing_are_restarted_with_backoff() {
    let mut w = World::lingering();
    let pid = w.worker_of("s");
    w.kill(pid);
    w.execute_sql("UPDATE sessions SET restarts = 3");
    let started = Instant::now();
    w.hook(&tool("s", "t", "u", "ls", "x"));
    assert_eq!(w.spools().len(), 1);
    w.until_count("SELECT count(*) FROM pending_messages WHERE event = 'tool'", 1);
    assert!(started.elapsed() >= Duration::from_secs(1));
    w.set("MEMCTL_WORKER_LINGER", "100ms");
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.rows("SELECT restarts FROM sessions"), ["0"]);
}
