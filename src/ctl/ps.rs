//! `memctl ps`: the workers of this data dir.

use std::path::PathBuf;
use std::time::Duration;

use memctl_proto::line::Status;
use serde::Serialize;

use super::table::{table, text};
use super::words::{self, bytes, short, span};
use crate::config::Settings;
use crate::deliver::probe::{self, Found};
use crate::failure::Result;
use crate::lock::Holder;
use crate::process;
use crate::store::{Reader, queue_admin, sessions};

/// States: serving (its session goes on), ending (finishing what is queued), hung (holds the
/// session and does not answer), stale (gone, but left a file behind).
#[derive(clap::Args)]
pub struct Args {
    /// Print an array of objects: session, project, pid, state, doing, socket, queue, prompt,
    /// backend, started_at_epoch, idle_ms, rss_bytes and more
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
    let now = words::now_ms();
    let mut out =
        table(&["SESSION", "PROJECT", "PID", "STATE", "DOING", "QUEUE", "IDLE", "AGE", "RSS"]);
    for row in &rows {
        let dash = || "-".to_owned();
        out.add_row([
            short(&row.session, 13),
            row.project.clone(),
            row.pid.map_or_else(dash, |pid| pid.to_string()),
            row.state.clone(),
            row.doing.clone(),
            row.queue.to_string(),
            row.idle_ms.map_or_else(dash, |ms| span(Duration::from_millis(ms))),
            row.started_at_epoch.map_or_else(dash, |at| words::age(at, now)),
            row.rss_bytes.map_or_else(dash, bytes),
        ]);
    }
    super::print(&text(&mut out))
}

fn rows(settings: &Settings) -> Vec<Row> {
    let reader = Reader::open(&settings.paths, super::PATIENCE).ok().flatten();
    let keys = probe::keys(&settings.paths);
    keys.iter().filter_map(|key| row(settings, reader.as_ref(), key)).collect()
}

fn row(settings: &Settings, reader: Option<&Reader>, key: &str) -> Option<Row> {
    let (holder, status, state, socket) = match probe::probe(&settings.paths, key) {
        Found::Nothing => return None,
        Found::Stale { socket } => (Holder::default(), Status::default(), "stale".into(), socket),
        Found::Hung { holder } => {
            let socket = holder.socket.clone();
            (holder, Status::default(), "hung".into(), socket)
        }
        Found::Live { holder, status } => {
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
    let pid = Some(holder.identity.pid).filter(|pid| *pid > 0);
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
