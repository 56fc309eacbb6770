use memctl_proto::event::{Event, Kind};

use super::*;
use crate::store::accept::accept;
use crate::store::testing::{in_memory_db, write};

/// A database with one prompt per (client, session), at increasing times.
fn with_prompts(ids: &[(&str, &str)]) -> Connection {
    let mut conn = in_memory_db();
    for (i, (client, id)) in ids.iter().enumerate() {
        let event = Event::new(Kind::Prompt, client, id, i as i64);
        write(&mut conn, |tx| accept(tx, &event, None, 1000));
    }
    conn
}

#[test]
fn a_unique_prefix_finds_a_session() {
    let ids = [
        ("c", "abc-1"),
        ("c", "abd-2"),
        ("c", "abd-22"),
        ("d", "abc-1"),
        ("c", "a%"),
        ("c", "x:y"),
    ];
    let conn = with_prompts(&ids);
    let check = |prefix: &str, expected: &[&str]| {
        let found = match by_prefix(&conn, prefix).unwrap() {
            PrefixMatch::None => Vec::new(),
            PrefixMatch::One(session) => vec![*session],
            PrefixMatch::Many(sessions) => sessions,
        };
        let found: Vec<&str> = found.iter().map(|s| s.content_session_id.as_str()).collect();
        assert_eq!(found, expected, "{prefix}");
    };
    check("abd", &["abd-22", "abd-2"]);
    check("abd-2", &["abd-2"]);
    check("abd-22", &["abd-22"]);
    check("abc", &["abc-1", "abc-1"]);
    check("a%", &["a%"]);
    check("%", &[]);
    check("", &[]);
    check("abd-222", &[]);
    check("d:abc-1", &["abc-1"]);
    check("d:a", &["abc-1"]);
    check("c:abd-2", &["abd-2"]);
    check("d:abd", &[]);
    check("c:", &[]);
    check("x:y", &["x:y"]);
}

#[test]
fn lists_are_sorted_newest_first() {
    let mut conn = with_prompts(&[("c", "one"), ("c", "two"), ("c", "three")]);
    let mut end = Event::new(Kind::End, "c", "two", 500);
    end.reason = Some("clear".into());
    write(&mut conn, |tx| accept(tx, &end, None, 1000));
    let names = |sessions: Vec<Session>| {
        let names = sessions.into_iter().map(|s| s.content_session_id);
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(list(&conn, Filter::default(), 9).unwrap()), "two three one");
    assert_eq!(names(list(&conn, Filter::default(), 1).unwrap()), "two");
    let active = Filter { active: true, ..Filter::default() };
    assert_eq!(names(list(&conn, active, 9).unwrap()), "three one");
    assert_eq!(names(inactive_since(&conn, 2, 9).unwrap()), "one");
    let listed = prompts(&conn, id_of(&conn, "c", "two").unwrap().unwrap()).unwrap();
    assert_eq!((listed.len(), listed[0].finalized_by.as_deref()), (1, Some("end")));
}

#[test]
fn a_fork_records_its_parent_and_takes_no_messages_from_it() {
    let mut conn = in_memory_db();
    let mut send = |session: &str, kind: Kind, pid: i32, change: &dyn Fn(&mut Event)| {
        let mut event = Event::new(kind, "claude-code", session, 5);
        event.process = Some(Process { pid, start: 9 });
        event.turn = Some("t1".into());
        change(&mut event);
        write(&mut conn, |tx| accept(tx, &event, None, 5));
    };
    let fork = |e: &mut Event| {
        e.reason = Some("fork".into());
        e.shown_epoch = Some(77);
    };
    send("other process", Kind::Prompt, 1, &|_| {});
    send("other turn", Kind::Prompt, 2, &|e| e.turn = Some("t0".into()));
    send("parent", Kind::Prompt, 2, &|_| {});
    send("parent", Kind::End, 2, &|e| e.reason = Some("resume".into()));
    send("fork", Kind::Start, 2, &fork);
    send("orphan", Kind::Start, 3, &fork);
    let mut rows = conn
        .prepare(
            "SELECT s.content_session_id, ifnull(p.content_session_id, '-'), s.context_epoch,
               (SELECT count(*) FROM pending_messages m WHERE m.session_id = s.id)
             FROM sessions s LEFT JOIN sessions p ON p.id = s.parent_session_id
             WHERE s.context_epoch NOTNULL ORDER BY s.id",
        )
        .unwrap();
    let rows = rows
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
        .unwrap()
        .collect::<rusqlite::Result<Vec<(String, String, i64, i64)>>>()
        .unwrap();
    let row = |name: &str, parent: &str| (name.to_owned(), parent.to_owned(), 77, 0);
    assert_eq!(rows, [row("fork", "parent"), row("orphan", "-")]);
}
