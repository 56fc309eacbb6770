//! Hook payloads of a session, in the form that Claude Code sends.

use std::path::Path;

use serde_json::{Value, json};

pub struct Session {
    name: String,
    cwd: String,
    turn: usize,
    calls: usize,
    payloads: Vec<Value>,
}

impl Session {
    pub fn new(name: &str, cwd: &Path) -> Session {
        let cwd = cwd.display().to_string();
        Session { name: name.to_owned(), cwd, turn: 0, calls: 0, payloads: Vec::new() }
    }

    /// The payloads so far. Later ones are collected anew.
    pub fn take(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.payloads)
    }

    /// Adds a payload of this event with more fields. The first one is in a turn that a neutral prompt
    /// begins, unless it is a prompt itself.
    pub fn event(mut self, event: &str, fields: Value) -> Session {
        if self.turn == 0 && event == "UserPromptSubmit" {
            self.turn = 1;
        } else if self.turn == 0 && event != "SessionStart" {
            self = self.prompt("Have a look at the parser");
        }
        let mut payload = json!({
            "session_id": self.name, "cwd": self.cwd, "hook_event_name": event,
            "permission_mode": "default",
        });
        if self.turn > 0 {
            payload["prompt_id"] = format!("{}-t{}", self.name, self.turn).into();
        }
        for (key, value) in fields.as_object().unwrap() {
            payload[key] = value.clone();
        }
        self.payloads.push(payload);
        self
    }

    pub fn start(self, source: &str) -> Session {
        self.event("SessionStart", json!({"source": source}))
    }

    /// Begins a turn.
    pub fn prompt(mut self, text: &str) -> Session {
        self.turn += 1;
        self.event("UserPromptSubmit", json!({"prompt": text}))
    }

    pub fn tool(mut self, name: &str, input: Value, response: Value) -> Session {
        self.calls += 1;
        let id = format!("{}-u{}", self.name, self.calls);
        self.event(
            "PostToolUse",
            json!({"tool_name": name, "tool_input": input, "tool_response": response,
                   "tool_use_id": id, "duration_ms": 12}),
        )
    }

    pub fn tool_fails(mut self, name: &str, input: Value, error: &str) -> Session {
        self.calls += 1;
        let id = format!("{}-u{}", self.name, self.calls);
        self.event(
            "PostToolUseFailure",
            json!({"tool_name": name, "tool_input": input, "error": error, "tool_use_id": id,
                   "is_interrupt": false, "duration_ms": 12}),
        )
    }

    pub fn bash(self, command: &str, output: &str) -> Session {
        let response = json!({"stdout": output, "stderr": "", "interrupted": false});
        self.tool("Bash", json!({"command": command}), response)
    }

    pub fn bash_fails(self, command: &str, output: &str) -> Session {
        self.tool_fails("Bash", json!({"command": command}), &format!("Exit code 1\n{output}"))
    }

    pub fn read(self, file: &str, content: &str) -> Session {
        let path = format!("{}/{file}", self.cwd);
        let lines = content.lines().count();
        let response = json!({"type": "text", "file": {"filePath": path, "content": content,
            "numLines": lines, "startLine": 1, "totalLines": lines}});
        self.tool("Read", json!({"file_path": path}), response)
    }

    pub fn edit(self, file: &str) -> Session {
        let path = format!("{}/{file}", self.cwd);
        let (old, new) = ("let limit = 10;", "let limit = 20;");
        let input = json!({"file_path": path, "old_string": old, "new_string": new,
            "replace_all": false});
        let response = json!({"filePath": path, "oldString": old, "newString": new,
            "originalFile": format!("fn main() {{\n    {old}\n}}\n"), "userModified": false});
        self.tool("Edit", input, response)
    }

    /// Fetches a page. The result is the client's digest of it.
    pub fn fetch(self, url: &str, result: &str) -> Session {
        let response = json!({"bytes": result.len(), "code": 200, "codeText": "OK",
            "result": result, "durationMs": 300, "url": url});
        self.tool("WebFetch", json!({"url": url, "prompt": "What does the page say?"}), response)
    }

    pub fn search(self, query: &str, result: &str) -> Session {
        let response = json!({"query": query, "durationSeconds": 1.2,
            "results": [{"tool_use_id": "srvtoolu_1", "content": [
                {"title": result, "url": "https://example.org/answers"}]}, result]});
        self.tool("WebSearch", json!({"query": query}), response)
    }

    pub fn mcp(self, tool: &str, text: &str) -> Session {
        self.tool(tool, json!({"id": "142"}), json!([{"type": "text", "text": text}]))
    }

    /// The client asks a question, and the user clicks the first of two options.
    pub fn clicks(self, question: &str, first: &str, second: &str) -> Session {
        self.asks(question, first, second, first)
    }

    /// The client asks a question, and the user types the answer.
    pub fn answers(self, question: &str, answer: &str) -> Session {
        self.asks(question, "Red", "Blue", answer)
    }

    fn asks(self, question: &str, first: &str, second: &str, answer: &str) -> Session {
        let option = |label: &str| json!({"label": label, "description": ""});
        let questions = json!([{"question": question, "header": "Choice", "multiSelect": false,
            "options": [option(first), option(second)]}]);
        let response = json!({"questions": questions, "answers": {question: answer},
            "annotations": {}});
        self.tool("AskUserQuestion", json!({"questions": questions}), response)
    }

    /// The user approves a plan.
    pub fn plan(self, plan: &str) -> Session {
        let response = json!({"plan": plan, "isAgent": false, "filePath": "/p/plan.md"});
        self.tool("ExitPlanMode", json!({"plan": plan}), response)
    }

    /// The assistant writes its list of tasks.
    pub fn todo(self, text: &str) -> Session {
        let todos = json!([{"content": text, "status": "pending", "activeForm": text}]);
        let response = json!({"oldTodos": [], "newTodos": todos});
        self.tool("TodoWrite", json!({"todos": todos}), response)
    }

    pub fn commits(self, subject: &str) -> Session {
        let output = format!("[main 4f9e4c9] {subject}\n 1 file changed, 1 insertion(+)\n");
        self.bash(&format!("git commit -am '{subject}'"), &output)
    }

    pub fn grep(self, line: &str) -> Session {
        let response = json!({"mode": "content", "numFiles": 1, "filenames": [],
            "content": format!("README.md:3:{line}")});
        self.tool("Grep", json!({"pattern": "bot", "output_mode": "content"}), response)
    }

    /// A subagent in the foreground, whose report is the result of the tool.
    pub fn agent(self, report: &str) -> Session {
        let input = json!({"description": "Look at the parser", "subagent_type": "Explore",
            "prompt": "Look at the parser and report"});
        let response = json!({"status": "completed", "agentId": "a1", "agentType": "Explore",
            "content": [{"type": "text", "text": report}], "totalToolUseCount": 3});
        self.tool("Agent", input, response)
    }

    pub fn subagent_stops(self, kind: &str, report: &str) -> Session {
        self.event(
            "SubagentStop",
            json!({"agent_id": "a1", "agent_type": kind, "stop_hook_active": false,
                   "last_assistant_message": report}),
        )
    }

    /// Ends the turn with this message of the assistant.
    pub fn stop(self, text: &str) -> Session {
        self.event("Stop", json!({"stop_hook_active": false, "last_assistant_message": text}))
    }

    pub fn end(self) -> Session {
        self.event("SessionEnd", json!({"reason": "other"}))
    }
}
