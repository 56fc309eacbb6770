//! Runs the memory agent: at most one batch at a time, and one provisional summary beside it.
//!
//! Both run as tasks on the event loop's thread, which is the main thread. Aborting a task drops
//! the agent's call and kills the program that it started.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::ledger::StoreLedger;
use crate::activity::ParsedBatch;
use crate::agent::{self, AgentError, Backend, BackendChain, Outcome};
use crate::config::{self, Settings};
use crate::memory::{Summary, Turn};
use crate::store::queue::BatchMeasure;

/// The local rules take a whole turn at once, unless it is larger than this.
const LOCAL_EVENTS: usize = 256;
const LOCAL_BYTES: usize = 1 << 20;

/// An agent's program uses much memory, so an idle one is ended after this time.
const AGENT_IDLE: Duration = Duration::from_secs(30);

/// A summary by the local rules, which is valid until the agent has distilled the batch.
pub struct Provisional {
    pub batch: Arc<ParsedBatch>,
    pub summary: Summary,
    pub turn: Option<Box<Turn>>,
}

/// The result of [`BatchRunner::next`].
pub enum TaskOutput {
    Distilled {
        batch: Arc<ParsedBatch>,
        outcome: Outcome,
    },
    /// `None`: the local rules could not write one.
    Provisional(Option<Provisional>),
    /// The agent has had no batch for `AGENT_IDLE`.
    AgentIdle,
}

/// How many events or bytes fill a batch, and how bytes are counted.
#[derive(Clone, Copy)]
pub struct BatchThreshold {
    pub events: usize,
    pub bytes: usize,
    pub measure: BatchMeasure,
}

pub struct BatchRunner {
    settings: Arc<Settings>,
    chain: Vec<Backend>,
    session_key: String,
    /// The agent with its conversation, while no task uses it.
    agent: Option<BackendChain>,
    agent_idle_at: Option<Instant>,
    /// The current batch, until the store has settled it.
    batch: Option<Arc<ParsedBatch>>,
    distilling: Option<JoinHandle<(BackendChain, Outcome)>>,
    summarizing: Option<JoinHandle<Option<Provisional>>>,
}

impl BatchRunner {
    /// `session_key` may be sent to a model provider.
    pub fn new(settings: Arc<Settings>, chain: Vec<Backend>, session_key: &str) -> BatchRunner {
        BatchRunner {
            settings,
            chain,
            session_key: session_key.to_owned(),
            agent: None,
            agent_idle_at: None,
            batch: None,
            distilling: None,
            summarizing: None,
        }
    }

    /// The first backend of the chain.
    pub fn backend(&self) -> Backend {
        self.chain[0]
    }

    pub fn batch_threshold(&self) -> BatchThreshold {
        let config::Agent { batch_events, batch_bytes, .. } = **self.settings.config.agent;
        match self.backend().is_model() {
            true => BatchThreshold {
                events: batch_events,
                bytes: batch_bytes,
                measure: BatchMeasure::PromptCost,
            },
            false => BatchThreshold {
                events: LOCAL_EVENTS,
                bytes: LOCAL_BYTES,
                measure: BatchMeasure::Size,
            },
        }
    }

    pub fn distill(&mut self, batch: Arc<ParsedBatch>, ledger: StoreLedger) {
        self.agent_idle_at = None;
        self.batch = Some(batch.clone());
        let mut agent = self.agent.take().unwrap_or_else(|| {
            BackendChain::new(self.settings.clone(), self.chain.clone(), &self.session_key)
        });
        self.distilling = Some(tokio::spawn(async move {
            let outcome = agent.distill(batch, &ledger).await;
            (agent, outcome)
        }));
    }

    /// Writes the provisional summary of a batch that waits for the agent, by the local rules.
    pub fn summarize(&mut self, batch: Arc<ParsedBatch>) {
        let limit = self.settings.config.agent.turn_timeout;
        self.summarizing = Some(tokio::spawn(async move {
            let distilled = agent::distill_locally(batch.clone(), limit).await.ok()?;
            Some(Provisional { batch, summary: distilled.summary?, turn: distilled.turn })
        }));
    }

    /// Waits until a task ends or the agent has been idle for `AGENT_IDLE`. Pending if neither can
    /// happen.
    pub async fn next(&mut self) -> TaskOutput {
        let agent_idle_at = self.agent_idle_at;
        tokio::select! {
            ended = join(&mut self.distilling) => {
                self.distilling = None;
                self.distilled(ended)
            }
            ended = join(&mut self.summarizing) => {
                self.summarizing = None;
                TaskOutput::Provisional(ended.ok().flatten())
            }
            () = sleep_until(agent_idle_at) => TaskOutput::AgentIdle,
        }
    }

    fn distilled(&mut self, ended: Result<(BackendChain, Outcome), JoinError>) -> TaskOutput {
        let outcome = match ended {
            Ok((agent, outcome)) => {
                self.agent_idle_at =
                    agent.has_running_program().then(|| Instant::now() + AGENT_IDLE);
                self.agent = Some(agent);
                outcome
            }
            Err(e) => {
                let why = if e.is_panic() { "it panicked" } else { "it was aborted" };
                Outcome::Failed(AgentError::Died(why.into()))
            }
        };
        let batch = self.batch.clone().expect("kept until it is settled");
        TaskOutput::Distilled { batch, outcome }
    }

    /// Forgets the current batch, which is stored or back in the queue.
    pub fn settled(&mut self) {
        self.batch = None;
    }

    /// Aborts distilling, and returns the current batch.
    pub fn abort(&mut self) -> Option<Arc<ParsedBatch>> {
        if let Some(task) = self.distilling.take() {
            task.abort();
        }
        self.batch.take()
    }

    /// Ends the agent's program and its conversation.
    pub fn end_agent(&mut self) {
        self.agent_idle_at = None;
        if let Some(mut agent) = self.agent.take() {
            tokio::spawn(async move { agent.end_conversations().await });
        }
    }
}

impl Drop for BatchRunner {
    fn drop(&mut self) {
        let _ = self.abort();
    }
}

async fn join<T>(task: &mut Option<JoinHandle<T>>) -> Result<T, JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
