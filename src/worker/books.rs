//! The agent's ledger, kept by the intake: each entry is committed before the call it is for is
//! made.

use tokio::sync::oneshot;

use super::intake::Intake;
use crate::agent::{Backend, Ledger, Opening, Room};
use crate::memory::Settled;

/// The way to the books.
#[derive(Clone)]
pub struct Books(pub Intake);

impl Ledger for Books {
    fn open(&self, opening: Opening) -> oneshot::Receiver<Room> {
        self.0.open_call(opening)
    }

    fn settle(&self, call: i64, settled: Settled) {
        self.0.settle_call(call, settled);
    }

    fn refuse(&self, backend: Backend, standing: String, why: String) {
        self.0.refuse(backend, standing, why);
    }

    fn answered(&self, backend: Backend) {
        self.0.answered(backend);
    }
}
