//! Commits in the project's repository that still exist.

use super::add_source;
use crate::activity::{Activity, Commit, Event};
use crate::memory::{CommitMade, Evidence};

pub fn add(evidence: &mut Evidence, event: &Event) {
    let Activity::Run(run) = event.activity else { return };
    let kept = evidence.commits.len().saturating_sub(run.commits_taken_back);
    evidence.commits.truncate(kept);
    for commit in &run.commits {
        record(evidence, commit, event.message.id);
    }
}

fn record(evidence: &mut Evidence, commit: &Commit, id: i64) {
    let own = |text: &str| if commit.is_own { text.to_owned() } else { String::new() };
    let mut made = CommitMade {
        hash: commit.hash.clone(),
        branch: commit.branch.clone(),
        subject: own(&commit.subject),
        body: own(&commit.body),
        stat: commit.stat.clone(),
        amends: commit.amends,
        sources: Vec::new(),
    };
    if evidence.commits.iter().any(|known| known.hash == made.hash) {
        return;
    }
    if commit.amends
        && let Some(replaced) = evidence.commits.pop()
    {
        made.sources = replaced.sources;
        // `git commit --amend --no-edit` keeps the message.
        if made.subject.is_empty() {
            (made.subject, made.body) = (replaced.subject, replaced.body);
        }
    }
    add_source(&mut made.sources, id);
    evidence.commits.push(made);
}
