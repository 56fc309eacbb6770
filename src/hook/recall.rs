//! Answers a hook with memories, after the event is delivered: the session's worker has the store open and
//! finds them. Without an answer of a worker, the hook reads the store itself. It stays silent if nothing is
//! found within `hook.recall`.
//!
//! A worker records what it gave. A hook that has read the store reports it with an event of its own, because
//! it never writes the database. Such an event starts no worker; it waits in the spool for one.

use std::time::{Duration, Instant};

use memctl_proto::Event;

use crate::clock;
use crate::config::Settings;
use crate::deliver;
use crate::injection::{self, Answer, Asked, given};
use crate::paths::session_key;
use crate::store::Reader;

/// The block that answers a question. `None` if memory has nothing to say, has said it, or does not answer
/// in time. `deadline`: until when a report to the worker may wait for a reply.
pub fn answer(settings: &Settings, asked: Asked, deadline: Instant) -> Option<String> {
    if is_known(settings, &asked) {
        return None;
    }
    let since = Instant::now();
    let limit = settings.config.hook.recall;
    // A worker needs milliseconds. One that is busy for longer leaves time to read the store.
    let patience = (limit / 4).max(Duration::from_millis(1));
    let asked = Asked { until: clock::now_ms() + patience.as_millis() as i64, ..asked };
    // A path that is not text has no JSON.
    let json = serde_json::to_string(&asked).ok();
    match json.and_then(|json| deliver::recall(settings, &asked.key(), json, patience)) {
        Some(block) => Some(block).filter(|block| !block.is_empty()),
        None => read_store(settings, &asked, limit.saturating_sub(since.elapsed()), deadline),
    }
}

/// As [`answer`], without the worker, which did not accept the event.
pub fn answer_alone(settings: &Settings, asked: &Asked, deadline: Instant) -> Option<String> {
    match is_known(settings, asked) {
        true => None,
        false => read_store(settings, asked, settings.config.hook.recall, deadline),
    }
}

/// Whether there is no answer, as is known without the store.
fn is_known(settings: &Settings, asked: &Asked) -> bool {
    !settings.paths.data_dir_exists() || injection::is_answered(&settings.paths, asked)
}

fn read_store(
    settings: &Settings,
    asked: &Asked,
    limit: Duration,
    deadline: Instant,
) -> Option<String> {
    let reader = Reader::open_within(&settings.paths, limit).ok()??;
    let Answer { block, uses } = injection::answer(settings, reader.connection(), asked).ok()?;
    report(settings, Event::recalled(&asked.client, &asked.session, asked.at, uses), deadline);
    Some(block).filter(|block| !block.is_empty())
}

/// Reports memories that the session's start was given, once the session has a prompt.
pub fn report_start(settings: &Settings, prompt: &Event, deadline: Instant) {
    let key = session_key(&prompt.client, &prompt.session);
    let uses = given::take_unreported(&settings.paths, &key, prompt.at);
    report(settings, Event::recalled(&prompt.client, &prompt.session, prompt.at, uses), deadline);
}

fn report(settings: &Settings, recalled: Event, deadline: Instant) {
    if !recalled.uses.is_empty() {
        let key = session_key(&recalled.client, &recalled.session);
        let _ = deliver::deliver(settings, &key, &recalled, deadline);
    }
}
