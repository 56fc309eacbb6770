//! Text that memctl shows, stores or compares: made safe, made short, split into words.
//!
//! These functions know neither events nor rows. Text in a syntax of its own (JSON, Markdown, XML)
//! is handled by the module that writes that syntax.

mod middle;
mod nearest;
mod sanitize;
mod truncate;
mod words;

pub use middle::{MAX_SHIFT, cut_marker, truncate_middle};
pub use nearest::nearest;
pub use sanitize::{sanitize, strip_escapes, without_controls};
pub use truncate::{truncate, truncate_columns};
pub use words::{collapse_spaces, words};
