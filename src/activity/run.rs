//! Parses one use of the shell tool: its checks and their outcome, the files it touched, its commits, its
//! effects, what blocked it, and the page it fetched.

use std::path::Path;

use super::command_uses::{self, Use};
use super::commit::{self, Commit};
use super::payload::Payload;
use super::shell::{self, SimpleCommand, Status};
use super::shorten::fit;
use super::test_report::{self, TestReport};
use super::tool_event::ToolEvent;
use super::verdict::{self, Exit};
use super::{blockers, effects, error_lines, error_prints, files, lookups, web};
use crate::memory::{Blocker, Cause, CheckKind, CheckRun, Effect, Outcome};
use crate::project::PathBase;
use crate::text::strip_escapes;

/// Maximum number of prints of a failed run.
const MAX_PRINTS: usize = 10;
/// Maximum number of names in the errors of a failed run.
const MAX_ERROR_NAMES: usize = 6;

/// One use of the shell tool.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The command line as the client sent it.
    pub command: String,
    /// Its checks with their outcomes. Paths in their arguments are relative to the project.
    pub checks: Vec<CheckRun>,
    pub failed: bool,
    pub report: Option<TestReport>,
    /// For a failed run, the lines that say what went wrong.
    pub error_lines: Vec<String>,
    /// Commits in the project's repository.
    pub commits: Vec<Commit>,
    /// The number of commits that `git reset` took back.
    pub commits_taken_back: usize,
    /// Changes beyond the work tree: installs, pushes, deployments.
    pub effects: Vec<Effect>,
    /// What kept it from working.
    pub blockers: Vec<Blocker>,
    /// The names of the commands that worked, as in [`Blocker::command`], and of their programs.
    pub worked: Vec<String>,
    /// The commands whose outcome is known.
    pub uses: Vec<Use>,
    /// For a failed run, the prints of its errors; see [`error_prints`].
    pub prints: Vec<String>,
    /// The codes and names in its errors.
    pub error_names: Vec<String>,
    /// Files that it wrote as a whole.
    pub written: Vec<String>,
    /// Files that it changed in place or appended to.
    pub changed: Vec<String>,
    /// The old and the new paths of files that it moved.
    pub moved: Vec<(String, String)>,
    /// Files and folders that it removed.
    pub removed: Vec<String>,
    pub read: Vec<String>,
    /// Scripts that it ran.
    pub executed: Vec<String>,
    /// Files that git restored; `.` is all of them.
    pub reverted: Vec<String>,
    /// `git clean` removed the files that git does not track.
    pub removed_untracked: bool,
    /// The address it fetched from the network.
    pub fetched: Option<String>,
    /// The beginning of the output, if it came from the network.
    pub excerpt: String,
    /// The output quotes text of the project's forge, such as issues and reviews.
    pub quotes_forge: bool,
    /// One of its commands does more than print something.
    pub acts: bool,
}

impl Run {
    /// Whether the run succeeded, checked nothing and changed nothing: `ls`, `git status`.
    pub fn is_read_only(&self) -> bool {
        !self.failed
            && !self.acts
            && self.effects.is_empty()
            && self.commits.is_empty()
            && self.fetched.is_none()
            && !self.quotes_forge
            && self.changed_paths().next().is_none()
            && self.reverted.is_empty()
    }

    /// The paths of all files that it changed, moved or removed.
    pub fn changed_paths(&self) -> impl Iterator<Item = &str> {
        let moved = self.moved.iter().flat_map(|(from, to)| [from, to]);
        let lists = [&self.written, &self.changed, &self.removed];
        lists.into_iter().flatten().chain(moved).map(String::as_str)
    }
}

/// Reads one use of the shell tool. Paths become relative to the project.
pub fn read(event: &ToolEvent, command: &str, response: &Payload, base: &PathBase) -> Run {
    let output = strip_escapes(&response.text()).replace('\r', "\n");
    let parts = shell::split(command);
    let exit = exit(event, &output, response);
    let acts = parts.iter().any(|part| !lookups::only_prints(part));
    let dirs: Vec<Option<String>> = parts.iter().map(|part| directory(part, base)).collect();
    let mut run = Run { command: command.to_owned(), acts, ..Run::default() };
    let checks = verdict::judge(&parts, exit, &output);
    let places: Vec<usize> = checks.iter().map(|(at, _)| *at).collect();
    run.checks =
        checks.into_iter().map(|(at, check)| located(check, base, dirs[at].as_deref())).collect();
    let has = |outcome| run.checks.iter().any(|check| check.outcome == outcome);
    let tests = run.checks.iter().any(|check| check.kind == CheckKind::Test);
    run.failed = exit == Exit::Failed || has(Outcome::Fail);
    // A `.output` file may contain the output of a test run in the background.
    if tests || run.command.contains(".output") {
        run.report = test_report::read(&output);
    }
    if run.failed {
        run.error_lines = error_lines::read(&output);
        run.prints = error_prints::read(&output, MAX_PRINTS);
        run.error_names = error_prints::names(&output, MAX_ERROR_NAMES);
    }
    for (part, dir) in parts.iter().zip(&dirs) {
        let base = PathBase { root: base.root, cwd: dir.as_deref().map(Path::new).or(base.cwd) };
        add(part, exit, &output, &base, &mut run);
    }
    let inside = parts.iter().zip(&dirs).filter(|(_, dir)| is_inside(base.root, dir.as_deref()));
    let inside: Vec<&SimpleCommand> = inside.map(|(part, _)| part).collect();
    run.commits = commit::read(&inside, &output);
    if exit == Exit::Ok {
        run.commits_taken_back = inside.iter().map(|part| commit::taken_back(part)).sum();
    }
    if run.fetched.is_some() || run.quotes_forge {
        // A page or an issue may imitate git's line. The commit counts only if the command line
        // contains its subject.
        run.commits.retain(|commit| {
            let mut messages = parts.iter().filter_map(commit::message);
            messages.any(|message| message.starts_with(commit.subject.as_str()))
        });
    }
    if run.fetched.is_some() {
        run.excerpt = fit(&output, 300);
    } else if !has_failed_check(&run) {
        run.blockers = blockers::read(&parts, exit, &output);
    }
    run.worked = blockers::worked(&parts, exit, &output);
    let code = exit_code(&output, response);
    let checks: Vec<(usize, &CheckRun)> = places.into_iter().zip(&run.checks).collect();
    run.uses =
        command_uses::read(&parts, &dirs, (exit, code), &checks, &run.blockers, &output, base);
    if run.blockers.is_empty() && exit == Exit::Failed {
        run.blockers.extend(run.checks.iter().filter_map(blockers::unexplained));
    }
    run
}

/// Whether a check of the run failed. Its own failure is told, not what caused it.
fn has_failed_check(run: &Run) -> bool {
    run.checks.iter().any(|check| check.outcome == Outcome::Fail)
}

/// The exit status of the line. Clients report it in the kind of the event or in the output.
fn exit(event: &ToolEvent, output: &str, response: &Payload) -> Exit {
    let runs_on = response.string(&["backgroundTaskId"]).is_some()
        || output.starts_with("Command running in background")
        || Payload::read(event.input)
            .value("run_in_background")
            .and_then(serde_json::Value::as_bool)
            == Some(true);
    let is_true =
        |key: &str| response.value(key).and_then(serde_json::Value::as_bool) == Some(true);
    if runs_on || is_true("interrupted") || output.contains("Command timed out after ") {
        return Exit::Unknown;
    }
    if event.cause == Cause::ToolFailed {
        return Exit::Failed;
    }
    match reported_code(response).or_else(|| exit_line(output)) {
        Some(0) => Exit::Ok,
        Some(_) => Exit::Failed,
        // Codex's hooks do not report the status.
        None if event.client == "codex" => Exit::Unreported,
        None => Exit::Ok,
    }
}

/// The exit status as a number, if the client reports it.
fn exit_code(output: &str, response: &Payload) -> Option<i32> {
    let code = reported_code(response).or_else(|| exit_line(output));
    code.and_then(|code| code.try_into().ok()).or_else(|| command_uses::exit_code(output))
}

/// The exit status in a field of the response.
fn reported_code(response: &Payload) -> Option<i64> {
    let number = |key: &&str| response.value(key).and_then(serde_json::Value::as_i64);
    let in_metadata = || response.value("metadata")?.get("exit")?.as_i64();
    ["exit_code", "exitCode", "exit"].iter().find_map(number).or_else(in_metadata)
}

/// The status in a line that a client adds at the end: `Exit Code: 2`, `[Process exited with code 2]`.
fn exit_line(output: &str) -> Option<i64> {
    const MARKS: [&str; 4] =
        ["Exit Code: ", "Process exited with code ", "completed with exit code ", "Exit code: "];
    output.lines().rev().filter(|line| !line.is_empty()).take(4).find_map(|line| {
        let rest = MARKS.iter().find_map(|mark| Some(line.split_once(mark)?.1))?;
        rest.trim_end_matches([']', '>', ' ']).parse().ok()
    })
}

/// The directory that a command runs in, if the command line names it.
///
/// A client may report the directory before the line or after its `cd`. If it ends with the path of
/// `cd`, it is the one after it.
fn directory(part: &SimpleCommand, base: &PathBase) -> Option<String> {
    let dir = part.dir.as_deref()?;
    let home = dir.strip_prefix("~/").or_else(|| dir.strip_prefix("$HOME/"));
    let root = base.root.filter(|root| home.is_some_and(|rest| root.ends_with(rest)));
    if let Some(root) = root {
        return Some(root.to_string_lossy().into_owned());
    }
    if dir.contains('$') {
        return None;
    }
    let cwd = base.cwd.or(base.root);
    match cwd {
        Some(cwd) if Path::new(dir).is_relative() && !dir.starts_with('~') => {
            let is_after = !dir.starts_with('.') && cwd.ends_with(dir);
            let full = if is_after { cwd.to_owned() } else { cwd.join(dir) };
            Some(full.to_string_lossy().into_owned())
        }
        _ => Some(dir.to_owned()),
    }
}

/// Whether a directory is inside the project. Without one, the client's directory counts.
fn is_inside(root: Option<&Path>, dir: Option<&str>) -> bool {
    let Some((root, dir)) = root.zip(dir) else { return true };
    let relative = PathBase { root: Some(root), cwd: None }.relative(dir);
    !Path::new(&relative).is_absolute() && !relative.starts_with('~')
}

/// The check with paths relative to the project. Outside of the project's root, the directory is an
/// argument: `npm test` in `web` does not check the whole project.
fn located(mut check: CheckRun, base: &PathBase, dir: Option<&str>) -> CheckRun {
    let here = PathBase { root: base.root, cwd: dir.map(Path::new).or(base.cwd) };
    let relative = |path: &str| {
        let relative = here.relative(path);
        if relative == "." { String::new() } else { relative }
    };
    let is_path = |word: &str| !word.starts_with('-') && (word.contains('/') || word.contains('.'));
    for argument in check.arguments.iter_mut().filter(|word| is_path(word)) {
        *argument = relative(argument);
    }
    let folder = base.root.map_or_else(String::new, |_| relative("."));
    let has_path = check.arguments.iter().any(|word| is_path(word));
    if !folder.is_empty() && !has_path {
        check.arguments.push(folder);
    }
    check.arguments.retain(|argument| !argument.is_empty());
    check
}

/// Adds what one simple command did to `run`.
fn add(part: &SimpleCommand, exit: Exit, output: &str, base: &PathBase, run: &mut Run) {
    let relative = |paths: Vec<String>| paths.into_iter().map(|path| base.relative(&path));
    if let Some(address) = web::fetches(part) {
        run.fetched.get_or_insert(address);
    }
    run.quotes_forge |= web::quotes_forge(part);
    run.read.extend(relative(files::read(part)));
    run.executed.extend(files::executed(part).map(|path| base.relative(&path)));
    // A failed command line may have written files before the part that failed. Whether it had effects
    // is unknown.
    run.written.extend(relative(files::written(part)));
    run.changed.extend(relative(files::changed(part)));
    let succeeded = exit != Exit::Failed || part.status != Status::Shown;
    if succeeded {
        let moved = files::moved(part).into_iter();
        run.moved.extend(moved.map(|(from, to)| (base.relative(&from), base.relative(&to))));
        run.removed.extend(relative(files::removed(part)));
    }
    if succeeded || part.program() == "git" {
        let restored = files::reverted(part).into_iter();
        run.reverted.extend(restored.map(|p| if p == "." { p } else { base.relative(&p) }));
        run.removed_untracked |= succeeded && files::removes_untracked(part);
    }
    if !run.failed && exit == Exit::Ok && part.status != Status::Background {
        run.effects.extend(effects::read(part, output));
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
