//! The default memory agent: local rules, no model, no network, nothing to configure.
//!
//! It reads a turn as a person would who looks over somebody's shoulder and writes down only what
//! will matter: not each command but what it came to.
//!
//! ```text
//! activities (what happened) -> episodes (works, looks, troubles) -> observe, summary
//! ```
//!
//! Pure and deterministic: no clock, no I/O, no state between batches. Whatever the texts are, cut
//! apart, foreign or garbage, it ends in time linear in them and never panics.

mod answers;
mod asked;
mod carried;
mod completed;
mod cures;
mod episodes;
#[cfg(test)]
mod examples;
mod facts;
mod kind;
mod lines;
mod observe;
mod prose;
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

/// What the user said is to hold from now on, in his own words: on no model's word.
pub fn rules(batch: &Batch) -> Vec<Observation> {
    let stop = batch.messages.last().filter(|m| m.cause.summarizes());
    stop.map(|stop| rules::of(batch, stop)).unwrap_or_default()
}

pub fn distill(batch: &ParsedBatch) -> Distilled {
    let events: Vec<Event> = batch.events().collect();
    let mut threads = episodes::follow(&events, carried::over(batch, &events));
    let stop = batch.messages.last().filter(|m| m.cause.summarizes());
    if let Some(stop) = stop.filter(|s| s.cause == crate::memory::Cause::Stop) {
        threads[0].message.clone_from(&stop.last_assistant_message);
        threads[0].message_source = Some(stop.id);
        if threads[0].looked.prompt_number == 0 {
            threads[0].looked.prompt_number = stop.prompt_number;
        }
    }
    let mut observations: Vec<_> =
        threads.iter().flat_map(|t| observe::of_thread(t, batch)).collect();
    let summary = stop.map(|stop| summary::of(batch, stop, &threads, &observations));
    observations.extend(rules(batch));
    Distilled { observations, summary }
}

#[cfg(test)]
fn distill_unparsed(batch: &Batch) -> Distilled {
    distill(&ParsedBatch::new(batch.clone()))
}
