//! Parses a model's reply into observations and a summary.
//!
//! The parser accepts any text: it never panics and takes linear time. A reply looks like XML but is
//! not: it contains `a < b` and `Vec<String>` unescaped, has code fences and prose around it, and may
//! end early. So the parser searches for known tags only. A field ends at its closing tag or, without
//! one, at the next known tag. If the text ends inside a field, that field is dropped; the complete
//! fields before it are kept.

use std::ops::Range;
use std::sync::LazyLock;

use super::error::{BROKEN_JSON, PROSE};
use super::json_reply;
use super::repetition::{is_repetitive, repeats};
use super::tags::{self, Tag};
use crate::memory::Summary;
use crate::text::{collapse_spaces, sentences, truncate};

/// Maximum characters of a field.
const MAX_TITLE: usize = 160;
const MAX_LINE: usize = 300;
const MAX_TEXT: usize = 2000;
/// Maximum items of a list.
const MAX_ITEMS: usize = 12;
/// Maximum observations of a reply.
const MAX_OBSERVATIONS: usize = 16;

/// What an answer is that says one thing again and again.
const REPETITION: &str = "repeated text";

/// Maximum summaries that are read; a reply should have one.
const MAX_SUMMARIES: usize = 8;

/// One observation as the model wrote it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelObservation {
    pub kind: String,
    pub title: String,
    pub subtitle: Option<String>,
    pub narrative: Option<String>,
    pub facts: Vec<String>,
    pub concepts: Vec<String>,
    /// Numbers of the events that the observation is based on, according to the model.
    pub events: Vec<usize>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    pub observations: Vec<ModelObservation>,
    pub summary: Option<Summary>,
}

impl Reply {
    /// Keeps the longest of several summaries, because a model may start again.
    fn keep_longest(&mut self, summary: Option<Summary>) {
        if summary.as_ref().map(length) > self.summary.as_ref().map(length) {
            self.summary = summary;
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    Reply(Reply),
    /// The model found nothing worth remembering: `<skip_summary/>`, or empty lists.
    Nothing,
    /// The reply has no text.
    Empty,
    /// Anything else. The text names it in messages to the user.
    Unusable(&'static str),
}

pub fn parse(text: &str) -> Parsed {
    let (text, has_thoughts) = without_thoughts(text);
    if let Some(parts) = json_reply::parts(text) {
        return from_json(&parts);
    }
    let tags: Vec<Tag> = tags::known(text).collect();
    let mut reply = Reply::default();
    let mut root_count = 0;
    let mut summaries = 0;
    let mut roots = Vec::new();
    for (range, name) in roots_of(&tags) {
        root_count += usize::from(name != "skip_summary");
        match name {
            "observation" if reply.observations.len() < MAX_OBSERVATIONS => {
                let fields = fields(text, &tags[range]);
                reply.observations.extend(observation(&fields));
                roots.push(fields);
            }
            "summary" if summaries < MAX_SUMMARIES => {
                summaries += 1;
                let fields = fields(text, &tags[range]);
                reply.keep_longest(summary(&fields));
                roots.push(fields);
            }
            _ => {}
        }
    }
    // A model that repeats itself stops where its output is cut, within a field.
    let end = tags.last().map_or("", |tag| &text[tag.end..]);
    if is_repetitive(&roots) || repeats(end) {
        return Parsed::Unusable(REPETITION);
    }
    if !reply.observations.is_empty() || reply.summary.is_some() {
        return Parsed::Reply(reply);
    }
    let bare = text.trim().trim_matches('`').trim();
    let skipped = root_count == 0 && tags.iter().any(|tag| tag.name == "skip_summary");
    if bare.is_empty() && has_thoughts {
        Parsed::Unusable("thoughts only")
    } else if skipped {
        Parsed::Nothing
    } else if bare.is_empty() || bare == "xml" {
        Parsed::Empty
    } else if root_count > 0 {
        Parsed::Unusable("elements without content")
    } else if bare.starts_with("<!") || bare.to_ascii_lowercase().starts_with("<html") {
        Parsed::Unusable("a web page")
    } else if refuses(bare) {
        Parsed::Unusable("a refusal")
    } else if bare.trim_start_matches("json").trim_start().starts_with('{') {
        Parsed::Unusable(BROKEN_JSON)
    } else {
        Parsed::Unusable(PROSE)
    }
}

fn from_json(parts: &json_reply::Parts) -> Parsed {
    let mut reply = Reply::default();
    let roots: Vec<Vec<(&str, &str)>> =
        parts.observations.iter().chain(&parts.summaries).map(as_fields).collect();
    if is_repetitive(&roots) {
        return Parsed::Unusable(REPETITION);
    }
    for fields in parts.observations.iter().take(MAX_OBSERVATIONS) {
        reply.observations.extend(observation(&as_fields(fields)));
    }
    for fields in parts.summaries.iter().take(MAX_SUMMARIES) {
        reply.keep_longest(summary(&as_fields(fields)));
    }
    let is_empty = reply.observations.is_empty() && reply.summary.is_none();
    if !is_empty {
        Parsed::Reply(reply)
    } else if parts.observations.is_empty() && parts.summaries.is_empty() {
        Parsed::Nothing
    } else {
        Parsed::Unusable("elements without content")
    }
}

fn as_fields(fields: &json_reply::Fields) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

fn length(summary: &Summary) -> usize {
    fields_of(summary).iter().map(|field| field.len()).sum()
}

fn fields_of(summary: &Summary) -> [&String; 6] {
    let s = summary;
    [&s.request, &s.investigated, &s.learned, &s.completed, &s.next_steps, &s.notes]
}

/// The text without the thoughts of a reasoning model: what follows the last end of a thought, up to the
/// begin of one that has no end. And whether there were thoughts.
fn without_thoughts(text: &str) -> (&str, bool) {
    const MARKS: [(&str, &str); 3] =
        [("<think>", "</think>"), ("<thinking>", "</thinking>"), ("[THINK]", "[/THINK]")];
    let ends = MARKS.iter().filter_map(|(_, end)| text.rfind(end).map(|at| at + end.len()));
    let end = ends.max();
    let rest = text.get(end.unwrap_or(0)..).unwrap_or("");
    let root = ["<observation", "<summary"].iter().filter_map(|root| rest.find(root)).min();
    let begins = MARKS.iter().filter_map(|(begin, _)| rest.find(begin));
    // A narrative may mention the mark.
    let begin = begins.filter(|at| root.is_none_or(|root| *at < root)).min();
    (&rest[..begin.unwrap_or(rest.len())], end.is_some() || begin.is_some())
}

/// The root elements: the range of the tags inside each, and its name.
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

/// The fields that these tags delimit, in order: name and raw content.
fn fields<'a>(text: &'a str, tags: &[Tag<'a>]) -> Vec<(&'a str, &'a str)> {
    let mut out = Vec::new();
    for (i, tag) in tags.iter().enumerate().filter(|(_, tag)| !tag.closes && !tag.empty) {
        // The field's closing tag, unless another field of the same name begins before it.
        let rest = &tags[i + 1..];
        let closing =
            rest.iter().take_while(|t| t.closes || t.name != tag.name).find(|t| t.name == tag.name);
        let end = closing.or_else(|| rest.first());
        // `None`: the text ends inside the field.
        if let Some(end) = end {
            out.push((tag.name, &text[tag.end..end.start]));
        }
    }
    out
}

fn observation(fields: &[(&str, &str)]) -> Option<ModelObservation> {
    let mut parsed = ModelObservation::default();
    let mut facts_as_text = None;
    let mut concepts_as_text = None;
    for &(name, raw) in fields {
        let line = |max| clean(raw, max, " ");
        match name {
            "type" => parsed.kind = line(40).to_lowercase(),
            "title" => parsed.title = line(MAX_TITLE),
            "subtitle" => parsed.subtitle = non_empty(line(MAX_LINE)),
            "narrative" => parsed.narrative = non_empty(clean(raw, MAX_TEXT, "\n")),
            "fact" => parsed.facts.extend(non_empty(line(MAX_LINE))),
            "concept" => parsed.concepts.extend(non_empty(line(60))),
            "facts" if !raw.contains('<') => facts_as_text = Some(raw),
            "concepts" if !raw.contains('<') => concepts_as_text = Some(raw),
            "events" => parsed.events = numbers(raw),
            _ => {}
        }
    }
    if parsed.facts.is_empty() {
        parsed.facts = facts_as_text.map(|raw| items(raw, &['\n'])).unwrap_or_default();
    }
    if parsed.concepts.is_empty() {
        parsed.concepts = concepts_as_text.map(|raw| items(raw, &['\n', ','])).unwrap_or_default();
    }
    for list in [&mut parsed.facts, &mut parsed.concepts] {
        list.truncate(MAX_ITEMS);
        list.dedup();
    }
    // The first sentence replaces a missing title.
    if parsed.title.is_empty() {
        let source = parsed.narrative.as_deref().or(parsed.facts.first().map(String::as_str))?;
        parsed.title = clean(sentences(source).first()?, MAX_TITLE, " ");
    }
    let says_nothing = is_placeholder(&parsed.title) || is_from_prompt(&parsed.title);
    (!says_nothing && !is_no_memory(&parsed)).then_some(parsed)
}

fn summary(fields: &[(&str, &str)]) -> Option<Summary> {
    let mut summary = Summary::default();
    for &(name, raw) in fields {
        let field = match name {
            "request" => &mut summary.request,
            "investigated" => &mut summary.investigated,
            "learned" => &mut summary.learned,
            "completed" => &mut summary.completed,
            "next_steps" => &mut summary.next_steps,
            "notes" => &mut summary.notes,
            _ => continue,
        };
        let value = clean(raw, MAX_TEXT, "\n");
        if field.is_empty() && !is_placeholder(&value) && !is_from_prompt(&value) {
            *field = value;
        }
    }
    let has_content = fields_of(&summary).iter().any(|field| !field.is_empty());
    let head = format!("{} {}", summary.request, summary.completed);
    (has_content && !refuses(head.trim())).then_some(summary)
}

/// Texts that stand for an empty field, in lower case.
const PLACEHOLDERS: &str = include_str!("placeholders.txt");

/// Ends of such texts.
const PLACEHOLDER_ENDS: [&str; 9] = [
    " at this time",
    " for now",
    " so far",
    " yet",
    " at the moment",
    " currently",
    " identified",
    " needed",
    " required",
];

/// Whether the text stands for an empty field.
fn is_placeholder(text: &str) -> bool {
    let is_frame = |c: char| !c.is_alphanumeric();
    let text = text.to_lowercase();
    let mut text = text.trim_matches(is_frame);
    while let Some(rest) = PLACEHOLDER_ENDS.iter().find_map(|end| text.strip_suffix(end)) {
        text = rest;
    }
    text.is_empty() || PLACEHOLDERS.lines().any(|line| line == text)
}

/// All texts of the system prompts.
const SYSTEM_PROMPTS: &str = concat!(
    include_str!("prompts/observer.md"),
    include_str!("prompts/elements.md"),
    include_str!("prompts/json.md"),
    include_str!("prompts/rules.md"),
);

/// The shortest text that can be recognized as one of the prompt.
const MIN_REPEATED: usize = 12;

/// Whether a model says back what the system prompt says: its example or its instructions.
fn is_from_prompt(text: &str) -> bool {
    static PROMPT: LazyLock<String> =
        LazyLock::new(|| collapse_spaces(SYSTEM_PROMPTS).to_lowercase());
    let text = collapse_spaces(text).to_lowercase();
    text.len() >= MIN_REPEATED && PROMPT.contains(&text)
}

/// Whether the observation only reports that there is nothing to record, a refusal or an error.
fn is_no_memory(observation: &ModelObservation) -> bool {
    const NOTHING: [&str; 6] = [
        "no observation",
        "nothing to record",
        "nothing worth",
        "no significant",
        "no notable",
        "nothing notable",
    ];
    let title = observation.title.to_lowercase();
    // A real observation about errors or limits has more than a title.
    let title_only = observation.narrative.is_none() && observation.facts.is_empty();
    NOTHING.iter().any(|phrase| title.starts_with(phrase))
        || title_only && super::error::AgentError::from_text(&observation.title).is_some()
        || refuses(&observation.title)
}

/// Whether the text begins like a model's refusal.
fn refuses(text: &str) -> bool {
    const PHRASES: [&str; 10] = [
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
    PHRASES.iter().any(|phrase| head.starts_with(phrase))
}

/// `None` for an empty text or a placeholder.
fn non_empty(text: String) -> Option<String> {
    (!is_placeholder(&text) && !is_from_prompt(&text)).then_some(text)
}

fn items(raw: &str, separators: &[char]) -> Vec<String> {
    let item = |part: &str| {
        let part = part.trim().trim_start_matches(['-', '*', '•']);
        non_empty(clean(part, MAX_LINE, " "))
    };
    raw.split(separators).filter_map(item).collect()
}

fn numbers(raw: &str) -> Vec<usize> {
    let words = raw.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    words.filter_map(|word| word.parse().ok()).take(512).collect()
}

/// The text of a field: CDATA and entities decoded, control characters removed, white space
/// collapsed within lines, lines joined by `separator`, truncated to `max` characters.
fn clean(raw: &str, max: usize, separator: &str) -> String {
    let text = tags::text(raw);
    let lines: Vec<String> =
        text.lines().map(collapse_spaces).filter(|line| !line.is_empty()).collect();
    truncate(&lines.join(separator), max)
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
