//! Renders a turn: the text columns of its summary row. The only place where evidence becomes
//! sentences, beside the context.

use super::message::inline::capitalized;
use crate::activity::fit;
use crate::memory::{
    Block, BlockKind, CheckRun, ClaimKind, CommitMade, Effect, Outcome, Summary, Turn,
};

/// Maximum characters of a column.
const MAX_COLUMN: usize = 1_600;
const MAX_CAUSE: usize = 600;

/// The columns of a turn.
pub fn summary(turn: &Turn) -> Summary {
    let evidence = &turn.evidence;
    let files = || evidence.files.iter().filter(|file| !file.scratch);
    Summary {
        request: turn.told_request(),
        investigated: investigated(turn),
        learned: blocks(&turn.cause, MAX_CAUSE),
        completed: completed(turn),
        next_steps: next_steps(turn).join("\n"),
        notes: notes(turn),
        files_read: evidence.read.clone(),
        files_modified: files().map(|file| file.path.clone()).collect(),
    }
}

/// Blocks as text, one line per paragraph, item or row.
pub fn blocks<'a>(blocks: impl IntoIterator<Item = &'a Block>, max: usize) -> String {
    let mut out = String::new();
    let mut room = max;
    for block in blocks {
        for line in lines(block) {
            let length = line.chars().count() + 1;
            if length > room {
                if !out.is_empty() {
                    out.push_str("\n[…]");
                    return out;
                }
                return fit(&line, max);
            }
            room -= length;
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&line);
        }
    }
    out
}

/// The lines of a block, with its heading and lead-in before the first. A heading or lead-in never
/// stands without what it introduces.
pub fn lines(block: &Block) -> Vec<String> {
    let heading = block.heading.trim_end_matches(':');
    let lead_in = block.lead_in.trim_end_matches(':');
    let head = match (heading.is_empty(), lead_in.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!("{heading}: "),
        (true, false) => format!("{lead_in}: "),
        (false, false) => format!("{heading}: {lead_in}: "),
    };
    let more = match block.more {
        0 => String::new(),
        n => format!(" (+{n} more)"),
    };
    let is_list = block.kind != BlockKind::Paragraph;
    match block.lines.as_slice() {
        [] => Vec::new(),
        [only] => vec![format!("{head}{only}{more}")],
        lines if is_list => {
            let mut out: Vec<String> = lines.iter().map(|line| format!("- {line}")).collect();
            if let Some(last) = out.last_mut() {
                last.push_str(&more);
            }
            if !head.is_empty() {
                out.insert(0, head.trim_end().to_owned());
            }
            out
        }
        lines => vec![format!("{head}{}{more}", lines.join(" "))],
    }
}

/// What tools prove, after what was said.
fn completed(turn: &Turn) -> String {
    let said = blocks(&turn.done, MAX_COLUMN);
    let proven = proven(turn);
    match (said.is_empty(), proven.is_empty()) {
        (_, true) => said,
        (true, false) => proven.join("\n"),
        (false, false) => format!("{said}\n{}", proven.join("\n")),
    }
}

/// Commits, checks, effects; the files if nothing else tells of them.
pub fn proven(turn: &Turn) -> Vec<String> {
    let evidence = &turn.evidence;
    let mut out: Vec<String> = Vec::new();
    match evidence.commits.as_slice() {
        [] => {}
        [commits @ .., last] if commits.len() >= 3 => {
            let first = &commits[0];
            let n = evidence.commits.len();
            out.push(format!("{n} commits ({} to {})", first.hash, last.hash));
        }
        commits => out.extend(commits.iter().map(commit)),
    }
    let passed = evidence.checks.iter().filter(|c| c.outcome == Outcome::Pass && !c.edited_since);
    let passed: Vec<String> = passed
        .map(|check| match check.counts.is_empty() {
            true => format!("`{}` passed", check.key),
            false => format!("`{}`: {}", check.key, check.counts),
        })
        .collect();
    out.extend((!passed.is_empty()).then(|| passed.join("; ")));
    out.extend(evidence.effects.iter().map(effect));
    if turn.done.is_empty() && evidence.commits.is_empty() {
        let files: Vec<&str> =
            evidence.files.iter().filter(|f| !f.scratch).map(|f| f.path.as_str()).collect();
        out.extend((!files.is_empty()).then(|| format!("Changed {}", some(&files, 5))));
    }
    out
}

/// `4be1c0f on main: show 0 for an empty cart (2 files changed)`.
pub fn commit(commit: &CommitMade) -> String {
    let branch = match commit.branch.is_empty() {
        true => String::new(),
        false => format!(" on {}", commit.branch),
    };
    let subject = match commit.subject.is_empty() {
        true => String::new(),
        false => format!(": {}", commit.subject),
    };
    let stat = commit.stat.as_ref().map(|stat| format!(" ({})", stat.trim())).unwrap_or_default();
    format!("Commit {}{branch}{subject}{stat}", commit.hash)
}

pub fn effect(effect: &Effect) -> String {
    let count = if effect.count > 1 { format!(" ({}×)", effect.count) } else { String::new() };
    let link = if effect.link.is_empty() { String::new() } else { format!(" {}", effect.link) };
    format!("{}{link}{count}", effect.text)
}

/// `` `pytest` fails: 1 failed, 41 passed (test_x), edited since``: names and counts only.
pub fn failing(check: &CheckRun) -> String {
    let counts = match check.counts.is_empty() {
        true => String::new(),
        false => format!(": {}", check.counts),
    };
    let names: Vec<&str> = check.failing.iter().map(String::as_str).collect();
    let names = if names.is_empty() { String::new() } else { format!(" ({})", some(&names, 3)) };
    let edited = if check.edited_since { "; files were edited since" } else { "" };
    format!("`{}` fails{counts}{names}{edited}", check.key)
}

/// Steps, failures and the open question, one per line.
fn next_steps(turn: &Turn) -> Vec<String> {
    let mut out: Vec<String> = turn.next.iter().map(|step| step.text.clone()).collect();
    let is_claimed = |check: &&CheckRun| {
        turn.claims.iter().any(|c| c.kind == ClaimKind::FailedCheck && c.subject == check.key)
    };
    let failures = turn.evidence.open_failures();
    for check in failures {
        match is_claimed(&check) {
            true => out.push(format!("Said to pass, but {}", failing(check))),
            false => out.push(failing(check)),
        }
    }
    for at in &turn.confirmed_blockers {
        let Some(blocker) = turn.evidence.blockers.get(*at) else { continue };
        let subject = match blocker.subject.is_empty() {
            true => String::new(),
            false => format!(" ({})", blocker.subject),
        };
        out.push(format!("`{}` did not work{subject}", blocker.command));
    }
    if let Some(asked) = &turn.asked {
        let options = match asked.options.is_empty() {
            true => String::new(),
            false => format!(" Options: {}", asked.options.join("; ")),
        };
        out.push(format!("Asked the user: {}{options}", asked.text));
    }
    out
}

fn notes(turn: &Turn) -> String {
    let ending = turn.ending_note();
    let answer = blocks(turn.answer.iter().chain(&turn.background), MAX_COLUMN);
    match (ending.is_empty(), answer.is_empty()) {
        (false, false) => format!("{answer}\n{ending}"),
        (true, _) => answer,
        (false, true) => ending,
    }
}

/// Files read, searches, subagents and pages.
fn investigated(turn: &Turn) -> String {
    let evidence = &turn.evidence;
    let mut parts = Vec::new();
    let read: Vec<&str> = evidence.read.iter().map(String::as_str).collect();
    if !read.is_empty() {
        parts.push(format!("read {}", some(&read, 5)));
    }
    let searched: Vec<String> =
        evidence.searched.iter().map(|s| format!("`{}`", s.replace('`', "'"))).collect();
    let searched: Vec<&str> = searched.iter().map(String::as_str).collect();
    if !searched.is_empty() {
        parts.push(format!("searched for {}", some(&searched, 3)));
    }
    for reports in &evidence.reports {
        let tasks: Vec<&str> = reports.tasks.iter().map(String::as_str).collect();
        let subagents = match reports.count {
            1 => "a subagent".to_owned(),
            n => format!("{n} subagents"),
        };
        parts.push(format!("{subagents} ({}): {}", reports.agent_type, some(&tasks, 3)));
    }
    let pages: Vec<&str> = evidence.pages.iter().map(|page| page.subject.as_str()).collect();
    if !pages.is_empty() {
        parts.push(format!("looked up {}", some(&pages, 2)));
    }
    capitalized(&parts.join("; "))
}

/// The first items, and how many there are beyond them.
pub fn some(items: &[&str], max: usize) -> String {
    let shown = items.iter().take(max).copied().collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(max) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
