use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::case::Event;

/// A session of Claude Code in a project.
pub struct Client {
    session: String,
    project: PathBuf,
    n_turns: usize,
    n_uses: usize,
    /// The content of files as far as the events show it. Keys are absolute paths.
    files: HashMap<String, String>,
}

impl Client {
    pub fn new(session: &str, project: &Path) -> Client {
        Client {
            session: session.to_owned(),
            project: project.to_owned(),
            n_turns: 0,
            n_uses: 0,
            files: HashMap::new(),
        }
    }

    pub fn start(&self) -> Value {
        self.payload("SessionStart", json!({"source": "startup", "model": "claude-opus-5-5"}))
    }

    pub fn end(&self) -> Value {
        self.payload("SessionEnd", json!({"reason": "prompt_input_exit"}))
    }

    /// The payloads of the hooks that the client calls for an event.
    pub fn payloads(&mut self, event: &Event) -> Vec<Value> {
        match event {
            Event::Prompt { prompt } => {
                self.n_turns += 1;
                vec![self.payload("UserPromptSubmit", json!({"prompt": prompt}))]
            }
            Event::Tool { tool, input, failed, response } => {
                vec![self.tool(tool, input, *failed, response.as_ref())]
            }
            Event::Subagent { subagent, report } => self.subagent(subagent, report),
            Event::Stop { stop } => {
                let rest = json!({"stop_hook_active": false, "last_assistant_message": stop});
                vec![self.payload("Stop", rest)]
            }
            Event::Interrupt { .. } => Vec::new(),
            Event::StopFailed { stop_failed } => {
                let error = if stop_failed.contains("429") || stop_failed.contains("limit") {
                    "rate_limit"
                } else {
                    "server_error"
                };
                let rest = json!({"error": error, "last_assistant_message": stop_failed});
                vec![self.payload("StopFailure", rest)]
            }
        }
    }

    fn payload(&self, event: &str, rest: Value) -> Value {
        let mut payload = json!({"session_id": self.session, "cwd": self.project,
            "hook_event_name": event});
        if self.n_turns > 0 {
            payload["prompt_id"] = format!("{}-{}", self.session, self.n_turns).into();
        }
        payload.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        payload
    }

    fn tool(&mut self, tool: &str, input: &Value, failed: bool, response: Option<&Value>) -> Value {
        let mut input = input.clone();
        for key in ["file_path", "notebook_path", "path"] {
            self.make_absolute(&mut input[key]);
        }
        if let Some(input) = input.as_object_mut() {
            input.retain(|_, value| !value.is_null());
        }
        let use_id = self.next_use();
        if failed {
            let error = response.and_then(Value::as_str).unwrap_or("Error");
            return self.payload(
                "PostToolUseFailure",
                json!({"tool_name": tool, "tool_input": input, "tool_use_id": use_id,
                       "error": error, "is_interrupt": false}),
            );
        }
        let response = match (tool, response) {
            ("Edit", None) => self.edit(&mut input),
            ("Write", None) => self.write(&input),
            (_, None) => json!({}),
            (_, Some(Value::String(stdout))) => json!({"stdout": stdout, "stderr": "",
                "interrupted": false, "isImage": false, "noOutputExpected": false}),
            (_, Some(response)) => self.given(tool, &mut input, response),
        };
        self.payload(
            "PostToolUse",
            json!({"tool_name": tool, "tool_input": input, "tool_response": response,
                   "tool_use_id": use_id}),
        )
    }

    fn next_use(&mut self) -> String {
        self.n_uses += 1;
        format!("toolu_{}_{}", self.session, self.n_uses)
    }

    fn make_absolute(&self, path: &mut Value) {
        if let Some(relative) = path.as_str().filter(|path| !path.starts_with(['/', '~'])) {
            *path = json!(self.project.join(relative));
        }
    }

    /// A response as the case gives it.
    fn given(&mut self, tool: &str, input: &mut Value, response: &Value) -> Value {
        let mut response = response.clone();
        if let Some(path) = response.get_mut("filePath") {
            self.make_absolute(path);
        }
        if let Some(file) = response.get_mut("file") {
            self.make_absolute(&mut file["filePath"]);
            let text = |key: &str| file[key].as_str().map(str::to_owned);
            if let (Some(path), Some(content)) = (text("filePath"), text("content")) {
                self.files.insert(path, content);
            }
        }
        // The client adds what the user clicked to the input, too.
        if tool == "AskUserQuestion" {
            for key in ["answers", "annotations"] {
                input[key] = response[key].clone();
            }
        }
        response
    }

    fn edit(&mut self, input: &mut Value) -> Value {
        if input.get("replace_all").is_none() {
            input["replace_all"] = false.into();
        }
        let text = |key: &str| input[key].as_str().unwrap_or_default();
        let (path, old, new) = (text("file_path"), text("old_string"), text("new_string"));
        let known = self.files.get(path).filter(|content| content.contains(old));
        let before = known.map_or(old, String::as_str).to_owned();
        let after = match input["replace_all"].as_bool() {
            Some(true) => before.replace(old, new),
            _ => before.replacen(old, new, 1),
        };
        self.files.insert(path.to_owned(), after.clone());
        json!({"filePath": path, "oldString": old, "newString": new, "originalFile": before,
               "structuredPatch": [hunk(&before, &after)], "userModified": false,
               "replaceAll": input["replace_all"]})
    }

    fn write(&mut self, input: &Value) -> Value {
        let (path, content) = (&input["file_path"], &input["content"]);
        let after = content.as_str().unwrap_or_default();
        let before = self.files.insert(path.as_str().unwrap_or_default().to_owned(), after.into());
        let kind = if before.is_some() { "update" } else { "create" };
        let patch: Vec<Value> = before.iter().map(|before| hunk(before, after)).collect();
        json!({"type": kind, "filePath": path, "content": content, "structuredPatch": patch,
               "originalFile": before, "userModified": false})
    }

    fn subagent(&mut self, kind: &str, report: &str) -> Vec<Value> {
        let use_id = self.next_use();
        let agent = format!("agent-{use_id}");
        let stop = json!({"agent_id": agent, "agent_type": kind, "stop_hook_active": false,
            "last_assistant_message": report});
        let first = report.lines().next().unwrap_or_default().trim_start_matches(['#', ' ', '*']);
        let description: Vec<&str> = first.split_whitespace().take(5).collect();
        let used = json!({"tool_name": "Agent", "tool_use_id": use_id,
            "tool_input": {"description": description.join(" "), "prompt": first,
                           "subagent_type": kind, "run_in_background": false},
            "tool_response": {"status": "completed", "agentId": agent, "agentType": kind,
                              "content": [{"type": "text", "text": report}]}});
        vec![self.payload("SubagentStop", stop), self.payload("PostToolUse", used)]
    }
}

/// The changed lines as one hunk, with up to three lines of context on each side.
fn hunk(before: &str, after: &str) -> Value {
    const CONTEXT: usize = 3;
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same_first = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[same_first..], &new[same_first..]);
    let pairs = old_rest.iter().rev().zip(new_rest.iter().rev());
    let same_last = pairs.take_while(|(old, new)| old == new).count();
    let (old_end, new_end) = (old.len() - same_last, new.len() - same_last);
    let start = same_first.saturating_sub(CONTEXT);
    let (n_before, n_after) = (same_first - start, same_last.min(CONTEXT));
    let prefixed = |prefix, lines: &[&str]| -> Vec<String> {
        lines.iter().map(|line| format!("{prefix}{line}")).collect()
    };
    let lines = [
        prefixed(" ", &old[start..same_first]),
        prefixed("-", &old[same_first..old_end]),
        prefixed("+", &new[same_first..new_end]),
        prefixed(" ", &old[old_end..old_end + n_after]),
    ];
    json!({"oldStart": start + 1, "oldLines": n_before + old_end - same_first + n_after,
           "newStart": start + 1, "newLines": n_before + new_end - same_first + n_after,
           "lines": lines.concat()})
}

#[test]
fn payloads_have_the_keys_of_recorded_ones() {
    use crate::support::recordings;

    let mut client = Client::new("s", Path::new("/p"));
    let mut events = |text: &str| client.payloads(&serde_json::from_str(text).unwrap());
    let made = [
        events(r#"{"prompt": "go"}"#),
        events(r#"{"tool": "Write", "input": {"file_path": "a.rs", "content": "a\nb\nc\n"}}"#),
        events(r#"{"tool": "Edit", "input": {"file_path": "a.rs", "old_string": "b", "new_string": "x\ny"}}"#),
        events(r#"{"tool": "Bash", "input": {"command": "true"}, "response": ""}"#),
        events(r#"{"tool": "Bash", "input": {"command": "false"}, "failed": true, "response": "Exit code 1"}"#),
        events(r#"{"subagent": "Explore", "report": "One."}"#),
        events(r#"{"stop": "Done."}"#),
        events(r#"{"stop_failed": "API Error: 529"}"#),
    ]
    .concat();
    let recorded = [
        "UserPromptSubmit.interactive",
        "PostToolUse.Write-create",
        "PostToolUse.Edit",
        "PostToolUse.Bash",
        "PostToolUseFailure.Bash",
        "SubagentStop.Explore",
        "PostToolUse.Agent-foreground",
        "Stop.interactive",
        "StopFailure.529",
    ];
    assert_eq!(made.len(), recorded.len());
    for (made, name) in made.iter().zip(recorded) {
        assert_known_keys(made, &recordings::payload(name), name);
    }
    assert_eq!(made[2]["tool_response"]["originalFile"], "a\nb\nc\n");
    let lines = json!([" a", "-b", "+x", "+y", " c"]);
    assert_eq!(made[2]["tool_response"]["structuredPatch"][0]["lines"], lines);
    assert_eq!(made[1]["tool_input"]["file_path"], "/p/a.rs");
}

/// Every key of `made`, at any depth, is a key of the recorded payload.
#[cfg(test)]
fn assert_known_keys(made: &Value, recorded: &Value, at: &str) {
    for (key, value) in made.as_object().into_iter().flatten() {
        let known = recorded.get(key).unwrap_or_else(|| panic!("{at}: unknown key {key}"));
        assert_known_keys(value, known, &format!("{at}.{key}"));
    }
}
