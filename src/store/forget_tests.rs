use memctl_proto::event::{Event, Kind, Project, Tool};

use super::*;
use crate::memory::{Distilled, Observation, Summary};
use crate::store::accept::{Accepted, accept};
use crate::store::commit::Attribution;
use crate::store::queue::{BatchMeasure, Claim, ClaimLimits, Fence, claim};
use crate::store::testing::{in_memory_db, write};
use crate::store::{commit, queue};

/// Two sessions of two projects. Each has a prompt, a tool use and a Stop: one at 10, 20 and 30,
/// two at 110, 120 and 130.
struct World {
    conn: Connection,
}

const ALL: ClaimLimits =
    ClaimLimits { events: 99, bytes: 1 << 20, flush: true, limit: 99, measure: BatchMeasure::Size };

fn event(session: &str, kind: Kind, at: i64, text: &str) -> Event {
    let mut event = Event::new(kind, "c", session, at);
    event.turn = Some(format!("turn of {session}"));
    event.project = Some(Project {
        keys: vec![format!("dir:/{session}")],
        name: session.into(),
        root: "/".into(),
    });
    match kind {
        Kind::Tool => {
            event.tool = Some(Tool {
                name: "Bash".into(),
                use_id: Some(format!("u{at}")),
                input: Some(serde_json::json!({ "command": text }).to_string()),
                response: Some("done".into()),
                files: Vec::new(),
            });
        }
        _ => event.text = Some(text.into()),
    }
    event
}

impl World {
    fn new() -> World {
        let mut world = World { conn: in_memory_db() };
        for (n, session) in ["one", "two"].into_iter().enumerate() {
            let at = 10 + 100 * n as i64;
            world.accept(&event(session, Kind::Prompt, at, &format!("ask {session}")));
            world.accept(&event(session, Kind::Tool, at + 10, &format!("run \"{session}\"")));
            world.accept(&event(session, Kind::Stop, at + 20, &format!("said {session}")));
        }
        world
    }

    fn accept(&mut self, event: &Event) -> Accepted {
        write(&mut self.conn, |tx| accept(tx, event, None, event.at))
    }

    /// Distills a session's queue into one observation and a summary.
    fn distill(&mut self, session: i64, title: &str, now: i64) -> commit::Completed {
        let Claim::Batch(batch) = write(&mut self.conn, |tx| claim(tx, session, &ALL, 7, now))
        else {
            panic!("nothing to claim")
        };
        let distilled = distilled(title);
        write(&mut self.conn, |tx| {
            commit::complete(tx, session, &batch, &distilled, Attribution::all_by("b"), now)
        })
    }

    fn filter(&self, filter: ForgetFilter) -> ForgetCounts {
        let mut set = ForgetSet::default();
        set.add_matching(&self.conn, &filter).unwrap();
        set.count()
    }

    fn forget(&mut self, now: i64, choose: impl Fn(&mut ForgetSet, &Connection) -> Result<()>) {
        let mut set = ForgetSet::default();
        choose(&mut set, &self.conn).unwrap();
        forget(&mut Locked { conn: &mut self.conn, file: None }, &set, None, now, &|| {}).unwrap();
        let broken: i64 = self
            .conn
            .query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |r| r.get(0))
            .unwrap();
        assert_eq!(broken, 0);
    }

    fn texts(&self, sql: &str) -> Vec<String> {
        let mut rows = self.conn.prepare(sql).unwrap();
        rows.query_map([], |r| r.get(0)).unwrap().map(|r| r.unwrap()).collect()
    }
}

fn distilled(title: &str) -> Distilled {
    let observation = Observation {
        kind: "change".into(),
        prompt_number: 1,
        title: title.into(),
        facts: vec![format!("a fact of \"{title}\"")],
        files_read: vec!["a.rs".into()],
        ..Observation::default()
    };
    let summary = Summary { request: format!("about {title}"), ..Summary::default() };
    Distilled { observations: vec![observation], summary: Some(summary), ..Distilled::default() }
}

fn count(
    sessions: u64,
    prompts: u64,
    summaries: u64,
    observations: u64,
    events: u64,
) -> ForgetCounts {
    ForgetCounts { sessions, prompts, summaries, observations, versions: 0, events }
}

#[test]
fn a_filter_selects_matching_rows() {
    let mut w = World::new();
    w.distill(1, "Build the ARK", 35);
    let text =
        |text: &str| ForgetFilter { text: Some(Needle::new(text)), ..ForgetFilter::default() };
    assert_eq!(w.filter(text("the ark")), count(0, 0, 1, 1, 0));
    assert_eq!(w.filter(text("ask two")), count(0, 1, 0, 0, 2), "with its queued events");
    assert_eq!(w.filter(text("RUN \"two\"")), count(0, 0, 0, 0, 1), "in a tool's input");
    assert_eq!(w.filter(text("fact of \"build")), count(0, 0, 0, 1, 0), "in a list");
    assert_eq!(w.filter(text("nowhere")), ForgetCounts::default());
    let project = |id| ForgetFilter { project: Some(id), ..ForgetFilter::default() };
    assert_eq!(w.filter(project(1)), count(1, 1, 1, 1, 0));
    assert_eq!(w.filter(project(2)), count(1, 1, 0, 0, 2));
    let within = |since, before| ForgetFilter { since, before, ..ForgetFilter::default() };
    assert_eq!(w.filter(within(Some(100), None)), count(1, 1, 0, 0, 2));
    assert_eq!(w.filter(within(None, Some(40))), count(1, 1, 1, 1, 0));
    assert_eq!(w.filter(within(Some(120), Some(130))), count(0, 0, 0, 0, 1), "part of a session");
    let both = ForgetFilter { project: Some(1), ..text("two") };
    assert_eq!(w.filter(both), ForgetCounts::default());
}

/// Columns that are not printed hold texts, too.
#[test]
fn a_text_is_found_in_the_data_of_a_turn_and_in_names_for_search() {
    let mut w = World::new();
    w.distill(1, "Build", 35);
    w.conn
        .execute_batch(
            "UPDATE session_summaries SET turn = '{\"effects\": [\"quux\"]}';
             UPDATE observations SET names = '[\"corge\"]';
             INSERT OR REPLACE INTO turn_evidence VALUES (1, 1, '{\"pages\": [\"grault\"]}');",
        )
        .unwrap();
    let text = |t: &str| ForgetFilter { text: Some(Needle::new(t)), ..ForgetFilter::default() };
    assert_eq!(w.filter(text("quux")), count(0, 0, 1, 0, 0));
    assert_eq!(w.filter(text("corge")), count(0, 0, 0, 1, 0));
    w.forget(40, |set, conn| set.add_matching(conn, &text("grault")));
    assert_eq!(w.texts("SELECT evidence FROM turn_evidence"), [] as [&str; 0]);
}

#[test]
fn forgetting_a_session_deletes_its_rows_and_refuses_its_late_events() {
    let mut w = World::new();
    w.distill(1, "Build", 35);
    let late = event("one", Kind::Tool, 39, "late");
    w.forget(40, |set, conn| set.add_session(conn, 1));
    assert_eq!(w.texts("SELECT content_session_id FROM sessions"), ["two"]);
    for table in ["observations", "session_summaries", "observation_sources", "observation_files"] {
        assert_eq!(w.texts(&format!("SELECT count(*) || '' FROM {table}")), ["0"], "{table}");
    }
    assert_eq!(
        w.texts("SELECT kind || ifnull(id, '-') FROM tombstones ORDER BY 1"),
        ["identity-", "observation1", "prompt1", "session1", "summary1"]
    );
    let refused = w.accept(&late);
    assert!(refused.duplicate && refused.session_id.is_none());
    assert_eq!(w.texts("SELECT content_session_id FROM sessions"), ["two"]);
    // A later event starts the session again.
    let new = w.accept(&event("one", Kind::Prompt, 41, "again"));
    assert!(!new.duplicate);
    assert!(w.accept(&late).duplicate, "the late event is still refused");
    assert_eq!(w.texts("SELECT prompt_text FROM user_prompts"), ["ask two", "again"]);
}

#[test]
fn a_token_of_a_forgotten_session_is_refused() {
    let mut w = World { conn: in_memory_db() };
    w.accept(&event("one", Kind::Prompt, 10, "x"));
    let (mut old, mut new) = (Fence::new("c", "one"), Fence::new("c", "one"));
    write(&mut w.conn, |tx| old.check(tx, 10));
    w.forget(20, |set, conn| set.add_session(conn, 1));
    w.accept(&event("one", Kind::Prompt, 30, "y"));
    assert_eq!(w.texts("SELECT id || '' FROM sessions"), ["1"], "the row id is reused");
    write(&mut w.conn, |tx| new.check(tx, 30));
    let mut locked = Locked { conn: &mut w.conn, file: None };
    let fenced = locked.write(|tx| old.check(tx, 40));
    assert!(matches!(fenced, Err(crate::store::StoreError::Fenced)), "{fenced:?}");
}

#[test]
fn no_short_name_is_reused() {
    let mut w = World::new();
    w.distill(1, "First", 35);
    w.forget(36, |set, conn| {
        set.add_observations(conn, &[1])?;
        set.add_summary(conn, 1)?;
        set.add_session(conn, 2)
    });
    w.accept(&event("one", Kind::Stop, 37, "once more"));
    w.distill(1, "Second", 38);
    w.accept(&event("three", Kind::Prompt, 50, "x"));
    assert_eq!(w.texts("SELECT 'o' || id FROM observations"), ["o2"]);
    assert_eq!(w.texts("SELECT 's' || id FROM session_summaries"), ["s2"]);
    assert_eq!(w.texts("SELECT 'p' || id FROM user_prompts"), ["p1", "p3"]);
}

#[test]
fn forgetting_a_prompt_deletes_its_results_and_makes_its_turn_private() {
    let mut w = World::new();
    w.distill(1, "Build", 35);
    w.forget(36, |set, conn| set.add_prompt(conn, 1));
    assert_eq!(w.texts("SELECT ifnull(prompt_text, '-') FROM user_prompts"), ["-", "ask two"]);
    assert_eq!(w.texts("SELECT title FROM observations"), [] as [&str; 0]);
    w.accept(&event("one", Kind::Tool, 37, "more of this turn"));
    let kept = "SELECT status || ifnull(tool_input, '-') FROM pending_messages
      WHERE session_id = 1 AND created_at_epoch = 37";
    assert_eq!(w.texts(kept), ["processed-"]);
}

#[test]
fn a_claimed_batch_is_dropped_when_part_of_it_is_forgotten() {
    let mut w = World::new();
    let batch = write(&mut w.conn, |tx| claim(tx, 2, &ALL, 7, 140));
    let Claim::Batch(batch) = batch else { panic!("{batch:?}") };
    w.forget(141, |set, conn| {
        set.add_matching(
            conn,
            &ForgetFilter { text: Some(Needle::new("run \"two\"")), ..ForgetFilter::default() },
        )
    });
    let done = write(&mut w.conn, |tx| {
        commit::complete(tx, 2, &batch, &distilled("Two"), Attribution::all_by("b"), 142)
    });
    assert_eq!(done, commit::Completed::Dropped);
    assert_eq!(
        w.texts(
            "SELECT status || ifnull(tool_input, '') FROM pending_messages
         WHERE session_id = 2 ORDER BY id"
        ),
        ["processed", "pending"]
    );
    // A batch of a session that was forgotten as a whole.
    let batch = write(&mut w.conn, |tx| claim(tx, 2, &ALL, 7, 150));
    let Claim::Batch(batch) = batch else { panic!("{batch:?}") };
    w.forget(151, |set, conn| set.add_session(conn, 2));
    w.accept(&event("two", Kind::Stop, 160, "new"));
    let done = write(&mut w.conn, |tx| {
        commit::complete(tx, 2, &batch, &distilled("Two"), Attribution::all_by("b"), 161)
    });
    assert_eq!(done, commit::Completed::Dropped);
    write(&mut w.conn, |tx| {
        let ids: Vec<i64> = batch.messages.iter().map(|m| m.id).collect();
        queue::fail(tx, 2, &ids, "no", queue::BatchSize::Single, 162)
    });
    assert_eq!(w.texts("SELECT title FROM observations"), [] as [&str; 0]);
    assert_eq!(
        w.texts(
            "SELECT retry_count || status FROM pending_messages
         WHERE session_id = 2 ORDER BY id"
        ),
        ["0pending"]
    );
}

#[test]
fn a_project_without_rows_is_deleted() {
    let mut w = World::new();
    w.forget(200, |set, conn| {
        set.add_matching(conn, &ForgetFilter { project: Some(1), ..ForgetFilter::default() })
    });
    assert_eq!(w.texts("SELECT name FROM projects"), ["two"]);
    assert_eq!(w.texts("SELECT key FROM project_keys"), ["dir:/two"]);
}

/// Covers every table that refers to sessions, including tables of later schemas.
#[test]
fn references_to_a_forgotten_session_are_cleared() {
    let mut w = World::new();
    w.conn
        .execute_batch(
            "CREATE TABLE spent (session_id INTEGER REFERENCES sessions(id), cost REAL);
             CREATE TABLE seen (session_id INTEGER NOT NULL REFERENCES sessions(id));
             INSERT INTO spent VALUES (1, 2.5); INSERT INTO seen VALUES (1);
             UPDATE sessions SET parent_session_id = 1 WHERE id = 2;",
        )
        .unwrap();
    w.forget(200, |set, conn| set.add_session(conn, 1));
    assert_eq!(w.texts("SELECT ifnull(session_id, '-') || cost FROM spent"), ["-2.5"]);
    assert_eq!(w.texts("SELECT count(*) || '' FROM seen"), ["0"]);
    assert_eq!(w.texts("SELECT ifnull(parent_session_id, '-') || '' FROM sessions"), ["-"]);
}

#[test]
fn superseded_observations_are_forgotten_too() {
    let mut w = World::new();
    w.distill(1, "Piece", 35);
    w.accept(&event("one", Kind::Stop, 37, "once more"));
    w.distill(1, "Whole", 38);
    w.conn
        .execute_batch(
            "UPDATE observations SET superseded_by = (SELECT uuid FROM observations WHERE id = 2)
             WHERE id = 1",
        )
        .unwrap();
    w.forget(40, |set, conn| set.add_observations(conn, &[2]));
    assert_eq!(w.texts("SELECT title FROM observations"), [] as [&str; 0]);
}
