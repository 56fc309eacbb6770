//! The event: one thing that happened in a session, redacted and truncated, on its way from a hook to
//! the store. Its JSON may grow: a new field has a default, and a field never changes its meaning.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One thing that happened. The process that first sees it creates `id`, before the first delivery
/// attempt. Both delivery paths carry the id, and the store ignores repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: Uuid,
    pub kind: Kind,
    /// The program whose hooks call memctl: `claude-code`, `codex`, …
    pub client: String,
    /// The client's own `session_id`.
    pub session: String,
    /// The client's turn id (`prompt_id`). A turn may hold several prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// Time of the event: milliseconds since the epoch, by the sender's clock.
    pub at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Set for prompts and starts. Other events carry `cwd` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
    /// The prompt, the assistant's last message or a subagent's report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// No text of this event may be stored, only that it happened.
    #[serde(default, skip_serializing_if = "is_false")]
    pub private: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Tool>,
    /// The client's subagent that caused the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// The client's `source` of a start, `reason` of an end or `error` of a failed stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// Set for starts: `created_at_epoch` of the newest row in the context that the hook printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_epoch: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
    /// Set for starts: the memories that hooks gave to the model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<Use>,
}

/// A memory that a hook gave to the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Use {
    /// The short name of the row: `o412`, `s37`.
    pub row: String,
    /// What the block was about: `start`, `prompt`, `file`, `error` or `command`.
    pub place: String,
    /// Estimated tokens of the row's lines.
    #[serde(default)]
    pub tokens: u32,
    /// Milliseconds since the epoch.
    pub at: i64,
}

/// The `reason` of a start that only reports the memories in [`Event::uses`].
pub const RECALL: &str = "recall";

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A prompt that the user typed.
    Prompt,
    /// The client started a turn itself (`<task-notification>`). It is a turn, not a prompt.
    Notification,
    Tool,
    ToolFailed,
    /// A subagent's report.
    Subagent,
    Stop,
    StopFailed,
    /// Reports what the model was given. The conversation continues (`resume`, `fork` or `compact` in
    /// `reason`) with context up to `shown_epoch`, or hooks gave it the memories in `uses`
    /// ([`RECALL`] in `reason`).
    Start,
    End,
    /// A script closes every open prompt of the session.
    Finalize,
    /// A kind from a later version.
    #[serde(other)]
    Unknown,
}

/// A tool use. Input and response are texts, mostly JSON. Long ones are truncated in the middle.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    pub name: String,
    /// The client's id of this use. The store also ignores repeats of it within a turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// For a failed tool, the error text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// The files that the tool used, as they were when it finished.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SeenFile>,
}

/// A file and its content at one time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeenFile {
    /// The path given to the tool: absolute, or relative to the event's `cwd`.
    pub path: String,
    /// Git's blob hash of the content: 40 hex digits.
    pub blob: String,
}

/// A subagent of the client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    pub id: String,
    #[serde(default)]
    pub r#type: String,
}

/// The project of a directory. All `keys` name the same project, the most specific first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Project {
    pub keys: Vec<String>,
    pub name: String,
    pub root: String,
}

/// A process, identified by pid and start time because the kernel reuses pids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Process {
    pub pid: i32,
    /// Start time in the kernel's own unit (clock ticks since boot on Linux).
    pub start: u64,
}

impl Event {
    /// An event of `kind` with a new id and no optional fields.
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
            uses: Vec::new(),
        }
    }

    /// An event that only reports memories that hooks gave to the model. Releases without
    /// [`Event::uses`] accept it and store nothing.
    pub fn recalled(client: &str, session: &str, at: i64, uses: Vec<Use>) -> Event {
        let reason = Some(RECALL.to_owned());
        Event { reason, uses, ..Event::new(Kind::Start, client, session, at) }
    }

    /// Whether the event only reports memories that hooks gave to the model.
    pub fn is_recall(&self) -> bool {
        self.kind == Kind::Start && self.reason.as_deref() == Some(RECALL)
    }

    pub fn to_json(&self) -> String {
        // Reserve the whole size: growing the buffer would copy a long text several times.
        let mut json = Vec::with_capacity(512 + self.text_len() * 9 / 8);
        serde_json::to_writer(&mut json, self).expect("an event has only strings and numbers");
        String::from_utf8(json).expect("JSON is text")
    }

    /// Total length of the event's texts in bytes.
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

    /// Removes all text of the user, the assistant and tools, and all hashes of such text.
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
