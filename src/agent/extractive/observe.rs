//! From an episode to the observation that is stored: kind, title, narrative, facts, files.

use std::collections::BTreeSet;

use super::edit::Made;
use super::episodes::{Page, Thread};
use super::prose::{self, About, Sentence, fit, paragraph};
use super::work::{FileChange, Fix, Trouble, Work, merge};
use super::{kind, titles};
use crate::memory::{Batch, Observation, Origin};

/// A narrative is at most this many characters.
const NARRATIVE: usize = 700;
/// An observation has at most this many facts, of at most so many characters.
const FACTS: usize = 12;
const FACT: usize = 220;

/// Everything one thread came to.
pub fn of_thread(thread: &Thread, batch: &Batch) -> Vec<Observation> {
    let said = thread.message.as_deref().map(prose::sentences).unwrap_or_default();
    let mut out = Vec::new();
    for work in &thread.works {
        let own = own_sentences(work, thread, &said);
        let mut observation = of_work(work, prompt_of(batch, work.prompt_number), &own);
        if !own.is_empty() {
            observation.sources.extend(thread.message_source);
        }
        out.push(observation);
    }
    let answered = thread.works.is_empty() && edited_before(thread, batch);
    let answer = if answered { of_answer(thread, batch, &said) } else { None };
    let told_web = answer.as_ref().is_some_and(|a| a.origin == Origin::Web);
    let open = &thread.looked.open;
    let silent = answer.is_none() && thread.works.is_empty();
    out.extend(answer);
    if silent && let Some(trouble) = open.first() {
        out.push(of_trouble(trouble, &thread.looked));
    }
    if !thread.web.is_empty() && !told_web {
        out.push(of_web(&thread.web));
    }
    for observation in &mut out {
        observation.agent_id.clone_from(&thread.agent_id);
        observation.agent_type.clone_from(&thread.agent_type);
        observation.sources.sort_unstable();
        observation.sources.dedup();
    }
    out
}

/// The main thread's last words are an answer only when nothing was changed earlier in the turn.
fn edited_before(thread: &Thread, batch: &Batch) -> bool {
    thread.agent_id.is_some()
        || thread.message.is_some() && batch.earlier.iter().all(|e| e.files_modified.is_empty())
}

fn prompt_of(batch: &Batch, number: i64) -> &str {
    let own = batch.prompts.iter().find(|p| p.number == number);
    own.or(batch.prompts.last()).map_or("", |p| p.text.as_str())
}

/// The sentences that speak of this work: all of them when it is the only one.
fn own_sentences(work: &Work, thread: &Thread, said: &[Sentence]) -> Vec<Sentence> {
    if thread.works.len() == 1 {
        return said.to_vec();
    }
    let mut marks: BTreeSet<String> = BTreeSet::new();
    for file in &work.files {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        marks.insert(name.to_owned());
        marks.extend(name.split('.').next().filter(|s| s.len() >= 5).map(str::to_owned));
        marks.extend(file.names.iter().filter(|n| n.len() >= 5).cloned());
    }
    marks.extend(work.commit.iter().map(|c| c.hash.clone()));
    said.iter().filter(|s| marks.iter().any(|m| s.text.contains(m.as_str()))).cloned().collect()
}

fn of_work(work: &Work, prompt: &str, said: &[Sentence]) -> Observation {
    let kind = kind::of(work, prompt);
    let fix = work.fixes.iter().find(|f| !f.files.is_empty());
    let title = titles::of_work(work, kind, prompt, said);
    let mut facts = Facts::default();
    if let Some(commit) = &work.commit {
        let stat = commit.stat.as_deref().map(|s| format!(" ({s})")).unwrap_or_default();
        facts
            .add(&format!("Commit {} on {}: {}{stat}", commit.hash, commit.branch, commit.subject));
    }
    for decision in said.iter().filter(|s| s.about == About::Decision).take(3) {
        facts.add(&decision.text);
    }
    for fix in work
        .fixes
        .iter()
        .filter(|f| {
            kind != "bugfix" || Some(f.trouble.sources[0]) != fix.map(|f| f.trouble.sources[0])
        })
        .take(3)
    {
        facts.add(&solved_on_the_way(fix));
    }
    for (key, verdict) in &work.verdicts {
        facts.add(&format!("{key}: {}", verdict.figures()));
    }
    for trouble in work.open.iter().take(2) {
        facts.add(&format!("Still failing: {}", problem(trouble)));
    }
    for deed in &work.deeds {
        facts.add(deed);
    }
    if let Some(commit) = &work.commit {
        body_items(&commit.body).iter().take(6).for_each(|item| facts.add(item));
    }
    for file in &work.files {
        small_change(file).iter().for_each(|fact| facts.add(fact));
    }
    let created = |f: &&FileChange| f.made == Made::Created;
    let new: Vec<&str> =
        work.files.iter().filter(created).map(|f| f.path.as_str()).take(6).collect();
    if !new.is_empty() {
        facts.add(&format!("New: {}", new.join(", ")));
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
    let request = titles::request(prompt, 140);
    Observation {
        kind: kind.to_owned(),
        subtitle: Some(request).filter(|r| !r.is_empty() && !same(r, &title)),
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
        title,
        ..Observation::default()
    }
}

fn narrative(work: &Work, said: &[Sentence], title: &str) -> Option<String> {
    let told = |s: &&Sentence| {
        matches!(s.about, About::Done | About::Found | About::Plain) && s.depth == 0
    };
    let sentences: Vec<&str> =
        said.iter().filter(told).map(|s| s.text.as_str()).filter(|s| !same(s, title)).collect();
    let text = paragraph(sentences.into_iter(), NARRATIVE);
    if !text.is_empty() {
        return Some(text);
    }
    let commit = work.commit.as_ref()?;
    let lead: Vec<&str> =
        commit.body.lines().take_while(|l| !l.trim_start().starts_with(['-', '*'])).collect();
    Some(fit(&lead.join(" "), NARRATIVE)).filter(|t| !t.is_empty())
}

fn problem_and_solution(fix: &Fix, work: &Work, said: &[Sentence]) -> String {
    let mut problem = format!("Problem: {}.", problem(&fix.trouble).trim_end_matches('.'));
    if let Some(cause) = said.iter().find(|s| s.about == About::Found) {
        problem.push_str(&format!(" {}", paragraph(std::iter::once(cause.text.as_str()), 300)));
    }
    let done =
        said.iter().filter(|s| s.about == About::Done && !titles::is_report_of_tests(&s.text));
    let done = paragraph(done.map(|s| s.text.as_str()), 400);
    let changes: Vec<String> =
        work.files.iter().filter(|f| fix.files.contains(&f.path)).take(4).map(described).collect();
    let solution = if done.is_empty() { format!("{}.", changes.join("; ")) } else { done };
    format!("{problem} Solution: {solution}")
}

/// `cargo test`: the tests that failed, or the line that says why.
fn problem(trouble: &Trouble) -> String {
    let mut out = trouble.command();
    if !trouble.failing.is_empty() {
        out.push_str(&format!(" failed in {}", some(&trouble.failing, 4)));
    } else if let Some(verdict) = &trouble.verdict {
        out.push_str(&format!(" failed ({})", verdict.figures()));
    } else {
        out.push_str(" failed");
    }
    if !trouble.telling.is_empty() {
        out.push_str(&format!(
            ": {}",
            trouble.telling.iter().take(2).cloned().collect::<Vec<_>>().join("; ")
        ));
    }
    out
}

fn solved_on_the_way(fix: &Fix) -> String {
    let why =
        fix.trouble.telling.first().cloned().unwrap_or_else(|| fix.trouble.failing.join(", "));
    let files: Vec<String> = fix.files.iter().cloned().collect();
    let by = if files.is_empty() {
        fix.trouble.deed.as_ref().map(|d| format!(" by: {d}")).unwrap_or_default()
    } else {
        format!(" in {}", some(&files, 2))
    };
    format!("Solved on the way{by}: {} failed with {}", fix.trouble.command(), fit(&why, 120))
}

fn described(file: &FileChange) -> String {
    if let Some((old, new)) = &file.swap {
        return if old.is_empty() {
            format!("{}: added `{new}`", file.path)
        } else {
            format!("{}: `{old}` became `{new}`", file.path)
        };
    }
    let verb = match file.made {
        Made::Created => "created",
        Made::Changed => "changed",
        Made::Removed => "removed",
    };
    if file.names.is_empty() {
        format!("{verb} {}", file.path)
    } else {
        format!("{verb} {} in {}", some(&file.names, 3), file.path)
    }
}

/// The exact lines of an edit that is no more than one line.
fn small_change(file: &FileChange) -> Option<String> {
    file.swap.as_ref().filter(|(old, _)| !old.is_empty()).map(|_| described(file))
}

/// The list items of a commit's message.
fn body_items(body: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in body.lines() {
        if let Some(item) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
            items.push(item.trim().to_owned());
        } else if line.starts_with("  ")
            && let Some(last) = items.last_mut()
        {
            last.push(' ');
            last.push_str(line.trim());
        }
    }
    items
}

/// What an answer without edits, or a subagent's report, taught.
fn of_answer(thread: &Thread, batch: &Batch, said: &[Sentence]) -> Option<Observation> {
    let message = thread.message.as_deref()?;
    let looked = &thread.looked;
    let subagent = thread.agent_id.is_some() || !thread.task.is_empty();
    let used_tools = !looked.sources.is_empty() || !thread.web.is_empty();
    let length = message.chars().count();
    if said.is_empty() || (!subagent && !used_tools && length < 300) || length < 20 {
        return None;
    }
    let prompt =
        if subagent { thread.task.as_str() } else { prompt_of(batch, looked.prompt_number) };
    let title = titles::of_answer(prompt, said)?;
    let told =
        |s: &&Sentence| !matches!(s.about, About::Question | About::Next) && !same(&s.text, &title);
    let lead = said.iter().filter(told).filter(|s| s.depth == 0).map(|s| s.text.as_str());
    let narrative = paragraph(lead, NARRATIVE);
    let mut facts = Facts::default();
    for (key, verdict) in &looked.verdicts {
        facts.add(&format!("{key}: {}", verdict.figures()));
    }
    for trouble in looked.open.iter().take(2) {
        facts.add(&format!("Failing: {}", problem(trouble)));
    }
    let figures =
        |s: &&Sentence| s.text.contains('`') || s.text.contains(|c: char| c.is_ascii_digit());
    for sentence in said
        .iter()
        .filter(told)
        .filter(figures)
        .filter(|s| !narrative.contains(s.text.as_str()))
        .take(6)
    {
        facts.add(&sentence.text);
    }
    let decided = said.iter().filter(|s| s.about == About::Decision).count();
    let kind = if alarming(said) {
        "security_alert"
    } else if decided > 0 && !used_tools {
        "decision"
    } else {
        "discovery"
    };
    let mut sources = looked.sources.clone();
    sources.extend(thread.message_source);
    sources.extend(thread.web.iter().map(|p| p.source));
    let known = looked.origin.unwrap_or(Origin::Assistant).max(Origin::Assistant);
    Some(Observation {
        kind: kind.to_owned(),
        subtitle: Some(titles::request(prompt, 140)).filter(|r| !r.is_empty() && !same(r, &title)),
        narrative: Some(narrative).filter(|n| !n.is_empty()),
        facts: facts.list,
        concepts: vec![if kind == "decision" { "trade-off" } else { "how-it-works" }.to_owned()],
        files_read: unique(&looked.read),
        origin: if thread.web.is_empty() { known } else { Origin::Web },
        prompt_number: looked.prompt_number,
        sources,
        title,
        ..Observation::default()
    })
}

fn alarming(said: &[Sentence]) -> bool {
    said.iter().any(|s| {
        let low = s.text.to_lowercase();
        low.contains("cve-")
            || low.contains("sql injection")
            || low.contains("vulnerab")
                && !low.contains("no vulnerab")
                && !low.contains("0 vulnerab")
            || low.contains("remote code execution")
            || low.contains("leaked")
                && (low.contains("key") || low.contains("secret") || low.contains("token"))
    })
}

fn of_trouble(trouble: &Trouble, looked: &Work) -> Observation {
    let why = trouble.telling.first().map(String::as_str).unwrap_or("");
    let title = match trouble.failing.as_slice() {
        [] => format!("{} fails: {why}", trouble.command()),
        [name, ..] => format!("{} fails in {}", trouble.command(), super::work::last_part(name)),
    };
    let mut facts = Facts::default();
    facts.add(&problem(trouble));
    looked.open.iter().skip(1).take(3).for_each(|t| facts.add(&problem(t)));
    Observation {
        kind: "discovery".to_owned(),
        title: fit(&title, titles::MOST),
        facts: facts.list,
        concepts: vec!["problem-solution".to_owned()],
        files_read: unique(&looked.read),
        origin: Origin::Tool,
        prompt_number: looked.prompt_number,
        sources: looked.open.iter().flat_map(|t| t.sources.iter().copied()).collect(),
        ..Observation::default()
    }
}

/// What the web said, in an observation of its own so that its word taints nothing else.
fn of_web(pages: &[Page]) -> Observation {
    let mut facts = Facts::default();
    for page in pages {
        let gist = prose::sentences(&page.gist);
        let text = paragraph(gist.iter().take(4).map(|s| s.text.as_str()), FACT - 20);
        if !text.is_empty() {
            facts.add(&format!("{}: {text}", fit(&page.subject, 80)));
        }
    }
    let first = &pages[0];
    let mut subjects: Vec<String> = Vec::new();
    merge(&mut subjects, pages.iter().map(|p| fit(&p.subject, 80)).collect());
    let more = if subjects.len() > 1 {
        format!(" and {} more", subjects.len() - 1)
    } else {
        String::new()
    };
    Observation {
        kind: "discovery".to_owned(),
        title: fit(&format!("Looked up {}{more}", subjects[0]), titles::MOST),
        narrative: Some(fit(
            &prose::sentences(&first.gist)
                .iter()
                .map(|s| s.text.as_str())
                .collect::<Vec<_>>()
                .join(" "),
            400,
        ))
        .filter(|n| !n.is_empty() && pages.len() == 1),
        facts: facts.list,
        concepts: vec!["how-it-works".to_owned()],
        origin: Origin::Web,
        prompt_number: first.prompt_number,
        sources: pages.iter().map(|p| p.source).collect(),
        ..Observation::default()
    }
}

/// Facts without repeats, each one line, none too many.
#[derive(Default)]
struct Facts {
    list: Vec<String>,
}

impl Facts {
    fn add(&mut self, fact: &str) {
        let fact = fit(fact, FACT);
        let known = self.list.iter().any(|f| f.contains(&fact) || same(f, &fact));
        if !fact.is_empty() && !known && self.list.len() < FACTS {
            self.list.push(fact);
        }
    }
}

/// `a, b and 3 more`.
pub fn some(items: &[String], most: usize) -> String {
    let shown: Vec<&str> = items.iter().take(most).map(String::as_str).collect();
    let rest = items.len() - shown.len();
    if rest == 0 { shown.join(", ") } else { format!("{} and {rest} more", shown.join(", ")) }
}

fn unique(items: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    merge(&mut out, items.to_vec());
    out
}

/// The same words, whatever their case and marks.
pub fn same(a: &str, b: &str) -> bool {
    let words = |t: &str| {
        t.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    words(a) == words(b)
}
