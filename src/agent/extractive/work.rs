//! One piece of work: edits, with the checks, failures and the commit that belong to them.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::kind;
use crate::activity::{ChangeKind, Check, CheckKind, Commit, Edit, TestReport};
use crate::memory::Origin;

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
    pub open: Vec<Trouble>,
    /// The last test report of each check.
    pub verdicts: Vec<(String, TestReport)>,
    /// Checks without counts whose last run passed: builds, linters.
    pub clean: Vec<String>,
    /// Installs, pushes, deployments.
    pub deeds: Vec<String>,
    /// Files that were edited and restored.
    pub reverted: Vec<String>,
    pub origin: Option<Origin>,
    pub sources: Vec<i64>,
    /// Facts of earlier batches of the turn, and the ids of their observations.
    pub carried: Vec<String>,
    pub replaces: Vec<i64>,
    /// Position of each path in `files`. Rebuilt when it is out of date.
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
    /// Old and new line, if the file had one edit of one line.
    pub swap: Option<(String, String)>,
    pub sources: Vec<i64>,
}

/// A check that failed.
#[derive(Clone, Debug)]
pub struct Trouble {
    pub check: Check,
    pub telling: Vec<String>,
    pub failing: Vec<String>,
    pub verdict: Option<TestReport>,
    /// Files had been edited before it failed, so the edits may be the cause.
    pub after_edits: bool,
    /// Files edited since.
    pub touched: BTreeSet<String>,
    /// A side effect since then that may have fixed it.
    pub deed: Option<String>,
    /// It passes now, although nothing was done that could have fixed it.
    pub dormant: bool,
    pub sources: Vec<i64>,
}

/// A failure that passed after `files` were edited.
#[derive(Clone, Debug)]
pub struct Fix {
    pub trouble: Trouble,
    pub files: BTreeSet<String>,
}

impl Work {
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
            && self.commit.is_none()
            && self.deeds.is_empty()
            && self.fixes.is_empty()
            && self.reverted.is_empty()
    }

    /// The failure that this work fixed: one from before the work, even if a new test revealed it.
    /// If the message does not say what was done (`said`), also one that the work caused.
    pub fn cure(&self, said: bool) -> Option<&Fix> {
        let cured = || self.fixes.iter().filter(|f| !f.files.is_empty());
        let own = |fix: &Fix| {
            let before = |f: &&FileChange| f.sources.first() < fix.trouble.sources.first();
            self.files.iter().filter(before).any(|f| !kind::is_test(&f.path))
        };
        cured().find(|f| !own(f)).or_else(|| cured().next().filter(|_| !said))
    }

    /// Restores `path`, or everything for `.`. Returns the restored paths.
    pub fn revert(&mut self, path: &str) -> Vec<String> {
        self.index.clear();
        let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.files)
            .into_iter()
            .partition(|f| path == "." || f.path == path);
        self.files = kept;
        let gone: Vec<String> = gone.into_iter().map(|f| f.path).collect();
        merge(&mut self.reverted, gone.clone());
        gone
    }

    /// Adds a source message.
    pub fn source(&mut self, id: i64, origin: Origin) {
        self.sources.push(id);
        self.origin = Some(self.origin.map_or(origin, |known| known.max(origin)));
    }

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

    /// Drops files that were created and removed, and lines that were changed back.
    pub fn settle(&mut self) {
        self.index.clear();
        self.files.retain(|f| f.change != ChangeKind::Removed || f.sources.len() == 1);
        self.files.retain(|f| f.swap.as_ref().is_none_or(|(old, new)| old != new));
    }

    pub fn passed(&mut self, check: &Check, verdict: Option<&TestReport>) {
        match verdict {
            Some(verdict) if check.kind == CheckKind::Test => {
                self.verdicts.retain(|(key, _)| *key != check.key);
                self.verdicts.push((check.key.clone(), verdict.clone()));
            }
            _ if check.kind != CheckKind::Other && !self.clean.contains(&check.key) => {
                self.clean.push(check.key.clone());
            }
            _ => {}
        }
    }

    pub fn deed(&mut self, deed: &str) {
        if !self.deeds.iter().any(|d| d == deed) && self.deeds.len() < 20 {
            self.deeds.push(deed.to_owned());
        }
    }

    /// Merges `later` into this work. Its commit wins.
    pub fn absorb(&mut self, later: Work) {
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
        merge(&mut self.deeds, later.deeds);
        merge(&mut self.reverted, later.reverted);
        for (key, verdict) in later.verdicts {
            self.verdicts.retain(|(k, _)| *k != key);
            self.verdicts.push((key, verdict));
        }
        self.fixes.extend(later.fixes);
        self.open.extend(later.open);
        self.commit = later.commit.or(self.commit.take());
        self.sources.extend(later.sources);
        merge(&mut self.carried, later.carried);
        self.replaces.extend(later.replaces);
        self.origin = self.origin.max(later.origin);
    }

    /// Splits off the fix of an earlier failure.
    pub fn part_fix(&mut self) -> Option<Work> {
        if self.commit.is_some() || self.files.is_empty() {
            return None;
        }
        let at = self.fixes.iter().position(|fix| {
            let inside = |f: &FileChange| fix.files.contains(&f.path);
            !fix.trouble.after_edits
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
        part.sources.clone_from(&fix.trouble.sources);
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

impl Trouble {
    /// Whether a pass of `check` ends the failure: the same check, unless it is narrower and leaves
    /// out what failed. A test also ends a failed build, because it had to compile.
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
        let broader = check.words.iter().all(|w| self.check.words.contains(w));
        let touches = || {
            let words = || check.words.iter().map(String::as_str).filter(|w| w.len() > 2);
            self.failing
                .iter()
                .any(|name| words().any(|w| name.contains(w) || w.contains(last_part(name))))
        };
        broader || self.failing.is_empty() || touches()
    }

    /// The command's short name.
    pub fn command(&self) -> String {
        format!("`{}`", self.check.key)
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

    fn trouble(key: &str, kind: CheckKind, words: &[&str], failing: &[&str]) -> Trouble {
        Trouble {
            check: check_of(key, kind, words),
            telling: Vec::new(),
            failing: failing.iter().map(|s| (*s).to_owned()).collect(),
            verdict: None,
            after_edits: false,
            touched: BTreeSet::new(),
            deed: None,
            dormant: false,
            sources: Vec::new(),
        }
    }

    fn check_of(key: &str, kind: CheckKind, words: &[&str]) -> Check {
        let chain = key.split(' ').next().unwrap_or("").to_owned();
        Check {
            key: key.to_owned(),
            kind,
            toolchain: chain,
            words: words.iter().map(|w| (*w).to_owned()).collect(),
        }
    }

    #[test]
    fn a_failure_ends_with_a_pass_that_covers_it() {
        use CheckKind::{Build, Lint, Test};
        let failed = trouble("cargo test", Test, &[], &["parser::parse_empty"]);
        assert!(failed.ended_by(&check_of("cargo test", Test, &[])));
        assert!(failed.ended_by(&check_of("cargo test", Test, &["parse_empty"])));
        assert!(!failed.ended_by(&check_of("cargo test", Test, &["lexer"])));
        assert!(!failed.ended_by(&check_of("cargo build", Build, &[])));
        assert!(trouble("cargo build", Build, &[], &[]).ended_by(&check_of(
            "cargo test",
            Test,
            &["lexer"]
        )));
        assert!(!trouble("cargo clippy", Lint, &[], &[]).ended_by(&check_of(
            "cargo test",
            Test,
            &[]
        )));
    }
}
