//! The interface to the ledger of model calls. The agent does not depend on the store, so the worker
//! implements this trait.

use tokio::sync::oneshot;

use super::Backend;
use crate::memory::{CallOutcome, Usage};

/// A call that the agent wants to make.
#[derive(Clone, Debug)]
pub struct CallRequest {
    pub backend: Backend,
    pub model: String,
    /// The id of the conversation. Generated for a stateless API.
    pub memory_session: String,
    /// The estimated tokens of the prompt, and the maximum tokens of an answer.
    pub estimate: Usage,
    /// A hash of the backend's settings. If the backend refused them, no call is granted until they
    /// change.
    pub config_fingerprint: String,
}

/// The answer to a [`CallRequest`].
#[derive(Clone, Debug, PartialEq)]
pub enum Admission {
    /// The call may be made. It is settled under this number.
    Granted(i64),
    /// The call would exceed a budget. The text says which.
    OverBudget(String),
    /// The backend has refused these settings before, with this error.
    BackendRefused(String),
    /// The call cannot be recorded now.
    LedgerUnavailable,
}

pub trait Ledger: Send + Sync + 'static {
    /// Records a call before it is made. A dropped sender means [`Admission::LedgerUnavailable`].
    fn open(&self, request: CallRequest) -> oneshot::Receiver<Admission>;

    /// Records what a call used.
    fn settle(&self, call: i64, outcome: CallOutcome);

    /// Records that the backend refused the settings with this fingerprint.
    fn record_refusal(&self, backend: Backend, config_fingerprint: String, reason: String);

    /// Clears a recorded refusal, because the backend has answered.
    fn clear_refusal(&self, backend: Backend);
}
