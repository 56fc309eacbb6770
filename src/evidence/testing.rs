//! A session's messages for tests.

use serde_json::Value;

use crate::activity::{Event, ParsedBatch};
use crate::memory::{Batch, Cause, Evidence, Message};

/// Messages of Claude Code in `/p`, with ids from 1.
#[derive(Default)]
pub struct Session {
    messages: Vec<Message>,
}

impl Session {
    fn push(
        &mut self,
        cause: Cause,
        tool: Option<&str>,
        input: Option<String>,
        response: Option<String>,
    ) {
        self.messages.push(Message {
            id: self.messages.len() as i64 + 1,
            cause,
            turn_id: None,
            prompt_number: 1,
            agent_id: None,
            agent_type: None,
            tool_name: tool.map(str::to_owned),
            tool_input: input,
            tool_response: response,
            cwd: Some("/p".to_owned()),
            files: Vec::new(),
            last_assistant_message: None,
            created_at_epoch: 0,
        });
    }

    pub fn tool(&mut self, tool: &str, input: &Value, response: &str) {
        self.push(Cause::Tool, Some(tool), Some(input.to_string()), Some(response.to_owned()));
    }

    pub fn failed(&mut self, tool: &str, input: &Value, error: &str) {
        self.push(Cause::ToolFailed, Some(tool), Some(input.to_string()), Some(error.to_owned()));
    }

    /// A subagent's report.
    pub fn report(&mut self, kind: &str, text: &str) {
        self.push(Cause::Subagent, Some("Subagent"), None, None);
        let message = self.last();
        message.agent_id = Some(format!("agent-{}", message.id));
        message.agent_type = Some(kind.to_owned());
        message.last_assistant_message = Some(text.to_owned());
    }

    /// A payload of `tests/data/claude-code-2.1.329`.
    pub fn recorded(&mut self, name: &str) {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/claude-code-2.1.329");
        let payload = std::fs::read_to_string(format!("{dir}/{name}.json")).expect(name);
        let payload: Value = serde_json::from_str(&payload).expect(name);
        let tool = payload["tool_name"].as_str().expect(name);
        self.tool(tool, &payload["tool_input"], &payload["tool_response"].to_string());
    }

    pub fn last(&mut self) -> &mut Message {
        self.messages.last_mut().expect("a message")
    }

    /// Folds the messages with `add` alone.
    pub fn fold(&self, add: impl Fn(&mut Evidence, &Event)) -> Evidence {
        let batch = Batch {
            client: "claude-code".to_owned(),
            project_root: Some("/p".into()),
            messages: self.messages.clone(),
            ..Batch::default()
        };
        let batch = ParsedBatch::new(batch);
        let mut evidence = Evidence::default();
        batch.events().for_each(|event| add(&mut evidence, &event));
        evidence
    }
}
