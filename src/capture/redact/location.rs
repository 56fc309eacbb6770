//! Finds secrets by their place: passwords in URLs and in the state of Terraform.

use super::value::{is_placeholder, is_random, is_uuid};
use std::ops::Range;

/// Maximum bytes between `://` and `@`.
const MAX_USER_INFO: usize = 1024;
/// Returns the password, or a token in place of a user, of the URL whose `://` is at `at`. `no_user` is
/// the end of the last text without an `@`, which is not read again.
pub fn url_password(text: &str, at: usize, no_user: &mut usize) -> Option<Range<usize>> {
    let start = at + 3;
    if start < *no_user {
        return None;
    }
    let end = text.floor_char_boundary(text.len().min(start + MAX_USER_INFO));
    let rest = text.get(start..end)?;
    let stop =
        rest.find(|c: char| c.is_whitespace() || "\"'`<>\\".contains(c)).unwrap_or(rest.len());
    let authority = &rest[..stop];
    if !authority.contains('@') {
        *no_user = start + stop;
        return None;
    }
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

/// Returns the result of a `random_password` in a Terraform state.
pub fn generated_password(text: &str, at: usize) -> Vec<Range<usize>> {
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
