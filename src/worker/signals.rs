//! The events that the state machine of a worker receives, and the effects that it orders.

use std::time::Duration;

use memctl_proto::Kind;
use memctl_proto::event::Process;

use crate::store::accept::{ClosedBy, OpenPrompts};

/// The state of the session in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionStatus {
    /// Messages that no worker has claimed.
    pub pending: u64,
    pub open: OpenPrompts,
    /// Number of the newest prompt.
    pub prompt: i64,
    /// The session has not ended.
    pub active: bool,
    /// The client process of the session's last event, whichever worker received it.
    pub client: Option<Process>,
}

/// What the client watch found out about the clients of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// The event named no client.
    Nothing,
    /// The client was known before, or has exited already.
    Known,
    /// A new client, which is running.
    New,
}

/// Everything that can happen to a worker. An event that changes the session carries its status.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The worker listens, at its start or again after it found more work. Without a `socket` no
    /// client can connect.
    Listening {
        socket: bool,
    },
    /// The session's lock file was deleted or replaced. Another process may own the session.
    LockLost,
    /// A peer asks the worker to check spool and queue.
    Wake,
    /// A `shutdown` request, or SIGTERM, which is not graceful.
    Shutdown {
        graceful: bool,
    },
    /// The time of [`Machine::next_deadline`](super::machine::Machine::next_deadline) has come.
    Deadline,
    /// The last running client process has exited.
    ClientsExited {
        last: Process,
    },
    /// Events arrived over the socket and are committed.
    Accepted {
        kinds: Vec<Kind>,
        bytes: usize,
        clients: Sighting,
        session: SessionStatus,
    },
    /// All spooled events are committed, and the worker holds the fencing token.
    SpoolDrained {
        kinds: Vec<Kind>,
        clients: Sighting,
        session: SessionStatus,
    },
    /// A claim returned a batch.
    Claimed {
        messages: usize,
        summarizes: bool,
        session: SessionStatus,
    },
    /// A claim returned nothing. `retry_in`: the time until the first message may be claimed.
    NothingToClaim {
        retry_in: Option<Duration>,
        session: SessionStatus,
    },
    /// The current batch is stored, or back in the queue.
    BatchSettled {
        failed: bool,
        session: SessionStatus,
    },
    PromptsClosed {
        session: SessionStatus,
    },
    /// Every Stop has a summary, or a provisional one cannot be written.
    SummariesDone,
    /// A transaction failed. The store may work again later.
    StoreUnavailable,
    /// The worker must not write any more: another worker owns the session, or a newer version has
    /// upgraded the database. `successor`: start another worker, because the owner may have exited.
    Fenced {
        successor: bool,
    },
    /// The next batch waits for a backend, and the settings have changed. Only a new worker reads them.
    SettingsChanged,
}

/// An action for the event loop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// Retry failed jobs, then drain the spool. Answered by [`Event::SpoolDrained`].
    DrainSpool,
    /// Claim a batch. Answered by [`Event::Claimed`] or [`Event::NothingToClaim`].
    Claim(ClaimRequest),
    /// Write a provisional summary for each Stop that has none. Answered by
    /// [`Event::SummariesDone`].
    WriteProvisionalSummaries,
    /// Close open prompts: with [`ClosedBy::Late`] only those that were reopened.
    ClosePrompts(ClosedBy),
    /// Commit an `end` with the reason `client_gone`, in place of the client.
    EndSession { client: Process, prompt: i64 },
    /// Stop distilling and return the current batch to the queue.
    ReleaseBatch,
    /// Empty SQLite's write-ahead log while the worker is idle.
    EmptyLog,
    /// Restart the alarm by which the kernel ends a worker that hangs.
    ResetAlarm,
    /// Stop serving.
    Exit(Exit),
}

/// The parameters of a claim besides the configured batch size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Claim messages even if they do not fill a batch.
    pub flush: bool,
    /// At most this many messages.
    pub max_messages: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Check for work once more after the socket is closed, and listen again if there is some.
    pub recheck: bool,
    /// Start another worker: the session's other owner may have exited already, or the settings have
    /// changed.
    pub successor: bool,
}
