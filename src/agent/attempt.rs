//! Distills a batch with one backend, with the retries that its errors allow.

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

/// The retries of one batch so far.
struct Tries {
    /// Maximum bytes of the envelope.
    most: usize,
    /// Number of retries after an error.
    retries: usize,
    /// Retried after an unusable answer.
    unusable_retried: bool,
    /// Retried after an answer with nothing to remember.
    nothing_retried: bool,
}

/// Distills the batch with `model`.
pub async fn distill_with(
    model: &mut Model,
    screened: &Screened,
    limit: Duration,
    ledger: &dyn Ledger,
) -> BackendOutcome {
    let batch = &screened.batch;
    let backend = model.backend;
    let alone = batch.messages.len() == 1;
    let turn = batch.messages.last().map_or(0, |message| message.prompt_number);
    let mut tries =
        Tries { most: usize::MAX, retries: 0, unusable_retried: false, nothing_retried: false };
    let smaller = |error| match alone {
        true => BackendOutcome::Next(error),
        false => BackendOutcome::Split(error),
    };
    let mut last = AgentError::Rejected("too many calls of this turn failed".into());
    loop {
        if !model.history.may_ask(turn) {
            return BackendOutcome::Next(last);
        }
        let Asked { result, calls, bytes, hopeless } =
            ask(model, batch, tries.most, limit, ledger).await;
        let error = match result {
            CallResult::Reply(reply) => {
                (model.history.rejected, model.history.deferrals) = (0, 0);
                ledger.clear_refusal(backend);
                if batch.asks_for_summary() {
                    model.end_conversation().await;
                }
                return finish(backend, screened, reply, limit).await;
            }
            CallResult::Nothing if batch.previously_claimed && !tries.nothing_retried => {
                tries.nothing_retried = true;
                model.reset();
                continue;
            }
            // The batch crashed a worker before, and the model found nothing twice.
            CallResult::Nothing if batch.previously_claimed => {
                return BackendOutcome::Next(AgentError::UnusableAnswer("nothing"));
            }
            CallResult::Nothing => {
                (model.history.rejected, model.history.deferrals) = (0, 0);
                ledger.clear_refusal(backend);
                if batch.asks_for_summary() {
                    model.end_conversation().await;
                }
                return finish(backend, screened, Reply::default(), limit).await;
            }
            CallResult::Refused(reason) => {
                // Release the slot while waiting.
                model.reset();
                return defer(reason, MAX_DELAY, Waits::ForBackend);
            }
            CallResult::Paused { reason, delay } => {
                model.reset();
                return defer(reason, delay, Waits::ForBackend);
            }
            CallResult::OverBudget(reason) => {
                model.reset();
                return BackendOutcome::Next(AgentError::Busy { reason, retry_after: None });
            }
            CallResult::LedgerUnavailable => {
                model.reset();
                return defer("the store is unavailable".into(), MIN_DELAY, Waits::ForDelay);
            }
            CallResult::Error(error) => error,
        };
        // The failed prompt would stay in the conversation.
        model.reset();
        tracing::info!(backend = backend.name(), "a call failed: {error}");
        if error.is_about_the_batch() {
            model.history.add_failures(turn, calls);
        }
        match error.reaction() {
            Reaction::Shorten(_) if hopeless => {
                tracing::warn!(
                    backend = backend.name(),
                    "the model takes too little text; its limit is learnt anew after a week, or \
                     when a setting of the agent changes"
                );
                return BackendOutcome::Next(error);
            }
            // The same prompt would take as long again.
            Reaction::Halve if prompt::fitting(batch, bytes / 2).is_some() => {
                tries.most = bytes / 2
            }
            Reaction::Shorten(_) | Reaction::Halve => return smaller(error),
            Reaction::Defer(asked) => {
                let (config_fingerprint, reason) = (model.config_fingerprint(), error.to_string());
                let request = PauseRequest { backend, config_fingerprint, asked, reason };
                let reason = request.reason.clone();
                let delay = ledger.pause(request).await.unwrap_or(DEFAULT_DELAY);
                return defer(reason, delay, Waits::ForBackend);
            }
            Reaction::LeaveToOwnWorker => {
                return defer(error.to_string(), MAX_DELAY, Waits::ForBackend);
            }
            Reaction::DeferUntilSettingsChange => {
                ledger.record_refusal(backend, model.config_fingerprint(), error.to_string());
                return defer(error.to_string(), MAX_DELAY, Waits::ForBackend);
            }
            Reaction::RetryThenDefer | Reaction::RetryThenSplit
                if tries.retries < BACKOFF.len() =>
            {
                sleep_until(Instant::now() + BACKOFF[tries.retries]).await;
                tries.retries += 1;
            }
            Reaction::RetryThenDefer => {
                let delay = DEFAULT_DELAY * 2u32.saturating_pow(model.history.deferrals.min(10));
                model.history.deferrals += 1;
                return defer(error.to_string(), delay, Waits::ForBackend);
            }
            Reaction::RetryThenSplit => return smaller(error),
            // A server that rejects every batch is no server for these settings.
            Reaction::Simplify | Reaction::Change(_) => {
                model.history.rejected += 1;
                if model.history.rejected < MAX_REJECTED {
                    return BackendOutcome::Next(error);
                }
                ledger.record_refusal(backend, model.config_fingerprint(), error.to_string());
                return defer(error.to_string(), MAX_DELAY, Waits::ForBackend);
            }
            Reaction::Next => return BackendOutcome::Next(error),
            Reaction::RetryOnce if tries.unusable_retried => return BackendOutcome::Next(error),
            Reaction::RetryOnce => tries.unusable_retried = true,
        }
        last = error;
    }
}

fn defer(reason: String, delay: Duration, waits: Waits) -> BackendOutcome {
    BackendOutcome::Defer { reason, delay: delay.clamp(MIN_DELAY, MAX_DELAY), waits }
}

/// Adds to a reply what the local rules find: rules that the user states, and a missing summary.
async fn finish(
    backend: Backend,
    screened: &Screened,
    reply: Reply,
    limit: Duration,
) -> BackendOutcome {
    let batch = &screened.batch;
    let distilled = screened.attribute(reply);
    let mut done = Done { distilled, backend, summary_backend: backend };
    if done.distilled.summary.is_none() && batch.asks_for_summary() {
        match distill_locally(batch.clone(), limit).await {
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
