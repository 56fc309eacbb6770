//! Renders the section about the last session: the newest one of the user that did something.

use std::collections::BTreeSet;

use super::Told;
use super::blocks;
use super::dates::date_and_id;
use super::filler::Filler;
use super::markdown::{self, truncate};
use super::rollup::RollUp;
use super::seen::Seen;
use super::similarity::{WordSet, sentences};
use super::stored_turn::{has_substance, names_something};
use crate::memory::{ClaimKind, Ending, FileChange, Outcome};

/// Most requests of the last session beside its title, and most files.
const MAX_ASKS: usize = 4;
pub const MAX_FILES: usize = 8;

/// How much of the last session's words is told, in characters.
const LEVELS: [usize; 6] = [2400, 1500, 900, 450, 200, 80];

/// The newest session of the user that did something.
pub fn last(told: Option<&Told>, filler: &mut Filler, seen: &mut Seen) {
    let Some(told) = told else { return };
    let session = &told.session;
    let id = format!("s{}", session.id());
    let title = blocks::without_seen(&markdown::paragraph(&session.title), seen);
    let title = blocks::whole_sentences(&title, 300);
    // Its prompt was a rule, which stands above.
    if title.is_empty() && !session.has_change() {
        return;
    }
    let header = format!("{}: {title}", date_and_id(session));
    if !filler.push(header.trim_end_matches([':', ' ']).to_owned(), id) {
        return;
    }
    seen.add(&title);
    seen.add_session(session.session_id);
    let mut best: Option<(Filler, Seen)> = None;
    for (n, max) in LEVELS.into_iter().enumerate() {
        let (mut trial, mut trial_seen) = (filler.clone(), seen.clone());
        trial.wants_more = false;
        let n_lines = last_lines(session, max, &mut trial, &mut trial_seen);
        let is_complete = !trial.wants_more;
        trial.wants_more |= n > 0;
        let is_better = best.as_ref().is_none_or(|(b, _)| trial.lines.len() > b.lines.len());
        if is_better {
            best = Some((trial, trial_seen));
        }
        if is_complete || n_lines == 0 {
            break;
        }
    }
    if let Some((trial, trial_seen)) = best {
        (*filler, *seen) = (trial, trial_seen);
    }
}

/// Returns how many lines there are to tell.
fn last_lines(session: &RollUp, max: usize, filler: &mut Filler, seen: &mut Seen) -> usize {
    let mut texts: Vec<Labelled> = Vec::new();
    let mut tell = |label: &'static str, text: String, said: Vec<String>| {
        if !text.is_empty() {
            texts.push(Labelled { label, text, said });
        }
    };
    let asks = asks(session, (max / 6).clamp(60, 160), seen);
    tell("Asked", asks.join("; "), asks);
    tell("Commits", commits(session, max / 2), subjects(session));
    tell("Also", effects(session), Vec::new());
    for gotcha in session.gotchas.iter().rev().take(2) {
        let cause = markdown::paragraph(&blocks::text(&gotcha.cause, max / 2));
        tell("Cause", blocks::without_seen(&cause, seen), Vec::new());
    }
    let mut done = session.done.clone();
    blocks::drop_seen(&mut done, seen);
    for text in blocks::lines(&done, max).into_iter().filter(|text| has_substance(text)) {
        tell("Done", text, Vec::new());
    }
    // What earlier turns did, if there is room: the newest ones, in a few words each.
    for before in session.done_before.iter().rev().take(max / 200) {
        let text = markdown::paragraph(&blocks::text(&blocks::gist(before), 200));
        let text = blocks::without_seen(&text, seen);
        tell("Before", if has_substance(&text) { text } else { String::new() }, Vec::new());
    }
    let n_answers = if done.is_empty() { 3 } else { 2 };
    for answered in session.answers.iter().rev().take(n_answers) {
        let question = blocks::whole_sentences(&markdown::paragraph(&answered.question), 120);
        let answer = blocks::text(&answered.answer, max / n_answers);
        let answer = blocks::without_seen(&markdown::paragraph(&answer), seen);
        let said = vec![question.clone(), answer.clone()];
        match answer {
            answer if answer.is_empty() => {}
            answer if seen.contains(&question) => tell("Answer", answer, said),
            answer => tell("Answer", format!("{question} → {answer}"), said),
        }
    }
    for claim in session.claims.iter().take(2) {
        let text = unproven(&claim.text, claim.kind, &claim.subject);
        tell("Said, but not shown", text, Vec::new());
    }
    tell("Checks", checks(session), Vec::new());
    tell("Files", files(session, MAX_FILES), Vec::new());
    tell("End", ending(session), Vec::new());
    let id = format!("s{}", session.id());
    let n_texts = texts.len();
    for Labelled { label, text, said } in texts {
        if !seen.contains(&text) && filler.push(format!("- {label}: {text}"), id.clone()) {
            seen.add(&text);
            said.iter().for_each(|said| seen.add(said));
        }
    }
    n_texts
}

/// A line about the last session.
struct Labelled {
    label: &'static str,
    text: String,
    /// Its parts, if they are more than its sentences.
    said: Vec<String>,
}

/// The newest requests beside the title, without those that are told with their answers. Sentences
/// such as `ok, now the next one` say nothing without the turn before.
fn asks(session: &RollUp, max: usize, seen: &Seen) -> Vec<String> {
    let is_answered = |id: i64| session.answers.iter().any(|answered| answered.id == id);
    let asks = session.asks.iter().filter(|ask| !is_answered(ask.id));
    let mut asks: Vec<String> = asks
        .map(|ask| {
            let text = blocks::without_seen(&markdown::paragraph(&ask.text), seen);
            blocks::whole_sentences(&telling(&text), max)
        })
        .filter(|ask| !ask.is_empty())
        .collect();
    asks.drain(..asks.len().saturating_sub(MAX_ASKS));
    asks
}

/// The sentences of a request that say what it is about.
pub fn telling(request: &str) -> String {
    let telling = sentences(request).into_iter().filter(|sentence| is_telling(sentence));
    telling.collect::<Vec<_>>().join(" ")
}

/// Whether a sentence of a request says what it is about: four words that carry meaning, or a name.
fn is_telling(sentence: &str) -> bool {
    WordSet::has_words(sentence, 4) || names_something(sentence)
}

fn subjects(session: &RollUp) -> Vec<String> {
    session.commits.iter().map(|commit| markdown::line(&commit.subject)).collect()
}

/// The subjects of the commits, the newest ones if not all fit.
pub fn commits(session: &RollUp, max: usize) -> String {
    let names: Vec<String> = session
        .commits
        .iter()
        .map(|commit| match markdown::line(&commit.subject) {
            subject if subject.is_empty() => markdown::line(&short_hash(&commit.hash)),
            subject => format!("\"{}\"", truncate(&subject, 100)),
        })
        .collect();
    // Newest last; if there are many, the oldest are only counted.
    let mut skipped = 0;
    let length =
        |names: &[String]| names.iter().map(|name| name.chars().count() + 2).sum::<usize>();
    while names.len() - skipped > 1 && length(&names[skipped..]) > max.max(100) {
        skipped += 1;
    }
    match skipped {
        0 => names.join(", "),
        n => format!("{n} and {}", names[n..].join(", ")),
    }
}

fn short_hash(hash: &str) -> String {
    hash.chars().take(9).collect()
}

/// The last changes beyond the work tree.
pub fn effects(session: &RollUp) -> String {
    let texts = session.effects.iter().rev().take(6).map(|effect| {
        let text = truncate(&markdown::line(&effect.text), 120);
        if effect.count > 1 { format!("{text} (×{})", effect.count) } else { text }
    });
    let mut texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
    texts.reverse();
    texts.join("; ")
}

fn unproven(text: &str, kind: ClaimKind, subject: &str) -> String {
    let text = truncate(&markdown::paragraph(text), 120);
    let why = match kind {
        ClaimKind::FailedCheck if subject.is_empty() => "the last run failed".to_owned(),
        ClaimKind::FailedCheck => format!("the last run of {} failed", markdown::code(subject)),
        ClaimKind::UnprovenPass => "no such run passed".into(),
        ClaimKind::UnwrittenFile => format!("{} was not written", markdown::code(subject)),
        ClaimKind::NoCommit => "no commit or push was seen".into(),
    };
    format!("\"{text}\" — {why}")
}

/// The checks that passed last. Failures are among the open ends.
fn checks(session: &RollUp) -> String {
    // Of several runs with other arguments, the last one.
    let mut keys: BTreeSet<&str> = BTreeSet::new();
    let passed = session.checks.iter().rev().filter(|check| check.outcome == Outcome::Pass);
    let passed = passed.filter(|check| keys.insert(&check.key));
    let texts = passed.take(4).map(|check| {
        let key = markdown::code(&check.key);
        let verb = if check.fixed { "passes again" } else { "passes" };
        match markdown::line(&check.counts) {
            counts if counts.is_empty() => format!("{key} {verb}"),
            counts => format!("{key} {verb} ({counts})"),
        }
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// At most `max` paths, with those that are moved or gone since, and how many more there are.
pub fn files(session: &RollUp, max: usize) -> String {
    let shown = |file: &FileChange| {
        let path = markdown::path(&file.path);
        match session.lost.get(&file.path).filter(|_| !path.is_empty()) {
            Some(state) => format!("{path}: {}", state.phrase(markdown::path)),
            None => path,
        }
    };
    let paths: Vec<String> =
        session.files.iter().map(shown).filter(|path| !path.is_empty()).collect();
    let shown = paths.iter().take(max).cloned().collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(max) {
        0 => shown,
        more => format!("{shown} +{more}"),
    }
}

fn ending(session: &RollUp) -> String {
    match session.ending {
        Ending::Interrupted => "interrupted before it was finished".into(),
        Ending::Error => match session.error_codes.as_slice() {
            [] => "an error of the client".into(),
            codes => {
                let is_number = |code: &&String| code.bytes().all(|b| b.is_ascii_digit());
                let shown = codes.iter().find(is_number).unwrap_or(&codes[0]);
                format!("an error of the client ({})", markdown::line(shown))
            }
        },
        Ending::Stop | Ending::SessionEnd | Ending::Open | Ending::Continued => String::new(),
    }
}
