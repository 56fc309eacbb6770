//! Dates in filters: `2026-11-30`, `2026-11`, `2026`, `today`, `yesterday`, `3d`, `2w`, and times with a
//! zone.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::clock;

/// The beginning of a date, in milliseconds since the epoch. Days are those of the user's zone.
pub fn parse(text: &str, now: i64) -> Option<i64> {
    let zone = clock::local_zone();
    let today = Timestamp::from_millisecond(now).ok()?.to_zoned(zone.clone());
    let start = |date: Date| date.to_zoned(zone.clone()).ok();
    let found: Zoned = match text.to_lowercase().as_str() {
        "today" => start(today.date())?,
        "yesterday" => start(today.date().yesterday().ok()?)?,
        text => match relative(text, &today).or_else(|| start(date(text)?)) {
            Some(found) => found,
            None => {
                return text.to_uppercase().parse::<Timestamp>().ok().map(|t| t.as_millisecond());
            }
        },
    };
    Some(found.timestamp().as_millisecond())
}

/// `3d`: three days before now.
fn relative(text: &str, now: &Zoned) -> Option<Zoned> {
    let unit = text.chars().last()?;
    let n: i64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    if !(0..=100_000).contains(&n) {
        return None;
    }
    let span = match unit {
        'h' => n.hours(),
        'd' => n.days(),
        'w' => n.weeks(),
        'm' => n.months(),
        'y' => n.years(),
        _ => return None,
    };
    now.checked_sub(span).ok()
}

/// A day, the first day of a month or that of a year.
fn date(text: &str) -> Option<Date> {
    let mut parts = text.split(['-', '/']);
    let year: i16 = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
    let mut number = || parts.next().map_or(Some(1), |part| part.parse::<i8>().ok());
    let (month, day) = (number()?, number()?);
    if parts.next().is_some() {
        return None;
    }
    Date::new(year, month, day).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_sensible_forms() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let zone = clock::local_zone();
        let day = |text: &str| {
            let at = parse(text, now.as_millisecond())?;
            Some(Timestamp::from_millisecond(at).unwrap().to_zoned(zone.clone()).date().to_string())
        };
        for (text, want) in [
            ("2026-11-02", "2026-11-02"),
            ("2026/11/02", "2026-11-02"),
            ("2026-11", "2026-11-01"),
            ("2026", "2026-01-01"),
            ("today", "2026-11-30"),
            ("Yesterday", "2026-11-29"),
            ("3d", "2026-11-27"),
            ("2w", "2026-11-16"),
            ("2026-11-02T12:00:00Z", "2026-11-02"),
        ] {
            assert_eq!(day(text).as_deref(), Some(want), "{text}");
        }
        for text in ["", "soon", "d", "-3d", "2026-13", "2026-11-02-03", "99999999999d", "é", "3é"]
        {
            assert_eq!(day(text), None, "{text}");
        }
    }
}
