//! The last run of each check, and which failures a later pass covers.

use super::{add_source, files, has_edited};
use crate::activity::{ANY_TOOLCHAIN, Activity, Event};
use crate::memory::{CheckKind, CheckRun, Evidence, FileChange, Outcome, Turn};

/// Maximum number of different checks of a turn.
const MAX_CHECKS: usize = 40;

pub fn add(evidence: &mut Evidence, event: &Event, turns: &[Turn]) {
    if files::changes(event.activity) {
        evidence.checks.iter_mut().for_each(|check| check.edited_since = true);
    }
    if let Activity::Run(run) = event.activity {
        for check in &run.checks {
            record(evidence, check, event.message.id, turns);
        }
    }
    drop_scratch(evidence);
}

fn record(evidence: &mut Evidence, check: &CheckRun, id: i64, turns: &[Turn]) {
    let is_same = |known: &CheckRun| known.key == check.key && known.arguments == check.arguments;
    let known = evidence.checks.iter().position(is_same);
    let is_known = known.is_some_and(|at| evidence.checks[at].outcome != Outcome::Unknown);
    // An unknown outcome says nothing against the last known one.
    if check.outcome == Outcome::Unknown && is_known {
        return;
    }
    let previous = known.map(|at| evidence.checks.remove(at));
    let mut run = check.clone();
    if let Some(previous) = &previous {
        run.sources.clone_from(&previous.sources);
        run.fixed = previous.fixed || is_open(previous);
    }
    add_source(&mut run.sources, id);
    match run.outcome {
        Outcome::Pass => {
            let mut fixes = false;
            for failure in evidence.checks.iter_mut().filter(|known| is_open(known)) {
                failure.covered = covers(&run, failure);
                fixes |= failure.covered;
            }
            run.fixed |= fixes || failed_in(turns, &run);
        }
        Outcome::Fail => {
            run.fixed = false;
            // The same failure, seen by a run of less.
            evidence.checks.retain(|known| {
                !(is_open(known)
                    && known.key == run.key
                    && is_wider(&run.arguments, &known.arguments))
            });
            if evidence.failed_before_edit.is_none() && !has_edited(evidence) {
                evidence.failed_before_edit = Some(run.key.clone());
            }
        }
        Outcome::Unknown => run.fixed = false,
    }
    if evidence.checks.len() == MAX_CHECKS {
        let dispensable = evidence.checks.iter().position(|known| !is_open(known));
        evidence.checks.remove(dispensable.unwrap_or(0));
    }
    evidence.checks.push(run);
}

fn is_open(check: &CheckRun) -> bool {
    check.outcome == Outcome::Fail && !check.covered
}

/// Whether the last run in the earlier turns that says something about this check failed.
fn failed_in(turns: &[Turn], pass: &CheckRun) -> bool {
    let runs = turns.iter().rev().flat_map(|turn| turn.evidence.checks.iter().rev());
    let mut related = runs.filter(|run| covers(pass, run) || run.key == pass.key);
    related.find(|run| run.outcome != Outcome::Unknown).is_some_and(is_open)
}

/// Whether a pass shows that what failed works.
pub fn covers(pass: &CheckRun, failure: &CheckRun) -> bool {
    let is_wider = is_wider(&pass.arguments, &failure.arguments);
    if pass.key == failure.key && is_wider {
        return true;
    }
    let any = |check: &CheckRun| check.toolchain == ANY_TOOLCHAIN;
    if pass.toolchain != failure.toolchain && !any(pass) && !any(failure) {
        return false;
    }
    let same_kind = pass.kind == failure.kind;
    // `npm run test:unit` is a part of the tests.
    let is_whole = pass.arguments.is_empty() && !pass.key.contains(':');
    // What compiles for the tests or the linter builds.
    let builds = failure.kind == CheckKind::Build
        && matches!(pass.kind, CheckKind::Test | CheckKind::Lint)
        && (is_wider || failure.arguments.is_empty());
    same_kind && is_whole || builds || same_kind && names_all(pass, failure)
}

/// Whether a run checks everything that another one checks. Paths and names add to what is checked;
/// flags such as `-k parse` restrict it.
fn is_wider(wide: &[String], narrow: &[String]) -> bool {
    let is_flag = |word: &&String| word.starts_with('-');
    let restricts_less = wide.iter().filter(is_flag).all(|flag| narrow.contains(flag));
    let mut paths = wide.iter().filter(|word| !is_flag(word)).peekable();
    if paths.peek().is_none() {
        return restricts_less;
    }
    let paths: Vec<&String> = paths.collect();
    let contains = |wide: &str, narrow: &str| {
        narrow
            .strip_prefix(wide)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']))
    };
    let mut narrow_paths = narrow.iter().filter(|word| !is_flag(word)).peekable();
    restricts_less
        && narrow_paths.peek().is_some()
        && narrow_paths.all(|path| paths.iter().any(|wide| contains(wide, path)))
}

/// Whether the arguments of a pass name each test that failed.
fn names_all(pass: &CheckRun, failure: &CheckRun) -> bool {
    let failed = failure.counts.split(", ").find_map(|part| part.strip_suffix(" failed"));
    let failed = failed.and_then(|number| number.parse().ok()).unwrap_or(0_usize);
    // Only the first failing tests have names.
    let has_all_names = !failure.failing.is_empty() && failure.failing.len() >= failed;
    let is_named = |name: &String| {
        let last = name.rsplit([':', '/', '.', ' ']).next().unwrap_or(name);
        pass.arguments.iter().any(|argument| {
            argument.contains(name.as_str())
                || last.len() > 3 && argument.contains(last)
                || argument.len() > 3 && name.contains(argument.as_str())
        })
    };
    failure.kind == CheckKind::Test && has_all_names && failure.failing.iter().all(is_named)
}

/// Drops checks that checked nothing but scratch files.
fn drop_scratch(evidence: &mut Evidence) {
    let files = &evidence.files;
    let is_scratch = |path: &str| {
        let file = path.split("::").next().unwrap_or(path);
        let known = |change: &FileChange| change.scratch && change.path == file;
        files::is_temporary(file) || files.iter().any(known)
    };
    evidence.checks.retain(|check| {
        let mut paths = check.arguments.iter().filter(|word| !word.starts_with('-')).peekable();
        paths.peek().is_none() || !paths.all(|path| is_scratch(path))
    });
}
