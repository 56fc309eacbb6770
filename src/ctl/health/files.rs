//! Checks of directories and files: owner, mode, free space, spool and sockets.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

use super::Finding;
use crate::config::{Settings, secrets};
use crate::ctl::format::{bytes, count};
use crate::files::{Place, Stat};
use crate::paths::MAX_SOCKET_PATH;
use crate::{process, spool};

/// Free space below this is reported.
const LOW_SPACE: u64 = 100 << 20;

/// What to do about a data dir or socket directory that is refused.
pub const REFUSAL_FIX: &str = "unset it, or set it to an absolute path outside of the repository";

/// Checks the data dir and the private files in it.
pub fn data(settings: &Settings) -> Vec<Finding> {
    if let Some(why) = settings.paths.refusal() {
        return vec![Finding::wrong("data", why).fix(REFUSAL_FIX)];
    }
    let dir = settings.paths.data();
    let meta = match fs::metadata(dir) {
        Ok(meta) => meta,
        Err(_) if !settings.paths.data_dir_exists() => {
            let message = format!("nothing is stored yet; {} does not exist", dir.display());
            return vec![Finding::ok("data", message)];
        }
        Err(e) => return vec![Finding::wrong("data", format!("{}: {e}", dir.display()))],
    };
    let mut found = Vec::new();
    if meta.uid() != process::own_uid() {
        let message = format!("{} belongs to user {} and is not used", dir.display(), meta.uid());
        found.push(
            Finding::wrong("data", message).fix("set MEMCTL_DATA_DIR to a directory of your own"),
        );
    } else if access(dir, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        let message = format!(
            "{} is not writable; events are spooled in the socket directory, which may not survive \
             a power failure",
            dir.display()
        );
        found.push(Finding::wrong("data", message).fix("make the data dir writable"));
    }
    let private = private_files(settings).into_iter().map(|(place, stat)| (place, stat.mode));
    let is_ours = meta.uid() == process::own_uid();
    let data_dir = is_ours.then(|| (settings.paths.data_dir(), meta.mode()));
    for (place, mode) in private.chain(data_dir) {
        if let Some(mode) = open_to_others(mode) {
            let message = format!("{place} is readable by other users (mode {mode:03o})");
            found.push(Finding::wrong("data", message).fix("run `memctl doctor --fix`"));
        }
    }
    if let Ok(stat) = statvfs(dir) {
        // The integer types differ between systems; f64 takes all of them without a clippy warning.
        let free = (stat.blocks_available() as f64 * stat.fragment_size() as f64) as u64;
        if free < LOW_SPACE {
            let message = format!("only {} free in {}", bytes(free), dir.display());
            found.push(
                Finding::note("data", message)
                    .fix("free some space; events cannot be stored on a full disk"),
            );
        }
    }
    if found.is_empty() {
        found.push(Finding::ok("data", dir.display().to_string()));
    }
    found
}

/// The data dir and the files in it that only their owner may read.
pub fn private_files(settings: &Settings) -> Vec<(Place, Stat)> {
    let paths = &settings.paths;
    let dirs = [paths.run_dir(), paths.logs(), paths.spools()];
    let all = dirs.into_iter().chain(paths.database_files());
    all.filter_map(|place| place.stat().ok().map(|stat| (place, stat))).collect()
}

/// The permission bits, if other users have any access.
pub fn open_to_others(mode: u32) -> Option<u32> {
    let mode = mode & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Checks the config files and the secrets file.
pub fn config(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some(file) = &settings.own_config else {
        let message = "your user has no home directory in the password database, so models and other \
                       settings of your own cannot be configured";
        return vec![Finding::note("config", message)];
    };
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
    if let Some(Err(why)) = secrets::file(settings).map(|file| secrets::read(&file)) {
        found.push(Finding::wrong("secrets", why));
    }
    if found.is_empty() {
        let set = settings
            .config
            .values
            .iter()
            .filter(|v| v.source != crate::config::ValueSource::Default);
        let message = match (file.exists(), set.count() as u64) {
            (false, 0) => "all settings have their default".to_owned(),
            (_, n) => format!("{} changed; see `memctl config`", count(n, "setting")),
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
