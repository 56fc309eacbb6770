//! `memctl finish`: ends a session whose client sends no SessionEnd.

use std::time::{Duration, Instant};

use memctl_proto::{Event, Kind};

use super::{lookup, poll};
use crate::clock;
use crate::config::Settings;
use crate::deliver::{self, Delivered};
use crate::failure::{Context, Result, failed};
use crate::paths::session_key;
use crate::store::{Reader, sessions};
use crate::text::escape;

/// How long to wait until the worker has ended the session.
const END_TIMEOUT: Duration = Duration::from_secs(10);

const HELP: &str = "\
Examples
  memctl finish             End the only active session of this project
  memctl finish 6f2b9c54    End this session
";

/// End a session whose client sends no SessionEnd
///
/// The worker closes open prompts, distills the queue and exits. A later prompt of the
/// session reopens it.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Id of a session or a prefix of it, or CLIENT:ID [default: the only active session of this
    /// project]
    session: Option<String>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let open = || Reader::open(&settings.paths, super::READ_TIMEOUT).context("database");
    let Some(reader) = open()? else {
        return Err(failed("no session to end: nothing is stored yet"));
    };
    let session = match &args.session {
        Some(prefix) => lookup::session(reader.connection(), prefix)?,
        None => lookup::only_active(reader.connection())?,
    };
    drop(reader);
    let (client, session_id) = (&session.client, &session.content_session_id);
    let id = escape(session_id);
    if session.status != "active" {
        let reason = session.end_reason.as_deref().unwrap_or("other");
        return super::print(&format!("{id}: already ended ({reason})\n"));
    }
    let mut end = Event::new(Kind::End, client, session_id, clock::now_ms());
    end.reason = Some("finish".into());
    let deadline = Instant::now() + settings.config.hook.end_deadline;
    if let Delivered::Lost { reason: why } =
        deliver::deliver(settings, &session_key(client, session_id), &end, deadline)
    {
        return Err(failed(format!("cannot deliver the end of {id}: {why}")));
    }
    let ended = || {
        let status = open().ok().flatten().and_then(|reader| {
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
    super::print(&format!("{id}: ended\n"))
}
