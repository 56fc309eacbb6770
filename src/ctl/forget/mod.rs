//! `memctl forget`: removes memories. [`undo`] restores them.

mod files;
mod left;
mod removal;
mod selection;
mod spooled;
mod text;
mod undo;
mod verify;

use serde_json::json;

use super::ask;
use super::change::say_undoable;
use super::edit::leftovers;
use super::format;
use super::progress::Progress;
use super::time::parse_past;
use crate::clock;
use crate::config::Settings;
use crate::ctl::open;
use crate::failure::{Context, Result, failed, usage};
use crate::spool;
use crate::spool::drain;
use crate::spool::forget::Mode;
use crate::store::forget::{self, ForgetCounts, ForgetSet};
use crate::store::rejected::{self, Reason};
use crate::store::{Locked, StoreError};
use crate::text::Needle;
use removal::Removed;
use selection::{Selection, format_counts};
use verify::Verification;

const NOTHING_DONE: &str = "nothing was forgotten\n";

const ONLY_TEXT: &str =
    "`memctl forget --text TEXT` removes only the text and keeps what contains it";

const HELP: &str = "\
Examples
  memctl forget o412                         Forget an observation
  memctl forget --reject o412                Forget it, and reject what it states when it comes again
  memctl forget p88                          Forget a prompt and what was derived from it
  memctl forget 6f2b9c54                     Forget a session
  memctl forget --undo                       Restore what was forgotten last
  memctl forget --query 'acme corp'          Forget everything that contains this text
  memctl forget --text hunter-42             Forget only this text, and keep what contains it
  memctl forget --project . --since 2h       Forget what this project added in two hours
  memctl forget --project tally --dry-run    Print what would be forgotten
  memctl forget --query acme --now           Delete at once; there is no undo
  memctl forget --query acme --now --verify  Delete, then search all files for the text
  memctl forget --now                        Delete at once all that is forgotten

Keys of --json
  sessions          Number of forgotten sessions
  prompts           Number of forgotten prompts
  summaries         Number of forgotten summaries
  observations      Number of forgotten observations
  versions          Number of forgotten earlier texts of edited memories
  events            Number of forgotten events that had not been distilled
  spooled           Number of deleted events that no worker had accepted, and of unreadable events
  dry_run           true with --dry-run: nothing was changed
  undo_until_epoch  Until when --undo restores it, in milliseconds; null if it is deleted for good
  left              Places that may still hold the text, one sentence each
  verified          With --verify: files and bytes read, paths found, and paths unread

Keys of --undo --json
  sessions            Number of restored sessions; the same for prompts, summaries, observations, events
  left_out            Number of items not restored, because newer ones have taken their place
  dry_run             true with --dry-run: nothing was changed
  forgotten_at_epoch  When it was forgotten, in milliseconds
  earlier             How many earlier commands can be undone, too
";

/// Forget memories; --undo restores them for 7 days
///
/// Forgotten memories are not part of any output, context or export. `memctl forget --undo` restores
/// what was forgotten last, then what was forgotten before it. After 7 days (setting forget.undo), or at
/// once with --now, they are deleted byte for byte: from the database, its write-ahead log, the queue
/// and the spool. A replay or import does not restore them. Late events of a forgotten session are
/// dropped, but a session that is still running is recorded from now on. Unreadable event files are
/// always deleted at once. The client's own transcripts are not changed.
///
/// With --text, the memories stay: `[forgotten]` takes the place of the text in each of them, in the queue, the
/// spool and unreadable event files, and in all that is recorded, replayed, imported or restored later. For
/// this, a salted hash of the text is kept.
///
/// At a terminal, forget asks before it removes more than one item. Without a terminal, everything but
/// a single id needs --yes.
#[derive(clap::Args, Default)]
#[command(after_long_help = HELP)]
#[command(group = clap::ArgGroup::new("selection").required(true).multiple(true))]
pub struct Args {
    /// Id of an observation (o412), summary (s37) or prompt (p88), a UUID, or a prefix of a session
    /// id
    #[arg(value_name = "ID", group = "selection", conflicts_with_all = ["project", "query", "since", "before"])]
    ids: Vec<String>,
    /// Everything of this project, given as a directory or a name
    #[arg(long, value_name = "PROJECT", group = "selection")]
    project: Option<String>,
    /// Everything that contains this text, in upper or lower case
    #[arg(long, value_name = "TEXT", group = "selection")]
    query: Option<String>,
    /// Only this text, in upper or lower case; what contains it stays
    #[arg(long, value_name = "TEXT", group = "selection", conflicts_with_all = ["ids", "project", "query", "since", "before", "undo"])]
    text: Option<String>,
    /// Everything recorded since this time (2h, 7d, 2026-11-24, 2026-11-24T09:30Z); a day begins at
    /// local midnight
    #[arg(long, value_name = "TIME", group = "selection", value_parser = parse_past)]
    since: Option<i64>,
    /// Everything recorded before this time
    #[arg(long, value_name = "TIME", group = "selection", value_parser = parse_past)]
    before: Option<i64>,
    /// Restore what was forgotten last
    #[arg(long, group = "selection", conflicts_with_all = ["project", "query", "since", "before", "now", "verify"])]
    undo: bool,
    /// Delete at once, also what is forgotten already; alone: all that is forgotten
    #[arg(long, group = "selection")]
    now: bool,
    /// Reject what the memories state: it is not stored again, whether a session says it again, is replayed
    /// or imported
    #[arg(long, requires = "ids")]
    reject: bool,
    /// Print what would be done and change nothing
    #[arg(long)]
    dry_run: bool,
    /// With --now or --dry-run: search all files of memctl for the deleted texts afterwards; exit with
    /// 1 if one is found
    #[arg(long)]
    verify: bool,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Args {
    fn selects_nothing(&self) -> bool {
        let filters = [self.since, self.before].iter().any(Option::is_some);
        self.ids.is_empty() && self.project.is_none() && self.searched().is_none() && !filters
    }

    /// The text of --query or --text.
    fn searched(&self) -> Option<&str> {
        self.query.as_deref().or(self.text.as_deref())
    }

    /// # Errors
    /// Exit code 2 for arguments that clap accepts but that may not mean what they say.
    fn check(&self) -> Result<()> {
        if self.query.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return Err(usage("the text of --query is empty"));
        }
        self.text.as_deref().map_or(Ok(()), text::check)?;
        if self.undo && !self.ids.is_empty() {
            return Err(usage("--undo takes no id")
                .hint("it restores what was forgotten last, then what was forgotten before it"));
        }
        let is_number = |id: &&String| id.bytes().all(|b| b.is_ascii_digit());
        if let Some(n) = self.ids.iter().find(is_number) {
            return Err(usage(format!("'{n}' may be an observation, a summary or a prompt"))
                .hint(format!("use o{n}, s{n} or p{n}")));
        }
        if self.verify && !self.now && !self.dry_run {
            return Err(usage("--verify needs --now: what can be restored is still stored")
                .hint("`memctl forget --dry-run --verify` only searches"));
        }
        Ok(())
    }
}

/// The items that were forgotten, or would be.
struct Outcome {
    count: ForgetCounts,
    spooled: u64,
    dry_run: bool,
    /// How long they can be restored, in milliseconds since the epoch.
    until: Option<i64>,
    /// Places that may still hold the text.
    left: Vec<String>,
    verified: Option<Verification>,
}

impl Outcome {
    fn of(args: &Args) -> Outcome {
        Outcome {
            count: ForgetCounts::default(),
            spooled: 0,
            dry_run: args.dry_run,
            until: None,
            left: Vec::new(),
            verified: None,
        }
    }
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    args.check()?;
    if args.undo {
        return undo::run(settings, args);
    }
    if args.selects_nothing() {
        return undo::end_all(settings, args);
    }
    if let Some(text) = &args.text {
        return text::run(settings, args, text);
    }
    let is_empty = !settings.paths.data_dir_exists() && spool::keys(&settings.paths).is_empty();
    if is_empty && !args.ids.is_empty() {
        return Err(failed("nothing is stored yet"));
    }
    let (outcome, passages) = match () {
        () if is_empty => (Outcome::of(args), Vec::new()),
        () if args.dry_run => dry_run(settings, args)?,
        () => match remove(settings, args)? {
            Some(removed) => removed,
            None => return super::print(NOTHING_DONE),
        },
    };
    if args.dry_run && args.query.is_some() && outcome.count.total() > 0 {
        super::note(ONLY_TEXT);
    }
    finish(settings, args, outcome, passages)
}

/// Prints the outcome, and searches for what was deleted. The database is closed, because the bytes of
/// its files are read.
fn finish(
    settings: &Settings,
    args: &Args,
    mut outcome: Outcome,
    passages: Vec<String>,
) -> Result<()> {
    outcome.left.extend(left::databases_set_aside(settings, args));
    if args.verify {
        let texts = args.searched().map(str::to_owned).into_iter().chain(passages);
        let needles: Vec<Needle> = texts.map(|text| Needle::new(&text)).collect();
        let what = if args.searched().is_some() { "the text" } else { "a deleted text" };
        outcome.verified = Some(verify::search(settings, &needles, what)?);
    }
    print_outcome(args, &outcome)?;
    outcome.verified.map_or(Ok(()), Verification::into_result)
}

/// What the MCP server forgot.
pub struct Forgotten {
    /// How many of each.
    pub what: String,
    /// Until when it can be restored, in milliseconds since the epoch.
    pub until: i64,
}

/// Forgets rows by their short names, so that the user can restore them.
///
/// # Errors
/// Nothing can be restored with these settings, a name is unknown, or the database cannot be written.
pub fn by_ids(settings: &Settings, ids: Vec<String>) -> Result<Forgotten> {
    let args = Args { ids, yes: true, ..Args::default() };
    args.check()?;
    if undo_until(settings, &args, 0).is_none() {
        return Err(failed("the setting forget.undo is 0, so it could not be undone")
            .hint("the user can run `memctl forget`"));
    }
    let removed = remove(settings, &args)?;
    let outcome = removed.map(|(outcome, _)| outcome);
    match outcome.and_then(|outcome| Some((outcome.until?, outcome))) {
        Some((until, outcome)) => {
            Ok(Forgotten { what: format_counts(&outcome.count, outcome.spooled), until })
        }
        None => Err(failed("nothing was forgotten")),
    }
}

/// How long what is forgotten now can be restored. `None`: not at all.
fn undo_until(settings: &Settings, args: &Args, now: i64) -> Option<i64> {
    let period = settings.config.forget_undo.as_millis() as i64;
    (!args.now && period > 0).then(|| now.saturating_add(period))
}

/// What the arguments select now.
fn choose(locked: &mut Locked, args: &Args, until: Option<i64>) -> Result<Selection> {
    match until {
        Some(_) => Selection::of(locked.connection(), args),
        None => Selection::with_waiting(locked, args),
    }
}

/// Removes the selection and closes the database. Returns passages of the removed texts too, and
/// `None` if the user did not confirm.
fn remove(settings: &Settings, args: &Args) -> Result<Option<(Outcome, Vec<String>)>> {
    let mut store = open::store(settings)?;
    spooled::drain(settings, args, &mut store)?;
    let until = undo_until(settings, args, clock::now_ms());
    let chosen = store.locked(|locked| Ok(choose(locked, args, until)));
    let selection = chosen??;
    let spooled = spooled::remove(settings, store.connection(), args, Mode::Count)?;
    let n_spooled = spooled.events + spooled.dead_letters;
    if selection.is_empty() && n_spooled == 0 {
        let mut outcome = Outcome::of(args);
        outcome.left.extend(left::unread_dead_letters(settings, args));
        return Ok(Some((outcome, Vec::new())));
    }
    if !args.yes && !is_confirmed(args, &selection, n_spooled, until)? {
        return Ok(None);
    }
    let (mut outcome, passages) = removal::run(settings, args, store, |locked, progress| {
        carry_out(settings, args, locked, progress)
    })?;
    outcome.left.extend(left::unread_dead_letters(settings, args));
    Ok(Some((outcome, passages)))
}

/// Selects again under the store lock, because workers may have written since, and removes the
/// selection.
fn carry_out(
    settings: &Settings,
    args: &Args,
    locked: &mut Locked,
    progress: &Progress,
) -> Result<Removed> {
    let paths = &settings.paths;
    let now = clock::now_ms();
    let until = undo_until(settings, args, now);
    crate::store::undo::end_expired(locked, now)?;
    let mut selection = choose(locked, args, until)?;
    let keys = selection::session_keys(locked.connection(), &selection.set)?;
    if until.is_some() {
        // A worker that hangs keeps its spool. Only what the store has accepted can be restored.
        let matching = spooled::remove(settings, locked.connection(), args, Mode::Count)?;
        let of_matching = if matching.events > 0 { spool::keys(paths) } else { Vec::new() };
        for key in keys.iter().chain(&of_matching).filter(|key| spool::exists(paths, key)) {
            drain::accept_copies(locked, settings, key, now)?;
        }
        selection = choose(locked, args, until)?;
    }
    let mut spooled = spooled::remove(settings, locked.connection(), args, Mode::Remove)?;
    let affected = selection.set.affected_sessions(locked.connection())?;
    let count = selection.set.count();
    let on_row = removal::counting(progress, count.total());
    if args.reject {
        reject(locked, &selection.set, now)?;
    }
    forget::forget(locked, &selection.set, until, now, &on_row)?;
    let names = selection.set.memories().map(|memory| memory.to_string()).collect::<Vec<_>>();
    let texts: Vec<Needle> = args.query.as_deref().map(Needle::new).into_iter().collect();
    leftovers::remove(paths, &names, &texts);
    crate::store::undo::purge(locked, &selection.waiting)?;
    for key in keys {
        let discarded = spool::discard(paths, &key, now).context("cannot read the spool")?;
        spooled.events += discarded.events;
        spooled.dead_letters += discarded.dead_letters;
    }
    Ok(Removed {
        count,
        spooled: spooled.dead_letters + if until.is_some() { 0 } else { spooled.events },
        until,
        affected,
        passages: selection.passages,
        rewritten: removal::rewrite(locked, progress),
    })
}

/// Rejects what the memories of the set state, so that nothing that states the same is stored.
fn reject(locked: &mut Locked, set: &ForgetSet, now: i64) -> crate::store::Result<()> {
    locked.write(|tx| {
        set.memories()
            .try_for_each(|memory| rejected::reject(tx, memory, Reason::Forget, now).map(drop))
    })
}

/// The sentence for a database that may still hold deleted texts.
fn not_rewritten(e: StoreError) -> String {
    format!("the database file may still hold the text ({e}); run `memctl forget --now` later")
}

/// Prints what would be removed.
fn dry_run(settings: &Settings, args: &Args) -> Result<(Outcome, Vec<String>)> {
    let mut outcome = Outcome::of(args);
    outcome.until = undo_until(settings, args, clock::now_ms());
    let Some(reader) = open::reader(settings)? else {
        return Ok((outcome, Vec::new()));
    };
    let conn = reader.connection();
    let can_restore = !crate::store::undo::list(conn)?.is_empty();
    let selection = match outcome.until {
        None if can_restore => {
            let mut store = open::store(settings)?;
            let chosen = store.locked(|locked| Ok(Selection::with_waiting(locked, args)));
            chosen??
        }
        _ => Selection::of(conn, args)?,
    };
    outcome.count = selection.set.count();
    let spooled = spooled::remove(settings, conn, args, Mode::Count)?;
    let keys = selection::session_keys(conn, &selection.set)?;
    outcome.spooled = spooled.events + spooled.dead_letters + spooled::count(settings, &keys);
    if !args.json {
        super::print(&selection.list)?;
    }
    Ok((outcome, selection.passages))
}

/// Shows the selection. At a terminal, asks unless it is a single item. Without a terminal, only a
/// single id needs no `--yes`.
fn is_confirmed(
    args: &Args,
    selection: &Selection,
    n_spooled: u64,
    until: Option<i64>,
) -> Result<bool> {
    let counts = selection.set.count();
    let is_single = match ask::is_interactive() {
        true => counts.total() + n_spooled <= 1,
        false => args.ids.len() == 1,
    };
    if is_single {
        return Ok(true);
    }
    let hint = args.query.is_some().then_some(ONLY_TEXT);
    removal::confirm(&selection.list, &format_counts(&counts, n_spooled), until, hint)
}

fn print_outcome(args: &Args, outcome: &Outcome) -> Result<()> {
    let Outcome { count: n, spooled, dry_run, until, left, verified } = outcome;
    if args.json {
        return super::print_json(&json!({
            "sessions": n.sessions, "prompts": n.prompts, "summaries": n.summaries,
            "observations": n.observations, "versions": n.versions, "events": n.events,
            "spooled": spooled,
            "dry_run": dry_run, "undo_until_epoch": until, "left": left,
            "verified": verified.as_ref().map(Verification::to_json),
        }));
    }
    left.iter().for_each(|text| super::warn(text));
    let what = format_counts(n, *spooled);
    let what = if args.text.is_some() { format!("the text in {what}") } else { what };
    super::say(&match (n.total() + spooled, dry_run, until) {
        (0, ..) if left.is_empty() => "nothing to forget\n".to_owned(),
        (0, ..) => NOTHING_DONE.to_owned(),
        (_, true, Some(_)) => format!("would forget {what}\n"),
        (_, true, None) => format!("would delete {what}\n"),
        (_, false, None) => format!("deleted {what}\n"),
        (_, false, Some(until)) => {
            let until = format::at(*until);
            return say_undoable(&format!("forgot {what}, kept until {until}"), "forget --undo")
                .and_then(|()| verified.as_ref().map_or(Ok(()), Verification::print));
        }
    })?;
    verified.as_ref().map_or(Ok(()), Verification::print)
}
