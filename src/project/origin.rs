//! Normalizes the URL of a repository's origin, so that all its spellings are equal.

use std::path::{Path, PathBuf};

use crate::git;
use crate::text::without_controls;

/// What a repository was cloned from.
#[derive(Debug, PartialEq)]
pub enum Origin {
    Remote(Remote),
    /// The common directory of a repository on this machine.
    Local(PathBuf),
}

/// A repository on another machine, without user, password, default port and `.git`.
#[derive(Clone, Debug, PartialEq)]
pub struct Remote {
    /// SSH may know the host by another name.
    pub over_ssh: bool,
    pub host: String,
    port: Option<String>,
    /// As it is written. Some hosts ignore its case.
    pub path: String,
}

/// A host that ignores the case of paths.
struct Host {
    name: &'static str,
    /// Its other names. Some of them listen for SSH at the port of HTTPS.
    others: &'static [&'static str],
}

const HOSTS: [Host; 6] = [
    Host { name: "github.com", others: &["ssh.github.com", "www.github.com"] },
    Host { name: "gitlab.com", others: &["altssh.gitlab.com", "www.gitlab.com"] },
    Host { name: "bitbucket.org", others: &["altssh.bitbucket.org", "www.bitbucket.org"] },
    Host { name: AZURE, others: &[AZURE_SSH] },
    Host { name: "codeberg.org", others: &[] },
    Host { name: "gitea.com", others: &[] },
];
const AZURE: &str = "dev.azure.com";
const AZURE_SSH: &str = "ssh.dev.azure.com";

impl Remote {
    fn new(over_ssh: bool, host: &str, port: Option<&str>, path: &str) -> Option<Remote> {
        let host = without_controls(host).trim_end_matches('.').to_lowercase();
        let path = without_controls(path);
        let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
        let path = parts.join("/");
        let path = path.strip_suffix(".git").unwrap_or(&path).trim_end_matches('/').to_owned();
        let port = port.map(str::to_owned);
        (!host.is_empty() && !path.is_empty()).then_some(Remote { over_ssh, host, port, path })
    }

    /// The key of the project: `git:host/path`. Equal for all spellings.
    pub fn key(&self) -> String {
        let Remote { host, port, path, .. } = self;
        let is_it = |known: &&Host| known.name == host || known.others.contains(&host.as_str());
        if let Some(known) = HOSTS.iter().find(is_it) {
            let path = if host == AZURE_SSH { azure_path(path) } else { path.clone() };
            return format!("git:{}/{}", known.name, path.to_lowercase());
        }
        match port {
            Some(port) => format!("git:{host}:{port}/{path}"),
            None => format!("git:{host}/{path}"),
        }
    }

    /// The same repository at another host.
    pub fn at(&self, host: &str) -> Option<Remote> {
        Remote::new(self.over_ssh, host, self.port.as_deref(), &self.path)
    }
}

/// `v3/organization/project/repository` as it is over HTTPS.
fn azure_path(path: &str) -> String {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["v3", organization, project, repository] => {
            format!("{organization}/{project}/_git/{repository}")
        }
        _ => path.to_owned(),
    }
}

impl Origin {
    /// Reads a URL or a path. A relative path is resolved against `root`, the root of the work tree.
    pub fn parse(url: &str, root: &Path) -> Option<Origin> {
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => match scp_like(url) {
                Some((host, path)) => {
                    return Remote::new(true, host, None, path).map(Origin::Remote);
                }
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
        let scheme = scheme.trim_start_matches("git+").trim_end_matches("+git");
        let default_port = match scheme {
            "https" => "443",
            "http" => "80",
            "ssh" => "22",
            "git" => "9418",
            "ftp" => "21",
            "ftps" => "990",
            _ => "",
        };
        let port = Some(port).filter(|p| !p.is_empty() && *p != default_port);
        Remote::new(scheme == "ssh", host, port, path).map(Origin::Remote)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_spellings_of_a_url_have_one_form() {
        let check = |url: &str, expected: Option<&str>| {
            let key = match Origin::parse(url, Path::new("/nowhere")) {
                Some(Origin::Remote(remote)) => Some(remote.key()),
                _ => None,
            };
            assert_eq!(key, expected.map(|place| format!("git:{place}")), "{url}");
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
            check(same, Some("github.com/owner/repo"));
        }
        for same in [
            "ssh://git@ssh.github.com:443/owner/Repo.git",
            "git@ssh.github.com:OWNER/repo",
            "https://www.github.com/owner/repo",
            "HTTPS://GITHUB.COM/owner/repo",
        ] {
            check(same, Some("github.com/owner/repo"));
        }
        check("ssh://git@altssh.gitlab.com:443/a/Group/b.git", Some("gitlab.com/a/group/b"));
        check("https://gitlab.com/a/group/b", Some("gitlab.com/a/group/b"));
        check("ssh://git@altssh.bitbucket.org:443/a/b.git", Some("bitbucket.org/a/b"));
        check("https://me@bitbucket.org/a/b.git", Some("bitbucket.org/a/b"));
        check("git@ssh.dev.azure.com:v3/Org/proj/repo", Some("dev.azure.com/org/proj/_git/repo"));
        check(
            "https://org@dev.azure.com/org/proj/_git/repo",
            Some("dev.azure.com/org/proj/_git/repo"),
        );
        // The case may matter on other hosts.
        check("https://git.example.org/Owner/repo", Some("git.example.org/Owner/repo"));
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
            if let Some(Origin::Remote(remote)) = Origin::parse(&url, Path::new("/nowhere")) {
                let key = remote.key();
                prop_assert!(!key.contains(char::is_control) && key.contains('/'));
            }
        }
    }
}
