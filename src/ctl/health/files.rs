//! Checks of the config files, the spool and the socket directory.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::Finding;
use crate::config::{Settings, misspelled_variables, secrets};
use crate::ctl::format::{bytes, count};
use crate::files::Place;
use crate::paths::MAX_SOCKET_PATH;
use crate::spool;

/// Checks the config files and the secrets file.
pub fn config(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    if settings.own_config.is_none() {
        let message = "your user has no home directory in the password database, so models and other \
                       settings of your own cannot be configured";
        found.push(Finding::note("config", message));
    }
    if let Some(why) = &settings.distrust {
        let fix = "until then its settings of models, budgets and allowed projects are ignored";
        found.push(Finding::wrong("config", why).fix(fix));
    }
    // One finding for all settings of a file that is not trusted.
    let is_reported = |problem: &str| {
        settings.distrust.as_ref().is_some_and(|why| problem.ends_with(why.as_str()))
    };
    for problem in settings.config.problems.iter().filter(|problem| !is_reported(problem)) {
        found.push(
            Finding::wrong("config", problem).fix("`memctl config` shows the values in effect"),
        );
    }
    found.extend(misspelled_variables().into_iter().map(|why| Finding::note("config", why)));
    if let Some(Err(why)) = secrets::file(settings).map(|file| secrets::read(&file)) {
        found.push(Finding::wrong("secrets", why));
    }
    if found.is_empty() {
        let set = settings
            .config
            .values
            .iter()
            .filter(|v| v.source != crate::config::ValueSource::Default);
        let message = match set.count() as u64 {
            0 => "all settings have their default".to_owned(),
            n => format!("{} changed; see `memctl config`", count(n, "setting")),
        };
        found.push(Finding::ok("config", message));
    }
    found
}

/// Checks for lost events, dead letters and use of the fallback spool.
pub fn spool(settings: &Settings) -> Vec<Finding> {
    let paths = &settings.paths;
    let mut found = Vec::new();
    let lost = spool::n_lost(paths);
    if lost > 0 {
        let message = format!("{} lost because no spool was writable", count(lost, "event"));
        let fix = "free some disk space; `memctl doctor --fix` clears the count";
        found.push(Finding::wrong("spool", message).fix(fix));
    }
    let dead = spool::dead_letters::count(paths);
    if dead > 0 {
        let files = count(dead, "spooled file");
        let message = format!("{files} not taken in; kept in {}", paths.dead_letters());
        found.push(Finding::wrong("spool", message).fix(
            "run `memctl queue retry --dead-letters` to try again, or `memctl queue abort \
             --dead-letters` to delete what stays",
        ));
    }
    if spool::fallback_in_use(paths) {
        let message = "the data dir was not writable; events wait in the socket directory";
        found.push(Finding::wrong("spool", message));
    }
    found
}

/// Names the databases that a repair or a restore has replaced: each holds a whole memory.
pub fn databases_set_aside(settings: &Settings) -> Option<Finding> {
    let dirs = settings.paths.databases_set_aside();
    // The name ends with the time.
    let time = |dir: &&Place| -> u64 {
        let name = dir.file_name().to_string_lossy().into_owned();
        name.rsplit('-').next().and_then(|time| time.parse().ok()).unwrap_or_default()
    };
    let newest = dirs.iter().max_by_key(time)?;
    let files = dirs.iter().flat_map(Place::entries);
    let size = files.filter_map(|file| file.stat().ok()).map(|stat| stat.len).sum();
    let former = count(dirs.len() as u64, "former database");
    let message =
        format!("{former} of a repair or a restore, {}, the newest in {newest}", bytes(size));
    Some(Finding::note("database", message).fix("delete the directory if you do not need it"))
}

/// Checks for spooled events that no worker has drained.
pub fn spooled(settings: &Settings) -> Vec<Finding> {
    match spool::keys(&settings.paths).len() as u64 {
        0 => vec![Finding::ok("spool", "empty")],
        n => vec![
            Finding::note("spool", format!("spooled events of {}", count(n, "session")))
                .fix("run `memctl cleanup`, or start any session"),
        ],
    }
}

/// Checks that sockets can be created. Without a socket each event goes through the spool.
pub fn sockets(settings: &Settings) -> Vec<Finding> {
    let dir = settings.paths.sockets();
    let length = settings.paths.socket("0000000000000000", 0).as_os_str().len();
    let unreachable = |why: &str| {
        let message = format!("workers are unreachable: {} {why}", dir.display());
        vec![Finding::wrong("sockets", message).fix("set MEMCTL_SOCKET_DIR to another directory")]
    };
    if !dir.exists() {
        let message = format!("workers are unreachable: {} does not exist", dir.display());
        let fix = format!("run `mkdir -m 700 {}`, or set MEMCTL_SOCKET_DIR", dir.display());
        return vec![Finding::wrong("sockets", message).fix(fix)];
    }
    if !dir.is_dir() {
        return unreachable("is not a directory");
    }
    if length > MAX_SOCKET_PATH {
        let why =
            format!("leads to socket paths of {length} bytes; the limit is {MAX_SOCKET_PATH}");
        return unreachable(&why);
    }
    if access(dir, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        return unreachable("is not writable");
    }
    sticky_bit(dir)
}

/// Checks that a directory writable by all users has the sticky bit. Without it any user can remove
/// the sockets.
fn sticky_bit(dir: &Path) -> Vec<Finding> {
    const STICKY: u32 = 0o1000;
    match fs::metadata(dir) {
        Ok(meta) if meta.mode() & 0o002 != 0 && meta.mode() & STICKY == 0 => {
            let message = format!("any user can remove sockets from {}", dir.display());
            let fix = format!("run `chmod +t {}`", dir.display());
            vec![Finding::wrong("sockets", message).fix(fix)]
        }
        _ => vec![Finding::ok("sockets", dir.display().to_string())],
    }
}
