//! A model's answer.

use crate::memory::Usage;

/// An answer, as far as it was received.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub text: String,
    pub usage: Usage,
    /// The model reported its end: complete, or at the token limit.
    pub finished: bool,
    /// It reached the token limit. The text may be cut, or all tokens went into thinking.
    pub cut: bool,
}
