//! Reads commits from git's own output.

use super::shell::SimpleCommand;

#[derive(Clone, Debug, Default, PartialEq)]
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

/// The commits that git reports in `output`: `[main abc1234] subject`. Without such a line, nothing was
/// committed. `commands` are those of the project's repository.
pub fn read(commands: &[&SimpleCommand], output: &str) -> Vec<Commit> {
    const VERBS: [&str; 7] = ["commit", "cherry-pick", "revert", "merge", "rebase", "pull", "am"];
    let is_git = |c: &&&SimpleCommand| c.program() == "git" && VERBS.contains(&c.verb());
    let gits: Vec<&SimpleCommand> = commands.iter().filter(is_git).copied().collect();
    if gits.is_empty() {
        return Vec::new();
    }
    let lines: Vec<&str> = output.lines().map(str::trim).collect();
    let reported = lines.iter().enumerate().filter_map(|(at, l)| Some((at, parse_report(l)?)));
    let mut commits: Vec<Commit> = reported
        .map(|(at, (branch, hash, subject))| {
            let stat = lines[at..].iter().find(|l| l.contains(" changed") && l.contains("file"));
            let base = Commit { hash: hash.into(), branch: branch.into(), ..Commit::default() };
            of_subject(&gits, subject, Commit { stat: stat.map(|s| (*s).to_owned()), ..base })
        })
        .collect();
    if commits.is_empty() {
        commits.extend(logged(&gits, &lines));
    }
    commits
}

/// A commit of `git commit -q`, if `git log --oneline` in the same line prints its hash and subject.
fn logged(gits: &[&SimpleCommand], lines: &[&str]) -> Option<Commit> {
    let quiet = |c: &&&SimpleCommand| c.verb() == "commit" && is_quiet(c);
    let message = message(gits.iter().rfind(quiet)?)?;
    let subject = message.lines().next().filter(|subject| !subject.is_empty())?;
    let hash = lines.iter().find_map(|line| {
        let (hash, rest) = line.split_once(' ')?;
        // `abc1234 (HEAD -> main) subject`
        let rest = rest.strip_prefix('(').and_then(|r| r.split_once(") ")).map_or(rest, |r| r.1);
        (is_hash(hash) && rest == subject).then_some(hash)
    })?;
    Some(of_subject(gits, subject, Commit { hash: hash.to_owned(), ..Commit::default() }))
}

fn is_quiet(git: &SimpleCommand) -> bool {
    git.words.iter().any(|w| {
        w == "--quiet"
            || w.starts_with('-') && !w.starts_with("--") && w.len() <= 4 && w.contains('q')
    })
}

/// Adds what the command that made the commit says about it.
fn of_subject(gits: &[&SimpleCommand], subject: &str, commit: Commit) -> Commit {
    let own = gits.iter().filter(|git| git.verb() == "commit").find_map(|git| {
        let message = message(git)?;
        message.trim_start().starts_with(subject).then_some((*git, message))
    });
    let is_own = own.is_some();
    let (git, message) = match own {
        Some((git, message)) => (Some(git), message),
        None => (gits.last().copied(), String::new()),
    };
    let body = message.trim_start().split_once('\n').map_or("", |(_, body)| body);
    let is_trailer = |line: &&str| {
        line.starts_with("Co-Authored-By:")
            || line.starts_with("Signed-off-by:")
            || line.contains("Generated with")
    };
    let body = body.lines().filter(|line| !is_trailer(line)).collect::<Vec<_>>().join("\n");
    Commit {
        subject: subject.to_owned(),
        is_own,
        body: body.trim().to_owned(),
        amends: git.is_some_and(|git| git.has("--amend")),
        ..commit
    }
}

/// The number of commits that `git reset HEAD~2` takes back.
pub fn taken_back(command: &SimpleCommand) -> usize {
    if command.program() != "git" || command.verb() != "reset" {
        return 0;
    }
    let Some(to) = command.args().nth(1) else { return 0 };
    match to.strip_prefix("HEAD") {
        Some(rest) if !rest.is_empty() && rest.bytes().all(|b| b == b'^') => rest.len(),
        Some(rest) => rest.strip_prefix('~').map_or(0, |n| n.parse().unwrap_or(1)),
        None => 0,
    }
}

/// The message on a git command line: its `-m` arguments, or a here-document if it has none.
pub fn message(git: &SimpleCommand) -> Option<String> {
    let words = &git.words;
    let argument = |(at, word): (usize, &String)| -> Option<String> {
        let is_short = word.starts_with('-') && !word.starts_with("--") && word.len() <= 5;
        if word == "--message" || is_short && word.ends_with('m') || word == "-F-" {
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
    let branch = branch.trim_end_matches(" (root-commit)");
    (is_hash(hash) && !subject.is_empty()).then_some((branch, hash, subject))
}

fn is_hash(word: &str) -> bool {
    (7..=40).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_hexdigit())
}
