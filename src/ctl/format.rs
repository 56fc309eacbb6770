//! Formats ages, sizes, counts and ids.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::clock;
use crate::deliver::unfinished;
use crate::store::sessions::Session;
use crate::text::escape;

/// A duration: `3s`, `12min`, `5h`, `9d`.
pub fn span(time: Duration) -> String {
    match time.as_secs() {
        0 if !time.is_zero() => format!("{}ms", time.as_millis()),
        s @ 0..=89 => format!("{s}s"),
        s @ 90..=5399 => format!("{}min", s / 60),
        s @ 5400..=129_599 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

/// The status of a session for people.
pub fn status(session: &Session) -> &str {
    if unfinished::is_client_gone(session) { "client exited" } else { &session.status }
}

/// The time between a timestamp and now, as a [`span`].
pub fn age(epoch_ms: i64, now_ms: i64) -> String {
    span(Duration::from_secs((now_ms - epoch_ms).max(0) as u64 / 1000))
}

/// A timestamp in the user's time zone: `2026-11-24 10:30 CET`.
pub fn at(epoch_ms: i64) -> String {
    at_in(epoch_ms, clock::local_zone())
}

fn at_in(epoch_ms: i64, zone: TimeZone) -> String {
    match jiff::Timestamp::from_millisecond(epoch_ms) {
        Ok(time) => time.to_zoned(zone).strftime("%Y-%m-%d %H:%M %Z").to_string(),
        Err(_) => epoch_ms.to_string(),
    }
}

/// The day of a timestamp in the user's time zone: `2026-11-24`.
pub fn day(epoch_ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(epoch_ms) {
        Ok(time) => time.to_zoned(clock::local_zone()).strftime("%Y-%m-%d").to_string(),
        Err(_) => epoch_ms.to_string(),
    }
}

/// A timestamp of a log, which is in UTC, in the user's time zone: `2026-11-24T10:30:00.123+01:00`.
pub fn log_time(text: &str) -> String {
    log_time_in(text, clock::local_zone())
}

fn log_time_in(text: &str, zone: TimeZone) -> String {
    let Ok(time) = text.parse::<jiff::Timestamp>() else { return text.to_owned() };
    match time.to_zoned(zone) {
        local if local.offset().is_zero() => text.to_owned(),
        local => local.strftime("%Y-%m-%dT%H:%M:%S.%3f%:z").to_string(),
    }
}

/// A size: `7.4 MB`.
pub fn bytes(n: u64) -> String {
    match n {
        0..=999 => format!("{n} B"),
        1000..=999_999 => format!("{:.0} kB", n as f64 / 1e3),
        _ => format!("{:.1} MB", n as f64 / 1e6),
    }
}

/// A number of tokens: `812`, `21k`, `1.4M`.
pub fn tokens(n: u64) -> String {
    match n {
        0..=9_999 => n.to_string(),
        10_000..=999_499 => format!("{:.0}k", n as f64 / 1e3),
        _ => format!("{:.1}M", n as f64 / 1e6),
    }
}

/// A cost: `$0.31`, or `<$0.01` if it would round to zero.
pub fn dollars(cost: f64) -> String {
    if cost > 0.0 && cost < 0.005 { "<$0.01".into() } else { format!("${cost:.2}") }
}

/// `1 event`, `2 events`.
pub fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// The first `n` characters of an id, on one line.
pub fn short(id: &str, n: usize) -> String {
    escape(id).chars().take(n).collect()
}

/// `1 summary`, `2 summaries`.
pub fn summaries(n: u64) -> String {
    if n == 1 { "1 summary".into() } else { format!("{n} summaries") }
}

/// The prefix length, at least `least`, that makes these ids distinct.
pub fn distinct(ids: &[&str], least: usize) -> usize {
    let common = |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.windows(2).map(|pair| common(pair[0], pair[1]) + 1).fold(least, usize::max)
}

/// The length of ids in a table: a distinct prefix on a terminal, the whole id in a pipe.
pub fn id_length(ids: &[&str], width: Option<usize>) -> usize {
    if width.is_some() { distinct(ids, 13) } else { usize::MAX }
}

/// The text, or `-` if it is empty, so that every row has the same number of words.
pub fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_long_enough_to_be_distinct() {
        let check = |ids: &[&str], want| assert_eq!(distinct(ids, 4), want, "{ids:?}");
        check(&[], 4);
        check(&["abcdefgh", "xbcdefgh"], 4);
        check(&["abcdef1h", "xyz", "abcdef2h"], 7);
        check(&["same-one", "same-one"], 4);
    }

    #[test]
    fn spans_use_the_largest_fitting_unit() {
        let check = |ms, want: &str| assert_eq!(span(Duration::from_millis(ms)), want);
        check(40, "40ms");
        check(1_500, "1s");
        check(89_000, "89s");
        check(90_000, "1min");
        check(5_400_000, "1h");
        check(200_000_000, "2d");
    }

    #[test]
    fn tokens_and_costs_are_rounded_but_not_to_zero() {
        let check = |n, want: &str| assert_eq!(tokens(n), want);
        check(9_999, "9999");
        check(21_499, "21k");
        check(999_499, "999k");
        check(999_500, "1.0M");
        check(1_400_000, "1.4M");
        let check = |cost, want: &str| assert_eq!(dollars(cost), want);
        check(0.0, "$0.00");
        check(0.0001, "<$0.01");
        check(0.005, "$0.01");
        check(12.345, "$12.35");
    }

    #[test]
    fn times_are_local_and_name_their_zone() {
        assert_eq!(at_in(0, TimeZone::UTC), "1970-01-01 00:00 UTC");
        let zone = || TimeZone::posix("EST5").unwrap();
        assert_eq!(at_in(0, zone()), "1969-12-31 19:00 EST");
        let time = "2026-11-24T02:09:00.123Z";
        assert_eq!(log_time_in(time, TimeZone::UTC), time);
        assert_eq!(log_time_in(time, zone()), "2026-11-23T21:09:00.123-05:00");
        assert_eq!(log_time_in("soon", zone()), "soon");
        assert_eq!(age(1000, 500), "0s");
    }
}
