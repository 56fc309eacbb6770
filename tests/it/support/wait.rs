//! The only sleeps of the tests: between two polls of a condition until its deadline, and before a
//! random fault.

use std::time::{Duration, Instant};

/// Long enough for a loaded machine. A condition that becomes true is noticed within milliseconds.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `done` returns a value.
///
/// At the deadline, panics with `what` and the last state that `done` reported.
#[track_caller]
pub fn until<T>(what: &str, done: impl FnMut() -> Result<T, String>) -> T {
    within(DEADLINE, done)
        .unwrap_or_else(|state| panic!("{what}: not within {DEADLINE:?}; {state}"))
}

/// Waits until `done` returns a value. After `time`, returns the last state that `done` reported.
pub fn within<T>(time: Duration, mut done: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let deadline = Instant::now() + time;
    loop {
        match done() {
            Err(_) if Instant::now() <= deadline => sleep(Duration::from_millis(5)),
            result => return result,
        }
    }
}

/// Sleeps before a random fault.
pub fn jitter(delay: Duration) {
    sleep(delay);
}

#[expect(clippy::disallowed_methods, reason = "the only sleep of the tests")]
fn sleep(time: Duration) {
    std::thread::sleep(time);
}
