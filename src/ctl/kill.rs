//! `memctl kill`: asks, then signals, and returns when that worker is gone. A signal only ever
//! goes to a process that is proven to be the one.

use std::path::PathBuf;
use std::time::Duration;

use memctl_proto::Request;
use nix::sys::signal::Signal;

use super::format::{count, short};
use crate::config::Settings;
use crate::deliver::connect;
use crate::deliver::probe::{self, WorkerState};
use crate::failure::{Context, Result, failed, usage};
use crate::lock::{self, Holder};
use crate::process::Unverified;
use crate::recover::cleanup;

/// How long each step may take: asked over the socket, then SIGTERM, then SIGKILL.
const ASKED: Duration = Duration::from_secs(5);
const TERMINATED: Duration = Duration::from_secs(2);
const KILLED: Duration = Duration::from_secs(2);

const HELP: &str = "\
Examples
  memctl kill 6f2b9c54    the worker of this session
  memctl kill --all       every worker of this data dir
  memctl kill --stale     those that do not answer, and the files of the dead
";

/// End workers, and return when they are gone
///
/// Nothing is lost: what a worker has in hand goes back into the queue, and the next event of
/// the session starts another one.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Session id, or the beginning of one
    #[arg(required_unless_present_any = ["pid", "all", "stale"])]
    #[arg(conflicts_with_all = ["pid", "all", "stale"])]
    session: Option<String>,
    /// The worker with this pid
    #[arg(long, conflicts_with_all = ["all", "stale"])]
    pid: Option<i32>,
    /// Every worker of this data dir
    #[arg(long)]
    all: bool,
    /// Workers that do not answer, and the files of those that died
    #[arg(long, conflicts_with_all = ["all", "graceful"])]
    stale: bool,
    /// Let each worker finish the batch it has in hand
    #[arg(long)]
    graceful: bool,
}

struct Target {
    lock: PathBuf,
    holder: Holder,
    name: String,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let targets = targets(settings, args.stale);
    let chosen: Vec<&Target> = match (&args.session, args.pid) {
        (Some(prefix), _) => vec![by_prefix(&targets, prefix)?],
        (None, Some(pid)) => {
            let is = |t: &&Target| t.holder.identity.pid == pid;
            vec![targets.iter().find(is).ok_or_else(|| {
                failed(format!("process {pid} is no worker of this data dir"))
                    .hint("memctl ps lists them")
            })?]
        }
        (None, None) => targets.iter().collect(),
    };
    if chosen.is_empty() && !args.stale {
        return super::print("no worker is running\n");
    }
    let mut failures = Vec::new();
    for target in &chosen {
        match end(target, args.graceful) {
            Ok(how) => super::print(&format!("{}: {how}\n", target.name))?,
            Err(why) => failures.push(format!("{}: {why}", target.name)),
        }
    }
    if args.stale && remove_leavings(settings)? == 0 && chosen.is_empty() {
        return super::print("no worker hangs or has left anything behind\n");
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(failed(format!(
        "{} not ended: {}",
        count(failures.len() as u64, "worker"),
        failures.join("; ")
    )))
}

/// Those that live, or only those that hang.
fn targets(settings: &Settings, hung: bool) -> Vec<Target> {
    let holder = |key: &String| match probe::probe(&settings.paths, key) {
        WorkerState::Hung { holder } => Some((key.clone(), holder)),
        WorkerState::Live { holder, .. } if !hung => Some((key.clone(), holder)),
        WorkerState::Live { .. } | WorkerState::Stale { .. } | WorkerState::Absent => None,
    };
    let named = |(key, holder): (String, Holder)| {
        let lock = settings.paths.session_lock(&key);
        let name = if holder.session.is_empty() { key } else { holder.session.clone() };
        Target { lock, holder, name }
    };
    probe::keys(&settings.paths).iter().filter_map(holder).map(named).collect()
}

/// Removes sockets and lock files where nobody lives, holding their lock. How many sessions' files.
/// What waits in a spool or the queue waits on: recovery finds it there.
fn remove_leavings(settings: &Settings) -> Result<u64> {
    let mut removed = 0;
    for key in probe::keys(&settings.paths) {
        if !matches!(probe::probe(&settings.paths, &key), WorkerState::Stale { .. })
            || !cleanup::has_stale_files(&settings.paths, &key)
        {
            continue;
        }
        let before = lock::read_holder(&settings.paths.session_lock(&key));
        let name = before.map(|holder| holder.session).filter(|session| !session.is_empty());
        if cleanup::remove_stale_files(&settings.paths, &key).context("files of a worker")? {
            super::print(&format!("{}: its files are removed\n", name.unwrap_or(key)))?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn by_prefix<'a>(targets: &'a [Target], prefix: &str) -> Result<&'a Target> {
    let found: Vec<&Target> = targets.iter().filter(|t| t.name.starts_with(prefix)).collect();
    match found[..] {
        [one] => Ok(one),
        [] => {
            Err(failed(format!("no worker serves a session '{prefix}'"))
                .hint("memctl ps lists them"))
        }
        _ => {
            let names: Vec<String> = found.iter().map(|t| short(&t.name, 13)).collect();
            Err(usage(format!("'{prefix}' is the beginning of several: {}", names.join(", "))))
        }
    }
}

/// Ends one worker; says how it went.
fn end(target: &Target, graceful: bool) -> std::result::Result<&'static str, String> {
    let handle = match lock::verified_holder(&target.lock) {
        Ok(handle) => handle,
        Err(Unverified::Gone) => return Ok("was gone already"),
        Err(e) => return Err(format!("not touched, {e}")),
    };
    let _ =
        connect::request(&target.holder.socket, &Request::Shutdown { graceful }, probe::TIMEOUT);
    let patience = if graceful { ASKED * 12 } else { ASKED };
    if handle.wait_exit(patience) {
        return Ok("left");
    }
    let signalled = |signal| handle.signal(signal).map_err(|e| e.to_string());
    signalled(Signal::SIGTERM)?;
    if handle.wait_exit(TERMINATED) {
        return Ok("left when signalled");
    }
    signalled(Signal::SIGKILL)?;
    if handle.wait_exit(KILLED) { Ok("was killed") } else { Err("does not die".into()) }
}
