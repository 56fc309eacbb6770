//! The one place where a command waits for something that cannot wake it.

use std::time::{Duration, Instant};

/// Between two looks.
const STEP: Duration = Duration::from_millis(10);

/// Between two looks at what a person watches.
const PAUSE: Duration = Duration::from_millis(100);

/// Looks until `done` says so, or the time is up; says which.
#[expect(clippy::disallowed_methods, reason = "files and other processes do not wake us")]
pub fn until(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(STEP);
    }
}

/// Before the next look at what may take hours to change.
#[expect(clippy::disallowed_methods, reason = "files do not wake us")]
pub fn pause() {
    std::thread::sleep(PAUSE);
}
