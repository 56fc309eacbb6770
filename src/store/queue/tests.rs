use memctl_proto::event::{Event, Kind, Tool};
use rusqlite::Connection;

use super::*;
use crate::memory::Distilled;
use crate::store::accept::accept;
use crate::store::commit::{Attribution, Completed};
use crate::store::testing::{memory, write};

const ALL: ClaimLimits =
    ClaimLimits { events: 256, bytes: 1 << 20, flush: true, limit: 256, weigh: plain_weight };
const QUIET: ClaimLimits = ClaimLimits { flush: false, ..ALL };

struct World {
    conn: Connection,
    now: i64,
}

impl World {
    /// One letter for each event of turn `t`: `p` a prompt, `q` one of the next turn, `t` a tool
    /// (100 bytes), `S` a Stop, `c` a compaction.
    fn with(events: &str) -> World {
        let mut world = World { conn: memory(), now: 1_000_000 };
        world.more(events);
        world
    }

    fn more(&mut self, events: &str) {
        for letter in events.chars() {
            let kind = match letter {
                'p' | 'q' => Kind::Prompt,
                't' => Kind::Tool,
                'S' => Kind::Stop,
                'c' => Kind::Start,
                other => panic!("what is {other}?"),
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
            write(&mut self.conn, |tx| accept(tx, &event, now));
        }
    }

    fn claim(&mut self, take: ClaimLimits) -> Claim {
        let now = self.now;
        write(&mut self.conn, |tx| claim(tx, 1, &take, 42, now))
    }

    /// Ids of the batch.
    fn ids(&mut self, take: ClaimLimits) -> Vec<i64> {
        match self.claim(take) {
            Claim::Batch(batch) => batch.messages.iter().map(|m| m.id).collect(),
            _ => Vec::new(),
        }
    }

    fn done(&mut self, ids: &[i64]) {
        let now = self.now;
        write(&mut self.conn, |tx| {
            ids.iter().try_for_each(|id| commit::mark_processed(tx, *id, now))
        });
    }

    fn fail(&mut self, ids: &[i64], company: BatchSize) -> Failed {
        let now = self.now;
        write(&mut self.conn, |tx| fail(tx, 1, ids, "no", company, now))
    }

    /// A worker takes the session over: the one before has died.
    fn die(&mut self) {
        let now = self.now;
        let mut fence = Fence::new("c", "s");
        write(&mut self.conn, |tx| fence.enter(tx, now));
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

/// Every batch of a queue, one after the other.
fn check(events: &str, take: ClaimLimits, expected: &[&[i64]]) {
    let mut world = World::with(events);
    let mut batches = Vec::new();
    loop {
        let ids = world.ids(take);
        if ids.is_empty() {
            break;
        }
        world.done(&ids);
        batches.push(ids);
    }
    assert_eq!(batches, expected, "{events} {take:?}");
}

#[test]
fn up_to_the_first_summarize() {
    check("ptttS", QUIET, &[&[1, 2, 3, 4]]);
    check("ptt", QUIET, &[]);
    check("ptt", ALL, &[&[1, 2]]);
    check("ptScttS", ALL, &[&[1, 4, 5, 6]]); // three for one prompt: the newest
    check("ptSqtS", ALL, &[&[1, 2], &[3, 4]]);
    check("ptSqtt", QUIET, &[&[1, 2]]);
    check("ptqtS", ALL, &[&[1, 2], &[3, 4]]); // interrupted
    check("", ALL, &[]);
}

#[test]
fn much_is_taken_in_pieces() {
    let take = |events, bytes, limit| ClaimLimits {
        events,
        bytes,
        flush: false,
        limit,
        weigh: plain_weight,
    };
    check("pttttS", take(3, 1 << 20, 256), &[&[1, 2, 3], &[4, 5]]);
    check("pttttS", take(256, 1 << 20, 2), &[&[1, 2], &[3, 4], &[5]]);
    check("pttttS", take(256, 1 << 20, 0), &[&[1], &[2], &[3], &[4], &[5]]);
    check("pttttS", take(256, 250, 256), &[&[1, 2], &[3, 4, 5]]);
    check("pttttS", take(256, 1, 256), &[&[1], &[2], &[3], &[4], &[5]]);
    check("ptttt", take(3, 1 << 20, 256), &[&[1, 2, 3]]);
    check("ptttt", take(256, 210, 256), &[&[1, 2], &[3, 4]]);
}

#[test]
fn a_batch_in_work_holds_the_rest() {
    let mut world = World::with("ptt");
    assert_eq!(world.ids(ALL), [1, 2]);
    world.more("tS");
    assert!(matches!(world.claim(ALL), Claim::Nothing));
    world.done(&[1, 2]);
    assert_eq!(world.ids(ALL), [3, 4]);
}

#[test]
fn what_waits_holds_all_behind_it() {
    let mut world = World::with("pttS");
    let ids = world.ids(ALL);
    let failed = world.fail(&ids, BatchSize::Several);
    assert_eq!(failed, Failed { ended: 0, not_before: world.now + 1000 });
    assert!(matches!(world.claim(ALL), Claim::NotBefore(at) if at == failed.not_before));
    world.now += 1000;
    assert_eq!(world.ids(ALL), [1, 2, 3]);
    // A clock set back strands nothing.
    let failed = world.fail(&[1, 2, 3], BatchSize::Several);
    world.now = failed.not_before - BELIEVED_MS - 1;
    assert_eq!(world.ids(ALL), [1, 2, 3]);
}

#[test]
fn what_failed_alone_is_passed_over_and_ends_after_three() {
    let mut world = World::with("pttS");
    let one = ClaimLimits { limit: 1, ..ALL };
    for (n, pause) in [(1, 1000), (2, 2000)] {
        assert_eq!(world.ids(one), [1]);
        assert_eq!(
            world.fail(&[1], BatchSize::Single),
            Failed { ended: 0, not_before: world.now + pause }
        );
        assert_eq!(world.state(1), format!("pending {n} 0 no"));
        if n == 1 {
            assert_eq!(world.ids(ALL), [2, 3], "not held up");
            write(&mut world.conn, |tx| release(tx, 1, &[2, 3]));
        }
        world.now += pause;
    }
    assert_eq!(world.ids(ALL), [1], "alone from then on");
    assert_eq!(world.fail(&[1], BatchSize::Single).ended, 1);
    assert_eq!(world.state(1), "failed 3 0 no");
    let kept: i64 = world
        .conn
        .query_row("SELECT length(tool_input) FROM pending_messages WHERE id = 1", [], |r| r.get(0))
        .unwrap();
    assert_eq!(kept, 100, "the payload is kept");
    assert_eq!(world.ids(ALL), [2, 3]);
    // Nothing but what waits alone: until when.
    world.done(&[2]);
    let failed = world.fail(&[3], BatchSize::Single);
    assert!(matches!(world.claim(ALL), Claim::NotBefore(at) if at == failed.not_before));
}

#[test]
fn a_message_that_kills_its_workers_is_given_up() {
    let mut world = World::with("pttS");
    for _ in 0..3 {
        assert_eq!(world.ids(ALL), [1, 2, 3], "three die with the batch");
        world.die();
    }
    for n in 1..=5 {
        assert_eq!(world.ids(ALL), [1], "alone, {n}");
        world.die();
    }
    assert_eq!(world.state(1), "pending 0 8");
    assert_eq!(world.ids(ALL), [2], "the next suspect");
    assert_eq!(world.state(1), "failed 0 8 its worker died");
    let restarts: i64 =
        world.conn.query_row("SELECT restarts FROM sessions", [], |r| r.get(0)).unwrap();
    assert_eq!(restarts, 8);
    // A failure says that the worker lived.
    world.fail(&[2], BatchSize::Single);
    assert_eq!(world.state(2), "pending 1 0 no");
}

#[test]
fn given_back_is_as_if_never_claimed() {
    let mut world = World::with("pttS");
    for _ in 0..9 {
        let ids = world.ids(ALL);
        assert_eq!(ids, [1, 2, 3]);
        write(&mut world.conn, |tx| release(tx, 1, &ids));
    }
    assert_eq!(world.state(1), "pending 0 0");
    // Not by a worker of another session, to which the ids once belonged.
    let ids = world.ids(ALL);
    write(&mut world.conn, |tx| {
        release(tx, 2, &ids)?;
        fail(tx, 2, &ids, "no", BatchSize::Single, 0)
    });
    assert_eq!(world.state(1), "processing 0 1");
}

#[test]
fn two_owners_have_one_effect() {
    let mut world = World::with("pttS");
    let (mut first, mut second) = (Fence::new("c", "s"), Fence::new("c", "s"));
    let now = world.now;
    assert_eq!(write(&mut world.conn, |tx| first.enter(tx, now)), Some(1));
    let Claim::Batch(batch) = world.claim(ALL) else { panic!() };
    assert_eq!(write(&mut world.conn, |tx| second.enter(tx, now)), Some(1));
    assert_eq!(world.state(1), "pending 0 1", "back in the queue, its claim remembered");
    let tx = world.conn.transaction().unwrap();
    assert!(matches!(first.enter(&tx, now), Err(StoreError::Fenced)));
    drop(tx);
    assert_eq!(write(&mut world.conn, |tx| second.enter(tx, now)), Some(1), "once is enough");
    assert_eq!(world.ids(ALL), [1, 2, 3]);
    let generation = world.conn.query_row("SELECT generation FROM sessions", [], |r| r.get(0));
    assert_eq!(generation, Ok(2));
    // Without the fence the second claim would take the first one's result for its own.
    let done = write(&mut world.conn, |tx| {
        commit::complete(tx, 1, &batch, &Distilled::default(), Attribution::one("x"), now)
    });
    assert!(matches!(done, Completed::Stored { .. }));
}

#[test]
fn the_fence_waits_for_the_session_to_exist() {
    let mut world = World::with("");
    let mut fence = Fence::new("c", "s");
    assert_eq!(write(&mut world.conn, |tx| fence.enter(tx, 1)), None);
    world.more("p");
    assert_eq!(write(&mut world.conn, |tx| fence.enter(tx, 1)), Some(1));
    // The database was set aside; another file knows nothing of us.
    world.conn = memory();
    assert_eq!(write(&mut world.conn, |tx| fence.enter(tx, 1)), None);
    world.more("p");
    assert_eq!(write(&mut world.conn, |tx| fence.enter(tx, 1)), Some(1));
}

#[test]
fn what_waits_for_a_reason_has_not_failed_and_holds_what_is_behind_it() {
    let mut w = World::with("ptSqtS");
    assert_eq!(w.ids(ALL), [1, 2]);
    let until = w.now + 60_000;
    write(&mut w.conn, |tx| defer(tx, 1, &[1, 2], "the rate limit is reached", until));
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
    let Claim::Batch(batch) = w.claim(ALL) else { panic!("its time has come") };
    assert!(!batch.previously_claimed && batch.messages.len() == 2);
}
