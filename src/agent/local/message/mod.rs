//! The assistant's final message: its own structure, labels from explicit headings, the question that
//! ends it.
//!
//! ```text
//! text ─ elements ─ parts ─ question ─┬─ budget ─> Block
//!                                     ├─ steps ──> Step
//!                                     └─ claims ─> Claim
//! ```

pub mod budget;
mod elements;
pub mod inline;
mod parts;

pub use parts::{Part, parts};

use std::borrow::Cow;

use super::claims;
use super::labels::Label;
use super::marks::without_praise;
use super::message_forms::Setting;
use super::question;
use super::steps;
use crate::clients;
use crate::memory::{Block, BlockKind, Blocker, Claim, Evidence, Question, Step, Turn};

const INSIGHT: &str = "★ Insight";

/// A message that was read.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// In the message's order, without the closing question and its options.
    parts: Vec<Part>,
    asked: Option<Question>,
    /// The request that it answers.
    request: String,
}

impl Message {
    /// Reads the text of a final message. Any text is one, also a truncated one.
    pub fn read(text: &str) -> Message {
        // Claude Code puts this in the place of a message.
        let is_placeholder = text.trim().trim_end_matches('.') == "No response requested";
        if is_placeholder || clients::is_client_error(text) {
            return Message::default();
        }
        let mut parts = parts(&without_insights(text));
        let asked = question::take(&mut parts);
        Message { parts, asked, request: String::new() }
    }

    /// The message as the answer to a request.
    pub fn to(mut self, request: &str) -> Message {
        request.clone_into(&mut self.request);
        self
    }

    /// What the turn is about.
    pub fn setting(&self, evidence: &Evidence) -> Setting {
        Setting::of(&self.request, evidence)
    }

    /// The blocks below a heading of this label.
    pub fn blocks(&self, label: Label) -> Vec<Block> {
        let parts = self.parts.iter().filter(|part| part.label() == Some(label));
        budget::blocks(&parts.collect::<Vec<_>>())
    }

    /// What the assistant says it decided, in lines of their own.
    pub fn decisions(&self) -> Vec<String> {
        let parts = self.parts.iter().filter(|part| part.label() == Some(Label::Decision));
        let parts = parts.filter(|part| !part.quoted);
        let first = |part: &Part| match part.kind {
            // What follows gives reasons.
            BlockKind::Paragraph => 1,
            BlockKind::List | BlockKind::Table => part.lines.len(),
        };
        let lines = parts.flat_map(|part| part.lines.iter().take(first(part)));
        let lines = lines.filter(|line| !inline::is_question(&line.text));
        lines.map(|line| line.text.clone()).collect()
    }

    /// What the message tells, whatever its headings: all but causes, steps, options and the closing
    /// question.
    pub fn body(&self) -> Vec<Block> {
        body(self.parts.clone())
    }

    /// The body without what is told elsewhere: steps, and lines that earlier turns of the session told
    /// as done.
    pub fn body_beyond(&self, evidence: &Evidence, earlier: &[Turn]) -> Vec<Block> {
        let mut parts = self.parts.clone();
        for found in steps::stated(&self.parts, self.setting(evidence)) {
            let (part, line) = found.at;
            let line = parts.get_mut(part).and_then(|part| part.lines.get_mut(line));
            line.into_iter().for_each(|line| line.text.clear());
        }
        let told = told_before(earlier);
        for part in &mut parts {
            part.lines.retain(|line| {
                !line.text.is_empty() && !key(&line.text).is_some_and(|key| told.contains(&key))
            });
        }
        body(parts)
    }

    /// What is left to do: stated, left to the user, standing ready; then open tasks and steps of plans
    /// from the evidence.
    pub fn next(&self, evidence: &Evidence) -> Vec<Step> {
        steps::steps(&self.parts, evidence, self.setting(evidence))
    }

    /// The question that ends the message.
    pub fn asked(&self) -> Option<Question> {
        self.asked.clone()
    }

    /// Its last sentence, if that says neither what is left nor what was done.
    pub fn closing(&self, evidence: &Evidence) -> String {
        let Some(part) = self.parts.last().filter(|_| self.asked.is_none()) else {
            return String::new();
        };
        let at = (self.parts.len() - 1, part.lines.len() - 1);
        let is_step =
            steps::stated(&self.parts, self.setting(evidence)).iter().any(|found| found.at == at);
        let last = part.lines.last().map(|line| line.text.as_str()).unwrap_or_default();
        if is_step || claims::tells_change(last) { String::new() } else { last.to_owned() }
    }

    /// Claims that neither the evidence nor the earlier turns of the session bear out.
    pub fn claims(&self, evidence: &Evidence, earlier: &[Turn]) -> Vec<Claim> {
        claims::contradicted(&self.parts, evidence, earlier)
    }

    /// Whether the message speaks of the same failure.
    pub fn confirms(&self, blocker: &Blocker) -> bool {
        let asked = self.asked.iter().map(|question| question.text.as_str());
        let lines = self.parts.iter().flat_map(|part| {
            let lines = part.lines.iter().map(|line| line.text.as_str());
            [part.heading.as_str(), part.lead_in.as_str()].into_iter().chain(lines)
        });
        claims::confirms(lines.chain(asked), blocker)
    }
}

/// The text without the boxes in which Claude Code's output styles teach: from `★ Insight ───` to `───`.
fn without_insights(text: &str) -> Cow<'_, str> {
    if !text.contains(INSIGHT) {
        return Cow::Borrowed(text);
    }
    let mut inside = false;
    let is_told = |line: &&str| {
        let line = line.trim().trim_matches('`');
        let begins = line.starts_with(INSIGHT);
        let ends = inside && line.starts_with("──");
        let told = !inside && !begins;
        inside = begins || inside && !ends;
        told
    };
    Cow::Owned(text.lines().filter(is_told).collect::<Vec<_>>().join("\n"))
}

/// The blocks of the body, without sentences such as `Done!` if there are others.
fn body(mut parts: Vec<Part>) -> Vec<Block> {
    parts.retain(|part| !matches!(part.label(), Some(Label::Next | Label::Cause | Label::Option)));
    let sentences = parts.iter_mut().filter(|part| part.kind == BlockKind::Paragraph);
    for line in sentences.flat_map(|part| &mut part.lines) {
        let told = without_praise(&line.text);
        if !told.is_empty() && told.len() < line.text.len() {
            line.text = inline::capitalized(told);
        }
    }
    let says_something = |part: &Part, text: &str| {
        const MAX_EMPTY: usize = 2;
        part.kind != BlockKind::Paragraph
            || super::phrases::words(text).len() > MAX_EMPTY && !without_praise(text).is_empty()
            || text.contains('`')
    };
    let any =
        parts.iter().any(|part| part.lines.iter().any(|line| says_something(part, &line.text)));
    for part in parts.iter_mut().filter(|_| any) {
        let mut lines = std::mem::take(&mut part.lines);
        lines.retain(|line| says_something(part, &line.text));
        part.lines = lines;
    }
    parts.retain(|part| !part.lines.is_empty());
    budget::blocks(&parts.iter().collect::<Vec<_>>())
}

/// Lines that earlier turns told as done, for comparison.
fn told_before(earlier: &[Turn]) -> std::collections::HashSet<String> {
    let blocks = earlier.iter().flat_map(|turn| &turn.done);
    blocks.flat_map(|block| &block.lines).filter_map(|line| key(line)).collect()
}

/// The words of a line. Short lines (`Done.`) never count as repeated.
fn key(text: &str) -> Option<String> {
    const MIN_WORDS: usize = 4;
    let words = super::phrases::words(text);
    (words.len() >= MIN_WORDS).then(|| words.join(" "))
}

#[cfg(test)]
mod tests;
