//! Properties of any batch: no panic, linear time, a summary if and only if the batch asks for one, and
//! no loss when an observation is replaced.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::distill_unparsed as distill;
use crate::memory::{Batch, Cause, Earlier, Message, Origin, Prompt, Summary};

fn message(id: i64, cause: Cause) -> Message {
    Message {
        id,
        cause,
        turn_id: None,
        prompt_number: 1,
        agent_id: None,
        agent_type: None,
        tool_name: None,
        tool_input: None,
        tool_response: None,
        cwd: Some("/p".to_owned()),
        last_assistant_message: None,
        files: Vec::new(),
        created_at_epoch: id,
    }
}

fn tool(id: i64, name: &str, input: &str, response: &str) -> Message {
    Message {
        tool_name: Some(name.to_owned()),
        tool_input: Some(input.to_owned()),
        tool_response: Some(response.to_owned()),
        ..message(id, Cause::Tool)
    }
}

fn stop(id: i64, text: &str) -> Message {
    Message { last_assistant_message: Some(text.to_owned()), ..message(id, Cause::Stop) }
}

fn batch(prompt: &str, messages: Vec<Message>) -> Batch {
    Batch {
        project_root: Some(PathBuf::from("/p")),
        prompts: vec![Prompt { number: 1, text: prompt.to_owned() }],
        messages,
        ..Batch::default()
    }
}

fn edit(id: i64, path: &str) -> Message {
    let input =
        serde_json::json!({"file_path": path, "old_string": "a", "new_string": format!("b{id}")});
    tool(id, "Edit", &input.to_string(), "{}")
}

fn bash(id: i64, command: &str, out: &str) -> Message {
    let input = serde_json::json!({ "command": command }).to_string();
    tool(id, "Bash", &input, &serde_json::json!({ "stdout": out }).to_string())
}

#[test]
fn a_summary_is_written_if_and_only_if_it_is_asked_for() {
    for cause in Cause::ALL {
        let one = batch("do it", vec![message(1, cause)]);
        assert_eq!(distill(&one).summary.is_some(), cause.summarizes(), "{cause:?}");
    }
    let none = distill(&Batch::default());
    assert!(none.observations.is_empty() && none.summary.is_none());
}

#[test]
fn notes_say_how_a_turn_ended() {
    let mut failed = message(1, Cause::StopFailed);
    let notes = |m: Message| distill(&batch("x", vec![m])).summary.expect("a summary").notes;
    assert_eq!(notes(failed.clone()), "ended with an error");
    failed.last_assistant_message = Some(
        "API Error: 429 {\"type\":\"rate_limit_error\",\"message\":\"Run the setup first\"}"
            .to_owned(),
    );
    assert_eq!(notes(failed), "ended with an error (429, rate_limit_error)");
    assert_eq!(notes(message(1, Cause::Interrupted)), "interrupted");
    assert_eq!(notes(message(1, Cause::Checkpoint)), "");
}

#[test]
fn late_events_extend_the_existing_summary() {
    let mut late =
        batch("Add a flag to the parser", vec![edit(1, "/p/src/b.rs"), message(2, Cause::Late)]);
    late.previous = Some(Summary {
        request: "Add a flag to the parser".to_owned(),
        learned: "Flags are parsed twice.".to_owned(),
        completed: "Added the flag.".to_owned(),
        next_steps: "Document it.".to_owned(),
        files_modified: vec!["src/a.rs".to_owned()],
        ..Summary::default()
    });
    late.earlier = vec![Earlier {
        kind: "feature".to_owned(),
        title: "Added the flag".to_owned(),
        files_read: vec!["src/c.rs".to_owned()],
        files_modified: vec!["src/a.rs".to_owned()],
        ..Earlier::default()
    }];
    let summary = distill(&late).summary.expect("a summary");
    assert_eq!(summary.learned, "Flags are parsed twice.");
    assert_eq!(summary.next_steps, "Document it.");
    assert_eq!(summary.completed, "Added the flag. Changed src/b.rs.");
    assert_eq!(summary.files_modified, ["src/a.rs", "src/b.rs"]);
    assert_eq!(summary.files_read, ["src/c.rs"]);

    late.messages[1] = stop(2, "Replaced the flag by a setting.");
    let summary = distill(&late).summary.expect("a summary");
    // The replaced text is the title of an observation, so it is not lost.
    assert_eq!(summary.completed, "Replaced the flag by a setting.");
    assert_eq!(summary.learned, "Flags are parsed twice.");
    assert_eq!(summary.next_steps, "");

    late.messages[1] = stop(2, "The setting is documented now.");
    late.previous =
        Some(Summary { completed: "`--only` picks one parser.".to_owned(), ..Summary::default() });
    let summary = distill(&late).summary.expect("a summary");
    assert_eq!(summary.completed, "`--only` picks one parser. The setting is documented now.");
    // A remark about a finished background task is not a result of the turn.
    late.messages.remove(0);
    late.messages[0] = stop(2, "That was an old run, it is not relevant anymore.");
    let summary = distill(&late).summary.expect("a summary");
    assert_eq!(summary.completed, "`--only` picks one parser.");
}

/// The observations as the store returns them with the next batch of the turn.
fn stored(observations: &[crate::memory::Observation]) -> Vec<Earlier> {
    let earlier = |(at, o): (usize, &crate::memory::Observation)| Earlier {
        id: at as i64 + 1,
        prompt_number: o.prompt_number,
        agent_id: o.agent_id.clone(),
        origin: o.origin,
        kind: o.kind.clone(),
        title: o.title.clone(),
        narrative: o.narrative.clone(),
        facts: o.facts.clone(),
        files_read: o.files_read.clone(),
        files_modified: o.files_modified.clone(),
    };
    observations.iter().enumerate().map(earlier).collect()
}

#[test]
fn the_last_batch_of_a_turn_replaces_the_earlier_ones() {
    let prompt = "Add a --json flag to the list command";
    let first = distill(&batch(prompt, vec![edit(1, "/p/src/a.rs"), edit(2, "/p/src/b.rs")]));
    assert_eq!(first.observations.len(), 1);
    let commit = "[main 1a2b3c4] list: --json\n 3 files changed, 9 insertions(+)";
    let last = vec![
        edit(3, "/p/src/c.rs"),
        bash(4, "cargo test", "test result: ok. 12 passed; 0 failed; 0 ignored"),
        bash(5, "git commit -am 'list: --json'", commit),
        stop(6, "`list --json` prints one object a line; all 12 tests pass."),
    ];
    let mut last = batch(prompt, last);
    last.earlier = stored(&first.observations);
    let distilled = distill(&last);
    let [whole] = &distilled.observations[..] else { panic!("{:?}", distilled.observations) };
    assert_eq!(whole.replaces, [1]);
    assert_eq!(whole.files_modified, ["src/a.rs", "src/b.rs", "src/c.rs"]);
    assert!(whole.facts.iter().any(|f| f.starts_with("Commit 1a2b3c4")), "{:?}", whole.facts);

    // After a Stop, earlier work continues only if the commit has more files than were edited since.
    last.previous = Some(Summary { completed: "Added the flag.".into(), ..Summary::default() });
    assert_eq!(distill(&last).observations[0].replaces, [1]);
    last.messages[2] = bash(5, "git commit -m 'c'", "[main 1a2b3c4] c\n 1 file changed");
    let distilled = distill(&last);
    assert_eq!(distilled.observations[0].files_modified, ["src/c.rs"]);
    assert!(distilled.observations[0].replaces.is_empty());
}

#[test]
fn small_talk_leaves_no_observation() {
    for (prompt, answer) in [
        ("hi", "Hello! What would you like to work on?"),
        ("thanks!!", "You're welcome! Let me know if CI complains about anything else."),
    ] {
        let distilled = distill(&batch(prompt, vec![stop(1, answer)]));
        assert!(distilled.observations.is_empty(), "{prompt}");
        assert_eq!(distilled.summary, Some(Summary::default()), "{prompt}");
    }
    // Work after small talk counts.
    let distilled =
        distill(&batch("great!", vec![edit(1, "/p/a.rs"), stop(2, "Added the guard.")]));
    assert_eq!(distilled.summary.expect("a summary").completed, "Added the guard.");
    let mut go_on = batch("continue", vec![edit(1, "/p/a.rs"), stop(2, "Added the rest.")]);
    let summary = |request: &str| Summary { request: request.to_owned(), ..Summary::default() };
    go_on.rolling.summaries = vec![summary("Port the lexer"), Summary::default()];
    let request = distill(&go_on).summary.expect("a summary").request;
    assert_eq!(request, "Port the lexer (continued)");
    let asked = distill(&batch(
        "Is the parser total?",
        vec![
            tool(1, "Read", r#"{"file_path":"/p/parser.rs"}"#, "{}"),
            stop(2, "`parse` is total: it never panics. Anything else I can help with?"),
        ],
    ));
    assert_eq!(asked.summary.expect("a summary").next_steps, "");
}

#[test]
fn a_request_to_continue_names_the_work() {
    let mut go_on = batch("continue", vec![edit(1, "/p/a.rs"), stop(2, "Added the second half.")]);
    go_on
        .rolling
        .summaries
        .push(Summary { request: "Port the lexer".to_owned(), ..Summary::default() });
    let distilled = distill(&go_on);
    assert_eq!(distilled.summary.expect("a summary").request, "Port the lexer (continued)");
    assert_eq!(distilled.observations[0].subtitle, None);
}

#[test]
fn a_failure_is_fixed_by_another_thread() {
    let by_subagent = |m: Message| Message {
        agent_id: Some("a1".to_owned()),
        agent_type: Some("general-purpose".to_owned()),
        ..m
    };
    let failing =
        "test parser::empty ... FAILED\ntest result: FAILED. 1 passed; 1 failed; 0 ignored";
    let passing = "test result: ok. 2 passed; 0 failed; 0 ignored";
    let given = batch(
        "have the tests repaired",
        vec![
            bash(1, "cargo test", failing),
            by_subagent(edit(2, "/p/src/parser.rs")),
            by_subagent(bash(3, "cargo test", passing)),
            Message {
                last_assistant_message: Some("Done.".to_owned()),
                ..by_subagent(message(4, Cause::Subagent))
            },
            stop(5, "Done."),
        ],
    );
    let distilled = distill(&given).observations;
    assert_eq!(distilled.len(), 1, "{distilled:?}");
    assert_eq!(
        (distilled[0].kind.as_str(), distilled[0].sources.as_slice()),
        ("bugfix", &[1, 2, 3][..])
    );
    assert!(distilled[0].title.starts_with("Fixed failing test empty"), "{distilled:?}");
    assert_eq!(distilled[0].agent_id, None);
}

#[test]
fn lookups_leave_no_observation() {
    let quiet = batch(
        "what is there?",
        vec![
            bash(1, "ls -la && git status", "a.rs"),
            bash(2, "git log --oneline -3", "1234567 x"),
            tool(3, "Glob", r#"{"pattern":"**/*.rs"}"#, r#"{"filenames":["a.rs"]}"#),
            Message {
                tool_response: Some("Exit code 1".to_owned()),
                ..Message { cause: Cause::ToolFailed, ..bash(4, "cargo test", "") }
            },
            bash(5, "cargo test", "test result: ok. 3 passed; 0 failed; 0 ignored"),
            message(6, Cause::Interrupted),
        ],
    );
    assert_eq!(distill(&quiet).observations, []);
}

#[test]
fn restored_files_are_not_changed() {
    let tried = batch(
        "Try a faster hash",
        vec![
            edit(1, "/p/src/hash.rs"),
            edit(2, "/p/src/main.rs"),
            bash(3, "git checkout -- src/hash.rs", ""),
            message(4, Cause::Stop),
        ],
    );
    let distilled = distill(&tried).observations;
    assert_eq!(distilled[0].files_modified, ["src/main.rs"]);
    assert!(
        distilled[0].facts.contains(&"Tried and put back: src/hash.rs".to_owned()),
        "{distilled:?}"
    );
}

#[test]
fn an_amended_commit_is_one_work() {
    let amended = batch(
        "Add a flag",
        vec![
            edit(1, "/p/a.rs"),
            bash(
                2,
                "git commit -am 'feat: add a flag'",
                "[main 1111111] feat: add a flag\n 1 file changed",
            ),
            edit(3, "/p/b.rs"),
            bash(
                4,
                "git commit -a --amend --no-edit",
                "[main 2222222] feat: add a flag\n 2 files changed",
            ),
        ],
    );
    let distilled = distill(&amended).observations;
    assert_eq!(distilled.len(), 1);
    assert_eq!(distilled[0].files_modified, ["a.rs", "b.rs"]);
    assert!(distilled[0].facts[0].starts_with("Commit 2222222"), "{distilled:?}");
    assert_eq!((distilled[0].origin, distilled[0].sources.len()), (Origin::Tool, 4));
}

#[test]
fn ten_thousand_events_take_linear_time() {
    let mut messages = Vec::new();
    for id in 0..10_000 {
        messages.push(match id % 5 {
            0 => edit(id, &format!("/p/src/f{id}.rs")),
            1 => bash(id, "cargo test", &"test x::y ... FAILED\nerror: expected\n".repeat(20)),
            2 => tool(id, "Read", &format!(r#"{{"file_path":"/p/src/r{id}.rs"}}"#), "{}"),
            3 => bash(id, &format!("./script-{id}.sh"), "Error: no such file"),
            _ if id % 50 == 4 => {
                bash(id, "git commit -am x", &format!("[main {id:07x}] Change number {id}"))
            }
            _ => bash(
                id,
                &format!("python run{id}.py && cargo build 2>&1 | tail"),
                "error[E0308]: mismatched",
            ),
        });
    }
    messages.push(stop(
        10_000,
        &"Added `f1.rs` and more. The cause was found in `src/f5.rs`.\n".repeat(500),
    ));
    let all = batch("Add everything", messages);
    let start = Instant::now();
    let distilled = distill(&all);
    // Generous for debug builds on a busy machine, but quadratic time exceeds it.
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(distilled.summary.expect("a summary").files_modified.len(), 2_000);
}

#[test]
fn long_repetitive_text_takes_linear_time() {
    let start = Instant::now();
    for piece in [
        "[", "](", "(", "<", "<<E ", "`", "$(", "\"", "'", "*", "**", "a.", "a. ", "é", "\\", "- ",
        "&", ">", "\n#", "\u{1b}[",
    ] {
        let text = piece.repeat(65_536 / piece.len());
        let bash = serde_json::json!({ "command": text }).to_string();
        let out = serde_json::json!({ "stdout": text }).to_string();
        let all = batch(
            &text,
            vec![tool(1, "Bash", &bash, &out), tool(2, "Edit", &text, &text), stop(3, &text)],
        );
        distill(&all);
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

/// Arbitrary texts, JSON, and JSON truncated as the hook truncates it.
fn text() -> impl Strategy<Value = String> {
    let json = r#"{"file_path":"/p/a.rs","command":"cargo test && git commit -m \"$(cat <<'EOF'\nfix: é\nEOF\n)\" | tee >x 2>&1","old_string":"a\nb","new_string":"fn c() {\n","stdout":"test result: FAILED. 1 passed; 2 failed\n[main abc1234] fix: ü\nthread 'x' panicked at a.rs:1:2:\n","structuredPatch":[{"lines":["+fn x()","-`","é"]}]}"#;
    let cut = (0..=json.len(), 0..=json.len()).prop_map(move |(a, b)| {
        let head = (0..=a).rev().find(|i| json.is_char_boundary(*i)).unwrap_or(0);
        let tail = (b..=json.len()).find(|i| json.is_char_boundary(*i)).unwrap_or(json.len());
        format!("{}…[9 bytes cut]…{}", &json[..head], &json[tail..])
    });
    let marked = proptest::collection::vec(
        prop_oneof![
            Just("`"),
            Just("**"),
            Just("- "),
            Just("# Next"),
            Just("\n"),
            Just("[a](b)"),
            Just("("),
            Just(": "),
            Just("。"),
            Just("Added x. "),
            Just("é"),
            Just("$("),
            Just("<<E"),
            Just("\""),
            Just("'"),
            Just(">"),
            Just("|"),
            Just("\\"),
            Just("FAIL\t"),
            Just("1 failed, 2 passed in 1s"),
            Just("*"),
            Just("__"),
            Just("The cause is `a.rs`?"),
            Just("\u{1b}[3"),
        ],
        0..40,
    )
    .prop_map(|parts| parts.concat());
    prop_oneof![".{0,200}", cut, marked, Just(json.to_owned())]
}

fn any_message() -> impl Strategy<Value = Message> {
    let names = [
        "Bash",
        "Edit",
        "Write",
        "Read",
        "Grep",
        "Task",
        "Agent",
        "WebFetch",
        "mcp__a__create",
        "apply_patch",
        "New",
        "NotebookEdit",
    ];
    (0..Cause::ALL.len(), 0..names.len(), text(), text(), text(), 0..3_i64).prop_map(
        move |(cause, name, input, response, last, agent)| Message {
            cause: Cause::ALL[cause],
            tool_name: Some(names[name].to_owned()),
            tool_input: Some(input),
            tool_response: Some(response),
            last_assistant_message: Some(last),
            agent_id: (agent > 0).then(|| agent.to_string()),
            prompt_number: agent,
            ..message(agent, Cause::Tool)
        },
    )
}

proptest! {
    #[test]
    fn output_is_well_formed_for_any_batch(messages in proptest::collection::vec(any_message(), 0..12), prompt in text()) {
        let ids: Vec<i64> = messages.iter().map(|m| m.id).collect();
        let asked = messages.last().is_some_and(|m| m.cause.summarizes());
        let given = batch(&prompt, messages);
        let distilled = distill(&given);
        prop_assert_eq!(distilled.summary.is_some(), asked);
        prop_assert_eq!(&distill(&given).observations, &distilled.observations);
        for o in &distilled.observations {
            prop_assert!(!o.title.trim().is_empty() && o.title.chars().count() <= 140, "{:?}", o.title);
            prop_assert!(!o.title.contains('\n'), "{:?}", o.title);
            prop_assert!(!o.sources.is_empty() && o.sources.iter().all(|s| ids.contains(s)), "{:?}", o);
            prop_assert!(o.facts.iter().all(|f| f.chars().count() <= 222 && !f.contains('\n')));
        }
    }
}
