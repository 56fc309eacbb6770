//! Distills a batch with the first backend of the chain that can. After an error, retries, defers the
//! batch, or passes it to the next backend.
//!
//! A conversation with a program lasts over several batches. Dropping the chain, or the future of
//! [`BackendChain::distill`], kills the programs.

use std::sync::Arc;
use std::time::Duration;

use super::adapt::ask;
use super::attempt::{BackendOutcome, MAX_DELAY, Waits, distill_with};
use super::call::CallResult;
use super::error::AgentError;
use super::ledger::Ledger;
use super::model::Model;
use super::screened::{Done, distill_locally, screen};
use super::{Backend, deferral};
use crate::activity::{Mention, ParsedBatch, mention};
use crate::clock;
use crate::config::Settings;
use crate::memory::{Batch, Distilled};
use crate::project;

/// The outcome of a batch.
#[derive(Debug)]
pub enum Outcome {
    Done(Box<Done>),
    /// The batch is deferred at least for `delay`.
    Deferred {
        reason: String,
        delay: Duration,
        /// See [`deferral`]. `None`: only for the delay.
        waits_for: Option<String>,
    },
    /// The batch goes back into the queue and is claimed in smaller pieces. A batch of one event
    /// has failed.
    Failed(AgentError),
}

pub struct BackendChain {
    settings: Arc<Settings>,
    chain: Vec<Backend>,
    session: String,
    models: Vec<Model>,
}

impl BackendChain {
    /// `session` becomes a part of the conversation id of stateless APIs.
    pub fn new(settings: Arc<Settings>, chain: Vec<Backend>, session: &str) -> BackendChain {
        BackendChain { settings, chain, session: session.to_owned(), models: Vec::new() }
    }

    /// Distills `batch`.
    pub async fn distill(&mut self, batch: Arc<ParsedBatch>, ledger: &dyn Ledger) -> Outcome {
        if self.needs_no_model(&batch) {
            return self.distill_locally(batch).await;
        }
        let limit = self.settings.config.agent.turn_timeout;
        let screened = match screen(batch.clone(), limit).await {
            Ok(screened) => screened,
            Err(e) => return Outcome::Failed(e),
        };
        let chain = self.chain.clone();
        let mut remaining = chain.iter();
        let mut last_error = None;
        let mut deferred: Option<Outcome> = None;
        while let Some(backend) = remaining.next() {
            if *backend == Backend::Extractive {
                // Another model was asked at once. The local rules take over only after a time.
                return match deferred.filter(|_| !self.waited_too_long(&batch)) {
                    Some(deferred) => deferred,
                    None => self.distill_locally(batch).await,
                };
            }
            match distill_with(self.model(*backend), &screened, limit, ledger).await {
                BackendOutcome::Done(done) => return Outcome::Done(done),
                BackendOutcome::Defer { reason, delay, waits } => {
                    if remaining.len() > 0 {
                        let backend = backend.name();
                        tracing::warn!(backend, "looking for another model: {reason}");
                    }
                    deferred = Some(match deferred {
                        // The first reason is told. The first model that may answer ends the wait.
                        Some(Outcome::Deferred { reason, delay: earlier, waits_for }) => {
                            Outcome::Deferred { reason, delay: earlier.min(delay), waits_for }
                        }
                        _ => {
                            let waits_for = match waits {
                                Waits::ForBackend => {
                                    deferral::for_backend(&self.settings, *backend)
                                }
                                Waits::ForDelay => None,
                            };
                            Outcome::Deferred { reason, delay, waits_for }
                        }
                    });
                }
                BackendOutcome::Split(e) => return Outcome::Failed(e),
                BackendOutcome::Next(e) => {
                    tracing::warn!(backend = backend.name(), "trying the next backend: {e}");
                    last_error = Some(e);
                }
            }
        }
        match (deferred, last_error) {
            (Some(deferred), _) => deferred,
            // The last backend is over its budget.
            (None, Some(AgentError::Busy { reason, .. })) => Outcome::Deferred {
                reason,
                delay: MAX_DELAY,
                waits_for: Some(deferral::for_budget(&self.settings)),
            },
            (None, Some(e)) => Outcome::Failed(e),
            (None, None) => self.distill_locally(batch).await,
        }
    }

    /// Whether the local rules distill the batch at once: they come first in the chain, the batch asks
    /// for no summary and each event takes one line of a prompt, or the project may have written the
    /// config that chose the backend.
    fn needs_no_model(&self, batch: &ParsedBatch) -> bool {
        let says_little =
            || batch.events().all(|event| matches!(mention(&event), Mention::Line(_)));
        let root = batch.project_root.as_deref();
        self.chain.first() == Some(&Backend::Extractive)
            || !batch.asks_for_summary() && says_little()
            || root.is_some_and(|root| self.settings.own_config_is_in(&project::dir_of(root)))
    }

    /// Whether the oldest event has waited for `agent.defer_max` or longer.
    fn waited_too_long(&self, batch: &Batch) -> bool {
        let oldest = batch.messages.iter().map(|m| m.created_at_epoch).min().unwrap_or_default();
        let age = u64::try_from(clock::now_ms() - oldest).unwrap_or_default();
        Duration::from_millis(age) >= self.settings.config.agent.defer_max
    }

    async fn distill_locally(&self, batch: Arc<ParsedBatch>) -> Outcome {
        match distill_locally(batch, self.settings.config.agent.turn_timeout).await {
            Ok(distilled) => Outcome::Done(Box::new(Done {
                distilled,
                backend: Backend::Extractive,
                summary_backend: Backend::Extractive,
            })),
            Err(e) => Outcome::Failed(e),
        }
    }

    /// Ends the conversations and their programs.
    pub async fn end_conversations(&mut self) {
        for model in &mut self.models {
            model.end_conversation().await;
        }
    }

    /// Whether the program of a conversation is still running.
    pub fn has_running_program(&self) -> bool {
        self.models.iter().any(Model::has_running_program)
    }

    fn model(&mut self, backend: Backend) -> &mut Model {
        let at = self.models.iter().position(|model| model.backend == backend);
        let at = at.unwrap_or_else(|| {
            self.models.push(Model::new(backend, self.settings.clone(), &self.session));
            self.models.len() - 1
        });
        &mut self.models[at]
    }
}

/// Distills one batch with one backend, without retries, to check its settings.
pub fn try_once(
    settings: &Arc<Settings>,
    backend: Backend,
    batch: Batch,
    ledger: &dyn Ledger,
) -> Result<Distilled, AgentError> {
    let limit = settings.config.agent.turn_timeout;
    let batch = Arc::new(ParsedBatch::new(batch));
    let tried = async {
        if backend == Backend::Extractive {
            return distill_locally(batch, limit).await;
        }
        let mut model = Model::new(backend, settings.clone(), "trial");
        let screened = screen(batch, limit).await?;
        let result = ask(&mut model, &screened.batch, usize::MAX, limit, ledger).await.result;
        model.end_conversation().await;
        match result {
            CallResult::Reply(reply) => {
                ledger.clear_refusal(backend);
                Ok(screened.attribute(reply))
            }
            CallResult::Nothing => Ok(Distilled::default()),
            CallResult::OverBudget(reason) | CallResult::Refused(reason) => {
                Err(AgentError::Busy { reason, retry_after: None })
            }
            CallResult::Paused { reason, delay } => {
                Err(AgentError::Busy { reason, retry_after: Some(delay) })
            }
            CallResult::LedgerUnavailable => {
                Err(AgentError::Unreachable("the store is unavailable".into()))
            }
            CallResult::Error(e) => Err(e),
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let no_runtime = |e| AgentError::Unreachable(format!("no runtime: {e}"));
    runtime.map_err(no_runtime)?.block_on(tried)
}
