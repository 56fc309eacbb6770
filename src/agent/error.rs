//! What can go wrong between a batch and what a backend makes of it, sorted by what the worker
//! does about it. Which provider's answer means which is each backend's own table.

use std::time::Duration;

/// Why a batch was not distilled. `extractive` raises none of these.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// The batch does not fit the model: smaller pieces, never the same again.
    #[error("the batch is too long for the model")]
    TooLong,
    /// Rate limit, quota or overload: the messages wait, and it counts as no failure.
    #[error("the model is not available at the moment")]
    Busy { retry_after: Option<Duration> },
    /// Key, command or address: no retry until the configuration changes.
    #[error("{0}")]
    Setup(String),
    /// Anything a later try may get over: a child that died, a dropped connection, prose.
    #[error("{0}")]
    Transient(String),
}
