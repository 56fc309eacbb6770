//! Continues work that earlier batches of the turn left unfinished.
//!
//! A long turn is distilled in several batches, and a turn may continue after its Stop. If a batch ends
//! the turn or commits earlier edits, its observation replaces those of the earlier batches.

use super::work::{FileChange, Work};
use crate::activity::{Activity, ChangeKind, Event};
use crate::memory::{Batch, Earlier};

/// Prefix of the fact that lists new files.
pub const NEW: &str = "New: ";
/// Prefix of the fact of an open failure.
pub const OPEN: &str = "Still failing: ";
/// Prefix of the narrative of a bugfix.
pub const PROBLEM: &str = "Problem: ";
/// Prefix of the fact of a commit.
pub const COMMIT: &str = "Commit ";

/// The main thread's unfinished work, if this batch continues it.
pub fn unfinished_work(batch: &Batch, events: &[Event]) -> Option<Work> {
    let last = batch.messages.last()?;
    let main = || events.iter().filter(|e| e.message.agent_id.is_none());
    let number = main().next().map_or(last.prompt_number, |e| e.message.prompt_number);
    let unfinished: Vec<&Earlier> = batch
        .earlier
        .iter()
        .filter(|e| e.prompt_number == number && e.agent_id.is_none() && is_unfinished(e))
        .collect();
    let ends = last.cause.summarizes() && batch.previous.is_none();
    if unfinished.is_empty() || !ends && !commits_more_than_it_edits(main()) {
        return None;
    }
    let mut work = Work { prompt_number: number, ..Work::default() };
    for earlier in unfinished {
        work.absorb(restored(earlier));
    }
    Some(work)
}

/// Whether an observation is unfinished: it changed files, and is neither a bugfix nor committed.
fn is_unfinished(earlier: &Earlier) -> bool {
    let is_fix = earlier.narrative.as_deref().is_some_and(|n| n.starts_with(PROBLEM));
    !earlier.files_modified.is_empty()
        && !is_fix
        && earlier.kind != "discovery"
        && !earlier.facts.iter().any(|f| f.starts_with(COMMIT))
}

/// Whether the first commit contains more files than were edited before it.
fn commits_more_than_it_edits<'a>(events: impl Iterator<Item = &'a Event<'a>>) -> bool {
    let mut edited: Vec<&str> = Vec::new();
    for event in events {
        match event.activity {
            Activity::Edit(edits) => edited.extend(edits.iter().map(|e| e.path.as_str())),
            Activity::Run(run) => {
                edited.extend(run.written.iter().map(String::as_str));
                let Some(commit) = &run.commit else { continue };
                let stat = commit.stat.as_deref().and_then(|s| s.split(' ').next()?.parse().ok());
                edited.sort_unstable();
                edited.dedup();
                return stat.is_some_and(|committed: usize| committed > edited.len());
            }
            _ => {}
        }
    }
    false
}

/// The work that an earlier observation describes.
fn restored(earlier: &Earlier) -> Work {
    let new = earlier.facts.iter().find_map(|f| f.strip_prefix(NEW)).unwrap_or_default();
    let new: Vec<&str> = new.split(", ").collect();
    let change = |path: &String| FileChange {
        path: path.clone(),
        change: if new.contains(&path.as_str()) {
            ChangeKind::Created
        } else {
            ChangeKind::Changed
        },
        added: 0,
        removed: 0,
        names: Vec::new(),
        swap: None,
        sources: Vec::new(),
    };
    // The final observation lists new files and open failures again.
    let is_listed_again = |fact: &&String| fact.starts_with(NEW) || fact.starts_with(OPEN);
    Work {
        files: earlier.files_modified.iter().map(change).collect(),
        read: earlier.files_read.clone(),
        origin: Some(earlier.origin),
        carried: earlier.facts.iter().filter(|f| !is_listed_again(f)).cloned().collect(),
        replaces: vec![earlier.id],
        ..Work::default()
    }
}
