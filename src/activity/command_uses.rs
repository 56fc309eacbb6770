//! Reads which commands of a line worked and which failed, and how they were written.

use super::shell::{SimpleCommand, Status};
use super::verdict::Exit;
use super::{blockers, error_lines, lookups, risk, runners, shell};
use crate::memory::{Blocker, CheckRun, Outcome};
use crate::project::PathBase;

/// Maximum number of characters of a command.
const MAX_LINE: usize = 160;
/// A longer argument is left out, and so is one of several lines.
const MAX_WORD: usize = 60;
/// Least weight of a line of output that reports an error; see [`error_lines`].
const MIN_WEIGHT: u8 = 5;

/// One use of a command with a known outcome.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Use {
    /// The command on one line, with its wrappers and without redirections.
    pub line: String,
    /// The directory that it ran in, relative to the project. Empty: the root.
    pub dir: String,
    /// Program and verb: `cargo test`.
    pub name: String,
    pub worked: bool,
    pub exit: Option<i32>,
    /// It is a check.
    pub is_check: bool,
    /// It does more than print something.
    pub acts: bool,
}

/// The uses in a line of commands. A command whose outcome is unknown is left out: one of several that
/// may have failed, or one whose status a pipe hides. `checks` has the checks with their positions.
pub fn read(
    parts: &[SimpleCommand],
    dirs: &[Option<String>],
    exit: (Exit, Option<i32>),
    checks: &[(usize, &CheckRun)],
    blockers: &[Blocker],
    output: &str,
    base: &PathBase,
) -> Vec<Use> {
    let shown = |part: &&SimpleCommand| part.status == Status::Shown && !is_trivial(part);
    let alone = parts.iter().filter(shown).count() == 1;
    let mut uses = Vec::new();
    for (at, part) in parts.iter().enumerate().filter(|(_, part)| !is_trivial(part)) {
        let check = checks.iter().find(|(place, _)| *place == at).map(|(_, check)| check);
        let name = blockers::name(part);
        let worked = match (check.map(|check| check.outcome), part.status, exit.0) {
            (Some(Outcome::Pass), _, _) => true,
            (Some(Outcome::Fail), _, _) => false,
            (_, Status::Shown, Exit::Ok) => true,
            (_, Status::Shown, Exit::Failed) if alone => false,
            (_, Status::Shown, Exit::Failed)
                if blockers.iter().any(|blocker| blocker.command == name) =>
            {
                false
            }
            (None, Status::Hidden, Exit::Ok) if is_quiet(part, output) => true,
            _ => continue,
        };
        let exit = match (part.status, worked) {
            (Status::Shown, true) => (exit.0 == Exit::Ok).then_some(0),
            (Status::Shown, false) => exit.1,
            _ => None,
        };
        let names_dir =
            part.typed.iter().any(|word| matches!(word.as_str(), "-C" | "--cwd" | "--prefix"));
        let dir = dirs[at].as_deref().filter(|_| !names_dir);
        let dir = dir.map_or_else(String::new, |dir| base.relative(dir));
        uses.push(Use {
            line: line(part),
            dir: if dir == "." { String::new() } else { dir },
            name,
            worked,
            exit,
            is_check: check.is_some(),
            acts: !lookups::only_prints(part),
        });
    }
    uses
}

/// The exit status in the words of a client: `Exit code 2` at the beginning of a failed tool's text.
pub fn exit_code(output: &str) -> Option<i32> {
    let first = output.lines().next()?.trim();
    let first = first.strip_prefix("Error: ").unwrap_or(first);
    first.strip_prefix("Exit code ")?.parse().ok()
}

/// Whether a command whose output goes to `tail` or `head` printed no error.
fn is_quiet(part: &SimpleCommand, output: &str) -> bool {
    let is_shown = matches!(part.filter.as_deref(), Some("tail" | "head" | "tee" | "cat"));
    let weighs = |line: &str| error_lines::weight(line.trim()) >= MIN_WEIGHT;
    is_shown && !output.trim().is_empty() && !output.lines().any(weighs)
}

/// Commands that everybody knows how to use, and words of the shell.
fn is_trivial(part: &SimpleCommand) -> bool {
    const PROGRAMS: [&str; 46] = [
        "", "ls", "cat", "head", "tail", "pwd", "echo", "cd", "which", "wc", "grep", "egrep",
        "fgrep", "rg", "sort", "uniq", "cut", "tr", "sleep", "mkdir", "touch", "export", "true",
        "false", "test", "[", "[[", "printf", "date", "whoami", "type", "for", "done", "fi",
        "esac", "set", "source", ".", "cp", "mv", "kill", "pushd", "popd", "exit", "read",
        "return",
    ];
    let program = part.program();
    PROGRAMS.contains(&program)
        || program.starts_with(['$', '(', ')', '{', '}', '-', '#'])
        || !program.chars().any(char::is_alphanumeric)
}

/// Words of the shell in front of a command.
fn is_control(word: &str) -> bool {
    matches!(word, "then" | "do" | "else" | "elif" | "if" | "while" | "until" | "!" | "{" | "time")
}

/// The command as one line that a shell reads as the same words.
fn line(part: &SimpleCommand) -> String {
    let mut line = String::new();
    let mut after_message = false;
    let has_messages = matches!(part.program(), "git" | "hg" | "jj" | "gh" | "glab" | "tea");
    let typed = part.typed.iter().skip_while(|word| is_control(word));
    for word in typed {
        let is_long = word.chars().count() > MAX_WORD || word.contains('\n');
        let text = if is_long || after_message { "…".to_owned() } else { quote(word) };
        after_message = has_messages && is_message_option(word);
        if line.chars().count() + text.chars().count() + 3 > MAX_LINE {
            line.push_str(" …");
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&text);
    }
    if part.heredoc.is_some() {
        line.push_str(" <<…");
    }
    line
}

/// A text for people follows: it differs each time.
fn is_message_option(word: &str) -> bool {
    matches!(word, "-m" | "-am" | "--message" | "--body" | "--title")
}

/// The word in quotes if the shell needs them.
fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,~^$*{}".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false if word.contains('\'') && !word.contains(['$', '`', '\\', '"']) => {
            format!("\"{word}\"")
        }
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// A command of a line that is about to run.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenCommand {
    /// As in [`Use::line`].
    pub line: String,
    /// As in [`Use::name`].
    pub name: String,
    pub is_check: bool,
    /// It destroys something, or it reaches beyond this machine.
    pub is_risky: bool,
}

/// The commands of a line, without those that everybody knows how to use.
pub fn written(command: &str) -> Vec<WrittenCommand> {
    let parts = shell::split(command);
    let parts = parts.iter().filter(|part| !is_trivial(part));
    parts
        .map(|part| WrittenCommand {
            line: line(part),
            name: blockers::name(part),
            is_check: runners::check(part).is_some(),
            is_risky: risk::is_risky(part),
        })
        .collect()
}
