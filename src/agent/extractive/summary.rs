//! The summary of a turn: request, investigated, learned, completed, next steps, notes.

use std::collections::HashSet;

use super::episodes::Thread;
use super::facts::{same, some};
use super::prose::{self, fit, paragraph};
use super::sentences::{self, About, Sentence};
use super::words;
use super::work::merge;
use super::{asked, carried, completed, titles};
use crate::memory::{Batch, Cause, Message, Observation, Origin, Summary};

const LEARNED: usize = 600;
const NEXT: usize = 400;

pub fn of(
    batch: &Batch,
    stop: &Message,
    threads: &[Thread],
    observations: &[Observation],
) -> Summary {
    if is_talk(batch, threads) {
        return Summary::default();
    }
    let spoken = matches!(stop.cause, Cause::Stop);
    let message = stop.last_assistant_message.as_deref().filter(|_| spoken).unwrap_or("");
    let said = sentences::sentences(message);
    let mut previous = batch.previous.clone().unwrap_or_default();
    if !said.is_empty() && stop.turn_id.is_some() && stop.turn_id == batch.previous_turn {
        // The turn continued after its Stop: the newer message counts.
        previous.learned.clear();
        previous.completed.clear();
        previous.next_steps.clear();
    }
    let works = |kind: &str| !matches!(kind, "discovery" | "decision" | "security_alert");
    let changed = observations.iter().any(|o| works(&o.kind))
        || batch.earlier.iter().any(|e| works(&e.kind) || !e.files_modified.is_empty());
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
    // Text from the web is not shown unasked, neither findings nor advice. After a change, the message
    // is the assistant's own report.
    let web = threads.iter().any(|t| !t.web.is_empty())
        || batch.earlier.iter().any(|e| e.origin == Origin::Web);
    let rests_on_web = web && !changed;
    let keeps = |s: &Sentence| !rests_on_web || s.about == About::Question;
    let said: Vec<Sentence> = said.into_iter().filter(keeps).collect();
    let request = request(batch, stop);
    Summary {
        request: or(request, previous.request),
        investigated: or(investigated(threads, batch, &files_modified), previous.investigated),
        learned: join(&previous.learned, &learned(&said, observations, changed), LEARNED),
        completed: completed::of(&said, observations, threads, batch, changed, &previous.completed),
        next_steps: or(
            next_steps(&said, threads),
            if said.is_empty() || observations.is_empty() {
                previous.next_steps
            } else {
                String::new()
            },
        ),
        notes: or(notes(stop, previous.notes), told_apart(rests_on_web)),
        files_read,
        files_modified,
    }
}

/// Whether the prompts are only talk and nothing was done.
fn is_talk(batch: &Batch, threads: &[Thread]) -> bool {
    let idle = |t: &Thread| {
        t.agent_id.is_none()
            && t.works.is_empty()
            && t.looked.sources.is_empty()
            && t.web.is_empty()
    };
    !batch.prompts.is_empty()
        && batch.prompts.iter().all(|p| asked::is_talk(&p.text))
        && batch.earlier.is_empty()
        && threads.iter().all(idle)
}

fn or(new: String, old: String) -> String {
    if new.is_empty() { old } else { new }
}

/// Both texts, as far as they fit.
fn join(old: &str, new: &str, most: usize) -> String {
    let sentences: Vec<String> = prose::split(old).into_iter().chain(prose::split(new)).collect();
    paragraph(sentences.iter().map(String::as_str), most)
}

/// The request of each prompt of the turn.
fn request(batch: &Batch, stop: &Message) -> String {
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
        let request = asked::request(prompt, room);
        if !request.is_empty() && !out.iter().any(|known| same(known, &request)) {
            out.push(request);
        }
    }
    // `continue` refers to the previous request.
    let thin = batch
        .prompts
        .iter()
        .all(|p| titles::as_title(&p.text).is_none() && !p.text.trim_start().starts_with('/'));
    let before = batch.rolling.summaries.iter().rev().find(|s| !s.request.is_empty());
    let before = before.map(|s| s.request.as_str()).unwrap_or("");
    if thin && !before.is_empty() {
        let known = before.split(" (continued").next().unwrap_or(before);
        let known = known.split(" (then: ").next().unwrap_or(known);
        let how = out.join(" ");
        let bare = how.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        return match bare.is_empty() || words::GO_ON.are(&bare) {
            true => format!("{} (continued)", fit(known, 200)),
            false => format!("{} (then: {how})", fit(known, 200)),
        };
    }
    out.join(" / ")
}

/// What was read or searched, without the changed files.
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

fn of_kind<'a>(said: &'a [Sentence], wanted: &'a [About]) -> impl Iterator<Item = &'a Sentence> {
    said.iter().filter(move |s| wanted.contains(&s.about))
}

fn learned(said: &[Sentence], observations: &[Observation], changed: bool) -> String {
    let opening = sentences::opening(said).filter(|_| changed);
    let told = said.iter().enumerate().filter(|(at, s)| match s.about {
        About::Found | About::Decision => Some(*at) != opening,
        About::Plain => !changed,
        About::Done => !changed && !sentences::tells_deed(&s.text),
        _ => false,
    });
    let told: Vec<String> =
        told.map(|(_, s)| sentences::without_label(&s.text, words::CAUSE_LABEL)).collect();
    let mut texts: Vec<&str> = told.iter().map(String::as_str).collect();
    // Findings of subagents. The sentences above cover the main thread, and text from the web stays in
    // its own observation.
    let reports = observations.iter().filter(|o| {
        let told = o.agent_id.is_some() || said.is_empty();
        let finding = o.subtitle.is_some() || o.title.contains(": ");
        o.kind == "discovery" && told && finding && o.origin != Origin::Web
    });
    let reports: Vec<&str> = reports.map(|o| o.title.as_str()).collect();
    if texts.len() < 2 {
        texts.extend(reports);
    }
    let problems: Vec<String> =
        observations.iter().filter(|o| o.kind == "bugfix").filter_map(problem).collect();
    if texts.is_empty() {
        texts.extend(problems.iter().map(String::as_str));
    }
    paragraph(texts.into_iter(), LEARNED)
}

fn problem(observation: &Observation) -> Option<String> {
    let narrative = observation.narrative.as_deref()?.strip_prefix(carried::PROBLEM)?;
    let text = narrative.split(" Solution: ").next()?;
    Some(text.to_owned())
}

/// The last question, with the sentence before it if it is too short alone: `Do you want me to?`
fn asked_at_last(said: &[Sentence]) -> Option<String> {
    const ALONE: usize = 7;
    const BEFORE: usize = 2;
    let says = |s: &Sentence| !words::OFFERS.inside(&s.text.to_lowercase());
    let at = said.iter().rposition(|s| s.about == About::Question && says(s))?;
    let leans = |text: &str| {
        !text.contains('`')
            && (text.split_whitespace().count() < ALONE || titles::leans_inside(text))
    };
    let mut from = at;
    // Next steps have a field of their own.
    let untold = |at: usize| said[at].about != About::Next && !said[at].item;
    while from > 0 && at - from < BEFORE && leans(&said[from].text) && untold(from - 1) {
        from -= 1;
    }
    let parts: Vec<&str> =
        said[from..=at].iter().map(|s| s.text.trim_end_matches(['.', '。'])).collect();
    Some(format!("Asked the user: {}", parts.join(" — ")))
}

fn next_steps(said: &[Sentence], threads: &[Thread]) -> String {
    let mut texts: Vec<String> = of_kind(said, &[About::Next])
        .map(|s| s.text.strip_prefix("Note that ").unwrap_or(&s.text))
        .map(|text| sentences::without_label(text, words::NEXT_LABEL))
        .collect();
    texts.extend(asked_at_last(said));
    for thread in threads {
        for trouble in thread.works.iter().flat_map(|w| &w.open).chain(&thread.looked.open).take(2)
        {
            let why = trouble.error_lines.first().map(|t| format!(": {t}")).unwrap_or_default();
            texts.push(format!("{} still fails{why}", trouble.command()));
        }
    }
    paragraph(texts.iter().map(String::as_str), NEXT)
}

fn told_apart(rests_on_web: bool) -> String {
    if rests_on_web { "the answer rests on the web and stands in an entry of its own" } else { "" }
        .to_owned()
}

fn notes(stop: &Message, previous: String) -> String {
    match stop.cause {
        Cause::StopFailed => {
            fit(stop.last_assistant_message.as_deref().unwrap_or("ended with an error"), 400)
        }
        Cause::Interrupted => "interrupted".to_owned(),
        Cause::End => "the session ended before the turn did".to_owned(),
        Cause::Stop => String::new(),
        _ => previous,
    }
}
