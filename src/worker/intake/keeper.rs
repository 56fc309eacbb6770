//! Owns the worker's connection to the store. No transaction waits for anything but the disk.

use std::collections::VecDeque;
use std::sync::Arc;

use memctl_proto::{Code, Event};
use tokio::sync::mpsc as reports;

use super::{Answer, Job, Refusal, Report, Standing};
use crate::clock;
use crate::config::Settings;
use crate::memory::{Batch, Distilled};
use crate::spool::drain;
use crate::store::accept::{self, Accepted, ClosedBy, WhichPrompts};
use crate::store::commit::{self, Attribution, Completed};
use crate::store::queue::{self, BatchSize, Claim, ClaimLimits, Fence};
use crate::store::{
    self, LockWait, Store, StoreError, quarantine, queue_admin, refusals, sessions,
};
use crate::worker::owner::Session;
use crate::{spool, testpoint};

/// A WAL of this size is checkpointed as soon as everybody has been answered.
const WAL_MAX: u64 = 8 << 20;

/// Carries out jobs, and reports what came of them.
pub struct Keeper {
    pub(super) settings: Arc<Settings>,
    session: Arc<Session>,
    pub(super) reports: reports::UnboundedSender<Report>,
    pub(super) store: Option<Store>,
    fence: Fence,
    pid: u32,
    /// What could not be done for want of a store: tried again before anything else.
    unsettled: VecDeque<Job>,
}

impl Keeper {
    pub fn new(
        settings: Arc<Settings>,
        session: Arc<Session>,
        reports: reports::UnboundedSender<Report>,
    ) -> Keeper {
        let fence = Fence::new(&session.client, &session.id);
        Keeper {
            settings,
            session,
            reports,
            store: None,
            fence,
            pid: std::process::id(),
            unsettled: VecDeque::new(),
        }
    }

    pub fn carry_out(&mut self, job: Job) {
        let done = match &job {
            Job::TakeIn => self.take_in(),
            Job::Claim(take) => self.claim(take),
            Job::Complete { batch, distilled, by } => self.complete(batch, distilled, *by),
            Job::Hold { batch, reason, until } => self.hold(batch, reason, *until),
            Job::Unsummarised => self.unsummarised(),
            Job::Provide { batch, summary } => self.provide(batch, summary),
            Job::SettleCall { call, settled } => self.settle_call(*call, *settled),
            Job::Refuse { backend, config_fingerprint, why } => {
                self.write(|tx, _| refusals::record(tx, backend.name(), config_fingerprint, why))
            }
            Job::Answered(backend) => self.answered(*backend),
            Job::Fail { batch, reason } => self.fail(batch, reason),
            Job::GiveBack(batch) => self.give_back(batch),
            Job::Close { by, which } => self.close(*by, *which),
            Job::Checkpoint => self.checkpoint(),
            Job::Accept { .. } | Job::OpenCall { .. } => return,
            Job::LookOnceMore(_) | Job::Leave(_) => return,
        };
        if let Err(e) = done {
            let asks = matches!(job, Job::TakeIn | Job::Claim(_) | Job::Unsummarised);
            if !asks && !matches!(job, Job::Checkpoint) {
                self.unsettled.push_back(job);
            }
            self.report_trouble(&e);
        }
    }

    /// Commits a group of events, and answers each only then.
    pub fn accept(&mut self, group: Vec<(Event, Answer)>) {
        let now = clock::now_ms();
        testpoint::at("worker.accepting");
        let events: Vec<&Event> = group.iter().map(|(event, _)| event).collect();
        let mut verdicts = self.commit(&events, now).map(|all| all.into_iter().map(Ok).collect());
        if let Err(StoreError::Bug(_)) = &verdicts {
            // One event that the store chokes on must not take its neighbours along.
            verdicts = Ok(events
                .iter()
                .map(|event| self.commit(&[event], now).map(|mut one| one.remove(0)))
                .collect::<Vec<_>>());
        }
        testpoint::at("worker.accepted");
        match verdicts {
            Ok(verdicts) => self.answer(group.into_iter().zip(verdicts)),
            Err(e) => {
                for (_, reply) in group {
                    reply(Err(refusal(&e)));
                }
                self.report_trouble(&e);
            }
        }
    }

    fn answer(&mut self, group: impl Iterator<Item = ((Event, Answer), store::Result<Accepted>)>) {
        let (mut kinds, mut clients, mut bytes) = (Vec::new(), Vec::new(), 0);
        for ((event, reply), verdict) in group {
            if matches!(&verdict, Ok(accepted) if !accepted.duplicate) {
                kinds.push(event.kind);
                bytes += event.text_len();
                clients.extend(event.process);
            }
            reply(verdict.map_err(|e| refusal(&e)));
        }
        self.report_standing();
        let _ = self.reports.send(Report::Accepted { kinds, bytes, clients });
    }

    fn commit(&mut self, events: &[&Event], now: i64) -> store::Result<Vec<Accepted>> {
        self.write(|tx, _| events.iter().map(|event| accept::accept(tx, event, now)).collect())
    }

    fn take_in(&mut self) -> store::Result<()> {
        for job in std::mem::take(&mut self.unsettled) {
            self.carry_out(job);
        }
        if spool::exists(&self.settings.paths, &self.session.key) {
            self.open()?;
            let (paths, key) = (self.settings.paths.clone(), self.session.key.clone());
            let keep = self.settings.config.queue.keep;
            let store = self.store.as_mut().expect("opened");
            let fence = &mut self.fence;
            let taken = drain::drain(store, &paths, &key, fence, keep, clock::now_ms())?;
            if taken.dead > 0 {
                tracing::warn!(files = taken.dead, "spooled files could not be read");
            }
            self.report_standing();
            let drain::Drained { kinds, clients, .. } = taken;
            let _ = self.reports.send(Report::Accepted { kinds, bytes: 0, clients });
            let _ = self.reports.send(Report::TookIn { events: taken.events });
        } else {
            // Also the first transaction of this worker: what its predecessor had in hand goes
            // back into the queue.
            self.write(|_, _| Ok(()))?;
            self.report_standing();
            let _ = self.reports.send(Report::TookIn { events: 0 });
        }
        self.tend_the_log();
        Ok(())
    }

    fn claim(&mut self, take: &ClaimLimits) -> store::Result<()> {
        let pid = self.pid;
        let claim = self.write(|tx, session| match session {
            Some(session) => queue::claim(tx, session, take, pid, clock::now_ms()),
            None => Ok(Claim::Nothing),
        })?;
        testpoint::at("worker.claimed");
        let report = match claim {
            Claim::Batch(batch) => Report::Claimed(Arc::from(batch)),
            Claim::NotBefore(epoch) => Report::NothingToClaim { not_before: Some(epoch) },
            Claim::Nothing => Report::NothingToClaim { not_before: None },
        };
        self.report_standing();
        let _ = self.reports.send(report);
        Ok(())
    }

    fn complete(
        &mut self,
        batch: &Batch,
        distilled: &Distilled,
        by: Attribution,
    ) -> store::Result<()> {
        testpoint::at("worker.completing");
        self.settle(
            |tx, session| {
                let Some(session) = session else { return Ok(()) };
                let done = commit::complete(tx, session, batch, distilled, by, clock::now_ms())?;
                // Said before the commit: so the log has the order of the store.
                match done {
                    Completed::Stored { .. } => {
                        tracing::info!(events = batch.messages.len(), "stored a batch");
                    }
                    Completed::Dropped => {
                        tracing::info!("dropped a batch that was changed while it was in hand");
                    }
                }
                Ok(())
            },
            false,
        )?;
        testpoint::at("worker.completed");
        Ok(())
    }

    fn hold(&mut self, batch: &Batch, reason: &str, until: i64) -> store::Result<()> {
        self.settle(
            |tx, session| {
                let Some(session) = session else { return Ok(()) };
                queue::defer(tx, session, &ids(batch), reason, until)
            },
            false,
        )
    }

    fn fail(&mut self, batch: &Batch, reason: &str) -> store::Result<()> {
        let company =
            if batch.messages.len() == 1 { BatchSize::Single } else { BatchSize::Several };
        testpoint::at("worker.failing");
        self.settle(
            |tx, session| {
                let Some(session) = session else { return Ok(()) };
                let now = clock::now_ms();
                queue::fail(tx, session, &ids(batch), reason, company, now).map(drop)
            },
            true,
        )?;
        testpoint::at("worker.failed");
        Ok(())
    }

    fn give_back(&mut self, batch: &Batch) -> store::Result<()> {
        testpoint::at("worker.giving_back");
        self.settle(
            |tx, session| session.map_or(Ok(()), |id| queue::release(tx, id, &ids(batch))),
            false,
        )?;
        testpoint::at("worker.given_back");
        Ok(())
    }

    fn settle(
        &mut self,
        work: impl Fn(&rusqlite::Transaction, Option<i64>) -> store::Result<()>,
        failed: bool,
    ) -> store::Result<()> {
        self.write(work)?;
        self.report_standing();
        let _ = self.reports.send(Report::Settled { failed });
        Ok(())
    }

    fn close(&mut self, by: ClosedBy, which: WhichPrompts) -> store::Result<()> {
        testpoint::at("worker.closing_turns");
        self.write(|tx, session| match session {
            Some(session) => accept::close_open(tx, session, by, clock::now_ms(), which).map(drop),
            None => Ok(()),
        })?;
        testpoint::at("worker.closed_turns");
        self.report_standing();
        Ok(())
    }

    /// What the log needs, once everybody has been answered. A disk that is full says so to the
    /// next commit.
    pub fn tend_the_log(&mut self) {
        let Some(store) = &mut self.store else { return };
        if store.wal_bytes() > WAL_MAX {
            let _ = store.checkpoint();
        }
        let _ = store.make_room();
    }

    fn checkpoint(&mut self) -> store::Result<()> {
        match &mut self.store {
            Some(store) => store.checkpoint(),
            None => Ok(()),
        }
    }

    /// The last words of a worker that leaves in good order.
    pub fn put_in_order(&mut self) {
        let keep = self.settings.config.queue.keep.as_millis() as i64;
        let done = self.write(|tx, session| {
            if let Some(session) = session {
                queue::release_all(tx, session)?;
                sessions::reset_restarts(tx, session)?;
            }
            queue_admin::retention(tx, keep, clock::now_ms()).map(drop)
        });
        if let Err(e) = done.and_then(|()| self.checkpoint()) {
            tracing::info!("left without tidying: {e}");
        }
        testpoint::at("worker.in_order");
    }

    pub fn anything_left(&mut self) -> bool {
        if spool::exists(&self.settings.paths, &self.session.key) {
            return true;
        }
        let pending = self.write(|tx, session| match session {
            Some(session) => queue_admin::pending(tx, session),
            None => Ok(0),
        });
        match pending {
            Ok(n) => n > 0,
            Err(StoreError::Fenced | StoreError::Newer { .. }) => false,
            // Nobody can tell: better to stay for as long as an end may take.
            Err(_) => true,
        }
    }

    /// A write transaction of this worker: it begins by asking whether the session is still its.
    pub(super) fn write<T>(
        &mut self,
        work: impl Fn(&rusqlite::Transaction, Option<i64>) -> store::Result<T>,
    ) -> store::Result<T> {
        self.open()?;
        let fence = &mut self.fence;
        let store = self.store.as_mut().expect("opened");
        store.fenced(fence, clock::now_ms(), work)
    }

    pub(super) fn open(&mut self) -> store::Result<()> {
        if self.store.is_none() {
            self.store = Some(Store::open(&self.settings.paths)?);
        }
        Ok(())
    }

    fn report_standing(&mut self) {
        let Some(store) = &self.store else { return };
        match standing(store.connection(), &self.session) {
            Ok(standing) => drop(self.reports.send(Report::Standing(standing))),
            Err(e) => self.report_trouble(&e),
        }
    }

    pub(super) fn report_trouble(&mut self, e: &StoreError) {
        let report = match e {
            StoreError::Fenced => Report::NotOurs { why: e.to_string(), needs_heir: true },
            StoreError::Newer { .. } => Report::NotOurs { why: e.to_string(), needs_heir: false },
            // The connection may be to a file that is no longer there: begin anew.
            StoreError::Fault { .. } => {
                self.store = None;
                if e.is_corruption() {
                    self.begin_anew();
                }
                Report::Unavailable(e.to_string())
            }
            StoreError::Busy(_) | StoreError::Bug(_) => Report::Unavailable(e.to_string()),
        };
        let _ = self.reports.send(report);
    }

    /// Sets a damaged database aside; events go on in a new one. What was in hand belongs to the
    /// old one.
    fn begin_anew(&mut self) {
        match quarantine::replace_damaged(&self.settings.paths, LockWait::Forever, clock::now_ms())
        {
            Ok(Some(place)) => {
                tracing::warn!("the damaged database was set aside: {}", place.display());
            }
            // Another one did it, or the damage is of a kind that passes.
            Ok(None) => {}
            Err(e) => tracing::warn!("the damaged database could not be set aside: {e}"),
        }
        let settles = |job: &Job| {
            matches!(
                job,
                Job::Complete { .. } | Job::Fail { .. } | Job::Hold { .. } | Job::GiveBack(_)
            )
        };
        let in_hand = self.unsettled.iter().any(settles);
        self.unsettled.clear();
        if in_hand {
            let _ = self.reports.send(Report::Settled { failed: false });
        }
    }
}

fn standing(conn: &rusqlite::Connection, session: &Session) -> store::Result<Standing> {
    let Some(known) = sessions::brief(conn, &session.client, &session.id)? else {
        return Ok(Standing::default());
    };
    Ok(Standing {
        pending: queue_admin::pending(conn, known.id)?,
        open: accept::open_prompts(conn, known.id)?,
        prompt: known.prompts,
        active: known.active,
        client: known.client,
    })
}

fn ids(batch: &Batch) -> Vec<i64> {
    batch.messages.iter().map(|m| m.id).collect()
}

fn refusal(e: &StoreError) -> Refusal {
    let code = match e {
        StoreError::Fenced | StoreError::Newer { .. } => Code::Leaving,
        _ => Code::Store,
    };
    Refusal { code, message: e.to_string() }
}
