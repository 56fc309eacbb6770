//! A model's answer.

use crate::memory::Usage;

/// The part of an answer that was received.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub text: String,
    pub usage: Usage,
    /// The model reported the end of the answer (complete, or at the token limit).
    pub finished: bool,
    /// The answer reached the token limit. The text may be truncated, or empty if all tokens went
    /// into thinking.
    pub truncated: bool,
    /// What the model returned besides text: thoughts or a tool call. Without text, this is a failed
    /// answer and no decision.
    pub instead: Option<&'static str>,
}
