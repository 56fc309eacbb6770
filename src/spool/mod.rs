//! The session's mailbox on disk, for when nobody answers the socket: a folder with one file per
//! event, named by number, as a Maildir does it.
//!
//! Hooks put ([`put`]), whoever owns the session takes in ([`take_in`]). There is no lock, so
//! nobody who hangs stops a hook; and no torn event, since a name appears only with the whole
//! file. Where the data dir cannot be written a second place
//! beside the sockets is used; what lies there can only be younger.

pub mod take_in;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use memctl_proto::Event;

use crate::paths::{Paths, make_dir};
use crate::{process, testpoint};

/// How often a folder may vanish under a hook before the hook gives the place up.
const TRIES: usize = 8;

/// Temporary files older than this belong to nobody who lives.
const ABANDONED: Duration = Duration::from_secs(60);

/// One of the two places that may hold a session's spool.
struct Place {
    folder: PathBuf,
    tmp: PathBuf,
}

fn places(paths: &Paths, key: &str) -> [Place; 2] {
    [
        Place { folder: paths.spool(key), tmp: paths.spool_tmp() },
        Place { folder: paths.second_spool(key), tmp: paths.second_spool_tmp() },
    ]
}

/// Whether anything of the session is spooled: a `stat` at each of the two places.
pub fn exists(paths: &Paths, key: &str) -> bool {
    places(paths, key).iter().any(|place| place.folder.exists())
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
    let [first, second] = places(paths, key);
    let second_is_younger = second.folder.exists();
    if !second_is_younger {
        match put_at(&first, event, max) {
            // Full by our own count: there is no second helping.
            Err(e) if e.kind() != ErrorKind::QuotaExceeded => {}
            done => return done,
        }
    }
    let shared = paths.second_spools();
    make_dir(&shared)?;
    let meta = fs::symlink_metadata(&shared)?;
    if !meta.is_dir() || meta.uid() != process::own_uid() || meta.permissions().mode() & 0o077 != 0
    {
        return Err(io::Error::new(
            ErrorKind::PermissionDenied,
            format!("{} is not a directory of ours alone", shared.display()),
        ));
    }
    put_at(&second, event, max)
}

fn put_at(place: &Place, event: &Event, max: usize) -> io::Result<Put> {
    let there = numbers(&place.folder)?;
    let (next, count) = (following(&there), there.len());
    if count >= max + max / 10 {
        return Err(io::Error::new(
            ErrorKind::QuotaExceeded,
            format!("{count} events are spooled"),
        ));
    }
    let put = if count >= max { Put::WithoutText } else { Put::Whole };
    let text = match put {
        Put::Whole => event.to_json(),
        Put::WithoutText => event.clone().without_text().to_json(),
    };
    make_dir(&place.tmp)?;
    let tmp = place.tmp.join(format!("{}-{}", event.id, std::process::id()));
    let linked = write_synced(&tmp, text.as_bytes()).and_then(|()| link(place, &tmp, next));
    let _ = fs::remove_file(&tmp);
    linked.map(|()| put)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    testpoint::at("spool.written");
    file.sync_data()
}

/// Gives the file a number one above the highest in the folder: the event is spooled from the
/// moment the folder is synced.
fn link(place: &Place, tmp: &Path, mut number: u64) -> io::Result<()> {
    for _ in 0..TRIES {
        match fs::hard_link(tmp, place.folder.join(file_name(number))) {
            Ok(()) => {
                testpoint::at("spool.linked");
                return match File::open(&place.folder) {
                    // Gone with the event in it: that is in the store.
                    Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
                    folder => folder?.sync_all(),
                };
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                number = following(&numbers(&place.folder)?).max(number + 1);
            }
            // Taken in meanwhile, or not there yet.
            Err(e) if e.kind() == ErrorKind::NotFound => {
                make_dir(&place.folder)?;
                if let Some(parent) = place.folder.parent() {
                    File::open(parent)?.sync_all()?;
                }
                number = following(&numbers(&place.folder)?);
            }
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::other("the spool's folder keeps vanishing"))
}

fn file_name(number: u64) -> String {
    format!("{number:010}.json")
}

/// One above the highest: never a number that was used and freed, or order would be lost.
fn following(numbers: &[u64]) -> u64 {
    numbers.last().map_or(1, |n| n + 1)
}

/// The numbers in a folder, ascending; none when it is not there.
fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|n| n.strip_suffix(".json")?.parse::<u64>().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// A file of the spool and what it says.
pub struct Spooled {
    pub path: PathBuf,
    /// Or why it cannot be read.
    pub event: Result<Event, String>,
}

/// What the session has spooled, oldest first, at most `n`: the first place before the second.
///
/// # Errors
/// When a folder is there and cannot be listed.
pub fn read(paths: &Paths, key: &str, n: usize) -> io::Result<Vec<Spooled>> {
    for place in places(paths, key) {
        let found = numbers(&place.folder)?;
        if !found.is_empty() {
            let files = found.into_iter().take(n).map(|n| place.folder.join(file_name(n)));
            return Ok(files.map(read_file).collect());
        }
        // What is no event keeps a folder from going away: set it aside.
        if fs::remove_dir(&place.folder).is_err() {
            for entry in fs::read_dir(&place.folder).into_iter().flatten().flatten() {
                let _ = bury(paths, &entry.path());
            }
        }
    }
    Ok(Vec::new())
}

/// The oldest event that can be read, which says whose spool it is. Changes nothing.
pub fn first(paths: &Paths, key: &str) -> Option<Event> {
    places(paths, key).iter().find_map(|place| {
        let found = numbers(&place.folder).unwrap_or_default();
        found.into_iter().find_map(|n| read_file(place.folder.join(file_name(n))).event.ok())
    })
}

fn read_file(path: PathBuf) -> Spooled {
    let event = fs::read(&path)
        .map_err(|e| e.to_string())
        .and_then(|bytes| String::from_utf8(bytes).map_err(|e| e.to_string()))
        .and_then(|text| Event::from_json(&text).map_err(|e| e.to_string()))
        .and_then(|event| match event.kind {
            memctl_proto::Kind::Unknown => {
                Err("an event of a kind this version does not know".into())
            }
            _ => Ok(event),
        });
    Spooled { path, event }
}

/// Takes a file that is in the store out of the spool.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Sets a file aside that cannot be taken in.
pub fn bury(paths: &Paths, path: &Path) -> io::Result<()> {
    make_dir(&paths.spool_dead())?;
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
    let name = path.file_name().unwrap_or_default();
    let to = format!("{}-{}", folder.to_string_lossy(), name.to_string_lossy());
    fs::rename(path, paths.spool_dead().join(to)).or_else(|_| remove(path))
}

/// Removes the session's folders. `false`: something has come in meanwhile.
pub fn remove_folders(paths: &Paths, key: &str) -> io::Result<bool> {
    let mut gone = true;
    for place in places(paths, key) {
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
    for dir in [paths.spools(), paths.second_spools()] {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            keys.extend(name.to_str().and_then(|n| paths.key_of_spool(n)).map(str::to_owned));
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

/// How many files were set aside.
pub fn dead(paths: &Paths) -> u64 {
    fs::read_dir(paths.spool_dead()).into_iter().flatten().count() as u64
}

/// Whether events wait in the second place, which does not survive every power cut.
pub fn second_place_in_use(paths: &Paths) -> bool {
    fs::read_dir(paths.second_spools()).into_iter().flatten().flatten().any(|entry| {
        entry.file_name().to_str().is_some_and(|name| paths.key_of_spool(name).is_some())
    })
}

/// Removes temporary files of hooks that were killed while they wrote.
pub fn sweep(paths: &Paths) {
    for dir in [paths.spool_tmp(), paths.second_spool_tmp()] {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let age = entry
                .metadata()
                .and_then(|m| m.modified())
                .map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
            if age.is_ok_and(|age| age > ABANDONED) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Counts an event that could be kept nowhere: a byte in the data dir, else beside the second
/// spools.
pub fn count_lost(paths: &Paths) {
    let append = |path: PathBuf| {
        OpenOptions::new().append(true).create(true).mode(0o600).open(path)?.write_all(b".")
    };
    let _ = append(paths.lost()).or_else(|_: io::Error| {
        make_dir(&paths.second_spools()).and_then(|()| append(paths.second_lost()))
    });
}

/// How many events were lost since the data dir was made.
pub fn lost(paths: &Paths) -> u64 {
    [paths.lost(), paths.second_lost()]
        .iter()
        .filter_map(|p| Some(fs::metadata(p).ok()?.len()))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::{Roots, session_key};
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
        // What is taken out leaves its number unused while others stand behind it.
        remove(&read(&w.paths, &w.key, 1).unwrap()[0].path).unwrap();
        put(&w.paths, &w.key, &event("last"), 100).unwrap();
        assert_eq!(texts(&w).last().unwrap(), "last");
        assert!(!remove_folders(&w.paths, &w.key).unwrap());
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
        fs::write(w.paths.spool(&w.key).join(file_name(2)), "{").unwrap();
        let spooled = read(&w.paths, &w.key, 10).unwrap();
        assert!(spooled[0].event.is_ok() && spooled[1].event.is_err());
        bury(&w.paths, &spooled[1].path).unwrap();
        remove(&spooled[0].path).unwrap();
        assert!(remove_folders(&w.paths, &w.key).unwrap());
        assert_eq!(fs::read_dir(w.paths.spool_dead()).unwrap().count(), 1);
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
}
