use memctl_proto::event::{Event, Kind, Tool};
use rusqlite::Connection;

use super::*;
use crate::memory::Distilled;
use crate::store::accept::accept;
use crate::store::commit::{self, Attribution, Completed};
use crate::store::error::StoreError;
use crate::store::testing::{in_memory_db, write};

const ALL: ClaimLimits = ClaimLimits {
    events: 256,
    bytes: 1 << 20,
    flush: true,
    limit: 256,
    measure: BatchMeasure::Size,
};
const FULL_ONLY: ClaimLimits = ClaimLimits { flush: false, ..ALL };

struct World {
    conn: Connection,
    now: i64,
}

impl World {
    /// One letter per event: `p` a prompt, `q` a prompt of another turn, `t` a tool use with 100
    /// bytes of input, `l` the same with the prompt cost of a line, `S` a Stop, `c` a compaction.
    fn with(events: &str) -> World {
        let mut world = World { conn: in_memory_db(), now: 1_000_000 };
        world.more(events);
        world
    }

    fn more(&mut self, events: &str) {
        for letter in events.chars() {
            let kind = match letter {
                'p' | 'q' => Kind::Prompt,
                't' | 'l' => Kind::Tool,
                'S' => Kind::Stop,
                'c' => Kind::Start,
                other => panic!("unknown event {other}"),
            };
            self.now += 5_000;
            let mut event = Event::new(kind, "c", "s", self.now);
            event.reason = Some("compact".into());
            event.text = Some("words".into());
            event.tool = Some(Tool { input: Some("x".repeat(100)), ..Tool::default() });
            if letter == 'q' {
                event.turn = Some("another".into());
            }
            let now = self.now;
            let cost = (letter == 'l').then_some(PromptCost { events: 0, bytes: 10 });
            write(&mut self.conn, |tx| accept(tx, &event, cost, now));
        }
    }

    fn claim(&mut self, limits: ClaimLimits) -> Claim {
        let now = self.now;
        write(&mut self.conn, |tx| claim(tx, 1, &limits, 42, now))
    }

    /// Claims, and returns the ids of the batch.
    fn claim_ids(&mut self, limits: ClaimLimits) -> Vec<i64> {
        match self.claim(limits) {
            Claim::Batch(batch) => batch.messages.iter().map(|m| m.id).collect(),
            _ => Vec::new(),
        }
    }

    fn complete(&mut self, ids: &[i64]) {
        let now = self.now;
        write(&mut self.conn, |tx| ids.iter().try_for_each(|id| mark_processed(tx, *id, now)));
    }

    fn fail(&mut self, ids: &[i64], size: BatchSize) -> Failed {
        let now = self.now;
        write(&mut self.conn, |tx| fail(tx, 1, ids, "no", size, now))
    }

    /// The worker dies, and a new worker takes the session over.
    fn replace_worker(&mut self) {
        let now = self.now;
        let mut fence = Fence::new("c", "s");
        write(&mut self.conn, |tx| fence.check(tx, now));
    }

    fn state(&self, id: i64) -> String {
        let row = self.conn.query_row(
            "SELECT status || ' ' || retry_count || ' ' || claims || ifnull(' ' || error, '')
             FROM pending_messages WHERE id = ?1",
            [id],
            |r| r.get(0),
        );
        row.unwrap()
    }
}

/// Claims and completes batches until the queue is empty, and compares their ids.
fn check(events: &str, limits: ClaimLimits, expected: &[&[i64]]) {
    let mut world = World::with(events);
    let mut batches = Vec::new();
    loop {
        let ids = world.claim_ids(limits);
        if ids.is_empty() {
            break;
        }
        world.complete(&ids);
        batches.push(ids);
    }
    assert_eq!(batches, expected, "{events} {limits:?}");
}

#[test]
fn a_claim_ends_at_the_first_summarize() {
    check("ptttS", FULL_ONLY, &[&[1, 2, 3, 4]]);
    check("ptt", FULL_ONLY, &[]);
    check("ptt", ALL, &[&[1, 2]]);
    check("ptScttS", ALL, &[&[1, 4, 5, 6]]); // Three of one prompt: only the newest stays.
    check("ptSqtS", ALL, &[&[1, 2], &[3, 4]]);
    check("ptSqtt", FULL_ONLY, &[&[1, 2]]);
    check("ptqtS", ALL, &[&[1, 2], &[3, 4]]); // The first turn was interrupted.
    check("", ALL, &[]);
}

#[test]
fn a_claim_respects_its_limits() {
    let limits = |events, bytes, limit| ClaimLimits {
        events,
        bytes,
        flush: false,
        limit,
        measure: BatchMeasure::Size,
    };
    check("pttttS", limits(3, 1 << 20, 256), &[&[1, 2, 3], &[4, 5]]);
    check("pttttS", limits(256, 1 << 20, 2), &[&[1, 2], &[3, 4], &[5]]);
    check("pttttS", limits(256, 1 << 20, 0), &[&[1], &[2], &[3], &[4], &[5]]);
    check("pttttS", limits(256, 250, 256), &[&[1, 2], &[3, 4, 5]]);
    check("pttttS", limits(256, 1, 256), &[&[1], &[2], &[3], &[4], &[5]]);
    check("ptttt", limits(3, 1 << 20, 256), &[&[1, 2, 3]]);
    check("ptttt", limits(256, 210, 256), &[&[1, 2], &[3, 4]]);
}

#[test]
fn a_claim_counts_the_stored_prompt_cost() {
    let limits = |events, bytes| ClaimLimits {
        events,
        bytes,
        measure: BatchMeasure::PromptCost,
        ..FULL_ONLY
    };
    check("pllllS", limits(2, 1 << 20), &[&[1, 2, 3, 4, 5]]);
    check("pltltS", limits(2, 1 << 20), &[&[1, 2, 3, 4], &[5]]);
    // A row of an older version has no cost: its size counts.
    check("ptttS", limits(2, 1 << 20), &[&[1, 2], &[3, 4]]);
    check("pllllS", limits(256, 25), &[&[1, 2], &[3, 4, 5]]);
}

#[test]
fn an_event_is_parsed_for_its_cost_only_if_a_model_is_configured() {
    let tool = Tool { name: "Read".into(), input: Some("{}".into()), ..Tool::default() };
    let event = Event { tool: Some(tool), ..Event::new(Kind::Tool, "c", "s", 1) };
    assert_eq!(BatchMeasure::Size.cost_to_store(&event), None);
    assert_eq!(BatchMeasure::PromptCost.cost_to_store(&event).map(|cost| cost.events), Some(0));
}

#[test]
fn a_claimed_batch_blocks_further_claims() {
    let mut world = World::with("ptt");
    assert_eq!(world.claim_ids(ALL), [1, 2]);
    world.more("tS");
    assert!(matches!(world.claim(ALL), Claim::Nothing));
    world.complete(&[1, 2]);
    assert_eq!(world.claim_ids(ALL), [3, 4]);
}

#[test]
fn a_deferred_message_blocks_the_messages_behind_it() {
    let mut world = World::with("pttS");
    let ids = world.claim_ids(ALL);
    let failed = world.fail(&ids, BatchSize::Several);
    assert_eq!(failed, Failed { ended: 0, not_before: world.now + 1000 });
    assert!(matches!(world.claim(ALL), Claim::NotBefore(at) if at == failed.not_before));
    world.now += 1000;
    assert_eq!(world.claim_ids(ALL), [1, 2, 3]);
    // A time too far in the future is ignored, because the clock was set back.
    let failed = world.fail(&[1, 2, 3], BatchSize::Several);
    world.now = failed.not_before - MAX_DEFER_MS - 1;
    assert_eq!(world.claim_ids(ALL), [1, 2, 3]);
}

#[test]
fn a_message_that_failed_alone_is_skipped_and_its_third_failure_is_final() {
    let mut world = World::with("pttS");
    let single = ClaimLimits { limit: 1, ..ALL };
    for (n, pause) in [(1, 1000), (2, 2000)] {
        assert_eq!(world.claim_ids(single), [1]);
        assert_eq!(
            world.fail(&[1], BatchSize::Single),
            Failed { ended: 0, not_before: world.now + pause }
        );
        assert_eq!(world.state(1), format!("pending {n} 0 no"));
        if n == 1 {
            assert_eq!(world.claim_ids(ALL), [2, 3], "not blocked by message 1");
            write(&mut world.conn, |tx| release(tx, 1, &[2, 3]));
        }
        world.now += pause;
    }
    assert_eq!(world.claim_ids(ALL), [1], "claimed alone after a failure");
    assert_eq!(world.fail(&[1], BatchSize::Single).ended, 1);
    assert_eq!(world.state(1), "failed 3 0 no");
    let kept: i64 = world
        .conn
        .query_row("SELECT length(tool_input) FROM pending_messages WHERE id = 1", [], |r| r.get(0))
        .unwrap();
    assert_eq!(kept, 100, "the payload is kept");
    assert_eq!(world.claim_ids(ALL), [2, 3]);
    // Only a message that failed alone remains: the claim returns the end of its deferral.
    world.complete(&[2]);
    let failed = world.fail(&[3], BatchSize::Single);
    assert!(matches!(world.claim(ALL), Claim::NotBefore(at) if at == failed.not_before));
}

#[test]
fn a_message_that_crashes_its_workers_fails() {
    let mut world = World::with("pttS");
    for _ in 0..3 {
        assert_eq!(world.claim_ids(ALL), [1, 2, 3], "three workers die with the batch");
        world.replace_worker();
    }
    for n in 1..=5 {
        assert_eq!(world.claim_ids(ALL), [1], "claim {n} alone");
        world.replace_worker();
    }
    assert_eq!(world.state(1), "pending 0 8");
    assert_eq!(world.claim_ids(ALL), [2], "the next suspect");
    assert_eq!(world.state(1), "failed 0 8 its worker died");
    let restarts: i64 =
        world.conn.query_row("SELECT restarts FROM sessions", [], |r| r.get(0)).unwrap();
    assert_eq!(restarts, 8);
    // A failure proves that the worker survived, so it clears `claims`.
    world.fail(&[2], BatchSize::Single);
    assert_eq!(world.state(2), "pending 1 0 no");
}

#[test]
fn a_release_undoes_the_claim() {
    let mut world = World::with("pttS");
    for _ in 0..9 {
        let ids = world.claim_ids(ALL);
        assert_eq!(ids, [1, 2, 3]);
        write(&mut world.conn, |tx| release(tx, 1, &ids));
    }
    assert_eq!(world.state(1), "pending 0 0");
    // A worker of another session cannot change them, even with the same ids.
    let ids = world.claim_ids(ALL);
    write(&mut world.conn, |tx| {
        release(tx, 2, &ids)?;
        fail(tx, 2, &ids, "no", BatchSize::Single, 0)
    });
    assert_eq!(world.state(1), "processing 0 1");
}

#[test]
fn a_second_worker_fences_the_first() {
    let mut world = World::with("pttS");
    let (mut first, mut second) = (Fence::new("c", "s"), Fence::new("c", "s"));
    let now = world.now;
    assert_eq!(write(&mut world.conn, |tx| first.check(tx, now)), Some(1));
    let Claim::Batch(batch) = world.claim(ALL) else { panic!() };
    assert_eq!(write(&mut world.conn, |tx| second.check(tx, now)), Some(1));
    assert_eq!(world.state(1), "pending 0 1", "requeued, and its claim still counts");
    let tx = world.conn.transaction().unwrap();
    assert!(matches!(first.check(&tx, now), Err(StoreError::Fenced)));
    drop(tx);
    assert_eq!(
        write(&mut world.conn, |tx| second.check(tx, now)),
        Some(1),
        "a second check does not take the token again"
    );
    assert_eq!(world.claim_ids(ALL), [1, 2, 3]);
    let generation = world.conn.query_row("SELECT generation FROM sessions", [], |r| r.get(0));
    assert_eq!(generation, Ok(2));
    // Without the token, the first worker's result would be stored for the second claim.
    let done = write(&mut world.conn, |tx| {
        commit::complete(tx, 1, &batch, &Distilled::default(), Attribution::all_by("x"), now)
    });
    assert!(matches!(done, Completed::Stored { .. }));
}

#[test]
fn the_token_is_taken_once_the_session_has_a_row() {
    let mut world = World::with("");
    let mut fence = Fence::new("c", "s");
    assert_eq!(write(&mut world.conn, |tx| fence.check(tx, 1)), None);
    world.more("p");
    assert_eq!(write(&mut world.conn, |tx| fence.check(tx, 1)), Some(1));
    // The database was replaced; the new file has no row of the session.
    world.conn = in_memory_db();
    assert_eq!(write(&mut world.conn, |tx| fence.check(tx, 1)), None);
    world.more("p");
    assert_eq!(write(&mut world.conn, |tx| fence.check(tx, 1)), Some(1));
}

#[test]
fn a_deferral_is_not_a_failure_and_blocks_the_messages_behind_it() {
    let mut w = World::with("ptSqtS");
    assert_eq!(w.claim_ids(ALL), [1, 2]);
    let until = w.now + 60_000;
    let reason = "the rate limit is reached".into();
    let deferral = Deferral { reason, until, waits_for: None };
    write(&mut w.conn, |tx| defer(tx, 1, &[1, 2], &deferral));
    assert!(matches!(w.claim(ALL), Claim::NotBefore(at) if at == until));
    let row = w.conn.query_row(
        "SELECT status, retry_count, claims, error FROM pending_messages WHERE id = 1",
        [],
        |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)),
    );
    let want: (String, i64, i64, String) =
        ("pending".into(), 0, 0, "the rate limit is reached".into());
    assert_eq!(row.unwrap(), want);
    w.now = until + 1;
    let Claim::Batch(batch) = w.claim(ALL) else { panic!("the deferral has expired") };
    assert!(!batch.previously_claimed && batch.messages.len() == 2);
}
