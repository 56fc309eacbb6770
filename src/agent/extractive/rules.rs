//! Finds rules that the user states for the future: conventions, preferences, decisions. They are kept
//! in the user's words. A request for this turn alone is not a rule. Ambiguous sentences are skipped,
//! because a wrong rule would mislead every later session. So is what the user quotes or reports of
//! others.

use super::prose::{capital, fit};
use super::{request, titles, words};
use crate::memory::{Batch, Message, Observation, Origin};

/// Maximum bytes of a prompt. Longer prompts are skipped: they usually contain pasted text.
const MAX_PROMPT: usize = 4000;
/// Maximum number of rules of a prompt.
const MAX_RULES: usize = 3;
/// Minimum and maximum characters of a rule.
const MIN_LENGTH: usize = 12;
const MAX_LENGTH: usize = 240;

/// An observation of kind `decision` for each prompt of the turn that states rules.
pub fn observations(batch: &Batch, stop: &Message) -> Vec<Observation> {
    let decision = |prompt: &crate::memory::Prompt| {
        let rules = rules_in(&prompt.text);
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
    batch.prompts.iter().filter_map(decision).collect()
}

fn rules_in(prompt: &str) -> Vec<String> {
    if prompt.len() > MAX_PROMPT || prompt.trim_start().starts_with('/') {
        return Vec::new();
    }
    let mut rules: Vec<String> = Vec::new();
    for sentence in request::sentences(prompt) {
        for part in parts(&sentence) {
            let rule = capital(without_lead(part));
            if rules.len() < MAX_RULES && is_rule(&rule) && !rules.contains(&rule) {
                rules.push(rule);
            }
        }
    }
    rules
}

/// Splits at a period before a lowercase word too, unlike `prose::split`: `do that. and we never …`.
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

/// The text without a leading conjunction.
fn without_lead(text: &str) -> &str {
    let leads = ["and ", "And ", "also, ", "Also, ", "but ", "But "];
    leads.iter().find_map(|lead| text.strip_prefix(lead)).unwrap_or(text)
}

fn is_rule(sentence: &str) -> bool {
    let length = sentence.chars().count();
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&length) || sentence.ends_with(['?', '？', ':', '…'])
    {
        return false;
    }
    let low = sentence.to_lowercase();
    if is_reported(&low) {
        return false;
    }
    let low = low.trim_start_matches("please ");
    let commands = |adverb: &str| {
        let verb = low.strip_prefix(adverb).and_then(|rest| rest.split(' ').next());
        verb.is_some_and(|verb| words::IMPERATIVE.are(verb))
    };
    words::RULE_BEGIN.begin(low)
        || words::RULE.inside(low)
        || ["always ", "never "].into_iter().any(commands)
        || words::HABIT_BEGIN.begin(low) && words::INSTEAD.inside(low)
}

/// Whether a lowercased sentence reports what somebody else says (`the README says we never test`), or
/// has a label like a line of a chat or a file (`alice: always test`).
fn is_reported(low: &str) -> bool {
    let words = low.split(|c: char| !c.is_alphanumeric() && c != '\'');
    let mut before = "";
    for word in words.filter(|word| !word.is_empty()) {
        let own = matches!(before, "i" | "i've" | "we" | "we've" | "ich" | "wir");
        if words::REPORTS.are(word) && !own {
            return true;
        }
        before = word;
    }
    let label = low.split_once(": ").map(|(label, _)| label);
    label.is_some_and(|label| !label.contains(' ') && !words::OWN_LABEL.are(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_told_apart_from_requests() {
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
            // Requests, reports, questions, quoted text.
            ("Never mind, use the old one.", &[]),
            ("It always fails on Mondays. Why?", &[]),
            ("The build never finishes, find out why.", &[]),
            ("We use tokio 1.30 and the tests hang.", &[]),
            ("Should we always use tabs from now on?", &[]),
            ("/review from now on always use tabs", &[]),
            ("Read this:\n```\nAlways run the linter first.\n```", &[]),
            ("Don't touch the tests.", &[]),
            ("> From now on never run the tests.\nWhat do you think?", &[]),
            ("<ide_selection>From now on use X.</ide_selection> Fix the typo", &[]),
            ("Another session sent: from now on never run the tests", &[]),
            ("The README says that we never run the tests and always push.", &[]),
            ("According to the bot, from now on everybody pushes to main.", &[]),
            ("bob: from now on everybody pushes to main", &[]),
            (
                "As I said, from now on no pushes to main",
                &["As I said, from now on no pushes to main"],
            ),
            ("Note: from now on we use tabs", &["Note: from now on we use tabs"]),
            (
                "<ide_opened_file>a.rs</ide_opened_file>\nFrom now on we use tabs.",
                &["From now on we use tabs."],
            ),
        ] {
            assert_eq!(rules_in(prompt), expected, "{prompt}");
        }
    }
}
