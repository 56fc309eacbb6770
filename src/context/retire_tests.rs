use super::*;
use crate::memory::{CheckKind, CommitMade, Evidence, FileChange, Outcome, Turn};
use crate::store::closed_steps::ClosedSteps;

const HOUR: i64 = 3_600_000;

fn open(id: i64, kind: OpenKind, text: &str) -> Open {
    Open { id, kind, text: text.into(), at_epoch: id * HOUR, utc_offset: 0, ..Open::default() }
}

/// A turn that commits.
fn turn(request: &str, subject: &str) -> Turn {
    let commit = CommitMade { subject: subject.into(), ..CommitMade::default() };
    let evidence = Evidence { commits: vec![commit], ..Evidence::default() };
    Turn { request: request.into(), evidence, ..Turn::default() }
}

fn session(id: i64, asks: &[&str], left: Vec<Open>) -> RollUp {
    let turn = |request: &&str| turn(request, "");
    RollUp {
        ids: vec![id],
        deeds: asks.iter().filter_map(|ask| Deeds::of(&turn(ask))).collect(),
        by_user: true,
        open: left,
        ended_at_epoch: id * HOUR,
        ..RollUp::default()
    }
}

/// `sessions` are newest first.
#[track_caller]
fn check(sessions: &[&RollUp], expected: &[(&str, usize)]) {
    let left = ends(sessions, &Frequencies::default(), &ClosedSteps::default()).left;
    let found: Vec<_> = left.iter().map(|l| (l.open.text.as_str(), l.sessions_ago)).collect();
    assert_eq!(found, expected);
}

#[test]
fn later_requests_commits_and_effects_retire_a_step() {
    let step = "Add a retry limit to the uploader";
    let planned = session(1, &["Fix the uploader"], vec![open(1, OpenKind::Stated, step)]);
    check(&[&planned], &[(step, 0)]);
    let other = session(2, &["Translate the help page"], vec![]);
    check(&[&other, &planned], &[(step, 1)]);
    let asked = session(3, &["now the retry limit for the uploader, please"], vec![]);
    check(&[&asked, &other, &planned], &[]);
    let mut committed = other.clone();
    committed.deeds.extend(Deeds::of(&turn("go on", "uploader: a limit for each retry")));
    check(&[&committed, &planned], &[]);
    let partly = session(4, &["Make the uploader quicker"], vec![]);
    check(&[&partly, &planned], &[(step, 1)]);
}

#[test]
fn open_ends_expire_with_the_sessions_that_follow() {
    let question =
        session(1, &["a b"], vec![open(1, OpenKind::Asked, "Shall I rename the crate?")]);
    let step = session(1, &["a b"], vec![open(1, OpenKind::Stated, "Rename the crate everywhere")]);
    let others: Vec<RollUp> =
        (2..=20).rev().map(|id| session(id, &["Translate the help page"], vec![])).collect();
    let after = |n: usize, first: &RollUp| {
        let mut sessions: Vec<&RollUp> = others[others.len() - n..].iter().collect();
        sessions.push(first);
        ends(&sessions, &Frequencies::default(), &ClosedSteps::default()).left.len()
    };
    assert_eq!((after(2, &question), after(3, &question)), (1, 0));
    assert_eq!((after(7, &step), after(8, &step)), (1, 0));
    let mut late = session(2, &["Translate the help page"], vec![]);
    late.ended_at_epoch = 61 * 24 * HOUR + HOUR;
    check(&[&late, &step], &[]);
}

#[test]
fn sessions_of_programs_do_not_age_a_step() {
    let step = session(1, &["a b"], vec![open(1, OpenKind::Stated, "Rename the crate everywhere")]);
    let program = RollUp { by_user: false, ..session(2, &[], vec![]) };
    let mut sessions = vec![&program; 30];
    sessions.push(&step);
    check(&sessions, &[("Rename the crate everywhere", 0)]);
}

#[test]
fn a_later_pass_retires_a_failure() {
    let run = |outcome| CheckRun { key: "cargo test".into(), outcome, ..CheckRun::default() };
    let failing = OpenKind::Failing(Box::new(run(Outcome::Fail)));
    let failed = session(1, &["a b"], vec![open(1, failing, "`cargo test` fails")]);
    let mut later = session(2, &["Translate the help page"], vec![]);
    check(&[&later, &failed], &[("`cargo test` fails", 1)]);
    later.checks = vec![run(Outcome::Pass)];
    check(&[&later, &failed], &[]);
    later.checks =
        vec![CheckRun { kind: CheckKind::Lint, key: "cargo clippy".into(), ..run(Outcome::Pass) }];
    check(&[&later, &failed], &[("`cargo test` fails", 1)]);
}

#[test]
fn a_step_that_several_sessions_name_is_told_once() {
    let old =
        session(1, &["a b"], vec![open(1, OpenKind::Stated, "Write the docs of the importer")]);
    let new = session(2, &["c d"], vec![open(2, OpenKind::Stated, "write importer docs")]);
    check(&[&new, &old], &[("write importer docs", 0)]);
}

#[test]
fn several_sessions_may_do_a_long_step_in_parts() {
    let step = "Load the archive 2020 to 2026, and warn if a probe is silent for 6 hours";
    let planned = session(1, &["a b"], vec![open(1, OpenKind::Stated, step)]);
    let loaded = session(2, &["load the archive 2020 to 2026 in batches, with retries"], vec![]);
    check(&[&loaded, &planned], &[(step, 1)]);
    let warned = session(3, &["warn about silent probes after 6 hours"], vec![]);
    check(&[&warned, &loaded, &planned], &[]);
}

#[test]
fn a_plan_replaces_only_steps_of_the_same_work() {
    let file = |path: &str| vec![FileChange { path: path.into(), ..FileChange::default() }];
    let mut planned = session(1, &["a b"], vec![open(1, OpenKind::Stated, "Write the docs")]);
    planned.files = [file("src/price.ts"), file("src/invoice.ts")].concat();
    let mut new = session(2, &["c d"], vec![open(2, OpenKind::Stated, "Sign the release")]);
    check(&[&new, &planned], &[("Sign the release", 0), ("Write the docs", 1)]);
    new.files = file("src/pdf.ts");
    check(&[&new, &planned], &[("Sign the release", 0), ("Write the docs", 1)]);
    new.files = file("src/invoice.ts");
    check(&[&new, &planned], &[("Sign the release", 0)]);
    let program = RollUp { by_user: false, ..new };
    check(&[&program, &planned], &[("Sign the release", 0), ("Write the docs", 0)]);
    let again = "Write the docs of the importer and of its options";
    let spoken = session(2, &["c d"], vec![open(2, OpenKind::Stated, again)]);
    check(&[&spoken, &planned], &[(again, 0)]);
}

#[test]
fn what_is_not_told_any_more_has_a_reason() {
    let planned = session(1, &["a b"], vec![open(1, OpenKind::Stated, "Write the docs")]);
    let done = session(2, &["write the docs now"], vec![]);
    let found = ends(&[&done, &planned], &Frequencies::default(), &ClosedSteps::default());
    assert!(found.left.is_empty());
    let (left, reason) = &found.retired[0];
    assert_eq!((left.open.text.as_str(), *reason), ("Write the docs", Reason::Done(2)));
}

#[test]
fn a_sentence_is_left_only_until_its_work_goes_on() {
    let said = Open { said: true, ..open(1, OpenKind::ForUser, "Renew the certificate") };
    let mut first = session(1, &["a b"], vec![said]);
    let mut later = session(2, &["Translate the help page"], vec![]);
    check(&[&later, &first], &[("Renew the certificate", 1)]);
    later.commits = vec![CommitMade::default()];
    check(&[&later, &first], &[("Renew the certificate", 1)]);
    let file = |path: &str| vec![FileChange { path: path.into(), ..FileChange::default() }];
    (first.files, later.files) = ([file("a.rs"), file("b.rs")].concat(), file("a.rs"));
    check(&[&later, &first], &[]);
    later.files = file("help.md");
    check(&[&later, &first], &[("Renew the certificate", 1)]);
    check(&[&later, &later, &later, &later, &first], &[("Renew the certificate", 4)]);
    check(&[&later, &later, &later, &later, &later, &first], &[]);
}

#[test]
fn later_work_on_the_same_files_retires_a_step_that_it_speaks_of() {
    let step = "Handle sessions that arrive late at the end of a month";
    let file = |path: &str| vec![FileChange { path: path.into(), ..FileChange::default() }];
    let mut planned = session(1, &["a b"], vec![open(1, OpenKind::Stated, step)]);
    planned.files = [file("models/session_daily.sql"), file("models/session_monthly.sql")].concat();
    let mut later = session(2, &["Translate the help page"], vec![]);
    later.files = file("docs/help.md");
    check(&[&later, &planned], &[(step, 1)]);
    later.files = file("models/session_daily.sql");
    check(&[&later, &planned], &[(step, 1)]);
    later
        .deeds
        .extend(Deeds::of(&turn("go on", "Count late sessions on the day of their first event")));
    check(&[&later, &planned], &[]);
    let mut elsewhere = later.clone();
    elsewhere.files = file("docs/help.md");
    check(&[&elsewhere, &planned], &[(step, 1)]);
    // All of the files again, or two sessions later.
    let mut same = session(2, &["Translate the help page"], vec![]);
    same.files.clone_from(&planned.files);
    check(&[&same, &planned], &[]);
    let mut partly = same.clone();
    partly.files.pop();
    let other = session(3, &["Translate the help page"], vec![]);
    check(&[&partly, &planned], &[(step, 1)]);
    check(&[&other, &partly, &planned], &[]);
}

#[test]
fn a_report_at_the_beginning_of_the_next_session_retires_a_step() {
    let step = "Run the migration on the large database";
    let left = session(1, &["Write it"], vec![open(1, OpenKind::Stated, step)]);
    let mut next = session(2, &["Translate the help page"], vec![]);
    check(&[&next, &left], &[(step, 1)]);
    next.report = Some("rolled out last night".into());
    check(&[&next, &left], &[]);
    let other = "Rename the crate everywhere";
    let two = vec![open(1, OpenKind::Stated, step), open(1, OpenKind::Stated, other)];
    let left = session(1, &["Write it"], two);
    check(&[&next, &left], &[(step, 1), (other, 1)]);
}
