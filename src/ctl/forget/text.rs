//! `memctl forget --text`: removes a text and keeps the memories that contain it.

use rusqlite::Connection;

use super::removal::{self, Removed};
use super::selection::{self, format_counts};
use super::{Args, NOTHING_DONE, Outcome, finish, spooled, undo_until};
use crate::clock;
use crate::config::Settings;
use crate::ctl::edit::leftovers;
use crate::ctl::open;
use crate::ctl::progress::Progress;
use crate::failure::{Context, Result, usage};
use crate::spool;
use crate::spool::forget::{Mode, replace_texts};
use crate::store::Locked;
use crate::store::forget::ForgetSet;
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
    outcome: Outcome,
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
    if !args.yes && !removal::confirm(&list(conn, &set)?, &what, outcome.until, None)? {
        return Ok(None);
    }
    let (outcome, _) = removal::run(settings, args, store, |locked, progress| {
        carry_out(settings, args, locked, (text, &texts), progress)
    })?;
    Ok(Some(outcome))
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
    let count = set.count();
    let on_row = removal::counting(progress, count.total());
    forget_text::replace(locked, &set, texts, until, now, &on_row)?;
    let spooled = replace_texts(paths, Mode::Remove, texts).context(UNREAD)?;
    leftovers::remove(paths, &[], &[Needle::new(text)]);
    Ok(Removed {
        count,
        spooled: spooled.events + spooled.dead_letters,
        until,
        affected,
        passages: Vec::new(),
        rewritten: removal::rewrite(locked, progress),
    })
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
