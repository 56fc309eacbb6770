//! Normalizes the URL of a repository's origin, so that all its spellings are equal.

use std::path::{Path, PathBuf};

use crate::git;
use crate::text::without_controls;

/// What a repository was cloned from.
#[derive(Debug, PartialEq)]
pub enum Origin {
    /// `host/path`.
    Remote(String),
    /// The common directory of a repository on this machine.
    Local(PathBuf),
}

impl Origin {
    /// Drops the user, the password, the default port and `.git`. A relative path is resolved
    /// against `root`, the root of the work tree.
    pub fn parse(url: &str, root: &Path) -> Option<Origin> {
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => match scp_like(url) {
                Some((host, path)) => return remote(host, None, path),
                None => ("file".to_owned(), url),
            },
        };
        if scheme == "file" {
            return git::common_dir_at(&root.join(rest)).map(Origin::Local);
        }
        let rest = rest.split(['?', '#']).next().unwrap_or(rest);
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = without_user(authority);
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, port),
            _ => (host, ""),
        };
        let default_port = match scheme.trim_start_matches("git+").trim_end_matches("+git") {
            "https" => "443",
            "http" => "80",
            "ssh" => "22",
            "git" => "9418",
            "ftp" => "21",
            "ftps" => "990",
            _ => "",
        };
        remote(host, Some(port).filter(|p| !p.is_empty() && *p != default_port), path)
    }
}

/// Host and path of `[user@]host:path`. `None` if a slash precedes the colon: that is a local path.
fn scp_like(url: &str) -> Option<(&str, &str)> {
    let (bracketed, from) = match url.find(']') {
        Some(end) if url.contains('[') => (true, end),
        _ => (false, 0),
    };
    let colon = from + url[from..].find(':')?;
    if url[..colon].contains('/') {
        return None;
    }
    let host = without_user(&url[..colon]);
    let host = if bracketed { host.trim_matches(['[', ']']) } else { host };
    Some((host, &url[colon + 1..]))
}

fn without_user(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

fn remote(host: &str, port: Option<&str>, path: &str) -> Option<Origin> {
    let host = without_controls(host).trim_end_matches('.').to_lowercase();
    let path = without_controls(path);
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    let path = parts.join("/");
    let path = path.strip_suffix(".git").unwrap_or(&path).trim_end_matches('/');
    if host.is_empty() || path.is_empty() {
        return None;
    }
    Some(Origin::Remote(match port {
        Some(port) => format!("{host}:{port}/{path}"),
        None => format!("{host}/{path}"),
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_spellings_of_a_url_have_one_form() {
        let check = |url: &str, expected: Option<&str>| {
            let origin = Origin::parse(url, Path::new("/nowhere"));
            assert_eq!(origin, expected.map(|place| Origin::Remote(place.to_owned())), "{url}");
        };
        for same in [
            "https://github.com/Owner/repo",
            "https://github.com/Owner/repo.git",
            "https://user:secret@GitHub.com:443/Owner/repo.git/",
            "http://github.com:80/Owner//repo",
            "ssh://git@github.com/Owner/repo.git",
            "ssh://git@github.com:22/Owner/repo.git",
            "git+ssh://git@github.com/Owner/repo",
            "git://github.com:9418/Owner/repo",
            "git@github.com:Owner/repo.git",
            "github.com:Owner/repo",
            "git@github.com:/Owner/repo.git",
            "https://github.com./Owner/repo?token=secret#x",
        ] {
            check(same, Some("github.com/Owner/repo"));
        }
        check("ssh://git@example.org:2222/a/b", Some("example.org:2222/a/b"));
        check("https://[::1]:8443/a", Some("[::1]:8443/a"));
        check("git@[::1]:a/b", Some("::1/a/b"));
        check("https://u:p@ss@example.org/a", Some("example.org/a"));
        check("https://example.org", None);
        check("../elsewhere", None);
        check("", None);
    }

    proptest! {
        #[test]
        fn any_url_gives_a_clean_key(url in "([a-z]{1,5}://)?[ -~\n\\\\\"é]{0,80}") {
            if let Some(Origin::Remote(place)) = Origin::parse(&url, Path::new("/nowhere")) {
                prop_assert!(!place.contains(char::is_control) && place.contains('/'));
            }
        }
    }
}
