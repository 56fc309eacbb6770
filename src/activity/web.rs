//! Commands that fetch from the network.

use super::shell::Simple;

/// The address that a command fetches. A server on this machine does not count.
pub fn fetches(part: &Simple) -> Option<String> {
    if part.program() == "gh" {
        return from_a_forge(part);
    }
    if !matches!(
        part.program(),
        "curl" | "wget" | "http" | "https" | "httpie" | "xh" | "lynx" | "w3m" | "links" | "aria2c"
    ) {
        return None;
    }
    // It only asks whether the server answers.
    if part.args().any(|a| matches!(a, "/dev/null" | "-I" | "--head" | "--spider")) {
        return None;
    }
    let addresses: Vec<&str> = part
        .args()
        .filter(|a| {
            a.contains("://")
                || a.starts_with("localhost")
                || a.starts_with("127.")
                || (a.contains('.') && !a.contains(' ') && !a.starts_with(['/', '.', '@']))
        })
        .collect();
    let local = |a: &&str| is_local(a);
    if !addresses.is_empty() && addresses.iter().all(local) {
        return None;
    }
    Some(
        addresses
            .iter()
            .find(|a| !local(a))
            .map_or_else(|| part.program().to_owned(), |a| (*a).to_owned()),
    )
}

/// Whether an address is on this machine.
pub fn is_local(address: &str) -> bool {
    let host = address.split("://").last().unwrap_or(address);
    ["localhost", "127.", "0.0.0.0", "[::1]", "host.docker.internal"]
        .iter()
        .any(|l| host.starts_with(l))
}

/// What strangers may have written on a forge: issues, reviews, results of its API.
fn from_a_forge(part: &Simple) -> Option<String> {
    let (what, how) = (part.verb(), part.args().nth(1).unwrap_or_default());
    let fetched = match what {
        "api" | "search" => true,
        "issue" | "pr" | "release" | "gist" | "discussion" => {
            matches!(how, "view" | "list" | "diff" | "status")
        }
        _ => false,
    };
    fetched.then(|| format!("gh {what} {how}").trim().to_owned())
}
