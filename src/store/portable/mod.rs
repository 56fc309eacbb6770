//! The memory as rows that leave the file: read for an export, and inserted again by an import.
//!
//! A row is a JSON object. It names others by what is the same in every store: a session by its uuid, a
//! project by its first key. The rows of the queue, hashes and costs stay in their store.

mod read;
mod tables;
mod write;

pub use read::{project_names, visit};
pub use write::{Inserted, Line, References, insert, is_known, link_parents};

/// The version of the rows. Later versions only add keys.
pub const VERSION: u64 = 1;
