//! Which tool of a client does what: the one table of tool names.
//!
//! Clients spell the same tool `Read`, `read_file` or `readFile`, so names are compared without
//! case, `_` and `-`. No name means two things, except those of MCP tools: OpenCode and Copilot
//! join server and tool by `_` or `-`.

use super::arguments::{Arguments, plain};
use super::patch;

/// One use of a tool: what kind it is, and what it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolUse {
    pub kind: ToolKind,
    /// Files the use names: its arguments, then those of its patches. May hold patterns.
    pub paths: Vec<String>,
    /// Command lines and code that it runs.
    pub commands: Vec<String>,
    /// The text of a patch.
    pub patch: Option<String>,
    pub url: Option<String>,
    /// What is searched for.
    pub query: Option<String>,
}

/// What kind of tool was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolKind {
    /// Shows files.
    Read,
    /// Lists files, or lines of them.
    Search,
    /// Replaces parts of files, or removes them.
    Edit,
    /// Writes whole files.
    Write,
    /// Applies a patch to one or more files.
    Patch,
    /// Runs a command line.
    Shell,
    /// Fetches a page, or searches the web.
    Fetch,
    /// Starts a subagent, whose report comes with its own event.
    Subagent,
    /// Asks the user.
    Question,
    /// Keeps a list of tasks, or proposes a plan.
    Plan,
    /// Any other tool of an MCP server.
    Mcp {
        server: String,
        tool: String,
    },
    /// Handles the client's own shells, worktrees and agents; says nothing about the work.
    Control,
    /// Leaves no trace: the client's bookkeeping, and memctl's own tools.
    Skipped,
    Other,
}

/// Members of an edit's response that repeat a whole file.
pub const FILE_COPIES: [&str; 3] = ["originalFile", "original_file", "updated_file"];

impl ToolUse {
    /// Reads a use of `tool`. `input`: the tool's input as the client sent it or as it was stored:
    /// JSON, JSON that was cut, or plain text.
    pub fn new(client: &str, tool: &str, input: Option<&str>) -> ToolUse {
        let mut found = input.map(Arguments::from_input).unwrap_or_default();
        let named = kind(client, tool);
        let is_shell = matches!(named, Some(ToolKind::Shell));
        if is_shell && found.commands.is_empty() {
            found.commands.append(&mut found.texts);
        }
        let patch = found.texts.iter().chain(&found.commands).find(|text| patch::is_patch(text));
        let patch = patch.cloned();
        let kind = match named {
            // Views and edits are commands of one tool.
            Some(ToolKind::Edit) if found.commands.first().is_some_and(|c| c == "view") => {
                ToolKind::Read
            }
            Some(kind) => kind,
            None => kind_by_arguments(&found, patch.is_some()),
        };
        let mut paths = found.paths;
        let patches = found.texts.iter().chain(&found.commands);
        paths.extend(patches.flat_map(|text| patch::paths(text)).map(str::to_owned));
        let query = found.pattern.or(found.query);
        let query = if kind == ToolKind::Fetch { query.or(found.prompt) } else { query };
        ToolUse { kind, paths, commands: found.commands, patch, url: found.url, query }
    }

    /// The one file that the use shows or changes as a whole.
    pub fn file(&self) -> Option<&str> {
        let whole = matches!(self.kind, ToolKind::Read | ToolKind::Edit | ToolKind::Write);
        self.paths.first().filter(|_| whole).map(String::as_str)
    }

    pub fn command(&self) -> Option<&str> {
        self.commands.first().map(String::as_str)
    }

    /// Whether the use changes files through the client.
    pub fn edits(&self) -> bool {
        matches!(self.kind, ToolKind::Edit | ToolKind::Write | ToolKind::Patch)
    }
}

/// The kind of a tool with this name. `None`: the name is unknown.
fn kind(client: &str, tool: &str) -> Option<ToolKind> {
    if let Some((server, tool)) = mcp_name(tool) {
        return Some(mcp(server, tool));
    }
    let name = plain(tool);
    let kind = match &*name {
        "read" | "readfile" | "readmanyfiles" | "readmultiplefiles" | "readtextfile"
        | "readmediafile" | "readimage" | "viewimage" | "notebookread" | "view" | "viewfile"
        | "openfile" | "fsread" => ToolKind::Read,
        "grep" | "glob" | "ls" | "list" | "find" | "rg" | "lsp" | "listdirectory" | "listdir"
        | "searchfilecontent" | "grepsearch" | "grepfiles" | "findfiles" | "filesearch"
        | "searchfiles" | "globfilesearch" | "codebasesearch" => ToolKind::Search,
        "edit"
        | "multiedit"
        | "editfile"
        | "replace"
        | "strreplace"
        | "searchreplace"
        | "replaceinfile"
        | "notebookedit"
        | "editnotebook"
        | "strreplaceeditor"
        | "strreplacebasededittool"
        | "texteditor"
        | "delete"
        | "deletefile" => ToolKind::Edit,
        "write" | "writefile" | "create" | "createfile" | "writetofile" | "fswrite" => {
            ToolKind::Write
        }
        "applypatch" | "patch" | "applydiff" => ToolKind::Patch,
        "bash" | "powershell" | "shell" | "shellcommand" | "localshell" | "execcommand"
        | "unifiedexec" | "runshellcommand" | "runterminalcmd" | "runterminalcommand"
        | "runinterminal" | "runcommand" | "execute" | "executecommand" | "executebash" => {
            ToolKind::Shell
        }
        "webfetch" | "websearch" | "googlewebsearch" | "fetchurl" | "codesearch" => ToolKind::Fetch,
        "agent" | "task" | "invokeagent" | "spawnagent" | "collaborationspawnagent" => {
            ToolKind::Subagent
        }
        "askuserquestion"
        | "askuser"
        | "askquestion"
        | "requestuserinput"
        | "question"
        | "askfollowupquestion" => ToolKind::Question,
        "todowrite" | "todoread" | "writetodos" | "updatetodo" | "taskcreate" | "taskupdate"
        | "updateplan" | "createplan" | "exitplanmode" | "planexit" | "exitspecmode" => {
            ToolKind::Plan
        }
        "bashoutput"
        | "killshell"
        | "killbash"
        | "readbash"
        | "writebash"
        | "stopbash"
        | "listbash"
        | "writestdin"
        | "taskstop"
        | "enterworktree"
        | "exitworktree"
        | "collaborationwaitagent"
        | "waitagent"
        | "closeagent"
        | "sendinput" => ToolKind::Control,
        "tasklist"
        | "taskget"
        | "taskoutput"
        | "toolsearch"
        | "listmcpresourcestool"
        | "slashcommand"
        | "skill"
        | "activateskill"
        | "enterplanmode"
        | "reportintent" => ToolKind::Skipped,
        name if name.starts_with("cron") => ToolKind::Skipped,
        _ => {
            let (server, tool) = match client {
                "opencode" => tool.split_once('_')?,
                "copilot-cli" | "copilot" => tool.split_once('-')?,
                _ => return None,
            };
            mcp(server, tool)
        }
    };
    Some(kind)
}

/// Server and tool of `mcp__server__tool`, Gemini's `mcp_server_tool` and Cursor's `MCP:tool`.
fn mcp_name(name: &str) -> Option<(&str, &str)> {
    if let Some(rest) = name.strip_prefix("mcp__") {
        return rest.split_once("__");
    }
    if let Some(tool) = name.strip_prefix("MCP:") {
        return Some(("mcp", tool));
    }
    name.strip_prefix("mcp_")?.split_once('_')
}

fn mcp(server: &str, tool: &str) -> ToolKind {
    if server == "memctl" || server == "plugin_memctl_memctl" {
        return ToolKind::Skipped;
    }
    const NET: [&str; 12] = [
        "fetch",
        "web",
        "browse",
        "crawl",
        "scrape",
        "tavily",
        "exa__",
        "brave",
        "firecrawl",
        "puppeteer",
        "playwright",
        "context7",
    ];
    let name = format!("{server}__{tool}").to_lowercase();
    match NET.iter().any(|word| name.contains(word)) {
        true => ToolKind::Fetch,
        false => ToolKind::Mcp { server: server.to_owned(), tool: tool.to_owned() },
    }
}

/// The kind of a tool whose name is unknown.
fn kind_by_arguments(found: &Arguments, patches: bool) -> ToolKind {
    if patches && !found.has_command {
        ToolKind::Patch
    } else if found.replaces && !found.paths.is_empty() {
        ToolKind::Edit
    } else if found.has_content && found.names_file {
        ToolKind::Write
    } else if found.has_command {
        ToolKind::Shell
    } else if found.url.is_some() {
        ToolKind::Fetch
    } else if found.names_file {
        ToolKind::Read
    } else {
        ToolKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(client: &str, tools: &[&str], expected: &ToolKind) {
        for tool in tools {
            assert_eq!(&ToolUse::new(client, tool, None).kind, expected, "{client} {tool}");
        }
    }

    #[test]
    fn every_client_has_its_names() {
        let any = "claude-code";
        check(any, &["Read", "read_file", "view", "view_image", "read"], &ToolKind::Read);
        check(any, &["Grep", "search_file_content", "grep_search", "LS"], &ToolKind::Search);
        check(any, &["Edit", "MultiEdit", "replace", "search_replace"], &ToolKind::Edit);
        check(any, &["Write", "Create", "write_file"], &ToolKind::Write);
        check(any, &["apply_patch", "ApplyPatch"], &ToolKind::Patch);
        check(any, &["Bash", "Execute", "run_terminal_cmd", "exec_command"], &ToolKind::Shell);
        check(any, &["WebFetch", "google_web_search", "FetchUrl"], &ToolKind::Fetch);
        check(any, &["Task", "agent", "invoke_agent"], &ToolKind::Subagent);
        check(any, &["TodoWrite", "write_todos", "update_plan", "TaskUpdate"], &ToolKind::Plan);
        check(any, &["AskUserQuestion", "ask_user"], &ToolKind::Question);
        check(any, &["CronCreate", "CronList", "Skill", "TaskOutput"], &ToolKind::Skipped);
        check(any, &["BashOutput", "KillShell", "read_bash"], &ToolKind::Control);
        check(any, &["mcp__exa__search", "mcp__firecrawl__map"], &ToolKind::Fetch);
        check(any, &["mcp__memctl__search", "mcp_memctl_show"], &ToolKind::Skipped);
        check(any, &["mcp__plugin_memctl_memctl__show"], &ToolKind::Skipped);
        check("opencode", &["memctl_search"], &ToolKind::Skipped);
        check("copilot-cli", &["memctl-search"], &ToolKind::Skipped);
        check(any, &["memctl_search", "no_such_tool"], &ToolKind::Other);
        let echo = ToolKind::Mcp { server: "echo".into(), tool: "echo".into() };
        check("codex", &["mcp__echo__echo"], &echo);
        check("gemini-cli", &["mcp_echo_echo"], &echo);
        check("opencode", &["echo_echo"], &echo);
        check("copilot-cli", &["echo-echo"], &echo);
    }

    #[test]
    fn an_unknown_tool_is_judged_by_its_arguments() {
        let kind = |input: &str| ToolUse::new("x", "tool", Some(input)).kind;
        assert_eq!(kind(r#"{"path":"a","new_string":"b"}"#), ToolKind::Edit);
        assert_eq!(kind(r#"{"file_path":"a","content":"b"}"#), ToolKind::Write);
        assert_eq!(kind(r#"{"cmd":"ls"}"#), ToolKind::Shell);
        assert_eq!(kind(r#"{"url":"https://example.org"}"#), ToolKind::Fetch);
        assert_eq!(kind(r#"{"file_path":"a"}"#), ToolKind::Read);
        assert_eq!(kind(r#"{"input":"*** Begin Patch\n*** Add File: a"}"#), ToolKind::Patch);
        assert_eq!(kind("{}"), ToolKind::Other);
    }

    #[test]
    fn patches_are_found_wherever_they_are_passed() {
        let patch = "*** Begin Patch\n*** Update File: .env\n@@\n+A=1\n*** End Patch";
        let heredoc = format!("apply_patch <<'EOF'\n{patch}\nEOF");
        for (tool, input) in [
            ("apply_patch", serde_json::json!({ "command": patch })),
            ("apply_patch", serde_json::json!({ "input": patch })),
            ("apply_patch", serde_json::json!(patch)),
            ("patch", serde_json::json!({ "patchText": patch })),
            ("Bash", serde_json::json!({ "command": heredoc })),
            ("shell", serde_json::json!({ "command": ["apply_patch", patch] })),
        ] {
            let used = ToolUse::new("codex", tool, Some(&input.to_string()));
            assert_eq!(used.paths, [".env"], "{tool} {input}");
            assert!(used.patch.is_some_and(|text| text.contains("+A=1")), "{tool}");
        }
        assert_eq!(ToolUse::new("codex", "apply_patch", Some(patch)).paths, [".env"]);
    }
}
