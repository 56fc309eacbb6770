//! The store thread: the only thread of a worker that uses its SQLite connection.
//!
//! The event loop, its connections and its tasks send messages through a [`StoreHandle`].
//! [`actor::StoreActor`] handles them in order and reports to the event loop.

mod acceptance;
mod actor;
mod agent;
mod maintenance;

use std::sync::Arc;
use std::sync::mpsc::{self, TryRecvError};
use std::thread::JoinHandle;
use std::time::Duration;

use memctl_proto::event::Process;
use memctl_proto::{Code, Event, Kind};
use tokio::sync::{mpsc as reports, oneshot};

use super::owner::Session;
use super::signals::SessionStatus;
use crate::activity::ParsedBatch;
use crate::agent::{Admission, Backend, CallRequest, PauseRequest, Served};
use crate::config::Settings;
use crate::injection::Asked;
use crate::memory::{CallOutcome, Distilled, Summary, Turn};
use crate::store::accept::{Accepted, ClosedBy, WhichPrompts};
use crate::store::commit::Attribution;
use crate::store::queue::{ClaimLimits, Deferral};
use actor::StoreActor;

/// The reason why an event is rejected. The hook then spools the event.
#[derive(Clone, Debug)]
pub struct Rejection {
    pub code: Code,
    pub message: String,
}

pub type AcceptResult = Result<Accepted, Rejection>;

/// Replies to the peer. Runs on the store thread after the commit, and must not block.
pub type Reply = Box<dyn FnOnce(AcceptResult) + Send>;

/// Sends a block to the peer. Runs on the store thread, and must not block.
pub type Inject = Box<dyn FnOnce(String) + Send>;

enum Message {
    Accept { event: Box<Event>, reply: Reply },
    Inject { asked: Box<Asked>, reply: Inject },
    OpenCall { request: Box<CallRequest>, reply: oneshot::Sender<Admission> },
    Pause { request: Box<PauseRequest>, reply: oneshot::Sender<Duration> },
    Recall { of: Box<Served>, reply: oneshot::Sender<String> },
    HasWork(oneshot::Sender<bool>),
    ShutDown(oneshot::Sender<()>),
    Job(Job),
}

/// Work without a reply. Most jobs are kept and retried if the store is unavailable.
enum Job {
    DrainSpool,
    Claim(ClaimLimits),
    Complete {
        batch: Arc<ParsedBatch>,
        distilled: Box<Distilled>,
        by: Attribution,
    },
    /// Returns the batch to the queue, not to be claimed before `until`. The reason is no failure
    /// of the batch, but for example a rate limit.
    Defer {
        batch: Arc<ParsedBatch>,
        deferral: Deferral,
    },
    Fail {
        batch: Arc<ParsedBatch>,
        reason: String,
    },
    /// Returns the batch to the queue as if it had never been claimed.
    Release(Arc<ParsedBatch>),
    ClosePrompts {
        by: ClosedBy,
        which: WhichPrompts,
    },
    EmptyLog,
    FindUnsummarized,
    StoreProvisional {
        batch: Arc<ParsedBatch>,
        summary: Box<Summary>,
        turn: Option<Box<Turn>>,
    },
    SettleCall {
        call: i64,
        outcome: CallOutcome,
    },
    Refuse {
        backend: Backend,
        config_fingerprint: String,
        why: String,
    },
    Answered(Backend),
    Learn {
        of: Served,
        learnt: String,
    },
}

/// The result of a job or of a group of events. If the session changed, the report carries its new
/// status.
#[derive(Debug)]
pub enum Report {
    /// Events were committed. Duplicates are not listed.
    Accepted {
        kinds: Vec<Kind>,
        bytes: usize,
        /// The client processes that the events name.
        clients: Vec<Process>,
        session: SessionStatus,
    },
    /// The spool was drained, or there was none.
    SpoolDrained {
        kinds: Vec<Kind>,
        clients: Vec<Process>,
        session: SessionStatus,
    },
    Claimed {
        batch: Arc<ParsedBatch>,
        session: SessionStatus,
    },
    /// `not_before`: when the first message may be claimed, in milliseconds since the epoch.
    NothingToClaim {
        not_before: Option<i64>,
        session: SessionStatus,
    },
    /// A batch is stored, or back in the queue.
    BatchSettled {
        failed: bool,
        session: SessionStatus,
    },
    PromptsClosed {
        session: SessionStatus,
    },
    /// The messages of a Stop that has no summary; `None` if each has one.
    Unsummarized(Option<Arc<ParsedBatch>>),
    /// A transaction failed. It may succeed later.
    Unavailable(String),
    /// See [`Event::Fenced`](super::signals::Event::Fenced).
    Fenced {
        why: String,
        successor: bool,
    },
}

/// At most this many events are committed in one transaction.
const MAX_GROUP: usize = 500;

/// The name of the store thread.
pub const THREAD: &str = "store";

/// Sends messages to the store thread.
#[derive(Clone)]
pub struct StoreHandle {
    messages: mpsc::Sender<Message>,
}

impl StoreHandle {
    /// Starts the thread. It opens the database with its first transaction.
    pub fn start(
        settings: Arc<Settings>,
        session: Arc<Session>,
    ) -> (StoreHandle, reports::UnboundedReceiver<Report>, JoinHandle<()>) {
        let (messages, inbox) = mpsc::channel();
        let (reports, outbox) = reports::unbounded_channel();
        let actor = StoreActor::new(settings, session, reports);
        let thread = std::thread::Builder::new()
            .name(THREAD.into())
            .stack_size(1 << 20)
            .spawn(move || run(actor, &inbox))
            .expect("spawn the store thread");
        (StoreHandle { messages }, outbox, thread)
    }

    pub fn accept(&self, event: Event, reply: Reply) {
        self.send(Message::Accept { event: Box::new(event), reply });
    }

    pub fn inject(&self, asked: Asked, reply: Inject) {
        self.send(Message::Inject { asked: Box::new(asked), reply });
    }

    pub fn drain_spool(&self) {
        self.job(Job::DrainSpool);
    }

    pub fn claim(&self, limits: ClaimLimits) {
        self.job(Job::Claim(limits));
    }

    pub fn complete(&self, batch: Arc<ParsedBatch>, distilled: Distilled, by: Attribution) {
        self.job(Job::Complete { batch, distilled: Box::new(distilled), by });
    }

    pub fn defer(&self, batch: Arc<ParsedBatch>, deferral: Deferral) {
        self.job(Job::Defer { batch, deferral });
    }

    pub fn fail(&self, batch: Arc<ParsedBatch>, reason: String) {
        self.job(Job::Fail { batch, reason });
    }

    pub fn release(&self, batch: Arc<ParsedBatch>) {
        self.job(Job::Release(batch));
    }

    pub fn close_prompts(&self, by: ClosedBy, which: WhichPrompts) {
        self.job(Job::ClosePrompts { by, which });
    }

    pub fn empty_log(&self) {
        self.job(Job::EmptyLog);
    }

    pub fn find_unsummarized(&self) {
        self.job(Job::FindUnsummarized);
    }

    pub fn store_provisional(
        &self,
        batch: Arc<ParsedBatch>,
        summary: Summary,
        turn: Option<Box<Turn>>,
    ) {
        self.job(Job::StoreProvisional { batch, summary: Box::new(summary), turn });
    }

    pub fn open_call(&self, request: CallRequest) -> oneshot::Receiver<Admission> {
        let (reply, admission) = oneshot::channel();
        self.send(Message::OpenCall { request: Box::new(request), reply });
        admission
    }

    pub fn settle_call(&self, call: i64, outcome: CallOutcome) {
        self.job(Job::SettleCall { call, outcome });
    }

    pub fn refuse(&self, backend: Backend, config_fingerprint: String, why: String) {
        self.job(Job::Refuse { backend, config_fingerprint, why });
    }

    pub fn answered(&self, backend: Backend) {
        self.job(Job::Answered(backend));
    }

    pub fn pause(&self, request: PauseRequest) -> oneshot::Receiver<Duration> {
        let (reply, delay) = oneshot::channel();
        self.send(Message::Pause { request: Box::new(request), reply });
        delay
    }

    pub fn recall(&self, of: Served) -> oneshot::Receiver<String> {
        let (reply, learnt) = oneshot::channel();
        self.send(Message::Recall { of: Box::new(of), reply });
        learnt
    }

    pub fn learn(&self, of: Served, learnt: String) {
        self.job(Job::Learn { of, learnt });
    }

    /// Whether an event is spooled or queued.
    pub async fn has_work(&self) -> bool {
        let (reply, found) = oneshot::channel();
        self.send(Message::HasWork(reply));
        found.await.unwrap_or(false)
    }

    /// Records the orderly shutdown in the store and ends the thread.
    pub async fn shut_down(&self) {
        let (reply, done) = oneshot::channel();
        self.send(Message::ShutDown(reply));
        let _ = done.await;
    }

    fn job(&self, job: Job) {
        self.send(Message::Job(job));
    }

    fn send(&self, message: Message) {
        // Fails only after `ShutDown`. The caller then finds its reply channel closed.
        let _ = self.messages.send(message);
    }
}

/// Handles messages in order. Events that are in the channel at the same time are committed
/// together; no timer waits for more. While there is none, changes that were interrupted are completed.
fn run(mut actor: StoreActor, inbox: &mpsc::Receiver<Message>) {
    let mut next = None;
    let mut may_have_rest = true;
    loop {
        let message = match next.take().map_or_else(|| inbox.try_recv(), Ok) {
            Ok(message) => message,
            Err(TryRecvError::Empty) if may_have_rest => {
                may_have_rest = actor.maintain();
                continue;
            }
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => match inbox.recv() {
                Ok(message) => message,
                Err(_) => return,
            },
        };
        may_have_rest = true;
        match message {
            Message::Accept { event, reply } => {
                let mut group = vec![(*event, reply)];
                while group.len() < MAX_GROUP && next.is_none() {
                    match inbox.try_recv() {
                        Ok(Message::Accept { event, reply }) => group.push((*event, reply)),
                        Ok(other) => next = Some(other),
                        Err(_) => break,
                    }
                }
                actor.accept(group);
            }
            Message::Inject { asked, reply } => actor.inject(&asked, reply),
            Message::OpenCall { request, reply } => {
                let _ = reply.send(actor.open_call(&request));
            }
            Message::Pause { request, reply } => {
                // If the sender is dropped, the agent waits for its default time.
                let _ = actor.pause(&request).map(|delay| reply.send(delay));
            }
            Message::Recall { of, reply } => {
                let _ = reply.send(actor.recall(&of));
            }
            Message::HasWork(reply) => {
                let _ = reply.send(actor.has_work());
            }
            Message::ShutDown(reply) => {
                actor.shut_down();
                let _ = reply.send(());
                return;
            }
            Message::Job(job) => actor.carry_out(job),
        }
    }
}
