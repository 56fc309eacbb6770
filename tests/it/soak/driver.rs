//! Runs sessions as a client does: one hook at a time, and records which events were acknowledged.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::{EVENTS_EACH, Length, Random, Run};
use crate::support::Client;
use crate::support::recordings::{end, payload, prompt, start, stop, tool};
use crate::support::wait::jitter;
use crate::support::world::Output;

/// The reply of a hook that stored its event.
const NEUTRAL: &str = "{\"continue\":true,\"suppressOutput\":true}\n";

/// Recorded payloads. The driver replaces their session, turn and id.
const RECORDED: &[&str] = &[
    "PostToolUse.Bash-git",
    "PostToolUse.Edit",
    "PostToolUse.Grep-files",
    "PostToolUse.Read",
    "PostToolUse.Write-create",
    "PostToolUseFailure.Bash",
];

/// Test points at which a worker or recovery that a hook starts is killed. Random kills rarely hit
/// these short moments. Release builds have no test points.
const TEST_POINTS: &[&str] = &[
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
pub enum Kind {
    Prompt { text: String },
    Tool { id: String },
    Stop,
    End,
}

/// An event whose hook ran.
#[derive(Clone, Debug)]
pub struct Event {
    pub kind: Kind,
    /// The client's turn id. Empty for an end.
    pub turn: String,
    /// The hook exited by itself with the empty reply and no error.
    pub acknowledged: bool,
}

/// A session and its events in the order of their hooks.
pub struct Session {
    pub name: String,
    pub events: Vec<Event>,
    /// Whether hooks run as children of a [`Client`] that faults may kill. Otherwise they are children
    /// of this process.
    killable: bool,
    client: Option<Client>,
}

/// Runs sessions one after the other. Panics if a hook fails visibly.
pub fn sessions(run: &Run) -> Vec<Session> {
    let mut done = Vec::new();
    while let Some(n) = run.next_session() {
        let mut random = Random(run.plan.seed ^ (n as u64).wrapping_mul(0x5851_f42d_4c95_7f2d));
        let mut session = Session {
            name: format!("session-{n}"),
            events: Vec::new(),
            killable: matches!(run.plan.length, Length::Time(_)) && random.one_in(3),
            client: None,
        };
        run.current.lock().unwrap().push(session.name.clone());
        // SessionStart prints the context and starts recovery.
        let _ = run.world.hook_bytes(&[], start(&session.name).to_string().as_bytes());
        match run.plan.length {
            Length::Sessions(_) => session.drive(run, &mut random, EVENTS_EACH),
            Length::Time(_) => {
                let events = 20 + random.below(80) as usize;
                session.drive(run, &mut random, events);
            }
        }
        session.end_client(run);
        run.current.lock().unwrap().retain(|name| *name != session.name);
        done.push(session);
    }
    done
}

impl Session {
    /// Runs turns with up to 14 tool uses each. Most turns get a Stop. After some of them, the session
    /// ends and continues.
    fn drive(&mut self, run: &Run, random: &mut Random, events: usize) {
        let mut turn = 0;
        let is_done = |session: &Session| match run.plan.length {
            Length::Sessions(_) => session.events.len() >= events,
            Length::Time(time) => session.events.len() >= events || run.started_at.elapsed() > time,
        };
        while !is_done(self) {
            turn += 1;
            let id = format!("turn-{turn}");
            let text = format!("do task {turn} of {}", self.name);
            let payload = prompt(&self.name, &id, &text);
            self.run(run, random, Kind::Prompt { text }, &id, &payload);
            for n in 0..random.below(15) {
                if is_done(self) {
                    return;
                }
                let use_id = format!("use-{turn}-{n}");
                let payload = self.tool(random, &id, &use_id);
                self.run(run, random, Kind::Tool { id: use_id }, &id, &payload);
            }
            if is_done(self) {
                return;
            }
            if !random.one_in(8) {
                let message = format!("Task {turn} is done.");
                self.run(run, random, Kind::Stop, &id, &stop(&self.name, &id, &message));
            }
            if !is_done(self) && random.one_in(6) {
                self.run(run, random, Kind::End, "", &end(&self.name));
            }
        }
    }

    fn tool(&self, random: &mut Random, turn: &str, id: &str) -> Value {
        if random.one_in(2) {
            let command = format!("cargo test {id}");
            return tool(&self.name, turn, id, &command, "test result: ok. 3 passed");
        }
        let mut value = payload(random.choose(RECORDED).unwrap());
        value["session_id"] = json!(self.name);
        value["prompt_id"] = json!(turn);
        value["tool_use_id"] = json!(id);
        value
    }

    /// Runs one hook. Kills some of them, and often those of a SessionEnd.
    fn run(&mut self, run: &Run, random: &mut Random, kind: Kind, turn: &str, payload: &Value) {
        let is_end = kind == Kind::End;
        let faults =
            matches!(run.plan.length, Length::Time(_)) && !run.faults_ended.load(Ordering::Relaxed);
        // Prompts start most workers.
        let is_prompt = matches!(kind, Kind::Prompt { .. });
        let with_point = cfg!(debug_assertions) && random.one_in(if is_prompt { 3 } else { 30 });
        let mut point =
            || format!("{}#{}=kill", random.choose(TEST_POINTS).unwrap(), 1 + random.below(3));
        let points = if faults && with_point { point() } else { String::new() };
        if !points.is_empty() {
            run.count("set a test point");
        }
        let output = if self.killable {
            self.through_client(run, payload, &points)
        } else if !points.is_empty() {
            run.world.hook_at(payload, &points)
        } else if faults && random.one_in(if is_end { 2 } else { 30 }) {
            run.count(if is_end { "killed the hook of a SessionEnd" } else { "killed a hook" });
            // Some hooks have started a worker by then.
            run.world.hook_killed(payload, random.duration_below(Duration::from_millis(40)))
        } else {
            run.world.hook_bytes(&[], payload.to_string().as_bytes())
        };
        let acknowledged = acknowledges(&output);
        let is_expected = acknowledged || output.code.is_none() || !output.err.is_empty();
        assert!(is_expected, "a hook failed visibly: {output:?}");
        if acknowledged && matches!(kind, Kind::Tool { .. }) && random.one_in(40) {
            // Repeat the event, as if the hooks were registered twice. The store ignores the repeat.
            let _ = run.world.hook_bytes(&[], payload.to_string().as_bytes());
        }
        self.events.push(Event { kind, turn: turn.to_owned(), acknowledged });
        if random.one_in(4) {
            jitter(random.duration_below(Duration::from_millis(30)));
        }
    }

    /// Runs a hook like [`World::hook_at`], but as a child of the session's client. Starts a new client
    /// if there is none. Returns no exit code if the client is killed.
    fn through_client(&mut self, run: &Run, payload: &Value, points: &str) -> Output {
        let client = self.client.get_or_insert_with(|| {
            let client = Client::new(&run.world);
            run.clients.lock().unwrap().push(client.pid());
            client
        });
        client.hook(payload, points).unwrap_or_else(|| {
            self.end_client(run);
            Output { code: None, out: String::new(), err: String::new() }
        })
    }

    /// Ends the session's client, if it has one.
    fn end_client(&mut self, run: &Run) {
        if let Some(client) = self.client.take() {
            run.clients.lock().unwrap().retain(|pid| *pid != client.pid());
        }
    }

    /// Sends the last SessionEnd after the faults have ended. On a loaded machine, a hook may still reach
    /// its deadline and report the event as lost; then the event is sent again.
    pub fn end_without_faults(&mut self, run: &Run) {
        for _ in 0..5 {
            let output = run.world.hook_bytes(&[], end(&self.name).to_string().as_bytes());
            let acknowledged = acknowledges(&output);
            self.events.push(Event { kind: Kind::End, turn: String::new(), acknowledged });
            if acknowledged {
                return;
            }
            println!("{}: {output:?}", self.name);
        }
        panic!("{}: no SessionEnd was acknowledged", self.name);
    }
}

fn acknowledges(output: &Output) -> bool {
    // An answer with memories follows a delivery.
    let recalls =
        output.out.starts_with(r#"{"continue":true,"hookSpecificOutput":{"additionalContext":"#);
    output.code == Some(0) && output.err.is_empty() && (output.out == NEUTRAL || recalls)
}
