//! `memctl queue retry`, `abort` and `reset`.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock;
use crate::config::Settings;
use crate::ctl::drain::{self, SessionName};
use crate::ctl::format::count;
use crate::ctl::lookup;
use crate::failure::{Context, Result, failed};
use crate::store::queue_admin::{self, Selection};
use crate::store::{LockWait, Store};

/// How long to wait for the store lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(clap::Subcommand)]
pub enum Change {
    /// Try failed and waiting events again now, with a fresh retry count
    Retry(EventArgs),
    /// Give events up and delete their text; they stay listed as failed
    Abort(EventArgs),
    /// Release events that a dead worker has claimed
    Reset(EventArgs),
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

pub fn run(settings: &Settings, change: &Change) -> Result<()> {
    if !settings.paths.data_dir_exists() {
        return crate::ctl::print("the queue is empty: nothing is stored yet\n");
    }
    let (Change::Retry(args) | Change::Abort(args) | Change::Reset(args)) = change;
    let wait = LockWait::Within(LOCK_TIMEOUT);
    let mut store = Store::open_within(&settings.paths, wait).context("database")?;
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
    let drained = drain::drain(settings, &mut store, &sessions, now)?;
    let selection = match session_id {
        Some(id) => Selection::Session(id),
        None if args.all => Selection::All,
        None => Selection::Ids(&args.id),
    };
    let changed = store
        .write(|tx| match change {
            Change::Retry(_) => queue_admin::retry(tx, selection),
            Change::Abort(_) => queue_admin::abort(tx, selection, now),
            Change::Reset(_) => queue_admin::reset(tx, selection),
        })
        .context("database")?;
    let unfinished =
        queue_admin::sessions_with_work(store.connection(), None, now).context("database")?;
    let unfinished: BTreeSet<SessionName> =
        unfinished.into_iter().map(|work| (work.client, work.content_session_id)).collect();
    // Close the database before a worker is spawned: SQLite connections must not cross a fork.
    drop(store);
    if args.all {
        sessions.extend(unfinished.iter().cloned());
    }
    drain::wake_workers(settings, &sessions, &unfinished)?;
    if drained > 0 {
        crate::ctl::note(&format!("moved {} from the spool to the queue", count(drained, "event")));
    }
    let n = count(changed, "event");
    crate::ctl::print(&match (changed, change) {
        (0, _) => "no matching event\n".to_owned(),
        (_, Change::Retry(_)) => format!("{n} scheduled for retry\n"),
        (_, Change::Abort(_)) => format!("{n} given up\n"),
        (_, Change::Reset(_)) => format!("{n} released\n"),
    })
}

fn sessions_of_events(store: &Store, ids: &[i64]) -> Result<BTreeSet<SessionName>> {
    let name = |id: &i64| {
        let item = queue_admin::item_of(store.connection(), *id).context("database")?;
        let item = item.ok_or_else(|| {
            failed(format!("no event with id {id}")).hint("`memctl queue` lists the events")
        })?;
        Ok((item.client, item.content_session_id))
    };
    ids.iter().map(name).collect()
}
