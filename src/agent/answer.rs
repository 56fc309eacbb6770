//! What comes back from a model.

use crate::memory::Usage;

/// An answer, as far as it has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub text: String,
    pub usage: Usage,
    /// The model said that it is done, whole or at its limit of tokens.
    pub finished: bool,
    /// It was at its limit: what it says may be cut off, and it may have thought until then.
    pub cut: bool,
}
