//! Builds observations from the threads of a batch: kind, title, narrative, facts, files.

use std::collections::BTreeSet;

use super::continuation::{COMMIT, NEW, OPEN, PROBLEM};
use super::episodes::Thread;
use super::facts::{
    Facts, body_items, described, problem, same, small_change, solved_on_the_way, some, unique,
};
use super::prose::{fit, paragraph};
use super::sentences::{self, About, Sentence};
use super::work::{FileChange, Fix, Work};
use super::{answers, kind, request, titles};
use crate::activity::ChangeKind;
use crate::memory::{Batch, Cause, Earlier, Observation};

/// Maximum files of a work for which changed single lines become facts.
const MAX_FILES_WITH_LINES: usize = 4;

/// Maximum characters of a narrative.
pub const MAX_NARRATIVE: usize = 700;

/// The observations of one thread: its works, an answer or an open failure, and pages from the web.
pub fn observations(thread: &Thread, batch: &Batch) -> Vec<Observation> {
    let message = thread.message.as_deref().map(sentences::sentences).unwrap_or_default();
    let mut out = Vec::new();
    for (work, own) in thread.works.iter().zip(sentences_per_work(&thread.works, &message)) {
        let mut observation = of_work(work, prompt_of(batch, work.prompt_number), &own);
        if thread.agent_id.is_none() && is_unfinished(work, batch) && message.is_empty() {
            observation.title = fit(&format!("Unfinished: {}", observation.title), titles::MOST);
        }
        if !own.is_empty() {
            observation.sources.extend(thread.message_source);
        }
        // In a turn of several batches, the request would give each observation the same title.
        let is_taken = |title: &str| {
            kept_observations(batch, work).any(|e| same(&e.title, title))
                || out.iter().any(|o: &Observation| same(&o.title, title))
        };
        if is_taken(&observation.title) {
            let evidence = titles::of_evidence(work);
            if is_taken(&evidence)
                && let Some(scoped) = titles::with_scope(work)
            {
                observation.title = scoped;
            } else if !evidence.is_empty() {
                observation.title = evidence;
            }
        }
        out.push(observation);
    }
    let answers = thread.works.is_empty() && message_is_answer(thread, batch);
    if answers {
        out.extend(answers::of_answer(thread, batch, &message));
    }
    if out.is_empty()
        && let Some(failure) = thread.looked.open.first()
    {
        out.push(answers::of_failure(failure, &thread.looked));
    }
    if !thread.web.is_empty() {
        out.push(answers::of_web(&thread.web));
    }
    for observation in &mut out {
        observation.sources.sort_unstable();
        observation.sources.dedup();
        if !thread.shared(&observation.sources) {
            observation.agent_id.clone_from(&thread.agent_id);
            observation.agent_type.clone_from(&thread.agent_type);
        }
    }
    out
}

/// The earlier observations of the turn that this work does not replace.
fn kept_observations<'a>(batch: &'a Batch, work: &'a Work) -> impl Iterator<Item = &'a Earlier> {
    batch.earlier.iter().filter(|e| !work.replaces.contains(&e.id))
}

/// Whether the turn was interrupted, failed, or ended with the session before the work was fixed or
/// committed.
fn is_unfinished(work: &Work, batch: &Batch) -> bool {
    let is_interruption = |c| matches!(c, Cause::Interrupted | Cause::StopFailed | Cause::End);
    let fixed = work.fixes.iter().any(|f| !f.files.is_empty()) && work.open.is_empty();
    work.commit.is_none()
        && !fixed
        && !work.files.is_empty()
        && batch.messages.last().is_some_and(|m| is_interruption(m.cause))
}

/// Whether the thread's final message is an answer or a report: earlier in the turn, no file changed.
fn message_is_answer(thread: &Thread, batch: &Batch) -> bool {
    thread.agent_id.is_some()
        || thread.message.is_some() && batch.earlier.iter().all(|e| e.files_modified.is_empty())
}

/// The prompt with this number, or the last one of the turn.
pub fn prompt_of(batch: &Batch, number: i64) -> &str {
    let prompt = batch.prompts.iter().find(|p| p.number == number);
    prompt.or(batch.prompts.last()).map_or("", |p| p.text.as_str())
}

/// Assigns the sentences of the message to the works. A single work gets all of them. Otherwise a
/// sentence goes to the works whose names it contains. A sentence without such a name goes to the
/// largest work, unless that is committed.
fn sentences_per_work(works: &[Work], message: &[Sentence]) -> Vec<Vec<Sentence>> {
    if works.len() < 2 {
        return works.iter().map(|_| message.to_vec()).collect();
    }
    let names: Vec<BTreeSet<String>> = works.iter().map(names_of).collect();
    let largest = (0..works.len()).rev().max_by_key(|at| works[*at].files.len());
    let largest = largest.filter(|at| works[*at].commit.is_none());
    let mut assigned = vec![Vec::new(); works.len()];
    for sentence in message {
        let is_named = |at: &usize| names[*at].iter().any(|n| contains_word(&sentence.text, n));
        let mut owners: Vec<usize> = (0..works.len()).filter(is_named).collect();
        if owners.is_empty() {
            owners.extend(largest);
        }
        owners.into_iter().for_each(|at| assigned[at].push(sentence.clone()));
    }
    assigned
}

/// Whether `text` contains `name` as a whole word.
fn contains_word(text: &str, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(word) && !text[at + name.len()..].starts_with(word))
}

/// Names by which a sentence may refer to a work.
fn names_of(work: &Work) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for file in &work.files {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        names.insert(name.to_owned());
        names.extend(name.split('.').next().filter(|s| s.len() >= 5).map(str::to_owned));
        names.extend(file.names.iter().filter(|n| n.len() >= 5).cloned());
    }
    names.extend(work.commit.iter().map(|c| c.hash.clone()));
    names
}

/// The observation of one work. `message` has the sentences about it.
fn of_work(work: &Work, prompt: &str, message: &[Sentence]) -> Observation {
    let kind = kind::of(work, prompt, message);
    let fix = work.main_fix(!message.is_empty());
    let title = titles::of_work(work, kind, prompt, message);
    let mut facts = Facts::default();
    if let Some(commit) = &work.commit {
        let stat = commit.stat.as_deref().map(|s| format!(" ({s})")).unwrap_or_default();
        facts.add(&format!(
            "{COMMIT}{} on {}: {}{stat}",
            commit.hash, commit.branch, commit.subject
        ));
    }
    for decision in message.iter().filter(|s| s.about == About::Decision).take(3) {
        facts.add(&decision.text);
    }
    // One fix per check is enough, because a migration may break the same build in every file.
    let mut listed: BTreeSet<&str> = BTreeSet::new();
    for other in work
        .fixes
        .iter()
        .filter(|f| {
            kind != "bugfix" || Some(f.failure.sources[0]) != fix.map(|f| f.failure.sources[0])
        })
        .filter(|f| listed.insert(f.failure.check.key.as_str()))
        .take(3)
    {
        facts.add(&solved_on_the_way(other));
    }
    for (key, report) in &work.reports {
        facts.add(&format!("{key}: {}", report.figures()));
    }
    for failure in work.open.iter().take(2) {
        facts.add(&format!("{OPEN}{}", problem(failure)));
    }
    for effect in &work.side_effects {
        facts.add(effect);
    }
    let outdated =
        |fact: &&String| work.reports.iter().any(|(key, _)| fact.starts_with(&format!("{key}: ")));
    work.carried.iter().filter(|f| !outdated(f)).for_each(|fact| facts.add(fact));
    if let Some(commit) = &work.commit {
        body_items(&commit.body).iter().take(6).for_each(|item| facts.add(item));
    }
    // Among many files, a single changed line is not worth a fact.
    let few = work.files.len() <= MAX_FILES_WITH_LINES;
    for file in work.files.iter().filter(|f| few && f.swap.is_some()) {
        small_change(file).iter().for_each(|fact| facts.add(fact));
    }
    let created = |f: &&FileChange| f.change == ChangeKind::Created;
    let new: Vec<&str> =
        work.files.iter().filter(created).map(|f| f.path.as_str()).take(6).collect();
    if !new.is_empty() {
        facts.add(&format!("{NEW}{}", new.join(", ")));
    }
    if !work.reverted.is_empty() {
        facts.add(&format!("Tried and put back: {}", some(&work.reverted, 4)));
    }
    let narrative = match fix.filter(|_| kind == "bugfix") {
        Some(fix) => Some(problem_and_solution(fix, work, message)),
        None => narrative(work, message, &title),
    };
    let mut read = unique(&work.read);
    let modified: Vec<String> = work.files.iter().map(|f| f.path.clone()).collect();
    let changed: BTreeSet<&String> = modified.iter().collect();
    read.retain(|r| !changed.contains(r));
    Observation {
        kind: kind.to_owned(),
        subtitle: subtitle(prompt, &title),
        narrative,
        facts: facts.list,
        concepts: vec![
            if fix.is_some() && kind == "bugfix" { "problem-solution" } else { "what-changed" }
                .to_owned(),
        ],
        files_read: read,
        files_modified: modified,
        origin: work.origin.unwrap_or_default(),
        prompt_number: work.prompt_number,
        sources: work.sources.clone(),
        replaces: work.replaces.clone(),
        title,
        ..Observation::default()
    }
}

/// The request of the prompt, unless the title repeats it.
pub fn subtitle(prompt: &str, title: &str) -> Option<String> {
    titles::as_title(prompt)?;
    Some(request::from_prompt(prompt, 140))
        .filter(|r| !title.starts_with(r.trim_end_matches('.')) && !same(r, title))
}

/// The narrative from the message, or from the body of the commit.
fn narrative(work: &Work, message: &[Sentence], title: &str) -> Option<String> {
    let belongs = |s: &&Sentence| {
        matches!(s.about, About::Done | About::Found | About::Plain)
            && s.depth == 0
            && (work.reports.is_empty() || !titles::is_report_of_tests(&s.text))
    };
    let sentences: Vec<&str> = message
        .iter()
        .filter(belongs)
        .map(|s| s.text.as_str())
        .filter(|s| !same(s, title))
        .collect();
    let text = paragraph(sentences.into_iter(), MAX_NARRATIVE);
    if !text.is_empty() {
        return Some(text);
    }
    let commit = work.commit.as_ref()?;
    let lead = commit.body.lines().take_while(|l| !l.trim_start().starts_with(['-', '*']));
    let lead = lead.collect::<Vec<_>>().join(" ");
    let sentences = sentences::sentences(&lead);
    let text = paragraph(
        sentences.iter().map(|s| s.text.as_str()).filter(|s| !s.ends_with(':')),
        MAX_NARRATIVE,
    );
    Some(text).filter(|t| !t.is_empty())
}

fn problem_and_solution(fix: &Fix, work: &Work, message: &[Sentence]) -> String {
    let mut problem = format!("{PROBLEM}{}.", problem(&fix.failure).trim_end_matches('.'));
    if let Some(cause) = cause(message) {
        problem.push_str(&format!(" {}", paragraph(std::iter::once(cause.text.as_str()), 300)));
    }
    let done =
        message.iter().filter(|s| s.about == About::Done && !titles::is_report_of_tests(&s.text));
    let done = paragraph(done.map(|s| s.text.as_str()), 400);
    let changes: Vec<String> =
        work.files.iter().filter(|f| fix.files.contains(&f.path)).take(4).map(described).collect();
    match (done.is_empty(), changes.is_empty()) {
        (false, _) => format!("{problem} Solution: {done}"),
        (true, false) => format!("{problem} Solution: {}.", changes.join("; ")),
        (true, true) => problem,
    }
}

/// The sentence about the cause: the first that names a finding, or the first other one that can stand
/// alone.
pub fn cause(message: &[Sentence]) -> Option<&Sentence> {
    let found = message.iter().find(|s| s.about == About::Found);
    found.or_else(|| {
        message.iter().find(|s| s.about == About::Plain && !s.item && titles::stands_alone(&s.text))
    })
}
