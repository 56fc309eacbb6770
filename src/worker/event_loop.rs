//! The worker's event loop: one enum of everything that can wake it, one select, one match.
//!
//! The loop translates each wake into an event for the [`Machine`] and performs the effects that
//! the machine returns. It also passes batches between the store and the [`BatchRunner`].

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use interprocess::local_socket::tokio::Listener;
use memctl_proto::event::Process;
use memctl_proto::line::Status;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::batch_runner::{BatchRunner, Provisional, TaskOutput};
use super::client_watch::{self, ClientWatch};
use super::ledger::StoreLedger;
use super::listener::{self, ConnContext, Control};
use super::machine::{Limits, Machine, State};
use super::owner::{Listening, Owner, Session};
use super::reset_alarm;
use super::signals::{Effect, Event, Exit, Sighting};
use super::status::StatusSnapshot;
use super::store_actor::{Report, StoreHandle};
use crate::activity::ParsedBatch;
use crate::agent::{self, Done, Outcome, deferral};
use crate::clock;
use crate::config::Settings;
use crate::deliver::launch;
use crate::store::accept::{ClosedBy, WhichPrompts};
use crate::store::commit::Attribution;
use crate::store::queue::{ClaimLimits, Deferral};
use crate::{project, spool, testpoint};

/// How long an exiting worker waits for the store. The next worker does the rest.
const EXIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Everything that can wake the loop.
enum Wake {
    Report(Report),
    Control(Control),
    Task(TaskOutput),
    ClientsExited(Process),
    Deadline,
    Terminate,
}

/// The channels and the signal that wake the loop.
struct Inbox {
    reports: mpsc::UnboundedReceiver<Report>,
    controls: mpsc::UnboundedReceiver<Control>,
    control_sender: mpsc::UnboundedSender<Control>,
    terminate: Signal,
}

pub struct EventLoop {
    settings: Arc<Settings>,
    session: Arc<Session>,
    machine: Machine,
    owner: Owner,
    store: StoreHandle,
    store_thread: std::thread::JoinHandle<()>,
    inbox: Inbox,
    runner: BatchRunner,
    clients: ClientWatch,
    snapshot: Arc<Mutex<StatusSnapshot>>,
    /// The last claim returned nothing because the next batch is deferred.
    is_deferred: bool,
    exit: Option<Exit>,
}

impl EventLoop {
    /// Must be called inside a tokio runtime. `backend`: the backend that the session began with,
    /// if recovery started this worker.
    pub fn new(
        settings: Settings,
        session: Session,
        recovery: bool,
        backend: Option<&str>,
        owner: Owner,
    ) -> io::Result<EventLoop> {
        // Installed before other processes can find this one and send SIGTERM.
        let terminate = signal(SignalKind::terminate())?;
        let (settings, session) = (Arc::new(settings), Arc::new(session));
        let (store, reports, store_thread) = StoreHandle::start(settings.clone(), session.clone());
        let (control_sender, controls) = mpsc::unbounded_channel();
        let chain = agent::chain(&settings.config.agent, backend);
        let runner = BatchRunner::new(settings.clone(), chain, &session.key);
        let status = Status {
            client: session.client.clone(),
            session: session.id.clone(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            backend: runner.backend().name().into(),
            started_at_epoch: clock::now_ms(),
            ..Status::default()
        };
        let now = Instant::now();
        Ok(EventLoop {
            machine: Machine::new(limits(&settings, &runner), recovery, now),
            settings,
            session,
            owner,
            store,
            store_thread,
            inbox: Inbox { reports, controls, control_sender, terminate },
            runner,
            clients: ClientWatch::default(),
            snapshot: Arc::new(Mutex::new(StatusSnapshot { status, last_event: now })),
            is_deferred: false,
            exit: None,
        })
    }

    /// Serves the session until the machine exits and the final check finds no more work.
    pub async fn run(mut self) -> io::Result<()> {
        tracing::info!(pid = std::process::id(), "serving");
        loop {
            let server = self.listen()?;
            while self.exit.is_none() {
                self.update_snapshot();
                let wake = self.next_wake().await;
                self.handle(wake);
            }
            if let Some(server) = server {
                server.stop().await;
            }
            self.note_late_wakes();
            self.owner.unlink_socket();
            testpoint::at("worker.closed");
            if !self.finds_work().await {
                break;
            }
            tracing::info!("work arrived during shutdown; listening again");
            self.exit = None;
        }
        testpoint::at("worker.looked");
        self.shut_down().await
    }

    /// Binds the socket and starts to serve it. Returns `None` if no socket can be bound, or if the
    /// session lock is lost and the machine has exited.
    fn listen(&mut self) -> io::Result<Option<Server>> {
        let listener = match self.owner.listen(&self.settings, &self.session)? {
            Listening::Socket(listener) => Some(listener),
            Listening::NoSocket => None,
            Listening::LockLost => {
                tracing::warn!("the session's lock file was deleted or replaced");
                self.step(Event::LockLost);
                return Ok(None);
            }
        };
        let context = ConnContext {
            settings: self.settings.clone(),
            session: self.session.clone(),
            store: self.store.clone(),
            control: self.inbox.control_sender.clone(),
            snapshot: self.snapshot.clone(),
        };
        let server = listener.map(|listener| Server::spawn(listener, context));
        self.step(Event::Listening { socket: server.is_some() });
        Ok(server)
    }

    /// Tells the machine about wakes that the listener has answered since the machine exited. Other
    /// requests stay in the channel.
    fn note_late_wakes(&mut self) {
        let controls: Vec<_> = std::iter::from_fn(|| self.inbox.controls.try_recv().ok()).collect();
        for control in controls {
            match control {
                Control::Wake => self.step(Event::Wake),
                Control::Shutdown { .. } => {
                    // Cannot fail, because the inbox has the receiver.
                    let _ = self.inbox.control_sender.send(control);
                }
            }
        }
    }

    async fn next_wake(&mut self) -> Wake {
        let deadline = self.machine.next_deadline().into();
        tokio::select! {
            Some(report) = self.inbox.reports.recv() => Wake::Report(report),
            Some(control) = self.inbox.controls.recv() => Wake::Control(control),
            output = self.runner.next() => Wake::Task(output),
            last = self.clients.all_exited() => Wake::ClientsExited(last),
            () = tokio::time::sleep_until(deadline) => Wake::Deadline,
            _ = self.inbox.terminate.recv() => Wake::Terminate,
        }
    }

    fn handle(&mut self, wake: Wake) {
        match wake {
            Wake::Report(report) => {
                let claims_nothing = matches!(report, Report::NothingToClaim { .. });
                if let Some(event) = self.translate(report) {
                    self.step(event);
                }
                if claims_nothing && self.waits_for_other_settings() {
                    self.step(Event::SettingsChanged);
                }
            }
            Wake::Control(Control::Wake) if self.waits_for_other_settings() => {
                self.step(Event::SettingsChanged);
            }
            Wake::Control(Control::Wake) => self.step(Event::Wake),
            Wake::Control(Control::Shutdown { graceful }) => {
                self.step(Event::Shutdown { graceful });
            }
            Wake::Terminate => self.step(Event::Shutdown { graceful: false }),
            Wake::Task(TaskOutput::Distilled { batch, outcome }) => {
                self.store_outcome(batch, outcome);
            }
            Wake::Task(TaskOutput::Provisional(Some(Provisional { batch, summary, turn }))) => {
                self.store.store_provisional(batch, summary, turn);
            }
            Wake::Task(TaskOutput::Provisional(None)) => {
                tracing::warn!("the local rules could not write a provisional summary");
                self.step(Event::SummariesDone);
            }
            Wake::Task(TaskOutput::AgentIdle) => self.runner.end_agent(),
            Wake::ClientsExited(last) => {
                tracing::info!(pid = last.pid, "the client has exited");
                self.step(Event::ClientsExited { last });
            }
            Wake::Deadline => self.step(Event::Deadline),
        }
    }

    /// Translates a report into an event for the machine, and hands a batch in it to the runner.
    fn translate(&mut self, report: Report) -> Option<Event> {
        Some(match report {
            Report::Accepted { kinds, bytes, clients, session } => {
                self.record_arrival(kinds.len());
                Event::Accepted { kinds, bytes, clients: self.watch_clients(clients), session }
            }
            Report::SpoolDrained { kinds, clients, session } => {
                tracing::debug!(events = kinds.len(), "drained the spool");
                self.record_arrival(kinds.len());
                // The client of an earlier worker's events may have exited since.
                let clients = clients.into_iter().chain(session.client);
                Event::SpoolDrained { kinds, clients: self.watch_clients(clients), session }
            }
            Report::Claimed { batch, session } => {
                self.is_deferred = false;
                let messages = batch.messages.len();
                let summarizes = batch.messages.last().is_some_and(|m| m.cause.summarizes());
                tracing::debug!(events = messages, "distilling");
                self.runner.distill(batch, StoreLedger(self.store.clone()));
                Event::Claimed { messages, summarizes, session }
            }
            Report::NothingToClaim { not_before, session } => {
                self.is_deferred = not_before.is_some();
                let retry_in = not_before.map(|epoch| {
                    Duration::from_millis((epoch - clock::now_ms()).max(1).cast_unsigned())
                });
                Event::NothingToClaim { retry_in, session }
            }
            Report::BatchSettled { failed, session } => {
                self.runner.settled();
                Event::BatchSettled { failed, session }
            }
            Report::PromptsClosed { session } => Event::PromptsClosed { session },
            Report::Unsummarized(Some(batch)) => {
                self.runner.summarize(batch);
                return None;
            }
            Report::Unsummarized(None) => Event::SummariesDone,
            Report::Unavailable(why) => {
                tracing::warn!("the store cannot be used: {why}");
                Event::StoreUnavailable
            }
            Report::Fenced { why, successor } => {
                tracing::warn!("{why}");
                Event::Fenced { successor }
            }
        })
    }

    /// Whether the next batch waits for a backend, and the settings of the backends have changed since
    /// this worker read them.
    fn waits_for_other_settings(&self) -> bool {
        let changed = self.is_deferred
            && project::settings(&[])
                .is_ok_and(|now| deferral::current(&now) != deferral::current(&self.settings));
        if changed {
            tracing::info!("the settings of the backends have changed; a new worker reads them");
        }
        changed
    }

    fn record_arrival(&self, events: usize) {
        if events > 0 {
            self.snapshot.lock().expect("never poisoned").last_event = Instant::now();
        }
    }

    fn watch_clients(&mut self, clients: impl IntoIterator<Item = Process>) -> Sighting {
        let mut sighting = Sighting::Nothing;
        for client in clients {
            match self.clients.watch(client) {
                true => sighting = Sighting::New,
                false if sighting == Sighting::Nothing => sighting = Sighting::Known,
                false => {}
            }
        }
        sighting
    }

    /// Hands the outcome to the store, which reports when the batch is settled.
    fn store_outcome(&self, batch: Arc<ParsedBatch>, outcome: Outcome) {
        let events = batch.messages.len();
        match outcome {
            Outcome::Done(done) => {
                let Done { distilled, backend, summary_backend } = *done;
                let by = Attribution {
                    observations: backend.name(),
                    summary: summary_backend.name(),
                    session: self.runner.backend().name(),
                };
                self.store.complete(batch, distilled, by);
            }
            Outcome::Deferred { reason, delay, waits_for } => {
                tracing::warn!(events, ?delay, "a batch is deferred: {reason}");
                let until = clock::now_ms() + delay.as_millis() as i64;
                self.store.defer(batch, Deferral { reason, until, waits_for });
            }
            Outcome::Failed(reason) => {
                tracing::warn!(events, "a batch failed: {reason}");
                self.store.fail(batch, reason.to_string());
            }
        }
    }

    fn step(&mut self, event: Event) {
        let before = self.machine.state();
        let cause = tracing::enabled!(tracing::Level::DEBUG).then(|| format!("{event:?}"));
        let effects = self.machine.step(Instant::now(), event);
        let after = self.machine.state();
        if before != after {
            tracing::debug!("{before:?} -> {after:?} ({})", cause.unwrap_or_default());
        }
        for effect in effects {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::DrainSpool => self.store.drain_spool(),
            Effect::Claim(request) => {
                let threshold = self.runner.batch_threshold();
                self.store.claim(ClaimLimits {
                    events: threshold.events,
                    bytes: threshold.bytes,
                    measure: threshold.measure,
                    flush: request.flush,
                    limit: request.max_messages,
                });
            }
            Effect::WriteProvisionalSummaries => self.store.find_unsummarized(),
            Effect::ClosePrompts(by) => {
                let which =
                    if by == ClosedBy::Late { WhichPrompts::Reopened } else { WhichPrompts::All };
                self.store.close_prompts(by, which);
            }
            Effect::EndSession { client, prompt } => {
                self.store
                    .accept(client_watch::end_event(&self.session, prompt, client), Box::new(drop));
            }
            Effect::ReleaseBatch => {
                if let Some(batch) = self.runner.abort() {
                    self.store.release(batch);
                }
            }
            Effect::EmptyLog => self.store.empty_log(),
            Effect::ResetAlarm => reset_alarm(&self.settings),
            Effect::Exit(exit) => self.exit = Some(exit),
        }
    }

    /// Checks for work once more. If the store does not answer in time, there may be work. The
    /// worker then listens again, at most until its end deadline.
    async fn finds_work(&self) -> bool {
        self.exit.is_some_and(|exit| exit.recheck)
            && timeout(EXIT_TIMEOUT, self.store.has_work()).await.unwrap_or(true)
    }

    async fn shut_down(self) -> io::Result<()> {
        if timeout(EXIT_TIMEOUT, self.store.shut_down()).await.is_ok() {
            let _ = self.store_thread.join();
        }
        tracing::info!("exiting");
        self.owner.release();
        let spool_is_left =
            || self.machine.owes_drain() && spool::exists(&self.settings.paths, &self.session.key);
        if self.exit.is_some_and(|exit| exit.successor) || spool_is_left() {
            launch::start_worker(&self.settings, &self.session.client, &self.session.id)?;
        }
        Ok(())
    }

    fn update_snapshot(&self) {
        let mut snapshot = self.snapshot.lock().expect("never poisoned");
        let status = &mut snapshot.status;
        status.state =
            if self.machine.state() == State::Serving { "serving" } else { "ending" }.into();
        status.doing = self.machine.doing().into();
        status.prompt = self.machine.session().prompt;
    }
}

fn limits(settings: &Settings, runner: &BatchRunner) -> Limits {
    let threshold = runner.batch_threshold();
    let is_model = runner.backend().is_model();
    Limits {
        worker: settings.config.worker.clone(),
        batch_events: threshold.events,
        batch_bytes: threshold.bytes,
        batch_quiet: is_model.then_some(settings.config.agent.batch_quiet),
        provisional: is_model,
    }
}

/// The task that serves the socket.
struct Server {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Server {
    fn spawn(listener: Listener, context: ConnContext) -> Server {
        let (stop, stopping) = watch::channel(false);
        Server { task: tokio::spawn(listener::serve(listener, context, stopping)), stop }
    }

    /// Closes the socket, and waits for the replies to requests that were already read.
    async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}
