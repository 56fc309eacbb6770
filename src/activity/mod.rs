//! Parses tool uses into activities: edits, commands with checks and outcomes, commits, fetched pages.
//!
//! [`ParsedBatch`] parses the messages of a claimed batch, and every backend of the memory agent uses
//! that result. If a model is configured, [`PromptCost`] also measures each event before `accept` stores
//! it.
//!
//! Parsing has no state and no I/O, takes time linear in the event's texts, and accepts any text. Long
//! texts arrive truncated in the middle.
//!
//! ```text
//!                                           ┌─ edit ──────────────────────────────────────┐
//! ToolEvent ── clients::ToolUse ── Payload ─┼─ run: shell, runners, test_report, files, … ┼─> Activity
//!                                           └─ event: reads, searches, pages, subagents ──┘
//! ```

mod batch;
mod commit;
mod edit;
mod effects;
mod error_lines;
mod event;
mod files;
mod payload;
mod prompt_cost;
mod run;
mod runners;
mod shell;
mod shorten;
mod test_report;
mod web;

pub use batch::{Event, ParsedBatch};
pub use commit::Commit;
pub use edit::{ChangeKind, Edit};
pub use event::{Activity, is_panic_caught};
pub use payload::Payload;
pub use prompt_cost::{MAX_LAST_MESSAGE, MAX_LINE, MAX_PROMPT, Mention, PromptCost, mention};
pub use run::Run;
pub use runners::{Check, CheckKind};
pub use shorten::{fit, leaves_open};
pub use test_report::TestReport;
