//! Keeps text of third parties out of what later sessions and models are told.
//!
//! A memory is built from texts of different authors. The user and the assistant are trusted. Output
//! of tools, files, commits of others, pages and servers are not: whoever wrote them may have written
//! them for the next session. So each sentence has an origin of its own.
//!
//! ```text
//! batch ── Screen::new ──> what others wrote (now, and earlier in the session)
//!       ── Screen::clean ─> the batch without sentences of the assistant that repeat it ──> backend
//! reply ── Screen::check ─> the reply without such sentences, and rows that keep them ────> store
//! ```
//!
//! A sentence that repeats or closely follows a fetched page has the origin `web` and is never part
//! of a context. An order or a command among them, and text that reads like an instruction to the
//! model whatever its origin, is quarantined: the user can read it, and no session or model gets it.
//!
//! Pure functions of the batch. They do not depend on a backend.

mod instructions;
mod orders;
mod pieces;
mod plain;
mod quarantine;
mod risky;
mod screen;
mod sentence;
mod shingles;
mod standing;
mod turns;

pub use instructions::{Speaker, reads_like_instruction, without_instructions};
pub use screen::{Author, Screen};
