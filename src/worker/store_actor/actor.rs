//! Owns the worker's SQLite connection and its fencing token, and carries out the jobs.
//!
//! A job that failed because the store was unavailable is kept and retried by the next
//! [`Job::DrainSpool`], before the spool.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use memctl_proto::event::Project;
use tokio::sync::mpsc as reports;

use super::{Job, Report};
use crate::activity::ParsedBatch;
use crate::agent::{Backend, deferral};
use crate::clock;
use crate::config::{self, Settings, StartedBy};
use crate::memory::{Batch, Distilled, Evidence, Summary};
use crate::spool::drain;
use crate::store::accept::{self, ClosedBy, WhichPrompts};
use crate::store::commit::{self, Attribution, Completed};
use crate::store::elsewhere;
use crate::store::queue::{self, BatchSize, Claim, ClaimLimits, Deferral, Fence};
use crate::store::{
    self, LockWait, Store, StoreError, StoreFault, deferrals, quarantine, queue_admin, refusals,
    sessions,
};
use crate::worker::owner::Session;
use crate::worker::signals::SessionStatus;
use crate::{capture, project, spool, testpoint};

/// How old the last event of a batch may be if HEAD is to be read for it, in milliseconds.
const MAX_HEAD_AGE: i64 = 10 * 60 * 1000;

pub struct StoreActor {
    pub(super) settings: Arc<Settings>,
    session: Arc<Session>,
    reports: reports::UnboundedSender<Report>,
    pub(super) store: Option<Store>,
    pub(super) fence: Fence,
    pid: u32,
    /// The session's status when it was last read.
    pub(super) status: SessionStatus,
    /// Jobs that failed because the store was unavailable.
    failed: VecDeque<Job>,
    /// Rows and keys that are too old were deleted.
    pub(super) has_tidied: bool,
}

impl StoreActor {
    pub fn new(
        settings: Arc<Settings>,
        session: Arc<Session>,
        reports: reports::UnboundedSender<Report>,
    ) -> StoreActor {
        let fence = Fence::new(&session.client, &session.id);
        StoreActor {
            settings,
            session,
            reports,
            store: None,
            fence,
            pid: std::process::id(),
            status: SessionStatus::default(),
            failed: VecDeque::new(),
            has_tidied: false,
        }
    }

    pub fn carry_out(&mut self, job: Job) {
        let result = match &job {
            Job::DrainSpool => self.drain_spool(),
            Job::Claim(limits) => self.claim(limits),
            Job::Complete { batch, distilled, by } => self.complete(batch, distilled, *by),
            Job::Defer { batch, deferral } => self.defer(batch, deferral),
            Job::Fail { batch, reason } => self.fail(batch, reason),
            Job::Release(batch) => self.release(batch),
            Job::ClosePrompts { by, which } => self.close_prompts(*by, *which),
            Job::EmptyLog => self.empty_log(),
            Job::FindUnsummarized => self.find_unsummarized(),
            Job::StoreProvisional { batch, summary, turn } => {
                self.store_provisional(batch, summary, turn.as_deref())
            }
            Job::SettleCall { call, outcome } => self.settle_call(*call, *outcome),
            Job::Refuse { backend, config_fingerprint, why } => {
                self.write(|tx, _| refusals::record(tx, backend.name(), config_fingerprint, why))
            }
            Job::Answered(backend) => self.answered(*backend),
            Job::Learn { of, learnt } => self.learn(of, learnt),
        };
        let Err(e) = result else { return };
        // The event loop waits for exactly one report on a claim, on a search for Stops without
        // summary and on a provisional summary, so these jobs are not kept.
        let answer = match job {
            Job::DrainSpool | Job::EmptyLog => None,
            Job::Claim(_) => {
                Some(Report::NothingToClaim { not_before: None, session: self.status })
            }
            // A provisional summary is written again after the next event.
            Job::FindUnsummarized | Job::StoreProvisional { .. } => {
                Some(Report::Unsummarized(None))
            }
            job => {
                self.failed.push_back(job);
                None
            }
        };
        match (&answer, &e) {
            // The same summary would fail again at once.
            (Some(Report::Unsummarized(_)), StoreError::Refused(_) | StoreError::Bug(_)) => {
                tracing::warn!("no provisional summary: {e}");
            }
            _ => self.report_error(&e),
        }
        if let Some(answer) = answer {
            self.report(answer);
        }
    }

    fn drain_spool(&mut self) -> store::Result<()> {
        for job in std::mem::take(&mut self.failed) {
            self.carry_out(job);
        }
        let (mut kinds, mut clients, mut deletes_texts) = (Vec::new(), Vec::new(), false);
        if spool::exists(&self.settings.paths, &self.session.key) {
            self.open()?;
            let store = self.store.as_mut().expect("opened");
            let (settings, key) = (&self.settings, &self.session.key);
            let drained = drain::drain(store, settings, key, &mut self.fence, clock::now_ms())?;
            if drained.dead_letters > 0 {
                tracing::warn!(
                    files = drained.dead_letters,
                    "spool files were moved to the dead-letter directory"
                );
            }
            (kinds, clients) = (drained.kinds, drained.clients);
            deletes_texts = drained.deletes_texts;
        } else {
            // The first transaction takes the fencing token, which returns the messages of an
            // earlier worker to the queue.
            self.write(|_, _| Ok(()))?;
        }
        let session = self.read_status();
        self.report(Report::SpoolDrained { kinds, clients, session });
        self.maintain_wal(deletes_texts);
        self.delete_too_old();
        Ok(())
    }

    fn claim(&mut self, limits: &ClaimLimits) -> store::Result<()> {
        let pid = self.pid;
        let changed = self.changed_deferrals()?;
        let account = self.account();
        let claim = self.write(|tx, session| match session {
            Some(session) => {
                if let Some(account) = &account {
                    sessions::record_account(tx, session, account)?;
                }
                deferrals::release(tx, &changed)?;
                queue::claim(tx, session, limits, pid, clock::now_ms())
            }
            None => Ok(Claim::Nothing),
        })?;
        testpoint::at("worker.claimed");
        let session = self.read_status();
        self.report(match claim {
            Claim::Batch(batch) => Report::Claimed { batch: parsed(*batch), session },
            Claim::NotBefore(epoch) => Report::NothingToClaim { not_before: Some(epoch), session },
            Claim::Nothing => Report::NothingToClaim { not_before: None, session },
        });
        Ok(())
    }

    /// The account with which this worker runs `claude`, if it may.
    fn account(&self) -> Option<String> {
        let settings = &self.settings;
        let may_run = settings.config.agent.chain().contains(&Backend::Claude.name())
            && settings.started_by == StartedBy::Session;
        let dir = || config::claude_config_dir(settings).unwrap_or_default();
        may_run.then(|| dir().to_string_lossy().into_owned())
    }

    /// What messages of this session wait for and need not any more: another backend, key or login.
    fn changed_deferrals(&mut self) -> store::Result<Vec<String>> {
        let Some(session) = self.fence.session() else { return Ok(Vec::new()) };
        let mut waited_for = deferrals::waited_for(self.open()?.connection(), Some(session))?;
        if !waited_for.is_empty() {
            let current = deferral::current(&self.settings);
            waited_for.retain(|waits_for| !deferral::is_valid(waits_for, &current));
        }
        Ok(waited_for)
    }

    fn complete(
        &mut self,
        batch: &Batch,
        distilled: &Distilled,
        by: Attribution,
    ) -> store::Result<()> {
        let (summary, evidence) = (distilled.summary.as_ref(), distilled.evidence());
        let further = self.further_projects(batch, summary, evidence)?;
        testpoint::at("worker.completing");
        self.settle(false, |tx, session| {
            let done = commit::complete(tx, session, batch, distilled, by, clock::now_ms())?;
            if let Completed::Stored { summary: Some(id), .. } = done {
                elsewhere::link(tx, id, &further)?;
            }
            // Logged before the commit, so that the log has the order of the store.
            match done {
                Completed::Stored { .. } => {
                    tracing::info!(events = batch.messages.len(), "stored a batch");
                }
                Completed::Dropped => {
                    tracing::info!("dropped a batch that was changed while it was distilled");
                }
            }
            Ok(())
        })?;
        testpoint::at("worker.completed");
        self.maintain_wal(self.status.pending == 0);
        Ok(())
    }

    /// The projects of other repositories in which the turn changed files.
    pub(super) fn further_projects(
        &mut self,
        batch: &Batch,
        summary: Option<&Summary>,
        evidence: Option<&Evidence>,
    ) -> store::Result<Vec<Project>> {
        let Some(session) = self.fence.session() else { return Ok(Vec::new()) };
        let rules = self.settings.config.recording.clone();
        let conn = self.open()?.connection();
        elsewhere::projects_of_turn(conn, session, batch, summary, evidence, &rules)
    }

    fn defer(&mut self, batch: &Batch, deferral: &Deferral) -> store::Result<()> {
        self.settle(false, |tx, session| queue::defer(tx, session, &ids(batch), deferral))
    }

    fn fail(&mut self, batch: &Batch, reason: &str) -> store::Result<()> {
        let size = if batch.messages.len() == 1 { BatchSize::Single } else { BatchSize::Several };
        testpoint::at("worker.failing");
        self.settle(true, |tx, session| {
            queue::fail(tx, session, &ids(batch), reason, size, clock::now_ms()).map(drop)
        })?;
        testpoint::at("worker.failed");
        Ok(())
    }

    fn release(&mut self, batch: &Batch) -> store::Result<()> {
        testpoint::at("worker.giving_back");
        self.settle(false, |tx, session| queue::release(tx, session, &ids(batch)))?;
        testpoint::at("worker.given_back");
        Ok(())
    }

    /// Ends the work on a batch and reports it. Stores nothing if the session has no row.
    fn settle(
        &mut self,
        failed: bool,
        work: impl Fn(&rusqlite::Transaction, i64) -> store::Result<()>,
    ) -> store::Result<()> {
        self.write(|tx, session| session.map_or(Ok(()), |session| work(tx, session)))?;
        let session = self.read_status();
        self.report(Report::BatchSettled { failed, session });
        Ok(())
    }

    fn close_prompts(&mut self, by: ClosedBy, which: WhichPrompts) -> store::Result<()> {
        testpoint::at("worker.closing_turns");
        self.write(|tx, session| match session {
            Some(session) => accept::close_open(tx, session, by, clock::now_ms(), which).map(drop),
            None => Ok(()),
        })?;
        testpoint::at("worker.closed_turns");
        let session = self.read_status();
        self.report(Report::PromptsClosed { session });
        Ok(())
    }

    pub fn has_work(&mut self) -> bool {
        if spool::exists(&self.settings.paths, &self.session.key) {
            return true;
        }
        let pending = self.write(|tx, session| match session {
            Some(session) => queue_admin::count_unfinished(tx, session),
            None => Ok(0),
        });
        match pending {
            Ok(n) => n > 0,
            Err(StoreError::Fenced | StoreError::Newer { .. }) => false,
            // Unknown. The worker listens again until its end deadline.
            Err(_) => true,
        }
    }

    /// Runs a write transaction, which first checks the fencing token.
    pub(super) fn write<T>(
        &mut self,
        work: impl Fn(&rusqlite::Transaction, Option<i64>) -> store::Result<T>,
    ) -> store::Result<T> {
        self.open()?;
        let store = self.store.as_mut().expect("opened");
        store.fenced(&mut self.fence, clock::now_ms(), work)
    }

    pub(super) fn open(&mut self) -> store::Result<&Store> {
        if self.store.is_none() {
            self.store = Some(Store::open(&self.settings.paths)?);
        }
        Ok(self.store.as_ref().expect("opened"))
    }

    /// Reads the session's status. If that fails, reports the error and returns the old status,
    /// which the event loop ignores after the error.
    pub(super) fn read_status(&mut self) -> SessionStatus {
        if let Some(store) = &self.store {
            match session_status(store.connection(), &self.session) {
                Ok(status) => self.status = status,
                Err(e) => self.report_error(&e),
            }
        }
        self.status
    }

    pub(super) fn report(&self, report: Report) {
        // Fails only if the event loop has returned.
        let _ = self.reports.send(report);
    }

    pub(super) fn report_error(&mut self, e: &StoreError) {
        let report = match e {
            StoreError::Fenced => Report::Fenced { why: e.to_string(), successor: true },
            StoreError::Newer { .. } => Report::Fenced { why: e.to_string(), successor: false },
            // The connection stays usable. Closing the last one would remove the wal-index, which
            // no reader can create on a full disk.
            StoreError::Fault { kind: StoreFault::Full, .. } => Report::Unavailable(e.to_string()),
            StoreError::Fault { .. } => {
                // The file may have been removed: open the path again.
                self.store = None;
                if e.is_corruption() {
                    self.quarantine_database();
                }
                Report::Unavailable(e.to_string())
            }
            StoreError::Busy(_)
            | StoreError::Refused(_)
            | StoreError::Schema(_)
            | StoreError::Bug(_) => Report::Unavailable(e.to_string()),
        };
        self.report(report);
    }

    /// Quarantines a damaged database. Later events go to a new one. Failed jobs are dropped,
    /// because their rows are in the old one.
    fn quarantine_database(&mut self) {
        match quarantine::replace_damaged(&self.settings.paths, LockWait::Forever, clock::now_ms())
        {
            Ok(Some(dir)) => {
                tracing::warn!("the damaged database was moved to {}", dir.display());
            }
            // Another process has quarantined it, or the damage was temporary.
            Ok(None) => {}
            Err(e) => tracing::warn!("the damaged database cannot be moved: {e}"),
        }
        let settles_batch = |job: &Job| {
            matches!(
                job,
                Job::Complete { .. } | Job::Fail { .. } | Job::Defer { .. } | Job::Release(_)
            )
        };
        let batch_is_lost = self.failed.iter().any(settles_batch);
        self.failed.clear();
        if batch_is_lost {
            self.report(Report::BatchSettled { failed: false, session: self.status });
        }
    }
}

/// The batch with its activities, and with what the work tree and the clock say now.
pub(super) fn parsed(mut batch: Batch) -> Arc<ParsedBatch> {
    let Some(last) = batch.messages.last() else { return Arc::new(ParsedBatch::new(batch)) };
    let now = clock::now_ms();
    // HEAD has moved since an event of a transcript, or one that waited in the spool.
    let is_recent = now - last.created_at_epoch < MAX_HEAD_AGE;
    let dir = last.cwd.as_deref().map(Path::new).or(batch.project_root.as_deref());
    batch.head = dir.filter(|_| is_recent).and_then(project::head);
    if let Some(head) = &mut batch.head {
        head.branch = capture::without_secrets(&head.branch);
    }
    batch.utc_offset = clock::utc_offset(last.created_at_epoch);
    Arc::new(ParsedBatch::new(batch))
}

fn session_status(conn: &rusqlite::Connection, session: &Session) -> store::Result<SessionStatus> {
    let Some(row) = sessions::brief(conn, &session.client, &session.id)? else {
        return Ok(SessionStatus::default());
    };
    Ok(SessionStatus {
        pending: queue_admin::count_unfinished(conn, row.id)?,
        open: accept::open_prompts(conn, row.id)?,
        prompt: row.prompts,
        active: row.active,
        client: row.client,
    })
}

fn ids(batch: &Batch) -> Vec<i64> {
    batch.messages.iter().map(|m| m.id).collect()
}
