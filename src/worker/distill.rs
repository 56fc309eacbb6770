//! The worker's hands: at most one batch at a time on its way through the memory agent, and what
//! is known about whether claiming another is worth a transaction.
//!
//! The agent runs as a task of the loop's own thread, which is the main one; letting go of a batch
//! ends the task, and with it whatever program it was talking to.

use std::sync::Arc;
use std::time::Duration;

use memctl_proto::Kind;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::books::Books;
use crate::agent::{self, AgentError, Backend, BackendChain, Outcome};
use crate::config::{self, Settings};
use crate::memory::{Batch, Message, Summary};
use crate::store::queue::{ClaimLimits, plain_weight};

/// What a turn may have in front of its `summarize` before the local rules take it in parts.
const EVENTS: usize = 256;
const BYTES: usize = 1 << 20;

/// A program that nobody has talked to for so long is ended: it is large.
const IDLE: Duration = Duration::from_secs(30);

/// A batch and what came of it.
pub struct Distilling {
    pub batch: Arc<Batch>,
    pub outcome: Outcome,
}

/// A summary that holds until the agent answers.
pub struct Provisional {
    pub batch: Arc<Batch>,
    pub summary: Option<Summary>,
}

/// What the hands have done.
pub enum Handed {
    Distilled(Distilling),
    /// `None`: it could not be made.
    Provided(Option<Provisional>),
    /// A conversation has been idle for long.
    Rest,
}

/// How much makes a batch.
struct Measure {
    events: usize,
    bytes: usize,
    weigh: fn(&Message) -> (usize, usize),
}

pub struct Hands {
    settings: Arc<Settings>,
    chain: Vec<Backend>,
    session: String,
    measure: Measure,
    /// Between two batches, what the agent keeps.
    mind: Option<BackendChain>,
    rests_at: Option<Instant>,
    batch: Option<Arc<Batch>>,
    task: Option<JoinHandle<(BackendChain, Outcome)>>,
    provisional: Option<JoinHandle<Provisional>>,
    /// From asking who lacks a summary until nobody does.
    provides: bool,
    /// A claim is under way.
    asked: bool,
    /// Something may be due.
    look: bool,
    /// Take what there is: nobody has said anything for a while.
    quiet: bool,
    /// Accepted since the last claim.
    events: usize,
    bytes: usize,
    heard: bool,
    /// Most messages of the next batch: halved after a failure, so that a message which fails is
    /// found.
    limit: usize,
}

impl Hands {
    /// `session`: a name for it that may leave this machine.
    pub fn new(settings: Arc<Settings>, chain: Vec<Backend>, session: &str) -> Hands {
        let config::Agent { batch_events, batch_bytes, .. } = **settings.config.agent;
        let measure = match chain[0].is_model() {
            true => Measure { events: batch_events, bytes: batch_bytes, weigh: agent::count },
            false => Measure { events: EVENTS, bytes: BYTES, weigh: plain_weight },
        };
        Hands {
            settings,
            chain,
            session: session.to_owned(),
            measure,
            mind: None,
            rests_at: None,
            batch: None,
            task: None,
            provisional: None,
            provides: false,
            asked: false,
            look: false,
            quiet: false,
            events: 0,
            bytes: 0,
            heard: false,
            limit: usize::MAX,
        }
    }

    /// The one who is asked first.
    pub fn backend(&self) -> Backend {
        self.chain[0]
    }

    /// Events of these kinds were accepted. Tool uses wait for company.
    pub fn heard(&mut self, kinds: &[Kind], bytes: usize) {
        self.heard |= !kinds.is_empty();
        self.look |= !kinds.iter().all(waits_for_company);
        self.events += kinds.len();
        self.bytes += bytes;
    }

    pub fn ever_heard(&self) -> bool {
        self.heard
    }

    pub fn look_soon(&mut self) {
        self.look = true;
    }

    /// Nothing came for so long that a batch is not waited for any more.
    pub fn quiet(&mut self) {
        (self.quiet, self.look) = (true, true);
    }

    /// What to claim next, when there may be something and the hands are free.
    pub fn next_take(&mut self, flush: bool) -> Option<ClaimLimits> {
        let Measure { events, bytes, weigh } = self.measure;
        let due = self.look || self.events >= events || self.bytes >= bytes;
        if self.busy() || !due {
            return None;
        }
        let flush = flush || self.quiet;
        (self.asked, self.look, self.quiet, self.events, self.bytes) = (true, false, false, 0, 0);
        Some(ClaimLimits { events, bytes, flush, limit: self.limit, weigh })
    }

    /// A claim came back with nothing.
    pub fn nothing(&mut self) {
        self.asked = false;
    }

    pub fn take(&mut self, batch: Arc<Batch>, books: Books) {
        self.asked = false;
        self.rests_at = None;
        self.batch = Some(batch.clone());
        let mut mind = self.mind.take().unwrap_or_else(|| {
            BackendChain::new(self.settings.clone(), self.chain.clone(), &self.session)
        });
        self.task = Some(tokio::spawn(async move {
            let outcome = mind.distill(batch, &books).await;
            (mind, outcome)
        }));
    }

    /// The next thing that is done; never, while nothing is. A batch stays in hand until it is
    /// settled.
    pub async fn next(&mut self) -> Handed {
        let rests_at = self.rests_at;
        tokio::select! {
            ended = end_of(&mut self.task) => {
                self.task = None;
                self.finished(ended)
            }
            ended = end_of(&mut self.provisional) => {
                self.provisional = None;
                Handed::Provided(ended.ok())
            }
            () = moment(rests_at) => Handed::Rest,
        }
    }

    fn finished(&mut self, ended: Result<(BackendChain, Outcome), JoinError>) -> Handed {
        let outcome = match ended {
            Ok((mind, outcome)) => {
                self.rests_at = mind.keeps_running().then(|| Instant::now() + IDLE);
                self.mind = Some(mind);
                outcome
            }
            Err(e) => Outcome::Failed(died(&e)),
        };
        let batch = self.batch.clone().expect("in hand until it is settled");
        Handed::Distilled(Distilling { batch, outcome })
    }

    /// What was in hand is stored, or back in the queue.
    pub fn settled(&mut self, failed: bool) {
        let n = self.batch.take().map_or(1, |batch| batch.messages.len());
        self.limit = if failed { (n / 2).max(1) } else { self.limit.saturating_mul(2) };
        self.look = true;
    }

    /// Lets go of the batch in hand, and of whoever works on it.
    pub fn give_up(&mut self) -> Option<Arc<Batch>> {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        self.batch.take()
    }

    /// Makes a summary of what waits for the agent, by the local rules.
    pub fn provide(&mut self, batch: Arc<Batch>) {
        let limit = self.settings.config.agent.turn_timeout;
        self.provisional = Some(tokio::spawn(async move {
            let made = agent::distill_locally(batch.clone(), limit).await;
            Provisional { batch, summary: made.ok().and_then(|made| made.summary) }
        }));
    }

    /// Whether to ask who lacks a summary; else it is asked already, and will be again.
    pub fn asks_to_provide(&mut self) -> bool {
        !std::mem::replace(&mut self.provides, true)
    }

    /// Nobody lacks a summary, or none can be made.
    pub fn provided(&mut self) {
        self.provides = false;
    }

    /// Nothing is under way, not even a summary that holds meanwhile.
    pub fn idle(&self) -> bool {
        !self.busy() && !self.provides
    }

    /// Ends a conversation that nobody goes on with.
    pub fn rest(&mut self) {
        self.rests_at = None;
        if let Some(mut mind) = self.mind.take() {
            tokio::spawn(async move { mind.rest().await });
        }
    }

    pub fn busy(&self) -> bool {
        self.asked || self.batch.is_some()
    }

    /// What `ps` says of it.
    pub fn doing(&self) -> Option<&'static str> {
        let last = self.batch.as_ref()?.messages.last()?;
        Some(if last.cause.summarizes() { "finalising" } else { "distilling" })
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        let _ = self.give_up();
    }
}

/// Whether an event of this kind is one of several that are told together.
pub fn waits_for_company(kind: &Kind) -> bool {
    matches!(kind, Kind::Tool | Kind::ToolFailed | Kind::Subagent)
}

async fn end_of<T>(task: &mut Option<JoinHandle<T>>) -> Result<T, JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

async fn moment(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn died(e: &JoinError) -> AgentError {
    AgentError::Died(if e.is_panic() { "it panicked" } else { "it was ended" }.into())
}
