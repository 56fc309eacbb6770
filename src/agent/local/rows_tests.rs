use super::*;
use crate::memory::{Block, Cause, CheckRun, Evidence, FileChange};

fn file(path: &str, change: Change, source: i64) -> FileChange {
    FileChange { path: path.into(), change, sources: vec![source], ..FileChange::default() }
}

fn commit(hash: &str, subject: &str, source: i64) -> CommitMade {
    CommitMade {
        hash: hash.into(),
        branch: "main".into(),
        subject: subject.into(),
        sources: vec![source],
        ..CommitMade::default()
    }
}

fn said(text: &str) -> Vec<Block> {
    vec![Block { lines: vec![text.into()], ..Block::default() }]
}

/// The rows of a turn as `kind: title | modified files`.
fn rows(turn: &Turn) -> Vec<String> {
    let mut turn = turn.clone();
    turn.title = titles::of_turn(&turn);
    let stop = Message {
        id: 99,
        cause: Cause::Stop,
        turn_id: None,
        prompt_number: 4,
        agent_id: None,
        agent_type: None,
        tool_name: None,
        tool_input: None,
        tool_response: None,
        cwd: None,
        files: Vec::new(),
        last_assistant_message: None,
        created_at_epoch: 1,
    };
    let rows = of(&turn, &stop, &[], true);
    assert!(rows.iter().all(|row| row.prompt_number == 4));
    rows.iter()
        .map(|row| format!("{}: {} | {}", row.kind, row.title, row.files_modified.join(" ")))
        .collect()
}

#[test]
fn a_change_has_the_request_and_its_main_file_as_title() {
    let evidence = Evidence {
        files: vec![
            file("tests/cart.rs", Change::Edited, 1),
            file("src/cart.rs", Change::Edited, 2),
            FileChange { scratch: true, ..file("/tmp/x.py", Change::Created, 3) },
        ],
        tool_uses: 3,
        ..Evidence::default()
    };
    let mut turn = Turn {
        request: "Show zero for an empty basket".into(),
        evidence: evidence.clone(),
        ..Turn::default()
    };
    assert_eq!(
        rows(&turn),
        ["change: Show zero for an empty basket (src/cart.rs) | tests/cart.rs src/cart.rs"]
    );
    // A vague request: a sentence of the message that names something.
    turn.request = "fix it".into();
    turn.done = said("This was odd. `Cart::total` returns zero for an empty basket now.");
    assert_eq!(
        rows(&turn),
        [
            "change: `Cart::total` returns zero for an empty basket now (src/cart.rs) | tests/cart.rs src/cart.rs"
        ]
    );
    turn.done.clear();
    assert_eq!(
        rows(&turn),
        ["change: Changed tests/cart.rs and src/cart.rs | tests/cart.rs src/cart.rs"]
    );
    turn.evidence = Evidence::default();
    assert!(rows(&turn).is_empty(), "nothing was changed, nothing was answered");
}

#[test]
fn each_commit_is_a_row_with_the_files_before_it() {
    let turn = Turn {
        request: "Close the guard".into(),
        done: said("Both are in."),
        evidence: Evidence {
            files: vec![file("src/a.rs", Change::Edited, 1), file("src/b.rs", Change::Edited, 3)],
            commits: vec![
                commit("1a2b3c4", "fix(guard): close the guard", 2),
                commit("2b3c4d5", "Rename the latch", 4),
            ],
            tool_uses: 4,
            ..Evidence::default()
        },
        ..Turn::default()
    };
    assert_eq!(
        rows(&turn),
        ["bugfix: Close the guard | src/a.rs", "change: Rename the latch | src/b.rs"]
    );
    let mut of_others = turn;
    of_others.evidence.commits = vec![commit("1a2b3c4", "", 2)];
    assert_eq!(rows(&of_others), ["change: Committed 1a2b3c4 | src/a.rs src/b.rs"]);
}

#[test]
fn a_check_that_failed_before_the_first_edit_and_passes_now_makes_a_bugfix() {
    let passing = CheckRun { key: "pytest".into(), outcome: Outcome::Pass, ..CheckRun::default() };
    let mut turn = Turn {
        request: "Make the report count leap days".into(),
        evidence: Evidence {
            files: vec![file("report.py", Change::Edited, 1)],
            checks: vec![passing],
            failed_before_edit: Some("pytest".into()),
            ..Evidence::default()
        },
        ..Turn::default()
    };
    let kind = |turn: &Turn| rows(turn)[0].split(':').next().unwrap_or_default().to_owned();
    assert_eq!(kind(&turn), "bugfix");
    turn.evidence.checks[0].edited_since = true;
    assert_eq!(kind(&turn), "change");
    turn.evidence.files.push(file("leap.py", Change::Created, 2));
    assert_eq!(kind(&turn), "feature");
    turn.evidence.files[1].path = "docs/leap.md".into();
    assert_eq!(kind(&turn), "change");
}

#[test]
fn an_answer_of_substance_is_a_discovery_titled_by_the_question() {
    let mut turn = Turn {
        request: "Where are webhook retries configured?".into(),
        answer: said("They are set in `config/webhooks.yml`, five times with backoff."),
        evidence: Evidence {
            read: vec!["config/webhooks.yml".into()],
            tool_uses: 2,
            ..Evidence::default()
        },
        ..Turn::default()
    };
    assert_eq!(rows(&turn), ["discovery: Where are webhook retries configured? | "]);
    turn.evidence.tool_uses = 0;
    assert!(rows(&turn).is_empty(), "a short answer from nowhere");
}

#[test]
fn subagents_of_one_type_are_one_row() {
    let reports = |count| Reports {
        agent_type: "Explore".into(),
        count,
        tasks: vec!["Trace the login".into(), "Map the sessions".into()],
        ..Reports::default()
    };
    let turn = |count| Turn {
        evidence: Evidence { reports: vec![reports(count)], ..Evidence::default() },
        ..Turn::default()
    };
    assert_eq!(
        rows(&turn(40)),
        ["report: Subagent Explore ×40: Trace the login; Map the sessions | "]
    );
    assert!(rows(&turn(0)).is_empty(), "none has reported yet");
}

#[test]
fn decisions_of_the_assistant_are_rows_of_its_own() {
    let turn = Turn { decisions: vec!["use SQLite.".into()], ..Turn::default() };
    assert_eq!(rows(&turn), ["decision: use SQLite | "]);
}
