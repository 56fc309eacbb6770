//! Puts a model's words on the ground of the events: which of them an observation rests on, the
//! files those read and changed, and whose word it therefore is. Of these nothing is taken from
//! the model.

use std::collections::BTreeSet;

use super::extractive::reading::{self, Event, What};
use super::parse::{Reply, Said};
use crate::memory::{Batch, Message, Observation, Origin, Summary};

/// What is stored of `reply`. Where a summary was asked for and did not come, the caller has one.
pub fn attribute(batch: &Batch, reply: Reply) -> (Vec<Observation>, Option<Summary>) {
    let events = reading::read(batch);
    let observations =
        reply.observations.into_iter().map(|said| one(batch, &events, said)).collect();
    let summary = reply.summary.filter(|_| asks(batch)).map(|mut summary| {
        let mut files = Files::default();
        events.iter().for_each(|event| files.add(event));
        for earlier in &batch.earlier {
            files.read.extend(earlier.files_read.iter().cloned());
            files.modified.extend(earlier.files_modified.iter().cloned());
        }
        (summary.files_read, summary.files_modified) = files.into_lists();
        summary
    });
    (observations, summary)
}

/// Whether the batch ends with what asks for a summary.
pub fn asks(batch: &Batch) -> bool {
    batch.messages.last().is_some_and(|m| m.cause.summarizes())
}

fn one(batch: &Batch, events: &[Event], said: Said) -> Observation {
    // As numbered in the envelope: by their place in the batch, from 1.
    let named = said.events.iter().filter_map(|n| batch.messages.get(n.checked_sub(1)?));
    let named: BTreeSet<i64> = named.filter(|m| !m.cause.summarizes()).map(|m| m.id).collect();
    let rests_on = |message: &Message| named.is_empty() || named.contains(&message.id);
    let mut files = Files::default();
    let mut origin: Option<Origin> = None;
    let mut sources = Vec::new();
    for event in events.iter().filter(|event| rests_on(event.message)) {
        files.add(event);
        sources.push(event.message.id);
        origin = origin.max(Some(event.origin()));
    }
    // Without an event it rests on the assistant's last words.
    let stop = batch.messages.last().filter(|m| m.cause.summarizes() && sources.is_empty());
    sources.extend(stop.map(|m| m.id));
    let origin = origin.unwrap_or(Origin::Assistant);
    let (files_read, files_modified) = files.into_lists();
    let of = |id: &i64| batch.messages.iter().find(|m| m.id == *id);
    let last = sources.iter().filter_map(of).next_back();
    let agent = shared(sources.iter().filter_map(of));
    Observation {
        kind: kind(&said.kind, &files_modified),
        title: said.title,
        subtitle: said.subtitle,
        narrative: said.narrative,
        facts: said.facts,
        concepts: said.concepts,
        files_read,
        files_modified,
        origin,
        prompt_number: last.or(batch.messages.last()).map_or(0, |m| m.prompt_number),
        agent_id: agent.and_then(|m| m.agent_id.clone()),
        agent_type: agent.and_then(|m| m.agent_type.clone()),
        sources,
        replaces: Vec::new(),
    }
}

/// The subagent that did all of it, by one of its messages.
fn shared<'a>(mut messages: impl Iterator<Item = &'a Message>) -> Option<&'a Message> {
    let first = messages.next().filter(|m| m.agent_id.is_some())?;
    messages.all(|m| m.agent_id == first.agent_id).then_some(first)
}

fn kind(said: &str, modified: &[String]) -> String {
    const KNOWN: [&str; 7] =
        ["bugfix", "feature", "refactor", "change", "discovery", "decision", "security_alert"];
    let said = said.replace([' ', '-'], "_");
    match KNOWN.iter().find(|kind| **kind == said) {
        Some(kind) => (*kind).to_owned(),
        None if modified.is_empty() => "discovery".to_owned(),
        None => "change".to_owned(),
    }
}

#[derive(Default)]
struct Files {
    read: BTreeSet<String>,
    modified: BTreeSet<String>,
}

/// Most files kept of each role.
const FILES: usize = 64;

impl Files {
    fn add(&mut self, event: &Event) {
        match &event.what {
            What::Read { path } => {
                self.read.insert(path.clone());
            }
            What::Edit(edits) => self.modified.extend(edits.iter().map(|edit| edit.path.clone())),
            What::Run(run) => {
                self.read.extend(run.read.iter().cloned());
                self.modified.extend(run.written.iter().chain(&run.removed).cloned());
            }
            _ => {}
        }
    }

    /// Read and not changed, and changed.
    fn into_lists(self) -> (Vec<String>, Vec<String>) {
        let read = self.read.into_iter().filter(|path| !self.modified.contains(path));
        let read: Vec<String> = read.take(FILES).collect();
        (read, self.modified.into_iter().take(FILES).collect())
    }
}
