//! The observations of a turn: what it changed, what it found out, what subagents reported, which
//! pages it read. Rules and decisions of the user are in `user_words`.

use super::message::inline::has_question;
use super::render;
use super::titles::{self, conventional};
use super::turn::is_vague;
use crate::activity::fit;
use crate::evidence;
use crate::memory::{
    Change, CheckKind, CommitMade, Earlier, Message, Observation, Origin, Outcome, Reports, Turn,
};

/// Maximum characters of a narrative.
const MAX_NARRATIVE: usize = 700;
/// An answer without a tool use must have this many characters to be kept.
const MIN_ANSWER: usize = 160;
const MAX_DECISION: usize = 240;
/// Maximum number of rows for commits. Further commits are facts of the last one.
const MAX_COMMITS: usize = 6;
const MAX_FILES: usize = 24;
/// Maximum number of decisions of the assistant.
const MAX_DECISIONS: usize = 4;

/// The rows of a turn. A turn that stops again tells its changes again: a row replaces the one of
/// the same title among the `earlier` rows of the turn. `is_first`: of the session.
pub fn of(turn: &Turn, stop: &Message, earlier: &[Earlier], is_first: bool) -> Vec<Observation> {
    let mut rows = changes(turn);
    // A later remark that asks nothing is about the work that it follows.
    if rows.is_empty() && (is_first || has_question(&turn.request)) {
        rows.extend(answer(turn));
    }
    // Subagents that have not reported yet have no count.
    rows.extend(turn.evidence.reports.iter().filter(|reports| reports.count > 0).map(report));
    rows.extend(pages(turn));
    rows.extend(turn.decisions.iter().take(MAX_DECISIONS).map(|text| decision(text, stop)));
    for row in &mut rows {
        row.prompt_number = stop.prompt_number;
        let same = earlier.iter().filter(|e| e.kind == row.kind && e.title == row.title);
        row.replaces = same.map(|e| e.id).collect();
        // The final message is a source of what it tells.
        if row.narrative.is_some() && row.kind != "report" {
            row.sources.push(stop.id);
        }
        row.sources.sort_unstable();
        row.sources.dedup();
    }
    rows
}

/// A row per commit, or one for files or effects without one.
fn changes(turn: &Turn) -> Vec<Observation> {
    let evidence = &turn.evidence;
    if !evidence.has_change() {
        return Vec::new();
    }
    let told: Vec<&CommitMade> = evidence.commits.iter().filter(|c| !c.amends).collect();
    let told = if told.is_empty() { evidence.commits.iter().collect() } else { told };
    let mut rows: Vec<Observation> = Vec::new();
    let mut from = 0;
    for (at, commit) in told.iter().take(MAX_COMMITS).enumerate() {
        let until = match at + 1 == told.len().min(MAX_COMMITS) {
            true => i64::MAX,
            false => commit.sources.last().copied().unwrap_or(i64::MAX),
        };
        rows.push(of_commit(turn, commit, from, until));
        from = until;
    }
    if rows.is_empty() {
        let mut row = Observation {
            kind: kind(turn, None),
            title: titles::of_change(turn),
            ..Observation::default()
        };
        add_files(&mut row, turn, 0, i64::MAX);
        rows.push(row);
    }
    if let Some(row) = rows.last_mut() {
        row.narrative = narrative(turn);
        row.facts.extend(facts(turn));
        for commit in told.iter().skip(MAX_COMMITS) {
            row.facts.push(render::commit(commit));
            row.sources.extend(&commit.sources);
        }
        let told: Vec<String> = row.files_modified.iter().chain(&row.files_read).cloned().collect();
        row.names = evidence::for_search(&turn.evidence, &told);
    }
    rows
}

fn of_commit(turn: &Turn, commit: &CommitMade, from: i64, until: i64) -> Observation {
    let mut row = Observation {
        kind: kind(turn, Some(commit)),
        title: titles::of_commit(commit),
        narrative: Some(commit.body.clone()).filter(|body| !body.is_empty()),
        facts: vec![render::commit(commit)],
        sources: commit.sources.clone(),
        ..Observation::default()
    };
    add_files(&mut row, turn, from, until);
    row
}

/// Adds the files that were last changed by messages after `from` up to `until`.
fn add_files(row: &mut Observation, turn: &Turn, from: i64, until: i64) {
    for file in turn.evidence.files.iter().filter(|file| !file.scratch) {
        let last = file.sources.last().copied().unwrap_or(i64::MAX);
        if (last > from && last <= until) || (last == i64::MAX && until == i64::MAX) {
            row.files_modified.push(file.path.clone());
            row.sources.extend(&file.sources);
        }
    }
    row.files_modified.truncate(MAX_FILES);
    if until == i64::MAX {
        let read = turn.evidence.read.iter().filter(|path| !row.files_modified.contains(path));
        row.files_read = read.take(MAX_FILES).cloned().collect();
    }
}

/// The prefix of a conventional commit; `bugfix` if a check failed before the first edit and passes
/// now; `feature` if source files were created.
fn kind(turn: &Turn, commit: Option<&CommitMade>) -> String {
    if let Some((prefix, _)) = commit.and_then(|commit| conventional(&commit.subject)) {
        match prefix {
            "feat" => return "feature".to_owned(),
            "fix" => return "bugfix".to_owned(),
            "refactor" => return "refactor".to_owned(),
            _ => return "change".to_owned(),
        }
    }
    let evidence = &turn.evidence;
    let is_fixed = |key: &String| {
        evidence
            .checks
            .iter()
            .any(|c| c.key == *key && c.outcome == Outcome::Pass && !c.edited_since)
    };
    if evidence.failed_before_edit.as_ref().is_some_and(is_fixed) {
        return "bugfix".to_owned();
    }
    let files = || evidence.files.iter().filter(|file| !file.scratch);
    if files().count() > 0 && files().all(|file| file.change == Change::Moved) {
        return "refactor".to_owned();
    }
    let is_source = |path: &str| {
        const PROSE: [&str; 11] = [
            ".md", ".txt", ".json", ".yaml", ".yml", ".toml", ".csv", ".svg", ".png", ".cfg",
            ".ini",
        ];
        !titles::is_test(path) && !PROSE.iter().any(|end| path.ends_with(end))
    };
    match files().any(|f| f.change == Change::Created && is_source(&f.path)) {
        true => "feature".to_owned(),
        false => "change".to_owned(),
    }
}

/// What was said about a change: its cause, its results, then what else was said.
fn narrative(turn: &Turn) -> Option<String> {
    let blocks = turn.cause.iter().chain(&turn.done).chain(&turn.background);
    let text = render::blocks(blocks, MAX_NARRATIVE);
    (!text.is_empty()).then_some(text)
}

/// Checks, effects, and what was removed or moved. Only `memctl show` prints them, so they may quote a
/// runner's line.
fn facts(turn: &Turn) -> Vec<String> {
    let evidence = &turn.evidence;
    let mut facts = Vec::new();
    for check in &evidence.checks {
        if check.fixed {
            let reason = match check.reason.is_empty() {
                true => String::new(),
                false => format!(": {}", check.reason),
            };
            facts.push(format!("`{}` failed before and passes now{reason}", check.key));
        }
        let counts = if check.counts.is_empty() { "" } else { &check.counts };
        match check.outcome {
            Outcome::Pass if !counts.is_empty() => facts.push(format!("`{}`: {counts}", check.key)),
            Outcome::Pass if check.kind != CheckKind::Lint => {
                facts.push(format!("`{}` passed", check.key));
            }
            Outcome::Fail if !check.covered => {
                let mut line = render::failing(check);
                if !check.reason.is_empty() {
                    line = format!("{line}: {}", check.reason);
                }
                facts.push(line);
            }
            _ => {}
        }
    }
    facts.extend(evidence.effects.iter().map(render::effect));
    for file in evidence.files.iter().filter(|file| !file.scratch).take(MAX_FILES) {
        match (file.change, &file.from) {
            (Change::Created, _) => facts.push(format!("New: {}", file.path)),
            (Change::Removed, _) => facts.push(format!("Removed: {}", file.path)),
            (Change::Moved, Some(from)) => facts.push(format!("Moved: {from} to {}", file.path)),
            _ => {}
        }
    }
    facts.truncate(16);
    facts
}

/// An answer of substance without a change. Its title is the question.
fn answer(turn: &Turn) -> Option<Observation> {
    let said = turn.cause.iter().chain(&turn.answer).chain(&turn.background);
    let text = render::blocks(said, MAX_NARRATIVE);
    let is_worked_out = turn.evidence.tool_uses > 0 && text.chars().count() >= 40;
    let is_long = text.chars().count() >= MIN_ANSWER;
    // What the user reports is no finding.
    let says_nothing = turn.title.is_empty() || is_vague(&turn.request) || turn.complains;
    if says_nothing || !(is_worked_out || is_long) {
        return None;
    }
    let mut row = Observation {
        kind: "discovery".to_owned(),
        title: turn.title.clone(),
        narrative: Some(text),
        files_read: turn.evidence.read.iter().take(MAX_FILES).cloned().collect(),
        facts: facts(turn),
        origin: Origin::Assistant,
        ..Observation::default()
    };
    row.names = evidence::for_search(&turn.evidence, &row.files_read);
    Some(row)
}

fn report(reports: &Reports) -> Observation {
    let tasks = reports.tasks.join("; ");
    let count = match reports.count {
        0 | 1 => String::new(),
        n => format!(" ×{n}"),
    };
    Observation {
        kind: "report".to_owned(),
        title: format!("Subagent {}{count}: {tasks}", reports.agent_type)
            .trim_end_matches(": ")
            .to_owned(),
        narrative: Some(reports.excerpts.join("\n")).filter(|text| !text.is_empty()),
        agent_type: Some(reports.agent_type.clone()),
        origin: Origin::Tool,
        sources: reports.sources.clone(),
        ..Observation::default()
    }
}

/// A decision of the assistant, in its words. It is no rule of the user.
fn decision(text: &str, stop: &Message) -> Observation {
    Observation {
        kind: "decision".to_owned(),
        title: fit(text.trim_end_matches(['.', '。']), MAX_DECISION),
        origin: Origin::Assistant,
        sources: vec![stop.id],
        ..Observation::default()
    }
}

/// The pages of a turn, in one row of origin `web`.
fn pages(turn: &Turn) -> Option<Observation> {
    let pages = &turn.evidence.pages;
    let first = pages.first()?;
    let more = match pages.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let excerpts: Vec<String> =
        pages.iter().map(|page| format!("{}: {}", page.subject, page.excerpt)).collect();
    Some(Observation {
        kind: "discovery".to_owned(),
        title: format!("Looked up {}{more}", fit(&first.subject, 90)),
        narrative: Some(fit(&excerpts.join("\n"), MAX_NARRATIVE)),
        origin: Origin::Web,
        sources: pages.iter().flat_map(|page| page.sources.iter().copied()).collect(),
        ..Observation::default()
    })
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
