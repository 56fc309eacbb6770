//! What a starting session is told, and what its user is told once. The only hook that opens the
//! database, and only to read it; it may carry out an upgrade's steps first.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use memctl_proto::Event;

use crate::config::Settings;
use crate::context::start;
use crate::deliver::unfinished;
use crate::spool;
use crate::store::{self, LockWait, Reader, Store, StoreError, notices, sessions};

/// How long an upgrade's steps may wait for the store.
const UPGRADE: Duration = Duration::from_secs(2);

/// How long a statement waits for a lock.
const PATIENCE: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub struct Told {
    pub block: String,
    pub notice: Option<String>,
    /// Time of the newest row that the conversation now knows.
    pub newest_epoch: Option<i64>,
    /// Something is unfinished outside this session.
    pub unfinished: bool,
}

/// Reads what `event`, a start, calls for, and what went wrong in doing so: then the session
/// starts without context. The database is closed again when this returns.
pub fn tell(settings: &Settings, event: &Event) -> (Told, Option<StoreError>) {
    if !settings.paths.exist() {
        return (Told::default(), None);
    }
    let notice = notice(settings);
    let store = open(settings);
    let (client, session) = (&event.client, &event.session);
    let unfinished =
        unfinished::in_other_sessions(&settings.paths, &store, client, session, event.at);
    let told = match &store {
        Ok(Some(reader)) => block(settings, reader, event),
        Ok(None) | Err(_) => Ok(Told::default()),
    };
    let (told, trouble) = match (told, store) {
        (Ok(told), Ok(_)) => (told, None),
        (Err(e), _) | (_, Err(e)) => (Told::default(), Some(e)),
    };
    (Told { notice, unfinished, ..told }, trouble)
}

fn block(settings: &Settings, reader: &Reader, event: &Event) -> store::Result<Told> {
    let reason = event.reason.as_deref().unwrap_or("startup");
    let wanted = settings.config.context.sources.iter().any(|source| source == reason);
    let Some(project) = event.project.as_ref().filter(|_| wanted) else {
        return Ok(Told::default());
    };
    let conn = reader.connection();
    let parent = match (event.process, &event.turn) {
        (Some(process), Some(turn)) if reason == "fork" => {
            let own = sessions::id_of(conn, &event.client, &event.session)?.unwrap_or(0);
            sessions::parent(conn, &event.client, process, turn, own)?
        }
        _ => None,
    };
    let holds = start::told(conn, &event.client, &event.session, reason, parent)?;
    let context = start::tell(conn, project, &holds, settings.config.context.tokens)?;
    Ok(Told { block: context.text, newest_epoch: context.newest_epoch, ..Told::default() })
}

/// A reader; after an upgrade, once the schema is made whole.
fn open(settings: &Settings) -> store::Result<Option<Reader>> {
    if let Some(reader) = Reader::open(&settings.paths, PATIENCE)? {
        return Ok(Some(reader));
    }
    if !settings.paths.database().exists() {
        return Ok(None);
    }
    Store::open_within(&settings.paths, LockWait::Within(UPGRADE))?;
    Reader::open(&settings.paths, PATIENCE)
}

/// One line on what went wrong since the user was last told, each trouble once.
fn notice(settings: &Settings) -> Option<String> {
    let mut troubles: Vec<String> = settings.config.problems.clone();
    match spool::lost(&settings.paths) {
        0 => {}
        1 => troubles.push("1 event was lost so far: no place could be written".into()),
        n => troubles.push(format!("{n} events were lost so far: no place could be written")),
    }
    if let Ok(Some(reader)) = Reader::open(&settings.paths, PATIENCE) {
        let found = notices::list(reader.connection()).unwrap_or_default();
        troubles.extend(found.into_iter().map(|(_, text)| text));
    }
    let path = settings.paths.notices_shown();
    let told = fs::read_to_string(&path).unwrap_or_default();
    troubles.retain(|trouble| !told.lines().any(|line| line == trouble));
    if troubles.is_empty() {
        return None;
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).ok()?;
    file.write_all(troubles.iter().map(|t| format!("{t}\n")).collect::<String>().as_bytes())
        .ok()?;
    Some(format!("memctl: {} (memctl status says more)", troubles.join("; ")))
}
