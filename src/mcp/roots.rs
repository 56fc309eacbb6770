//! The directories that the client has open.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::service::Peer;

/// How long a client may take to name its roots.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the client said last.
#[derive(Default)]
pub struct Roots(Mutex<Known>);

#[derive(Default)]
struct Known {
    dirs: Option<Vec<PathBuf>>,
    /// Increases with each change that the client reports.
    changes: u64,
}

impl Roots {
    /// The client has other roots now.
    pub fn changed(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.dirs = None;
        known.changes += 1;
    }

    /// Asks the client, unless it has answered since its roots changed. Empty if it has none.
    pub async fn of(&self, client: &Peer<RoleServer>) -> Vec<PathBuf> {
        let changes = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(dirs) = &known.dirs {
                return dirs.clone();
            }
            known.changes
        };
        let has_roots = client.peer_info().is_some_and(|info| info.capabilities.roots.is_some());
        if !has_roots {
            return Vec::new();
        }
        let Some(dirs) = ask(client).await else { return Vec::new() };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.changes == changes {
            known.dirs = Some(dirs.clone());
        }
        dirs
    }
}

/// The client's answer.
#[expect(deprecated, reason = "clients in use have no other way to tell their directories")]
async fn ask(client: &Peer<RoleServer>) -> Option<Vec<PathBuf>> {
    let listed = tokio::time::timeout(TIMEOUT, client.list_roots()).await.ok()?.ok()?;
    Some(listed.roots.iter().filter_map(|root| path(&root.uri)).collect())
}

/// The path of a `file:` URI of this machine.
pub fn path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    if !rest.starts_with('/') {
        return None;
    }
    let mut bytes = Vec::with_capacity(rest.len());
    let mut left = rest.bytes();
    while let Some(byte) = left.next() {
        let byte = match byte {
            b'?' | b'#' => break,
            b'%' => {
                let digits = [left.next()?, left.next()?];
                u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        };
        bytes.push(byte);
    }
    (!bytes.contains(&0)).then(|| PathBuf::from(OsString::from_vec(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_a_directory_of_this_machine() {
        let check = |uri: &str, expected: Option<&str>| {
            assert_eq!(path(uri), expected.map(PathBuf::from), "{uri}");
        };
        check("file:///home/a/my%20app", Some("/home/a/my app"));
        check("file://localhost/srv/%C3%A4", Some("/srv/ä"));
        check("file:///", Some("/"));
        check("file:///a?x=1", Some("/a"));
        for uri in ["file://host/a", "https://a/b", "file:a", "file:///a%2", "file:///a%00b", "/a"]
        {
            check(uri, None);
        }
    }
}
