//! Finds the sentences that third parties wrote, in the assistant's message and in a backend's reply.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::instructions::{Speaker, reads_like_instruction};
use super::orders::orders;
use super::pieces::{self, Piece};
use super::plain;
use super::quarantine::{self, Finding};
use super::risky::{names_risk, orders_risk, states_risk};
use super::shingles::{Shingles, words_of};
use crate::activity::{Activity, Event, ParsedBatch, Payload};
use crate::clients::typed;
use crate::memory::{Cause, Distilled, Message, Observation, Origin, SeenText};

/// Pairs of words that are kept for later turns of the session: about two long pages, and the latest
/// prose of tools, because a turn may have several batches.
const MAX_WEB: usize = 32 << 10;
const MAX_TOOL: usize = 4 << 10;

/// Lines of tool output that are searched for instructions, per batch.
const MAX_SEARCHED: usize = 2_000;

/// Who wrote a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// A model, which read all texts of the batch. Orders in its reply must rest on words of the
    /// user or the assistant.
    Model,
    /// The local rules. They quote the cleaned message, and tell events by names and counts.
    LocalRules,
}

/// What a batch and the earlier turns of its session say about the authors of texts.
#[derive(Clone)]
pub struct Screen {
    /// Fetched pages, text that the forge quotes, results of MCP servers.
    web: Shingles,
    /// Prose in the output of other tools.
    tool: Shingles,
    /// Reports of subagents.
    reports: Shingles,
    /// Orders about access, secrets, foreign programs and the like in any text of others. What the
    /// assistant wrote before is not in it, but what it wrote afterwards: a copy of an order in its list of
    /// tasks or in a commit is no text of its own.
    risky: Shingles,
    /// What the assistant wrote itself: inputs of tools.
    own: Shingles,
    /// What the user typed.
    typed: Shingles,
    /// Whole prompts, with what the user quotes.
    prompts: Shingles,
    /// The words of the user and the assistant.
    trusted_words: HashSet<u32>,
    /// The model has read a text of others that is not recorded.
    has_unseen: bool,
    seen_before: (usize, usize),
    findings: Vec<Finding>,
}

/// What happens to a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    /// It repeats text of this origin.
    Repeats(Origin),
    /// It orders what text of this origin orders.
    Quarantine(Origin),
    /// It reads like an instruction to the model. So do the orders in the same paragraph.
    Instruction(Origin),
}

impl Screen {
    /// Reads the texts of the batch.
    pub fn new(batch: &ParsedBatch) -> Screen {
        let mut screen = Screen {
            web: Shingles::from_pairs(&batch.seen.web),
            tool: Shingles::from_pairs(&batch.seen.tool),
            reports: Shingles::default(),
            risky: Shingles::default(),
            own: Shingles::default(),
            typed: Shingles::default(),
            prompts: Shingles::default(),
            trusted_words: HashSet::new(),
            has_unseen: false,
            seen_before: (0, 0),
            findings: Vec::new(),
        };
        screen.seen_before = (screen.web.len(), screen.tool.len());
        for prompt in &batch.prompts {
            for line in typed(&prompt.text).lines() {
                screen.typed.add(line);
                screen.trust(line);
            }
            prompt.text.lines().for_each(|line| screen.prompts.add(line));
            // The client attaches the file.
            let attaches = |word: &str| word.starts_with('@') && word[1..].contains(['.', '/']);
            screen.has_unseen |= prompt.text.split_whitespace().any(attaches);
            // The notification about a task in the background, or an image.
            screen.has_unseen |= prompt.text.trim().is_empty();
        }
        screen.has_unseen |= batch.prompts.is_empty();
        let mut searched = 0;
        for event in batch.events() {
            screen.read(&event, &mut searched);
        }
        screen
    }

    fn trust(&mut self, text: &str) {
        self.trusted_words.extend(words_of(text));
    }

    fn read(&mut self, event: &Event, searched: &mut usize) {
        let message = event.message;
        match event.activity {
            // A question or a plan may quote others: what it says is judged, not trusted.
            Activity::Asked(answers) => {
                answers.iter().filter(|answer| answer.typed).for_each(|answer| {
                    self.typed.add(&answer.answer);
                    self.trust(&answer.answer);
                });
            }
            Activity::Planned { .. } => {}
            _ => {
                for text in strings(message.tool_input.as_deref(), |key| !key.starts_with("old")) {
                    for line in text.lines() {
                        self.own.add(line);
                    }
                    self.trust(&text);
                }
            }
        }
        let (from_web, texts) = match event.activity {
            // The response repeats the file, which the assistant has changed, or the input, with the
            // user's words.
            Activity::Edit(_)
            | Activity::Tasks(_)
            | Activity::Asked(_)
            | Activity::Planned { .. }
            | Activity::Refused(_) => return,
            Activity::Report { text, .. } => {
                text.lines().for_each(|line| self.reports.add(line));
                self.search(text, Origin::Tool, message, searched);
                return;
            }
            Activity::Web { .. } => (true, strings(message.tool_response.as_deref(), |_| true)),
            Activity::Run(run) if run.fetched.is_some() || run.quotes_forge => {
                (true, strings(message.tool_response.as_deref(), |_| true))
            }
            // The output of a command in the background, or the text of a skill. It is not recorded: it may
            // come from a file with secrets.
            Activity::Nothing => {
                let tool = message.tool_name.as_deref().unwrap_or_default().to_lowercase();
                self.has_unseen |=
                    ["output", "skill", "read_bash"].iter().any(|s| tool.contains(s));
                (false, strings(message.tool_response.as_deref(), |_| true))
            }
            Activity::Call { .. } => {
                let is_mcp = message.tool_name.as_deref().is_some_and(|name| name.contains("__"));
                (is_mcp, strings(message.tool_response.as_deref(), |_| true))
            }
            _ => (false, strings(message.tool_response.as_deref(), |_| true)),
        };
        let origin = if from_web { Origin::Web } else { Origin::Tool };
        for text in texts {
            let text = plain::text(&text);
            match origin {
                Origin::Web => self.web.add(&text),
                _ => {
                    for paragraph in prose(&text) {
                        self.tool.add_beyond(&self.own, &paragraph);
                    }
                }
            }
            self.search(&text, origin, message, searched);
        }
    }

    /// Quarantines the instructions in text of others.
    fn search(&mut self, text: &str, origin: Origin, message: &Message, searched: &mut usize) {
        let paragraphs = match origin {
            Origin::Web => vec![text.to_owned()],
            _ => prose(text),
        };
        for paragraph in paragraphs {
            for piece in pieces::of(&paragraph) {
                *searched += 1;
                if *searched > MAX_SEARCHED {
                    return;
                }
                let sentence = &paragraph[piece.range];
                // All of the web is known.
                if origin != Origin::Web && orders_risk(sentence) {
                    self.risky.add_beyond(&self.own, sentence);
                    // Later turns know it as output.
                    self.tool.add_beyond(&self.own, sentence);
                }
                if reads_like_instruction(sentence, Speaker::Other) {
                    self.find(sentence, origin, true, Some(message.id));
                }
            }
        }
    }

    fn find(&mut self, text: &str, origin: Origin, quarantined: bool, source: Option<i64>) {
        self.findings.push(Finding { text: text.to_owned(), origin, quarantined, source });
    }

    /// The batch without sentences of the assistant's message that others wrote, and without
    /// instructions in reports of subagents.
    pub fn clean(&mut self, batch: Arc<ParsedBatch>) -> Arc<ParsedBatch> {
        let mut cleaned: Vec<(usize, String)> = Vec::new();
        for (at, message) in batch.messages.iter().enumerate() {
            let Some(text) = message.last_assistant_message.as_deref() else { continue };
            let is_final = message.cause.summarizes();
            let judge = |screen: &Screen, piece: &str, is_step| match is_final {
                true => screen.judge(piece, is_step),
                false => screen.judge_report(piece),
            };
            let rest = self.without_foreign(text, Some(message.id), judge);
            if message.cause == Cause::Stop {
                self.trust(&rest);
            }
            if rest != text {
                cleaned.push((at, rest));
            }
        }
        if cleaned.is_empty() {
            return batch;
        }
        let mut batch = Arc::unwrap_or_clone(batch);
        for (at, text) in cleaned {
            batch.replace_last_message(at, text);
        }
        Arc::new(batch)
    }

    /// Removes from observations what others wrote. [`Screen::finish`] adds the rows that keep it.
    pub fn check(&mut self, observations: &mut [Observation], author: Author) {
        observations.iter_mut().for_each(|observation| self.check_observation(observation, author));
    }

    /// Adds the rows with the sentences that were left out, and what later turns must know.
    pub fn finish(self, batch: &ParsedBatch, distilled: &mut Distilled) {
        if let Some(last) = batch.messages.last() {
            distilled.observations.extend(quarantine::rows(&self.findings, last));
        }
        if self.seen_before != (self.web.len(), self.tool.len()) {
            let seen = SeenText { web: self.web.newest(MAX_WEB), tool: self.tool.newest(MAX_TOOL) };
            distilled.seen = Some(Box::new(seen));
        }
    }

    fn check_observation(&mut self, o: &mut Observation, author: Author) {
        for files in [&mut o.files_read, &mut o.files_modified] {
            files.retain(|file| !reads_like_instruction(file, Speaker::Other) && !names_risk(file));
        }
        let speaker = if o.origin == Origin::User { Speaker::User } else { Speaker::Other };
        if speaker == Speaker::User {
            let texts = [Some(&o.title), o.narrative.as_ref()];
            o.quarantined |=
                texts.into_iter().flatten().any(|text| reads_like_instruction(text, speaker));
            self.check_quotations(o);
            return;
        }
        match self.judge_reply(&o.title, false, author) {
            Verdict::Keep => {}
            verdict if o.files_modified.is_empty() => match verdict {
                Verdict::Repeats(origin) => o.origin = o.origin.max(origin),
                Verdict::Quarantine(origin) | Verdict::Instruction(origin) => {
                    o.origin = o.origin.max(origin);
                    o.quarantined = true;
                }
                Verdict::Keep => {}
            },
            Verdict::Repeats(origin) => {
                self.find(&o.title, origin, false, None);
                o.title = changed_files(&o.files_modified);
            }
            Verdict::Quarantine(origin) | Verdict::Instruction(origin) => {
                self.find(&o.title, origin, true, None);
                o.title = changed_files(&o.files_modified);
            }
        }
        if o.quarantined {
            return;
        }
        let source = o.sources.last().copied();
        let judge = |screen: &Screen, piece: &str, _| screen.judge_report(piece);
        for text in [&mut o.subtitle, &mut o.narrative] {
            *text = text
                .take()
                .map(|text| self.without_foreign(&text, source, judge))
                .filter(|text| !text.trim().is_empty());
        }
        for list in [&mut o.facts, &mut o.concepts] {
            for item in std::mem::take(list) {
                let rest = self.without_foreign(&item, source, judge);
                if !rest.trim().is_empty() {
                    list.push(rest.trim_end().to_owned());
                }
            }
        }
    }

    /// Judges what a row of the user quotes: the assistant's question, options or plan, and the command
    /// that the user refused. Such a text is the assistant's, and may repeat what others wrote.
    fn check_quotations(&mut self, o: &mut Observation) {
        let source = o.sources.last().copied();
        let quotes = o.concepts.iter().any(|concept| concept == "choice" || concept == "plan");
        let verdict = if quotes { self.judge_quotation(&o.title) } else { Verdict::Keep };
        match verdict {
            Verdict::Keep => {}
            Verdict::Repeats(origin) => o.origin = origin,
            Verdict::Quarantine(origin) | Verdict::Instruction(origin) => {
                o.origin = origin;
                o.quarantined = true;
            }
        }
        if o.quarantined {
            return;
        }
        let judge = |screen: &Screen, piece: &str, _| screen.judge_quotation(piece);
        o.narrative = o
            .narrative
            .take()
            .map(|text| self.without_foreign(&text, source, judge))
            .filter(|text| !text.trim().is_empty());
        for fact in std::mem::take(&mut o.facts) {
            let rest = self.without_foreign(&fact, source, judge);
            if !rest.trim().is_empty() {
                o.facts.push(rest.trim_end().to_owned());
            }
        }
    }

    /// Marks a note that a model hands in, as a sentence of a reply.
    pub fn check_note(&self, note: &mut Observation) {
        let texts = [Some(note.title.as_str()), note.narrative.as_deref()];
        for text in texts.into_iter().flatten() {
            match self.judge_quotation(text) {
                Verdict::Keep => {}
                Verdict::Repeats(origin) => note.origin = note.origin.max(origin),
                Verdict::Quarantine(origin) | Verdict::Instruction(origin) => {
                    note.origin = note.origin.max(origin);
                    note.quarantined = true;
                }
            }
        }
    }

    /// The verdict on a text that the user clicked or approved. One foreign sentence makes it foreign.
    fn judge_quotation(&self, text: &str) -> Verdict {
        let pieces = pieces::of(text);
        let sentences = pieces.iter().map(|piece| &text[piece.range.clone()]);
        sentences
            .chain([text])
            .map(|sentence| self.judge(sentence, false))
            .max_by_key(|verdict| match verdict {
                Verdict::Keep => 0,
                Verdict::Repeats(_) => 1,
                Verdict::Quarantine(_) | Verdict::Instruction(_) => 2,
            })
            .unwrap_or(Verdict::Keep)
    }

    /// The text without the pieces that `judge` does not keep. They become findings.
    pub(super) fn without_foreign(
        &mut self,
        text: &str,
        source: Option<i64>,
        judge: impl Fn(&Screen, &str, bool) -> Verdict,
    ) -> String {
        let pieces = pieces::of(text);
        let sentence = |piece: &Piece| &text[piece.range.clone()];
        let verdicts: Vec<Verdict> =
            pieces.iter().map(|piece| judge(self, sentence(piece), piece.is_step)).collect();
        let mut tainted: HashMap<usize, Origin> = HashMap::new();
        for (piece, verdict) in pieces.iter().zip(&verdicts) {
            if let Verdict::Instruction(origin) = verdict {
                tainted.insert(piece.block, *origin);
            }
        }
        let mut ranges = Vec::new();
        for (piece, verdict) in pieces.iter().zip(verdicts) {
            let tainted = tainted.get(&piece.block).filter(|_| orders(sentence(piece)));
            let (origin, quarantined) = match (verdict, tainted) {
                (Verdict::Keep, None) => continue,
                (Verdict::Keep, Some(origin)) => (*origin, true),
                (Verdict::Repeats(origin), _) => (origin, false),
                (Verdict::Quarantine(origin) | Verdict::Instruction(origin), _) => (origin, true),
            };
            self.find(sentence(piece), origin, quarantined, source);
            ranges.push(piece.range.clone());
        }
        pieces::without(text, &ranges)
    }

    /// Whether at least half of the words are words of the user or the assistant.
    fn is_grounded(&self, text: &str) -> bool {
        let words = words_of(text);
        let known = words.iter().filter(|word| self.trusted_words.contains(word)).count();
        known * 2 >= words.len()
    }

    /// Judges a sentence of a reply.
    pub(super) fn judge_reply(&self, text: &str, is_step: bool, author: Author) -> Verdict {
        let verdict = self.judge(text, is_step);
        match (author, verdict) {
            (_, Verdict::Quarantine(Origin::Tool)) if self.repeats_risk(text, is_step) => verdict,
            // Names and counts of the local rules resemble the output that they come from.
            (Author::LocalRules, Verdict::Quarantine(Origin::Tool)) => Verdict::Keep,
            (Author::Model, Verdict::Keep) => self.judge_claim(text, is_step),
            _ => verdict,
        }
    }

    /// Judges a sentence of a model that passed the checks for a sentence of the assistant. A model
    /// has read all texts of the batch, also those that the user quotes.
    fn judge_claim(&self, text: &str, is_step: bool) -> Verdict {
        let words = words_of(text);
        let quoted = self.prompts.likeness_beyond(&self.typed, &words);
        if quoted.covered >= 3 && quoted.row >= 3 {
            return Verdict::Quarantine(Origin::User);
        }
        let tool = self.tool.likeness_beyond(&self.own, &words);
        let reports = self.reports.likeness(&words);
        let copies = [tool, reports].iter().any(|likeness| likeness.is_at_least(80, 4));
        if copies && n_plain_words(text) >= 3 {
            return Verdict::Quarantine(Origin::Tool);
        }
        // A name that a model states as a sentence.
        if names_risk(text) && !self.typed.likeness(&words).is_at_least(70, 2) {
            return Verdict::Quarantine(Origin::Tool);
        }
        let is_order = is_step || orders(text);
        match is_order && !(self.is_grounded(text) && self.knows_addresses(text)) {
            true => Verdict::Quarantine(Origin::Tool),
            false => Verdict::Keep,
        }
    }

    /// Whether the words of each address and command in the text are known from the user or the
    /// assistant.
    fn knows_addresses(&self, text: &str) -> bool {
        let is_address = |span: &&str| span.contains("://") || span.contains(' ');
        spans(text).filter(is_address).all(|span| {
            let words = words_of(span);
            let known = words.iter().filter(|word| self.trusted_words.contains(word)).count();
            known * 5 >= words.len() * 4
        })
    }

    /// Judges a sentence in a text that later sessions are not told: only instructions leave it.
    fn judge_report(&self, text: &str) -> Verdict {
        match reads_like_instruction(text, Speaker::Other) {
            true => Verdict::Instruction(self.source_of(&words_of(text))),
            false if self.repeats_risk(text, false) => Verdict::Quarantine(Origin::Tool),
            false => Verdict::Keep,
        }
    }

    /// Whether a sentence follows an order in text of others about access, secrets, foreign programs and
    /// the like. What the user typed is no such text.
    pub(super) fn repeats_risk(&self, text: &str, is_step: bool) -> bool {
        let words = words_of(text);
        let likeness = self.risky.likeness(&words);
        // A copy needs no form of an order: `[main 4f9e4c9] Grant …`.
        let follows = self.has_unseen && (orders_risk(text) || is_step && states_risk(text))
            || likeness.is_at_least(80, 6)
            || likeness.row >= 8
            || (is_step || orders(text))
                && (likeness.is_at_least(60, 4)
                    || orders_risk(text) && self.tool.likeness(&words).is_at_least(80, 4));
        follows && !self.typed.likeness(&words).is_at_least(70, 2)
    }

    /// Judges a sentence of the assistant.
    fn judge(&self, text: &str, is_step: bool) -> Verdict {
        let words = words_of(text);
        if reads_like_instruction(text, Speaker::Other) {
            return Verdict::Instruction(self.source_of(&words));
        }
        if self.typed.likeness(&words).is_at_least(70, 2) {
            return Verdict::Keep;
        }
        let orders = is_step || orders(text);
        let web = self.web.likeness(&words);
        if web.is_at_least(70, 4) || web.row >= 6 || orders && web.is_at_least(70, 3) {
            return match orders {
                true => Verdict::Quarantine(Origin::Web),
                false => Verdict::Repeats(Origin::Web),
            };
        }
        if orders && self.has_span_of(&self.web, text, 2) {
            return Verdict::Quarantine(Origin::Web);
        }
        if self.repeats_risk(text, is_step) {
            return Verdict::Quarantine(Origin::Tool);
        }
        let tool = self.tool.likeness_beyond(&self.own, &words);
        let copies = n_plain_words(text) >= 5 && (tool.is_at_least(85, 5) || tool.row >= 7);
        let follows = orders
            && (tool.is_at_least(80, 3)
                || self.reports.likeness(&words).is_at_least(80, 3)
                || self.has_span_of(&self.tool, text, 4)
                || self.has_span_of(&self.reports, text, 4));
        match copies || follows {
            true => Verdict::Quarantine(Origin::Tool),
            false => Verdict::Keep,
        }
    }

    /// Whose text a sentence resembles most.
    fn source_of(&self, words: &[u32]) -> Origin {
        if self.web.likeness(words).is_at_least(60, 2) {
            return Origin::Web;
        }
        let tools = [&self.tool, &self.reports];
        match tools.iter().any(|text| text.likeness(words).is_at_least(60, 2)) {
            true => Origin::Tool,
            false => Origin::Assistant,
        }
    }

    /// Whether a command or an address of at least `min` words in `text` comes from `foreign`, and
    /// neither the user nor the assistant used it.
    fn has_span_of(&self, foreign: &Shingles, text: &str, min: usize) -> bool {
        spans(text).any(|span| {
            let words = words_of(span);
            foreign.likeness(&words).is_at_least(100, min)
                && !self.own.likeness(&words).is_at_least(100, min)
                && !self.typed.likeness(&words).is_at_least(100, min)
        })
    }
}

/// The code and the addresses in a sentence.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split('`').skip(1).step_by(2);
    let addresses = text.split(|c: char| c.is_whitespace() || "`\"'()<>".contains(c));
    code.chain(addresses.filter(|word| word.contains("://")))
}

/// The words of a text that are no names, numbers or code.
fn n_plain_words(text: &str) -> usize {
    let plain = text.split_whitespace().filter(|word| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        word.chars().count() > 1 && word.chars().all(|c| c.is_alphabetic() || c == '\'' || c == '-')
    });
    let wide = text.chars().filter(|c| *c >= '\u{2e80}' && c.is_alphabetic()).count();
    plain.count() + wide / 2
}

/// The paragraphs of a text that are prose. A sentence may be broken into short lines.
fn prose(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut paragraph = String::new();
    for line in text.lines().chain([""]) {
        let n_plain = n_plain_words(line);
        if n_plain >= 2 && n_plain * 2 >= line.split_whitespace().count() || is_prose(line) {
            paragraph.push_str(line);
            paragraph.push('\n');
            continue;
        }
        let ended = std::mem::take(&mut paragraph);
        out.extend(Some(ended).filter(|paragraph| is_prose(paragraph)));
    }
    out
}

/// Whether a line of output is prose or holds an address. Code, tables, listings and counts are not.
fn is_prose(line: &str) -> bool {
    let n_tokens = line.split_whitespace().count();
    let n_plain = n_plain_words(line);
    n_plain >= 4 && n_plain * 2 >= n_tokens || line.contains("://") && n_tokens >= 3
}

/// `Changed src/a.rs and 2 more files`.
fn changed_files(files: &[String]) -> String {
    match files {
        [] => "Changed files".to_owned(),
        [file] => format!("Changed {file}"),
        [file, rest @ ..] => format!("Changed {file} and {} more files", rest.len()),
    }
}

/// All strings of a tool's input or response, without those under keys that `wanted` refuses.
fn strings(text: Option<&str>, wanted: impl Fn(&str) -> bool + Copy) -> Vec<String> {
    let mut out = Vec::new();
    match Payload::read(text) {
        Payload::Json(value) => collect(&value, wanted, &mut out),
        // An error text, or JSON that was cut.
        Payload::Text(text) => out.push(text.replace("\\n", "\n").replace("\\\"", "\"")),
        Payload::Absent => {}
    }
    out
}

fn collect(value: &Value, wanted: impl Fn(&str) -> bool + Copy, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, wanted, out)),
        Value::Object(map) => {
            map.iter().filter(|(key, _)| wanted(key)).for_each(|(_, v)| collect(v, wanted, out));
        }
        _ => {}
    }
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
