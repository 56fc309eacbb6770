//! Rules that the user states for the future: conventions, preferences, decisions, in the user's
//! words. A wish for this turn alone is not a rule. Doubtful sentences are skipped, because a wrong
//! rule is worse than none.

use super::prose::{capital, fit};
use super::{asked, titles, words};
use crate::memory::{Batch, Message, Observation, Origin};

/// A longer prompt quotes other texts.
const LONG: usize = 4000;
/// Maximum number of rules of a prompt, and their length in characters.
const RULES: usize = 3;
const SHORTEST: usize = 12;
const LONGEST: usize = 240;

/// One decision for each prompt of the turn that states rules.
pub fn of(batch: &Batch, stop: &Message) -> Vec<Observation> {
    let of_prompt = |prompt: &crate::memory::Prompt| {
        let rules = stated(&prompt.text);
        let first = rules.first()?;
        let title = first.trim_end_matches(['.', '!', '。', '！']);
        let cut = title.chars().count() > titles::MOST;
        Some(Observation {
            kind: "decision".to_owned(),
            title: if cut { fit(title, titles::MOST) } else { title.to_owned() },
            narrative: (cut || rules.len() > 1).then(|| rules.join(" ")),
            concepts: vec!["convention".to_owned()],
            origin: Origin::User,
            prompt_number: prompt.number,
            sources: vec![stop.id],
            ..Observation::default()
        })
    };
    batch.prompts.iter().filter_map(of_prompt).collect()
}

fn stated(prompt: &str) -> Vec<String> {
    if prompt.len() > LONG || prompt.trim_start().starts_with(['/', '<']) {
        return Vec::new();
    }
    let mut rules: Vec<String> = Vec::new();
    for sentence in asked::sentences(prompt) {
        for part in parts(&sentence) {
            let rule = capital(without_lead(part));
            if rules.len() < RULES && is_rule(&rule) && !rules.contains(&rule) {
                rules.push(rule);
            }
        }
    }
    rules
}

/// Splits sentences that begin in lower case: `do that. and we never …`.
fn parts(sentence: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = sentence;
    let mut from = 0;
    while let Some(at) = rest[from..].find(". ").map(|at| from + at) {
        let word = rest[..at].rsplit(' ').next().unwrap_or_default();
        if word.contains('.') || word.chars().count() < 4 {
            from = at + 1; // `e.g.`, `vs.`
            continue;
        }
        parts.push(&rest[..=at]);
        (rest, from) = (rest[at + 1..].trim_start(), 0);
    }
    parts.push(rest);
    parts
}

fn without_lead(text: &str) -> &str {
    let leads = ["and ", "And ", "also, ", "Also, ", "but ", "But "];
    leads.iter().find_map(|lead| text.strip_prefix(lead)).unwrap_or(text)
}

fn is_rule(sentence: &str) -> bool {
    let length = sentence.chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) || sentence.ends_with(['?', '？', ':', '…']) {
        return false;
    }
    let low = sentence.to_lowercase();
    let low = low.trim_start_matches("please ");
    let said_to = |word: &str| {
        let deed = low.strip_prefix(word).and_then(|rest| rest.split(' ').next());
        deed.is_some_and(|deed| words::IMPERATIVE.are(deed))
    };
    words::RULE_BEGIN.begin(low)
        || words::RULE.inside(low)
        || ["always ", "never "].into_iter().any(said_to)
        || words::HABIT_BEGIN.begin(low) && words::INSTEAD.inside(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_distinguished_from_wishes() {
        for (prompt, expected) in [
            (
                "Fix the import. From now on all money is integer cents, never floats.",
                &["From now on all money is integer cents, never floats."][..],
            ),
            (
                "Always run `make lint` before you commit. Now add the flag.",
                &["Always run `make lint` before you commit."],
            ),
            ("we use pnpm here, not npm. Install zod", &["We use pnpm here, not npm."]),
            ("We decided to drop Python 3.8. Clean up.", &["We decided to drop Python 3.8."]),
            (
                "Ab jetzt schreiben wir alle Preise in Cent. Bau das um.",
                &["Ab jetzt schreiben wir alle Preise in Cent."],
            ),
            (
                "A partir de ahora los importes van en céntimos.",
                &["A partir de ahora los importes van en céntimos."],
            ),
            (
                "yes do that. and we never impute silently, please: a missing feature must raise",
                &["We never impute silently, please: a missing feature must raise"],
            ),
            // Wishes, reports, questions, quoted text.
            ("Never mind, use the old one.", &[]),
            ("It always fails on Mondays. Why?", &[]),
            ("The build never finishes, find out why.", &[]),
            ("We use tokio 1.30 and the tests hang.", &[]),
            ("Should we always use tabs from now on?", &[]),
            ("/review from now on always use tabs", &[]),
            ("Read this:\n```\nAlways run the linter first.\n```", &[]),
            ("Don't touch the tests.", &[]),
        ] {
            assert_eq!(stated(prompt), expected, "{prompt}");
        }
    }
}
