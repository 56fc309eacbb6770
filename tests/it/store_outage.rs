//! A locked store, full disks and read-only disks. Events wait in a spool and are drained in order,
//! once. Events that cannot be written anywhere are counted and reported. The benchmark measures
//! the time of hooks during an outage.

use std::fs::{self, File};
use std::thread;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::recordings::{end, prompt, start, stop, tool};
use crate::support::{World, until};

const SUMMARIES: &str = "SELECT count(*) FROM session_summaries";
const UNPROCESSED: &str = "SELECT count(*) FROM pending_messages WHERE status <> 'processed'";

/// The tool uses that the tests count.
const COUNTED: &str = "event = 'tool' AND tool_use_id LIKE 'u%'";

/// The events of a turn: `n` tool uses and a stop.
fn turn(session: &str, n: usize) -> Vec<Value> {
    let uses = (0..n).map(|u| tool(session, "t", &format!("u{u:02}"), "ls", "x"));
    uses.chain([stop(session, "t", "Done.")]).collect()
}

/// Checks that the whole turn is stored once, in order, and distilled.
#[track_caller]
fn assert_stored_in_order(w: &World, n: i64) {
    w.settle();
    let uses =
        w.rows(&format!("SELECT tool_use_id FROM pending_messages WHERE {COUNTED} ORDER BY id"));
    let wanted: Vec<String> = (0..n).map(|u| format!("u{u:02}")).collect();
    assert_eq!(uses, wanted);
    let last = w.rows("SELECT event FROM pending_messages WHERE event <> 'end' ORDER BY id DESC");
    assert_eq!(last[0], "stop");
    assert_eq!(w.count(UNPROCESSED), 0);
    assert_eq!(w.count(SUMMARIES), 1);
}

/// Another process holds the store lock for longer than any hook waits.
#[test]
fn events_wait_while_the_store_is_locked() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    let lock = File::open(w.data().join("run/store.lock")).unwrap();
    lock.lock().unwrap();
    for payload in turn("s", 12) {
        w.hook(&payload);
    }
    assert_eq!(w.worker(), pid, "a worker that waits for the store does not count as hung");
    assert_eq!(w.count("SELECT count(*) FROM pending_messages"), 0);
    lock.unlock().unwrap();
    w.hook(&end("s"));
    assert_stored_in_order(&w, 12);
}

/// A process that ignores the store lock writes for longer than SQLite's busy timeout.
#[test]
fn events_wait_while_another_process_writes() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    let conn = Connection::open(w.data().join("memctl.db")).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    for payload in turn("s", 12) {
        w.hook(&payload);
    }
    until("the worker has timed out once", || {
        if w.logs().contains("the store is busy") { Ok(()) } else { Err(w.logs()) }
    });
    assert_eq!(w.worker(), pid);
    conn.execute_batch("ROLLBACK").unwrap();
    w.hook(&end("s"));
    assert_stored_in_order(&w, 12);
}

/// A world with a tmpfs of this size for the data directory and one for the sockets.
fn on_small_disks(size: &str) -> Option<World> {
    let mut w = World::lingering();
    (w.mount("data", size) && w.mount("s", size)).then_some(w)
}

/// Fills the disk of the data directory and the preallocated part of the WAL, until events of this
/// session go to the second spool. They are not among the counted events.
fn fill_up(w: &World, session: &str) {
    w.fill("data");
    let output = "a line of output of a tool\n".repeat(2000);
    for n in 0..200 {
        w.hook(&tool(session, "t", &format!("filler-{n}"), "ls", &output));
        if !w.spools().is_empty() {
            return;
        }
    }
    panic!("the disk is not full");
}

#[test]
fn events_go_to_the_second_spool_while_the_disk_is_full() {
    let Some(w) = on_small_disks("8m") else { return };
    w.worker_of("s");
    fill_up(&w, "s");
    for payload in turn("s", 12) {
        w.hook(&payload);
    }
    let output = w.memctl(&["status"]).ok();
    assert!(output.contains("events wait in the socket directory"), "{output}");
    w.free("data");
    w.hook(&end("s"));
    assert_stored_in_order(&w, 12);
    assert!(w.hook(&start("other"))["systemMessage"].is_null(), "nothing was lost");
}

/// No worker is alive, and a new one cannot write its lock file.
#[test]
fn a_session_that_starts_on_a_full_disk_is_stored() {
    let Some(w) = on_small_disks("8m") else { return };
    w.hooks(&[prompt("before", "t", "go"), end("before")]);
    w.settle();
    w.fill("data");
    w.hook(&prompt("s", "t", "go"));
    for payload in turn("s", 12) {
        w.hook(&payload);
    }
    w.free("data");
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE event = 'tool'"), 12);
    assert_eq!(w.count(UNPROCESSED), 0);
}

/// No process has the database open, so the first reader must create the wal-index.
#[test]
fn the_memory_is_readable_on_a_full_disk() {
    let Some(w) = on_small_disks("8m") else { return };
    w.hooks(&[prompt("s", "t", "go"), stop("s", "t", "Done."), end("s")]);
    w.settle();
    w.fill("data");
    let shown = w.memctl(&["show", "s"]).ok();
    assert!(shown.contains("1 summary"), "{shown}");
    w.memctl(&["context"]).ok();
    w.memctl(&["status"]).ok();
}

#[test]
fn events_that_cannot_be_written_are_counted_and_reported_once() {
    let Some(w) = on_small_disks("8m") else { return };
    let pid = w.worker_of("s");
    fill_up(&w, "s");
    w.fill("s");
    for payload in &turn("s", 4)[..4] {
        let output = w.hook_bytes(&[], payload.to_string().as_bytes());
        assert_eq!(output.code, Some(0));
        assert_eq!(output.out, "{\"continue\":true,\"suppressOutput\":true}\n");
        assert!(output.err.contains("memctl: hook:"), "{output:?}");
    }
    assert_eq!(w.worker(), pid);
    w.free("data");
    w.free("s");
    let output = w.hook(&start("other"))["systemMessage"].to_string();
    assert!(output.contains("4 events were lost"), "{output}");
    assert!(w.hook(&start("third"))["systemMessage"].is_null(), "once");
    assert!(w.memctl(&["status"]).ok().contains("4 events lost"));
    let fixed = w.memctl(&["doctor", "--fix"]).out;
    assert!(fixed.contains("cleared the count of 4 lost events"), "{fixed}");
    // The log still has the warnings of the hooks.
    assert!(!w.memctl(&["status"]).ok().contains("events lost"), "the user has seen it");
    // Later events are stored.
    w.hooks(&[stop("s", "t", "Done."), end("s")]);
    w.settle();
    assert_eq!(w.count(SUMMARIES), 1);
}

#[test]
fn events_go_to_the_second_spool_while_the_disk_is_read_only() {
    let Some(w) = on_small_disks("8m") else { return };
    w.worker_of("s");
    let _ = w.memctl(&["kill", "--all"]);
    // The kernel refuses while a file is open for writing, such as by a process that still exits.
    until("the disk is read-only", || w.remount("data", "ro"));
    for payload in turn("s", 12) {
        w.hook(&payload);
    }
    until("workers without work exit", || match w.processes()[..] {
        [] => Ok(()),
        ref pids => Err(format!("{pids:?}")),
    });
    w.remount("data", "rw").unwrap();
    w.hook(&end("s"));
    assert_stored_in_order(&w, 12);
}

/// The first spool moves with the data directory. The second one, beside the sockets, is found by
/// the directory's inode.
#[test]
fn both_spools_are_drained_after_the_data_directory_moved() {
    let mut w = World::new();
    let events = turn("s", 6);
    w.spool(&prompt("s", "t", "go"));
    for event in &events[..3] {
        w.spool(event);
    }
    // A file instead of the directory, because permissions do not stop root.
    let (spool, away) = (w.data().join("spool"), w.data().join("away"));
    fs::rename(&spool, &away).unwrap();
    fs::write(&spool, "").unwrap();
    for event in &events[3..] {
        w.spool(event);
    }
    fs::remove_file(&spool).unwrap();
    fs::rename(&away, &spool).unwrap();
    fs::rename(w.data(), w.path("moved")).unwrap();
    w.set_data("moved");
    w.hook(&start("other"));
    assert_stored_in_order(&w, 6);
}

#[test]
fn a_full_spool_keeps_events_without_text_and_then_counts_losses() {
    let w = World::new().with("MEMCTL_SPOOL_MAX", "10");
    w.spool(&prompt("s", "t", "go"));
    for event in &turn("s", 10)[..10] {
        w.spool(event);
    }
    let lost = w.hook_at(&turn("s", 11)[10], "deliver.spooled=kill");
    assert_eq!(lost.code, None);
    let output = w.hook(&start("other"))["systemMessage"].to_string();
    assert!(output.contains("1 event was lost"), "{output}");
    until("the spool is drained", || match w.spools()[..] {
        [] => Ok(()),
        ref files => Err(format!("{files:?}")),
    });
    w.hook(&end("s"));
    w.settle();
    let uses = "SELECT count(*), sum(tool_use_id IS NOT NULL) FROM pending_messages
      WHERE event = 'tool'";
    assert_eq!(w.rows(uses), ["10|10"]);
}

const SESSIONS: usize = 20;
/// Threads that send in parallel.
const DRIVERS: usize = 4;

/// Events per session: `MEMCTL_OUTAGE_EVENTS` (400) is the total.
#[expect(clippy::disallowed_methods, reason = "a setting of the test")]
fn events_each() -> usize {
    let total = std::env::var("MEMCTL_OUTAGE_EVENTS").ok().filter(|text| !text.is_empty());
    total.map_or(400, |n| n.parse().unwrap()) / SESSIONS
}

/// 20 live sessions send events during an outage. After its end, the same workers store each event
/// once and in order.
fn outage(w: &World, start_outage: impl FnOnce(), end_outage: impl FnOnce()) {
    let n_events = events_each();
    let session = |s: usize| format!("session-{s:02}");
    for s in 0..SESSIONS {
        w.hook(&prompt(&session(s), "t", "go"));
    }
    let generations = "SELECT count(*) FROM sessions WHERE generation = 1";
    w.until_count(generations, SESSIONS as i64);
    // Starters, and the recovery that they start, must have exited.
    let workers = until("one worker per session", || match w.processes() {
        workers if workers.len() == SESSIONS => Ok(workers),
        others => Err(format!("{others:?}")),
    });
    start_outage();
    thread::scope(|scope| {
        for driver in 0..DRIVERS {
            scope.spawn(move || {
                for n in 0..n_events {
                    for s in (driver..SESSIONS).step_by(DRIVERS) {
                        w.hook(&tool(&session(s), "t", &format!("u{n:03}"), "ls", "x"));
                    }
                }
            });
        }
    });
    let counted = format!("SELECT count(*) FROM pending_messages WHERE {COUNTED}");
    // The preallocated WAL may have had space for a few small events.
    assert!(w.count(&counted) <= SESSIONS as i64, "the store was unavailable");
    let mut alive = w.processes();
    alive.sort_unstable();
    let mut before = workers.clone();
    before.sort_unstable();
    assert_eq!(alive, before, "each session keeps its worker");
    end_outage();
    for s in 0..SESSIONS {
        w.hook(&stop(&session(s), "t", "Done."));
    }
    w.until_count(&counted, (SESSIONS * n_events) as i64);
    // Checked before the ends: if the hook of an end times out, it spools its event and may start a
    // worker after the old one has exited.
    assert_eq!(w.count(generations), SESSIONS as i64, "no other worker took a session over");
    for s in 0..SESSIONS {
        w.hook(&end(&session(s)));
    }
    w.settle();
    let stored = w.rows(&format!(
        "SELECT content_session_id, count(*), count(DISTINCT tool_use_id) FROM pending_messages
         WHERE {COUNTED} GROUP BY 1"
    ));
    assert_eq!(stored.len(), SESSIONS);
    for row in stored {
        assert!(row.ends_with(&format!("|{n_events}|{n_events}")), "{row}");
    }
    let out_of_order = "SELECT count(*) FROM pending_messages a JOIN pending_messages b
      ON b.session_id = a.session_id AND b.event = a.event AND b.id > a.id
      WHERE a.event = 'tool' AND a.tool_use_id LIKE 'u%' AND b.tool_use_id LIKE 'u%'
        AND b.tool_use_id < a.tool_use_id";
    assert_eq!(w.count(out_of_order), 0);
    assert_eq!((w.count(UNPROCESSED), w.count(SUMMARIES)), (0, SESSIONS as i64));
}

#[test]
fn twenty_sessions_survive_a_locked_store() {
    let w = World::lingering();
    let path = w.data().join("run/store.lock");
    let held_lock = std::cell::OnceCell::new();
    let start_outage = || {
        let lock = File::open(path).unwrap();
        lock.lock().unwrap();
        held_lock.set(lock).unwrap();
    };
    outage(&w, start_outage, || held_lock.get().unwrap().unlock().unwrap());
}

#[test]
fn twenty_sessions_survive_a_full_disk() {
    let mut w = World::lingering();
    if w.mount("data", "24m") {
        outage(&w, || fill_up(&w, "session-00"), || w.free("data"));
    }
}

/// What a user and a client run while the disk is full. None may fail for the disk.
fn check_readers(w: &World, what: &str) {
    for args in [
        &["status"][..],
        &["context", "--project", "/"],
        &["doctor"],
        &["show", "s"],
        &["queue"],
        &["stats"],
        &["ps"],
        &[],
    ] {
        let output = w.memctl(args);
        let may_fail = args == ["doctor"];
        assert!(output.code == Some(0) || may_fail && output.code == Some(1), "{what}: {output:?}");
        let text = format!("{}{}", output.out, output.err).to_lowercase();
        assert!(!text.contains("i/o error") && !text.contains("input/output"), "{what}: {text}");
        assert!(!text.contains("damaged"), "{what}: {text}");
    }
    let response = w.hook(&start("reader")).to_string();
    assert!(response.contains("Export the archive"), "{what}: {response}");
}

/// A worker has the database open, was killed, or has closed it; the files of the write-ahead log are
/// long, or one of them is missing.
#[test]
fn every_reader_works_on_a_full_disk() {
    for what in ["live", "killed", "no index", "closed"] {
        let Some(mut w) = on_small_disks("8m") else { return };
        w.hooks(&[
            prompt("s", "t", "Fix the export of the page, it is cut off."),
            stop("s", "t", "It is whole now.\n\nNext steps:\n- Export the archive, too."),
        ]);
        w.until_count(SUMMARIES, 1);
        let pid = w.worker();
        // No new worker empties the log.
        w.set("MEMCTL_TESTPOINT", "worker.born=exit,recover.begun=exit");
        match what {
            "closed" => {
                w.memctl(&["kill", "--all"]).ok();
                w.fill("data");
            }
            _ => fill_up(&w, "s"),
        }
        if ["killed", "no index"].contains(&what) {
            w.kill(pid);
        }
        if what == "no index" {
            let index = w.data().join("memctl.db-shm");
            fs::remove_file(index).unwrap();
            w.fill("data");
        }
        check_readers(&w, what);
    }
}
