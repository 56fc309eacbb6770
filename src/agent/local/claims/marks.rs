//! Words that say what a sentence claims: a check and its pass, a written file, a commit, a failure.

use std::sync::LazyLock;

use super::super::phrases::{Found, Phrases, words};
use crate::memory::CheckKind;

/// Longer sentences are read up to here, in characters.
const MAX_SENTENCE: usize = 600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Check(CheckKind),
    Pass,
    /// What makes a claimed pass none: a denial, a condition, a failure.
    Not,
    All,
    /// A part of the checks: `new`, `unit`.
    Part,
    Wrote,
    /// What makes a written file none.
    Negated,
    /// Words before a file that was only read: `from`.
    Source,
    Committed,
    Pushed,
    Fail,
    /// A failure as the verb of the sentence: `fails`, `is broken`.
    Breaks,
    Need,
    Solved,
    Hook,
    Ci,
    /// A new state against the one before: `now`, `no longer`.
    Now,
}

pub static PHRASES: LazyLock<Phrases<Mark>> =
    LazyLock::new(|| Phrases::read(include_str!("claims.tsv"), row));

fn row(name: &str) -> Option<Mark> {
    Some(match name {
        "test" => Mark::Check(CheckKind::Test),
        "build" => Mark::Check(CheckKind::Build),
        "lint" => Mark::Check(CheckKind::Lint),
        "types" => Mark::Check(CheckKind::Types),
        "pass" => Mark::Pass,
        "not" => Mark::Not,
        "all" => Mark::All,
        "part" => Mark::Part,
        "wrote" => Mark::Wrote,
        "negated" => Mark::Negated,
        "source" => Mark::Source,
        "committed" => Mark::Committed,
        "pushed" => Mark::Pushed,
        "fail" => Mark::Fail,
        "breaks" => Mark::Breaks,
        "need" => Mark::Need,
        "solved" => Mark::Solved,
        "hook" => Mark::Hook,
        "ci" => Mark::Ci,
        "now" => Mark::Now,
        _ => return None,
    })
}

pub struct Marked<'a> {
    pub text: &'a str,
    pub words: Vec<String>,
    marks: Vec<Found<Mark>>,
}

impl<'a> Marked<'a> {
    pub fn read(text: &'a str) -> Marked<'a> {
        let read = text.char_indices().nth(MAX_SENTENCE).map_or(text, |(at, _)| &text[..at]);
        let words = words(read);
        let marks = PHRASES.find(&words).collect();
        Marked { text, words, marks }
    }

    pub fn all(&self, mark: Mark) -> impl Iterator<Item = &Found<Mark>> {
        self.marks.iter().filter(move |found| found.row == mark)
    }

    pub fn has(&self, mark: Mark) -> bool {
        self.all(mark).next().is_some()
    }

    /// The kinds of checks that it claims to pass.
    pub fn passes(&self) -> Vec<CheckKind> {
        // `passes a token to`, `passed through`: no verdict.
        const OBJECTS: [&str; 9] = ["a", "an", "the", "to", "through", "it", "this", "by", "along"];
        let next = |found: &Found<Mark>| self.words.get(found.end).map(String::as_str);
        let passes: Vec<&Found<Mark>> = self
            .all(Mark::Pass)
            .filter(|found| !next(found).is_some_and(|word| OBJECTS.contains(&word)))
            .collect();
        let inside = |found: &Found<Mark>| {
            passes.iter().any(|pass| pass.start <= found.start && found.end <= pass.end)
        };
        let denied = self.all(Mark::Not).any(|found| !inside(found));
        let is_question = self.text.ends_with(['?', '？', '؟']);
        if passes.is_empty() || denied || is_question {
            return Vec::new();
        }
        let kinds = [CheckKind::Test, CheckKind::Build, CheckKind::Lint, CheckKind::Types];
        let named = kinds.into_iter().filter(|kind| self.has(Mark::Check(*kind)));
        let named: Vec<CheckKind> = named.collect();
        // `All 41 pass`.
        let counted = |found: &&Found<Mark>| {
            let before = found.start.checked_sub(1).and_then(|at| self.words.get(at));
            before.is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit()))
        };
        if named.is_empty() && passes.iter().any(counted) {
            return vec![CheckKind::Test];
        }
        named
    }

    /// Whether it claims a commit or a push that is the repository's, not a database's or a stack's.
    pub fn claims_git(&self, mark: Mark, word: &str) -> bool {
        let first = self.words.iter().take(1).any(|first| first == word);
        (first || self.has(mark)) && !self.has(Mark::Negated)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::phrases::check_table;
    use super::*;

    #[test]
    fn the_table_is_complete() {
        check_table(include_str!("claims.tsv"), row);
    }
}
