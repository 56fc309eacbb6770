//! Reads the transcripts that clients write, and turns them into the events that their hooks would
//! have reported. A reader of another client's transcripts yields the same [`Step`]s.
//!
//! ```text
//! file ── lines ──> JSON ── claude_code ──> Step ── session ──> Step ── steps ──> Event
//! ```

pub mod agents;
pub mod claude_code;
pub mod lines;
pub mod session;
pub mod steps;

pub use claude_code::{Converter, Step};
pub use lines::Lines;
pub use session::SessionReader;
pub use steps::Capturer;
