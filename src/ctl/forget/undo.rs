//! `memctl forget --undo`, and `memctl forget --now` without a selection.

use std::collections::BTreeSet;

use serde_json::json;

use super::selection::{self, format_counts};
use super::{Args, NOTHING_DONE, Outcome, not_rewritten, print_outcome};
use crate::clock;
use crate::config::Settings;
use crate::ctl::drain::{self, SessionName};
use crate::ctl::format;
use crate::ctl::progress::Progress;
use crate::ctl::{ask, note, open};
use crate::failure::{Failure, Result, failed, usage};
use crate::store::undo::restore::Restored;
use crate::store::undo::{self, restore};
use crate::store::{Store, queue_admin};

/// Restores what the newest `forget` removed.
pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let mut store = open(settings)?.ok_or_else(|| nothing(settings))?;
    let all = undo::list(store.connection())?;
    let Some((newest, earlier)) = all.split_first() else { return Err(nothing(settings)) };
    let shown = |conn: &rusqlite::Connection, restored: Restored| {
        Ok((selection::list(conn, &restored.set)?, restored))
    };
    let progress = Progress::new("restoring");
    let restored: Result<(String, Restored)> = store.locked(|locked| match args.dry_run {
        true => restore::with_restored(locked, &[*newest], shown),
        false => {
            let restored = restore::restore(locked, *newest)?;
            Ok(shown(locked.connection(), restored))
        }
    })?;
    let (list, Restored { set, left_out }) = restored?;
    drop(progress);
    let conn = store.connection();
    let sessions = set.affected_sessions(conn)?;
    let unfinished = queue_admin::sessions_with_work(conn, None, clock::now_ms())?;
    let unfinished: BTreeSet<SessionName> =
        unfinished.into_iter().map(|work| (work.client, work.content_session_id)).collect();
    // Close the database before a worker is spawned: SQLite connections must not cross a fork.
    drop(store);
    if !args.dry_run {
        drain::wake_workers(settings, &sessions, &unfinished)?;
    }
    let n = set.count();
    if args.json {
        return crate::ctl::print_json(&json!({
            "sessions": n.sessions, "prompts": n.prompts, "summaries": n.summaries,
            "observations": n.observations, "events": n.events, "left_out": left_out,
            "dry_run": args.dry_run, "forgotten_at_epoch": newest.at_epoch,
            "earlier": earlier.len(),
        }));
    }
    if left_out > 0 {
        let items = format::count(left_out, "item");
        note(&format!("{items} not restored: newer ones have taken their place"));
    }
    let done = if args.dry_run { "would restore" } else { "restored" };
    let at = format::at(newest.at_epoch);
    let what = match n.total() {
        0 => format!("what was forgotten {at}"),
        _ => format!("{}, forgotten {at}", format_counts(&n, 0)),
    };
    crate::ctl::print(&list)?;
    crate::ctl::say(&format!("{done} {what}"))?;
    match (earlier.first(), args.dry_run) {
        (Some(next), false) => crate::ctl::say(&format!(
            "`memctl forget --undo` now restores what was forgotten {}",
            format::at(next.at_epoch)
        )),
        _ => Ok(()),
    }
}

/// Deletes for good all that can be restored.
pub fn end_all(settings: &Settings, args: &Args) -> Result<()> {
    let mut outcome = Outcome::of(args);
    let Some(mut store) = open(settings)? else { return print_outcome(args, &outcome) };
    if undo::list(store.connection())?.is_empty() {
        return print_outcome(args, &outcome);
    }
    outcome.count = undo::counts(store.connection())?;
    if args.dry_run {
        return print_outcome(args, &outcome);
    }
    let what = format_counts(&outcome.count, 0);
    if !args.yes && !ask::is_interactive() {
        return Err(needs_yes(&format!("this would delete {what} for good")));
    }
    let question = format!("Delete {what} for good, which can still be restored?");
    if !args.yes && !ask::confirm(&question)? {
        return crate::ctl::print(NOTHING_DONE);
    }
    let progress = Progress::new("rewriting the database");
    let rewritten = store.locked(|locked| {
        undo::end_all(locked)?;
        Ok(locked.remove_purged_remnants())
    });
    drop(progress);
    outcome.left.extend(rewritten?.err().map(not_rewritten));
    print_outcome(args, &outcome)
}

/// The error for a selection that is not confirmed.
pub fn needs_yes(what: &str) -> Failure {
    usage(format!("{what}; without a terminal this needs --yes"))
        .hint("`--dry-run` shows what is selected")
}

fn open(settings: &Settings) -> Result<Option<Store>> {
    settings.paths.data_dir_exists().then(|| open::store(settings)).transpose()
}

fn nothing(settings: &Settings) -> Failure {
    let period = format::span(settings.config.forget_undo);
    failed("there is nothing to restore")
        .hint(format!("forgotten memories can be restored for {period} (setting forget.undo)"))
}
