//! The worker's loop, from its first listening to its last look: one enum of everything that can
//! wake it, one select, one match. What it decides by is [`super::state`].

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use interprocess::local_socket::tokio::Listener;
use memctl_proto::Kind;
use memctl_proto::event::Process;
use memctl_proto::line::Status;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::books::Books;
use super::clocks::{Clocks, Due};
use super::distill::{Handed, Hands};
use super::intake::{Intake, Report, Standing};
use super::listener::{self, Ask, Desk};
use super::owner::{Owner, Session};
use super::set_last_resort;
use super::shown::Shown;
use super::state::{self, Effect, Input, State};
use super::watch::{self, Watch};
use crate::agent;
use crate::clock;
use crate::config::Settings;
use crate::deliver::launch;
use crate::store::accept::{ClosedBy, WhichPrompts};
use crate::testpoint;

/// How long a worker that leaves waits for the store. What it cannot say there, the next one finds.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Between two tries to use a store that cannot be used: doubled up to a minute.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Everything that can wake the loop.
enum Wake {
    Report(Report),
    Ask(Ask),
    Handed(Handed),
    ClientGone(Process),
    Clock,
    Terminate,
}

pub struct Worker {
    pub(super) settings: Arc<Settings>,
    pub(super) session: Arc<Session>,
    recovery: bool,
    owner: Owner,
    shown: Arc<Mutex<Shown>>,
    pub(super) state: State,
    pub(super) clocks: Clocks,
    pub(super) hands: Hands,
    watch: Watch,
    /// The session's last client, once none is left.
    gone: Option<Process>,
    pub(super) standing: Standing,
    /// The client has begun a turn by itself that has not stopped. It has no prompt of its own: its
    /// tool uses open the last one again, and its Stop closes that.
    own_turn: bool,
    /// The spool was taken in at least once: from then on "nothing to do" can be believed.
    settled_in: bool,
    /// Distil what there is, whether or not a summary is due.
    flush: bool,
    /// What comes next in the queue waits until then.
    pub(super) held_until: Option<Instant>,
    retry: Duration,
    /// What is left when this worker goes is somebody else's: it was told to go, has run out of
    /// time, or the session has another owner.
    leaves_work: bool,
    /// Another owner may have gone already: somebody has to look after what is left.
    needs_heir: bool,
}

impl Worker {
    /// `begun_with`: the backend of the session, of which the worker only finishes what is left.
    pub fn new(
        settings: Settings,
        session: Session,
        recovery: bool,
        begun_with: Option<&str>,
        owner: Owner,
    ) -> Worker {
        let now = Instant::now();
        let settings = Arc::new(settings);
        let chain = agent::chain(&settings.config.agent, begun_with);
        let hands = Hands::new(settings.clone(), chain, &session.key);
        let status = Status {
            client: session.client.clone(),
            session: session.id.clone(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            backend: hands.backend().name().into(),
            started_at_epoch: clock::now_ms(),
            ..Status::default()
        };
        Worker {
            clocks: Clocks::start(settings.config.worker.clone(), now),
            hands,
            watch: Watch::default(),
            gone: None,
            settings,
            session: Arc::new(session),
            recovery,
            owner,
            shown: Arc::new(Mutex::new(Shown { status, heard: now })),
            state: State::Serving,
            standing: Standing::default(),
            own_turn: false,
            settled_in: false,
            flush: false,
            held_until: None,
            retry: RETRY,
            leaves_work: false,
            needs_heir: false,
        }
    }

    /// From the first listening to the last look.
    pub async fn live(mut self) -> std::io::Result<()> {
        // First of all: from the first moment that others can see it, it leaves in good order.
        let mut terminate = signal(SignalKind::terminate())?;
        let Some(mut listener) = self.listen()? else { return self.leave() };
        let (intake, mut reports, thread) =
            Intake::start(self.settings.clone(), self.session.clone());
        let (asks, mut asked) = mpsc::unbounded_channel();
        tracing::info!(pid = std::process::id(), "serving");
        intake.take_in();
        loop {
            let (leaving, left) = tokio::sync::watch::channel(false);
            let desk = Desk {
                settings: self.settings.clone(),
                session: self.session.clone(),
                intake: intake.clone(),
                asks: asks.clone(),
                shown: self.shown.clone(),
            };
            let server = listener.take().map(|l| tokio::spawn(listener::serve(l, desk, left)));
            while self.state != State::Gone {
                self.show();
                let wake = tokio::select! {
                    Some(report) = reports.recv() => Wake::Report(report),
                    Some(ask) = asked.recv() => Wake::Ask(ask),
                    handed = self.hands.next() => Wake::Handed(handed),
                    client = self.watch.last_gone() => Wake::ClientGone(client),
                    () = tokio::time::sleep_until(self.clocks.nearest()) => Wake::Clock,
                    _ = terminate.recv() => Wake::Terminate,
                };
                self.on(wake, &intake);
            }
            let _ = leaving.send(true);
            if let Some(server) = server {
                let _ = server.await;
            }
            self.owner.unlink_socket();
            testpoint::at("worker.closed");
            let more = async { !self.leaves_work && intake.look_once_more().await };
            // Where the store keeps silent nobody can tell: it is asked again, for as long as an end
            // may take.
            if !timeout(LAST_WORDS, more).await.unwrap_or(true) {
                break;
            }
            tracing::info!("there is work after all");
            match self.listen()? {
                Some(again) => listener = again,
                None => break,
            }
            self.state = State::Ending;
            self.settled_in = false;
            self.flush = true;
            self.clocks.start_end(Instant::now());
            intake.take_in();
        }
        testpoint::at("worker.looked");
        if timeout(LAST_WORDS, intake.leave()).await.is_ok() {
            let _ = thread.join();
        }
        self.leave()
    }

    fn leave(self) -> std::io::Result<()> {
        tracing::info!("leaving");
        self.owner.leave();
        if self.needs_heir {
            launch::start_worker(&self.settings, &self.session.client, &self.session.id)?;
        }
        Ok(())
    }

    /// Whom nobody can reach does what there is to do and leaves, as one that only recovers. None:
    /// the lock file is another's, who may have gone already, so that somebody must begin anew.
    fn listen(&mut self) -> std::io::Result<Option<Option<Listener>>> {
        match self.owner.listen(&self.settings, &self.session) {
            Ok(listener) => {
                self.recovery |= listener.is_none();
                Ok(Some(listener))
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {
                tracing::warn!("{e}");
                self.needs_heir = true;
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    fn on(&mut self, wake: Wake, intake: &Intake) {
        match wake {
            Wake::Report(report) => self.on_report(report, intake),
            Wake::Ask(Ask::Wake) => intake.take_in(),
            Wake::Ask(Ask::Shutdown { graceful: true }) => {
                self.input(Input::ShutdownGraceful, intake)
            }
            Wake::Ask(Ask::Shutdown { graceful: false }) | Wake::Terminate => {
                self.input(Input::ShutdownNow, intake);
            }
            Wake::Handed(handed) => self.on_handed(handed, intake),
            Wake::ClientGone(client) => {
                tracing::info!(pid = client.pid, "the client has gone");
                self.gone = Some(client);
                self.clocks.start_grace(Instant::now());
            }
            Wake::Clock => match self.clocks.due(Instant::now()) {
                Some(Due::Input(input)) => self.input(input, intake),
                Some(Due::LookAgain) => intake.take_in(),
                Some(Due::Quiet) => self.hands.quiet(),
                None => {}
            },
        }
        self.look_around(intake);
    }

    fn on_report(&mut self, report: Report, intake: &Intake) {
        match report {
            Report::Accepted { kinds, bytes, clients } => {
                clients.into_iter().for_each(|client| self.hear(client));
                self.hands.heard(&kinds, bytes);
                if !kinds.is_empty() {
                    self.clocks.heard(Instant::now());
                    self.shown.lock().expect("never poisoned").heard = Instant::now();
                }
                self.count_the_quiet();
                self.provide_for(&kinds, intake);
                for kind in kinds {
                    match kind {
                        Kind::Notification => self.own_turn = true,
                        Kind::Prompt | Kind::Stop | Kind::StopFailed => self.own_turn = false,
                        _ => {}
                    }
                    self.input(input_of(kind), intake);
                }
            }
            Report::TookIn { events } => {
                tracing::debug!(events, "took the spool in");
                self.retry = RETRY;
                self.settled_in = true;
                self.hands.look_soon();
                self.count_the_quiet();
                self.provide(intake);
                // Of a session whose worker died the client may have, too.
                self.standing.client.into_iter().for_each(|client| self.hear(client));
                if self.gone.is_some() && self.standing.active {
                    self.clocks.start_grace(Instant::now());
                }
            }
            Report::Claimed(batch) => {
                tracing::debug!(events = batch.messages.len(), "distilling");
                self.held_until = None;
                self.hands.take(batch, Books(intake.clone()));
            }
            Report::NothingToClaim { not_before } => {
                self.hands.nothing();
                self.held_until = not_before.map(|epoch| {
                    let wait = Duration::from_millis((epoch - clock::now_ms()).max(1) as u64);
                    Instant::now() + wait
                });
                if let Some(at) = self.held_until {
                    self.clocks.look_again(at);
                }
            }
            Report::Unsummarised(Some(batch)) => self.hands.provide(batch),
            Report::Unsummarised(None) => self.hands.provided(),
            Report::Settled { failed } => self.hands.settled(failed),
            Report::Standing(standing) => self.standing = standing,
            Report::Unavailable(why) => {
                tracing::warn!("the store cannot be used: {why}");
                // What was true of the session may be so no longer: nothing is concluded from it.
                self.settled_in = false;
                self.hands.nothing();
                self.hands.provided();
                self.clocks.look_again(Instant::now() + self.retry);
                self.retry = (self.retry * 2).min(RETRY_MAX);
            }
            Report::NotOurs { why, needs_heir } => {
                tracing::warn!("{why}");
                self.needs_heir = needs_heir;
                self.input(Input::Fenced, intake);
            }
        }
    }

    fn hear(&mut self, client: Process) {
        if self.watch.hear(client) {
            self.gone = None;
            self.clocks.stop_grace();
        }
    }

    /// After every wake: claim when something is due, and see whether all is done.
    fn look_around(&mut self, intake: &Intake) {
        if self.state == State::Gone || !self.settled_in {
            return;
        }
        let claims = matches!(self.state, State::Serving | State::Ending);
        if claims && let Some(take) = self.hands.next_take(self.flush) {
            intake.claim(take);
            return;
        }
        if !self.rested() {
            if self.state == State::Ending && self.waits_beyond_the_end() {
                self.input(Input::EndOver, intake);
            }
            return;
        }
        match self.state {
            State::Serving if self.forestalled() => self.input(Input::Forestalled, intake),
            State::Serving if !self.clocks.lingers() => {
                self.input(Input::Rested, intake);
                intake.checkpoint();
            }
            State::Ending | State::Closing => self.input(Input::Rested, intake),
            State::Serving | State::Gone => {}
        }
    }

    /// Nothing in hand, nothing asked for, nothing that this state still has to see done.
    fn rested(&self) -> bool {
        let standing = &self.standing;
        self.hands.idle()
            && match self.state {
                // Who only recovers, and knows no client whose end would close it, does not wait
                // for a turn that nobody may ever close.
                State::Serving => {
                    let goes_on = standing.open.never_closed > 0 || self.own_turn;
                    !goes_on || self.recovery && !self.watch.knows_any()
                }
                State::Ending => standing.pending == 0 && standing.open.reopened == 0,
                State::Closing | State::Gone => true,
            }
    }

    /// Born, and neither spool nor queue nor open prompt: somebody else did it.
    fn forestalled(&self) -> bool {
        !self.hands.ever_heard() && self.standing.pending == 0 && !self.standing.open.any()
    }

    fn input(&mut self, input: Input, intake: &Intake) {
        let (to, effects) = match state::next(self.state, input) {
            Ok(next) => next,
            Err(illegal) => {
                tracing::error!("lost track: {illegal:?}");
                debug_assert!(false, "{illegal:?}");
                return;
            }
        };
        if to != self.state {
            tracing::debug!("{:?} -> {to:?} ({input:?})", self.state);
            self.leaves_work |= to == State::Closing || effects.contains(&Effect::GiveBack);
        }
        self.state = to;
        for effect in effects {
            self.carry_out(*effect, intake);
        }
    }

    fn carry_out(&mut self, effect: Effect, intake: &Intake) {
        let now = Instant::now();
        match effect {
            Effect::StartLinger => {
                let patience = self.recovery.then_some(Duration::ZERO);
                self.clocks.start_linger(now, patience);
            }
            Effect::StopLinger => self.clocks.stop_linger(),
            Effect::StartEndDeadline => self.clocks.start_end(now),
            Effect::StopEndDeadline => {
                self.clocks.stop_end();
                self.flush = false;
            }
            Effect::CloseLate => {
                intake.close(ClosedBy::Late, WhichPrompts::Reopened);
                self.hands.look_soon();
                self.provide(intake);
            }
            Effect::CloseIdle => {
                intake.close(ClosedBy::Idle, WhichPrompts::All);
                self.hands.look_soon();
                self.provide(intake);
            }
            Effect::CloseAged => {
                // A prompt may still take the end back: the last resort counts from now.
                set_last_resort(&self.settings);
                intake.close(ClosedBy::Age, WhichPrompts::All);
                self.hands.look_soon();
                self.provide(intake);
            }
            Effect::EndSession => {
                if let Some(client) = self.gone.filter(|_| self.standing.active) {
                    intake.say(watch::end_without(&self.session, self.standing.prompt, client));
                }
            }
            Effect::Flush => {
                self.flush = true;
                self.hands.look_soon();
            }
            Effect::GiveBack => {
                if let Some(batch) = self.hands.give_up() {
                    intake.give_back(batch);
                }
            }
            Effect::Leave => {}
        }
    }

    /// What `ps` is told.
    fn show(&self) {
        let mut shown = self.shown.lock().expect("never poisoned");
        let status = &mut shown.status;
        status.state = if self.state == State::Serving { "serving" } else { "ending" }.into();
        status.doing = match self.hands.doing() {
            Some(doing) => doing,
            None if self.clocks.lingers() => "lingering",
            None => "idle",
        }
        .into();
        status.prompt = self.standing.prompt;
    }
}

fn input_of(kind: Kind) -> Input {
    match kind {
        Kind::Prompt | Kind::Notification => Input::Prompt,
        Kind::End => Input::End,
        _ => Input::Event,
    }
}
