//! A session's on-disk queue for events that no worker accepted: a directory with one numbered file
//! per event, as in a Maildir.
//!
//! Hooks add files ([`put`]). The holder of the session lock drains them ([`drain`]). The spool has
//! no lock, so a hanging process never blocks a hook. A reader never sees a partial file, because a
//! file gets its name when it is complete. If the data dir cannot be written, hooks use a fallback
//! location beside the sockets. Its events are always newer than those in the data dir.

pub mod dead_letters;
pub mod drain;
pub mod forget;
mod location;

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use memctl_proto::{Event, Kind};

use crate::config;
use crate::files::{Place, Stat};
use crate::paths::{Paths, session_key};
use crate::process;
pub use dead_letters::quarantine;
use location::{Location, locations};

/// Temporary files older than this belong to hooks that died.
const TMP_MAX_AGE: Duration = Duration::from_secs(60);

/// Preallocated size of the loss counter, which takes one byte per loss.
const LOSS_RESERVE: i64 = 4096;

/// The end of [`loss_notice`].
const LOSS_CAUSE: &str = "arrived too late or could not be spooled";

/// Files that [`discard`] reads at a time.
const DISCARD_BATCH: usize = 500;

/// Whether the session has a spool: one `stat` at each location.
pub fn exists(paths: &Paths, key: &str) -> bool {
    locations(paths, key).iter().any(|location| location.dir.exists())
}

/// Time since a file was added to the session's spool or removed from it. `None` without a spool.
pub fn age(paths: &Paths, key: &str) -> Option<Duration> {
    let stats = locations(paths, key).into_iter().filter_map(|location| location.dir.stat().ok());
    stats.map(|stat| stat.age()).min()
}

/// Whether an event was stored with its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    Whole,
    /// The spool has reached a limit, so the event is stored without its texts.
    WithoutText,
}

/// Adds an event to the session's spool. When this returns `Ok`, the event is on disk.
///
/// # Errors
/// The error of the last location that was tried. The event is not stored.
pub fn put(paths: &Paths, key: &str, event: &Event, limits: config::Spool) -> io::Result<Put> {
    let locations = locations(paths, key);
    // Events in the fallback location are newer, so later events must go there too.
    let fallback_in_use = locations.iter().skip(1).any(|location| location.dir.exists());
    let full = || {
        let config::Spool { max_events, max_bytes } = limits;
        io::Error::other(format!(
            "the spool has more than {max_events} events (spool.max) \
             or {max_bytes} bytes (spool.max_bytes)"
        ))
    };
    if !fallback_in_use && let Ok(put) = locations[0].put(event, limits) {
        // A full spool does not continue in the fallback location.
        return put.ok_or_else(full);
    }
    Location::fallback(paths, key)?.put(event, limits)?.ok_or_else(full)
}

/// A file of a spool, and its event.
pub struct SpoolFile {
    pub path: Place,
    /// The event, or why the file does not contain one.
    pub event: Result<Event, String>,
    /// Time since the file was written.
    pub age: Duration,
}

/// Reads the oldest files of the session's spool, at most `n`, all from one location. The fallback
/// location is read when the first one is empty. Quarantines files with foreign names, and a file in
/// place of the directory.
///
/// # Errors
/// If a directory or file cannot be read.
pub fn read(paths: &Paths, key: &str, n: usize) -> io::Result<Vec<SpoolFile>> {
    for location in locations(paths, key) {
        if location.dir.stat().is_ok_and(|stat| !stat.is_dir()) {
            quarantine(paths, &location.dir)?;
            continue;
        }
        for foreign in location.foreign_files()? {
            quarantine(paths, &foreign)?;
        }
        let files = location.files()?;
        if !files.is_empty() {
            return files.into_iter().take(n).map(read_file).collect();
        }
    }
    Ok(Vec::new())
}

/// Returns the oldest readable event, which names the session. Changes nothing.
pub fn first_event(paths: &Paths, key: &str) -> Option<Event> {
    locations(paths, key).iter().find_map(|location| {
        let files = location.files().unwrap_or_default();
        files.into_iter().find_map(|path| read_file(path).ok()?.event.ok())
    })
}

/// # Errors
/// If the file cannot be opened or read. Malformed content is reported in [`SpoolFile::event`], as is a
/// file that is too large for an event, and anything but a regular file of this user.
fn read_file(path: Place) -> io::Result<SpoolFile> {
    let age = path.stat()?.age();
    let text = match path.read() {
        Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::FileTooLarge) => {
            Err(e.to_string())
        }
        read => Ok(read?),
    };
    let event = text
        .and_then(|bytes| String::from_utf8(bytes).map_err(|e| e.to_string()))
        .and_then(|text| Event::from_json(&text).map_err(|e| e.to_string()))
        .and_then(|event| match event.kind {
            Kind::Unknown => Err("this version does not know the kind of the event".into()),
            _ => Ok(event),
        });
    Ok(SpoolFile { path, event, age })
}

/// Removes a file whose event is in the store. A missing file is not an error.
pub fn remove(path: &Place) -> io::Result<()> {
    match path.remove_file() {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Number of events whose texts were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    pub events: u64,
    pub dead_letters: u64,
}

/// Deletes the session's spooled events up to `before` (milliseconds since the epoch) and its dead
/// letters. The caller holds the store lock, so that no other process drains the spool meanwhile.
pub fn discard(paths: &Paths, key: &str, before: i64) -> io::Result<Removed> {
    let is_ours = |event: &Event| session_key(&event.client, &event.session) == key;
    let mut removed = Removed::default();
    loop {
        let files = read(paths, key, DISCARD_BATCH)?;
        let old =
            |file: &&SpoolFile| file.event.as_ref().is_ok_and(|e| is_ours(e) && e.at <= before);
        let old: Vec<&SpoolFile> = files.iter().filter(old).collect();
        for file in &old {
            remove(&file.path)?;
        }
        removed.events += old.len() as u64;
        if old.is_empty() {
            break;
        }
    }
    if exists(paths, key) {
        remove_dirs(paths, key)?;
    }
    removed.dead_letters += dead_letters::delete(paths, &|event| event.is_some_and(is_ours))?;
    Ok(removed)
}

/// Removes the session's directories. `false` if one is not empty, because a hook added a file.
pub fn remove_dirs(paths: &Paths, key: &str) -> io::Result<bool> {
    let mut all_removed = true;
    for location in locations(paths, key) {
        match location.dir.remove_dir() {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) if e.kind() == ErrorKind::DirectoryNotEmpty => all_removed = false,
            Err(e) => return Err(e),
        }
    }
    Ok(all_removed)
}

/// Returns the keys of all sessions that have a spool.
pub fn keys(paths: &Paths) -> Vec<String> {
    let mut keys = Vec::new();
    for dir in dirs(paths) {
        for name in dir.names().unwrap_or_default() {
            keys.extend(name.to_str().and_then(|n| paths.key_of_spool(n)).map(str::to_owned));
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

/// The directories that contain spools: the one in the data dir, and the fallback if it is private.
fn dirs(paths: &Paths) -> Vec<Place> {
    let fallback = paths.fallback_is_ours().then(|| paths.fallback_dir());
    [paths.spools()].into_iter().chain(fallback).collect()
}

/// Whether the fallback location holds a spool. A spool there may not survive a power failure,
/// because `/tmp` may be a tmpfs.
pub fn fallback_in_use(paths: &Paths) -> bool {
    dirs(paths).iter().skip(1).any(|dir| {
        dir.entries().any(|spool| {
            spool.file_name().to_str().is_some_and(|name| paths.key_of_spool(name).is_some())
        })
    })
}

/// Removes temporary files of hooks that were killed while writing.
pub fn remove_stale_tmp(paths: &Paths) {
    let fallback = paths.fallback_is_ours().then(|| paths.fallback_spool_tmp());
    for dir in [paths.spool_tmp()].into_iter().chain(fallback) {
        for file in dir.entries() {
            if file.stat().is_ok_and(|stat| stat.age() > TMP_MAX_AGE) {
                let _ = file.remove_file();
            }
        }
    }
}

/// Counts a lost event: appends a byte to a file in the data dir, or in the fallback location if
/// that fails.
pub fn record_loss(paths: &Paths) {
    if paths.lost_events().append(b".").is_err() && paths.create_fallback().is_ok() {
        let _ = paths.fallback_lost_events().append(b".");
    }
}

/// Preallocates space for the loss counter, because losses occur when the disk is full.
pub fn reserve_loss_counter(paths: &Paths) {
    if let Ok(file) = paths.lost_events().open_append()
        && file.metadata().is_ok_and(|meta| meta.blocks() == 0)
    {
        let _ = process::preallocate(&file, LOSS_RESERVE);
    }
}

/// Number of events lost since the data dir was created.
pub fn n_lost(paths: &Paths) -> u64 {
    let lens = loss_counters(paths).map(|file| Some(file.stat().ok().filter(Stat::is_file)?.len));
    lens.flatten().sum()
}

fn loss_counters(paths: &Paths) -> impl Iterator<Item = Place> {
    let fallback = paths.fallback_is_ours().then(|| paths.fallback_lost_events());
    [paths.lost_events()].into_iter().chain(fallback)
}

/// What a starting session says about lost events. `None` if there are none.
pub fn loss_notice(paths: &Paths) -> Option<String> {
    match n_lost(paths) {
        0 => None,
        1 => Some(format!("1 event was lost: it {LOSS_CAUSE}")),
        n => Some(format!("{n} events were lost: they {LOSS_CAUSE}")),
    }
}

/// Forgets the lost events, after the user has seen their number. Returns it.
///
/// # Errors
/// If a file cannot be removed.
pub fn clear_losses(paths: &Paths) -> io::Result<u64> {
    let n = n_lost(paths);
    // The same number of later losses is reported again.
    let shown = paths.notices_shown();
    if let Ok(text) = shown.read_to_string() {
        let kept = text.lines().filter(|line| !line.ends_with(LOSS_CAUSE));
        shown.write(kept.map(|line| format!("{line}\n")).collect::<String>().as_bytes())?;
    }
    for file in loss_counters(paths) {
        remove(&file)?;
    }
    reserve_loss_counter(paths);
    Ok(n)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::paths::testing::{paths_below, temp_paths};
    use memctl_proto::Kind;

    struct World {
        paths: Paths,
        key: String,
        _dir: tempfile::TempDir,
    }

    fn world() -> World {
        let (dir, paths) = temp_paths();
        World { paths, key: session_key("c", "s"), _dir: dir }
    }

    fn event(text: &str) -> Event {
        Event { text: Some(text.into()), ..Event::new(Kind::Prompt, "c", "s", 1) }
    }

    fn limits(max_events: usize) -> config::Spool {
        config::Spool { max_events, max_bytes: u64::MAX }
    }

    fn texts(w: &World) -> Vec<String> {
        read(&w.paths, &w.key, 500)
            .unwrap()
            .into_iter()
            .map(|file| file.event.unwrap().text.unwrap_or_default())
            .collect()
    }

    #[test]
    fn files_are_read_in_the_order_of_put() {
        let w = world();
        assert!(!exists(&w.paths, &w.key));
        for n in 0..12 {
            assert_eq!(
                put(&w.paths, &w.key, &event(&n.to_string()), limits(100)).unwrap(),
                Put::Whole
            );
        }
        assert!(exists(&w.paths, &w.key));
        assert_eq!(texts(&w), (0..12).map(|n| n.to_string()).collect::<Vec<_>>());
        // A removed file's number is not reused while later files exist.
        remove(&read(&w.paths, &w.key, 1).unwrap()[0].path).unwrap();
        put(&w.paths, &w.key, &event("last"), limits(100)).unwrap();
        assert_eq!(texts(&w).last().unwrap(), "last");
        assert!(!remove_dirs(&w.paths, &w.key).unwrap());
    }

    #[test]
    fn a_full_spool_keeps_events_without_text_and_then_refuses() {
        let w = world();
        for n in 0..11 {
            let put = put(&w.paths, &w.key, &event("x"), limits(10)).unwrap();
            assert_eq!(put, if n < 10 { Put::Whole } else { Put::WithoutText });
        }
        assert!(put(&w.paths, &w.key, &event("x"), limits(10)).is_err());
        record_loss(&w.paths);
        assert_eq!(n_lost(&w.paths), 1);
    }

    #[test]
    fn a_spool_is_bounded_in_bytes() {
        let w = world();
        let limits = config::Spool { max_events: 1000, max_bytes: 100_000 };
        let put = || put(&w.paths, &w.key, &event(&"x".repeat(26_000)), limits);
        for expected in [Put::Whole, Put::Whole, Put::Whole, Put::Whole, Put::WithoutText] {
            assert_eq!(put().unwrap(), expected);
        }
        let refused = (0..1000).find_map(|_| put().err()).expect("a limit");
        assert!(refused.to_string().contains("spool.max_bytes"), "{refused}");
        let dir = w.paths.spool(&w.key);
        let size: u64 = dir.entries().map(|file| file.stat().unwrap().len).sum();
        assert!(size < 111_000, "{size}");
    }

    #[test]
    fn the_fallback_location_keeps_the_newer_events() {
        let w = world();
        put(&w.paths, &w.key, &event("first"), limits(10)).unwrap();
        // A file in place of the directory makes it unwritable even for root.
        fs::rename(w.paths.spools(), w.paths.data().join("away")).unwrap();
        fs::write(w.paths.spools(), "").unwrap();
        put(&w.paths, &w.key, &event("second"), limits(10)).unwrap();
        fs::remove_file(w.paths.spools()).unwrap();
        fs::rename(w.paths.data().join("away"), w.paths.spools()).unwrap();
        put(&w.paths, &w.key, &event("third"), limits(10)).unwrap();
        assert_eq!(texts(&w), ["first"]);
        remove(&read(&w.paths, &w.key, 9).unwrap()[0].path).unwrap();
        assert_eq!(texts(&w), ["second", "third"]);
        assert_eq!(keys(&w.paths), std::slice::from_ref(&w.key));
    }

    #[test]
    fn a_malformed_file_and_a_foreign_name_are_quarantined() {
        let w = world();
        put(&w.paths, &w.key, &event("x"), limits(10)).unwrap();
        fs::write(w.paths.spool(&w.key).join("0000000002.json"), "{").unwrap();
        fs::write(w.paths.spool(&w.key).join("3.json"), "foreign").unwrap();
        let files = read(&w.paths, &w.key, 10).unwrap();
        assert!(files[0].event.is_ok() && files[1].event.is_err());
        quarantine(&w.paths, &files[1].path).unwrap();
        remove(&files[0].path).unwrap();
        assert!(remove_dirs(&w.paths, &w.key).unwrap());
        assert_eq!(dead_letters::count(&w.paths), 2);
    }

    #[test]
    fn pipes_links_and_directories_are_quarantined_and_block_no_event() {
        let w = world();
        let dir = w.paths.spool(&w.key);
        put(&w.paths, &w.key, &event("first"), limits(10)).unwrap();
        let mode = nix::sys::stat::Mode::S_IRWXU;
        nix::unistd::mkfifo(dir.join("0000000002.json").path(), mode).unwrap();
        nix::unistd::mkfifo(dir.join("pipe").path(), mode).unwrap();
        fs::create_dir_all(dir.join("0000000003.json/sub").path()).unwrap();
        fs::write(w.paths.data().join("secret"), event("not ours").to_json()).unwrap();
        std::os::unix::fs::symlink("../../secret", dir.join("0000000004.json")).unwrap();
        put(&w.paths, &w.key, &event("last"), limits(10)).unwrap();
        let files = read(&w.paths, &w.key, 10).unwrap();
        let is_ok: Vec<bool> = files.iter().map(|file| file.event.is_ok()).collect();
        assert_eq!(is_ok, [true, false, false, false, true]);
        for file in &files {
            match file.event {
                Ok(_) => remove(&file.path).unwrap(),
                Err(_) => quarantine(&w.paths, &file.path).unwrap(),
            }
        }
        assert!(remove_dirs(&w.paths, &w.key).unwrap());
        assert_eq!(dead_letters::count(&w.paths), 4);
        // A pipe in place of the directory.
        nix::unistd::mkfifo(dir.path(), mode).unwrap();
        put(&w.paths, &w.key, &event("elsewhere"), limits(10)).unwrap();
        assert_eq!(texts(&w), ["elsewhere"]);
        assert!(!dir.exists());
        // Dead letters are read when a session is forgotten.
        discard(&w.paths, &w.key, 1).unwrap();
        assert_eq!(dead_letters::count(&w.paths), 5);
    }

    /// The drain removes directories while hooks add files. No event is lost or quarantined.
    #[test]
    fn events_put_while_the_directory_is_removed_are_read() {
        let w = world();
        let mut n_read = 0;
        std::thread::scope(|scope| {
            let hook =
                || (0..100).for_each(|_| drop(put(&w.paths, &w.key, &event("x"), limits(9000))));
            let hooks: Vec<_> = (0..8).map(|_| scope.spawn(hook)).collect();
            while !hooks.iter().all(|h| h.is_finished()) || exists(&w.paths, &w.key) {
                let files = read(&w.paths, &w.key, 500).unwrap();
                if files.is_empty() {
                    remove_dirs(&w.paths, &w.key).unwrap();
                }
                for file in files {
                    n_read += u32::from(file.event.is_ok());
                    remove(&file.path).unwrap();
                }
            }
        });
        assert_eq!((n_read, dead_letters::count(&w.paths)), (800, 0), "(read, quarantined)");
        assert!(!fallback_in_use(&w.paths));
    }

    #[test]
    fn concurrent_hooks_get_distinct_numbers() {
        let w = world();
        std::thread::scope(|scope| {
            for t in 0..8 {
                let w = &w;
                scope.spawn(move || {
                    for n in 0..10 {
                        put(&w.paths, &w.key, &event(&format!("{t}-{n}")), limits(1000)).unwrap();
                    }
                });
            }
        });
        let all = texts(&w);
        assert_eq!(all.len(), 80);
        for t in 0..8 {
            let own: Vec<_> = all.iter().filter(|x| x.starts_with(&format!("{t}-"))).collect();
            assert!(own.windows(2).all(|w| w[0] < w[1]), "{own:?}");
        }
    }

    #[test]
    fn a_linked_fallback_location_is_ignored() {
        let w = world();
        let victim = w.paths.data().join("victim");
        fs::create_dir(&victim).unwrap();
        let dir = victim.join(w.paths.fallback_spools(&w.key)[0].file_name());
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("0000000001.json"), event("injected").to_json()).unwrap();
        std::os::unix::fs::symlink(&victim, w.paths.fallback_dir()).unwrap();
        assert!(!exists(&w.paths, &w.key));
        assert_eq!(texts(&w), [] as [&str; 0]);
        assert!(keys(&w.paths).is_empty() && !fallback_in_use(&w.paths));
        put(&w.paths, &w.key, &event("ours"), limits(10)).unwrap();
        assert_eq!(texts(&w), ["ours"]);
    }

    #[test]
    fn events_spooled_before_the_data_dir_exists_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = paths_below(dir.path());
        let key = session_key("c", "s");
        put(&paths, &key, &event("early"), limits(10)).unwrap();
        paths.create().unwrap();
        assert!(exists(&paths, &key));
        put(&paths, &key, &event("later"), limits(10)).unwrap();
        let texts: Vec<_> = std::iter::from_fn(|| {
            let file = read(&paths, &key, 1).unwrap().pop()?;
            remove(&file.path).unwrap();
            file.event.unwrap().text
        })
        .collect();
        assert_eq!(texts, ["early", "later"]);
        assert!(remove_dirs(&paths, &key).unwrap());
    }
}
