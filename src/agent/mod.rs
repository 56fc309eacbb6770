//! The memory agent: a batch of events in, observations and a summary out.
//!
//! Owns the seam between the worker and whoever distils. Knows neither the store nor the queue:
//! what a backend needs stands in the batch, and what it costs is told to a [`Ledger`].
//!
//! ```text
//!            ┌─ extractive ────────────────────────────────────────────┐
//! batch ── mind                                                         ├─> Done
//!            └─ prompt ── ledger ── model ── ledger ── parse ── ground ─┘
//!                                   claude, or http: anthropic, openai, gemini
//! ```

mod answer;
mod anthropic;
mod attribution;
mod backend_chain;
mod claude;
mod error;
mod extractive;
mod gemini;
mod http;
mod ledger;
mod model;
mod openai;
mod parse;
mod prompt;
mod slots;
mod sse;
mod tags;

pub use backend_chain::{BackendChain, Done, Outcome, distill_locally, try_once};
pub use error::AgentError;
pub use ledger::{Admission, CallRequest, Ledger};

use crate::config::Agent;

/// Who distils. Closed, so that the compiler lists what a new backend must answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Local rules: no model, no network, no cost.
    Extractive,
    /// The user's own `claude`.
    Claude,
    Anthropic,
    Gemini,
    /// Any server that speaks OpenAI's protocol.
    Openai,
}

impl Backend {
    const ALL: [Backend; 5] = [
        Backend::Extractive,
        Backend::Claude,
        Backend::Anthropic,
        Backend::Gemini,
        Backend::Openai,
    ];

    /// The backend of this name in the settings.
    pub fn named(name: &str) -> Option<Backend> {
        Backend::ALL.into_iter().find(|backend| backend.name() == name)
    }

    /// The name under which the settings and the store's rows know it.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Extractive => "extractive",
            Backend::Claude => "claude",
            Backend::Anthropic => "anthropic",
            Backend::Gemini => "gemini",
            Backend::Openai => "openai",
        }
    }

    /// Whether it is asked for something that it may not have now, and that costs.
    pub fn is_model(self) -> bool {
        self != Backend::Extractive
    }
}

/// The backends of the settings, in the order in which they are asked.
///
/// `begun_with`: what a session was begun with goes on, as long as the settings still name it.
pub fn chain(agent: &Agent, begun_with: Option<&str>) -> Vec<Backend> {
    let mut chain: Vec<Backend> = agent.chain().into_iter().filter_map(Backend::named).collect();
    if let Some(first) = begun_with.and_then(Backend::named)
        && let Some(at) = chain.iter().position(|backend| *backend == first)
    {
        chain.drain(..at);
    }
    if chain.is_empty() {
        chain.push(Backend::Extractive);
    }
    chain
}
