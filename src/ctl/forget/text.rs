//! `memctl forget --text`: removes a text and keeps the memories that contain it.

use std::cell::Cell;
use std::collections::BTreeSet;

use rusqlite::Connection;

use super::selection::{self, format_counts};
use super::{Args, NOTHING_DONE, Outcome, finish, not_rewritten, spooled, undo, undo_until};
use crate::clock;
use crate::config::Settings;
use crate::ctl::drain::SessionName;
use crate::ctl::edit::leftovers;
use crate::ctl::progress::Progress;
use crate::ctl::{ask, open};
use crate::deliver::{self, probe};
use crate::failure::{Context, Result, usage};
use crate::paths::session_key;
use crate::spool;
use crate::spool::forget::{Mode, replace_texts};
use crate::store::Locked;
use crate::store::forget::{ForgetCounts, ForgetSet};
use crate::store::forget_text::{self, TextSet};
use crate::store::forgotten_texts::{ForgottenTexts, MARK, MIN_CHARS};
use crate::store::words::RowKind;
use crate::text::Needle;

const UNREAD: &str = "cannot read the spool";

/// # Errors
/// Exit code 2 for a text that occurs where it does not mean what the user wants to forget.
pub fn check(text: &str) -> Result<()> {
    if text.trim().chars().count() < MIN_CHARS {
        return Err(usage(format!("the text of --text has fewer than {MIN_CHARS} characters"))
            .hint("a short text is part of many words; `memctl forget --query` forgets memories"));
    }
    if Needle::new(text).is_in(MARK) {
        return Err(usage(format!("the text is part of {MARK}, which would take its place")));
    }
    Ok(())
}

pub fn run(settings: &Settings, args: &Args, text: &str) -> Result<()> {
    let paths = &settings.paths;
    let mut outcome = Outcome::of(args);
    outcome.until = undo_until(settings, args, clock::now_ms());
    let is_empty = !paths.data_dir_exists() && spool::keys(paths).is_empty();
    let outcome = match () {
        () if is_empty => Some(outcome),
        () if args.dry_run => Some(dry_run(settings, args, text, outcome)?),
        () => remove(settings, args, text, outcome)?,
    };
    match outcome {
        Some(outcome) => finish(settings, args, outcome, Vec::new()),
        None => crate::ctl::print(NOTHING_DONE),
    }
}

fn dry_run(settings: &Settings, args: &Args, text: &str, mut outcome: Outcome) -> Result<Outcome> {
    let Some(reader) = open::reader(settings)? else { return Ok(outcome) };
    let conn = reader.connection();
    let texts = ForgottenTexts::of(conn, text)?;
    let set = TextSet::find(conn, &texts, outcome.until.is_none())?;
    outcome.count = set.count();
    outcome.spooled = n_spooled(settings, &texts)?;
    if !args.json {
        crate::ctl::print(&list(conn, &set)?)?;
    }
    Ok(outcome)
}

/// Replaces the text everywhere and closes the database. `None` if the user did not confirm.
fn remove(
    settings: &Settings,
    args: &Args,
    text: &str,
    mut outcome: Outcome,
) -> Result<Option<Outcome>> {
    let mut store = open::store(settings)?;
    spooled::drain(settings, args, &mut store)?;
    let conn = store.connection();
    let texts = ForgottenTexts::of(conn, text)?;
    let set = TextSet::find(conn, &texts, outcome.until.is_none())?;
    let n_spooled = n_spooled(settings, &texts)?;
    if set.is_empty() && n_spooled == 0 {
        return Ok(Some(outcome));
    }
    let what = format!("the text in {}", format_counts(&set.count(), n_spooled));
    if !is_confirmed(args, &what, &list(conn, &set)?, outcome.until)? {
        return Ok(None);
    }
    let progress = Progress::new("forgetting");
    let removed =
        store.locked(|locked| Ok(carry_out(settings, args, locked, (text, &texts), &progress)));
    drop(progress);
    let Removed { count, spooled, until, affected, rewritten } = removed??;
    outcome = Outcome { count, spooled, until, ..outcome };
    outcome.left.extend(rewritten.err().map(not_rewritten));
    spool::remove_stale_tmp(&settings.paths);
    // Close the database before a worker is spawned: SQLite connections must not cross a fork. A worker
    // whose batch is dropped claims it again.
    drop(store);
    for (client, session) in &affected {
        deliver::wake(settings, &session_key(client, session), probe::TIMEOUT);
    }
    Ok(Some(outcome))
}

struct Removed {
    count: ForgetCounts,
    spooled: u64,
    until: Option<i64>,
    affected: BTreeSet<SessionName>,
    rewritten: crate::store::Result<()>,
}

/// Selects again under the store lock, because workers may have written since, and replaces the text.
fn carry_out(
    settings: &Settings,
    args: &Args,
    locked: &mut Locked,
    (text, texts): (&str, &ForgottenTexts),
    progress: &Progress,
) -> Result<Removed> {
    let paths = &settings.paths;
    let now = clock::now_ms();
    let until = undo_until(settings, args, now);
    crate::store::undo::end_expired(locked, now)?;
    let set = TextSet::find(locked.connection(), texts, until.is_none())?;
    let affected = set.affected_sessions(locked.connection())?;
    let (n_done, count) = (Cell::new(0), set.count());
    let on_row = || {
        n_done.set(n_done.get() + 1);
        progress.set(|| format!("forgetting: {} of {} items", n_done.get(), count.total()));
    };
    forget_text::replace(locked, &set, texts, until, now, &on_row)?;
    let spooled = replace_texts(paths, Mode::Remove, texts).context(UNREAD)?;
    leftovers::remove(paths, &[], &[Needle::new(text)]);
    progress.set(|| "rewriting the database".into());
    let rewritten = locked.remove_purged_remnants();
    let spooled = spooled.events + spooled.dead_letters;
    Ok(Removed { count, spooled, until, affected, rewritten })
}

fn n_spooled(settings: &Settings, texts: &ForgottenTexts) -> Result<u64> {
    let found = replace_texts(&settings.paths, Mode::Count, texts).context(UNREAD)?;
    Ok(found.events + found.dead_letters)
}

/// The memories that contain the text, one line each, up to a limit.
fn list(conn: &Connection, set: &TextSet) -> Result<String> {
    let mut shown = ForgetSet::default();
    for memory in set.memories() {
        match memory.kind {
            RowKind::Prompt => shown.prompts.insert(memory.id),
            RowKind::Summary => shown.summaries.insert(memory.id),
            RowKind::Observation => shown.observations.insert(memory.id),
        };
    }
    selection::list(conn, &shown)
}

fn is_confirmed(args: &Args, what: &str, list: &str, until: Option<i64>) -> Result<bool> {
    match (args.yes, ask::is_interactive(), until) {
        (true, ..) => Ok(true),
        (_, true, Some(_)) => ask::confirm(&format!("{list}Forget {what}?")),
        (_, true, None) => ask::confirm(&format!("{list}Delete {what}? There is no undo.")),
        (_, false, _) => {
            list.lines().for_each(crate::ctl::eprint_line);
            let verb = if until.is_some() { "forget" } else { "delete" };
            Err(undo::needs_yes(&format!("this would {verb} {what}")))
        }
    }
}
