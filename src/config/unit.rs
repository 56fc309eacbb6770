//! Units of settings: validation of their values.

use super::parse::{
    OLLAMA, host, is_key_name, list_items, parse_bytes, parse_duration, parse_money,
};
use super::prices::Prices;
use crate::text::{nearest, quote};
use regex_lite::Regex;
use std::time::Duration;

/// A longer time would overflow the clock.
const MAX_TIME: Duration = Duration::from_secs(3650 * 86_400);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `500ms`, `30s`, `2h`, `90d`.
    Time,
    /// `64KiB`, `20MiB`, or a number of bytes.
    Bytes,
    Count,
    /// US dollars: `2`, `0.50`.
    Money,
    /// A non-empty text.
    Text,
    /// Any text, may be empty.
    OptionalText,
    /// Name of an API key such as `ANTHROPIC_API_KEY`, may be empty. Never the key itself.
    KeyName,
    /// `https://host/path` without user, password and query.
    Url,
    /// A URL, may be empty.
    OptionalUrl,
    /// A URL, or `ollama` for the local Ollama server.
    Server,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Some of these words, comma-separated.
    Choices(&'static [&'static str]),
    /// Glob patterns, comma-separated.
    Globs,
    /// `name=regex`, comma-separated.
    Rules,
    /// Regexes, comma-separated.
    Regexes,
    /// `model=in/out`, comma-separated. See [`Prices`].
    Prices,
}

impl Unit {
    /// Whether the value is a list, which is an array in the config file.
    pub fn is_list(self) -> bool {
        matches!(self, Unit::Choices(_) | Unit::Globs | Unit::Prices | Unit::Rules | Unit::Regexes)
    }

    /// Whether an invalid value may be a secret and must not be printed.
    pub fn may_be_secret(self, text: &str) -> bool {
        match self {
            Unit::KeyName => true,
            Unit::Url | Unit::OptionalUrl | Unit::Server => {
                text.contains('@') || text.contains('?')
            }
            _ => false,
        }
    }

    /// A time in milliseconds, a number of bytes, or a count. `None` for other units.
    pub fn amount(self, text: &str) -> Option<u128> {
        match self {
            Unit::Time => parse_duration(text).map(|time| time.as_millis()),
            Unit::Bytes => parse_bytes(text).map(u128::from),
            Unit::Count => text.parse().ok(),
            _ => None,
        }
    }

    /// Checks a value.
    ///
    /// # Errors
    /// The expected format.
    pub fn check(self, text: &str) -> Result<(), String> {
        let expect = |valid: bool, what: &str| if valid { Ok(()) } else { Err(what.to_owned()) };
        match self {
            Unit::Time => match parse_duration(text) {
                None => Err("expected a duration such as 500ms, 30s or 2h".into()),
                Some(time) => expect(time <= MAX_TIME, "expected a duration of at most 3650d"),
            },
            Unit::Bytes => {
                expect(parse_bytes(text).is_some(), "expected a size such as 64KiB or 20MiB")
            }
            Unit::Count => expect(text.parse::<usize>().is_ok(), "expected a whole number"),
            Unit::Money => {
                expect(parse_money(text).is_some(), "expected dollars such as 2 or 0.50")
            }
            Unit::Text => expect(!text.trim().is_empty(), "expected a non-empty value"),
            Unit::OptionalText => Ok(()),
            Unit::KeyName => expect(
                text.is_empty() || is_key_name(text),
                "expected the name of a key; store the key itself with `memctl config secret set NAME`",
            ),
            Unit::OptionalUrl if text.is_empty() => Ok(()),
            Unit::Url | Unit::OptionalUrl => {
                expect(host(text).is_some(), "expected https://host/path without a password")
            }
            Unit::Server => {
                let valid = text == OLLAMA || host(text).is_some();
                expect(valid, "expected ollama, or https://host/path without a password")
            }
            Unit::Choice(known) => one_of(text, known, "one"),
            Unit::Choices(known) => {
                list_items(text).try_for_each(|word| one_of(word, known, "some"))
            }
            Unit::Globs => list_items(text).try_for_each(|item| pattern(item).map(drop)),
            Unit::Rules => list_items(text).try_for_each(|item| rule(item).map(drop)),
            Unit::Regexes => list_items(text).try_for_each(|item| regex(item).map(drop)),
            Unit::Prices => Prices::parse(text).map(drop),
        }
    }
}

/// Checks that a word is known, and suggests the nearest one.
fn one_of(word: &str, known: &[&str], how_many: &str) -> Result<(), String> {
    if known.contains(&word) {
        return Ok(());
    }
    let expected = format!("expected {how_many} of {}", known.join(", "));
    // The value of a list does not say which of its words is wrong.
    let expected = match how_many {
        "some" => format!("{expected}, not '{}'", quote(word)),
        _ => expected,
    };
    Err(match nearest(word, known.iter().copied()) {
        Some(meant) => format!("{expected}; did you mean '{meant}'?"),
        None => expected,
    })
}

/// Parses a pattern for projects.
///
/// # Errors
/// The expected format. A pattern with a slash that cannot match an absolute path is an error, because
/// it would exclude nothing.
pub fn pattern(text: &str) -> Result<glob::Pattern, String> {
    let is_absolute = ["/", "~/", "*"].iter().any(|start| text.starts_with(start));
    if text.contains('/') && !is_absolute {
        return Err("expected a name, or a path that begins with /, ~/ or *".into());
    }
    glob::Pattern::new(text).map_err(|e| format!("expected a glob pattern: {}", e.msg))
}

/// Parses a rule for secrets: `name=regex`.
///
/// # Errors
/// The expected format.
pub fn rule(text: &str) -> Result<(String, Regex), String> {
    let is_name = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    match text.split_once('=').filter(|(name, _)| is_name(name)) {
        Some((name, pattern)) => Ok((name.to_owned(), regex(pattern)?)),
        None => Err("expected name=regex with a name such as acme-token".into()),
    }
}

/// Parses a regex that matches at least one character.
///
/// # Errors
/// The expected format.
pub fn regex(text: &str) -> Result<Regex, String> {
    let regex = Regex::new(text).map_err(|e| format!("expected a regex: {e}"))?;
    match regex.is_match("") {
        true => Err("expected a regex that does not match the empty text".into()),
        false => Ok(regex),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_accept_valid_values_only() {
        let check = |unit: Unit, text: &str, valid: bool| {
            assert_eq!(unit.check(text).is_ok(), valid, "{unit:?} {text:?}");
        };
        check(Unit::Money, "0.50", true);
        check(Unit::Money, "0", true);
        for wrong in ["-1", "inf", "nan", "1e3", "2$", ""] {
            check(Unit::Money, wrong, false);
        }
        check(Unit::Choice(&["a", "b"]), "b", true);
        check(Unit::Choice(&["a", "b"]), "a,b", false);
        check(Unit::Choices(&["a", "b"]), "a, b", true);
        check(Unit::Choices(&["a", "b"]), "", true);
        check(Unit::Choices(&["a", "b"]), "a,c", false);
        check(Unit::OptionalUrl, "", true);
        check(Unit::Url, "", false);
        check(Unit::Globs, "/home/*, [", false);
        check(Unit::Globs, "/home/*, ~/a, name*, */x", true);
        check(Unit::Globs, "clients/secret", false);
        check(Unit::Text, " ", false);
        check(Unit::Rules, "acme-token=acme_[a-z0-9]{8,}, b=x+", true);
        for wrong in ["acme_[a-z]", "A=x", "a=(", "a=x*", "a=x{9,1}"] {
            check(Unit::Rules, wrong, false);
        }
        check(Unit::Regexes, "TEST_.+", true);
        check(Unit::Regexes, "(", false);
    }
}
