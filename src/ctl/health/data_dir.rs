//! Checks of the data dir: whether it can be used, its modes, and the free space.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

use super::{Finding, Fix};
use crate::config::Settings;
use crate::ctl::format::bytes;
use crate::files::{Place, Stat};
use crate::process;

/// Name of the check of the data dir.
const DATA: &str = "data";

/// Free space below this is reported.
const LOW_SPACE: u64 = 100 << 20;

/// What to do about a data dir or socket directory that is refused.
pub const REFUSAL_FIX: &str = "unset it, or set it to an absolute path outside of the repository";

/// What becomes of the events of a data dir that cannot be written.
const WAITING: &str = "events wait in the socket directory, which may not survive a power failure";

pub fn findings(settings: &Settings) -> Vec<Finding> {
    let paths = &settings.paths;
    if let Some(why) = paths.refusal() {
        return vec![Finding::wrong(DATA, why).fix(REFUSAL_FIX).stops_recording()];
    }
    let dir = paths.data();
    let meta = match fs::metadata(dir) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return vec![missing(dir)],
        Err(e) => return vec![unusable(dir, format!("{}: {e}", dir.display()))],
    };
    if !meta.is_dir() {
        return vec![unusable(dir, format!("{} is not a directory", dir.display()))];
    }
    if meta.uid() != process::own_uid() {
        let message = format!("{} belongs to user {} and is not used", dir.display(), meta.uid());
        return vec![unusable(dir, message)];
    }
    let mut found = Vec::new();
    if access(dir, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        let message = format!("{} is not writable; {WAITING}", dir.display());
        found.push(Finding::wrong(DATA, message).fix("make the data dir writable"));
    }
    let private = private_files(settings).into_iter().map(|(place, stat)| (place, stat.mode));
    for (place, mode) in private.chain([(paths.data_dir(), meta.mode())]) {
        if let Some(mode) = open_to_others(mode) {
            let message = match mode & 0o022 != 0 && place.path() == dir {
                true => {
                    format!("other users can write to {place}; it is not read (mode {mode:03o})")
                }
                false => format!("{place} is readable by other users (mode {mode:03o})"),
            };
            found.push(Finding::wrong(DATA, message).fix("run `memctl doctor --fix`"));
        }
    }
    if let Ok(stat) = statvfs(dir) {
        // The integer types differ between systems; f64 takes all of them without a clippy warning.
        let free = (stat.blocks_available() as f64 * stat.fragment_size() as f64) as u64;
        if free < LOW_SPACE {
            let message = format!("only {} free in {}", bytes(free), dir.display());
            let fix = "free some space; events cannot be stored on a full disk";
            found.push(Finding::note(DATA, message).fix(fix));
        }
    }
    if found.is_empty() {
        found.push(Finding::ok(DATA, dir.display().to_string()));
    }
    found
}

/// Whether commands use the data dir. It need not exist.
pub fn is_usable(settings: &Settings, found: &[Finding]) -> bool {
    let is_obstacle = |finding: &Finding| finding.check == DATA && finding.stops_recording;
    settings.paths.check().is_ok() && !found.iter().any(is_obstacle)
}

/// The finding for a data dir that does not exist. The first event creates it.
fn missing(dir: &Path) -> Finding {
    if dir.is_symlink() {
        let message = format!("{} is a link to a directory that does not exist", dir.display());
        let fix = "create that directory, or remove the link";
        return Finding { fix: Some(Fix::Text(fix.into())), ..unusable(dir, message) };
    }
    let parent = dir.ancestors().skip(1).find(|parent| fs::symlink_metadata(parent).is_ok());
    let is_writable = |parent: &Path| access(parent, AccessFlags::W_OK | AccessFlags::X_OK).is_ok();
    match parent {
        Some(parent) if !is_writable(parent) => {
            let parent = parent.display();
            unusable(dir, format!("{} cannot be created: {parent} is not writable", dir.display()))
        }
        _ => Finding::ok(DATA, format!("nothing is stored yet; {} does not exist", dir.display())),
    }
}

fn unusable(dir: &Path, message: String) -> Finding {
    let fix = remedy(dir);
    Finding::wrong(DATA, format!("{message}; {WAITING}")).fix(fix).stops_recording()
}

/// What to do about a data dir that cannot be used. `sudo` may have created it.
pub fn remedy(dir: &Path) -> String {
    let own_uid = process::own_uid();
    match fs::metadata(dir) {
        Ok(meta) if !meta.is_dir() => "remove it, or set MEMCTL_DATA_DIR".to_owned(),
        Ok(meta) if meta.uid() == own_uid => "run `memctl doctor --fix`".to_owned(),
        Ok(meta) if meta.uid() == 0 => {
            let dir = dir.display();
            format!("run `sudo chown -R {own_uid} {dir}` if it is yours, or set MEMCTL_DATA_DIR")
        }
        Ok(_) if own_uid == 0 => {
            "run memctl as that user, without sudo, or set MEMCTL_DATA_DIR".to_owned()
        }
        _ => "set MEMCTL_DATA_DIR to a directory of your own".to_owned(),
    }
}

/// The files in the data dir that only their owner may read.
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
