use memctl_proto::event::{Event, Kind, Project, SeenFile, Tool};
use rusqlite::Connection;

use super::*;
use crate::memory::{Earlier, Evidence, Origin, Prompt, Summary, Turn};
use crate::store::accept::accept;
use crate::store::queue::{BatchMeasure, Claim, ClaimLimits, claim};
use crate::store::queue_admin::{self, Selection};
use crate::store::rejected::{self, Reason};
use crate::store::revisions::{self, Editable};
use crate::store::testing::{in_memory_db, write};
use crate::store::words::RowId;

/// Accepts events of one session and claims the queue.
fn claimed(conn: &mut Connection, kinds: &[Kind]) -> Batch {
    for kind in kinds {
        let mut event = Event::new(*kind, "c", "s", 1000);
        event.turn = Some("t1".into());
        event.cwd = Some("/w/sub".into());
        event.text = Some(format!("{kind:?}"));
        event.tool =
            Some(Tool { name: "Bash".into(), input: Some("in".into()), ..Tool::default() });
        write(conn, |tx| accept(tx, &event, None, 1000));
    }
    let limits = ClaimLimits {
        events: 99,
        bytes: 9999,
        flush: true,
        limit: 99,
        measure: BatchMeasure::Size,
    };
    match write(conn, |tx| claim(tx, 1, &limits, 1, 2000)) {
        Claim::Batch(batch) => *batch,
        other => panic!("{other:?}"),
    }
}

fn observation(title: &str, sources: &[i64]) -> Observation {
    Observation {
        kind: "bugfix".into(),
        title: title.into(),
        narrative: Some("why".into()),
        facts: vec!["a \"fact\"".into()],
        files_read: vec!["src/a.rs".into()],
        files_modified: vec!["src/a.rs".into(), "src/b.rs".into()],
        origin: Origin::Repository,
        prompt_number: 1,
        sources: sources.to_vec(),
        ..Observation::default()
    }
}

fn summary(completed: &str) -> Summary {
    Summary { completed: completed.into(), files_read: vec!["x".into()], ..Summary::default() }
}

fn count(conn: &Connection, what: &str) -> i64 {
    conn.query_row(&format!("SELECT count(*) FROM {what}"), [], |r| r.get(0)).unwrap()
}

#[test]
fn a_result_is_stored_and_becomes_context_of_the_next_batch() {
    let mut conn = in_memory_db();
    let batch = claimed(&mut conn, &[Kind::Prompt, Kind::Tool, Kind::Tool, Kind::Stop]);
    assert_eq!(batch.prompts, [Prompt { number: 1, text: "Prompt".into() }]);
    assert!(batch.earlier.is_empty() && batch.previous.is_none() && batch.turns.is_empty());
    let turn = Turn {
        title: "Add a guard".into(),
        evidence: Evidence { tool_uses: 2, ..Evidence::default() },
        ..Turn::default()
    };
    let distilled = Distilled {
        observations: vec![observation("one", &[1]), observation("two", &[1, 2, 777])],
        summary: Some(summary("done")),
        turn: Some(Box::new(turn.clone())),
        evidence: Some(Box::new(turn.evidence.clone())),
        ..Distilled::default()
    };
    let stored = write(&mut conn, |tx| {
        complete(tx, 1, &batch, &distilled, Attribution::all_by("extractive"), 3000)
    });
    assert_eq!(stored, Completed::Stored { observations: vec![1, 2], summary: Some(1) });
    assert_eq!(count(&conn, "observation_files"), 6);
    assert_eq!(count(&conn, "observation_sources"), 3, "an unknown source is ignored");
    assert_eq!(
        count(
            &conn,
            "pending_messages WHERE status = 'processed' AND tool_input IS NULL
           AND last_assistant_message IS NULL AND cwd IS NULL AND tool_name NOTNULL"
        ),
        2
    );
    let facts: String =
        conn.query_row("SELECT facts FROM observations WHERE id = 1", [], |r| r.get(0)).unwrap();
    assert_eq!(facts, r#"["a \"fact\""]"#);

    // A duplicate observation only adds its sources; the summary is rewritten.
    let batch = claimed(&mut conn, &[Kind::Tool, Kind::Stop]);
    let earlier = |id: i64, title: &str| Earlier {
        id,
        prompt_number: 1,
        origin: Origin::Repository,
        facts: vec!["a \"fact\"".into()],
        narrative: Some("why".into()),
        kind: "bugfix".into(),
        title: title.into(),
        files_read: vec!["src/a.rs".into()],
        files_modified: vec!["src/a.rs".into(), "src/b.rs".into()],
        ..Earlier::default()
    };
    assert_eq!(batch.earlier, [earlier(1, "one"), earlier(2, "two")]);
    assert_eq!(batch.previous.as_ref(), Some(&turn));
    assert_eq!(batch.evidence, turn.evidence);
    assert!(batch.turns.is_empty(), "it is the same turn");
    assert_eq!(batch.rolling.summaries, [summary("done")]);
    let tool = batch.messages[0].id;
    let distilled = Distilled {
        observations: vec![observation("one", &[tool])],
        summary: Some(summary("done again")),
        ..Distilled::default()
    };
    let uuid = |conn: &Connection| -> String {
        conn.query_row("SELECT uuid FROM session_summaries", [], |r| r.get(0)).unwrap()
    };
    let before = uuid(&conn);
    let stored = write(&mut conn, |tx| {
        complete(tx, 1, &batch, &distilled, Attribution::all_by("claude"), 4000)
    });
    assert_eq!(stored, Completed::Stored { observations: vec![1], summary: Some(1) });
    assert_eq!(count(&conn, "observations"), 2);
    assert_eq!(count(&conn, "observation_sources WHERE observation_id = 1"), 2);
    assert_eq!(uuid(&conn), before);
    assert_eq!(count(&conn, "session_summaries WHERE completed = 'done again'"), 1);
    assert_eq!(count(&conn, "sessions WHERE backend = 'extractive' AND restarts = 0"), 1);
}

#[test]
fn a_file_has_the_blob_hash_of_its_last_event() {
    let mut conn = in_memory_db();
    let seen = |event: &mut Event, path: &str, blob: &str| {
        let file = SeenFile { path: path.into(), blob: blob.into() };
        event.tool = Some(Tool { name: "Edit".into(), files: vec![file], ..Tool::default() });
    };
    let mut prompt = Event::new(Kind::Prompt, "c", "s", 1000);
    prompt.project =
        Some(Project { keys: vec!["path:/w".into()], name: "w".into(), root: "/w".into() });
    write(&mut conn, |tx| accept(tx, &prompt, None, 1000));
    for (path, blob) in [
        ("/w/src/a.rs", "old"),
        ("../src/a.rs", "new"),
        ("/w/src/b.rs", "b"),
        ("/w/src/a.rs", "late"),
    ] {
        let mut event = Event::new(Kind::Tool, "c", "s", 1000);
        event.cwd = Some("/w/sub".into());
        seen(&mut event, path, blob);
        write(&mut conn, |tx| accept(tx, &event, None, 1000));
    }
    let batch = claimed(&mut conn, &[Kind::Stop]);
    assert_eq!(batch.messages[1].files[0].path, "../src/a.rs");
    let mut other = observation("two", &[3]);
    other.files_read = vec!["src/c.rs".into()];
    other.files_modified = vec!["src/b.rs".into()];
    let distilled = Distilled {
        observations: vec![observation("one", &[1, 2, 3]), other],
        summary: Some(summary("done")),
        ..Distilled::default()
    };
    write(&mut conn, |tx| {
        complete(tx, 1, &batch, &distilled, Attribution::all_by("extractive"), 3000)
    });
    let mut rows = conn
        .prepare(
            "SELECT observation_id || ' ' || role || ' ' || path || ' ' || ifnull(blob, '-')
             FROM observation_files ORDER BY 1",
        )
        .unwrap();
    let rows: Vec<String> = rows.query_map([], |r| r.get(0)).unwrap().map(|r| r.unwrap()).collect();
    assert_eq!(
        rows,
        [
            "1 modified src/a.rs new",
            "1 modified src/b.rs b",
            "1 read src/a.rs new",
            "2 modified src/b.rs b",
            "2 read src/c.rs -",
        ]
    );
    assert_eq!(
        count(&conn, "pending_messages WHERE files NOTNULL"),
        0,
        "processing deletes the payload, also the files"
    );
}

#[test]
fn a_batch_that_lost_a_message_is_dropped_and_the_rest_is_released() {
    for change in [
        |tx: &Transaction| {
            let claimed = queue_admin::processing(tx, Selection::Ids(&[1]), i64::MAX)?;
            queue_admin::reset(tx, &claimed[0], i64::MAX)
        },
        |tx: &Transaction| queue_admin::abort(tx, Selection::Ids(&[1]), 2500),
        |tx: &Transaction| Ok(tx.execute("DELETE FROM pending_messages WHERE id = 1", [])? as u64),
    ] {
        let mut conn = in_memory_db();
        let batch = claimed(&mut conn, &[Kind::Prompt, Kind::Tool, Kind::Tool, Kind::Stop]);
        assert_eq!(write(&mut conn, change), 1);
        let distilled = Distilled {
            observations: vec![observation("one", &[1])],
            summary: Some(summary("done")),
            ..Distilled::default()
        };
        let done = write(&mut conn, |tx| {
            complete(tx, 1, &batch, &distilled, Attribution::all_by("x"), 3000)
        });
        assert_eq!(done, Completed::Dropped);
        assert_eq!(count(&conn, "observations") + count(&conn, "session_summaries"), 0);
        assert_eq!(
            count(&conn, "pending_messages WHERE id > 1 AND status = 'pending' AND claims = 0"),
            2
        );
    }
}

#[test]
fn a_superseding_observation_inherits_sources_and_files() {
    let mut conn = in_memory_db();
    let batch = claimed(&mut conn, &[Kind::Prompt, Kind::Tool]);
    let one = Distilled {
        observations: vec![observation("one", &[1])],
        summary: None,
        ..Distilled::default()
    };
    write(&mut conn, |tx| complete(tx, 1, &batch, &one, Attribution::all_by("x"), 3000));
    conn.execute_batch(
        "UPDATE observation_files SET blob = 'then'; UPDATE observations SET pinned = 1, hidden = 1",
    )
    .unwrap();
    let batch = claimed(&mut conn, &[Kind::Tool, Kind::Stop]);
    let mut whole = observation("whole", &[batch.messages[0].id]);
    whole.replaces = vec![batch.earlier[0].id, 777];
    let whole = Distilled {
        observations: vec![whole],
        summary: Some(summary("done")),
        ..Distilled::default()
    };
    write(&mut conn, |tx| complete(tx, 1, &batch, &whole, Attribution::all_by("x"), 4000));
    let replaced = "observations o JOIN observations n ON o.superseded_by = n.uuid
                    WHERE o.id = 1 AND n.id = 2 AND o.changed_at_epoch = 4000";
    assert_eq!(count(&conn, replaced), 1);
    assert_eq!(count(&conn, "observations WHERE id = 2 AND pinned AND hidden"), 1);
    assert_eq!(count(&conn, "observation_sources WHERE observation_id = 2"), 2);
    assert_eq!(count(&conn, "observation_files WHERE observation_id = 2 AND blob = 'then'"), 3);
    let batch = claimed(&mut conn, &[Kind::Tool, Kind::Stop]);
    let titles: Vec<&str> = batch.earlier.iter().map(|e| e.title.as_str()).collect();
    assert_eq!(titles, ["whole"]);
}

#[test]
fn what_the_user_edited_is_not_replaced() {
    let mut conn = in_memory_db();
    let batch = claimed(&mut conn, &[Kind::Prompt, Kind::Tool]);
    let one =
        Distilled { observations: vec![observation("port is 9090", &[1])], ..Distilled::default() };
    write(&mut conn, |tx| complete(tx, 1, &batch, &one, Attribution::all_by("x"), 3000));
    let batch = claimed(&mut conn, &[Kind::Tool, Kind::Stop]);
    let first = Distilled { summary: Some(summary("first")), ..Distilled::default() };
    write(&mut conn, |tx| complete(tx, 1, &batch, &first, Attribution::all_by("x"), 4000));
    for memory in [RowId::observation(1), RowId::summary(1)] {
        write(&mut conn, |tx| {
            let mut texts = Editable::load(tx, memory)?.unwrap();
            match &mut texts {
                Editable::Observation { texts, .. } => texts.title = "corrected".into(),
                Editable::Summary { texts, .. } => texts.completed = "corrected".into(),
            }
            revisions::edit(tx, memory, &texts, 5000)
        });
    }
    let batch = claimed(&mut conn, &[Kind::Tool, Kind::Stop]);
    let mut whole = observation("whole", &[batch.messages[0].id]);
    whole.replaces = vec![1];
    // The edit rejects the old title.
    let again = observation("port is 9090", &[batch.messages[0].id]);
    let later = Distilled {
        observations: vec![whole, again],
        summary: Some(summary("second")),
        ..Distilled::default()
    };
    write(&mut conn, |tx| complete(tx, 1, &batch, &later, Attribution::all_by("x"), 6000));
    assert_eq!(count(&conn, "observations WHERE title = 'corrected' AND superseded_by IS NULL"), 1);
    assert_eq!(count(&conn, "session_summaries WHERE completed = 'corrected'"), 1);
}

#[test]
fn rejected_statements_are_not_stored() {
    let mut conn = in_memory_db();
    let batch = claimed(&mut conn, &[Kind::Prompt, Kind::Tool]);
    let wrong = Observation { title: "Port is 9090".into(), ..observation("", &[1]) };
    let one = Distilled { observations: vec![wrong.clone()], ..Distilled::default() };
    write(&mut conn, |tx| complete(tx, 1, &batch, &one, Attribution::all_by("x"), 3000));
    write(&mut conn, |tx| rejected::reject(tx, RowId::observation(1), Reason::Feedback, 3500));
    let batch = claimed(&mut conn, &[Kind::Tool, Kind::Stop]);
    let other = Observation {
        title: "The staging server is up".into(),
        facts: vec!["the port is 9090!".into(), "it runs on arm".into()],
        ..observation("", &[])
    };
    let said = Summary { completed: "It is up. The port is `9090`.".into(), ..summary("") };
    let later = Distilled {
        observations: vec![Observation { prompt_number: 9, ..wrong }, other],
        summary: Some(said),
        ..Distilled::default()
    };
    let done =
        write(&mut conn, |tx| complete(tx, 1, &batch, &later, Attribution::all_by("x"), 4000));
    assert_eq!(done, Completed::Stored { observations: vec![2], summary: Some(1) });
    assert_eq!(count(&conn, "observations"), 2);
    assert_eq!(count(&conn, r#"observations WHERE id = 2 AND facts = '["it runs on arm"]'"#), 1);
    assert_eq!(count(&conn, "session_summaries WHERE completed = 'It is up.'"), 1);
}

#[test]
fn the_content_hash_covers_narrative_and_files_but_not_sources() {
    let hash = content_hash(&observation("one", &[1]));
    assert_eq!(hash, content_hash(&observation("one", &[2])), "sources do not count");
    let mut other = observation("one", &[1]);
    other.files_modified = vec![];
    assert_ne!(hash, content_hash(&other));
    other = observation("one", &[1]);
    other.narrative = None;
    assert_ne!(hash, content_hash(&other));
}
