//! The two ways of an event to the store, under one deadline: the worker's socket, else the
//! spool. Nothing here sleeps and retries, and nothing opens the store.
//!
//! Order within a session is the order of `accept`: while a spool exists events are added to it,
//! and it goes away only when all of it is committed.

pub mod connect;
pub mod launch;
pub mod probe;
pub mod unfinished;

use std::time::{Duration, Instant};

use memctl_proto::{Event, Kind, Reply, Request};

use crate::config::Settings;
use crate::spool::{self, Put};

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The worker has committed it, now or before.
    Accepted { duplicate: bool },
    /// It lies in the spool; `warning` says why its texts do not, when they do not.
    Spooled { warning: Option<String> },
    /// It could be kept nowhere; the loss is counted.
    Lost { reason: String },
}

/// Hands `event` over: durable when this returns `Accepted` or `Spooled`.
///
/// `deadline` bounds every wait for an answer; putting a file into the spool is not waited for
/// but done.
pub fn deliver(settings: &Settings, key: &str, event: &Event, deadline: Instant) -> Delivered {
    let paths = &settings.paths;
    let hook = &settings.config.hook;
    if !spool::exists(paths, key)
        && let Some(duplicate) = send(settings, key, event, within(hook.accept, deadline))
    {
        return Delivered::Accepted { duplicate };
    }
    let delivered = match spool::put(paths, key, event, settings.config.spool_max) {
        Ok(Put::Whole) => Delivered::Spooled { warning: None },
        Ok(Put::WithoutText) => {
            Delivered::Spooled { warning: Some("the spool is full, texts are left out".into()) }
        }
        Err(e) => {
            spool::count_lost(paths);
            Delivered::Lost { reason: e.to_string() }
        }
    };
    crate::testpoint::at("deliver.spooled");
    // Also after an event that got no reply: a worker that waits for the store answers a wake, and
    // a worker that is alive spares the fork.
    let answered = wake(settings, key, within(hook.ring, deadline));
    crate::testpoint::at("deliver.rung");
    if !answered && starts_a_worker(event.kind) {
        let _ = launch::start_worker(settings, &event.client, &event.session);
    }
    delivered
}

/// Tells the session's worker to look into spool and queue. `false`: nobody answered.
pub fn wake(settings: &Settings, key: &str, patience: Duration) -> bool {
    let socket = settings.paths.socket(key, 0);
    matches!(connect::request(&socket, &Request::Wake, patience), Ok(Reply::Pong { .. }))
}

/// Sends `event` to the worker's socket. `None` if the worker did not accept it within `patience`.
fn send(settings: &Settings, key: &str, event: &Event, patience: Duration) -> Option<bool> {
    let socket = settings.paths.socket(key, 0);
    let request = Request::Event { session_key: key.to_owned(), json: event.to_json() };
    match connect::request(&socket, &request, patience) {
        Ok(Reply::Accepted { duplicate, .. }) => Some(duplicate),
        Ok(_) | Err(_) => None,
    }
}

/// A start only tells what was shown: it waits in the spool for whoever comes.
fn starts_a_worker(kind: Kind) -> bool {
    kind != Kind::Start
}

fn within(most: Duration, deadline: Instant) -> Duration {
    // A socket's time-out of zero would mean none at all.
    most.min(deadline.saturating_duration_since(Instant::now())).max(Duration::from_millis(1))
}
