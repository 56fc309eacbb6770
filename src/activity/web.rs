//! Commands that fetch from the network.

use super::shell::SimpleCommand;

/// The address that a command fetches from. A server on this machine does not count.
pub fn fetches(command: &SimpleCommand) -> Option<String> {
    if !matches!(
        command.program(),
        "curl" | "wget" | "http" | "https" | "httpie" | "xh" | "lynx" | "w3m" | "links" | "aria2c"
    ) {
        return None;
    }
    // The command only checks whether the server answers.
    if command.args().any(|a| matches!(a, "/dev/null" | "-I" | "--head" | "--spider")) {
        return None;
    }
    let addresses: Vec<&str> = command
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
            .map_or_else(|| command.program().to_owned(), |a| (*a).to_owned()),
    )
}

/// Whether an address is on this machine.
pub fn is_local(address: &str) -> bool {
    let host = address.split("://").last().unwrap_or(address);
    ["localhost", "127.", "0.0.0.0", "[::1]", "host.docker.internal"]
        .iter()
        .any(|l| host.starts_with(l))
}

/// Whether a `gh` command prints text that other people may have written: issues, reviews, API
/// results. The project's forge is not the web, but what it quotes is.
pub fn quotes_forge(command: &SimpleCommand) -> bool {
    if command.program() != "gh" {
        return false;
    }
    let (object, verb) = (command.verb(), command.args().nth(1).unwrap_or_default());
    match object {
        "api" | "search" => true,
        "issue" | "pr" | "release" | "gist" | "discussion" => {
            matches!(verb, "view" | "list" | "diff" | "status")
        }
        "run" => verb == "view",
        _ => false,
    }
}
