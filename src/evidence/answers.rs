//! What the user clicked and typed: answers to questions of the client, and words when refusing a tool
//! use.

use crate::activity::{Activity, Event};
use crate::memory::{Answer, Evidence, Refusal};

/// Maximum number of answers, and of refusals.
const MAX: usize = 24;

pub fn add(evidence: &mut Evidence, event: &Event) {
    let sources = vec![event.message.id];
    match event.activity {
        Activity::Asked(answers) => {
            for answer in answers {
                // A question that is asked again has a new answer.
                evidence.answers.retain(|old| old.question != answer.question);
                evidence.answers.push(Answer { sources: sources.clone(), ..answer.clone() });
            }
            keep_last(&mut evidence.answers);
        }
        Activity::Refused(refusal) => {
            evidence.refusals.push(Refusal { sources, ..refusal.clone() });
            keep_last(&mut evidence.refusals);
        }
        Activity::Planned { plan, words } if !plan.approved => {
            let what = format!("plan: {}", plan.title);
            evidence.refusals.push(Refusal { what, words: words.clone(), sources });
            keep_last(&mut evidence.refusals);
        }
        _ => {}
    }
}

fn keep_last<T>(items: &mut Vec<T>) {
    let excess = items.len().saturating_sub(MAX);
    items.drain(..excess);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::Session;

    #[test]
    fn the_last_answer_to_a_question_counts() {
        let mut session = Session::default();
        session.recorded("PostToolUse.AskUserQuestion");
        let first = session.fold(add).answers;
        assert_eq!(first.len(), 1);
        assert_eq!(
            (first[0].question.as_str(), first[0].answer.as_str()),
            ("Which colour?", "Red")
        );
        assert_eq!((first[0].options.len(), first[0].sources.as_slice()), (2, &[1][..]));
        let input =
            serde_json::json!({ "questions": [{ "question": "Which colour?", "options": [] }] });
        session.tool("AskUserQuestion", &input, r#"{"answers":{"Which colour?":"green"}}"#);
        let answers = session.fold(add).answers;
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].answer.as_str(), answers[0].typed), ("green", true));
    }

    #[test]
    fn words_typed_when_refusing_are_kept() {
        let mut session = Session::default();
        let said = "The user doesn't want to proceed with this tool use. The tool use was rejected. To tell you how to proceed, the user said:\ntoo slow, skip CI";
        session.failed("Bash", &serde_json::json!({ "command": "make ci" }), said);
        session.failed("ExitPlanMode", &serde_json::json!({ "plan": "# Rewrite\n1. a" }), said);
        let found = session.fold(add);
        let refusals: Vec<_> =
            found.refusals.iter().map(|r| (r.what.as_str(), r.words.as_str())).collect();
        assert_eq!(
            refusals,
            [("make ci", "too slow, skip CI"), ("plan: Rewrite", "too slow, skip CI")]
        );
        assert!(found.answers.is_empty());
    }
}
