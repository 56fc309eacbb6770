//! Times that users type: a duration, alone or before or after now, a day, or a timestamp.

use std::time::Duration;

use jiff::{Timestamp, civil};

use crate::clock;
use crate::config::parse_duration;

/// Longer durations are typing errors, and their ends have no date.
const MAX: Duration = Duration::from_secs(36_500 * 86_400);
const TOO_LONG: &str = "at most 36500d, which is a hundred years";

/// Parses a duration such as `30min`.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    match parse_duration(text) {
        Some(time) if time > MAX => Err(TOO_LONG),
        Some(time) => Ok(time),
        None => Err("expected a duration such as 30min, 6h or 2d"),
    }
}

/// Parses a time in the past into milliseconds since the epoch: `2h` ago, a day, which begins at local
/// midnight, or a timestamp.
pub fn parse_past(text: &str) -> Result<i64, &'static str> {
    if parse_duration(text).is_some() {
        return duration(text).map(|ago| clock::now_ms() - ago.as_millis() as i64);
    }
    timestamp(text)
        .or_else(|| start_of(text.parse().ok()?))
        .ok_or("expected a time such as 2h, 7d, 2026-11-24 or 2026-11-24T09:30Z")
}

/// Parses a time in the future: in `90d`, the end of a day in local time, or a timestamp.
pub fn parse_future(text: &str) -> Result<i64, &'static str> {
    if parse_duration(text).is_some() {
        let time = duration(text)?.as_millis() as i64;
        return if time > 0 { Ok(clock::now_ms() + time) } else { Err("this time has passed") };
    }
    let end_of = |day: &str| start_of(day.parse::<civil::Date>().ok()?.tomorrow().ok()?);
    match timestamp(text).or_else(|| end_of(text)) {
        Some(at) if at > clock::now_ms() => Ok(at),
        Some(_) => Err("this time has passed"),
        None => Err("expected a time such as 2h, 90d, 2026-11-24 or 2026-11-24T09:30Z"),
    }
}

fn timestamp(text: &str) -> Option<i64> {
    Some(text.parse::<Timestamp>().ok()?.as_millisecond())
}

fn start_of(day: civil::Date) -> Option<i64> {
    Some(day.to_zoned(clock::local_zone()).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_days_and_timestamps_are_times() {
        let at = 1_795_512_600_000;
        assert_eq!(parse_past("2026-11-24T09:30Z"), Ok(at));
        assert!(parse_past("1d").unwrap() < clock::now_ms() - 80_000_000);
        assert!(parse_past("2026-02-30").is_err() && parse_past("soon").is_err());
        let day = |text| parse_future(text).unwrap();
        assert!(day("90d") > clock::now_ms());
        // A day lasts until its end.
        assert_eq!(day("9000-01-01"), parse_past("9000-01-02").unwrap());
        assert_eq!(parse_future("2001-01-01"), Err("this time has passed"));
        assert!(parse_future("").is_err());
        assert_eq!(duration("36500d"), Ok(MAX));
        for absurd in ["36501d", "99999999999d"] {
            let results =
                [duration(absurd).err(), parse_past(absurd).err(), parse_future(absurd).err()];
            assert_eq!(results, [Some(TOO_LONG); 3], "{absurd}");
        }
        assert_eq!(parse_future("0s"), Err("this time has passed"));
    }
}
