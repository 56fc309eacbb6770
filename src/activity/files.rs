//! The files that a command reads, writes, removes or restores, from its arguments.

use super::shell::SimpleCommand;

/// Files that `cat`, `head`, `tail` or `sed -n` reads.
pub fn read(command: &SimpleCommand) -> Vec<String> {
    let skip = match command.program() {
        "cat" | "head" | "tail" | "less" | "bat" => 0,
        "sed" if command.has("-n") => 1,
        _ => return Vec::new(),
    };
    command.args().skip(skip).filter(|a| is_path(a)).map(str::to_owned).collect()
}

/// Files that a command writes to, changes in place or moves to.
pub fn written(command: &SimpleCommand) -> Vec<String> {
    let mut out: Vec<String> = command.written.iter().filter(|w| is_path(w)).cloned().collect();
    let in_place = |w: &String| w.starts_with("-i") || w.starts_with("-pi") || w == "--in-place";
    match command.program() {
        "tee" => out.extend(command.args().filter(|a| is_path(a)).map(str::to_owned)),
        "sed" | "perl" | "gsed" if command.words.iter().any(in_place) => {
            out.extend(command.args().skip(1).filter(|a| is_path(a)).map(str::to_owned));
        }
        "mv" | "cp" => out.extend(command.args().last().filter(|a| is_path(a)).map(str::to_owned)),
        "git" if command.verb() == "mv" => {
            out.extend(command.args().last().filter(|a| is_path(a)).map(str::to_owned))
        }
        _ => {}
    }
    out
}

/// Files that `rm` or `git rm` removes.
pub fn removed(command: &SimpleCommand) -> Vec<String> {
    let skip = match command.program() {
        "rm" => 0,
        "git" if command.verb() == "rm" => 1,
        _ => return Vec::new(),
    };
    command.args().skip(skip).filter(|a| is_path(a)).map(str::to_owned).collect()
}

/// Files that git restores, `.` for all: `git checkout -- a.rs`, `git restore .`, `git reset --hard`.
pub fn reverted(command: &SimpleCommand) -> Vec<String> {
    if command.program() != "git" {
        return Vec::new();
    }
    match command.verb() {
        "reset" if command.has("--hard") => vec![".".to_owned()],
        "restore" if !command.has("--staged") => {
            command.args().skip(1).map(str::to_owned).collect()
        }
        "checkout" => {
            let at = command.words.iter().position(|w| w == "--");
            at.map_or_else(Vec::new, |at| command.words[at + 1..].to_vec())
        }
        _ => Vec::new(),
    }
}

/// Whether a word looks like the path of a file that is worth remembering.
fn is_path(word: &str) -> bool {
    let is_literal =
        !word.contains(|c: char| c.is_whitespace() || "*?${}<>|\"'`=,;:()[]!".contains(c));
    is_literal
        && (word.contains('.') || word.contains('/'))
        && word.len() > 1
        && !word.starts_with("/dev/")
        && !word.starts_with("/tmp/")
        && !word.ends_with('/')
        && !word.starts_with("/proc/")
        && !word.starts_with("/var/")
        && !word.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}
