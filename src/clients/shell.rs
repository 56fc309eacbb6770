//! Which commands a client's model runs.

use std::ffi::OsString;

/// Variables that clients set for the commands of their models.
const VARIABLES: [&str; 7] = [
    "CLAUDECODE",
    "CODEX_SANDBOX",
    "CODEX_THREAD_ID",
    "CURSOR_AGENT",
    "GEMINI_CLI",
    "OPENCODE",
    "QWEN_CODE_SESSION_ID",
];

/// Whether a client has started this command for its model. A command that a user types into the client's
/// own prompt for commands counts, too: it has the same environment.
pub fn is_run_by_model(env: &dyn Fn(&str) -> Option<OsString>) -> bool {
    VARIABLES.into_iter().any(|name| env(name).is_some_and(|value| !value.is_empty()))
}
