use std::fs;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use memctl_proto::event::{Event, Kind};

use super::reader::read_only_shm;
use super::testing::{temp_paths, with_suffix};
use super::*;

const SHORT: Duration = Duration::from_millis(20);

fn sessions(conn: &Connection) -> i64 {
    conn.query_row("SELECT count(*) FROM sessions", [], |r| r.get(0)).unwrap()
}

fn prompt(store: &mut Store, session: &str) -> Result<accept::Accepted> {
    let event = Event::new(Kind::Prompt, "c", session, 1);
    store.write(|tx| accept::accept(tx, &event, None, 1))
}

#[test]
fn connections_that_open_at_once_create_one_database() {
    let (_dir, paths) = temp_paths();
    let start = Arc::new(Barrier::new(24));
    let threads: Vec<_> = (0..24)
        .map(|n| {
            let (paths, start) = (paths.clone(), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                let mut store = Store::open(&paths)?;
                prompt(&mut store, &format!("s{n}"))?;
                Store::open(&paths)?;
                Reader::open(&paths, BUSY).map(|r| r.is_some())
            })
        })
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap().unwrap());
    }
    let reader = Reader::open(&paths, SHORT).unwrap().unwrap();
    assert_eq!(sessions(reader.connection()), 24);
    let mode: String =
        reader.connection().query_row("PRAGMA journal_mode", [], |r| r.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn a_reader_refuses_a_newer_schema_and_ignores_an_older_one() {
    let (_dir, paths) = temp_paths();
    assert!(Reader::open(&paths, SHORT).unwrap().is_none());
    fs::write(paths.database(), "").unwrap();
    assert!(Reader::open(&paths, SHORT).unwrap().is_none(), "an empty file is an older schema");
    let mut store = Store::open(&paths).unwrap();
    let reader = Reader::open(&paths, SHORT).unwrap().unwrap();
    assert!(reader.connection().execute("DELETE FROM sessions", []).is_err());
    store.conn.pragma_update(None, "user_version", ensure::VERSION + 1).unwrap();
    for refused in [
        prompt(&mut store, "s").unwrap_err(),
        Reader::open(&paths, SHORT).err().unwrap(),
        Store::open(&paths).err().unwrap(),
    ] {
        assert!(matches!(refused, StoreError::Newer { .. }), "{refused}");
    }
    store.conn.pragma_update(None, "user_version", ensure::VERSION - 1).unwrap();
    assert!(Reader::open(&paths, SHORT).unwrap().is_none());
}

#[test]
fn a_hook_does_not_wait_for_a_slow_statement() {
    let (_dir, paths) = temp_paths();
    Store::open(&paths).unwrap();
    let since = Instant::now();
    let reader = Reader::open_within(&paths, Duration::from_millis(60)).unwrap().unwrap();
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)
      SELECT count(*) FROM n";
    let counted: rusqlite::Result<i64> =
        reader.connection().query_row(endless, [], |row| row.get(0));
    assert!(counted.is_err());
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(50) && took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn no_connection_prepares_a_statement_again_for_another_limit() {
    let (_dir, paths) = temp_paths();
    let store = Store::open(&paths).unwrap();
    let reader = Reader::open(&paths, SHORT).unwrap().unwrap();
    for conn in [store.connection(), reader.connection()] {
        let mut query = conn.prepare("SELECT id FROM sessions LIMIT ?1").unwrap();
        for limit in 1..4 {
            assert!(!query.exists([limit]).unwrap());
        }
        assert_eq!(query.get_status(rusqlite::StatementStatus::RePrepare), 0);
    }
}

#[test]
fn opening_restores_a_missing_column() {
    let (_dir, paths) = temp_paths();
    let mut store = Store::open(&paths).unwrap();
    prompt(&mut store, "s").unwrap();
    store.conn.execute_batch("ALTER TABLE sessions DROP COLUMN backend").unwrap();
    drop(store);
    let store = Store::open(&paths).unwrap();
    let found: Option<String> =
        store.connection().query_row("SELECT backend FROM sessions", [], |r| r.get(0)).unwrap();
    assert_eq!(found, None);
    drop(store);
    // A current schema needs no lock to open.
    let mut lock = StoreLock::default();
    let _lock = lock.acquire(&paths, LockWait::Forever).unwrap();
    assert!(Store::open_within(&paths, LockWait::Within(Duration::ZERO)).is_ok());
}

#[test]
fn a_write_follows_the_database_to_a_new_file() {
    let (dir, paths) = temp_paths();
    let mut store = Store::open(&paths).unwrap();
    prompt(&mut store, "old").unwrap();
    let moved = dir.path().join("moved");
    fs::create_dir(&moved).unwrap();
    let _ = fs::rename(with_suffix(paths.database(), "-wal"), moved.join("memctl.db-wal"));
    fs::rename(paths.database(), moved.join("memctl.db")).unwrap();
    fs::remove_file(paths.data().join("memctl.db-shm")).unwrap();
    prompt(&mut store, "new").unwrap();
    let name: String = store
        .connection()
        .query_row("SELECT content_session_id FROM sessions", [], |r| r.get(0))
        .unwrap();
    assert_eq!(name, "new");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_not_changed() {
    let (_dir, paths) = temp_paths();
    let garbage = "not a database ".repeat(99);
    fs::write(paths.database(), &garbage).unwrap();
    let error = Store::open(&paths).err().unwrap();
    assert!(error.is_corruption(), "{error}");
    assert!(Reader::open(&paths, SHORT).err().unwrap().is_corruption());
    assert_eq!(fs::read_to_string(paths.database()).unwrap(), garbage);

    let (_dir, paths) = temp_paths();
    fs::create_dir(paths.database()).unwrap();
    let error = Store::open(&paths).err().unwrap();
    assert!(
        matches!(error, StoreError::Fault { kind: StoreFault::CannotOpen, .. }),
        "a directory at the path: {error}"
    );
}

#[test]
fn a_full_disk_rolls_the_transaction_back() {
    let (_dir, paths) = temp_paths();
    let mut store = Store::open(&paths).unwrap();
    prompt(&mut store, "s").unwrap();
    store.conn.execute_batch("PRAGMA max_page_count = 1").unwrap();
    let error = store
        .write(|tx| {
            tx.execute("INSERT INTO projects (name, root) VALUES ('x', '/')", [])?;
            notices::put(tx, "large", &"x".repeat(1 << 20))
        })
        .unwrap_err();
    assert!(matches!(error, StoreError::Fault { kind: StoreFault::Full, .. }), "{error}");
    store.conn.execute_batch("PRAGMA max_page_count = 100000").unwrap();
    let rows: i64 =
        store.conn.query_row("SELECT count(*) FROM projects", [], |r| r.get(0)).unwrap();
    assert_eq!(rows, 0);
    prompt(&mut store, "another").unwrap();
}

#[test]
fn a_rollback_undoes_taking_the_token() {
    let (_dir, paths) = temp_paths();
    let mut store = Store::open(&paths).unwrap();
    prompt(&mut store, "s").unwrap();
    let (mut first, mut second) = (Fence::new("c", "s"), Fence::new("c", "s"));
    let failed: Result<()> =
        store.fenced(&mut first, 1, |_, _| Err(StoreError::Bug("for the test".into())));
    assert!(failed.is_err());
    assert_eq!(store.fenced(&mut second, 1, |_, id| Ok(id)).unwrap(), Some(1));
    // The first fence lost its token with the rollback, so it takes a new one and fences the
    // second.
    assert_eq!(store.fenced(&mut first, 1, |_, id| Ok(id)).unwrap(), Some(1));
    assert!(matches!(store.fenced(&mut second, 1, |_, _| Ok(())), Err(StoreError::Fenced)));
}

#[test]
fn files_are_readable_only_by_their_owner() {
    let (_dir, paths) = temp_paths();
    let mut store = Store::open(&paths).unwrap();
    prompt(&mut store, "s").unwrap();
    for place in [paths.database(), paths.store_lock()].into_iter().chain(paths.database_files()) {
        let Ok(stat) = place.stat() else { continue };
        assert_eq!(stat.mode, 0o600, "{place}");
    }
}

/// Draining a spool commits, unlinks files and commits again under one lock.
#[test]
fn several_transactions_run_under_one_lock() {
    let (_dir, paths) = temp_paths();
    let mut store = Store::open(&paths).unwrap();
    let mut other = Store::open_within(&paths, LockWait::Within(SHORT)).unwrap();
    store
        .locked(|locked| {
            locked.write(|tx| notices::put(tx, "first", ""))?;
            let reader = Reader::open(&paths, SHORT)?.unwrap();
            assert_eq!(notices::list(reader.connection())?.len(), 1, "already committed");
            assert!(matches!(prompt(&mut other, "s"), Err(StoreError::Busy(_))));
            locked.write(|tx| notices::put(tx, "second", ""))
        })
        .unwrap();
    assert_eq!(notices::list(store.connection()).unwrap().len(), 2);
    prompt(&mut other, "s").unwrap();
}

/// The database is deleted, and another worker creates the session in a new one, where generations
/// start from 1 again.
#[test]
fn a_token_is_dropped_if_another_file_replaced_the_database() {
    let (_dir, paths) = temp_paths();
    let mut store = Store::open(&paths).unwrap();
    let (mut old, mut new) = (Fence::new("c", "s"), Fence::new("c", "s"));
    prompt(&mut store, "s").unwrap();
    store.fenced(&mut old, 1, |_, _| Ok(())).unwrap();
    for file in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(with_suffix(paths.database(), file));
    }
    let mut other = Store::open(&paths).unwrap();
    prompt(&mut other, "s").unwrap();
    other.fenced(&mut new, 1, |_, _| Ok(())).unwrap();
    let generation = |tx: &Transaction, _| {
        Ok(tx.query_row("SELECT generation FROM sessions", [], |r| r.get::<_, i64>(0))?)
    };
    assert_eq!(store.fenced(&mut old, 1, generation).unwrap(), 2, "it takes a new token");
    assert!(matches!(other.fenced(&mut new, 1, |_, _| Ok(())), Err(StoreError::Fenced)));
}

/// On a full disk, the wal-index cannot be allocated in `-shm`.
#[test]
fn a_reader_with_a_read_only_shm_reads_the_wal() {
    let (dir, paths) = temp_paths();
    let mut store = Store::open(&paths).unwrap();
    prompt(&mut store, "s").unwrap();
    // The files as a killed process leaves them, with a name that a URI must escape.
    let copy = dir.path().join("100% #1?.db");
    fs::copy(paths.database(), &copy).unwrap();
    fs::copy(with_suffix(paths.database(), "-wal"), with_suffix(&copy, "-wal")).unwrap();
    fs::write(with_suffix(&copy, "-shm"), "").unwrap();
    let uri = read_only_shm(&copy);
    let reader = Reader::connect(&uri, OpenFlags::SQLITE_OPEN_URI, SHORT).unwrap().unwrap();
    assert_eq!(sessions(reader.connection()), 1);
    assert_eq!(fs::metadata(with_suffix(&copy, "-shm")).unwrap().len(), 0, "nothing was allocated");
}
