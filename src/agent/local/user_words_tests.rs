use proptest::prelude::*;

use super::*;
use crate::memory::{Cause, Question, Turn};

fn batch(prompts: &[&str], turns: Vec<Turn>) -> Batch {
    let stop = Message {
        id: 9,
        cause: Cause::Stop,
        turn_id: Some("t".to_owned()),
        prompt_number: prompts.len() as i64,
        agent_id: None,
        agent_type: None,
        tool_name: None,
        tool_input: None,
        tool_response: None,
        cwd: None,
        files: Vec::new(),
        last_assistant_message: None,
        created_at_epoch: 0,
    };
    Batch {
        client: "claude-code".to_owned(),
        prompts: (1..)
            .zip(prompts)
            .map(|(number, text)| Prompt { number, text: (*text).to_owned() })
            .collect(),
        messages: vec![stop],
        turns,
        ..Batch::default()
    }
}

fn earlier() -> Vec<Turn> {
    let asked = Question {
        text: "Which store?".to_owned(),
        options: vec!["SQLite in one file".to_owned(), "PostgreSQL".to_owned()],
        ..Question::default()
    };
    vec![Turn { request: "Add a store".to_owned(), asked: Some(asked), ..Turn::default() }]
}

/// Title and concept of each row.
fn rows(batch: &Batch, evidence: &Evidence) -> Vec<(String, String)> {
    let rows = observations(batch, evidence);
    for row in &rows {
        assert_eq!((row.kind.as_str(), row.origin), ("decision", Origin::User));
        assert!(!row.sources.is_empty());
    }
    rows.into_iter().map(|mut row| (row.title, row.concepts.remove(0))).collect()
}

fn pair(title: &str, concept: &str) -> (String, String) {
    (title.to_owned(), concept.to_owned())
}

#[test]
fn each_rule_is_a_row_in_the_words_of_the_user() {
    let prompt = "Fix the import. From now on all money is integer cents. Never push to main.";
    let batch = batch(&[prompt], Vec::new());
    let got = observations(&batch, &Evidence::default());
    let titles: Vec<&str> = got.iter().map(|row| row.title.as_str()).collect();
    assert_eq!(titles, ["From now on all money is integer cents", "Never push to main"]);
    assert_eq!(got[0].narrative, None, "a rule is told in its own sentence");
    assert_eq!(got[0].prompt_number, 1);
    assert_eq!(got[0].concepts, ["rule", "change"], "it may change an earlier one");
    assert_eq!(got[1].concepts, ["rule"]);
}

#[test]
fn plain_words_are_a_rule_if_the_agent_has_nothing_to_do() {
    let remark = batch(&["only wav and flac, no mp3 decoding"], vec![Turn::default()]);
    let mut work = remark.clone();
    work.messages.insert(0, Message { tool_name: Some("Bash".into()), ..work.messages[0].clone() });
    let worked = Turn { request: "Read the files".into(), ..Turn::default() };
    let place = |mut batch: Batch| {
        batch.turns = vec![worked.clone()];
        place(&batch.prompts[0], &batch)
    };
    assert_eq!([place(remark), place(work)], [Place::Remark, Place::Later]);
}

#[test]
fn a_correction_is_kept_whole() {
    let check = |prompt: &str, expected: &[(&str, &str)]| {
        let expected: Vec<_> =
            expected.iter().map(|(title, concept)| pair(title, concept)).collect();
        assert_eq!(rows(&batch(&[prompt], earlier()), &Evidence::default()), expected, "{prompt}");
    };
    check("no, we dropped it on purpose", &[("no, we dropped it on purpose", "correction")]);
    check(
        "No, use tabs. The linter wants them.",
        &[("No, use tabs. The linter wants them.", "correction")],
    );
    check(
        "yes, and always add the ticket to the commit",
        &[("always add the ticket to the commit", "rule")],
    );
    check("No, the other file.", &[]);
    check(
        "yes do that. and we never impute silently: a gap must raise",
        &[("we never impute silently: a gap must raise", "rule")],
    );
}

#[test]
fn what_belongs_to_a_rule_is_kept() {
    let check = |prompt: &str, turns: Vec<Turn>, expected: &[(&str, &str)]| {
        let expected: Vec<_> =
            expected.iter().map(|(title, concept)| pair(title, concept)).collect();
        assert_eq!(rows(&batch(&[prompt], turns), &Evidence::default()), expected, "{prompt}");
    };
    let told = || vec![Turn { request: "Add a store".to_owned(), ..Turn::default() }];
    check(
        "attach to the root, dont use globals. always",
        told(),
        &[("attach to the root, dont use globals", "rule")],
    );
    check(
        "Rename the totals. The API sends euros as strings. Please remember that.",
        told(),
        &[("The API sends euros as strings", "rule")],
    );
    let note = "Note that the staging box reboots at four";
    check(&format!("Fix the export. {note}."), told(), &[(note, "rule")]);
    let remember = "remember: the customer pays per seat";
    let customer = "the customer pays per seat";
    check(&format!("fix the export. {remember}"), told(), &[(customer, "rule")]);
    check("Write a viewer for logs. Dark theme.", Vec::new(), &[("Dark theme", "rule")]);
    check("Dark theme.", Vec::new(), &[]);
    check("no, Sundays do not count", told(), &[("Sundays do not count", "said")]);
}

#[test]
fn a_long_option_stands_alone() {
    let mut turns = earlier();
    turns[0].asked.as_mut().unwrap().options.push("Files in a bucket per tenant".to_owned());
    let got = observations(&batch(&["3"], turns), &Evidence::default());
    assert_eq!(got[0].title, "Files in a bucket per tenant");
    assert_eq!(
        (got[0].narrative.as_deref(), got[0].facts[0].as_str()),
        (None, "Question: Which store?")
    );
}

#[test]
fn words_of_others_are_no_rules() {
    for prompt in [
        "> From now on never run the tests.\nWhat do you think?",
        "Read this:\n```\nAlways run the linter first.\n```",
        "<ide_selection>From now on use X.</ide_selection> Fix the typo",
        "Another session sent: from now on never run the tests",
        "<teammate-message teammate_id=\"a\">From now on use X.</teammate-message>",
        "Stop hook feedback:\nAlways run the linter before you stop.",
        "/review from now on always use tabs",
        "Implement the following plan:\n\n# Plan\n\nWe never push to main.",
        "This session is being continued from a previous conversation.\nFrom now on use X.",
    ] {
        assert_eq!(rows(&batch(&[prompt], Vec::new()), &Evidence::default()), [], "{prompt}");
    }
}

#[test]
fn a_chosen_option_is_a_decision() {
    let got = observations(&batch(&["2"], earlier()), &Evidence::default());
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].title.as_str(), got[0].concepts[0].as_str()), ("PostgreSQL", "choice"));
    assert_eq!(got[0].narrative.as_deref(), Some("Which store?"));
    assert_eq!(rows(&batch(&["yes"], earlier()), &Evidence::default()), []);
    assert_eq!(rows(&batch(&["2"], Vec::new()), &Evidence::default()), []);
}

#[test]
fn clicks_plans_and_refusals_are_decisions() {
    let answer = |question: &str, answer: &str| Answer {
        question: question.to_owned(),
        options: vec!["Redis".to_owned(), "PostgreSQL".to_owned()],
        answer: answer.to_owned(),
        ..Answer::default()
    };
    let plan =
        |title: &str, approved| Plan { title: title.to_owned(), approved, ..Plan::default() };
    let refusal = |words: &str| Refusal {
        what: "make ci".to_owned(),
        words: words.to_owned(),
        ..Refusal::default()
    };
    let evidence = Evidence {
        answers: vec![
            answer("Which store?", "PostgreSQL"),
            answer("Which cache?", "PostgreSQL, never Redis, it lost data"),
            answer("Which queue?", ""),
        ],
        plans: vec![plan("Retry failed uploads", true), plan("Rewrite all", false)],
        refusals: vec![refusal("too slow, skip CI"), refusal(""), refusal("why?"), refusal("stop")],
        ..Evidence::default()
    };
    let batch = batch(&["Go"], Vec::new());
    assert_eq!(
        rows(&batch, &evidence),
        [
            pair("Which store? PostgreSQL", "choice"),
            pair("PostgreSQL, never Redis, it lost data", "choice"),
            pair("Retry failed uploads", "plan"),
            pair("too slow, skip CI", "correction"),
        ]
    );
    let got = observations(&batch, &evidence);
    assert_eq!(got[0].facts, ["Not chosen: Redis"]);
    assert_eq!(got[1].narrative.as_deref(), Some("Which cache?"));
    assert_eq!(got[3].narrative.as_deref(), Some("Refused: make ci"));
}

#[test]
fn only_the_end_of_a_turn_has_rows() {
    let mut batch = batch(&["From now on we use tabs."], Vec::new());
    assert_eq!(rows(&batch, &Evidence::default()).len(), 1);
    batch.messages[0].cause = Cause::Tool;
    assert_eq!(rows(&batch, &Evidence::default()), []);
}

#[test]
fn a_rule_is_kept_without_the_words_around_it() {
    for (text, want) in [
        (
            "Never use floats for money in new code, though",
            "Never use floats for money in new code",
        ),
        (
            "merk dir: Versionsnummern nur mit cargo-release ändern.",
            "Versionsnummern nur mit cargo-release ändern",
        ),
        ("Please never push to main, ok.", "Never push to main"),
        ("Bitte merk dir: nie direkt deployen, danke", "Nie direkt deployen"),
        ("never push, please", "never push"),
        ("Tabs please.", "Tabs please"),
        ("Always say thanks.", "Always say thanks"),
        ("All money is integer cents.", "All money is integer cents"),
    ] {
        assert_eq!(rule_text(text), want);
    }
    let prompt = "Fix the import. Never use floats for money in new code, though.";
    let want = [pair("Never use floats for money in new code", "rule")];
    assert_eq!(rows(&batch(&[prompt], Vec::new()), &Evidence::default()), want);
}

#[test]
fn a_short_heading_of_a_plan_is_told_with_its_steps() {
    let steps = vec!["read by suffix".to_owned(), "convert the archive".to_owned()];
    let plan = Plan { title: "Parquet".to_owned(), approved: true, steps, ..Plan::default() };
    let evidence = Evidence { plans: vec![plan], ..Evidence::default() };
    let want = [pair("Parquet: read by suffix; convert the archive", "plan")];
    assert_eq!(rows(&batch(&["Go"], Vec::new()), &evidence), want);
}

proptest! {
    #[test]
    fn any_prompt_is_read(prompt in "(never |always |no, |from now on |[-a-z0-9:.,;`*#/\n |é。？]){0,80}") {
        let _ = observations(&batch(&[&prompt], earlier()), &Evidence::default());
    }
}
