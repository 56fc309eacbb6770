//! Reads commits from git's own output.

use super::shell::SimpleCommand;

#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    pub hash: String,
    pub branch: String,
    pub subject: String,
    /// The subject stands in the command line. Otherwise git took it from another commit, a branch, a
    /// file or an editor, and somebody else may have written it.
    pub is_own: bool,
    pub body: String,
    /// `12 files changed, 1390 insertions(+), 303 deletions(-)`.
    pub stat: Option<String>,
    pub amends: bool,
}

/// The last commit that git reports in `output`: `[main abc1234] subject`. Returns `None` without
/// such a line, because then nothing was committed.
pub fn read(commands: &[SimpleCommand], output: &str) -> Option<Commit> {
    let git = commands.iter().rfind(|p| {
        p.program() == "git" && matches!(p.verb(), "commit" | "cherry-pick" | "revert" | "merge")
    })?;
    let lines: Vec<&str> = output.lines().map(str::trim).collect();
    let at = lines.iter().rposition(|l| parse_report(l).is_some())?;
    let (branch, hash, subject) = parse_report(lines[at])?;
    let stat = lines[at..].iter().find(|l| l.contains(" changed") && l.contains("file"));
    let message = message(git).unwrap_or_default();
    let is_own = git.verb() == "commit" && message.trim_start().starts_with(subject);
    let body = message.split_once('\n').map_or("", |(_, body)| body);
    let is_trailer = |line: &&str| {
        line.starts_with("Co-Authored-By:")
            || line.starts_with("Signed-off-by:")
            || line.contains("Generated with")
    };
    let body = body.lines().filter(|line| !is_trailer(line)).collect::<Vec<_>>().join("\n");
    Some(Commit {
        hash: hash.to_owned(),
        branch: branch.to_owned(),
        subject: subject.to_owned(),
        is_own,
        body: body.trim().to_owned(),
        stat: stat.map(|s| (*s).to_owned()),
        amends: git.has("--amend"),
    })
}

/// The message on a git command line: its `-m` arguments, or a here-document if it has none.
pub fn message(git: &SimpleCommand) -> Option<String> {
    let words = &git.words;
    let argument = |(at, word): (usize, &String)| -> Option<String> {
        if matches!(word.as_str(), "-m" | "--message" | "-am" | "-sm" | "-F-") {
            return words.get(at + 1).cloned();
        }
        word.strip_prefix("--message=").map(str::to_owned)
    };
    let parts: Vec<String> = words.iter().enumerate().filter_map(argument).collect();
    if parts.is_empty() { git.heredoc.clone() } else { Some(parts.join("\n\n")) }
}

/// Branch, hash and subject of the line with which git reports a commit.
fn parse_report(line: &str) -> Option<(&str, &str, &str)> {
    let (head, subject) = line.strip_prefix('[')?.split_once("] ")?;
    let (branch, hash) = head.rsplit_once(' ')?;
    let is_hash = (7..=40).contains(&hash.len()) && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let branch = branch.trim_end_matches(" (root-commit)");
    (is_hash && !subject.is_empty()).then_some((branch, hash, subject))
}
