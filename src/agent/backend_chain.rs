//! Distills a batch with the first backend of the chain that can do it: asks it, retries after an
//! error, defers the batch or passes it on.
//!
//! Conversations with programs are kept from one batch to the next. Dropping the chain, or the
//! future that distills, kills the programs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::error::{AgentError, Effect};
use super::ledger::{Admission, CallRequest, Ledger};
use super::model::Model;
use super::parse::{Parsed, Reply, parse};
use super::prompt::{self, Detail};
use super::{Backend, attribution, extractive};
use crate::activity::{Mention, ParsedBatch, mention};
use crate::clock;
use crate::config::Settings;
use crate::memory::{Batch, CallOutcome, Distilled, Usage};
use crate::testpoint;

/// Pauses before the retries.
const BACKOFF: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// How long a batch is deferred if the server gives no time. Doubled with each deferral in a row.
const WAIT: Duration = Duration::from_secs(60);
/// The queue ignores a deferral of more than an hour, so a longer one is repeated.
const WAIT_MAX: Duration = Duration::from_secs(59 * 60);
const WAIT_MIN: Duration = Duration::from_secs(1);

/// The outcome of a batch.
#[derive(Debug)]
pub enum Outcome {
    Done(Done),
    /// The batch is deferred for this reason, at least for this time.
    Wait {
        why: String,
        time: Duration,
    },
    /// The batch goes back into the queue and is claimed in smaller pieces. A single event has
    /// failed.
    Failed(AgentError),
}

/// A distilled batch, and the backends that wrote it.
#[derive(Debug)]
pub struct Done {
    pub distilled: Distilled,
    pub backend: Backend,
    /// The backend of the summary. The local rules write one if the model did not.
    pub summary_backend: Backend,
}

/// The outcome of one backend.
enum End {
    Done(Done),
    Wait {
        why: String,
        time: Duration,
    },
    Split(AgentError),
    /// It cannot distill this batch: ask the next backend.
    Next(AgentError),
}

pub struct BackendChain {
    settings: Arc<Settings>,
    chain: Vec<Backend>,
    session: String,
    models: Vec<Model>,
    /// Number of deferrals in a row.
    waits: u32,
}

impl BackendChain {
    /// `session` becomes a part of the conversation id of stateless APIs.
    pub fn new(settings: Arc<Settings>, chain: Vec<Backend>, session: &str) -> BackendChain {
        BackendChain { settings, chain, session: session.to_owned(), models: Vec::new(), waits: 0 }
    }

    /// Distills `batch`. A batch without a summary in which every event is one line is left to the
    /// local rules.
    pub async fn distill(&mut self, batch: Arc<ParsedBatch>, ledger: &dyn Ledger) -> Outcome {
        if !batch.asks_for_summary()
            && batch.events().all(|event| matches!(mention(&event), Mention::Line(_)))
        {
            return self.distill_locally(batch).await;
        }
        let chain = self.chain.clone();
        let mut left = chain.iter();
        let mut last = None;
        while let Some(backend) = left.next() {
            if *backend == Backend::Extractive {
                return self.distill_locally(batch).await;
            }
            match self.ask(*backend, &batch, ledger).await {
                End::Done(done) => {
                    self.waits = 0;
                    return Outcome::Done(done);
                }
                End::Wait { why, time } if left.len() == 0 || !self.has_waited(&batch) => {
                    self.waits += 1;
                    return Outcome::Wait { why, time };
                }
                End::Wait { why, .. } => {
                    tracing::warn!(
                        backend = backend.name(),
                        "events waited for agent.defer_max; the next backend is asked: {why}"
                    );
                }
                End::Split(e) => return Outcome::Failed(e),
                End::Next(e) => {
                    tracing::warn!(backend = backend.name(), "the next backend is asked: {e}");
                    last = Some(e);
                }
            }
        }
        match last {
            // The last backend is over its budget.
            Some(AgentError::Busy { why, .. }) => Outcome::Wait { why, time: WAIT_MAX },
            Some(e) => Outcome::Failed(e),
            None => self.distill_locally(batch).await,
        }
    }

    /// Whether the oldest event has waited for `agent.defer_max`.
    fn has_waited(&self, batch: &Batch) -> bool {
        let oldest = batch.messages.iter().map(|m| m.created_at_epoch).min().unwrap_or_default();
        let age = u64::try_from(clock::now_ms() - oldest).unwrap_or_default();
        Duration::from_millis(age) >= self.settings.config.agent.defer_max
    }

    /// Distills by the local rules.
    async fn distill_locally(&self, batch: Arc<ParsedBatch>) -> Outcome {
        match distill_locally(batch, self.settings.config.agent.turn_timeout).await {
            Ok(distilled) => Outcome::Done(Done {
                distilled,
                backend: Backend::Extractive,
                summary_backend: Backend::Extractive,
            }),
            Err(e) => Outcome::Failed(e),
        }
    }

    /// Ends the conversations.
    pub async fn rest(&mut self) {
        for model in &mut self.models {
            model.rest().await;
        }
    }

    /// Whether a conversation has a running program.
    pub fn keeps_running(&self) -> bool {
        self.models.iter().any(Model::keeps_running)
    }

    fn model(&mut self, backend: Backend) -> &mut Model {
        let at = self.models.iter().position(|model| model.backend == backend);
        let at = at.unwrap_or_else(|| {
            self.models.push(Model::new(backend, self.settings.clone(), &self.session));
            self.models.len() - 1
        });
        &mut self.models[at]
    }

    /// Asks one backend, and again as often as its errors allow.
    async fn ask(
        &mut self,
        backend: Backend,
        batch: &Arc<ParsedBatch>,
        ledger: &dyn Ledger,
    ) -> End {
        let limit = self.settings.config.agent.turn_timeout;
        let waits = self.waits;
        let alone = batch.messages.len() == 1;
        let model = self.model(backend);
        let mut tries = Tries::default();
        loop {
            let error = match turn(model, batch, tries.detail, limit, ledger).await {
                Turn::Reply(reply) => {
                    ledger.answered(backend);
                    if batch.asks_for_summary() {
                        model.rest().await;
                    }
                    return done(backend, batch, reply, limit).await;
                }
                Turn::Nothing if batch.previously_claimed && !tries.empty => {
                    tries.empty = true;
                    model.begin_anew();
                    continue;
                }
                // The batch crashed a worker, and the model answered twice with nothing.
                Turn::Nothing if batch.previously_claimed => {
                    return End::Next(AgentError::Prose("nothing"));
                }
                Turn::Nothing => {
                    ledger.answered(backend);
                    if batch.asks_for_summary() {
                        model.rest().await;
                    }
                    return done(backend, batch, Reply::default(), limit).await;
                }
                Turn::Refused(why) => {
                    // Release the slot while waiting.
                    model.begin_anew();
                    return End::Wait { why, time: WAIT_MAX };
                }
                Turn::OverBudget(why) => {
                    model.begin_anew();
                    return End::Next(AgentError::Busy { why, retry_after: None });
                }
                Turn::LedgerUnavailable => {
                    model.begin_anew();
                    return End::Wait { why: "the store is unavailable".into(), time: WAIT_MIN };
                }
                Turn::Error(error) => error,
            };
            // The prompt that failed would stay in the conversation.
            model.begin_anew();
            tracing::info!(backend = backend.name(), "a call failed: {error}");
            match error.effect() {
                Effect::Shorten => match prompt::shorter(batch, tries.detail) {
                    Some(less) => tries.detail = less,
                    None if alone => return End::Next(error),
                    None => return End::Split(error),
                },
                Effect::Wait(time) => {
                    let time = time.unwrap_or(WAIT * 2u32.saturating_pow(waits.min(10)));
                    let time = time.clamp(WAIT_MIN, WAIT_MAX);
                    return End::Wait { why: error.to_string(), time };
                }
                Effect::WaitForSettings => {
                    ledger.refuse(backend, model.config_fingerprint(), error.to_string());
                    return End::Wait { why: error.to_string(), time: WAIT_MAX };
                }
                Effect::AgainThenWait | Effect::AgainThenSplit if tries.failed < BACKOFF.len() => {
                    sleep_until(Instant::now() + BACKOFF[tries.failed]).await;
                    tries.failed += 1;
                }
                Effect::AgainThenWait => {
                    let time = (WAIT * 2u32.saturating_pow(waits.min(10))).min(WAIT_MAX);
                    return End::Wait { why: error.to_string(), time };
                }
                Effect::AgainThenSplit if alone => return End::Next(error),
                Effect::AgainThenSplit => return End::Split(error),
                Effect::OnceMore if tries.prose => return End::Next(error),
                Effect::OnceMore => tries.prose = true,
            }
        }
    }
}

/// Asks one backend about one batch, without retries, to see whether its settings work.
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
        let turn = turn(&mut model, &batch, Detail::Usual, limit, ledger).await;
        model.rest().await;
        match turn {
            Turn::Reply(reply) => {
                ledger.answered(backend);
                let (observations, summary) = attribution::attribute(&batch, reply);
                Ok(Distilled { observations, summary })
            }
            Turn::Nothing => Ok(Distilled::default()),
            Turn::OverBudget(why) | Turn::Refused(why) => {
                Err(AgentError::Busy { why, retry_after: None })
            }
            Turn::LedgerUnavailable => {
                Err(AgentError::Unreachable("the store is unavailable".into()))
            }
            Turn::Error(e) => Err(e),
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
    failed: usize,
    prose: bool,
    empty: bool,
}

/// The outcome of one call.
enum Turn {
    Reply(Reply),
    /// The model found nothing worth remembering.
    Nothing,
    OverBudget(String),
    Refused(String),
    LedgerUnavailable,
    Error(AgentError),
}

/// One call. It is recorded in the ledger before it is made, and settled before its answer is read.
async fn turn(
    model: &mut Model,
    batch: &ParsedBatch,
    detail: Detail,
    limit: Duration,
    ledger: &dyn Ledger,
) -> Turn {
    let text = prompt::envelope(batch, detail);
    if let Err(e) = model.prepare(limit).await {
        return Turn::Error(e);
    }
    let opening = CallRequest {
        backend: model.backend,
        model: model.name().to_owned(),
        memory_session: model.memory_session().to_owned(),
        estimate: estimate(&text, model.longest_answer()),
        config_fingerprint: model.config_fingerprint(),
    };
    let call = match ledger.open(opening).await.unwrap_or(Admission::LedgerUnavailable) {
        Admission::Granted(call) => call,
        Admission::OverBudget(why) => return Turn::OverBudget(why),
        Admission::BackendRefused(why) => return Turn::Refused(why),
        Admission::LedgerUnavailable => return Turn::LedgerUnavailable,
    };
    testpoint::at("agent.asking");
    let (answer, spent) = match timeout(limit, model.ask(&text)).await {
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
            Parsed::Reply(reply) => Turn::Reply(reply),
            // It used all tokens for thinking, so its silence is no decision.
            Parsed::Nothing if answer.cut && !answer.text.contains("skip_summary") => {
                Turn::Error(AgentError::Prose("nothing within its token limit"))
            }
            Parsed::Nothing => Turn::Nothing,
            Parsed::Prose(what) => {
                let meant = AgentError::of_words(&answer.text);
                Turn::Error(meant.unwrap_or(AgentError::Prose(what)))
            }
        },
        Err(e) => Turn::Error(e),
    }
}

/// Estimates four bytes per token.
fn estimate(text: &str, longest_answer: u64) -> Usage {
    let input = (prompt::system().len() + text.len()).div_ceil(4) as u64;
    Usage { input, output: longest_answer, ..Usage::default() }
}

async fn done(backend: Backend, batch: &Arc<ParsedBatch>, reply: Reply, limit: Duration) -> End {
    let (mut observations, summary) = attribution::attribute(batch, reply);
    // The user's rules are taken from the prompts, not from the model.
    observations.extend(extractive::rules(batch));
    let mut done =
        Done { distilled: Distilled { observations, summary }, backend, summary_backend: backend };
    if done.distilled.summary.is_none() && batch.asks_for_summary() {
        match distill_locally(batch.clone(), limit).await {
            Ok(local) => done.distilled.summary = local.summary,
            Err(e) => return End::Next(e),
        }
        done.summary_backend = Backend::Extractive;
    }
    End::Done(done)
}

/// Distills by the local rules, on a new thread. A thread cannot be killed: after `limit` it is
/// abandoned and ends with the process. A pool would lose a thread each time.
pub async fn distill_locally(
    batch: Arc<ParsedBatch>,
    limit: Duration,
) -> Result<Distilled, AgentError> {
    let (done, outcome) = oneshot::channel();
    // If no thread can be started, the sender is dropped, which the receiver sees.
    let _ = std::thread::Builder::new().name("distill".into()).spawn(move || {
        testpoint::at("distill.begun");
        for message in &batch.messages {
            testpoint::at_item("distill.tool", message.tool_name.as_deref());
        }
        let _ = done.send(extractive::distill(&batch));
    });
    match timeout(limit, outcome).await {
        Ok(Ok(distilled)) => Ok(distilled),
        Ok(Err(_)) => Err(AgentError::Died("it panicked".into())),
        Err(_) => Err(AgentError::TimedOut(limit)),
    }
}
