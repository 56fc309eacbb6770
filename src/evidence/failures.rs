//! What was done after a command failed, until the same command worked.

use super::{checks, files};
use crate::activity::{Activity, CommandLine, Event, Run, fit};
use crate::memory::{CheckRun, Evidence, Failure, Outcome};

/// Maximum number of failures of a turn.
const MAX_FAILURES: usize = 10;
const MAX_CHANGED: usize = 8;
const MAX_RAN: usize = 4;
const MAX_LINE: usize = 160;

pub fn add(evidence: &mut Evidence, event: &Event) {
    let failures = &mut evidence.failures;
    match event.activity {
        Activity::Edit(edits) => edits.iter().for_each(|edit| changed(failures, &edit.path)),
        Activity::Run(run) => {
            run.changed_paths().for_each(|path| changed(failures, path));
            if run.fetched.is_none() {
                let installs = run.uses.len() == 1 && !run.effects.is_empty();
                let acts = |used: &&CommandLine| used.acts || installs;
                run.uses.iter().filter(acts).for_each(|used| ran(failures, used));
            }
            run.checks.iter().filter(|c| c.outcome == Outcome::Pass).for_each(|pass| {
                open(failures).filter(|failure| covers(pass, failure)).for_each(pass_check);
            });
            worked(failures, run);
            failed(failures, run);
            // It works again, and nothing tells why.
            failures.retain(|failure| !failure.passed || tells_why(failure));
        }
        _ => {}
    }
}

/// Whether a pass of a check shows that a failed check works.
pub fn covers(pass: &CheckRun, failure: &Failure) -> bool {
    let Some(kind) = failure.kind else { return false };
    let failed = CheckRun {
        key: failure.command.clone(),
        arguments: failure.arguments.clone(),
        toolchain: failure.toolchain.clone(),
        kind,
        outcome: Outcome::Fail,
        ..CheckRun::default()
    };
    checks::covers(pass, &failed)
}

/// Whether a use of a command shows that a failed one works: the same command, or the same program
/// and verb with other arguments.
pub fn is_same_command(failure: &Failure, line: &str, name: &str) -> bool {
    let is_telling = name.contains(' ');
    failure.kind.is_none() && (failure.line == line || is_telling && failure.command == name)
}

fn tells_why(failure: &Failure) -> bool {
    !failure.changed.is_empty() || !failure.ran.is_empty() || !failure.worked_as.is_empty()
}

fn open(failures: &mut [Failure]) -> impl Iterator<Item = &mut Failure> {
    failures.iter_mut().filter(|failure| !failure.passed)
}

fn pass_check(failure: &mut Failure) {
    failure.passed = true;
}

fn changed(failures: &mut [Failure], path: &str) {
    if files::is_temporary(path) {
        return;
    }
    for failure in open(failures).filter(|failure| !failure.gone) {
        if failure.changed.iter().any(|known| known == path) {
            continue;
        }
        match failure.changed.len() < MAX_CHANGED {
            true => failure.changed.push(path.to_owned()),
            false => failure.changed_more += 1,
        }
    }
}

fn ran(failures: &mut [Failure], used: &CommandLine) {
    let records = ["git commit", "git push", "git add", "git stash"].contains(&used.name.as_str());
    if !used.worked || used.is_check || records {
        return;
    }
    for failure in open(failures).filter(|failure| !failure.gone) {
        let is_same = is_same_command(failure, &used.line, &used.name);
        let is_known = failure.ran.contains(&used.line);
        if !is_same && !is_known && failure.ran.len() < MAX_RAN {
            failure.ran.push(used.line.clone());
        }
    }
}

/// Commands that are no checks and worked.
fn worked(failures: &mut [Failure], run: &Run) {
    for used in run.uses.iter().filter(|used| used.worked && !used.is_check) {
        for failure in open(failures) {
            if is_same_command(failure, &used.line, &used.name) {
                failure.passed = true;
                if failure.line != used.line {
                    failure.worked_as.clone_from(&used.line);
                }
            }
        }
    }
    if !run.failed && run.uses.iter().any(|used| used.worked) {
        let line = fit(&run.command, MAX_LINE);
        let whole = |failure: &&mut Failure| failure.command.is_empty() && failure.line == line;
        open(failures).filter(whole).for_each(pass_check);
    }
}

fn failed(failures: &mut Vec<Failure>, run: &Run) {
    let checks = run.checks.iter().filter(|check| check.outcome == Outcome::Fail);
    let mut found: Vec<Failure> = checks
        .map(|check| Failure {
            command: check.key.clone(),
            arguments: check.arguments.clone(),
            kind: Some(check.kind),
            toolchain: check.toolchain.clone(),
            ..Failure::default()
        })
        .collect();
    let uses = run.uses.iter().filter(|used| !used.worked && !used.is_check);
    found.extend(uses.map(|used| Failure {
        command: used.name.clone(),
        line: used.line.clone(),
        ..Failure::default()
    }));
    // One of several commands failed.
    if found.is_empty() && run.failed {
        found.push(Failure { line: fit(&run.command, MAX_LINE), ..Failure::default() });
    }
    for failure in found {
        record(failures, Failure { about: run.error_names.clone(), ..failure }, &run.prints);
    }
}

fn record(failures: &mut Vec<Failure>, mut failure: Failure, prints: &[String]) {
    if prints.is_empty() {
        return;
    }
    prints.clone_into(&mut failure.prints);
    failures.retain_mut(|known| {
        let is_same = known.command == failure.command
            && known.arguments == failure.arguments
            && (known.kind.is_some() || known.line == failure.line || !known.command.is_empty());
        let came_back = known.prints.iter().any(|print| prints.contains(print));
        known.gone |= is_same && !came_back;
        // What was done since did not help.
        !(is_same && came_back)
    });
    if failures.len() == MAX_FAILURES {
        failures.remove(0);
    }
    failures.push(failure);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::evidence::testing::Session;

    fn run(line: &str) -> Value {
        json!({ "command": line })
    }

    fn edit(path: &str) -> Value {
        json!({"file_path": path, "old_string": "a", "new_string": "b"})
    }

    fn failures(session: &Session) -> Vec<Failure> {
        session.fold(add).failures
    }

    const E0425: &str = "Exit code 101\nerror[E0425]: cannot find value `left_pad` in this scope\n --> src/a.rs:3:5\nerror: could not compile `m` (lib) due to 1 previous error";
    const E0308: &str = "Exit code 101\nerror[E0308]: mismatched types for `right_pad`\n --> src/b.rs:3:5\nerror: could not compile `m` (lib) due to 1 previous error";

    #[test]
    fn the_changes_before_the_pass_belong_to_the_failure() {
        let mut session = Session::default();
        session.tool("Edit", &edit("/p/src/early.rs"), "{}");
        session.failed("Bash", &run("cargo build"), E0425);
        session.tool("Edit", &edit("/p/src/tried.rs"), "{}");
        session.failed("Bash", &run("cargo build"), E0425);
        session.tool("Edit", &edit("/p/src/a.rs"), "{}");
        session.failed("Bash", &run("cargo build"), E0308);
        session.tool("Edit", &edit("/p/src/b.rs"), "{}");
        session.tool("Bash", &run("cargo test"), "test result: ok. 3 passed; 0 failed");
        session.tool("Edit", &edit("/p/src/later.rs"), "{}");
        let found = failures(&session);
        let told: Vec<(&[String], bool)> =
            found.iter().map(|f| (f.changed.as_slice(), f.passed)).collect();
        assert_eq!(
            told,
            [
                (["src/a.rs".to_owned()].as_slice(), true),
                (["src/b.rs".to_owned()].as_slice(), true)
            ]
        );
    }

    #[test]
    fn an_install_and_another_way_to_write_the_command_are_known() {
        let mut session = Session::default();
        session.failed("Bash", &run("jq . a.json"), "Exit code 127\nbash: jq: command not found");
        session.tool("Bash", &run("brew install jq"), "");
        session.tool("Bash", &run("jq . a.json"), "{}");
        let push = "Exit code 128\nfatal: The current branch x has no upstream branch.";
        session.failed("Bash", &run("git push"), push);
        session.tool("Bash", &run("git push -u origin x"), "");
        let found = failures(&session);
        assert_eq!(found[0].ran, ["brew install jq"]);
        assert_eq!(found[1].worked_as, "git push -u origin x");
        assert!(found.iter().all(|failure| failure.passed));
    }

    #[test]
    fn a_pass_without_a_change_and_another_command_tell_nothing() {
        let mut session = Session::default();
        session.failed("Bash", &run("cargo build"), E0425);
        session.tool("Bash", &run("cargo build"), "Finished `dev` profile");
        assert!(failures(&session).is_empty(), "flaky");
        session.failed(
            "Bash",
            &run("curl http://localhost:1/a"),
            "curl: (7) Failed to connect to localhost port 1: Connection refused",
        );
        session.tool("Edit", &edit("/p/src/a.rs"), "{}");
        session.tool("Bash", &run("curl http://localhost:2/b"), "ok");
        assert!(failures(&session).iter().all(|failure| !failure.passed));
    }
}
