//! Claims of a message against the evidence: passes, written files, commits and pushes; and whether it
//! speaks of a failure that the tools saw.
//!
//! A claim counts only if nothing in its sentence denies it or makes it depend on something. Where the
//! evidence cannot tell, there is no contradiction.

mod confirms;
#[cfg(test)]
mod tests;
mod written;

use std::collections::HashSet;

pub use confirms::confirms;
use written::Written;

use super::labels::{Heading, Label};
use super::marks::{Mark, Marked};
use super::message::Part;
use super::phrases::words;
use crate::memory::{CheckKind, CheckRun, Claim, ClaimKind, EffectKind, Evidence, Outcome, Turn};
use crate::text::sentences_of_prose as sentences;

/// Maximum claims of a turn.
const MAX_CLAIMS: usize = 8;

/// The claims of a message that the evidence and the session's earlier turns contradict.
pub fn contradicted(parts: &[Part], evidence: &Evidence, earlier: &[Turn]) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    let mut told: HashSet<(ClaimKind, String)> = HashSet::new();
    let written = Written::of(evidence, earlier);
    for part in parts.iter().filter(|part| claims_something(part)) {
        let files = part.announced == Some(Heading::Files);
        for sentence in part.lines.iter().flat_map(|line| sentences(&line.text)) {
            for (kind, subject) in contradictions(sentence, files, evidence, earlier, &written) {
                if claims.len() < MAX_CLAIMS && told.insert((kind, subject.clone())) {
                    claims.push(Claim { text: sentence.to_owned(), kind, subject });
                }
            }
        }
    }
    claims
}

/// Steps and options are not claimed to be done, causes are of the past.
fn claims_something(part: &Part) -> bool {
    !part.quoted
        && !matches!(part.label(), Some(Label::Next | Label::Option | Label::Cause))
        && part.announced != Some(Heading::Usage)
}

fn contradictions(
    sentence: &str,
    files: bool,
    evidence: &Evidence,
    earlier: &[Turn],
    written: &Written<'_>,
) -> Vec<(ClaimKind, String)> {
    let marked = Marked::read(sentence);
    let mut found = Vec::new();
    for kind in passes(&marked) {
        found.extend(against_runs(&marked, kind, evidence, earlier));
    }
    let unwritten = written::claimed(&marked, files).into_iter().filter(|path| !written.has(path));
    found.extend(unwritten.map(|path| (ClaimKind::UnwrittenFile, path.to_owned())));
    let unchanged = !evidence.files.iter().any(|file| !file.scratch);
    let earlier = || earlier.iter().map(|turn| &turn.evidence).filter(|_| unchanged);
    let mut all = std::iter::once(evidence).chain(earlier());
    if claims_git(&marked, Mark::Committed, "committed")
        && !all.any(|evidence| !evidence.commits.is_empty())
    {
        found.push((ClaimKind::NoCommit, "commit".to_owned()));
    }
    let mut all = std::iter::once(evidence).chain(earlier());
    if claims_git(&marked, Mark::Pushed, "pushed") && !all.any(has_pushed) {
        found.push((ClaimKind::NoCommit, "push".to_owned()));
    }
    found
}

/// The kinds of checks that a sentence claims to pass.
fn passes(marked: &Marked<'_>) -> Vec<CheckKind> {
    // `passes a token to`, `passed through`: no verdict.
    const OBJECTS: [&str; 9] = ["a", "an", "the", "to", "through", "it", "this", "by", "along"];
    const KINDS: [(CheckKind, Mark); 4] = [
        (CheckKind::Test, Mark::Test),
        (CheckKind::Build, Mark::Build),
        (CheckKind::Lint, Mark::Lint),
        (CheckKind::Types, Mark::Types),
    ];
    let word = |at: Option<usize>| at.and_then(|at| marked.words.get(at)).map(String::as_str);
    let has_object = |end| word(Some(end)).is_some_and(|word| OBJECTS.contains(&word));
    let passes: Vec<_> = marked.all(Mark::Pass).filter(|pass| !has_object(pass.end)).collect();
    let denied = marked.all(Mark::Not).any(|denial| {
        !passes.iter().any(|pass| pass.start <= denial.start && denial.end <= pass.end)
    });
    if passes.is_empty() || denied || marked.is_question() {
        return Vec::new();
    }
    let named: Vec<CheckKind> =
        KINDS.into_iter().filter(|(_, mark)| marked.has(*mark)).map(|(kind, _)| kind).collect();
    // `All 41 pass`.
    let is_counted = passes.iter().any(|pass| {
        word(pass.start.checked_sub(1)).is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit()))
    });
    if named.is_empty() && is_counted { vec![CheckKind::Test] } else { named }
}

/// Whether a sentence claims a commit or a push that is the repository's, not a database's or a stack's.
fn claims_git(marked: &Marked<'_>, mark: Mark, word: &str) -> bool {
    let is_first = marked.words.first().is_some_and(|first| first == word);
    (is_first || marked.has(mark)) && !marked.has(Mark::Negated)
}

fn has_pushed(evidence: &Evidence) -> bool {
    use EffectKind::{Deployed, PullRequest, Pushed, Released, Remote, Tagged};
    evidence.effects.iter().any(|effect| {
        matches!(effect.kind, Pushed | PullRequest | Released | Deployed | Tagged | Remote)
    })
}

/// A claimed pass against the last runs of its kind.
fn against_runs(
    marked: &Marked<'_>,
    kind: CheckKind,
    evidence: &Evidence,
    earlier: &[Turn],
) -> Option<(ClaimKind, String)> {
    let changed = evidence.files.iter().any(|file| !file.scratch);
    // A hook of git may run the linters.
    if kind == CheckKind::Lint && !evidence.commits.is_empty() {
        return None;
    }
    let turns = std::iter::once(evidence).chain(earlier.iter().rev().map(|turn| &turn.evidence));
    for (turn, evidence) in turns.enumerate() {
        // Only the type check ran, and a compiler's claimed pass is its.
        let built = evidence.checks.iter().any(|run| run.kind == CheckKind::Build);
        let is_kind = |run: &CheckRun| {
            run.kind == kind || kind == CheckKind::Build && !built && run.kind == CheckKind::Types
        };
        let passed = || evidence.checks.iter().filter(|run| proves(run.kind, kind));
        let any_passed = passed().any(|run| run.outcome == Outcome::Pass);
        for run in evidence.open_failures().filter(|run| is_kind(run)) {
            let is_named = !run.key.is_empty() && marked.text.contains(&run.key);
            // One suite fails, and the sentence speaks of the other.
            let of_other = !is_named
                && passed().any(|run| run.outcome == Outcome::Pass && speaks_of(marked, run));
            if !of_other {
                return Some((ClaimKind::FailedCheck, run.key.clone()));
            }
        }
        if any_passed && !(turn > 0 && changed) {
            return None;
        }
        if any_passed {
            break;
        }
        if passed().any(|run| run.kind == kind && run.outcome == Outcome::Unknown) {
            return None;
        }
    }
    let name = match kind {
        CheckKind::Test => "test",
        CheckKind::Build => "build",
        CheckKind::Lint => "lint",
        CheckKind::Types => "types",
    };
    Some((ClaimKind::UnprovenPass, name.to_owned()))
}

/// Whether a claimed pass is that of this run, and not of all: it names the runner, a part of it, or
/// its number of tests.
fn speaks_of(marked: &Marked<'_>, run: &CheckRun) -> bool {
    /// Words of many runners.
    const COMMON: [&str; 12] = [
        "test", "tests", "run", "npm", "npx", "pnpm", "yarn", "check", "build", "all", "cargo",
        "make",
    ];
    let is_said = |word: &String| {
        word.len() > 1 && !COMMON.contains(&word.as_str()) && marked.words.contains(word)
    };
    let said = |text: &String| words(text).iter().any(is_said);
    let counted = |word: &&String| *word != "0" && word.bytes().all(|b| b.is_ascii_digit());
    let is_count =
        || words(&run.counts).iter().filter(counted).any(|count| marked.words.contains(count));
    // `All 9 tests pass, the new ones included` speaks of the suite.
    !marked.has(Mark::All) && (marked.has(Mark::Part) || is_count())
        || said(&run.key)
        || run.arguments.iter().any(said)
}

/// Whether a pass of the one kind is one of the other: tests do not run without a build.
fn proves(run: CheckKind, claimed: CheckKind) -> bool {
    run == claimed
        || matches!(
            (run, claimed),
            (CheckKind::Test, CheckKind::Build | CheckKind::Types)
                | (CheckKind::Build, CheckKind::Types)
                | (CheckKind::Types, CheckKind::Build)
        )
}

/// Whether the sentence names a failure that it does not call solved. What was written or holds now may speak of
/// errors, of missing and of full things (`Added error handling`, `Expired tokens are renewed now`).
pub fn tells_failure(sentence: &str) -> bool {
    let marked = Marked::read(sentence);
    let is_result = marked.has(Mark::Wrote) || marked.has(Mark::Now) && !marked.has(Mark::Breaks);
    let fails = marked.has(Mark::Fail) || marked.has(Mark::Breaks);
    fails && !marked.has(Mark::Solved) && !is_result
}

/// Whether the sentence says that something was changed: `added`, `now`, `passes`.
pub fn tells_change(sentence: &str) -> bool {
    const CHANGE: [Mark; 6] =
        [Mark::Wrote, Mark::Now, Mark::Pass, Mark::Committed, Mark::Pushed, Mark::Solved];
    let marked = Marked::read(sentence);
    CHANGE.iter().any(|mark| marked.has(*mark))
}

/// Whether the sentence tells that checks pass and nothing else: `4 tests pass.`
pub fn only_tells_checks(sentence: &str) -> bool {
    /// Words beside those of the checks, apart from short ones.
    const MAX_BESIDE: usize = 1;
    const SHORT: usize = 3;
    const TOLD: [Mark; 7] =
        [Mark::Test, Mark::Build, Mark::Lint, Mark::Types, Mark::Pass, Mark::All, Mark::Part];
    let marked = Marked::read(sentence);
    if passes(&marked).is_empty() {
        return false;
    }
    let told = |at: usize| {
        TOLD.iter()
            .any(|mark| marked.all(*mark).any(|found| (found.start..found.end).contains(&at)))
    };
    let words = marked.words.iter().enumerate();
    let beside = words.filter(|(at, word)| word.chars().count() > SHORT && !told(*at));
    beside.count() <= MAX_BESIDE
}

/// The text without the sentences of these claims.
pub fn without_claims(text: &str, claims: &[Claim]) -> String {
    let mut text = text.to_owned();
    for claim in claims.iter().filter(|claim| !claim.text.is_empty()) {
        text = text.replace(&claim.text, "");
    }
    let lines = text.lines().map(str::trim_end);
    let empty = |line: &&str| !line.is_empty() && line.trim_matches(['-', '*', ' ']).is_empty();
    lines.filter(|line| !empty(line)).collect::<Vec<_>>().join("\n").trim().to_owned()
}
