//! The reply to `status`. The event loop updates it before each wait, so that the listener can
//! answer without the loop and the store.

use std::time::Instant;

use memctl_proto::line::Status;

pub struct StatusSnapshot {
    pub status: Status,
    pub last_event: Instant,
}

impl StatusSnapshot {
    pub fn status(&self) -> Status {
        let idle_ms = self.last_event.elapsed().as_millis() as u64;
        Status { idle_ms, ..self.status.clone() }
    }
}
