//! What can go wrong between a batch and what a backend makes of it, sorted by what the worker
//! does about it.

use std::time::Duration;

/// Why a batch was not distilled. It goes back into the queue, and is tried in smaller pieces.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// The backend itself came to an end over it.
    #[error("the memory agent died: {0}")]
    Died(String),
    /// It took longer than a batch may.
    #[error("the memory agent was not done after {0:?}")]
    TimedOut(Duration),
}
