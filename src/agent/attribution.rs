//! Attributes a model's observations to events. The events decide the files, the origin and the sources
//! of an observation. The model only numbers the events that an observation is based on.

use std::collections::BTreeSet;

use super::parse::{ModelObservation, Reply};
use crate::activity::{Activity, Event, ParsedBatch};
use crate::memory::{Message, Observation, Origin};

/// The observations of `reply`.
pub fn attribute(batch: &ParsedBatch, reply: Reply) -> Vec<Observation> {
    let events: Vec<Event> = batch.events().collect();
    reply.observations.into_iter().map(|from| observation(batch, &events, from)).collect()
}

fn observation(batch: &ParsedBatch, events: &[Event], from: ModelObservation) -> Observation {
    // The envelope numbers events from 1 by their position in the batch.
    let named = from.events.iter().filter_map(|n| batch.messages.get(n.checked_sub(1)?));
    let named: BTreeSet<i64> = named.filter(|m| !m.cause.summarizes()).map(|m| m.id).collect();
    let is_source = |message: &Message| named.is_empty() || named.contains(&message.id);
    let mut files = Files::default();
    let mut origin: Option<Origin> = None;
    let mut sources = Vec::new();
    for event in events.iter().filter(|event| is_source(event.message)) {
        files.add(event);
        sources.push(event.message.id);
        origin = origin.max(Some(event.origin()));
    }
    // The model has read the whole batch, so the events that it names prove nothing.
    if events.iter().any(|event| event.origin() == Origin::Web) {
        origin = Some(Origin::Web);
    }
    // Without any event, the source is the assistant's last message.
    let stop = batch.messages.last().filter(|m| m.cause.summarizes() && sources.is_empty());
    sources.extend(stop.map(|m| m.id));
    let origin = origin.unwrap_or(Origin::Assistant);
    let (files_read, files_modified) = files.into_lists();
    let message = |id: &i64| batch.messages.iter().find(|m| m.id == *id);
    let last = sources.iter().filter_map(message).next_back();
    let agent = of_one_agent(sources.iter().filter_map(message));
    Observation {
        kind: known_kind(&from.kind, &files_modified),
        title: from.title,
        subtitle: from.subtitle,
        narrative: from.narrative,
        facts: from.facts,
        concepts: from.concepts,
        files_read,
        files_modified,
        names: Vec::new(),
        origin,
        quarantined: false,
        prompt_number: last.or(batch.messages.last()).map_or(0, |m| m.prompt_number),
        agent_id: agent.and_then(|m| m.agent_id.clone()),
        agent_type: agent.and_then(|m| m.agent_type.clone()),
        sources,
        replaces: Vec::new(),
    }
}

/// The first message, if all messages are from one subagent.
fn of_one_agent<'a>(mut messages: impl Iterator<Item = &'a Message>) -> Option<&'a Message> {
    let first = messages.next().filter(|m| m.agent_id.is_some())?;
    messages.all(|m| m.agent_id == first.agent_id).then_some(first)
}

/// The model's kind, if it is a known one. Otherwise the kind depends on whether files changed.
fn known_kind(kind: &str, modified: &[String]) -> String {
    const KNOWN: [&str; 7] =
        ["bugfix", "feature", "refactor", "change", "discovery", "decision", "security_alert"];
    let kind = kind.replace([' ', '-'], "_");
    match KNOWN.iter().find(|known| **known == kind) {
        Some(known) => (*known).to_owned(),
        None if modified.is_empty() => "discovery".to_owned(),
        None => "change".to_owned(),
    }
}

#[derive(Default)]
struct Files {
    read: BTreeSet<String>,
    modified: BTreeSet<String>,
}

/// Maximum number of read files, and of modified files.
const MAX_FILES: usize = 64;

impl Files {
    fn add(&mut self, event: &Event) {
        match event.activity {
            Activity::Read { path } => {
                self.read.insert(path.clone());
            }
            Activity::Edit(edits) => {
                self.modified.extend(edits.iter().map(|edit| edit.path.clone()))
            }
            Activity::Run(run) => {
                self.read.extend(run.read.iter().cloned());
                self.modified.extend(run.changed_paths().map(str::to_owned));
            }
            _ => {}
        }
    }

    /// The files that were only read, and the modified files.
    fn into_lists(self) -> (Vec<String>, Vec<String>) {
        let read = self.read.into_iter().filter(|path| !self.modified.contains(path));
        let read: Vec<String> = read.take(MAX_FILES).collect();
        (read, self.modified.into_iter().take(MAX_FILES).collect())
    }
}
