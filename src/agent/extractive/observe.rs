//! Builds observations from episodes: kind, title, narrative, facts, files.

use std::collections::BTreeSet;

use super::carried::{COMMIT, NEW, OPEN, PROBLEM};
use super::episodes::Thread;
use super::facts::{
    Facts, body_items, described, problem, same, small_change, solved_on_the_way, some, unique,
};
use super::prose::{fit, paragraph};
use super::sentences::{self, About, Sentence};
use super::work::{FileChange, Fix, Work};
use super::{answers, asked, kind, titles};
use crate::activity::ChangeKind;
use crate::memory::{Batch, Cause, Earlier, Observation, Origin};

/// Maximum number of files of a work whose single changed lines are facts.
const SINGLE_LINES: usize = 4;

/// Maximum length of a narrative in characters.
pub const NARRATIVE: usize = 700;

/// The observations of one thread.
pub fn of_thread(thread: &Thread, batch: &Batch) -> Vec<Observation> {
    let said = thread.message.as_deref().map(sentences::sentences).unwrap_or_default();
    let mut out = Vec::new();
    for (work, own) in thread.works.iter().zip(shares(&thread.works, &said)) {
        let mut observation = of_work(work, prompt_of(batch, work.prompt_number), &own);
        if thread.agent_id.is_none() && unfinished(work, batch) && said.is_empty() {
            observation.title = fit(&format!("Unfinished: {}", observation.title), titles::MOST);
        }
        if !own.is_empty() {
            observation.sources.extend(thread.message_source);
        }
        // A long turn has several batches, and the request would give each the same title.
        let known = |title: &str| {
            standing(batch, work).any(|e| same(&e.title, title))
                || out.iter().any(|o: &Observation| same(&o.title, title))
        };
        if known(&observation.title) {
            let evidence = titles::of_evidence(work);
            if known(&evidence)
                && let Some(scoped) = titles::with_scope(work)
            {
                observation.title = scoped;
            } else if !evidence.is_empty() {
                observation.title = evidence;
            }
        }
        out.push(observation);
    }
    let answered = thread.works.is_empty() && edited_before(thread, batch);
    let answer = if answered { answers::of_answer(thread, batch, &said) } else { None };
    let told_web = answer.as_ref().is_some_and(|a| a.origin == Origin::Web);
    let open = &thread.looked.open;
    let silent = answer.is_none() && thread.works.is_empty();
    out.extend(answer);
    if silent && let Some(trouble) = open.first() {
        out.push(answers::of_failure(trouble, &thread.looked));
    }
    if !thread.web.is_empty() && !told_web {
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
fn standing<'a>(batch: &'a Batch, work: &'a Work) -> impl Iterator<Item = &'a Earlier> {
    batch.earlier.iter().filter(|e| !work.replaces.contains(&e.id))
}

/// Whether the turn was interrupted before a commit and without a final message.
fn unfinished(work: &Work, batch: &Batch) -> bool {
    let broken_off = |c| matches!(c, Cause::Interrupted | Cause::StopFailed | Cause::End);
    let cured = work.fixes.iter().any(|f| !f.files.is_empty()) && work.open.is_empty();
    work.commit.is_none()
        && !cured
        && !work.files.is_empty()
        && batch.messages.last().is_some_and(|m| broken_off(m.cause))
}

/// Whether files were changed earlier in the turn. If not, the final message is an answer.
fn edited_before(thread: &Thread, batch: &Batch) -> bool {
    thread.agent_id.is_some()
        || thread.message.is_some() && batch.earlier.iter().all(|e| e.files_modified.is_empty())
}

pub fn prompt_of(batch: &Batch, number: i64) -> &str {
    let own = batch.prompts.iter().find(|p| p.number == number);
    own.or(batch.prompts.last()).map_or("", |p| p.text.as_str())
}

/// The sentences about each work. A single work gets all. Of several, each gets the sentences that name
/// something of it; the largest gets the rest, unless it has a commit.
fn shares(works: &[Work], said: &[Sentence]) -> Vec<Vec<Sentence>> {
    if works.len() < 2 {
        return works.iter().map(|_| said.to_vec()).collect();
    }
    let all: Vec<BTreeSet<String>> = works.iter().map(marks).collect();
    let largest = (0..works.len()).rev().max_by_key(|at| works[*at].files.len());
    let largest = largest.filter(|at| works[*at].commit.is_none());
    let mut shares = vec![Vec::new(); works.len()];
    for sentence in said {
        let named = |marks: &BTreeSet<String>| marks.iter().any(|m| holds(&sentence.text, m));
        let mut owners: Vec<usize> = (0..works.len()).filter(|at| named(&all[*at])).collect();
        if owners.is_empty() {
            owners.extend(largest);
        }
        owners.into_iter().for_each(|at| shares[at].push(sentence.clone()));
    }
    shares
}

/// Whether `text` contains `name` as a whole word.
fn holds(text: &str, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(word) && !text[at + name.len()..].starts_with(word))
}

/// Names by which a sentence may refer to a work.
fn marks(work: &Work) -> BTreeSet<String> {
    let mut marks: BTreeSet<String> = BTreeSet::new();
    for file in &work.files {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        marks.insert(name.to_owned());
        marks.extend(name.split('.').next().filter(|s| s.len() >= 5).map(str::to_owned));
        marks.extend(file.names.iter().filter(|n| n.len() >= 5).cloned());
    }
    marks.extend(work.commit.iter().map(|c| c.hash.clone()));
    marks
}

fn of_work(work: &Work, prompt: &str, said: &[Sentence]) -> Observation {
    let kind = kind::of(work, prompt, said);
    let fix = work.main_fix(!said.is_empty());
    let title = titles::of_work(work, kind, prompt, said);
    let mut facts = Facts::default();
    if let Some(commit) = &work.commit {
        let stat = commit.stat.as_deref().map(|s| format!(" ({s})")).unwrap_or_default();
        facts.add(&format!(
            "{COMMIT}{} on {}: {}{stat}",
            commit.hash, commit.branch, commit.subject
        ));
    }
    for decision in said.iter().filter(|s| s.about == About::Decision).take(3) {
        facts.add(&decision.text);
    }
    // One of each kind is enough: a migration breaks the same build in each file.
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for other in work
        .fixes
        .iter()
        .filter(|f| {
            kind != "bugfix" || Some(f.failure.sources[0]) != fix.map(|f| f.failure.sources[0])
        })
        .filter(|f| told.insert(f.failure.check.key.as_str()))
        .take(3)
    {
        facts.add(&solved_on_the_way(other));
    }
    for (key, verdict) in &work.reports {
        facts.add(&format!("{key}: {}", verdict.figures()));
    }
    for trouble in work.open.iter().take(2) {
        facts.add(&format!("{OPEN}{}", problem(trouble)));
    }
    for deed in &work.side_effects {
        facts.add(deed);
    }
    let outdated =
        |fact: &&String| work.reports.iter().any(|(key, _)| fact.starts_with(&format!("{key}: ")));
    work.carried.iter().filter(|f| !outdated(f)).for_each(|fact| facts.add(fact));
    if let Some(commit) = &work.commit {
        body_items(&commit.body).iter().take(6).for_each(|item| facts.add(item));
    }
    // With many files, single lines say nothing.
    let few = work.files.len() <= SINGLE_LINES;
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
        Some(fix) => Some(problem_and_solution(fix, work, said)),
        None => narrative(work, said, &title),
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

/// The request, unless the title says it already.
pub fn subtitle(prompt: &str, title: &str) -> Option<String> {
    titles::as_title(prompt)?;
    Some(asked::request(prompt, 140))
        .filter(|r| !title.starts_with(r.trim_end_matches('.')) && !same(r, title))
}

fn narrative(work: &Work, said: &[Sentence], title: &str) -> Option<String> {
    let told = |s: &&Sentence| {
        matches!(s.about, About::Done | About::Found | About::Plain)
            && s.depth == 0
            && (work.reports.is_empty() || !titles::is_report_of_tests(&s.text))
    };
    let sentences: Vec<&str> =
        said.iter().filter(told).map(|s| s.text.as_str()).filter(|s| !same(s, title)).collect();
    let text = paragraph(sentences.into_iter(), NARRATIVE);
    if !text.is_empty() {
        return Some(text);
    }
    let commit = work.commit.as_ref()?;
    let lead = commit.body.lines().take_while(|l| !l.trim_start().starts_with(['-', '*']));
    let lead = lead.collect::<Vec<_>>().join(" ");
    let whole = sentences::sentences(&lead);
    let text =
        paragraph(whole.iter().map(|s| s.text.as_str()).filter(|s| !s.ends_with(':')), NARRATIVE);
    Some(text).filter(|t| !t.is_empty())
}

fn problem_and_solution(fix: &Fix, work: &Work, said: &[Sentence]) -> String {
    let mut problem = format!("{PROBLEM}{}.", problem(&fix.failure).trim_end_matches('.'));
    if let Some(cause) = cause(said) {
        problem.push_str(&format!(" {}", paragraph(std::iter::once(cause.text.as_str()), 300)));
    }
    let done =
        said.iter().filter(|s| s.about == About::Done && !titles::is_report_of_tests(&s.text));
    let done = paragraph(done.map(|s| s.text.as_str()), 400);
    let changes: Vec<String> =
        work.files.iter().filter(|f| fix.files.contains(&f.path)).take(4).map(described).collect();
    match (done.is_empty(), changes.is_empty()) {
        (false, _) => format!("{problem} Solution: {done}"),
        (true, false) => format!("{problem} Solution: {}.", changes.join("; ")),
        (true, true) => problem,
    }
}

/// The sentence about the cause: one with a causal phrase, else the first that is not a report.
pub fn cause(said: &[Sentence]) -> Option<&Sentence> {
    let found = said.iter().find(|s| s.about == About::Found);
    found.or_else(|| {
        said.iter().find(|s| s.about == About::Plain && !s.item && titles::stands_alone(&s.text))
    })
}
