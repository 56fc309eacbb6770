//! `memctl recover`: finishes what dead and hung workers left, by starting ordinary ones.
//!
//! A session's start and a worker's birth ask a cheap question and start it; what is due, it
//! alone decides ([`due`]). One on the machine, which goes on when it is asked meanwhile; two sessions at a time, the newest first. What
//! needs no worker it does itself ([`cleanup`]). Nothing is discarded because it is old.

pub mod cleanup;
pub mod due;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use tracing::level_filters::LevelFilter;

use crate::clock;
use crate::config::{self, Settings};
use crate::deliver::probe::{self, WorkerState};
use crate::deliver::{launch, unfinished};
use crate::failure::{Context, Result, failed};
use crate::lock::{self, LockState};
use crate::process;
use crate::store::{self, LockWait, Store, quarantine};
use crate::{log, spool, testpoint};
use due::{Due, StaleFiles};

/// Sessions at a time: a backend may be a model that fills the memory of a machine.
const AT_ONCE: usize = 2;

/// How long another may look at the lock, not hold it.
const GLANCE: Duration = Duration::from_millis(50);

/// Between two looks at what is under way.
const STEP: Duration = Duration::from_millis(50);

/// A worker that nobody has seen after so long, the longest time it may be held back included,
/// died at birth.
const BORN: Duration = Duration::from_secs(6);

/// Who is idle after so long has taken in and begun what there was.
const SETTLED: Duration = Duration::from_secs(2);

/// How long one session may keep others waiting.
const PATIENCE: Duration = Duration::from_secs(600);

/// How long the store may be another's.
const STORE: Duration = Duration::from_secs(30);

/// No recovery lives longer, whatever it waits for: the kernel ends it.
const LAST_RESORT: u32 = 24 * 3600;

/// Runs `memctl recover`.
pub fn run() -> Result<()> {
    process::set_private_umask();
    let mut settings = config::load(&config::process_env, None).map_err(failed)?;
    if !settings.paths.exist() {
        return Ok(());
    }
    settings.paths.create().context("data dir")?;
    process::set_alarm(LAST_RESORT);
    process::set_name();
    // Without a log it works all the same.
    let _ = log::init(&settings.paths.general_log(), LevelFilter::INFO);
    let lock = settings.paths.recover_lock();
    let try_lock = || lock::acquire(&lock, Some(GLANCE)).context("recovery lock");
    let mut held = try_lock()?;
    if held.is_none() {
        leave_word(&lock);
        held = try_lock()?;
    }
    if held.is_some() {
        testpoint::at("recover.begun");
    }
    while let Some(mine) = held.take() {
        let word = last_word(&lock);
        Recovery { settings: &settings, tried: BTreeSet::new(), under_way: Vec::new() }
            .run()
            .context("store")?;
        drop(mine);
        // Looked at when the lock is free again: who leaves word after this finds it so.
        if last_word(&lock) != word {
            held = try_lock()?;
        }
    }
    Ok(())
}

/// Tells whoever recovers that it was asked for once more: he has tried some sessions already, and
/// something may be due there now.
fn leave_word(lock: &Path) {
    let _ = File::open(lock).and_then(|file| file.set_modified(SystemTime::now()));
}

fn last_word(lock: &Path) -> Option<SystemTime> {
    fs::metadata(lock).and_then(|meta| meta.modified()).ok()
}

struct Recovery<'a> {
    settings: &'a Settings,
    /// Each session is tried once: what fails again is left to the next recovery.
    tried: BTreeSet<String>,
    under_way: Vec<Started>,
}

/// A worker that was started.
struct Started {
    due: Due,
    at: Instant,
    /// A worker has answered, this one or one that an event had started.
    lived: bool,
}

impl Recovery<'_> {
    /// Until nothing is due that has not been tried.
    fn run(mut self) -> store::Result<()> {
        loop {
            let changed = self.begin()?;
            if self.under_way.is_empty() && !changed {
                return Ok(());
            }
            while !self.under_way.is_empty() && !self.any_over() {
                pause(STEP);
            }
        }
    }

    /// Looks around, does what needs no worker, and starts workers on free seats. Whether that
    /// may have made something due.
    fn begin(&mut self) -> store::Result<bool> {
        let now = clock::now_ms();
        let paths = &self.settings.paths;
        let before = now - unfinished::STALE_AFTER.as_millis() as i64;
        let mut store = open(self.settings, now)?;
        let survey = due::survey(paths, Some(store.connection()), &self.tried, before, now)?;
        let mut changed = false;
        for session in &survey.inactive {
            if cleanup::end_inactive(paths, &mut store, session, before, now)? {
                tracing::info!(session = session.content_session_id, "ended, silent for long");
                changed = true;
            }
        }
        // A child that is forked must have no connection.
        drop(store);
        for StaleFiles { key, .. } in survey.stale_files {
            if cleanup::remove_stale_files(paths, &key).is_ok_and(|removed| removed) {
                tracing::info!(key, "removed what a dead worker left behind");
            }
            if !spool::exists(paths, &key) {
                self.tried.insert(key);
            }
        }
        let free = AT_ONCE.saturating_sub(self.under_way.len());
        for due in survey.due.into_iter().take(free) {
            tracing::info!(client = due.client, session = due.session, "{}", due.reason);
            self.tried.insert(due.key.clone());
            match launch::start_recovery_worker(self.settings, &due.client, &due.session) {
                Ok(()) => {
                    testpoint::at("recover.started");
                    let at = Instant::now();
                    self.under_way.push(Started { due, at, lived: false });
                }
                Err(e) => tracing::warn!("no worker could be started: {e}"),
            }
        }
        Ok(changed)
    }

    /// Whether a seat has come free.
    fn any_over(&mut self) -> bool {
        let (settings, n) = (self.settings, self.under_way.len());
        self.under_way.retain_mut(|started| !started.over(settings));
        self.under_way.len() < n
    }
}

impl Started {
    /// The worker has gone, or has nothing left to do but to serve what is open.
    fn over(&mut self, settings: &Settings) -> bool {
        let path = settings.paths.session_lock(&self.due.key);
        let state = lock::probe(&path).unwrap_or(LockState::Held);
        let waited = self.at.elapsed();
        if state != LockState::Held {
            let born = BORN + settings.config.worker.hang_timeout;
            let done = || state == LockState::Absent && !self.work_left(settings);
            return self.lived || waited > born || done();
        }
        let found = probe::probe(&settings.paths, &self.due.key);
        self.lived |= matches!(found, WorkerState::Live { .. });
        if waited > PATIENCE {
            tracing::warn!(session = self.due.session, "waited for no longer");
            return true;
        }
        // It has done what it could, and waits for the end of a turn.
        let idle = matches!(found, WorkerState::Live { status, .. } if status.doing == "idle");
        self.lived && (waited > SETTLED && idle || !self.work_left(settings))
    }

    fn work_left(&self, settings: &Settings) -> bool {
        due::work_left(&settings.paths, &self.due)
    }
}

/// The store, whole: a damaged one is set aside.
fn open(settings: &Settings, now: i64) -> store::Result<Store> {
    let patience = LockWait::Within(STORE);
    match Store::open_within(&settings.paths, patience) {
        Err(e) if e.is_corruption() => {
            if let Some(place) = quarantine::replace_damaged(&settings.paths, patience, now)? {
                tracing::warn!("the database is damaged and was set aside: {}", place.display());
            }
            Store::open_within(&settings.paths, patience)
        }
        opened => opened,
    }
}

#[expect(clippy::disallowed_methods, reason = "another process's lock has no event to wait for")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
