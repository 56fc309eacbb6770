//! What a setting's text may be, and what it then means.

use std::time::Duration;

use super::prices::Prices;
use super::secrets::is_name;

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
                text.is_empty() || is_name(text),
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

/// The word for [`OLLAMA_URL`].
pub const OLLAMA: &str = "ollama";
/// Where Ollama listens unless it is told otherwise.
pub const OLLAMA_URL: &str = "http://127.0.0.1:11434/v1";

/// What stands between commas.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|w| !w.is_empty())
}

/// `500ms`, `30s`, `5min`, `2h`, `90d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let n: u64 = text[..digits].parse().ok()?;
    let ms = match text[digits..].trim() {
        "ms" => 1,
        "s" => 1000,
        "min" | "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(n.checked_mul(ms)?))
}

/// `64KiB`, `20MiB`, `10000`.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let n: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "" | "B" => 1,
        "KiB" | "K" | "k" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => return None,
    };
    n.checked_mul(unit)
}

/// Dollars, none below zero.
pub fn parse_money(text: &str) -> Option<f64> {
    let plain = |c: char| c.is_ascii_digit() || c == '.';
    let dollars: f64 = text.parse().ok()?;
    (text.chars().all(plain) && dollars.is_finite()).then_some(dollars)
}

/// The host of `scheme://host[:port]/path`, without brackets; `None`: it is no such thing, or
/// says more than where.
pub fn host(url: &str) -> Option<&str> {
    let rest = ["https://", "http://", "socks5://", "socks5h://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))?;
    if url.contains(|c: char| c.is_whitespace() || c.is_control() || "?#@\\".contains(c)) {
        return None;
    }
    let authority = rest.split('/').next()?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => v6.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port_is_fine = port.is_empty() || port.strip_prefix(':')?.parse::<u16>().is_ok();
    (!host.is_empty() && port_is_fine).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_no_more() {
        let check = |url, want| assert_eq!(host(url), want, "{url}");
        check("https://api.example.com", Some("api.example.com"));
        check("http://localhost:11434/v1", Some("localhost"));
        check("http://[::1]:8080/v1", Some("::1"));
        check("socks5://10.0.0.1:1080", Some("10.0.0.1"));
        check("api.example.com", None);
        check("https://", None);
        check("https://:80", None);
        check("https://h:port/", None);
        check("https://user:secret@h/", None);
        check("https://h/v1?key=secret", None);
        check("https://h /", None);
        check("file:///etc/passwd", None);
    }

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
        assert_eq!(parse_bytes("32KiB"), Some(32 << 10));
        assert_eq!(parse_duration("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(parse_duration("24"), None);
    }
}
