//! Finds out where Claude Code's registration of memctl's MCP server is.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::client_hooks::{plugin, read_json};
use crate::clients::native;
use crate::config::{Settings, process_env};
use crate::project;

/// A registration of the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Registration {
    Plugin,
    /// In the client's own file, for all directories.
    User(PathBuf),
    /// In the client's own file, for one directory.
    Local(PathBuf),
    /// In `.mcp.json` of the project. The client asks before it starts the server.
    Project(PathBuf),
}

impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Registration::Plugin => f.write_str("the plugin"),
            Registration::User(file) => write!(f, "{}", file.display()),
            Registration::Local(file) => write!(f, "{} for this directory", file.display()),
            Registration::Project(file) => {
                write!(f, "{}, once you approve it there", file.display())
            }
        }
    }
}

/// The registrations that count in this directory.
pub fn registrations(settings: &Settings, dir: Option<&Path>) -> Vec<Registration> {
    let mut found = Vec::new();
    let Some(own) = native::claude_dir(settings) else { return found };
    if plugin(&own, &read_json(&own.join("settings.json"))).0 {
        found.push(Registration::Plugin);
    }
    // Beside the directory by default, inside of one that the environment names.
    let is_named = process_env("CLAUDE_CONFIG_DIR").is_some_and(|dir| !dir.is_empty());
    let file = match (is_named, own.parent()) {
        (false, Some(home)) => home.join(".claude.json"),
        (true, _) | (_, None) => own.join(".claude.json"),
    };
    let state = read_json(&file);
    if has_server(&state) {
        found.push(Registration::User(file.clone()));
    }
    let Some(dir) = dir else { return found };
    let root = project::dir_of(dir).path;
    let mut dirs = vec![root.as_path()];
    dirs.extend((dir != root).then_some(dir));
    if dirs.iter().any(|dir| has_server(&state["projects"][dir.to_string_lossy().as_ref()])) {
        found.push(Registration::Local(file));
    }
    let files = dirs.iter().map(|dir| dir.join(".mcp.json"));
    found.extend(files.filter(|file| has_server(&read_json(file))).map(Registration::Project));
    found
}

/// Whether one of these servers is `memctl mcp`.
fn has_server(settings: &Value) -> bool {
    let servers = settings["mcpServers"].as_object().into_iter().flatten();
    servers.map(|(_, server)| server).any(|server| {
        let args = server["args"].as_array().into_iter().flatten();
        let command = std::iter::once(&server["command"]).chain(args);
        let words: Vec<&str> = command.filter_map(Value::as_str).collect();
        words.iter().any(|word| word.contains("memctl")) && words.last() == Some(&"mcp")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_is_recognized_by_its_command() {
        let check = |server: Value, expected| {
            assert_eq!(has_server(&json!({"mcpServers": {"m": server}})), expected, "{server}");
        };
        check(json!({"command": "memctl", "args": ["mcp"]}), true);
        check(json!({"command": "/bin/sh", "args": ["/opt/memctl-plugin/run.sh", "mcp"]}), true);
        check(json!({"command": "memctl", "args": ["ps"]}), false);
        check(json!({"command": "other", "args": ["mcp"]}), false);
        check(json!({"url": "http://127.0.0.1/memctl"}), false);
        assert!(!has_server(&Value::Null));
    }
}
