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
use crate::recover::due::{self, Survey};
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

/// What was done, or what would be: one line each.
struct Report {
    lines: String,
    dry_run: bool,
}

impl Report {
    fn add(&mut self, done: &str, planned: &str, details: &str) {
        let verb = if self.dry_run { planned } else { done };
        self.lines.push_str(&format!("{verb} {details}\n"));
    }
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let paths = &settings.paths;
    if !paths.data_dir_exists() {
        return super::print("nothing to clean up: nothing is stored yet\n");
    }
    let now = clock::now_ms();
    let before = now - args.max_age.as_millis() as i64;
    let reader = match Reader::open(paths, super::READ_TIMEOUT) {
        Err(e) if e.is_corruption() => return quarantine(settings, args),
        opened => opened?,
    };
    let conn = reader.as_ref().map(Reader::connection);
    let aborted = conn.map_or(Ok(0), |conn| queue_admin::counts(conn, None).map(|n| n.aborted))?;
    let survey = due::survey(paths, conn, &BTreeSet::new(), before, now, false)?;
    drop(reader);
    let mut report = Report { lines: String::new(), dry_run: args.dry_run };
    let has_ended = clean_store(settings, &survey, aborted, (before, now), &mut report)?;
    for files in &survey.stale_files {
        if !args.dry_run
            && !cleanup::remove_stale_files(paths, &files.key)
                .context("cannot remove the files of a worker")?
        {
            continue;
        }
        let session = escape(files.session.as_deref().unwrap_or(&files.key));
        report.add("removed", "would remove", &format!("files of the dead worker of {session}"));
    }
    for due in &survey.due {
        let details = format!("{}: {}", escape(&due.session), due.reason);
        report.add("recovering", "would recover", &details);
    }
    if !args.dry_run {
        spool::remove_stale_tmp(paths);
        if has_ended || !survey.due.is_empty() {
            launch::start_recovery(settings).context("cannot start recovery")?;
        }
    }
    let mut out = report.lines;
    if out.is_empty() {
        out.push_str("nothing to clean up\n");
    } else if !survey.due.is_empty() && !args.dry_run {
        let n = count(survey.due.len() as u64, "session");
        out.push_str(&format!("recovering {n}; `memctl ps` lists the workers\n"));
    }
    super::print(&out)
}

/// Ends the inactive sessions and clears the aborted events. Returns whether a session was ended.
fn clean_store(
    settings: &Settings,
    survey: &Survey,
    aborted: u64,
    (before, now): (i64, i64),
    report: &mut Report,
) -> Result<bool> {
    let writes = !report.dry_run && (!survey.inactive.is_empty() || aborted > 0);
    // Closed before recovery is spawned: SQLite connections must not cross a fork.
    let mut store = writes.then(|| open::store(settings)).transpose()?;
    let mut has_ended = false;
    for (session, why) in &survey.inactive {
        if let Some(store) = &mut store {
            if !cleanup::end_inactive(&settings.paths, store, session, before, now)? {
                continue;
            }
            has_ended = true;
        }
        let silent_for = age(session.last_event_epoch, now);
        let why = match why {
            Ended::ClientGone => format!("its client has exited, no event for {silent_for}"),
            Ended::Silent => format!("no event for {silent_for}"),
        };
        let id = escape(&session.content_session_id);
        report.add("ended", "would end", &format!("{id}: {why}"));
    }
    if aborted > 0 {
        let cleared = match &mut store {
            Some(store) => cleanup::clear_aborted(store, now)?,
            None => aborted,
        };
        let n = count(cleared, "aborted event");
        report.add("cleared", "would clear", &format!("{n} from the queue's list"));
    }
    Ok(has_ended)
}

/// Starts recovery, which quarantines a damaged database.
fn quarantine(settings: &Settings, args: &Args) -> Result<()> {
    if args.dry_run {
        return super::print("would quarantine the damaged database and create a new one\n");
    }
    launch::start_recovery(settings).context("cannot start recovery")?;
    super::print("recovery quarantines the damaged database; `memctl status` shows its new path\n")
}
