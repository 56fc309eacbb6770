//! Builds the prompt: a fixed system prompt, and for each batch an envelope with its events.
//!
//! All text from outside is truncated in the middle and escaped, so it cannot close an element of the
//! envelope. Lines that read like an instruction to the model are left out. Events that change nothing (reads, listings, `git status`) take one line. The envelope
//! contains the session's state, so that any batch can begin a new conversation.

use std::fmt::Write as _;

use crate::activity::{
    Activity, Event, MAX_LAST_MESSAGE, MAX_LINE, MAX_PROMPT, Mention, ParsedBatch, Payload, mention,
};
use crate::memory::{Batch, Cause, Message, Origin, Summary};
use crate::provenance::{Speaker, without_instructions};
use crate::text::{truncate_middle, without_invisible};

/// The system prompt. It never changes, so that the provider can cache it. Its first line is its
/// version.
const OBSERVER: &str = include_str!("prompts/observer.md");

/// Maximum bytes of the session's state.
const MAX_STATE: usize = 800;

/// How much of each text the envelope quotes. Reduced if the model rejects the prompt as too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    #[default]
    Usual,
    Short,
    Shortest,
}

impl Detail {
    pub fn lower(self) -> Option<Detail> {
        match self {
            Detail::Usual => Some(Detail::Short),
            Detail::Short => Some(Detail::Shortest),
            Detail::Shortest => None,
        }
    }

    /// The limit for a text that may have `bytes` at the usual detail.
    fn limit(self, bytes: usize) -> usize {
        match self {
            Detail::Usual => bytes,
            Detail::Short => bytes / 4,
            Detail::Shortest => bytes / 16,
        }
    }
}

/// The version of the system prompt.
pub fn version() -> &'static str {
    OBSERVER.lines().next().and_then(|line| line.strip_prefix("version: ")).unwrap_or("?")
}

/// The system prompt.
pub fn system() -> &'static str {
    OBSERVER.split_once('\n').map_or(OBSERVER, |(_, text)| text)
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
        write_event(&mut out, at + 1, &event, detail);
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

/// The next lower level of detail that makes the envelope shorter.
pub fn shorter(batch: &ParsedBatch, detail: Detail) -> Option<Detail> {
    let length = envelope(batch, detail).len();
    let mut lower = detail.lower();
    while let Some(detail) = lower.filter(|detail| envelope(batch, *detail).len() >= length) {
        lower = detail.lower();
    }
    lower
}

/// Maximum number of the turn's prompts; the newest are quoted.
const MAX_PROMPTS: usize = 4;

const OBSERVE: &str = "<task>The turn goes on. Write observations, no summary.</task>\n";
const SUMMARIZE: &str = "<task>The turn is over. Write observations of what is not noted yet, then \
     the summary of the whole turn.</task>\n";

/// The session's state: titles of this turn, the last summary, titles of the session.
fn state(batch: &Batch, detail: Detail) -> String {
    let room = detail.limit(MAX_STATE);
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
    for earlier in told.map(|e| e.title.as_str()) {
        if !listed.contains(&earlier) && add(format!("- {}\n", escaped(earlier, 100))) {
            listed.push(earlier);
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

fn write_event(out: &mut String, id: usize, event: &Event, detail: Detail) {
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
    write_element(out, "input", &input(message), detail.limit(input_limit));
    write_element(out, "output", &output(event), detail.limit(output_limit));
    out.push_str("</event>\n");
}

/// The fields of a tool's input, one per line.
fn input(message: &Message) -> String {
    match Payload::read(message.tool_input.as_deref()) {
        Payload::Json(serde_json::Value::Object(fields)) => {
            let mut text = String::new();
            for (name, value) in &fields {
                let _ = match value {
                    serde_json::Value::String(value) => writeln!(text, "{name}: {value}"),
                    other => writeln!(text, "{name}: {other}"),
                };
            }
            text
        }
        Payload::Json(value) => value.to_string(),
        Payload::Text(text) => text.to_owned(),
        Payload::Absent => String::new(),
    }
}

/// The output of an event: a subagent's report, or the readable text of the tool's response.
fn output(event: &Event) -> String {
    match event.activity {
        // The input contains the whole edit, and the response only repeats the file.
        Activity::Edit(_) if event.message.cause != Cause::ToolFailed => String::new(),
        Activity::Report { text, .. } => text.clone(),
        _ => Payload::read(event.message.tool_response.as_deref()).text(),
    }
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
