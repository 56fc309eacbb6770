//! `memctl queue retry`, `abort` and `reset`.

use std::collections::BTreeSet;
use std::time::Duration;

use memctl_proto::Event;

use crate::clock;
use crate::config::Settings;
use crate::ctl::drain::{self, SessionName};
use crate::ctl::format::{count, short};
use crate::ctl::time::duration;
use crate::ctl::{lookup, open};
use crate::failure::{Context, Failure, Result, failed};
use crate::recover::cleanup;
use crate::spool::dead_letters;
use crate::store::queue_admin::{self, Processing, Selection};
use crate::store::{Store, agent_limits};

#[derive(clap::Subcommand)]
pub enum Change {
    /// Try failed and waiting events again now, with a fresh retry count
    ///
    /// Spooled files that could not be taken in are tried again with --all, with --dead-letters, or
    /// with the session of their events.
    Retry(RetryArgs),
    /// Give events up and delete their text; they stay listed until `memctl cleanup`
    ///
    /// Spooled files that could not be taken in are deleted.
    Abort(AbortArgs),
    /// Release events that a dead worker has claimed
    ///
    /// Refuses events of a live worker, because a model would be paid for them a second time.
    Reset(ResetArgs),
}

#[derive(clap::Args)]
pub struct RetryArgs {
    #[command(flatten)]
    events: EventArgs,
    /// Only spooled files that could not be taken in
    #[arg(long, group = "EventArgs")]
    dead_letters: bool,
    #[command(flatten)]
    age: AgeArgs,
}

#[derive(clap::Args)]
pub struct AbortArgs {
    #[command(flatten)]
    events: EventArgs,
    /// Only spooled files that could not be taken in
    #[arg(long, group = "EventArgs")]
    dead_letters: bool,
}

#[derive(clap::Args)]
pub struct ResetArgs {
    #[command(flatten)]
    events: EventArgs,
    #[command(flatten)]
    age: AgeArgs,
}

/// The events to change.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct EventArgs {
    /// Events of this session: its id or a prefix of it, or CLIENT:ID
    session: Option<String>,
    /// Event with this id; can be repeated
    #[arg(long, value_name = "EVENT")]
    id: Vec<i64>,
    /// Events of all sessions
    #[arg(long)]
    all: bool,
}

#[derive(clap::Args)]
pub struct AgeArgs {
    /// Only events older than this (30min, 6h, 2d)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    older_than: Option<Duration>,
}

impl Change {
    fn events(&self) -> &EventArgs {
        match self {
            Change::Retry(RetryArgs { events, .. })
            | Change::Abort(AbortArgs { events, .. })
            | Change::Reset(ResetArgs { events, .. }) => events,
        }
    }

    /// Events that were created before this time are selected.
    fn before(&self, now: i64) -> i64 {
        let (Change::Retry(RetryArgs { age, .. }) | Change::Reset(ResetArgs { age, .. })) = self
        else {
            return i64::MAX;
        };
        age.older_than.map_or(i64::MAX, |age| now - age.as_millis() as i64)
    }
}

pub fn run(settings: &Settings, change: &Change) -> Result<()> {
    if !settings.paths.data_dir_exists() {
        return crate::ctl::print("the queue is empty: nothing is stored yet\n");
    }
    let args = change.events();
    let mut store = open::store(settings)?;
    let now = clock::now_ms();
    let mut session_id = None;
    let mut sessions = match &args.session {
        Some(prefix) => {
            let session = lookup::session(store.connection(), prefix)?;
            session_id = Some(session.id);
            BTreeSet::from([(session.client, session.content_session_id)])
        }
        None if args.all => drain::sessions_with_spool(settings),
        None => sessions_of_events(&store, &args.id)?,
    };
    let letters = change_dead_letters(settings, &mut store, change, &mut sessions, now)?;
    let drained = drain::drain(settings, &mut store, &sessions, now)?;
    let selection = match session_id {
        Some(id) => Selection::Session(id),
        None if args.all => Selection::All,
        None => Selection::Ids(&args.id),
    };
    let (changed, live) = change_messages(settings, &mut store, change, selection, now)?;
    let unfinished = queue_admin::sessions_with_work(store.connection(), None, now)?;
    let unfinished: BTreeSet<SessionName> =
        unfinished.into_iter().map(|work| (work.client, work.content_session_id)).collect();
    // Close the database before a worker is spawned: SQLite connections must not cross a fork.
    drop(store);
    if args.all {
        sessions.extend(unfinished.iter().cloned());
    }
    drain::wake_workers(settings, &sessions, &unfinished)?;
    if drained > letters {
        let n = count(drained - letters, "event");
        crate::ctl::note(&format!("moved {n} from the spool to the queue"));
    }
    let n = count(changed + letters, "event");
    match (changed + letters, change) {
        (0, _) if !live.is_empty() => {}
        (0, _) => crate::ctl::print("no matching event\n")?,
        (_, Change::Retry(_)) => crate::ctl::print(&format!("{n} scheduled for retry\n"))?,
        (_, Change::Abort(_)) => crate::ctl::print(&format!("{n} given up\n"))?,
        (_, Change::Reset(_)) => crate::ctl::print(&format!("{n} released\n"))?,
    }
    if let Change::Retry(RetryArgs { dead_letters: true, .. }) = change {
        note_kept_letters(settings);
    }
    match live.first() {
        None => Ok(()),
        Some(first) => Err(is_live(first, live.len() as u64)),
    }
}

/// Moves dead letters back to their spools, or deletes them, and adds their sessions to `sessions`.
/// Returns their number.
fn change_dead_letters(
    settings: &Settings,
    store: &mut Store,
    change: &Change,
    sessions: &mut BTreeSet<SessionName>,
    now: i64,
) -> Result<u64> {
    let (paths, before) = (&settings.paths, change.before(now));
    let args = change.events();
    let is_included = |event: &Event| {
        args.session.is_none() || sessions.contains(&(event.client.clone(), event.session.clone()))
    };
    let count = match change {
        Change::Reset(_) => return Ok(0),
        _ if !args.id.is_empty() => return Ok(0),
        Change::Retry(_) => {
            let selects = |event: &Event| event.at < before && is_included(event);
            let requeued = store.locked(|_| Ok(dead_letters::requeue(paths, &selects)?));
            let requeued = requeued.context("cannot read the dead-letter directory")?;
            sessions.extend(requeued.sessions);
            requeued.events
        }
        Change::Abort(_) => {
            let selects = |event: Option<&Event>| event.map_or(args.session.is_none(), is_included);
            store
                .locked(|_| Ok(dead_letters::delete(paths, &selects)?))
                .context("cannot delete from the dead-letter directory")?
        }
    };
    Ok(count)
}

/// Says which files a retry could not take in.
fn note_kept_letters(settings: &Settings) {
    let kept = dead_letters::count(&settings.paths);
    if kept > 0 {
        let (files, dir) = (count(kept, "file"), settings.paths.dead_letters());
        crate::ctl::note(&format!(
            "{files} in {dir} cannot be taken in; `memctl queue abort --dead-letters` deletes them"
        ));
    }
}

/// Changes the selected messages. Returns their number, and the processing ones that stay because
/// their worker is live.
fn change_messages(
    settings: &Settings,
    store: &mut Store,
    change: &Change,
    selection: Selection,
    now: i64,
) -> Result<(u64, Vec<Processing>)> {
    let before = change.before(now);
    if let Change::Abort(_) = change {
        let changed = store.write(|tx| queue_admin::abort(tx, selection, now));
        return Ok((changed?, Vec::new()));
    }
    // A retry takes processing messages only if the user names them.
    let mut live = Vec::new();
    let mut released = 0;
    if matches!(change, Change::Reset(_)) || matches!(selection, Selection::Ids(_)) {
        let processing = queue_admin::processing(store.connection(), selection, before);
        for messages in processing? {
            match reset(settings, store, &messages, before)? {
                Some(n) => released += n,
                None => live.push(messages),
            }
        }
    }
    if let Change::Reset(_) = change {
        return Ok((released, live));
    }
    let changed = store.write(|tx| {
        agent_limits::end_pauses(tx)?;
        queue_admin::retry(tx, selection, before)
    });
    Ok((changed?, live))
}

/// Releases the messages of a session. `None` if the session has a worker.
fn reset(
    settings: &Settings,
    store: &mut Store,
    messages: &Processing,
    before: i64,
) -> Result<Option<u64>> {
    let Processing { client, content_session_id, .. } = messages;
    cleanup::without_worker(&settings.paths, client, content_session_id, || {
        store.write(|tx| queue_admin::reset(tx, messages, before))
    })
    .context("cannot release the events")
}

fn is_live(first: &Processing, n: u64) -> Failure {
    let session = short(&first.content_session_id, 36);
    let events = count(first.ids.len() as u64, "event");
    let more =
        if n > 1 { format!(", and {} like it", count(n - 1, "session")) } else { String::new() };
    failed(format!("the worker of {session} works on {events}{more}; nothing was changed there"))
        .hint(format!("`memctl kill {session}` ends the worker and releases its events"))
}

fn sessions_of_events(store: &Store, ids: &[i64]) -> Result<BTreeSet<SessionName>> {
    let name = |id: &i64| {
        let item = queue_admin::item_of(store.connection(), *id)?;
        let item = item.ok_or_else(|| {
            failed(format!("no event with id {id}")).hint("`memctl queue` lists the events")
        })?;
        Ok((item.client, item.content_session_id))
    };
    ids.iter().map(name).collect()
}
