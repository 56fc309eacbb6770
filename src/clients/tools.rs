//! The table of tool names: what each tool of a client does.
//!
//! Clients spell the same tool `Read`, `read_file` or `readFile`, so names are compared without
//! case, `_` and `-`. A name means the same for all clients. Only MCP tools depend on the client,
//! because OpenCode and Copilot join the names of server and tool by `_` or `-`.

use super::arguments::{Arguments, normalize};
use super::patch;

/// One use of a tool: its kind and its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolUse {
    pub kind: ToolKind,
    /// Paths in the arguments, then those in patches. May include patterns.
    pub paths: Vec<String>,
    /// Command lines and code that the tool runs.
    pub commands: Vec<String>,
    /// The text of a patch.
    pub patch: Option<String>,
    pub url: Option<String>,
    /// What the tool searches for.
    pub query: Option<String>,
}

/// What kind of tool was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolKind {
    /// Reads files.
    Read,
    /// Finds files, or lines in files.
    Search,
    /// Replaces parts of a file, or removes it.
    Edit,
    /// Writes whole files.
    Write,
    /// Applies a patch to one or more files.
    Patch,
    /// Runs a command line.
    Shell,
    /// Fetches a page, or searches the web.
    Fetch,
    /// Starts a subagent. Its report usually arrives as an event of its own.
    Subagent,
    /// Asks the user. The response contains the answers.
    Question,
    /// Keeps the client's list of tasks.
    Tasks,
    /// Shows a plan to the user. It succeeds if the user approves.
    Plan,
    /// Any other tool of an MCP server.
    Mcp {
        server: String,
        tool: String,
    },
    /// Controls the client's own shells, worktrees and agents, or loads a skill. Not part of the work, but its
    /// output may be text of others.
    Control,
    /// Never recorded: the client's bookkeeping, and memctl's own tools.
    Skipped,
    Other,
}

/// Keys in a response that contain a copy of a whole file, or of the task list in the input.
pub const COPIES: [&str; 5] =
    ["originalFile", "original_file", "updated_file", "oldTodos", "newTodos"];

impl ToolUse {
    /// Reads a use of `tool`. `input` is the tool's input as the client sent it or as memctl stored it:
    /// JSON, truncated JSON or plain text.
    pub fn new(client: &str, tool: &str, input: Option<&str>) -> ToolUse {
        let mut found = input.map(Arguments::from_input).unwrap_or_default();
        let known_kind = kind_by_name(client, tool);
        let is_shell = matches!(known_kind, Some(ToolKind::Shell));
        if is_shell && found.commands.is_empty() {
            found.commands.append(&mut found.texts);
        }
        let patch = found.texts.iter().chain(&found.commands).find(|text| patch::is_patch(text));
        let patch = patch.cloned();
        let kind = match known_kind {
            // Some edit tools have a command `view`.
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

    /// The one file that the use reads or changes.
    pub fn file(&self) -> Option<&str> {
        let has_one = matches!(self.kind, ToolKind::Read | ToolKind::Edit | ToolKind::Write);
        self.paths.first().filter(|_| has_one).map(String::as_str)
    }

    pub fn command(&self) -> Option<&str> {
        self.commands.first().map(String::as_str)
    }

    /// Whether the use changes files with the client's own edit tools.
    pub fn edits(&self) -> bool {
        matches!(self.kind, ToolKind::Edit | ToolKind::Write | ToolKind::Patch)
    }
}

/// The kind of a tool by its name, or `None` if the name is unknown.
fn kind_by_name(client: &str, tool: &str) -> Option<ToolKind> {
    if let Some((server, tool)) = mcp_name(tool) {
        return Some(mcp_kind(server, tool));
    }
    let name = normalize(tool);
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
        "todowrite" | "writetodos" | "updatetodo" | "updatetodolist" | "managetodolist"
        | "settodolist" | "taskcreate" | "taskupdate" | "updateplan" => ToolKind::Tasks,
        "createplan" | "exitplanmode" | "planexit" | "exitspecmode" => ToolKind::Plan,
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
        | "taskoutput"
        | "skill"
        | "activateskill"
        | "collaborationwaitagent"
        | "waitagent"
        | "closeagent"
        | "sendinput" => ToolKind::Control,
        "todoread"
        | "tasklist"
        | "taskget"
        | "toolsearch"
        | "listmcpresourcestool"
        | "slashcommand"
        | "enterplanmode"
        | "reportintent" => ToolKind::Skipped,
        name if name.starts_with("cron") => ToolKind::Skipped,
        _ => {
            let (server, tool) = match client {
                "opencode" => tool.split_once('_')?,
                "copilot-cli" | "copilot" => tool.split_once('-')?,
                _ => return None,
            };
            mcp_kind(server, tool)
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

/// The kind of an MCP tool. Many servers fetch from the network, which only their names show.
fn mcp_kind(server: &str, tool: &str) -> ToolKind {
    if server == "memctl" || server == "plugin_memctl_memctl" {
        return ToolKind::Skipped;
    }
    const NETWORK: [&str; 12] = [
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
    match NETWORK.iter().any(|word| name.contains(word)) {
        true => ToolKind::Fetch,
        false => ToolKind::Mcp { server: server.to_owned(), tool: tool.to_owned() },
    }
}

/// The kind of a tool with an unknown name, guessed from its arguments.
fn kind_by_arguments(found: &Arguments, has_patch: bool) -> ToolKind {
    if has_patch && !found.has_command {
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
    fn tool_names_of_all_clients_are_known() {
        let any = "claude-code";
        check(any, &["Read", "read_file", "view", "view_image", "read"], &ToolKind::Read);
        check(any, &["Grep", "search_file_content", "grep_search", "LS"], &ToolKind::Search);
        check(any, &["Edit", "MultiEdit", "replace", "search_replace"], &ToolKind::Edit);
        check(any, &["Write", "Create", "write_file"], &ToolKind::Write);
        check(any, &["apply_patch", "ApplyPatch"], &ToolKind::Patch);
        check(any, &["Bash", "Execute", "run_terminal_cmd", "exec_command"], &ToolKind::Shell);
        check(any, &["WebFetch", "google_web_search", "FetchUrl"], &ToolKind::Fetch);
        check(any, &["Task", "agent", "invoke_agent"], &ToolKind::Subagent);
        check(any, &["TodoWrite", "write_todos", "update_plan", "TaskUpdate"], &ToolKind::Tasks);
        check(any, &["ExitPlanMode", "exit_plan_mode", "ExitSpecMode"], &ToolKind::Plan);
        check(any, &["AskUserQuestion", "ask_user"], &ToolKind::Question);
        check(any, &["CronCreate", "CronList", "TaskList"], &ToolKind::Skipped);
        check(any, &["BashOutput", "TaskOutput", "read_bash", "Skill"], &ToolKind::Control);
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
    fn an_unknown_tool_gets_its_kind_from_its_arguments() {
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
    fn patches_are_found_in_any_argument() {
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
