//! What tool uses came to: commands with their checks and outcomes, edits, commits, pages fetched.
//!
//! Each tool event is parsed once, when its batch has been loaded, and every backend of the memory
//! agent works with the result. Parsing has no state and no I/O: it takes time linear in the
//! event's texts and never fails, whatever they are. Texts come cut in the middle.
//!
//! ```text
//! ToolEvent -> clients::ToolUse -> payload, shell, edit -> run, runners, effects … -> Activity
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
pub use event::Activity;
pub use payload::Payload;
pub use prompt_cost::{MAX_LAST_MESSAGE, MAX_LINE, MAX_PROMPT, Mention, PromptCost, mention};
pub use run::Run;
pub use runners::{Check, CheckKind};
pub use shorten::{fit, leaves_open};
pub use test_report::TestReport;
