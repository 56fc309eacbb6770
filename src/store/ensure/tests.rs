use super::*;
use crate::store::testing::in_memory_db;

/// The names of all columns, indexes and triggers, sorted.
fn shape(conn: &Connection) -> Vec<String> {
    let mut rows = conn
        .prepare(
            "SELECT t.name || '.' || c.name FROM pragma_table_list t, pragma_table_info(t.name) c
             WHERE t.schema = 'main' AND t.type = 'table'
             UNION ALL SELECT type || ' ' || name FROM sqlite_schema WHERE type <> 'table'
               AND sql NOTNULL
             ORDER BY 1",
        )
        .unwrap();
    rows.query_map([], |r| r.get(0)).unwrap().map(|r| r.unwrap()).collect()
}

/// Rows for the tables that these tests change.
const ROWS: &str = "
  INSERT INTO projects (id, name, root) VALUES (1, 'p', '/p');
  INSERT INTO sessions (id, uuid, client, content_session_id, prompt_counter, project_id,
    started_at_epoch, last_event_epoch) VALUES (1, 'us1', 'c', 's', 1, 1, 5, 6);
  INSERT INTO user_prompts (id, uuid, event_id, session_id, prompt_number, prompt_text,
    created_at_epoch) VALUES (1, 'up1', 'e1', 1, 1, 'text', 5);
  INSERT INTO pending_messages (id, event_id, session_id, content_session_id, message_type, event,
    tool_use_id, created_at_epoch) VALUES (1, 'm1', 1, 's', 'observation', 'tool', 'u', 5),
      (2, 'm2', 1, 's', 'observation', 'tool', 'u2', 5);
  INSERT INTO observations (id, uuid, session_id, origin, type, title, backend, content_hash,
    created_at_epoch, changed_at_epoch) VALUES (1, 'uo1', 1, 'user', 't', 'title', 'b', 'h', 5, 5);
  INSERT INTO observation_sources VALUES (1, 1);";

fn texts(conn: &Connection, sql: &str) -> Vec<String> {
    let mut rows = conn.prepare(sql).unwrap();
    rows.query_map([], |r| r.get(0)).unwrap().map(|r| r.unwrap()).collect()
}

/// Runs `damage` on a database with rows, repairs it, and checks that the schema is complete and no
/// row is lost.
fn repaired(damage: &str) -> Connection {
    let mut conn = in_memory_db();
    conn.execute_batch(ROWS).unwrap();
    assert!(is_current(&conn).unwrap());
    let complete = shape(&conn);
    conn.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    conn.execute_batch(damage).unwrap_or_else(|e| panic!("{damage}: {e}"));
    conn.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    assert_eq!(refuse_newer(&conn).unwrap(), VERSION, "the damage keeps the version");
    ensure(&mut conn, Journal::Wal).unwrap_or_else(|e| panic!("{damage}: {e}"));
    let missing: Vec<String> =
        complete.into_iter().filter(|part| !shape(&conn).contains(part)).collect();
    assert!(missing.is_empty(), "{damage}: {missing:?}");
    assert!(texts(&conn, "SELECT \"table\" FROM pragma_foreign_key_check").is_empty(), "{damage}");
    let counts = "SELECT count(*) || '' FROM user_prompts UNION ALL
                  SELECT count(*) || '' FROM pending_messages WHERE id <= 2 UNION ALL
                  SELECT count(*) || '' FROM observations WHERE id = 1";
    assert_eq!(texts(&conn, counts), ["1", "2", "1"], "{damage}: nothing is lost");
    let before = shape(&conn);
    ensure(&mut conn, Journal::Wal).unwrap();
    assert_eq!(shape(&conn), before, "{damage}: a second run changes nothing");
    conn
}

#[test]
fn missing_parts_of_the_schema_are_added() {
    repaired("");
    repaired("DROP TABLE session_summaries");
    repaired("DROP TABLE meta");
    repaired("DROP INDEX user_prompts_number; DROP INDEX observations_content");
    repaired("ALTER TABLE sessions DROP COLUMN context_epoch");
    repaired(
        "DROP INDEX user_prompts_open; ALTER TABLE user_prompts DROP COLUMN finalized_at_epoch",
    );
    repaired("ALTER TABLE observations DROP COLUMN narrative; DROP TABLE observation_files");
    repaired("ALTER TABLE pending_messages DROP COLUMN files");
    let conn = repaired("ALTER TABLE pending_messages DROP COLUMN claims");
    assert_eq!(texts(&conn, "SELECT claims || '' FROM pending_messages"), ["0", "0"]);
    // A column that is NOT NULL and has no default.
    let conn = repaired("ALTER TABLE observations DROP COLUMN title");
    assert_eq!(texts(&conn, "SELECT title FROM observations"), [""]);
    // A missing id column gets new, unique ids.
    let conn = repaired(
        "DROP INDEX pending_messages_event; ALTER TABLE pending_messages DROP COLUMN event_id",
    );
    assert_eq!(texts(&conn, "SELECT DISTINCT event_id FROM pending_messages").len(), 2);
    // An index whose SQL differs is replaced.
    let conn = repaired(
        "DROP INDEX user_prompts_event; CREATE INDEX user_prompts_event ON user_prompts(turn_id)",
    );
    let sql = texts(&conn, "SELECT sql FROM sqlite_schema WHERE name = 'user_prompts_event'");
    assert!(sql[0].contains("UNIQUE"));
}

#[test]
fn an_empty_file_gets_the_whole_schema() {
    let mut conn = Connection::open_in_memory().unwrap();
    ensure(&mut conn, Journal::Wal).unwrap();
    assert_eq!(shape(&conn), shape(&in_memory_db()));
    // A schema without a stamp, with rows.
    let conn = repaired(&format!("PRAGMA user_version = {VERSION}; DELETE FROM meta"));
    assert_eq!(texts(&conn, "SELECT prompt_text FROM user_prompts"), ["text"]);
}

#[test]
fn a_database_of_an_earlier_version_gets_the_missing_steps() {
    for n in 1..STEPS.len() {
        let mut conn = Connection::open_in_memory().unwrap();
        for step in &STEPS[..n] {
            conn.execute_batch(step).unwrap();
        }
        conn.execute_batch(ROWS).unwrap();
        conn.pragma_update(None, "user_version", n as i64).unwrap();
        assert!(!is_current(&conn).unwrap());
        ensure(&mut conn, Journal::Wal).unwrap();
        assert!(is_current(&conn).unwrap());
        assert_eq!(shape(&conn), shape(&in_memory_db()), "from version {n}");
        assert_eq!(texts(&conn, "SELECT prompt_text FROM user_prompts"), ["text"]);
    }
}

#[test]
fn a_new_unique_index_removes_duplicates() {
    let conn = repaired(
        "DROP INDEX pending_messages_tool_use; DROP INDEX observations_content;
         INSERT INTO pending_messages (id, event_id, session_id, content_session_id, message_type,
           event, tool_use_id, created_at_epoch)
           VALUES (3, 'm3', 1, 's', 'observation', 'tool', 'u', 5),
                  (4, 'm4', 1, 's', 'observation', 'tool', NULL, 5),
                  (5, 'm5', 1, 's', 'observation', 'tool', NULL, 5),
                  (6, 'm6', 1, 's', 'summarize', 'stop', 'u', 5);
         INSERT INTO observations (id, uuid, external_id, session_id, origin, type, title, backend,
           content_hash, created_at_epoch, changed_at_epoch)
           VALUES (2, 'uo2', NULL, 1, 'user', 't', 'again', 'b', 'h', 6, 6),
                  (3, 'uo3', 'x:1', 1, 'user', 't', 'imported', 'b', 'h', 6, 6);
         INSERT INTO observation_sources VALUES (2, 1), (2, 2), (2, 3)",
    );
    assert_eq!(
        texts(&conn, "SELECT event_id FROM pending_messages"),
        ["m1", "m2", "m4", "m5", "m6"]
    );
    assert_eq!(texts(&conn, "SELECT title FROM observations"), ["title", "imported"]);
    let sources = "SELECT observation_id || '-' || pending_message_id FROM observation_sources";
    assert_eq!(texts(&conn, sources), ["1-1", "1-2"]);
}

#[test]
fn two_rows_of_one_session_are_merged_and_every_prompt_is_kept() {
    let mut conn = in_memory_db();
    conn.execute_batch(ROWS).unwrap();
    conn.execute_batch(
        "DROP INDEX sessions_identity;
         INSERT INTO sessions (id, uuid, client, content_session_id, prompt_counter,
           started_at_epoch, last_event_epoch) VALUES (2, 'us2', 'c', 's', 2, 7, 8),
             (3, 'us3', 'other', 's', 0, 7, 8);
         INSERT INTO user_prompts (id, uuid, event_id, session_id, prompt_number, prompt_text,
           created_at_epoch) VALUES (2, 'up2', 'e2', 2, 1, 'b', 7), (3, 'up3', 'e3', 2, 2, 'c', 8);",
    )
    .unwrap();
    ensure(&mut conn, Journal::Wal).unwrap();
    let prompts = "SELECT session_id || ':' || prompt_number || prompt_text FROM user_prompts";
    assert_eq!(texts(&conn, prompts), ["1:1text", "1:2b", "1:3c"]);
    assert_eq!(texts(&conn, "SELECT id || '=' || prompt_counter FROM sessions"), ["1=3", "3=0"]);
}

#[test]
fn a_newer_database_is_refused_and_not_changed() {
    let mut conn = in_memory_db();
    conn.execute_batch(&format!("DROP TABLE meta; PRAGMA user_version = {}", VERSION + 1)).unwrap();
    let error = ensure(&mut conn, Journal::Wal).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found, known: VERSION } if found == VERSION + 1));
    assert!(columns(&conn, "meta").unwrap().is_empty());
}

#[test]
fn without_wal_support_the_journal_mode_is_truncate() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        // This VFS has no shared memory, so SQLite refuses WAL.
        let flags =
            rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_CREATE;
        let path = dir.path().join("m.db");
        Connection::open_with_flags_and_vfs(path, flags, c"unix-dotfile").unwrap()
    };
    let mut conn = open();
    ensure(&mut conn, Journal::Wal).unwrap();
    assert_eq!(texts(&conn, "PRAGMA journal_mode"), ["truncate"]);
    drop(conn);
    let conn = open();
    assert!(is_current(&conn).unwrap(), "the next connection needs no lock");
    assert_eq!(texts(&conn, "PRAGMA journal_mode"), ["truncate"]);
}
