//! The effect of each error of a model: retry, deferral, or the next backend.

use std::collections::BTreeSet;
use std::net::TcpListener;

use serde_json::Value;

use super::{summaries, turn, with_api, world};
use crate::support::agent::{Api, Reply, configure, memory};
use crate::support::recordings::{end, prompt, start, stop, tool};
use crate::support::{World, until};

const OVERLOADED: &str = r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#;

type Script = fn() -> Reply;

/// Waits until the head of the queue is deferred, and returns its reason.
#[track_caller]
fn deferred(w: &World) -> String {
    until("the head of the queue is deferred", || {
        let queue = w.memctl(&["queue", "--json"]).json();
        let items = queue["items"].as_array().unwrap().iter();
        let deferred = items.filter(|i| i["event"] != "stop" && !i["not_before_epoch"].is_null());
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let row = |i: &Value| {
            format!("{}|{}|{}|{}", text(&i["status"]), i["retries"], i["claims"], text(&i["error"]))
        };
        let rows: BTreeSet<String> = deferred.map(row).collect();
        match rows.first() {
            Some(row) if rows.len() == 1 => Ok(row.clone()),
            _ => Err(format!("{rows:?}\n{}", w.logs())),
        }
    })
}

/// Makes deferred events due.
fn make_due(w: &World) {
    w.execute_sql(
        "UPDATE pending_messages SET not_before_epoch = 1 WHERE not_before_epoch IS NOT NULL;
         UPDATE agent_pauses SET until_epoch = 1",
    );
}

#[test]
fn a_rate_limit_defers_for_the_time_of_retry_after_and_loses_nothing() {
    let api = Api::start(|request| match request.n {
        0 => {
            Reply::Status(429, "retry-after: 1", r#"{"error":{"type":"rate_limit_error"}}"#.into())
        }
        _ => Reply::Say(memory(&request.prompt(), "After the limit")),
    });
    let w = with_api("anthropic", &api, "");
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(api.requests().len(), 2);
    assert_eq!(w.titles(), ["After the limit"]);
    assert_eq!(summaries(&w), ["By the model|anthropic|0"]);
    assert_eq!(w.unfinished(), 0);
    let retries = w.count("SELECT max(retry_count) FROM pending_messages");
    assert_eq!(retries, 0, "waiting does not count as a failure");
}

#[test]
fn limits_quota_and_overload_leave_a_provisional_summary_and_a_waiting_queue() {
    let cases = [
        (429, "", r#"{"error":{"type":"rate_limit_error"}}"#, "the rate limit is reached (429)"),
        (429, "", r#"{"error":{"code":"insufficient_quota"}}"#, "the quota is used up (429)"),
        (529, "", OVERLOADED, "the server is overloaded (529)"),
        (503, "", "", "the server is overloaded (503)"),
    ];
    for (status, header, body, why) in cases {
        let api = Api::start(move |_| Reply::Status(status, header, body.into()));
        let w = with_api("anthropic", &api, "");
        // A stored key, because recovery passes no key from the environment to workers.
        w.memctl_with(&["config", "secret", "set", "ANTHROPIC_API_KEY"], b"k-kept\n").ok();
        w.hooks(&turn("s", 1));
        w.hook(&end("s"));
        assert_eq!(deferred(&w), format!("pending|0|0|{why}"));
        // A worker with deferred events only does not linger, and makes no call before they are
        // due.
        w.settle();
        assert_eq!(summaries(&w), ["Do number 1|extractive|1"]);
        assert_eq!(api.requests().len(), 1, "{why}");
        assert_eq!(w.rows("SELECT status, input_tokens FROM agent_usage"), ["complete|0"]);

        api.set_script(|request| Reply::Say(memory(&request.prompt(), "Later")));
        make_due(&w);
        w.memctl(&["recover"]).ok();
        w.settle();
        assert_eq!(summaries(&w), ["By the model|anthropic|0"]);
        assert_eq!(w.titles(), ["Later"]);
        assert_eq!(w.unfinished(), 0, "{why}");
    }
}

#[test]
fn after_defer_max_the_next_backend_takes_over() {
    let api = Api::start(|_| Reply::Status(529, "", OVERLOADED.into()));
    let w = with_api("anthropic", &api, "defer_max = '0s'");
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(summaries(&w), ["Do number 1|extractive|0"]);
    assert_eq!(w.unfinished(), 0);
}

#[test]
fn a_rejected_key_is_not_tried_again_until_the_settings_change() {
    let api = Api::start(|request| match request.header("x-api-key") {
        Some("k-new") => Reply::Say(memory(&request.prompt(), "With the new key")),
        _ => Reply::Status(401, "", r#"{"error":{"type":"authentication_error"}}"#.into()),
    });
    let mut w = with_api("anthropic", &api, "");
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    assert_eq!(deferred(&w), "pending|0|0|the API key is not accepted (401)");
    w.settle();
    let message = w.hook(&start("next"))["systemMessage"].to_string();
    assert!(message.contains("the API key is not accepted"), "{message}");

    // The events are due and there is another turn, but the settings are the same.
    make_due(&w);
    w.hooks(&turn("s", 2));
    w.settle();
    assert_eq!(api.requests().len(), 1);
    let provisional = summaries(&w);
    assert_eq!(provisional, ["Do number 1|extractive|1", "Do number 2|extractive|1"]);

    w.set("ANTHROPIC_API_KEY", "k-new");
    make_due(&w);
    w.hooks(&turn("s", 3));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(summaries(&w), vec!["By the model|anthropic|0"; 3]);
    assert_eq!(w.unfinished(), 0);
    let notices = w.rows("SELECT key FROM meta WHERE key LIKE 'notice:%' OR key LIKE 'agent-%'");
    assert!(notices.is_empty(), "{notices:?}");
}

/// A foreign column makes every further summary fail.
#[test]
fn a_provisional_summary_that_cannot_be_stored_is_not_retried_in_a_loop() {
    const FAILED: &str = "no provisional summary: ";
    let api = Api::start(|_| Reply::Status(529, "", OVERLOADED.into()));
    let mut w = with_api("anthropic", &api, "");
    w.set("MEMCTL_WORKER_LINGER", "60s");
    w.hooks(&turn("s", 1));
    w.until_count("SELECT count(*) FROM session_summaries WHERE provisional", 1);
    w.execute_sql(
        "PRAGMA foreign_keys = OFF;
         ALTER TABLE session_summaries ADD COLUMN other INTEGER DEFAULT 99 REFERENCES sessions(id)",
    );
    w.hooks(&turn("s", 2));
    until("the summary fails", || w.logs().contains(FAILED).then_some(()).ok_or_else(|| w.logs()));
    w.hook(&tool("s", "t2", "late", "ls", "x"));
    w.until_count("SELECT count(*) FROM pending_messages WHERE tool_use_id = 'late'", 1);
    let n_failed = w.logs().matches(FAILED).count();
    assert!(n_failed < 5, "{}", w.logs());
    w.execute_sql("ALTER TABLE session_summaries DROP COLUMN other");
    // On a loaded machine the hook may time out while the worker compares the schema, and start one.
    w.set("MEMCTL_WORKER_LINGER", "100ms");
    w.hook(&end("s"));
    w.settle();
    assert_eq!(summaries(&w), ["Do number 1|extractive|1", "Do number 2|extractive|1"]);
}

#[test]
fn without_a_key_no_call_is_made() {
    let api = Api::distilling();
    let w = world();
    configure(
        &w,
        &format!("[agent]\nbackend = 'gemini'\n[agent.gemini]\nbase_url = '{}'", api.url),
    );
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    let why = deferred(&w);
    assert!(why.contains("memctl config secret set GEMINI_API_KEY"), "{why}");
    w.settle();
    assert!(api.requests().is_empty() && w.count("SELECT count(*) FROM agent_usage") == 0);
    assert_eq!(summaries(&w), ["Do number 1|extractive|1"]);
    // With a key, the events are due at once instead of after their hour.
    let _ = w.memctl_with(&["config", "secret", "set", "GEMINI_API_KEY"], b"k-test\n").ok();
    w.hooks(&turn("s", 2));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(summaries(&w), vec!["By the model|gemini|0"; 2]);
}

/// No server, no TLS, a web page, garbage, half an answer, a server error: after three retries the
/// events are deferred. The cases run in parallel, because each takes seven seconds.
#[test]
fn an_unusable_answer_is_retried_and_then_deferred() {
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plain = Api::start(|_| Reply::Hang);
    let scripts: [(&str, Script); 5] = [
        ("the URL returned an HTML page", || Reply::Body("text/html", "<html>hi".into())),
        ("the server failed (502)", || Reply::Status(502, "", "<html>Bad Gateway".into())),
        ("cannot be read", || Reply::Body("text/event-stream", "data: %$garbage\n\n".into())),
        ("cannot be read", || Reply::Body("application/json", "garbage".into())),
        ("the answer ended early", || Reply::BreakOff),
    ];
    let mut worlds = Vec::new();
    for (why, script) in scripts {
        let api = Api::start(move |_| script());
        worlds.push((with_api("openai", &api, ""), why, Some(api)));
    }
    for (why, url) in [
        ("no connection", format!("http://{nowhere}/v1")),
        ("no connection", plain.url.replace("http:", "https:")),
    ] {
        let w = world();
        let settings = "[agent]\nbackend = 'openai'\n[agent.openai]\nmodel = 'm'\nbase_url = ";
        configure(&w, &format!("{settings}'{url}'"));
        worlds.push((w, why, None));
    }
    for (w, _, _) in &worlds {
        w.hooks(&turn("s", 1));
        w.hook(&end("s"));
    }
    for (w, why, api) in &worlds {
        let text = deferred(w);
        assert!(text.starts_with("pending|0|0|") && text.contains(why), "{text}, not {why}");
        w.settle();
        assert_eq!(summaries(w), ["Do number 1|extractive|1"]);
        if let Some(api) = api {
            assert_eq!(api.requests().len(), 4, "{why}");
        }
    }
}

#[test]
fn a_stalled_answer_times_out_and_is_retried() {
    for reply in [Reply::Hang, Reply::Drip] {
        let first = reply.clone();
        let api = Api::start(move |request| match request.n {
            0 => first.clone(),
            _ => Reply::Say(memory(&request.prompt(), "At last")),
        });
        let w = with_api("openai", &api, "turn_timeout = '400ms'");
        w.hooks(&turn("s", 1));
        w.hook(&end("s"));
        w.settle();
        assert_eq!(w.titles(), ["At last"], "{reply:?}");
        // The usage of the first try is unknown and counts at its estimate.
        let usage = w.rows("SELECT status, output_tokens FROM agent_usage ORDER BY id");
        assert_eq!(usage[0], "unknown|4096", "{usage:?}");
        assert!(usage[1].starts_with("complete|"), "{usage:?}");
    }
}

#[test]
fn a_prompt_that_is_too_long_is_shortened() {
    let long = r#"{"error":{"code":"context_length_exceeded","message":"too long"}}"#;
    let accept_up_to = |limit: usize| {
        move |request: &crate::support::agent::ApiRequest| match request.prompt().len() {
            n if n <= limit => Reply::Say(memory(&request.prompt(), "Short enough")),
            _ => Reply::Status(400, "", long.into()),
        }
    };
    let send_long_turn = |w: &World| {
        w.hook(&prompt("s", "t", "Test it"));
        for n in 0..3 {
            w.hook(&tool("s", "t", &format!("u{n}"), "cargo test", &"long line\n".repeat(900)));
        }
        w.hook(&stop("s", "t", &"It passes. ".repeat(900)));
        w.hook(&end("s"));
        w.settle();
    };
    let api = Api::start(accept_up_to(4000));
    let w = with_api("openai", &api, "");
    send_long_turn(&w);
    assert_eq!(api.requests().len(), 2, "the second prompt is a quarter as long");
    assert_eq!(w.titles(), ["Short enough"]);
    assert_eq!(w.unfinished(), 0);

    // Even a single event is too long: the next backend takes the batch.
    let api = Api::start(accept_up_to(10));
    let w = with_api("openai", &api, "");
    send_long_turn(&w);
    assert_eq!(w.rows("SELECT DISTINCT backend FROM session_summaries"), ["extractive"]);
    assert_eq!(w.unfinished(), 0);
    let lengths: Vec<usize> = api.requests().iter().map(|request| request.prompt().len()).collect();
    let repeated = lengths.windows(2).any(|pair| pair[0] == pair[1]);
    assert!(!repeated, "no prompt is sent twice: {lengths:?}");
}

#[test]
fn an_answer_that_says_nothing_is_retried_once_and_never_stored() {
    let sentence = "The agent runs the tests and all of them pass.";
    let answers = [
        "Sure! I looked at what happened and it seems that the tests pass.".to_owned(),
        "I'm sorry, but I can't help with that.".to_owned(),
        format!(
            "<summary><request>{sentence}</request><learned>{sentence}</learned>\
             <completed>{sentence}</completed><next_steps>{sentence}</next_steps></summary>"
        ),
        format!(
            r#"{{"observations": [], "summary": [{{"request": "Run the tests", "completed": "{}"}}]}}"#,
            sentence.repeat(8)
        ),
    ];
    for answer in answers {
        let api = Api::start(move |_| Reply::Say(answer.clone()));
        let w = with_api("openai", &api, "");
        w.hooks(&turn("s", 1));
        w.hook(&end("s"));
        w.settle();
        assert_eq!(api.requests().len(), 2);
        assert_eq!(summaries(&w), ["Do number 1|extractive|0"]);
        assert_eq!(w.count("SELECT count(*) FROM observations WHERE backend <> 'extractive'"), 0);
        assert_eq!(w.unfinished(), 0);
    }
    // A quota error in prose counts as a quota error.
    let api = Api::start(|_| Reply::Say("Credit balance is too low".into()));
    let w = with_api("openai", &api, "");
    w.hooks(&turn("s", 1));
    assert_eq!(deferred(&w), "pending|0|0|the quota is used up");
}

/// A thinking model may spend all its tokens before it answers.
#[test]
fn an_empty_answer_at_the_token_limit_is_not_a_decision() {
    let cut = [
        ("openai", r#"{"choices":[{"delta":{"content":""},"finish_reason":"length"}]}"#),
        ("gemini", r#"{"candidates":[{"finishReason":"MAX_TOKENS"}]}"#),
        ("anthropic", r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"}}"#),
    ];
    for (backend, chunk) in cut {
        let api =
            Api::start(move |_| Reply::Body("text/event-stream", format!("data: {chunk}\n\n")));
        let w = with_api(backend, &api, "");
        w.hooks(&turn("s", 1));
        w.hook(&end("s"));
        w.settle();
        assert_eq!(api.requests().len(), 2, "{backend}");
        assert_eq!(summaries(&w), ["Do number 1|extractive|0"], "{backend}");
        assert_eq!(w.unfinished(), 0);
    }
}

#[test]
fn an_empty_answer_is_a_decision_unless_the_batch_crashed_a_worker() {
    let api = Api::start(|_| Reply::Say("<skip_summary/>".into()));
    let mut w = with_api("openai", &api, "");
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(api.requests().len(), 1);
    assert_eq!(w.count("SELECT count(*) FROM observations"), 0);
    assert_eq!((w.unfinished(), summaries(&w)), (0, vec!["Do number 1|extractive|0".to_owned()]));

    w.set("MEMCTL_TESTPOINT", "agent.asking=kill");
    w.hooks(&turn("s", 2));
    until("the worker dies", || match w.processes()[..] {
        [] => Ok(()),
        ref pids => Err(format!("{pids:?}")),
    });
    w.set("MEMCTL_TESTPOINT", "");
    w.hook(&end("s"));
    w.settle();
    assert_eq!(api.requests().len(), 3, "the batch was sent twice");
    let backends = w.rows("SELECT backend FROM session_summaries ORDER BY prompt_number");
    assert_eq!(backends, ["extractive", "extractive"]);
    assert_eq!(w.unfinished(), 0);
}
