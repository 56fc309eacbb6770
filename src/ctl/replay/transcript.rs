//! Turns a Claude Code transcript into hook payloads.
//!
//! The transcript is JSON lines with prompts, tool uses and results, but without hook events. A user
//! message that was typed becomes a prompt. A Stop is added before the next prompt and at the end.
//! Event ids are derived from the lines, so a second run yields the same ids.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::{Value, json};
use uuid::Uuid;

/// Namespace of derived event ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d65_6d63_746c_5f72_6570_6c61_795f_7631);

/// Number of lines that are searched for the first timestamp.
const TIMESTAMP_LINES: usize = 200;

/// A hook payload with the event id and time from the transcript.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Name of the hook event.
    pub event: &'static str,
    pub payload: Value,
    pub id: Uuid,
    /// Milliseconds since the epoch; 0 if the line has no timestamp.
    pub at: i64,
}

/// Converts a transcript line by line.
#[derive(Default)]
pub struct Converter {
    session: Option<String>,
    turn: Option<Turn>,
    /// Tool uses without a result, by id.
    uses: HashMap<String, (String, Value)>,
    /// A pending slash command. The next line shows whether the client handled it itself.
    command: Option<Value>,
}

struct Turn {
    id: String,
    cwd: Value,
    /// The last text of the assistant and the uuid of its line.
    last_text: Option<(String, String)>,
    /// Uuid and time of the latest line of the turn.
    line: String,
    at: i64,
}

impl Converter {
    /// The session id, once a line has named it.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Returns the hook events of this line.
    pub fn line(&mut self, line: &Value) -> Vec<Step> {
        if line["isSidechain"] == true {
            return Vec::new();
        }
        if self.session.is_none() {
            self.session = line["sessionId"].as_str().map(str::to_owned);
        }
        match line["type"].as_str() {
            Some("user") => self.user(line),
            Some("assistant") => {
                self.assistant(line);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Returns the hook events at the end of the session.
    pub fn end(&mut self) -> Vec<Step> {
        let mut steps = self.flush_command();
        let at = self.turn.as_ref().map(|t| t.at);
        steps.extend(self.stop());
        if let (Some(session), Some(at)) = (&self.session, at) {
            let payload = json!({"session_id": session, "reason": "other"});
            steps.push(Step {
                event: "SessionEnd",
                payload,
                id: derive_id(session, "end", ""),
                at,
            });
        }
        steps
    }

    fn user(&mut self, line: &Value) -> Vec<Step> {
        let content = &line["message"]["content"];
        if let Some(blocks) = content.as_array()
            && blocks.iter().any(|b| b["type"] == "tool_result")
        {
            return blocks.iter().flat_map(|block| self.result(line, block)).collect();
        }
        let Some(text) = typed_text(line, content) else { return Vec::new() };
        if text.starts_with("<local-command") {
            self.command = None;
            return Vec::new();
        }
        let mut steps = self.flush_command();
        if text.starts_with("<command-") {
            let mut pending = line.clone();
            pending["message"]["content"] = json!(slash_command(&text));
            self.command = Some(pending);
            return steps;
        }
        if text.starts_with("<bash-") {
            return steps;
        }
        steps.extend(self.prompt(line, text));
        steps
    }

    fn flush_command(&mut self) -> Vec<Step> {
        let Some(line) = self.command.take() else { return Vec::new() };
        let text = line["message"]["content"].as_str().unwrap_or_default().to_owned();
        self.prompt(&line, text)
    }

    fn prompt(&mut self, line: &Value, text: String) -> Vec<Step> {
        let uuid = line["uuid"].as_str().unwrap_or_default().to_owned();
        let id = line["promptId"].as_str().unwrap_or(&uuid).to_owned();
        // A prompt typed during a turn belongs to that turn; both share one Stop.
        let same_turn = self.turn.as_ref().is_some_and(|t| t.id == id);
        let mut steps = if same_turn { Vec::new() } else { self.stop() };
        let at = timestamp(line);
        let cwd = line["cwd"].clone();
        self.turn = Some(Turn {
            id: id.clone(),
            cwd: cwd.clone(),
            last_text: None,
            line: uuid.clone(),
            at,
        });
        let payload = json!({
            "session_id": self.session, "cwd": cwd, "prompt_id": id, "prompt": text,
        });
        steps.push(Step {
            event: "UserPromptSubmit",
            payload,
            id: derive_id(&uuid, "prompt", ""),
            at,
        });
        steps
    }

    fn assistant(&mut self, line: &Value) {
        for block in line["message"]["content"].as_array().into_iter().flatten() {
            if let (Some("tool_use"), Some(id)) = (block["type"].as_str(), block["id"].as_str()) {
                let name = block["name"].as_str().unwrap_or_default().to_owned();
                self.uses.insert(id.to_owned(), (name, block["input"].clone()));
            }
            if let (Some("text"), Some(text), Some(turn)) =
                (block["type"].as_str(), block["text"].as_str(), &mut self.turn)
            {
                let uuid = line["uuid"].as_str().unwrap_or_default().to_owned();
                turn.last_text = Some((text.to_owned(), uuid));
                turn.at = timestamp(line).max(turn.at);
            }
        }
    }

    fn result(&mut self, line: &Value, block: &Value) -> Vec<Step> {
        let use_id = block["tool_use_id"].as_str().unwrap_or_default();
        let Some((name, input)) = self.uses.remove(use_id) else { return Vec::new() };
        let uuid = line["uuid"].as_str().unwrap_or_default();
        let at = timestamp(line);
        if let Some(turn) = &mut self.turn {
            turn.line = uuid.to_owned();
            turn.at = at.max(turn.at);
        }
        let base = json!({
            "session_id": self.session, "cwd": line["cwd"], "prompt_id": self.turn_id(line),
            "tool_name": name, "tool_input": input, "tool_use_id": use_id,
        });
        let step = |event, more: Value, part: &str| {
            let mut payload = base.clone();
            for (key, value) in more.as_object().expect("a JSON object") {
                payload[key] = value.clone();
            }
            Step { event, payload, id: derive_id(uuid, part, use_id), at }
        };
        if block["is_error"] == true {
            let error = json!({"error": join_text(&block["content"])});
            return vec![step("PostToolUseFailure", error, "tool_failed")];
        }
        let response = match &line["toolUseResult"] {
            Value::Null => block["content"].clone(),
            result => result.clone(),
        };
        let report = subagent_report(&name, &response);
        let mut steps = vec![step("PostToolUse", json!({"tool_response": response}), "tool")];
        if let Some((agent, kind, text)) = report {
            let more =
                json!({"agent_id": agent, "agent_type": kind, "last_assistant_message": text});
            steps.push(step("SubagentStop", more, "subagent"));
        }
        steps
    }

    fn stop(&mut self) -> Vec<Step> {
        let Some(turn) = self.turn.take() else { return Vec::new() };
        let (text, uuid) = turn.last_text.unwrap_or((String::new(), turn.line));
        let payload = json!({
            "session_id": self.session, "cwd": turn.cwd, "prompt_id": turn.id,
            "last_assistant_message": text,
        });
        vec![Step { event: "Stop", payload, id: derive_id(&uuid, "stop", ""), at: turn.at }]
    }

    fn turn_id(&self, line: &Value) -> Option<String> {
        let own = line["promptId"].as_str().map(str::to_owned);
        own.or_else(|| self.turn.as_ref().map(|t| t.id.clone()))
    }
}

/// The text of a user message. `None` for messages that the client generated.
fn typed_text(line: &Value, content: &Value) -> Option<String> {
    if line["isMeta"] == true || line["isCompactSummary"] == true {
        return None;
    }
    let text = join_text(content);
    let generated = text.trim().is_empty() || text.starts_with("[Request interrupted");
    (!generated).then_some(text)
}

/// Joins text blocks into one text.
fn join_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts: Vec<&str> = blocks.iter().filter_map(|b| b["text"].as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// `/name args` from the tags of a slash command.
fn slash_command(text: &str) -> String {
    let inside = |tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        Some(rest.split_once(&format!("</{tag}>"))?.0.trim())
    };
    let (name, args) = (inside("command-name"), inside("command-args"));
    format!("{} {}", name.unwrap_or_default(), args.unwrap_or_default()).trim().to_owned()
}

/// Id, type and final text of a subagent that completed in the foreground.
fn subagent_report(tool: &str, response: &Value) -> Option<(String, String, String)> {
    if !matches!(tool, "Agent" | "Task") || response["status"] != "completed" {
        return None;
    }
    let id = response["agentId"].as_str()?;
    let kind = response["agentType"].as_str().unwrap_or("subagent");
    let blocks = response["content"].as_array()?;
    let text = blocks.last()?["text"].as_str()?;
    Some((id.to_owned(), kind.to_owned(), text.to_owned()))
}

/// The first timestamp of a transcript. `None` if the file is unreadable or has none.
pub fn start_time(file: &Path) -> Option<i64> {
    let lines = BufReader::new(File::open(file).ok()?).lines().map_while(Result::ok);
    let mut times =
        lines.take(TIMESTAMP_LINES).map(|l| serde_json::from_str(&l).map_or(0, |l| timestamp(&l)));
    times.find(|at| *at > 0)
}

fn timestamp(line: &Value) -> i64 {
    let text = line["timestamp"].as_str().unwrap_or_default();
    text.parse::<jiff::Timestamp>().map_or(0, |at| at.as_millisecond())
}

fn derive_id(line: &str, kind: &str, use_id: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("{line}\n{kind}\n{use_id}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(lines: &[Value]) -> Vec<(&'static str, Value)> {
        let mut converter = Converter::default();
        let mut all: Vec<Step> = lines.iter().flat_map(|line| converter.line(line)).collect();
        all.extend(converter.end());
        let ids: std::collections::HashSet<_> = all.iter().map(|s| s.id).collect();
        assert_eq!(ids.len(), all.len(), "ids repeat");
        all.into_iter().map(|s| (s.event, s.payload)).collect()
    }

    fn user(uuid: &str, content: Value) -> Value {
        json!({"type": "user", "uuid": uuid, "sessionId": "s", "cwd": "/p",
               "timestamp": "2026-11-21T02:23:09.884Z", "message": {"content": content}})
    }

    fn assistant(uuid: &str, block: Value) -> Value {
        json!({"type": "assistant", "uuid": uuid, "sessionId": "s",
               "timestamp": "2026-11-21T02:23:10Z", "message": {"content": [block]}})
    }

    #[test]
    fn failed_and_successful_tool_uses_become_events() {
        let got = steps(&[
            user("1", json!("fix it")),
            assistant(
                "2",
                json!({"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "x"}}),
            ),
            user(
                "3",
                json!([{"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": "Exit code 1"}]),
            ),
            assistant(
                "4",
                json!({"type": "tool_use", "id": "t2", "name": "Bash", "input": {"command": "y"}}),
            ),
            user("5", json!([{"type": "tool_result", "tool_use_id": "t2", "content": "ok"}])),
            assistant("6", json!({"type": "text", "text": "Done."})),
            user("7", json!("next")),
        ]);
        let events: Vec<&str> = got.iter().map(|(event, _)| *event).collect();
        assert_eq!(
            events,
            [
                "UserPromptSubmit",
                "PostToolUseFailure",
                "PostToolUse",
                "Stop",
                "UserPromptSubmit",
                "Stop",
                "SessionEnd"
            ]
        );
        assert_eq!(got[1].1["error"], "Exit code 1");
        assert_eq!(got[2].1["tool_response"], "ok");
        assert_eq!(got[3].1["last_assistant_message"], "Done.");
        assert_eq!(got[3].1["prompt_id"], "1");
    }

    #[test]
    fn generated_messages_are_not_prompts() {
        let mut meta = user("1", json!("caveat"));
        meta["isMeta"] = json!(true);
        let got = steps(&[
            meta,
            user("2", json!("[Request interrupted by user]")),
            user("3", json!("<command-name>/compact</command-name><command-args>x</command-args>")),
            user("4", json!("<local-command-stdout>Compacted</local-command-stdout>")),
            user("5", json!("<command-name>/review</command-name><command-args>42</command-args>")),
            user("6", json!([{"type": "text", "text": "typed"}])),
        ]);
        let prompts: Vec<&str> = got.iter().filter_map(|(_, p)| p["prompt"].as_str()).collect();
        assert_eq!(prompts, ["/review 42", "typed"]);
    }

    #[test]
    fn prompts_of_one_turn_share_a_stop() {
        let mut second = user("2", json!("also"));
        second["promptId"] = json!("turn");
        let mut first = user("1", json!("one"));
        first["promptId"] = json!("turn");
        let events: Vec<&str> = steps(&[first, second]).iter().map(|(event, _)| *event).collect();
        assert_eq!(events, ["UserPromptSubmit", "UserPromptSubmit", "Stop", "SessionEnd"]);
    }
}
