//! Builds the envelope of a batch: the session's state and the events, as the model is shown them.
//!
//! All text from outside is truncated in the middle and escaped, so it cannot close an element of the
//! envelope. Lines that read like an instruction to the model are left out. Events that change nothing
//! (reads, listings, `git status`) take one line. The envelope contains the session's state, so that any
//! batch can begin a new conversation.

use std::fmt::Write as _;
use std::path::Path;

use super::event_text;
use crate::activity::{
    Event, MAX_LAST_MESSAGE, MAX_LINE, MAX_PROMPT, Mention, ParsedBatch, mention,
};
use crate::memory::{Cause, Message, Origin, Summary};
use crate::provenance::{Speaker, without_instructions};
use crate::text::{truncate_middle, without_invisible};

/// Maximum bytes of the session's state.
const MAX_STATE: usize = 800;

/// The same in the last batch of a turn that had several.
const MAX_LAST_STATE: usize = 2400;

/// How much of each text the envelope quotes: all up to its limit, or a half, a quarter and so on, if the
/// model takes less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Detail(u32);

impl Detail {
    #[cfg(test)]
    pub const USUAL: Detail = Detail(0);
    const ALL: [Detail; 6] = [Detail(0), Detail(1), Detail(2), Detail(3), Detail(4), Detail(5)];

    /// The limit for a text that may have `bytes` at the usual detail.
    fn limit(self, bytes: usize) -> usize {
        bytes >> self.0
    }
}

/// The envelope of `batch`. It numbers events from 1 by their position in the batch.
pub fn envelope(batch: &ParsedBatch, detail: Detail) -> String {
    let mut out = String::with_capacity(4096);
    let state = state(batch, detail);
    if !state.is_empty() {
        let _ = write!(out, "<earlier>\n{state}</earlier>\n");
    }
    for prompt in batch.prompts.iter().rev().take(MAX_PROMPTS).rev() {
        write_element(&mut out, "prompt", &prompt.text, detail.limit(MAX_PROMPT));
    }
    out.push_str("<events>\n");
    for (at, event) in batch.events().enumerate() {
        write_event(&mut out, at + 1, &event, batch.project_root.as_deref(), detail);
    }
    out.push_str("</events>\n");
    let stop = batch.messages.last().filter(|m| m.cause.summarizes());
    if let Some(stop) = stop {
        write_last_message(&mut out, stop, detail);
    }
    out.push_str(match stop {
        Some(_) => SUMMARIZE,
        None => OBSERVE,
    });
    out
}

/// The envelope with the most detail that has at most `max` bytes.
pub fn fitting(batch: &ParsedBatch, max: usize) -> Option<String> {
    Detail::ALL.into_iter().map(|detail| envelope(batch, detail)).find(|text| text.len() <= max)
}

/// Maximum number of the turn's prompts; the newest are quoted.
const MAX_PROMPTS: usize = 4;

const OBSERVE: &str = "<task>The turn goes on. Write observations, no summary.</task>\n";
const SUMMARIZE: &str = "<task>The turn is over. Write observations of what is not noted yet, then \
     the summary of the whole turn.</task>\n";

/// The session's state: titles of this turn, the last summary, titles of the session.
fn state(batch: &ParsedBatch, detail: Detail) -> String {
    // The end of a long turn needs what its earlier batches found, and not only their titles.
    let is_last = batch.asks_for_summary() && !batch.earlier.is_empty();
    let room = detail.limit(if is_last { MAX_LAST_STATE } else { MAX_STATE });
    let mut out = String::new();
    let mut add = |line: String| {
        let fits = out.len() + line.len() <= room;
        if fits {
            out.push_str(&line);
        }
        fits
    };
    let mut listed: Vec<&str> = Vec::new();
    let told = batch.earlier.iter().rev().filter(|e| e.origin != Origin::Web);
    for earlier in told {
        let sentence = earlier.narrative.as_deref().filter(|_| is_last).map(first_sentence);
        let sentence =
            sentence.map_or_else(String::new, |text| format!(": {}", escaped(text, 200)));
        let title = earlier.title.as_str();
        if !listed.contains(&title) && add(format!("- {}{sentence}\n", escaped(title, 100))) {
            listed.push(title);
        }
    }
    if let Some(line) = batch.rolling.summaries.last().and_then(summary_line) {
        add(line);
    }
    for title in batch.rolling.titles.iter().rev() {
        if !listed.contains(&title.as_str()) && !add(format!("- {}\n", escaped(title, 100))) {
            break;
        }
    }
    out
}

fn first_sentence(text: &str) -> &str {
    let end = text.match_indices(['.', '!', '?', '\n']).map(|(at, _)| at + 1);
    let end = end.filter(|at| text[*at..].starts_with(char::is_whitespace)).min();
    text[..end.unwrap_or(text.len())].trim()
}

fn summary_line(summary: &Summary) -> Option<String> {
    let parts = [
        ("asked", &summary.request),
        ("done", &summary.completed),
        ("answered", &summary.notes),
        ("left", &summary.next_steps),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(name, text)| format!("{name}: {}", escaped(text, 120)))
        .collect();
    (!parts.is_empty()).then(|| format!("last turn, {}\n", parts.join("; ")))
}

fn write_event(out: &mut String, id: usize, event: &Event, root: Option<&Path>, detail: Detail) {
    let (input_limit, output_limit) = match mention(event) {
        Mention::Full { input, output } => (input, output),
        Mention::Line(line) => {
            let _ = writeln!(out, "<event id=\"{id}\">{}</event>", escaped(&line, MAX_LINE));
            return;
        }
    };
    let message = event.message;
    let _ = write!(out, "<event id=\"{id}\"");
    write_attribute(out, "tool", message.tool_name.as_deref());
    write_attribute(out, "agent", message.agent_type.as_deref());
    if message.cause == Cause::ToolFailed {
        out.push_str(" failed=\"true\"");
    }
    out.push_str(">\n");
    write_element(out, "input", &event_text::input(event, root), detail.limit(input_limit));
    write_element(out, "output", &event_text::output(event, root), detail.limit(output_limit));
    out.push_str("</event>\n");
}

fn write_last_message(out: &mut String, stop: &Message, detail: Detail) {
    let text = stop.last_assistant_message.as_deref().unwrap_or_default();
    let limit = detail.limit(MAX_LAST_MESSAGE);
    match stop.cause {
        Cause::StopFailed => write_element(out, "error", text, limit),
        _ => write_element(out, "last_message", text, limit),
    }
    if matches!(stop.cause, Cause::Interrupted | Cause::End) {
        out.push_str("<interrupted/>\n");
    }
}

fn write_element(out: &mut String, name: &str, text: &str, limit: usize) {
    let text = text.trim();
    if !text.is_empty() {
        let _ = writeln!(out, "<{name}>{}</{name}>", escaped(text, limit));
    }
}

fn write_attribute(out: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        let _ = write!(out, " {name}=\"{}\"", escaped(value, 80).replace('"', "'"));
    }
}

/// At most about `limit` bytes of `text`, truncated in the middle, escaped, and without control
/// characters, invisible characters, which the user does not see, and instructions to the model.
fn escaped(text: &str, limit: usize) -> String {
    let text = without_invisible(text);
    let cut = truncate_middle(&text, limit);
    let text = without_instructions(cut.as_deref().unwrap_or(&text), Speaker::Other);
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[path = "prompt_tests.rs"]
mod tests;
