//! Decides whether the checks of a command line passed or failed.
//!
//! A failure needs the runner's own words: counts, names of tests, diagnostics with a place, "task
//! failed". A non-zero exit status alone says nothing: the directory may be wrong, the program missing,
//! the usage bad. A pass needs the exit status 0, or the runner's words if the line hides the status.

use super::diagnostics::{self, Diagnostics};
use super::shell::{SimpleCommand, Status};
use super::test_report::{self, TestReport};
use super::{error_lines, runners};
use crate::memory::{CheckKind, CheckRun, Outcome};

/// What is known of a line's exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok,
    Failed,
    /// The command ended, and the client does not say how.
    Unreported,
    /// The command still runs or was stopped.
    Unknown,
}

/// The words of one check in the output of its line.
#[derive(Default)]
struct Words {
    failed: bool,
    passed: bool,
    /// The tests ran: there is a report.
    ran: bool,
    /// The runner did not begin: bad usage, no tests found, a program that is missing.
    was_misused: bool,
    report: Option<TestReport>,
    diagnostics: Option<Diagnostics>,
}

/// The checks of a line with their outcomes and the positions of their commands. In `a && b`, `b` is left
/// out if `a` failed.
pub fn judge(parts: &[SimpleCommand], exit: Exit, output: &str) -> Vec<(usize, CheckRun)> {
    let checks = parts.iter().enumerate().filter_map(|(at, p)| Some((at, runners::check(p)?)));
    let mut checks: Vec<(usize, CheckRun)> = checks.collect();
    let words = words(&checks, output);
    let shown = |at: usize| parts[at].status == Status::Shown;
    // The last of the joined checks that printed something ran, so those before it passed.
    let last_ran = (0..checks.len())
        .rev()
        .find(|i| shown(checks[*i].0) && (words[*i].ran || words[*i].passed));
    let mut has_stopped = false;
    let mut out = Vec::new();
    for (i, (at, check)) in checks.iter_mut().enumerate() {
        let (part, words) = (&parts[*at], &words[i]);
        let echoed = echoed_status(parts, *at, output);
        let (status, exit) = match echoed {
            Some(0) => (Status::Shown, Exit::Ok),
            Some(_) => (Status::Hidden, Exit::Failed),
            None => (part.status, exit),
        };
        check.outcome = match status {
            Status::Background => Outcome::Unknown,
            Status::Shown if has_stopped => continue,
            Status::Shown if exit == Exit::Unreported && is_quiet_pass(check, part, output) => {
                Outcome::Pass
            }
            Status::Shown => shown_outcome(check, words, exit, last_ran.is_some_and(|l| i < l)),
            Status::Hidden => hidden_outcome(check, words, exit, part),
        };
        has_stopped |= status == Status::Shown && check.outcome == Outcome::Fail;
        describe(check, words, output);
        out.push((*at, check.clone()));
    }
    out
}

fn shown_outcome(check: &CheckRun, words: &Words, exit: Exit, later_ran: bool) -> Outcome {
    let nothing_ran = words.report.as_ref().is_some_and(|r| r.passed + r.failed == 0);
    let has_failed_tests = words.report.as_ref().is_some_and(|r| r.failed > 0);
    match exit {
        Exit::Ok if has_failed_tests => Outcome::Fail,
        Exit::Ok if check.kind == CheckKind::Test && (nothing_ran || words.was_misused) => {
            Outcome::Unknown
        }
        Exit::Ok => Outcome::Pass,
        _ if later_ran && !has_failed_tests => Outcome::Pass,
        _ if words.failed => Outcome::Fail,
        Exit::Unreported | Exit::Unknown if words.passed => Outcome::Pass,
        // Tests passed, but something else failed: a coverage limit, a later command.
        _ => Outcome::Unknown,
    }
}

/// Whether a check that prints what it finds printed nothing: `tsc --noEmit`, `ruff check`. Tests always print.
fn is_quiet_pass(check: &CheckRun, part: &SimpleCommand, output: &str) -> bool {
    let prints_errors = matches!(check.kind, CheckKind::Lint | CheckKind::Types);
    prints_errors && !part.is_silent && part.filter.is_none() && output.trim().is_empty()
}

fn hidden_outcome(check: &CheckRun, words: &Words, exit: Exit, part: &SimpleCommand) -> Outcome {
    // These print the end of the output, or all of it.
    let keeps_end =
        part.filter.as_deref().is_none_or(|program| matches!(program, "tail" | "tee" | "cat"));
    let is_quiet_success =
        check.kind != CheckKind::Test && keeps_end && !part.is_silent && exit == Exit::Ok;
    if words.failed {
        Outcome::Fail
    } else if !words.was_misused && (words.passed || is_quiet_success) {
        Outcome::Pass
    } else {
        Outcome::Unknown
    }
}

/// Reads the words of each check. Words that may belong to several checks belong to the first of them.
fn words(checks: &[(usize, CheckRun)], output: &str) -> Vec<Words> {
    let tests: Vec<&CheckRun> =
        checks.iter().map(|(_, c)| c).filter(|c| c.kind == CheckKind::Test).collect();
    let is_mixed = tests.iter().any(|test| test.toolchain != tests[0].toolchain);
    let each = if tests.len() > 1 && !is_mixed { test_report::each(output) } else { Vec::new() };
    let was_misused = diagnostics::was_misused(output);
    let (mut tests_before, mut claimed): (usize, Vec<&str>) = (0, Vec::new());
    let mut out = Vec::new();
    for (_, check) in checks {
        let mut words = Words { was_misused, ..Words::default() };
        if check.kind == CheckKind::Test {
            words.report = match tests.len() {
                1 => test_report::read(output),
                _ if is_mixed && check.toolchain != runners::ANY => {
                    test_report::read_of(output, &check.toolchain)
                }
                n if each.len() == n => each.get(tests_before).cloned(),
                // Which of the runs a number belongs to is unknown.
                _ => test_report::read(output).filter(|report| report.failed == 0),
            };
            tests_before += 1;
        }
        words.ran = words.report.is_some();
        if let Some(report) = &words.report {
            words.failed = report.failed > 0;
            words.passed = report.failed == 0 && report.passed > 0;
            words.was_misused &= !words.failed && !words.passed;
        } else if !claimed.contains(&check.toolchain.as_str()) && !was_misused {
            words.diagnostics = diagnostics::read(output, check);
            words.failed = words.diagnostics.is_some();
            if words.failed {
                claimed.push(&check.toolchain);
            }
        }
        let prints_success = check.kind != CheckKind::Test && diagnostics::tells_success(output);
        words.passed |= !words.failed && prints_success && !was_misused;
        out.push(words);
    }
    out
}

/// Adds counts, failing tests and the reason to a check with an outcome.
fn describe(check: &mut CheckRun, words: &Words, output: &str) {
    if let Some(report) = &words.report
        && check.outcome != Outcome::Unknown
    {
        check.counts = report.figures();
    }
    if check.outcome != Outcome::Fail {
        return;
    }
    if let Some(report) = &words.report {
        check.failing.clone_from(&report.failing);
        check.reason = error_lines::read(output).into_iter().next().unwrap_or_default();
    } else if let Some(diagnostics) = &words.diagnostics {
        check.counts = diagnostics.counts();
        check.reason.clone_from(&diagnostics.reason);
        check.failing.clone_from(&diagnostics.places);
    }
}

/// The exit status that a command after the check prints: `make | tail; echo "exit: ${PIPESTATUS[0]}"`.
fn echoed_status(parts: &[SimpleCommand], at: usize, output: &str) -> Option<u8> {
    const VARIABLES: [&str; 2] = ["${PIPESTATUS[0]}", "$?"];
    let next = parts.get(at + 1..)?.iter().take(4).find(|part| part.program() == "echo")?;
    let text = next.words.get(1..)?.join(" ");
    let (variable, start) = VARIABLES.iter().find_map(|v| Some((*v, text.find(v)?)))?;
    // `$?` after a pipe is the status of the pipe's last program.
    if variable == "$?" && parts[at].filter.is_some() || next.status == Status::Background {
        return None;
    }
    let (before, after) = (text[..start].trim(), &text[start + variable.len()..]);
    let status = |line: &str| {
        let rest = line.trim().strip_prefix(before)?.trim().strip_suffix(after.trim())?;
        rest.trim().parse().ok()
    };
    output.lines().rev().find_map(status)
}
