use std::fs;
use std::time::SystemTime;

use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use crate::case::{Case, Event, Session};
use crate::payload::Client;
use crate::project::Repository;
use crate::support::{World, notes, until};
use crate::told::Told;

/// What the memory holds after a case.
pub struct Memory {
    /// The context that a session on the next morning receives.
    pub context: String,
    pub told: Told,
    /// Estimated tokens of the context.
    pub tokens: u32,
    /// What a search reads, in lower case: `memctl show --json` of each session without its prompts,
    /// and the column of names that are never shown.
    pub stored: String,
}

/// Plays the events of a case in a world of its own.
///
/// A hook has a time limit. On a machine that is so busy that one exceeds it, the case is played
/// again.
pub fn play(case: &Case) -> Memory {
    const TRIES: usize = 3;
    let mut result = try_play(case);
    for _ in 1..TRIES {
        if let Err(error) = &result {
            notes::add("warning", &format!("{} is played again: {error}", case.name));
            result = try_play(case);
        }
    }
    result.unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

/// # Errors
/// What a hook printed to standard error.
fn try_play(case: &Case) -> Result<Memory, String> {
    let mut world = World::with_prefix("me").with("MEMCTL_WORKER_LINGER", "10ms");
    let clock = Clock::new(&world);
    world.set("MEMCTL_TESTCLOCK", &clock.file);
    let mut now = Timestamp::UNIX_EPOCH;
    let mut repository = Repository::new(&world);
    for (n, session) in case.sessions.iter().enumerate() {
        world.set("TZ", &posix_zone(&session.at));
        let start: Timestamp = session.at.parse().expect("a time with an offset");
        now = start.max(now + 1.minute());
        repository.start_on(&session.branch);
        let client = Client::new(&session_id(n), &repository.dir);
        play_session(session, client, &world, &clock, &mut repository, &mut now)?;
        world.settle();
    }
    clock.set(now + 14.hours());
    let project = repository.dir.to_str().unwrap();
    let context = world.memctl(&["context", "--json", "--project", project]).json();
    let stored: Vec<Value> = (0..case.sessions.len()).map(|n| stored(&world, n)).collect();
    let text = context["text"].as_str().expect("a text").to_owned();
    let names = world.rows("SELECT names FROM observations");
    let shown: Vec<String> = stored.iter().map(Value::to_string).collect();
    Ok(Memory {
        told: Told::read(&text, &stored),
        context: text,
        tokens: context["tokens"].as_u64().expect("a number") as u32,
        stored: [shown, names].concat().join("\n").to_lowercase(),
    })
}

fn play_session(
    session: &Session,
    mut client: Client,
    world: &World,
    clock: &Clock,
    repository: &mut Repository,
    now: &mut Timestamp,
) -> Result<(), String> {
    clock.set(*now);
    hook(world, &client.start())?;
    for event in &session.events {
        let pause = match event {
            Event::Prompt { .. } => 60.seconds(),
            Event::Tool { .. } => 20.seconds(),
            _ => 10.seconds(),
        };
        *now += pause;
        clock.set(*now);
        if let Event::Tool { tool, input, failed: false, .. } = event
            && tool == "Bash"
        {
            repository.follow(input["command"].as_str().unwrap_or_default());
        }
        for payload in client.payloads(event) {
            hook(world, &payload)?;
        }
        // The worker reads the clock and HEAD when it distills a turn.
        if matches!(event, Event::Stop { .. } | Event::StopFailed { .. }) {
            until_distilled(world);
        }
    }
    *now += 5.seconds();
    clock.set(*now);
    hook(world, &client.end())
}

fn hook(world: &World, payload: &Value) -> Result<(), String> {
    let output = world.hook_bytes(&[], payload.to_string().as_bytes());
    if output.err.is_empty() { Ok(()) } else { Err(output.err) }
}

/// Waits until nothing is spooled and each accepted message is processed.
fn until_distilled(world: &World) {
    const UNFINISHED: &str =
        "SELECT count(*) FROM pending_messages WHERE status IN ('pending', 'processing')";
    until("the turn is distilled", || match (world.spools().is_empty(), world.count(UNFINISHED)) {
        (true, 0) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

fn session_id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

fn stored(world: &World, n: usize) -> Value {
    let mut session = world.memctl(&["show", &session_id(n), "--json"]).json();
    session.as_object_mut().expect("an object").remove("prompts");
    session
}

/// The zone of `2026-03-02T09:00:00+05:30` as a value of `TZ`: `<+05:30>-05:30`.
fn posix_zone(at: &str) -> String {
    let offset = &at[at.len() - 6..];
    // POSIX counts west of UTC.
    let west = match offset.split_at(1) {
        ("+", time) => format!("-{time}"),
        ("-", time) => format!("+{time}"),
        _ => panic!("{at}: no offset"),
    };
    format!("<{}>{west}", offset.replace(':', ""))
}

/// The clock of the world's processes.
pub struct Clock {
    pub file: String,
}

impl Clock {
    pub fn new(world: &World) -> Clock {
        Clock { file: world.path("clock").to_str().unwrap().to_owned() }
    }

    pub fn set(&self, now: Timestamp) {
        let real = Timestamp::try_from(SystemTime::now()).unwrap();
        let offset = now.as_millisecond() - real.as_millisecond();
        // Workers read the file at any time, so it is replaced as a whole.
        let new = format!("{}.new", self.file);
        fs::write(&new, offset.to_string()).unwrap();
        fs::rename(&new, &self.file).unwrap();
    }
}

#[test]
fn zones_are_those_of_posix() {
    assert_eq!(posix_zone("2026-03-02T09:00:00+05:30"), "<+0530>-05:30");
    assert_eq!(posix_zone("2026-03-02T09:00:00-03:00"), "<-0300>+03:00");
}
