//! The table of texts that stand in a prompt's place and are not typed by the user, per client.

use crate::memory::Sender;
use crate::text::Words;

use super::elements::{leading_element, slash_command, without_preamble};

/// How a row recognizes its text. All comparisons ignore case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The prompt begins with an element of this name. The text after the element belongs to it.
    Element,
    /// The prompt, or a line of it, begins with this text.
    Opening,
    /// The prompt begins with this text. The user may begin a later line so.
    Start,
    /// The whole prompt is this text, without a full stop.
    Whole,
    /// The prompt is one short line that begins with this text.
    Sentence,
}

use Form::{Element, Opening, Sentence, Start, Whole};

/// A client (empty: all), how the text is recognized, the texts, who sends them.
type Row = (&'static str, Form, Words, Sender);

const TABLE: &[Row] = &[
    // Background tasks.
    (
        "",
        Element,
        Words("task-notification|system_notification|system-notification|background-task-output"),
        Sender::Client,
    ),
    ("claude-code", Opening, Words("[system notification - not user input]"), Sender::Client),
    (
        "claude-code",
        Start,
        Words("background agent \"|a background agent completed a task"),
        Sender::Client,
    ),
    ("codex", Element, Words("subagent_notification"), Sender::Client),
    // Other agents, other sessions, channels.
    (
        "",
        Element,
        Words(
            "teammate-message|agent-message|cross-session-message|channel|channel-message|\
             slack-tag-message|mcp-resource-update|mcp-polling-update",
        ),
        Sender::Agent,
    ),
    (
        "",
        Opening,
        Words(
            "another claude session sent|another session sent|another agent|[message from|\
             message from agent|message from teammate|incoming message from|[subagent hand-back]|\
             [subagent report]",
        ),
        Sender::Agent,
    ),
    // Compaction, titles and other texts for a model, and what a client says to go on.
    (
        "",
        Opening,
        Words(
            "this session is being continued from a previous conversation|\
             caveat: the messages below were generated|[request interrupted|\
             your task is to create a detailed summary|[suggestion mode:|base directory for this skill:|\
             another language model started to solve this problem|\
             a previous instance of droid has summarized|\
             the conversation history before this point was compacted|\
             the following is a summary of a branch that this conversation came back from|\
             continue if you have next steps, or stop|summarize the task tool output above|\
             the following tool was executed by the user|called the read tool with the following input|\
             --- content from referenced files|# agents.md instructions for|\
             critical: respond with text only|\
             please write a 5-10 word title for the following conversation|\
             your claude.ai usage limit has reset",
        ),
        Sender::Client,
    ),
    (
        "",
        Element,
        Words(
            "state_snapshot|environment_context|user_instructions|turn_aborted|user_shell_command|\
             local-command-stdout|local-command-stderr|local-command-caveat|bash-input|bash-stdout|\
             bash-stderr|fork-boilerplate",
        ),
        Sender::Client,
    ),
    (
        "claude-code",
        Whole,
        Words("continue from where you left off|warmup|tool loaded|no response requested"),
        Sender::Client,
    ),
    (
        "gemini-cli",
        Start,
        Words("this is the gemini cli|system: please continue|system: potential loop detected"),
        Sender::Client,
    ),
    ("gemini-cli", Start, Words("i ran the following shell command:\n```"), Sender::Client),
    ("qwen-code", Start, Words("i ran the following shell command:\n```"), Sender::Client),
    ("opencode", Whole, Words("what did we do so far?"), Sender::Client),
    // Hooks.
    ("", Element, Words("user-prompt-submit-hook|hook_prompt|post-tool-use-hook"), Sender::Hook),
    (
        "",
        Opening,
        Words(
            "stop hook feedback|subagentstop hook feedback|userpromptsubmit hook|\
             stop hook blocking error|sessionstart hook additional context",
        ),
        Sender::Hook,
    ),
    // Schedules and loops.
    ("", Element, Words("tick|cron|scheduled-task|scheduled_task|loop-wakeup"), Sender::Schedule),
    (
        "claude-code",
        Opening,
        Words("<<autonomous-loop|# autonomous loop|# /loop|[scheduled task"),
        Sender::Schedule,
    ),
    ("codex", Start, Words("automation: |automation id:"), Sender::Schedule),
    // Errors that a client puts into the conversation.
    (
        "",
        Sentence,
        Words(
            "api error: |api error (|you've hit your |you have hit your |claude usage limit reached|\
             claude ai usage limit reached|prompt is too long|credit balance is too low|\
             invalid api key ·|please run /login|not logged in ·|request timed out|\
             connection error.|oauth token has expired|stream error: |\
             stream disconnected before completion|you've reached your usage limit|\
             usage limit reached|context low ·|conversation too long|\
             unable to connect to api",
        ),
        Sender::Client,
    ),
];

/// Commands that a client carries out by itself. Others are prompts: the client expands them, and the
/// model begins a turn.
const BUILT_IN: &[(&str, Words)] = &[
    (
        "claude-code",
        Words(
            "add-dir|agents|background|bashes|branch|bug|chrome|clear|color|compact|config|\
             context|copy|cost|doctor|effort|exit|export|extra-usage|fast|feedback|fork|help|\
             hooks|ide|install-github-app|keybindings|login|logout|mcp|memory|model|\
             output-style|permissions|plugin|privacy-settings|quit|release-notes|\
             reload-plugins|remote-control|rename|resume|rewind|sandbox|settings|skills|stats|\
             status|statusline|stickers|tasks|terminal-setup|theme|todos|upgrade|usage|vim|voice",
        ),
    ),
    (
        "codex",
        Words(
            "agent|apps|approvals|clear|compact|copy|debug-config|diff|exit|experimental|\
             feedback|fork|logout|mcp|mention|model|new|permissions|personality|ps|quit|rename|\
             resume|rollout|settings|skills|status|statusline|theme",
        ),
    ),
    (
        "gemini-cli",
        Words(
            "about|agents|auth|bug|chat|clear|compress|copy|directory|docs|editor|exit|\
             extensions|footer|help|hooks|ide|logout|mcp|memory|model|permissions|policies|\
             privacy|quit|restore|resume|rewind|settings|shells|skills|stats|theme|tools|\
             upgrade|vim",
        ),
    ),
    (
        "qwen-code",
        Words(
            "about|agents|approval-mode|auth|bug|chat|clear|compress|copy|directory|docs|\
             editor|exit|extensions|help|hooks|ide|language|mcp|memory|model|permissions|quit|\
             restore|resume|settings|skills|stats|theme|tools|trust|vim",
        ),
    ),
    (
        "copilot-cli",
        Words(
            "add-dir|agent|clear|compact|context|cwd|exit|feedback|help|list-dirs|login|logout|\
             mcp|model|new|plugin|quit|rename|reset-allowed-tools|resume|session|share|skills|\
             terminal-setup|theme|usage|user",
        ),
    ),
    (
        "droid",
        Words(
            "account|bg-process|billing|clear|commands|compress|cost|droids|exit|favorite|help|\
             hooks|ide|language|login|logout|mcp|model|new|quit|rename|resume|rewind-conversation|\
             sessions|settings|share|skills|status|statusline|terminal-setup|theme",
        ),
    ),
    (
        "opencode",
        Words(
            "compact|connect|details|editor|exit|export|help|models|new|quit|redo|sessions|\
             share|summarize|themes|thinking|undo|unshare",
        ),
    ),
    (
        "pi",
        Words(
            "changelog|clear|compact|copy|exit|export|fork|hotkeys|login|logout|model|name|new|\
             quit|reload|resume|scoped-models|session|settings|share|tree",
        ),
    ),
];

/// Who wrote a prompt of `client`.
pub fn sender(client: &str, prompt: &str) -> Sender {
    let prompt = without_preamble(prompt.trim());
    if is_built_in(client, prompt) {
        return Sender::Client;
    }
    if slash_command(prompt).is_some() {
        return Sender::User;
    }
    // Reminders and attachments may stand before the prompt.
    let mut rest = prompt;
    let mut by_programs = true;
    loop {
        if let Some(sender) = by_table(client, rest) {
            return sender;
        }
        let Some((name, after)) = leading_element(rest) else { return Sender::User };
        // Only programs write names such as `system-reminder`.
        by_programs &= name.contains(['-', '_', ':']);
        if after.is_empty() {
            return if by_programs { Sender::Client } else { Sender::User };
        }
        rest = after;
    }
}

/// Whether a line begins a text that a client puts in place of a prompt or before text of others.
/// Nothing that follows is typed.
pub fn is_by_others(line: &str) -> bool {
    /// Text that the user forwards.
    const FORWARDED: Words =
        Words("--- begin |-----begin |-----original message|---------- forwarded message");
    let texts = TABLE.iter().filter(|row| row.1 == Opening).flat_map(|row| row.2.iter());
    FORWARDED.iter().chain(texts).any(|start| begins(line, start))
}

/// Whether a message is an error that the client itself reports: `You've hit your session limit`.
pub fn is_client_error(text: &str) -> bool {
    let text = text.trim();
    TABLE.iter().filter(|row| row.1 == Sentence).any(|row| is(Sentence, row.2, text))
}

fn by_table(client: &str, text: &str) -> Option<Sender> {
    let rows = TABLE.iter().filter(|row| row.0.is_empty() || is_same(row.0, client));
    rows.into_iter().find(|row| is(row.1, row.2, text)).map(|row| row.3)
}

fn is(form: Form, texts: Words, prompt: &str) -> bool {
    /// An error sentence with its advice.
    const MAX_SENTENCE: usize = 400;
    match form {
        Element => {
            let Some(inner) = prompt.strip_prefix('<') else { return false };
            let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
            texts.iter().any(|name| inner[..end.unwrap_or(inner.len())].eq_ignore_ascii_case(name))
        }
        Opening | Start => texts.iter().any(|start| begins(prompt, start)),
        Whole => texts.iter().any(|text| prompt.trim_end_matches('.').eq_ignore_ascii_case(text)),
        Sentence => {
            prompt.len() <= MAX_SENTENCE
                && !prompt.contains('\n')
                && !prompt.ends_with('?')
                && texts.iter().any(|start| begins(&prompt.replace('’', "'"), start))
        }
    }
}

/// Whether `text` begins with `start`, which is lowercase.
fn begins(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

fn is_built_in(client: &str, prompt: &str) -> bool {
    let command = slash_command(prompt);
    let command = command.as_deref().unwrap_or(prompt);
    let Some(name) = command.strip_prefix('/').and_then(|rest| rest.split_whitespace().next())
    else {
        return false;
    };
    BUILT_IN.iter().any(|(of, names)| is_same(of, client) && names.are(name))
}

/// Whether two names mean the same client: `copilot` is `copilot-cli`.
fn is_same(a: &str, b: &str) -> bool {
    a.split('-').next() == b.split('-').next()
}

#[cfg(test)]
#[path = "sender_tests.rs"]
mod tests;
