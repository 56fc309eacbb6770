//! The memory agent: distills a batch of events into observations and a summary.
//!
//! The agent depends neither on the store nor on the queue. A batch contains all that a backend needs,
//! and a [`Ledger`] records the cost of model calls.
//!
//! ```text
//!                ┌─ extractive ─────────────────────────────────────────────────┐
//! backend_chain ─┤                                                              ├─> Done
//!                └─ prompt ── ledger ── model ── ledger ── parse ── attribution ─┘
//!                                       claude, or http: anthropic, openai, gemini
//! ```

mod adapt;
mod answer;
mod anthropic;
mod attempt;
mod attribution;
mod backend_chain;
mod call;
mod claude;
pub mod deferral;
mod error;
mod event_text;
mod form;
mod gemini;
mod history;
mod http;
mod json_reply;
mod ledger;
mod lessons;
mod local;
mod model;
mod openai;
mod parse;
mod prompt;
mod repetition;
mod screened;
mod slots;
mod sse;
mod tags;
mod wordings;

pub use backend_chain::{BackendChain, Outcome, try_once};
pub use error::AgentError;
pub use ledger::{Admission, CallRequest, Ledger, PauseRequest};
pub use lessons::Served;
pub use screened::{Done, distill_here, distill_locally};

use crate::config::Agent;

/// A way to distill a batch. An enum, so that the compiler lists what a new backend must implement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Local rules: no model, no network, no cost.
    Extractive,
    /// The user's own `claude` program.
    Claude,
    Anthropic,
    Gemini,
    /// Any server with OpenAI's protocol.
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

    /// The name in the settings and in rows of the store.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Extractive => "extractive",
            Backend::Claude => "claude",
            Backend::Anthropic => "anthropic",
            Backend::Gemini => "gemini",
            Backend::Openai => "openai",
        }
    }

    /// Whether the backend is a model, which may be unavailable and may cost money.
    pub fn is_model(self) -> bool {
        self != Backend::Extractive
    }
}

/// The backends of the settings, in the order in which they are tried.
///
/// `first_backend` is the backend that the session began with. The chain starts there if the settings
/// still name it.
pub fn chain(agent: &Agent, first_backend: Option<&str>) -> Vec<Backend> {
    let mut chain: Vec<Backend> = agent.chain().into_iter().filter_map(Backend::named).collect();
    if let Some(first) = first_backend.and_then(Backend::named)
        && let Some(at) = chain.iter().position(|backend| *backend == first)
    {
        chain.drain(..at);
    }
    if chain.is_empty() {
        chain.push(Backend::Extractive);
    }
    chain
}
