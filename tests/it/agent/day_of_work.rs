//! Tokens of a day of work, compared with one call per tool use in a growing conversation. The
//! test prints the table of `docs/agents.md`.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::with_api;
use crate::support::agent::{Api, Reply};

/// 8 hours: a prompt every 12 minutes, 10 tool uses for each.
const PROMPTS: usize = 40;
const TOOLS: usize = 400;

/// Measured with the best-known system of this kind: calls per tool use, and bytes per request.
const MEASURED: (f64, usize) = (1.02, 207_000);

/// Default prices in dollars per million tokens in and out.
const PRICES: [(&str, f64, f64); 3] =
    [("claude-haiku-4-5", 1.0, 5.0), ("gpt-5-mini", 0.25, 2.0), ("gemini-2.5-flash", 0.3, 2.5)];

struct Turn {
    prompt: String,
    tools: Vec<Value>,
    stop: String,
}

/// The sessions of `tests/data/agent`, repeated in order. Each turn is filled up to its ten tool
/// uses from the longest session.
fn day() -> Vec<Turn> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/agent");
    let mut names: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let read = |path: &PathBuf| -> Value {
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let tools = |session: &Value| -> Vec<Value> {
        let events = session["events"].as_array().unwrap();
        events.iter().filter(|e| e["tool"].is_string()).cloned().collect()
    };
    let longest = names.iter().position(|n| n.ends_with("long-migration.json")).unwrap();
    let mut filler = tools(&read(&names.remove(longest))).into_iter();
    let mut turns = Vec::new();
    for n in 0..PROMPTS {
        let session = read(&names[n % names.len()]);
        let mut uses = tools(&session);
        uses.truncate(TOOLS / PROMPTS);
        while uses.len() < TOOLS / PROMPTS {
            uses.push(filler.next().expect("the longest session has enough tool uses"));
        }
        turns.push(Turn {
            prompt: format!("{} ({n})", session["prompts"][0].as_str().unwrap()),
            tools: uses,
            stop: session["stop"].as_str().unwrap_or_default().to_owned(),
        });
    }
    turns
}

/// The day as the client's transcript.
fn transcript(day: &[Turn]) -> String {
    let mut lines: Vec<Value> = Vec::new();
    for (n, turn) in day.iter().enumerate() {
        let mut line = |mut line: Value| {
            let i = lines.len();
            let minute = n * 12 + i % 10;
            line["uuid"] = format!("00000000-0000-4000-8000-{i:012}").into();
            line["timestamp"] =
                format!("2026-11-20T{:02}:{:02}:00.000Z", 9 + minute / 60, minute % 60).into();
            line["sessionId"] = "day".into();
            line["promptId"] = format!("turn-{n}").into();
            line["cwd"] = "/home/user/project".into();
            lines.push(line);
        };
        line(json!({"type": "user", "message": {"role": "user", "content": turn.prompt}}));
        for (i, used) in turn.tools.iter().enumerate() {
            let id = format!("toolu-{n}-{i}");
            line(json!({"type": "assistant", "message": {"content": [
                {"type": "tool_use", "id": id, "name": used["tool"], "input": used["input"]}]}}));
            let mut result = json!({"type": "tool_result", "tool_use_id": id, "content": "…"});
            if used["failed"] == true {
                result["is_error"] = true.into();
                result["content"] = used["response"].clone();
            }
            line(json!({"type": "user", "message": {"role": "user", "content": [result]},
                "toolUseResult": used["response"]}));
        }
        line(json!({"type": "assistant", "message": {"content": [
            {"type": "text", "text": turn.stop}]}}));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Calls and input tokens with one call per event in one conversation, at 4 bytes per token.
fn one_call_each(day: &[Turn], prefix: usize, answer: usize) -> (u64, u64) {
    let (mut calls, mut history, mut input) = (0, prefix, 0);
    for turn in day {
        let bytes =
            |used: &Value| used["input"].to_string().len() + used["response"].to_string().len();
        let events = turn.tools.iter().map(bytes).chain([turn.prompt.len() + turn.stop.len()]);
        for bytes in events {
            history += bytes.div_ceil(4);
            input += history as u64;
            history += answer;
            calls += 1;
        }
    }
    (calls, input)
}

/// Of one length each, as the recorded answers were on average.
const SENTENCES: [&str; 3] = [
    "Two or three sentences on what was wanted, found, done and proven. ",
    "The second one names a cause, and the file where it was corrected. ",
    "A third one says by which command somebody has seen that it holds. ",
];
const OF_SUMMARY: [&str; 3] = [
    "The words in which a user has asked for all of this. ",
    "What the assistant found out about causes meanwhile. ",
    "What holds from now on, and what names have changed. ",
];

/// A typical answer: two observations, and a summary if the prompt asks for one.
fn answer(prompt: &str) -> String {
    let observation = |n: usize| {
        format!(
            "<observation><type>change</type><title>What is true now, number {n}</title>\
             <narrative>{}</narrative><facts><fact>{}</fact></facts></observation>",
            SENTENCES.concat(),
            "A fact with the names and figures that matter.",
        )
    };
    let mut text = observation(prompt.len()) + &observation(prompt.len() + 1);
    if prompt.contains("The turn is over") {
        let line = "One or two sentences of what the whole turn came to. ";
        let [request, learned, completed] = OF_SUMMARY;
        text.push_str(&format!(
            "<summary><request>{line}{request}</request><learned>{line}{learned}</learned>\
             <completed>{line}{completed}</completed></summary>"
        ));
    }
    text
}

#[test]
fn a_day_of_work_takes_at_most_a_tenth_of_the_tokens() {
    let day = day();
    let tools: usize = day.iter().map(|turn| turn.tools.len()).sum();
    assert_eq!((day.len(), tools), (PROMPTS, TOOLS));
    let api = Api::start(|request| Reply::Say(answer(&request.prompt())));
    let w = with_api("anthropic", &api, "");
    let file = w.path("home/day.jsonl");
    fs::write(&file, transcript(&day)).unwrap();
    let _ = w.memctl(&["replay", file.to_str().unwrap()]).ok();
    w.settle();
    assert_eq!(w.unfinished(), 0);
    assert_eq!(w.count("SELECT count(*) FROM session_summaries WHERE NOT provisional"), 40);
    let used = w.rows(
        "SELECT count(*), sum(input_tokens), sum(output_tokens) FROM agent_usage
         WHERE status = 'complete'",
    );
    let [calls, input, output]: [u64; 3] =
        used[0].split('|').map(|n| n.parse().unwrap()).collect::<Vec<_>>().try_into().unwrap();
    assert!(calls as usize <= PROMPTS + TOOLS / 8, "{calls} calls");

    let first = &api.requests()[0];
    let prefix = (first.body.to_string().len() - first.prompt().len()) / 4;
    let (growing_calls, growing_input) = one_call_each(&day, prefix, (output / calls) as usize);
    let measured = (TOOLS as f64 * MEASURED.0) as u64;
    let rows = [
        ("anthropic, openai, gemini", calls, input),
        ("claude (490 tokens of its own in each call)", calls, input + 490 * calls),
        ("one call for each event, in one conversation", growing_calls, growing_input),
        ("the best known, as measured", measured, measured * (MEASURED.1 / 4) as u64),
    ];
    println!("| | calls | tokens in | tokens out | {} |", PRICES.map(|p| p.0).join(" | "));
    println!("| --- | --: | --: | --: | --: | --: | --: |");
    for (name, calls, input) in rows {
        let out = output * calls / rows[0].1;
        let dollars = PRICES.map(|(_, i, o)| (input as f64 * i + out as f64 * o) / 1e6);
        let dollars = dollars.map(|d| format!("${d:.2}")).join(" | ");
        println!("| {name} | {calls} | {input} | {out} | {dollars} |");
    }
    assert_documented(calls, input);
    let factor = growing_input.min(rows[3].2) as f64 / rows[1].2 as f64;
    println!("at least {factor:.0} × fewer tokens in");
    assert!(factor >= 10.0, "{factor}");
    let each = input / TOOLS as u64;
    assert!(each <= 180, "{each} tokens per tool use");
}

/// `docs/agents.md` states these numbers. Batches depend on the time of events, so a run may differ a
/// little.
fn assert_documented(calls: u64, input: u64) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/agents.md");
    let text = fs::read_to_string(path).unwrap();
    let row = text.lines().find(|line| line.starts_with("| anthropic, openai, gemini |")).unwrap();
    let stated: Vec<u64> = row.split('|').filter_map(|cell| cell.trim().parse().ok()).collect();
    let is_near = |stated: u64, now: u64| stated.abs_diff(now) * 100 <= now * 15;
    assert!(is_near(stated[0], calls) && is_near(stated[1], input), "{row}: {calls}, {input}");
}
