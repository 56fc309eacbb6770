//! `memctl finish`: ends a session for clients that do not say when one is over.

use std::time::{Duration, Instant};

use memctl_proto::{Event, Kind};

use super::{lookup, poll};
use crate::clock;
use crate::config::Settings;
use crate::deliver::{self, Delivered};
use crate::failure::{Context, Result, failed};
use crate::paths::session_key;
use crate::store::{Reader, sessions};

/// How long the session's worker may take to say that it has ended.
const PATIENCE: Duration = Duration::from_secs(10);

const HELP: &str = "\
Examples
  memctl finish             the only active session of this project
  memctl finish 6f2b9c54    this one
";

/// End a session whose client does not say when it is over
///
/// Open prompts are closed, what waits is distilled, and the worker leaves. The session's next
/// prompt takes it back.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Session id, or the beginning of one; without it the only active one of this project
    session: Option<String>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let open = || Reader::open(&settings.paths, super::PATIENCE).context("database");
    let Some(reader) = open()? else {
        return Err(failed("no session is known: nothing remembered yet"));
    };
    let session = match &args.session {
        Some(prefix) => lookup::session(reader.connection(), prefix)?,
        None => lookup::only_active(reader.connection())?,
    };
    drop(reader);
    let (client, id) = (&session.client, &session.content_session_id);
    if session.status != "active" {
        let reason = session.end_reason.as_deref().unwrap_or("other");
        return super::print(&format!("{id}: had ended already ({reason})\n"));
    }
    let mut end = Event::new(Kind::End, client, id, clock::now_ms());
    end.reason = Some("finish".into());
    let deadline = Instant::now() + settings.config.hook.end_deadline;
    if let Delivered::Lost { reason: why } =
        deliver::deliver(settings, &session_key(client, id), &end, deadline)
    {
        return Err(failed(format!("the end could not be handed over: {why}")));
    }
    let ended = || {
        let known = open()
            .ok()
            .flatten()
            .and_then(|reader| sessions::brief(reader.connection(), client, id).ok().flatten());
        known.is_some_and(|session| !session.active)
    };
    if !poll::until(PATIENCE, ended) {
        return Err(failed(format!("{id}: its worker has not ended it within {PATIENCE:?}"))
            .hint("it will: the end waits on the disk; memctl ps shows what the worker does"));
    }
    super::print(&format!("{id}: ended\n"))
}
