//! A session that works in a project: payloads as Claude Code sends them, and the files that they
//! change.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::World;
use super::directories::git;
use super::world::{Output, run};

pub struct Work<'a> {
    w: &'a World,
    /// The root of the project, a git repository.
    pub dir: PathBuf,
    session: String,
    turn: usize,
    uses: usize,
}

impl<'a> Work<'a> {
    /// A session in the repository `project` of the home directory.
    pub fn new(w: &'a World, project: &str, session: &str) -> Work<'a> {
        let dir = w.path("home").join(project);
        if !dir.exists() {
            fs::create_dir_all(&dir).unwrap();
            git(w, &dir, &["init", "-q"]);
        }
        Work { w, dir, session: session.to_owned(), turn: 0, uses: 0 }
    }

    fn send(&self, mut payload: Value) -> Value {
        payload["session_id"] = json!(self.session);
        payload["cwd"] = json!(self.dir);
        payload["prompt_id"] = json!(format!("{}-{}", self.session, self.turn));
        self.w.hook(&payload)
    }

    fn tool(&mut self, mut payload: Value) {
        self.uses += 1;
        payload["tool_use_id"] = json!(format!("toolu_{}_{}", self.session, self.uses));
        self.send(payload);
    }

    /// Returns the response of the hook.
    pub fn prompt(&mut self, text: &str) -> Value {
        self.turn += 1;
        self.send(json!({"hook_event_name": "UserPromptSubmit", "prompt": text}))
    }

    /// Ends the turn with the assistant's message, and waits until it is stored.
    pub fn stop(&self, text: &str) {
        self.send(json!({"hook_event_name": "Stop", "stop_hook_active": false,
                         "last_assistant_message": text}));
        self.w.settle();
    }

    pub fn write(&mut self, file: &str, text: &str) {
        let path = self.dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        self.tool(json!({"hook_event_name": "PostToolUse", "tool_name": "Write",
            "tool_input": {"file_path": path, "content": text},
            "tool_response": {"type": "create", "filePath": path, "content": text,
                              "structuredPatch": [], "originalFile": null}}));
    }

    pub fn edit(&mut self, file: &str, old: &str, new: &str) {
        let path = self.dir.join(file);
        let before = fs::read_to_string(&path).unwrap();
        assert!(before.contains(old), "{before}");
        fs::write(&path, before.replacen(old, new, 1)).unwrap();
        self.tool(json!({"hook_event_name": "PostToolUse", "tool_name": "Edit",
            "tool_input": {"file_path": path, "old_string": old, "new_string": new,
                           "replace_all": false},
            "tool_response": {"filePath": path, "oldString": old, "newString": new,
                              "originalFile": before, "userModified": false}}));
    }

    pub fn runs(&mut self, command: &str, output: &str) {
        self.tool(json!({"hook_event_name": "PostToolUse", "tool_name": "Bash",
            "tool_input": {"command": command},
            "tool_response": {"stdout": output, "stderr": "", "interrupted": false,
                              "isImage": false}}));
    }

    pub fn fails(&mut self, command: &str, code: u8, output: &str) {
        self.tool(json!({"hook_event_name": "PostToolUseFailure", "tool_name": "Bash",
            "tool_input": {"command": command}, "is_interrupt": false,
            "error": format!("Exit code {code}\n{output}")}));
    }

    /// Runs memctl in the project, or in a directory of it.
    pub fn memctl(&self, dir: &str, args: &[&str]) -> Output {
        self.w.memctl_in(&self.dir.join(dir), args)
    }

    pub fn memctl_with(&self, dir: &str, args: &[&str], input: &[u8]) -> Output {
        run(self.w.program().current_dir(self.dir.join(dir)).args(args), input)
    }
}
