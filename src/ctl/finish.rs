//! `memctl finish`: ends a session whose client sends no SessionEnd.

use std::time::{Duration, Instant};

use memctl_proto::{Event, Kind};

use super::format::count;
use super::{lookup, open, poll};
use crate::clock;
use crate::config::Settings;
use crate::deliver::{self, Delivered};
use crate::failure::{Result, failed};
use crate::lock::{self, LockState};
use crate::paths::session_key;
use crate::store::queue_admin;
use crate::store::sessions::{self, Session};
use crate::text::escape;

/// How long to wait until the worker has ended the session. The queue has `worker.end_deadline` more.
const END_TIMEOUT: Duration = Duration::from_secs(10);

const HELP: &str = "\
Examples
  memctl finish             End the only active session of this project
  memctl finish 6f2b9c54    End this session
";

/// End a session whose client sends no SessionEnd
///
/// The worker closes open prompts, distills the queue and exits. Waits for that, at most for
/// worker.end_deadline. A later prompt of the session reopens it.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Id of a session or a prefix of it, or CLIENT:ID [default: the only active session of this
    /// project]
    session: Option<String>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let Some(reader) = open::reader(settings)? else {
        return Err(failed("no session to end: nothing is stored yet"));
    };
    let session = match &args.session {
        Some(prefix) => lookup::session(reader.connection(), prefix)?,
        None => lookup::only_active(reader.connection())?,
    };
    drop(reader);
    let (client, session_id) = (&session.client, &session.content_session_id);
    let (id, key) = (escape(session_id), session_key(client, session_id));
    if session.status != "active" {
        let reason = session.end_reason.as_deref().unwrap_or("other");
        return report(&format!("{id}: already ended ({reason})"), settings, &session);
    }
    let mut end = Event::new(Kind::End, client, session_id, clock::now_ms());
    end.reason = Some("finish".into());
    let deadline = Instant::now() + settings.config.hook.end_deadline;
    if let Delivered::Lost { reason: why } = deliver::deliver(settings, &key, &end, deadline) {
        return Err(failed(format!("cannot deliver the end of {id}: {why}")));
    }
    let ended = || {
        let status = open::reader(settings).ok().flatten().and_then(|reader| {
            sessions::brief(reader.connection(), client, session_id).ok().flatten()
        });
        status.is_some_and(|session| !session.active)
    };
    if !poll::until(END_TIMEOUT, ended) {
        return Err(failed(format!(
            "{id}: the worker did not end the session within {END_TIMEOUT:?}"
        ))
        .hint("the end is queued and will take effect; `memctl ps` shows what the worker does"));
    }
    // The worker has held the lock since it ended the session, and exits when the queue is empty. A
    // prompt that reopens the session keeps it.
    let worker_is_gone =
        || !matches!(lock::probe(&settings.paths.session_lock(&key)), Ok(LockState::Held));
    let patience = settings.config.worker.end_deadline + END_TIMEOUT;
    poll::until(patience, || worker_is_gone() || !ended());
    report(&format!("{id}: ended"), settings, &session)
}

/// Prints what happened, and how much of the session is not distilled yet.
fn report(what: &str, settings: &Settings, session: &Session) -> Result<()> {
    let reader = open::reader(settings)?;
    let unfinished = match &reader {
        Some(reader) => queue_admin::count_unfinished(reader.connection(), session.id)?,
        None => 0,
    };
    if unfinished == 0 {
        return super::print(&format!("{what}\n"));
    }
    super::print(&format!("{what}; not distilled yet: {}\n", count(unfinished, "event")))?;
    super::hint("`memctl ps` shows what the worker does, `memctl queue` lists the events");
    Ok(())
}
