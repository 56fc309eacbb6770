//! The user's rules and decisions, and what the user pinned.

use std::cmp::Reverse;

use super::rollup::RollUp;
use crate::memory::Origin;
use crate::store::marks::Feedback;
use crate::store::observations::Headline;

/// Most rows of scope `user` that nobody pinned: they would crowd out the project.
const USER_SCOPE: usize = 10;
/// A chosen option and an approved plan count until this many later sessions of the user.
const CHOICE_SESSIONS: usize = 3;
/// The same for what is only said: what replaces it often has other words.
const SAID_SESSIONS: usize = 1;

/// Takes the rules out of the headlines: pinned rows first, then newest first, stale ones last. `sessions`
/// are those of the project.
pub fn take(headlines: &mut Vec<Headline>, sessions: &[&RollUp]) -> Vec<Headline> {
    let mut rules: Vec<Headline> = headlines.extract_if(.., |h| is_rule(h)).collect();
    rules.retain(|rule| rule.pinned || !has_expired(rule, sessions));
    let is_stale = |h: &Headline| h.feedback == Some(Feedback::Stale);
    rules.sort_by_key(|h| (is_stale(h), !h.pinned, Reverse((h.created_at_epoch, h.id))));
    let mut n_of_user = 0;
    rules.retain(|rule| {
        let counts = rule.scope == "user" && !rule.pinned;
        n_of_user += usize::from(counts);
        !counts || n_of_user <= USER_SCOPE
    });
    rules
}

fn is_rule(h: &Headline) -> bool {
    let is_decision = matches!(h.kind.as_str(), "decision" | "plan");
    h.pinned || h.scope == "user" || h.is_note() || (h.origin == Origin::User && is_decision)
}

/// Whether the row is what the user said, and may be no rule.
pub fn is_said(rule: &Headline) -> bool {
    !rule.pinned && rule.concepts.iter().any(|concept| concept == "said")
}

fn has_expired(rule: &Headline, sessions: &[&RollUp]) -> bool {
    let has = |name: &str| rule.concepts.iter().any(|concept| concept == name);
    let max = match () {
        () if has("said") => SAID_SESSIONS,
        () if rule.kind == "plan" || has("choice") || has("plan") => CHOICE_SESSIONS,
        () => return false,
    };
    let later = sessions.iter().filter(|session| {
        session.by_user
            && session.session_id != rule.session_id
            && session.ended_at_epoch > rule.created_at_epoch
    });
    later.count() >= max
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
        let rules = take(&mut headlines, sessions);
        assert_eq!(rules.iter().map(|rule| rule.id).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn pinned_rows_come_first() {
        let mut pinned = rule(1, "Tags are scanned");
        pinned.pinned = true;
        pinned.kind = "discovery".into();
        pinned.origin = Origin::Tool;
        check(vec![pinned, rule(2, "Answers in German"), rule(3, "Use Nix")], &[], &[1, 3, 2]);
    }

    #[test]
    fn choices_and_what_is_said_expire() {
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
        let mut said = rule(1, "staging is shared with QA");
        said.concepts = vec!["said".into()];
        check(vec![said.clone()], &[], &[1]);
        check(vec![said], &[&a], &[]);
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
        let rules = take(&mut headlines, &[]);
        assert_eq!(rules.len(), USER_SCOPE + 1);
        assert_eq!(rules[0].id, 1);
    }
}
