//! The data types of memory: claimed messages, evidence, turns, observations and summaries. No I/O.

mod checks;
mod commands;
mod evidence;
mod turn;

use std::path::PathBuf;

use memctl_proto::event::SeenFile;
use serde::{Deserialize, Serialize};

pub use checks::{CheckKind, CheckRun, Outcome};
pub use commands::{CommandUse, Failure};
pub use evidence::{
    Answer, Blocker, BlockerKind, Change, CommitMade, Effect, EffectKind, Evidence, FileChange,
    Page, Plan, Refusal, Reports, Task, TaskState,
};
pub use turn::{
    Block, BlockKind, Claim, ClaimKind, Ending, Head, Question, Sender, Step, StepKind, Turn,
};

/// The request of a private turn's placeholder summary.
pub const PRIVATE: &str = "[private]";

/// The result of a claim: messages of one session in the order of `accept`, with their context.
///
/// If a message asks for a summary, it is the last one.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The client of the session. The names of its tools depend on it.
    pub client: String,
    /// Root of the project's work tree. Paths are made relative to it.
    pub project_root: Option<PathBuf>,
    pub messages: Vec<Message>,
    /// The prompts of the turns the messages belong to, oldest first.
    pub prompts: Vec<Prompt>,
    /// Observations already distilled from the turn of the last message.
    pub earlier: Vec<Earlier>,
    /// What an earlier Stop of the same prompt led to.
    pub previous: Option<Turn>,
    pub rolling: Rolling,
    /// What the earlier batches of the last message's turn prove.
    pub evidence: Evidence,
    /// The session's earlier turns, oldest first. At most 12.
    pub turns: Vec<Turn>,
    /// HEAD of the work tree when the batch was claimed.
    pub head: Option<Head>,
    /// Minutes east of UTC on this machine when the batch was claimed.
    pub utc_offset: i32,
    /// What earlier batches of the session saw of third parties.
    pub seen: SeenText,
    /// A worker that crashed had claimed one of the messages.
    pub previously_claimed: bool,
}

/// Text of third parties that a session has seen, as hashes of pairs of nearby words, oldest first.
/// The text cannot be read from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenText {
    /// Fetched pages, text that the forge quotes, results of MCP servers.
    pub web: Vec<u32>,
    /// Prose in the output of other tools.
    pub tool: Vec<u32>,
}

/// Recent results of the session, read from the store for each batch.
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

/// One claimed row of the queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Row id in the queue. Observations refer to it as a source.
    pub id: i64,
    pub cause: Cause,
    pub turn_id: Option<String>,
    pub prompt_number: i64,
    pub agent_id: Option<String>,
    pub agent_type: Option<String>,
    pub tool_name: Option<String>,
    /// The tool's input as the client sent it: JSON, truncated in the middle if long.
    pub tool_input: Option<String>,
    /// The tool's response in the same form. For a failed tool, the error text.
    pub tool_response: Option<String>,
    pub cwd: Option<String>,
    /// The files of the tool use, with their hashes after it.
    pub files: Vec<SeenFile>,
    /// For a Stop, the assistant's last message; for a subagent, its report; for a failed Stop, the
    /// error text.
    pub last_assistant_message: Option<String>,
    /// Milliseconds since the epoch.
    pub created_at_epoch: i64,
}

/// The event that put a message into the queue.
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

    /// Whether the message asks for a summary. All others are observed.
    pub fn summarizes(self) -> bool {
        !matches!(self, Cause::Tool | Cause::ToolFailed | Cause::Subagent)
    }
}

/// A stored observation of the same turn.
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

/// What an agent distilled from a batch.
#[derive(Clone, Debug, Default)]
pub struct Distilled {
    pub observations: Vec<Observation>,
    /// Present if and only if the batch ends with a message that asks for a summary.
    pub summary: Option<Summary>,
    /// The turn as data. Present if and only if `summary` is.
    pub turn: Option<Box<Turn>>,
    /// What the turn proves so far, for its next batch. `None` if the batch added nothing.
    pub evidence: Option<Box<Evidence>>,
    /// What the session has seen of third parties by now. `None` if the batch added nothing.
    pub seen: Option<Box<SeenText>>,
}

impl Distilled {
    /// What the turn proves.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.turn.as_ref().map(|turn| &turn.evidence).or(self.evidence.as_deref())
    }
}

/// The usage of one model call, as the provider counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// All tokens sent, including those in the provider's cache.
    pub input: u64,
    pub output: u64,
    /// Input tokens read from the provider's cache.
    pub cache_read: u64,
    /// Input tokens written to the provider's cache.
    pub cache_write: u64,
    /// US dollars, if the provider reports them.
    pub cost: Option<f64>,
}

impl Usage {
    /// Whether a provider may have counted this for a call that was estimated to need `estimate`.
    pub fn is_plausible(&self, estimate: &Usage) -> bool {
        let at_most = |limit: u64| limit.saturating_mul(20).saturating_add(100_000);
        self.input <= at_most(estimate.input)
            && self.output <= at_most(estimate.output)
            && self.cache_read.saturating_add(self.cache_write) <= self.input
            && self.cost.is_none_or(|cost| (0.0..=MAX_COST).contains(&cost))
    }
}

/// Dollars that one call may cost.
const MAX_COST: f64 = 100.0;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CallOutcome {
    /// The provider reported this usage.
    Complete(Usage),
    /// The call broke off after the provider reported this usage. For each number, the larger of the
    /// reported and the estimated one counts.
    Partial(Usage),
    /// The usage is unknown. The estimate counts.
    Unknown,
}

impl CallOutcome {
    /// The outcome of a call that used nothing.
    pub fn nothing() -> CallOutcome {
        CallOutcome::Complete(Usage::default())
    }
}

/// One fact that is worth knowing in later sessions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// `bugfix`, `feature`, `refactor`, `change`, `discovery`, `decision`, `security_alert`;
    /// free text is allowed.
    pub kind: String,
    /// One line that can be understood without the rest.
    pub title: String,
    pub subtitle: Option<String>,
    pub narrative: Option<String>,
    pub facts: Vec<String>,
    pub concepts: Vec<String>,
    /// Paths relative to the project's root, else absolute.
    pub files_read: Vec<String>,
    pub files_modified: Vec<String>,
    /// Identifiers and further paths, for search. Never told.
    pub names: Vec<String>,
    pub origin: Origin,
    /// It reads like an instruction to the model, or orders what a third party wants. Users can read
    /// it; no session and no model gets it.
    pub quarantined: bool,
    pub prompt_number: i64,
    pub agent_id: Option<String>,
    pub agent_type: Option<String>,
    /// Queue ids of the messages that the observation was distilled from.
    pub sources: Vec<i64>,
    /// Ids of earlier observations of the turn that this one replaces, because they covered the
    /// beginning of the same work.
    pub replaces: Vec<i64>,
}

/// The summary of a turn. An empty string is an absent field.
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

impl Summary {
    /// The texts, in the order in which they are told.
    pub fn texts(&self) -> [&String; 6] {
        let Summary { request, investigated, learned, completed, next_steps, notes, .. } = self;
        [request, investigated, learned, completed, next_steps, notes]
    }

    pub fn texts_mut(&mut self) -> [&mut String; 6] {
        let Summary { request, investigated, learned, completed, next_steps, notes, .. } = self;
        [request, investigated, learned, completed, next_steps, notes]
    }
}

/// The source of a memory, most trusted first. If there are several, the least trusted counts.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    User,
    Assistant,
    /// Files of the work tree.
    Repository,
    #[default]
    Tool,
    Import,
    /// Fetched from the network, by a tool or by a command such as curl. Never shown unasked.
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
