//! Opening the database: missing, older, newer, damaged, or deleted under a worker. Hooks succeed,
//! and each event takes effect once.

use std::fs;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::recordings::{end, prompt, start, stop, tool};
use crate::support::{World, until};

const SUMMARIES: &str = "SELECT count(*) FROM session_summaries WHERE NOT hidden";
const QUEUED: &str =
    "SELECT count(*) FROM pending_messages WHERE status IN ('pending', 'processing')";

/// The payloads of a session from its prompt to its end.
fn session_events(session: &str) -> [Value; 4] {
    [
        prompt(session, "t", "go"),
        tool(session, "t", "u", "ls", "x"),
        stop(session, "t", "Done."),
        end(session),
    ]
}

/// Runs `n` sessions at the same time.
fn run_in_parallel(w: &World, n: usize) {
    let begin = Barrier::new(n);
    thread::scope(|scope| {
        for s in 0..n {
            let begin = &begin;
            scope.spawn(move || {
                begin.wait();
                w.hooks(&session_events(&format!("session-{s:02}")));
            });
        }
    });
}

/// Checks that each session is stored once and completely.
#[track_caller]
fn assert_all_stored(w: &World, n: i64) {
    w.settle();
    let sessions = "SELECT count(*) FROM sessions WHERE content_session_id LIKE 'session-%'";
    assert_eq!(w.count(sessions), n);
    let rows = |event: &str| {
        w.count(&format!(
            "SELECT count(*) FROM pending_messages
             WHERE event = '{event}' AND content_session_id LIKE 'session-%'"
        ))
    };
    assert_eq!((rows("tool"), rows("stop"), rows("end")), (n, n, n));
    assert_eq!(w.count(QUEUED), 0);
    assert_eq!(w.rows("PRAGMA integrity_check"), ["ok"]);
    let logs = w.logs();
    assert!(!logs.contains("WARN") && !logs.contains("ERROR"), "{logs}");
}

/// Removes the database with its `-wal` and `-shm`.
fn remove_database(w: &World) {
    for file in ["memctl.db", "memctl.db-wal", "memctl.db-shm"] {
        let _ = fs::remove_file(w.data().join(file));
    }
}

/// Databases of every released schema.
fn released_databases() -> Vec<PathBuf> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/schema");
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// A world whose data directory contains this database.
fn with_database(file: &PathBuf) -> World {
    let w = World::new().with("MEMCTL_WORKER_CLIENT_GRACE", "100ms");
    fs::create_dir(w.data()).unwrap();
    let conn = Connection::open(w.data().join("memctl.db")).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    conn.execute_batch(&fs::read_to_string(file).unwrap()).unwrap();
    w
}

#[test]
fn many_processes_create_the_database_at_the_same_time() {
    let w = World::new();
    run_in_parallel(&w, 24);
    assert_all_stored(&w, 24);
}

#[test]
fn databases_of_earlier_releases_are_upgraded_while_hooks_arrive() {
    for file in released_databases() {
        let w = with_database(&file);
        let old_rows = |w: &World| {
            ["user_prompts", "observations", "session_summaries", "pending_messages"]
                .map(|table| w.count(&format!("SELECT count(*) FROM {table} WHERE id < 1000")))
        };
        let before = old_rows(&w);
        // New rows may be among those counted, but no old row may be missing.
        run_in_parallel(&w, 12);
        assert_all_stored(&w, 12);
        let after = old_rows(&w);
        for (before, after) in before.iter().zip(after) {
            assert!(*before > 0 && after >= *before, "{}: {before} {after}", file.display());
        }
        let dump = fs::read_to_string(&file).unwrap();
        let version = w.rows("PRAGMA user_version").remove(0);
        let old_version = dump.trim_end().rsplit('=').next().unwrap().trim().trim_end_matches(';');
        assert!(
            version.parse::<i64>().unwrap() >= old_version.parse().unwrap(),
            "{version} after {old_version}: {}",
            file.display()
        );
    }
}

#[test]
fn a_command_reads_the_memory_of_the_first_release() {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let w = with_database(&data.join("schema/001.sql"));
    for command in ["", "status"] {
        let args: Vec<&str> = command.split_whitespace().collect();
        let text = w.memctl(&args).out;
        assert!(text.contains("older release") && !text.contains("is stored yet"), "{text}");
    }
    let listed = w.memctl(&["list", "--all-projects"]).ok();
    assert!(listed.contains("11111111"), "{listed}");
}

/// The database has two sessions. One is complete and appears in the next context of its project.
/// The other has a queue and a spool but no worker, and is finished.
#[test]
fn sessions_of_the_first_release_are_continued() {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut w = with_database(&data.join("schema/001.sql"));
    w.set("CLAUDE_PROJECT_DIR", "/home/me/tally");
    // The current release computes the hash in the spool's name.
    let session = "22222222-aaaa-4bbb-8ccc-000000000002";
    w.spool(&tool(session, "t1", "u9", "ls", "x"));
    let folder = w.spools().remove(0);
    fs::remove_file(folder.join("0000000001.json")).unwrap();
    for spooled in fs::read_dir(data.join("spool/001")).unwrap() {
        let spooled = spooled.unwrap();
        fs::copy(spooled.path(), folder.join(spooled.file_name())).unwrap();
    }
    let injected = w.hook(&start("new"))["hookSpecificOutput"]["additionalContext"].to_string();
    assert!(injected.contains("Dotted dates are read now"), "{injected}");
    assert!(!injected.contains("swordfish"), "{injected}");
    w.settle();
    let select = |rest: &str| w.rows(&format!("SELECT {rest}"));
    assert_eq!(
        select(
            "tool_use_id, status FROM pending_messages WHERE tool_use_id IN ('u1', 'u2', 'u3')
            AND session_id = 2 ORDER BY id"
        ),
        ["u1|processed", "u2|processed", "u3|processed"]
    );
    assert_eq!(
        select(
            "status, error, tool_response FROM pending_messages WHERE tool_use_id = 'toolu_failed'"
        ),
        ["failed|prose instead of observations|{\"stdout\":\"prose\"}"],
        "a failed one keeps its payload"
    );
    let summary = select(
        "request, investigated, learned, completed, notes FROM session_summaries
      WHERE session_id = 2",
    );
    assert_eq!(summary.len(), 1);
    assert!(summary[0].contains("`month` parses every line again."), "{summary:?}");
    assert_eq!(w.memctl(&["show", "p1"]).ok().lines().count(), 3);
}

/// The program is older than the database. It changes nothing, hooks spool, and each command
/// reports the reason.
#[test]
fn a_newer_database_is_left_alone() {
    let w = World::new();
    w.hooks(&session_events("session-00"));
    w.settle();
    let version = w.rows("PRAGMA user_version").remove(0);
    w.execute_sql("PRAGMA user_version = 999; INSERT INTO meta VALUES ('x', 'y')");
    w.hooks(&session_events("session-01"));
    let answer = w.hook_bytes(&[], start("other").to_string().as_bytes());
    assert!(answer.err.contains("update memctl"), "{answer:?}");
    assert_eq!(answer.ok(), "{\"continue\":true,\"suppressOutput\":true}\n");
    until("no worker is left", || match w.processes()[..] {
        [] => Ok(()),
        ref pids => Err(format!("{pids:?}")),
    });
    assert_eq!(fs::read_dir(w.spools().remove(0)).unwrap().count(), 4, "all events are spooled");
    for args in [&[] as &[&str], &["status"], &["doctor"]] {
        let output = w.memctl(args);
        assert!(output.out.contains("update memctl"), "{args:?}: {output:?}");
        assert!(!output.out.contains("stored yet"), "{args:?}: {output:?}");
    }
    for args in [
        &["show", "p1"][..],
        &["queue"],
        &["queue", "retry", "--all"],
        &["finish", "session-00"],
        &["cleanup"],
        &["context"],
        &["forget", "p1"],
        &["forget", "p1", "--dry-run"],
    ] {
        let output = w.memctl(args);
        assert_eq!(output.code, Some(1), "{args:?}: {output:?}");
        assert!(output.err.contains("update memctl"), "{args:?}: {output:?}");
    }
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 1);
    w.execute_sql(&format!("PRAGMA user_version = {version}"));
    w.hook(&start("other"));
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 2);
    assert_eq!(w.count(SUMMARIES), 2);
}

/// A worker from before an upgrade commits nothing more and exits.
#[test]
fn a_worker_that_finds_a_newer_schema_exits() {
    let w = World::lingering();
    let pid = w.worker_of("session-00");
    let version = w.rows("PRAGMA user_version").remove(0);
    w.execute_sql("PRAGMA user_version = 999");
    w.hook(&tool("session-00", "t", "u", "ls", "x"));
    until("no worker is left", || match w.processes()[..] {
        [] => Ok(()),
        ref pids => Err(format!("{pids:?}")),
    });
    assert!(!w.processes().contains(&pid));
    assert!(w.socket_files().is_empty() && w.session_locks().is_empty());
    w.hook(&stop("session-00", "t", "Done."));
    w.execute_sql(&format!("PRAGMA user_version = {version}"));
    w.hook(&end("session-00"));
    assert_all_stored_with_warnings(&w, 1);
}

/// Like [`assert_all_stored`], but warnings in the log are allowed.
#[track_caller]
fn assert_all_stored_with_warnings(w: &World, n: i64) {
    w.settle();
    assert_eq!(w.count(SUMMARIES), n);
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE event = 'tool'"), n);
    assert_eq!(w.count(QUEUED), 0);
    assert_eq!(w.rows("PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn a_database_with_missing_tables_and_columns_is_repaired_without_loss() {
    let w = World::new();
    w.hooks(&session_events("session-00"));
    w.settle();
    let texts = w.rows("SELECT prompt_text FROM user_prompts");
    w.execute_sql(
        "DROP INDEX user_prompts_open; ALTER TABLE user_prompts DROP COLUMN finalized_at_epoch;
         ALTER TABLE pending_messages DROP COLUMN claims; DROP TABLE observation_files;
         DROP INDEX sessions_identity; ALTER TABLE sessions DROP COLUMN backend;",
    );
    assert_eq!(w.memctl(&["status"]).code, Some(0));
    run_in_parallel(&w, 12);
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 12, "session-00 existed before");
    assert_eq!(w.rows("SELECT prompt_text FROM user_prompts WHERE id = 1"), texts);
    assert_eq!(w.count("SELECT count(*) FROM user_prompts WHERE finalized_at_epoch IS NULL"), 0);
    assert_eq!(w.count(QUEUED), 0);
}

/// Damages the database while its worker runs, and checks that later events are stored once.
fn damage_under_a_worker(damage: impl Fn(&World)) -> World {
    // If the data directory is deleted, no process can reach the worker. It exits at its idle
    // timeout.
    let w = World::lingering().with("MEMCTL_WORKER_IDLE_TIMEOUT", "4s");
    w.worker_of("session-00");
    damage(&w);
    w.hooks(&[
        prompt("session-00", "t2", "again"),
        tool("session-00", "t2", "u", "ls", "x"),
        stop("session-00", "t2", "Done."),
    ]);
    until("later events are stored and distilled", || {
        let done = "SELECT count(*) FROM session_summaries WHERE turn_id = 't2'";
        match w.data().join("memctl.db").exists().then(|| w.count(done)) {
            Some(1) => Ok(()),
            other => Err(format!("{other:?} {:?}", w.processes())),
        }
    });
    w.hook(&end("session-00"));
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE event = 'tool'"), 1);
    assert_eq!(w.count("SELECT count(*) FROM user_prompts WHERE turn_id = 't2'"), 1);
    assert_eq!(w.count(QUEUED), 0);
    assert!(w.session_locks().is_empty());
    w
}

fn quarantined(w: &World) -> usize {
    let entries = fs::read_dir(w.data()).unwrap().flatten();
    entries.filter(|e| e.file_name().to_str().unwrap().starts_with("corrupt-")).count()
}

#[test]
fn a_deleted_database_is_recreated() {
    let w = damage_under_a_worker(remove_database);
    assert_eq!(quarantined(&w), 0);
    assert!(w.socket_files().is_empty());
}

#[test]
fn a_deleted_data_directory_is_recreated() {
    damage_under_a_worker(|w| fs::remove_dir_all(w.data()).unwrap());
}

#[test]
fn an_overwritten_database_is_quarantined() {
    let w = damage_under_a_worker(|w| {
        remove_database(w);
        fs::write(w.data().join("memctl.db"), "no database ".repeat(9999)).unwrap();
    });
    assert_eq!(quarantined(&w), 1);
}

/// A disk that loses writes can leave a file of the right length that contains only zeros.
#[test]
fn a_database_of_zeros_is_quarantined() {
    let w = damage_under_a_worker(|w| {
        let path = w.data().join("memctl.db");
        let length = fs::metadata(&path).unwrap().len() as usize;
        remove_database(w);
        fs::write(&path, vec![0; length.max(4096)]).unwrap();
    });
    assert_eq!(quarantined(&w), 1);
}

/// SQLite treats an empty file as a new database.
#[test]
fn a_truncated_database_is_recreated() {
    let w = World::new();
    w.hooks(&session_events("session-00"));
    w.settle();
    remove_database(&w);
    fs::write(w.data().join("memctl.db"), "").unwrap();
    run_in_parallel(&w, 6);
    assert_all_stored(&w, 6);
}

/// Simulates a file system without shared memory: the WAL index cannot be opened.
fn break_shared_memory(w: &World) {
    fs::create_dir_all(w.data()).unwrap();
    std::os::unix::fs::symlink("nowhere", w.data().join("memctl.db-shm")).unwrap();
}

#[test]
fn without_shared_memory_the_store_uses_a_rollback_journal_and_status_reports_it() {
    let w = World::new();
    break_shared_memory(&w);
    run_in_parallel(&w, 8);
    // A worker that finds the file locked logs a warning and retries.
    assert_all_stored_with_warnings(&w, 8);
    let journal = |w: &World| {
        let conn = w.store();
        conn.query_row("PRAGMA journal_mode", [], |r| r.get::<_, String>(0)).unwrap()
    };
    assert_ne!(journal(&w), "wal");
    let output = w.memctl(&["status"]).ok();
    assert!(output.contains("does not support a write-ahead log"), "{output}");
    assert!(w.memctl(&["show", "p1"]).code == Some(0));
    let ordinary = World::new();
    ordinary.hooks(&session_events("session-00"));
    ordinary.settle();
    assert_eq!(journal(&ordinary), "wal");
    assert!(!ordinary.memctl(&["status"]).ok().contains("write-ahead"));
}

/// The data directory moves to a file system without shared memory.
#[test]
fn a_wal_database_works_on_a_file_system_without_shared_memory() {
    let w = World::new();
    w.hooks(&session_events("session-00"));
    w.settle();
    let _ = fs::remove_file(w.data().join("memctl.db-shm"));
    break_shared_memory(&w);
    w.hooks(&[prompt("session-00", "t2", "again"), stop("session-00", "t2", "Done.")]);
    w.hook(&end("session-00"));
    w.settle();
    assert_eq!(w.count(SUMMARIES), 2);
    assert!(w.memctl(&["status"]).ok().contains("does not support a write-ahead log"));
}
