//! Transcripts as Claude Code writes them.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::World;

/// A session of the transcripts, with lines of its own.
pub struct Transcript {
    id: String,
    dir: String,
    month: u32,
    day: u32,
    pub lines: Vec<Value>,
}

impl Transcript {
    pub fn new(id: &str, day: u32) -> Transcript {
        Transcript { id: id.into(), dir: "/gone/app".into(), month: 3, day, lines: Vec::new() }
    }

    pub fn in_dir(mut self, dir: &str) -> Transcript {
        self.dir = dir.into();
        self
    }

    /// In another month of 2026 than March.
    pub fn in_month(mut self, month: u32) -> Transcript {
        self.month = month;
        self
    }

    /// A turn: a prompt, commands and an answer.
    pub fn turn(mut self, request: &str, commands: usize, answer: &str) -> Transcript {
        let n = self.lines.len();
        self.lines.push(json!({"type": "user", "message": {"content": request}}));
        for at in 0..commands {
            let id = format!("toolu_{}_{n}_{at}", self.id);
            let used = json!({"type": "tool_use", "id": id, "name": "Bash",
                "input": {"command": format!("cargo test part_{at}")}});
            let result = json!({"type": "tool_result", "tool_use_id": id, "content": "ok"});
            self.lines.push(json!({"type": "assistant", "message": {"content": [used]}}));
            self.lines.push(json!({"type": "user", "message": {"content": [result]}}));
        }
        let said = json!([{"type": "text", "text": answer}]);
        self.lines.push(json!({"type": "assistant", "message": {"content": said}}));
        self
    }

    pub fn line(mut self, line: Value) -> Transcript {
        self.lines.push(line);
        self
    }

    pub fn text(&self) -> String {
        let line = |(n, line): (usize, &Value)| {
            let mut line = line.clone();
            let own = |key: &str, value: Value, line: &mut Value| {
                if line[key].is_null() {
                    line[key] = value;
                }
            };
            own("uuid", json!(format!("{}-{n}", self.id)), &mut line);
            own("sessionId", json!(self.id), &mut line);
            own("cwd", json!(self.dir), &mut line);
            let (month, day) = (self.month, self.day);
            let time = format!("2026-{month:02}-{day:02}T10:{:02}:{:02}.000Z", n / 60, n % 60);
            own("timestamp", json!(time), &mut line);
            format!("{line}\n")
        };
        self.lines.iter().enumerate().map(line).collect()
    }

    /// Writes it as the transcript of a subagent of this session.
    pub fn write_subagent(&self, w: &World, session: &str) -> PathBuf {
        let dir = projects(w).join(self.dir.replace('/', "-")).join(session).join("subagents");
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join(format!("agent-{}.jsonl", self.id));
        let line = |line: &str| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            line["isSidechain"] = json!(true);
            line["agentId"] = json!(self.id);
            line["sessionId"] = json!(session);
            format!("{line}\n")
        };
        fs::write(&path, self.text().lines().map(line).collect::<String>()).unwrap();
        path
    }

    pub fn write(&self, w: &World) -> PathBuf {
        let dir = projects(w).join(self.dir.replace('/', "-"));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join(format!("{}.jsonl", self.id));
        fs::write(&path, self.text()).unwrap();
        path
    }
}

/// Where Claude Code keeps the transcripts.
pub fn projects(w: &World) -> PathBuf {
    w.path("home").join(".claude/projects")
}
