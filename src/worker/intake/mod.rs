//! The way to the worker's connection to the store, which a thread of its own has in hand
//! ([`keeper`]): jobs in, reports out. When to claim, to close or to leave is the worker's loop to say.

mod agent;
mod keeper;

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use memctl_proto::event::Process;
use memctl_proto::{Code, Event, Kind};
use tokio::sync::{mpsc as reports, oneshot};

use super::owner::Session;
use crate::agent::{Admission, Backend, CallRequest};
use crate::config::Settings;
use crate::memory::{Batch, CallOutcome, Distilled, Summary};
use crate::store::accept::{Accepted, ClosedBy, OpenPrompts, WhichPrompts};
use crate::store::commit::Attribution;
use crate::store::queue::ClaimLimits;
use keeper::Keeper;

/// Why an event is not taken over the socket; its hook spools it.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub code: Code,
    pub message: String,
}

pub type Verdict = Result<Accepted, Refusal>;

/// Tells the peer. Runs on the intake's thread, after the commit, and must not wait.
pub type Answer = Box<dyn FnOnce(Verdict) + Send>;

/// What the thread is asked to do.
enum Job {
    Accept {
        event: Box<Event>,
        reply: Answer,
    },
    TakeIn,
    Claim(ClaimLimits),
    Complete {
        batch: Arc<Batch>,
        distilled: Box<Distilled>,
        by: Attribution,
    },
    /// It waits for a reason that is not its own, until then.
    Hold {
        batch: Arc<Batch>,
        reason: String,
        until: i64,
    },
    Fail {
        batch: Arc<Batch>,
        reason: String,
    },
    GiveBack(Arc<Batch>),
    Close {
        by: ClosedBy,
        which: WhichPrompts,
    },
    Checkpoint,
    /// Which Stop waits without a summary?
    Unsummarised,
    Provide {
        batch: Arc<Batch>,
        summary: Box<Summary>,
    },
    OpenCall {
        opening: Box<CallRequest>,
        reply: oneshot::Sender<Admission>,
    },
    SettleCall {
        call: i64,
        settled: CallOutcome,
    },
    Refuse {
        backend: Backend,
        config_fingerprint: String,
        why: String,
    },
    Answered(Backend),
    /// Is there anything in spool or queue? Asked once more after the socket has gone.
    LookOnceMore(oneshot::Sender<bool>),
    Leave(oneshot::Sender<()>),
}

/// What came of it.
#[derive(Debug)]
pub enum Report {
    /// Events were accepted, here or from the spool.
    Accepted {
        kinds: Vec<Kind>,
        bytes: usize,
        /// The client's processes that they name.
        clients: Vec<Process>,
    },
    /// The spool is taken in, the session's standing is known.
    TookIn {
        events: usize,
    },
    Claimed(Arc<Batch>),
    /// Nothing to claim, or nothing before this time (milliseconds since the epoch).
    NothingToClaim {
        not_before: Option<i64>,
    },
    /// What has no summary yet and waits for the agent; nothing, when nobody lacks one.
    Unsummarised(Option<Arc<Batch>>),
    /// A batch is settled, stored or not.
    Settled {
        failed: bool,
    },
    /// How the session stands. Precedes the report of what changed it, so that nothing is decided
    /// on what was true before.
    Standing(Standing),
    /// The store cannot be used now.
    Unavailable(String),
    /// The session is another worker's, or the database a newer version's. An heir is needed
    /// when the other one may have gone already.
    NotOurs {
        why: String,
        needs_heir: bool,
    },
}

/// What is left to do for the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Messages that nobody has claimed.
    pub pending: u64,
    pub open: OpenPrompts,
    /// Number of the newest prompt.
    pub prompt: i64,
    /// It has not ended.
    pub active: bool,
    /// The client's process that was heard of last, by this worker or another.
    pub client: Option<Process>,
}

/// At most so many events are committed in one transaction.
const GROUP: usize = 500;

/// Its name.
pub const THREAD: &str = "intake";

/// Sends jobs to the store thread.
#[derive(Clone)]
pub struct Intake {
    jobs: mpsc::Sender<Job>,
}

impl Intake {
    /// Starts the thread. It opens the store itself, and again whenever it has to.
    pub fn start(
        settings: Arc<Settings>,
        session: Arc<Session>,
    ) -> (Intake, reports::UnboundedReceiver<Report>, JoinHandle<()>) {
        let (jobs, inbox) = mpsc::channel();
        let (reports, outbox) = reports::unbounded_channel();
        let keeper = Keeper::new(settings, session, reports);
        let thread = std::thread::Builder::new()
            .name(THREAD.into())
            .stack_size(1 << 20)
            .spawn(move || work(keeper, &inbox))
            .expect("a thread for the store");
        (Intake { jobs }, outbox, thread)
    }

    pub fn accept(&self, event: Event, reply: Answer) {
        self.send(Job::Accept { event: Box::new(event), reply });
    }

    /// An event of the worker's own, which nobody waits for.
    pub fn say(&self, event: Event) {
        self.accept(event, Box::new(drop));
    }

    pub fn take_in(&self) {
        self.send(Job::TakeIn);
    }

    pub fn claim(&self, take: ClaimLimits) {
        self.send(Job::Claim(take));
    }

    pub fn complete(&self, batch: Arc<Batch>, distilled: Distilled, by: Attribution) {
        self.send(Job::Complete { batch, distilled: Box::new(distilled), by });
    }

    pub fn hold(&self, batch: Arc<Batch>, reason: String, until: i64) {
        self.send(Job::Hold { batch, reason, until });
    }

    pub fn unsummarised(&self) {
        self.send(Job::Unsummarised);
    }

    pub fn provide(&self, batch: Arc<Batch>, summary: Summary) {
        self.send(Job::Provide { batch, summary: Box::new(summary) });
    }

    pub fn open_call(&self, opening: CallRequest) -> oneshot::Receiver<Admission> {
        let (reply, room) = oneshot::channel();
        self.send(Job::OpenCall { opening: Box::new(opening), reply });
        room
    }

    pub fn settle_call(&self, call: i64, settled: CallOutcome) {
        self.send(Job::SettleCall { call, settled });
    }

    pub fn refuse(&self, backend: Backend, config_fingerprint: String, why: String) {
        self.send(Job::Refuse { backend, config_fingerprint, why });
    }

    pub fn answered(&self, backend: Backend) {
        self.send(Job::Answered(backend));
    }

    pub fn fail(&self, batch: Arc<Batch>, reason: String) {
        self.send(Job::Fail { batch, reason });
    }

    pub fn give_back(&self, batch: Arc<Batch>) {
        self.send(Job::GiveBack(batch));
    }

    pub fn close(&self, by: ClosedBy, which: WhichPrompts) {
        self.send(Job::Close { by, which });
    }

    pub fn checkpoint(&self) {
        self.send(Job::Checkpoint);
    }

    /// Whether spool or queue hold anything.
    pub async fn look_once_more(&self) -> bool {
        let (answer, found) = oneshot::channel();
        self.send(Job::LookOnceMore(answer));
        found.await.unwrap_or(false)
    }

    /// Puts everything in order and ends the thread.
    pub async fn leave(&self) {
        let (answer, left) = oneshot::channel();
        self.send(Job::Leave(answer));
        let _ = left.await;
    }

    fn send(&self, job: Job) {
        // The thread ends only after `Leave`; whoever asks later finds its answer missing.
        let _ = self.jobs.send(job);
    }
}

/// Carries out the jobs in `inbox`. Events that are there at the same time are committed together;
/// no timer waits for more.
fn work(mut keeper: Keeper, inbox: &mpsc::Receiver<Job>) {
    let mut next = None;
    while let Some(job) = next.take().or_else(|| inbox.recv().ok()) {
        match job {
            Job::Accept { event, reply } => {
                let mut group = vec![(*event, reply)];
                while group.len() < GROUP && next.is_none() {
                    match inbox.try_recv() {
                        Ok(Job::Accept { event, reply }) => group.push((*event, reply)),
                        Ok(other) => next = Some(other),
                        Err(_) => break,
                    }
                }
                keeper.accept(group);
                keeper.tend_the_log();
            }
            Job::Leave(left) => {
                keeper.put_in_order();
                let _ = left.send(());
                return;
            }
            Job::OpenCall { opening, reply } => {
                let _ = reply.send(keeper.open_call(&opening));
            }
            Job::LookOnceMore(answer) => {
                let _ = answer.send(keeper.anything_left());
            }
            other => keeper.carry_out(other),
        }
    }
}
