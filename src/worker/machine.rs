//! Decides what a worker does next, as a pure state machine.
//!
//! The event loop turns everything that wakes it into an [`Event`], calls [`Machine::step`] and
//! performs the [`Effect`]s in order. The machine does no I/O and reads no clock: each event comes
//! with the time, and [`Machine::next_deadline`] says when [`Event::Deadline`] is due.
//!
//! The states are `serving → ending → gone`, plus `closing` for a graceful shutdown. Distilling
//! and lingering are not states: a batch is work in progress, the linger is a timer of `serving`.

use std::time::{Duration, Instant};

use memctl_proto::Kind;
use memctl_proto::event::Process;

use super::signals::{ClaimRequest, Effect, Event, Exit, SessionStatus, Sighting};
use super::timers::{Timer, Timers};
use crate::config;
use crate::store::accept::ClosedBy;

/// The time before the first retry after the store failed. It doubles up to the maximum.
const STORE_BACKOFF: Duration = Duration::from_secs(1);
const STORE_BACKOFF_MAX: Duration = Duration::from_secs(60);

/// A shorter watchdog timeout is raised to this when it is armed again, to avoid a busy loop.
const MIN_WATCHDOG: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The session goes on.
    Serving,
    /// The worker finishes the queue, then exits. A prompt cancels that.
    Ending,
    /// The worker finishes its current batch, then exits.
    Closing,
    /// The worker does not serve any more.
    Gone,
}

/// The settings that decisions depend on.
#[derive(Clone, Debug)]
pub struct Limits {
    pub worker: config::Worker,
    /// A claim is due after this many events or bytes of text.
    pub batch_events: usize,
    pub batch_bytes: usize,
    /// A model also gets a smaller batch after this time without events. `None`: the local rules
    /// wait for a Stop.
    pub batch_quiet: Option<Duration>,
    /// Stops get a provisional summary until the agent has answered.
    pub provisional: bool,
}

/// The work that is in progress. At most one claim or batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    None,
    Claiming,
    Batch { messages: usize, summarizes: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clients {
    /// No event has named a client.
    Unknown,
    /// At least one client may be running.
    Running,
    /// All clients have exited. This one was seen last.
    Exited(Process),
}

/// What decides when the next claim is due, and what it may take.
#[derive(Debug)]
struct Backlog {
    /// A claim is due, even if the counts below are small.
    due: bool,
    /// No event has arrived for `batch_quiet`: the next claim need not fill a batch.
    quiet: bool,
    /// Events and bytes accepted since the last claim.
    events: usize,
    bytes: usize,
    /// At most this many messages in a batch. A failed batch halves it, so that a message which
    /// always fails ends up alone.
    max_messages: usize,
    /// The first message in the queue may not be claimed before this time.
    blocked_until: Option<Instant>,
}

#[derive(Debug)]
pub struct Machine {
    limits: Limits,
    /// The worker only finishes the work of an earlier one, and does not linger.
    recovery: bool,
    state: State,
    timers: Timers,
    session: SessionStatus,
    clients: Clients,
    /// The client started a turn without a prompt, and its Stop has not arrived. The tool uses of
    /// such a turn reopen the last prompt, and its Stop closes that.
    own_turn: bool,
    /// An event has arrived since the start.
    any_event: bool,
    /// The spool was drained and the store has not failed since. Otherwise `session` may be stale,
    /// and the worker neither claims nor exits because of it.
    drained: bool,
    /// Drains that were requested and have not ended.
    open_drains: u32,
    /// How many of these must end before the spool has been drained since the last wake.
    owed_drains: u32,
    /// Claims need not fill a batch, because the worker is about to exit.
    flush: bool,
    work: Work,
    backlog: Backlog,
    /// Provisional summaries are being written.
    summarizing: bool,
    store_backoff: Duration,
    effects: Vec<Effect>,
}

/// An input of the transition table [`Machine::apply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// A prompt, or the start of a turn that the client began itself.
    Prompt,
    /// Any other event of the session.
    OtherEvent,
    End,
    /// The state requires no more work, see [`Machine::at_rest`].
    AtRest,
    /// No event has arrived, and an earlier worker has done all the work.
    NothingToDo,
    LingerOver,
    Idle,
    TooOld,
    ClientGone,
    OutOfTime,
    ShutdownGraceful,
    ShutdownNow,
    Fenced {
        successor: bool,
    },
    SettingsChanged,
}

use State::{Closing, Ending, Gone, Serving};

impl Machine {
    pub fn new(limits: Limits, recovery: bool, now: Instant) -> Machine {
        let mut timers = Timers::default();
        timers.arm(Timer::MaxAge, now + limits.worker.max_age);
        timers.arm(Timer::Idle, now + limits.worker.idle_timeout);
        Machine {
            limits,
            recovery,
            state: Serving,
            timers,
            session: SessionStatus::default(),
            clients: Clients::Unknown,
            own_turn: false,
            any_event: false,
            drained: false,
            open_drains: 0,
            owed_drains: 0,
            flush: false,
            work: Work::None,
            backlog: Backlog {
                due: false,
                quiet: false,
                events: 0,
                bytes: 0,
                max_messages: usize::MAX,
                blocked_until: None,
            },
            summarizing: false,
            store_backoff: STORE_BACKOFF,
            effects: Vec::new(),
        }
    }

    pub fn state(&self) -> State {
        self.state
    }

    pub fn session(&self) -> &SessionStatus {
        &self.session
    }

    /// Whether the worker has answered a wake and has not drained the spool since. The hook that sent
    /// it relies on this worker, so if there is a spool, an exiting worker starts a successor. It does
    /// not after the store failed, because the successor could not drain the spool either.
    pub fn owes_drain(&self) -> bool {
        self.owed_drains > 0
    }

    /// The worker's activity, as `ps` shows it.
    pub fn doing(&self) -> &'static str {
        match self.work {
            Work::Batch { summarizes: true, .. } => "finalising",
            Work::Batch { summarizes: false, .. } => "distilling",
            Work::None | Work::Claiming if self.timers.is_armed(Timer::Linger) => "lingering",
            Work::None | Work::Claiming => "idle",
        }
    }

    /// When to call [`Machine::step`] with [`Event::Deadline`].
    pub fn next_deadline(&self) -> Instant {
        self.timers.nearest().expect("MaxAge is always armed")
    }

    pub fn step(&mut self, now: Instant, event: Event) -> Vec<Effect> {
        if self.state == Gone && !matches!(event, Event::Listening { .. } | Event::LockLost) {
            if event == Event::Wake {
                self.owed_drains = self.open_drains + 1;
            }
            return Vec::new();
        }
        match event {
            Event::Listening { socket } => self.listening(now, socket),
            Event::LockLost => self.apply(now, Input::Fenced { successor: true }),
            Event::Wake => {
                self.drain_spool();
                self.owed_drains = self.open_drains;
            }
            Event::Shutdown { graceful: true } => self.apply(now, Input::ShutdownGraceful),
            Event::Shutdown { graceful: false } => self.apply(now, Input::ShutdownNow),
            Event::Deadline => self.deadline(now),
            Event::ClientsExited { last } => {
                self.clients = Clients::Exited(last);
                self.start_grace(now);
            }
            Event::Accepted { kinds, bytes, clients, session } => {
                self.session = session;
                self.see_clients(clients);
                self.accepted(now, &kinds, bytes);
            }
            Event::SpoolDrained { kinds, clients, session } => {
                self.session = session;
                self.see_clients(clients);
                self.open_drains = self.open_drains.saturating_sub(1);
                self.owed_drains = self.owed_drains.saturating_sub(1);
                self.accepted(now, &kinds, 0);
                self.spool_drained(now);
            }
            Event::Claimed { messages, summarizes, session } => {
                self.session = session;
                self.work = Work::Batch { messages, summarizes };
                self.backlog.blocked_until = None;
            }
            Event::NothingToClaim { retry_in, session } => {
                self.session = session;
                self.work = Work::None;
                self.backlog.blocked_until = retry_in.map(|wait| now + wait);
                if let Some(at) = self.backlog.blocked_until {
                    self.timers.arm_earlier(Timer::Retry, at);
                }
            }
            Event::BatchSettled { failed, session } => {
                self.session = session;
                self.batch_settled(failed);
            }
            Event::PromptsClosed { session } => self.session = session,
            Event::SummariesDone => self.summarizing = false,
            Event::StoreUnavailable => {
                self.drained = false;
                self.forget_drains();
                self.timers.arm_earlier(Timer::Retry, now + self.store_backoff);
                self.store_backoff = (self.store_backoff * 2).min(STORE_BACKOFF_MAX);
            }
            Event::Fenced { successor } => self.apply(now, Input::Fenced { successor }),
            Event::SettingsChanged => self.apply(now, Input::SettingsChanged),
        }
        self.proceed(now);
        std::mem::take(&mut self.effects)
    }

    fn listening(&mut self, now: Instant, socket: bool) {
        // A worker without a socket behaves like one started by recovery.
        self.recovery |= !socket;
        if self.state == Gone {
            self.state = Ending;
            self.drained = false;
            self.flush = true;
            self.start_end_deadline(now);
        }
        self.forget_drains();
        self.drain_spool();
    }

    fn forget_drains(&mut self) {
        self.open_drains = 0;
        self.owed_drains = 0;
    }

    fn drain_spool(&mut self) {
        self.open_drains += 1;
        self.effects.push(Effect::DrainSpool);
    }

    fn see_clients(&mut self, sighting: Sighting) {
        match (sighting, self.clients) {
            (Sighting::New, _) => {
                self.clients = Clients::Running;
                self.timers.disarm(Timer::ClientGrace);
            }
            (Sighting::Known, Clients::Unknown) => self.clients = Clients::Running,
            (Sighting::Known | Sighting::Nothing, _) => {}
        }
    }

    fn accepted(&mut self, now: Instant, kinds: &[Kind], bytes: usize) {
        self.backlog.events += kinds.len();
        self.backlog.bytes += bytes;
        if !kinds.is_empty() {
            self.any_event = true;
            self.timers.arm(Timer::Idle, now + self.limits.worker.idle_timeout);
        }
        self.start_batch_quiet(now);
        if !kinds.iter().all(is_batched) {
            self.backlog.due = true;
            self.write_provisional_summaries();
        }
        for kind in kinds {
            match kind {
                Kind::Notification => self.own_turn = true,
                Kind::Prompt | Kind::Stop | Kind::StopFailed => self.own_turn = false,
                _ => {}
            }
            self.apply(now, input_of(*kind));
        }
    }

    fn spool_drained(&mut self, now: Instant) {
        self.store_backoff = STORE_BACKOFF;
        self.drained = true;
        self.backlog.due = true;
        self.start_batch_quiet(now);
        self.write_provisional_summaries();
        // The clients exited while the store was unavailable, and the session has not ended.
        if matches!(self.clients, Clients::Exited(_)) && self.session.active {
            self.start_grace(now);
        }
    }

    fn batch_settled(&mut self, failed: bool) {
        let Work::Batch { messages, .. } = self.work else { return };
        self.work = Work::None;
        self.backlog.due = true;
        self.backlog.max_messages = match failed {
            true => (messages / 2).max(1),
            false => self.backlog.max_messages.saturating_mul(2),
        };
    }

    fn deadline(&mut self, now: Instant) {
        let worker = &self.limits.worker;
        match self.timers.expire(now) {
            Some(Timer::EndDeadline) => self.apply(now, Input::OutOfTime),
            Some(Timer::MaxAge) => {
                // Armed again, because a prompt can still cancel the end.
                let next = now + worker.max_age.max(MIN_WATCHDOG);
                self.timers.arm(Timer::MaxAge, next);
                self.timers.arm(Timer::Idle, next);
                self.apply(now, Input::TooOld);
            }
            Some(Timer::Idle) => {
                self.timers.arm(Timer::Idle, now + worker.idle_timeout.max(MIN_WATCHDOG));
                self.apply(now, Input::Idle);
            }
            Some(Timer::ClientGrace) => self.apply(now, Input::ClientGone),
            Some(Timer::Linger) => self.apply(now, Input::LingerOver),
            Some(Timer::Retry) => self.drain_spool(),
            Some(Timer::BatchQuiet) => {
                self.backlog.quiet = true;
                self.backlog.due = true;
            }
            None => {}
        }
    }

    /// The transition table.
    fn apply(&mut self, now: Instant, input: Input) {
        match (self.state, input) {
            (_, Input::Fenced { successor }) => self.exit(Exit { recheck: false, successor }),
            (Gone, _) => {}
            (_, Input::ShutdownNow) => self.exit(Exit { recheck: false, successor: false }),

            (Serving | Ending, Input::SettingsChanged) => {
                self.exit(Exit { recheck: false, successor: true });
            }

            (Closing, Input::AtRest | Input::OutOfTime) => {
                self.exit(Exit { recheck: false, successor: false });
            }
            (Closing, _) => {}
            (Serving | Ending, Input::ShutdownGraceful) => {
                self.state = Closing;
                self.timers.disarm(Timer::Linger);
                self.start_end_deadline(now);
            }

            (Serving, Input::Prompt | Input::OtherEvent) => self.timers.disarm(Timer::Linger),
            (Serving, Input::End | Input::LingerOver) => self.end(now, ClosedBy::Late),
            (Serving, Input::Idle) => self.end(now, ClosedBy::Idle),
            (Serving, Input::TooOld) => self.end(now, ClosedBy::Age),
            (Serving, Input::NothingToDo) => self.exit(Exit { recheck: true, successor: false }),
            (Serving, Input::AtRest) => {
                let linger = if self.recovery { Duration::ZERO } else { self.limits.worker.linger };
                self.timers.arm(Timer::Linger, now + linger);
                self.effects.push(Effect::EmptyLog);
            }

            (Ending, Input::Prompt) => {
                self.state = Serving;
                self.timers.disarm(Timer::EndDeadline);
                self.flush = false;
            }
            (Ending, Input::OtherEvent | Input::End) => self.close_prompts(ClosedBy::Late),
            (Ending, Input::Idle) => self.close_prompts(ClosedBy::Idle),
            (Ending, Input::TooOld) => self.close_prompts(ClosedBy::Age),
            (Ending, Input::AtRest) => self.exit(Exit { recheck: true, successor: false }),
            (Ending, Input::OutOfTime) => self.exit(Exit { recheck: false, successor: false }),

            // The state changes when the `end` is accepted, as if the client had sent it.
            (Serving | Ending, Input::ClientGone) => {
                if let Clients::Exited(client) = self.clients
                    && self.session.active
                {
                    let prompt = self.session.prompt;
                    self.effects.push(Effect::EndSession { client, prompt });
                }
            }

            // Cannot happen: these timers and conditions belong to the other state.
            (Serving, Input::OutOfTime) | (Ending, Input::LingerOver | Input::NothingToDo) => {
                debug_assert!(false, "{input:?} while {:?}", self.state);
            }
        }
    }

    fn end(&mut self, now: Instant, by: ClosedBy) {
        self.state = Ending;
        self.timers.disarm(Timer::Linger);
        self.start_end_deadline(now);
        self.close_prompts(by);
    }

    /// Closes prompts, and lets the following claims take all queued messages.
    fn close_prompts(&mut self, by: ClosedBy) {
        if by == ClosedBy::Age {
            self.effects.push(Effect::ResetAlarm);
        }
        let close = Effect::ClosePrompts(by);
        // Several late events in one group need only one transaction.
        if !self.effects.contains(&close) {
            self.effects.push(close);
        }
        self.flush = true;
        self.backlog.due = true;
        self.write_provisional_summaries();
    }

    fn exit(&mut self, exit: Exit) {
        self.state = Gone;
        self.timers.disarm(Timer::Linger);
        if let Work::Batch { .. } = self.work {
            self.work = Work::None;
            self.effects.push(Effect::ReleaseBatch);
        }
        self.effects.push(Effect::Exit(exit));
    }

    /// After each event: claims if a batch may be due, else checks whether all work is done.
    fn proceed(&mut self, now: Instant) {
        if self.state == Gone || !self.drained {
            return;
        }
        if self.claim_is_due() {
            let flush = self.flush || self.backlog.quiet;
            let max_messages = self.backlog.max_messages;
            self.work = Work::Claiming;
            self.backlog.due = false;
            self.backlog.quiet = false;
            self.backlog.events = 0;
            self.backlog.bytes = 0;
            self.effects.push(Effect::Claim(ClaimRequest { flush, max_messages }));
            return;
        }
        if !self.at_rest() {
            if self.state == Ending && self.is_blocked_beyond_the_deadline() {
                self.apply(now, Input::OutOfTime);
            }
            return;
        }
        match self.state {
            Serving if self.has_nothing_to_do() => self.apply(now, Input::NothingToDo),
            Serving if self.timers.is_armed(Timer::Linger) => {}
            Serving | Ending | Closing => self.apply(now, Input::AtRest),
            Gone => {}
        }
    }

    fn claim_is_due(&self) -> bool {
        let Backlog { due, events, bytes, .. } = self.backlog;
        matches!(self.state, Serving | Ending)
            && self.work == Work::None
            && (due || events >= self.limits.batch_events || bytes >= self.limits.batch_bytes)
    }

    fn is_working(&self) -> bool {
        self.work != Work::None || self.summarizing
    }

    fn at_rest(&self) -> bool {
        let session = &self.session;
        !self.is_working()
            && match self.state {
                Serving => {
                    let in_turn = session.open.never_closed > 0 || self.own_turn;
                    // Recovery does not wait for a Stop if no client is known that could send it.
                    !in_turn || self.recovery && self.clients == Clients::Unknown
                }
                Ending => session.pending == 0 && session.open.reopened == 0,
                Closing | Gone => true,
            }
    }

    fn has_nothing_to_do(&self) -> bool {
        !self.any_event && self.session.pending == 0 && !self.session.open.any()
    }

    /// Whether the first message may only be claimed after the end deadline. A later worker claims
    /// it.
    fn is_blocked_beyond_the_deadline(&self) -> bool {
        let end = self.timers.deadline(Timer::EndDeadline);
        let blocked = self.backlog.blocked_until;
        !self.is_working() && end.zip(blocked).is_some_and(|(end, blocked)| end < blocked)
    }

    fn write_provisional_summaries(&mut self) {
        if self.limits.provisional && !self.summarizing {
            self.summarizing = true;
            self.effects.push(Effect::WriteProvisionalSummaries);
        }
    }

    fn start_end_deadline(&mut self, now: Instant) {
        self.timers.arm_once(Timer::EndDeadline, now + self.limits.worker.end_deadline);
    }

    fn start_grace(&mut self, now: Instant) {
        self.timers.arm(Timer::ClientGrace, now + self.limits.worker.client_grace);
    }

    fn start_batch_quiet(&mut self, now: Instant) {
        if let Some(quiet) = self.limits.batch_quiet {
            self.timers.arm(Timer::BatchQuiet, now + quiet);
        }
    }
}

/// Whether events of this kind wait until they fill a batch.
fn is_batched(kind: &Kind) -> bool {
    matches!(kind, Kind::Tool | Kind::ToolFailed | Kind::Subagent)
}

fn input_of(kind: Kind) -> Input {
    match kind {
        Kind::Prompt | Kind::Notification => Input::Prompt,
        Kind::End => Input::End,
        _ => Input::OtherEvent,
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
