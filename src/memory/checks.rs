//! The runs of checks.

use serde::{Deserialize, Serialize};

/// The last run of a check: a test, build, lint or type check of a known runner.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckRun {
    /// Runner and task: `cargo test`, `make lint`.
    pub key: String,
    pub kind: CheckKind,
    pub toolchain: String,
    /// Paths and filters given on the command line. Empty: the whole suite.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    pub outcome: Outcome,
    /// `1 failed, 41 passed`; for other checks `3 errors`. Empty if the runner printed no counts.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub counts: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failing: Vec<String>,
    /// The runner's own line about the failure. Third-party text: never told.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Files were changed after this run.
    pub edited_since: bool,
    /// A later pass covers this failure.
    pub covered: bool,
    /// The check failed earlier in the session, and passes now.
    pub fixed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    #[default]
    Test,
    Build,
    Lint,
    Types,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Pass,
    /// The runner's own words report a failure.
    Fail,
    /// A non-zero exit alone: wrong directory, missing program, bad usage, background, hidden by a
    /// pipe.
    #[default]
    Unknown,
}
