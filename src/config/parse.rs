//! Parsers for the values of settings.

use std::time::Duration;

/// The alias for [`OLLAMA_URL`].
pub const OLLAMA: &str = "ollama";
/// The default address of Ollama.
pub const OLLAMA_URL: &str = "http://127.0.0.1:11434/v1";

/// The items of a comma-separated list. The comma in a quantifier of a regex, `{2,4}`, does not separate.
pub fn list_items(text: &str) -> impl Iterator<Item = &str> {
    let is_quantifier = |comma: usize| {
        let before = text[..comma].trim_end_matches(|c: char| c.is_ascii_digit());
        let after = text[comma + 1..].trim_start_matches(|c: char| c.is_ascii_digit());
        before.len() < comma && before.ends_with('{') && after.starts_with('}')
    };
    let mut start = 0;
    let commas = text.match_indices(',').map(|(at, _)| at).filter(move |at| !is_quantifier(*at));
    let items = commas.chain([text.len()]).map(move |end| {
        let item = &text[start..end];
        start = end + 1;
        item.trim()
    });
    items.filter(|item| !item.is_empty())
}

/// Parses `500ms`, `30s`, `5min`, `2h` or `90d`.
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

/// Parses `64KiB`, `20MiB` or `10000`.
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

/// Parses a non-negative amount of dollars.
pub fn parse_money(text: &str) -> Option<f64> {
    let is_plain = |c: char| c.is_ascii_digit() || c == '.';
    let dollars: f64 = text.parse().ok()?;
    (text.chars().all(is_plain) && dollars.is_finite()).then_some(dollars)
}

/// The host of `scheme://host[:port]/path`, without brackets. `None` if the URL is invalid or has a
/// user, a password, a query or a fragment.
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
    let port_is_valid = port.is_empty() || port.strip_prefix(':')?.parse::<u16>().is_ok();
    (!host.is_empty() && port_is_valid).then_some(host)
}

/// Whether an API key may have this name. Uppercase only: a key pasted as its name is rejected.
pub fn is_key_name(name: &str) -> bool {
    let valid = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.chars().all(valid) && name.starts_with(|c: char| c.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_with_credentials_or_a_query_are_rejected() {
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
    fn a_comma_in_a_quantifier_does_not_separate() {
        let items = |text| list_items(text).collect::<Vec<_>>();
        assert_eq!(items("a, b,,c"), ["a", "b", "c"]);
        assert_eq!(items("x=y{2,4}z{2,},[,{,1}"), ["x=y{2,4}z{2,}", "[", "{", "1}"]);
    }

    #[test]
    fn sizes_and_durations_have_units() {
        assert_eq!(parse_bytes("32KiB"), Some(32 << 10));
        assert_eq!(parse_duration("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(parse_duration("24"), None);
    }
}
