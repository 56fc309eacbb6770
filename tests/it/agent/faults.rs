//! Sessions whose memory agent fails at random: no event is lost or duplicated, the order is kept,
//! the budget holds, and no process is left.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{turn, with_api};
use crate::support::agent::{Api, ApiRequest, Reply, memory};
use crate::support::recordings::end;
use crate::support::{World, wait};

const TURNS: usize = 6;
const SESSIONS: [&str; 3] = ["a", "b", "c"];

/// A random generator with a seed, so that a run can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

#[expect(clippy::disallowed_methods, reason = "a setting of the test")]
fn seed() -> u64 {
    let seed = std::env::var("MEMCTL_SOAK_SEED").ok().and_then(|text| text.parse().ok());
    seed.unwrap_or_else(|| u64::from(std::process::id()))
}

fn random_fault(random: &mut Random, request: &ApiRequest) -> Reply {
    let json = |kind: &str| format!(r#"{{"error":{{"type":"{kind}"}}}}"#);
    match random.below(17) {
        0 => Reply::Status(429, "retry-after: 0", json("rate_limit_error")),
        1 => Reply::Status(529, "retry-after: 0", json("overloaded_error")),
        2 => Reply::Status(500, "", json("api_error")),
        3 => Reply::Body("text/html", "<html>captive".into()),
        4 => Reply::Say("I would rather not.".into()),
        5 => Reply::Say(String::new()),
        6 => Reply::BreakOff,
        7 => Reply::Drip,
        8 => Reply::Status(400, "", json("context_length_exceeded")),
        9 => Reply::Status(402, "retry-after: 0", json("insufficient_quota")),
        10 => Reply::Hang,
        11 => Reply::Body("text/event-stream", "data: %$garbage\n\n".into()),
        _ => Reply::Say(memory(&request.prompt(), &format!("Told {}", request.n))),
    }
}

/// Ends the pauses that faults caused.
fn resume(w: &World) {
    if w.count("SELECT count(*) FROM sqlite_master WHERE name = 'agent_pauses'") == 1 {
        w.execute_sql(
            "UPDATE pending_messages SET not_before_epoch = 1 WHERE not_before_epoch > 0;
             DELETE FROM agent_pauses; DELETE FROM agent_limits",
        );
    }
}

#[test]
fn each_turn_takes_effect_once_under_random_faults() {
    let seed = seed();
    println!("MEMCTL_SOAK_SEED={seed}");
    let random = Arc::new(Mutex::new(Random(seed)));
    let drawn = random.clone();
    let api = Api::start(move |request| random_fault(&mut drawn.lock().unwrap(), request));
    // A short timeout, and a budget of 12 calls per session.
    let w = with_api("openai", &api, "turn_timeout = '500ms'\nbudget.session_turns = 12");
    let mut workers: BTreeSet<i32> = BTreeSet::new();
    for n in 1..=TURNS {
        for session in SESSIONS {
            w.hooks(&turn(session, n));
        }
        // Wait for a few calls, so that workers are killed at different stages.
        let before = api.requests().len();
        let _ = wait::within(Duration::from_secs(2), || match api.requests().len() - before {
            0..3 => Err(String::new()),
            _ => Ok(()),
        });
        let alive = w.processes();
        workers.extend(alive.iter().copied());
        // Kill a random worker.
        if let Some(pid) =
            alive.get(random.lock().unwrap().below(alive.len().max(1) as u64) as usize)
        {
            w.kill(*pid);
        }
        // A fault may pause the agent for minutes.
        resume(&w);
    }
    for session in SESSIONS {
        w.hook(&end(session));
    }
    let requests = api.requests().len();
    println!("{requests} calls under faults");
    assert!(requests >= TURNS, "{requests} calls");
    // From here on every call succeeds.
    api.set_script(|request| Reply::Say(memory(&request.prompt(), &format!("Told {}", request.n))));
    for _ in 0..5 {
        w.settle();
        if w.unfinished() == 0 {
            break;
        }
        resume(&w);
        w.memctl(&["recover"]).ok();
    }
    w.settle();
    let context = || format!("seed {seed}, copied to {}\n{}", w.copy_to_tmp().display(), w.logs());
    assert_eq!(w.unfinished(), 0, "{}", context());
    let events =
        w.count("SELECT count(*) FROM pending_messages WHERE message_type = 'observation'");
    assert_eq!(events as usize, TURNS * SESSIONS.len(), "{}", context());
    let final_ones = w.count("SELECT count(*) FROM session_summaries WHERE NOT provisional");
    assert_eq!(final_ones as usize, TURNS * SESSIONS.len(), "{}", context());
    let duplicates = w.rows(
        "SELECT m.id FROM pending_messages m JOIN observation_sources s ON s.pending_message_id = m.id
         JOIN observations o ON o.id = s.observation_id WHERE m.message_type = 'observation'
         GROUP BY m.id HAVING count(DISTINCT o.backend) > 1",
    );
    assert!(duplicates.is_empty(), "by two backends: {duplicates:?}, {}", context());
    // The agent makes one observation per batch.
    let duplicates = w.rows(
        "SELECT s.pending_message_id FROM observation_sources s
         JOIN observations o ON o.id = s.observation_id WHERE o.backend = 'openai'
         GROUP BY s.pending_message_id HAVING count(*) > 1",
    );
    assert!(duplicates.is_empty(), "sent twice: {duplicates:?}, {}", context());
    // The events of a session were sent in order.
    let out_of_order = w.rows(
        "SELECT o.id FROM observations o JOIN observations p ON p.session_id = o.session_id
           AND p.id > o.id AND p.prompt_number < o.prompt_number",
    );
    assert!(out_of_order.is_empty(), "{out_of_order:?}, {}", context());
    let calls = w.rows("SELECT session_id, count(*) FROM agent_usage GROUP BY session_id");
    let max_calls =
        calls.iter().filter_map(|row| row.split('|').nth(1)?.parse::<usize>().ok()).max();
    assert!(max_calls.unwrap_or(0) <= 12, "{calls:?}");
    assert!(w.processes().is_empty() && !workers.is_empty());
}
