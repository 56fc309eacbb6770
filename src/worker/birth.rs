//! How a worker comes to be one: the words it was started with, the patience of a session whose
//! workers keep dying, the lock, and the question whether others left something.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use super::owner::{self, Session};
use crate::clock;
use crate::config::Settings;
use crate::deliver::{launch, unfinished};
use crate::failure::{Result, usage};
use crate::lock::{self, LockState, SessionLock};
use crate::paths::session_key;
use crate::store::{self, Reader, sessions};

/// How long a look into the store may wait.
const PATIENCE: Duration = Duration::from_millis(200);

/// So many workers in a row that finished nothing, and the next one is held back.
const RESTARTS: i64 = 3;

/// `--client C --session ID [--recovery]`; the latter is true for one that recovers.
pub fn parse(args: &[OsString]) -> Result<(Session, bool)> {
    let (mut client, mut id, mut recovery) = (None, None, false);
    let mut args = args.iter().map(|a| a.to_string_lossy().into_owned());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--client" => client = args.next(),
            "--session" => id = args.next(),
            "--recovery" => recovery = true,
            _ => return Err(usage(format!("worker: '{arg}' is not understood"))),
        }
    }
    let (Some(client), Some(id)) = (client, id) else {
        return Err(usage("worker: --client and --session are needed"));
    };
    let key = session_key(&client, &id);
    Ok((Session { client, id, key }, recovery))
}

/// Becomes the session's worker, or finds that another one is. The one who becomes it asks
/// whether anything is unfinished elsewhere; of those that recover none does, or they would
/// start each other for ever.
pub fn become_owner(
    settings: &Settings,
    session: &Session,
    recovery: bool,
) -> io::Result<Option<SessionLock>> {
    let store = Reader::open(&settings.paths, PATIENCE);
    if let Some(time) = held_back(&store, session)
        && !matches!(lock::probe(&settings.paths.session_lock(&session.key)), Ok(LockState::Held))
    {
        tracing::warn!(?time, "held back: the workers of this session keep dying");
        owner::pause(time);
    }
    let Some(lock) = owner::start(settings, session)? else { return Ok(None) };
    if !recovery
        && unfinished::in_other_sessions(
            &settings.paths,
            &store,
            &session.client,
            &session.id,
            clock::now_ms(),
        )
    {
        // A child that is forked must have no connection.
        drop(store);
        if let Err(e) = launch::start_recovery(settings) {
            tracing::warn!("recovery could not be started: {e}");
        }
    }
    Ok(Some(lock))
}

/// Who recovers goes on with the backend that the session was begun with.
pub fn begun_with(settings: &Settings, session: &Session, recovery: bool) -> Option<String> {
    if !recovery {
        return None;
    }
    let reader = Reader::open(&settings.paths, PATIENCE).ok()??;
    sessions::find(reader.connection(), &session.client, &session.id).ok()??.backend
}

/// 1, 2, then 4 s. Events are spooled meanwhile.
fn held_back(store: &store::Result<Option<Reader>>, session: &Session) -> Option<Duration> {
    let reader = store.as_ref().ok()?.as_ref()?;
    let known = sessions::find(reader.connection(), &session.client, &session.id).ok()??;
    patience_after(known.restarts)
}

fn patience_after(restarts: i64) -> Option<Duration> {
    let more = restarts.checked_sub(RESTARTS).filter(|n| *n >= 0)?;
    Some(Duration::from_secs(1 << more.min(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_they_die_the_longer_the_next_one_waits() {
        let seconds = |restarts| patience_after(restarts).map(|time| time.as_secs());
        assert_eq!([0, 1, 2].map(seconds), [None; 3]);
        assert_eq!([3, 4, 5, 6, i64::MAX].map(seconds), [1, 2, 4, 4, 4].map(Some));
        assert_eq!([-1, i64::MIN].map(seconds), [None; 2]);
    }
}
