//! Folds the activities of a turn into what they prove: net files, commits, the last state of each
//! check, tasks, answers. Pure: a function of the batch, of the evidence of the turn's earlier batches
//! and of the session's earlier turns.
//!
//! Each event only adds to the evidence before it, so the result does not depend on how a turn is
//! divided into batches.

mod answers;
mod blockers;
mod checks;
mod commands;
mod commits;
mod effects;
mod failures;
mod files;
mod names;
mod pages;
mod plans;
mod reports;
mod tasks;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::activity::{Activity, ParsedBatch};
use crate::memory::{Change, Evidence, Message};
use crate::project::PathBase;

pub use failures::{covers as covers_failure, is_same_command};
pub use names::for_search;

/// The evidence of the last message's turn, including its earlier batches.
pub fn fold(batch: &ParsedBatch) -> Evidence {
    let mut evidence = batch.evidence.clone();
    tasks::carry(&mut evidence, &batch.turns);
    plans::carry(&mut evidence, &batch.turns);
    let Some(last) = batch.messages.last() else { return evidence };
    let root = batch.project_root.as_deref();
    for event in batch.events() {
        // Lists and plans belong to the session.
        tasks::add(&mut evidence, &event);
        plans::add(&mut evidence, &event);
        if !is_same_turn(event.message, last) {
            continue;
        }
        count(&mut evidence, event.activity);
        files::add(&mut evidence, &event, root, &batch.turns);
        checks::add(&mut evidence, &event, &batch.turns);
        commits::add(&mut evidence, &event);
        effects::add(&mut evidence, &event);
        blockers::add(&mut evidence, &event);
        commands::add(&mut evidence, &event);
        failures::add(&mut evidence, &event);
        answers::add(&mut evidence, &event);
        reports::add(&mut evidence, &event);
        pages::add(&mut evidence, &event);
        names::add(&mut evidence, &event);
        add_blobs(&mut evidence, event.message, root);
    }
    evidence
}

/// Adds the hashes of the message's files. Those of removed files are dropped, and those of moved files
/// follow them.
fn add_blobs(evidence: &mut Evidence, message: &Message, root: Option<&Path>) {
    const MAX: usize = 300;
    let place = PathBase { root, cwd: message.cwd.as_deref().map(Path::new) };
    for file in &message.files {
        if evidence.blobs.len() < MAX {
            evidence.blobs.insert(place.relative(&file.path), file.blob.clone());
        }
    }
    for file in &evidence.files {
        match (file.change, &file.from) {
            (Change::Removed, _) => drop(evidence.blobs.remove(&file.path)),
            (Change::Moved, Some(from)) => {
                if let Some(blob) = evidence.blobs.remove(from) {
                    evidence.blobs.entry(file.path.clone()).or_insert(blob);
                }
            }
            _ => {}
        }
    }
}

/// Whether two messages belong to one turn. A turn has several prompts if the user adds one while the
/// assistant works.
fn is_same_turn(a: &Message, b: &Message) -> bool {
    a.prompt_number == b.prompt_number || a.turn_id.is_some() && a.turn_id == b.turn_id
}

/// Counts a tool use, before and after changes of files. Without a change so far, all are before it.
fn count(evidence: &mut Evidence, activity: &Activity) {
    if matches!(activity, Activity::Nothing) {
        return;
    }
    let has_edited = has_edited(evidence);
    evidence.tool_uses += 1;
    if files::changes(activity) {
        evidence.after_last_edit = 0;
    } else if has_edited {
        evidence.after_last_edit += 1;
    } else {
        evidence.before_first_edit += 1;
    }
}

/// Whether a tool use of the turn changed a file, even if it was put back.
fn has_edited(evidence: &Evidence) -> bool {
    evidence.before_first_edit < evidence.tool_uses
}

/// Adds to a list of message ids, which are in ascending order.
fn add_source(sources: &mut Vec<i64>, id: i64) {
    if sources.last() != Some(&id) {
        sources.push(id);
    }
}
