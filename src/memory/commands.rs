//! How commands were used in a turn, and what happened after they failed.

use serde::{Deserialize, Serialize};

use super::checks::CheckKind;

/// The uses of one command in a turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommandUse {
    /// The command without redirections, on one line. Long values are left out: `git commit -m …`.
    pub line: String,
    /// The directory that it ran in, relative to the project's root. Empty: the root.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dir: String,
    /// Program and verb, as in [`super::Blocker::command`]: `cargo test`.
    pub name: String,
    pub worked: u32,
    pub failed: u32,
    /// Whether its last use worked.
    pub ok: bool,
    /// The exit status of the last use, if the client reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// Files that it changed, moved or removed. At most 6.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Git put one of its files back later in the session's turn.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub undone: bool,
}

/// A failed command, and what happened until the same command worked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failure {
    /// The key of the check, as in [`super::CheckRun::key`], or program and verb of another command.
    pub command: String,
    /// The command as it was run. Empty for a check.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub line: String,
    /// The arguments of the check.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// `None`: the command is no check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<CheckKind>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub toolchain: String,
    /// Hashes that identify its errors. The errors cannot be read from them.
    pub prints: Vec<String>,
    /// Codes, classes and names in its errors: `E0425`, `left_pad`. At most 6.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<String>,
    /// Files changed after it and before the command worked. At most 8.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// The number of further files.
    #[serde(skip_serializing_if = "is_zero")]
    pub changed_more: u32,
    /// Commands that did something after it and before the command worked. At most 4.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ran: Vec<String>,
    /// A later run of the same command had other errors. Later changes are not meant for
    /// these.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// The same command worked later in the turn.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub passed: bool,
    /// What worked instead, if it was the same program and verb with other arguments.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub worked_as: String,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}
