//! The wall clock. It dates what is stored and orders nothing; waits go by monotonic time.
//!
//! In debug builds `MEMCTL_TESTCLOCK` sets it ahead by so many milliseconds, or back; or it names a
//! file that says so, and is read each time, for clocks are set while processes run.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch.
pub fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
    now.saturating_add(ahead())
}

#[cfg(not(debug_assertions))]
#[inline(always)]
fn ahead() -> i64 {
    0
}

#[cfg(debug_assertions)]
fn ahead() -> i64 {
    use std::sync::OnceLock;

    static SAID: OnceLock<Option<String>> = OnceLock::new();
    let said = SAID.get_or_init(|| {
        let said = crate::config::process_env("MEMCTL_TESTCLOCK")?;
        Some(said.into_string().expect("milliseconds or a path"))
    });
    let Some(said) = said else { return 0 };
    match said.strip_prefix('/') {
        // Until somebody has set it, the clock is right.
        Some(_) => std::fs::read_to_string(said).map_or(0, |ms| ms.trim().parse().unwrap_or(0)),
        None => said.parse().expect("milliseconds"),
    }
}
