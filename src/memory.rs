//! The nouns of memory: what is claimed from the queue, what an agent makes of it, and what the
//! next session is told. No I/O, no SQL, no opinions.

use std::path::PathBuf;

use memctl_proto::event::SeenFile;
use serde::{Deserialize, Serialize};

/// What one claim hands to a memory agent: the events of one session, in the order of `accept`.
///
/// A `Summarize` message, if there is one, is the last.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The client whose session it is: decides what its tools are called.
    pub client: String,
    /// Root of the project's work tree, for making paths relative.
    pub project_root: Option<PathBuf>,
    pub messages: Vec<Message>,
    /// The prompts of the turns the messages belong to, oldest first.
    pub prompts: Vec<Prompt>,
    /// What was distilled before from the turn of the last message.
    pub earlier: Vec<Earlier>,
    /// The summary row that the `Summarize` will write anew, when there is one.
    pub previous: Option<Summary>,
    /// The turn whose Stop wrote that row: it may be another than the one that stops now, which the
    /// client began by itself.
    pub previous_turn: Option<String>,
    pub rolling: Rolling,
    /// It was in hand before, of a worker that died with it.
    pub previously_claimed: bool,
}

/// The session so far, small: read from the store, kept by nobody.
#[derive(Clone, Debug, Default)]
pub struct Rolling {
    /// The session's last two summaries, oldest first.
    pub summaries: Vec<Summary>,
    /// Titles of its last 20 observations, oldest first.
    pub titles: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompt {
    pub number: i64,
    pub text: String,
}

/// One event from the queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Row id in the queue; what an observation names as its source.
    pub id: i64,
    pub cause: Cause,
    pub turn_id: Option<String>,
    pub prompt_number: i64,
    pub agent_id: Option<String>,
    pub agent_type: Option<String>,
    pub tool_name: Option<String>,
    /// The tool's input as the client sent it: JSON, cut in the middle when long.
    pub tool_input: Option<String>,
    /// The tool's response likewise; of a failed tool its error text.
    pub tool_response: Option<String>,
    pub cwd: Option<String>,
    /// The tool's files as they were when it was over.
    pub files: Vec<SeenFile>,
    /// Of a stop: the assistant's last message. Of a subagent: its report. Of a failed stop: the
    /// error text.
    pub last_assistant_message: Option<String>,
    /// Milliseconds since the epoch.
    pub created_at_epoch: i64,
}

/// What put a message into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    Tool,
    ToolFailed,
    Subagent,
    Stop,
    StopFailed,
    Interrupted,
    Checkpoint,
    End,
    Late,
}

impl Cause {
    pub const ALL: [Cause; 9] = [
        Cause::Tool,
        Cause::ToolFailed,
        Cause::Subagent,
        Cause::Stop,
        Cause::StopFailed,
        Cause::Interrupted,
        Cause::Checkpoint,
        Cause::End,
        Cause::Late,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Tool => "tool",
            Cause::ToolFailed => "tool_failed",
            Cause::Subagent => "subagent",
            Cause::Stop => "stop",
            Cause::StopFailed => "stop_failed",
            Cause::Interrupted => "interrupted",
            Cause::Checkpoint => "checkpoint",
            Cause::End => "end",
            Cause::Late => "late",
        }
    }

    pub fn parse(text: &str) -> Option<Cause> {
        Cause::ALL.into_iter().find(|c| c.as_str() == text)
    }

    /// Whether it asks for a summary; else it is something to observe.
    pub fn summarizes(self) -> bool {
        !matches!(self, Cause::Tool | Cause::ToolFailed | Cause::Subagent)
    }
}

/// An observation of the same turn that is stored already.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Earlier {
    pub id: i64,
    pub prompt_number: i64,
    pub agent_id: Option<String>,
    pub origin: Origin,
    pub kind: String,
    pub title: String,
    pub narrative: Option<String>,
    pub facts: Vec<String>,
    pub files_read: Vec<String>,
    pub files_modified: Vec<String>,
}

/// What an agent made of a batch.
#[derive(Clone, Debug, Default)]
pub struct Distilled {
    pub observations: Vec<Observation>,
    /// Present when, and only when, the batch ends with a `Summarize`.
    pub summary: Option<Summary>,
}

/// What one call of a model used, as its provider counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Tokens sent, all of them: those of the provider's cache too.
    pub input: u64,
    pub output: u64,
    /// Of the input, those that the provider's cache had.
    pub cache_read: u64,
    /// Of the input, those that were put into it.
    pub cache_write: u64,
    /// In US dollars, where the provider itself says so.
    pub cost: Option<f64>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CallOutcome {
    /// It used this much.
    Complete(Usage),
    /// It was broken off, and had said so much by then: of each kind the larger counts, this or
    /// the estimate.
    Partial(Usage),
    /// Nobody knows what it used: the estimate counts.
    Unknown,
}

impl CallOutcome {
    /// It was made, and nothing was used.
    pub fn nothing() -> CallOutcome {
        CallOutcome::Complete(Usage::default())
    }
}

/// Something worth knowing later.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// `bugfix`, `feature`, `refactor`, `change`, `discovery`, `decision`, `security_alert`;
    /// free text is allowed.
    pub kind: String,
    /// Stands alone in a list.
    pub title: String,
    pub subtitle: Option<String>,
    pub narrative: Option<String>,
    pub facts: Vec<String>,
    pub concepts: Vec<String>,
    /// Paths from the project's root where they lie below it, else absolute.
    pub files_read: Vec<String>,
    pub files_modified: Vec<String>,
    pub origin: Origin,
    pub prompt_number: i64,
    pub agent_id: Option<String>,
    pub agent_type: Option<String>,
    /// Queue ids of the messages it was made of.
    pub sources: Vec<i64>,
    /// Ids of the turn's earlier observations whose place it takes: they told of the beginning of
    /// what this one tells whole.
    pub replaces: Vec<i64>,
}

/// What a turn came to. Empty strings are absent fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub request: String,
    pub investigated: String,
    pub learned: String,
    pub completed: String,
    pub next_steps: String,
    pub notes: String,
    pub files_read: Vec<String>,
    pub files_modified: Vec<String>,
}

/// Whose word a memory rests on, most trusted first; of several, the least trusted counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    User,
    Assistant,
    /// Files of the work tree.
    Repository,
    #[default]
    Tool,
    Import,
    /// Fetched, also by a command such as curl. Never told unasked.
    Web,
}

impl Origin {
    pub const ALL: [Origin; 6] = [
        Origin::User,
        Origin::Assistant,
        Origin::Repository,
        Origin::Tool,
        Origin::Import,
        Origin::Web,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Origin::User => "user",
            Origin::Assistant => "assistant",
            Origin::Repository => "repository",
            Origin::Tool => "tool",
            Origin::Import => "import",
            Origin::Web => "web",
        }
    }

    pub fn parse(text: &str) -> Option<Origin> {
        Origin::ALL.into_iter().find(|o| o.as_str() == text)
    }
}
