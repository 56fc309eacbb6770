//! What each client calls things: one table for its events, one for its tools and their arguments.
//!
//! Every reader of a tool use starts from the same [`ToolUse`]: `capture` decides from it what is
//! recorded, `activity` decides from it what happened. A client with its own names gets them here
//! and nowhere else.

mod arguments;
mod events;
pub mod patch;
mod salvage;
mod tools;

pub use arguments::{is_path_argument, paths_in};
pub use events::{HookEvent, NOTIFICATION, hook_event};
pub use salvage::salvage;
pub use tools::{FILE_COPIES, ToolKind, ToolUse};
