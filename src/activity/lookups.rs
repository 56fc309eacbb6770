//! The table of commands that only print something: `ls`, `git status`, `docker ps`.

use super::shell::SimpleCommand;

/// Programs that only print something, or whose outcome means nothing.
const PRINTERS: [&str; 72] = [
    "", "ls", "cat", "head", "tail", "pwd", "echo", "cd", "which", "wc", "find", "grep", "egrep",
    "fgrep", "rg", "ag", "fd", "tree", "stat", "file", "awk", "gawk", "sort", "uniq", "cut", "tr",
    "sleep", "ps", "kill", "pkill", "mkdir", "chmod", "chown", "touch", "export", "true", "false",
    "test", "[", "[[", "jq", "yq", "less", "more", "date", "whoami", "id", "du", "df", "man",
    "type", "printf", "env", "printenv", "hostname", "uname", "xargs", "tee", "diff", "cmp",
    "basename", "dirname", "realpath", "readlink", "seq", "for", "done", "fi", "set", "source",
    ".", "bd",
];

/// Subcommands with which a program only prints something: `docker ps`, `kubectl get`, `helm list`.
const READ_ONLY_VERBS: [&str; 26] = [
    "status",
    "log",
    "diff",
    "show",
    "list",
    "ls",
    "ps",
    "get",
    "describe",
    "logs",
    "view",
    "info",
    "version",
    "help",
    "inspect",
    "search",
    "tree",
    "metadata",
    "whoami",
    "config",
    "images",
    "outdated",
    "which",
    "blame",
    "rev-parse",
    "explain",
];

/// Whether a command only prints something, or its outcome means nothing.
pub fn only_prints(command: &SimpleCommand) -> bool {
    let (program, verb) = (command.program(), command.verb());
    match (program, verb) {
        (program, _) if PRINTERS.contains(&program) => true,
        _ if command.has("--version") || command.has("--help") => true,
        ("git", "commit" | "push" | "merge" | "rebase" | "cherry-pick" | "pull") => false,
        // Files that these change are in lists of their own.
        ("git" | "rm" | "cp" | "mv" | "sed" | "perl" | "tar" | "unzip" | "brew", _) => true,
        ("npm" | "pnpm" | "yarn" | "bun" | "deno", "dev" | "start" | "") => true,
        (_, verb) => READ_ONLY_VERBS.contains(&verb),
    }
}
