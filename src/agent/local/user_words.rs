//! Rules, corrections and decisions of the user as rows of their own: what the user typed, clicked,
//! chose or approved. They are kept in the user's words.

use super::markers::Text;
use super::message::inline::{capitalized, is_question};
use super::prompt::{Said, read};
use super::reply;
use super::rules;
use super::rules::{Kind, Place, denies, is_property, underlines};
use super::statements::stated;
use super::turn_prompts::{asked, is_command, prompts_of_turn};
use super::user_forms::without_leads;
use crate::clients::{sender, slash_command};
use crate::memory::{
    Answer, Batch, Evidence, Message, Observation, Origin, Plan, Prompt, Refusal, Sender,
};
use crate::text::{collapse_spaces, truncate};

/// Rules of one prompt that are kept.
const MAX_RULES: usize = 8;
/// A prompt of up to this many characters is kept whole, as the narrative of its rules.
const MAX_WHOLE: usize = 240;
/// Longer prompts usually contain pasted text that no mark shows.
pub const MAX_PROMPT: usize = 12_000;
const MAX_TITLE: usize = 240;
/// Words of an answer that is understood without its question.
const MIN_WHOLE: usize = 4;

/// Words of a plan's heading that is understood without its steps.
const MIN_PLAN: usize = 2;

/// The user's rules, corrections and decisions of a turn. Empty unless the batch ends the turn.
pub fn observations(batch: &Batch, evidence: &Evidence) -> Vec<Observation> {
    let Some(stop) = batch.messages.last().filter(|message| message.cause.summarizes()) else {
        return Vec::new();
    };
    let mut out: Vec<Observation> = Vec::new();
    for prompt in prompts_of_turn(batch) {
        if sender(&batch.client, &prompt.text) == Sender::User {
            out.extend(of_prompt(prompt, batch, stop));
        }
    }
    out.extend(evidence.answers.iter().filter_map(|answer| of_answer(answer, batch, stop)));
    out.extend(evidence.plans.iter().filter_map(|plan| of_plan(plan, batch, stop)));
    out.extend(evidence.refusals.iter().filter_map(|refusal| of_refusal(refusal, batch, stop)));
    let mut known: Vec<String> = Vec::new();
    out.retain(|row| {
        let title = row.title.to_lowercase();
        let is_new = !known.contains(&title);
        known.push(title);
        is_new
    });
    out
}

/// The rules of a prompt and the options that it chooses.
fn of_prompt(prompt: &Prompt, batch: &Batch, stop: &Message) -> Vec<Observation> {
    let is_unread = prompt.text.len() > MAX_PROMPT
        || is_command(&prompt.text)
        || slash_command(&prompt.text).is_some();
    if is_unread {
        return Vec::new();
    }
    let said = read(&prompt.text);
    let row = |title: &str, concept: &str| Observation {
        prompt_number: prompt.number,
        ..decision(title, concept, stop)
    };
    let chosen = asked(batch).map(|asked| (asked, reply::chosen(&prompt.text, asked)));
    let mut out: Vec<Observation> = Vec::new();
    if let Some((asked, options)) = chosen.filter(|(_, options)| !options.is_empty()) {
        out.extend(options.into_iter().map(|option| {
            let question = truncate(&asked.text, MAX_WHOLE);
            let question = Some(question).filter(|question| !question.is_empty());
            // A long option is understood without its question.
            let is_whole = n_words(option) >= MIN_WHOLE;
            let facts = question.iter().filter(|_| is_whole);
            let facts = facts.map(|question| format!("Question: {question}")).collect();
            let narrative = question.filter(|_| !is_whole);
            Observation { narrative, facts, ..row(option, "choice") }
        }));
    }
    let whole = collapse_spaces(&texts(&said));
    let is_short = whole.chars().count() <= MAX_WHOLE;
    let place = place(prompt, batch);
    let answers = answers(prompt, batch);
    let mut rules = rules_in(&said, place, answers);
    let corrects = rules.iter().any(|rule| rule.kind == Kind::Correction);
    if corrects && place == Place::Correction && is_short {
        out.push(row(&whole, "correction"));
        return out;
    }
    // The chosen option says more.
    rules.retain(|rule| out.is_empty() || !rule.answers || rule.kind == Kind::Rule);
    let question = asked(batch).map(|asked| truncate(&asked.text, MAX_WHOLE));
    out.extend(rules.into_iter().map(|rule| {
        let concept = match rule.kind {
            Kind::Rule => "rule",
            Kind::Correction => "correction",
            Kind::Said => "said",
        };
        let narrative =
            question.clone().filter(|_| rule.answers && n_words(&rule.text) < MIN_WHOLE);
        let row = row(&rule.text, concept);
        Observation { title: rule_text(&row.title), narrative, ..row }
    }));
    out
}

/// Where the prompt stands in the session.
pub fn place(prompt: &Prompt, batch: &Batch) -> Place {
    let is_first =
        |turn: &crate::memory::Turn| turn.sender != Sender::User || turn.request.is_empty();
    let earlier = batch.prompts.iter().any(|other| {
        other.number < prompt.number && sender(&batch.client, &other.text) == Sender::User
    });
    if batch.turns.iter().all(is_first) && !earlier {
        Place::First
    } else if denies(&texts(&read(&prompt.text))) {
        Place::Correction
    } else if batch.evidence.tool_uses == 0
        && batch.messages.iter().all(|message| message.tool_name.is_none())
    {
        Place::Remark
    } else {
        Place::Later
    }
}

/// Whether the prompt follows a question of the assistant.
pub fn answers(prompt: &Prompt, batch: &Batch) -> bool {
    asked(batch).is_some() && batch.prompts.iter().all(|other| other.number >= prompt.number)
}

fn n_words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn texts(said: &[Said]) -> String {
    said.iter().map(|said| said.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// A sentence that holds beyond the turn.
struct Stated {
    text: String,
    kind: Kind,
    /// It answers the question before.
    answers: bool,
}

/// The sentences that hold beyond the turn.
fn rules_in(said: &[Said], place: Place, answers: bool) -> Vec<Stated> {
    // Each sentence, and whether the next one underlines it.
    let mut all: Vec<Said> = Vec::new();
    let mut underlined: Vec<usize> = Vec::new();
    for one in said {
        for part in parts(&one.text) {
            let text = collapse_spaces(part);
            match all.len().checked_sub(1).filter(|_| underlines(&text)) {
                Some(last) => underlined.push(last),
                None => all.push(Said { text, ..one.clone() }),
            }
        }
    }
    let kinds = stated(&all, place, answers);
    let stated = (0..).zip(all).zip(kinds).filter_map(|((nth, part), kind)| {
        let is_stressed = underlined.contains(&nth) && !is_question(&part.text);
        let is_property = || place == Place::First && nth > 0 && is_property(&part.text);
        let kind = match kind {
            Some(Kind::Said) | None if is_stressed || is_property() => Kind::Rule,
            kind => kind?,
        };
        Some(Stated { text: part.text, kind, answers: nth == 0 && answers })
    });
    stated.take(MAX_RULES).collect()
}

/// Whether each sentence states a rule.
pub fn are_rules(said: &[Said], place: Place, answers: bool) -> Vec<bool> {
    let rules = rules_in(said, place, answers);
    let is_rule = |said: &Said| {
        let text = collapse_spaces(&said.text);
        !rules.is_empty() && underlines(&text)
            || rules.iter().any(|rule| {
                rule.kind == Kind::Rule
                    && rule.text.len() * 5 >= text.len() * 4
                    && (text.ends_with(rule.text.as_str()) || rule.text.starts_with(&text))
            })
    };
    said.iter().map(is_rule).collect()
}

/// Splits at a point before a lowercase word too: `do that. and we never …`. The sentences are split
/// at points before a space already, so only semicolons remain.
fn parts(sentence: &str) -> Vec<&str> {
    sentence.split("; ").map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// A rule without the words around it: `Bitte merk dir: nur Tabs` is `Nur Tabs`.
fn rule_text(sentence: &str) -> String {
    const LEADS: [&str; 17] = [
        "please ",
        "pls ",
        "bitte ",
        "remember: ",
        "remember, ",
        "remember that ",
        "note: ",
        "rule: ",
        "btw, ",
        "btw ",
        "merk dir: ",
        "merk dir, ",
        "merk dir bitte: ",
        "merke dir: ",
        "merke: ",
        "regel: ",
        "übrigens: ",
    ];
    const TAILS: [&str; 9] =
        [" though", " please", " pls", " bitte", ", ok", ", okay", ", thanks", ", thx", ", danke"];
    let whole = sentence.trim_end_matches(['.', '。']);
    let mut text = without_leads(whole);
    while let Some(rest) = LEADS.iter().find_map(|lead| strip_start(text, lead)) {
        text = rest.trim_start();
    }
    while let Some(rest) = TAILS.iter().find_map(|tail| strip_end(text, tail)) {
        text = rest.trim_end_matches([',', ' ', '.']);
    }
    // Two words are no rule alone.
    if text.len() == whole.len() || n_words(text) < 2 {
        return whole.to_owned();
    }
    match whole.starts_with(char::is_uppercase) {
        true => capitalized(text),
        false => text.to_owned(),
    }
}

fn strip_start<'a>(text: &'a str, lead: &str) -> Option<&'a str> {
    let start = text.get(..lead.len())?;
    (start.to_lowercase() == lead).then(|| &text[lead.len()..])
}

fn strip_end<'a>(text: &'a str, tail: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(tail.len())?;
    let end = text.get(at..)?;
    (end.to_lowercase() == tail).then(|| &text[..at])
}

/// What the user clicked or typed in answer to a question of the client.
fn of_answer(answer: &Answer, batch: &Batch, stop: &Message) -> Option<Observation> {
    let text = collapse_spaces(&answer.answer);
    if text.is_empty() || is_question(&text) {
        return None;
    }
    let question = collapse_spaces(&answer.question);
    let is_whole = n_words(&text) >= MIN_WHOLE || question.is_empty();
    let title = if is_whole { text.clone() } else { format!("{question} {text}") };
    let others: Vec<&str> =
        answer.options.iter().map(String::as_str).filter(|option| !text.contains(option)).collect();
    let facts = if others.is_empty() {
        Vec::new()
    } else {
        vec![format!("Not chosen: {}", others.join("; "))]
    };
    Some(Observation {
        narrative: (is_whole && !question.is_empty()).then_some(question),
        facts,
        sources: known_sources(&answer.sources, batch, stop),
        ..decision(&title, "choice", stop)
    })
}

/// A plan that the user approved. A refused plan is no decision.
fn of_plan(plan: &Plan, batch: &Batch, stop: &Message) -> Option<Observation> {
    let mut title = collapse_spaces(&plan.title);
    // `Parquet` says nothing without the steps.
    if Text::new(&title).length() < MIN_PLAN && !plan.steps.is_empty() {
        title = format!("{title}: {}", collapse_spaces(&plan.steps.join("; ")));
    }
    (plan.approved && !title.is_empty()).then(|| Observation {
        facts: plan.steps.clone(),
        sources: known_sources(&plan.sources, batch, stop),
        ..decision(&title, "plan", stop)
    })
}

/// What the user typed when refusing a tool use.
fn of_refusal(refusal: &Refusal, batch: &Batch, stop: &Message) -> Option<Observation> {
    const MIN_WORDS: usize = 2;
    let words = collapse_spaces(&texts(&read(&refusal.words)));
    let wide = words.chars().filter(|c| *c >= '\u{2e80}').count();
    if is_question(&words) || words.split(' ').count() < MIN_WORDS && wide < 4 {
        return None;
    }
    let what = collapse_spaces(&refusal.what);
    Some(Observation {
        narrative: (!what.is_empty()).then(|| format!("Refused: {what}")),
        sources: known_sources(&refusal.sources, batch, stop),
        ..decision(&words, "correction", stop)
    })
}

fn decision(title: &str, concept: &str, stop: &Message) -> Observation {
    let mut concepts = vec![concept.to_owned()];
    // An older rule about the same name no longer holds.
    if rules::is_change(title) {
        concepts.push("change".to_owned());
    }
    Observation {
        kind: "decision".to_owned(),
        title: truncate(&collapse_spaces(title), MAX_TITLE),
        concepts,
        origin: Origin::User,
        prompt_number: stop.prompt_number,
        sources: vec![stop.id],
        ..Observation::default()
    }
}

/// The sources that are messages of the batch, else its last message: earlier batches of the turn have
/// handed theirs back.
fn known_sources(sources: &[i64], batch: &Batch, stop: &Message) -> Vec<i64> {
    let known = |id: &&i64| batch.messages.iter().any(|message| message.id == **id);
    let known: Vec<i64> = sources.iter().filter(known).copied().collect();
    if known.is_empty() { vec![stop.id] } else { known }
}

#[cfg(test)]
#[path = "user_words_tests.rs"]
mod tests;
