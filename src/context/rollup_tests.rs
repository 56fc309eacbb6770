use super::*;
use crate::context::open::OpenKind;
use crate::memory::{Evidence, Question, Step, Summary, Turn};
use crate::store::summaries::SummaryRow;

fn blocks(line: &str) -> Vec<Block> {
    vec![Block { lines: vec![line.into()], ..Block::default() }]
}

fn asked(request: &str) -> Turn {
    Turn { request: request.into(), ..Turn::default() }
}

fn fold(turns: Vec<Turn>) -> RollUp {
    let stored = |(at, turn)| StoredTurn {
        id: at,
        created_at_epoch: at * 1000,
        session_id: Some(1),
        turn,
        ..StoredTurn::default()
    };
    RollUp::fold(&(1..).zip(turns).map(stored).collect::<Vec<_>>())
}

fn commit(subject: &str) -> CommitMade {
    CommitMade { hash: subject.into(), subject: subject.into(), ..CommitMade::default() }
}

fn check(key: &str, outcome: Outcome, arguments: &[&str]) -> CheckRun {
    let arguments = arguments.iter().map(|a| a.to_string()).collect();
    CheckRun { key: key.into(), outcome, arguments, ..CheckRun::default() }
}

#[test]
fn the_first_informative_request_is_the_title() {
    let title = |turns: Vec<Turn>| fold(turns).title;
    assert_eq!(title(vec![asked("hi"), asked("Fix the parser")]), "Fix the parser");
    let mut vague = asked("go on");
    vague.evidence.commits = vec![commit("Guard close")];
    assert_eq!(title(vec![vague.clone()]), "Guard close");
    vague.title = "Close is guarded (src/close.rs)".into();
    assert_eq!(title(vec![vague]), "Close is guarded (src/close.rs)");
    let notified = Turn { sender: Sender::Client, ..asked("Task 7 has finished") };
    assert_eq!(title(vec![notified.clone(), asked("Fix the parser")]), "Fix the parser");
    let session = fold(vec![notified]);
    assert_eq!((session.title.as_str(), session.by_user), ("", false));
}

#[test]
fn files_are_net() {
    let file = |path: &str, change, from: Option<&str>| FileChange {
        path: path.into(),
        change,
        from: from.map(str::to_owned),
        ..FileChange::default()
    };
    let turn =
        |files| Turn { evidence: Evidence { files, ..Evidence::default() }, ..Turn::default() };
    let session = fold(vec![
        turn(vec![
            file("made", Change::Created, None),
            file("draft", Change::Created, None),
            file("old", Change::Edited, None),
        ]),
        turn(vec![
            file("made", Change::Edited, None),
            file("draft", Change::Removed, None),
            file("new", Change::Moved, Some("old")),
            FileChange { scratch: true, ..file("try.py", Change::Created, None) },
        ]),
    ]);
    let files: Vec<_> = session.files.iter().map(|f| (f.path.as_str(), f.change)).collect();
    assert_eq!(files, [("made", Change::Created), ("new", Change::Moved)]);
}

#[test]
fn an_amended_commit_replaces_the_last_one() {
    let mut turn = asked("Fix the parser");
    let amended = CommitMade { amends: true, ..commit("Total parser") };
    turn.evidence.commits = vec![commit("Split"), commit("Parser"), amended];
    let session = fold(vec![turn]);
    let subjects: Vec<_> = session.commits.iter().map(|c| c.subject.as_str()).collect();
    assert_eq!(subjects, ["Split", "Total parser"]);
}

#[test]
fn the_last_run_of_a_check_counts() {
    let turn = |checks| Turn {
        evidence: Evidence { checks, ..Evidence::default() },
        ..asked("Fix the parser")
    };
    let open = |turns: Vec<Turn>| -> Vec<String> {
        let failing = |open: Open| matches!(open.kind, OpenKind::Failing(_)).then_some(open.text);
        fold(turns).open.into_iter().filter_map(failing).collect()
    };
    let failed = || turn(vec![check("cargo test", Outcome::Fail, &[])]);
    assert_eq!(open(vec![failed()]), ["`cargo test` fails"]);
    let passed = |arguments: &[&str]| turn(vec![check("cargo test", Outcome::Pass, arguments)]);
    assert!(open(vec![failed(), passed(&[])]).is_empty());
    assert_eq!(open(vec![failed(), passed(&["one"])]), ["`cargo test` fails"]);
    let unknown = turn(vec![check("cargo test", Outcome::Unknown, &[])]);
    assert_eq!(
        open(vec![failed(), unknown]),
        ["`cargo test` fails"],
        "an unknown run tells nothing"
    );
    let narrow = turn(vec![check("go test", Outcome::Fail, &["./a"])]);
    assert!(open(vec![narrow, turn(vec![check("go test", Outcome::Pass, &[])])]).is_empty());

    let mut changed = asked("Something else entirely");
    changed.done = blocks("Done.");
    changed.evidence.files = vec![FileChange { path: "a".into(), ..FileChange::default() }];
    assert!(open(vec![failed(), changed]).is_empty(), "nobody knows after a change");
    let mut talk = asked("What does the parser do with an empty file?");
    talk.answer = blocks("It returns `None`.");
    assert_eq!(open(vec![failed(), talk]), ["`cargo test` fails"]);

    let mut claimed = failed();
    claimed.claims = vec![Claim { text: "All tests pass.".into(), ..Claim::default() }];
    claimed.done = blocks("The parser is total.");
    assert_eq!(open(vec![claimed.clone()]), ["`cargo test` fails; a pass was claimed"]);
    assert_eq!(fold(vec![claimed]).claims.len(), 1);

    let session = fold(vec![failed(), passed(&[])]);
    assert!(session.checks[0].fixed);
}

#[test]
fn a_later_turn_plans_anew() {
    let step = |text: &str| Step { text: text.into(), ..Step::default() };
    let planned =
        |text: &str| Turn { next: vec![step(text)], done: blocks("x"), ..asked("Fix the parser") };
    let open = |turns: Vec<Turn>| -> Vec<String> {
        fold(turns).open.into_iter().map(|open| open.text).collect()
    };
    assert_eq!(open(vec![planned("old idea"), planned("new plan")]), ["new plan"]);
    let done = Turn { done: blocks("The old idea works."), ..asked("do that") };
    assert!(open(vec![planned("old idea"), done]).is_empty());
    let thanks = Turn { answer: blocks("You are welcome."), ..asked("thanks") };
    assert_eq!(open(vec![planned("old idea"), thanks]), ["old idea"]);
    let interrupted = Turn { ending: Ending::Interrupted, ..asked("go on") };
    assert_eq!(open(vec![planned("old idea"), interrupted]), ["old idea"]);
}

#[test]
fn a_question_is_open_until_the_user_replies() {
    let question = Question {
        text: "Shall I add a flag?".into(),
        options: vec!["yes".into(), "no".into()],
        ..Question::default()
    };
    let asks = Turn { asked: Some(question), done: blocks("x"), ..asked("Fix the parser") };
    let texts = |turns: Vec<Turn>| -> Vec<String> {
        fold(turns).open.into_iter().map(|open| open.text).collect()
    };
    assert_eq!(texts(vec![asks.clone()]), ["Shall I add a flag? (yes | no)"]);
    assert!(texts(vec![asks.clone(), asked("thanks")]).is_empty());
    let woken = Turn { sender: Sender::Client, ..asked("A task has finished") };
    assert_eq!(texts(vec![asks, woken]).len(), 1);
}

#[test]
fn a_complaint_is_open_if_nothing_follows() {
    let complaint = Turn { complains: true, ..asked("The export still fails on page 2") };
    let kinds = |turns: Vec<Turn>| -> Vec<OpenKind> {
        fold(turns).open.into_iter().map(|open| open.kind).collect()
    };
    assert_eq!(kinds(vec![complaint.clone()]), [OpenKind::Complaint]);
    let mut fixed = complaint.clone();
    fixed.evidence.commits = vec![commit("Export page 2")];
    assert!(kinds(vec![fixed]).is_empty());
    assert!(kinds(vec![complaint, asked("Add a dark theme, please")]).is_empty());
}

#[test]
fn a_cause_gives_a_gotcha_with_its_fix() {
    let mut turn = asked("The export drops the last page");
    turn.cause = blocks("The buffer was flushed before the footer.");
    turn.evidence.commits = vec![commit("Flush after the footer")];
    let session = fold(vec![turn]);
    assert_eq!(session.gotchas[0].failure, "The export drops the last page");
    assert_eq!(session.gotchas[0].fix, "Flush after the footer");
}

#[test]
fn columns_of_older_releases_become_a_turn() {
    let summary = Summary {
        request: "Fix the parser".into(),
        learned: "A tag was open.".into(),
        completed: "Closed the tag.\nAdded a test.".into(),
        next_steps: "- Test truncated replies\nNone.\n".into(),
        files_modified: vec!["src/parse.rs".into()],
        ..Summary::default()
    };
    let row = SummaryRow { id: 7, summary, ..SummaryRow::default() };
    let session = RollUp::fold(&[StoredTurn::of_row(row)]);
    assert_eq!(session.title, "Fix the parser");
    assert_eq!(session.done[0].lines, ["Closed the tag.", "Added a test."]);
    assert_eq!(session.gotchas[0].cause[0].lines, ["A tag was open."]);
    assert_eq!(session.files[0].path, "src/parse.rs");
    let open: Vec<_> = session.open.iter().map(|open| (open.id, open.text.as_str())).collect();
    assert_eq!(open, [(7, "- Test truncated replies")]);
}

#[test]
fn claims_are_those_of_the_last_work() {
    let mut first = Turn { done: blocks("The parser is total."), ..asked("Fix the parser") };
    first.claims = vec![Claim { text: "All tests pass.".into(), ..Claim::default() }];
    let second = Turn { done: blocks("README names it."), ..asked("Document the parser") };
    let session = fold(vec![first, second]);
    assert_eq!(session.done, blocks("README names it."));
    assert!(session.claims.is_empty());
}

#[test]
fn what_was_said_about_files_that_changed_again_is_not_told() {
    let turn = |line: &str, path: &str| {
        let mut turn = Turn { done: blocks(line), ..asked("Draw the rows") };
        turn.evidence.files = vec![FileChange { path: path.into(), ..FileChange::default() }];
        turn
    };
    let rows = || turn("Only visible rows are drawn.", "rows.ts");
    let session = fold(vec![rows(), turn("All rows are drawn again.", "rows.ts")]);
    assert!(session.done_before.is_empty());
    let wrote = |line: &str, added: &[&str], replaced: &[&str]| {
        let mut turn = turn(line, "rows.ts");
        let prints = |lines: &[&str]| line_prints::of_lines(lines.iter().copied());
        turn.evidence.files[0].added = prints(added);
        turn.evidence.files[0].replaced = prints(replaced);
        turn
    };
    let visible = || wrote("Only visible rows are drawn.", &["draw(visible)", "let first"], &[]);
    let session = fold(vec![visible(), wrote("The rows have ids.", &["row.id = 1"], &[])]);
    assert_eq!(session.done_before, [blocks("Only visible rows are drawn.")], "another place");
    let session = fold(vec![visible(), wrote("Bound.", &["draw(some)"], &["draw(visible)"])]);
    assert_eq!(session.done_before, [blocks("Only visible rows are drawn.")], "one of two lines");
    let all = wrote("All rows are drawn.", &["draw(rows)"], &["draw(visible)", "let first"]);
    assert!(fold(vec![visible(), all]).done_before.is_empty());
    let session = fold(vec![rows(), turn("The pager has buttons.", "pager.ts")]);
    assert_eq!(session.done_before, [blocks("Only visible rows are drawn.")]);
}

#[test]
fn an_answer_needs_work_or_a_question_or_news() {
    let answers = |request: &str, answer: &str| {
        let mut work = Turn { done: blocks("The queue has a limit."), ..asked("Limit the queue") };
        work.evidence.commits = vec![commit("Limit the queue")];
        fold(vec![work, Turn { answer: blocks(answer), ..asked(request) }]).answers.len()
    };
    assert_eq!(answers("have a nice evening", "You too. The queue has a limit now."), 0);
    assert_eq!(answers("have a nice evening", "Today the `queue` got a limit."), 0);
    assert_eq!(answers("is the queue limited?", "Yes, to 100 by `MAX_QUEUED`."), 1);
    assert_eq!(answers("tell me who reads it", "Only `drain` in the worker, once per second."), 1);
}
