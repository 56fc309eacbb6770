//! The only sleep of the tests: a condition, looked at often, with a deadline.

use std::time::{Duration, Instant};

/// Generous, for the machine may be busy; a condition that holds is seen at once.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `done` gives a value.
///
/// Panics with `what` and the last state that `done` reported when it never does.
#[track_caller]
pub fn until<T>(what: &str, mut done: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match done() {
            Ok(value) => return value,
            Err(state) if Instant::now() > deadline => {
                panic!("{what}: not within {DEADLINE:?}; {state}")
            }
            Err(_) => {}
        }
        #[expect(clippy::disallowed_methods, reason = "the one place that may")]
        std::thread::sleep(Duration::from_millis(5));
    }
}
