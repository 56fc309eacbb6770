//! What an agent asks of whoever keeps the books, before it makes a call and after. The agent does
//! not know the store: the worker answers for it.

use tokio::sync::oneshot;

use super::Backend;
use crate::memory::{Settled, Usage};

/// A call that is about to be made.
#[derive(Clone, Debug)]
pub struct Opening {
    pub backend: Backend,
    pub model: String,
    /// The conversation's id; of a stateless API a made-up one.
    pub memory_session: String,
    /// The most it may use.
    pub estimate: Usage,
    /// What the backend's settings are, as a hash: what was refused under these is not asked.
    pub standing: String,
}

/// Whether it may be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Room {
    /// Yes; it is to be settled under this number.
    Open(i64),
    /// No: a budget has no room for it.
    Spent(String),
    /// No: it was refused before, for this reason, and nothing has changed.
    Refused(String),
    /// The books cannot be opened now.
    Closed,
}

pub trait Ledger: Send + Sync + 'static {
    /// Written down before the call is made. No answer is [`Room::Closed`].
    fn open(&self, opening: Opening) -> oneshot::Receiver<Room>;

    /// What it came to.
    fn settle(&self, call: i64, settled: Settled);

    /// The backend will not be asked again under these settings.
    fn refuse(&self, backend: Backend, standing: String, why: String);

    /// The backend has answered.
    fn answered(&self, backend: Backend);
}
