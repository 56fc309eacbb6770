//! The worker's hands: at most one batch at a time, distilled off the main thread, and what is
//! known about whether claiming another is worth a transaction.
//!
//! A thread cannot be killed. One that takes too long is left behind with its batch, which is
//! tried again on another; it ends with the process, if it never ends by itself.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use memctl_proto::Kind;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::agent::{AgentError, Backend};
use crate::memory::{Batch, Distilled};
use crate::store::queue::Take;
use crate::testpoint;

/// What a turn may have in front of its `summarize` before it is distilled in parts.
const EVENTS: usize = 256;
const BYTES: usize = 1 << 20;

/// A batch and what came of it.
pub struct Distilling {
    pub batch: Arc<Batch>,
    pub outcome: Result<Distilled, AgentError>,
}

/// A batch on its way through the backend, and until when it is waited for.
struct Task {
    outcome: oneshot::Receiver<Result<Distilled, AgentError>>,
    deadline: Instant,
}

pub struct Hands {
    backend: Backend,
    batch: Option<Arc<Batch>>,
    task: Option<Task>,
    /// How long one batch may take.
    patience: Duration,
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
    pub fn new(backend: Backend, patience: Duration) -> Hands {
        Hands {
            backend,
            batch: None,
            task: None,
            patience,
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
        let (done, outcome) = oneshot::channel();
        // A thread of its own, not one of a pool: one that never comes back must not be missed.
        // Where none can be had, the outcome is that nobody will send one.
        let _ = thread::Builder::new().name("distill".into()).spawn(move || {
            testpoint::at("distill.begun");
            for message in &given.messages {
                testpoint::with("distill.tool", message.tool_name.as_deref());
            }
            let _ = done.send(backend.distill(&given));
        });
        self.task = Some(Task { outcome, deadline: Instant::now() + self.patience });
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
        let outcome = match timeout_at(task.deadline, &mut task.outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(AgentError::Died("it panicked".into())),
            Err(_) => Err(AgentError::TimedOut(self.patience)),
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
