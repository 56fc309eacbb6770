//! `memctl cleanup`: what dead workers and silent clients left over, all at once.

use std::collections::BTreeSet;
use std::time::Duration;

use super::format::{age, count};
use crate::clock;
use crate::config::{Settings, parse_duration};
use crate::deliver::launch;
use crate::failure::{Context, Result};
use crate::recover::{cleanup, due};
use crate::spool;
use crate::store::{LockWait, Reader, Store};

/// How long the store may be another's.
const STORE: Duration = Duration::from_secs(10);

const HELP: &str = "\
Examples
  memctl cleanup --dry-run       say what would be done
  memctl cleanup --max-age 2d    be patient with silent sessions
";

/// Clear away what dead workers and silent clients left
///
/// Removes sockets and lock files of dead workers, ends sessions that fell silent, and starts
/// the recovery of what is unfinished. Nothing that waits is thrown away.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// End sessions without a worker and without an event for so long: 30min, 6h, 2d
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = time)]
    max_age: Duration,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

fn time(text: &str) -> std::result::Result<Duration, &'static str> {
    parse_duration(text).ok_or("write 30min, 6h or 2d")
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    if !settings.paths.exist() {
        return super::print("nothing to clean up: nothing remembered yet\n");
    }
    let now = clock::now_ms();
    let before = now - args.max_age.as_millis() as i64;
    let reader = match Reader::open(&settings.paths, super::PATIENCE) {
        Err(e) if e.is_corruption() => return damaged(settings, args),
        opened => opened.context("database")?,
    };
    let conn = reader.as_ref().map(Reader::connection);
    let survey =
        due::survey(&settings.paths, conn, &BTreeSet::new(), before, now).context("database")?;
    drop(reader);
    let mut work = !survey.due.is_empty();
    let mut out = String::new();
    let mut say = |done: &str, planned: &str, what: String| {
        out.push_str(if args.dry_run { planned } else { done });
        out.push_str(&what);
        out.push('\n');
    };
    let mut store = match (args.dry_run, survey.inactive.is_empty()) {
        (false, false) => {
            let patience = LockWait::Within(STORE);
            Some(Store::open_within(&settings.paths, patience).context("database")?)
        }
        _ => None,
    };
    for session in &survey.inactive {
        if let Some(store) = &mut store {
            let ended = cleanup::end_inactive(&settings.paths, store, session, before, now);
            if !ended.context("database")? {
                continue;
            }
            work = true;
        }
        let silent = age(session.last_event_epoch, now);
        say("ended ", "would end ", format!("{}, silent for {silent}", session.content_session_id));
    }
    // A child that is forked must have no connection.
    drop(store);
    for left in &survey.stale_files {
        if !args.dry_run
            && !cleanup::remove_stale_files(&settings.paths, &left.key)
                .context("files of a worker")?
        {
            continue;
        }
        let whose = left.session.as_deref().unwrap_or(&left.key);
        say("removed ", "would remove ", format!("what a dead worker of {whose} left"));
    }
    for due in &survey.due {
        say("recovering ", "would recover ", format!("{}: {}", due.session, due.reason));
    }
    if !args.dry_run {
        spool::remove_stale_tmp(&settings.paths);
        if work {
            launch::start_recovery(settings).context("recovery")?;
        }
    }
    if out.is_empty() {
        out.push_str("nothing to clean up\n");
    } else if !survey.due.is_empty() && !args.dry_run {
        let n = count(survey.due.len() as u64, "session");
        out.push_str(&format!("{n} under way: memctl ps shows the workers\n"));
    }
    super::print(&out)
}

/// Recovery sets a damaged database aside.
fn damaged(settings: &Settings, args: &Args) -> Result<()> {
    if args.dry_run {
        return super::print("would set the database aside: it is damaged\n");
    }
    launch::start_recovery(settings).context("recovery")?;
    super::print("the database is damaged: recovery sets it aside, memctl status says where\n")
}
