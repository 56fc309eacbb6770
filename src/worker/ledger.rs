//! Implements the agent's usage ledger on the store thread, which commits each entry before the
//! agent makes the call.

use std::time::Duration;

use tokio::sync::oneshot;

use super::store_actor::StoreHandle;
use crate::agent::{Admission, Backend, CallRequest, Ledger, PauseRequest, Served};
use crate::memory::CallOutcome;

#[derive(Clone)]
pub struct StoreLedger(pub StoreHandle);

impl Ledger for StoreLedger {
    fn open(&self, request: CallRequest) -> oneshot::Receiver<Admission> {
        self.0.open_call(request)
    }

    fn settle(&self, call: i64, outcome: CallOutcome) {
        self.0.settle_call(call, outcome);
    }

    fn record_refusal(&self, backend: Backend, config_fingerprint: String, why: String) {
        self.0.refuse(backend, config_fingerprint, why);
    }

    fn clear_refusal(&self, backend: Backend) {
        self.0.answered(backend);
    }

    fn pause(&self, pause: PauseRequest) -> oneshot::Receiver<Duration> {
        self.0.pause(pause)
    }

    fn recall(&self, of: Served) -> oneshot::Receiver<String> {
        self.0.recall(of)
    }

    fn learn(&self, of: Served, learnt: String) {
        self.0.learn(of, learnt);
    }
}
