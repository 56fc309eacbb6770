//! Starts a worker: parses the arguments, applies the restart backoff, takes the session lock, and
//! starts recovery if other sessions need it.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use super::owner::{self, Session};
use crate::clock;
use crate::config::{self, Settings};
use crate::deliver::{launch, unfinished};
use crate::failure::{Result, usage};
use crate::lock::{self, LockState, SessionLock};
use crate::paths::session_key;
use crate::recover::cleanup;
use crate::store::{self, Reader, sessions};

/// How long a read waits for SQLite's locks. If it fails, the worker starts without the answer.
const STORE_TIMEOUT: Duration = Duration::from_millis(200);

/// After this many restarts in a row that completed no message, starts are delayed.
const FREE_RESTARTS: i64 = 3;

/// Parses `--client C --session ID [--recovery]`.
pub fn parse(args: &[OsString]) -> Result<(Session, bool)> {
    let (mut client, mut id, mut recovery) = (None, None, false);
    let mut args = args.iter().map(|a| a.to_string_lossy().into_owned());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--client" => client = args.next(),
            "--session" => id = args.next(),
            "--recovery" => recovery = true,
            _ => return Err(usage(format!("worker: unknown argument '{arg}'"))),
        }
    }
    let (Some(client), Some(id)) = (client, id) else {
        return Err(usage("worker: --client and --session are required"));
    };
    let key = session_key(&client, &id);
    Ok((Session { client, id, key }, recovery))
}

/// Takes the session lock, or returns `None` if another worker has it. The new worker starts
/// recovery if other sessions have unfinished work. A worker that recovery started does not,
/// because the two would start each other forever.
pub fn become_owner(
    settings: &Settings,
    session: &Session,
    recovery: bool,
) -> io::Result<Option<SessionLock>> {
    let store = Reader::open(&settings.paths, STORE_TIMEOUT);
    let mut starter = None;
    if let Some(delay) = restart_delay(&store, session)
        && !matches!(lock::probe(&settings.paths.session_lock(&session.key)), Ok(LockState::Held))
    {
        starter = owner::queue_up(settings, session)?;
        if starter.is_none() {
            return Ok(None);
        }
        tracing::warn!(?delay, "start delayed: the workers of this session keep crashing");
        owner::pause(delay);
    }
    let Some(lock) = owner::acquire(settings, session, starter)? else { return Ok(None) };
    if let Ok(Some(reader)) = &store
        && let Err(e) = cleanup::remove_lists(&settings.paths, reader.connection())
    {
        tracing::warn!("cannot remove the lists of private turns of ended sessions: {e}");
    }
    if !recovery
        && unfinished::in_other_sessions(
            &settings.paths,
            &store,
            &session.client,
            &session.id,
            clock::now_ms(),
        )
    {
        // A forked child must not inherit a connection.
        drop(store);
        if let Err(e) = launch::start_recovery(settings) {
            tracing::warn!("cannot start recovery: {e}");
        }
    }
    Ok(Some(lock))
}

/// The backend that the session began with, for a worker that recovery started. Other workers use
/// the configured one.
pub fn recovery_backend(settings: &Settings, session: &Session, recovery: bool) -> Option<String> {
    if !recovery {
        return None;
    }
    let reader = Reader::open(&settings.paths, STORE_TIMEOUT).ok()??;
    sessions::find(reader.connection(), &session.client, &session.id).ok()??.backend
}

/// The account with which the session's own worker runs `claude`, for a worker that recovery started. A
/// session without a record has the default account, if no session has another one.
pub fn recorded_account(settings: &Settings, session: &Session) -> Option<String> {
    let reader = Reader::open(&settings.paths, STORE_TIMEOUT).ok()??;
    let conn = reader.connection();
    match sessions::account(conn, &session.client, &session.id).ok()? {
        Some(account) => Some(account),
        None if config::claude_config_dir(settings).is_some() => None,
        None => sessions::all_have_default_account(conn).ok()?.then(String::new),
    }
}

/// How long to wait before taking the lock. Hooks spool their events meanwhile.
fn restart_delay(store: &store::Result<Option<Reader>>, session: &Session) -> Option<Duration> {
    let reader = store.as_ref().ok()?.as_ref()?;
    let row = sessions::find(reader.connection(), &session.client, &session.id).ok()??;
    delay_after(row.restarts)
}

/// No delay for the first `FREE_RESTARTS`, then 1, 2 and 4 s.
fn delay_after(restarts: i64) -> Option<Duration> {
    let doublings = restarts.checked_sub(FREE_RESTARTS).filter(|n| *n >= 0)?;
    Some(Duration::from_secs(1 << doublings.min(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crash_after_the_third_doubles_the_delay_up_to_4_s() {
        let seconds = |restarts| delay_after(restarts).map(|delay| delay.as_secs());
        assert_eq!([0, 1, 2].map(seconds), [None; 3]);
        assert_eq!([3, 4, 5, 6, i64::MAX].map(seconds), [1, 2, 4, 4, 4].map(Some));
        assert_eq!([-1, i64::MIN].map(seconds), [None; 2]);
    }
}
