use std::collections::BTreeSet;

use memctl_proto::event::{Event, Kind, Project, Tool};
use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::memory::{Distilled, Observation, Origin, Summary};
use crate::store::accept::accept;
use crate::store::commit::{self, Attribution};
use crate::store::forget::{ForgetSet, forget};
use crate::store::queue::{self, BatchMeasure, Claim, ClaimLimits};
use crate::store::testing::{in_memory_db, temp_paths, write};
use crate::store::{Locked, Store, project_changes, provisional, undo};

/// Every word of the index with the rows that have it.
fn entries(conn: &Connection) -> BTreeSet<(String, i64)> {
    conn.execute_batch(
        "CREATE VIRTUAL TABLE IF NOT EXISTS temp.listing USING fts5vocab(main, words, instance)",
    )
    .unwrap();
    let mut rows = conn.prepare("SELECT term, doc FROM temp.listing").unwrap();
    let rows = rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

/// Rows and words of the totals, without those that have no row.
fn sums(conn: &Connection) -> Vec<(Scope, RowKind, i64, i64)> {
    totals(conn).unwrap().iter().map(|t| (t.scope, t.kind, t.rows, t.words)).collect()
}

fn rebuilt(conn: &mut Connection) {
    write(conn, state::invalidate);
    complete(&mut Locked { conn, file: None }).unwrap();
    assert!(state(conn).unwrap().is_complete());
}

/// The index is what building it again gives.
fn check(conn: &mut Connection, after: &str) {
    assert!(repair::is_intact(conn).unwrap(), "{after}");
    let (found, found_sums) = (entries(conn), sums(conn));
    rebuilt(conn);
    assert_eq!(found, entries(conn), "{after}");
    assert_eq!(found_sums, sums(conn), "{after}");
}

const ALL: ClaimLimits =
    ClaimLimits { events: 99, bytes: 9999, flush: true, limit: 99, measure: BatchMeasure::Size };

/// What happens to a store.
#[derive(Clone, Copy, Debug)]
enum Step {
    Prompt { session: u8, turn: u8, private: bool, project: Option<u8> },
    Tool { session: u8, turn: u8 },
    Stop { session: u8, turn: u8 },
    Provisional { session: u8 },
    Distill { session: u8, origin: Origin },
    Link { from: u8, to: u8 },
    ForgetSession { session: u8 },
    ForgetObservation { id: u8 },
    ForgetPrompt { id: u8 },
    ForgetSummary { id: u8 },
    Undo,
}

fn step() -> impl Strategy<Value = Step> {
    let origin = prop::sample::select(Origin::ALL.to_vec());
    let project = prop::option::of(0u8..3);
    prop_oneof![
        4 => (0u8..3, 0u8..3, prop::bool::weighted(0.2), project).prop_map(
            |(session, turn, private, project)| Step::Prompt { session, turn, private, project }),
        3 => (0u8..3, 0u8..3).prop_map(|(session, turn)| Step::Tool { session, turn }),
        3 => (0u8..3, 0u8..3).prop_map(|(session, turn)| Step::Stop { session, turn }),
        2 => (0u8..3).prop_map(|session| Step::Provisional { session }),
        3 => (0u8..3, origin).prop_map(|(session, origin)| Step::Distill { session, origin }),
        1 => (0u8..3, 0u8..3).prop_map(|(from, to)| Step::Link { from, to }),
        1 => (0u8..3).prop_map(|session| Step::ForgetSession { session }),
        1 => (1u8..9).prop_map(|id| Step::ForgetObservation { id }),
        1 => (1u8..9).prop_map(|id| Step::ForgetPrompt { id }),
        1 => (1u8..9).prop_map(|id| Step::ForgetSummary { id }),
        2 => Just(Step::Undo),
    ]
}

fn event(kind: Kind, session: u8, turn: u8, at: i64) -> Event {
    let mut event = Event::new(kind, "c", &format!("session{session}"), at);
    event.turn = Some(format!("turn{turn}"));
    event.text = Some(format!("asked at{at} about getUserId"));
    event.tool = Some(Tool { name: "Bash".into(), ..Tool::default() });
    event
}

fn project(n: u8) -> Project {
    Project { keys: vec![format!("dir:/{n}")], name: format!("p{n}"), root: format!("/{n}") }
}

fn session_id(conn: &Connection, session: u8) -> Option<i64> {
    let sql = "SELECT id FROM sessions WHERE content_session_id = ?1";
    conn.query_row(sql, [format!("session{session}")], |r| r.get(0)).ok()
}

fn forget_set(conn: &mut Connection, at: i64, add: impl FnOnce(&mut ForgetSet, &Connection)) {
    let mut set = ForgetSet::default();
    add(&mut set, conn);
    forget(&mut Locked { conn, file: None }, &set, Some(at + 1_000_000), at, &|| {}).unwrap();
}

fn exists(conn: &Connection, table: &str, id: i64) -> bool {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE id = ?1)");
    conn.query_row(&sql, [id], |r| r.get(0)).unwrap()
}

fn apply(conn: &mut Connection, step: Step, at: i64) {
    match step {
        Step::Prompt { session, turn, private, project: of } => {
            let mut event = event(Kind::Prompt, session, turn, at);
            event.private = private;
            event.project = of.map(project);
            write(conn, |tx| accept(tx, &event, None, at));
        }
        Step::Tool { session, turn } => {
            write(conn, |tx| accept(tx, &event(Kind::Tool, session, turn, at), None, at));
        }
        Step::Stop { session, turn } => {
            write(conn, |tx| accept(tx, &event(Kind::Stop, session, turn, at), None, at));
        }
        Step::Provisional { session } => {
            let Some(id) = session_id(conn, session) else { return };
            let Some(batch) = write(conn, |tx| provisional::next_due(tx, id)) else { return };
            let summary = Summary { completed: format!("provisional{at}"), ..Summary::default() };
            write(conn, |tx| provisional::store(tx, id, &batch, &summary, None, "local", at));
        }
        Step::Distill { session, origin } => {
            let Some(id) = session_id(conn, session) else { return };
            let Claim::Batch(batch) = write(conn, |tx| queue::claim(tx, id, &ALL, 1, at)) else {
                return;
            };
            let observation = Observation {
                kind: "change".into(),
                title: format!("title{at} naïve 記憶"),
                narrative: Some("same words in every row".into()),
                names: vec![format!("src/file{at}.rs")],
                origin,
                quarantined: at % 7 == 0,
                ..Observation::default()
            };
            let again = Observation { title: "the same".into(), ..observation.clone() };
            let summary = Summary { completed: format!("final{at}"), ..Summary::default() };
            let distilled = Distilled {
                observations: vec![observation, again],
                summary: Some(summary),
                ..Distilled::default()
            };
            write(conn, |tx| {
                commit::complete(tx, id, &batch, &distilled, Attribution::all_by("m"), at)
            });
        }
        Step::Link { from, to } => {
            let sql = "SELECT project_id FROM project_keys WHERE key = ?1";
            let to = conn.query_row(sql, [format!("dir:/{to}")], |r| r.get::<_, i64>(0));
            if let Ok(to) = to {
                let keys = vec![format!("dir:/{from}")];
                let claimed = Project { keys, ..Project::default() };
                let change = project_changes::link(conn, &claimed, to).unwrap();
                write(conn, |tx| project_changes::apply(tx, change, at));
                while write(conn, |tx| project_changes::move_piece(tx, at)) {}
            }
        }
        Step::ForgetSession { session } => {
            if let Some(id) = session_id(conn, session) {
                forget_set(conn, at, |set, conn| set.add_session(conn, id).unwrap());
            }
        }
        Step::ForgetObservation { id } if exists(conn, "observations", id.into()) => {
            forget_set(conn, at, |set, conn| set.add_observations(conn, &[id.into()]).unwrap());
        }
        Step::ForgetPrompt { id } if exists(conn, "user_prompts", id.into()) => {
            forget_set(conn, at, |set, conn| set.add_prompt(conn, id.into()).unwrap());
        }
        Step::ForgetSummary { id } if exists(conn, "session_summaries", id.into()) => {
            forget_set(conn, at, |set, conn| set.add_summary(conn, id.into()).unwrap());
        }
        Step::ForgetObservation { .. } | Step::ForgetPrompt { .. } | Step::ForgetSummary { .. } => {
        }
        Step::Undo => {
            if let Some(newest) = undo::list(conn).unwrap().first() {
                undo::restore::restore(&mut Locked { conn, file: None }, *newest).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is stored, changed, forgotten and restored.
    #[test]
    fn every_writer_keeps_the_index(steps in prop::collection::vec(step(), 1..60)) {
        let mut conn = in_memory_db();
        for (i, step) in steps.iter().enumerate() {
            apply(&mut conn, *step, 1000 + 10 * i as i64);
        }
        check(&mut conn, &format!("{steps:?}"));
    }
}

#[test]
fn an_index_is_built_in_pieces_and_writers_keep_it_meanwhile() {
    let mut conn = in_memory_db();
    let prompt = |conn: &mut Connection, n: i64| {
        let event = event(Kind::Prompt, (n % 3) as u8, (n % 250) as u8, 1000 + 5000 * n);
        write(conn, |tx| accept(tx, &event, None, event.at));
    };
    (0..1200).for_each(|n| prompt(&mut conn, n));
    write(&mut conn, state::invalidate);
    assert!(is_due(&conn).unwrap());
    let mut n_pieces = 0;
    while rebuild_piece(&mut Locked { conn: &mut conn, file: None }).unwrap() {
        n_pieces += 1;
        prompt(&mut conn, 2000 + n_pieces);
        // One row that is in the index and one that is not yet.
        for id in [n_pieces * 10, 1200 - n_pieces * 10] {
            forget_set(&mut conn, 9_000_000, |set, conn| set.add_prompt(conn, id).unwrap());
        }
        let newest = undo::list(&conn).unwrap()[0];
        undo::restore::restore(&mut Locked { conn: &mut conn, file: None }, newest).unwrap();
    }
    assert!(n_pieces >= 2, "{n_pieces}");
    check(&mut conn, "building");
}

/// Whatever another program does to the index, the next transactions succeed and build it again.
#[test]
fn a_damaged_index_costs_no_event() {
    for damage in [
        "DELETE FROM words_data",
        "DELETE FROM words_data WHERE id > 10",
        "UPDATE words_data SET block = x'00'",
        "UPDATE words_data SET block = zeroblob(length(block)) WHERE id > 10",
        "DELETE FROM words_idx",
        "DELETE FROM words_config",
        "DROP TABLE words_data",
        "DROP TABLE words_idx",
        "DROP TABLE words_config",
        "DROP TABLE words",
        "DROP TABLE word_totals",
    ] {
        let (_dir, paths) = temp_paths();
        let mut store = Store::open(&paths).unwrap();
        let mut n = 0;
        let mut prompt = |store: &mut Store| {
            n += 1;
            let event = event(Kind::Prompt, 1, n, 1000 + 5000 * i64::from(n));
            store.write(|tx| accept(tx, &event, None, event.at))
        };
        for _ in 0..50 {
            prompt(&mut store).unwrap();
        }
        {
            let other =
                Connection::open(crate::store::file::checked_path(&paths).unwrap()).unwrap();
            other.execute_batch(damage).unwrap_or_else(|e| panic!("{damage}: {e}"));
        }
        // The first one may find the damage; its event is sent again.
        let _ = prompt(&mut store);
        prompt(&mut store).unwrap_or_else(|e| panic!("{damage}: {e}"));
        store.locked(complete).unwrap_or_else(|e| panic!("{damage}: {e}"));
        let conn = store.connection();
        assert!(state(conn).unwrap().is_complete(), "{damage}");
        let n_prompts: i64 =
            conn.query_row("SELECT count(*) FROM user_prompts", [], |r| r.get(0)).unwrap();
        assert!(n_prompts >= 51, "{damage}: {n_prompts}");
        let indexed: i64 = totals(conn).unwrap().iter().map(|total| total.rows).sum();
        let found = postings(
            conn,
            &Expression::word(&terms::stem("asked")),
            &ASKED,
            Order::NewestFirst,
            999,
        );
        assert_eq!(found.unwrap().len() as i64, n_prompts, "{damage}");
        assert_eq!(indexed, n_prompts, "{damage}");
    }
}

/// The words of a deleted row are in no file.
#[test]
fn a_forgotten_word_leaves_the_file() {
    let (_dir, paths) = temp_paths();
    let mut store = Store::open(&paths).unwrap();
    for n in 0..200u8 {
        let mut event = event(Kind::Prompt, 1, n, 1000 + 5000 * i64::from(n));
        event.text = Some(format!("words{n} and more words"));
        if n == 77 {
            event.text = Some("the zyzzyvaword is secret".into());
        }
        store.write(|tx| accept(tx, &event, None, event.at)).unwrap();
    }
    let contains = || {
        // The store is closed: reading its files would drop its locks.
        let files = std::fs::read_dir(paths.data()).unwrap().map(|entry| entry.unwrap().path());
        let bytes = files.filter_map(|file| std::fs::read(file).ok());
        bytes.flatten().collect::<Vec<u8>>().windows(11).any(|w| w == b"zyzzyvaword")
    };
    store.checkpoint().unwrap();
    drop(store);
    assert!(contains());
    let mut store = Store::open(&paths).unwrap();
    store
        .locked(|locked| {
            let mut set = ForgetSet::default();
            set.add_prompt(locked.connection(), 78)?;
            forget(locked, &set, None, 9_000_000, &|| {})
        })
        .unwrap();
    store.empty_log().unwrap();
    drop(store);
    assert!(!contains(), "without VACUUM");
}

/// Many small transactions leave each word in several parts of the index.
#[test]
fn a_compact_index_has_each_word_once() {
    let (_dir, paths) = temp_paths();
    let mut store = Store::open(&paths).unwrap();
    for n in 0..40u8 {
        let mut event = event(Kind::Prompt, 1, n, 1000 + 5000 * i64::from(n));
        event.text = Some((0..200).map(|i| format!("word{i} ")).collect());
        store.write(|tx| accept(tx, &event, None, event.at)).unwrap();
    }
    let size = |store: &Store| -> i64 {
        let sql = "SELECT sum(length(block)) FROM words_data WHERE id > 10";
        store.connection().query_row(sql, [], |r| r.get(0)).unwrap()
    };
    let (before, found) = (size(&store), entries(store.connection()));
    compact(&mut store, 9).unwrap();
    assert_eq!(size(&store), before, "too few rows are new");
    compact(&mut store, 40).unwrap();
    assert!(size(&store) < before, "{before} {}", size(&store));
    assert_eq!(entries(store.connection()), found);
    assert!(repair::is_intact(store.connection()).unwrap());
}
