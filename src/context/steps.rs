//! What is still to be done, as far as memory can tell.

use super::markdown;
use super::similarity::{SeenSentences, sentences, stems};
use crate::store::observations::Headline;
use crate::store::summaries::SummaryRow;
use crate::text::words;

/// A next step that nothing later claims to have done.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The summary that names it.
    pub summary_id: i64,
    pub text: String,
}

/// Most summaries whose next steps count: what was planned before them is history.
const SUMMARIES: usize = 4;
const STEPS: usize = 8;

/// The open next steps of the newest summaries (`summaries` is newest first).
///
/// A later turn plans anew, so of each session only the latest plan counts.
pub fn open(summaries: &[SummaryRow], headlines: &[Headline]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut seen = SeenSentences::default();
    let mut sessions = Vec::new();
    let mut plans = 0;
    for (at, row) in summaries.iter().enumerate() {
        let mut planned = planned(&row.summary.next_steps);
        if let Some(answer) = answer(row, &summaries[..at]) {
            drop_answered(&mut planned, answer);
        }
        let known = row.session_id.is_some_and(|id| sessions.contains(&id));
        if planned.is_empty() || known {
            continue;
        }
        sessions.extend(row.session_id);
        let done = done_after(row, &summaries[..at], headlines);
        for text in planned {
            if !seen.contains(&text) && !done.iter().any(|d| fulfils(d, &text)) {
                seen.add(&text);
                steps.push(Step { summary_id: row.id, text });
            }
        }
        plans += 1;
        if plans == SUMMARIES {
            break;
        }
    }
    steps.truncate(STEPS);
    steps
}

/// The turn that came after this one in its session: whatever was asked, it answers.
fn answer<'a>(row: &SummaryRow, newer: &'a [SummaryRow]) -> Option<&'a SummaryRow> {
    newer.iter().rfind(|n| row.session_id.is_some() && n.session_id == row.session_id)
}

/// A question that was answered is none, and an offer that was taken (`yes, do that`) is a step
/// that was done, in whatever words the work was reported.
fn drop_answered(planned: &mut Vec<String>, answer: &SummaryRow) {
    let offers: Vec<String> = planned.extract_if(.., |step| step.starts_with(ASKED)).collect();
    let first = words(&answer.summary.request).next();
    let accepted = first.is_some_and(|word| YES.contains(&word.to_lowercase().as_str()));
    if accepted && !answer.summary.completed.trim().is_empty() {
        planned.retain(|step| !offers.iter().any(|offer| offers_to(offer, step)));
    }
}

/// How a question to the user begins among the next steps.
const ASKED: &str = "Asked the user: ";
const YES: [&str; 18] = [
    "yes", "yep", "yeah", "ok", "okay", "sure", "please", "do", "go", "ja", "gerne", "bitte", "sí",
    "si", "oui", "да", "はい", "好",
];

/// Whether the offer names the step: `Want me to add the schema check?`
fn offers_to(offer: &str, step: &str) -> bool {
    let mut offered = stems(offer.trim_start_matches(ASKED));
    let polite = stems("want me to shall should would you like if do go ahead let know can could");
    offered.retain(|word| !polite.contains(word));
    let named = offered.intersection(&stems(step)).count();
    !offered.is_empty() && named * 10 >= offered.len() * 7
}

/// One step per line; one line alone is taken apart into sentences.
fn planned(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let mut parts: Vec<String> = Vec::new();
    for part in if lines.len() == 1 { sentences(lines[0]) } else { lines } {
        match parts.last_mut().filter(|before| before.ends_with(';')) {
            Some(before) => *before = format!("{before} {part}"),
            None => parts.push(part.to_owned()),
        }
    }
    let parts = parts.iter().map(|part| markdown::line(part));
    parts.filter(|p| !p.is_empty() && !says_nothing(p)).collect()
}

/// `None.`, `n/a`, `Next steps:`.
fn says_nothing(step: &str) -> bool {
    let word = step.trim_end_matches(['.', ':', '!']).to_lowercase();
    let empty =
        ["none", "n/a", "na", "nothing", "no next steps", "next steps", "next", "todo", "-"];
    empty.contains(&word.as_str()) || !word.chars().any(char::is_alphanumeric)
}

/// The sentences that say what was done after a summary.
fn done_after<'a>(
    row: &SummaryRow,
    newer: &'a [SummaryRow],
    headlines: &'a [Headline],
) -> Vec<&'a str> {
    let completed = newer.iter().flat_map(|n| sentences(&n.summary.completed));
    let titles = headlines.iter().filter(|h| {
        let deed = ["bugfix", "feature", "refactor", "change", "decision"];
        deed.contains(&h.kind.as_str()) && h.changed_at_epoch > row.changed_at_epoch
    });
    completed.chain(titles.map(|h| h.title.as_str())).filter(|s| !denies(s)).collect()
}

fn denies(sentence: &str) -> bool {
    let denials = [
        "not", "no", "fail", "cannot", "can", "t", "block", "still", "remain", "todo", "without",
        "revert",
    ];
    stems(sentence).iter().any(|w| denials.contains(&w.as_str()))
}

/// Whether a sentence about a deed names at least seven in ten of the step's words. Better to show
/// a step that is done than to lose one that is open.
fn fulfils(deed: &str, step: &str) -> bool {
    let (wanted, done) = (stems(step), stems(deed));
    wanted.len() >= 2 && wanted.intersection(&done).count() * 10 >= wanted.len() * 7
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Summary;

    fn summary(id: i64, session: i64, next_steps: &str, completed: &str) -> SummaryRow {
        SummaryRow {
            id,
            session_id: Some(session),
            summary: Summary {
                next_steps: next_steps.into(),
                completed: completed.into(),
                ..Default::default()
            },
            created_at_epoch: id * 1000,
            changed_at_epoch: id * 1000,
            ..Default::default()
        }
    }

    fn titled(kind: &str, title: &str, changed_at_epoch: i64) -> Headline {
        Headline { kind: kind.into(), title: title.into(), changed_at_epoch, ..Default::default() }
    }

    fn check(summaries: &[SummaryRow], headlines: &[Headline], expected: &[(i64, &str)]) {
        let steps = open(summaries, headlines);
        let found: Vec<_> = steps.iter().map(|s| (s.summary_id, s.text.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn plans_are_taken_apart() {
        check(
            &[summary(1, 1, "Next steps:\n- add tests\n2. write docs\n", "")],
            &[],
            &[(1, "add tests"), (1, "write docs")],
        );
        check(
            &[summary(1, 1, "Add tests. Then write docs.", "")],
            &[],
            &[(1, "Add tests."), (1, "Then write docs.")],
        );
        check(
            &[summary(1, 1, "The old reports are wrong; rerun them. Tell finance.", "")],
            &[],
            &[(1, "The old reports are wrong; rerun them."), (1, "Tell finance.")],
        );
        check(&[summary(1, 1, "None.", "")], &[], &[]);
    }

    #[test]
    fn what_was_done_later_is_not_open() {
        let plan = summary(1, 1, "Add tests for the parser\nDeploy to staging", "");
        check(
            &[summary(2, 2, "", "Added parser tests."), plan.clone()],
            &[],
            &[(1, "Deploy to staging")],
        );
        let later = titled("change", "Deployed to staging", 1001);
        check(std::slice::from_ref(&plan), &[later], &[(1, "Add tests for the parser")]);
        let both = [(1, "Add tests for the parser"), (1, "Deploy to staging")];
        check(std::slice::from_ref(&plan), &[titled("change", "Deployed to staging", 1000)], &both);
        check(
            std::slice::from_ref(&plan),
            &[titled("discovery", "Deploy to staging", 2000)],
            &both,
        );
        check(&[summary(2, 2, "", "Deploy to staging failed"), plan.clone()], &[], &both);
        check(&[summary(2, 2, "", "Could not deploy to staging"), plan], &[], &both);
    }

    #[test]
    fn a_later_turn_plans_anew() {
        let rows =
            [summary(3, 1, "", "x"), summary(2, 1, "new plan", ""), summary(1, 1, "old idea", "")];
        check(&rows, &[], &[(2, "new plan")]);
    }

    #[test]
    fn what_was_asked_and_answered_is_not_open() {
        let plan = "Tell the data team. Add a schema check to `load.py` so this fails loudly. \
                    Asked the user: Want me to add the schema check?";
        let asked = summary(1, 1, plan, "");
        let open = |later: &SummaryRow| {
            super::open(&[later.clone(), asked.clone()], &[])
                .into_iter()
                .map(|s| s.text)
                .collect::<Vec<_>>()
        };
        let mut later =
            summary(2, 1, "", "`load.py` validates what it reads against `SCHEMA` now.");
        later.summary.request = "yes do that, with pandera".into();
        assert_eq!(open(&later), ["Tell the data team."]);
        later.summary.request = "no, look at the other fold first".into();
        assert_eq!(open(&later).len(), 2, "a question that was answered is none");
        later.session_id = Some(2);
        assert_eq!(open(&later).len(), 3, "another session answers nothing");
    }

    #[test]
    fn a_step_named_twice_is_told_once() {
        let rows = [summary(2, 2, "write the docs", ""), summary(1, 1, "Write docs!\nship it", "")];
        check(&rows, &[], &[(2, "write the docs"), (1, "ship it")]);
    }

    #[test]
    fn old_plans_are_history() {
        let rows: Vec<_> =
            (1..=6).rev().map(|n| summary(n, n, &format!("step number{n}"), "")).collect();
        check(
            &rows,
            &[],
            &[(6, "step number6"), (5, "step number5"), (4, "step number4"), (3, "step number3")],
        );
    }
}
