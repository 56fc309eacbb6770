//! What the worker's loop shows to whoever asks, without being asked itself: `ping` and `status`
//! are answered while it waits for the store.

use memctl_proto::line::Status;
use tokio::time::Instant;

pub struct Shown {
    pub status: Status,
    /// When an event last came in.
    pub heard: Instant,
}

impl Shown {
    pub fn status(&self) -> Status {
        Status { idle_ms: self.heard.elapsed().as_millis() as u64, ..self.status.clone() }
    }
}
