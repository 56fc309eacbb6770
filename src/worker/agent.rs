//! What the worker's loop does with its memory agent: what became of a batch, the summaries that
//! hold meanwhile, and when quiet makes a batch of what there is.

use memctl_proto::Kind;
use tokio::time::Instant;

use super::distill::{Distilling, Handed, Provisional, waits_for_company};
use super::intake::Intake;
use super::life::Worker;
use crate::agent::{Done, Outcome};
use crate::clock;
use crate::store::commit::Attribution;

impl Worker {
    pub(super) fn on_handed(&mut self, handed: Handed, intake: &Intake) {
        match handed {
            Handed::Distilled(distilling) => self.on_distilled(distilling, intake),
            Handed::Provided(Some(Provisional { batch, summary: Some(summary) })) => {
                intake.provide(batch, summary);
                intake.unsummarised();
            }
            // The agent's own word will have to do.
            Handed::Provided(_) => {
                tracing::warn!("no provisional summary could be made");
                self.hands.provided();
            }
            Handed::Rest => self.hands.rest(),
        }
    }

    fn on_distilled(&mut self, Distilling { batch, outcome }: Distilling, intake: &Intake) {
        let events = batch.messages.len();
        match outcome {
            Outcome::Done(Done { distilled, backend, summary_backend }) => {
                let by = Attribution {
                    observations: backend.name(),
                    summary: summary_backend.name(),
                    session: self.hands.backend().name(),
                };
                intake.complete(batch, distilled, by);
            }
            Outcome::Wait { why, time } => {
                tracing::warn!(events, ?time, "a batch waits: {why}");
                intake.hold(batch, why, clock::now_ms() + time.as_millis() as i64);
            }
            Outcome::Failed(reason) => {
                tracing::warn!(events, "a batch failed: {reason}");
                intake.fail(batch, reason.to_string());
            }
        }
    }

    /// A model is told what there is when nothing more comes for a while.
    pub(super) fn count_the_quiet(&mut self) {
        if self.hands.backend().is_model() {
            let quiet = self.settings.config.agent.batch_quiet;
            self.clocks.start_quiet(Instant::now() + quiet);
        }
    }

    /// Events of these kinds may have asked for a summary.
    pub(super) fn provide_for(&mut self, kinds: &[Kind], intake: &Intake) {
        if !kinds.iter().all(waits_for_company) {
            self.provide(intake);
        }
    }

    /// Each Stop has a summary at once, whatever the agent is up to.
    pub(super) fn provide(&mut self, intake: &Intake) {
        if self.hands.backend().is_model() && self.hands.asks_to_provide() {
            intake.unsummarised();
        }
    }

    /// What is left waits for longer than the end of a session may take: it is finished by a
    /// later worker.
    pub(super) fn waits_beyond_the_end(&self) -> bool {
        self.hands.idle() && self.held_until.is_some_and(|at| self.clocks.end_is_before(at))
    }
}
