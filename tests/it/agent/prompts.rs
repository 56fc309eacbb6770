//! Prompts for models, and the rows that their answers become.

use serde_json::{Value, json};

use super::{summaries, turn, with_api};
use crate::support::agent::{Api, ApiRequest, Reply, memory};
use crate::support::recordings::{end, prompt, start, stop, tool};
use crate::support::until;

#[test]
fn each_api_distils_a_turn_in_one_call() {
    for backend in ["anthropic", "openai", "gemini"] {
        let api = Api::distilling();
        let w = with_api(backend, &api, "");
        w.hooks(&turn("s", 1));
        w.hook(&end("s"));
        w.settle();
        let requests = api.requests();
        assert_eq!(requests.len(), 1, "{backend}: {requests:?}");
        let key = match backend {
            "anthropic" => requests[0].header("x-api-key"),
            "gemini" => requests[0].header("x-goog-api-key"),
            // An unknown server gets no key.
            _ => Some("k-test").filter(|_| requests[0].header("authorization").is_none()),
        };
        assert_eq!(key, Some("k-test"), "{backend}");
        assert!(!requests[0].path.contains("k-test") && !w.logs().contains("k-test"));
        let sent = requests[0].prompt();
        for part in ["Do number 1", "cargo test number_1", "3 passed", "Number 1 is done"] {
            assert_eq!(sent.matches(part).count(), 1, "{part} in {sent}");
        }
        assert_eq!(
            w.rows("SELECT title, backend, origin FROM observations"),
            [format!("Told 1|{backend}|tool")]
        );
        assert_eq!(summaries(&w), [format!("By the model|{backend}|0")]);
        let usage = "SELECT backend, model, status, input_tokens > 100, output_tokens > 10 FROM agent_usage";
        assert_eq!(w.rows(usage), [format!("{backend}|m-1|complete|1|1")]);
        let session = w.rows("SELECT backend, memory_session_id FROM sessions");
        assert!(session[0].starts_with(&format!("{backend}|{backend}-")), "{session:?}");
        assert!(!session[0].contains("|s"), "never the client's session id");
        assert_eq!(w.unfinished(), 0);
    }
}

#[test]
fn a_stop_gets_a_local_summary_at_once_and_the_models_summary_replaces_it() {
    let api = Api::start(|_| Reply::Hang);
    let w = with_api("openai", &api, "");
    w.hooks(&turn("s", 1));
    until("the summary by the local rules", || match &summaries(&w)[..] {
        [one] if one == "Do number 1|extractive|1" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let shown = w.memctl(&["show", "s1"]).ok();
    assert!(shown.contains("provisional"), "{shown}");
    until("a call of the model", || {
        if api.requests().is_empty() { Err("not yet".into()) } else { Ok(()) }
    });
    api.set_script(|request| Reply::Say(memory(&request.prompt(), "After all")));
    api.release();
    until("the model's summary", || match &summaries(&w)[..] {
        [one] if one == "By the model|openai|0" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.titles(), ["After all"]);
}

#[test]
fn without_a_configured_model_the_servers_first_one_is_used() {
    let api = Api::start(|request| match request.path.as_str() {
        "/v1/models" => {
            Reply::Body("application/json", r#"{"data":[{"id":"qwen3"},{"id":"b"}]}"#.into())
        }
        _ => Reply::Say(memory(&request.prompt(), "Its own")),
    });
    let w = with_api("openai", &api, "");
    let file = w.path("home/.config/memctl/config.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, settings.replace("m-1", "")).unwrap();
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.rows("SELECT model, cost FROM agent_usage"), ["qwen3|Real(0.0)"]);
    assert_eq!(api.requests()[1].body["model"], "qwen3");
}

/// 40 events in one turn, most of them reads.
#[test]
fn a_long_turn_takes_few_calls_and_sends_each_event_once() {
    let api = Api::distilling();
    let w = with_api("openai", &api, "");
    w.hook(&prompt("s", "t", "Look around, then test"));
    for n in 0..40 {
        let (command, output) = match n % 4 {
            0 => (format!("cargo test case_{n}_"), format!("{} ok", "x".repeat(9000))),
            _ => (format!("cat src/file_{n}_.rs"), "y".repeat(9000)),
        };
        w.hook(&tool("s", "t", &format!("u{n}"), &command, &output));
    }
    w.hook(&stop("s", "t", "All of it passes."));
    w.hook(&end("s"));
    w.settle();
    let requests = api.requests();
    // 10 events are worth sending: one batch of 8, and the rest at the Stop.
    assert!(requests.len() <= 3, "{} calls", requests.len());
    let all: String = requests.iter().map(ApiRequest::prompt).collect();
    for n in 0..40 {
        let name = if n % 4 == 0 { format!("case_{n}_") } else { format!("file_{n}_") };
        assert_eq!(all.matches(&name).count(), 1, "{name}");
    }
    assert!(!all.contains("yyyyyyyyyy"), "reads are not sent");
    assert!(all.len() < 40_000, "{} bytes", all.len());
    assert_eq!(w.unfinished(), 0);
}

#[test]
fn a_batch_of_reads_costs_no_call() {
    let api = Api::distilling();
    let w = with_api("openai", &api, "batch_quiet = '50ms'");
    w.hook(&prompt("s", "t", "Have a look"));
    w.hook(&tool("s", "t", "u1", "ls", "a.rs"));
    w.until_count("SELECT count(*) FROM pending_messages WHERE status = 'processed'", 1);
    assert!(api.requests().is_empty());
    w.hook(&end("s"));
    w.settle();
    assert_eq!(api.requests().len(), 1, "the summary is the model's");
}

#[test]
fn a_quiet_period_flushes_an_incomplete_batch() {
    let api = Api::distilling();
    let w = with_api("openai", &api, "batch_quiet = '50ms'");
    w.hook(&prompt("s", "t", "Test it"));
    w.hook(&tool("s", "t", "u1", "cargo test", "3 passed"));
    w.until_count("SELECT count(*) FROM observations", 1);
    assert_eq!(api.requests().len(), 1);
    w.hook(&end("s"));
    w.settle();
}

#[test]
fn a_prompt_contains_earlier_results_of_the_session() {
    let api = Api::distilling();
    let w = with_api("openai", &api, "");
    for n in 1..=2 {
        w.hooks(&turn("s", n));
        w.until_count("SELECT count(*) FROM session_summaries WHERE NOT provisional", n as i64);
    }
    w.hook(&end("s"));
    w.settle();
    let second = api.requests()[1].prompt();
    assert!(second.contains("- Told 1") && second.contains("Done by the model"), "{second}");
    assert!(!second.contains("number_1"), "each event is sent once");
}

#[test]
fn files_and_origin_come_from_the_events_not_from_the_model() {
    // A page is part of the batch, so all that the model writes may be from it.
    let answer = "<observation><type>nonsense</type><title>It says so</title><events>1</events>\
        <files_modified><file>/etc/passwd</file></files_modified></observation>\
        <observation><title>From the web</title><events>2</events></observation>";
    let api = Api::start(move |_| Reply::Say(answer.into()));
    let w = with_api("openai", &api, "");
    let edit = json!({"session_id": "s", "cwd": "/", "prompt_id": "t",
        "hook_event_name": "PostToolUse", "tool_name": "Edit", "tool_use_id": "u1",
        "tool_input": {"file_path": "/w/src/a.rs", "old_string": "a", "new_string": "b"},
        "tool_response": {"filePath": "/w/src/a.rs"}});
    w.hook(&prompt("s", "t", "Change it"));
    w.hook(&edit);
    w.hook(&tool("s", "t", "u2", "curl https://example.org/x", "a page"));
    w.hook(&stop("s", "t", "Changed."));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(
        w.rows("SELECT type, title, origin, files_modified FROM observations ORDER BY id"),
        [r#"change|It says so|web|["w/src/a.rs"]"#, "discovery|From the web|web|[]"]
    );
    // The model wrote no summary, so the one by the local rules stays.
    assert_eq!(summaries(&w), ["Change it|extractive|0"]);
}

#[test]
fn a_users_decision_keeps_its_origin_whatever_the_model_says() {
    let api = Api::distilling();
    let w = with_api("openai", &api, "");
    let mut events = turn("s", 1);
    events[0] = prompt("s", "t1", "From now on always use pnpm, never npm.");
    w.hooks(&events);
    w.hook(&end("s"));
    w.settle();
    let rows = w.rows("SELECT origin, type FROM observations ORDER BY id");
    assert_eq!(rows, ["tool|change", "user|decision"]);
}

#[test]
fn a_budget_is_a_hard_stop_and_the_next_session_start_reports_it() {
    let api = Api::distilling();
    let w = with_api("openai", &api, "budget.session_turns = 2");
    for n in 1..=4 {
        w.hooks(&turn("s", n));
        w.until_count("SELECT count(*) FROM session_summaries WHERE NOT provisional", n as i64);
    }
    w.hook(&end("s"));
    w.settle();
    assert_eq!(api.requests().len(), 2);
    assert_eq!(w.count("SELECT count(*) FROM agent_usage"), 2);
    let backends: Vec<String> =
        w.rows("SELECT backend FROM session_summaries ORDER BY prompt_number");
    assert_eq!(backends, ["openai", "openai", "extractive", "extractive"]);
    assert_eq!(w.unfinished(), 0);
    let text: Value = w.hook(&start("next"));
    let text = text["systemMessage"].as_str().unwrap_or_default().to_owned();
    assert!(text.contains("budget.session_turns"), "{text}");
}

/// A gateway or a tunnel listens on a local address, too.
#[test]
fn a_price_of_the_user_counts_for_a_local_address() {
    let api = Api::distilling();
    let w = with_api("openai", &api, "prices = 'm-1=1000/1000'");
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(api.requests().len(), 0, "one call may cost more than agent.budget.session_cost");
    let text = w.hook(&start("next"))["systemMessage"].as_str().unwrap_or_default().to_owned();
    assert!(text.contains("budget.session_cost"), "{text}");
}

#[test]
fn doctor_tests_a_backend_with_one_call_and_reports_its_usage() {
    let api = Api::distilling();
    let w = with_api("openai", &api, "");
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    w.settle();
    let output = w.memctl(&["doctor", "--agent"]);
    assert!(output.out.contains("openai returned 1 observation and a summary"), "{output:?}");
    assert!(output.out.contains("tokens in") && output.out.contains("$0.00"), "{output:?}");
    assert_eq!(api.requests().len(), 2);
    let without_session =
        "SELECT count(*) FROM agent_usage WHERE session_id IS NULL AND status = 'complete'";
    assert_eq!(w.count(without_session), 1);
    assert_eq!(w.count("SELECT count(*) FROM observations"), 1, "the test call stores nothing");
    api.set_script(|_| Reply::Status(401, "", "{}".into()));
    let output = w.memctl(&["doctor", "--agent"]);
    assert_eq!(output.code, Some(1));
    assert!(output.out.contains("the API key is not accepted (401)"), "{output:?}");
    assert!(output.out.contains("-> check agent.openai.model"), "{output:?}");
}
