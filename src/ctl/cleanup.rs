//! `memctl cleanup`: removes files of dead workers and ends inactive sessions.

use std::collections::BTreeSet;
use std::time::Duration;

use super::format::{age, count};
use super::open;
use super::time::duration;
use crate::clock;
use crate::config::Settings;
use crate::deliver::launch;
use crate::failure::{Context, Result};
use crate::recover::cleanup::{self, Ended};
use crate::recover::due;
use crate::spool;
use crate::store::{Reader, queue_admin};
use crate::text::escape;

const HELP: &str = "\
Examples
  memctl cleanup --dry-run       Print what would be done
  memctl cleanup --max-age 2d    Only end sessions without an event for two days
";

/// Remove files of dead workers and end inactive sessions
///
/// Removes sockets and lock files of dead workers, ends sessions whose client has exited or that have had no
/// event for long, starts workers for unfinished sessions, and takes aborted events off the queue's list. Queued and spooled
/// events are kept.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// End sessions without a worker and without an event for this long (30min, 6h, 2d)
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = duration)]
    max_age: Duration,
    /// Print what would be done and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    if !settings.paths.data_dir_exists() {
        return super::print("nothing to clean up: nothing is stored yet\n");
    }
    let now = clock::now_ms();
    let before = now - args.max_age.as_millis() as i64;
    let reader = match Reader::open(&settings.paths, super::READ_TIMEOUT) {
        Err(e) if e.is_corruption() => return quarantine(settings, args),
        opened => opened?,
    };
    let conn = reader.as_ref().map(Reader::connection);
    let aborted = match conn {
        Some(conn) => queue_admin::counts(conn, None)?.aborted,
        None => 0,
    };
    let survey = due::survey(&settings.paths, conn, &BTreeSet::new(), before, now, false)?;
    drop(reader);
    let mut needs_recovery = !survey.due.is_empty();
    let mut out = String::new();
    let mut report = |done: &str, planned: &str, details: String| {
        out.push_str(if args.dry_run { planned } else { done });
        out.push_str(&details);
        out.push('\n');
    };
    let writes = !args.dry_run && (!survey.inactive.is_empty() || aborted > 0);
    let mut store = writes.then(|| open::store(settings)).transpose()?;
    for (session, why) in &survey.inactive {
        if let Some(store) = &mut store {
            let ended = cleanup::end_inactive(&settings.paths, store, session, before, now);
            if !ended? {
                continue;
            }
            needs_recovery = true;
        }
        let silent_for = age(session.last_event_epoch, now);
        let why = match why {
            Ended::ClientGone => format!("its client has exited, no event for {silent_for}"),
            Ended::Silent => format!("no event for {silent_for}"),
        };
        let id = escape(&session.content_session_id);
        report("ended ", "would end ", format!("{id}: {why}"));
    }
    if aborted > 0 {
        let cleared = match &mut store {
            Some(store) => cleanup::clear_aborted(store, now)?,
            None => aborted,
        };
        let n = count(cleared, "aborted event");
        report("cleared ", "would clear ", format!("{n} from the queue's list"));
    }
    // Close the database before recovery is spawned: SQLite connections must not cross a fork.
    drop(store);
    for files in &survey.stale_files {
        if !args.dry_run
            && !cleanup::remove_stale_files(&settings.paths, &files.key)
                .context("cannot remove the files of a worker")?
        {
            continue;
        }
        let session = escape(files.session.as_deref().unwrap_or(&files.key));
        report("removed ", "would remove ", format!("files of the dead worker of {session}"));
    }
    for due in &survey.due {
        report(
            "recovering ",
            "would recover ",
            format!("{}: {}", escape(&due.session), due.reason),
        );
    }
    if !args.dry_run {
        spool::remove_stale_tmp(&settings.paths);
        if needs_recovery {
            launch::start_recovery(settings).context("cannot start recovery")?;
        }
    }
    if out.is_empty() {
        out.push_str("nothing to clean up\n");
    } else if !survey.due.is_empty() && !args.dry_run {
        let n = count(survey.due.len() as u64, "session");
        out.push_str(&format!("recovering {n}; `memctl ps` lists the workers\n"));
    }
    super::print(&out)
}

/// Starts recovery, which quarantines a damaged database.
fn quarantine(settings: &Settings, args: &Args) -> Result<()> {
    if args.dry_run {
        return super::print("would quarantine the damaged database and create a new one\n");
    }
    launch::start_recovery(settings).context("cannot start recovery")?;
    super::print("recovery quarantines the damaged database; `memctl status` shows its new path\n")
}
