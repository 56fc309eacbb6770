//! The files that a command reads, writes, moves, removes, runs or restores, from its arguments.

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

/// Files that a command changes in place or appends to.
pub fn changed(command: &SimpleCommand) -> Vec<String> {
    let mut out: Vec<String> = command.appended.iter().filter(|w| is_file(w)).cloned().collect();
    let in_place = |w: &String| w.starts_with("-i") || w.starts_with("-pi") || w == "--in-place";
    match command.program() {
        "tee" if command.has("-a") => out.extend(paths(command, 0)),
        "sed" | "perl" | "gsed" if command.words.iter().any(in_place) => {
            out.extend(paths(command, 1));
        }
        _ => {}
    }
    out
}

/// Files that a command writes as a whole.
pub fn written(command: &SimpleCommand) -> Vec<String> {
    let whole = command.written.iter().filter(|w| is_file(w) && !command.appended.contains(w));
    let mut out: Vec<String> = whole.cloned().collect();
    match command.program() {
        "tee" if !command.has("-a") => out.extend(paths(command, 0)),
        "touch" => out.extend(paths(command, 0)),
        "cp" => out.extend(command.args().last().filter(|a| is_path(a)).map(str::to_owned)),
        _ => {}
    }
    out
}

/// The old and the new path of a file that `mv` or `git mv` moves.
pub fn moved(command: &SimpleCommand) -> Vec<(String, String)> {
    let operands: Vec<&str> = match (command.program(), command.verb()) {
        ("mv", _) => command.args().collect(),
        ("git", "mv") => command.args().skip(1).collect(),
        _ => return Vec::new(),
    };
    let Some((to, from)) = operands.split_last().filter(|(_, from)| !from.is_empty()) else {
        return Vec::new();
    };
    let is_literal = |path: &&&str| !path.contains(['*', '?', '$', '{', '~']);
    // A target without an extension is a folder if the file has one.
    let is_folder = from.len() > 1
        || to.ends_with('/')
        || from.iter().all(|path| name(path).contains('.')) && !name(to).contains('.');
    let target = |path: &str| match is_folder {
        true => format!("{}/{}", to.trim_end_matches('/'), name(path)),
        false => (*to).to_owned(),
    };
    if !is_literal(&to) {
        return Vec::new();
    }
    from.iter().filter(is_literal).map(|path| ((*path).to_owned(), target(path))).collect()
}

/// Files and folders that `rm` or `git rm` removes.
pub fn removed(command: &SimpleCommand) -> Vec<String> {
    let skip = match command.program() {
        "rm" | "rmdir" | "unlink" => 0,
        "git" if command.verb() == "rm" => 1,
        _ => return Vec::new(),
    };
    // A cached file stays on the disk.
    if command.has("--cached") {
        return Vec::new();
    }
    let operands = command.args().skip(skip).filter(|word| is_literal(word));
    operands.map(|word| word.trim_end_matches('/').to_owned()).filter(|w| !w.is_empty()).collect()
}

/// Files that git restores, `.` for all: `git checkout -- a.rs`, `git restore .`, `git reset --hard`.
pub fn reverted(command: &SimpleCommand) -> Vec<String> {
    if command.program() != "git" {
        return Vec::new();
    }
    let bare = |word: &str| word.trim_end_matches('/').to_owned();
    match command.verb() {
        "reset" if command.has("--hard") => vec![".".to_owned()],
        "restore" if !command.has("--staged") || command.has("--worktree") => {
            if command.words.iter().any(|w| w.starts_with("--source") || w == "-s") {
                return Vec::new();
            }
            command.args().skip(1).map(bare).collect()
        }
        "checkout" => match command.words.iter().position(|w| w == "--") {
            // `git checkout main -- a.rs` takes the file of another branch.
            Some(at)
                if command.words[..at]
                    .last()
                    .is_some_and(|w| w == "HEAD" || w == "checkout" || w.starts_with('-')) =>
            {
                command.words[at + 1..].iter().map(|word| bare(word)).collect()
            }
            Some(_) => Vec::new(),
            // A branch looks like a path, but no changed file has its name.
            None if command.has("-b") || command.has("-B") => Vec::new(),
            None => command.args().skip(1).map(bare).collect(),
        },
        _ => Vec::new(),
    }
}

/// Whether `git clean` removes all files that git does not track.
pub fn removes_untracked(command: &SimpleCommand) -> bool {
    let forces = |w: &String| w.starts_with('-') && !w.starts_with("--") && w.contains('f');
    let dry = |w: &String| w.starts_with('-') && !w.starts_with("--") && w.contains('n');
    command.program() == "git"
        && command.verb() == "clean"
        && command.args().count() == 1
        && command.words.iter().any(forces)
        && !command.words.iter().any(dry)
}

/// The script that a command runs: `python a.py`, `./a.sh`, `go run a.go`.
pub fn executed(command: &SimpleCommand) -> Option<String> {
    const INTERPRETERS: [&str; 14] = [
        "python", "node", "bash", "sh", "zsh", "ruby", "perl", "php", "tsx", "ts-node", "deno",
        "bun", "Rscript", "lua",
    ];
    let program = command.words.first()?;
    if program.starts_with("./") {
        return Some(program.clone());
    }
    let mut operands = command.args();
    let script = match command.program() {
        name if INTERPRETERS.contains(&name) => operands.find(|word| *word != "run")?,
        "go" | "cargo" if command.verb() == "run" => operands.nth(1)?,
        "gcc" | "g++" | "cc" | "clang" | "clang++" | "rustc" => {
            operands.find(|word| is_path(word) && !word.ends_with(".o"))?
        }
        _ => return None,
    };
    (is_literal(script) && name(script).contains('.')).then(|| script.to_owned())
}

fn paths(command: &SimpleCommand, skip: usize) -> impl Iterator<Item = String> {
    command.args().skip(skip).filter(|a| is_path(a)).map(str::to_owned)
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a word is one path, without patterns and variables.
fn is_literal(word: &str) -> bool {
    !word.contains(|c: char| c.is_whitespace() || "*?${}<>|\"'`=,;:()[]!~".contains(c))
}

/// Whether a file that output is redirected to is worth remembering. Logs are not.
fn is_file(word: &str) -> bool {
    let is_log = [".log", ".out", ".err", ".tmp", ".pid"].iter().any(|end| word.ends_with(end));
    is_path(word) && !is_log
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::shell;

    fn first<T>(line: &str, of: impl Fn(&SimpleCommand) -> T) -> T {
        of(&shell::split(line)[0])
    }

    #[test]
    fn writes_moves_and_removals_are_found() {
        assert_eq!(first("cat > src/a.py <<EOF\nx\nEOF", written), ["src/a.py"]);
        assert_eq!(first("echo x >> notes.md", changed), ["notes.md"]);
        assert!(first("echo x >> notes.md", written).is_empty());
        assert!(first("cargo test > out.log 2>&1", written).is_empty());
        assert_eq!(first("sed -i s/a/b/ src/x.rs y.rs", changed), ["src/x.rs", "y.rs"]);
        let pair = |a: &str, b: &str| vec![(a.to_owned(), b.to_owned())];
        assert_eq!(first("git mv old.rs new.rs", moved), pair("old.rs", "new.rs"));
        assert_eq!(first("mv a.rs src/", moved), pair("a.rs", "src/a.rs"));
        assert_eq!(first("mv a.rs lib", moved), pair("a.rs", "lib/a.rs"));
        assert!(first("mv *.rs src", moved).is_empty());
        assert_eq!(first("rm -rf scratch/ a.py '*.pyc'", removed), ["scratch", "a.py"]);
        assert!(first("git rm --cached a.env", removed).is_empty());
    }

    #[test]
    fn restored_files_are_found() {
        assert_eq!(first("git checkout -- a.rs b.rs", reverted), ["a.rs", "b.rs"]);
        assert_eq!(first("git checkout .", reverted), ["."]);
        assert_eq!(first("git restore src/", reverted), ["src"]);
        assert_eq!(first("git reset --hard HEAD", reverted), ["."]);
        for line in
            ["git restore --staged a.rs", "git checkout main -- a.rs", "git checkout -b fix/a"]
        {
            assert!(first(line, reverted).is_empty(), "{line}");
        }
        assert!(first("git clean -fd", removes_untracked));
        assert!(!first("git clean -nfd", removes_untracked));
    }

    #[test]
    fn executed_scripts_are_found() {
        for (line, script) in [
            ("python3 /tmp/a.py --fast", Some("/tmp/a.py")),
            ("./run.sh", Some("./run.sh")),
            ("go run ./cmd/a.go", Some("./cmd/a.go")),
            ("gcc -O2 t.c -o t", Some("t.c")),
            ("python -c 'print(1)'", None),
            ("cat a.py", None),
        ] {
            let found = first(line, executed);
            assert_eq!(found.as_deref(), script, "{line}");
        }
    }
}
