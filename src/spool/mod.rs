//! The session's mailbox on disk, for when nobody answers the socket: a folder with one file per
//! event, named by number, as a Maildir does it.
//!
//! Hooks put ([`put`]), whoever owns the session takes in ([`take_in`]). There is no lock, so
//! nobody who hangs stops a hook; and no torn event, since a name appears only with the whole
//! file. Where the data dir cannot be written a second place beside the sockets is used; what
//! lies there can only be younger.

pub mod drain;
mod location;

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use memctl_proto::{Event, Kind};
use uuid::Uuid;

use crate::paths::{Paths, make_dir, session_key};
use crate::process;
use location::{Location, locations};
pub use location::{create_fallback, fallback_is_ours};

/// Temporary files older than this belong to nobody who lives.
const ABANDONED: Duration = Duration::from_secs(60);

/// So many losses can be counted on a full disk.
const COUNTED: i64 = 4096;

/// Files that are thrown away in one go.
const DISCARDED: usize = 500;

/// Whether anything of the session is spooled: a `stat` at each of the two places.
pub fn exists(paths: &Paths, key: &str) -> bool {
    locations(paths, key).iter().any(|place| place.folder.exists())
}

/// What became of an event's texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    Whole,
    /// The spool has `max` events or more: this one is kept without its texts.
    WithoutText,
}

/// Puts an event into the session's spool; when this returns `Ok` it is on the disk.
///
/// # Errors
/// Why the last place that was tried could not take it; the event is kept nowhere.
pub fn put(paths: &Paths, key: &str, event: &Event, max: usize) -> io::Result<Put> {
    let places = locations(paths, key);
    let second_is_younger = places.iter().skip(1).any(|place| place.folder.exists());
    let full = || io::Error::other(format!("{max} events and more are spooled"));
    if !second_is_younger && let Ok(put) = places[0].put(event, max) {
        // Full by our own count: there is no second helping.
        return put.ok_or_else(full);
    }
    Location::fallback(paths, key)?.put(event, max)?.ok_or_else(full)
}

/// A file of the spool and what it says.
pub struct SpoolFile {
    pub path: PathBuf,
    /// Or why it says nothing.
    pub event: Result<Event, String>,
    /// How long it has been here.
    pub age: Duration,
}

/// What the session has spooled, oldest first, at most `n`: the first place before the second.
///
/// # Errors
/// When what is there cannot be read just now.
pub fn read(paths: &Paths, key: &str, n: usize) -> io::Result<Vec<SpoolFile>> {
    for place in locations(paths, key) {
        for foreign in place.foreign()? {
            quarantine(paths, &foreign)?;
        }
        let found = place.files()?;
        if !found.is_empty() {
            return found.into_iter().take(n).map(read_file).collect();
        }
    }
    Ok(Vec::new())
}

/// The oldest event that can be read, which says whose spool it is. Changes nothing.
pub fn first(paths: &Paths, key: &str) -> Option<Event> {
    locations(paths, key).iter().find_map(|place| {
        let found = place.files().unwrap_or_default();
        found.into_iter().find_map(|path| read_file(path).ok()?.event.ok())
    })
}

/// # Errors
/// What has nothing to do with what the file says: that it cannot be opened or read.
fn read_file(path: PathBuf) -> io::Result<SpoolFile> {
    let age = age(&fs::metadata(&path)?);
    let event = String::from_utf8(fs::read(&path)?)
        .map_err(|e| e.to_string())
        .and_then(|text| Event::from_json(&text).map_err(|e| e.to_string()))
        .and_then(|event| match event.kind {
            Kind::Unknown => Err("an event of a kind this version does not know".into()),
            _ => Ok(event),
        });
    Ok(SpoolFile { path, event, age })
}

/// Takes a file that is in the store out of the spool.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Throws away what the session had spooled until `before` (milliseconds since the epoch), also
/// what was set aside of it. The caller holds the store lock, or it could be being drained in. How
/// many events.
pub fn discard(paths: &Paths, key: &str, before: i64) -> io::Result<u64> {
    let ours = |event: &Event| session_key(&event.client, &event.session) == key;
    let mut n_gone = 0;
    loop {
        let files = read(paths, key, DISCARDED)?;
        let old = |file: &&SpoolFile| file.event.as_ref().is_ok_and(|e| ours(e) && e.at <= before);
        let old: Vec<&SpoolFile> = files.iter().filter(old).collect();
        for file in &old {
            remove(&file.path)?;
        }
        n_gone += old.len() as u64;
        if old.is_empty() {
            break;
        }
    }
    if exists(paths, key) {
        remove_dirs(paths, key)?;
    }
    for entry in fs::read_dir(paths.dead_letters()).into_iter().flatten().flatten() {
        if read_file(entry.path()).is_ok_and(|file| file.event.is_ok_and(|event| ours(&event))) {
            remove(&entry.path())?;
            n_gone += 1;
        }
    }
    Ok(n_gone)
}

/// Sets a file aside that cannot be drained in. It is never thrown away: where it cannot be moved
/// or copied it stays.
pub fn quarantine(paths: &Paths, path: &Path) -> io::Result<()> {
    make_dir(&paths.dead_letters())?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let grave = paths.dead_letters().join(format!("{}-{name}", Uuid::now_v7()));
    match fs::rename(path, &grave) {
        Err(e) if e.kind() == ErrorKind::CrossesDevices => {
            fs::copy(path, &grave)?;
            fs::File::open(&grave)?.sync_all()?;
            remove(path)
        }
        done => done,
    }
}

/// Removes the session's folders. `false`: something has come in meanwhile.
pub fn remove_dirs(paths: &Paths, key: &str) -> io::Result<bool> {
    let mut gone = true;
    for place in locations(paths, key) {
        match fs::remove_dir(&place.folder) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) if e.kind() == ErrorKind::DirectoryNotEmpty => gone = false,
            Err(e) => return Err(e),
        }
    }
    Ok(gone)
}

/// Keys of the sessions that have a spool.
pub fn keys(paths: &Paths) -> Vec<String> {
    let mut keys = Vec::new();
    for dir in dirs(paths) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            keys.extend(name.to_str().and_then(|n| paths.key_of_spool(n)).map(str::to_owned));
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

/// The directories that hold spools and are ours.
fn dirs(paths: &Paths) -> Vec<PathBuf> {
    let second = fallback_is_ours(paths).then(|| paths.fallback_dir());
    [paths.spools()].into_iter().chain(second).collect()
}

/// How many files were set aside.
pub fn dead_letters(paths: &Paths) -> u64 {
    fs::read_dir(paths.dead_letters()).into_iter().flatten().count() as u64
}

/// Whether events wait in the second place, which does not survive every power cut.
pub fn fallback_in_use(paths: &Paths) -> bool {
    dirs(paths).iter().skip(1).any(|dir| {
        fs::read_dir(dir).into_iter().flatten().flatten().any(|entry| {
            entry.file_name().to_str().is_some_and(|name| paths.key_of_spool(name).is_some())
        })
    })
}

/// Removes temporary files of hooks that were killed while they wrote.
pub fn remove_stale_tmp(paths: &Paths) {
    let second = fallback_is_ours(paths).then(|| paths.fallback_spool_tmp());
    for dir in [paths.spool_tmp()].into_iter().chain(second) {
        if fs::symlink_metadata(&dir).is_ok_and(|meta| !meta.is_dir()) {
            continue;
        }
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.metadata().is_ok_and(|meta| age(&meta) > ABANDONED) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn age(meta: &fs::Metadata) -> Duration {
    let written = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    SystemTime::now().duration_since(written).unwrap_or_default()
}

/// Counts an event that could be kept nowhere: a byte in the data dir, else beside the second
/// spools.
pub fn count_lost(paths: &Paths) {
    let append = |path: PathBuf| {
        OpenOptions::new().append(true).create(true).mode(0o600).open(path)?.write_all(b".")
    };
    if append(paths.lost_events()).is_err() && create_fallback(paths).is_ok() {
        let _ = append(paths.fallback_lost_events());
    }
}

/// Keeps room on the disk for counting losses, which come when it is full.
pub fn reserve_loss_counter(paths: &Paths) {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(paths.lost_events());
    if let Ok(file) = file
        && file.metadata().is_ok_and(|meta| meta.blocks() == 0)
    {
        let _ = process::preallocate(&file, COUNTED);
    }
}

/// How many events were lost since the data dir was made.
pub fn lost(paths: &Paths) -> u64 {
    let second = fallback_is_ours(paths).then(|| paths.fallback_lost_events());
    let files = [paths.lost_events()].into_iter().chain(second);
    files.filter_map(|p| Some(fs::metadata(p).ok()?.len())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::Roots;
    use memctl_proto::Kind;

    struct World {
        paths: Paths,
        key: String,
        _dir: tempfile::TempDir,
    }

    fn world() -> World {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = Paths::new(&Roots {
            data_dir: Some(dir.path().join("data").into()),
            socket_dir: Some(dir.path().into()),
            ..Roots::default()
        })
        .unwrap();
        paths.create().unwrap();
        World { paths, key: session_key("c", "s"), _dir: dir }
    }

    fn event(text: &str) -> Event {
        Event { text: Some(text.into()), ..Event::new(Kind::Prompt, "c", "s", 1) }
    }

    fn texts(w: &World) -> Vec<String> {
        read(&w.paths, &w.key, 500)
            .unwrap()
            .into_iter()
            .map(|s| s.event.unwrap().text.unwrap_or_default())
            .collect()
    }

    #[test]
    fn order_is_the_order_of_putting() {
        let w = world();
        assert!(!exists(&w.paths, &w.key));
        for n in 0..12 {
            assert_eq!(put(&w.paths, &w.key, &event(&n.to_string()), 100).unwrap(), Put::Whole);
        }
        assert!(exists(&w.paths, &w.key));
        assert_eq!(texts(&w), (0..12).map(|n| n.to_string()).collect::<Vec<_>>());
        // What is drained out leaves its number unused while others stand behind it.
        remove(&read(&w.paths, &w.key, 1).unwrap()[0].path).unwrap();
        put(&w.paths, &w.key, &event("last"), 100).unwrap();
        assert_eq!(texts(&w).last().unwrap(), "last");
        assert!(!remove_dirs(&w.paths, &w.key).unwrap());
    }

    #[test]
    fn a_full_spool_keeps_events_without_text_and_then_refuses() {
        let w = world();
        for n in 0..11 {
            let put = put(&w.paths, &w.key, &event("x"), 10).unwrap();
            assert_eq!(put, if n < 10 { Put::Whole } else { Put::WithoutText });
        }
        assert!(put(&w.paths, &w.key, &event("x"), 10).is_err());
        count_lost(&w.paths);
        assert_eq!(lost(&w.paths), 1);
    }

    #[test]
    fn the_second_place_takes_over_and_stays_the_younger() {
        let w = world();
        put(&w.paths, &w.key, &event("first"), 10).unwrap();
        // A file in the folder's way, as no permission stops root.
        fs::rename(w.paths.spools(), w.paths.data().join("away")).unwrap();
        fs::write(w.paths.spools(), "").unwrap();
        put(&w.paths, &w.key, &event("second"), 10).unwrap();
        fs::remove_file(w.paths.spools()).unwrap();
        fs::rename(w.paths.data().join("away"), w.paths.spools()).unwrap();
        put(&w.paths, &w.key, &event("third"), 10).unwrap();
        assert_eq!(texts(&w), ["first"]);
        remove(&read(&w.paths, &w.key, 9).unwrap()[0].path).unwrap();
        assert_eq!(texts(&w), ["second", "third"]);
        assert_eq!(keys(&w.paths), std::slice::from_ref(&w.key));
    }

    #[test]
    fn a_file_that_is_no_event_is_told_apart_and_set_aside() {
        let w = world();
        put(&w.paths, &w.key, &event("x"), 10).unwrap();
        fs::write(w.paths.spool(&w.key).join("0000000002.json"), "{").unwrap();
        fs::write(w.paths.spool(&w.key).join("3.json"), "foreign").unwrap();
        let spooled = read(&w.paths, &w.key, 10).unwrap();
        assert!(spooled[0].event.is_ok() && spooled[1].event.is_err());
        quarantine(&w.paths, &spooled[1].path).unwrap();
        remove(&spooled[0].path).unwrap();
        assert!(remove_dirs(&w.paths, &w.key).unwrap());
        assert_eq!(dead_letters(&w.paths), 2);
    }

    /// Folders come and go under the hooks, and what is put meanwhile is never drained for rubbish.
    #[test]
    fn what_is_put_while_the_folder_goes_away_is_read() {
        let w = world();
        let mut n_read = 0;
        std::thread::scope(|scope| {
            let hook = || (0..100).for_each(|_| drop(put(&w.paths, &w.key, &event("x"), 9000)));
            let hooks: Vec<_> = (0..8).map(|_| scope.spawn(hook)).collect();
            while !hooks.iter().all(|h| h.is_finished()) || exists(&w.paths, &w.key) {
                let files = read(&w.paths, &w.key, 500).unwrap();
                if files.is_empty() {
                    remove_dirs(&w.paths, &w.key).unwrap();
                }
                for spooled in files {
                    n_read += u32::from(spooled.event.is_ok());
                    remove(&spooled.path).unwrap();
                }
            }
        });
        assert_eq!((n_read, dead_letters(&w.paths)), (800, 0), "read, and set aside");
        assert!(!fallback_in_use(&w.paths));
    }

    #[test]
    fn hooks_at_once_each_get_a_number() {
        let w = world();
        std::thread::scope(|scope| {
            for t in 0..8 {
                let w = &w;
                scope.spawn(move || {
                    for n in 0..10 {
                        put(&w.paths, &w.key, &event(&format!("{t}-{n}")), 1000).unwrap();
                    }
                });
            }
        });
        let all = texts(&w);
        assert_eq!(all.len(), 80);
        for t in 0..8 {
            let mine: Vec<_> = all.iter().filter(|x| x.starts_with(&format!("{t}-"))).collect();
            assert!(mine.windows(2).all(|w| w[0] < w[1]), "{mine:?}");
        }
    }

    #[test]
    fn what_a_stranger_put_in_our_second_place_is_not_looked_at() {
        let w = world();
        let victim = w.paths.data().join("victim");
        fs::create_dir(&victim).unwrap();
        let folder = victim.join(w.paths.fallback_spools(&w.key)[0].file_name().unwrap());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("0000000001.json"), event("injected").to_json()).unwrap();
        std::os::unix::fs::symlink(&victim, w.paths.fallback_dir()).unwrap();
        assert!(!exists(&w.paths, &w.key));
        assert_eq!(texts(&w), [] as [&str; 0]);
        assert!(keys(&w.paths).is_empty() && !fallback_in_use(&w.paths));
        put(&w.paths, &w.key, &event("ours"), 10).unwrap();
        assert_eq!(texts(&w), ["ours"]);
    }

    #[test]
    fn what_was_spooled_before_the_data_dir_was_there_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots {
            data_dir: Some(dir.path().join("data").into()),
            socket_dir: Some(dir.path().into()),
            ..Roots::default()
        };
        let mut paths = Paths::new(&roots).unwrap();
        let key = session_key("c", "s");
        put(&paths, &key, &event("early"), 10).unwrap();
        paths.create().unwrap();
        assert!(exists(&paths, &key));
        put(&paths, &key, &event("later"), 10).unwrap();
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
