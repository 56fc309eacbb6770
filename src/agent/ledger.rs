//! The ledger of model calls as the agent sees it. The agent does not know the store; the worker
//! implements the trait.

use tokio::sync::oneshot;

use super::Backend;
use crate::memory::{CallOutcome, Usage};

/// A call that the agent wants to make.
#[derive(Clone, Debug)]
pub struct CallRequest {
    pub backend: Backend,
    pub model: String,
    /// The id of the conversation; for a stateless API a generated one.
    pub memory_session: String,
    /// The most that it may use.
    pub estimate: Usage,
    /// A hash of the backend's settings. A backend that refused them is not asked again until they
    /// change.
    pub config_fingerprint: String,
}

/// Whether a call may be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Admission {
    /// Yes. The call is settled under this number.
    Granted(i64),
    /// No: it would exceed a budget.
    OverBudget(String),
    /// No: the backend refused these settings before, for this reason.
    BackendRefused(String),
    /// No: the call cannot be recorded now.
    LedgerUnavailable,
}

pub trait Ledger: Send + Sync + 'static {
    /// Records a call before it is made. A dropped sender means [`Admission::LedgerUnavailable`].
    fn open(&self, opening: CallRequest) -> oneshot::Receiver<Admission>;

    /// Records what a call used.
    fn settle(&self, call: i64, outcome: CallOutcome);

    /// Records that the backend refused these settings.
    fn refuse(&self, backend: Backend, config_fingerprint: String, why: String);

    /// Clears the record of a refusal: the backend has answered.
    fn answered(&self, backend: Backend);
}
