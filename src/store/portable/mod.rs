//! The memory as rows that leave the file: read for an export, and inserted again by an import.
//!
//! A row is a JSON object. It names others by what is the same in every store: a session by its uuid, a
//! project by its first key. What refers to rows follows them ([`decisions`]). The rows of the queue,
//! costs, and earlier texts of edited memories stay in their store.

mod decisions;
mod line;
mod read;
mod tables;
mod write;

pub use line::{Inserted, Line};
pub use read::{project_names, visit};
pub use write::{References, insert, is_known, link_parents};

/// The version of the rows. Later versions only add keys.
pub const VERSION: u64 = 1;
