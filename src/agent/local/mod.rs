//! The default backend: local rules, without a model, a network or settings. Its turns are those of
//! every backend: a model's summary passes the same claims and next steps.
//!
//! Events decide what happened. Prose is quoted, not sorted:
//!
//! ```text
//! activities ── evidence::fold ──> Evidence ─┐
//! message ───── message, steps, claims ──────┼─> Turn ──> rows, columns
//! prompt ────── request, user_words ─────────┘
//! ```
//!
//! Pure and deterministic: no clock, no I/O, no state between batches. Takes time linear in the texts
//! and must not panic, even for truncated or arbitrary texts.

mod claims;
mod grounded;
mod labels;
mod markers;
mod marks;
mod message;
mod message_forms;
mod phrases;
mod prompt;
mod question;
mod render;
mod reply;
mod request;
mod rows;
mod rules;
mod statements;
mod steps;
#[cfg(test)]
mod steps_tests;
mod titles;
mod turn;
mod turn_prompts;
mod user_forms;
mod user_words;

use crate::activity::ParsedBatch;
use crate::memory::{self, Cause, Evidence, Observation, Summary, Turn};
use message::Message;
use turn::Author;

pub use render::summary as columns;

/// The turn that the batch ends. `None` if it asks for no summary.
pub fn turn(batch: &ParsedBatch, evidence: &Evidence) -> Option<Turn> {
    let stop = stop(batch)?;
    // For other causes, the text is not a message of the assistant.
    let said = stop.last_assistant_message.as_deref().filter(|_| stop.cause == Cause::Stop);
    let message = Message::read(said.unwrap_or_default());
    Some(turn::of(batch, stop, evidence.clone(), message, Author::Assistant))
}

/// The turn that the batch ends, as a model summarizes it.
pub fn turn_of_summary(
    batch: &ParsedBatch,
    evidence: &Evidence,
    summary: &Summary,
) -> Option<Turn> {
    let stop = stop(batch)?;
    let message = Message::read(&turn::as_message(summary));
    let mut turn = turn::of(batch, stop, evidence.clone(), message, Author::Model);
    if turn::is_vague(&turn.request) && !summary.request.trim().is_empty() {
        turn.title.clone_from(&summary.request);
    }
    Some(turn)
}

/// Gives a turn its title, unless a model did.
pub fn add_title(turn: &mut Turn) {
    if turn.title.is_empty() {
        turn.title = titles::of_turn(turn);
    }
}

/// The observations of a turn, without the user's rules.
pub fn rows(batch: &ParsedBatch, turn: &Turn) -> Vec<Observation> {
    stop(batch)
        .map_or_else(Vec::new, |stop| rows::of(turn, stop, &batch.earlier, batch.turns.is_empty()))
}

/// The rules and decisions that the user states in the turn. Empty unless the batch ends the turn.
pub fn user_words(batch: &ParsedBatch, evidence: &Evidence) -> Vec<Observation> {
    match stop(batch) {
        Some(_) => user_words::observations(batch, evidence),
        None => Vec::new(),
    }
}

fn stop(batch: &ParsedBatch) -> Option<&memory::Message> {
    batch.messages.last().filter(|message| message.cause.summarizes())
}
