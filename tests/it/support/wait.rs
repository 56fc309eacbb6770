//! The only sleep of the tests: a condition, looked at often, with a deadline; and the moments
//! between the faults of a test that draws them by lot.

use std::time::{Duration, Instant};

/// Generous, for the machine may be busy; a condition that holds is seen at once.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `done` gives a value.
///
/// Panics with `what` and the last state that `done` reported when it never does.
#[track_caller]
pub fn until<T>(what: &str, done: impl FnMut() -> Result<T, String>) -> T {
    within(DEADLINE, done)
        .unwrap_or_else(|state| panic!("{what}: not within {DEADLINE:?}; {state}"))
}

/// Waits until `done` gives a value, but not longer than `time`: then its last state is returned.
pub fn within<T>(time: Duration, mut done: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let deadline = Instant::now() + time;
    loop {
        match done() {
            Err(_) if Instant::now() <= deadline => pass(Duration::from_millis(5)),
            over => return over,
        }
    }
}

/// Lets a moment pass that a test has drawn by lot: when something dies, not when it is looked at.
pub fn jitter(moment: Duration) {
    pass(moment);
}

#[expect(clippy::disallowed_methods, reason = "the one place that may")]
fn pass(time: Duration) {
    std::thread::sleep(time);
}
