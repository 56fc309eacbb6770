//! Net changes of files: what differs from the beginning of the turn.

use std::path::Path;

use super::add_source;
use crate::activity::{Activity, ChangeKind, Edit, Event, Run, line_prints, undo};
use crate::memory::{Change, Evidence, FileChange, Turn};

/// Maximum number of files that were read.
const MAX_READ: usize = 200;
/// Maximum number of added lines of one file whose prints are kept.
const MAX_LINES: usize = 400;
/// Maximum number of patterns that were searched for.
const MAX_SEARCHED: usize = 50;

/// Whether an activity changes files.
pub fn changes(activity: &Activity) -> bool {
    match activity {
        Activity::Edit(edits) => !edits.is_empty(),
        Activity::Run(run) => {
            run.changed_paths().next().is_some()
                || !run.reverted.is_empty()
                || run.removed_untracked
        }
        _ => false,
    }
}

pub fn add(evidence: &mut Evidence, event: &Event, root: Option<&Path>, turns: &[Turn]) {
    let mut files = Files { evidence, root, turns, id: event.message.id };
    match event.activity {
        Activity::Edit(edits) => {
            for edit in edits {
                match edit.change {
                    ChangeKind::Created => files.edited(&edit.path, Change::Created, &edit.undo),
                    ChangeKind::Changed => files.edited(&edit.path, Change::Edited, &edit.undo),
                    ChangeKind::Removed => files.removed(&edit.path),
                }
                files.add_lines(edit);
            }
        }
        Activity::Run(run) => files.ran(run),
        Activity::Read { path } => files.read(path),
        Activity::Search { pattern } => {
            let searched = &mut files.evidence.searched;
            if searched.len() < MAX_SEARCHED && !searched.contains(pattern) {
                searched.push(pattern.clone());
            }
        }
        _ => {}
    }
}

/// Whether a path is outside the project or in a temporary directory.
pub fn is_temporary(path: &str) -> bool {
    const FOLDERS: [&str; 7] =
        ["tmp", "temp", ".tmp", "scratch", ".scratch", "scratchpad", "__scratch__"];
    path.split('/').rev().skip(1).any(|part| FOLDERS.contains(&part))
}

/// Whether a name is one that people give to a file which they throw away.
fn is_throwaway(path: &str) -> bool {
    const STEMS: [&str; 13] = [
        "tmp",
        "temp",
        "scratch",
        "debug",
        "repro",
        "reproduce",
        "probe",
        "try",
        "verify",
        "quick",
        "foo",
        "demo",
        "sandbox",
    ];
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let stem = name.split('.').next().unwrap_or("").trim_end_matches(|c: char| c.is_ascii_digit());
    let first = stem.split(['_', '-']).next().unwrap_or(stem);
    STEMS.contains(&first) || matches!(stem, "test" | "a" | "x" | "t" | "check")
}

struct Files<'a> {
    evidence: &'a mut Evidence,
    root: Option<&'a Path>,
    turns: &'a [Turn],
    /// The message.
    id: i64,
}

impl Files<'_> {
    fn ran(&mut self, run: &Run) {
        for path in &run.read {
            self.read(path);
        }
        // Git acts on what was there before the line.
        for path in &run.reverted {
            self.put_back(path);
        }
        if run.removed_untracked {
            self.remove_untracked();
        }
        for path in &run.written {
            // A shell overwrites without a word. Agents read a file before they replace it.
            let is_new = !self.evidence.read.contains(path) && self.carried(path).is_none();
            self.edited(path, if is_new { Change::Created } else { Change::Edited }, &[]);
        }
        for path in &run.changed {
            self.edited(path, Change::Edited, &[]);
        }
        for (from, to) in &run.moved {
            self.moved(from, to);
        }
        for file in &mut self.evidence.files {
            let is_executed = run.executed.contains(&file.path);
            file.scratch |=
                is_executed && file.change == Change::Created && is_throwaway(&file.path);
        }
        for path in &run.removed {
            self.removed(path);
        }
        if !run.commits.is_empty() {
            let takes_all = ["add -A", "add .", "add --all", "-am", "commit -a"]
                .iter()
                .any(|part| run.command.contains(part));
            let root = self.root;
            for file in &mut self.evidence.files {
                let is_committed = takes_all || run.command.contains(file.path.as_str());
                file.scratch &= !is_committed || is_outside(&file.path, root);
            }
        }
    }

    fn read(&mut self, path: &str) {
        let read = &mut self.evidence.read;
        let is_changed = self.evidence.files.iter().any(|file| file.path == path);
        if !is_changed && read.len() < MAX_READ && !read.iter().any(|known| known == path) {
            read.push(path.to_owned());
        }
    }

    /// Adds the prints of lines that an edit added to a file, and of those that it took away from earlier
    /// turns.
    fn add_lines(&mut self, edit: &Edit) {
        let files = &mut self.evidence.files;
        let Some(file) = files.iter_mut().rev().find(|file| file.path == edit.path) else { return };
        line_prints::extend(&mut file.added, &edit.line_prints, MAX_LINES);
        let earlier = self.turns.iter().flat_map(|turn| &turn.evidence.files);
        for earlier in earlier.filter(|earlier| earlier.path == edit.path) {
            let replaced = line_prints::common(&edit.removed_prints, &earlier.added);
            line_prints::extend(&mut file.replaced, &replaced, MAX_LINES);
        }
    }

    /// Takes the change of a file out of the list, to be put at its end.
    fn take(&mut self, path: &str) -> Option<FileChange> {
        self.evidence.read.retain(|read| read != path);
        let at = self.evidence.files.iter().position(|file| file.path == path)?;
        Some(self.evidence.files.remove(at))
    }

    fn new_change(&self, path: &str, change: Change) -> FileChange {
        let scratch = is_outside(path, self.root);
        FileChange { path: path.to_owned(), change, scratch, ..FileChange::default() }
    }

    fn edited(&mut self, path: &str, change: Change, edits: &[u64]) {
        let known = self.take(path);
        let mut file = known.unwrap_or_else(|| self.new_change(path, change));
        file.change = match (file.change, change) {
            (Change::Removed, _) => Change::Edited,
            (known, _) => known,
        };
        file.edits += 1;
        add_source(&mut file.sources, self.id);
        if edits.is_empty() {
            file.undo.push(undo::FINAL);
        }
        edits.iter().for_each(|edit| undo::add(&mut file.undo, *edit));
        let is_edit = file.change == Change::Edited;
        if is_edit && file.undo.is_empty() {
            return;
        }
        // With the edits of the session's earlier turns, nothing may be left.
        let carried = self.carried(path).filter(|carried| is_edit && !carried.undo.is_empty());
        if let Some(carried) = carried {
            let mut left = carried.undo;
            file.undo.iter().for_each(|edit| undo::add(&mut left, *edit));
            if left.is_empty() && carried.change == Change::Edited {
                self.evidence.put_back.push(path.to_owned());
                return;
            }
        }
        self.evidence.files.push(file);
    }

    /// Removes a file, or all files of a folder.
    fn removed(&mut self, path: &str) {
        let known: Vec<String> = self.below(path).map(|file| file.path.clone()).collect();
        for known in &known {
            let Some(file) = self.take(known) else { continue };
            let carried = self.carried(known);
            if carried.is_some_and(|carried| carried.change == Change::Created) {
                self.evidence.put_back.push(known.clone());
            } else if file.change != Change::Created {
                let path = file.from.clone().unwrap_or_else(|| known.clone());
                self.push_removed(FileChange { path, from: None, ..file });
            }
        }
        let made_earlier = self.carried_below(path, Change::Created);
        for path in &made_earlier {
            self.evidence.put_back.push(path.clone());
        }
        let is_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
        if known.is_empty() && made_earlier.is_empty() && is_file && !is_outside(path, self.root) {
            self.take(path);
            self.push_removed(self.new_change(path, Change::Removed));
        }
    }

    fn push_removed(&mut self, mut file: FileChange) {
        file.change = Change::Removed;
        file.undo = vec![undo::FINAL];
        add_source(&mut file.sources, self.id);
        self.evidence.files.push(file);
    }

    fn moved(&mut self, from: &str, to: &str) {
        if is_outside(to, self.root) {
            return self.removed(from);
        }
        if is_outside(from, self.root) {
            return self.edited(to, Change::Created, &[]);
        }
        let known = self.take(from);
        let replaced = self.take(to);
        let mut file = known.unwrap_or_else(|| {
            let is_new = self.carried(from).is_some_and(|c| c.change == Change::Created);
            let change = if is_new { Change::Created } else { Change::Moved };
            // A file that an earlier turn created is still a new one, and has a history.
            let origin = is_new.then(|| from.to_owned());
            FileChange { path: from.to_owned(), from: origin, ..self.new_change(to, change) }
        });
        if self.carried(from).is_some_and(|c| c.change == Change::Created) {
            self.evidence.put_back.push(from.to_owned());
        }
        add_source(&mut file.sources, self.id);
        if file.change != Change::Created {
            let origin = file.from.take().unwrap_or_else(|| from.to_owned());
            let is_back = origin == to;
            if is_back && file.undo.is_empty() && replaced.is_none() {
                return;
            }
            file.change = if is_back { Change::Edited } else { Change::Moved };
            file.from = (!is_back).then_some(origin);
        }
        file.path = to.to_owned();
        self.evidence.files.push(file);
    }

    /// Git restores a file, a folder or everything (`.`) as of the last commit. Files it does not track
    /// stay.
    fn put_back(&mut self, path: &str) {
        let last_commit = last_commit(&self.evidence.commits);
        let restored = |file: &FileChange| {
            let origin = file.from.as_deref().unwrap_or(&file.path);
            (is_below(&file.path, path) || is_below(origin, path)) && file.change != Change::Created
        };
        for file in self.evidence.files.iter_mut().filter(|file| restored(file)) {
            // A committed change stays.
            file.sources.retain(|source| *source <= last_commit);
            file.undo = vec![undo::FINAL];
        }
        self.evidence.files.retain(|file| !restored(file) || !file.sources.is_empty());
        for change in [Change::Edited, Change::Removed, Change::Moved] {
            for path in self.carried_below(path, change) {
                self.evidence.put_back.push(path);
            }
        }
    }

    fn remove_untracked(&mut self) {
        let last_commit = last_commit(&self.evidence.commits);
        self.evidence.files.retain(|file| {
            file.change != Change::Created || file.sources.first() <= Some(&last_commit)
        });
        for path in self.carried_below(".", Change::Created) {
            self.evidence.put_back.push(path);
        }
    }

    fn below(&self, path: &str) -> impl Iterator<Item = &FileChange> {
        self.evidence.files.iter().filter(move |file| is_below(&file.path, path))
    }

    /// The change of a file in the session's earlier turns, if it is neither committed nor put back.
    fn carried(&self, path: &str) -> Option<FileChange> {
        if self.evidence.put_back.iter().any(|known| known == path) {
            return None;
        }
        let commits = self.turns.iter().map(|turn| last_commit(&turn.evidence.commits));
        let last_commit = commits.fold(last_commit(&self.evidence.commits), i64::max);
        let mut carried: Option<FileChange> = None;
        for turn in self.turns {
            if turn.evidence.put_back.iter().any(|known| known == path) {
                carried = None;
            }
            let mut files = turn.evidence.files.iter();
            let is_open =
                |file: &FileChange| file.sources.first().is_some_and(|s| *s > last_commit);
            let Some(file) = files.find(|file| file.path == path && is_open(file)) else {
                continue;
            };
            match &mut carried {
                Some(known) => {
                    file.undo.iter().for_each(|edit| undo::add(&mut known.undo, *edit));
                    if file.change == Change::Removed {
                        carried = None;
                    }
                }
                None => carried = Some(file.clone()),
            }
        }
        carried
    }

    /// The paths below `path` that earlier turns changed so, and that are neither committed nor put back.
    fn carried_below(&self, path: &str, change: Change) -> Vec<String> {
        let files = self.turns.iter().flat_map(|turn| &turn.evidence.files);
        let mut paths: Vec<&String> =
            files.map(|file| &file.path).filter(|known| is_below(known, path)).collect();
        paths.sort_unstable();
        paths.dedup();
        let is_carried =
            |path: &&String| self.carried(path).is_some_and(|file| file.change == change);
        paths.into_iter().filter(is_carried).cloned().collect()
    }
}

/// Whether a path is `folder` or below it. Everything is below `.`.
pub fn is_below(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder.trim_end_matches('/'));
    folder == "." || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_outside(path: &str, root: Option<&Path>) -> bool {
    let is_absolute = path.starts_with(['/', '~']) || path.as_bytes().get(1) == Some(&b':');
    is_absolute && root.is_some() || is_temporary(path)
}

/// The message of the last commit. 0 if there is none.
fn last_commit(commits: &[crate::memory::CommitMade]) -> i64 {
    commits.iter().flat_map(|commit| commit.sources.iter().copied()).max().unwrap_or(0)
}
