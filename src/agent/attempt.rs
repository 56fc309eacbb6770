//! Distills a batch with one backend, with the retries that its errors allow.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Backend;
use super::adapt::{Asked, ask};
use super::call::CallResult;
use super::error::{AgentError, Reaction};
use super::ledger::{Ledger, PauseRequest};
use super::model::Model;
use super::parse::Reply;
use super::prompt;
use super::screened::{Done, Screened, distill_locally};

/// Pauses before the retries.
const BACKOFF: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// How long a batch is deferred if the server gives no time. Doubled with each consecutive deferral.
const DEFAULT_DELAY: Duration = Duration::from_secs(60);
/// The queue ignores a deferral of more than an hour, so a longer one is repeated.
pub const MAX_DELAY: Duration = Duration::from_secs(59 * 60);
const MIN_DELAY: Duration = Duration::from_secs(1);

/// Batches in a row that a server may reject as a whole, before the settings count as wrong.
const MAX_REJECTED: usize = 3;

/// The outcome of one backend.
pub enum BackendOutcome {
    Done(Box<Done>),
    Defer {
        reason: String,
        delay: Duration,
        waits: Waits,
    },
    Split(AgentError),
    /// The backend cannot distill this batch: try the next one.
    Next(AgentError),
}

/// What a deferred batch waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    ForBackend,
    ForDelay,
}

/// Distills the batch with `model`.
pub async fn distill_with(
    model: &mut Model,
    screened: &Screened,
    limit: Duration,
    ledger: &dyn Ledger,
) -> BackendOutcome {
    let mut attempt = Attempt {
        model,
        screened,
        limit,
        ledger,
        most: usize::MAX,
        retries: 0,
        unusable_retried: false,
        nothing_retried: false,
    };
    let mut last = AgentError::Rejected("too many calls of this turn failed".into());
    while attempt.model.history.may_ask(attempt.turn()) {
        match attempt.call().await {
            ControlFlow::Break(outcome) => return outcome,
            ControlFlow::Continue(error) => last = error.unwrap_or(last),
        }
    }
    BackendOutcome::Next(last)
}

/// The calls of one batch, with the retries so far.
struct Attempt<'a> {
    model: &'a mut Model,
    screened: &'a Screened,
    limit: Duration,
    ledger: &'a dyn Ledger,
    /// Maximum bytes of the envelope.
    most: usize,
    /// Number of retries after an error.
    retries: usize,
    /// Retried after an unusable answer.
    unusable_retried: bool,
    /// Retried after an answer with nothing to remember.
    nothing_retried: bool,
}

/// The outcome of the batch, or another call, after an error if there was one.
type Step = ControlFlow<BackendOutcome, Option<AgentError>>;

impl Attempt<'_> {
    fn turn(&self) -> i64 {
        self.screened.batch.messages.last().map_or(0, |message| message.prompt_number)
    }

    /// Calls the model once.
    async fn call(&mut self) -> Step {
        let batch = &self.screened.batch;
        let Asked { result, calls, bytes, hopeless } =
            ask(self.model, batch, self.most, self.limit, self.ledger).await;
        let outcome = match result {
            CallResult::Reply(reply) => self.finish(reply).await,
            CallResult::Nothing if batch.previously_claimed && !self.nothing_retried => {
                self.nothing_retried = true;
                self.model.reset();
                return ControlFlow::Continue(None);
            }
            // The batch crashed a worker before, and the model found nothing twice.
            CallResult::Nothing if batch.previously_claimed => {
                BackendOutcome::Next(AgentError::UnusableAnswer("nothing"))
            }
            CallResult::Nothing => self.finish(Reply::default()).await,
            CallResult::Refused(reason) => {
                // Release the slot while waiting.
                self.model.reset();
                defer(reason, MAX_DELAY, Waits::ForBackend)
            }
            CallResult::Paused { reason, delay } => {
                self.model.reset();
                defer(reason, delay, Waits::ForBackend)
            }
            CallResult::OverBudget(reason) => {
                self.model.reset();
                BackendOutcome::Next(AgentError::Busy { reason, retry_after: None })
            }
            CallResult::LedgerUnavailable => {
                self.model.reset();
                defer("the store is unavailable".into(), MIN_DELAY, Waits::ForDelay)
            }
            CallResult::Error(error) => {
                // The failed prompt would stay in the conversation.
                self.model.reset();
                tracing::info!(backend = self.model.backend.name(), "a call failed: {error}");
                if error.is_about_the_batch() {
                    let turn = self.turn();
                    self.model.history.add_failures(turn, calls);
                }
                return self.react(error, bytes, hopeless).await;
            }
        };
        ControlFlow::Break(outcome)
    }

    /// Does what the error of a call asks for. `bytes`: the length of the prompt. `hopeless`: the model
    /// takes too little text.
    async fn react(&mut self, error: AgentError, bytes: usize, hopeless: bool) -> Step {
        let backend = self.model.backend;
        let outcome = match error.reaction() {
            Reaction::Shorten(_) if hopeless => {
                tracing::warn!(
                    backend = backend.name(),
                    "the model takes too little text; its limit is learnt anew after a week, or \
                     when a setting of the agent changes"
                );
                BackendOutcome::Next(error)
            }
            // The same prompt would take as long again.
            Reaction::Halve if prompt::fitting(&self.screened.batch, bytes / 2).is_some() => {
                self.most = bytes / 2;
                return ControlFlow::Continue(Some(error));
            }
            Reaction::Shorten(_) | Reaction::Halve => self.smaller(error),
            Reaction::Defer(asked) => {
                let (config_fingerprint, reason) =
                    (self.model.config_fingerprint(), error.to_string());
                let request = PauseRequest { backend, config_fingerprint, asked, reason };
                let reason = request.reason.clone();
                let delay = self.ledger.pause(request).await.unwrap_or(DEFAULT_DELAY);
                defer(reason, delay, Waits::ForBackend)
            }
            Reaction::LeaveToOwnWorker => defer(error.to_string(), MAX_DELAY, Waits::ForBackend),
            Reaction::DeferUntilSettingsChange => self.refuse(&error),
            Reaction::RetryThenDefer | Reaction::RetryThenSplit if self.retries < BACKOFF.len() => {
                sleep_until(Instant::now() + BACKOFF[self.retries]).await;
                self.retries += 1;
                return ControlFlow::Continue(Some(error));
            }
            Reaction::RetryThenDefer => {
                let n_deferrals = self.model.history.deferrals;
                self.model.history.deferrals += 1;
                let delay = DEFAULT_DELAY * 2u32.saturating_pow(n_deferrals.min(10));
                defer(error.to_string(), delay, Waits::ForBackend)
            }
            Reaction::RetryThenSplit => self.smaller(error),
            // A server that rejects every batch is no server for these settings.
            Reaction::Simplify | Reaction::Change(_) => {
                self.model.history.rejected += 1;
                match self.model.history.rejected < MAX_REJECTED {
                    true => BackendOutcome::Next(error),
                    false => self.refuse(&error),
                }
            }
            Reaction::RetryOnce if !self.unusable_retried => {
                self.unusable_retried = true;
                return ControlFlow::Continue(Some(error));
            }
            Reaction::Next | Reaction::RetryOnce => BackendOutcome::Next(error),
        };
        ControlFlow::Break(outcome)
    }

    /// Leaves a single message to the next backend, and splits a batch of several.
    fn smaller(&self, error: AgentError) -> BackendOutcome {
        match self.screened.batch.messages.len() {
            1 => BackendOutcome::Next(error),
            _ => BackendOutcome::Split(error),
        }
    }

    /// Records that the backend refuses these settings.
    fn refuse(&self, error: &AgentError) -> BackendOutcome {
        let (backend, fingerprint) = (self.model.backend, self.model.config_fingerprint());
        self.ledger.record_refusal(backend, fingerprint, error.to_string());
        defer(error.to_string(), MAX_DELAY, Waits::ForBackend)
    }

    /// Takes a reply, and adds what the local rules find: rules that the user states, and a missing
    /// summary.
    async fn finish(&mut self, reply: Reply) -> BackendOutcome {
        let (backend, batch) = (self.model.backend, &self.screened.batch);
        (self.model.history.rejected, self.model.history.deferrals) = (0, 0);
        self.ledger.clear_refusal(backend);
        if batch.asks_for_summary() {
            self.model.end_conversation().await;
        }
        let distilled = self.screened.attribute(reply);
        let mut done = Done { distilled, backend, summary_backend: backend };
        if done.distilled.summary.is_none() && batch.asks_for_summary() {
            match distill_locally(batch.clone(), self.limit).await {
                Ok(local) => {
                    done.distilled.summary = local.summary;
                    done.distilled.turn = local.turn;
                }
                Err(e) => return BackendOutcome::Next(e),
            }
            done.summary_backend = Backend::Extractive;
        }
        BackendOutcome::Done(Box::new(done))
    }
}

fn defer(reason: String, delay: Duration, waits: Waits) -> BackendOutcome {
    BackendOutcome::Defer { reason, delay: delay.clamp(MIN_DELAY, MAX_DELAY), waits }
}
