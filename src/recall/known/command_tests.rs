use super::*;
use crate::memory::{CommandUse, Failure, Refusal};
use crate::recall::known::testing::{Memory, PROJECT, used};

fn text(memory: &Memory, command: &str) -> Option<String> {
    about_command(&memory.conn, PROJECT, command).unwrap().map(|known| known.text)
}

fn with(used: CommandUse) -> Evidence {
    Evidence { commands: vec![used], ..Evidence::default() }
}

#[test]
fn a_command_that_failed_last_time_is_told_until_it_works() {
    let memory = Memory::new();
    let failed = CommandUse { exit: Some(17), ..used("docker compose up -d", false) };
    let mut evidence = with(CommandUse { name: "docker compose up".into(), ..failed });
    evidence.blockers.push(Blocker {
        kind: BlockerKind::Service,
        command: "docker compose up".into(),
        subject: "docker".into(),
        ..Blocker::default()
    });
    memory.turn(1, 1, "Start it", evidence);
    assert_eq!(
        text(&memory, "cd x && docker compose up -d").unwrap(),
        "`docker compose up -d` failed with exit status 17 the last time: `docker` did not answer (“Start it”)."
    );
    assert_eq!(text(&memory, "docker compose build"), None);
    memory.turn(2, 1, "Start it", with(used("docker compose up -d", true)));
    assert_eq!(text(&memory, "docker compose up -d"), None);
}

#[test]
fn what_worked_instead_is_told() {
    let memory = Memory::new();
    let mut evidence = with(used("git push", false));
    evidence.failures.push(Failure {
        command: "git push".into(),
        line: "git push".into(),
        passed: true,
        worked_as: "git push -u origin x".into(),
        ..Failure::default()
    });
    memory.turn(1, 1, "", evidence);
    assert_eq!(
        text(&memory, "git push").unwrap(),
        "`git push` failed the last time; `git push -u origin x` worked."
    );
}

#[test]
fn refused_and_undone_commands_are_told() {
    let memory = Memory::new();
    let refusal = Refusal {
        what: "git push --force origin main".into(),
        words: "never force main".into(),
        ..Refusal::default()
    };
    memory.turn(1, 1, "Push", Evidence { refusals: vec![refusal], ..Evidence::default() });
    assert_eq!(
        text(&memory, "git push --force").unwrap(),
        "The user refused `git push --force origin main` the last time and said: “never force main”"
    );
    assert_eq!(text(&memory, "git push origin main"), None, "another use of the same program");
    let codemod = CommandUse { files: vec!["src/a.rs".into()], ..used("codemod run", true) };
    memory.turn(2, 1, "Replace it", with(codemod));
    assert_eq!(text(&memory, "codemod run"), None);
    memory.turn(
        3,
        1,
        "Undo",
        Evidence {
            put_back: vec!["src/a.rs".into()],
            searched: vec!["codemod run".into()],
            ..Evidence::default()
        },
    );
    assert!(text(&memory, "codemod run").unwrap().contains("taken back"));
}

#[test]
fn checks_fail_as_a_matter_of_course() {
    let memory = Memory::new();
    memory.turn(1, 1, "Test", with(used("cargo test", false)));
    assert_eq!(text(&memory, "cargo test"), None);
    for command in ["", "ls", "'", "echo $(", &"x ".repeat(9_000)] {
        assert_eq!(text(&memory, command), None);
    }
}
