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
//!                                           ├─ tasks, questions, plans, refusals ─────────┤
//!                                           └─ event: reads, searches, pages, subagents ──┘
//! ```

mod batch;
mod blockers;
mod command_uses;
mod commit;
mod diagnostics;
mod edit;
mod effects;
mod error_lines;
pub mod error_prints;
mod event;
mod files;
pub mod line_prints;
mod lookups;
mod names;
mod payload;
mod plans;
mod prompt_cost;
mod questions;
mod refusals;
mod risk;
mod run;
mod runners;
mod shell;
mod shorten;
mod tasks;
mod test_report;
mod tool_event;
pub mod undo;
mod verdict;
mod web;
mod wrappers;

pub use batch::{Event, ParsedBatch};
pub use command_uses::{Use as CommandLine, WrittenCommand, written as written_commands};
pub use commit::Commit;
pub use edit::{ChangeKind, Edit, changed_lines};
pub use event::Activity;
pub use names::{error_classes, is_error_class, looks_like_code};
pub use payload::Payload;
pub use prompt_cost::{MAX_LAST_MESSAGE, MAX_LINE, MAX_PROMPT, Mention, PromptCost, mention};
pub use run::Run;
pub use runners::ANY as ANY_TOOLCHAIN;
pub use shorten::fit;
pub use tasks::TaskChange;
pub use tool_event::ToolEvent;
