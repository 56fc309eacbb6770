//! The event: one thing that happened in a session, redacted and cut, as it travels from a hook
//! to the store. Its JSON may grow: fields are added with a default and never change meaning.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One thing that happened. `id` is made by whoever first saw it, before the first attempt to
/// deliver it; every way in carries it and the store ignores repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: Uuid,
    pub kind: Kind,
    /// The program whose hooks call us: `claude-code`, `codex`, …
    pub client: String,
    /// The client's own `session_id`.
    pub session: String,
    /// The client's turn id (`prompt_id`); one turn may hold several prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// When it was seen: milliseconds since the epoch, by the clock of whoever saw it.
    pub at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Computed for prompts and starts; other events carry the directory only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
    /// The prompt, the assistant's last message, or a subagent's report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Nothing of this event's text may be kept: only that it happened.
    #[serde(default, skip_serializing_if = "is_false")]
    pub private: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Tool>,
    /// The client's subagent in which it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// `source` of a start, `reason` of an end, `error` of a failed stop: the client's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// Of a start: `created_at_epoch` of the newest row the conversation has been shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_epoch: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A prompt that the user typed.
    Prompt,
    /// The client began a turn by itself (`<task-notification>`): a turn, not a prompt.
    Notification,
    Tool,
    ToolFailed,
    /// A subagent's report.
    Subagent,
    Stop,
    StopFailed,
    /// The conversation goes on elsewhere or shorter (`resume`, `fork`, `compact` in `reason`)
    /// and was shown memory up to `shown_epoch`.
    Start,
    End,
    /// A script closes every open prompt of the session.
    Finalize,
    /// A kind that this version does not know.
    #[serde(other)]
    Unknown,
}

/// A tool use. Input and response are texts, mostly JSON, cut in the middle when long.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    pub name: String,
    /// The client's id of this use; the second guard against repeats, within one turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Of a failed tool: its error text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// The files it was about, as they lay on disk when it was over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SeenFile>,
}

/// A file at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeenFile {
    /// As the tool was told it: absolute, or from the event's `cwd`.
    pub path: String,
    /// The hash by which git knows its content: 40 hex digits.
    pub blob: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    pub id: String,
    #[serde(default)]
    pub r#type: String,
}

/// Which project a directory belongs to. `keys` name the same project, best first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Project {
    pub keys: Vec<String>,
    pub name: String,
    pub root: String,
}

/// A process that cannot be mistaken for a later one of the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Process {
    pub pid: i32,
    /// Start time in the kernel's own unit (clock ticks since boot on Linux).
    pub start: u64,
}

impl Event {
    /// An event of `kind` with a new id and nothing else in it.
    pub fn new(kind: Kind, client: &str, session: &str, at: i64) -> Event {
        Event {
            id: Uuid::now_v7(),
            kind,
            client: client.into(),
            session: session.into(),
            turn: None,
            at,
            cwd: None,
            project: None,
            text: None,
            private: false,
            tool: None,
            agent: None,
            reason: None,
            process: None,
            shown_epoch: None,
            transcript: None,
        }
    }

    pub fn to_json(&self) -> String {
        // Grown by doubling, a long text would be copied several times.
        let mut json = Vec::with_capacity(512 + self.text_len() * 9 / 8);
        serde_json::to_writer(&mut json, self).expect("an event has only strings and numbers");
        String::from_utf8(json).expect("JSON is text")
    }

    /// Bytes of the texts in it.
    pub fn text_len(&self) -> usize {
        let tool = self.tool.as_ref();
        let texts = [
            self.text.as_ref(),
            tool.and_then(|t| t.input.as_ref()),
            tool.and_then(|t| t.response.as_ref()),
        ];
        texts.into_iter().flatten().map(String::len).sum()
    }

    pub fn from_json(text: &str) -> Result<Event, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The same event without any of the user's, the assistant's or a tool's text, or a hash of it.
    pub fn without_text(mut self) -> Event {
        self.text = None;
        if let Some(tool) = &mut self.tool {
            tool.input = None;
            tool.response = None;
            tool.files.clear();
        }
        self
    }
}

fn is_false(b: &bool) -> bool {
    !b
}
