//! What the clients call things: which of their events mean what, and which of their tools are
//! recorded how. Codex took Claude Code's words over; what it calls otherwise is in the tables
//! too, for no name means two things. A client with words of its own gets an arm of its own.

/// What an event of a client's means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookEvent {
    Start,
    Prompt,
    BeforeTool,
    Tool,
    ToolFailed,
    Subagent,
    Stop,
    StopFailed,
    End,
    /// Known, and of no use for the memory.
    Unused,
    Unknown,
}

/// How a tool's use is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Bookkeeping of the client's, or our own: leaves no trace.
    Skipped,
    /// Starts a subagent, whose report comes with its own event.
    Agent,
    /// Changes a file; its response repeats the file's former content.
    Edit,
    /// Runs a command line.
    Command,
    Other,
}

/// The happening that `event` stands for in `client`'s words.
pub fn hook_event(client: &str, event: &str) -> HookEvent {
    match (client, event) {
        (_, "SessionStart") => HookEvent::Start,
        (_, "UserPromptSubmit") => HookEvent::Prompt,
        (_, "PreToolUse") => HookEvent::BeforeTool,
        (_, "PostToolUse") => HookEvent::Tool,
        (_, "PostToolUseFailure") => HookEvent::ToolFailed,
        (_, "SubagentStop") => HookEvent::Subagent,
        (_, "Stop") => HookEvent::Stop,
        (_, "StopFailure") => HookEvent::StopFailed,
        (_, "SessionEnd") => HookEvent::End,
        (
            _,
            "ConfigChange"
            | "CwdChanged"
            | "DirectoryAdded"
            | "Elicitation"
            | "ElicitationResult"
            | "FileChanged"
            | "InstructionsLoaded"
            | "Interrupt"
            | "MessageDisplay"
            | "Notification"
            | "PermissionDenied"
            | "PermissionRequest"
            | "PostCompact"
            | "PostModelSwitch"
            | "PostToolBatch"
            | "PreCompact"
            | "PreModelSwitch"
            | "Setup"
            | "SubagentStart"
            | "TaskCompleted"
            | "TaskCreated"
            | "TeammateIdle"
            | "UserPromptExpansion"
            | "WorktreeCreate"
            | "WorktreeRemove",
        ) => HookEvent::Unused,
        _ => HookEvent::Unknown,
    }
}

/// How uses of `tool` are recorded.
pub fn role(_client: &str, tool: &str) -> Role {
    match tool {
        "TodoWrite"
        | "TaskCreate"
        | "TaskUpdate"
        | "TaskList"
        | "TaskGet"
        | "TaskOutput"
        | "AskUserQuestion"
        | "ToolSearch"
        | "ListMcpResourcesTool"
        | "SlashCommand"
        | "Skill"
        | "EnterPlanMode"
        | "ExitPlanMode" => Role::Skipped,
        // Codex.
        "update_plan" => Role::Skipped,
        _ if tool.starts_with("Cron") => Role::Skipped,
        _ if tool.starts_with("mcp__memctl__") => Role::Skipped,
        _ if tool.starts_with("mcp__plugin_memctl_memctl__") => Role::Skipped,
        "Agent" | "Task" => Role::Agent,
        "Edit" | "Write" | "MultiEdit" | "NotebookEdit" => Role::Edit,
        "Bash" | "shell" | "local_shell" | "exec_command" => Role::Command,
        _ => Role::Other,
    }
}

/// Members of an edit's response that repeat a whole file, which the patch makes needless.
pub const FILE_COPIES: [&str; 3] = ["originalFile", "original_file", "updated_file"];

/// Members of a tool's input that name the file it is about.
pub const PATHS: [&str; 6] =
    ["file_path", "notebook_path", "path", "filePath", "absolute_path", "filename"];

/// Those of them whose file lies on this machine, and was read or written as a whole.
pub const FILES: [&str; 4] = ["file_path", "notebook_path", "filePath", "absolute_path"];

/// A prompt that the client submitted by itself begins so: the end of a background task.
pub const NOTIFICATION: &str = "<task-notification";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools() {
        for skipped in [
            "TodoWrite",
            "TaskUpdate",
            "CronCreate",
            "CronList",
            "mcp__memctl__search",
            "mcp__plugin_memctl_memctl__show",
            "Skill",
        ] {
            assert_eq!(role("claude-code", skipped), Role::Skipped, "{skipped}");
        }
        assert_eq!(role("claude-code", "Task"), Role::Agent);
        assert_eq!(role("claude-code", "mcp__memctlish__x"), Role::Other);
        assert_eq!(role("codex", "shell"), Role::Command);
    }

    #[test]
    fn events() {
        assert_eq!(hook_event("codex", "Stop"), HookEvent::Stop);
        assert_eq!(hook_event("claude-code", "PostToolBatch"), HookEvent::Unused);
        assert_eq!(hook_event("claude-code", "posttooluse"), HookEvent::Unknown);
    }
}
