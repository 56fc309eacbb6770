//! The table of event names: what each hook event of a client means.

/// The meaning of a client's hook event.
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
    /// Known, but not recorded.
    Unused,
    Unknown,
}

/// Prefix of a prompt that the client itself sends when a background task has ended.
pub const NOTIFICATION: &str = "<task-notification";

/// The meaning of `event` for `client`. Codex uses Claude Code's names.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_names_are_case_sensitive() {
        assert_eq!(hook_event("codex", "Stop"), HookEvent::Stop);
        assert_eq!(hook_event("claude-code", "PostToolBatch"), HookEvent::Unused);
        assert_eq!(hook_event("claude-code", "posttooluse"), HookEvent::Unknown);
    }
}
