//! What is said in frames. Variants are appended, never reordered and never changed: a changed
//! message is a new variant.

use bincode::{Decode, Encode};

/// From a hook, a starter or the command line to a worker.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Request {
    /// Is somebody there? Answered without the store.
    Ping,
    Status,
    /// An event for the worker's session. `session_key` is the hashed name that the worker's
    /// lock and socket bear; another than its own is rejected.
    Event {
        session_key: String,
        json: String,
    },
    /// There may be something in the spool or the queue: look. Answered without the store.
    Wake,
    Shutdown {
        graceful: bool,
    },
}

impl Request {
    /// The version in which it is said: but for events the oldest that knows it, so that whoever
    /// has it answers. An event may hold what an older worker would take for something else.
    pub fn version(&self) -> u8 {
        match self {
            // Also what people ask of a worker that is older than what they have installed.
            Request::Ping | Request::Wake | Request::Status | Request::Shutdown { .. } => 1,
            Request::Event { .. } => crate::version(),
        }
    }
}

/// From a worker.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Reply {
    /// To `Ping` and `Wake`. Never changes.
    Pong {
        version: String,
        pid: u32,
    },
    /// A JSON object, see [`crate::line::Status`].
    Status {
        json: String,
    },
    /// The event is durable: it is in the queue, or was there before.
    Accepted {
        id: String,
        duplicate: bool,
    },
    /// The event is not taken: go the next way.
    Rejected {
        code: Code,
        message: String,
    },
    Bye,
}

/// Why something was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Code {
    /// The bytes do not say what they should.
    Malformed,
    /// Another worker's session.
    WrongSession,
    /// The store cannot take it now.
    Store,
    /// The worker is on its way out, or the session has another owner.
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
