//! When the store cannot be written for a while, or nothing can: events wait in the spool and are
//! taken in, in order, once; no hook is held up; what could be kept nowhere is counted and said.

use std::fs::{self, File};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use rusqlite::Connection;
use serde_json::Value;

use crate::support::recordings::{end, prompt, start, stop, tool};
use crate::support::{World, until};

const SUMMARIES: &str = "SELECT count(*) FROM session_summaries";
const UNDONE: &str = "SELECT count(*) FROM pending_messages WHERE status <> 'processed'";

/// The tool uses of a test.
const COUNTED: &str = "event = 'tool' AND tool_use_id LIKE 'u%'";

/// A hook in the way of nobody: a generous bound, for the machine may be busy.
const AT_MOST: Duration = Duration::from_secs(2);

/// A hook that ends well, in time.
#[track_caller]
fn hook(w: &World, payload: &Value) {
    let begun = Instant::now();
    w.hook(payload);
    assert!(begun.elapsed() < AT_MOST, "{:?}: {payload}", begun.elapsed());
}

/// The events of a turn: `n` tool uses and a stop.
fn turn(session: &str, n: usize) -> Vec<Value> {
    let uses = (0..n).map(|u| tool(session, "t", &format!("u{u:02}"), "ls", "x"));
    uses.chain([stop(session, "t", "Done.")]).collect()
}

/// All of the turn has been taken in, once and in order, and distilled.
#[track_caller]
fn all_in_order(w: &World, n: i64) {
    w.rest();
    let uses =
        w.rows(&format!("SELECT tool_use_id FROM pending_messages WHERE {COUNTED} ORDER BY id"));
    let wanted: Vec<String> = (0..n).map(|u| format!("u{u:02}")).collect();
    assert_eq!(uses, wanted);
    let last = w.rows("SELECT event FROM pending_messages WHERE event <> 'end' ORDER BY id DESC");
    assert_eq!(last[0], "stop");
    assert_eq!(w.count(UNDONE), 0);
    assert_eq!(w.count(SUMMARIES), 1);
}

/// Somebody who follows our rules holds the store for longer than any hook waits.
#[test]
fn events_wait_while_the_store_is_locked() {
    let w = World::new().with("MEMCTL_WORKER_LINGER", "60s");
    let pid = w.worker_of("s");
    let lock = File::open(w.data().join("run/store.lock")).unwrap();
    lock.lock().unwrap();
    for payload in turn("s", 12) {
        hook(&w, &payload);
    }
    assert_eq!(w.worker(), pid, "who waits for the store does not look hung");
    assert_eq!(w.count("SELECT count(*) FROM pending_messages"), 0);
    lock.unlock().unwrap();
    hook(&w, &end("s"));
    all_in_order(&w, 12);
}

/// Somebody who knows nothing of our lock writes for longer than SQLite is waited for.
#[test]
fn events_wait_while_somebody_else_writes() {
    let w = World::new().with("MEMCTL_WORKER_LINGER", "60s");
    let pid = w.worker_of("s");
    let conn = Connection::open(w.data().join("memctl.db")).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    for payload in turn("s", 12) {
        hook(&w, &payload);
    }
    until("the worker has given up waiting once", || {
        if w.logs().contains("the store is busy") { Ok(()) } else { Err(w.logs()) }
    });
    assert_eq!(w.worker(), pid);
    conn.execute_batch("ROLLBACK").unwrap();
    hook(&w, &end("s"));
    all_in_order(&w, 12);
}

/// Disks for the data dir and the sockets, each of this size.
fn on_small_disks(size: &str) -> Option<World> {
    let mut w = World::new().with("MEMCTL_WORKER_LINGER", "60s");
    (w.mount("data", size) && w.mount("s", size)).then_some(w)
}

/// Fills the data dir's disk, and the room that the log has ahead, until events of this session,
/// which are none of those that are counted, wait elsewhere.
fn fill_up(w: &World, session: &str) {
    w.fill("data");
    let much = "a line of what a tool has said\n".repeat(2000);
    for n in 0..200 {
        w.hook(&tool(session, "t", &format!("filler-{n}"), "ls", &much));
        if !w.spools().is_empty() {
            return;
        }
    }
    panic!("there is room for everything");
}

#[test]
fn events_wait_elsewhere_while_the_disk_is_full() {
    let Some(w) = on_small_disks("8m") else { return };
    w.worker_of("s");
    fill_up(&w, "s");
    for payload in turn("s", 12) {
        hook(&w, &payload);
    }
    let told = w.memctl(&["status"]).ok();
    assert!(told.contains("events wait beside the sockets"), "{told}");
    w.empty("data");
    hook(&w, &end("s"));
    all_in_order(&w, 12);
    assert!(w.hook(&start("other"))["systemMessage"].is_null(), "nothing was lost");
}

/// No worker lives, and none can say where it serves.
#[test]
fn a_session_that_begins_on_a_full_disk_is_kept() {
    let Some(w) = on_small_disks("8m") else { return };
    w.hooks(&[prompt("before", "t", "go"), end("before")]);
    w.rest();
    w.fill("data");
    hook(&w, &prompt("s", "t", "go"));
    for payload in turn("s", 12) {
        hook(&w, &payload);
    }
    w.empty("data");
    hook(&w, &end("s"));
    w.rest();
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE event = 'tool'"), 12);
    assert_eq!(w.count(UNDONE), 0);
}

#[test]
fn what_can_be_kept_nowhere_is_counted_and_said_once() {
    let Some(w) = on_small_disks("8m") else { return };
    let pid = w.worker_of("s");
    fill_up(&w, "s");
    w.fill("s");
    for payload in &turn("s", 4)[..4] {
        let begun = Instant::now();
        let output = w.hook_bytes(&[], payload.to_string().as_bytes());
        assert_eq!(output.code, Some(0));
        assert_eq!(output.out, "{\"continue\":true,\"suppressOutput\":true}\n");
        assert!(output.err.contains("memctl: hook:"), "{output:?}");
        assert!(begun.elapsed() < AT_MOST);
    }
    assert_eq!(w.worker(), pid);
    w.empty("data");
    w.empty("s");
    let told = w.hook(&start("other"))["systemMessage"].to_string();
    assert!(told.contains("4 events were lost"), "{told}");
    assert!(w.hook(&start("third"))["systemMessage"].is_null(), "once");
    assert!(w.memctl(&["status"]).ok().contains("4 events lost"));
    // What comes afterwards is kept.
    w.hooks(&[stop("s", "t", "Done."), end("s")]);
    w.rest();
    assert_eq!(w.count(SUMMARIES), 1);
}

#[test]
fn events_wait_elsewhere_while_the_disk_is_read_only() {
    let Some(w) = on_small_disks("8m") else { return };
    w.worker_of("s");
    let _ = w.memctl(&["kill", "--all"]);
    w.remount("data", "ro").unwrap();
    for payload in turn("s", 12) {
        hook(&w, &payload);
    }
    until("nobody stays who can do nothing", || match w.processes()[..] {
        [] => Ok(()),
        ref left => Err(format!("{left:?}")),
    });
    w.remount("data", "rw").unwrap();
    hook(&w, &end("s"));
    all_in_order(&w, 12);
}

/// A spool goes along with its data dir; the second one, beside the sockets, is found again.
#[test]
fn what_was_spooled_is_taken_in_where_the_data_dir_has_moved_to() {
    let mut w = World::new();
    let events = turn("s", 6);
    w.spooled(&prompt("s", "t", "go"));
    for event in &events[..3] {
        w.spooled(event);
    }
    // A file in the folder's way: no permission stops root.
    let (spool, away) = (w.data().join("spool"), w.data().join("away"));
    fs::rename(&spool, &away).unwrap();
    fs::write(&spool, "").unwrap();
    for event in &events[3..] {
        w.spooled(event);
    }
    fs::remove_file(&spool).unwrap();
    fs::rename(&away, &spool).unwrap();
    fs::rename(w.data(), w.path("moved")).unwrap();
    w.set_data("moved");
    w.hook(&start("other"));
    all_in_order(&w, 6);
}

#[test]
fn a_spool_that_is_full_keeps_events_without_texts_and_then_counts() {
    let w = World::new().with("MEMCTL_SPOOL_MAX", "10");
    w.spooled(&prompt("s", "t", "go"));
    for event in &turn("s", 10)[..10] {
        w.spooled(event);
    }
    let lost = w.hook_at(&turn("s", 11)[10], "deliver.spooled=kill");
    assert_eq!(lost.code, None);
    let told = w.hook(&start("other"))["systemMessage"].to_string();
    assert!(told.contains("1 event was lost"), "{told}");
    until("there is room again", || match w.spools()[..] {
        [] => Ok(()),
        ref left => Err(format!("{left:?}")),
    });
    w.hook(&end("s"));
    w.rest();
    let uses = "SELECT count(*), sum(tool_use_id IS NOT NULL) FROM pending_messages
      WHERE event = 'tool'";
    assert_eq!(w.rows(uses), ["10|10"]);
}

/// What an outage cost the machine, and its hooks.
struct Cost {
    hooks: Vec<Duration>,
    wall: Duration,
    /// User and system time of the workers, and of all.
    workers: Duration,
    all: Duration,
}

const SESSIONS: usize = 20;
/// Clients that send at the same time.
const DRIVERS: usize = 4;

/// Of all sessions: `MEMCTL_OUTAGE_EVENTS`; few, unless more time is given.
#[expect(clippy::disallowed_methods, reason = "the test's own setting")]
fn events_each() -> usize {
    let wanted = std::env::var("MEMCTL_OUTAGE_EVENTS").ok().filter(|text| !text.is_empty());
    wanted.map_or(400, |n| n.parse().unwrap()) / SESSIONS
}

/// Lets 20 live sessions send their events while the store is out, and then whatever ends that.
/// All is taken in once, in order, by the workers that lived before.
fn outage(w: &World, begin: impl FnOnce(), over: impl FnOnce()) {
    let n_events = events_each();
    let session = |s: usize| format!("session-{s:02}");
    for s in 0..SESSIONS {
        w.hook(&prompt(&session(s), "t", "go"));
    }
    let generations = "SELECT count(*) FROM sessions WHERE generation = 1";
    w.until_count(generations, SESSIONS as i64);
    // Starters and recovery, which births ask for, have gone.
    let workers = until("a worker each", || match w.processes() {
        workers if workers.len() == SESSIONS => Ok(workers),
        others => Err(format!("{others:?}")),
    });
    begin();
    let cost = measure(w, &workers, || {
        let drive = |d: usize| {
            let mut took = Vec::new();
            for n in 0..n_events {
                for s in (d..SESSIONS).step_by(DRIVERS) {
                    let begun = Instant::now();
                    w.hook(&tool(&session(s), "t", &format!("u{n:03}"), "ls", "x"));
                    took.push(begun.elapsed());
                }
            }
            took
        };
        thread::scope(|scope| {
            let drivers: Vec<_> = (0..DRIVERS).map(|d| scope.spawn(move || drive(d))).collect();
            drivers.into_iter().flat_map(|d| d.join().unwrap()).collect()
        })
    });
    let counted = format!("SELECT count(*) FROM pending_messages WHERE {COUNTED}");
    // A small one or two may have found room in the log.
    assert!(w.count(&counted) <= SESSIONS as i64, "the store was out");
    let mut alive = w.processes();
    alive.sort_unstable();
    let mut before = workers.clone();
    before.sort_unstable();
    assert_eq!(alive, before, "one drainer a session, and the same");
    cost.check();
    over();
    for s in 0..SESSIONS {
        w.hooks(&[stop(&session(s), "t", "Done."), end(&session(s))]);
    }
    w.rest();
    let taken = w.rows(&format!(
        "SELECT content_session_id, count(*), count(DISTINCT tool_use_id) FROM pending_messages
         WHERE {COUNTED} GROUP BY 1"
    ));
    assert_eq!(taken.len(), SESSIONS);
    for row in taken {
        assert!(row.ends_with(&format!("|{n_events}|{n_events}")), "{row}");
    }
    let behind = "SELECT count(*) FROM pending_messages a JOIN pending_messages b
      ON b.session_id = a.session_id AND b.event = a.event AND b.id > a.id
      WHERE a.event = 'tool' AND a.tool_use_id LIKE 'u%' AND b.tool_use_id LIKE 'u%'
        AND b.tool_use_id < a.tool_use_id";
    assert_eq!(w.count(behind), 0, "in order");
    assert_eq!(w.count(generations), SESSIONS as i64, "nobody else took any of them");
    assert_eq!((w.count(UNDONE), w.count(SUMMARIES)), (0, SESSIONS as i64));
}

/// Runs the hooks. Their own time is that of the children that were waited for; workers are not.
fn measure(w: &World, workers: &[i32], hooks: impl FnOnce() -> Vec<Duration>) -> Cost {
    let of_children = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        let time = |t: nix::sys::time::TimeVal| {
            Duration::new(t.tv_sec() as u64, t.tv_usec() as u32 * 1000)
        };
        time(usage.user_time()) + time(usage.system_time())
    };
    let of_workers = || workers.iter().map(|pid| w.cpu(*pid)).sum::<Duration>();
    let (children, before, begun) = (of_children(), of_workers(), Instant::now());
    let mut hooks = hooks();
    let wall = begun.elapsed();
    hooks.sort_unstable();
    let workers = of_workers() - before;
    Cost { hooks, wall, workers, all: workers + of_children() - children }
}

impl Cost {
    fn check(&self) {
        let at = |part: f64| self.hooks[((self.hooks.len() - 1) as f64 * part) as usize];
        let load = self.all.as_secs_f64() / self.wall.as_secs_f64();
        let cores = thread::available_parallelism().unwrap().get() as f64;
        println!(
            "{} hooks in {:.1?}: median {:.1?}, 99 % {:.1?}, longest {:.1?}; load {load:.2} of \
             {cores} cores, of which workers {:.2}",
            self.hooks.len(),
            self.wall,
            at(0.5),
            at(0.99),
            at(1.0),
            self.workers.as_secs_f64() / self.wall.as_secs_f64()
        );
        assert!(at(0.5) < Duration::from_millis(300), "{:?}", at(0.5));
        assert!(at(1.0) < AT_MOST, "{:?}", at(1.0));
        assert!(load <= 1.5 * cores);
        // Who waits for the store looks again when it is rung, and does not turn round and round.
        let each = self.workers / self.hooks.len() as u32;
        assert!(each < Duration::from_millis(20), "{each:?} for each event");
    }
}

#[test]
fn twenty_sessions_outlive_a_locked_store() {
    let w = World::new().with("MEMCTL_WORKER_LINGER", "60s");
    let path = w.data().join("run/store.lock");
    let held = std::cell::OnceCell::new();
    let begin = || {
        let lock = File::open(path).unwrap();
        lock.lock().unwrap();
        held.set(lock).unwrap();
    };
    outage(&w, begin, || held.get().unwrap().unlock().unwrap());
}

#[test]
fn twenty_sessions_outlive_a_full_disk() {
    let mut w = World::new().with("MEMCTL_WORKER_LINGER", "60s");
    if w.mount("data", "24m") {
        outage(&w, || fill_up(&w, "session-00"), || w.empty("data"));
    }
}
