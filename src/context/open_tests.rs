use super::*;
use crate::memory::{Block, CommitMade, Evidence, FileChange, Step, Task};

#[test]
fn open_tasks_of_an_earlier_turn_stay_until_they_are_done() {
    let task = |text: &str, state| Task { id: text.into(), text: text.into(), state };
    let mut listed = Turn { request: "Build the importer".into(), ..Turn::default() };
    listed.evidence.tasks = vec![
        task("Parse the header", TaskState::Done),
        task("Write the index", TaskState::Open),
        task("Measure the importer", TaskState::Started),
    ];
    listed.evidence.tool_uses = 3;
    listed.next =
        vec![Step { text: "Write the index".into(), kind: StepKind::Task, ..Step::default() }];
    let mut later = Turn { request: "go on".into(), ..Turn::default() };
    later.done = vec![Block { lines: vec!["The index is written.".into()], ..Block::default() }];
    later.evidence.commits =
        vec![CommitMade { subject: "Write the index".into(), ..CommitMade::default() }];
    let stored = |id, turn| StoredTurn { id, turn, ..StoredTurn::default() };
    let texts = |turns: &[StoredTurn]| -> Vec<String> {
        at_end(turns, &[]).into_iter().map(|open| open.text).collect()
    };
    assert_eq!(texts(&[stored(1, listed.clone())]), ["Write the index"]);
    assert_eq!(texts(&[stored(1, listed), stored(2, later)]), ["Measure the importer"]);
}

#[test]
fn a_failure_is_told_by_names_and_counts() {
    let check = CheckRun {
        key: "pytest".into(),
        counts: "4 failed, 1 passed".into(),
        failing: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
        edited_since: true,
        reason: "words of the runner".into(),
        ..CheckRun::default()
    };
    assert_eq!(
        failure(&check),
        "`pytest` fails: 4 failed, 1 passed (a, b, c +1); files changed since that run"
    );
}

#[test]
fn a_blocker_is_told_by_what_was_refused() {
    let blocker = |kind, command: &str, subject: &str| {
        let (command, subject) = (command.to_owned(), subject.to_owned());
        blocked(&Blocker { kind, command, subject, ..Blocker::default() })
    };
    use BlockerKind::{Denied, Missing};
    let push = blocker(Denied, "git push", "protected branch");
    assert_eq!(push, "`git push` was refused (protected branch)");
    let mkdir = blocker(Denied, "mkdir", "mkdir");
    assert_eq!(mkdir, "`mkdir` was denied (permission, quota or space)");
    assert_eq!(blocker(Missing, "make", "jq"), "`jq` is missing (`make`)");
}

fn stored(turns: Vec<Turn>) -> Vec<StoredTurn> {
    (1..).zip(turns).map(|(id, turn)| StoredTurn { id, turn, ..StoredTurn::default() }).collect()
}

fn said(line: &str) -> Vec<Block> {
    vec![Block { lines: vec![line.into()], ..Block::default() }]
}

fn listed(steps: &[&str]) -> Turn {
    let step = |text: &&str| Step { text: text.to_string(), ..Step::default() };
    let next = steps.iter().map(step).collect();
    Turn {
        request: "Build the importer".into(),
        done: said("It is built."),
        next,
        ..Turn::default()
    }
}

fn committed() -> Turn {
    let commits = vec![CommitMade { hash: "a".into(), ..CommitMade::default() }];
    let evidence = Evidence { commits, ..Evidence::default() };
    let (request, done) = ("please commit".into(), said("Committed."));
    Turn { request, done, evidence, ..Turn::default() }
}

#[track_caller]
fn check(turns: Vec<Turn>, expected: &[&str]) {
    let found: Vec<String> =
        at_end(&stored(turns), &[]).into_iter().map(|open| open.text).collect();
    assert_eq!(found, expected);
}

#[test]
fn steps_stay_until_a_later_turn_does_them() {
    let [index, header] = ["Write the index of archives", "Read headers with a checksum"];
    let plan = || listed(&[index, header]);
    check(vec![plan(), committed()], &[index, header]);
    let mut done = committed();
    done.done = said("Archives have an index now.");
    check(vec![plan(), done], &[header]);
    let numbered = Turn { request: "do 2 now".into(), ..committed() };
    check(vec![plan(), numbered], &[index]);
    let asked = Turn {
        request: "what is the index of archives?".into(),
        answer: said("A table of offsets."),
        ..Turn::default()
    };
    check(vec![plan(), asked], &[index, header]);
}

#[test]
fn a_new_list_replaces_the_old_one_but_not_what_is_left_to_the_user() {
    let mut first = listed(&["Write the index"]);
    first.evidence.files = vec![FileChange { path: "a".into(), ..FileChange::default() }];
    first.next.push(Step {
        text: "Set `TOKEN`".into(),
        kind: StepKind::ForUser,
        ..Step::default()
    });
    check(vec![first, listed(&["Measure it"])], &["Set `TOKEN`", "Measure it"]);
}

#[test]
fn what_the_user_had_to_do_first_is_done_when_the_user_comes_back() {
    let step = Step {
        text: "Please log in with `vault login`".into(),
        kind: StepKind::ForUser,
        ..Step::default()
    };
    let mut waiting = Turn { request: "Plan the move".into(), next: vec![step], ..Turn::default() };
    let back = || Turn { request: "I am back".into(), ..committed() };
    check(vec![waiting.clone(), back()], &[]);
    waiting.evidence.files = vec![FileChange { path: "a".into(), ..FileChange::default() }];
    check(vec![waiting, back()], &["Please log in with `vault login`"]);
}

#[test]
fn a_greeting_asks_nothing() {
    let question = Question { text: "How can I help you today?".into(), ..Question::default() };
    let hello = Turn { request: "good morning".into(), asked: Some(question), ..Turn::default() };
    check(vec![hello], &[]);
}

#[test]
fn an_offer_of_more_is_not_open_after_a_change() {
    let text = "Shall I add a limit as well?".to_owned();
    let offer = Question { text: text.clone(), is_offer: true, ..Question::default() };
    let asks = |asked: Question| Turn { asked: Some(asked), ..committed() };
    check(vec![asks(offer.clone())], &[]);
    check(vec![asks(Question { is_offer: false, ..offer.clone() })], &[&text]);
    let idle = Turn { asked: Some(offer), evidence: Default::default(), ..committed() };
    check(vec![idle], &[&text]);
}

#[test]
fn a_claimed_pass_and_a_commit_leave_a_failure_open() {
    let run = CheckRun {
        key: "go test".into(),
        outcome: Outcome::Fail,
        failing: vec!["TestPut".into()],
        ..CheckRun::default()
    };
    let mut failed = Turn { request: "Limit uploads".into(), ..Turn::default() };
    failed.evidence.checks = vec![run.clone()];
    let texts = |turns: Vec<Turn>| -> Vec<String> {
        let open = at_end(&stored(turns), std::slice::from_ref(&run));
        open.into_iter().map(|open| open.text).collect()
    };
    assert_eq!(texts(vec![failed.clone(), committed()]), ["`go test` fails (TestPut)"]);
    let mut edited = committed();
    edited.evidence.files = vec![FileChange { path: "a".into(), ..FileChange::default() }];
    assert!(texts(vec![failed.clone(), edited]).is_empty(), "nobody knows after a change");
    let kind = ClaimKind::FailedCheck;
    failed.claims =
        vec![crate::memory::Claim { text: "All pass.".into(), kind, ..Default::default() }];
    assert_eq!(texts(vec![failed]), ["`go test` fails (TestPut); a pass was claimed"]);
}

#[test]
fn a_question_stays_open_while_its_answer_is_put_off() {
    let asked = Turn {
        request: "Unify the colours of the shop".into(),
        done: said("Two tokens are in."),
        asked: Some(Question { text: "Which token for `#c0ffee`?".into(), ..Question::default() }),
        ..Turn::default()
    };
    let reply = |text: &str, defers| Turn { request: text.into(), defers, ..Turn::default() };
    let texts = |turns: Vec<Turn>| -> Vec<String> {
        at_end(&stored(turns), &[]).into_iter().map(|open| open.text).collect()
    };
    let put_off = reply("have to ask Runa", true);
    assert_eq!(texts(vec![asked.clone(), put_off]), ["Which token for `#c0ffee`?"]);
    assert!(texts(vec![asked, reply("take the brand colour", false)]).is_empty());
}

#[test]
fn a_request_that_the_session_ended_in_is_open() {
    let mut turn = Turn {
        request: "Find the crash of the thumbnails".into(),
        ending: Ending::SessionEnd,
        ..Turn::default()
    };
    turn.evidence.tool_uses = 2;
    let kinds = |turn: &Turn| -> Vec<OpenKind> {
        at_end(&stored(vec![turn.clone()]), &[]).into_iter().map(|open| open.kind).collect()
    };
    assert_eq!(kinds(&turn), [OpenKind::Unfinished]);
    turn.done = said("The crash is fixed.");
    assert!(kinds(&turn).is_empty());
}

#[test]
fn a_report_of_the_user_closes_what_was_left_to_them() {
    let mut asked = listed(&["Translate the help page"]);
    asked.evidence = committed().evidence;
    let text = "Please push the branch".to_owned();
    asked.next.push(Step { text, kind: StepKind::ForUser, said: true });
    let report =
        |request: &str, did| Turn { did, ..Turn { request: request.into(), ..committed() } };
    let both = ["Translate the help page", "Please push the branch"];
    check(vec![asked.clone(), report("now the footer", false)], &both);
    check(vec![asked.clone(), report("done, now the footer", true)], &both[..1]);
    check(vec![asked, report("translated the help page myself", true)], &[]);
}

#[test]
fn a_question_that_names_nothing_is_not_told() {
    let asks = |text: &str| {
        let question = Question { text: text.into(), ..Question::default() };
        Turn { asked: Some(question), ..committed() }
    };
    check(vec![asks("Go ahead?")], &[]);
    let text = "Which index does the invoice cursor use?";
    check(vec![asks(text)], &[text]);
}
