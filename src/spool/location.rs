//! One place that may hold a session's spool: its folder, and how an event gets a number in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use memctl_proto::Event;

use super::Put;
use crate::paths::{Paths, make_dir};
use crate::{process, testpoint};

/// How often others may take a number or the folder away before a hook gives the place up: many,
/// for each time somebody has got on.
const TRIES: usize = 1000;

pub struct Location {
    pub folder: PathBuf,
    tmp: PathBuf,
}

/// Where a session's spool may be, the oldest first. The second place counts only when it is a
/// directory of ours alone: it lies where everybody may make one.
pub fn locations(paths: &Paths, key: &str) -> Vec<Location> {
    let mut places = vec![Location { folder: paths.spool(key), tmp: paths.spool_tmp() }];
    if fallback_is_ours(paths) {
        let tmp = paths.fallback_spool_tmp();
        // What stands under the stand-in name came before the data dir had one of its own.
        let folders = paths.fallback_spools(key).into_iter().rev();
        places.extend(folders.map(|folder| Location { folder, tmp: tmp.clone() }));
    }
    places
}

pub fn fallback_is_ours(paths: &Paths) -> bool {
    fs::symlink_metadata(paths.fallback_dir()).is_ok_and(|meta| {
        meta.is_dir() && meta.uid() == process::own_uid() && meta.permissions().mode() & 0o077 == 0
    })
}

/// Makes the second place, or finds it.
///
/// # Errors
/// `PermissionDenied` when somebody else's stands there.
pub fn create_fallback(paths: &Paths) -> io::Result<()> {
    make_dir(&paths.fallback_dir())?;
    if fallback_is_ours(paths) {
        return Ok(());
    }
    let place = paths.fallback_dir();
    let why = format!("{} is not a directory of ours alone", place.display());
    Err(io::Error::new(ErrorKind::PermissionDenied, why))
}

impl Location {
    /// The second place, made when it is not there.
    pub fn fallback(paths: &Paths, key: &str) -> io::Result<Location> {
        create_fallback(paths)?;
        let folder = paths.fallback_spools(key).swap_remove(0);
        Ok(Location { folder, tmp: paths.fallback_spool_tmp() })
    }

    /// Puts an event here; `None`: so many are here that it is not drained.
    pub fn put(&self, event: &Event, max: usize) -> io::Result<Option<Put>> {
        let there = numbers(&self.folder)?;
        if there.len() >= max + max / 10 {
            return Ok(None);
        }
        let put = if there.len() >= max { Put::WithoutText } else { Put::Whole };
        let text = match put {
            Put::Whole => event.to_json(),
            Put::WithoutText => event.clone().without_text().to_json(),
        };
        make_dir(&self.tmp)?;
        let tmp = self.tmp.join(format!("{}-{}", event.id, std::process::id()));
        let linked =
            write(&tmp, text.as_bytes()).and_then(|file| self.link(&tmp, &file, following(&there)));
        let _ = fs::remove_file(&tmp);
        linked.map(|()| Some(put))
    }

    /// Gives the whole file a number one above the highest in the folder. The event is spooled
    /// from the moment file and folders are synced, in this order and at the end: a journal that
    /// writes the file out writes what was done to the folders before with it, so that of three
    /// syncs only the first has to wait for the disk.
    fn link(&self, tmp: &Path, file: &File, mut number: u64) -> io::Result<()> {
        for _ in 0..TRIES {
            match fs::hard_link(tmp, self.folder.join(file_name(number))) {
                Ok(()) => {
                    testpoint::at("spool.linked");
                    file.sync_all()?;
                    self.sync()?;
                    testpoint::at("spool.synced");
                    return Ok(());
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                    number = following(&numbers(&self.folder)?).max(number + 1);
                }
                // Drained in meanwhile, or not there yet.
                Err(e) if e.kind() == ErrorKind::NotFound => {
                    make_dir(&self.folder)?;
                    number = following(&numbers(&self.folder)?);
                }
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::other("the spool's folder keeps vanishing"))
    }

    fn sync(&self) -> io::Result<()> {
        let folder = match File::open(&self.folder) {
            // Gone with the event in it: that is in the store.
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            folder => folder?,
        };
        folder.sync_all()?;
        match self.folder.parent() {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Its events' files, oldest first.
    pub fn files(&self) -> io::Result<Vec<PathBuf>> {
        let numbers = numbers(&self.folder)?;
        Ok(numbers.into_iter().map(|n| self.folder.join(file_name(n))).collect())
    }

    /// What else lies in the folder and keeps it from going away.
    pub fn foreign(&self) -> io::Result<Vec<PathBuf>> {
        let names = names(&self.folder)?.into_iter();
        Ok(names.filter(|name| number(name).is_none()).map(|n| self.folder.join(n)).collect())
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    testpoint::at("spool.written");
    Ok(file)
}

fn file_name(number: u64) -> String {
    format!("{number:010}.json")
}

/// The number of a name that [`file_name`] makes; of no other.
fn number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".json")?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

/// One above the highest: never a number that was used and freed, or order would be lost.
fn following(numbers: &[u64]) -> u64 {
    numbers.last().map_or(1, |n| n + 1)
}

/// The numbers in a folder, ascending.
fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers: Vec<u64> = names(folder)?.iter().filter_map(|name| number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The names in a folder; none when it is not there. Ours are all text.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
