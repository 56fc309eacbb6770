//! Finds secrets by their place: passwords in URLs and in the arguments of commands.

use std::ops::Range;

use super::value::{is_placeholder, is_random, is_uuid};

/// Maximum bytes between `://` and `@`.
const MAX_USER_INFO: usize = 1024;

/// Returns the password, or a token in place of a user, of the URL whose `://` is at `at`.
pub fn url_password(text: &str, at: usize) -> Option<Range<usize>> {
    let start = at + 3;
    let end = text.floor_char_boundary(text.len().min(start + MAX_USER_INFO));
    let rest = text.get(start..end)?;
    let stop =
        rest.find(|c: char| c.is_whitespace() || "\"'`<>\\".contains(c)).unwrap_or(rest.len());
    let authority = &rest[..stop];
    // A password may contain a slash that is not escaped, but a path may contain an @ too.
    let before_path = authority.find(['/', '?', '#']).unwrap_or(authority.len());
    let user_info = match authority[..before_path].rfind('@') {
        Some(end) => &authority[..end],
        None => {
            let end = authority.rfind('@')?;
            let (user, password) = authority[..end].split_once(':')?;
            let is_port = password.bytes().take_while(u8::is_ascii_digit).count();
            let after_port = password[is_port..].chars().next();
            if user.is_empty() && password.is_empty()
                || is_port > 0 && matches!(after_port, Some('/' | '?' | '#'))
            {
                return None;
            }
            &authority[..end]
        }
    };
    match user_info.split_once(':') {
        Some((user, password)) => {
            let from = start + user.len() + 1;
            (!password.is_empty() && !is_placeholder(password)).then(|| from..from + password.len())
        }
        None => {
            let is_token = user_info.len() >= 16 && (is_random(user_info) || is_uuid(user_info));
            is_token.then(|| start..start + user_info.len())
        }
    }
}

/// Returns the password in the argument of the short option at `at`, if a program on its line takes one.
pub fn option_password(text: &str, at: usize) -> Option<Range<usize>> {
    let line_start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let line_start = text.floor_char_boundary(line_start.max(at.saturating_sub(2000)));
    let line = &text[line_start..at];
    let option = text[at..].trim_start();
    let option_at = text.len() - option.len();
    let flag = option.as_bytes().get(1)?;
    let after = option.get(2..)?;
    let attached = !after.starts_with([' ', '=', '\t']);
    let value = after.trim_start_matches([' ', '=', '\t']);
    let from = option_at + option.len() - value.len();
    let (from, value) = match value.chars().next()? {
        quote @ ('"' | '\'') => (from + 1, value[1..].split(quote).next()?),
        _ => (from, value.split(|c: char| c.is_whitespace() || "\"'`|;<>)".contains(c)).next()?),
    };
    let runs = |programs: &[&str]| {
        line.split(|c: char| c.is_whitespace() || "|;&(`\"'/$".contains(c))
            .any(|word| programs.contains(&word))
    };
    let is_secret = |value: &str| {
        value.len() >= 3 && !is_placeholder(value) && !value.starts_with(['-', '$', '/'])
    };
    match flag {
        b'u' | b'a' if runs(&["curl", "wget", "http", "https", "xh", "httpie"]) => {
            let (user, password) = value.split_once(':')?;
            let from = from + user.len() + 1;
            is_secret(password).then(|| from..from + password.len())
        }
        b'u' => {
            let (user, password) = value.split_once(':')?;
            let is_id = password.bytes().all(|b| b.is_ascii_digit()) || user.contains('/');
            let from = from + user.len() + 1;
            (is_secret(password) && !is_id && is_random(password))
                .then(|| from..from + password.len())
        }
        b'p' if attached
            && runs(&[
                "mysql",
                "mysqldump",
                "mysqladmin",
                "mariadb",
                "mariadb-dump",
                "sshpass",
                "mysqlimport",
            ]) =>
        {
            is_secret(value).then(|| from..from + value.len())
        }
        b'p' if runs(&[
            "sshpass",
            "login",
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "az",
            "nuget",
            "7z",
            "zip",
        ]) =>
        {
            (is_secret(value)
                && !value.parse::<u32>().is_ok_and(|n| n < 65536 && runs(&["mongo", "mongosh"])))
            .then(|| from..from + value.len())
        }
        b'a' if runs(&["redis-cli"]) => is_secret(value).then(|| from..from + value.len()),
        b'w' if runs(&["ldapsearch", "ldapmodify", "ldapadd", "ldapwhoami"]) => {
            is_secret(value).then(|| from..from + value.len())
        }
        _ => None,
    }
}
