//! A batch with the parsed activity of each message.

use std::ops::Deref;
use std::path::Path;

use super::event::Activity;
use super::tool_event::ToolEvent;
use crate::memory::{Batch, Message, Origin};

/// A batch whose messages are parsed. Dereferences to its [`Batch`].
#[derive(Clone, Debug, Default)]
pub struct ParsedBatch {
    batch: Batch,
    /// Parallel to `batch.messages`. [`Activity::Nothing`] if the message asks for a summary.
    activities: Vec<Activity>,
}

/// A message and its activity.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub message: &'a Message,
    pub activity: &'a Activity,
}

impl ParsedBatch {
    /// Parses every message. Call it outside a transaction: parsing would prolong the write lock.
    pub fn new(batch: Batch) -> ParsedBatch {
        let root = batch.project_root.as_deref();
        let parse = |m: &Message| activity(m, &batch.client, root);
        let activities = batch.messages.iter().map(parse).collect();
        ParsedBatch { batch, activities }
    }

    /// The events to observe, in order. Messages that ask for a summary are left out.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        let all = self.batch.messages.iter().zip(&self.activities);
        let all = all.map(|(message, activity)| Event { message, activity });
        all.filter(|event| !event.message.cause.summarizes())
    }

    /// Replaces the assistant's message of a Stop, or the report of a subagent.
    pub fn replace_last_message(&mut self, at: usize, text: String) {
        if let Activity::Report { text: report, .. } = &mut self.activities[at] {
            report.clone_from(&text);
        }
        self.batch.messages[at].last_assistant_message = Some(text);
    }

    /// Whether the batch ends with a message that asks for a summary.
    pub fn asks_for_summary(&self) -> bool {
        self.batch.messages.last().is_some_and(|m| m.cause.summarizes())
    }
}

impl Deref for ParsedBatch {
    type Target = Batch;

    fn deref(&self) -> &Batch {
        &self.batch
    }
}

fn activity(message: &Message, client: &str, root: Option<&Path>) -> Activity {
    if message.cause.summarizes() {
        return Activity::Nothing;
    }
    Activity::parse(&ToolEvent::from_message(message, client), root)
}

impl Event<'_> {
    /// Where the event's information comes from.
    pub fn origin(&self) -> Origin {
        self.activity.origin()
    }
}
