//! The memory agent: a batch of events in, observations and a summary out.
//!
//! Owns the seam between the worker and whoever distils. Knows neither the store nor the queue:
//! what a backend needs stands in the batch.

mod error;
mod extractive;

pub use error::AgentError;

use crate::memory::{Batch, Distilled};

/// Who distils. Closed, so that the compiler lists what a new backend must answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Local rules: no model, no network, no cost.
    Extractive,
}

impl Backend {
    /// The backend of this name in the settings.
    pub fn named(name: &str) -> Option<Backend> {
        (name == Backend::Extractive.name()).then_some(Backend::Extractive)
    }

    /// The name under which the settings and the store's rows know it.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Extractive => "extractive",
        }
    }

    /// What is worth remembering of `batch`. May take its time (models do), so it is called off
    /// the thread that serves the socket.
    pub fn distill(self, batch: &Batch) -> Result<Distilled, AgentError> {
        match self {
            Backend::Extractive => Ok(extractive::distill(batch)),
        }
    }
}
