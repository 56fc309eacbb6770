//! The names that clients use: a table of events, a table of tools, and a table of tool arguments;
//! and the texts that clients put into a prompt. [`native`] reads the memory that clients have themselves.
//!
//! Every reader of a tool use starts from a [`ToolUse`]: `capture` decides with it what is recorded,
//! and `activity` finds out with it what happened. Only this module contains the names of clients.

mod arguments;
mod elements;
mod events;
pub mod native;
pub mod patch;
mod salvage;
mod sender;
mod shell;
mod tools;
mod typed;

pub use arguments::{is_field, is_path_argument, paths_in};
pub use elements::slash_command;
pub use events::{HookEvent, hook_event, is_notification};
pub use salvage::salvage;
pub use sender::{is_client_error, sender};
pub use shell::is_run_by_model;
pub use tools::{COPIES, ToolKind, ToolUse};
pub use typed::typed;
