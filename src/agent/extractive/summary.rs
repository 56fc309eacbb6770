//! The summary of a turn: request, investigated, learned, completed, next steps, notes.

use std::collections::HashSet;

use super::episodes::Thread;
use super::facts::{same, some};
use super::prose::{self, fit, paragraph};
use super::sentences::{self, About, Sentence};
use super::words;
use super::work::merge;
use super::{asked, carried, titles};
use crate::memory::{Batch, Cause, Earlier, Message, Observation, Origin, Summary};

const COMPLETED: usize = 900;
/// More than so many sentences nobody reads.
const SENTENCES: usize = 6;
/// More commits than this are counted, not listed.
const LISTED_COMMITS: usize = 8;
const LEARNED: usize = 600;
const NEXT: usize = 400;

pub fn of(
    batch: &Batch,
    stop: &Message,
    threads: &[Thread],
    observations: &[Observation],
) -> Summary {
    let spoken = matches!(stop.cause, Cause::Stop);
    let message = stop.last_assistant_message.as_deref().filter(|_| spoken).unwrap_or("");
    let said = sentences::sentences(message);
    let mut previous = batch.previous.clone().unwrap_or_default();
    if !said.is_empty() && stop.turn_id.is_some() && stop.turn_id == batch.previous_turn {
        // The turn went on after its Stop: what it says now is its last word.
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
    // What the web says is told nobody unasked, neither its lessons nor its advice. Of a change the
    // assistant speaks for itself.
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
        completed: completed(&said, observations, threads, batch, changed, &previous.completed),
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

fn or(new: String, old: String) -> String {
    if new.is_empty() { old } else { new }
}

/// Both, as far as there is room.
fn join(old: &str, new: &str, most: usize) -> String {
    let sentences: Vec<String> = prose::split(old).into_iter().chain(prose::split(new)).collect();
    paragraph(sentences.iter().map(String::as_str), most)
}

/// All prompts of the turn, each briefly.
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
    // `continue` means what the session was about before.
    let thin = batch
        .prompts
        .iter()
        .all(|p| titles::as_title(&p.text).is_none() && !p.text.trim_start().starts_with('/'));
    let before = batch.rolling.summaries.last().map(|s| s.request.as_str()).unwrap_or("");
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

/// What was looked at and not changed: that stands among the files.
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
    // What subagents found; of the main thread the sentences above say it already, and what only
    // the web says stays in its own observation.
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

fn completed(
    said: &[Sentence],
    observations: &[Observation],
    threads: &[Thread],
    batch: &Batch,
    changed: bool,
    previous: &str,
) -> String {
    let works: Vec<&Observation> =
        observations.iter().filter(|o| o.kind != "discovery" && o.agent_id.is_none()).collect();
    // Of a turn that stopped before, what is said after more work is a result like any other;
    // without any it is talk, and only what it plainly says was done counts.
    let only_talk = works.is_empty() && !previous.is_empty();
    let mut texts = results(said, changed && !only_talk);
    if only_talk {
        texts.retain(|t| titles::stands_alone(t));
    }
    if texts.is_empty() && only_talk && !said.is_empty() {
        return previous.to_owned();
    }
    if texts.is_empty() {
        let evidence = threads.iter().flat_map(|t| &t.works).map(titles::of_evidence);
        texts.extend(earlier_and(batch, observations, evidence.filter(|t| !t.is_empty())));
        if !previous.is_empty() {
            let new = texts.iter().filter(|t| !previous.contains(t.as_str())).map(String::as_str);
            return paragraph(std::iter::once(previous).chain(new), COMPLETED + 300);
        }
    } else {
        texts = after(previous, texts, batch);
    }
    texts.extend(committed(batch, &works, &texts));
    texts.extend(tested(&works, &texts));
    paragraph(texts.iter().map(String::as_str), COMPLETED)
}

/// A pull request, a ticket, a page: where to find what was made.
fn names_place(text: &str) -> bool {
    text.contains("https://") || text.contains("http://")
}

/// The commits that the message does not name.
fn committed(batch: &Batch, works: &[&Observation], texts: &[String]) -> Option<String> {
    let hash = |facts: &[String]| {
        let commit =
            |f: &String| f.strip_prefix(carried::COMMIT)?.split(' ').next().map(str::to_owned);
        facts.iter().find_map(commit)
    };
    // Of a turn that stopped before, its summary has told the earlier ones.
    let earlier = batch.earlier.iter().filter(|e| e.agent_id.is_none() && batch.previous.is_none());
    let earlier = earlier.map(|e| (&e.facts, e.title.as_str()));
    let untold: Vec<(String, &str)> = earlier
        .chain(works.iter().map(|o| (&o.facts, o.title.as_str())))
        .filter_map(|(facts, title)| Some((hash(facts)?, title)))
        .filter(|(hash, _)| !texts.iter().any(|t| t.contains(hash.as_str())))
        .collect();
    match untold.as_slice() {
        [] => None,
        [(hash, title)] if texts.iter().any(|t| says(t, title)) => {
            Some(format!("Committed as {hash}"))
        }
        [(hash, title)] => Some(format!("Committed {hash}: {title}")),
        [(first, begin), .., (last, end)] if untold.len() > LISTED_COMMITS => {
            let n = untold.len();
            Some(format!("{n} commits ({first} to {last}), from \"{begin}\" to \"{end}\""))
        }
        [(first, _), .., (last, _)] => {
            let titles: Vec<&str> = untold.iter().map(|(_, title)| *title).collect();
            let text =
                format!("{} commits ({first} to {last}): {}", titles.len(), titles.join("; "));
            Some(fit(&text, COMPLETED / 2))
        }
    }
}

/// The last test result, unless the message tells it.
fn tested(works: &[&Observation], texts: &[String]) -> Option<String> {
    let facts = works.iter().flat_map(|o| o.facts.iter());
    let mut results =
        facts.filter_map(|f| f.rsplit_once(": ").filter(|(_, f)| f.contains(" passed")));
    let (key, figures) = results.next_back().filter(|_| !texts.is_empty())?;
    let count = figures.split(' ').next().unwrap_or("");
    let told = texts.iter().any(|t| {
        t.contains("pass") || t.split(|c: char| !c.is_ascii_digit()).any(|figure| figure == count)
    });
    match (told, figures.ends_with("(packages)")) {
        (true, _) => None,
        (false, true) => Some(format!("`{key}` passes")),
        (false, false) => Some(format!("`{key}`: {figures}")),
    }
}

/// Whether a sentence holds most words of a title, whatever their endings.
fn says(text: &str, title: &str) -> bool {
    let stems = |t: &str| {
        let words = t.split(|c: char| !c.is_alphanumeric()).filter(|w| w.chars().count() > 2);
        words.map(|w| w.to_lowercase().chars().take(5).collect()).collect::<HashSet<String>>()
    };
    let (text, title) = (stems(text), stems(title));
    title.intersection(&text).count() * 5 >= title.len() * 3
}

/// What the turn's earlier stop reported, shortened, and then the new. What only the files told
/// then is in the new words now.
fn after(previous: &str, new: Vec<String>, batch: &Batch) -> Vec<String> {
    let told_by_files = |text: &String| {
        ["Changed ", "Created ", "Removed ", "Tests: "].iter().any(|verb| text.starts_with(verb))
            || batch.earlier.iter().any(|e| same(&e.title, text))
            || new.iter().any(|n| same(n, text))
    };
    let mut out = prose::split(previous);
    out.retain(|text| !told_by_files(text));
    out.truncate(SENTENCES.saturating_sub(new.len()).max(SENTENCES / 2));
    let mut room =
        COMPLETED - out.iter().map(|t| t.chars().count() + 1).sum::<usize>().min(COMPLETED);
    let most = SENTENCES - out.len();
    for text in new.into_iter().take(most) {
        let length = text.chars().count() + 1;
        if length <= room || out.is_empty() {
            room = room.saturating_sub(length);
            out.push(text);
        }
    }
    out
}

/// What the message says was done, in its own order. After changes its opening is the result
/// whatever its words are, and what no word sorts was done too.
fn results(said: &[Sentence], changed: bool) -> Vec<String> {
    let opening = sentences::opening(said).filter(|_| changed);
    let rank = |at: usize| {
        let sentence = &said[at];
        let rank = match sentence.about {
            _ if Some(at) == opening => 0,
            About::Done | About::Plain if changed && names_place(&sentence.text) => 1,
            About::Done if !changed && !sentences::tells_deed(&sentence.text) => return None,
            About::Done if sentence.opens => 1,
            About::Plain if changed && sentence.opens && !sentence.item => 2,
            About::Done => 3,
            About::Plain if changed => 4,
            _ => return None,
        };
        (sentence.depth == 0).then_some(rank)
    };
    let mut ranked: Vec<(usize, usize)> =
        (0..said.len()).filter_map(|at| Some((rank(at)?, at))).collect();
    ranked.sort_unstable();
    let mut room = COMPLETED;
    let mut taken: Vec<usize> = Vec::new();
    for (_, at) in ranked {
        let length = said[at].text.chars().count() + 2;
        let repeats = taken.iter().any(|t| same(&said[*t].text, &said[at].text));
        if taken.len() < SENTENCES && !repeats && (length <= room || taken.is_empty()) {
            room = room.saturating_sub(length);
            taken.push(at);
        }
    }
    taken.sort_unstable();
    // "I deleted it." means nothing without the sentence before it.
    let lost = |at: usize| {
        let text = &said[at].text;
        let alone = at.checked_sub(1).is_none_or(|before| !taken.contains(&before));
        let short = text.split_whitespace().count() <= 5;
        !said[at].opens && alone && short && titles::leans_inside(text)
    };
    let kept: Vec<usize> = taken.iter().copied().filter(|at| !lost(*at)).collect();
    kept.into_iter().map(|at| said[at].text.clone()).collect()
}

fn earlier_and(
    batch: &Batch,
    observations: &[Observation],
    evidence: impl Iterator<Item = String>,
) -> Vec<String> {
    let replaced = |e: &&Earlier| observations.iter().any(|o| o.replaces.contains(&e.id));
    let earlier = batch.earlier.iter().filter(|e| e.kind != "discovery" && !replaced(e));
    let earlier = earlier.map(|e| e.title.clone());
    let mut out = Vec::new();
    merge(&mut out, earlier.chain(evidence).collect());
    out
}

/// The last question, with what it speaks of where it says too little itself: `Do you want me to?`
fn asked_at_last(said: &[Sentence]) -> Option<String> {
    const ALONE: usize = 7;
    const BEFORE: usize = 2;
    let at = said.iter().rposition(|s| s.about == About::Question)?;
    let leans = |text: &str| text.split_whitespace().count() < ALONE || titles::leans_inside(text);
    let mut from = at;
    // What is still to do has been told already.
    let untold = |at: usize| said[at].about != About::Next;
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
            let why = trouble.telling.first().map(|t| format!(": {t}")).unwrap_or_default();
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
