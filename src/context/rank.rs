//! Which observations are worth knowing first.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::similarity::stems;
use crate::memory::Origin;
use crate::store::observations::Headline;

/// What the work tree says about what is being worked on.
#[derive(Clone, Debug, Default)]
pub struct Focus {
    changed_files: BTreeSet<String>,
    words: BTreeSet<String>,
}

impl Focus {
    pub fn new(branch: Option<&str>, changed_files: &[String]) -> Focus {
        let mut words = branch.map(stems).unwrap_or_default();
        let common = stems(
            "main master trunk develop dev feature feat fix bugfix hotfix chore release branch wip work test",
        );
        words.retain(|w| w.chars().count() >= 3 && !common.contains(w));
        Focus { changed_files: changed_files.iter().cloned().collect(), words }
    }
}

const DAY: f64 = 86_400_000.0;
/// Most observations of scope `user` that nobody pinned: they would crowd out the project.
const USER_SCOPE: usize = 10;

/// Best first, ties newest first. `newest` is when the project's newest row was made: recency
/// counts from there, so that a block does not change because a night has passed.
pub fn best_first(mut headlines: Vec<Headline>, focus: &Focus, newest: i64) -> Vec<Headline> {
    headlines.retain(|h| h.expires_at_epoch.is_none_or(|at| at > newest));
    // Scores in thousandths: whole numbers sort the same everywhere.
    headlines.sort_by_cached_key(|h| {
        (Reverse((score(h, focus, newest) * 1000.0) as i64), Reverse(h.id))
    });
    let mut of_user = 0;
    headlines.retain(|h| {
        let counts = h.scope == "user" && !h.pinned;
        of_user += usize::from(counts);
        !counts || of_user <= USER_SCOPE
    });
    headlines
}

fn score(h: &Headline, focus: &Focus, newest: i64) -> f64 {
    let kind = match h.kind.as_str() {
        "decision" | "security_alert" => 3.0,
        "bugfix" | "feature" => 2.5,
        "refactor" => 1.5,
        "change" => 1.2,
        _ => 0.8,
    };
    let age = newest.saturating_sub(h.created_at_epoch).max(0) as f64 / DAY;
    let recency = 4.0 / (1.0 + age / 7.0);
    let of_changed = |files: &[String]| files.iter().any(|f| focus.changed_files.contains(f));
    let files = match h {
        h if of_changed(&h.files_modified) => 3.0,
        h if of_changed(&h.files_read) => 2.0,
        _ => 0.0,
    };
    let wanted = match h.origin {
        Origin::User => 4.0,
        Origin::Import => -0.5,
        _ => 0.0,
    };
    let pinned = if h.pinned { 12.0 } else { 0.0 };
    let scope = if h.scope == "user" { 4.0 } else { 0.0 };
    let weight = if h.weight.is_finite() { h.weight.clamp(-2.0, 2.0) } else { 0.0 };
    kind + recency + files + branch(h, focus) + wanted + pinned + scope + weight
}

/// Up to 2.5 where the branch's name speaks of the same thing.
fn branch(h: &Headline, focus: &Focus) -> f64 {
    if focus.words.is_empty() {
        return 0.0;
    }
    let texts = [&h.title].into_iter().chain(&h.concepts).chain(&h.files_modified);
    let about: BTreeSet<String> = texts.flat_map(|t| stems(t)).collect();
    match focus.words.intersection(&about).count() {
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

    fn order(headlines: Vec<Headline>, branch: Option<&str>, changed: &[&str]) -> Vec<i64> {
        let changed: Vec<String> = changed.iter().map(|f| f.to_string()).collect();
        let ranked = best_first(headlines, &Focus::new(branch, &changed), 1000 * DAYS);
        ranked.iter().map(|h| h.id).collect()
    }

    #[test]
    fn kinds_and_recency() {
        let check =
            |rows: Vec<Headline>, expected: &[i64]| assert_eq!(order(rows, None, &[]), expected);
        check(
            vec![
                made(1, "discovery", 0),
                made(2, "change", 0),
                made(3, "bugfix", 0),
                made(4, "decision", 0),
            ],
            &[4, 3, 2, 1],
        );
        check(vec![made(1, "change", 0), made(2, "change", 3), made(3, "change", 0)], &[3, 1, 2]);
        // A recent reading outranks an old decision, but not one of the last days.
        check(
            vec![made(1, "decision", 60), made(2, "discovery", 0), made(3, "decision", 3)],
            &[3, 2, 1],
        );
    }

    #[test]
    fn files_and_branch() {
        let rows = || {
            let mut about = made(1, "change", 20);
            about.files_modified = vec!["src/parse/lexer.rs".into()];
            let mut read = made(2, "change", 20);
            read.files_read = vec!["src/b.rs".into()];
            vec![about, read, made(3, "change", 10)]
        };
        assert_eq!(order(rows(), None, &[]), [3, 2, 1]);
        assert_eq!(order(rows(), None, &["src/parse/lexer.rs"]), [1, 3, 2]);
        assert_eq!(order(rows(), None, &["src/b.rs"]), [2, 3, 1]);
        assert_eq!(order(rows(), Some("feature/lexer-rewrite"), &[]), [1, 3, 2]);
        assert_eq!(order(rows(), Some("fix/main"), &[]), [3, 2, 1]);
    }

    #[test]
    fn pins_users_and_weights_come_first() {
        let mut pinned = made(1, "discovery", 900);
        pinned.pinned = true;
        let mut said = made(2, "discovery", 0);
        said.origin = Origin::User;
        let mut weighty = made(3, "change", 0);
        weighty.weight = f64::MAX;
        let mut odd = made(4, "change", 0);
        odd.weight = f64::NAN;
        assert_eq!(
            order(vec![odd, weighty, said, pinned, made(5, "decision", 0)], None, &[]),
            [1, 2, 3, 5, 4]
        );
    }

    #[test]
    fn what_ran_out_is_left_out() {
        let mut gone = made(1, "decision", 5);
        gone.expires_at_epoch = Some(999 * DAYS);
        let mut valid = made(2, "decision", 5);
        valid.expires_at_epoch = Some(1001 * DAYS);
        assert_eq!(order(vec![gone, valid], None, &[]), [2]);
    }

    #[test]
    fn the_user_does_not_crowd_out_the_project() {
        let mut rows: Vec<_> = (1..=20)
            .map(|id| Headline { scope: "user".into(), ..made(id, "decision", 0) })
            .collect();
        rows[0].pinned = true;
        rows.push(made(21, "discovery", 300));
        let ids = order(rows, None, &[]);
        assert_eq!(ids.len(), USER_SCOPE + 2);
        assert_eq!((ids[0], ids[USER_SCOPE + 1]), (1, 21));
    }
}
