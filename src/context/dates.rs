//! The days that a block tells.

use super::rollup::RollUp;

/// `2026-11-24 (s37, provisional)`.
pub fn date_and_id(session: &RollUp) -> String {
    let provisional = if session.provisional { ", provisional" } else { "" };
    let day = day(session.ended_at_epoch, session.utc_offset);
    format!("{day} (s{}{provisional})", session.id())
}

/// The user's local day at capture. It does not depend on the time zone of the machine that renders.
pub fn day(epoch: i64, utc_offset: i32) -> String {
    let local = epoch.saturating_add(i64::from(utc_offset) * 60_000);
    let time = jiff::Timestamp::from_millisecond(local).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}
