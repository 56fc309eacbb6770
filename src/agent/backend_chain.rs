//! Distills a batch with the first backend of the chain that can. After an error, retries, defers the
//! batch, or passes it to the next backend.
//!
//! A conversation with a program lasts over several batches. Dropping the chain, or the future of
//! [`BackendChain::distill`], kills the programs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::error::{AgentError, Reaction};
use super::ledger::{Admission, CallRequest, Ledger};
use super::model::Model;
use super::parse::{Parsed, Reply, parse};
use super::prompt::{self, Detail};
use super::{Backend, attribution, deferral, local};
use crate::activity::{Mention, ParsedBatch, mention};
use crate::capture;
use crate::clock;
use crate::config::Settings;
use crate::evidence;
use crate::memory::{Batch, CallOutcome, Distilled, Evidence, Observation, Turn, Usage};
use crate::project;
use crate::provenance::{Author, Screen};
use crate::testpoint;

/// Pauses before the retries.
const BACKOFF: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// How long a batch is deferred if the server gives no time. Doubled with each consecutive deferral.
const DEFAULT_DELAY: Duration = Duration::from_secs(60);
/// The queue ignores a deferral of more than an hour, so a longer one is repeated.
const MAX_DELAY: Duration = Duration::from_secs(59 * 60);
const MIN_DELAY: Duration = Duration::from_secs(1);

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

/// A distilled batch, and the backends that distilled it.
#[derive(Debug)]
pub struct Done {
    pub distilled: Distilled,
    pub backend: Backend,
    /// The backend of the summary: the local rules if the model wrote none.
    pub summary_backend: Backend,
}

/// The outcome of one backend.
enum BackendOutcome {
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
enum Waits {
    ForBackend,
    ForDelay,
}

pub struct BackendChain {
    settings: Arc<Settings>,
    chain: Vec<Backend>,
    session: String,
    models: Vec<Model>,
    /// Number of consecutive deferrals.
    deferrals: u32,
}

impl BackendChain {
    /// `session` becomes a part of the conversation id of stateless APIs.
    pub fn new(settings: Arc<Settings>, chain: Vec<Backend>, session: &str) -> BackendChain {
        BackendChain {
            settings,
            chain,
            session: session.to_owned(),
            models: Vec::new(),
            deferrals: 0,
        }
    }

    /// Distills `batch`. The local rules distill a batch that asks for no summary and in which each
    /// event takes one line of a prompt.
    pub async fn distill(&mut self, batch: Arc<ParsedBatch>, ledger: &dyn Ledger) -> Outcome {
        if !batch.asks_for_summary()
            && batch.events().all(|event| matches!(mention(&event), Mention::Line(_)))
        {
            return self.distill_locally(batch).await;
        }
        let root = batch.project_root.as_deref();
        if root.is_some_and(|root| self.settings.own_config_is_in(&project::dir_of(root))) {
            // The project may have written the config that chose the backend.
            return self.distill_locally(batch).await;
        }
        let chain = self.chain.clone();
        if chain.first() == Some(&Backend::Extractive) {
            return self.distill_locally(batch).await;
        }
        let limit = self.settings.config.agent.turn_timeout;
        let screened = match screen(batch.clone(), limit).await {
            Ok(screened) => screened,
            Err(e) => return Outcome::Failed(e),
        };
        let mut remaining = chain.iter();
        let mut last_error = None;
        while let Some(backend) = remaining.next() {
            if *backend == Backend::Extractive {
                return self.distill_locally(batch).await;
            }
            match self.try_backend(*backend, &screened, ledger).await {
                BackendOutcome::Done(done) => {
                    self.deferrals = 0;
                    return Outcome::Done(done);
                }
                BackendOutcome::Defer { reason, delay, waits }
                    if remaining.len() == 0 || !self.waited_too_long(&batch) =>
                {
                    self.deferrals += 1;
                    let waits_for = match waits {
                        Waits::ForBackend => deferral::for_backend(&self.settings, *backend),
                        Waits::ForDelay => None,
                    };
                    return Outcome::Deferred { reason, delay, waits_for };
                }
                BackendOutcome::Defer { reason, .. } => {
                    tracing::warn!(
                        backend = backend.name(),
                        "events waited for agent.defer_max; trying the next backend: {reason}"
                    );
                }
                BackendOutcome::Split(e) => return Outcome::Failed(e),
                BackendOutcome::Next(e) => {
                    tracing::warn!(backend = backend.name(), "trying the next backend: {e}");
                    last_error = Some(e);
                }
            }
        }
        match last_error {
            // The last backend is over its budget.
            Some(AgentError::Busy { reason, .. }) => Outcome::Deferred {
                reason,
                delay: MAX_DELAY,
                waits_for: Some(deferral::for_budget(&self.settings)),
            },
            Some(e) => Outcome::Failed(e),
            None => self.distill_locally(batch).await,
        }
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

    /// Distills `batch` with one backend, with the retries that its errors allow.
    async fn try_backend(
        &mut self,
        backend: Backend,
        screened: &Screened,
        ledger: &dyn Ledger,
    ) -> BackendOutcome {
        let batch = &screened.batch;
        let limit = self.settings.config.agent.turn_timeout;
        let deferrals = self.deferrals;
        let alone = batch.messages.len() == 1;
        let model = self.model(backend);
        let mut tries = Tries::default();
        loop {
            let error = match call_model(model, batch, tries.detail, limit, ledger).await {
                CallResult::Reply(reply) => {
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
                    ledger.clear_refusal(backend);
                    if batch.asks_for_summary() {
                        model.end_conversation().await;
                    }
                    return finish(backend, screened, Reply::default(), limit).await;
                }
                CallResult::Refused(reason) => {
                    // Release the slot while waiting.
                    model.reset();
                    return BackendOutcome::Defer {
                        reason,
                        delay: MAX_DELAY,
                        waits: Waits::ForBackend,
                    };
                }
                CallResult::OverBudget(reason) => {
                    model.reset();
                    return BackendOutcome::Next(AgentError::Busy { reason, retry_after: None });
                }
                CallResult::LedgerUnavailable => {
                    model.reset();
                    return BackendOutcome::Defer {
                        reason: "the store is unavailable".into(),
                        delay: MIN_DELAY,
                        waits: Waits::ForDelay,
                    };
                }
                CallResult::Error(error) => error,
            };
            // The failed prompt would stay in the conversation.
            model.reset();
            tracing::info!(backend = backend.name(), "a call failed: {error}");
            match error.reaction() {
                Reaction::Shorten => match prompt::shorter(batch, tries.detail) {
                    Some(detail) => tries.detail = detail,
                    None if alone => return BackendOutcome::Next(error),
                    None => return BackendOutcome::Split(error),
                },
                Reaction::Defer(delay) => {
                    let delay =
                        delay.unwrap_or(DEFAULT_DELAY * 2u32.saturating_pow(deferrals.min(10)));
                    return BackendOutcome::Defer {
                        reason: error.to_string(),
                        delay: delay.clamp(MIN_DELAY, MAX_DELAY),
                        waits: Waits::ForBackend,
                    };
                }
                Reaction::DeferUntilSettingsChange => {
                    ledger.record_refusal(backend, model.config_fingerprint(), error.to_string());
                    return BackendOutcome::Defer {
                        reason: error.to_string(),
                        delay: MAX_DELAY,
                        waits: Waits::ForBackend,
                    };
                }
                Reaction::RetryThenDefer | Reaction::RetryThenSplit
                    if tries.retries < BACKOFF.len() =>
                {
                    sleep_until(Instant::now() + BACKOFF[tries.retries]).await;
                    tries.retries += 1;
                }
                Reaction::RetryThenDefer => {
                    let delay =
                        (DEFAULT_DELAY * 2u32.saturating_pow(deferrals.min(10))).min(MAX_DELAY);
                    return BackendOutcome::Defer {
                        reason: error.to_string(),
                        delay,
                        waits: Waits::ForBackend,
                    };
                }
                Reaction::RetryThenSplit if alone => return BackendOutcome::Next(error),
                Reaction::RetryThenSplit => return BackendOutcome::Split(error),
                Reaction::RetryOnce if tries.unusable_retried => {
                    return BackendOutcome::Next(error);
                }
                Reaction::RetryOnce => tries.unusable_retried = true,
            }
        }
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
        let result = call_model(&mut model, &screened.batch, Detail::Usual, limit, ledger).await;
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

/// The retries of one batch so far.
#[derive(Default)]
struct Tries {
    detail: Detail,
    /// Number of retries after an error.
    retries: usize,
    /// Retried after an unusable answer.
    unusable_retried: bool,
    /// Retried after an answer with nothing to remember.
    nothing_retried: bool,
}

/// The outcome of one call.
enum CallResult {
    Reply(Reply),
    /// The model found nothing worth remembering.
    Nothing,
    OverBudget(String),
    Refused(String),
    LedgerUnavailable,
    Error(AgentError),
}

/// Makes one call. The ledger records it before it is made, and settles it before its answer is
/// parsed.
async fn call_model(
    model: &mut Model,
    batch: &ParsedBatch,
    detail: Detail,
    limit: Duration,
    ledger: &dyn Ledger,
) -> CallResult {
    // Events of earlier releases may have secrets that had no rule then.
    let text = capture::without_secrets(&prompt::envelope(batch, detail));
    if let Err(e) = model.prepare(limit).await {
        return CallResult::Error(e);
    }
    let request = CallRequest {
        backend: model.backend,
        model: model.name().to_owned(),
        memory_session: model.memory_session().to_owned(),
        estimate: estimate(&text, model.max_answer_tokens()),
        config_fingerprint: model.config_fingerprint(),
    };
    let call = match ledger.open(request).await.unwrap_or(Admission::LedgerUnavailable) {
        Admission::Granted(call) => call,
        Admission::OverBudget(reason) => return CallResult::OverBudget(reason),
        Admission::BackendRefused(reason) => return CallResult::Refused(reason),
        Admission::LedgerUnavailable => return CallResult::LedgerUnavailable,
    };
    testpoint::at("agent.asking");
    let (answer, spent) =
        match timeout(limit, model.ask(&text, batch.project_root.as_deref())).await {
            Ok(answered) => answered,
            Err(_) => (Err(AgentError::TimedOut(limit)), CallOutcome::Unknown),
        };
    ledger.settle(call, spent);
    testpoint::at("agent.answered");
    tracing::info!(
        backend = model.backend.name(),
        prompt = prompt::version(),
        bytes = text.len(),
        ?spent,
        "called a model"
    );
    match answer {
        Ok(answer) => match parse(&answer.text) {
            Parsed::Reply(reply) => CallResult::Reply(reply),
            // All tokens went into thinking: the model did not decide that nothing is worth
            // remembering.
            Parsed::Nothing if answer.truncated && !answer.text.contains("skip_summary") => {
                CallResult::Error(AgentError::UnusableAnswer("nothing within its token limit"))
            }
            Parsed::Nothing => CallResult::Nothing,
            Parsed::Unusable(what) => {
                let reported = AgentError::from_text(&answer.text);
                CallResult::Error(reported.unwrap_or(AgentError::UnusableAnswer(what)))
            }
        },
        Err(e) => CallResult::Error(e),
    }
}

/// Estimates the usage of a call, at four bytes per token.
fn estimate(text: &str, max_answer_tokens: u64) -> Usage {
    let input = (prompt::system().len() + text.len()).div_ceil(4) as u64;
    Usage { input, output: max_answer_tokens, ..Usage::default() }
}

/// A batch without text of others in the assistant's message, and what it takes to check a reply.
struct Screened {
    batch: Arc<ParsedBatch>,
    screen: Screen,
}

impl Screened {
    fn new(batch: Arc<ParsedBatch>) -> Screened {
        let mut screen = Screen::new(&batch);
        Screened { batch: screen.clean(batch), screen }
    }

    /// What a model's reply adds to the memory. The turn is assembled from its summary.
    fn attribute(&self, reply: Reply) -> Distilled {
        let mut screen = self.screen.clone();
        let evidence = evidence::fold(&self.batch);
        let summary = reply.summary.clone().filter(|_| self.batch.asks_for_summary());
        let mut observations = attribution::attribute(&self.batch, reply);
        screen.check(&mut observations, Author::Model);
        let turn = summary.and_then(|summary| {
            let turn = local::turn_of_summary(&self.batch, &evidence, &summary)?;
            Some(finished(turn, &mut screen, Author::Model))
        });
        self.store(screen, observations, turn, evidence)
    }

    /// What the local rules add to the memory.
    fn distill(mut self) -> Distilled {
        let evidence = evidence::fold(&self.batch);
        let turn = local::turn(&self.batch, &evidence)
            .map(|turn| finished(turn, &mut self.screen, Author::LocalRules));
        let mut observations =
            turn.as_ref().map_or_else(Vec::new, |turn| local::rows(&self.batch, turn));
        self.screen.check(&mut observations, Author::LocalRules);
        let screen = self.screen.clone();
        self.store(screen, observations, turn, evidence)
    }

    /// Adds the rules that the user states, which come from the prompts and not from a model, and what
    /// the screen found.
    fn store(
        &self,
        mut screen: Screen,
        mut observations: Vec<Observation>,
        turn: Option<Turn>,
        evidence: Evidence,
    ) -> Distilled {
        let mut rules = local::user_words(&self.batch, &evidence);
        screen.check(&mut rules, Author::LocalRules);
        observations.append(&mut rules);
        let mut distilled = Distilled {
            observations,
            summary: turn.as_ref().map(local::columns),
            turn: turn.map(Box::new),
            evidence: (evidence != self.batch.evidence).then(|| Box::new(evidence)),
            seen: None,
        };
        screen.finish(&self.batch, &mut distilled);
        distilled
    }
}

/// The turn without text of others. Its title comes last: it quotes the turn.
fn finished(mut turn: Turn, screen: &mut Screen, author: Author) -> Turn {
    screen.check_turn(&mut turn, author);
    local::add_title(&mut turn);
    turn
}

/// Screens a batch on a thread of its own: long texts would delay the event loop.
async fn screen(batch: Arc<ParsedBatch>, limit: Duration) -> Result<Screened, AgentError> {
    on_thread("screen", limit, move || Screened::new(batch)).await
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

/// Distills with the local rules.
pub async fn distill_locally(
    batch: Arc<ParsedBatch>,
    limit: Duration,
) -> Result<Distilled, AgentError> {
    let distill = move || {
        testpoint::at("distill.begun");
        for message in &batch.messages {
            testpoint::at_item("distill.tool", message.tool_name.as_deref());
        }
        Screened::new(batch).distill()
    };
    on_thread("distill", limit, distill).await
}

/// Runs `work` on a new thread. A thread cannot be killed: after `limit` it is abandoned and ends with
/// the process. In a thread pool, it would block a thread for good.
async fn on_thread<T: Send + 'static>(
    name: &str,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AgentError> {
    let (sender, receiver) = oneshot::channel();
    // If the thread does not start, the sender is dropped and the receiver returns an error.
    let _ = std::thread::Builder::new().name(name.into()).spawn(move || {
        let _ = sender.send(work());
    });
    match timeout(limit, receiver).await {
        Ok(Ok(distilled)) => Ok(distilled),
        Ok(Err(_)) => Err(AgentError::Died("it panicked".into())),
        Err(_) => Err(AgentError::TimedOut(limit)),
    }
}
