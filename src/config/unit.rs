//! What a setting's text may be.

use super::parse::{OLLAMA, host, is_key_name, parse_bytes, parse_duration, parse_money, words};
use super::prices::Prices;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `500ms`, `30s`, `2h`, `90d`.
    Time,
    /// `64KiB`, `20MiB`, or a number of bytes.
    Bytes,
    Count,
    /// US dollars: `2`, `0.50`.
    Money,
    /// Any text but none.
    Text,
    /// Any text, or none.
    MaybeText,
    /// Name of an API key, as `ANTHROPIC_API_KEY`, or none: never the key itself.
    KeyName,
    /// `https://host/path`; nothing of a user, a password or a query.
    Url,
    /// The same, or none.
    MaybeUrl,
    /// An address, or `ollama`: the one on this machine.
    Server,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Some of these words, separated by commas.
    Choices(&'static [&'static str]),
    /// Words, separated by commas.
    Words,
    /// Patterns for paths and names, separated by commas.
    Globs,
    /// `model=in/out`, separated by commas: see [`Prices`].
    Prices,
}

impl Unit {
    /// Whether a value is a list, which the config file holds as an array.
    pub fn is_list(self) -> bool {
        matches!(self, Unit::Choices(_) | Unit::Words | Unit::Globs | Unit::Prices)
    }

    /// Whether a text that cannot be used may be a secret, and must not be repeated.
    pub fn hides(self, text: &str) -> bool {
        match self {
            Unit::KeyName => true,
            Unit::Url | Unit::MaybeUrl => text.contains('@') || text.contains('?'),
            _ => false,
        }
    }

    /// Whether a text can be used.
    ///
    /// # Errors
    /// What to write instead.
    pub fn check(self, text: &str) -> Result<(), String> {
        let want = |fine: bool, what: &str| if fine { Ok(()) } else { Err(what.to_owned()) };
        match self {
            Unit::Time => want(parse_duration(text).is_some(), "write 500ms, 30s or 2h"),
            Unit::Bytes => want(parse_bytes(text).is_some(), "write 64KiB or 20MiB"),
            Unit::Count => want(text.parse::<usize>().is_ok(), "write a whole number"),
            Unit::Money => want(parse_money(text).is_some(), "write dollars, as 2 or 0.50"),
            Unit::Text => want(!text.trim().is_empty(), "it must not be empty"),
            Unit::MaybeText | Unit::Words => Ok(()),
            Unit::KeyName => want(
                text.is_empty() || is_key_name(text),
                "write the name of a key, and the key itself to memctl config secret set NAME",
            ),
            Unit::MaybeUrl if text.is_empty() => Ok(()),
            Unit::Url | Unit::MaybeUrl => {
                want(host(text).is_some(), "write https://host/path, without a password in it")
            }
            Unit::Server => {
                let fine = text == OLLAMA || host(text).is_some();
                want(fine, "write https://host/path, without a password in it, or ollama")
            }
            Unit::Choice(known) => {
                let all = known.join(", ");
                want(known.contains(&text), &format!("write one of {all}"))
            }
            Unit::Choices(known) => {
                let all = known.join(", ");
                want(words(text).all(|w| known.contains(&w)), &format!("write some of {all}"))
            }
            Unit::Globs => words(text)
                .try_for_each(|w| glob::Pattern::new(w).map(drop))
                .map_err(|e| e.to_string()),
            Unit::Prices => Prices::parse(text).map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_take_what_they_say() {
        let check = |unit: Unit, text: &str, fine: bool| {
            assert_eq!(unit.check(text).is_ok(), fine, "{unit:?} {text:?}");
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
        check(Unit::MaybeUrl, "", true);
        check(Unit::Url, "", false);
        check(Unit::Globs, "/home/*, [", false);
        check(Unit::Text, " ", false);
    }
}
