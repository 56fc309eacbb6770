//! The files that a command names: shown, written, removed, restored.

use super::shell::Simple;

/// Files shown by `cat`, `head`, `tail`, `sed -n`.
pub fn read(part: &Simple) -> Vec<String> {
    let skip = match part.program() {
        "cat" | "head" | "tail" | "less" | "bat" => 0,
        "sed" if part.has("-n") => 1,
        _ => return Vec::new(),
    };
    part.args().skip(skip).filter(|a| is_path(a)).map(str::to_owned).collect()
}

/// Files a command wrote into, changed in place or moved to.
pub fn written(part: &Simple) -> Vec<String> {
    let mut out: Vec<String> = part.written.iter().filter(|w| is_path(w)).cloned().collect();
    let in_place = |w: &String| w.starts_with("-i") || w.starts_with("-pi") || w == "--in-place";
    match part.program() {
        "tee" => out.extend(part.args().filter(|a| is_path(a)).map(str::to_owned)),
        "sed" | "perl" | "gsed" if part.words.iter().any(in_place) => {
            out.extend(part.args().skip(1).filter(|a| is_path(a)).map(str::to_owned));
        }
        "mv" | "cp" => out.extend(part.args().last().filter(|a| is_path(a)).map(str::to_owned)),
        "git" if part.verb() == "mv" => {
            out.extend(part.args().last().filter(|a| is_path(a)).map(str::to_owned))
        }
        _ => {}
    }
    out
}

pub fn removed(part: &Simple) -> Vec<String> {
    let skip = match part.program() {
        "rm" => 0,
        "git" if part.verb() == "rm" => 1,
        _ => return Vec::new(),
    };
    part.args().skip(skip).filter(|a| is_path(a)).map(str::to_owned).collect()
}

/// Files that git restored: `git checkout -- a.rs`, `git restore .`, `git reset --hard`.
pub fn reverted(part: &Simple) -> Vec<String> {
    if part.program() != "git" {
        return Vec::new();
    }
    match part.verb() {
        "reset" if part.has("--hard") => vec![".".to_owned()],
        "restore" if !part.has("--staged") => part.args().skip(1).map(str::to_owned).collect(),
        "checkout" => {
            let at = part.words.iter().position(|w| w == "--");
            at.map_or_else(Vec::new, |at| part.words[at + 1..].to_vec())
        }
        _ => Vec::new(),
    }
}

/// Whether a word looks like the path of a file that is worth remembering.
fn is_path(word: &str) -> bool {
    let plain = !word.contains(|c: char| c.is_whitespace() || "*?${}<>|\"'`=,;:()[]!".contains(c));
    let named = word.contains('.') || word.contains('/');
    plain
        && named
        && word.len() > 1
        && !word.starts_with("/dev/")
        && !word.starts_with("/tmp/")
        && !word.ends_with('/')
        && !word.starts_with("/proc/")
        && !word.starts_with("/var/")
        && !word.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}
