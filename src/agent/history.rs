//! What happened to earlier batches of a session with one backend.

/// Calls of one turn that may fail because of what was sent. After that, the next backend distills the
/// rest of the turn.
const MAX_FAILURES: usize = 8;

/// What happened to earlier batches of the session.
#[derive(Debug, Default)]
pub struct History {
    /// Number of consecutive deferrals after errors of the connection.
    pub deferrals: u32,
    /// Rejected batches in a row.
    pub rejected: usize,
    /// A turn, and its failed calls.
    failed: (i64, usize),
}

impl History {
    /// The server has rejected the last batch in its plainest form.
    pub fn was_rejected(&self) -> bool {
        self.rejected > 0
    }

    pub fn add_failures(&mut self, turn: i64, calls: usize) {
        if self.failed.0 != turn {
            self.failed = (turn, 0);
        }
        self.failed.1 += calls;
    }

    pub fn may_ask(&self, turn: i64) -> bool {
        self.failed.0 != turn || self.failed.1 < MAX_FAILURES
    }
}
