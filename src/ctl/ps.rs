//! `memctl ps`: the workers of this data dir.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::time::Duration;

use memctl_proto::line::Status;
use serde::Serialize;

use super::format::{self, bytes, or_dash, short, span};
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
States
  serving  its session goes on
  ending   finishing what is queued
  hung     holds its session and does not answer: memctl kill ends it
  stale    gone, but left a file behind, which the next event of the session clears

Examples
  memctl ps
  memctl ps --json | jq -r '.[].socket'    where the workers listen

Keys of --json, one object for each worker
  session           the client's session id
  client            who runs the session, as claude-code
  project           its name, empty when unknown
  pid               null when stale
  state, doing      as above; doing: idle, distilling, finalising, lingering
  socket            path
  queue             events that wait
  prompt            number of the newest prompt
  backend           who distils
  started_at_epoch  milliseconds; null when it does not answer, as the next two
  idle_ms           since its last event
  rss_bytes         resident memory
";

const COLUMNS: [Column; 9] = [
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

/// List the workers that live, hang or left something behind
///
/// A worker serves one session and leaves soon after it; none is running while no agent works.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Print an array of objects
    #[arg(long)]
    json: bool,
}

/// One worker, or what one left behind. Keys are stable; more may come.
#[derive(Serialize)]
struct Row {
    /// The client's session id; of a stale one what is known, else its key.
    session: String,
    client: String,
    project: String,
    pid: Option<i32>,
    state: String,
    doing: String,
    socket: PathBuf,
    /// Events that wait in the store.
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
    let cells = |row: &Row| -> [Cell; 9] {
        [
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
    let rows: Vec<[Cell; 9]> = rows.iter().map(cells).collect();
    super::print(&table(&COLUMNS, &rows, width))
}

/// Those that began last come first.
fn rows(settings: &Settings) -> Vec<Row> {
    let reader = Reader::open(&settings.paths, super::PATIENCE).ok().flatten();
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
    let known =
        reader.and_then(|r| sessions::find(r.connection(), &client, &session).ok().flatten());
    // A worker serves a moment before its lock file names it.
    let told = live.then(|| status.pid.cast_signed());
    let pid = told.or(Some(holder.identity.pid)).filter(|pid| *pid > 0);
    Some(Row {
        project: known.as_ref().and_then(|s| s.project.clone()).unwrap_or_default(),
        queue: known.as_ref().map_or(0, |s| {
            reader.and_then(|r| queue_admin::pending(r.connection(), s.id).ok()).unwrap_or(0)
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
