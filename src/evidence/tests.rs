//! Tests of the whole fold: from tool events to evidence.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fold;
use crate::activity::ParsedBatch;
use crate::memory::{
    Batch, BlockerKind, Cause, Change, CheckKind, Evidence, Message, Outcome, Turn,
};

/// A tool use of a turn.
#[derive(Clone, Debug)]
struct Use {
    tool: &'static str,
    input: Value,
    response: String,
    failed: bool,
}

fn bash(command: &str, output: &str, failed: bool) -> Use {
    Use { tool: "Bash", input: json!({ "command": command }), response: output.into(), failed }
}

fn ok(command: &str, output: &str) -> Use {
    bash(command, output, false)
}

fn err(command: &str, output: &str) -> Use {
    bash(command, output, true)
}

fn edit(path: &str, old: &str, new: &str) -> Use {
    let input = json!({ "file_path": format!("/p/{path}"), "old_string": old, "new_string": new });
    Use { tool: "Edit", input, response: "{}".into(), failed: false }
}

fn write(path: &str, creates: bool) -> Use {
    let input = json!({ "file_path": format!("/p/{path}"), "content": "x" });
    let kind = if creates { "create" } else { "update" };
    Use { tool: "Write", input, response: json!({ "type": kind }).to_string(), failed: false }
}

fn message(id: i64, used: &Use) -> Message {
    Message {
        id,
        cause: if used.failed { Cause::ToolFailed } else { Cause::Tool },
        turn_id: Some("t".into()),
        prompt_number: 1,
        agent_id: None,
        agent_type: None,
        tool_name: Some(used.tool.into()),
        tool_input: Some(used.input.to_string()),
        tool_response: Some(used.response.clone()),
        cwd: Some("/p".into()),
        files: Vec::new(),
        last_assistant_message: None,
        created_at_epoch: 0,
    }
}

/// The evidence of uses whose messages begin with the id `first`, after `evidence` and `turns`.
fn fold_from(first: i64, uses: &[Use], evidence: Evidence, turns: &[Turn]) -> Evidence {
    let messages = (first..).zip(uses).map(|(id, used)| message(id, used)).collect();
    fold(&ParsedBatch::new(Batch {
        client: "claude-code".into(),
        project_root: Some(PathBuf::from("/p")),
        messages,
        evidence,
        turns: turns.to_vec(),
        ..Batch::default()
    }))
}

fn of(uses: &[Use]) -> Evidence {
    fold_from(1, uses, Evidence::default(), &[])
}

/// The evidence of the last of several turns of a session.
fn of_turns(turns: &[&[Use]]) -> Evidence {
    let (mut earlier, mut next): (Vec<Turn>, i64) = (Vec::new(), 1);
    for uses in turns {
        let evidence = fold_from(next, uses, Evidence::default(), &earlier);
        next += uses.len() as i64;
        earlier.push(Turn { evidence, ..Turn::default() });
    }
    earlier.pop().unwrap_or_default().evidence
}

fn open(evidence: &Evidence) -> Vec<&str> {
    evidence.open_failures().map(|check| check.key.as_str()).collect()
}

fn files(evidence: &Evidence) -> Vec<(&str, Change)> {
    evidence.files.iter().map(|file| (file.path.as_str(), file.change)).collect()
}

const ONE_FAILED: &str =
    "FAILED tests/test_a.py::test_x - assert 1 == 2\n1 failed, 41 passed in 0.1s";

#[test]
fn scripts_fail_without_an_open_failure() {
    let evidence = of(&[err("python run.py", "SyntaxError: x"), ok("python3 run.py", "42")]);
    assert_eq!(evidence.checks, []);
    assert_eq!(evidence.blockers, []);
}

#[test]
fn a_wrong_directory_is_no_failure() {
    let evidence = of(&[err("cd nope && pytest", "bash: cd: nope: No such file or directory")]);
    assert_eq!(evidence.checks[0].outcome, Outcome::Unknown);
    assert_eq!(open(&evidence), [] as [&str; 0]);
}

#[test]
fn the_last_run_of_a_check_counts() {
    let evidence = of(&[ok("pytest", "42 passed in 0.1s"), err("python3 -m pytest", ONE_FAILED)]);
    let check = &evidence.checks[0];
    assert_eq!(evidence.checks.len(), 1);
    assert_eq!(open(&evidence), ["pytest"]);
    assert_eq!(check.failing, ["tests/test_a.py::test_x"]);
    assert_eq!(check.sources, [1, 2]);
    // An unknown outcome says nothing against it.
    let piped = of(&[err("pytest", ONE_FAILED), ok("pytest | grep xfail", "")]);
    assert_eq!(open(&piped), ["pytest"]);
    let fixed =
        of(&[err("pytest", ONE_FAILED), edit("a.py", "1", "2"), ok("pytest", "42 passed in 1s")]);
    assert_eq!(open(&fixed), [] as [&str; 0]);
    assert!(fixed.checks[0].fixed);
    assert_eq!(fixed.failed_before_edit.as_deref(), Some("pytest"));
    let stale = of(&[err("pytest", ONE_FAILED), edit("a.py", "1", "2")]);
    assert!(stale.checks[0].edited_since);
}

#[test]
fn a_wider_pass_covers_a_failure() {
    let go = "--- FAIL: TestX (0.00s)\nFAIL\tex.org/p/a\t0.1s";
    let passes = "ok  \tex.org/p/a\t0.1s\nok  \tex.org/p/b\t0.1s";
    let covered = |failure: Use, pass: Use| {
        let evidence = of(&[failure, pass]);
        open(&evidence).is_empty()
    };
    let jest = "Tests:       3 passed, 3 total";
    let cargo = "test a::b ... FAILED\ntest result: FAILED. 3 passed; 1 failed; 0 ignored";
    let cargo_ok = "test result: ok. 4 passed; 0 failed; 0 ignored";
    let build = "error[E0425]: cannot find value `x`";
    for (failure, pass, expected) in [
        (err("go test ./a", go), ok("go test ./...", passes), true),
        (err("go test ./...", go), ok("go test ./b", passes), false),
        (err("go test ./a/x", go), ok("go test ./a/...", passes), true),
        (err("pytest", ONE_FAILED), ok("pytest -k other", "2 passed in 1s"), false),
        (err("pytest", ONE_FAILED), ok("pytest tests/test_a.py::test_x", "1 passed in 1s"), true),
        (err("pytest -k test_x", ONE_FAILED), ok("pytest tests/test_a.py", "1 passed in 1s"), true),
        (err("pytest", ONE_FAILED), ok("npx jest", jest), false),
        (err("npm test", "Tests:  1 failed, 3 total"), ok("npx jest", jest), true),
        (err("npm test", "Tests:  1 failed, 3 total"), ok("npm run test:unit", jest), false),
        (
            err("cd web && npm test", "Tests:  1 failed, 3 total"),
            ok("cd api && npm test", jest),
            false,
        ),
        (err("cargo test", cargo), ok("cargo test a::b", cargo_ok), true),
        (err("cargo test -p core", cargo), ok("cargo test", cargo_ok), true),
        (err("cargo build", build), ok("cargo test", cargo_ok), true),
        (err("cargo build", build), ok("cargo clippy", "Finished `dev` profile"), true),
        (err("cargo build", build), ok("npm test", jest), false),
        (err("cargo clippy", build), ok("cargo build", "Finished `dev` profile"), false),
        (err("make test", ONE_FAILED), ok("pytest", "42 passed in 1s"), true),
    ] {
        assert_eq!(covered(failure.clone(), pass.clone()), expected, "{failure:?} {pass:?}");
    }
}

#[test]
fn a_wider_failure_replaces_a_narrower_one() {
    let evidence = of(&[err("pytest tests/test_a.py", ONE_FAILED), err("pytest", ONE_FAILED)]);
    assert_eq!(open(&evidence), ["pytest"]);
    assert!(evidence.checks[0].arguments.is_empty());
}

#[test]
fn kinds_of_checks_are_separate() {
    let evidence = of(&[
        err("npx tsc --noEmit", "src/a.ts(3,1): error TS2304: Cannot find name 'x'."),
        err("npx eslint .", "✖ 3 problems (3 errors, 0 warnings)"),
        ok("npm test", "Tests:       3 passed, 3 total"),
    ]);
    let kinds: Vec<CheckKind> = evidence.open_failures().map(|check| check.kind).collect();
    assert_eq!(kinds, [CheckKind::Types, CheckKind::Lint]);
}

#[test]
fn a_pass_in_a_later_turn_is_a_fix() {
    let evidence = of_turns(&[&[err("pytest", ONE_FAILED)], &[ok("pytest", "42 passed in 1s")]]);
    assert!(evidence.checks[0].fixed);
    let evidence =
        of_turns(&[&[ok("pytest", "42 passed in 1s")], &[ok("pytest", "42 passed in 1s")]]);
    assert!(!evidence.checks[0].fixed);
}

#[test]
fn checks_of_scratch_files_are_ignored() {
    let failing = "FAILED repro.py::test_x\n1 failed in 0.1s";
    let uses =
        [write("repro.py", true), ok("python repro.py", ""), err("pytest repro.py", failing)];
    let evidence = of(&uses);
    assert_eq!(evidence.checks, []);
    assert!(evidence.files[0].scratch && !evidence.has_change());
    let real = [write("tests/test_new.py", true), err("pytest tests/test_new.py", failing)];
    assert_eq!(open(&of(&real)), ["pytest"]);
}

#[test]
fn commits_are_those_that_still_exist_in_the_project() {
    let commit =
        |line: &str, hash: &str, subject: &str| ok(line, &format!("[main {hash}] {subject}"));
    let evidence = of(&[
        err("git merge feature", "CONFLICT (content): Merge conflict in a.rs"),
        commit("git commit -am 'Merge feature'", "1a2b3c4", "Merge feature"),
        commit("git -C /other commit -m x", "2a2b3c4", "x"),
        commit("git cherry-pick abc", "3a2b3c4", "Words of somebody else"),
    ]);
    let commits: Vec<(&str, &str)> =
        evidence.commits.iter().map(|c| (c.hash.as_str(), c.subject.as_str())).collect();
    assert_eq!(commits, [("1a2b3c4", "Merge feature"), ("3a2b3c4", "")]);
    assert_eq!(open(&evidence), [] as [&str; 0]);
    let amended = of(&[
        commit("git commit -m 'a: one'", "1a2b3c4", "a: one"),
        commit("git commit --amend --no-edit", "2a2b3c4", "a: one"),
        commit("git commit -m 'b: two'", "3a2b3c4", "b: two"),
        ok("git reset --soft HEAD~1", ""),
    ]);
    assert_eq!(amended.commits.len(), 1);
    assert_eq!(
        (amended.commits[0].hash.as_str(), amended.commits[0].subject.as_str()),
        ("2a2b3c4", "a: one")
    );
}

#[test]
fn pending_ci_is_nothing_and_red_ci_is_open_until_it_is_green() {
    let pending = of(&[err("gh pr checks", "build\tpending\t0\thttps://x")]);
    assert_eq!((pending.checks.len(), pending.blockers.len()), (0, 0));
    let red = err("gh pr checks", "build\tfail\t1m\thttps://x");
    assert_eq!(of(std::slice::from_ref(&red)).blockers[0].kind, BlockerKind::Ci);
    assert_eq!(of(&[red, ok("gh pr checks", "build\tpass\t1m\thttps://x")]).blockers, []);
}

#[test]
fn a_blocker_ends_when_the_same_thing_works() {
    let sudo = err("sudo apt-get install jq", "sudo: a password is required");
    let missing = err("terraform plan", "bash: terraform: command not found");
    let hook = err("git commit -m x", "lint failed\nhusky - pre-commit hook exited with code 1");
    let service = err(
        "curl -s http://localhost:8080/",
        "curl: (7) Failed to connect to localhost:8080: Connection refused",
    );
    let login = err("git push", "fatal: Authentication failed for 'https://x'");
    for (blocked, later, is_open) in [
        (&sudo, ok("sudo -n true", ""), false),
        (&sudo, ok("apt-get --help", ""), true),
        (&missing, ok("terraform version", "v1"), false),
        (&missing, ok("brew install terraform", ""), false),
        (&missing, ok("ls", ""), true),
        (&hook, ok("git commit -m x", "[main 1a2b3c4] x"), false),
        (&hook, ok("git status", ""), true),
        (&service, ok("curl localhost:8080/health", "ok"), false),
        (&service, ok("curl localhost:9090/health", "ok"), true),
        (&login, ok("git status", ""), true),
        (&login, ok("git push", "To x\n a..b main -> main"), false),
    ] {
        let evidence = of(&[blocked.clone(), later.clone()]);
        assert_eq!(!evidence.blockers.is_empty(), is_open, "{blocked:?} {later:?}");
    }
    let twice = of(&[sudo.clone(), sudo]);
    assert_eq!((twice.blockers.len(), twice.blockers[0].sources.as_slice()), (1, &[1, 2][..]));
}

#[test]
fn a_build_that_fails_in_unknown_words_is_a_blocker_until_it_passes() {
    let build = |run: fn(&str, &str) -> Use| run("npm run build", "vite: something went wrong");
    let blocked = of(&[build(err)]);
    assert_eq!(blocked.blockers[0].command, "npm run build");
    assert_eq!(of(&[build(err), build(ok)]).blockers, []);
    assert_eq!(of(&[err("pytest", "something went wrong")]).blockers, [], "no build");
}

#[test]
fn equal_effects_are_counted() {
    let push = ok("git push", "To x\n   1..2  main -> main");
    let evidence = of(&[push.clone(), push, ok("npm install zod", "")]);
    let effects: Vec<(&str, u32)> =
        evidence.effects.iter().map(|e| (e.text.as_str(), e.count)).collect();
    assert_eq!(effects, [("Pushed main to x", 2), ("Installed zod (npm)", 1)]);
}

#[test]
fn created_and_removed_leaves_nothing() {
    let evidence = of(&[write("src/a.py", true), ok("rm src/a.py", "")]);
    assert_eq!(files(&evidence), []);
    assert!(!evidence.has_change());
    let folder = of(&[ok("cat > gen/a.py <<'E'\nx\nE", ""), ok("rm -rf gen", "")]);
    assert_eq!(files(&folder), []);
    let earlier = of_turns(&[&[write("src/a.py", true)], &[ok("rm src/a.py", "")]]);
    assert_eq!(
        (files(&earlier), earlier.put_back.as_slice()),
        (vec![], &["src/a.py".to_owned()][..])
    );
    let was_there = of(&[edit("src/a.py", "1", "2"), ok("git rm -f src/a.py", "")]);
    assert_eq!(files(&was_there), [("src/a.py", Change::Removed)]);
    let again = of(&[ok("rm src/a.py", ""), write("src/a.py", true)]);
    assert_eq!(files(&again), [("src/a.py", Change::Edited)]);
}

#[test]
fn an_exact_inverse_undoes_an_edit() {
    let there = edit("a.rs", "let a = 1;", "let a = 2;");
    let back = edit("a.rs", "let a = 2;", "let a = 1;");
    assert_eq!(files(&of(&[there.clone(), back.clone()])), []);
    let more = of(&[there.clone(), edit("a.rs", "x", "y"), back.clone()]);
    assert_eq!(files(&more), [("a.rs", Change::Edited)]);
    let trimmed = of(&[there.clone(), edit("a.rs", "let a = 2;", "let a = 1; ")]);
    assert_eq!(files(&trimmed).len(), 1);
    // A line moves within a function.
    let moved = of(&[edit("a.rs", "a();\nb();", "b();\na();")]);
    assert_eq!(files(&moved), [("a.rs", Change::Edited)]);
    // Across turns, also in steps.
    let second = edit("a.rs", "x", "y");
    let evidence = of_turns(&[
        &[there.clone(), second],
        &[ok("ls", "")],
        &[back.clone(), edit("a.rs", "y", "x")],
    ]);
    assert_eq!(
        (files(&evidence), evidence.put_back.as_slice()),
        (vec![], &["a.rs".to_owned()][..])
    );
    // A committed edit is part of the project, so its inverse is a change.
    let commit = ok("git commit -am 'a: x'", "[main 1a2b3c4] a: x");
    let evidence = of_turns(&[&[there, commit], &[back]]);
    assert_eq!(files(&evidence), [("a.rs", Change::Edited)]);
}

#[test]
fn git_puts_files_back() {
    let uses = |last: &str| {
        of(&[edit("a.rs", "1", "2"), edit("src/b.rs", "1", "2"), write("c.rs", true), ok(last, "")])
    };
    for (last, left) in [
        ("git checkout -- a.rs", vec!["src/b.rs", "c.rs"]),
        ("git checkout a.rs", vec!["src/b.rs", "c.rs"]),
        ("git restore src", vec!["a.rs", "c.rs"]),
        ("git reset --hard", vec!["c.rs"]),
        ("git checkout . && git clean -fd", vec![]),
        ("git restore --staged .", vec!["a.rs", "src/b.rs", "c.rs"]),
        ("git checkout -b src/b.rs", vec!["a.rs", "src/b.rs", "c.rs"]),
    ] {
        let evidence = uses(last);
        let paths: Vec<&str> = evidence.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, left, "{last}");
    }
    let commit = ok("git commit -am 'a: x'", "[main 1a2b3c4] a: x");
    let committed =
        of(&[edit("a.rs", "1", "2"), commit, edit("a.rs", "2", "3"), ok("git checkout .", "")]);
    assert_eq!(files(&committed), [("a.rs", Change::Edited)]);
    let earlier = of_turns(&[&[edit("a.rs", "1", "2")], &[ok("git checkout .", "")]]);
    assert_eq!(earlier.put_back, ["a.rs"]);
}

#[test]
fn moved_files_keep_their_old_path() {
    let evidence = of(&[edit("a.rs", "1", "2"), ok("git mv a.rs src/b.rs", "")]);
    assert_eq!(files(&evidence), [("src/b.rs", Change::Moved)]);
    assert_eq!(evidence.files[0].from.as_deref(), Some("a.rs"));
    assert_eq!(files(&of(&[ok("mv a.rs b.rs && mv b.rs a.rs", "")])), []);
    let new = of(&[write("a.rs", true), ok("mv a.rs b.rs", "")]);
    assert_eq!(files(&new), [("b.rs", Change::Created)]);
    let from_outside = of(&[ok("mv /tmp/a.rs src/", "")]);
    assert_eq!(files(&from_outside), [("src/a.rs", Change::Created)]);
}

#[test]
fn uses_are_counted_around_edits() {
    let evidence = of(&[ok("ls", ""), ok("cat a.rs", ""), edit("a.rs", "1", "2"), ok("ls", "")]);
    let counts = (evidence.tool_uses, evidence.before_first_edit, evidence.after_last_edit);
    assert_eq!(counts, (4, 2, 1));
    assert_eq!(evidence.read, [] as [&str; 0]);
    assert_eq!(of(&[ok("cat b.rs", "")]).read, ["b.rs"]);
}

#[test]
fn refused_and_failed_edits_do_not_count() {
    let mut failed = edit("a.rs", "1", "2");
    failed.failed = true;
    failed.response =
        "<tool_use_error>String to replace not found in file.</tool_use_error>".into();
    assert_eq!(of(&[failed]), Evidence::default());
}

/// Any use out of those that interact: edits and their inverses, moves, checks, commits, blockers.
fn any_use() -> impl Strategy<Value = Use> {
    let uses = vec![
        edit("a.rs", "1", "2"),
        edit("a.rs", "2", "1"),
        edit("src/b.rs", "x", "y"),
        write("src/b.rs", true),
        write("repro.py", true),
        ok("python repro.py", ""),
        err("pytest repro.py", ONE_FAILED),
        ok("rm -f src/b.rs a.rs", ""),
        ok("git mv a.rs c.rs", ""),
        ok("git mv c.rs a.rs", ""),
        ok("git checkout .", ""),
        ok("git clean -fd", ""),
        ok("git commit -am 'a: x'", "[main 1a2b3c4] a: x"),
        ok("git commit --amend --no-edit", "[main 2a2b3c4] a: x"),
        ok("git reset --hard HEAD~1", "HEAD is now at 1"),
        err("pytest", ONE_FAILED),
        err("pytest tests/test_a.py", ONE_FAILED),
        ok("pytest tests/test_a.py::test_x", "1 passed in 1s"),
        ok("pytest | tail -1", ""),
        ok("pytest", "42 passed in 1s"),
        err("cargo build", "error[E0425]: cannot find value `x`"),
        ok("cargo clippy && cargo test", "test result: ok. 4 passed; 0 failed"),
        err("sudo apt-get install jq", "sudo: a password is required"),
        ok("sudo true", ""),
        ok("git push", "To x\n   1..2  main -> main"),
        ok("cat a.rs README.md", ""),
    ];
    prop::sample::select(uses)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_turn_folds_the_same_however_it_is_divided(
        earlier in prop::collection::vec(any_use(), 0..8),
        uses in prop::collection::vec(any_use(), 1..24),
        splits in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let evidence = fold_from(1, &earlier, Evidence::default(), &[]);
        let turns = [Turn { evidence, ..Turn::default() }];
        let first = 1 + earlier.len() as i64;
        let whole = fold_from(first, &uses, Evidence::default(), &turns);
        let mut ends: Vec<usize> = splits.iter().map(|split| split.index(uses.len())).collect();
        ends.push(uses.len());
        ends.sort_unstable();
        let (mut from, mut divided) = (0, Evidence::default());
        for end in ends {
            divided = fold_from(first + from as i64, &uses[from..end], divided, &turns);
            // It is stored as JSON in between.
            divided = serde_json::from_value(serde_json::to_value(&divided).unwrap()).unwrap();
            from = end;
        }
        prop_assert_eq!(whole, divided);
    }

    #[test]
    fn any_command_line_and_output_is_read(command in "\\PC{0,200}", output in "\\PC{0,200}", failed: bool) {
        fold_from(1, &[bash(&command, &output, failed)], Evidence::default(), &[]);
    }
}
