//! The wall clock. It dates what is stored and orders nothing; waits go by monotonic time.
//!
//! In debug builds `MEMCTL_TESTCLOCK` sets it ahead by so many milliseconds, or back.

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
    static AHEAD: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    *AHEAD.get_or_init(|| {
        let said = crate::config::process_env("MEMCTL_TESTCLOCK");
        said.map_or(0, |ms| ms.to_str().and_then(|ms| ms.parse().ok()).expect("milliseconds"))
    })
}
