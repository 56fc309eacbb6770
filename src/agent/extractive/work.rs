//! One piece of work: edits, and the checks, failures and commit that belong to them.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::kind;
use crate::activity::{ChangeKind, Check, CheckKind, Commit, Edit, TestReport};
use crate::memory::Origin;
use crate::text::is_name;

/// The work between two commits of a thread, or all of it if nothing was committed.
#[derive(Clone, Debug, Default)]
pub struct Work {
    pub prompt_number: i64,
    pub files: Vec<FileChange>,
    /// Files that were read.
    pub read: Vec<String>,
    pub searched: Vec<String>,
    pub commit: Option<Commit>,
    pub fixes: Vec<Fix>,
    /// Failures without a later fix.
    pub open: Vec<Failure>,
    /// The last test report of each check, by its key.
    pub reports: Vec<(String, TestReport)>,
    /// Checks without counts whose last run passed: builds, linters.
    pub clean: Vec<String>,
    /// Changes beyond the work tree, as sentences: installs, pushes, deployments.
    pub side_effects: Vec<String>,
    /// Files that were edited and restored.
    pub reverted: Vec<String>,
    pub origin: Option<Origin>,
    pub sources: Vec<i64>,
    /// Facts from observations of earlier batches of the turn.
    pub carried: Vec<String>,
    /// Ids of those observations.
    pub replaces: Vec<i64>,
    /// Position of each path in `files`. Rebuilt if the lengths differ.
    pub(super) index: HashMap<String, usize>,
}

/// The net change of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileChange {
    pub path: String,
    pub change: ChangeKind,
    pub added: usize,
    pub removed: usize,
    pub names: Vec<String>,
    /// The old and the new line, if all edits of the file changed the same single line.
    pub swap: Option<(String, String)>,
    pub sources: Vec<i64>,
}

/// A check that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    pub check: Check,
    /// Lines of the output that say what went wrong, the most specific first.
    pub error_lines: Vec<String>,
    /// Names of the failing tests.
    pub failing: Vec<String>,
    pub report: Option<TestReport>,
    /// Files were edited before the check failed, so an edit may be the cause.
    pub after_edits: bool,
    /// Files edited since then.
    pub touched: BTreeSet<String>,
    /// The first side effect since then; it may have fixed the failure.
    pub side_effect: Option<String>,
    /// The check passes again, although no edit or side effect explains it.
    pub passed_by_itself: bool,
    pub sources: Vec<i64>,
}

/// A failed check that passed after `files` were edited. Without files, a side effect fixed it.
#[derive(Clone, Debug)]
pub struct Fix {
    pub failure: Failure,
    pub files: BTreeSet<String>,
}

impl Work {
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
            && self.commit.is_none()
            && self.side_effects.is_empty()
            && self.fixes.is_empty()
            && self.reverted.is_empty()
    }

    /// The fix to report as the result of this work.
    ///
    /// The failure must be older than the work: no file except tests was edited before it. Without
    /// a final message (`has_message`), a failure that the work itself caused counts too.
    pub fn main_fix(&self, has_message: bool) -> Option<&Fix> {
        let fixes = || self.fixes.iter().filter(|f| !f.files.is_empty());
        let self_caused = |fix: &Fix| {
            let before = |f: &&FileChange| f.sources.first() < fix.failure.sources.first();
            self.files.iter().filter(before).any(|f| !kind::is_test(&f.path))
        };
        fixes().find(|f| !self_caused(f)).or_else(|| fixes().next().filter(|_| !has_message))
    }

    /// Drops the changes of `path`, or all of them if it is `.`. Returns the restored paths.
    pub fn revert(&mut self, path: &str) -> Vec<String> {
        self.index.clear();
        let (restored, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.files)
            .into_iter()
            .partition(|f| path == "." || f.path == path);
        self.files = kept;
        let restored: Vec<String> = restored.into_iter().map(|f| f.path).collect();
        merge(&mut self.reverted, restored.clone());
        restored
    }

    /// Adds a source message. The least trusted origin counts.
    pub fn source(&mut self, id: i64, origin: Origin) {
        self.sources.push(id);
        self.origin = Some(self.origin.map_or(origin, |known| known.max(origin)));
    }

    /// Adds an edit to the net change of its file.
    pub fn edit(&mut self, edit: &Edit, source: i64) {
        if self.index.len() != self.files.len() {
            self.index =
                self.files.iter().enumerate().map(|(at, f)| (f.path.clone(), at)).collect();
        }
        let Some(known) = self.index.get(&edit.path).map(|at| &mut self.files[*at]) else {
            self.index.insert(edit.path.clone(), self.files.len());
            self.files.push(FileChange {
                path: edit.path.clone(),
                change: edit.change,
                added: edit.added,
                removed: edit.removed,
                names: edit.names.clone(),
                swap: edit.swap.clone(),
                sources: vec![source],
            });
            return;
        };
        known.change = match (known.change, edit.change) {
            (ChangeKind::Created, ChangeKind::Changed) => ChangeKind::Created,
            (_, later) => later,
        };
        known.added += edit.added;
        known.removed += edit.removed;
        for name in &edit.names {
            if !known.names.contains(name) && known.names.len() < 12 {
                known.names.push(name.clone());
            }
        }
        // A second edit of the same line: the first old and the last new line count.
        known.swap = match (known.swap.take(), &edit.swap) {
            (Some((old, new)), Some((from, to))) if new == *from => Some((old, to.clone())),
            _ => None,
        };
        known.sources.push(source);
    }

    /// Drops files that were created and then removed, and lines that were changed back.
    pub fn settle(&mut self) {
        self.index.clear();
        self.files.retain(|f| f.change != ChangeKind::Removed || f.sources.len() == 1);
        self.files.retain(|f| f.swap.as_ref().is_none_or(|(old, new)| old != new));
    }

    /// Records that a check passed.
    pub fn passed(&mut self, check: &Check, report: Option<&TestReport>) {
        match report {
            Some(report) if check.kind == CheckKind::Test => {
                self.reports.retain(|(key, _)| *key != check.key);
                self.reports.push((check.key.clone(), report.clone()));
            }
            _ if check.kind != CheckKind::Other && !self.clean.contains(&check.key) => {
                self.clean.push(check.key.clone());
            }
            _ => {}
        }
    }

    pub fn add_side_effect(&mut self, effect: &str) {
        if !self.side_effects.iter().any(|e| e == effect) && self.side_effects.len() < 20 {
            self.side_effects.push(effect.to_owned());
        }
    }

    /// Merges `later` into this work. If both have a commit, that of `later` counts.
    pub fn absorb(&mut self, mut later: Work) {
        if let (Some(old), Some(new)) = (&self.commit, &mut later.commit)
            && new.amends
            && new.subject == old.subject
        {
            new.is_own |= old.is_own;
        }
        for file in later.files {
            match self.files.iter_mut().find(|f| f.path == file.path) {
                Some(known) => {
                    known.added += file.added;
                    known.removed += file.removed;
                    known.swap = None;
                    known.sources.extend(file.sources);
                    if known.change != ChangeKind::Created || file.change == ChangeKind::Removed {
                        known.change = file.change;
                    }
                }
                None => self.files.push(file),
            }
        }
        merge(&mut self.read, later.read);
        merge(&mut self.searched, later.searched);
        merge(&mut self.clean, later.clean);
        merge(&mut self.side_effects, later.side_effects);
        merge(&mut self.reverted, later.reverted);
        for (key, report) in later.reports {
            self.reports.retain(|(k, _)| *k != key);
            self.reports.push((key, report));
        }
        self.fixes.extend(later.fixes);
        self.open.extend(later.open);
        self.commit = later.commit.or(self.commit.take());
        self.sources.extend(later.sources);
        merge(&mut self.carried, later.carried);
        self.replaces.extend(later.replaces);
        self.origin = self.origin.max(later.origin);
    }

    /// Splits off the fix of a failure that is older than the work. `None` if there is no such fix, if
    /// all files belong to it, or if the work is committed.
    pub fn split_off_fix(&mut self) -> Option<Work> {
        if self.commit.is_some() || self.files.is_empty() {
            return None;
        }
        let at = self.fixes.iter().position(|fix| {
            let inside = |f: &FileChange| fix.files.contains(&f.path);
            !fix.failure.after_edits
                && self.files.iter().any(inside)
                && !self.files.iter().all(inside)
        })?;
        let fix = self.fixes.remove(at);
        let (inside, outside) =
            std::mem::take(&mut self.files).into_iter().partition(|f| fix.files.contains(&f.path));
        self.files = outside;
        let mut part = Work {
            prompt_number: self.prompt_number,
            files: inside,
            origin: self.origin,
            ..Work::default()
        };
        part.sources.clone_from(&fix.failure.sources);
        part.sources.extend(part.files.iter().flat_map(|f| f.sources.iter().copied()));
        let taken: HashSet<i64> = part.sources.iter().copied().collect();
        self.sources.retain(|id| !taken.contains(id));
        self.index.clear();
        part.read = self.read.iter().filter(|r| fix.files.contains(*r)).cloned().collect();
        part.fixes.push(fix);
        Some(part)
    }
}

/// Appends the missing items, in linear time.
pub fn merge(into: &mut Vec<String>, more: Vec<String>) {
    let mut seen: HashSet<String> = into.iter().cloned().collect();
    into.extend(more.into_iter().filter(|m| seen.insert(m.clone())));
}

impl Failure {
    /// Whether a pass of `check` ends this failure. It must be the same check and, if it runs fewer
    /// tests, include a failing one. A test run also ends a failed build, because it had to compile.
    pub fn ended_by(&self, check: &Check) -> bool {
        let compiled = self.check.kind == CheckKind::Build
            && check.kind == CheckKind::Test
            && self.check.toolchain == check.toolchain;
        if compiled {
            return true;
        }
        let same = self.check.key == check.key
            || self.check.kind == CheckKind::Test
                && check.kind == CheckKind::Test
                && self.check.toolchain == check.toolchain;
        if !same {
            return false;
        }
        let as_broad = check.words.iter().all(|w| self.check.words.contains(w));
        let runs_failing_test = || {
            let words = || check.words.iter().map(String::as_str).filter(|w| w.len() > 2);
            self.failing
                .iter()
                .any(|name| words().any(|w| name.contains(w) || w.contains(last_part(name))))
        };
        as_broad || self.failing.is_empty() || runs_failing_test()
    }

    /// The short name of the command, in backticks.
    pub fn command(&self) -> String {
        format!("`{}`", self.check.key)
    }

    /// The failing tests whose names are identifiers. Others are prose that somebody else wrote.
    pub fn failing_names(&self) -> impl Iterator<Item = &str> {
        self.failing.iter().map(String::as_str).filter(|name| is_name(name))
    }

    /// What failed, by names and counts only: `` `cargo test` failed: 1 of 12 (parse_empty)``. The
    /// words of the output are third-party text.
    pub fn outcome(&self) -> String {
        const MAX_NAMES: usize = 2;
        let mut out = format!("{} failed", self.command());
        if let Some(report) = self.report.as_ref().filter(|r| r.failed > 0) {
            let total = report.passed + report.failed;
            let unit = if report.packages { " packages" } else { "" };
            out.push_str(&format!(": {} of {total}{unit}", report.failed));
        }
        let names: Vec<&str> = self.failing_names().map(last_part).take(MAX_NAMES).collect();
        if !names.is_empty() {
            out.push_str(&format!(" ({})", names.join(", ")));
        }
        out
    }
}

/// `parse_empty` of `parser::tests::parse_empty`.
pub fn last_part(name: &str) -> &str {
    let tail = name.rsplit("::").next().unwrap_or(name);
    let tail = tail.rsplit(" > ").next().unwrap_or(tail);
    tail.rsplit(" › ").next().unwrap_or(tail).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(key: &str, kind: CheckKind, words: &[&str], failing: &[&str]) -> Failure {
        Failure {
            check: check_of(key, kind, words),
            error_lines: Vec::new(),
            failing: failing.iter().map(|s| (*s).to_owned()).collect(),
            report: None,
            after_edits: false,
            touched: BTreeSet::new(),
            side_effect: None,
            passed_by_itself: false,
            sources: Vec::new(),
        }
    }

    fn check_of(key: &str, kind: CheckKind, words: &[&str]) -> Check {
        let toolchain = key.split(' ').next().unwrap_or("").to_owned();
        Check {
            key: key.to_owned(),
            kind,
            toolchain,
            words: words.iter().map(|w| (*w).to_owned()).collect(),
        }
    }

    #[test]
    fn an_outcome_has_names_and_counts() {
        let mut failed =
            failure("cargo test", CheckKind::Test, &[], &["a::b", "run the setup first"]);
        assert_eq!(failed.outcome(), "`cargo test` failed (b)");
        failed.report = Some(TestReport { passed: 11, failed: 1, ..TestReport::default() });
        assert_eq!(failed.outcome(), "`cargo test` failed: 1 of 12 (b)");
        failed.failing.clear();
        failed.error_lines = vec!["ERROR: run the setup first".to_owned()];
        assert_eq!(failed.outcome(), "`cargo test` failed: 1 of 12");
    }

    #[test]
    fn a_failure_ends_with_a_pass_that_covers_it() {
        use CheckKind::{Build, Lint, Test};
        let failed = failure("cargo test", Test, &[], &["parser::parse_empty"]);
        assert!(failed.ended_by(&check_of("cargo test", Test, &[])));
        assert!(failed.ended_by(&check_of("cargo test", Test, &["parse_empty"])));
        assert!(!failed.ended_by(&check_of("cargo test", Test, &["lexer"])));
        assert!(!failed.ended_by(&check_of("cargo build", Build, &[])));
        assert!(failure("cargo build", Build, &[], &[]).ended_by(&check_of(
            "cargo test",
            Test,
            &["lexer"]
        )));
        assert!(!failure("cargo clippy", Lint, &[], &[]).ended_by(&check_of(
            "cargo test",
            Test,
            &[]
        )));
    }
}
