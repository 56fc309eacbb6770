//! Removes texts from spooled events and from dead letters.

use std::io::{self, ErrorKind};
use std::time::UNIX_EPOCH;

use memctl_proto::Event;

use super::location::locations;
use super::{Removed, keys, remove};
use crate::files::Place;
use crate::paths::Paths;
use crate::store::forgotten_texts::ForgottenTexts;

/// A file of a spool or of the dead-letter directory.
pub struct Candidate {
    /// `None` if the file contains no event that this version can read.
    pub event: Option<Event>,
    /// The bytes of the file. Invalid UTF-8 is replaced.
    pub content: String,
    /// When the file was written, in milliseconds since the epoch.
    pub written_at: i64,
}

/// Whether texts are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Count,
    Remove,
}

/// Removes the texts of all events that `selects` selects.
///
/// A spooled event keeps its ids and becomes private, so that it is not distilled. A dead letter is
/// deleted, and so is a spooled file without an event. To remove, the caller holds the store lock,
/// so that no other process drains a spool meanwhile.
///
/// # Errors
/// If a file cannot be read or replaced. A second call handles the remaining files.
pub fn remove_texts(
    paths: &Paths,
    mode: Mode,
    selects: &dyn Fn(&Candidate) -> bool,
) -> io::Result<Removed> {
    let mut removed = Removed::default();
    for location in keys(paths).iter().flat_map(|key| locations(paths, key)) {
        if !location.dir.stat().is_ok_and(|stat| stat.is_dir()) {
            continue;
        }
        for path in location.files()? {
            let Some(file) = Candidate::read(&path)?.filter(selects) else { continue };
            removed.events += 1;
            match file.event {
                _ if mode == Mode::Count => {}
                Some(event) => location.replace(&path, &without_texts(event))?,
                None => remove(&path)?,
            }
        }
    }
    for path in paths.dead_letters().entries() {
        if Candidate::read(&path)?.is_some_and(|file| selects(&file)) {
            removed.dead_letters += 1;
            if mode == Mode::Remove {
                remove(&path)?;
            }
        }
    }
    Ok(removed)
}

/// Replaces forgotten texts in spooled events and in dead letters. A spooled file without an event is
/// deleted. To replace, the caller holds the store lock.
///
/// # Errors
/// If a file cannot be read or replaced. A second call handles the remaining files.
pub fn replace_texts(paths: &Paths, mode: Mode, texts: &ForgottenTexts) -> io::Result<Removed> {
    let mut replaced = Removed::default();
    for location in keys(paths).iter().flat_map(|key| locations(paths, key)) {
        if !location.dir.stat().is_ok_and(|stat| stat.is_dir()) {
            continue;
        }
        for path in location.files()? {
            let Some(file) = Candidate::read(&path)? else { continue };
            let cleaned = file.event.as_ref().and_then(|event| texts.clean_event(event));
            let has_text = texts.replace(&file.content).is_some();
            replaced.events += u64::from(has_text || cleaned.is_some());
            match cleaned {
                _ if mode == Mode::Count => {}
                Some(event) => location.replace(&path, &event)?,
                None if has_text && file.event.is_none() => remove(&path)?,
                None => {}
            }
        }
    }
    for path in paths.dead_letters().entries() {
        let content = Candidate::read(&path)?.and_then(|file| texts.replace(&file.content));
        if let Some(content) = content {
            replaced.dead_letters += 1;
            if mode == Mode::Remove {
                let new = path.parent().join(format!("{}.new", path.file_name().to_string_lossy()));
                new.write(content.as_bytes())?.sync_all()?;
                new.rename(&path)?;
            }
        }
    }
    Ok(replaced)
}

impl Candidate {
    /// `None` if there is no regular file, for example because the event was drained meanwhile.
    fn read(place: &Place) -> io::Result<Option<Candidate>> {
        let read = || -> io::Result<Option<Candidate>> {
            let stat = place.stat()?;
            if !stat.is_file() {
                return Ok(None);
            }
            let content = String::from_utf8_lossy(&place.read()?).into_owned();
            let event = Event::from_json(&content).ok();
            let written = stat.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
            Ok(Some(Candidate { event, content, written_at: written.as_millis() as i64 }))
        };
        match read() {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            other => other,
        }
    }
}

fn without_texts(event: Event) -> Event {
    let mut event = event.without_text();
    event.private = true;
    if let Some(tool) = &mut event.tool {
        tool.name.clear();
    }
    event
}
