use memctl_proto::event::{Event, Kind, Project};
use rusqlite::Connection;

use super::*;
use crate::store::accept::accept;
use crate::store::forget::{ForgetFilter, forget};
use crate::store::forgotten::is_marked_purged;
use crate::store::project_changes;
use crate::store::testing::{in_memory_db, write};
use crate::store::tombstones;

fn event(session: &str, kind: Kind, at: i64, dir: &str) -> Event {
    let mut event = Event::new(kind, "c", session, at);
    event.text = Some(format!("text of {session}"));
    event.project =
        Some(Project { keys: vec![format!("dir:{dir}")], name: dir.into(), root: dir.into() });
    event
}

fn locked(conn: &mut Connection) -> Locked<'_> {
    Locked { conn, file: None }
}

/// A database with the session `s` of the project `/a`, which was forgotten at 100 and can be
/// restored until 200.
fn forgotten_session() -> Connection {
    let mut conn = in_memory_db();
    write(&mut conn, |tx| accept(tx, &event("s", Kind::Prompt, 10, "/a"), None, 10));
    let mut set = ForgetSet::default();
    let filter = ForgetFilter { project: Some(1), ..ForgetFilter::default() };
    set.add_matching(&conn, &filter).unwrap();
    forget(&mut locked(&mut conn), &set, Some(200), 100, &|| {}).unwrap();
    conn
}

fn undo(conn: &mut Connection) -> restore::Restored {
    let newest = list(conn).unwrap()[0];
    restore::restore(&mut locked(conn), newest).unwrap()
}

fn texts(conn: &Connection, sql: &str) -> Vec<String> {
    let mut rows = conn.prepare(sql).unwrap();
    rows.query_map([], |r| r.get(0)).unwrap().map(|r| r.unwrap()).collect()
}

#[test]
fn an_undo_ends_at_its_time_even_if_the_clock_is_set_back() {
    let mut conn = forgotten_session();
    assert!(!end_expired(&mut locked(&mut conn), 199).unwrap());
    assert_eq!(list(&conn).unwrap().len(), 1);
    // The clock was far ahead, and the period of 100 starts again.
    let now = -MAX_AHEAD;
    assert!(!end_expired(&mut locked(&mut conn), now).unwrap());
    let again = Forgotten { id: 1, at_epoch: now, until_epoch: now + 100 };
    assert_eq!(list(&conn).unwrap(), [again]);
    assert!(!is_marked_purged(&conn).unwrap());
    assert!(end_expired(&mut locked(&mut conn), now + 100).unwrap());
    assert!(list(&conn).unwrap().is_empty());
    assert!(is_marked_purged(&conn).unwrap(), "the database must be rewritten");
}

#[test]
fn what_is_restored_belongs_to_the_project_that_its_directory_has_joined() {
    let mut conn = forgotten_session();
    write(&mut conn, |tx| accept(tx, &event("t", Kind::Prompt, 110, "/a"), None, 110));
    write(&mut conn, |tx| accept(tx, &event("u", Kind::Prompt, 110, "/b"), None, 110));
    let id = "SELECT id || name FROM projects WHERE merged_into IS NULL ORDER BY 1";
    assert_eq!(texts(&conn, id), ["1/a", "2/b"]);
    let claimed = Project { keys: vec!["dir:/a".into()], ..Project::default() };
    let link = project_changes::link(&conn, &claimed, 2).unwrap();
    write(&mut conn, |tx| project_changes::apply(tx, link, 120));
    while write(&mut conn, |tx| project_changes::move_piece(tx, 120)) {}
    assert_eq!(texts(&conn, id), ["2/b"]);
    undo(&mut conn);
    let projects = "SELECT content_session_id || p.name FROM sessions s
       JOIN projects p ON p.id = s.project_id ORDER BY 1";
    assert_eq!(texts(&conn, projects), ["s/b", "t/b", "u/b"]);
    assert_eq!(texts(&conn, "SELECT \"table\" FROM pragma_foreign_key_check"), [] as [&str; 0]);
}

#[test]
fn a_newer_row_keeps_its_place() {
    let mut conn = in_memory_db();
    write(&mut conn, |tx| accept(tx, &event("s", Kind::Prompt, 10, "/a"), None, 10));
    let summary = |conn: &mut Connection, request: &str| {
        let sql = format!(
            "INSERT INTO session_summaries (id, uuid, session_id, project_id, prompt_number,
               request, backend, created_at_epoch, changed_at_epoch)
             VALUES ({}, '{request}', 1, 1, 1, '{request}', 'b', 20, 20)",
            tombstones::UNUSED_SUMMARY
        );
        conn.execute_batch(&sql).unwrap();
    };
    summary(&mut conn, "first");
    let mut set = ForgetSet::default();
    set.add_summary(&conn, 1).unwrap();
    forget(&mut locked(&mut conn), &set, Some(200), 100, &|| {}).unwrap();
    summary(&mut conn, "second");
    let restored = undo(&mut conn);
    assert_eq!((restored.set.count().summaries, restored.left_out), (0, 1));
    assert_eq!(texts(&conn, "SELECT id || request FROM session_summaries"), ["2second"]);
    assert!(list(&conn).unwrap().is_empty());
}

#[test]
fn a_message_gets_no_id_of_a_forgotten_one() {
    let mut conn = in_memory_db();
    for (session, at) in [("s", 10), ("t", 20)] {
        write(&mut conn, |tx| accept(tx, &event(session, Kind::Prompt, at, "/a"), None, at));
        write(&mut conn, |tx| accept(tx, &event(session, Kind::Stop, at + 1, "/a"), None, at));
    }
    let mut set = ForgetSet::default();
    set.add_session(&conn, 2).unwrap();
    forget(&mut locked(&mut conn), &set, Some(200), 100, &|| {}).unwrap();
    write(&mut conn, |tx| accept(tx, &event("s", Kind::Finalize, 110, "/a"), None, 110));
    write(&mut conn, |tx| accept(tx, &event("u", Kind::Prompt, 110, "/a"), None, 110));
    let restored = undo(&mut conn);
    assert_eq!(restored.set.count().events, 1);
    let messages = "SELECT m.id || s.id || m.content_session_id FROM pending_messages m
       JOIN sessions s ON s.id = m.session_id ORDER BY m.id";
    assert_eq!(texts(&conn, messages), ["11s", "22t", "31s"]);
    assert_eq!(texts(&conn, "SELECT id || content_session_id FROM sessions"), ["1s", "2t", "3u"]);
}
