//! The wall clock. It provides timestamps only; timeouts use monotonic time.
//!
//! In debug builds `MEMCTL_TESTCLOCK` is an offset in milliseconds, or the absolute path of a file
//! with the offset. The file is read on each call, so a test can change the clock of a running
//! process.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;

/// Milliseconds since the epoch.
pub fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
    now.saturating_add(test_offset())
}

/// Minutes east of UTC on this machine at `epoch`, in milliseconds since the epoch.
pub fn utc_offset(epoch: i64) -> i32 {
    let at = jiff::Timestamp::from_millisecond(epoch).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    local_zone().to_offset(at).seconds() / 60
}

/// The day of `epoch` in milliseconds, as `2026-11-27`, in the time zone of the machine. A session's `TZ`
/// does not count, because budgets of a day hold for all sessions.
pub fn machine_day(epoch: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(epoch).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned(machine_zone()).date().to_string()
}

/// The time zone of the machine. UTC if it is not known.
fn machine_zone() -> TimeZone {
    static ZONE: LazyLock<TimeZone> = LazyLock::new(|| {
        let data = std::fs::read("/etc/localtime");
        let zone = data.ok().and_then(|data| TimeZone::tzif("Local", &data).ok());
        zone.unwrap_or(TimeZone::UTC)
    });
    ZONE.clone()
}

#[cfg(not(debug_assertions))]
#[inline(always)]
fn test_offset() -> i64 {
    0
}

#[cfg(debug_assertions)]
fn test_offset() -> i64 {
    use std::sync::OnceLock;

    static VARIABLE: OnceLock<Option<String>> = OnceLock::new();
    let variable = VARIABLE.get_or_init(|| {
        let value = crate::config::process_env("MEMCTL_TESTCLOCK")?;
        Some(value.into_string().expect("milliseconds or a path"))
    });
    let Some(value) = variable else { return 0 };
    match value.strip_prefix('/') {
        // A missing file means no offset.
        Some(_) => std::fs::read_to_string(value).map_or(0, |ms| ms.trim().parse().unwrap_or(0)),
        None => value.parse().expect("milliseconds"),
    }
}
/// The time zone of the user: that of `TZ`, or else of the system. UTC if neither is known.
pub fn local_zone() -> TimeZone {
    TimeZone::try_system().unwrap_or(TimeZone::UTC)
}
