//! Which observations are worth knowing, and in which order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::similarity::WordSet;
use crate::memory::Origin;
use crate::store::marks::Feedback;
use crate::store::observations::Headline;

/// What the work tree says about what is being worked on.
#[derive(Clone, Debug, Default)]
pub struct Focus {
    changed_files: BTreeSet<String>,
    /// The words of the branch's name that say what it is about.
    branch: String,
    words: WordSet,
}

impl Focus {
    pub fn new(branch: Option<&str>, changed_files: &[String]) -> Focus {
        let branch = branch.unwrap_or_default();
        let common = "main master trunk develop dev feature feat fix bugfix hotfix chore release \
                      branch wip work test";
        let is_common = |word: &&str| common.split(' ').any(|known| known == *word);
        let words: Vec<&str> = crate::text::words(branch)
            .filter(|word| word.chars().count() >= 3 && !is_common(word))
            .collect();
        let branch = words.join(" ");
        let words = WordSet::stems(&branch);
        Focus { changed_files: changed_files.iter().cloned().collect(), branch, words }
    }

    /// The words of the branch's name that say what it is about, with spaces between them.
    pub fn branch_words(&self) -> &str {
        &self.branch
    }

    /// The changed files that a row is about.
    pub fn changed_in<'a>(&self, h: &'a Headline) -> impl Iterator<Item = &'a str> {
        let files = [&h.files_modified, &h.files_read].into_iter().flatten();
        files.map(String::as_str).filter(|file| self.changed_files.contains(*file))
    }
}

const DAY: f64 = 86_400_000.0;
/// Most discoveries of one session.
const OF_SESSION: usize = 2;

/// Rows to tell: what was found out, and what was changed.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub discoveries: Vec<Headline>,
    pub changes: Vec<Headline>,
    /// Ids of the changes that are about files which the work tree changes.
    pub about_changed: BTreeSet<i64>,
}

/// Orders the headlines: best first, ties newest first, stale ones last. `newest` is when the project's
/// newest row was made: recency counts from there, so that a block does not change because a night has
/// passed.
pub fn order(mut headlines: Vec<Headline>, focus: &Focus, newest: i64) -> Found {
    // Scores in thousandths: whole numbers sort the same everywhere.
    headlines.sort_by_cached_key(|h| {
        let is_stale = h.feedback == Some(Feedback::Stale);
        let score = (score(h, focus, newest) * 1000.0) as i64;
        (is_stale, Reverse((score, h.created_at_epoch, h.id)))
    });
    let (changes, mut discoveries): (Vec<_>, Vec<_>) = headlines.into_iter().partition(is_change);
    let mut of_session: BTreeMap<i64, usize> = BTreeMap::new();
    discoveries.retain(|h| {
        let n = h.session_id.map_or(1, |id| {
            let n = of_session.entry(id).or_default();
            *n += 1;
            *n
        });
        n <= OF_SESSION || is_of_changed(h, focus)
    });
    let about_changed = changes.iter().filter(|h| is_of_changed(h, focus)).map(|h| h.id).collect();
    Found { discoveries, changes, about_changed }
}

fn is_change(h: &Headline) -> bool {
    matches!(h.kind.as_str(), "change" | "feature" | "bugfix" | "refactor" | "report")
}

fn is_of_changed(h: &Headline, focus: &Focus) -> bool {
    focus.changed_in(h).next().is_some()
}

fn score(h: &Headline, focus: &Focus, newest: i64) -> f64 {
    let kind = match h.kind.as_str() {
        "decision" | "security_alert" => 3.0,
        "bugfix" | "feature" => 2.5,
        "discovery" => 2.0,
        "refactor" => 1.5,
        _ => 1.2,
    };
    let age = newest.saturating_sub(h.created_at_epoch).max(0) as f64 / DAY;
    let recency = 4.0 / (1.0 + age / 7.0);
    let files = if is_of_changed(h, focus) { 3.0 } else { 0.0 };
    let origin = match h.origin {
        Origin::User => 2.0,
        Origin::Import => -0.5,
        _ => 0.0,
    };
    let weight = if h.weight.is_finite() { h.weight.clamp(-2.0, 2.0) } else { 0.0 };
    let helpful = if h.feedback == Some(Feedback::Helpful) { 0.5 } else { 0.0 };
    kind + recency + files + branch(h, focus) + origin + weight + helpful
}

/// Up to 2.5 where the branch's name speaks of the same thing.
fn branch(h: &Headline, focus: &Focus) -> f64 {
    if focus.words.is_empty() {
        return 0.0;
    }
    let mut about = WordSet::stems(&h.title);
    h.concepts.iter().chain(&h.files_modified).for_each(|text| about.extend(&WordSet::stems(text)));
    match focus.words.common(&about) {
        0 => 0.0,
        1 => 1.5,
        _ => 2.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAYS: i64 = 86_400_000;

    fn made(id: i64, kind: &str, days_ago: i64) -> Headline {
        Headline {
            id,
            kind: kind.into(),
            scope: "project".into(),
            title: format!("title{id}"),
            created_at_epoch: (1000 - days_ago) * DAYS,
            ..Default::default()
        }
    }

    fn sorted(headlines: Vec<Headline>, branch: Option<&str>, changed: &[&str]) -> Vec<i64> {
        let changed: Vec<String> = changed.iter().map(|f| f.to_string()).collect();
        let found = order(headlines, &Focus::new(branch, &changed), 1000 * DAYS);
        found.discoveries.iter().chain(&found.changes).map(|h| h.id).collect()
    }

    #[test]
    fn discoveries_precede_changes_and_new_rows_old_ones() {
        let check =
            |rows: Vec<Headline>, expected: &[i64]| assert_eq!(sorted(rows, None, &[]), expected);
        check(
            vec![
                made(1, "change", 0),
                made(2, "discovery", 0),
                made(3, "bugfix", 0),
                made(4, "decision", 0),
            ],
            &[4, 2, 3, 1],
        );
        check(vec![made(1, "change", 0), made(2, "change", 3), made(3, "change", 0)], &[3, 1, 2]);
    }

    #[test]
    fn changed_files_and_the_branch_count() {
        let rows = || {
            let mut about = made(1, "change", 20);
            about.files_modified = vec!["src/parse/lexer.rs".into()];
            let mut read = made(2, "change", 20);
            read.files_read = vec!["src/b.rs".into()];
            vec![about, read, made(3, "change", 10)]
        };
        assert_eq!(sorted(rows(), None, &[]), [3, 2, 1]);
        assert_eq!(sorted(rows(), None, &["src/parse/lexer.rs"]), [1, 3, 2]);
        assert_eq!(sorted(rows(), None, &["src/b.rs"]), [2, 3, 1]);
        assert_eq!(sorted(rows(), Some("feature/lexer-rewrite"), &[]), [1, 3, 2]);
        assert_eq!(sorted(rows(), Some("fix/main"), &[]), [3, 2, 1]);
    }

    #[test]
    fn a_session_has_two_discoveries() {
        let of_session = |id| Headline { session_id: Some(1), ..made(id, "discovery", 0) };
        let rows: Vec<_> = (1..=4).map(of_session).chain([made(5, "discovery", 9)]).collect();
        assert_eq!(sorted(rows, None, &[]), [4, 3, 5]);
    }

    #[test]
    fn weights_are_bounded() {
        let mut weighty = made(1, "change", 0);
        weighty.weight = f64::MAX;
        let mut odd = made(2, "change", 0);
        odd.weight = f64::NAN;
        assert_eq!(sorted(vec![odd, weighty, made(3, "change", 0)], None, &[]), [1, 3, 2]);
    }
}
