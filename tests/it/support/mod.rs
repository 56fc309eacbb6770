//! The test harness.

pub mod agent;
pub mod client;
pub mod directories;
pub mod lines;
pub mod mcp;
pub mod notes;
pub mod random;
pub mod recordings;
pub mod terminal;
pub mod transcripts;
pub mod wait;
pub mod work;
pub mod world;

pub use client::Client;
pub use mcp::McpClient;
pub use wait::until;
pub use work::Work;
pub use world::World;
