//! Runs sessions as a client does: hooks one after the other, with their replies.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::{EVENTS_EACH, Measure, Random, Run};
use crate::support::Client;
use crate::support::recordings::{end, payload, prompt, start, stop, tool};
use crate::support::wait::jitter;
use crate::support::world::Output;

/// The reply of a hook that stored its event.
const NEUTRAL: &str = "{\"continue\":true,\"suppressOutput\":true}\n";

/// Recorded payloads; session, turn and id are replaced.
const RECORDED: &[&str] = &[
    "PostToolUse.Bash-git",
    "PostToolUse.Edit",
    "PostToolUse.Grep-files",
    "PostToolUse.Read",
    "PostToolUse.Write-create",
    "PostToolUseFailure.Bash",
];

/// Test points at which a worker or recovery started by a hook dies. Random kills rarely hit these
/// short moments. Release builds have no test points.
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

/// An event whose hook ran.
#[derive(Clone, Debug)]
pub struct Event {
    pub what: What,
    /// The client's turn id; empty for an end.
    pub turn: String,
    /// The hook exited by itself with the empty reply and no error.
    pub acknowledged: bool,
}

/// A session and its events in the order of their hooks.
pub struct Session {
    pub name: String,
    pub events: Vec<Event>,
    /// A client that may be killed; otherwise the client is this process.
    mortal: bool,
    client: Option<Client>,
}

/// Runs one session after the other. No hook may fail visibly, whatever happens.
pub fn sessions(run: &Run) -> Vec<Session> {
    let mut done = Vec::new();
    while let Some(n) = run.another() {
        let mut random = Random(run.plan.seed ^ (n as u64).wrapping_mul(0x5851_f42d_4c95_7f2d));
        let mut session = Session {
            name: format!("session-{n}"),
            events: Vec::new(),
            mortal: matches!(run.plan.measure, Measure::Time(_)) && random.one_in(3),
            client: None,
        };
        run.current.lock().unwrap().push(session.name.clone());
        // Shows the context, and starts recovery.
        let _ = run.world.hook_bytes(&[], start(&session.name).to_string().as_bytes());
        match run.plan.measure {
            Measure::Sessions(_) => session.drive(run, &mut random, EVENTS_EACH),
            Measure::Time(_) => {
                let events = 20 + random.below(80) as usize;
                session.drive(run, &mut random, events);
            }
        }
        session.let_client_go(run);
        run.current.lock().unwrap().retain(|name| *name != session.name);
        done.push(session);
    }
    done
}

impl Session {
    /// Turns of some tool uses each. Most get a Stop; after some the session ends and continues.
    fn drive(&mut self, run: &Run, random: &mut Random, events: usize) {
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
            self.run(run, random, What::Prompt { text }, &id, &payload);
            for n in 0..random.below(15) {
                if full(self) {
                    return;
                }
                let use_id = format!("use-{turn}-{n}");
                let payload = self.tool(random, &id, &use_id);
                self.run(run, random, What::Tool { id: use_id }, &id, &payload);
            }
            if full(self) {
                return;
            }
            if !random.one_in(8) {
                let printed = format!("Number {turn} is done.");
                self.run(run, random, What::Stop, &id, &stop(&self.name, &id, &printed));
            }
            if !full(self) && random.one_in(6) {
                self.run(run, random, What::End, "", &end(&self.name));
            }
        }
    }

    fn tool(&self, random: &mut Random, turn: &str, id: &str) -> Value {
        if random.one_in(2) {
            let command = format!("cargo test {id}");
            return tool(&self.name, turn, id, &command, "test result: ok. 3 passed");
        }
        let mut value = payload(random.of(RECORDED).unwrap());
        value["session_id"] = json!(self.name);
        value["prompt_id"] = json!(turn);
        value["tool_use_id"] = json!(id);
        value
    }

    /// Runs one hook. Some are killed, those of a session's end often.
    fn run(&mut self, run: &Run, random: &mut Random, what: What, turn: &str, payload: &Value) {
        let ends = what == What::End;
        let faults =
            matches!(run.plan.measure, Measure::Time(_)) && !run.calm.load(Ordering::Relaxed);
        // Prompts start most workers.
        let begins = matches!(what, What::Prompt { .. });
        let steps = cfg!(debug_assertions) && random.one_in(if begins { 3 } else { 30 });
        let mut step = || format!("{}#{}=kill", random.of(STEPS).unwrap(), 1 + random.below(3));
        let points = if faults && steps { step() } else { String::new() };
        if !points.is_empty() {
            run.count("told to die at a step");
        }
        let output = if self.mortal {
            self.through_client(run, payload, &points)
        } else if !points.is_empty() {
            run.world.hook_at(payload, &points)
        } else if faults && random.one_in(if ends { 2 } else { 30 }) {
            run.count(if ends { "killed the hook of an end" } else { "killed a hook" });
            // Some hooks have started a worker by then.
            run.world.hook_killed(payload, random.moment(Duration::from_millis(40)))
        } else {
            run.world.hook_bytes(&[], payload.to_string().as_bytes())
        };
        let acknowledged = acknowledges(&output);
        let known = acknowledged || output.code.is_none() || !output.err.is_empty();
        assert!(known, "a hook failed visibly: {output:?}");
        if acknowledged && matches!(what, What::Tool { .. }) && random.one_in(40) {
            // As by plugin and settings: the repeated event counts once.
            let _ = run.world.hook_bytes(&[], payload.to_string().as_bytes());
        }
        self.events.push(Event { what, turn: turn.to_owned(), acknowledged });
        if random.one_in(4) {
            jitter(random.moment(Duration::from_millis(30)));
        }
    }

    /// As [`World::hook_at`], but as a child of the session's client, or of a new client if that
    /// one is dead. The outcome of a hook whose client was killed is unknown.
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

    /// The client exits, unless it has already.
    fn let_client_go(&mut self, run: &Run) {
        if let Some(client) = self.client.take() {
            run.clients.lock().unwrap().retain(|pid| *pid != client.pid());
        }
    }

    /// The last end, without faults. On a loaded machine a hook may still reach its deadline and
    /// report the event as lost; then it is repeated.
    pub fn end_without_faults(&mut self, run: &Run) {
        for _ in 0..5 {
            let output = run.world.hook_bytes(&[], end(&self.name).to_string().as_bytes());
            let acknowledged = acknowledges(&output);
            self.events.push(Event { what: What::End, turn: String::new(), acknowledged });
            if acknowledged {
                return;
            }
            println!("{}: {output:?}", self.name);
        }
        panic!("{}: no SessionEnd was acknowledged", self.name);
    }
}

fn acknowledges(output: &Output) -> bool {
    output.code == Some(0) && output.out == NEUTRAL && output.err.is_empty()
}
