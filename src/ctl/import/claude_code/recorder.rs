//! Stores the events of transcripts: accepts them as a worker does, and distills each turn with the local
//! rules in the transaction that accepts it.
//!
//! A transaction ends with a turn, or takes as much of a long one as a batch may hold. The store is never
//! left with events to distill: a worker would give them to the configured agent, which may be a model.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memctl_proto::{Event, Kind};
use rusqlite::Transaction;

use crate::activity::ParsedBatch;
use crate::agent::{self, Backend};
use crate::clock;
use crate::config::{Recording, Settings};
use crate::memory::{Batch, Distilled};
use crate::store::accept::{Prepared, accept_prepared};
use crate::store::commit::{self, Attribution, Completed};
use crate::store::elsewhere;
use crate::store::imports::{self, Imported};
use crate::store::queue::{self, BatchMeasure, Claim, ClaimLimits};
use crate::store::{self, Store, claims, sessions};
use crate::testpoint;

/// How much of a turn is distilled at once. The same as for a worker.
pub const BATCH_EVENTS: usize = 256;
pub const BATCH_BYTES: usize = 1 << 20;

/// How long other processes may take the store lock between two transactions. A process that waits for it
/// is woken when it is free, and must not find it taken again.
const PAUSE: Duration = Duration::from_millis(1);

/// What a transcript yields.
#[derive(Debug)]
pub enum Item {
    Event(Box<Event>),
    /// The transcript was read to its end.
    Done {
        client: String,
        session: String,
        imported: Imported,
    },
}

/// What was stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stored {
    pub events: u64,
    /// Events that the store had before.
    pub known: u64,
    pub observations: u64,
    pub summaries: u64,
    /// Turns that the local rules could not read.
    pub failed: u64,
}

impl std::ops::AddAssign for Stored {
    fn add_assign(&mut self, other: Stored) {
        self.events += other.events;
        self.known += other.known;
        self.observations += other.observations;
        self.summaries += other.summaries;
        self.failed += other.failed;
    }
}

pub struct Recorder {
    store: Store,
    limits: ClaimLimits,
    rules: Recording,
    /// Roots of the projects whose checked out commit is recorded.
    roots: BTreeSet<String>,
    pub stored: Stored,
    /// The longest time for which the store lock was held.
    pub longest: Duration,
}

impl Recorder {
    pub fn new(settings: &Settings) -> store::Result<Recorder> {
        let mut store = Store::open(&settings.paths)?;
        store.commit_without_sync()?;
        let limits = ClaimLimits {
            events: BATCH_EVENTS,
            bytes: BATCH_BYTES,
            flush: true,
            limit: BATCH_EVENTS,
            measure: BatchMeasure::Size,
        };
        let rules = settings.config.recording.clone();
        let (roots, stored, longest) = Default::default();
        Ok(Recorder { store, limits, rules, roots, stored, longest })
    }

    /// Stores events and the ends of transcripts in one transaction.
    pub fn commit(&mut self, items: &[Item]) -> store::Result<()> {
        let conn = self.store.connection();
        let prepare = |item: &Item| match item {
            Item::Event(event) => Prepared::new(conn, event, None).map(Some),
            Item::Done { .. } => Ok(None),
        };
        let prepared = items.iter().map(prepare).collect::<store::Result<Vec<_>>>()?;
        let (how, start) = ((&self.limits, &self.rules), Instant::now());
        let mut locked_at = start;
        testpoint::at("import.committing");
        let stored = self.store.write(|tx| {
            locked_at = Instant::now();
            write(tx, items, &prepared, how)
        })?;
        self.longest = self.longest.max(locked_at.elapsed());
        testpoint::at("import.committed");
        self.stored += stored;
        self.record_directories(items)?;
        self.store.maintain_log()?;
        give_way();
        Ok(())
    }

    /// Empties the write-ahead log: it holds the texts of events, which are deleted.
    pub fn finish(mut self) -> Stored {
        let _ = self.store.empty_log();
        self.stored
    }

    /// Records what is new of the projects' directories, once for each.
    fn record_directories(&mut self, items: &[Item]) -> store::Result<()> {
        let events = items.iter().filter_map(|item| match item {
            Item::Event(event) => event.project.as_ref(),
            Item::Done { .. } => None,
        });
        for project in events {
            if self.roots.insert(project.root.clone())
                && let Some(new) = claims::unrecorded(self.store.connection(), project)?
            {
                let now = clock::now_ms();
                self.store.write(|tx| claims::record(tx, &new, now))?;
            }
        }
        Ok(())
    }
}

/// The lock does not signal when its last waiter has taken it.
#[expect(clippy::disallowed_methods, reason = "leaves the store lock to others")]
fn give_way() {
    std::thread::sleep(PAUSE);
}

/// How much is distilled at once, and which directories the user wants to be recorded.
type How<'a> = (&'a ClaimLimits, &'a Recording);

fn write(
    tx: &Transaction,
    items: &[Item],
    prepared: &[Option<Prepared>],
    how: How,
) -> store::Result<Stored> {
    let (mut stored, now) = (Stored::default(), clock::now_ms());
    let mut undistilled = BTreeSet::new();
    for (item, prepared) in items.iter().zip(prepared) {
        match (item, prepared) {
            (Item::Event(event), Some(prepared)) => {
                if sessions::has_event(tx, event.id)? {
                    stored.known += 1;
                    continue;
                }
                let accepted = accept_prepared(tx, event, prepared, now)?;
                match accepted.duplicate {
                    true => stored.known += 1,
                    false => stored.events += 1,
                }
                let Some(session) = accepted.session_id else { continue };
                undistilled.insert(session);
                if matches!(event.kind, Kind::Stop | Kind::StopFailed | Kind::End) {
                    undistilled.remove(&session);
                    distill(tx, session, how, now, &mut stored)?;
                }
            }
            (Item::Done { client, session, imported }, _) => {
                imports::record(tx, client, session, *imported)?;
            }
            (Item::Event(_), None) => unreachable!("all events are prepared"),
        }
    }
    for session in undistilled {
        distill(tx, session, how, now, &mut stored)?;
    }
    Ok(stored)
}

/// Distills what the session has accepted. A worker that is distilling an event of the session also does
/// the rest.
fn distill(
    tx: &Transaction,
    session: i64,
    (limits, rules): How,
    now: i64,
    stored: &mut Stored,
) -> store::Result<()> {
    let pid = std::process::id();
    while let Claim::Batch(batch) = queue::claim(tx, session, limits, pid, now)? {
        let batch = parsed(*batch);
        let distilled = agent::distill_here(batch.clone()).unwrap_or_else(|| {
            stored.failed += 1;
            Distilled::default()
        });
        stored.observations += distilled.observations.len() as u64;
        stored.summaries += u64::from(distilled.summary.is_some());
        let by = Backend::Extractive.name();
        let by = Attribution { observations: by, summary: by, session: by };
        let (summary, evidence) = (distilled.summary.as_ref(), distilled.evidence());
        let further = elsewhere::projects_of_turn(tx, session, &batch, summary, evidence, rules)?;
        let done = commit::complete(tx, session, &batch, &distilled, by, now)?;
        if let Completed::Stored { summary: Some(id), .. } = done {
            elsewhere::link(tx, id, &further)?;
        }
    }
    Ok(())
}

/// The batch with its activities. The work tree's HEAD has moved since.
fn parsed(mut batch: Batch) -> Arc<ParsedBatch> {
    let at = batch.messages.last().map_or(0, |last| last.created_at_epoch);
    batch.utc_offset = clock::utc_offset(at);
    Arc::new(ParsedBatch::new(batch))
}
