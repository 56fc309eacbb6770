//! The summary of a turn: request, investigated, learned, completed, next steps, notes.

use std::collections::HashSet;

use super::episodes::Thread;
use super::facts::{same, some};
use super::prose::{self, fit, paragraph};
use super::sentences::{self, About, Sentence};
use super::words;
use super::work::merge;
use super::{completed, request, titles};
use crate::memory::{Batch, Cause, Message, Observation, Summary};

/// Maximum characters of the fields.
const MAX_LEARNED: usize = 600;
const MAX_NEXT_STEPS: usize = 400;

/// Summarizes the turn that `stop` ends. Fields without new content keep their value from the previous
/// summary of the turn.
pub fn summarize(
    batch: &Batch,
    stop: &Message,
    threads: &[Thread],
    observations: &[Observation],
) -> Summary {
    if is_small_talk(batch, threads) {
        return Summary::default();
    }
    // For other causes, the text is not a message of the assistant.
    let has_message = matches!(stop.cause, Cause::Stop);
    let message = stop.last_assistant_message.as_deref().filter(|_| has_message).unwrap_or("");
    let message = sentences::sentences(message);
    let mut previous = batch.previous.clone().unwrap_or_default();
    if !message.is_empty() && stop.turn_id.is_some() && stop.turn_id == batch.previous_turn {
        // The turn continued after its Stop, so the newer message replaces the older one.
        previous.learned.clear();
        previous.completed.clear();
        previous.next_steps.clear();
    }
    let is_change = |kind: &str| !matches!(kind, "discovery" | "decision" | "security_alert");
    let changed = observations.iter().any(|o| is_change(&o.kind))
        || batch.earlier.iter().any(|e| is_change(&e.kind) || !e.files_modified.is_empty());
    let mut files_read = previous.files_read.clone();
    merge(
        &mut files_read,
        batch.earlier.iter().flat_map(|e| e.files_read.iter().cloned()).collect(),
    );
    for thread in threads {
        merge(&mut files_read, thread.works.iter().flat_map(|w| w.read.iter().cloned()).collect());
        merge(&mut files_read, thread.looked.read.clone());
    }
    let mut files_modified = previous.files_modified.clone();
    merge(
        &mut files_modified,
        batch.earlier.iter().flat_map(|e| e.files_modified.iter().cloned()).collect(),
    );
    merge(
        &mut files_modified,
        observations.iter().flat_map(|o| o.files_modified.iter().cloned()).collect(),
    );
    Summary {
        request: or(request_of_turn(batch, stop), previous.request),
        investigated: or(investigated(threads, batch, &files_modified), previous.investigated),
        learned: join(&previous.learned, &learned(&message, changed), MAX_LEARNED),
        completed: completed::of(
            &message,
            observations,
            threads,
            batch,
            changed,
            &previous.completed,
        ),
        next_steps: or(
            next_steps(&message, threads),
            if message.is_empty() || observations.is_empty() {
                previous.next_steps
            } else {
                String::new()
            },
        ),
        notes: notes(stop, previous.notes),
        files_read,
        files_modified,
    }
}

/// Whether the prompts are only greetings or thanks, and nothing was done.
fn is_small_talk(batch: &Batch, threads: &[Thread]) -> bool {
    let idle = |t: &Thread| {
        t.agent_id.is_none()
            && t.works.is_empty()
            && t.looked.sources.is_empty()
            && t.web.is_empty()
    };
    !batch.prompts.is_empty()
        && batch.prompts.iter().all(|p| request::is_small_talk(&p.text))
        && batch.earlier.is_empty()
        && threads.iter().all(idle)
}

/// `new`, or `old` if it is empty.
fn or(new: String, old: String) -> String {
    if new.is_empty() { old } else { new }
}

/// Both texts, as whole sentences that fit into `max` characters.
fn join(old: &str, new: &str, max: usize) -> String {
    let sentences: Vec<String> = prose::split(old).into_iter().chain(prose::split(new)).collect();
    paragraph(sentences.iter().map(String::as_str), max)
}

/// The requests of the turn's prompts. A bare `continue` gets the request of an earlier turn.
fn request_of_turn(batch: &Batch, stop: &Message) -> String {
    let mut prompts: Vec<&str> = batch.prompts.iter().map(|p| p.text.as_str()).collect();
    if prompts.len() > 6 {
        let own = batch
            .prompts
            .iter()
            .position(|p| p.number == stop.prompt_number)
            .unwrap_or(prompts.len() - 1);
        prompts = prompts[own.saturating_sub(5)..=own].to_vec();
    }
    let room = if prompts.len() > 1 { 160 } else { 300 };
    let mut out: Vec<String> = Vec::new();
    for prompt in prompts {
        let request = request::from_prompt(prompt, room);
        if !request.is_empty() && !out.iter().any(|known| same(known, &request)) {
            out.push(request);
        }
    }
    let has_no_request = batch
        .prompts
        .iter()
        .all(|p| titles::as_title(&p.text).is_none() && !p.text.trim_start().starts_with('/'));
    let earlier = batch.rolling.summaries.iter().rev().find(|s| !s.request.is_empty());
    let earlier = earlier.map(|s| s.request.as_str()).unwrap_or("");
    if has_no_request && !earlier.is_empty() {
        let earlier = earlier.split(" (continued").next().unwrap_or(earlier);
        let earlier = earlier.split(" (then: ").next().unwrap_or(earlier);
        let prompt = out.join(" ");
        let bare = prompt.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        return match bare.is_empty() || words::GO_ON.are(&bare) {
            true => format!("{} (continued)", fit(earlier, 200)),
            false => format!("{} (then: {prompt})", fit(earlier, 200)),
        };
    }
    out.join(" / ")
}

/// Files that were read but not changed, searches, subagents and pages from the web.
fn investigated(threads: &[Thread], batch: &Batch, modified: &[String]) -> String {
    let modified: HashSet<&String> = modified.iter().collect();
    let mut parts = Vec::new();
    let mut read = Vec::new();
    let mut searched = Vec::new();
    for thread in threads.iter().filter(|t| t.agent_id.is_none()) {
        for work in thread.works.iter().chain(std::iter::once(&thread.looked)) {
            merge(&mut read, work.read.clone());
            merge(&mut searched, work.searched.clone());
        }
    }
    read.retain(|r| !modified.contains(r));
    if !read.is_empty() {
        let read: Vec<String> = read.iter().map(|path| titles::short(path)).collect();
        parts.push(format!("Read {}", some(&read, 5)));
    }
    searched.retain(|s| !s.is_empty());
    if !searched.is_empty() {
        let quoted: Vec<String> =
            searched.iter().map(|s| format!("`{}`", s.replace('`', "'"))).collect();
        parts.push(format!("searched for {}", some(&quoted, 3)));
    }
    for thread in threads.iter().filter(|t| !t.task.is_empty()) {
        parts.push(format!("had a subagent look into \"{}\"", thread.task));
    }
    let pages: Vec<String> =
        threads.iter().flat_map(|t| t.web.iter().map(|p| fit(&p.subject, 80))).collect();
    if !pages.is_empty() {
        let mut unique = Vec::new();
        merge(&mut unique, pages);
        parts.push(format!("looked up {}", some(&unique, 2)));
    }
    if parts.is_empty() {
        let mut earlier = Vec::new();
        merge(
            &mut earlier,
            batch.earlier.iter().flat_map(|e| e.files_read.iter().cloned()).collect(),
        );
        earlier.retain(|r| !modified.contains(r));
        if !earlier.is_empty() {
            parts.push(format!("Read {}", some(&earlier, 5)));
        }
    }
    paragraph(std::iter::once(parts.join("; ").as_str()), 600)
}

/// `ended with an error (429, rate_limit_error)`: of the error's text only the codes.
fn ended_with_error(text: Option<&str>) -> String {
    const MAX_CODES: usize = 3;
    let words = text.unwrap_or_default().split(|c: char| !c.is_alphanumeric() && c != '_');
    let is_status = |w: &str| w.len() == 3 && w.bytes().all(|b| b.is_ascii_digit());
    let is_code = |w: &str| {
        w.contains('_') && w.len() <= 40 && w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    let mut codes: Vec<&str> = Vec::new();
    for word in words.filter(|w| is_status(w) || is_code(w)) {
        if codes.len() < MAX_CODES && !codes.contains(&word) {
            codes.push(word);
        }
    }
    match codes.is_empty() {
        true => "ended with an error".to_owned(),
        false => format!("ended with an error ({})", codes.join(", ")),
    }
}

/// Findings and decisions in the message. Reports of subagents and the words of failed checks are
/// third-party text; observations hold them.
fn learned(message: &[Sentence], changed: bool) -> String {
    let opening = sentences::opening(message).filter(|_| changed);
    let findings = message.iter().enumerate().filter(|(at, s)| match s.about {
        About::Found | About::Decision => Some(*at) != opening,
        About::Plain => !changed,
        About::Done => !changed && !sentences::tells_deed(&s.text),
        _ => false,
    });
    let findings: Vec<String> =
        findings.map(|(_, s)| sentences::without_label(&s.text, words::CAUSE_LABEL)).collect();
    paragraph(findings.iter().map(String::as_str), MAX_LEARNED)
}

/// The last question to the user. A short one, such as `Do you want me to?`, is joined with up to two
/// sentences before it.
fn last_question(message: &[Sentence]) -> Option<String> {
    const MIN_WORDS: usize = 7;
    const MAX_BEFORE: usize = 2;
    let is_offer = |s: &Sentence| words::OFFERS.inside(&s.text.to_lowercase());
    let at = message.iter().rposition(|s| s.about == About::Question && !is_offer(s))?;
    let needs_context = |text: &str| {
        !text.contains('`')
            && (text.split_whitespace().count() < MIN_WORDS || titles::leans_inside(text))
    };
    let mut from = at;
    // Next steps are listed already, and a list item is no context.
    let is_context = |at: usize| message[at].about != About::Next && !message[at].item;
    while from > 0
        && at - from < MAX_BEFORE
        && needs_context(&message[from].text)
        && is_context(from - 1)
    {
        from -= 1;
    }
    let parts: Vec<&str> =
        message[from..=at].iter().map(|s| s.text.trim_end_matches(['.', '。'])).collect();
    Some(format!("Asked the user: {}", parts.join(" — ")))
}

/// Next steps and the last question in the message, and failures that are still open.
fn next_steps(message: &[Sentence], threads: &[Thread]) -> String {
    let mut texts: Vec<String> = message
        .iter()
        .filter(|s| s.about == About::Next)
        .map(|s| s.text.strip_prefix("Note that ").unwrap_or(&s.text))
        .map(|text| sentences::without_label(text, words::NEXT_LABEL))
        .collect();
    texts.extend(last_question(message));
    for thread in threads {
        for failure in thread.works.iter().flat_map(|w| &w.open).chain(&thread.looked.open).take(2)
        {
            texts.push(failure.outcome());
        }
    }
    paragraph(texts.iter().map(String::as_str), MAX_NEXT_STEPS)
}

fn notes(stop: &Message, previous: String) -> String {
    match stop.cause {
        Cause::StopFailed => ended_with_error(stop.last_assistant_message.as_deref()),
        Cause::Interrupted => "interrupted".to_owned(),
        Cause::End => "the session ended before the turn did".to_owned(),
        Cause::Stop => String::new(),
        _ => previous,
    }
}
