//! Models as memory agents, with scripted servers and programs.

mod answers;
mod claude;
mod day_of_work;
mod errors;
mod faults;
mod limits;
mod prompts;
mod switch;

use serde_json::Value;

use crate::support::World;
use crate::support::agent::{Api, configure};
use crate::support::recordings::{prompt, stop, tool};

/// A world whose workers exit at most 10 s after the end of their session, also with deferred
/// events.
fn world() -> World {
    World::new().with("MEMCTL_WORKER_END_DEADLINE", "10s")
}

/// A world that uses `backend` at the address of `api`. `more` is added to the table `[agent]`.
fn with_api(backend: &str, api: &Api, more: &str) -> World {
    let w = world().with("ANTHROPIC_API_KEY", "k-test").with("GEMINI_API_KEY", "k-test");
    let base = match backend {
        "openai" => format!("{}/v1", api.url),
        _ => api.url.clone(),
    };
    let settings = format!(
        "[agent]\nbackend = '{backend}'\n{more}\n[agent.{backend}]\nbase_url = '{base}'\nmodel = 'm-1'\n"
    );
    configure(&w, &settings);
    w
}

/// The payloads of a turn that is worth an observation.
fn turn(session: &str, n: usize) -> Vec<Value> {
    let (turn, id) = (format!("t{n}"), format!("{session}-u{n}"));
    vec![
        prompt(session, &turn, &format!("Do number {n}")),
        tool(session, &turn, &id, &format!("cargo test number_{n}"), "test result: ok. 3 passed"),
        stop(session, &turn, &format!("Number {n} is done; 3 tests pass.")),
    ]
}

/// Summaries as `request|backend|provisional`.
fn summaries(w: &World) -> Vec<String> {
    let mut summaries = w.summaries();
    summaries.sort_by_key(|summary| summary["prompt_number"].as_i64());
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    // The request is always the user's. What was done is the model's.
    let by = |s: &Value| match format!("{s}").contains("Done by the model") {
        true => "By the model".to_owned(),
        false => text(&s["request"]),
    };
    let row = |s: &Value| {
        format!("{}|{}|{}", by(s), text(&s["backend"]), u8::from(s["provisional"] == true))
    };
    summaries.iter().map(row).collect()
}
