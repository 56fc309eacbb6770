//! Sessions as a client drives them: hooks one after the other, and what each answered.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::{EVENTS_EACH, Lot, Measure, Run};
use crate::support::Client;
use crate::support::recordings::{end, payload, prompt, start, stop, tool};
use crate::support::wait::jitter;
use crate::support::world::Output;

/// The answer of a hook that has kept its event.
const NEUTRAL: &str = "{\"continue\":true,\"suppressOutput\":true}\n";

/// Payloads of the real client; session, turn and id are put in.
const RECORDED: &[&str] = &[
    "PostToolUse.Bash-git",
    "PostToolUse.Edit",
    "PostToolUse.Grep-files",
    "PostToolUse.Read",
    "PostToolUse.Write-create",
    "PostToolUseFailure.Bash",
];

/// Steps at which a worker dies that a hook has started, or who recovers: moments too short to be
/// met by lot. Builds for release have no such points.
const STEPS: &[&str] = &[
    "worker.locked",
    "worker.bound",
    "worker.accepting",
    "worker.accepted",
    "worker.replying",
    "worker.claimed",
    "worker.completing",
    "worker.completed",
    "worker.closed",
    "worker.unlinked",
    "take_in.committed",
    "take_in.unlinked",
    "recover.begun",
    "deliver.spooled",
];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    Prompt { text: String },
    Tool { id: String },
    Stop,
    End,
}

/// An event whose hook was run.
#[derive(Clone, Debug)]
pub struct Event {
    pub what: What,
    /// The client's id of the turn; empty for an end.
    pub turn: String,
    /// Its hook ended by itself, with the neutral answer and without a complaint.
    pub acknowledged: bool,
}

/// A session and its events, in the order in which their hooks were run.
pub struct Session {
    pub name: String,
    pub events: Vec<Event>,
    /// Some sessions have a client that may die; the others' is this process.
    mortal: bool,
    client: Option<Client>,
}

/// Drives one session after the other. No hook may break its client, whatever happens.
pub fn sessions(run: &Run) -> Vec<Session> {
    let mut done = Vec::new();
    while let Some(n) = run.another() {
        let mut lot = Lot(run.plan.seed ^ (n as u64).wrapping_mul(0x5851_f42d_4c95_7f2d));
        let mut session = Session {
            name: format!("session-{n}"),
            events: Vec::new(),
            mortal: matches!(run.plan.measure, Measure::Time(_)) && lot.one_in(3),
            client: None,
        };
        run.current.lock().unwrap().push(session.name.clone());
        // Shows what is remembered, and asks for recovery.
        let _ = run.world.hook_bytes(&[], start(&session.name).to_string().as_bytes());
        match run.plan.measure {
            Measure::Sessions(_) => session.drive(run, &mut lot, EVENTS_EACH),
            Measure::Time(_) => {
                let events = 20 + lot.below(80) as usize;
                session.drive(run, &mut lot, events);
            }
        }
        session.let_client_go(run);
        run.current.lock().unwrap().retain(|name| *name != session.name);
        done.push(session);
    }
    done
}

impl Session {
    /// Turns of some tool uses each. Most are stopped; after some the session ends, and goes on.
    fn drive(&mut self, run: &Run, lot: &mut Lot, events: usize) {
        let mut turn = 0;
        let full = |session: &Session| match run.plan.measure {
            Measure::Sessions(_) => session.events.len() >= events,
            Measure::Time(time) => session.events.len() >= events || run.begun.elapsed() > time,
        };
        while !full(self) {
            turn += 1;
            let id = format!("turn-{turn}");
            let text = format!("do number {turn} of {}", self.name);
            let payload = prompt(&self.name, &id, &text);
            self.run(run, lot, What::Prompt { text }, &id, &payload);
            for n in 0..lot.below(15) {
                if full(self) {
                    return;
                }
                let use_id = format!("use-{turn}-{n}");
                let payload = self.tool(lot, &id, &use_id);
                self.run(run, lot, What::Tool { id: use_id }, &id, &payload);
            }
            if full(self) {
                return;
            }
            if !lot.one_in(8) {
                let said = format!("Number {turn} is done.");
                self.run(run, lot, What::Stop, &id, &stop(&self.name, &id, &said));
            }
            if !full(self) && lot.one_in(6) {
                self.run(run, lot, What::End, "", &end(&self.name));
            }
        }
    }

    fn tool(&self, lot: &mut Lot, turn: &str, id: &str) -> Value {
        if lot.one_in(2) {
            let command = format!("cargo test {id}");
            return tool(&self.name, turn, id, &command, "test result: ok. 3 passed");
        }
        let mut value = payload(lot.of(RECORDED).unwrap());
        value["session_id"] = json!(self.name);
        value["prompt_id"] = json!(turn);
        value["tool_use_id"] = json!(id);
        value
    }

    /// One hook; some are killed, those of a session's end often.
    fn run(&mut self, run: &Run, lot: &mut Lot, what: What, turn: &str, payload: &Value) {
        let ends = what == What::End;
        let faults =
            matches!(run.plan.measure, Measure::Time(_)) && !run.calm.load(Ordering::Relaxed);
        // Most workers are started by prompts.
        let begins = matches!(what, What::Prompt { .. });
        let steps = cfg!(debug_assertions) && lot.one_in(if begins { 3 } else { 30 });
        let mut step = || format!("{}#{}=kill", lot.of(STEPS).unwrap(), 1 + lot.below(3));
        let points = if faults && steps { step() } else { String::new() };
        if !points.is_empty() {
            run.count("told to die at a step");
        }
        let output = if self.mortal {
            self.through_client(run, payload, &points)
        } else if !points.is_empty() {
            run.world.hook_at(payload, &points)
        } else if faults && lot.one_in(if ends { 2 } else { 30 }) {
            run.count(if ends { "killed the hook of an end" } else { "killed a hook" });
            // Long enough for some to have started a worker.
            run.world.hook_killed(payload, lot.moment(Duration::from_millis(40)))
        } else {
            run.world.hook_bytes(&[], payload.to_string().as_bytes())
        };
        let acknowledged = acknowledges(&output);
        let known = acknowledged || output.code.is_none() || !output.err.is_empty();
        assert!(known, "a hook broke its client: {output:?}");
        if acknowledged && matches!(what, What::Tool { .. }) && lot.one_in(40) {
            // As by plugin and settings: the same event once more counts once.
            let _ = run.world.hook_bytes(&[], payload.to_string().as_bytes());
        }
        self.events.push(Event { what, turn: turn.to_owned(), acknowledged });
        if lot.one_in(4) {
            jitter(lot.moment(Duration::from_millis(30)));
        }
    }

    /// As [`World::hook_at`], by the session's client, or another one that goes on in its place. Of
    /// a hook whose client was killed nobody knows anything.
    fn through_client(&mut self, run: &Run, payload: &Value, points: &str) -> Output {
        let client = self.client.get_or_insert_with(|| {
            let client = Client::new(&run.world);
            run.clients.lock().unwrap().push(client.pid());
            client
        });
        client.hook(payload, points).unwrap_or_else(|| {
            self.let_client_go(run);
            Output { code: None, out: String::new(), err: String::new() }
        })
    }

    /// It ends, unless it has already.
    fn let_client_go(&mut self, run: &Run) {
        if let Some(client) = self.client.take() {
            run.clients.lock().unwrap().retain(|pid| *pid != client.pid());
        }
    }

    /// The last end, when nothing is done to anybody any more. A machine under load may still keep
    /// a hook waiting until it gives up, and says so.
    pub fn end_for_good(&mut self, run: &Run) {
        for _ in 0..5 {
            let output = run.world.hook_bytes(&[], end(&self.name).to_string().as_bytes());
            let acknowledged = acknowledges(&output);
            self.events.push(Event { what: What::End, turn: String::new(), acknowledged });
            if acknowledged {
                return;
            }
            println!("{}: {output:?}", self.name);
        }
        panic!("{}: no end is taken", self.name);
    }
}

fn acknowledges(output: &Output) -> bool {
    output.code == Some(0) && output.out == NEUTRAL && output.err.is_empty()
}
