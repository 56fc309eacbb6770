//! Facts: single lines that carry a figure, a name or a cause.

use super::prose::fit;
use super::work::{Failure, FileChange, Fix, merge};
use crate::activity::ChangeKind;

/// An observation has at most this many facts, of at most so many characters.
const FACTS: usize = 12;
pub const FACT: usize = 220;

/// Facts without repeats, each one line, none too many.
#[derive(Default)]
pub struct Facts {
    pub list: Vec<String>,
}

impl Facts {
    pub fn add(&mut self, fact: &str) {
        let fact = fit(fact, FACT);
        let known = self.list.iter().any(|f| f.contains(&fact) || same(f, &fact));
        if !fact.is_empty() && !known && self.list.len() < FACTS {
            self.list.push(fact);
        }
    }
}

/// `a, b and 3 more`.
pub fn some(items: &[String], most: usize) -> String {
    let shown: Vec<&str> = items.iter().take(most).map(String::as_str).collect();
    let rest = items.len() - shown.len();
    if rest == 0 { shown.join(", ") } else { format!("{} and {rest} more", shown.join(", ")) }
}

pub fn unique(items: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    merge(&mut out, items.to_vec());
    out
}

/// The same words, whatever their case and marks.
pub fn same(a: &str, b: &str) -> bool {
    let words = |t: &str| {
        t.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    words(a) == words(b)
}

/// `cargo test`: the tests that failed, or the line that says why.
pub fn problem(trouble: &Failure) -> String {
    let mut out = trouble.command();
    if !trouble.failing.is_empty() {
        out.push_str(&format!(" failed in {}", some(&trouble.failing, 4)));
    } else if let Some(verdict) = &trouble.report {
        out.push_str(&format!(" failed ({})", verdict.figures()));
    }
    if !trouble.error_lines.is_empty() {
        out.push_str(&format!(
            ": {}",
            trouble.error_lines.iter().take(2).cloned().collect::<Vec<_>>().join("; ")
        ));
    }
    out
}

pub fn solved_on_the_way(fix: &Fix) -> String {
    let why =
        fix.failure.error_lines.first().cloned().unwrap_or_else(|| fix.failure.failing.join(", "));
    let files: Vec<String> = fix.files.iter().cloned().collect();
    let by = if files.is_empty() {
        fix.failure.side_effect.as_ref().map(|d| format!(" by: {d}")).unwrap_or_default()
    } else {
        format!(" in {}", some(&files, 2))
    };
    format!("Solved on the way{by}: {} failed with {}", fix.failure.command(), fit(&why, 120))
}

pub fn described(file: &FileChange) -> String {
    if let Some((old, new)) = &file.swap {
        return if old.is_empty() {
            format!("{}: added `{new}`", file.path)
        } else {
            format!("{}: `{old}` became `{new}`", file.path)
        };
    }
    let verb = match file.change {
        ChangeKind::Created => "created",
        ChangeKind::Changed => "changed",
        ChangeKind::Removed => "removed",
    };
    if file.names.is_empty() {
        format!("{verb} {}", file.path)
    } else {
        format!("{verb} {} in {}", some(&file.names, 3), file.path)
    }
}

/// The exact lines of an edit that is no more than one line.
pub fn small_change(file: &FileChange) -> Option<String> {
    file.swap.as_ref().filter(|(old, _)| !old.is_empty()).map(|_| described(file))
}

/// The list items of a commit's message.
pub fn body_items(body: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in body.lines() {
        if let Some(item) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
            items.push(item.trim().to_owned());
        } else if line.starts_with("  ")
            && let Some(last) = items.last_mut()
        {
            last.push(' ');
            last.push_str(line.trim());
        }
    }
    items
}
