use super::*;
use crate::memory::{CheckKind, CheckRun};
use crate::recall::known::testing::{Memory, PROJECT, edited, failure, used};

const ERROR: &str = "error[E0425]: cannot find value `left_pad` in this scope\n --> src/a.rs:3:5";

fn text(memory: &Memory, error: &str) -> Option<String> {
    let known = about_error(&memory.conn, PROJECT, error).unwrap();
    known.map(|known| format!("{} {}", known.row, known.text))
}

fn broken() -> Evidence {
    Evidence { failures: vec![failure("cargo build", ERROR)], ..Default::default() }
}

fn passed(key: &str, kind: CheckKind, file: &str) -> Evidence {
    let pass = CheckRun {
        key: key.into(),
        kind,
        toolchain: "rust".into(),
        outcome: Outcome::Pass,
        sources: vec![9],
        ..Default::default()
    };
    Evidence { checks: vec![pass], files: vec![edited(file)], ..Default::default() }
}

#[test]
fn a_fix_in_the_same_turn_is_told() {
    let memory = Memory::new();
    let fixed =
        Failure { passed: true, changed: vec!["src/a.rs".into()], ..failure("cargo build", ERROR) };
    memory.turn(1, 1, "Import left_pad", Evidence { failures: vec![fixed], ..Default::default() });
    assert_eq!(
        text(&memory, ERROR).unwrap(),
        "s1 `cargo build` failed like this before and worked after a change of `src/a.rs` (“Import left_pad”)."
    );
    assert_eq!(text(&memory, "error[E0425]: cannot find value `other` in this scope"), None);
    assert_eq!(text(&memory, ""), None);
}

#[test]
fn a_pass_in_a_later_session_counts_with_the_changes_before_it() {
    let memory = Memory::new();
    memory.turn(1, 1, "Build", broken());
    assert_eq!(text(&memory, ERROR), None, "not fixed yet");
    let between = Evidence { files: vec![edited("src/b.rs")], ..Default::default() };
    memory.turn(2, 2, "Work on it", between);
    let mut last = passed("cargo test", CheckKind::Test, "src/a.rs");
    let mut later = edited("src/later.rs");
    later.sources = vec![12];
    last.files.push(later);
    memory.turn(3, 2, "Fix the import", last);
    let told = text(&memory, ERROR).unwrap();
    assert!(told.contains("a change of `src/b.rs` and `src/a.rs` (“Fix the import”)"), "{told}");
}

#[test]
fn an_error_that_came_back_has_no_fix() {
    let memory = Memory::new();
    let fixed =
        Failure { passed: true, changed: vec!["a".into()], ..failure("cargo build", ERROR) };
    memory.turn(1, 1, "Fix", Evidence { failures: vec![fixed.clone()], ..Default::default() });
    memory.turn(2, 1, "It is back", broken());
    assert_eq!(text(&memory, ERROR), None);
    // On another occasion, it is fixed again.
    memory.turn(3, 2, "Again", Evidence { failures: vec![fixed], ..Default::default() });
    assert!(text(&memory, ERROR).unwrap().starts_with("s3 "));
}

#[test]
fn a_pass_without_a_change_or_of_something_else_is_no_fix() {
    let memory = Memory::new();
    memory.turn(1, 1, "Build", broken());
    let mut flaky = passed("cargo build", CheckKind::Build, "src/a.rs");
    flaky.files.clear();
    memory.turn(2, 1, "Build again", flaky);
    assert_eq!(text(&memory, ERROR), None);
    let memory = Memory::new();
    memory.turn(1, 1, "Build", broken());
    let mut other = passed("npm test", CheckKind::Test, "web/a.ts");
    other.checks[0].toolchain = "node".into();
    memory.turn(2, 1, "The web", other);
    assert_eq!(text(&memory, ERROR), None);
    let many = (0..30).map(|n| edited(&format!("src/{n}.rs"))).collect();
    let all = Evidence { files: many, ..passed("cargo build", CheckKind::Build, "x") };
    memory.turn(3, 1, "Rewrite everything", all);
    assert_eq!(text(&memory, ERROR), None, "too much was changed");
}

#[test]
fn another_way_to_write_a_command_and_an_install_are_told() {
    let memory = Memory::new();
    let missing = "bash: line 1: jq: command not found";
    let failure = Failure {
        command: "jq".into(),
        line: "jq . a.json".into(),
        kind: None,
        ran: vec!["brew install jq".into()],
        passed: true,
        ..failure("jq", missing)
    };
    memory.turn(1, 1, "Read the file", Evidence { failures: vec![failure], ..Default::default() });
    assert_eq!(
        text(&memory, "zsh: command not found: jq").unwrap(),
        "s1 `jq . a.json` failed like this before and worked after `brew install jq` (“Read the file”)."
    );
    let refused = "fatal: The current branch x has no upstream branch.";
    let open = Failure {
        command: "git push".into(),
        line: "git push".into(),
        kind: None,
        ..testing_failure(refused)
    };
    memory.turn(2, 1, "Push", Evidence { failures: vec![open], ..Default::default() });
    let later = Evidence {
        commands: vec![used("git push -u origin x", true)],
        files: vec![edited("src/a.rs")],
        ..Default::default()
    };
    memory.turn(3, 1, "Push it", later);
    assert!(text(&memory, refused).unwrap().contains("worked"), "{:?}", text(&memory, refused));
}

fn testing_failure(output: &str) -> Failure {
    failure("git push", output)
}

#[test]
fn a_test_that_fails_again_has_a_fix_only_for_a_person() {
    let memory = Memory::new();
    let output = "test parser::empty ... FAILED\ntest result: FAILED. 3 passed; 1 failed";
    let fixed =
        Failure { passed: true, changed: vec!["src/a.rs".into()], ..failure("cargo test", output) };
    memory.turn(1, 1, "Fix", Evidence { failures: vec![fixed], ..Default::default() });
    assert_eq!(text(&memory, output), None);
    let found = fixes(&memory.conn, None, output, 5).unwrap();
    assert_eq!((found.len(), found[0].likeness), (1, Likeness::Test));
}
