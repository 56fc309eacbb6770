//! `memctl queue retry`, `abort` and `reset`: what people change in the queue.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock;
use crate::config::Settings;
use crate::ctl::drain::{self, SessionName};
use crate::ctl::format::count;
use crate::ctl::lookup;
use crate::deliver::{self, launch, probe};
use crate::failure::{Context, Result, failed};
use crate::paths::session_key;
use crate::store::queue_admin::{self, Selection};
use crate::store::{LockWait, Store};

/// How long the store may be another's.
const STORE: Duration = Duration::from_secs(10);

#[derive(clap::Subcommand)]
pub enum Change {
    /// Try failed and waiting events again, as if for the first time
    Retry(Chosen),
    /// Give events up: they stay listed as failed, without their content
    Abort(Chosen),
    /// Put events in hand back, for a worker that will not come back
    Reset(Chosen),
}

/// Which events.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct Chosen {
    /// Those of a session: its id, or the beginning of one
    session: Option<String>,
    /// The one with this id; may be given again
    #[arg(long, value_name = "N")]
    id: Vec<i64>,
    /// Those of all sessions
    #[arg(long)]
    all: bool,
}

pub fn run(settings: &Settings, change: &Change) -> Result<()> {
    if !settings.paths.exist() {
        return crate::ctl::print("nothing waits: nothing remembered yet\n");
    }
    let (Change::Retry(chosen) | Change::Abort(chosen) | Change::Reset(chosen)) = change;
    let patience = LockWait::Within(STORE);
    let mut store = Store::open_within(&settings.paths, patience).context("database")?;
    let now = clock::now_ms();
    let mut session_id = None;
    let mut sessions = match &chosen.session {
        Some(prefix) => {
            let session = lookup::session(store.connection(), prefix)?;
            session_id = Some(session.id);
            BTreeSet::from([(session.client, session.content_session_id)])
        }
        None if chosen.all => drain::sessions_with_spool(settings),
        None => of_ids(&store, &chosen.id)?,
    };
    let taken = drain::drain(settings, &mut store, &sessions, now)?;
    let which = match session_id {
        Some(id) => Selection::Session(id),
        None if chosen.all => Selection::All,
        None => Selection::Ids(&chosen.id),
    };
    let changed = store
        .write(|tx| match change {
            Change::Retry(_) => queue_admin::retry(tx, which),
            Change::Abort(_) => queue_admin::abort(tx, which, now),
            Change::Reset(_) => queue_admin::reset(tx, which),
        })
        .context("database")?;
    let work =
        queue_admin::sessions_with_work(store.connection(), None, now).context("database")?;
    let work: BTreeSet<SessionName> =
        work.into_iter().map(|work| (work.client, work.content_session_id)).collect();
    // A child that is forked must have no connection.
    drop(store);
    if chosen.all {
        sessions.extend(work.iter().cloned());
    }
    wake(settings, &sessions, &work)?;
    if taken > 0 {
        anstream::eprintln!("memctl: took {} in from the spool", count(taken, "event"));
    }
    let n = count(changed, "event");
    crate::ctl::print(&match (changed, change) {
        (0, _) => "no event is in such a state\n".to_owned(),
        (_, Change::Retry(_)) => format!("{n} will be tried again\n"),
        (_, Change::Abort(_)) => format!("{n} given up\n"),
        (_, Change::Reset(_)) => format!("{n} put back\n"),
    })
}

fn of_ids(store: &Store, ids: &[i64]) -> Result<BTreeSet<SessionName>> {
    let name = |id: &i64| {
        let item = queue_admin::item_of(store.connection(), *id).context("database")?;
        let item = item.ok_or_else(|| {
            failed(format!("there is no event {id}")).hint("memctl queue lists them")
        })?;
        Ok((item.client, item.content_session_id))
    };
    ids.iter().map(name).collect()
}

/// Has somebody look at each session: its worker, where one lives, else a new one, of many at a
/// time the one who recovers.
fn wake(
    settings: &Settings,
    sessions: &BTreeSet<SessionName>,
    work: &BTreeSet<SessionName>,
) -> Result<()> {
    let mut alone = Vec::new();
    for name in sessions {
        let key = session_key(&name.0, &name.1);
        if !deliver::wake(settings, &key, probe::TIMEOUT) && work.contains(name) {
            alone.push(name);
        }
    }
    match alone[..] {
        [] => Ok(()),
        [(client, session)] => {
            launch::start_recovery_worker(settings, client, session).context("worker")
        }
        _ => launch::start_recovery(settings).context("recovery"),
    }
}
