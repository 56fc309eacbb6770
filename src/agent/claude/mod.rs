//! The user's own `claude`, as a program that reads and writes lines of JSON (`stream-json`). The
//! conversation is the process: no tools, no MCP, no hooks, no settings, nothing persisted, an
//! empty folder to stand in, a listed environment.
//!
//! One line is told, then its `result` awaited: several at once are merged into one turn. What a
//! turn that failed was told stays in the conversation, so after a failure the process is ended.

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
    /// What the process has used so far: it counts from its beginning.
    total: Total,
    turns: usize,
}

/// A name for a conversation that is about to begin.
pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

impl Conversation {
    /// Starts the program, in the folder `dir`. On the main thread: the kernel ends the child when
    /// the thread that started it does.
    ///
    /// # Errors
    /// [`AgentError::Setup`] where there is no such program.
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

    /// Tells `text` and waits for what comes of it.
    pub async fn ask(&mut self, text: &str) -> (Result<Answer, AgentError>, CallOutcome) {
        self.turns += 1;
        // Whoever cannot be told has ended, and says why.
        let _ = self.child.tell(&line::user(text)).await;
        let (mut begun, mut word) = (false, String::new());
        loop {
            match self.child.hear().await {
                Ok(Some(said)) => match line::read(&said) {
                    Line::Begun => begun = true,
                    Line::Error(said) => word = said,
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
                    return (Err(self.child.ended(begun).await), spent);
                }
                Err(e) => return (Err(AgentError::Died(e.to_string())), CallOutcome::Unknown),
            }
        }
    }

    /// Lets it end by itself, and sees to it that it does.
    pub async fn end(self) {
        self.child.end().await;
    }
}
