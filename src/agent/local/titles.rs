//! Titles that can be understood alone in a list.

use super::message::inline::sentence_case;
use super::turn::is_vague;
use crate::activity;
use crate::memory::{Change, CommitMade, Evidence, FileChange, Turn};
use crate::text::{collapse_spaces, sentences_of_prose as sentences};

/// Maximum characters of a title.
pub const MAX_TITLE: usize = 110;

/// Shortens a text to a title, which ends with `…` if something is missing: the rest may say the opposite.
fn fit(text: &str, max: usize) -> String {
    let whole = collapse_spaces(text);
    match whole.chars().count() <= max {
        true => whole,
        false => format!("{}…", activity::fit(&whole, max.saturating_sub(1))),
    }
}

/// The title of a turn: its request, or what it came to if the request says little. Empty if the turn
/// is not told.
pub fn of_turn(turn: &Turn) -> String {
    if !turn.request.is_empty() && !is_vague(&turn.request) {
        return fit(first_line(&turn.request), MAX_TITLE);
    }
    if let Some(commit) = turn.evidence.commits.iter().find(|commit| !commit.subject.is_empty()) {
        return of_commit(commit);
    }
    if let Some(sentence) = telling_sentence(turn) {
        return sentence;
    }
    if !turn.re.is_empty() && !turn.request.is_empty() {
        return fit(&format!("{} (re: {})", first_line(&turn.request), turn.re), MAX_TITLE);
    }
    if turn.evidence.has_change() {
        return of_evidence(&turn.evidence);
    }
    let says_something = !turn.answer.is_empty() && turn.evidence.tool_uses > 0;
    if says_something { fit(first_line(&turn.request), MAX_TITLE) } else { String::new() }
}

/// The title of what a turn changed without a commit.
pub fn of_change(turn: &Turn) -> String {
    let main = main_file(&turn.evidence);
    if !turn.request.is_empty() && !is_vague(&turn.request) {
        let request = fit(first_line(&turn.request), MAX_TITLE);
        return match main {
            Some(file) if !names(&request, &file.path) => with_file(&request, &file.path),
            _ => request,
        };
    }
    match (telling_sentence(turn), main) {
        (Some(sentence), Some(file)) if !names(&sentence, &file.path) => {
            with_file(&sentence, &file.path)
        }
        (Some(sentence), _) => sentence,
        (None, _) => of_evidence(&turn.evidence),
    }
}

/// The subject without the prefix of a conventional commit.
pub fn of_commit(commit: &CommitMade) -> String {
    let subject = match conventional(&commit.subject) {
        Some((_, rest)) => rest,
        None => commit.subject.as_str(),
    };
    match subject.is_empty() {
        true => format!("Committed {}", commit.hash),
        false => sentence_case(&fit(subject, MAX_TITLE)),
    }
}

/// Type and rest of a conventional commit's subject: `fix(cart)!: show 0` is `fix`, `show 0`.
pub fn conventional(subject: &str) -> Option<(&str, &str)> {
    const TYPES: [&str; 12] = [
        "feat", "fix", "refactor", "perf", "docs", "test", "tests", "build", "ci", "chore",
        "style", "revert",
    ];
    let (head, rest) = subject.split_once(':')?;
    let kind = head.split(['(', '!']).next()?.trim();
    (TYPES.contains(&kind) && !rest.trim().is_empty()).then(|| (kind, rest.trim()))
}

/// What the files and effects tell by themselves: `Changed src/parser.rs and 2 more files`.
pub fn of_evidence(evidence: &Evidence) -> String {
    if let Some(commit) = evidence.commits.last() {
        return of_commit(commit);
    }
    let files: Vec<&FileChange> = evidence.files.iter().filter(|file| !file.scratch).collect();
    let Some(first) = files.first() else {
        return evidence
            .effects
            .first()
            .map(|effect| fit(&effect.text, MAX_TITLE))
            .unwrap_or_default();
    };
    let verb = match first.change {
        Change::Created => "Created",
        Change::Edited => "Changed",
        Change::Removed => "Removed",
        Change::Moved => "Moved",
    };
    let more = match files.len() {
        1 => String::new(),
        2 => format!(" and {}", short(&files[1].path)),
        n => format!(" and {} more files", n - 1),
    };
    fit(&format!("{verb} {}{more}", short(&first.path)), MAX_TITLE)
}

/// The file that a change is about: the first that is no scratch and no test.
pub fn main_file(evidence: &Evidence) -> Option<&FileChange> {
    let files = || evidence.files.iter().filter(|file| !file.scratch);
    files().find(|file| !is_test(&file.path)).or_else(|| files().next())
}

pub fn is_test(path: &str) -> bool {
    let path = path.to_lowercase();
    let name = path.rsplit('/').next().unwrap_or(&path);
    path.split('/').any(|part| matches!(part, "test" | "tests" | "spec" | "__tests__"))
        || name.starts_with("test_")
        || [".test.", ".spec.", "_test.", "_spec."].iter().any(|mark| name.contains(mark))
}

/// A sentence of the message that names something and stands alone.
fn telling_sentence(turn: &Turn) -> Option<String> {
    let lines = turn.done.iter().chain(&turn.answer).flat_map(|block| &block.lines);
    let sentence = lines.flat_map(|line| sentences(line)).find(|sentence| {
        let length = sentence.chars().count();
        (20..=MAX_TITLE + 40).contains(&length)
            && sentence.contains('`')
            && !is_vague(sentence)
            && !leans(sentence)
    })?;
    Some(fit(sentence.trim_end_matches(['.', '。']), MAX_TITLE))
}

/// Whether a sentence refers to one before it.
fn leans(sentence: &str) -> bool {
    const LEANING: [&str; 16] = [
        "This", "That", "These", "Those", "It", "They", "Then", "So", "But", "And", "Also", "Both",
        "Das", "Dies", "Esto", "Cela",
    ];
    let first = sentence.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    LEANING.contains(&first) || sentence.ends_with([':', '?'])
}

fn with_file(text: &str, path: &str) -> String {
    let file = short(path);
    let room = MAX_TITLE.saturating_sub(file.chars().count() + 3);
    format!("{} ({file})", fit(text, room))
}

/// Whether a text names a file, with or without its directory or extension.
fn names(text: &str, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').find(|part| !part.is_empty()).unwrap_or(name);
    let low = text.to_lowercase();
    low.contains(&name.to_lowercase()) || stem.len() >= 5 && low.contains(&stem.to_lowercase())
}

/// A long path by its last parts.
pub fn short(path: &str) -> String {
    if path.chars().count() <= 50 {
        return path.to_owned();
    }
    let parts: Vec<&str> = path.rsplit('/').take(2).collect();
    match parts.as_slice() {
        [name, folder] if name.chars().count() + folder.chars().count() < 50 => {
            format!("…/{folder}/{name}")
        }
        _ => fit(parts[0], 50),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}
