//! The default backend: local rules, without a model, a network or settings.
//!
//! It records results instead of single commands: changes, fixes, failures, answers.
//!
//! ```text
//! activities -> episodes: a thread per agent, with works, lookups and failures -> observe, summary
//! ```
//!
//! The rules are pure and deterministic: no clock, no I/O, no state between batches. They take time
//! linear in the texts and must not panic, even for truncated or arbitrary texts.

mod answers;
mod completed;
mod continuation;
mod cures;
mod episodes;
#[cfg(test)]
mod examples;
mod facts;
mod kind;
mod lines;
mod observe;
mod prose;
mod request;
mod rules;
mod sentences;
#[cfg(test)]
mod sessions;
mod summary;
#[cfg(test)]
mod tests;
mod titles;
#[cfg(test)]
mod trades;
mod words;
mod work;

use crate::activity::{Event, ParsedBatch};
use crate::memory::{Batch, Distilled, Observation};

/// The rules for the future that the user states in the turn. Empty unless the batch ends the turn.
pub fn rules(batch: &Batch) -> Vec<Observation> {
    let stop = batch.messages.last().filter(|m| m.cause.summarizes());
    stop.map(|stop| rules::observations(batch, stop)).unwrap_or_default()
}

/// Distills a batch. Writes a summary if and only if the batch asks for one.
pub fn distill(batch: &ParsedBatch) -> Distilled {
    let events: Vec<Event> = batch.events().collect();
    let mut threads = episodes::follow(&events, continuation::unfinished_work(batch, &events));
    let stop = batch.messages.last().filter(|m| m.cause.summarizes());
    if let Some(stop) = stop.filter(|s| s.cause == crate::memory::Cause::Stop) {
        threads[0].message.clone_from(&stop.last_assistant_message);
        threads[0].message_source = Some(stop.id);
        if threads[0].looked.prompt_number == 0 {
            threads[0].looked.prompt_number = stop.prompt_number;
        }
    }
    let mut observations: Vec<_> =
        threads.iter().flat_map(|t| observe::observations(t, batch)).collect();
    let summary = stop.map(|stop| summary::summarize(batch, stop, &threads, &observations));
    observations.extend(rules(batch));
    Distilled { observations, summary, seen: None }
}

#[cfg(test)]
fn distill_unparsed(batch: &Batch) -> Distilled {
    distill(&ParsedBatch::new(batch.clone()))
}
