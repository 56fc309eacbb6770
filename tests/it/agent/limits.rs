//! What a server's errors teach: the calls that are not made because of them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{summaries, turn, with_api, world};
use crate::support::agent::{Api, ApiRequest, Reply, configure, memory};
use crate::support::recordings::{end, prompt, stop, tool};
use crate::support::{World, until};

fn error(status: u16, message: &str) -> Reply {
    Reply::Status(status, "", serde_json::json!({"error": {"message": message}}).to_string())
}

/// The payloads of a turn with long texts.
fn long_turn(session: &str, n: usize) -> Vec<serde_json::Value> {
    let id = format!("t{n}");
    let mut events = vec![prompt(session, &id, &format!("Do number {n}"))];
    for i in 0..4 {
        let output = format!("line {n} of the output, which is long\n").repeat(300);
        let command = format!("cargo test case_{n}_{i}");
        events.push(tool(session, &id, &format!("{session}-{n}-{i}"), &command, &output));
    }
    events.push(stop(session, &id, &format!("Number {n} passes. ").repeat(300)));
    events
}

#[track_caller]
fn run(w: &World, session: &str, turns: impl IntoIterator<Item = Vec<serde_json::Value>>) {
    for events in turns {
        w.hooks(&events);
        w.until_count("SELECT count(*) FROM pending_messages WHERE status NOT IN ('processed')", 0);
    }
    w.hook(&end(session));
    w.settle();
}

#[test]
fn a_server_that_always_says_too_long_is_asked_a_few_times_in_all() {
    let api = Api::start(|_| error(400, "context_length_exceeded"));
    let w = with_api("openai", &api, "");
    run(&w, "a", (1..=3).map(|n| long_turn("a", n)));
    let calls = api.requests().len();
    assert!((2..=5).contains(&calls), "{calls} calls");
    let lengths: Vec<usize> = api.requests().iter().map(|r| r.body.to_string().len()).collect();
    assert!(lengths.windows(2).all(|pair| pair[1] <= pair[0] * 2 / 3), "{lengths:?}");
    // Another worker knows the limit.
    run(&w, "b", (1..=2).map(|n| long_turn("b", n)));
    assert_eq!(api.requests().len(), calls);
    assert_eq!(w.unfinished(), 0);
    assert_eq!(summaries(&w).iter().filter(|s| s.ends_with("|extractive|0")).count(), 5);
    // A changed setting is a reason to try again.
    w.memctl(&["config", "set", "agent.openai.max_tokens", "2000"]).ok();
    run(&w, "c", [long_turn("c", 1)]);
    assert!(api.requests().len() > calls);
}

#[test]
fn a_context_that_an_error_names_is_kept_to_from_then_on() {
    let script = |request: &ApiRequest| {
        let tokens = request.body["messages"].to_string().len() / 3;
        match tokens + request.body["max_tokens"].as_u64().unwrap() as usize {
            0..=4096 => Reply::Say(memory(&request.prompt(), &format!("Told {}", request.n))),
            all => error(
                400,
                &format!(
                    "This model's maximum context length is 4096 tokens. However, you requested \
                     {all} tokens."
                ),
            ),
        }
    };
    let api = Api::start(script);
    let w = with_api("openai", &api, "");
    run(&w, "a", (1..=3).map(|n| long_turn("a", n)));
    let refused = w.count("SELECT count(*) FROM agent_usage WHERE input_tokens = 0");
    assert!(refused <= 2, "{refused} of {} calls refused", api.requests().len());
    assert_eq!(summaries(&w), vec!["By the model|openai|0"; 3]);
    let before = api.requests().len();
    run(&w, "b", [long_turn("b", 1)]);
    assert_eq!(api.requests().len(), before + 1, "another worker knows the context");
}

/// The errors are those of OpenAI.
#[test]
fn a_form_that_a_server_does_not_take_is_sent_once() {
    let script = |request: &ApiRequest| {
        let body = &request.body;
        let limit = body["max_completion_tokens"].as_u64();
        if body["max_tokens"].is_u64() {
            error(
                400,
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
                 'max_completion_tokens' instead.",
            )
        } else if limit > Some(2048) {
            error(
                400,
                "max_completion_tokens is too large: 4096. This model supports at most 2048 \
                 completion tokens, whereas you provided 4096.",
            )
        } else if body["stream_options"].is_object() {
            error(400, "Unrecognized request argument supplied: stream_options")
        } else if body["reasoning_effort"].is_string() {
            error(400, "Unsupported value: 'reasoning_effort' does not support 'low'")
        } else {
            Reply::Say(memory(&request.prompt(), &format!("Told {}", request.n)))
        }
    };
    let api = Api::start(script);
    let w = with_api("openai", &api, "");
    let file = w.path("home/.config/memctl/config.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, settings.replace("m-1", "gpt-5-mini")).unwrap();
    run(&w, "a", [turn("a", 1)]);
    assert_eq!(api.requests().len(), 5, "four errors");
    run(&w, "b", (2..=3).map(|n| turn("b", n)));
    assert_eq!(api.requests().len(), 7, "another worker sends the form that the server takes");
    assert_eq!(summaries(&w).iter().filter(|s| *s == "By the model|openai|0").count(), 3);
    let bodies: Vec<String> = api.requests().iter().map(|r| r.body.to_string()).collect();
    assert!((1..bodies.len()).all(|n| bodies[n] != bodies[n - 1]), "nothing is sent twice");
    // `doctor --agent` learns anew.
    let output = w.memctl(&["doctor", "--agent"]).ok();
    assert!(output.contains("openai returned 1 observation"), "{output}");
    assert_eq!(api.requests().len(), 12);
}

#[test]
fn a_rejection_without_a_known_reason_costs_one_call_and_is_reported_in_the_end() {
    let api = Api::start(|_| error(400, "messages.0: something is odd"));
    let w = with_api("openai", &api, "");
    w.memctl(&["config", "set", "agent.defer_max", "0s"]).ok();
    run(&w, "a", (1..=5).map(|n| long_turn("a", n)));
    let bodies: Vec<String> = api.requests().iter().map(|r| r.body.to_string()).collect();
    assert_eq!(bodies.len(), 4, "the first also in its plainest form, and none after the third");
    assert_ne!(bodies[0], bodies[1]);
    assert_eq!(w.unfinished(), 0);
    let notice = w.hook(&crate::support::recordings::start("next"))["systemMessage"].to_string();
    assert!(notice.contains("rejected the request (400)"), "{notice}");
}

#[test]
fn a_refused_batch_does_not_stop_the_others() {
    let html = || Reply::Status(403, "", "<html>Attention Required!".into());
    let flagged = || error(403, "requires moderation and your input was flagged for \"violence\"");
    for refuse in [html as fn() -> Reply, flagged] {
        let api = Api::start(move |request| match request.prompt().contains("number_1") {
            true => refuse(),
            false => Reply::Say(memory(&request.prompt(), "Fine")),
        });
        let w = with_api("openai", &api, "");
        run(&w, "a", (1..=2).map(|n| turn("a", n)));
        assert_eq!(api.requests().len(), 2);
        assert_eq!(summaries(&w), ["Do number 1|extractive|0", "By the model|openai|0"]);
    }
}

#[test]
fn a_second_model_is_asked_at_once() {
    for status in [401, 403, 429, 529] {
        let down = Api::start(move |_| error(status, "x"));
        let api = Api::distilling();
        let w = world().with("ANTHROPIC_API_KEY", "k-test");
        let settings = format!(
            "[agent]\nbackend = 'anthropic'\nfallback = ['openai', 'extractive']\n\
             [agent.anthropic]\nbase_url = '{}'\n\
             [agent.openai]\nmodel = 'm'\nbase_url = '{}/v1'\n",
            down.url, api.url
        );
        configure(&w, &settings);
        run(&w, "a", (1..=2).map(|n| turn("a", n)));
        assert_eq!(summaries(&w), vec!["By the model|openai|0"; 2], "{status}");
        assert_eq!(down.requests().len(), 1, "{status}: the pause holds");
    }
}

/// Both sessions wait for the same server, and each pause is longer than the last.
#[test]
fn pauses_grow_and_hold_for_all_sessions() {
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = times.clone();
    let api = Api::start(move |_| {
        seen.lock().unwrap().push(Instant::now());
        Reply::Status(429, "retry-after: 1", r#"{"error":{"type":"rate_limit_error"}}"#.into())
    });
    let w = with_api("anthropic", &api, "");
    let mut w = w.with("MEMCTL_WORKER_LINGER", "60s");
    w.set("MEMCTL_WORKER_END_DEADLINE", "60s");
    w.hooks(&turn("a", 1));
    until("the first call", || if api.requests().is_empty() { Err(String::new()) } else { Ok(()) });
    w.hooks(&turn("b", 1));
    until("the fourth call", || match api.requests().len() {
        0..4 => Err(api.requests().len().to_string()),
        _ => Ok(()),
    });
    let times = times.lock().unwrap();
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (n, gap) in gaps.iter().take(3).enumerate() {
        assert!(*gap >= Duration::from_millis(950 << n), "{gaps:?}");
    }
}

/// A local model that reads its prompt for most of the time.
#[test]
fn the_whole_time_of_a_call_counts_for_the_first_byte() {
    let api = Api::start(|request| {
        Reply::SayAfter(Duration::from_millis(1400), memory(&request.prompt(), "Slow"))
    });
    let w = with_api("openai", &api, "turn_timeout = '2s'");
    run(&w, "a", [turn("a", 1)]);
    assert_eq!((api.requests().len(), w.titles()), (1, vec!["Slow".to_owned()]));
}

#[test]
fn a_call_that_takes_too_long_is_made_with_half_the_text() {
    let api = Api::start(|request| match request.prompt().len() {
        0..2500 => Reply::Say(memory(&request.prompt(), "In time")),
        _ => Reply::Hang,
    });
    let w = with_api("openai", &api, "turn_timeout = '700ms'");
    run(&w, "a", [long_turn("a", 1)]);
    let lengths: Vec<usize> = api.requests().iter().map(|r| r.prompt().len()).collect();
    assert!(lengths.len() <= 8, "{lengths:?}");
    let is_halved = |pair: &[usize]| pair[0] < 2500 || pair[1] <= pair[0] / 2;
    assert!(lengths.windows(2).all(is_halved), "{lengths:?}");
    assert_eq!(summaries(&w), ["By the model|openai|0"]);
}

/// Ollama cuts the prompt to its context, answers, and says only how many tokens it read.
#[test]
fn a_server_that_cuts_the_prompt_in_silence_is_told_less() {
    const CONTEXT: usize = 2048;
    let api = Api::start(|request| {
        let tokens = request.body["messages"].to_string().len() / 4;
        let text = match tokens {
            0..CONTEXT => memory(&request.prompt(), &format!("Told {}", request.n)),
            _ => memory(&request.prompt(), "Made up"),
        };
        let chunk = serde_json::json!({
            "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": tokens.min(CONTEXT), "completion_tokens": 50}
        });
        Reply::Body("application/json", chunk.to_string())
    });
    let w = with_api("openai", &api, "");
    run(&w, "a", (1..=3).map(|n| long_turn("a", n)));
    assert_eq!(api.requests().len(), 4, "the first turn is sent twice");
    assert_eq!(w.count("SELECT count(*) FROM observations WHERE title = 'Made up'"), 0);
    assert_eq!(summaries(&w), vec!["By the model|openai|0"; 3]);
}
