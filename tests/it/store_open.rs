//! The database as it is found: missing, of an older or newer release, damaged in every way we can
//! think of, taken away under a worker. Hooks end well, each event has its effect once.

use std::fs;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::recordings::{end, prompt, start, stop, tool};
use crate::support::{World, until};

const SUMMARIES: &str = "SELECT count(*) FROM session_summaries WHERE NOT hidden";
const UNDONE: &str =
    "SELECT count(*) FROM pending_messages WHERE status IN ('pending', 'processing')";

/// What a session sends, from its prompt to its end.
fn life(session: &str) -> [Value; 4] {
    [
        prompt(session, "t", "go"),
        tool(session, "t", "u", "ls", "x"),
        stop(session, "t", "Done."),
        end(session),
    ]
}

/// `n` sessions whose hooks all begin at once.
fn at_once(w: &World, n: usize) {
    let begin = Barrier::new(n);
    thread::scope(|scope| {
        for s in 0..n {
            let begin = &begin;
            scope.spawn(move || {
                begin.wait();
                w.hooks(&life(&format!("session-{s:02}")));
            });
        }
    });
}

/// All of them are kept, once, whole.
#[track_caller]
fn all_kept(w: &World, n: i64) {
    w.rest();
    let of = "SELECT count(*) FROM sessions WHERE content_session_id LIKE 'session-%'";
    assert_eq!(w.count(of), n);
    let rows = |event: &str| {
        w.count(&format!(
            "SELECT count(*) FROM pending_messages
             WHERE event = '{event}' AND content_session_id LIKE 'session-%'"
        ))
    };
    assert_eq!((rows("tool"), rows("stop"), rows("end")), (n, n, n));
    assert_eq!(w.count(UNDONE), 0);
    assert_eq!(w.rows("PRAGMA integrity_check"), ["ok"]);
    let logs = w.logs();
    assert!(!logs.contains("WARN") && !logs.contains("ERROR"), "{logs}");
}

/// The database goes, and what SQLite keeps beside it.
fn remove_database(w: &World) {
    for file in ["memctl.db", "memctl.db-wal", "memctl.db-shm"] {
        let _ = fs::remove_file(w.data().join(file));
    }
}

/// Databases of every schema there ever was, as the release of each left them.
fn of_earlier_releases() -> Vec<PathBuf> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/schema");
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// A data dir with such a database in it.
fn with_database(file: &PathBuf) -> World {
    let w = World::new().with("MEMCTL_WORKER_CLIENT_GRACE", "100ms");
    fs::create_dir(w.data()).unwrap();
    let conn = Connection::open(w.data().join("memctl.db")).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    conn.execute_batch(&fs::read_to_string(file).unwrap()).unwrap();
    w
}

#[test]
fn many_processes_make_the_first_database_at_once() {
    let w = World::new();
    at_once(&w, 24);
    all_kept(&w, 24);
}

#[test]
fn databases_of_every_earlier_release_are_upgraded_while_hooks_come_in() {
    for file in of_earlier_releases() {
        let w = with_database(&file);
        let kept = |w: &World| {
            ["user_prompts", "observations", "session_summaries", "pending_messages"]
                .map(|table| w.count(&format!("SELECT count(*) FROM {table} WHERE id < 1000")))
        };
        let before = kept(&w);
        // What is new comes far behind what there was.
        at_once(&w, 12);
        all_kept(&w, 12);
        let after = kept(&w);
        for (before, after) in before.iter().zip(after) {
            assert!(*before > 0 && after >= *before, "{}: {before} {after}", file.display());
        }
        let claimed = fs::read_to_string(&file).unwrap();
        let version = w.rows("PRAGMA user_version").remove(0);
        let was = claimed.trim_end().rsplit('=').next().unwrap().trim().trim_end_matches(';');
        assert!(
            version.parse::<i64>().unwrap() >= was.parse().unwrap(),
            "{version} after {was}: {}",
            file.display()
        );
    }
}

/// What the first schema held of two sessions: one is told to the next one of its project, the
/// other one, whose worker had died with events in the queue and in the spool, is finished.
#[test]
fn what_the_first_release_left_is_told_and_finished() {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut w = with_database(&data.join("schema/001.sql"));
    w.set("CLAUDE_PROJECT_DIR", "/home/me/tally");
    // Only the hook's name for the session's folder is today's.
    let session = "22222222-aaaa-4bbb-8ccc-000000000002";
    w.spooled(&tool(session, "t1", "u9", "ls", "x"));
    let folder = w.spools().remove(0);
    fs::remove_file(folder.join("0000000001.json")).unwrap();
    for spooled in fs::read_dir(data.join("spool/001")).unwrap() {
        let spooled = spooled.unwrap();
        fs::copy(spooled.path(), folder.join(spooled.file_name())).unwrap();
    }
    let told = w.hook(&start("new"))["hookSpecificOutput"]["additionalContext"].to_string();
    assert!(told.contains("February 29th counts now"), "{told}");
    assert!(!told.contains("swordfish"), "{told}");
    w.rest();
    let of = |rest: &str| w.rows(&format!("SELECT {rest}"));
    assert_eq!(
        of("tool_use_id, status FROM pending_messages WHERE tool_use_id IN ('u1', 'u2', 'u3')
            AND session_id = 2 ORDER BY id"),
        ["u1|processed", "u2|processed", "u3|processed"]
    );
    assert_eq!(
        of("status, error, tool_response FROM pending_messages WHERE tool_use_id = 'toolu_failed'"),
        ["failed|prose instead of observations|{\"stdout\":\"prose\"}"],
        "a failed one keeps its payload"
    );
    let summary = of("request, investigated, learned, completed, notes FROM session_summaries
      WHERE session_id = 2");
    assert_eq!(summary.len(), 1);
    assert!(summary[0].contains("`month` parses every line again."), "{summary:?}");
    assert_eq!(w.memctl(&["show", "p1"]).ok().lines().count(), 3);
}

/// A release that is older than the database: nothing is changed, hooks spool, every verb says why.
#[test]
fn a_newer_database_is_left_alone() {
    let w = World::new();
    w.hooks(&life("session-00"));
    w.rest();
    let version = w.rows("PRAGMA user_version").remove(0);
    w.change("PRAGMA user_version = 999; INSERT INTO meta VALUES ('x', 'y')");
    w.hooks(&life("session-01"));
    let answer = w.hook_bytes(&[], start("other").to_string().as_bytes());
    assert!(answer.err.contains("update memctl"), "{answer:?}");
    assert_eq!(answer.ok(), "{\"continue\":true,\"suppressOutput\":true}\n");
    until("no worker stays, and none comes again", || match w.processes()[..] {
        [] => Ok(()),
        ref left => Err(format!("{left:?}")),
    });
    assert_eq!(fs::read_dir(w.spools().remove(0)).unwrap().count(), 4, "all wait");
    for verb in [
        &["status"][..],
        &["show", "p1"],
        &["queue"],
        &["queue", "retry", "--all"],
        &["finish", "session-00"],
        &["cleanup"],
        &["context"],
        &["forget", "p1"],
        &["forget", "p1", "--dry-run"],
    ] {
        let output = w.memctl(verb);
        assert_eq!(output.code, Some(1), "{verb:?}: {output:?}");
        assert!(output.err.contains("update memctl"), "{verb:?}: {output:?}");
    }
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 1);
    w.change(&format!("PRAGMA user_version = {version}"));
    w.hook(&start("other"));
    w.rest();
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 2);
    assert_eq!(w.count(SUMMARIES), 2);
}

/// Its worker was begun before the upgrade: it finishes nothing more and leaves.
#[test]
fn a_worker_that_meets_a_newer_schema_leaves() {
    let w = World::new().with("MEMCTL_WORKER_LINGER", "60s");
    let pid = w.worker_of("session-00");
    let version = w.rows("PRAGMA user_version").remove(0);
    w.change("PRAGMA user_version = 999");
    w.hook(&tool("session-00", "t", "u", "ls", "x"));
    until("all have left, and nobody starts them again", || match w.processes()[..] {
        [] => Ok(()),
        ref left => Err(format!("{left:?}")),
    });
    assert!(!w.processes().contains(&pid));
    assert!(w.socket_files().is_empty() && w.session_locks().is_empty());
    w.hook(&stop("session-00", "t", "Done."));
    w.change(&format!("PRAGMA user_version = {version}"));
    w.hook(&end("session-00"));
    all_but_warnings(&w, 1);
}

/// As [`all_kept`], where something had to be said.
#[track_caller]
fn all_but_warnings(w: &World, n: i64) {
    w.rest();
    assert_eq!(w.count(SUMMARIES), n);
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE event = 'tool'"), n);
    assert_eq!(w.count(UNDONE), 0);
    assert_eq!(w.rows("PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn a_database_that_lacks_what_it_claims_heals_without_loss() {
    let w = World::new();
    w.hooks(&life("session-00"));
    w.rest();
    let texts = w.rows("SELECT prompt_text FROM user_prompts");
    w.change(
        "DROP INDEX user_prompts_open; ALTER TABLE user_prompts DROP COLUMN finalized_at_epoch;
         ALTER TABLE pending_messages DROP COLUMN claims; DROP TABLE observation_files;
         DROP INDEX sessions_identity; ALTER TABLE sessions DROP COLUMN backend;",
    );
    assert_eq!(w.memctl(&["status"]).code, Some(0));
    at_once(&w, 12);
    w.rest();
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 12, "session-00 is the one that was");
    assert_eq!(w.rows("SELECT prompt_text FROM user_prompts WHERE id = 1"), texts);
    assert_eq!(w.count("SELECT count(*) FROM user_prompts WHERE finalized_at_epoch IS NULL"), 0);
    assert_eq!(w.count(UNDONE), 0);
}

/// Sessions run while their database is spoilt under them: what comes afterwards is kept, once.
fn spoilt_under_a_worker(spoil: impl Fn(&World)) -> World {
    // One whose whole data dir is gone is out of reach for everybody: it leaves by itself.
    let w =
        World::new().with("MEMCTL_WORKER_LINGER", "60s").with("MEMCTL_WORKER_IDLE_TIMEOUT", "4s");
    w.worker_of("session-00");
    spoil(&w);
    w.hooks(&[
        prompt("session-00", "t2", "again"),
        tool("session-00", "t2", "u", "ls", "x"),
        stop("session-00", "t2", "Done."),
    ]);
    until("what came afterwards is kept and distilled", || {
        let done = "SELECT count(*) FROM session_summaries WHERE turn_id = 't2'";
        match w.data().join("memctl.db").exists().then(|| w.count(done)) {
            Some(1) => Ok(()),
            other => Err(format!("{other:?} {:?}", w.processes())),
        }
    });
    w.hook(&end("session-00"));
    w.rest();
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE event = 'tool'"), 1);
    assert_eq!(w.count("SELECT count(*) FROM user_prompts WHERE turn_id = 't2'"), 1);
    assert_eq!(w.count(UNDONE), 0);
    assert!(w.session_locks().is_empty());
    w
}

fn set_aside(w: &World) -> usize {
    let entries = fs::read_dir(w.data()).unwrap().flatten();
    entries.filter(|e| e.file_name().to_str().unwrap().starts_with("corrupt-")).count()
}

#[test]
fn a_database_that_is_taken_away_is_begun_anew() {
    let w = spoilt_under_a_worker(remove_database);
    assert_eq!(set_aside(&w), 0);
    assert!(w.socket_files().is_empty());
}

#[test]
fn a_data_dir_that_is_taken_away_is_made_anew() {
    spoilt_under_a_worker(|w| fs::remove_dir_all(w.data()).unwrap());
}

#[test]
fn a_database_that_is_overwritten_is_set_aside() {
    let w = spoilt_under_a_worker(|w| {
        remove_database(w);
        fs::write(w.data().join("memctl.db"), "no database ".repeat(9999)).unwrap();
    });
    assert_eq!(set_aside(&w), 1);
}

/// As a disk leaves it that lost its writes: the length is right.
#[test]
fn a_database_of_zeros_is_set_aside() {
    let w = spoilt_under_a_worker(|w| {
        let path = w.data().join("memctl.db");
        let length = fs::metadata(&path).unwrap().len() as usize;
        remove_database(w);
        fs::write(&path, vec![0; length.max(4096)]).unwrap();
    });
    assert_eq!(set_aside(&w), 1);
}

/// Cut to nothing in place: SQLite takes an empty file for a new database.
#[test]
fn a_database_that_was_emptied_is_begun_anew() {
    let w = World::new();
    w.hooks(&life("session-00"));
    w.rest();
    remove_database(&w);
    fs::write(w.data().join("memctl.db"), "").unwrap();
    at_once(&w, 6);
    all_kept(&w, 6);
}

/// A file system on which no memory can be shared: the log's index cannot be opened.
fn without_a_log(w: &World) {
    fs::create_dir_all(w.data()).unwrap();
    std::os::unix::fs::symlink("nowhere", w.data().join("memctl.db-shm")).unwrap();
}

#[test]
fn where_no_log_is_to_be_had_memory_works_without_and_status_says_so() {
    let w = World::new();
    without_a_log(&w);
    at_once(&w, 8);
    // One that finds the file in others' hands says so, and tries again.
    all_but_warnings(&w, 8);
    let journal = |w: &World| {
        let conn = w.store();
        conn.query_row("PRAGMA journal_mode", [], |r| r.get::<_, String>(0)).unwrap()
    };
    assert_ne!(journal(&w), "wal");
    let said = w.memctl(&["status"]).ok();
    assert!(said.contains("no write-ahead log"), "{said}");
    assert!(w.memctl(&["show", "p1"]).code == Some(0));
    let ordinary = World::new();
    ordinary.hooks(&life("session-00"));
    ordinary.rest();
    assert_eq!(journal(&ordinary), "wal");
    assert!(!ordinary.memctl(&["status"]).ok().contains("write-ahead"));
}

/// The data dir has moved to such a file system.
#[test]
fn a_database_with_a_log_goes_on_where_none_is_to_be_had() {
    let w = World::new();
    w.hooks(&life("session-00"));
    w.rest();
    let _ = fs::remove_file(w.data().join("memctl.db-shm"));
    without_a_log(&w);
    w.hooks(&[prompt("session-00", "t2", "again"), stop("session-00", "t2", "Done.")]);
    w.hook(&end("session-00"));
    w.rest();
    assert_eq!(w.count(SUMMARIES), 2);
    assert!(w.memctl(&["status"]).ok().contains("no write-ahead log"));
}
