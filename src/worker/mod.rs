//! The worker: one detached process per session, which owns the session's socket and queue.
//!
//! [`startup`] takes the session lock; [`owner`] keeps it and the socket. [`listener`] reads
//! requests and [`store_actor`] commits events. [`machine`] decides when to claim a batch, to close
//! prompts and to exit. [`batch_runner`] runs the memory agent. [`event_loop`] connects them.

mod batch_runner;
mod client_watch;
mod event_loop;
mod ledger;
mod listener;
mod machine;
mod owner;
mod signals;
mod startup;
mod status;
mod store_actor;
mod timers;

use std::ffi::OsString;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::config::{Settings, StartedBy};
use crate::failure::{Context, Result, usage};
use crate::log::Log;
use crate::{guard, log, process, project, spool, testpoint};
use event_loop::EventLoop;
use owner::Owner;

/// The alarm fires this long after `max_age`: `max_age` again, clamped to this range.
const ALARM_MARGIN: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(60)];

/// `memctl worker --client C --session ID [--recovery]`. An error goes to the log, because standard
/// error is /dev/null.
pub fn run(args: &[OsString]) -> Result<()> {
    start(args).inspect_err(|failure| tracing::error!("{failure}"))
}

fn start(args: &[OsString]) -> Result<()> {
    process::set_private_umask();
    let (session, recovery) = startup::parse(args)?;
    let mut settings = project::settings(&[]).map_err(usage)?;
    settings.paths.create().context("data dir")?;
    reset_alarm(&settings);
    process::set_name();
    install_panic_hook();
    // A worker without a log still works.
    let max_bytes = settings.config.log_max;
    let _ = log::prune(&settings.paths.logs(), max_bytes);
    let log = Log { place: settings.paths.log(&session.key), max_bytes };
    let _ = log::init(log, LevelFilter::INFO);

    testpoint::at("worker.born");
    if recovery {
        settings.recorded_account = startup::recorded_account(&settings, &session);
        settings.started_by = StartedBy::Recovery;
    }
    let lock = startup::become_owner(&settings, &session, recovery).context("session lock")?;
    let Some(lock) = lock else {
        tracing::debug!("another worker serves this session");
        return Ok(());
    };
    testpoint::at("worker.asked");
    spool::remove_stale_tmp(&settings.paths);
    spool::reserve_loss_counter(&settings.paths);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("runtime")?;
    let owner = Owner::new(lock);
    let backend = startup::recovery_backend(&settings, &session, recovery);
    let serve = async {
        EventLoop::new(settings, session, recovery, backend.as_deref(), owner)?.run().await
    };
    // A released batch may leave an aborted task. Dropping the runtime drops it, which kills the
    // agent's program.
    runtime.block_on(serve).context("socket")
}

/// Restarts the alarm by which the kernel ends this process if the event loop hangs.
fn reset_alarm(settings: &Settings) {
    let max_age = settings.config.worker.max_age;
    let [min, max] = ALARM_MARGIN;
    let delay = max_age.saturating_add(max_age.clamp(min, max));
    process::set_alarm(u32::try_from(delay.as_secs()).unwrap_or(u32::MAX));
}

/// Logs only the location of a panic, because its message may contain user text. A panic in the
/// local rules, which run on a thread of their own, fails only their batch. In the event loop or
/// the store thread it aborts the process, which would otherwise answer pings but accept no events,
/// unless the panic will be caught.
fn install_panic_hook() {
    let main = std::thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        let location = info.location().map_or_else(String::new, ToString::to_string);
        tracing::error!("panicked at {location}");
        let thread = std::thread::current();
        let is_vital = thread.id() == main || thread.name() == Some(store_actor::THREAD);
        if is_vital && !guard::is_panic_caught() {
            std::process::abort();
        }
    }));
}
