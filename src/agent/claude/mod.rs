//! Runs the user's `claude` as a child process that reads and writes lines of JSON (`stream-json`).
//!
//! A process is one conversation. It has no tools, MCP servers, hooks or settings, persists nothing,
//! and gets an empty directory and a fixed list of environment variables.
//!
//! The next prompt is sent only after the `result` of the previous one, because the program merges
//! several lines into one turn. A failed prompt stays in the conversation, so the caller ends the
//! process after a failure.

mod child;
mod line;

use std::path::Path;

use uuid::Uuid;

use super::answer::Answer;
use super::error::AgentError;
use super::form::Form;
use crate::config::{self, Settings};
use crate::memory::CallOutcome;
use crate::{clock, project};
use child::Child;
use line::{Line, Total};

pub struct Conversation {
    child: Child,
    /// The usage so far. The program reports cumulative numbers.
    total: Total,
    /// Number of prompts sent.
    calls: usize,
}

/// The id of a new conversation.
pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

impl Conversation {
    /// Starts the program in an empty directory, for a session in `project`. Called on the main thread:
    /// the kernel kills the child when the thread that started it exits.
    ///
    /// # Errors
    /// [`AgentError::Setup`] if there is no such program.
    pub fn start(
        settings: &Settings,
        project: Option<&Path>,
        id: &str,
    ) -> Result<Conversation, AgentError> {
        let dir = settings.paths.agent_dir();
        dir.make_dir()
            .and_then(|()| dir.names())
            .map_err(|e| AgentError::Unreachable(format!("{dir}: {e}")))?;
        let claude = &settings.config.agent.claude;
        let env = config::claude_env(settings, project.map(project::dir_of).as_ref());
        #[rustfmt::skip]
        let args = [
            "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose",
            "--model", &claude.model, "--system-prompt", Form::Elements.system_prompt(),
            "--tools", "", "--setting-sources", "", "--strict-mcp-config",
            "--disable-slash-commands", "--no-session-persistence", "--session-id", id,
        ];
        let child = Child::start(&claude.command, &args, dir.path(), env)?;
        Ok(Conversation { child, total: Total::default(), calls: 0 })
    }

    pub fn calls(&self) -> usize {
        self.calls
    }

    /// Sends `text` and waits for the result.
    pub async fn ask(&mut self, text: &str) -> (Result<Answer, AgentError>, CallOutcome) {
        self.calls += 1;
        // If the write fails, the program has exited. The loop below finds out why.
        let _ = self.child.write_line(&line::user(text)).await;
        let (mut begun, mut error_code) = (false, String::new());
        loop {
            match self.child.read_line().await {
                Ok(Some(line)) => match line::read(&line) {
                    Line::Begun => begun = true,
                    Line::Error(code) => error_code = code,
                    Line::Result(result) => {
                        let usage = result.usage(&self.total);
                        self.total = result.total.clone();
                        let outcome = result.outcome(&error_code, usage, clock::now_ms());
                        return (outcome, CallOutcome::Complete(usage));
                    }
                    Line::Other => {}
                },
                Ok(None) => {
                    let spent = if begun { CallOutcome::Unknown } else { CallOutcome::nothing() };
                    return (Err(self.child.end_reason(begun).await), spent);
                }
                Err(e) => return (Err(AgentError::Died(e.to_string())), CallOutcome::Unknown),
            }
        }
    }

    /// Closes the input and waits until the program exits. Kills it after a timeout.
    pub async fn end(self) {
        self.child.end().await;
    }
}
