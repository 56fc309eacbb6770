use proptest::prelude::*;

use super::*;
use crate::store::accept::OpenPrompts;

const CLIENT: Process = Process { pid: 7, start: 70 };

/// A turn is open.
const IN_TURN: SessionStatus = SessionStatus {
    pending: 0,
    open: OpenPrompts { never_closed: 1, reopened: 0 },
    prompt: 1,
    active: true,
    client: None,
};

/// The turn has stopped.
const STOPPED: SessionStatus =
    SessionStatus { open: OpenPrompts { never_closed: 0, reopened: 0 }, ..IN_TURN };

/// The turn has stopped, and an event arrived after that.
const REOPENED: SessionStatus =
    SessionStatus { open: OpenPrompts { never_closed: 0, reopened: 1 }, ..IN_TURN };

/// The turn has stopped, and its messages are queued.
const QUEUED: SessionStatus = SessionStatus { pending: 2, ..STOPPED };

const EXIT: Effect = Effect::Exit(Exit { recheck: false, successor: false });
const EXIT_AFTER_RECHECK: Effect = Effect::Exit(Exit { recheck: true, successor: false });
const EXIT_WITH_SUCCESSOR: Effect = Effect::Exit(Exit { recheck: false, successor: true });

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn limits(model: bool) -> Limits {
    Limits {
        worker: config::Worker {
            linger: seconds(30),
            idle_timeout: seconds(2 * 3600),
            max_age: seconds(24 * 3600),
            hang_timeout: seconds(30),
            end_deadline: seconds(60),
            client_grace: seconds(5),
            peer_timeout: seconds(2),
            connections: 64,
        },
        batch_events: 10,
        batch_bytes: 10_000,
        batch_quiet: model.then_some(seconds(20)),
        provisional: model,
    }
}

fn accepted(kinds: &[Kind], session: SessionStatus) -> Event {
    let kinds = kinds.to_vec();
    Event::Accepted { kinds, bytes: 100, clients: Sighting::Nothing, session }
}

fn drained(kinds: &[Kind], session: SessionStatus) -> Event {
    Event::SpoolDrained { kinds: kinds.to_vec(), clients: Sighting::Nothing, session }
}

fn claimed(messages: usize, session: SessionStatus) -> Event {
    Event::Claimed { messages, summarizes: false, session }
}

fn nothing_to_claim(session: SessionStatus) -> Event {
    Event::NothingToClaim { retry_in: None, session }
}

fn settled(session: SessionStatus) -> Event {
    Event::BatchSettled { failed: false, session }
}

fn claim(max_messages: usize) -> Effect {
    Effect::Claim(ClaimRequest { flush: false, max_messages })
}

fn claim_all() -> Effect {
    Effect::Claim(ClaimRequest { flush: true, max_messages: usize::MAX })
}

/// A machine with a simulated clock.
struct Worker {
    machine: Machine,
    now: Instant,
}

impl Worker {
    /// Has not listened yet.
    fn new(recovery: bool, model: bool) -> Worker {
        let now = Instant::now();
        Worker { machine: Machine::new(limits(model), recovery, now), now }
    }

    fn started(recovery: bool, model: bool) -> Worker {
        let mut worker = Worker::new(recovery, model);
        let effects = worker.step(Event::Listening { socket: true });
        assert_eq!(effects, [Effect::DrainSpool]);
        worker
    }

    /// In a turn, with the queue empty.
    fn serving() -> Worker {
        let mut worker = Worker::started(false, false);
        assert_eq!(worker.step(drained(&[Kind::Prompt], IN_TURN)), [claim(usize::MAX)]);
        assert_eq!(worker.step(nothing_to_claim(IN_TURN)), []);
        worker
    }

    fn step(&mut self, event: Event) -> Vec<Effect> {
        self.machine.step(self.now, event)
    }

    /// Advances the clock to the next deadline.
    fn deadline(&mut self) -> Vec<Effect> {
        self.now = self.now.max(self.machine.next_deadline());
        self.step(Event::Deadline)
    }

    fn state(&self) -> State {
        self.machine.state()
    }

    fn wait_for_deadline(&self) -> Duration {
        self.machine.next_deadline() - self.now
    }
}

/// A worker in this state and in a turn, with a claim or a batch in progress.
fn working(state: State, claiming: bool) -> Worker {
    let mut worker = Worker::serving();
    assert_eq!(worker.step(accepted(&[Kind::Stop], IN_TURN)), [claim(usize::MAX)]);
    if !claiming {
        worker.step(claimed(4, IN_TURN));
    }
    match state {
        Serving => {}
        Ending => drop(worker.step(accepted(&[Kind::End], IN_TURN))),
        Closing => drop(worker.step(Event::Shutdown { graceful: true })),
        Gone => drop(worker.step(Event::Shutdown { graceful: false })),
    }
    assert_eq!(worker.state(), state);
    worker
}

fn show(state: State, effects: &[Effect]) -> String {
    let effects = effects.iter().map(|effect| -> String {
        match effect {
            Effect::DrainSpool => "drain".into(),
            Effect::Claim(ClaimRequest { flush: false, .. }) => "claim".into(),
            Effect::Claim(ClaimRequest { flush: true, .. }) => "claim-all".into(),
            Effect::WriteProvisionalSummaries => "summarize".into(),
            Effect::ClosePrompts(by) => format!("close-{by:?}").to_lowercase(),
            Effect::EndSession { .. } => "end-session".into(),
            Effect::ReleaseBatch => "release".into(),
            Effect::EmptyLog => "empty-log".into(),
            Effect::ResetAlarm => "reset-alarm".into(),
            &EXIT => "exit".into(),
            &EXIT_AFTER_RECHECK => "exit-recheck".into(),
            &EXIT_WITH_SUCCESSOR => "exit-successor".into(),
            other => panic!("{other:?}"),
        }
    });
    let words: Vec<String> = std::iter::once(format!("{state:?}")).chain(effects).collect();
    words.join(" ")
}

#[test]
fn every_pair_of_state_and_event() {
    let client = |clients| Event::Accepted { kinds: vec![], bytes: 0, clients, session: IN_TURN };
    let shutdown = |graceful| Event::Shutdown { graceful };
    let retry = Event::NothingToClaim { retry_in: Some(seconds(1)), session: QUEUED };
    let failed = Event::BatchSettled { failed: true, session: IN_TURN };
    #[rustfmt::skip]
    let table: Vec<(Event, [&str; 4])> = vec![
        // While a batch is in progress.
        (Event::Listening { socket: true }, ["Serving drain", "Ending drain", "Closing drain", "Ending drain"]),
        (Event::Listening { socket: false }, ["Serving drain", "Ending drain", "Closing drain", "Ending drain"]),
        (Event::LockLost, ["Gone release exit-successor", "Gone release exit-successor", "Gone release exit-successor", "Gone exit-successor"]),
        (Event::Wake, ["Serving drain", "Ending drain", "Closing drain", "Gone"]),
        (shutdown(true), ["Closing", "Closing", "Closing", "Gone"]),
        (shutdown(false), ["Gone release exit", "Gone release exit", "Gone release exit", "Gone"]),
        (accepted(&[Kind::Prompt], IN_TURN), ["Serving", "Serving", "Closing", "Gone"]),
        (accepted(&[Kind::Notification], IN_TURN), ["Serving", "Serving", "Closing", "Gone"]),
        (accepted(&[Kind::Tool], IN_TURN), ["Serving", "Ending close-late", "Closing", "Gone"]),
        (accepted(&[Kind::ToolFailed], IN_TURN), ["Serving", "Ending close-late", "Closing", "Gone"]),
        (accepted(&[Kind::Subagent], IN_TURN), ["Serving", "Ending close-late", "Closing", "Gone"]),
        (accepted(&[Kind::Stop], IN_TURN), ["Serving", "Ending close-late", "Closing", "Gone"]),
        (accepted(&[Kind::StopFailed], IN_TURN), ["Serving", "Ending close-late", "Closing", "Gone"]),
        (accepted(&[Kind::Start], IN_TURN), ["Serving", "Ending close-late", "Closing", "Gone"]),
        (accepted(&[Kind::Finalize], IN_TURN), ["Serving", "Ending close-late", "Closing", "Gone"]),
        (accepted(&[Kind::End], IN_TURN), ["Ending close-late", "Ending close-late", "Closing", "Gone"]),
        (accepted(&[Kind::End, Kind::Prompt], IN_TURN), ["Serving close-late", "Serving close-late", "Closing", "Gone"]),
        (client(Sighting::Nothing), ["Serving", "Ending", "Closing", "Gone"]),
        (client(Sighting::Known), ["Serving", "Ending", "Closing", "Gone"]),
        (client(Sighting::New), ["Serving", "Ending", "Closing", "Gone"]),
        (drained(&[], IN_TURN), ["Serving", "Ending", "Closing", "Gone"]),
        (drained(&[Kind::End], IN_TURN), ["Ending close-late", "Ending close-late", "Closing", "Gone"]),
        (settled(IN_TURN), ["Serving claim", "Ending claim-all", "Gone exit", "Gone"]),
        (failed, ["Serving claim", "Ending claim-all", "Gone exit", "Gone"]),
        (Event::PromptsClosed { session: STOPPED }, ["Serving", "Ending", "Closing", "Gone"]),
        (Event::SummariesDone, ["Serving", "Ending", "Closing", "Gone"]),
        (Event::StoreUnavailable, ["Serving", "Ending", "Closing", "Gone"]),
        (Event::Fenced { successor: true }, ["Gone release exit-successor", "Gone release exit-successor", "Gone release exit-successor", "Gone"]),
        (Event::Fenced { successor: false }, ["Gone release exit", "Gone release exit", "Gone release exit", "Gone"]),
        (Event::SettingsChanged, ["Gone release exit-successor", "Gone release exit-successor", "Closing", "Gone"]),
        (Event::ClientsExited { last: CLIENT }, ["Serving", "Ending", "Closing", "Gone"]),
        // While a claim is in progress.
        (claimed(4, IN_TURN), ["Serving", "Ending", "Closing", "Gone"]),
        (nothing_to_claim(IN_TURN), ["Serving", "Ending claim-all", "Gone exit", "Gone"]),
        (retry, ["Serving empty-log", "Ending claim-all", "Gone exit", "Gone"]),
    ];
    for (event, expected) in table {
        let claiming = matches!(event, Event::Claimed { .. } | Event::NothingToClaim { .. });
        for (state, expected) in [Serving, Ending, Closing, Gone].into_iter().zip(expected) {
            let mut worker = working(state, claiming);
            let effects = worker.step(event.clone());
            assert_eq!(show(worker.state(), &effects), expected, "{state:?} + {event:?}");
        }
    }
}

#[test]
fn every_pair_of_state_and_timer() {
    // A timer that is never armed in a state has no entry.
    #[rustfmt::skip]
    let table = [
        (Timer::EndDeadline, ["", "Gone release exit", "Gone release exit"]),
        (Timer::MaxAge, ["Ending reset-alarm close-age", "Ending reset-alarm close-age", "Closing"]),
        (Timer::Idle, ["Ending close-idle", "Ending close-idle", "Closing"]),
        (Timer::ClientGrace, ["Serving end-session", "Ending end-session", "Closing"]),
        (Timer::Linger, ["Ending close-late", "", ""]),
        (Timer::Retry, ["Serving drain", "Ending drain", "Closing drain"]),
        (Timer::BatchQuiet, ["Serving", "Ending", "Closing"]),
    ];
    for (timer, expected) in table {
        for (state, expected) in [Serving, Ending, Closing].into_iter().zip(expected) {
            let mut worker = working(state, false);
            if expected.is_empty() {
                assert!(!worker.machine.timers.is_armed(timer), "{state:?} + {timer:?}");
                continue;
            }
            worker.step(Event::ClientsExited { last: CLIENT });
            worker.machine.timers.arm(timer, worker.now);
            let effects = worker.step(Event::Deadline);
            assert_eq!(show(worker.state(), &effects), expected, "{state:?} + {timer:?}");
        }
    }
}

#[test]
fn after_its_linger_the_worker_closes_reopened_prompts_and_exits() {
    let mut worker = Worker::serving();
    assert_eq!(worker.step(accepted(&[Kind::Stop], QUEUED)), [claim(usize::MAX)]);
    assert_eq!(worker.step(claimed(2, STOPPED)), []);
    assert_eq!(worker.machine.doing(), "distilling");
    assert_eq!(worker.step(settled(STOPPED)), [claim(usize::MAX)]);
    assert_eq!(worker.step(nothing_to_claim(STOPPED)), [Effect::EmptyLog]);
    assert_eq!(worker.machine.doing(), "lingering");
    assert_eq!(worker.wait_for_deadline(), seconds(30));

    // A late tool use reopens the prompt, and does not fill a batch.
    worker.now += seconds(20);
    assert_eq!(worker.step(accepted(&[Kind::Tool], REOPENED)), [Effect::EmptyLog]);
    assert_eq!(worker.wait_for_deadline(), seconds(30), "the linger starts again");
    let late = Effect::ClosePrompts(ClosedBy::Late);
    assert_eq!(worker.deadline(), [late, claim_all()]);
    assert_eq!(worker.state(), Ending);
    assert_eq!(worker.step(Event::PromptsClosed { session: QUEUED }), []);
    assert_eq!(worker.step(claimed(2, STOPPED)), []);
    assert_eq!(worker.step(settled(STOPPED)), [claim_all()]);
    assert_eq!(worker.step(nothing_to_claim(STOPPED)), [EXIT_AFTER_RECHECK]);
}

#[test]
fn a_prompt_during_the_linger_keeps_the_worker() {
    let mut worker = Worker::serving();
    worker.step(accepted(&[Kind::Stop], STOPPED));
    worker.step(nothing_to_claim(STOPPED));
    worker.now += seconds(29);
    assert_eq!(worker.step(accepted(&[Kind::Prompt], IN_TURN)), [claim(usize::MAX)]);
    assert_eq!(worker.step(nothing_to_claim(IN_TURN)), []);
    assert!(worker.wait_for_deadline() > seconds(3600));
}

#[test]
fn a_turn_that_a_notification_started_lasts_until_its_stop() {
    let mut worker = Worker::serving();
    worker.step(accepted(&[Kind::Stop], STOPPED));
    assert_eq!(worker.step(nothing_to_claim(STOPPED)), [Effect::EmptyLog]);
    // The turn has no prompt: the session's status alone does not show it.
    assert_eq!(worker.step(accepted(&[Kind::Notification], STOPPED)), [claim(usize::MAX)]);
    assert_eq!(worker.step(nothing_to_claim(STOPPED)), [], "does not linger");
    assert_eq!(worker.step(accepted(&[Kind::Tool], REOPENED)), []);
    assert!(worker.wait_for_deadline() > seconds(3600));
    assert_eq!(worker.step(accepted(&[Kind::Stop], STOPPED)), [claim(usize::MAX)]);
    assert_eq!(worker.step(nothing_to_claim(STOPPED)), [Effect::EmptyLog], "lingers");
}

#[test]
fn a_wake_is_owed_a_drain_that_began_after_it() {
    let mut worker = Worker::started(false, false);
    assert!(!worker.machine.owes_drain(), "nobody relies on the first drain");
    worker.step(Event::Wake);
    worker.step(drained(&[], IN_TURN));
    assert!(worker.machine.owes_drain(), "this drain may have begun before the wake");
    worker.step(drained(&[], IN_TURN));
    assert!(!worker.machine.owes_drain());
    worker.step(Event::Wake);
    worker.step(Event::StoreUnavailable);
    assert!(!worker.machine.owes_drain(), "a successor could not drain the spool either");
    // The listener answers wakes until its socket is closed.
    worker.step(Event::Shutdown { graceful: false });
    assert_eq!(worker.step(Event::Wake), []);
    assert!(worker.machine.owes_drain());
}

#[test]
fn an_interrupted_turn_is_closed_by_the_idle_watchdog() {
    let mut worker = Worker::serving();
    worker.now += seconds(60);
    worker.step(accepted(&[Kind::Tool], IN_TURN));
    assert_eq!(worker.wait_for_deadline(), seconds(2 * 3600));
    let idle = Effect::ClosePrompts(ClosedBy::Idle);
    assert_eq!(worker.deadline(), [idle, claim_all()]);
    assert_eq!(worker.state(), Ending);
}

#[test]
fn events_do_not_postpone_the_maximum_age() {
    let mut worker = Worker::serving();
    for _ in 0..23 {
        worker.now += seconds(3600);
        worker.step(accepted(&[Kind::Tool], IN_TURN));
        worker.step(nothing_to_claim(IN_TURN));
    }
    assert_eq!(worker.wait_for_deadline(), seconds(3600));
    let age = Effect::ClosePrompts(ClosedBy::Age);
    assert_eq!(worker.deadline(), [Effect::ResetAlarm, age, claim_all()]);
}

#[test]
fn a_recovery_worker_without_client_does_not_wait_for_a_stop() {
    let mut worker = Worker::started(true, false);
    let open = SessionStatus { pending: 1, ..IN_TURN };
    assert_eq!(worker.step(drained(&[], open)), [claim(usize::MAX)]);
    assert_eq!(worker.step(nothing_to_claim(open)), [Effect::EmptyLog]);
    assert_eq!(worker.wait_for_deadline(), Duration::ZERO, "no linger");
    assert_eq!(worker.deadline(), [Effect::ClosePrompts(ClosedBy::Late), claim_all()]);
    assert_eq!(worker.state(), Ending);
}

#[test]
fn a_recovery_worker_waits_for_the_stop_of_a_known_client() {
    let mut worker = Worker::started(true, false);
    let clients = Sighting::Known;
    worker.step(Event::SpoolDrained { kinds: vec![], clients, session: IN_TURN });
    assert_eq!(worker.step(nothing_to_claim(IN_TURN)), []);
    assert_eq!(worker.state(), Serving);
}

#[test]
fn a_worker_without_socket_does_not_linger() {
    let mut worker = Worker::new(false, false);
    worker.step(Event::Listening { socket: false });
    worker.step(drained(&[Kind::Prompt, Kind::Stop], STOPPED));
    assert_eq!(worker.step(nothing_to_claim(STOPPED)), [Effect::EmptyLog]);
    assert_eq!(worker.wait_for_deadline(), Duration::ZERO);
}

#[test]
fn a_worker_with_nothing_to_do_exits_at_once() {
    let mut worker = Worker::started(false, false);
    assert_eq!(worker.step(drained(&[], SessionStatus::default())), [claim(usize::MAX)]);
    let nothing = nothing_to_claim(SessionStatus::default());
    assert_eq!(worker.step(nothing), [EXIT_AFTER_RECHECK]);
}

#[test]
fn the_end_closes_reopened_prompts_before_the_worker_exits() {
    let mut worker = Worker::serving();
    let late = Effect::ClosePrompts(ClosedBy::Late);
    assert_eq!(worker.step(accepted(&[Kind::End], STOPPED)), [late, claim_all()]);
    // A subagent reports after the end, while the claim is under way.
    assert_eq!(worker.step(accepted(&[Kind::Subagent], REOPENED)), [late]);
    assert_eq!(worker.step(nothing_to_claim(REOPENED)), [claim_all()]);
    assert_eq!(worker.step(Event::PromptsClosed { session: QUEUED }), []);
    assert_eq!(worker.step(claimed(2, STOPPED)), []);
    assert_eq!(worker.step(settled(STOPPED)), [claim_all()]);
    assert_eq!(worker.step(nothing_to_claim(STOPPED)), [EXIT_AFTER_RECHECK]);
}

#[test]
fn a_group_of_late_events_closes_prompts_once() {
    let mut worker = working(Ending, false);
    let effects = worker.step(accepted(&[Kind::Tool; 5], REOPENED));
    assert_eq!(effects, [Effect::ClosePrompts(ClosedBy::Late)]);
}

#[test]
fn a_prompt_cancels_the_end() {
    let mut worker = working(Ending, false);
    assert_eq!(worker.step(accepted(&[Kind::Prompt], IN_TURN)), []);
    assert_eq!(worker.state(), Serving);
    assert!(worker.wait_for_deadline() > Duration::ZERO);
    assert!(!worker.machine.timers.is_armed(Timer::EndDeadline));
    assert_eq!(worker.step(settled(IN_TURN)), [claim(usize::MAX)], "claims without flush");
}

#[test]
fn after_a_store_failure_the_worker_neither_claims_nor_exits_until_the_spool_is_drained() {
    let mut worker = working(Ending, true);
    assert_eq!(worker.step(Event::StoreUnavailable), []);
    assert_eq!(worker.step(nothing_to_claim(STOPPED)), [], "neither exits nor claims");
    for wait in [1, 2, 4, 8] {
        assert_eq!(worker.wait_for_deadline(), seconds(wait));
        assert_eq!(worker.deadline(), [Effect::DrainSpool]);
        assert_eq!(worker.step(Event::StoreUnavailable), []);
    }
    assert_eq!(worker.deadline(), [Effect::DrainSpool]);
    assert_eq!(worker.step(drained(&[], QUEUED)), [claim_all()]);
    assert_eq!(worker.step(Event::StoreUnavailable), []);
    assert_eq!(worker.wait_for_deadline(), seconds(1), "the backoff starts again");
}

#[test]
fn a_store_that_stays_unavailable_does_not_keep_an_ending_worker() {
    let mut worker = working(Ending, true);
    worker.step(Event::StoreUnavailable);
    worker.step(nothing_to_claim(STOPPED));
    let ends = worker.now + seconds(60);
    let last = loop {
        let effects = worker.deadline();
        if effects != [Effect::DrainSpool] {
            break effects;
        }
        worker.step(Event::StoreUnavailable);
    };
    assert_eq!((worker.now, last), (ends, vec![EXIT]));
}

#[test]
fn a_fenced_worker_releases_its_batch_and_starts_a_successor() {
    let mut worker = working(Serving, false);
    let effects = worker.step(Event::Fenced { successor: true });
    assert_eq!(effects, [Effect::ReleaseBatch, EXIT_WITH_SUCCESSOR]);
}

#[test]
fn a_worker_that_lost_its_lock_starts_a_successor() {
    let mut worker = Worker::new(false, false);
    assert_eq!(worker.step(Event::LockLost), [EXIT_WITH_SUCCESSOR]);
}

#[test]
fn a_message_that_waits_beyond_the_end_deadline_is_left_to_a_later_worker() {
    for (wait, expected) in [(59, vec![]), (61, vec![EXIT])] {
        let mut worker = Worker::serving();
        worker.step(accepted(&[Kind::End], QUEUED));
        let retry_in = Some(seconds(wait));
        let effects = worker.step(Event::NothingToClaim { retry_in, session: QUEUED });
        assert_eq!(effects, expected, "{wait} s");
    }
}

#[test]
fn a_deferred_message_is_claimed_when_its_time_comes() {
    let mut worker = Worker::serving();
    worker.step(accepted(&[Kind::Stop], QUEUED));
    worker.step(Event::NothingToClaim { retry_in: Some(seconds(10)), session: QUEUED });
    assert_eq!(worker.deadline(), [Effect::DrainSpool]);
    assert_eq!(worker.step(drained(&[], QUEUED)), [claim(usize::MAX)]);
}

#[test]
fn a_graceful_shutdown_finishes_the_batch_and_claims_no_other() {
    let mut worker = working(Serving, false);
    assert_eq!(worker.step(Event::Shutdown { graceful: true }), []);
    assert_eq!(worker.step(accepted(&[Kind::Stop], QUEUED)), []);
    assert_eq!(worker.step(settled(QUEUED)), [EXIT], "what is queued stays");
}

#[test]
fn a_graceful_shutdown_waits_no_longer_than_the_end_deadline() {
    let mut worker = working(Serving, false);
    worker.step(Event::Shutdown { graceful: true });
    worker.step(accepted(&[Kind::Tool], QUEUED));
    worker.now += seconds(60);
    assert_eq!(worker.step(Event::Deadline), [Effect::ReleaseBatch, EXIT]);
}

#[test]
fn sigterm_releases_the_batch() {
    let mut worker = working(Serving, false);
    let effects = worker.step(Event::Shutdown { graceful: false });
    assert_eq!(effects, [Effect::ReleaseBatch, EXIT]);
    assert_eq!(worker.step(settled(QUEUED)), [], "nothing follows");
}

#[test]
fn work_that_arrives_during_shutdown_is_finished() {
    let mut worker = Worker::serving();
    worker.step(accepted(&[Kind::End], STOPPED));
    assert_eq!(worker.step(nothing_to_claim(STOPPED)), [EXIT_AFTER_RECHECK]);
    assert_eq!(worker.step(Event::Listening { socket: true }), [Effect::DrainSpool]);
    assert_eq!(worker.state(), Ending);
    let late = Effect::ClosePrompts(ClosedBy::Late);
    assert_eq!(worker.step(drained(&[Kind::Tool], REOPENED)), [late, claim_all()]);
    worker.step(Event::PromptsClosed { session: QUEUED });
    worker.step(claimed(2, STOPPED));
    worker.step(settled(STOPPED));
    assert_eq!(worker.step(nothing_to_claim(STOPPED)), [EXIT_AFTER_RECHECK]);
}

#[test]
fn the_session_ends_a_grace_time_after_its_last_client_exited() {
    let mut worker = Worker::serving();
    assert_eq!(worker.step(Event::ClientsExited { last: CLIENT }), []);
    worker.now += seconds(4);
    let clients = Sighting::New;
    worker.step(Event::Accepted { kinds: vec![], bytes: 0, clients, session: IN_TURN });
    assert!(worker.wait_for_deadline() > seconds(5), "a new client is running");

    worker.step(Event::ClientsExited { last: CLIENT });
    assert_eq!(worker.wait_for_deadline(), seconds(5));
    assert_eq!(worker.deadline(), [Effect::EndSession { client: CLIENT, prompt: 1 }]);
    assert_eq!(worker.state(), Serving, "until the end is accepted");
}

#[test]
fn a_session_that_has_ended_is_not_ended_again() {
    let mut worker = Worker::serving();
    worker.step(accepted(&[], SessionStatus { active: false, ..IN_TURN }));
    worker.step(Event::ClientsExited { last: CLIENT });
    assert_eq!(worker.deadline(), []);
}

#[test]
fn the_grace_time_starts_again_if_the_store_failed_meanwhile() {
    let mut worker = Worker::serving();
    worker.step(Event::ClientsExited { last: CLIENT });
    worker.deadline();
    worker.step(Event::StoreUnavailable);
    worker.deadline();
    worker.step(drained(&[], IN_TURN));
    assert_eq!(worker.wait_for_deadline(), seconds(5));
    assert!(worker.deadline().contains(&Effect::EndSession { client: CLIENT, prompt: 1 }));
}

#[test]
fn tool_uses_are_claimed_when_they_fill_a_batch() {
    let mut worker = Worker::serving();
    assert_eq!(worker.step(accepted(&[Kind::Tool; 9], IN_TURN)), []);
    assert_eq!(worker.step(accepted(&[Kind::Tool], IN_TURN)), [claim(usize::MAX)]);
    worker.step(nothing_to_claim(IN_TURN));
    let large = Event::Accepted {
        kinds: vec![Kind::Tool],
        bytes: 10_000,
        clients: Sighting::Nothing,
        session: IN_TURN,
    };
    assert_eq!(worker.step(large), [claim(usize::MAX)]);
}

#[test]
fn a_model_gets_a_small_batch_after_a_quiet_time() {
    let mut worker = Worker::started(false, true);
    let summarize = Effect::WriteProvisionalSummaries;
    let effects = worker.step(drained(&[Kind::Prompt], IN_TURN));
    assert_eq!(effects, [summarize, claim(usize::MAX)]);
    worker.step(Event::SummariesDone);
    worker.step(nothing_to_claim(IN_TURN));
    assert_eq!(worker.step(accepted(&[Kind::Tool], IN_TURN)), []);
    assert_eq!(worker.wait_for_deadline(), seconds(20));
    assert_eq!(worker.deadline(), [claim_all()]);
    worker.step(claimed(1, IN_TURN));
    assert_eq!(worker.step(settled(IN_TURN)), [claim(usize::MAX)], "claims without flush");
}

#[test]
fn a_worker_does_not_exit_before_a_stop_has_its_provisional_summary() {
    let mut worker = Worker::started(false, true);
    worker.step(drained(&[], STOPPED));
    worker.step(nothing_to_claim(STOPPED));
    let end = worker.step(accepted(&[Kind::Stop, Kind::End], STOPPED));
    assert_eq!(end, [Effect::ClosePrompts(ClosedBy::Late), claim_all()], "one search at a time");
    assert_eq!(worker.step(nothing_to_claim(STOPPED)), []);
    assert_eq!(worker.step(Event::SummariesDone), [EXIT_AFTER_RECHECK]);
}

#[test]
fn each_failure_halves_the_next_batch_and_each_success_doubles_it() {
    let mut worker = working(Serving, false);
    let fail = |worker: &mut Worker, messages, next| {
        let event = Event::BatchSettled { failed: true, session: IN_TURN };
        assert_eq!(worker.step(event), [claim(next)], "{messages} failed");
        worker.step(claimed(next, IN_TURN));
    };
    fail(&mut worker, 4, 2);
    fail(&mut worker, 2, 1);
    fail(&mut worker, 1, 1);
    assert_eq!(worker.step(settled(IN_TURN)), [claim(2)]);
}

/// A step of a random history. A reply to a job is skipped if the job is not in progress.
#[derive(Clone, Debug)]
enum Move {
    Advance(Duration),
    Deadline,
    Accept(Vec<Kind>, Sighting),
    Wake,
    ClientsExited,
    Drained,
    ClaimAnswered(Option<usize>, Option<Duration>),
    Settled(bool),
    PromptsClosed,
    SummariesDone,
    StoreUnavailable,
    Shutdown(bool),
    Fenced,
    LockLost,
    SettingsChanged,
}

/// A worker whose effects are checked against the work in progress.
struct Checked {
    worker: Worker,
    claiming: bool,
    batch: bool,
    summarizing: bool,
    exit: Option<Exit>,
}

impl Checked {
    fn new(recovery: bool, model: bool) -> Checked {
        let worker = Worker::new(recovery, model);
        let mut checked =
            Checked { worker, claiming: false, batch: false, summarizing: false, exit: None };
        checked.step(Event::Listening { socket: true });
        checked
    }

    fn step(&mut self, event: Event) {
        let starts_again = matches!(event, Event::Listening { .. } | Event::LockLost);
        let was_gone = self.worker.state() == Gone;
        let effects = self.worker.step(event);
        assert!(!was_gone || starts_again || effects.is_empty(), "{effects:?} after the exit");
        for (i, effect) in effects.iter().enumerate() {
            match effect {
                Effect::Claim(_) => {
                    assert!(!self.claiming && !self.batch, "claims twice at once");
                    self.claiming = true;
                }
                Effect::ReleaseBatch => {
                    assert!(self.batch, "has no batch");
                    self.batch = false;
                }
                Effect::WriteProvisionalSummaries => {
                    assert!(!self.summarizing, "searches twice at once");
                    self.summarizing = true;
                }
                Effect::Exit(exit) => {
                    assert!(!self.batch, "exits with a batch");
                    assert_eq!(i + 1, effects.len(), "exit is the last effect");
                    self.exit = Some(*exit);
                }
                _ => {}
            }
        }
        assert_eq!(self.worker.state() == Gone, self.exit.is_some());
    }

    /// If the worker exits with a recheck, it finds work and listens again. Returns false if the
    /// worker has exited.
    fn listens_again(&mut self) -> bool {
        if self.exit.is_some_and(|exit| exit.recheck) {
            self.exit = None;
            self.step(Event::Listening { socket: true });
        }
        self.exit.is_none()
    }

    fn play(&mut self, step: Move, session: SessionStatus) {
        match step {
            Move::Advance(time) => self.worker.now += time,
            Move::Deadline => {
                self.worker.now = self.worker.now.max(self.worker.machine.next_deadline());
                self.step(Event::Deadline);
            }
            Move::Accept(kinds, clients) => {
                self.step(Event::Accepted { kinds, bytes: 2000, clients, session });
            }
            Move::Wake => self.step(Event::Wake),
            Move::ClientsExited => self.step(Event::ClientsExited { last: CLIENT }),
            Move::Drained => self.step(drained(&[Kind::Tool], session)),
            Move::ClaimAnswered(_, _) if !self.claiming => {}
            Move::ClaimAnswered(Some(messages), _) => {
                self.claiming = false;
                self.batch = self.exit.is_none();
                self.step(claimed(messages, session));
            }
            Move::ClaimAnswered(None, retry_in) => {
                self.claiming = false;
                self.step(Event::NothingToClaim { retry_in, session });
            }
            // A replaced database can settle a batch that is not in progress. That changes nothing.
            Move::Settled(failed) => {
                self.batch = false;
                self.step(Event::BatchSettled { failed, session });
            }
            Move::PromptsClosed => self.step(Event::PromptsClosed { session }),
            Move::SummariesDone if !self.summarizing => {}
            Move::SummariesDone => {
                self.summarizing = false;
                self.step(Event::SummariesDone);
            }
            Move::StoreUnavailable => self.step(Event::StoreUnavailable),
            Move::Shutdown(graceful) => self.step(Event::Shutdown { graceful }),
            Move::Fenced => self.step(Event::Fenced { successor: true }),
            Move::LockLost => self.step(Event::LockLost),
            Move::SettingsChanged => self.step(Event::SettingsChanged),
        }
    }
}

fn any_session() -> impl Strategy<Value = SessionStatus> {
    (0..3u64, 0..2u64, 0..2u64, any::<bool>()).prop_map(
        |(pending, never_closed, reopened, active)| {
            let open = OpenPrompts { never_closed, reopened };
            SessionStatus { pending, open, prompt: 1, active, client: None }
        },
    )
}

fn any_kinds() -> impl Strategy<Value = Vec<Kind>> {
    let kind = prop::sample::select(vec![
        Kind::Prompt,
        Kind::Notification,
        Kind::Tool,
        Kind::ToolFailed,
        Kind::Subagent,
        Kind::Stop,
        Kind::StopFailed,
        Kind::Start,
        Kind::End,
        Kind::Finalize,
    ]);
    prop::collection::vec(kind, 0..4)
}

/// Moves after which the worker may go on.
fn any_move() -> impl Strategy<Value = Move> {
    let sighting = prop::sample::select(vec![Sighting::Nothing, Sighting::Known, Sighting::New]);
    let time = || (0..200u64).prop_map(Duration::from_secs);
    prop_oneof![
        time().prop_map(Move::Advance),
        Just(Move::Deadline),
        (any_kinds(), sighting).prop_map(|(kinds, clients)| Move::Accept(kinds, clients)),
        Just(Move::Wake),
        Just(Move::ClientsExited),
        Just(Move::Drained),
        (prop::option::of(1..9usize), prop::option::of(time()))
            .prop_map(|(messages, retry_in)| Move::ClaimAnswered(messages, retry_in)),
        any::<bool>().prop_map(Move::Settled),
        Just(Move::PromptsClosed),
        Just(Move::SummariesDone),
        Just(Move::StoreUnavailable),
    ]
}

fn any_terminal() -> impl Strategy<Value = Move> {
    prop_oneof![
        Just(Move::Shutdown(false)),
        Just(Move::Shutdown(true)),
        Just(Move::Fenced),
        Just(Move::LockLost),
        Just(Move::SettingsChanged),
        Just(Move::Accept(vec![Kind::End], Sighting::Nothing)),
    ]
}

fn any_history() -> impl Strategy<Value = Vec<(Move, SessionStatus)>> {
    prop::collection::vec((any_move(), any_session()), 0..60)
}

proptest! {
    /// The invariants are the assertions of `Checked`.
    #[test]
    fn a_worker_exits_after_each_terminal_event(
        recovery: bool,
        model: bool,
        history in any_history(),
        terminal in any_terminal(),
        session in any_session(),
        store_fails: bool,
    ) {
        let mut checked = Checked::new(recovery, model);
        for (step, session) in history {
            if !checked.listens_again() {
                return Ok(());
            }
            checked.play(step, session);
        }
        if !checked.listens_again() {
            return Ok(());
        }
        checked.play(terminal, session);
        // From here on the store answers each job, and no event of the session arrives.
        let deadline = checked.worker.now + seconds(60);
        while checked.exit.is_none() {
            if store_fails {
                checked.play(Move::StoreUnavailable, session);
            } else {
                checked.play(Move::Drained, session);
            }
            if checked.exit.is_none() {
                checked.play(Move::ClaimAnswered(None, None), session);
                checked.play(Move::Settled(false), session);
                checked.play(Move::SummariesDone, session);
            }
            if checked.exit.is_none() {
                checked.play(Move::Deadline, session);
                prop_assert!(checked.worker.now <= deadline, "still {:?}", checked.worker.state());
            }
        }
    }

    #[test]
    fn no_sequence_of_events_panics(
        recovery: bool,
        model: bool,
        history in prop::collection::vec(
            (prop_oneof![9 => any_move(), 1 => any_terminal()], any_session()),
            0..80,
        ),
    ) {
        let mut checked = Checked::new(recovery, model);
        for (step, session) in history {
            checked.listens_again();
            checked.play(step, session);
        }
    }
}
