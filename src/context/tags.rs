//! The beginning and the end of a block. `capture` removes what is between them, so that memory is not
//! recorded again.

pub const OPEN_TAG: &str = "<memctl-context>\n";
pub const CLOSE: &str = "</memctl-context>\n";
