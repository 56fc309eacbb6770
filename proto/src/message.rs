//! The messages in frames. Variants are appended, never reordered and never changed. A message that
//! must change becomes a new variant.

use bincode::{Decode, Encode};

/// A request from a hook, a starter or the command line to a worker.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Request {
    /// Checks that the worker is alive. Answered without the store.
    Ping,
    /// Asks for the worker's status. Answered without the store.
    Status,
    /// An event for the worker's session. `session_key` is the hash in the names of the worker's lock
    /// and socket. The worker rejects any other key. `json` is an [`Event`](crate::Event).
    Event { session_key: String, json: String },
    /// Asks the worker to check its spool and queue. Answered without the store.
    Wake,
    /// Asks the worker to exit, after its current batch if `graceful`. Answered without the store.
    Shutdown { graceful: bool },
    /// Asks for memories about what the session does. `json` is the hook's question. A worker that does not
    /// know this request rejects it as malformed, and the hook reads the store itself.
    Recall { session_key: String, json: String },
}

impl Request {
    /// The version in which the request is sent. For events this is the newest version, because an
    /// older worker could misread a newer event. For other requests it is the oldest version that has
    /// them, so that workers of every version reply.
    pub fn version(&self) -> u8 {
        match self {
            Request::Ping
            | Request::Wake
            | Request::Status
            | Request::Shutdown { .. }
            | Request::Recall { .. } => 1,
            Request::Event { .. } => crate::version(),
        }
    }
}

/// A worker's reply.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Reply {
    /// The reply to `Ping` and `Wake`. Never changes.
    Pong { version: String, pid: u32 },
    /// A JSON object, see [`crate::line::Status`].
    Status { json: String },
    /// The event is durable. `duplicate`: it was already in the store.
    Accepted { id: String, duplicate: bool },
    /// The event was not accepted. The sender uses the spool.
    Rejected { code: Code, message: String },
    /// The reply to `Shutdown`.
    Bye,
    /// The reply to `Recall`: a text for the model. Empty if memory has nothing to say.
    Recalled { block: String },
}

/// Why a request was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Code {
    /// The request does not decode.
    Malformed,
    /// The session key belongs to another session.
    WrongSession,
    /// The store cannot accept the event now.
    Store,
    /// The worker is shutting down, or another worker owns the session.
    Leaving,
}

impl Code {
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Malformed => "malformed",
            Code::WrongSession => "wrong_session",
            Code::Store => "store",
            Code::Leaving => "leaving",
        }
    }
}
