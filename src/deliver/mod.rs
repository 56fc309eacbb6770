//! Delivers an event to the store by one of two paths, under one deadline: over the worker's
//! socket, else through the spool. Delivery never sleeps, never retries and never opens the store.
//!
//! Order within a session is the order of `store::accept`. While a spool exists, hooks append to
//! it. The spool is removed only after all its events are committed.

pub mod connect;
pub mod launch;
pub mod probe;
pub mod unfinished;

use std::time::{Duration, Instant};

use memctl_proto::{Event, Kind, Reply, Request};

use self::connect::Connection;
use crate::config::Settings;
use crate::spool::{self, Put};
use crate::testpoint;

/// The result of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The worker has committed the event. `duplicate`: the store already had it.
    Accepted { duplicate: bool },
    /// The event is in the spool. `warning` is the reason if its texts were left out.
    Spooled { warning: Option<String> },
    /// Neither the worker nor the spool took the event. The loss is counted.
    Lost { reason: String },
}

/// Connects to the session's worker before the event is complete, so that the worker accepts the
/// connection meanwhile. `None` if no worker listens, or if it cannot accept at once.
pub fn connect_early(settings: &Settings, key: &str) -> Option<Connection> {
    Connection::open(&settings.paths.socket(key, 0)).ok()
}

/// Delivers `event`. It is durable when this returns `Accepted` or `Spooled`.
///
/// `deadline` bounds every wait for a reply. Writing to the spool has no deadline.
pub fn deliver(settings: &Settings, key: &str, event: &Event, deadline: Instant) -> Delivered {
    deliver_over(None, settings, key, event, deadline, || ())
}

/// As [`deliver`], over a connection from [`connect_early`]. Without one, this connects. Does `work` while
/// the worker of that connection stores the event, but not if there is none.
pub fn deliver_over(
    early: Option<Connection>,
    settings: &Settings,
    key: &str,
    event: &Event,
    deadline: Instant,
    work: impl FnOnce(),
) -> Delivered {
    let paths = &settings.paths;
    let hook = &settings.config.hook;
    if spool::exists(paths, key) {
        drop(early);
    } else if let Some(duplicate) =
        send(early, settings, key, event, up_to(hook.accept, deadline), work)
    {
        return Delivered::Accepted { duplicate };
    }
    let delivered = match spool::put(paths, key, event, settings.config.spool) {
        Ok(Put::Whole) => Delivered::Spooled { warning: None },
        Ok(Put::WithoutText) => {
            let warning = "the spool is full (spool.max, spool.max_bytes): \
                the texts of an event were left out";
            Delivered::Spooled { warning: Some(warning.into()) }
        }
        Err(e) => {
            spool::record_loss(paths);
            Delivered::Lost { reason: e.to_string() }
        }
    };
    testpoint::at("deliver.spooled");
    // Wake the worker even if it did not reply to the event. A worker that waits for the store
    // still replies to a wake. That saves a fork, which is slow on a loaded machine.
    let is_awake = wake(settings, key, up_to(hook.ring, deadline));
    testpoint::at("deliver.rung");
    if !is_awake && starts_worker(event.kind) {
        // If the fork fails, the next event or SessionStart tries again.
        let _ = launch::start_worker(settings, &event.client, &event.session);
    }
    delivered
}

/// Asks the session's worker to check its spool and queue. `false` if no worker replies in time.
pub fn wake(settings: &Settings, key: &str, timeout: Duration) -> bool {
    let socket = settings.paths.socket(key, 0);
    matches!(connect::request(&socket, &Request::Wake, timeout), Ok(Reply::Pong { .. }))
}

/// Asks the session's worker for memories. `question` is the JSON of `injection::Asked`. The block is empty if
/// there are none to tell. `None`: there is no worker, it does not answer in time, or it is of a release that does
/// not know the request.
pub fn recall(
    settings: &Settings,
    key: &str,
    question: String,
    timeout: Duration,
) -> Option<String> {
    let request = Request::Recall { session_key: key.to_owned(), json: question };
    match connect::request(&settings.paths.socket(key, 0), &request, timeout) {
        Ok(Reply::Recalled { block }) => Some(block),
        Ok(_) | Err(_) => None,
    }
}

/// Sends `event` to the worker's socket. Returns whether the store already had it, or `None` if the
/// worker did not accept it within `timeout`.
fn send(
    early: Option<Connection>,
    settings: &Settings,
    key: &str,
    event: &Event,
    timeout: Duration,
    work: impl FnOnce(),
) -> Option<bool> {
    let request = Request::Event { session_key: key.to_owned(), json: event.to_json() };
    let reply = match early {
        Some(connection) => connection.request_while(&request, timeout, work),
        None => connect::request(&settings.paths.socket(key, 0), &request, timeout),
    };
    match reply {
        Ok(Reply::Accepted { duplicate, .. }) => Some(duplicate),
        Ok(_) | Err(_) => None,
    }
}

/// A `Start` event only reports which context was shown. It waits in the spool for the worker that
/// the next prompt starts.
fn starts_worker(kind: Kind) -> bool {
    kind != Kind::Start
}

/// `limit`, or the time that is left until `deadline` if that is shorter.
fn up_to(limit: Duration, deadline: Instant) -> Duration {
    // A socket timeout of zero means no timeout.
    limit.min(deadline.saturating_duration_since(Instant::now())).max(Duration::from_millis(1))
}
