//! Store jobs for the memory agent: the usage ledger and provisional summaries.

use super::Report;
use super::actor::{StoreActor, parsed};
use crate::agent::{Admission, Backend, CallRequest};
use crate::clock;
use crate::memory::{Batch, CallOutcome, Summary, Turn};
use crate::store::usage::{self, Call, Reservation};
use crate::store::{self, provisional, refusals, sessions};

impl StoreActor {
    /// Checks the budgets and records the call in one transaction.
    pub(super) fn open_call(&mut self, request: &CallRequest) -> Admission {
        let settings = self.settings.clone();
        let backend = request.backend.name();
        let admission = self.write(|tx, session| {
            if let Some(why) = refusals::reason(tx, backend, &request.config_fingerprint)? {
                return Ok(Admission::BackendRefused(why));
            }
            if let Some(session) = session {
                sessions::set_memory_session(tx, session, &request.memory_session, backend)?;
            }
            let call = Call {
                session_id: session,
                backend,
                model: &request.model,
                estimate: request.estimate,
            };
            Ok(match usage::reserve(tx, &call, &settings.config.agent, clock::now_ms())? {
                Reservation::Granted(id) => Admission::Granted(id),
                Reservation::OverBudget(spent) => Admission::OverBudget(spent.to_string()),
            })
        });
        admission.unwrap_or_else(|e| {
            self.report_error(&e);
            Admission::LedgerUnavailable
        })
    }

    pub(super) fn settle_call(&mut self, call: i64, outcome: CallOutcome) -> store::Result<()> {
        let settings = self.settings.clone();
        let agent = &settings.config.agent;
        self.write(|tx, _| usage::settle(tx, call, outcome, agent, clock::now_ms()))
    }

    pub(super) fn answered(&mut self, backend: Backend) -> store::Result<()> {
        // Usually the backend was not refused, and no transaction is needed.
        if refusals::is_refused(self.open()?.connection(), backend.name())? {
            self.write(|tx, _| refusals::clear(tx, backend.name()))?;
        }
        Ok(())
    }

    pub(super) fn find_unsummarized(&mut self) -> store::Result<()> {
        let due = self.write(|tx, session| match session {
            Some(session) => provisional::next_due(tx, session),
            None => Ok(None),
        })?;
        self.report(Report::Unsummarized(due.map(parsed)));
        Ok(())
    }

    /// Stores a provisional summary, then looks for the next Stop without a summary.
    pub(super) fn store_provisional(
        &mut self,
        batch: &Batch,
        summary: &Summary,
        turn: Option<&Turn>,
    ) -> store::Result<()> {
        self.write(|tx, session| {
            let Some(session) = session else { return Ok(()) };
            let by = Backend::Extractive.name();
            provisional::store(tx, session, batch, summary, turn, by, clock::now_ms()).map(drop)
        })?;
        self.find_unsummarized()
    }
}
