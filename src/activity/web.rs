//! Commands that fetch from the network.

use super::shell::SimpleCommand;

/// The address that a command fetches from. A server on this machine does not count.
pub fn fetches(command: &SimpleCommand) -> Option<String> {
    if let Some(address) = fetched_by_script(command) {
        return Some(address);
    }
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

/// The address that inline code of an interpreter fetches: `python -c "requests.get('https://…')"`.
fn fetched_by_script(command: &SimpleCommand) -> Option<String> {
    const CALLS: [&str; 14] = [
        "requests.",
        "urllib",
        "httpx",
        "http.client",
        "aiohttp",
        "fetch(",
        "axios",
        "http.get",
        "https.get",
        "net/http",
        "open-uri",
        "URI.open",
        "LWP",
        "file_get_contents",
    ];
    let interpreter = command.program().trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if !matches!(interpreter, "python" | "node" | "deno" | "bun" | "ruby" | "perl" | "php") {
        return None;
    }
    let code = command.words.iter().skip(1).chain(&command.heredoc);
    let code = code.filter(|code| CALLS.iter().any(|call| code.contains(call)));
    let ends = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`' | ')' | ',' | '<' | '>');
    let addresses = code.flat_map(|code| {
        code.match_indices("://").map(|(at, _)| {
            let from = code[..at].rfind(|c: char| !c.is_ascii_alphabetic()).map_or(0, |at| at + 1);
            code[from..].split(ends).next().unwrap_or("").to_owned()
        })
    });
    addresses.into_iter().find(|address| !is_local(address))
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
