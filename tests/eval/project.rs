use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::World;

/// The branch that pull requests are merged into.
const TRUNK: &str = "main";

/// A git repository that follows the branches of a case: its commits are empty, but the history has
/// the shape that the commands of the events gave it.
pub struct Repository {
    pub dir: PathBuf,
    home: PathBuf,
    /// Branches with a pull request that is not merged yet.
    pull_requests: Vec<String>,
    n_commits: usize,
}

impl Repository {
    pub fn new(world: &World) -> Repository {
        let home = world.path("home");
        let dir = home.join("project");
        std::fs::create_dir(&dir).unwrap();
        let mut repository = Repository { dir, home, pull_requests: Vec::new(), n_commits: 0 };
        assert!(repository.git(&["init", "-q", "-b", TRUNK]), "git is missing");
        assert!(repository.commit(&[]));
        repository
    }

    /// Checks out the branch that a session starts on.
    pub fn start_on(&mut self, branch: &str) {
        if !self.git(&["switch", "-q", branch]) {
            assert!(self.git(&["switch", "-q", "-c", branch, TRUNK]));
            // A branch without commits of its own counts as merged.
            assert!(self.commit(&[]));
        }
    }

    /// Does to the history what a successful shell command does to it.
    pub fn follow(&mut self, command: &str) {
        for part in command.split(['\n', ';', '&', '|']) {
            let words: Vec<&str> = part.split_whitespace().collect();
            match words[..] {
                ["git", "commit", ..] if words.contains(&"--amend") => {
                    self.commit(&["--amend"]);
                }
                ["git", "commit", ..] => {
                    self.commit(&[]);
                }
                ["git", "switch" | "checkout", "-c" | "-b", branch, ..] => {
                    self.git(&["switch", "-q", "-c", branch]);
                }
                ["git", "switch" | "checkout", branch] => {
                    self.git(&["switch", "-q", branch]);
                }
                ["git", "merge", .., branch] => self.merge(branch),
                ["git", "pull", ..] if self.branch() == TRUNK => {
                    for branch in std::mem::take(&mut self.pull_requests) {
                        self.merge(&branch);
                    }
                }
                ["gh", "pr", "create", ..] => self.pull_requests.push(self.branch()),
                _ => {}
            }
        }
    }

    fn commit(&mut self, options: &[&str]) -> bool {
        // Different messages, because equal commits of two branches would have one hash.
        self.n_commits += 1;
        let message = format!("Commit {}", self.n_commits);
        self.git(&[&["commit", "-q", "--allow-empty", "-m", &message], options].concat())
    }

    fn merge(&self, branch: &str) {
        if !branch.starts_with('-') {
            self.git(&["merge", "-q", "-m", "merge", branch]);
        }
    }

    fn branch(&self) -> String {
        let head = std::fs::read_to_string(self.dir.join(".git/HEAD")).unwrap();
        head.trim().trim_start_matches("ref: refs/heads/").to_owned()
    }

    fn git(&self, args: &[&str]) -> bool {
        let mut git = Command::new("git");
        git.current_dir(&self.dir).env("HOME", &self.home).env("GIT_CONFIG_NOSYSTEM", "1");
        git.args(["-c", "user.name=Eval", "-c", "user.email=eval@example.com"]).args(args);
        for date in ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"] {
            git.env(date, "2026-01-01T00:00:00Z");
        }
        git.stdout(Stdio::null()).stderr(Stdio::null());
        git.status().is_ok_and(|status| status.success())
    }
}

#[test]
fn the_history_follows_the_commands() {
    let world = World::new();
    let mut repository = Repository::new(&world);
    let is_merged = |repository: &Repository, branch: &str| {
        repository.git(&["merge-base", "--is-ancestor", branch, "HEAD"])
    };
    repository.follow("git switch -c feature/a && git commit -qm 'A' && gh pr create --fill");
    assert_eq!(repository.branch(), "feature/a");
    repository.follow("git switch main");
    assert!(!is_merged(&repository, "feature/a"));
    repository.follow("git pull -q");
    assert!(is_merged(&repository, "feature/a"));
    repository.start_on("spike");
    repository.start_on("main");
    assert!(!is_merged(&repository, "spike"));
    repository.follow("git merge --no-ff spike");
    assert!(is_merged(&repository, "spike"));
}
