use super::*;
use crate::store::testing::{in_memory_db, write};

fn db() -> Connection {
    let conn = in_memory_db();
    conn.execute_batch(
        "INSERT INTO projects (id, name, root) VALUES (1, 'one', '/one'), (2, 'two', '/two');
         INSERT INTO sessions (id, uuid, client, content_session_id, project_id, started_at_epoch,
             last_event_epoch)
           VALUES (1, 'sa', 'c', 'a', 1, 0, 0), (2, 'sb', 'c', 'b', 1, 0, 0);
         INSERT INTO observations (id, uuid, project_id, session_id, origin, type, title, backend,
             content_hash, created_at_epoch, changed_at_epoch)
           VALUES (1, 'u1', 1, 2, 'user', 'decision', 'Retries stop after three attempts', 'x', 'a', 0, 0),
                  (2, 'u2', 1, 2, 'user', 'decision', 'Use tabs', 'x', 'b', 0, 0),
                  (3, 'u3', 2, 2, 'user', 'decision', 'Of another project', 'x', 'c', 0, 0);
         INSERT INTO session_summaries (id, uuid, session_id, project_id, prompt_number, request,
             title, backend, created_at_epoch, changed_at_epoch)
           VALUES (7, 'u7', 2, 1, 1, 'r', 'The importer was split', 'x', 0, 0);",
    )
    .unwrap();
    conn
}

fn used(row: &str, at: i64) -> Use {
    Use { row: row.into(), place: "prompt".into(), tokens: 9, at }
}

fn weight(conn: &Connection, id: i64) -> f64 {
    conn.query_row("SELECT weight FROM observations WHERE id = ?1", [id], |r| r.get(0)).unwrap()
}

#[test]
fn a_row_is_recorded_once_per_session() {
    let mut conn = db();
    let uses = [used("o1", 5), used("s7", 6), used("o99", 7), used("x", 8), used("o1", 9)];
    write(&mut conn, |tx| record_injected(tx, 1, &uses));
    write(&mut conn, |tx| record_injected(tx, 1, &uses[..1]));
    let rows: Vec<_> =
        injected(&conn, 1).unwrap().into_iter().map(|i| (i.row, i.tokens, i.at_epoch)).collect();
    assert_eq!(rows, [(RowId::observation(1), 9, 5), (RowId::summary(7), 9, 6)]);
    assert!(injected(&conn, 2).unwrap().is_empty());
    assert_eq!(newest_session(&conn, Some(1)).unwrap(), Some(1));
    assert_eq!(newest_session(&conn, Some(2)).unwrap(), None);
}

#[test]
fn a_message_cites_names_of_its_project_and_titles_that_it_was_given() {
    let check = |message: &str, want: &[&str]| {
        let mut conn = db();
        write(&mut conn, |tx| {
            record_injected(tx, 1, &[used("o1", 1), used("o2", 1), used("s7", 1)])
        });
        write(&mut conn, |tx| record_cited(tx, 1, message, 2));
        let cited =
            injected(&conn, 1).unwrap().into_iter().filter(|i| i.cited).map(|i| i.row.to_string());
        assert_eq!(cited.collect::<Vec<_>>(), want, "{message}");
    };
    check("As o2 says, done.", &["o2"]);
    check("See (o1, s7).", &["o1", "s7"]);
    check("retries stop AFTER three attempts, as agreed", &["o1"]);
    check("We use tabs", &[]);
    check("o3 is of another project, and so is o10, foo1 and so2", &[]);
}

#[test]
fn uses_enter_a_weight_once_and_within_limits() {
    let mut conn = db();
    let mut uses = vec![used("o1", 1), used("o2", 1)];
    write(&mut conn, |tx| record_injected(tx, 1, &uses));
    assert_eq!(weight(&conn, 1), 0.0, "nothing was stored since");
    write(&mut conn, |tx| record_cited(tx, 1, "o1", 2));
    for _ in 0..3 {
        write(&mut conn, |tx| count(tx, 1));
    }
    assert_eq!((weight(&conn, 1), weight(&conn, 2)), (OF_CITED, -OF_UNUSED));
    write(&mut conn, |tx| record_shown(tx, "o2", 3));
    write(&mut conn, |tx| record_shown(tx, "o2", 4));
    write(&mut conn, |tx| count(tx, 1));
    assert!((weight(&conn, 2) - (OF_SHOWN - OF_UNUSED)).abs() < 1e-9, "looked at once");
    conn.execute_batch("UPDATE observations SET weight = 1.9 WHERE id = 1").unwrap();
    uses.truncate(1);
    write(&mut conn, |tx| record_cited(tx, 2, "o1", 2));
    write(&mut conn, |tx| count(tx, 2));
    assert_eq!(weight(&conn, 1), MAX_WEIGHT);
}

#[test]
fn a_row_takes_its_uses_with_it() {
    let mut conn = db();
    write(&mut conn, |tx| record_injected(tx, 1, &[used("o1", 1), used("s7", 1)]));
    conn.execute_batch("DELETE FROM observations WHERE id = 1").unwrap();
    let rows = injected(&conn, 1).unwrap();
    assert_eq!(rows.iter().map(|i| i.row).collect::<Vec<_>>(), [RowId::summary(7)]);
}
