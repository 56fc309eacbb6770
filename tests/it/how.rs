//! `memctl how`: the command lines of a program that worked.

use serde_json::Value;

use crate::support::{Work, World};

fn lines(json: &Value) -> Vec<String> {
    let commands = json["commands"].as_array().unwrap();
    commands.iter().map(|command| command["command"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_command_lines_that_worked_are_listed() {
    let w = World::new();
    let mut work = Work::new(&w, "app", "one");
    work.prompt("Run the tests and start the services");
    work.fails("pytest", 127, "bash: line 1: pytest: command not found");
    work.runs("uv run pytest -q", "12 passed in 0.3s");
    work.runs("cd web && npm run build 2>&1 | tail -3", "dist/a.js  1 kB\n✓ built in 1.2s");
    work.fails("docker compose up -d", 1, "Error: port is already allocated");
    work.runs("docker compose up -d --wait", "Container app-db-1  Healthy");
    work.runs(
        "git commit -m 'a message that tells a lot'",
        "[main 1a2b3c4] a message that tells a lot\n 1 file changed",
    );
    work.stop("All services run.");
    work.prompt("Again");
    work.runs("uv run pytest -q", "12 passed in 0.3s");
    work.fails(
        "uv run pytest -q",
        1,
        "FAILED tests/a.py::test_x - assert 1 == 2\n1 failed, 11 passed in 0.3s",
    );
    work.stop("One test fails.");

    let shown = work.memctl("", &["how", "pytest"]).ok();
    assert!(shown.starts_with("In this project\n  uv run pytest -q\n"), "{shown}");
    assert!(shown.contains("worked 2 times, failed once, last "), "{shown}");
    assert!(shown.contains("with exit status 1 (s2)"), "{shown}");
    let json = work.memctl("", &["how", "docker", "--json"]).json();
    assert_eq!(lines(&json), ["docker compose up -d --wait"], "what never worked is not listed");
    assert_eq!(
        (&json["commands"][0]["last_exit"], &json["commands"][0]["here"]),
        (&0.into(), &true.into())
    );
    let json = work.memctl("", &["how", "npm", "--json"]).json();
    assert_eq!(
        (lines(&json), &json["commands"][0]["dir"]),
        (vec!["npm run build".to_owned()], &"web".into())
    );
    let json = work.memctl("", &["how", "git", "commit", "--json"]).json();
    assert_eq!(lines(&json), ["git commit -m …"]);

    let caution = work.memctl("", &["how", "docker compose up -d"]);
    assert!(
        caution.err.contains("`docker compose up -d` failed with exit status 1 the last time"),
        "{caution:?}"
    );

    let mut other = Work::new(&w, "lib", "two");
    other.prompt("Test it");
    other.runs("pytest tests", "3 passed in 0.1s");
    other.stop("All pass.");
    let json = other.memctl("", &["how", "pytest", "--json"]).json();
    assert_eq!(lines(&json), ["pytest tests", "uv run pytest -q"], "this project first");
    assert_eq!(json["commands"][1]["project"], "app");
    let shown = other.memctl("", &["how", "pytest", "--limit", "1"]).ok();
    assert!(!shown.contains("In other projects"), "{shown}");
}

#[test]
fn secrets_of_a_command_are_not_printed() {
    let w = World::new();
    let mut work = Work::new(&w, "app", "one");
    let token = ["ghp", "_", "16C7e42F292c6912E7710c838347Ae178B4a"].concat();
    work.prompt("Deploy it");
    work.runs(&format!("deployctl --token {token} --env staging"), "deployed");
    work.stop("It is deployed.");
    let shown = work.memctl("", &["how", "deployctl"]).ok();
    assert!(shown.contains("--env staging") && !shown.contains(&token), "{shown}");
}

#[test]
fn an_unknown_program_and_an_empty_store_are_told() {
    let w = World::new();
    let empty = w.memctl(&["how", "cargo"]);
    assert_eq!(empty.code, Some(1));
    assert!(empty.err.contains("nothing is stored yet"), "{empty:?}");
    let mut work = Work::new(&w, "app", "one");
    work.prompt("List the files");
    work.runs("ls", "a.rs");
    work.stop("There is one file.");
    let unknown = work.memctl("", &["how", "cargo"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("no command line of 'cargo' is known"), "{unknown:?}");
    let json = work.memctl("", &["how", "cargo", "--json"]);
    assert_eq!(json.code, Some(1));
    assert!(lines(&serde_json::from_str(&json.out).unwrap()).is_empty());
}

#[test]
fn a_narrow_terminal_wraps_a_command() {
    let w = World::new().with("COLUMNS", "40");
    let mut work = Work::new(&w, "app", "one");
    work.prompt("Build it");
    work.runs(
        "cargo build --workspace --all-targets --features one,two --locked",
        "Finished `dev` profile",
    );
    work.stop("It builds.");
    let shown = work.memctl("", &["how", "cargo"]).ok();
    assert!(shown.lines().all(|line| line.chars().count() <= 40), "{shown}");
}
