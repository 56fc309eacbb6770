//! `memctl ps`: the workers of this data dir.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::time::Duration;

use memctl_proto::line::Status;
use serde::Serialize;

use super::format::{self, bytes, or_dash, short, span};
use super::lookup::has_several_clients;
use super::style::{self, ID};
use super::table::{Cell, Column, column, table};
use super::terminal;
use crate::clock;
use crate::config::Settings;
use crate::deliver::probe::{self, WorkerState};
use crate::failure::Result;
use crate::lock::Holder;
use crate::process;
use crate::store::{Reader, queue_admin, sessions};

const HELP: &str = "\
Examples
  memctl ps                                List all workers
  memctl ps --json | jq -r '.[].socket'    Print the socket of each worker

States
  serving    The worker takes events; after a turn it waits for more, for worker.linger
  ending     The session has ended and its queue is processed
  hung       The worker holds the session lock but does not answer; end it with `memctl kill`
  stale      The worker has died and its files remain; the session's next event removes them
  elsewhere  The worker runs on another machine, in a container or with a /tmp of its own, and cannot be reached from here

Keys of --json, one object per worker
  session           Session id of the client
  client            Name of the client, e.g. claude-code
  project           Project name; empty if unknown
  pid               Process id; null if stale
  state             serving, ending, hung, stale or elsewhere
  doing             idle, distilling, finalising or lingering; empty if the worker does not answer
  socket            Path of the socket
  queue             Number of unfinished events
  prompt            Number of the newest prompt
  backend           Configured backend
  started_at_epoch  Start time in milliseconds; null if the worker does not answer
  idle_ms           Time since the last event; null if the worker does not answer
  rss_bytes         Resident memory; null if the worker does not answer
";

const COLUMNS: [Column; 10] = [
    column("CLIENT").cut(6),
    column("SESSION").cut(13),
    column("PROJECT").cut(7),
    column("PID").right(),
    column("STATE"),
    column("DOING"),
    column("QUEUE").right(),
    column("IDLE").right().dispensable(2),
    column("AGE").right().dispensable(1),
    column("RSS").right().dispensable(3),
];

/// List workers: live, hung, stale and elsewhere
///
/// Each session has its own worker process, which exits soon after the session ends.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// A worker, or the stale files of a dead one. The keys are stable.
#[derive(Serialize)]
struct Row {
    /// The client's session id. For a stale worker whose id is unknown, the hash in its file names.
    session: String,
    client: String,
    project: String,
    pid: Option<i32>,
    state: String,
    doing: String,
    socket: PathBuf,
    /// Unfinished events in the database.
    queue: u64,
    prompt: i64,
    backend: String,
    started_at_epoch: Option<i64>,
    idle_ms: Option<u64>,
    rss_bytes: Option<u64>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let rows = rows(settings);
    if args.json {
        return super::print_json(&rows);
    }
    if rows.is_empty() {
        return super::print("no worker is running\n");
    }
    let now = clock::now_ms();
    let width = terminal::width();
    let ids: Vec<&str> = rows.iter().map(|row| row.session.as_str()).collect();
    let id_length = format::id_length(&ids, width);
    let dash = || "-".to_owned();
    let cells = |row: &Row| -> [Cell; 10] {
        [
            or_dash(&row.client).into(),
            Cell::painted(short(&row.session, id_length), ID),
            or_dash(&row.project).into(),
            row.pid.map_or_else(dash, |pid| pid.to_string()).into(),
            Cell::painted(row.state.clone(), style::of_state(&row.state)),
            or_dash(&row.doing).into(),
            row.queue.to_string().into(),
            row.idle_ms.map_or_else(dash, |ms| span(Duration::from_millis(ms))).into(),
            row.started_at_epoch.map_or_else(dash, |at| format::age(at, now)).into(),
            row.rss_bytes.map_or_else(dash, bytes).into(),
        ]
    };
    let mut columns = COLUMNS;
    let clients = rows.iter().map(|row| row.client.as_str());
    columns[0] = columns[0].only_if(has_several_clients(clients));
    let rows: Vec<[Cell; 10]> = rows.iter().map(cells).collect();
    super::print(&table(&columns, &rows, width))
}

/// The workers, newest first.
fn rows(settings: &Settings) -> Vec<Row> {
    let reader = Reader::open(&settings.paths, super::READ_TIMEOUT).ok().flatten();
    let keys = probe::keys(&settings.paths);
    let mut rows: Vec<Row> =
        keys.iter().filter_map(|key| row(settings, reader.as_ref(), key)).collect();
    rows.sort_by_key(|row| Reverse(row.started_at_epoch));
    rows
}

fn row(settings: &Settings, reader: Option<&Reader>, key: &str) -> Option<Row> {
    let (holder, status, state, socket) = match probe::probe(&settings.paths, key) {
        WorkerState::Absent => return None,
        WorkerState::Stale { socket } => {
            (Holder::default(), Status::default(), "stale".into(), socket)
        }
        WorkerState::Hung { holder } => {
            let socket = holder.socket.clone();
            (holder, Status::default(), "hung".into(), socket)
        }
        WorkerState::Elsewhere { holder } => {
            let socket = holder.socket.clone();
            (holder, Status::default(), "elsewhere".into(), socket)
        }
        WorkerState::Live { holder, status } => {
            let (socket, state) = (holder.socket.clone(), status.state.clone());
            (holder, status, state, socket)
        }
    };
    let live = !status.session.is_empty();
    let (client, session) = match (live, holder.session.is_empty()) {
        (true, _) => (status.client.clone(), status.session.clone()),
        (false, false) => (holder.client.clone(), holder.session.clone()),
        (false, true) => (String::new(), key.to_owned()),
    };
    let stored =
        reader.and_then(|r| sessions::find(r.connection(), &client, &session).ok().flatten());
    // A starting worker replies on its socket before it writes its lock file.
    let reported = live.then(|| status.pid.cast_signed());
    let pid = reported.or(Some(holder.identity.pid)).filter(|pid| *pid > 0);
    Some(Row {
        project: stored.as_ref().and_then(|s| s.project.clone()).unwrap_or_default(),
        queue: stored.as_ref().map_or(0, |s| {
            reader
                .and_then(|r| queue_admin::count_unfinished(r.connection(), s.id).ok())
                .unwrap_or(0)
        }),
        session,
        client,
        state,
        doing: status.doing,
        socket,
        prompt: status.prompt,
        backend: status.backend,
        started_at_epoch: live.then_some(status.started_at_epoch),
        idle_ms: live.then_some(status.idle_ms),
        rss_bytes: pid.filter(|_| live).and_then(process::memory).map(|m| m.resident),
        pid,
    })
}
