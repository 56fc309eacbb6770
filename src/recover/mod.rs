//! `memctl recover`: finishes the work of dead and hung workers by starting ordinary workers.
//!
//! SessionStart and each starting worker make a cheap check (`deliver::unfinished`) and start this
//! process if it finds something. Recovery decides what is due ([`due`]); age is no reason to skip
//! work. A spool to which an event was just added is left to the worker that its hook starts, for
//! [`due::STARTER_TIME`]. One recovery runs at a time. It starts workers for two sessions at a time, newest first,
//! and does work that needs no worker itself ([`cleanup`]).

pub mod cleanup;
pub mod deferrals;
pub mod due;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::{Duration, Instant, SystemTime};

use tracing::level_filters::LevelFilter;

use crate::clock;
use crate::config::Settings;
use crate::deliver::probe::{self, WorkerState};
use crate::deliver::{launch, unfinished};
use crate::failure::{Context, Result, failed, usage};
use crate::files::Place;
use crate::lock::{self, LockState};
use crate::log::Log;
use crate::store::{self, LockWait, Store, quarantine};
use crate::{log, spool, testpoint};
use crate::{process, project};
use due::{Due, StaleFiles};

/// Workers that run at the same time. A backend may be a local model that fills the machine's
/// memory.
const MAX_WORKERS: usize = 2;

/// Limit on waiting for the recovery lock. It outlasts a probe, which holds the lock for a moment.
const LOCK_TIMEOUT: Duration = Duration::from_millis(50);

/// Interval between two checks of the running workers.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A worker that has not taken its lock within this time plus `worker.hang_timeout` has died at
/// startup. Includes the longest time that a starter is delayed after crashes.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(6);

/// A worker that is idle after this time has drained the spool and claimed all due messages.
const SETTLE_TIME: Duration = Duration::from_secs(2);

/// After this time recovery stops waiting for a session's worker and starts others.
const SESSION_TIMEOUT: Duration = Duration::from_secs(600);

/// Limit on waiting for the store lock.
const STORE_TIMEOUT: Duration = Duration::from_secs(30);

/// SIGALRM kills a recovery after this many seconds.
const ALARM_SECONDS: u32 = 24 * 3600;

const HELP: &str = "\
memctl recover

Finishes the work of workers that died or hang. New sessions and starting workers run this command
when they find unfinished work.
";

/// Runs `memctl recover` with the arguments that follow it.
pub fn run(args: &[OsString]) -> Result<()> {
    match args.first() {
        Some(arg) if arg == "--help" || arg == "-h" => {
            print!("{HELP}");
            return Ok(());
        }
        Some(arg) => {
            let message = format!("unexpected argument '{}'", arg.display());
            return Err(usage(message).hint("`memctl recover` takes no arguments"));
        }
        None => {}
    }
    process::set_private_umask();
    let mut settings = project::settings(&[]).map_err(failed)?;
    if !settings.paths.data_dir_exists() {
        return Ok(());
    }
    settings.paths.create().context("data dir")?;
    process::set_alarm(ALARM_SECONDS);
    process::set_name();
    // Recovery works without a log too.
    let log = Log { place: settings.paths.general_log(), max_bytes: settings.config.log_max };
    let _ = log::init(log, LevelFilter::INFO);
    let lock = settings.paths.recover_lock();
    let try_lock = || lock::acquire(&lock, Some(LOCK_TIMEOUT)).context("recovery lock");
    let mut guard = try_lock()?;
    if guard.is_none() {
        launch::request_recovery_pass(&lock);
        // The other recovery may have exited before it could see the request.
        guard = try_lock()?;
    }
    if guard.is_some() {
        testpoint::at("recover.begun");
    }
    while let Some(held_lock) = guard.take() {
        let last_request = requested_at(&lock);
        let recovery = Recovery {
            settings: &settings,
            tried: BTreeSet::new(),
            running: Vec::new(),
            waited_for_starters: false,
        };
        recovery.run().context("store")?;
        drop(held_lock);
        // Check after the release. Any later requester finds the lock free and runs itself.
        if requested_at(&lock) != last_request {
            guard = try_lock()?;
        }
    }
    Ok(())
}

/// When another process last asked for a pass, see [`launch::request_recovery_pass`].
fn requested_at(lock: &Place) -> Option<SystemTime> {
    lock.stat().map(|stat| stat.modified).ok()
}

/// One pass over all sessions.
struct Recovery<'a> {
    settings: &'a Settings,
    /// Keys of sessions that this pass has tried. A session that fails again waits for the next pass.
    tried: BTreeSet<String>,
    running: Vec<StartedWorker>,
    /// Fresh spools have had the time in which their starters start workers.
    waited_for_starters: bool,
}

/// What a pass has to do next.
enum Next {
    /// Examine all sessions again.
    Survey,
    /// Give the starters of fresh spools their time.
    WaitForStarters,
    Nothing,
}

struct StartedWorker {
    due: Due,
    started_at: Instant,
    /// A worker of the session has replied: this one, or one that an event started.
    seen_live: bool,
}

impl Recovery<'_> {
    /// Runs until every due session has been tried.
    fn run(mut self) -> store::Result<()> {
        loop {
            match self.survey_and_start()? {
                Next::Survey => {}
                Next::WaitForStarters if self.running.is_empty() => {
                    pause(due::STARTER_TIME);
                    self.waited_for_starters = true;
                }
                Next::Nothing if self.running.is_empty() => return Ok(()),
                Next::WaitForStarters | Next::Nothing => {}
            }
            while !self.running.is_empty() && !self.remove_finished() {
                pause(POLL_INTERVAL);
            }
        }
    }

    /// Surveys all sessions, does the work that needs no worker, and starts workers up to
    /// [`MAX_WORKERS`]. Ending a session can make it due.
    fn survey_and_start(&mut self) -> store::Result<Next> {
        let now = clock::now_ms();
        let paths = &self.settings.paths;
        let before = now - unfinished::STALE_AFTER.as_millis() as i64;
        let mut store = open(self.settings, now)?;
        deferrals::release_changed(&mut store, self.settings)?;
        let spare_fresh = !self.waited_for_starters;
        let survey =
            due::survey(paths, Some(store.connection()), &self.tried, before, now, spare_fresh)?;
        let left_to_starters = survey.left_to_starters;
        let mut changed = false;
        for (session, why) in &survey.inactive {
            if cleanup::end_inactive(paths, &mut store, session, before, now)? {
                tracing::info!(session = session.content_session_id, ?why, "ended a session");
                changed = true;
            }
        }
        // A forked child must not inherit a database connection.
        drop(store);
        for StaleFiles { key, .. } in survey.stale_files {
            if cleanup::remove_stale_files(paths, &key).is_ok_and(|removed| removed) {
                tracing::info!(key, "removed files of a dead worker");
            }
            if !spool::exists(paths, &key) {
                self.tried.insert(key);
            }
        }
        let n_free = MAX_WORKERS.saturating_sub(self.running.len());
        for due in survey.due.into_iter().take(n_free) {
            tracing::info!(client = due.client, session = due.session, "{}", due.reason);
            self.tried.insert(due.key.clone());
            match launch::start_recovery_worker(self.settings, &due.client, &due.session) {
                Ok(()) => {
                    testpoint::at("recover.started");
                    let started_at = Instant::now();
                    self.running.push(StartedWorker { due, started_at, seen_live: false });
                }
                Err(e) => tracing::warn!("cannot start a worker: {e}"),
            }
        }
        Ok(match (changed, left_to_starters) {
            (true, _) => Next::Survey,
            (false, true) => Next::WaitForStarters,
            (false, false) => Next::Nothing,
        })
    }

    /// Removes finished workers from `running`. Returns whether there were any.
    fn remove_finished(&mut self) -> bool {
        let (settings, n) = (self.settings, self.running.len());
        self.running.retain_mut(|worker| !worker.is_finished(settings));
        self.running.len() < n
    }
}

impl StartedWorker {
    /// Whether the worker has exited, or has no due work left and only serves open prompts.
    fn is_finished(&mut self, settings: &Settings) -> bool {
        let lock_path = settings.paths.session_lock(&self.due.key);
        let lock = lock::probe(&lock_path).unwrap_or(LockState::Held);
        let elapsed = self.started_at.elapsed();
        if lock != LockState::Held {
            let startup_timeout = STARTUP_TIMEOUT + settings.config.worker.hang_timeout;
            let is_done = || lock == LockState::Absent && !self.has_due_work(settings);
            return self.seen_live || elapsed > startup_timeout || is_done();
        }
        let worker = probe::probe(&settings.paths, &self.due.key);
        self.seen_live |= matches!(worker, WorkerState::Live { .. });
        if elapsed > SESSION_TIMEOUT {
            tracing::warn!(session = self.due.session, "stopped waiting for a worker");
            return true;
        }
        // An idle worker has done what it can and waits for the end of a turn.
        let idle = matches!(worker, WorkerState::Live { status, .. } if status.doing == "idle");
        self.seen_live && (elapsed > SETTLE_TIME && idle || !self.has_due_work(settings))
    }

    fn has_due_work(&self, settings: &Settings) -> bool {
        due::has_due_work(&settings.paths, &self.due)
    }
}

/// Opens the store. Quarantines a damaged database and opens a new one.
fn open(settings: &Settings, now: i64) -> store::Result<Store> {
    let wait = LockWait::Within(STORE_TIMEOUT);
    match Store::open_within(&settings.paths, wait) {
        Err(e) if e.is_corruption() => {
            if let Some(dir) = quarantine::replace_damaged(&settings.paths, wait, now)? {
                tracing::warn!("the database is damaged and was moved to {}", dir.display());
            }
            Store::open_within(&settings.paths, wait)
        }
        opened => opened,
    }
}

#[expect(clippy::disallowed_methods, reason = "another process's lock cannot be waited for here")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
