//! What a turn completed: in the assistant's words, else by what its files and commits tell; with the
//! commits and the test results that the words leave out.

use std::collections::HashSet;

use super::episodes::Thread;
use super::facts::same;
use super::prose::{self, fit, paragraph};
use super::sentences::{self, About, Sentence};
use super::work::merge;
use super::{continuation, titles};
use crate::memory::{Batch, Earlier, Observation};

/// At most this many characters.
const COMPLETED: usize = 900;
/// More than so many sentences nobody reads.
const SENTENCES: usize = 6;
/// More commits than this are counted, not listed.
const LISTED_COMMITS: usize = 8;

/// `changed` is whether the turn changed anything, `previous` what its earlier stop had completed.
pub fn of(
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
            |f: &String| f.strip_prefix(continuation::COMMIT)?.split(' ').next().map(str::to_owned);
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
        [(hash, title)] if title.contains(hash.as_str()) => Some((*title).to_owned()),
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
