//! Turns a Claude Code transcript into hook payloads.
//!
//! The transcript is JSON lines with prompts, tool uses and results, but without hook events. A user
//! message that was typed becomes a prompt. A Stop is added before the next prompt and at the end.
//! Event ids are derived from the lines, so a second run yields the same ids.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use uuid::Uuid;

/// Namespace of derived event ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d65_6d63_746c_5f72_6570_6c61_795f_7631);

/// Number of lines that are searched for the first timestamp.
const TIMESTAMP_LINES: usize = 200;

/// What the client writes as the result of a tool use that has none.
const NO_RESULT: [&str; 6] = [
    "[Request interrupted by user",
    "[Tool call did not complete",
    "[Tool call interrupted",
    "[Tool call not completed",
    "[Tool call result not in this copy",
    "[Tool call skipped",
];

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

/// Lines that are no events of the session, by what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Left {
    /// Lines of subagents.
    pub sidechain: u64,
    /// Summaries of earlier turns, one per compaction.
    pub compactions: u64,
    /// Other messages that the client wrote itself.
    pub generated: u64,
    /// Lines that a fork has copied from its session.
    pub forked: u64,
}

/// Converts a transcript line by line.
#[derive(Default)]
pub struct Converter {
    session: Option<String>,
    /// The directory of the first line, in which the client was started.
    dir: Option<PathBuf>,
    left: Left,
    turn: Option<Turn>,
    /// Tool uses without a result, by id.
    uses: HashMap<String, (String, Value)>,
    /// A slash command that no model has answered yet. The client handles some itself, such as
    /// `/clear`. Only those that a model answers are prompts.
    command: Option<Value>,
    /// Subagents whose own transcripts are read. They say what they reported.
    agents_with_file: HashSet<String>,
    /// The subagent whose transcript this is.
    subagent: Option<Subagent>,
}

struct Subagent {
    id: String,
    kind: Option<String>,
}

struct Turn {
    id: String,
    cwd: Value,
    /// The last text of the assistant and the uuid of its line.
    last_text: Option<(String, String)>,
    /// The error code, if the last text is the client's message about an API error.
    error: Option<Value>,
    /// Uuid and time of the latest line of the turn.
    line: String,
    at: i64,
}

impl Converter {
    /// Converts the transcript of a subagent of this session.
    pub fn of_subagent(session: &str, id: &str, kind: Option<&str>) -> Converter {
        let subagent = Some(Subagent { id: id.to_owned(), kind: kind.map(str::to_owned) });
        Converter { session: Some(session.to_owned()), subagent, ..Converter::default() }
    }

    /// Names the subagents whose own transcripts are read: their results report nothing else.
    pub fn expect_agents(&mut self, ids: impl Iterator<Item = String>) {
        self.agents_with_file = ids.collect();
    }

    /// The session id, once a line has named it.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// The directory in which the client was started, once a line has named it.
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// Number of the lines that are no events.
    pub fn left(&self) -> Left {
        self.left
    }

    /// Whether lines of this type can be events. Others need not be parsed.
    pub fn is_wanted(kind: &str) -> bool {
        matches!(kind, "user" | "assistant")
    }

    /// Returns the hook events of this line.
    pub fn line(&mut self, line: &Value) -> Vec<Step> {
        if let Some(agent) = &mut self.subagent {
            agent.kind = agent.kind.take().or_else(|| text_of(&line["attributionAgent"]));
        } else if line["isSidechain"] == true {
            self.left.sidechain += 1;
            return Vec::new();
        }
        if self.session.is_none() {
            self.session = line["sessionId"].as_str().map(str::to_owned);
        }
        if self.dir.is_none() {
            self.dir = line["cwd"].as_str().map(PathBuf::from);
        }
        let from = &line["forkedFrom"]["sessionId"];
        if from.as_str().is_some_and(|from| Some(from) != self.session.as_deref()) {
            self.left.forked += 1;
            return Vec::new();
        }
        match line["type"].as_str() {
            Some("user") => self.user(line),
            Some("assistant") => self.assistant(line),
            _ => Vec::new(),
        }
    }

    /// Returns the hook events at the end of the session.
    pub fn end(&mut self) -> Vec<Step> {
        // A session that was resumed ends again, behind another line.
        let last = self.turn.as_ref().map(|turn| (turn.line.clone(), turn.at));
        let mut steps = self.stop();
        if let (Some(session), Some((line, at))) = (&self.session, last) {
            let payload = json!({"session_id": session, "reason": "other"});
            let id = derive_id(session, "end", &line);
            steps.push(Step { event: "SessionEnd", payload, id, at });
        }
        if self.subagent.is_some() {
            steps.retain(|step| step.event != "SessionEnd");
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
        if is_generated(line) {
            match line["isCompactSummary"] == true {
                true => self.left.compactions += 1,
                false => self.left.generated += 1,
            }
            return Vec::new();
        }
        let text = join_text(content);
        if text.starts_with("[Request interrupted") {
            return self.answer_command();
        }
        if text.trim().is_empty() || text.starts_with("<bash-") {
            return Vec::new();
        }
        self.command = None;
        if text.starts_with("<local-command") {
            return Vec::new();
        }
        if text.starts_with("<command-") {
            self.command = Some(line.clone());
            return Vec::new();
        }
        self.prompt(line, text)
    }

    /// Returns the events of the pending command, which a model has answered.
    fn answer_command(&mut self) -> Vec<Step> {
        let Some(line) = self.command.take() else { return Vec::new() };
        let text = join_text(&line["message"]["content"]);
        self.prompt(&line, slash_command(&text))
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
            error: None,
            line: uuid.clone(),
            at,
        });
        // What a subagent is asked is a tool input of its session.
        if self.subagent.is_some() {
            return steps;
        }
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

    fn assistant(&mut self, line: &Value) -> Vec<Step> {
        let is_error = line["isApiErrorMessage"] == true;
        // The client itself writes "No response requested." after an interruption.
        if line["message"]["model"] == "<synthetic>" && !is_error {
            self.left.generated += 1;
            return Vec::new();
        }
        let steps = self.answer_command();
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
                turn.error = is_error.then(|| line["error"].clone());
                turn.at = timestamp(line).max(turn.at);
            }
        }
        steps
    }

    fn result(&mut self, line: &Value, block: &Value) -> Vec<Step> {
        let use_id = block["tool_use_id"].as_str().unwrap_or_default();
        let Some((name, input)) = self.uses.remove(use_id) else { return Vec::new() };
        let text = join_text(&block["content"]);
        if NO_RESULT.iter().any(|start| text.starts_with(start)) {
            return Vec::new();
        }
        let uuid = line["uuid"].as_str().unwrap_or_default();
        let at = timestamp(line);
        if let Some(turn) = &mut self.turn {
            turn.line = uuid.to_owned();
            turn.at = at.max(turn.at);
        }
        let mut base = json!({
            "session_id": self.session, "cwd": line["cwd"], "prompt_id": self.turn_id(line),
            "tool_name": name, "tool_input": input, "tool_use_id": use_id,
        });
        if let Some(agent) = &self.subagent {
            base["agent_id"] = json!(agent.id);
            base["agent_type"] = json!(agent.kind());
        }
        let step = |event, more: Value, part: &str| {
            let mut payload = base.clone();
            for (key, value) in more.as_object().expect("a JSON object") {
                payload[key] = value.clone();
            }
            Step { event, payload, id: derive_id(uuid, part, use_id), at }
        };
        if block["is_error"] == true {
            return vec![step("PostToolUseFailure", json!({"error": text}), "tool_failed")];
        }
        let response = match &line["toolUseResult"] {
            Value::Null => block["content"].clone(),
            result => result.clone(),
        };
        let report = subagent_report(&name, &response)
            .filter(|(agent, ..)| !self.agents_with_file.contains(agent));
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
        if let Some(agent) = &self.subagent {
            let Some((text, uuid)) = turn.last_text else { return Vec::new() };
            let payload = json!({
                "session_id": self.session, "cwd": turn.cwd, "prompt_id": turn.id,
                "agent_id": agent.id, "agent_type": agent.kind(), "last_assistant_message": text,
            });
            let id = derive_id(&uuid, "stop", "");
            return vec![Step { event: "SubagentStop", payload, id, at: turn.at }];
        }
        let (text, uuid) = turn.last_text.unwrap_or((String::new(), turn.line));
        let event = if turn.error.is_some() { "StopFailure" } else { "Stop" };
        let payload = json!({
            "session_id": self.session, "cwd": turn.cwd, "prompt_id": turn.id,
            "last_assistant_message": text, "error": turn.error,
        });
        vec![Step { event, payload, id: derive_id(&uuid, "stop", ""), at: turn.at }]
    }

    fn turn_id(&self, line: &Value) -> Option<String> {
        let own = line["promptId"].as_str().map(str::to_owned);
        own.or_else(|| self.turn.as_ref().map(|t| t.id.clone()))
    }
}

impl Subagent {
    /// A hook without a type is one of a compaction.
    fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("subagent")
    }
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Whether the client marks a user message as its own.
fn is_generated(line: &Value) -> bool {
    line["isMeta"] == true || line["isCompactSummary"] == true
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
    time(line["timestamp"].as_str().unwrap_or_default())
}

/// Milliseconds since the epoch; 0 if the text is no time.
pub fn time(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().map_or(0, |at| at.as_millisecond())
}

fn derive_id(line: &str, kind: &str, use_id: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("{line}\n{kind}\n{use_id}").as_bytes())
}

#[cfg(test)]
#[path = "claude_code_tests.rs"]
mod tests;
