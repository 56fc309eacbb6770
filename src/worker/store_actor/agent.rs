//! Store jobs for the memory agent: the usage ledger and provisional summaries.

use super::Report;
use super::actor::{StoreActor, parsed};
use std::time::Duration;

use crate::agent::{Admission, Backend, CallRequest, PauseRequest, Served};
use crate::clock;
use crate::memory::{Batch, CallOutcome, Summary, Turn};
use crate::store::usage::{self, Call, Reservation};
use crate::store::{self, agent_limits, elsewhere, provisional, refusals, sessions};

impl StoreActor {
    /// Checks the budgets and records the call in one transaction.
    pub(super) fn open_call(&mut self, request: &CallRequest) -> Admission {
        let settings = self.settings.clone();
        let backend = request.backend.name();
        let admission = self.write(|tx, session| {
            if let Some(why) = refusals::reason(tx, backend, &request.config_fingerprint)? {
                return Ok(Admission::BackendRefused(why));
            }
            let now = clock::now_ms();
            let pause =
                agent_limits::pause(tx, backend, &request.config_fingerprint, session, now)?;
            if let Some(pause) = pause {
                let delay = Duration::from_millis((pause.until - now).max(1).cast_unsigned());
                return Ok(Admission::Paused { reason: pause.reason, delay });
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
        let (conn, name) = (self.open()?.connection(), backend.name());
        if refusals::is_refused(conn, name)? || agent_limits::has_paused(conn, name)? {
            self.write(|tx, _| {
                agent_limits::end_pause(tx, name)?;
                refusals::clear(tx, name)
            })?;
        }
        Ok(())
    }

    /// Begins a pause of a backend. Returns for how long.
    pub(super) fn pause(&mut self, request: &PauseRequest) -> Option<Duration> {
        let PauseRequest { backend, config_fingerprint, asked, reason } = request;
        let asked = asked.map(|asked| i64::try_from(asked.as_millis()).unwrap_or(i64::MAX / 4));
        let now = clock::now_ms();
        let end = self.write(|tx, _| {
            let (backend, settings) = (backend.name(), config_fingerprint);
            agent_limits::begin_pause(tx, backend, settings, asked, reason, now)
        });
        let end = end.map_err(|e| self.report_error(&e)).ok()?;
        Some(Duration::from_millis((end - now).max(1).cast_unsigned()))
    }

    /// What was learnt about a model; empty if nothing was, or if the store cannot be read.
    pub(super) fn recall(&mut self, of: &Served) -> String {
        let Ok(store) = self.open() else { return String::new() };
        let learnt = agent_limits::learnt(store.connection(), &row(of), clock::now_ms());
        learnt.ok().flatten().unwrap_or_default()
    }

    pub(super) fn learn(&mut self, of: &Served, learnt: &str) -> store::Result<()> {
        self.write(|tx, _| agent_limits::learn(tx, &row(of), learnt, clock::now_ms()))
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
        let evidence = turn.map(|turn| &turn.evidence);
        let further = self.further_projects(batch, Some(summary), evidence)?;
        self.write(|tx, session| {
            let Some(session) = session else { return Ok(()) };
            let (by, now) = (Backend::Extractive.name(), clock::now_ms());
            match provisional::store(tx, session, batch, summary, turn, by, now)? {
                Some(id) => elsewhere::link(tx, id, &further),
                None => Ok(()),
            }
        })?;
        self.find_unsummarized()
    }
}

fn row(of: &Served) -> agent_limits::Model<'_> {
    agent_limits::Model { backend: of.backend, model: &of.model, address: &of.address }
}
