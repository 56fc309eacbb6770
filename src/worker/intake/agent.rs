//! What the intake does for the memory agent: its books, and the summaries that hold until it
//! answers.

use std::sync::Arc;

use super::Report;
use super::keeper::Keeper;
use crate::agent::{Admission, Backend, CallRequest};
use crate::clock;
use crate::memory::{Batch, CallOutcome, Summary};
use crate::store::usage::{self, Call, Reservation};
use crate::store::{self, provisional, refusals, sessions};

impl Keeper {
    /// Written down in the transaction that finds room for it.
    pub(super) fn open_call(&mut self, opening: &CallRequest) -> Admission {
        let settings = self.settings.clone();
        let backend = opening.backend.name();
        let opened = self.write(|tx, session| {
            if let Some(why) = refusals::reason(tx, backend, &opening.config_fingerprint)? {
                return Ok(Admission::BackendRefused(why));
            }
            if let Some(session) = session {
                sessions::set_memory_session(tx, session, &opening.memory_session, backend)?;
            }
            let call = Call {
                session_id: session,
                backend,
                model: &opening.model,
                estimate: opening.estimate,
            };
            Ok(match usage::reserve(tx, &call, &settings.config.agent, clock::now_ms())? {
                Reservation::Granted(id) => Admission::Granted(id),
                Reservation::OverBudget(spent) => Admission::OverBudget(spent.to_string()),
            })
        });
        opened.unwrap_or_else(|e| {
            self.report_trouble(&e);
            Admission::LedgerUnavailable
        })
    }

    pub(super) fn settle_call(&mut self, call: i64, settled: CallOutcome) -> store::Result<()> {
        let settings = self.settings.clone();
        let agent = &settings.config.agent;
        self.write(|tx, _| usage::settle(tx, call, settled, agent, clock::now_ms()))
    }

    pub(super) fn answered(&mut self, backend: Backend) -> store::Result<()> {
        self.open()?;
        let store = self.store.as_ref().expect("opened");
        if refusals::is_refused(store.connection(), backend.name())? {
            self.write(|tx, _| refusals::clear(tx, backend.name()))?;
        }
        Ok(())
    }

    pub(super) fn unsummarised(&mut self) -> store::Result<()> {
        let due = self.write(|tx, session| match session {
            Some(session) => provisional::next_due(tx, session),
            None => Ok(None),
        })?;
        let _ = self.reports.send(Report::Unsummarised(due.map(Arc::new)));
        Ok(())
    }

    pub(super) fn provide(&mut self, batch: &Batch, summary: &Summary) -> store::Result<()> {
        self.write(|tx, session| {
            let Some(session) = session else { return Ok(()) };
            let by = Backend::Extractive.name();
            provisional::store(tx, session, batch, summary, by, clock::now_ms()).map(drop)
        })
    }
}
