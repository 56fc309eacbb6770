//! What becomes of the answers of weak models and odd servers, and what they cost.

use serde_json::{Value, json};

use super::{summaries, turn, with_api, world};
use crate::support::World;
use crate::support::agent::{Api, ApiRequest, FakeClaude, Reply, configure, memory};
use crate::support::recordings::{end, prompt, start, stop, tool};

/// A whole completion of the openai API.
fn completion(message: &Value, finish: &str, usage: &Value) -> Reply {
    let body = json!({"choices": [{"message": message, "finish_reason": finish}], "usage": usage});
    Reply::Body("application/json", body.to_string())
}

fn tokens() -> Value {
    json!({"prompt_tokens": 900, "completion_tokens": 50})
}

fn said(text: &str) -> Reply {
    completion(&json!({ "content": text }), "stop", &tokens())
}

#[test]
fn an_address_that_cannot_be_used_is_no_reason_to_send_text_elsewhere() {
    let secret = "http://user:hunter22@127.0.0.1:9/v1";
    for setting in [
        // A port, and no scheme.
        "base_url = 'localhost:11434/v1'",
        &format!("base_url = '{secret}'"),
        "base_url = 5",
        "baseurl = 'http://127.0.0.1:1/v1'",
        "proxy = 'proxy.example:3128'",
        "proxy = 'http://user:hunter22@127.0.0.1:3128'",
        "key = 'sk-a-key-instead-of-its-name'",
    ] {
        println!("{setting}");
        let api = Api::distilling();
        let w = world().with("OPENAI_API_KEY", "k-test");
        // Only the setting decides; the rest would work.
        let base = if setting.starts_with("base_url") {
            String::new()
        } else {
            format!("base_url = '{}/v1'", api.url)
        };
        configure(
            &w,
            &format!(
                "[agent]\nbackend = 'openai'\n[agent.openai]\n{base}\n{setting}\nmodel = 'm'\n"
            ),
        );
        w.hooks(&turn("s", 1));
        w.hook(&end("s"));
        w.settle();
        assert!(api.requests().is_empty(), "{setting}");
        assert_eq!(w.count("SELECT count(*) FROM agent_usage"), 0, "{setting}");
        assert_eq!(summaries(&w), ["Do number 1|extractive|1"], "{setting}: it waits");
        let notice = w.hook(&start("next"))["systemMessage"].to_string();
        assert!(notice.contains("cannot be used"), "{setting}: {notice}");
        let status = w.memctl(&["status"]).out;
        assert!(status.contains("waiting for openai"), "{setting}: {status}");
        let shown =
            [&notice, &status, &w.memctl(&["config"]).out, &w.memctl(&["doctor"]).out, &w.logs()]
                .map(|text| text.contains("hunter22"));
        assert_eq!(shown, [false; 5], "{setting}: a password is shown");
        // A valid setting ends the wait.
        let fixed = format!(
            "[agent]\nbackend = 'openai'\n[agent.openai]\nbase_url = '{}/v1'\nmodel = 'm'\n",
            api.url
        );
        configure(&w, &fixed);
        w.settle();
        w.hook(&start("third"));
        w.until_count("SELECT count(*) FROM session_summaries WHERE provisional", 0);
        assert_eq!(summaries(&w), ["By the model|openai|0"], "{setting}");
    }
}

#[test]
fn the_list_of_models_gets_the_key() {
    let api =
        Api::start(|request| match (request.path.as_str(), request.header("authorization")) {
            (_, Some("Bearer k-own")) if request.path == "/v1/models" => {
                Reply::Body("application/json", r#"{"data":[{"id":"qwen3:8b"}]}"#.into())
            }
            (_, Some("Bearer k-own")) => Reply::Say(memory(&request.prompt(), "Its own")),
            _ => Reply::Status(401, "", "{}".into()),
        });
    let w = world().with("OWN_KEY", "k-own");
    configure(
        &w,
        &format!(
            "[agent]\nbackend = 'openai'\n[agent.openai]\nbase_url = '{}/v1'\nmodel = ''\nkey = 'OWN_KEY'\n",
            api.url
        ),
    );
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.titles(), ["Its own"]);
    assert_eq!(api.requests()[1].body["reasoning_effort"], "low", "a thinking model thinks little");
}

/// Each answer is no decision, and nothing of it is stored.
#[test]
fn answers_that_are_none_are_asked_for_once_more() {
    let thoughts = json!({"content": null, "reasoning_content": "The user wants …"});
    let call = json!({"content": null, "tool_calls": [{"function": {"name": "save"}}]});
    let magistral =
        json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]});
    let template = include_str!("../../../src/agent/prompts/elements.md");
    let cases = [
        completion(
            &json!({"content": "<think>First <observation><title>A draft</title></observation>"}),
            "length",
            &tokens(),
        ),
        completion(&thoughts, "stop", &tokens()),
        completion(&call, "tool_calls", &tokens()),
        completion(&magistral, "stop", &tokens()),
        said("<think>done</think>"),
        said(template),
        said(&"<![CDATA[".repeat(100_000)),
    ];
    for case in cases {
        let answer = case.clone();
        let api = Api::start(move |_| answer.clone());
        let w = with_api("openai", &api, "");
        w.hooks(&turn("s", 1));
        w.hook(&end("s"));
        w.settle();
        assert_eq!(api.requests().len(), 2, "{case:?}");
        assert_eq!(summaries(&w), ["Do number 1|extractive|0"], "{case:?}");
        assert_eq!(w.count("SELECT count(*) FROM observations WHERE backend <> 'extractive'"), 0);
        assert_eq!(w.unfinished(), 0);
    }
}

/// What a server answers that holds its model to the schema of the request.
fn by_schema(request: &ApiRequest, schema: &Value) -> Reply {
    assert_eq!(schema["required"], json!(["observations", "summary"]), "{}", request.body);
    let summary = match request.prompt().contains("The turn is over") {
        true => {
            json!([{"request": "r", "learned": "", "completed": "Done by the model", "next_steps": ""}])
        }
        false => json!([]),
    };
    let observation = json!({"type": "change", "title": "By the schema", "narrative": "n.",
        "facts": ["one fact"], "concepts": [], "events": [1]});
    Reply::Say(json!({"observations": [observation], "summary": summary}).to_string())
}

#[test]
fn each_api_is_asked_for_json_by_a_schema() {
    for (backend, schema) in [
        ("openai", "/response_format/json_schema/schema"),
        ("gemini", "/generationConfig/responseJsonSchema"),
        ("anthropic", "/output_config/format/schema"),
    ] {
        let api = Api::start(move |request| {
            by_schema(request, request.body.pointer(schema).expect("a schema"))
        });
        let w = with_api(backend, &api, "");
        w.hooks(&turn("s", 1));
        w.hook(&end("s"));
        w.settle();
        assert_eq!(api.requests().len(), 1, "{backend}");
        assert_eq!(w.titles(), ["By the schema"], "{backend}");
        assert_eq!(summaries(&w), [format!("By the model|{backend}|0")]);
    }
}

/// A server refuses the schema, or takes it and does not hold its model to it. Either is learnt once, for
/// all sessions, and the elements are asked for.
#[test]
fn without_a_schema_the_elements_are_asked_for() {
    for refuses in [true, false] {
        let api = Api::start(move |request| {
            if request.body["response_format"].is_null() {
                assert!(request.body.to_string().contains("<observation>"), "the example");
                return Reply::Say(memory(&request.prompt(), "By elements"));
            }
            match refuses {
                true => Reply::Status(
                    400,
                    "",
                    json!({"error": {"message": "'response_format.type' must be 'text'"}})
                        .to_string(),
                ),
                false => said("Here is what happened: the tests pass now."),
            }
        });
        let w = with_api("openai", &api, "");
        for session in ["a", "b"] {
            w.hooks(&turn(session, 1));
            w.hook(&end(session));
            w.settle();
        }
        assert_eq!(api.requests().len(), 3, "refuses: {refuses}");
        assert_eq!(w.titles(), ["By elements"; 2]);
        assert_eq!(w.unfinished(), 0);
    }
}

#[test]
fn a_list_of_parts_is_an_answer() {
    let api = Api::start(|request| {
        let parts = json!([
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            {"type": "text", "text": memory(&request.prompt(), "From a list")}
        ]);
        completion(&json!({ "content": parts }), "stop", &tokens())
    });
    let w = with_api("openai", &api, "");
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    w.settle();
    assert_eq!((w.titles(), api.requests().len()), (vec!["From a list".to_owned()], 1));
}

/// Usage that is missing, negative or absurd, and an answer that cannot be read: the estimate counts.
#[test]
fn usage_that_cannot_be_true_is_booked_at_its_estimate() {
    let usages = [
        json!({"prompt_tokens": -5, "completion_tokens": -7}),
        json!({"prompt_tokens": 900, "completion_tokens": 0}),
        json!({"prompt_tokens": 9_000_000_000_000_000_u64, "completion_tokens": 5}),
        json!({"prompt_tokens": 900, "completion_tokens": 50, "cost": -3.5}),
        json!({"prompt_tokens": 900, "completion_tokens": 50, "cost": 1e9}),
        json!(null),
    ];
    for usage in usages {
        let answer = usage.clone();
        let api = Api::start(move |request| {
            completion(&json!({"content": memory(&request.prompt(), "Told")}), "stop", &answer)
        });
        let w = with_api("openai", &api, "");
        w.hooks(&turn("s", 1));
        w.hook(&end("s"));
        w.settle();
        assert_eq!(w.titles(), ["Told"], "{usage}");
        let rows =
            w.rows("SELECT status, output_tokens, input_tokens > 500, cost >= 0 FROM agent_usage");
        assert_eq!(rows, ["unknown|4096|1|1"], "{usage}");
    }
    let api = Api::start(|request| match request.n {
        0 => Reply::Body("application/json", "garbage".into()),
        _ => Reply::Say(memory(&request.prompt(), "Told")),
    });
    let w = with_api("openai", &api, "");
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    w.settle();
    let rows = w.rows("SELECT status, output_tokens FROM agent_usage ORDER BY id");
    assert_eq!(rows[0], "unknown|4096", "{rows:?}");
}

#[test]
fn later_turns_of_a_program_are_estimated_with_the_conversation() {
    let w = world();
    let fake = FakeClaude::new(&w, "init; remember \"Turn $n\"");
    // The third call reports a negative number.
    fake.set_script_at(3, "init; result '<skip_summary/>' -5 3");
    let program = fake.program().display().to_string();
    configure(
        &w,
        &format!("[agent]\nbackend = 'claude'\nbatch_events = 1\nclaude.command = '{program}'"),
    );
    w.hook(&prompt("s", "t1", "Do it"));
    for n in 1..=3 {
        w.hook(&tool("s", "t1", &format!("u{n}"), "cargo test", &"ok, it passes\n".repeat(100)));
        w.until_count("SELECT count(*) FROM agent_usage WHERE status <> 'open'", n);
    }
    let rows = w.rows("SELECT status, input_tokens FROM agent_usage ORDER BY id");
    let estimate: u64 = rows[2].strip_prefix("unknown|").unwrap_or("0").parse().unwrap();
    let sent: usize = fake.lines("stdin").iter().map(|line| line.len() / 4).sum();
    assert!(estimate as usize > sent, "{rows:?}: {sent} tokens were sent");
    w.hook(&end("s"));
    w.settle();
}

/// At any time, these two zones have different days.
#[test]
fn a_day_of_a_budget_is_the_machines() {
    let api = Api::distilling();
    let mut w = with_api("openai", &api, "");
    for (n, zone) in ["Etc/GMT+12", "Etc/GMT-14"].into_iter().enumerate() {
        w.set("TZ", zone);
        let session = format!("s{n}");
        w.hooks(&turn(&session, n));
        w.hook(&end(&session));
        w.settle();
    }
    assert_eq!(w.count("SELECT count(*) FROM agent_usage"), 2);
    assert_eq!(w.count("SELECT count(DISTINCT day) FROM agent_usage"), 1);
}

/// What a weak model answers at its `n`th call.
fn weak(n: usize, request: &ApiRequest) -> Reply {
    let good = memory(&request.prompt(), &format!("Told {n}"));
    let template = include_str!("../../../src/agent/prompts/elements.md");
    match n % 10 {
        0 => said(&good.replace("</title>", "").replace("</fact>", "")),
        1 => said(template),
        2 => said(&request.prompt()),
        3 => completion(&json!({"content": &good[..good.len() / 3]}), "length", &tokens()),
        4 => said(&format!(
            "<think>FALSE <observation><title>FALSE</title></observation></think>{good}"
        )),
        5 => completion(
            &json!({"content": "<think>FALSE <observation><title>FALSE draft</title></observation>"}),
            "length",
            &tokens(),
        ),
        6 => said("Sure! FALSE: the tests were all deleted and nothing works."),
        7 => said(
            "<observation><title>None at this time.</title></observation><summary><request>(empty)</request><next_steps>N/A</next_steps></summary>",
        ),
        8 => said(&format!("```xml\n{good}\n```\nI hope this helps! FALSE")),
        _ => said("<summary><completed>Keine.</completed></summary>"),
    }
}

/// 50 turns with a model that misses tags, echoes, breaks off and thinks aloud.
#[test]
fn a_weak_model_stores_nothing_false_and_loses_nothing() {
    let api = Api::start(|request| weak(request.n, request));
    let w = with_api("openai", &api, "");
    for n in 1..=50 {
        w.hooks(&turn("s", n));
    }
    w.hook(&end("s"));
    settle_all(&w);
    assert_eq!(w.unfinished(), 0);
    let final_ones = summaries(&w);
    assert_eq!(final_ones.len(), 50);
    assert!(final_ones.iter().all(|s| s.ends_with("|0")), "{final_ones:?}");
    // Where the model failed, the summary of the local rules stands, with the user's request.
    let local = final_ones.iter().filter(|s| s.contains("|extractive|")).count();
    assert!(local > 0 && local < 50, "{final_ones:?}");
    let stored = "SELECT title || ' ' || ifnull(subtitle, '') || ' ' || ifnull(narrative, '') || facts FROM observations";
    let stored =
        w.rows(stored).join("\n") + &w.rows("SELECT turn FROM session_summaries").join("\n");
    for wrong in
        ["FALSE", "fetch_page", "what is true now", "None at this time", "Keine", "(empty)"]
    {
        assert!(!stored.contains(wrong), "{wrong} in {stored}");
    }
    assert!(api.requests().len() <= 150, "{} calls", api.requests().len());
}

fn settle_all(w: &World) {
    for _ in 0..8 {
        w.settle();
        if w.unfinished() == 0 {
            return;
        }
        w.execute_sql(
            "UPDATE pending_messages SET not_before_epoch = 1 WHERE not_before_epoch > 0",
        );
        w.memctl(&["recover"]).ok();
    }
}

/// Tokens of requests, at four bytes each.
#[test]
fn a_turn_and_a_tool_use_cost_few_tokens() {
    let api = Api::distilling();
    let w = with_api("openai", &api, "");
    let edit = |id: &str, line: usize| {
        let before: String = (0..20).map(|n| format!("    let value_{n} = {n};\n")).collect();
        let after = before.replace(&format!("value_{line} = {line}"), &format!("value_{line} = 7"));
        json!({"session_id": "s", "cwd": "/", "prompt_id": "t", "hook_event_name": "PostToolUse",
            "tool_name": "Edit", "tool_use_id": id,
            "tool_input": {"file_path": "/w/src/a.rs", "old_string": before, "new_string": after, "replace_all": false},
            "tool_response": {"filePath": "/w/src/a.rs"}})
    };
    w.hook(&prompt("s", "t", "Make value_3 seven and test it"));
    w.hook(&tool("s", "t", "u1", "cargo test", "test result: FAILED. 2 passed; 1 failed"));
    w.hook(&edit("u2", 3));
    w.hook(&tool("s", "t", "u3", "cargo test", "test result: ok. 3 passed"));
    w.hook(&stop("s", "t", "value_3 is 7 now, and all 3 tests pass."));
    w.hook(&end("s"));
    w.settle();
    let requests = api.requests();
    let sent = requests[0].prompt();
    assert_eq!(requests.len(), 1);
    // The server adds the schema to the prompt.
    let schema = &requests[0].body["response_format"]["json_schema"]["schema"];
    assert!(schema.is_object());
    let all = (requests[0].body["messages"].to_string() + &schema.to_string()).len() / 4;
    println!("{all} tokens for a turn of 3 tools, {} of them in the envelope", sent.len() / 4);
    assert!(all <= 750, "{all} tokens");
    assert!(sent.contains("+    let value_3 = 7;") && !sent.contains("value_9"), "{sent}");
}
