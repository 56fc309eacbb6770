//! The user's `claude` as a child process that reads and writes lines of JSON (`stream-json`). A
//! process is one conversation. It has no tools, MCP servers, hooks or settings, persists nothing,
//! and gets an empty directory and a fixed list of environment variables.
//!
//! One line is sent, and its `result` is awaited, because the program merges several lines into one
//! turn. A prompt that failed stays in the conversation, so the process is ended after a failure.

mod child;
mod line;

use std::path::Path;

use uuid::Uuid;

use super::answer::Answer;
use super::error::AgentError;
use super::prompt;
use crate::clock;
use crate::config::{self, Claude};
use crate::memory::CallOutcome;
use child::Child;
use line::{Line, Total};

pub struct Conversation {
    child: Child,
    /// The usage so far. The program reports cumulative numbers.
    total: Total,
    turns: usize,
}

/// The id of a new conversation.
pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

impl Conversation {
    /// Starts the program in the directory `dir`. Called on the main thread: the kernel kills the
    /// child when the thread that started it exits.
    ///
    /// # Errors
    /// [`AgentError::Setup`] if there is no such program.
    pub fn start(claude: &Claude, dir: &Path, id: &str) -> Result<Conversation, AgentError> {
        #[rustfmt::skip]
        let args = [
            "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose",
            "--model", &claude.model, "--system-prompt", prompt::system(),
            "--tools", "", "--setting-sources", "", "--strict-mcp-config",
            "--disable-slash-commands", "--no-session-persistence", "--session-id", id,
        ];
        let child = Child::start(&claude.command, &args, dir, config::claude_env(claude))?;
        Ok(Conversation { child, total: Total::default(), turns: 0 })
    }

    pub fn turns(&self) -> usize {
        self.turns
    }

    /// Sends `text` and waits for the result.
    pub async fn ask(&mut self, text: &str) -> (Result<Answer, AgentError>, CallOutcome) {
        self.turns += 1;
        // If the write fails, the program has ended; the loop below reads why.
        let _ = self.child.write_line(&line::user(text)).await;
        let (mut begun, mut word) = (false, String::new());
        loop {
            match self.child.read_line().await {
                Ok(Some(line)) => match line::read(&line) {
                    Line::Begun => begun = true,
                    Line::Error(code) => word = code,
                    Line::Result(result) => {
                        let usage = result.usage(&self.total);
                        self.total = result.total.clone();
                        let outcome = result.outcome(&word, usage, clock::now_ms());
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

    /// Closes the input, waits for the end, and kills the program if it does not come.
    pub async fn end(self) {
        self.child.end().await;
    }
}
