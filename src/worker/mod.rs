//! The worker: one detached process per session, which owns the session's socket and queue.
//!
//! It becomes the owner or leaves ([`birth`], [`owner`]), takes events in ([`listener`],
//! [`intake`]), has them distilled ([`distill`]), and goes when nothing is left to do ([`state`],
//! [`clocks`], [`watch`]). The loop between them is [`life`].

mod agent;
mod birth;
mod books;
mod clocks;
mod distill;
mod intake;
mod life;
mod listener;
mod owner;
mod shown;
mod state;
mod watch;

use std::ffi::OsString;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::config::{self, Settings};
use crate::failure::{Context, Result, usage};
use crate::{log, process, spool, testpoint};
use life::Worker;
use owner::Owner;

/// After `max_age`, and as much again but within these, the kernel ends a worker whose own timers
/// have died.
const LAST_RESORT: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(60)];

/// `memctl worker --client C --session ID [--recovery]`. What ends it is logged: its standard error
/// is nobody's.
pub fn run(args: &[OsString]) -> Result<()> {
    serve(args).inspect_err(|failure| tracing::error!("{failure}"))
}

fn serve(args: &[OsString]) -> Result<()> {
    process::set_private_umask();
    let (session, recovery) = birth::parse(args)?;
    let mut settings = config::load(&config::process_env, None).map_err(usage)?;
    settings.paths.create().context("data dir")?;
    set_last_resort(&settings);
    process::set_name();
    die_with_the_intake();
    let _ = log::prune(&settings.paths.logs(), settings.config.log_max);
    // Without a log it works all the same.
    let _ = log::init(&settings.paths.log(&session.key), LevelFilter::INFO);

    testpoint::at("worker.born");
    let lock = birth::become_owner(&settings, &session, recovery).context("session lock")?;
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
    let begun_with = birth::begun_with(&settings, &session, recovery);
    // A batch that was given back may still be on its way through the agent: it ends with us.
    let worker = Worker::new(settings, session, recovery, begun_with.as_deref(), owner);
    runtime.block_on(worker.live()).context("socket")
}

fn set_last_resort(settings: &Settings) {
    let max_age = settings.config.worker.max_age;
    let [least, most] = LAST_RESORT;
    let time = max_age.saturating_add(max_age.clamp(least, most));
    process::set_alarm(u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
}

/// A panic is logged by its place, for its message may quote text. In a batch it is the batch's;
/// in the loop or the intake it is the worker's end, or it would answer and take nothing in.
fn die_with_the_intake() {
    let main = std::thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().map_or_else(String::new, ToString::to_string);
        tracing::error!("panicked at {place}");
        let thread = std::thread::current();
        if thread.id() == main || thread.name() == Some(intake::THREAD) {
            std::process::abort();
        }
    }));
}
