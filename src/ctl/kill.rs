//! `memctl kill`: asks a worker over its socket to shut down, then signals it, and returns when it has
//! exited.
//!
//! A process is signaled only if it is verified to be that worker (`lock::verified_holder`).

use std::time::Duration;

use memctl_proto::Request;
use nix::sys::signal::Signal;

use super::format::count;
use super::lookup::{self, Identity};
use crate::config::Settings;
use crate::deliver::connect;
use crate::deliver::probe::{self, WorkerState};
use crate::failure::{Context, Failure, Result, failed, usage};
use crate::files::Place;
use crate::lock::{self, Holder};
use crate::process::Unverified;
use crate::recover::cleanup;
use crate::text::escape;

/// Timeouts of the three steps: a request over the socket, SIGTERM, SIGKILL.
const AFTER_REQUEST: Duration = Duration::from_secs(5);
const AFTER_SIGTERM: Duration = Duration::from_secs(2);
const AFTER_SIGKILL: Duration = Duration::from_secs(2);

const HELP: &str = "\
Examples
  memctl kill 6f2b9c54    End the worker of this session
  memctl kill --all       End every worker of this data dir
  memctl kill --stale     End hung workers and remove the files of dead ones
";

/// End workers and wait until they have exited
///
/// No event is lost: the current batch returns to the queue, and the next event of the session
/// starts a new worker.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
#[command(group = clap::ArgGroup::new("workers"))]
pub struct Args {
    /// Id of a session or a prefix of it; CLIENT:ID if two clients use the id
    #[arg(group = "workers")]
    session: Option<String>,
    /// End the worker with this process id
    #[arg(long, group = "workers")]
    pid: Option<i32>,
    /// End every worker of this data dir
    #[arg(long, group = "workers")]
    all: bool,
    /// End hung workers and remove the files of dead ones
    #[arg(long, group = "workers", conflicts_with = "graceful")]
    stale: bool,
    /// Let each worker finish its current batch
    #[arg(long)]
    graceful: bool,
}

struct Target {
    lock: Place,
    holder: Holder,
    name: String,
}

impl Target {
    /// Client and session. A worker that does not name its session has its key instead.
    fn identity(&self) -> Identity<'_> {
        let id = match self.holder.session.is_empty() {
            true => &self.name,
            false => &self.holder.session,
        };
        (&self.holder.client, id)
    }
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let targets = targets(settings, args.stale);
    if args.session.is_none() && args.pid.is_none() && !args.all && !args.stale {
        return Err(nothing_chosen(&targets));
    }
    let chosen: Vec<&Target> = match (&args.session, args.pid) {
        (Some(name), _) => vec![by_name(&targets, name)?],
        (None, Some(pid)) => {
            let has_pid = |t: &&Target| t.holder.identity.pid == pid;
            vec![targets.iter().find(has_pid).ok_or_else(|| {
                failed(format!("process {pid} is not a worker of this data dir"))
                    .hint("`memctl ps` lists the workers")
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
            Ok(how) => super::print(&format!("{}: {how}\n", escape(&target.name)))?,
            Err(why) => failures.push(format!("{}: {why}", escape(&target.name))),
        }
    }
    if args.stale && remove_stale_files(settings)? == 0 && chosen.is_empty() {
        return super::print("no hung worker and no stale file\n");
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(failed(format!(
        "cannot end {}: {}",
        count(failures.len() as u64, "worker"),
        failures.join("; ")
    )))
}

/// Ends every worker of the data dir.
///
/// # Errors
/// If one of them cannot be ended.
pub fn end_all(settings: &Settings) -> Result<()> {
    for target in targets(settings, false) {
        end(&target, false)
            .map_err(|why| failed(format!("cannot end {}: {why}", escape(&target.name))))?;
    }
    Ok(())
}

/// The error for a command without arguments. It lists what can be named.
fn nothing_chosen(targets: &[Target]) -> Failure {
    let running = match targets {
        [] => "no worker is running".to_owned(),
        _ => {
            let all: Vec<Identity> = targets.iter().map(Target::identity).collect();
            format!("running: {}", lookup::join(&all))
        }
    };
    usage("which worker? name a session, or use --all, --stale or --pid").hint(running)
}

/// All workers, or only the hung ones.
fn targets(settings: &Settings, only_hung: bool) -> Vec<Target> {
    let holder = |key: &String| match probe::probe(&settings.paths, key) {
        WorkerState::Hung { holder } => Some((key.clone(), holder)),
        WorkerState::Live { holder, .. } | WorkerState::Elsewhere { holder } if !only_hung => {
            Some((key.clone(), holder))
        }
        WorkerState::Live { .. }
        | WorkerState::Elsewhere { .. }
        | WorkerState::Stale { .. }
        | WorkerState::Absent => None,
    };
    let found: Vec<(String, Holder)> =
        probe::keys(&settings.paths).iter().filter_map(holder).collect();
    let id = |(key, holder): &(String, Holder)| match holder.session.is_empty() {
        true => key.clone(),
        false => holder.session.clone(),
    };
    let ids: Vec<String> = found.iter().map(id).collect();
    let clients = found.iter().map(|(_, holder)| holder.client.as_str());
    let all: Vec<Identity> = clients.zip(ids.iter().map(String::as_str)).collect();
    let labels = lookup::labels(&all);
    let named = |((key, holder), name): ((String, Holder), String)| {
        let lock = settings.paths.session_lock(&key);
        Target { lock, holder, name }
    };
    found.into_iter().zip(labels).map(named).collect()
}

/// Removes sockets and lock files of dead workers while holding their lock. Returns the number of
/// sessions. Spooled and queued events stay; recovery finds them.
fn remove_stale_files(settings: &Settings) -> Result<u64> {
    let mut removed = 0;
    for key in probe::keys(&settings.paths) {
        if !matches!(probe::probe(&settings.paths, &key), WorkerState::Stale { .. })
            || !cleanup::has_stale_files(&settings.paths, &key)
        {
            continue;
        }
        // Read the name first: the removal deletes the lock file.
        let holder = lock::read_holder(&settings.paths.session_lock(&key));
        let name = holder.map(|holder| holder.session).filter(|session| !session.is_empty());
        if cleanup::remove_stale_files(&settings.paths, &key)
            .context("cannot remove the files of a worker")?
        {
            let name = name.unwrap_or(key);
            super::print(&format!("{}: removed stale files\n", escape(&name)))?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn by_name<'a>(targets: &'a [Target], name: &str) -> Result<&'a Target> {
    let all: Vec<Identity> = targets.iter().map(Target::identity).collect();
    let found = lookup::matching(&all, name);
    match found[..] {
        [one] => Ok(&targets[one]),
        [] => Err(failed(format!("no worker serves a session that starts with '{name}'"))
            .hint("`memctl ps` lists the workers")),
        _ => {
            let found: Vec<Identity> = found.into_iter().map(|n| all[n]).collect();
            Err(lookup::ambiguous(name, &found))
        }
    }
}

/// Ends one worker. Returns how it ended.
fn end(target: &Target, graceful: bool) -> std::result::Result<&'static str, String> {
    let handle = match lock::verified_holder(&target.lock) {
        Ok(handle) => handle,
        Err(Unverified::Gone) => return Ok("already gone"),
        Err(e) => return Err(e.to_string()),
    };
    let _ =
        connect::request(&target.holder.socket, &Request::Shutdown { graceful }, probe::TIMEOUT);
    let timeout = if graceful { AFTER_REQUEST * 12 } else { AFTER_REQUEST };
    if handle.wait_exit(timeout) {
        return Ok("exited");
    }
    let send = |signal| handle.signal(signal).map_err(|e| e.to_string());
    send(Signal::SIGTERM)?;
    if handle.wait_exit(AFTER_SIGTERM) {
        return Ok("exited on SIGTERM");
    }
    send(Signal::SIGKILL)?;
    if handle.wait_exit(AFTER_SIGKILL) { Ok("killed") } else { Err("survived SIGKILL".into()) }
}
