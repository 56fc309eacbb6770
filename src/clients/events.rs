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

/// Whether the client itself sends a prompt: a background task has ended, or a schedule begins a turn.
/// `source` is the payload's field of this name.
pub fn is_notification(prompt: &str, source: Option<&str>) -> bool {
    const BY_THE_CLIENT: [&str; 4] = ["system", "loop_wakeup", "schedule_wakeup", "poll_event"];
    prompt.trim_start().starts_with("<task-notification")
        || source.is_some_and(|source| BY_THE_CLIENT.contains(&source))
}

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
    fn prompts_of_the_client_are_notifications() {
        let check = |prompt, source, expected| {
            assert_eq!(is_notification(prompt, source), expected, "{prompt} {source:?}");
        };
        check("<task-notification>\n", None, true);
        check("Look at the queue", Some("schedule_wakeup"), true);
        for source in [None, Some("user"), Some("sdk"), Some("")] {
            check("Look at the queue", source, false);
        }
    }

    #[test]
    fn event_names_are_case_sensitive() {
        assert_eq!(hook_event("codex", "Stop"), HookEvent::Stop);
        assert_eq!(hook_event("claude-code", "PostToolBatch"), HookEvent::Unused);
        assert_eq!(hook_event("claude-code", "posttooluse"), HookEvent::Unknown);
    }
}
