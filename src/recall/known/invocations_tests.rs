use super::*;
use crate::recall::known::testing::{Memory, PROJECT, used};

const DAY: i64 = 86_400_000;

fn told(memory: &Memory, tool: &str, here: Option<i64>) -> Vec<(String, u64, u64)> {
    let found = invocations(&memory.conn, tool, here, 30 * DAY).unwrap();
    found.into_iter().map(|i| (i.line, i.worked, i.failed)).collect()
}

fn with(uses: &[(&str, bool)]) -> Evidence {
    let commands = uses.iter().map(|(line, ok)| used(line, *ok)).collect();
    Evidence { commands, ..Evidence::default() }
}

#[test]
fn the_commands_that_worked_are_listed() {
    let memory = Memory::new();
    memory.turn(1, 1, "x", with(&[("uv run pytest -q", true), ("pytest", false)]));
    memory.turn(2, 1, "x", with(&[("uv run pytest -q", true), ("pytest.py", true)]));
    memory.turn(3, 1, "x", with(&[("uv run pytest -q", false), ("CI=1 pytest tests", true)]));
    let line = |text: &str, worked, failed| (text.to_owned(), worked, failed);
    // `used` takes two words as the name.
    assert_eq!(told(&memory, "uv", Some(PROJECT)), [line("uv run pytest -q", 2, 1)]);
    assert_eq!(told(&memory, "pytest", Some(PROJECT)), [line("CI=1 pytest tests", 1, 0)]);
    assert!(told(&memory, "py", None).is_empty());
    assert!(told(&memory, "", None).is_empty());
}

#[test]
fn this_project_comes_first_and_older_releases_know_checks() {
    let memory = Memory::new();
    memory.turn(1, 1, "x", with(&[("make build", true), ("make all", true), ("make all", true)]));
    let check = CheckRun { key: "make test".into(), outcome: Outcome::Pass, ..CheckRun::default() };
    memory.turn(2, 1, "x", Evidence { checks: vec![check], ..Evidence::default() });
    memory.conn.execute_batch("UPDATE session_summaries SET project_id = 2 WHERE id = 2").unwrap();
    let lines: Vec<String> =
        told(&memory, "make", Some(2)).into_iter().map(|(line, ..)| line).collect();
    assert_eq!(lines, ["make test", "make all", "make build"]);
}
