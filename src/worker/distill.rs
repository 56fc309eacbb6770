//! The worker's hands: at most one batch at a time, distilled off the main thread, and what is
//! known about whether claiming another is worth a transaction.

use std::sync::Arc;

use memctl_proto::Kind;
use tokio::task::JoinHandle;

use crate::agent::{AgentError, Backend};
use crate::memory::{Batch, Distilled};
use crate::store::queue::Take;

/// What a turn may have in front of its `summarize` before it is distilled in parts.
const EVENTS: usize = 256;
const BYTES: usize = 1 << 20;

/// A batch and what came of it.
pub struct Distilling {
    pub batch: Arc<Batch>,
    pub outcome: Result<Distilled, String>,
}

pub struct Hands {
    backend: Backend,
    batch: Option<Arc<Batch>>,
    task: Option<JoinHandle<Result<Distilled, AgentError>>>,
    /// A claim is under way.
    asked: bool,
    /// Something may be due.
    look: bool,
    /// Accepted since the last claim.
    events: usize,
    bytes: usize,
    heard: bool,
    /// Most messages of the next batch: halved after a failure, so that a message which fails is
    /// found.
    limit: usize,
}

impl Hands {
    pub fn new(backend: Backend) -> Hands {
        Hands {
            backend,
            batch: None,
            task: None,
            asked: false,
            look: false,
            events: 0,
            bytes: 0,
            heard: false,
            limit: usize::MAX,
        }
    }

    pub fn backend_name(&self) -> &'static str {
        self.backend.name()
    }

    /// Events of these kinds were accepted. Tool uses wait for the end of their turn.
    pub fn heard(&mut self, kinds: &[Kind], bytes: usize) {
        let waits = |kind: &Kind| matches!(kind, Kind::Tool | Kind::ToolFailed | Kind::Subagent);
        self.heard |= !kinds.is_empty();
        self.look |= !kinds.iter().all(waits);
        self.events += kinds.len();
        self.bytes += bytes;
    }

    pub fn ever_heard(&self) -> bool {
        self.heard
    }

    pub fn look_soon(&mut self) {
        self.look = true;
    }

    /// What to claim next, when there may be something and the hands are free.
    pub fn next_take(&mut self, flush: bool) -> Option<Take> {
        let due = self.look || self.events >= EVENTS || self.bytes >= BYTES;
        if self.busy() || !due {
            return None;
        }
        (self.asked, self.look, self.events, self.bytes) = (true, false, 0, 0);
        Some(Take { events: EVENTS, bytes: BYTES, flush, limit: self.limit })
    }

    /// A claim came back with nothing.
    pub fn nothing(&mut self) {
        self.asked = false;
    }

    pub fn take(&mut self, batch: Arc<Batch>) {
        self.asked = false;
        let (backend, given) = (self.backend, batch.clone());
        self.batch = Some(batch);
        self.task = Some(tokio::task::spawn_blocking(move || backend.distill(&given)));
    }

    /// Whether [`Hands::finished`] will ever return.
    pub fn full(&self) -> bool {
        self.task.is_some()
    }

    /// The batch in hand, distilled. It stays in hand until it is settled.
    pub async fn finished(&mut self) -> Distilling {
        let (Some(task), Some(batch)) = (&mut self.task, &self.batch) else {
            return std::future::pending().await;
        };
        let outcome = match task.await {
            Ok(outcome) => outcome.map_err(|e| e.to_string()),
            Err(e) if e.is_panic() => Err("distilling panicked".into()),
            Err(e) => Err(e.to_string()),
        };
        let batch = batch.clone();
        self.task = None;
        Distilling { batch, outcome }
    }

    /// What was in hand is stored, or back in the queue.
    pub fn settled(&mut self, failed: bool) {
        let n = self.batch.take().map_or(1, |batch| batch.messages.len());
        self.limit = if failed { (n / 2).max(1) } else { self.limit.saturating_mul(2) };
        self.look = true;
    }

    /// Lets go of the batch in hand.
    pub fn give_up(&mut self) -> Option<Arc<Batch>> {
        self.task = None;
        self.batch.take()
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
