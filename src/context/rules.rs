//! The user's rules and decisions, and what the user pinned.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::rollup::RollUp;
use super::similarity::{Frequencies, WordSet};
use crate::memory::Origin;
use crate::store::marks::Feedback;
use crate::store::observations::Headline;

/// Most rows of scope `user` that nobody pinned: they would crowd out the project.
const USER_SCOPE: usize = 10;
/// A chosen option and an approved plan count until this many later sessions of the user.
const CHOICE_SESSIONS: usize = 3;

/// The rules that hold, and the texts of those that do not hold any more.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub rules: Vec<Headline>,
    pub withdrawn: Vec<String>,
}

/// Takes the rules out of the headlines: pinned rows first, then newest first, stale ones last. A newer rule replaces
/// an older one about the same thing. `sessions` are those of the project.
pub fn take(
    headlines: &mut Vec<Headline>,
    sessions: &[&RollUp],
    frequencies: &Frequencies,
) -> Rules {
    let mut withdrawn = Vec::new();
    let mut rules: Vec<Headline> = headlines.extract_if(.., |h| is_rule(h)).collect();
    rules.sort_by_key(|h| Reverse((h.created_at_epoch, h.id)));
    let mut kept: Vec<(WordSet, Headline)> = Vec::new();
    let mut changes: Vec<BTreeSet<String>> = Vec::new();
    let mut n_of_user = 0;
    for rule in rules {
        let words = frequencies.rare(&WordSet::stems(&rule.title));
        let counts = rule.scope == "user" && !rule.pinned;
        let is_replaced = || kept.iter().any(|(newer, _)| replaces(newer, &words));
        let names = names(&rule.title);
        let is_changed = || changes.iter().any(|newer| !newer.is_disjoint(&names));
        if !rule.pinned && has_expired(&rule, sessions) {
            continue;
        }
        // Only the user takes back what the user asked to remember.
        if !rule.pinned && !rule.is_note() && (is_replaced() || is_changed()) {
            withdrawn.push(rule.title);
            continue;
        }
        if !names.is_empty() && rule.concepts.iter().any(|c| c == "change") {
            changes.push(names);
        }
        n_of_user += usize::from(counts);
        if !counts || n_of_user <= USER_SCOPE {
            kept.push((words, rule));
        }
    }
    let mut rules: Vec<Headline> = kept.into_iter().map(|(_, rule)| rule).collect();
    rules.sort_by_key(|rule| (rule.feedback == Some(Feedback::Stale), !rule.pinned));
    Rules { rules, withdrawn }
}

/// The names of a text: words with a sign before or inside, such as `\cite`, `--force` or `a.b`.
fn names(text: &str) -> BTreeSet<String> {
    let outside = [',', '.', ';', ':', '!', '?', '(', ')', '"', '\'', '`', '„', '“', '”', '’'];
    let words = text.split_whitespace().map(|word| word.trim_matches(outside));
    let is_name = |word: &&str| {
        let has_letter = word.chars().any(char::is_alphabetic);
        has_letter && word.contains(|c: char| c.is_ascii_punctuation() && !"'-,".contains(c))
            || word.starts_with("--")
    };
    words.filter(is_name).map(str::to_lowercase).collect()
}

fn is_rule(h: &Headline) -> bool {
    let is_decision = matches!(h.kind.as_str(), "decision" | "plan");
    h.pinned || h.scope == "user" || h.is_note() || (h.origin == Origin::User && is_decision)
}

/// Whether a newer rule is about the same thing: it has half of the older one's words.
fn replaces(newer: &WordSet, older: &WordSet) -> bool {
    let common = newer.common(older);
    common * 2 >= older.len() && common >= older.len().div_ceil(2).max(1)
}

fn has_expired(rule: &Headline, sessions: &[&RollUp]) -> bool {
    let is_choice =
        rule.kind == "plan" || rule.concepts.iter().any(|c| c == "choice" || c == "plan");
    let later = sessions.iter().filter(|session| {
        session.by_user
            && session.session_id != rule.session_id
            && session.ended_at_epoch > rule.created_at_epoch
    });
    is_choice && later.count() >= CHOICE_SESSIONS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: i64, title: &str) -> Headline {
        Headline {
            id,
            session_id: Some(id),
            title: title.into(),
            kind: "decision".into(),
            origin: Origin::User,
            scope: "project".into(),
            created_at_epoch: id,
            ..Headline::default()
        }
    }

    #[track_caller]
    fn check(headlines: Vec<Headline>, sessions: &[&RollUp], expected: &[i64]) {
        let mut headlines = headlines;
        let rules = take(&mut headlines, sessions, &Frequencies::default()).rules;
        assert_eq!(rules.iter().map(|rule| rule.id).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_newer_rule_replaces_an_older_one_about_the_same_thing() {
        check(vec![rule(1, "deploy with Ansible"), rule(2, "drop Ansible, use Nix")], &[], &[2]);
        check(
            vec![rule(1, "Never commit to main"), rule(2, "Answers in German, please")],
            &[],
            &[2, 1],
        );
        check(vec![rule(1, "用 Ansible 部署"), rule(2, "不要 Ansible，用 Nix 部署")], &[], &[2]);
    }

    #[test]
    fn a_change_of_a_rule_replaces_the_one_that_names_the_same_thing() {
        let old = "Always open tickets with `new_issue`, never by hand";
        let changed = "from now on file_bug instead of new_issue, in all repositories";
        let changed = || {
            let mut rule = rule(2, changed);
            rule.concepts = vec!["rule".into(), "change".into()];
            rule
        };
        check(vec![rule(1, old), changed()], &[], &[2]);
        check(vec![rule(1, old), rule(2, "Labels of new_issue are lower case")], &[], &[2, 1]);
        let mut rows = vec![rule(1, old), changed()];
        let rules = take(&mut rows, &[], &Frequencies::default());
        assert_eq!(rules.withdrawn, [old]);
    }

    #[test]
    fn pinned_rows_come_first_and_stay() {
        let mut pinned = rule(1, "Tags are scanned");
        pinned.pinned = true;
        pinned.kind = "discovery".into();
        pinned.origin = Origin::Tool;
        check(vec![pinned, rule(2, "Tags are scanned, not parsed")], &[], &[1, 2]);
    }

    #[test]
    fn choices_expire_after_three_sessions() {
        let mut choice = rule(1, "PostgreSQL, never Redis");
        choice.concepts = vec!["choice".into()];
        let later = |n: i64| RollUp {
            by_user: true,
            session_id: Some(n),
            ended_at_epoch: n,
            ..RollUp::default()
        };
        let (a, b, c) = (later(2), later(3), later(4));
        check(vec![choice.clone()], &[&a, &b], &[1]);
        check(vec![choice], &[&a, &b, &c], &[]);
        check(vec![rule(1, "Commit messages in English")], &[&a, &b, &c], &[1]);
    }

    #[test]
    fn a_note_of_the_user_is_a_rule_that_no_later_one_replaces() {
        let note =
            |id, title| Headline { session_id: None, kind: "note".into(), ..rule(id, title) };
        let rows = vec![note(1, "deploy with Ansible"), note(2, "drop Ansible, use Nix")];
        check(rows, &[], &[2, 1]);
    }

    #[test]
    fn other_rows_are_no_rules() {
        let by_assistant = Headline { origin: Origin::Assistant, ..rule(1, "use a queue") };
        let asked = Headline { kind: "discovery".into(), ..rule(2, "which queue?") };
        check(vec![by_assistant, asked], &[], &[]);
    }

    #[test]
    fn the_user_does_not_crowd_out_the_project() {
        let mut rows: Vec<_> = (1..=20)
            .map(|id| Headline { scope: "user".into(), ..rule(id, &format!("rule{id} of{id}")) })
            .collect();
        rows[0].pinned = true;
        let mut headlines = rows;
        let rules = take(&mut headlines, &[], &Frequencies::default()).rules;
        assert_eq!(rules.len(), USER_SCOPE + 1);
        assert_eq!(rules[0].id, 1);
    }
}
