//! What the tools of a turn prove: files, commits, checks, tasks, answers. Data only; the module
//! `evidence` folds activities into it.
//!
//! It is stored as JSON, so a field that is missing has its default and an unknown one is ignored.
//! Texts that a third party wrote are marked in the comments of their fields. They are for
//! `memctl show` and search; no context tells them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CheckRun, CommandUse, Failure, Origin, Outcome};

/// The activities of one turn, folded. Also of a part of it: a long turn has several batches, and
/// each continues with the evidence of the one before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// Files that differ from the beginning of the turn, in the order of their last change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileChange>,
    /// Files that earlier turns of the session changed, and that this turn put back as they were. They
    /// are in `files` only if they were changed again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub put_back: Vec<String>,
    /// Files that were read and not changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<String>,
    /// Patterns that were searched for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub searched: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<CommitMade>,
    /// The last run of each check, in the order of these runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckRun>,
    /// Commands that are no checks and did not work, in the order of their last run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Blocker>,
    /// Commands whose outcome is known, in the order of their last use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandUse>,
    /// Failed commands with what followed, in the order of their last failure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
    /// Changes beyond the work tree.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
    /// The client's own task list, as it stood last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<Task>,
    /// What the user clicked or typed in answer to the client's questions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<Plan>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<Reports>,
    /// What the user typed when refusing a tool use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refusal>,
    /// Pages fetched and web searches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<Page>,
    /// Identifiers that edits define or add, error classes and names of failed tests. For search.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Git's hash of each file after its last tool use. Only until the turn is stored: its rows have them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub blobs: BTreeMap<String, String>,
    /// Number of tool uses that did something, those of subagents included.
    pub tool_uses: u32,
    /// Number of tool uses before the first and after the last change of a file.
    pub before_first_edit: u32,
    pub after_last_edit: u32,
    /// The first check of the turn that failed before the first edit: its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_before_edit: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileChange {
    /// Relative to the project's root, else absolute.
    pub path: String,
    pub change: Change,
    /// The former path, if the file was moved. Also of a file that an earlier turn created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Outside the project, in a temporary directory, or made and run by this session without a
    /// commit.
    pub scratch: bool,
    /// How often it was edited.
    pub edits: u32,
    /// Hashes of the edits that an exact inverse would undo, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<u64>,
    /// The prints of the lines that the client's edits added, without separators.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub added: String,
    /// Those of the lines that they removed, if an earlier turn of the session had added them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub replaced: String,
    /// Ids of the queue messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Created,
    #[default]
    Edited,
    Removed,
    Moved,
}

/// A commit that git's own output reports, in the project's repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommitMade {
    pub hash: String,
    pub branch: String,
    /// Empty unless the command line contains it: otherwise somebody else may have written it.
    pub subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// `12 files changed, 1390 insertions(+)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stat: Option<String>,
    pub amends: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<i64>,
}

/// A command that is no check and did not work, and never worked later in the turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Blocker {
    pub kind: BlockerKind,
    /// Program and verb: `sudo apt-get install`, `docker compose up`, `git commit`.
    pub command: String,
    /// The name that matters: the missing program, the service, the hook, the workflow.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// The line of the output that says so. Third-party text: never told.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockerKind {
    /// A password or a login is needed: `sudo`, `gh auth login`, a registry.
    Credentials,
    /// `command not found`, a missing toolkit, library or device.
    Missing,
    /// A service, container or server does not start or does not answer.
    Service,
    /// A hook of git refused the commit or the push.
    Hook,
    /// The project's CI is red.
    Ci,
    /// A quota, a full disk, missing permission.
    Denied,
    #[default]
    Other,
}

/// A change beyond the work tree: a push, a pull request, an install, a deployment. All texts come
/// from the command line or are names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Effect {
    pub kind: EffectKind,
    /// What was done, without a full stop: `Pushed main`, `Installed serde (cargo)`.
    pub text: String,
    /// A link that the tool printed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub link: String,
    /// How often it was done.
    pub count: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    Pushed,
    Tagged,
    PullRequest,
    Issue,
    Released,
    Deployed,
    Installed,
    Migrated,
    /// A tool of an MCP server that changes something.
    Remote,
    #[default]
    Other,
}

/// An item of the client's own task list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Task {
    /// The client's id; its text if it has none.
    pub id: String,
    pub text: String,
    pub state: TaskState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    #[default]
    Open,
    Started,
    Done,
    /// Removed from the list, or cancelled.
    Dropped,
}

/// A question of the client, and what the user clicked or typed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    pub question: String,
    /// The options that were offered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The chosen options, joined by commas, or what the user typed.
    pub answer: String,
    /// What the user typed beside the answer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The user typed it instead of choosing an option.
    pub typed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<i64>,
}

/// A plan that the client showed to the user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// Its heading, else its first line.
    pub title: String,
    /// The items of its steps, in order. At most 12.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    pub approved: bool,
    /// A file was changed after the approval.
    pub begun: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<i64>,
}

/// The reports of all subagents of one type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reports {
    pub agent_type: String,
    pub count: u32,
    /// The first tasks, in the words of the assistant. At most 5.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// The beginning of the first report, and of those that differ from the others. Third-party
    /// text: never told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excerpts: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<i64>,
}

/// A tool use that the user refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refusal {
    /// The command, file or plan that was refused, in a few words.
    pub what: String,
    /// What the user typed. Empty if the user only refused.
    pub words: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Page {
    /// The address, or the words searched for.
    pub subject: String,
    /// The beginning of the page. Third-party text: never told.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
    pub origin: Origin,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<i64>,
}

impl Evidence {
    /// Whether something was changed: files that are no scratch, commits, effects.
    pub fn has_change(&self) -> bool {
        self.files.iter().any(|file| !file.scratch)
            || !self.commits.is_empty()
            || !self.effects.is_empty()
    }

    /// The checks whose last run failed and which nothing covers.
    pub fn open_failures(&self) -> impl Iterator<Item = &CheckRun> {
        self.checks.iter().filter(|check| check.outcome == Outcome::Fail && !check.covered)
    }
}
