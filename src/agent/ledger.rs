//! The interface to the ledger of model calls. The agent does not depend on the store, so the worker
//! implements this trait.

use std::time::Duration;

use tokio::sync::oneshot;

use super::Backend;
use super::lessons::Served;
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
    /// The server has asked for a pause, which ends after this time.
    Paused { reason: String, delay: Duration },
    /// The call cannot be recorded now.
    LedgerUnavailable,
}

/// A pause that a server asks for.
#[derive(Clone, Debug)]
pub struct PauseRequest {
    pub backend: Backend,
    pub config_fingerprint: String,
    /// `None`: the server names no time.
    pub asked: Option<Duration>,
    pub reason: String,
}

pub trait Ledger: Send + Sync + 'static {
    /// Records a call before it is made. A dropped sender means [`Admission::LedgerUnavailable`].
    fn open(&self, request: CallRequest) -> oneshot::Receiver<Admission>;

    /// Records what a call used.
    fn settle(&self, call: i64, outcome: CallOutcome);

    /// Records that the backend refused the settings with this fingerprint.
    fn record_refusal(&self, backend: Backend, config_fingerprint: String, reason: String);

    /// Clears a recorded refusal and a pause, because the backend has answered.
    fn clear_refusal(&self, backend: Backend);

    /// Pauses the backend for all workers, at least for the time that the server asks for. Returns for
    /// how long.
    fn pause(&self, pause: PauseRequest) -> oneshot::Receiver<Duration>;

    /// What was learnt about a model. A dropped sender means nothing.
    fn recall(&self, of: Served) -> oneshot::Receiver<String>;

    /// Records what was learnt about a model, for all workers.
    fn learn(&self, of: Served, learnt: String);
}
