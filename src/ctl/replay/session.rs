//! Delivers the events of one transcript through the session's worker, and counts them.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::config::Settings;
use crate::ctl::format::span;
use crate::ctl::transcript::{Capturer, Step};
use crate::ctl::{READ_TIMEOUT, poll};
use crate::deliver::{self, Delivered, wake};
use crate::failure::{Context, Failure, Result, failed};
use crate::lock::{self, LockState};
use crate::paths::session_key;
use crate::spool;
use crate::store::{Reader, sessions};

/// How long to wait for the worker to drain a full spool.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait until a transcript is distilled.
const DISTILL_TIMEOUT: Duration = Duration::from_secs(600);

/// How long events may wait without a worker. A worker that has crashed pauses for up to 4 s.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Number of spooled events at which replay waits for the worker.
const MAX_SPOOLED: usize = 200;

pub struct Session<'a> {
    settings: &'a Settings,
    client: &'a str,
    file: &'a Path,
    /// The client's session id.
    pub id: String,
    key: String,
    capturer: Capturer<'a>,
    /// The database as it is while events are delivered. `None` if there is none.
    store: Option<Reader>,
    delivered: HashSet<Uuid>,
    /// Number of events that were delivered or repeated one of this run.
    pub n_events: u64,
    /// Number of events that are not recorded, such as those of tools that only read a list.
    pub n_skipped: u64,
    /// Number of events that the store had before this run.
    n_stored_before: u64,
}

impl<'a> Session<'a> {
    pub fn new(
        settings: &'a Settings,
        client: &'a str,
        file: &'a Path,
        id: &str,
    ) -> Result<Session<'a>> {
        let key = session_key(client, id);
        Ok(Session {
            settings,
            client,
            file,
            id: id.to_owned(),
            capturer: Capturer { settings, client, key: key.clone() },
            key,
            store: Reader::open(&settings.paths, READ_TIMEOUT)?,
            delivered: HashSet::new(),
            n_events: 0,
            n_skipped: 0,
            n_stored_before: 0,
        })
    }

    /// Why the session is not replayed. Events of hooks have other ids than those of a replay, so both
    /// would be stored.
    pub fn reason_to_skip(&self, first: &Step) -> Result<Option<&'static str>> {
        let Some(store) = &self.store else { return Ok(None) };
        let conn = store.connection();
        if sessions::was_forgotten_after(conn, self.client, &self.id, first.at)? {
            return Ok(Some("was forgotten"));
        }
        let Some(stored) = sessions::find(conn, self.client, &self.id)? else {
            return Ok(None);
        };
        let replayed = sessions::has_prompt_event(conn, stored.id, &first.id.to_string())?;
        Ok((!replayed).then_some("was recorded live"))
    }

    /// Delivers the event of a step.
    ///
    /// # Errors
    /// If it cannot be stored, or if no worker takes the events before it.
    pub fn deliver(&mut self, step: &Step) -> Result<()> {
        let Some(event) = self.capturer.event(step, None)? else {
            self.n_skipped += 1;
            return Ok(());
        };
        self.n_events += 1;
        if !self.delivered.insert(event.id) {
            return Ok(());
        }
        self.n_stored_before += u64::from(self.is_stored(event.id)?);
        let hook = &self.settings.config.hook;
        match deliver::deliver(self.settings, &self.key, &event, Instant::now() + hook.deadline) {
            Delivered::Accepted { .. } => Ok(()),
            Delivered::Spooled { .. } => {
                let paths = &self.settings.paths;
                let is_full = spool::read(paths, &self.key, MAX_SPOOLED)
                    .is_ok_and(|spooled| spooled.len() >= MAX_SPOOLED);
                if is_full && !self.wait(DRAIN_TIMEOUT, || !spool::exists(paths, &self.key))? {
                    wake(self.settings, &self.key, hook.ring);
                }
                Ok(())
            }
            Delivered::Lost { reason } => {
                Err(self.failed(&format!("cannot store an event: {reason}")))
            }
        }
    }

    /// Waits until all events are distilled.
    pub fn wait_until_distilled(&self) -> Result<()> {
        let paths = &self.settings.paths;
        // Check the spool first. The worker locks the session before it drains the spool and unlocks
        // it when everything is distilled.
        let done = || !spool::exists(paths, &self.key) && self.lock() == LockState::Absent;
        if self.wait(DISTILL_TIMEOUT, done)? {
            return Ok(());
        }
        let timeout = span(DISTILL_TIMEOUT);
        Err(self
            .failed(&format!("the worker did not finish within {timeout}"))
            .hint("`memctl ps` shows what it does, `memctl queue` lists unfinished events"))
    }

    /// Number of events that were stored before this run, or repeat another one of the transcript. Before
    /// the events are distilled, those that only repeat the content of another one do not count.
    pub fn count_known(&self, distilled: bool) -> Result<u64> {
        let mut n_new = self.delivered.len() as u64 - self.n_stored_before;
        if distilled {
            let store = Reader::open(&self.settings.paths, READ_TIMEOUT)?;
            let mut n_stored = 0;
            for id in self.delivered.iter().filter(|_| store.is_some()) {
                n_stored += u64::from(has_event(store.as_ref(), *id)?);
            }
            n_new = n_stored.saturating_sub(self.n_stored_before);
        }
        Ok(self.n_events - n_new)
    }

    fn is_stored(&self, event: Uuid) -> Result<bool> {
        has_event(self.store.as_ref(), event)
    }

    fn lock(&self) -> LockState {
        lock::probe(&self.settings.paths.session_lock(&self.key)).unwrap_or(LockState::Held)
    }

    /// Waits until `done` returns true, for at most `timeout`. Returns its last result.
    ///
    /// # Errors
    /// If there is no worker for [`START_TIMEOUT`].
    fn wait(&self, timeout: Duration, mut done: impl FnMut() -> bool) -> Result<bool> {
        let (mut alone_since, mut is_done) = (None, false);
        let is_alone = || self.lock() != LockState::Held;
        let mut has_no_worker = false;
        poll::until(timeout, || {
            is_done = done();
            alone_since = alone_since.or_else(|| Some(Instant::now())).filter(|_| is_alone());
            has_no_worker =
                alone_since.is_some_and(|since: Instant| since.elapsed() > START_TIMEOUT);
            is_done || has_no_worker
        });
        if has_no_worker && !is_done {
            return Err(self
                .failed("no worker takes the events")
                .hint("`memctl doctor` says why; the events wait in the spool"));
        }
        Ok(is_done)
    }

    fn failed(&self, why: &str) -> Failure {
        failed(format!("{}: {why}", self.file.display()))
    }
}

fn has_event(store: Option<&Reader>, event: Uuid) -> Result<bool> {
    match store {
        Some(store) => sessions::has_event(store.connection(), event).context("database"),
        None => Ok(false),
    }
}
