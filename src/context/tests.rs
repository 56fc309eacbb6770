use super::*;

fn open() -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(include_str!("../store/schema/001-tables.sql")).unwrap();
    conn.execute_batch(
        "INSERT INTO projects (id, name, root) VALUES (1, 'one', '/one'), (2, 'two', '/two');
         INSERT INTO sessions (id, uuid, client, content_session_id, started_at_epoch, last_event_epoch)
           VALUES (1, 'sa', 'c', 'a', 0, 0), (2, 'sb', 'c', 'b', 0, 0), (3, 'sc', 'c', 'c', 0, 0);",
    )
    .unwrap();
    conn
}

/// An observation of the given project and session, made and changed at `epoch`.
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

fn ask() -> Ask {
    Ask { project_id: Some(1), tokens: 2000, ..Default::default() }
}

#[track_caller]
fn check(conn: &Connection, ask: &Ask, told: &[&str], untold: &[&str]) {
    let text = tell(conn, ask).unwrap().text;
    for part in told {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    for part in untold {
        assert!(!text.contains(part), "{part:?} is told:\n{text}");
    }
}

#[test]
fn nothing_stored_is_nothing_told() {
    let conn = open();
    assert_eq!(tell(&conn, &ask()).unwrap(), Context::default());
    observe(&conn, 1, 2, 1, "of another project", 10);
    assert_eq!(tell(&conn, &ask()).unwrap(), Context::default());
    assert_eq!(tell(&conn, &Ask { project_id: None, ..ask() }).unwrap(), Context::default());
}

#[test]
fn the_project_and_what_follows_the_user() {
    let conn = open();
    summarize(&conn, 1, 1, "build a parser", 10);
    summarize(&conn, 2, 2, "private matter", 20);
    observe(&conn, 1, 1, 1, "parser built", 10);
    observe(&conn, 2, 2, 1, "of another project", 20);
    observe(&conn, 3, 2, 1, "prefers tabs", 30);
    observe(&conn, 4, 1, 1, "from some page", 40);
    observe(&conn, 5, 1, 1, "taken back", 50);
    conn.execute_batch(
        "UPDATE session_summaries SET hidden = 1 WHERE id = 2;
         UPDATE observations SET scope = 'user' WHERE id = 3;
         UPDATE observations SET origin = 'web', pinned = 1 WHERE id = 4;
         UPDATE observations SET superseded_by = 'o1', pinned = 1 WHERE id = 5;",
    )
    .unwrap();
    let hidden = ["private matter", "of another project", "from some page", "taken back"];
    check(&conn, &ask(), &["build a parser", "parser built", "prefers tabs"], &hidden);
    assert_eq!(tell(&conn, &ask()).unwrap().newest_epoch, Some(30));
    let nowhere = Ask { project_id: None, ..ask() };
    check(&conn, &nowhere, &["prefers tabs"], &["parser", "of another project"]);
}

#[test]
fn a_conversation_that_goes_on_is_told_what_it_has_not_seen() {
    let conn = open();
    summarize(&conn, 1, 1, "seen before", 10);
    summarize(&conn, 2, 2, "made by another session", 30);
    summarize(&conn, 3, 3, "made by itself", 40);
    observe(&conn, 1, 1, 2, "old title", 20);
    observe(&conn, 2, 1, 2, "new title", 35);
    let resumed = Ask { newer_than: Some(20), not_sessions: vec![3], ..ask() };
    let old = ["seen before", "made by itself", "old title"];
    check(&conn, &resumed, &["made by another session", "new title"], &old);
    assert_eq!(tell(&conn, &resumed).unwrap().newest_epoch, Some(35));

    let told = Ask { newer_than: Some(35), not_sessions: vec![3], ..ask() };
    assert_eq!(tell(&conn, &told).unwrap(), Context::default());

    // A provisional summary that the configured backend has written anew is news.
    conn.execute("UPDATE session_summaries SET changed_at_epoch = 50 WHERE id = 1", []).unwrap();
    check(&conn, &told, &["seen before"], &["new title"]);
}

#[test]
fn old_rows_come_back_with_their_file() {
    let conn = open();
    let fill = conn.unchecked_transaction().unwrap();
    observe(&conn, 1, 1, 1, "the lexer knows nested comments", 10);
    conn.execute_batch(
        "UPDATE observations SET files_modified = '[\"src/lexer.rs\"]';
         INSERT INTO observation_files (observation_id, path, role) VALUES (1, 'src/lexer.rs', 'modified')",
    )
    .unwrap();
    for id in 2..=(NEWEST as i64 + 2) {
        observe(&conn, id, 1, 1, &format!("number{id}"), 10);
    }
    fill.commit().unwrap();
    check(&conn, &ask(), &["number202"], &["the lexer knows"]);
    let edited = Ask { changed_files: vec!["src/lexer.rs".into()], ..ask() };
    check(&conn, &edited, &["the lexer knows", "number202"], &[]);
    conn.execute("UPDATE observations SET pinned = 1 WHERE id = 1", []).unwrap();
    check(&conn, &ask(), &["the lexer knows"], &[]);
}

#[test]
fn the_same_memory_gives_the_same_bytes() {
    let conn = open();
    for id in 1..=60 {
        observe(&conn, id, 1, 1, &format!("title number{id}"), id * 40_000_000);
        summarize(&conn, id, 1 + id % 3, &format!("request number{id}"), id * 40_000_000);
    }
    let ask = |changed: &[&str]| Ask {
        branch: Some("feature/number7".into()),
        changed_files: changed.iter().map(|f| f.to_string()).collect(),
        ..ask()
    };
    let first = tell(&conn, &ask(&["a", "b"])).unwrap();
    assert_eq!(tell(&conn, &ask(&["a", "b"])).unwrap(), first);
    assert_eq!(tell(&conn, &ask(&["b", "a"])).unwrap(), first);
    assert!(first.text.contains("title number7\n"), "{}", first.text);
}
