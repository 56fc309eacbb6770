//! Parses a model's reply into observations and a summary. Total: any text yields a reply, nothing or
//! prose, without a panic and in linear time.
//!
//! The reply looks like XML but is not: it contains `a < b` and `Vec<String>` unescaped, has fences
//! and prose around it, and may end early. So the parser searches for known tags only. A field ends
//! at its closing tag, else at the next known tag. A field in which the text ends is dropped; complete
//! fields before it are kept.

use std::ops::Range;

use super::tags::{self, Tag};
use crate::memory::Summary;
use crate::text::{collapse_spaces, truncate};

/// Maximum length of each field in characters, and of a list in items.
const TITLE: usize = 160;
const LINE: usize = 300;
const TEXT: usize = 2000;
const ITEMS: usize = 12;
/// Maximum number of observations of a batch.
const OBSERVATIONS: usize = 16;

/// One observation as the model wrote it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelObservation {
    pub kind: String,
    pub title: String,
    pub subtitle: Option<String>,
    pub narrative: Option<String>,
    pub facts: Vec<String>,
    pub concepts: Vec<String>,
    /// Numbers of the events that the model says it is based on.
    pub events: Vec<usize>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    pub observations: Vec<ModelObservation>,
    pub summary: Option<Summary>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    Reply(Reply),
    /// Nothing was worth remembering: no text, or `<skip_summary/>`.
    Nothing,
    /// Something else, named in words for the user.
    Prose(&'static str),
}

pub fn parse(text: &str) -> Parsed {
    let text = without_thoughts(text);
    let tags: Vec<Tag> = tags::known(text).collect();
    let mut reply = Reply::default();
    let mut roots = 0;
    for (range, name) in roots_of(&tags) {
        roots += 1;
        match name {
            "observation" => {
                let said = observation(text, &tags[range]);
                reply.observations.extend(said.filter(|_| reply.observations.len() < OBSERVATIONS));
            }
            "summary" => {
                let said = summary(text, &tags[range]);
                // The longest of several: a model may start again.
                if said.as_ref().map(length) > reply.summary.as_ref().map(length) {
                    reply.summary = said;
                }
            }
            _ => {}
        }
    }
    if !reply.observations.is_empty() || reply.summary.is_some() {
        return Parsed::Reply(reply);
    }
    let bare = text.trim().trim_matches('`').trim();
    let skipped = tags.iter().any(|tag| tag.name == "skip_summary");
    if bare.is_empty() || bare == "xml" || skipped {
        Parsed::Nothing
    } else if roots > 0 {
        Parsed::Prose("elements without content")
    } else if bare.starts_with("<!") || bare.to_ascii_lowercase().starts_with("<html") {
        Parsed::Prose("a page")
    } else if refuses(bare) {
        Parsed::Prose("a refusal")
    } else {
        Parsed::Prose("prose")
    }
}

fn length(summary: &Summary) -> usize {
    fields_of(summary).iter().map(|field| field.len()).sum()
}

fn fields_of(summary: &Summary) -> [&String; 6] {
    let s = summary;
    [&s.request, &s.investigated, &s.learned, &s.completed, &s.next_steps, &s.notes]
}

/// The text after the thoughts of a reasoning model.
fn without_thoughts(text: &str) -> &str {
    let end = ["</think>", "</thinking>"]
        .iter()
        .filter_map(|close| text.rfind(close).map(|at| at + close.len()))
        .max();
    text.get(end.unwrap_or(0)..).unwrap_or("")
}

/// The root elements, each with the range of tags inside it.
fn roots_of<'a>(tags: &[Tag<'a>]) -> Vec<(Range<usize>, &'a str)> {
    let is_root = |tag: &Tag| matches!(tag.name, "observation" | "summary" | "skip_summary");
    let mut out = Vec::new();
    let mut open: Option<(usize, &str)> = None;
    for (i, tag) in tags.iter().enumerate().filter(|(_, tag)| is_root(tag)) {
        if let Some((from, name)) = open.take() {
            // Includes the closing tag, which shows that the last field is complete.
            out.push((from..i + 1, name));
        }
        if !tag.closes && !tag.empty {
            open = Some((i + 1, tag.name));
        }
    }
    if let Some((from, name)) = open {
        out.push((from..tags.len(), name));
    }
    out
}

/// The fields between these tags, in order: name and raw content.
fn fields<'a>(text: &'a str, tags: &[Tag<'a>]) -> Vec<(&'a str, &'a str)> {
    let mut out = Vec::new();
    for (i, tag) in tags.iter().enumerate().filter(|(_, tag)| !tag.closes && !tag.empty) {
        // Its own closing tag, unless another element of its name begins before.
        let rest = &tags[i + 1..];
        let own =
            rest.iter().take_while(|t| t.closes || t.name != tag.name).find(|t| t.name == tag.name);
        let end = own.or_else(|| rest.first());
        // `None`: the text ends inside the field.
        if let Some(end) = end {
            out.push((tag.name, &text[tag.end..end.start]));
        }
    }
    out
}

fn observation(text: &str, tags: &[Tag]) -> Option<ModelObservation> {
    let mut said = ModelObservation::default();
    let mut facts_as_text = None;
    let mut concepts_as_text = None;
    for (name, raw) in fields(text, tags) {
        let line = |max| clean(raw, max, " ");
        match name {
            "type" => said.kind = line(40).to_lowercase(),
            "title" => said.title = line(TITLE),
            "subtitle" => said.subtitle = some(line(LINE)),
            "narrative" => said.narrative = some(clean(raw, TEXT, "\n")),
            "fact" => said.facts.extend(some(line(LINE))),
            "concept" => said.concepts.extend(some(line(60))),
            "facts" if !raw.contains('<') => facts_as_text = Some(raw),
            "concepts" if !raw.contains('<') => concepts_as_text = Some(raw),
            "events" => said.events = numbers(raw),
            _ => {}
        }
    }
    if said.facts.is_empty() {
        said.facts = facts_as_text.map(|raw| items(raw, &['\n'])).unwrap_or_default();
    }
    if said.concepts.is_empty() {
        said.concepts = concepts_as_text.map(|raw| items(raw, &['\n', ','])).unwrap_or_default();
    }
    for list in [&mut said.facts, &mut said.concepts] {
        list.truncate(ITEMS);
        list.dedup();
    }
    // Without a title, its first sentence is the title.
    if said.title.is_empty() {
        let source = said.narrative.as_deref().or(said.facts.first().map(String::as_str))?;
        said.title = clean(source.split_inclusive(['.', '\n']).next()?, TITLE, " ");
    }
    (!said.title.is_empty() && !is_no_memory(&said)).then_some(said)
}

fn summary(text: &str, tags: &[Tag]) -> Option<Summary> {
    let mut summary = Summary::default();
    for (name, raw) in fields(text, tags) {
        let field = match name {
            "request" => &mut summary.request,
            "investigated" => &mut summary.investigated,
            "learned" => &mut summary.learned,
            "completed" => &mut summary.completed,
            "next_steps" => &mut summary.next_steps,
            "notes" => &mut summary.notes,
            _ => continue,
        };
        let said = clean(raw, TEXT, "\n");
        if field.is_empty() && !is_placeholder(&said) {
            *field = said;
        }
    }
    let whole = fields_of(&summary).iter().any(|field| !field.is_empty());
    let head = format!("{} {}", summary.request, summary.completed);
    (whole && !refuses(head.trim())).then_some(summary)
}

/// Whether the text is a word for nothing.
fn is_placeholder(text: &str) -> bool {
    let text = text.trim_end_matches('.').to_lowercase();
    matches!(text.as_str(), "none" | "n/a" | "nothing" | "-" | "empty" | "null")
}

/// Whether the observation says that there is nothing to say, or refuses.
fn is_no_memory(said: &ModelObservation) -> bool {
    const NOTHING: [&str; 6] = [
        "no observation",
        "nothing to record",
        "nothing worth",
        "no significant",
        "no notable",
        "nothing notable",
    ];
    let title = said.title.to_lowercase();
    // An observation about errors and limits has more than a title.
    let bare = said.narrative.is_none() && said.facts.is_empty();
    NOTHING.iter().any(|mark| title.starts_with(mark))
        || bare && super::error::AgentError::of_words(&said.title).is_some()
        || refuses(&said.title)
}

fn refuses(text: &str) -> bool {
    const MARKS: [&str; 10] = [
        "i'm sorry",
        "i am sorry",
        "sorry, ",
        "i can't",
        "i cannot",
        "i can’t",
        "i'm unable",
        "i am unable",
        "i won't",
        "as an ai",
    ];
    let head: String = text.trim_start().chars().take(40).collect::<String>().to_lowercase();
    MARKS.iter().any(|mark| head.starts_with(mark))
}

fn some(text: String) -> Option<String> {
    (!text.is_empty() && !is_placeholder(&text)).then_some(text)
}

fn items(raw: &str, separators: &[char]) -> Vec<String> {
    let item = |part: &str| {
        let part = part.trim().trim_start_matches(['-', '*', '•']);
        some(clean(part, LINE, " "))
    };
    raw.split(separators).filter_map(item).collect()
}

fn numbers(raw: &str) -> Vec<usize> {
    let words = raw.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    words.filter_map(|word| word.parse().ok()).take(512).collect()
}

/// The text of a field: CDATA and entities decoded, control characters removed, white space collapsed
/// within lines, lines joined by `joint`, at most `max` characters.
fn clean(raw: &str, max: usize, joint: &str) -> String {
    let text = tags::text(raw);
    let lines: Vec<String> =
        text.lines().map(collapse_spaces).filter(|line| !line.is_empty()).collect();
    truncate(&lines.join(joint), max)
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
