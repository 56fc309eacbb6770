//! Directories and files: whose they are, who can look into them, and whether they can be used.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

use super::Finding;
use crate::config::{Settings, secrets};
use crate::ctl::format::{bytes, count};
use crate::paths::MAX_SOCKET_PATH;
use crate::{process, spool};

/// Less room than this is soon none.
const LITTLE_ROOM: u64 = 100 << 20;

/// The data dir and what is most private in it.
pub fn data(settings: &Settings) -> Vec<Finding> {
    let dir = settings.paths.data();
    let meta = match fs::metadata(dir) {
        Ok(meta) => meta,
        Err(_) if !settings.paths.exist() => {
            let says = format!("nothing remembered yet, {} is not there", dir.display());
            return vec![Finding::ok("data", says)];
        }
        Err(e) => return vec![Finding::wrong("data", format!("{}: {e}", dir.display()))],
    };
    let mut found = Vec::new();
    if meta.uid() != process::own_uid() {
        let says = format!("{} belongs to user {}, and is not used", dir.display(), meta.uid());
        found.push(Finding::wrong("data", says).todo("name one of your own: MEMCTL_DATA_DIR"));
    } else if access(dir, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        let says = format!("{} cannot be written: events wait beside the sockets", dir.display());
        found.push(
            Finding::wrong("data", says)
                .todo("make it writable: nothing is lost until a power cut"),
        );
    }
    for (path, meta) in private_files(settings) {
        if let Some(mode) = open_to_others(&meta) {
            let says = format!("others can look into {} (mode {mode:03o})", path.display());
            found.push(Finding::wrong("data", says).todo("memctl doctor --fix"));
        }
    }
    if let Ok(room) = statvfs(dir) {
        // The types differ between systems, and so does what is needless to convert.
        let free = (room.blocks_available() as f64 * room.fragment_size() as f64) as u64;
        if free < LITTLE_ROOM {
            let says = format!("{} are free in {}", bytes(free), dir.display());
            found.push(Finding::note("data", says).todo("make room: a full disk takes no events"));
        }
    }
    if found.is_empty() {
        found.push(Finding::ok("data", dir.display().to_string()));
    }
    found
}

/// The data dir and those of its files that must be their owner's alone.
pub fn private_files(settings: &Settings) -> Vec<(PathBuf, Metadata)> {
    let paths = &settings.paths;
    let wanted = [paths.data().to_owned(), paths.run_dir(), paths.logs(), paths.spools()];
    let of_database = paths.database_files().into_iter();
    let all = wanted.into_iter().chain(of_database);
    all.filter_map(|path| fs::symlink_metadata(&path).ok().map(|meta| (path, meta))).collect()
}

/// The mode of what others may read or write.
pub fn open_to_others(meta: &Metadata) -> Option<u32> {
    let mode = meta.mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// The config file and the secrets beside it.
pub fn config(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some(file) = &settings.config_file else {
        return vec![
            Finding::note("config", "there is no place for a config file").todo("set HOME"),
        ];
    };
    let meta = fs::metadata(file);
    if let Ok(meta) = &meta {
        if meta.mode() & 0o022 != 0 || ![0, process::own_uid()].contains(&meta.uid()) {
            let says = format!(
                "others can change {}: where your text goes is theirs to say",
                file.display()
            );
            found
                .push(Finding::wrong("config", says).todo(format!("chmod 600 {}", file.display())));
        } else if let Err(e) = fs::read_to_string(file) {
            found.push(Finding::wrong(
                "config",
                format!("{}: {e}: all defaults hold", file.display()),
            ));
        }
    }
    for trouble in &settings.config.problems {
        found.push(Finding::wrong("config", trouble).todo("memctl config lists what holds"));
    }
    if let Some(Err(why)) = secrets::file(settings).map(|file| secrets::read(&file)) {
        found.push(Finding::wrong("secrets", why));
    }
    if found.is_empty() {
        let set = settings
            .config
            .values
            .iter()
            .filter(|v| v.origin != crate::config::ValueSource::Default);
        let says = match (meta, set.count() as u64) {
            (Err(_), 0) => "all defaults hold".to_owned(),
            (_, 1) => "1 setting differs from its default: memctl config".to_owned(),
            (_, n) => format!("{n} settings differ from their defaults: memctl config"),
        };
        found.push(Finding::ok("config", says));
    }
    found
}

/// What could not be taken, or not yet.
pub fn spool(settings: &Settings) -> Vec<Finding> {
    let paths = &settings.paths;
    let mut found = Vec::new();
    let lost = spool::lost(paths);
    if lost > 0 {
        let says = format!("{} lost: no place could be written", count(lost, "event"));
        found.push(Finding::wrong("spool", says));
    }
    let dead = spool::dead_letters(paths);
    if dead > 0 {
        let says = format!("{} could not be read", count(dead, "spooled file"));
        found.push(Finding::wrong("spool", says).todo(paths.dead_letters().display().to_string()));
    }
    if spool::fallback_in_use(paths) {
        let says = "the data dir could not be written: events wait beside the sockets";
        found.push(Finding::wrong("spool", says));
    }
    found
}

/// Events that lie on the disk until somebody takes them in.
pub fn spooled(settings: &Settings) -> Vec<Finding> {
    match spool::keys(&settings.paths).len() as u64 {
        0 => vec![Finding::ok("spool", "empty")],
        n => vec![
            Finding::note("spool", format!("events of {} wait on the disk", count(n, "session")))
                .todo("memctl cleanup has them taken in; so does any new session"),
        ],
    }
}

/// Why workers can have no socket, so that each event has to start one.
pub fn sockets(settings: &Settings) -> Vec<Finding> {
    let dir = settings.paths.sockets();
    let length = settings.paths.socket("0000000000000000", 0).as_os_str().len();
    let unreachable = |why: &str| {
        let says = format!("no worker can be reached: {} {why} (MEMCTL_SOCKET_DIR)", dir.display());
        vec![Finding::wrong("sockets", says)]
    };
    if !dir.is_dir() {
        return unreachable("is no directory");
    }
    if length > MAX_SOCKET_PATH {
        let why = format!("makes paths of {length} bytes, {MAX_SOCKET_PATH} at most are possible");
        return unreachable(&why);
    }
    if access(dir, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        return unreachable("cannot be written");
    }
    open_to_removal(dir)
}

/// Where all may write and nobody is kept from removing what is another's.
fn open_to_removal(dir: &Path) -> Vec<Finding> {
    const STICKY: u32 = 0o1000;
    match fs::metadata(dir) {
        Ok(meta) if meta.mode() & 0o002 != 0 && meta.mode() & STICKY == 0 => {
            let says = format!("anybody can remove sockets from {}", dir.display());
            vec![Finding::wrong("sockets", says).todo(format!("chmod +t {}", dir.display()))]
        }
        _ => vec![Finding::ok("sockets", dir.display().to_string())],
    }
}
