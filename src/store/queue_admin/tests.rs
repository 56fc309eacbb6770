use memctl_proto::event::{Event, Kind, Tool};

use super::*;
use crate::store::accept::accept;
use crate::store::queue::{BatchMeasure, BatchSize, Claim, ClaimLimits, claim, fail};
use crate::store::testing::{in_memory_db, write};

const NOW: i64 = 10_000_000;

/// Sessions `a`, `b`, … with a prompt and two tool uses each, at increasing times.
fn sessions(names: &[&str]) -> Connection {
    let mut conn = in_memory_db();
    for (i, name) in names.iter().enumerate() {
        for kind in [Kind::Prompt, Kind::Tool, Kind::Tool] {
            let mut event = Event::new(kind, "c", name, i as i64);
            event.tool =
                Some(Tool { name: "Read".into(), input: Some("x".into()), ..Tool::default() });
            write(&mut conn, |tx| accept(tx, &event, None, NOW));
        }
    }
    conn
}

fn claim_one(conn: &mut Connection, session: i64) -> i64 {
    let limits =
        ClaimLimits { events: 9, bytes: 99, flush: true, limit: 1, measure: BatchMeasure::Size };
    match write(conn, |tx| claim(tx, session, &limits, 5, NOW)) {
        Claim::Batch(batch) => batch.messages[0].id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn messages_are_counted_and_listed() {
    let mut conn = sessions(&["a", "b"]);
    for _ in 0..3 {
        let id = claim_one(&mut conn, 1);
        write(&mut conn, |tx| {
            fail(tx, 1, &[id], "no", BatchSize::Single, NOW)?;
            tx.execute("UPDATE pending_messages SET not_before_epoch = NULL", [])?;
            Ok(())
        });
    }
    claim_one(&mut conn, 2);
    let counted = |session| counts(&conn, session).unwrap();
    assert_eq!(counted(None), Counts { pending: 2, processing: 1, failed: 1, ..Counts::default() });
    assert_eq!(counted(Some(1)), Counts { pending: 1, failed: 1, ..Counts::default() });
    assert_eq!((count_unfinished(&conn, 1).unwrap(), count_unfinished(&conn, 2).unwrap()), (1, 2));
    let listed: Vec<(i64, String)> =
        open_items(&conn, None, 9).unwrap().into_iter().map(|i| (i.id, i.status)).collect();
    let item = |id, status: &str| (id, status.to_owned());
    assert_eq!(
        listed,
        [item(1, "failed"), item(3, "processing"), item(2, "pending"), item(4, "pending")]
    );
    let old: Vec<i64> = stuck(&conn, None, 1, 9).unwrap().into_iter().map(|i| i.id).collect();
    assert_eq!(old, [2], "a failed message is not stuck");
    assert_eq!(stuck(&conn, Some(1), 1, 9).unwrap().len(), 1);
    assert_eq!(stuck(&conn, Some(2), 1, 9).unwrap(), []);
    assert!(other_sessions_have_work(&conn, Some(1), 0).unwrap());
    write(&mut conn, |tx| abort(tx, Selection::Session(2), NOW));
    assert!(!other_sessions_have_work(&conn, Some(1), 0).unwrap());
    assert!(other_sessions_have_work(&conn, None, 0).unwrap());
}

#[test]
fn a_session_is_due_when_its_next_message_is_due() {
    let mut conn = sessions(&["a", "b", "c", "d", "e"]);
    let mut set = |sql: &str| write(&mut conn, |tx| Ok(tx.execute(sql, [])?));
    set("UPDATE pending_messages SET not_before_epoch = 10000500 WHERE id IN (1, 2)"); // deferred
    set("UPDATE pending_messages SET not_before_epoch = 10000500, retry_count = 1 WHERE id = 3"); // skipped
    set("UPDATE pending_messages SET not_before_epoch = 99999999 WHERE id = 5"); // ignored
    set("UPDATE pending_messages SET status = 'processed' WHERE session_id = 4");
    set(
        "UPDATE pending_messages SET not_before_epoch = 10000000 + id, retry_count = 1 WHERE session_id = 5",
    );
    let work = |but| -> Vec<(i64, u64, i64)> {
        let work = sessions_with_work(&conn, but, NOW).unwrap();
        work.into_iter().map(|w| (w.session_id, w.unfinished, w.not_before_epoch)).collect()
    };
    assert_eq!(work(None), [(5, 2, 10_000_009), (3, 2, 0), (2, 2, 0), (1, 2, 10_000_500)]);
    assert_eq!(work(Some(3)).len(), 3);
}

#[test]
fn messages_can_be_retried_aborted_and_reset() {
    let mut conn = sessions(&["a"]);
    let state = |conn: &Connection| -> Vec<(String, bool)> {
        let mut rows = conn
            .prepare("SELECT status || ifnull(' ' || error, ''), tool_input NOTNULL FROM pending_messages ORDER BY id")
            .unwrap();
        rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap().map(|r| r.unwrap()).collect()
    };
    let row = |text: &str, payload| (text.to_owned(), payload);
    claim_one(&mut conn, 1);
    let claimed = |conn: &Connection, which, before| processing(conn, which, before).unwrap();
    let messages = claimed(&conn, Selection::All, 1);
    assert_eq!((messages.len(), &messages[0].ids[..]), (1, &[1][..]));
    for (which, before) in
        [(Selection::All, 0), (Selection::Ids(&[2]), 1), (Selection::Session(9), 1)]
    {
        assert_eq!(claimed(&conn, which, before), [], "{which:?} {before}");
    }
    assert_eq!(write(&mut conn, |tx| reset(tx, &messages[0], 0)), 0, "too young");
    assert_eq!(write(&mut conn, |tx| reset(tx, &messages[0], 1)), 1);
    assert_eq!(state(&conn), [row("pending", true), row("pending", true)]);
    assert_eq!(write(&mut conn, |tx| abort(tx, Selection::Ids(&[1, 99]), NOW)), 1);
    assert_eq!(state(&conn), [row("failed aborted", false), row("pending", true)]);
    assert_eq!(write(&mut conn, |tx| abort(tx, Selection::Ids(&[1]), NOW)), 0, "already aborted");
    write(&mut conn, |tx| {
        Ok(tx.execute(
            "UPDATE pending_messages SET status = 'failed', error = 'x', claims = 8 WHERE id = 2",
            [],
        )?)
    });
    assert_eq!(write(&mut conn, |tx| retry(tx, Selection::All, 0)), 0, "too young");
    assert_eq!(
        write(&mut conn, |tx| retry(tx, Selection::All, 1)),
        1,
        "an aborted message is not retried"
    );
    assert_eq!(state(&conn), [row("failed aborted", false), row("pending", true)]);
    assert_eq!(claim_one(&mut conn, 1), 2);
    assert_eq!(
        write(&mut conn, |tx| retry(tx, Selection::Ids(&[2]), 1)),
        0,
        "a processing message is not retried"
    );
    let aborted = |conn: &Connection| counts(conn, None).unwrap().aborted;
    assert_eq!((aborted(&conn), counts(&conn, None).unwrap().failed), (1, 0));
    assert_eq!(write(&mut conn, |tx| clear_aborted(tx, NOW)), 1);
    assert_eq!((aborted(&conn), state(&conn)[0].0.as_str()), (0, "processed"));
    assert_eq!(recent(&conn, None, 9).unwrap().len(), 1);
}

#[test]
fn rows_are_kept_while_their_session_is_active_or_recent() {
    let mut conn = sessions(&["a", "b", "c"]);
    write(&mut conn, |tx| {
        tx.execute(
            "UPDATE pending_messages SET status = 'processed', completed_at_epoch = 100",
            [],
        )?;
        tx.execute("UPDATE pending_messages SET status = 'pending' WHERE id = 1", [])?;
        tx.execute("UPDATE pending_messages SET status = 'failed' WHERE id IN (2, 4, 6)", [])?;
        tx.execute("UPDATE sessions SET status = 'completed', last_event_epoch = 100", [])?;
        tx.execute("UPDATE sessions SET status = 'active' WHERE id = 2", [])?;
        tx.execute("UPDATE sessions SET last_event_epoch = 1000 WHERE id = 3", [])?;
        Ok(())
    });
    assert_eq!(write(&mut conn, |tx| delete_old(tx, 500, 600)), 0);
    assert_eq!(write(&mut conn, |tx| delete_old(tx, 500, 601)), 1);
    assert_eq!(write(&mut conn, |tx| delete_old(tx, 500, 1501)), 2);
    assert_eq!(
        counts(&conn, None).unwrap(),
        Counts { pending: 1, processed: 1, failed: 1, ..Counts::default() }
    );
}
