//! Distills whole turns and checks the results: lines that must appear and texts that must not. Each
//! turn is a JSON file in `tests/data/agent`.

use std::path::PathBuf;

use serde_json::Value;

use crate::memory::{Batch, Cause, Distilled, Message, Origin, Prompt, Summary};

/// Parses a turn with these keys:
///
/// - `project_root`
/// - `prompts`: texts
/// - `events`: tool, input, response and failed, or cause and text
/// - `stop`: a text, or cause and text; absent if the turn continues
pub fn batch(text: &str) -> Batch {
    let turn: Value = serde_json::from_str(text).expect("a turn is JSON");
    let mut batch = Batch {
        project_root: turn["project_root"].as_str().map(PathBuf::from),
        ..Batch::default()
    };
    for (at, prompt) in turn["prompts"].as_array().into_iter().flatten().enumerate() {
        let number = prompt["number"].as_i64().unwrap_or(at as i64 + 1);
        let text = prompt.as_str().or(prompt["text"].as_str()).unwrap_or("").to_owned();
        batch.prompts.push(Prompt { number, text });
    }
    let newest = batch.prompts.last().map_or(0, |p| p.number);
    for event in turn["events"].as_array().into_iter().flatten() {
        let mut message = message(event, batch.messages.len(), newest);
        if message.tool_name.is_some() {
            message.cause = if event["failed"] == true { Cause::ToolFailed } else { Cause::Tool };
        }
        batch.messages.push(message);
    }
    if !turn["stop"].is_null() {
        let mut stop = message(&turn["stop"], batch.messages.len(), newest);
        stop.last_assistant_message =
            turn["stop"].as_str().map(str::to_owned).or(stop.last_assistant_message);
        batch.messages.push(stop);
    }
    batch
}

fn message(event: &Value, at: usize, newest: i64) -> Message {
    let text = |key: &str| event[key].as_str().map(str::to_owned);
    let json = |key: &str| match &event[key] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    Message {
        id: at as i64 + 1,
        cause: event["cause"].as_str().and_then(Cause::parse).unwrap_or(Cause::Stop),
        turn_id: Some("turn".to_owned()),
        prompt_number: event["prompt"].as_i64().unwrap_or(newest),
        agent_id: text("agent"),
        agent_type: text("agent_type"),
        tool_name: text("tool"),
        tool_input: json("input"),
        tool_response: json("response"),
        cwd: text("cwd"),
        last_assistant_message: text("text"),
        files: Vec::new(),
        created_at_epoch: 1_700_000_000_000 + at as i64,
    }
}

/// The result of a turn as readable text.
pub fn page(distilled: &Distilled) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    for o in &distilled.observations {
        let agent = o.agent_type.as_deref().map(|a| format!(" by {a}")).unwrap_or_default();
        line(format!(
            "[{}] {} ({}, #{}{agent})",
            o.kind,
            o.title,
            o.origin.as_str(),
            o.prompt_number
        ));
        o.subtitle.iter().for_each(|s| line(format!("    sub: {s}")));
        o.narrative.iter().for_each(|n| line(format!("    {n}")));
        o.facts.iter().for_each(|f| line(format!("    - {f}")));
        if !o.files_modified.is_empty() {
            line(format!("    modified: {}", o.files_modified.join(" ")));
        }
        if !o.files_read.is_empty() {
            line(format!("    read: {}", o.files_read.join(" ")));
        }
        line(format!("    sources: {:?}", o.sources));
    }
    if let Some(s) = &distilled.summary {
        for (name, text) in [
            ("request", &s.request),
            ("investigated", &s.investigated),
            ("learned", &s.learned),
            ("completed", &s.completed),
            ("next_steps", &s.next_steps),
            ("notes", &s.notes),
        ] {
            line(format!("{name}: {text}"));
        }
        line(format!("files: {} read, {} modified", s.files_read.len(), s.files_modified.len()));
    }
    out
}

fn summary(name: &str) -> Summary {
    super::distill_unparsed(&turn(name)).summary.expect("a summary")
}

pub fn turn(name: &str) -> Batch {
    let path = format!("{}/tests/data/agent/{name}.json", env!("CARGO_MANIFEST_DIR"));
    batch(&std::fs::read_to_string(&path).expect("the turn is there"))
}

/// Asserts that the result of a turn contains the lines of `wanted`, or lines with these prefixes, in
/// this order.
pub fn check(name: &str, wanted: &[&str], unwanted: &[&str]) {
    let page = page(&super::distill_unparsed(&turn(name)));
    let mut lines = page.lines();
    for want in wanted {
        assert!(
            lines.any(|l| l.trim_start().starts_with(want)),
            "{name} lacks {want:?}, or has it in another order:\n{page}"
        );
    }
    for text in unwanted {
        assert!(!page.contains(text), "{name} must not contain {text:?}:\n{page}");
    }
}

#[test]
fn a_failing_test_and_its_fix_are_one_bugfix() {
    check(
        "rust-bugfix",
        &[
            "[bugfix] Fixed failing test parse_empty: added a guard for empty input that returns `Ast::Nothing` in src/parser.rs (tool, #1)",
            "Problem: `cargo test` failed in parser::tests::parse_empty: panicked: index out of bounds",
            "- cargo test: 14 passed",
            "modified: src/parser.rs",
            "read: src/lexer.rs",
            "sources: [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]",
            "request: cargo test fails since this morning",
            "learned: `parse` indexed the first token",
            "completed: I added a guard",
            "next_steps: The lexer has the same pattern",
        ],
        &["E0599", "13 passed", "git status", "[discovery]", "[change]"],
    );
}

#[test]
fn a_feature_keeps_its_decision_and_failures_on_the_way() {
    check(
        "python-feature",
        &[
            "[feature] The report command now takes `--since` (tool, #1)",
            "- Solved on the way in shop/report.py: `pytest` failed with TypeError: can't compare",
            "- pytest: 8 passed",
            "- Installed python-dateutil (pip)",
            "- New: tests/test_since.py",
            "[change] Changed README.md (tool, #2)",
            "request: Add a `--since` option to the report command that only counts orders after that date / also mention",
            "learned: I treat the given date as UTC instead of local time",
            "next_steps: Add `--until`. Accept relative dates such as `7d`.",
        ],
        &["[bugfix]", "7 passed", "====="],
    );
}

#[test]
fn a_commit_gives_its_work_a_title() {
    check(
        "web-fix-commit",
        &[
            "[bugfix] Show 0 instead of NaN for an empty cart",
            "The badge shows 0 for an empty cart now. The cause was a `reduce`",
            "- Commit 4be1c0f on main: fix(cart): show 0 instead of NaN for an empty cart (2 files changed, 14 insertions(+), 1 deletion(-))",
            "- vitest: 3 passed",
            "- Pushed main to github.com:acme/shop.git",
            "learned: The cause was a `reduce` without an initial value.",
            "completed: The badge shows 0",
        ],
        &["rejected", "Co-Authored-By", "still fails"],
    );
}

#[test]
fn infrastructure_and_refactoring_are_changes() {
    check(
        "infra-apply",
        &[
            "[feature] Der zweite Worker läuft: `worker-1` ist Ready",
            "- Solved on the way in infra/variables.tf: `terraform apply` failed with Error: creating EC2 Instance: VcpuLimitExceeded",
            "- Apply complete! Resources: 1 added, 1 changed, 0 destroyed.",
            "- infra/main.tf: `count = 1` became `count = 2`",
            "completed: Der zweite Worker läuft",
            "next_steps: Limit-Erhöhung bei AWS beantragen.",
        ],
        &["│", "Plan: 1 to add"],
    );
    check(
        "refactor-no-tests",
        &[
            "[refactor] Renamed `Store` to `Repository` and moved it to `src/repository.rs`",
            "modified: src/repository.rs src/lib.rs src/http.rs src/memory.rs",
        ],
        &["[discovery]"],
    );
}

#[test]
fn answers_and_reports_are_discoveries() {
    check(
        "question",
        &[
            "[discovery] Retries of failed webhooks are set in `config/webhooks.yml`",
            "sub: Where do we decide how often a failed webhook is retried?",
            "read: app/webhooks/deliver.rb config/webhooks.yml",
            "learned: Retries of failed webhooks",
        ],
        &["Let me know", "[change]"],
    );
    check(
        "subagents",
        &[
            "[discovery] Subagent report: Trace the login path (repository, #1 by Explore)",
            "The login path hashes the password twice with bcrypt at 16 rounds (`app/auth/hash.py:8`)",
            "read: app/auth/login.py app/auth/hash.py",
            "sources: [3, 7, 9]",
            "[discovery] Subagent report: Map session storage",
            "sources: [4, 5, 8]",
            "next_steps: Asked the user: Shall I lower the rounds to 12?",
        ],
        &["Perfect!"],
    );
}

#[test]
fn the_web_taints_only_its_own_observation() {
    let distilled = super::distill_unparsed(&turn("web-research"));
    let [change, web] = distilled.observations.as_slice() else { panic!("{}", page(&distilled)) };
    assert_eq!((change.origin, web.origin), (Origin::Tool, Origin::Web));
    assert_eq!(web.sources, [1, 2, 3]);
    assert!(!change.sources.iter().any(|id| web.sources.contains(id)));
    assert!(web.files_modified.is_empty() && change.files_modified == ["client/stripe.go"]);
    assert!(!format!("{change:?}").contains("Ignore previous instructions"));
}

#[test]
fn an_interrupted_turn_is_marked_unfinished() {
    check(
        "interrupted",
        &[
            "[change] Unfinished: Migrate the settings page to the new form library",
            "- Still failing: `npm run build`: error during build: [vite]: Rollup failed to resolve import",
            "completed: Changed src/settings/Page.vue.",
            "next_steps: `npm run build` failed.",
            "notes: interrupted",
        ],
        &["want to proceed", "Installed"],
    );
}

#[test]
fn a_long_turn_keeps_results_without_repetition() {
    check(
        "long-migration",
        &[
            "[refactor] Replace moment by @plaza/dates (tool, #1)",
            "[refactor] Replace moment by @plaza/dates (reports, billing)",
            "[refactor] Drop moment",
            "Everything reads dates through @plaza/dates",
            "- pnpm vitest: 412 passed, 3 skipped",
            "request: We still ship moment, which is 290 kB and in maintenance mode. Replace it everywhere by date-fns",
            "learned: Three list views formatted the day in the browser's zone. That is the bug behind INC-231",
            "completed: Moment is gone from 48 files in 8 packages, and the bundle shrank from 902 kB to 612 kB.",
            "next_steps: `packages/legacy/src/import.ts` still imports moment, as you asked. The three skipped tests",
        ],
        &["Let me know", "All done", "[bugfix]", "[discovery]", "[change]"],
    );
    let completed = summary("long-migration").completed;
    assert!(completed.contains("plaza/pull/318"), "{completed}");
    assert!(completed.contains("3 commits (9f31ab2 to 71e0b3c)"), "{completed}");
}

#[test]
fn a_bug_hunt_keeps_the_cause_and_reverted_attempts() {
    check(
        "bug-hunt",
        &[
            "[bugfix] Fixed failing test TestReconnect: bug in `Buffer.ack` (`session/buffer.go`)",
            "Problem: `go test` failed in TestReconnect: relay_test.go:88: lost 1 of 500 messages",
            "- Tried and put back: session/relay.go, session/buffer.go",
            "modified: session/buffer.go",
            "learned: The bug was in `Buffer.ack` (`session/buffer.go`): it cut the buffer by the absolute",
            "completed: TestReconnect passed 500 times in a row now",
            "next_steps: `Buffer.resend` computes the same offset",
        ],
        &["still fails", "modified: session/relay.go", "log.Printf", "Follow-up:"],
    );
}

#[test]
fn other_languages_fill_the_same_fields() {
    check(
        "german-bugfix",
        &[
            "[bugfix] DATEV-Export schreibt Windows-1252",
            "learned: Die Ursache war die Kodierung Latin-1 in `fakt/export.py`",
            "completed: Der DATEV-Export schreibt Rechnungen mit Euro-Zeichen jetzt ohne Fehler. Ich habe",
            "next_steps: Zeichen außerhalb von Windows-1252",
        ],
        &["Noch offen", "1 failed, 11 passed"],
    );
    check(
        "spanish-index",
        &[
            "[bugfix] La página de movimientos responde ahora en menos de 1 ms",
            "learned: La causa era que la consulta recorría los 18 millones de filas",
            "completed: La página de movimientos responde ahora en menos de 1 ms en la base de datos; antes tardaba 9,1 s. He añadido",
            "next_steps: Queda pendiente aplicar la migración",
        ],
        &["packages)."],
    );
}

#[test]
fn an_outage_is_described_by_its_resolution() {
    check(
        "infra-rollout",
        &[
            "[bugfix] Fixed: the API is back up; cause: the postgres upgrade renamed the pod label",
            "learned: The postgres upgrade renamed the pod label",
            "completed: The API is back up: all 3 pods are ready",
            "next_steps: Neither change is committed. There is no alert",
        ],
        &["[discovery]", "Cause: The", "Not done yet"],
    );
}

#[test]
fn an_answer_keeps_its_order() {
    check(
        "question-long",
        &[
            "[discovery] A failed job is retried 5 times",
            "learned: A failed job is retried 5 times",
            "completed: ",
            "next_steps: Asked the user: Would you like me to make `sendMail` idempotent first?",
        ],
        &["completed: S", "How it works"],
    );
}

#[test]
fn final_messages_of_many_forms_are_understood() {
    let after_edits = |message: &str| {
        let mut batch = turn("refactor-no-tests");
        let stop = batch.messages.last_mut().expect("a stop");
        stop.last_assistant_message = Some(message.to_owned());
        let distilled = super::distill_unparsed(&batch);
        let summary = distilled.summary.expect("a summary");
        [
            distilled.observations[0].title.clone(),
            summary.learned,
            summary.completed,
            summary.next_steps,
        ]
    };
    let request = "Rename the Store trait to Repository everywhere and move it into its own module";
    for (message, expected) in [
        (
            "✅ **Done!** The `Store` trait is now `Repository`.\n\n**Summary of changes:**\n\n| File | Change |\n|---|---|\n| `a.rs` | new |\n\nAll 23 tests pass.\n\nWould you like me to update the docs?",
            [
                "The `Store` trait is now `Repository`",
                "",
                "The `Store` trait is now `Repository`. All 23 tests pass.",
                "Asked the user: Would you like me to update the docs?",
            ],
        ),
        (
            "The rename is complete.\n\n## What changed\n- `src/lib.rs`: exports it\n\n## Next steps\n1. Publish 0.4.0",
            [request, "", "The rename is complete. `src/lib.rs`: exports it.", "Publish 0.4.0."],
        ),
        (
            "I renamed `Store` to `Repository`.\n\n- `memory.rs` is odd, because it had its own copy of the trait. I deleted it.",
            [
                "Renamed `Store` to `Repository`",
                "`memory.rs` is odd, because it had its own copy of the trait.",
                "I renamed `Store` to `Repository`.",
                "",
            ],
        ),
        (
            "I wasn't able to finish: the macro lives in `store-derive`. I renamed what could be renamed. To go on I need access to it.",
            [
                "I wasn't able to finish: the macro lives in `store-derive`",
                "",
                "I wasn't able to finish: the macro lives in `store-derive`. I renamed what could be renamed.",
                "To go on I need access to it.",
            ],
        ),
        (
            "`Store` を `Repository` に改名しました。テストはすべて通っています。次は README の更新です。",
            [
                "`Store` を `Repository` に改名しました",
                "",
                "`Store` を `Repository` に改名しました。テストはすべて通っています。",
                "次は README の更新です。",
            ],
        ),
        (
            "The trait moved to a file of its own, and everything that named it by its old path was\nadapted. Now let me remove the old file:",
            [request, "", "Changed repository in src/lib.rs and 3 more files.", ""],
        ),
    ] {
        assert_eq!(after_edits(message), expected, "{message}");
    }
}
