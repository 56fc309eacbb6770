//! The agent's ledger, kept by the intake: each entry is committed before the call it is for is
//! made.

use tokio::sync::oneshot;

use super::intake::Intake;
use crate::agent::{Admission, Backend, CallRequest, Ledger};
use crate::memory::CallOutcome;

/// The way to the books.
#[derive(Clone)]
pub struct Books(pub Intake);

impl Ledger for Books {
    fn open(&self, opening: CallRequest) -> oneshot::Receiver<Admission> {
        self.0.open_call(opening)
    }

    fn settle(&self, call: i64, settled: CallOutcome) {
        self.0.settle_call(call, settled);
    }

    fn refuse(&self, backend: Backend, config_fingerprint: String, why: String) {
        self.0.refuse(backend, config_fingerprint, why);
    }

    fn answered(&self, backend: Backend) {
        self.0.answered(backend);
    }
}
