//! Which open ends of earlier sessions are still open after the sessions that came later.

use super::deeds::{Aim, Deeds, has_share};
use super::open::{Open, OpenKind};
use super::rollup::RollUp;
use super::similarity::{Frequencies, WordSet};
use super::stored_turn::covers;
use crate::memory::CheckRun;
use crate::store::closed_steps::ClosedSteps;

/// Sessions of the user whose open ends count. What was left before them is history.
pub const SESSIONS: usize = 8;
/// Fewer for some kinds.
const QUESTION_SESSIONS: usize = 3;
const FAILURE_SESSIONS: usize = 5;
/// Older ends than this, counted back from the project's newest turn, are history too.
const MAX_AGE_DAYS: i64 = 60;
const DAY: i64 = 86_400_000;
const MOST: usize = 14;
/// Words of a step that has parts.
const LONG_STEP: usize = 6;
/// A session with this percentage of a step's words speaks of it.
const SPOKEN_OF: usize = 30;

/// An open end with its age.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Left {
    pub open: Open,
    /// How many sessions of the user came later.
    pub sessions_ago: usize,
}

/// The open ends of sessions, newest session first, that no later session has done and the user has not
/// closed. `sessions` are
/// newest first.
pub fn left(sessions: &[&RollUp], frequencies: &Frequencies, closed: &ClosedSteps) -> Vec<Left> {
    let newest = sessions.iter().map(|s| s.ended_at_epoch).max().unwrap_or_default();
    let mut left: Vec<Left> = Vec::new();
    let mut known: Vec<WordSet> = Vec::new();
    let mut later_deeds: Vec<&Deeds> = Vec::new();
    let mut later_words = WordSet::default();
    // What each later session did, as words.
    let mut words_of_session: Vec<WordSet> = Vec::new();
    let mut sessions_ago = 0;
    // Whether a later session changed something, and whether it says itself what is left.
    let (mut is_changed, mut is_planned) = (false, false);
    for (at, session) in sessions.iter().enumerate() {
        if sessions_ago >= SESSIONS {
            break;
        }
        for open in &session.open {
            let limit = match open.kind {
                OpenKind::Asked | OpenKind::Complaint | OpenKind::Unfinished => QUESTION_SESSIONS,
                OpenKind::Failing(_) => FAILURE_SESSIONS,
                _ => SESSIONS,
            };
            // What a later session plans replaces it. A sentence alone is weak evidence once work went on.
            let is_stated = matches!(open.kind, OpenKind::Stated | OpenKind::ForUser);
            if is_stated && (is_planned || open.said && is_changed) {
                continue;
            }
            let is_old = newest.saturating_sub(open.at_epoch) > MAX_AGE_DAYS * DAY;
            if sessions_ago >= limit || is_old || left.len() >= MOST {
                continue;
            }
            let words = WordSet::stems(&open.text);
            let rare = frequencies.rare(&words);
            let is_told = known.iter().any(|known| rare.common(known) * 10 >= rare.len() * 8);
            let passed = |check: &CheckRun| {
                let later = sessions[..at].iter().flat_map(|later| &later.checks);
                later.into_iter().any(|run| covers(run, check))
            };
            let is_done = || match &open.kind {
                OpenKind::Failing(check) => passed(check),
                // A later session that goes on with the work says itself what is left of it: it changed
                // all of the files again, or some of them, and the step is old or it speaks of it.
                OpenKind::Stated | OpenKind::ForUser | OpenKind::Task | OpenKind::Unfinished
                    if sessions.iter().zip(&words_of_session).any(|(later, words)| {
                        let n_changed = files_changed_again(later, session);
                        let goes_on = n_changed == session.files.len()
                            || sessions_ago >= 2
                            || has_share(rare.common(words), &rare, SPOKEN_OF);
                        n_changed > 0 && goes_on
                    }) =>
                {
                    true
                }
                _ => {
                    // Several sessions may have done a long step in parts.
                    let in_parts =
                        rare.len() >= LONG_STEP && has_share(rare.common(&later_words), &rare, 80);
                    let aim = Aim::new(&open.text, rare.clone());
                    // Two sessions later, work on the same thing has most likely passed it.
                    let is_passed = sessions_ago >= 2
                        && (aim.names.common(&later_words) > 0
                            || has_share(rare.common(&later_words), &rare, SPOKEN_OF));
                    in_parts || is_passed || later_deeds.iter().any(|deeds| deeds.does(&aim))
                }
            };
            if closed.has(&open.text, session.session_id, open.at_epoch) {
                // Older sessions may tell the step in other words.
                known.push(words);
            } else if !is_told && !is_done() {
                known.push(words);
                left.push(Left { open: open.clone(), sessions_ago });
            }
        }
        let mut words = WordSet::default();
        session.deeds.iter().for_each(|deeds| words.extend(deeds.words()));
        later_words.extend(&words);
        words_of_session.push(words);
        later_deeds.extend(&session.deeds);
        if session.by_user {
            is_changed |= session.has_change();
            is_planned |= session.open.iter().any(|open| open.kind.is_step());
            sessions_ago += 1;
        }
    }
    left
}

/// How many files of a session a later one of the user changed, too.
fn files_changed_again(later: &RollUp, session: &RollUp) -> usize {
    let is_changed = |path: &str| later.files.iter().any(|file| file.path == path);
    let again = session.files.iter().filter(|file| is_changed(&file.path));
    if later.by_user { again.count() } else { 0 }
}

#[cfg(test)]
#[path = "retire_tests.rs"]
mod tests;
