//! Polls for changes in files and other processes, which cannot wake this process.

use std::time::{Duration, Instant};

/// Polling interval of [`until`].
const INTERVAL: Duration = Duration::from_millis(10);

/// Polling interval of `logs --follow`.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(100);

/// Polls until `done` returns true or `timeout` has passed. Returns the last result of `done`.
#[expect(clippy::disallowed_methods, reason = "files and other processes cannot wake this process")]
pub fn until(timeout: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + timeout;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(INTERVAL);
    }
}

/// Sleeps until the next poll of `logs --follow`.
#[expect(clippy::disallowed_methods, reason = "files cannot wake this process")]
pub fn pause() {
    std::thread::sleep(FOLLOW_INTERVAL);
}
