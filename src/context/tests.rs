use super::*;

fn open() -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(include_str!("../store/schema/001-tables.sql")).unwrap();
    conn.execute_batch(include_str!("../store/schema/006-provenance.sql")).unwrap();
    conn.execute_batch(
        "INSERT INTO projects (id, name, root) VALUES (1, 'one', '/one'), (2, 'two', '/two');
         INSERT INTO sessions (id, uuid, client, content_session_id, started_at_epoch, last_event_epoch)
           VALUES (1, 'sa', 'c', 'a', 0, 0), (2, 'sb', 'c', 'b', 0, 0), (3, 'sc', 'c', 'c', 0, 0);",
    )
    .unwrap();
    conn
}

/// Inserts an observation that was created and last changed at `epoch`.
fn observe(conn: &Connection, id: i64, project: i64, session: i64, title: &str, epoch: i64) {
    conn.execute(
        "INSERT INTO observations (id, uuid, session_id, project_id, origin, type, title, backend,
           content_hash, created_at_epoch, changed_at_epoch)
         VALUES (?1, 'o' || ?1, ?2, ?3, 'tool', 'change', ?4, 'extractive', ?1, ?5, ?5)",
        (id, session, project, title, epoch),
    )
    .unwrap();
}

fn summarize(conn: &Connection, id: i64, session: i64, request: &str, epoch: i64) {
    conn.execute(
        "INSERT INTO session_summaries (id, uuid, session_id, project_id, prompt_number, request,
           backend, created_at_epoch, changed_at_epoch)
         VALUES (?1, 's' || ?1, ?2, 1, ?1, ?3, 'extractive', ?4, ?4)",
        (id, session, request, epoch),
    )
    .unwrap();
}

fn query() -> Query {
    Query { project_id: Some(1), max_tokens: 2000, ..Default::default() }
}

#[track_caller]
fn check(conn: &Connection, query: &Query, present: &[&str], absent: &[&str]) {
    let text = build(conn, query).unwrap().text;
    for part in present {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    for part in absent {
        assert!(!text.contains(part), "{part:?} is in the block:\n{text}");
    }
}

#[test]
fn the_block_is_empty_without_rows() {
    let conn = open();
    assert_eq!(build(&conn, &query()).unwrap(), Block::default());
    observe(&conn, 1, 2, 1, "of another project", 10);
    assert_eq!(build(&conn, &query()).unwrap(), Block::default());
    assert_eq!(build(&conn, &Query { project_id: None, ..query() }).unwrap(), Block::default());
}

#[test]
fn rows_of_the_project_and_of_scope_user_are_selected() {
    let conn = open();
    summarize(&conn, 1, 1, "build a parser", 10);
    summarize(&conn, 2, 2, "private matter", 20);
    observe(&conn, 1, 1, 1, "parser built", 10);
    observe(&conn, 2, 2, 1, "of another project", 20);
    observe(&conn, 3, 2, 1, "prefers tabs", 30);
    observe(&conn, 4, 1, 1, "from some page", 40);
    observe(&conn, 5, 1, 1, "superseded one", 50);
    conn.execute_batch(
        "UPDATE session_summaries SET hidden = 1 WHERE id = 2;
         UPDATE observations SET scope = 'user' WHERE id = 3;
         UPDATE observations SET origin = 'web', pinned = 1 WHERE id = 4;
         UPDATE observations SET superseded_by = 'o1', pinned = 1 WHERE id = 5;",
    )
    .unwrap();
    let hidden = ["private matter", "of another project", "from some page", "superseded one"];
    check(&conn, &query(), &["build a parser", "parser built", "prefers tabs"], &hidden);
    assert_eq!(build(&conn, &query()).unwrap().newest_epoch, Some(30));
    let nowhere = Query { project_id: None, ..query() };
    check(&conn, &nowhere, &["prefers tabs"], &["parser", "of another project"]);
}

#[test]
fn a_continued_conversation_gets_only_rows_it_has_not_seen() {
    let conn = open();
    summarize(&conn, 1, 1, "seen before", 10);
    summarize(&conn, 2, 2, "of another session", 30);
    summarize(&conn, 3, 3, "of its own", 40);
    observe(&conn, 1, 1, 2, "old title", 20);
    observe(&conn, 2, 1, 2, "new title", 35);
    let resumed = Query { newer_than: Some(20), not_sessions: vec![3], ..query() };
    let old = ["seen before", "of its own", "old title"];
    check(&conn, &resumed, &["of another session", "new title"], &old);
    assert_eq!(build(&conn, &resumed).unwrap().newest_epoch, Some(35));

    let up_to_date = Query { newer_than: Some(35), not_sessions: vec![3], ..query() };
    assert_eq!(build(&conn, &up_to_date).unwrap(), Block::default());

    // The configured backend has replaced a provisional summary.
    conn.execute("UPDATE session_summaries SET changed_at_epoch = 50 WHERE id = 1", []).unwrap();
    check(&conn, &up_to_date, &["seen before"], &["new title"]);
}

#[test]
fn an_old_row_is_selected_if_its_file_changed_or_it_is_pinned() {
    let conn = open();
    let tx = conn.unchecked_transaction().unwrap();
    observe(&conn, 1, 1, 1, "the lexer knows nested comments", 10);
    conn.execute_batch(
        "UPDATE observations SET files_modified = '[\"src/lexer.rs\"]';
         INSERT INTO observation_files (observation_id, path, role) VALUES (1, 'src/lexer.rs', 'modified')",
    )
    .unwrap();
    for id in 2..=(NEWEST as i64 + 2) {
        observe(&conn, id, 1, 1, &format!("number{id}"), 10);
    }
    tx.commit().unwrap();
    check(&conn, &query(), &["number202"], &["the lexer knows"]);
    let edited = Query { changed_files: vec!["src/lexer.rs".into()], ..query() };
    check(&conn, &edited, &["the lexer knows", "number202"], &[]);
    conn.execute("UPDATE observations SET pinned = 1 WHERE id = 1", []).unwrap();
    check(&conn, &query(), &["the lexer knows"], &[]);
}

#[test]
fn the_same_rows_give_the_same_bytes() {
    let conn = open();
    for id in 1..=60 {
        observe(&conn, id, 1, 1, &format!("title number{id}"), id * 40_000_000);
        summarize(&conn, id, 1 + id % 3, &format!("request number{id}"), id * 40_000_000);
    }
    let with_changed = |changed: &[&str]| Query {
        branch: Some("feature/number7".into()),
        changed_files: changed.iter().map(|f| f.to_string()).collect(),
        ..query()
    };
    let first = build(&conn, &with_changed(&["a", "b"])).unwrap();
    assert_eq!(build(&conn, &with_changed(&["a", "b"])).unwrap(), first);
    assert_eq!(build(&conn, &with_changed(&["b", "a"])).unwrap(), first);
    assert!(first.text.contains("title number7\n"), "{}", first.text);
}
