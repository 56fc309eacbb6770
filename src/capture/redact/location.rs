//! Finds secrets by their place: passwords in URLs and in the arguments of commands.

use std::ops::Range;
use std::sync::OnceLock;

use regex_lite::Regex;

use super::value::{is_placeholder, is_random, is_uuid};

/// Maximum bytes between `://` and `@`.
const MAX_USER_INFO: usize = 1024;
/// Maximum bytes of a line that are read to each side of a program or an option.
const MAX_LINE: usize = 1000;

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

/// Returns where the line of `at` begins, at most [`MAX_LINE`] bytes before.
fn line_start(text: &str, at: usize) -> usize {
    let from = text.floor_char_boundary(at.saturating_sub(MAX_LINE));
    text[from..at].rfind('\n').map_or(from, |end| from + end + 1)
}

/// Returns the password in the argument of the short option at `at`, if a program on its line takes one.
pub fn option_password(text: &str, at: usize) -> Option<Range<usize>> {
    let line_start = line_start(text, at);
    let line = &text[line_start..at];
    let option = text[at..].trim_start();
    let option_at = text.len() - option.len();
    let (flag, after) = match option.strip_prefix("--") {
        Some(long) => (b'u', &long[long.find("user")? + 4..]),
        None => (option.as_bytes().get(1)?.to_ascii_lowercase(), option.get(2..)?),
    };
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
        b'u' | b'a'
            if runs(&[
                "curl",
                "wget",
                "http",
                "https",
                "xh",
                "httpie",
                "ab",
                "smbclient",
                "smbget",
                "rpcclient",
            ]) =>
        {
            let (user, password) = value.split_once([':', '%'])?;
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
            "unzip",
            "sqlcmd",
            "bcp",
            "isql",
        ]) =>
        {
            (is_secret(value)
                && !value.parse::<u32>().is_ok_and(|n| n < 65536 && runs(&["mongo", "mongosh"])))
            .then(|| from..from + value.len())
        }
        b'k' if runs(&["openssl"]) => is_secret(value).then(|| from..from + value.len()),
        b'b' if runs(&["curl"]) => {
            let (name, cookie) = value.split_once('=')?;
            let from = from + name.len() + 1;
            (cookie.len() >= 8 && !is_placeholder(cookie)).then(|| from..from + cookie.len())
        }
        b'a' if runs(&["redis-cli"]) => is_secret(value).then(|| from..from + value.len()),
        b'w' if runs(&["security", "ldapsearch", "ldapmodify", "ldapadd", "ldapwhoami"]) => {
            is_secret(value).then(|| from..from + value.len())
        }
        _ => None,
    }
}

/// Regexes whose group is a password, each for the line of a program. Each is built on first use.
#[rustfmt::skip]
const RULES: [&str; 8] = [
    // The text that a pipe passes to the program.
    r#"(?:echo|printf)\s+(?:-[a-zA-Z]+\s+)?(?:'%s(?:\\n)?'\s+|"%s(?:\\n)?"\s+|%s\s+)?['"]?(?:[\w.-]+:)?([^'"|\s:]{4,})['"]?\s*\|\s*[\w./ -]*$"#,
    // The same as a here string.
    r#"<<<\s*['"]?(?:[\w.-]+:)?([^'"\s]{4,})['"]?"#,
    // curl -sSu user:password
    r#"\s-[a-zA-Z]*u\s*['"]?[^\s:'"]+:([^\s'"]{3,})"#,
    // htpasswd -nbB user password, smbclient -U user%password
    r#"htpasswd\s+-\w*b\w*\s+(?:[\w./-]+\s+)?[\w.-]+\s+['"]?([^\s'"]{4,})"#,
    r#"-U\s*['"]?[^\s%'"]+%([^\s'"]{3,})"#,
    // oathtool --totp -b SECRET
    r"oathtool\s(?:.*\s)?['\x22]?([A-Z2-7]{16,}|[A-Z2-7 ]{19,}|[0-9a-fA-F]{20,})",
    // net use X: \\server\share password /user:name
    r"(?i)net use\s+(?:\S+:\s+)?\\\\\S+\s+(?:/user:\S+\s+)?([^\s/]\S{3,})",
    r#"(?i)(?:redis-cli.*\sauth|openssl.*\s-(?:k|K|pass(?:in|out)?\s+pass:))\s*['"]?([^\s'"]{4,})"#,
];

/// Returns the passwords in the arguments or the input of the program at `at`.
pub fn program_passwords(text: &str, at: usize) -> Vec<Range<usize>> {
    static REGEXES: [OnceLock<Regex>; RULES.len()] = [const { OnceLock::new() }; RULES.len()];
    let regex = |n: usize| REGEXES[n].get_or_init(|| Regex::new(RULES[n]).expect("tested"));
    let line_start = line_start(text, at);
    let line_end = text.floor_char_boundary(text.len().min(at + MAX_LINE));
    let line_end = text[at..line_end].find('\n').map_or(line_end, |end| at + end);
    let line = line_start..line_end;
    let mut found = Vec::new();
    let mut add = |regex: &Regex, part: Range<usize>| {
        if let Some(secret) = regex.captures(&text[part.clone()]).and_then(|found| found.get(1))
            && !is_placeholder(secret.as_str())
            && !secret.as_str().starts_with(['-', '$'])
        {
            found.push(part.start + secret.start()..part.start + secret.end());
        }
    };
    let word = &text[at..];
    let starts =
        |name: &str| word.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name));
    if starts("curl") {
        add(regex(2), line);
    } else if starts("htpasswd") {
        add(regex(3), line);
    } else if starts("smbclient") {
        add(regex(4), line);
    } else if starts("oathtool") {
        add(regex(5), line);
    } else if starts("net use") {
        add(regex(6), line);
    } else if starts("redis-cli") || starts("openssl") {
        add(regex(7), line);
    } else if starts("random_password") {
        found.extend(generated_password(text, at));
    } else {
        add(regex(0), line_start..at);
        add(regex(1), at..line_end);
    }
    found
}

/// Returns the result of a `random_password` in a Terraform state.
fn generated_password(text: &str, at: usize) -> Vec<Range<usize>> {
    const MAX_RESOURCE: usize = 2000;
    let end = text.floor_char_boundary(text.len().min(at + MAX_RESOURCE));
    let part = &text[at..end];
    let mut found = Vec::new();
    for key in ["\"result\"", "\\\"result\\\""] {
        let Some(key_at) = part.find(key) else { continue };
        let value = &part[key_at + key.len()..];
        let from = value.find(|c: char| !matches!(c, ' ' | ':' | '=' | '"' | '\\')).unwrap_or(0);
        let len = value[from..].find(['"', '\\', '\n']).unwrap_or(0);
        if len >= 4 && !is_placeholder(&value[from..from + len]) {
            let start = at + key_at + key.len() + from;
            found.push(start..start + len);
            break;
        }
    }
    found
}

/// Returns the password in `user:password@tcp(host:3306)/db`, whose `@` is at `at`.
pub fn go_dsn_password(text: &str, at: usize) -> Option<Range<usize>> {
    let from = text.floor_char_boundary(at.saturating_sub(200));
    let is_before = |c: char| c.is_whitespace() || "\"'`=(".contains(c);
    let start = text[from..at].rfind(is_before).map_or(from, |end| from + end + 1);
    let (user, password) = text.get(start..at)?.split_once(':')?;
    let from = start + user.len() + 1;
    (password.len() >= 3 && !is_placeholder(password)).then_some(from..at)
}
