//! One location of a session's spool: its directory, and how a file gets a number in it.

use std::fs::File;
use std::io::{self, ErrorKind};

use memctl_proto::{Event, MAX_BODY};

use super::Put;
use crate::config;
use crate::files::Place;
use crate::paths::Paths;
use crate::testpoint;

/// Maximum attempts to link a file in one location. An attempt fails if another hook has used the
/// number or a drain has removed the directory.
const LINK_ATTEMPTS: usize = 1000;

pub struct Location {
    pub dir: Place,
    tmp: Place,
}

/// The locations of a session's spool, ordered from older to newer events. The fallback location
/// counts only if it is a private directory of this user, because any user can create one at its
/// path.
pub fn locations(paths: &Paths, key: &str) -> Vec<Location> {
    let mut locations = vec![Location { dir: paths.spool(key), tmp: paths.spool_tmp() }];
    if paths.fallback_is_ours() {
        let tmp = paths.fallback_spool_tmp();
        // Reversed: events under the name used before the data dir existed are older.
        let dirs = paths.fallback_spools(key).into_iter().rev();
        locations.extend(dirs.map(|dir| Location { dir, tmp: tmp.clone() }));
    }
    locations
}

impl Location {
    /// The fallback location, created if it is missing.
    pub fn fallback(paths: &Paths, key: &str) -> io::Result<Location> {
        paths.create_fallback()?;
        let dir = paths.fallback_spools(key).swap_remove(0);
        Ok(Location { dir, tmp: paths.fallback_spool_tmp() })
    }

    /// Adds an event. `None` if the location already has 1.1 × the maximum of events or bytes.
    pub fn put(&self, event: &Event, limits: config::Spool) -> io::Result<Option<Put>> {
        let config::Spool { max_events, max_bytes } = limits;
        let numbers = numbers(&self.dir)?;
        let (events, bytes) = (numbers.len(), self.bytes(&numbers, max_bytes));
        if events >= max_events.saturating_add(max_events / 10)
            || bytes >= max_bytes.saturating_add(max_bytes / 10)
        {
            return Ok(None);
        }
        let is_full = events >= max_events || bytes >= max_bytes;
        let put = if is_full { Put::WithoutText } else { Put::Whole };
        let text = match put {
            Put::Whole => event.to_json(),
            Put::WithoutText => event.clone().without_text().to_json(),
        };
        self.make_tmp_dir()?;
        let tmp = self.tmp.join(format!("{}-{}", event.id, std::process::id()));
        let linked = write(&tmp, text.as_bytes())
            .and_then(|file| self.link(&tmp, &file, next_number(&numbers)));
        let _ = tmp.remove_file();
        linked.map(|()| Some(put))
    }

    fn make_tmp_dir(&self) -> io::Result<()> {
        match self.tmp.make_dir() {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                self.tmp.parent().make_dir()?;
                self.tmp.make_dir()
            }
            made => made,
        }
    }

    /// The size of the files. 0 if it cannot reach `max_bytes`, because a `stat` of each file takes
    /// time.
    fn bytes(&self, numbers: &[u64], max_bytes: u64) -> u64 {
        if (numbers.len() as u64).saturating_mul(MAX_BODY as u64) < max_bytes {
            return 0;
        }
        // A drain may remove files meanwhile.
        let len = |n: &u64| self.dir.join(file_name(*n)).stat().map_or(0, |stat| stat.len);
        numbers.iter().map(len).sum()
    }

    /// Links the complete file under the next number, then syncs the file and the directories. The
    /// event counts as spooled after the last sync. Linking before syncing is faster: a journal
    /// commits the directory entries with the file, so only the first of three syncs waits for the
    /// disk.
    fn link(&self, tmp: &Place, file: &File, mut number: u64) -> io::Result<()> {
        for _ in 0..LINK_ATTEMPTS {
            match tmp.hard_link(&self.dir.join(file_name(number))) {
                Ok(()) => {
                    testpoint::at("spool.linked");
                    file.sync_all()?;
                    self.sync()?;
                    testpoint::at("spool.synced");
                    return Ok(());
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                    number = next_number(&numbers(&self.dir)?).max(number + 1);
                }
                // A drain has removed the directory, or it does not exist yet.
                Err(e) if e.kind() == ErrorKind::NotFound => {
                    self.dir.make_dir()?;
                    number = next_number(&numbers(&self.dir)?);
                }
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::other(format!("{}: no file could be linked", self.dir)))
    }

    /// Replaces the event in a file of this location.
    pub fn replace(&self, file: &Place, event: &Event) -> io::Result<()> {
        self.make_tmp_dir()?;
        let tmp = self.tmp.join(format!("{}-{}", event.id, std::process::id()));
        let replaced = write(&tmp, event.to_json().as_bytes())
            .and_then(|written| written.sync_all())
            .and_then(|()| tmp.rename(file));
        if replaced.is_err() {
            let _ = tmp.remove_file();
        }
        replaced.and_then(|()| self.sync())
    }

    fn sync(&self) -> io::Result<()> {
        match self.dir.sync_dir() {
            // A drain has removed the directory, so the event is in the store.
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            synced => synced.and_then(|()| self.dir.parent().sync_dir()),
        }
    }

    /// The files of events, oldest first.
    pub fn files(&self) -> io::Result<Vec<Place>> {
        let numbers = numbers(&self.dir)?;
        Ok(numbers.into_iter().map(|n| self.dir.join(file_name(n))).collect())
    }

    /// Files with other names, which keep the directory from being removed.
    pub fn foreign_files(&self) -> io::Result<Vec<Place>> {
        let names = names(&self.dir)?.into_iter();
        Ok(names.filter(|name| number(name).is_none()).map(|n| self.dir.join(n)).collect())
    }
}

fn write(place: &Place, bytes: &[u8]) -> io::Result<File> {
    let file = place.write(bytes)?;
    testpoint::at("spool.written");
    Ok(file)
}

fn file_name(number: u64) -> String {
    format!("{number:010}.json")
}

/// The number in a name made by [`file_name`]. `None` for other names.
fn number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".json")?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

/// One above the highest number. Reusing a lower one would break the order.
fn next_number(numbers: &[u64]) -> u64 {
    numbers.last().map_or(1, |n| n + 1)
}

/// The numbers in a directory, ascending.
fn numbers(dir: &Place) -> io::Result<Vec<u64>> {
    let mut numbers: Vec<u64> = names(dir)?.iter().filter_map(|name| number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The names in a directory; empty if it does not exist.
fn names(dir: &Place) -> io::Result<Vec<String>> {
    let names = match dir.names() {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        names => names?,
    };
    Ok(names.into_iter().map(|name| name.to_string_lossy().into_owned()).collect())
}
