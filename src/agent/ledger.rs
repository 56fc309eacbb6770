//! What an agent asks of whoever keeps the books, before it makes a call and after. The agent does
//! not know the store: the worker answers for it.

use tokio::sync::oneshot;

use super::Backend;
use crate::memory::{CallOutcome, Usage};

/// A call that is about to be made.
#[derive(Clone, Debug)]
pub struct CallRequest {
    pub backend: Backend,
    pub model: String,
    /// The conversation's id; of a stateless API a made-up one.
    pub memory_session: String,
    /// The most it may use.
    pub estimate: Usage,
    /// What the backend's settings are, as a hash: what was refused under these is not asked.
    pub config_fingerprint: String,
}

/// Whether it may be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Admission {
    /// Yes; it is to be settled under this number.
    Granted(i64),
    /// No: a budget has no room for it.
    OverBudget(String),
    /// No: it was refused before, for this reason, and nothing has changed.
    BackendRefused(String),
    /// The books cannot be opened now.
    LedgerUnavailable,
}

pub trait Ledger: Send + Sync + 'static {
    /// Written down before the call is made. No answer is [`Admission::LedgerUnavailable`].
    fn open(&self, opening: CallRequest) -> oneshot::Receiver<Admission>;

    /// What it came to.
    fn settle(&self, call: i64, settled: CallOutcome);

    /// The backend will not be asked again under these settings.
    fn refuse(&self, backend: Backend, config_fingerprint: String, why: String);

    /// The backend has answered.
    fn answered(&self, backend: Backend);
}
