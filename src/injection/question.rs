//! What an event asks memory for.

use std::borrow::Cow;
use std::path::Path;

use memctl_proto::{Event, Kind};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::given;
use crate::activity::{Activity, Payload, ToolEvent, error_prints, written_commands};
use crate::capture::BeforeTool;
use crate::clients::{ToolKind, ToolUse, typed};
use crate::config::Recall;
use crate::recall::Wanted;
use crate::text::bytes::contains;

/// A question of a session's model. Nothing of it is stored but a hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// What is known about what the user asks for?
    Prompt { turn: Option<String>, text: String },
    /// What is known about the file that is read or changed?
    File(String),
    /// What was done when this failed before?
    Error(String),
    /// What went wrong with this command before?
    Command(String),
}

impl Question {
    /// The question of a delivered event.
    pub fn of_event(event: &Event, settings: &Recall) -> Option<Question> {
        if event.private || event.agent.is_some() {
            return None;
        }
        match event.kind {
            Kind::Prompt if settings.on_prompt => {
                let text = event.text.clone().filter(|text| !text.trim().is_empty())?;
                Some(Question::Prompt { turn: event.turn.clone(), text })
            }
            Kind::ToolFailed if settings.on_tools => {
                let response = event.tool.as_ref()?.response.as_deref()?;
                let text = Payload::read(Some(response)).text();
                let is_known = !error_prints::read(&text, 1).is_empty();
                is_known.then_some(Question::Error(text))
            }
            Kind::Tool if settings.on_tools => failed_command(event).map(Question::Error),
            _ => None,
        }
    }

    /// The question before a tool is used.
    pub fn before_tool(tool: &BeforeTool, settings: &Recall) -> Option<Question> {
        let used = &tool.used;
        match used.kind {
            _ if !settings.on_tools => None,
            ToolKind::Read | ToolKind::Edit | ToolKind::Write => {
                used.file().map(|file| Question::File(file.to_owned()))
            }
            ToolKind::Shell => {
                let command = used.command()?;
                let is_risky = written_commands(command).iter().any(|written| written.is_risky);
                is_risky.then(|| Question::Command(command.to_owned()))
            }
            _ => None,
        }
    }

    /// The name of the use in the store.
    pub fn place(&self) -> &'static str {
        match self {
            Question::Prompt { .. } => "prompt",
            Question::File(_) => "file",
            Question::Error(_) => "error",
            Question::Command(_) => "command",
        }
    }

    /// The words that the user typed in a prompt. Its pasted logs, quotations and settings ask nothing, unless
    /// they are all there is.
    pub fn own_words(prompt: &str) -> Cow<'_, str> {
        const MIN_WORDS: usize = 2;
        let typed = typed(prompt);
        let own: Vec<&str> = typed.lines().filter(|line| !is_setting(line)).collect();
        let own = own.join("\n");
        match Wanted::of(&own).n_words() < MIN_WORDS {
            true => Cow::Borrowed(prompt),
            false => Cow::Owned(own),
        }
    }

    /// The words that a prompt asks with.
    pub fn wanted(&self) -> Option<Wanted> {
        match self {
            Question::Prompt { text, .. } => Some(Wanted::of(&Question::own_words(text))),
            _ => None,
        }
    }

    /// Whether the client may send it again in the same turn. Its answer is then the same.
    pub fn may_be_sent_again(&self) -> bool {
        matches!(self, Question::Prompt { .. })
    }

    /// Whether a memory that the model received at `place` says the same as one that answers this
    /// question. An open step says nothing of its turn's answer, and what a session did nothing about what
    /// helped after an error.
    pub fn repeats(&self, place: &str) -> bool {
        match self {
            _ if place == given::OPEN => false,
            Question::Prompt { .. } | Question::File(_) => true,
            Question::Error(_) | Question::Command(_) => place == self.place(),
        }
    }

    /// A hash by which a later hook of the session recognizes the question. A file has one question,
    /// whatever is done with it.
    pub fn subject(&self, cwd: Option<&str>) -> String {
        let parts = match self {
            Question::Prompt { turn, text } => [turn.as_deref().unwrap_or_default(), text],
            Question::File(path) if Path::new(path).is_relative() => {
                [cwd.unwrap_or_default(), path]
            }
            Question::File(text) | Question::Command(text) | Question::Error(text) => ["", text],
        };
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        data_encoding::HEXLOWER.encode(&hash.finalize()[..8])
    }
}

/// `S3_BUCKET=uploads`, `export A=b`: a line of an environment.
fn is_setting(line: &str) -> bool {
    let line = line.trim().trim_start_matches("export ");
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    line.split_once(['=', ':']).is_some_and(|(name, _)| name.len() > 1 && name.chars().all(is_name))
}

/// The output of a command that failed although its last exit status is 0, because a pipe or `||` hides
/// the failure.
fn failed_command(event: &Event) -> Option<String> {
    let tool = event.tool.as_ref()?;
    let response = tool.response.as_deref()?;
    // Most outputs have none of these words and need not be parsed.
    let may_fail = ["error", "Error", "ERROR", "FAIL", "fail", "panicked", "fatal", "not found"]
        .iter()
        .any(|word| contains(response.as_bytes(), word.as_bytes()));
    let used = || ToolUse::new(&event.client, &tool.name, tool.input.as_deref());
    if !may_fail || used().kind != ToolKind::Shell {
        return None;
    }
    match Activity::parse(&ToolEvent::from_event(event)?, None) {
        Activity::Run(run) if run.failed && !run.prints.is_empty() => {
            Some(Payload::read(Some(response)).text())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_pasted_asks_nothing() {
        let check = |prompt: &str, expected: &str| {
            assert_eq!(Question::own_words(prompt), expected, "{prompt}");
        };
        check("Why do uploads fail?", "Why do uploads fail?");
        check(
            "Why do uploads fail?\nS3_BUCKET=station-days\nexport REGION=eu-west-1\n\n```\nlocal day\n```",
            "Why do uploads fail?",
        );
        let log = "```\nerror[E0425]: cannot find value `total`\n```";
        check(log, log);
    }

    #[test]
    fn only_the_step_of_a_turn_does_not_repeat_it() {
        let prompt = Question::Prompt { turn: None, text: "How are amounts read?".into() };
        let file = Question::File("src/a.rs".into());
        for question in [prompt, file] {
            assert!(question.repeats(given::START) && question.repeats("prompt"));
            assert!(!question.repeats(given::OPEN));
        }
        assert!(!Question::Command("git push".into()).repeats(given::START));
    }
}
