//! Which open ends of earlier sessions are still open after the sessions that came later.

use super::deeds::{Aim, Deeds, has_share};
use super::open::{Open, OpenKind, reports};
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
/// What was only said in prose.
const SAID_SESSIONS: usize = 5;
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

/// Why an open end is not told any more. Sessions are given by the id of their newest summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Too many sessions or days ago, or too many newer ones are open.
    Old,
    Done(i64),
    /// The session went on with the work, and says itself what is left of it.
    WentOn(i64),
    /// Several sessions did it in parts.
    InParts,
}

/// The open ends of a project.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ends {
    pub left: Vec<Left>,
    pub retired: Vec<(Left, Reason)>,
}

/// Sorts the open ends of sessions, newest session first, into those that are left and those that are not
/// told any more. Those that the user closed are in neither. `sessions` are newest first.
pub fn ends(sessions: &[&RollUp], frequencies: &Frequencies, closed: &ClosedSteps) -> Ends {
    let newest = sessions.iter().map(|s| s.ended_at_epoch).max().unwrap_or_default();
    let mut ends = Ends::default();
    let mut known: Vec<WordSet> = Vec::new();
    let mut later = Later::default();
    for session in sessions {
        for open in &session.open {
            let words = WordSet::stems(&open.text);
            let rare = frequencies.rare(&words);
            if known.iter().any(|known| rare.common(known) * 10 >= rare.len() * 8) {
                continue;
            }
            let end = End { open, session, rare };
            let is_old = newest.saturating_sub(open.at_epoch) > MAX_AGE_DAYS * DAY;
            let is_full = ends.left.len() >= MOST;
            let reason = later.reason(&end).or((is_old || is_full).then_some(Reason::Old));
            let left = Left { open: open.clone(), sessions_ago: later.n_of_user };
            if closed.has(&open.text, session.session_id, open.at_epoch) {
                // Older sessions may tell the step in other words.
                known.push(words);
            } else if let Some(reason) = reason {
                ends.retired.push((left, reason));
            } else {
                known.push(words);
                ends.left.push(left);
            }
        }
        later.add(session);
    }
    ends
}

/// An open end of a session.
struct End<'a> {
    open: &'a Open,
    session: &'a RollUp,
    /// The words of its text that are rare in the project.
    rare: WordSet,
}

/// The sessions that came later, newest first.
#[derive(Default)]
struct Later<'a> {
    /// Each with what it asked for, did and left, as words.
    sessions: Vec<(&'a RollUp, WordSet)>,
    /// What all of them did, as words.
    words: WordSet,
    n_of_user: usize,
    /// One of the user changed something.
    is_changed: bool,
}

impl<'a> Later<'a> {
    fn add(&mut self, session: &'a RollUp) {
        let mut words = WordSet::default();
        session.deeds.iter().for_each(|deeds| words.extend(deeds.words()));
        self.words.extend(&words);
        session.open.iter().for_each(|open| words.extend(&WordSet::stems(&open.text)));
        self.sessions.push((session, words));
        if session.by_user {
            self.n_of_user += 1;
            self.is_changed |= session.has_change();
        }
    }

    /// Why the end is not told any more.
    fn reason(&self, end: &End) -> Option<Reason> {
        let Open { kind, said, .. } = end.open;
        let limit = match kind {
            OpenKind::Asked | OpenKind::Complaint | OpenKind::Unfinished => QUESTION_SESSIONS,
            OpenKind::Failing(_) => FAILURE_SESSIONS,
            _ => SESSIONS,
        };
        if let OpenKind::Failing(check) = kind {
            return self.passed(check).or(self.is_past(limit));
        }
        let goes_on = || match kind {
            OpenKind::Stated | OpenKind::ForUser | OpenKind::Task | OpenKind::Unfinished => {
                self.sessions.iter().find(|(later, words)| self.goes_on(later, words, end))
            }
            _ => None,
        };
        // A sentence alone is weak evidence once its work went on. So is a report, and what a machine lacked,
        // once any work did.
        let is_past = match kind {
            OpenKind::Complaint | OpenKind::Blocked => self.is_changed,
            _ => *said && (self.n_of_user >= SAID_SESSIONS || self.touches(end)),
        };
        let past = || self.is_past(limit).or(is_past.then_some(Reason::Old));
        let went_on = || goes_on().map(|(later, _)| Reason::WentOn(later.id()));
        self.done(end).or_else(went_on).or_else(past)
    }

    /// Whether a later session of the user that changed something changed one of the end's files, or speaks of
    /// the end.
    fn touches(&self, end: &End) -> bool {
        self.sessions.iter().filter(|(later, _)| later.by_user && later.has_change()).any(
            |(later, words)| {
                files_changed_again(later, end.session) > 0
                    || has_share(end.rare.common(words), &end.rare, SPOKEN_OF)
            },
        )
    }

    fn is_past(&self, limit: usize) -> Option<Reason> {
        (self.n_of_user >= limit).then_some(Reason::Old)
    }

    /// The session in which the check passed.
    fn passed(&self, check: &CheckRun) -> Option<Reason> {
        let passes = |later: &RollUp| later.checks.iter().any(|run| covers(run, check));
        let (later, _) = self.sessions.iter().find(|(later, _)| passes(later))?;
        Some(Reason::Done(later.id()))
    }

    /// Whether a later session goes on with the work, so that it says itself what is left of it. It changed
    /// all of the files again, or some of them, and the end is old, or the session speaks of it, or plans.
    /// A plan of other work replaces nothing.
    fn goes_on(&self, later: &RollUp, words: &WordSet, end: &End) -> bool {
        let speaks = has_share(end.rare.common(words), &end.rare, SPOKEN_OF);
        let plans = later.by_user
            && matches!(end.open.kind, OpenKind::Stated | OpenKind::ForUser)
            && later.open.iter().any(|open| open.kind.is_step());
        match files_changed_again(later, end.session) {
            0 => plans && speaks,
            n => {
                let is_all = n == end.session.files.len();
                is_all || plans || speaks || self.n_of_user >= 2
            }
        }
    }

    /// Whether later sessions did it.
    fn done(&self, end: &End) -> Option<Reason> {
        // The next session of the user begins with the report.
        let report = self.sessions.last().filter(|(next, _)| {
            let is_only = end.session.open.iter().filter(|open| open.kind.is_step()).count() == 1;
            let means = |report: &String| is_only || reports(report, end.open);
            end.open.kind.is_step() && next.report.as_ref().is_some_and(means)
        });
        if let Some((next, _)) = report {
            return Some(Reason::Done(next.id()));
        }
        let aim = Aim::new(&end.open.text, end.rare.clone());
        let does = |later: &RollUp| later.deeds.iter().any(|deeds: &Deeds| deeds.does(&aim));
        if let Some((later, _)) = self.sessions.iter().find(|(later, _)| does(later)) {
            return Some(Reason::Done(later.id()));
        }
        let common = end.rare.common(&self.words);
        let in_parts = end.rare.len() >= LONG_STEP && has_share(common, &end.rare, 80);
        // Two sessions later, work on the same thing has most likely passed it.
        let is_passed = self.n_of_user >= 2
            && (aim.telling_names.common(&self.words) > 0
                || has_share(common, &end.rare, SPOKEN_OF));
        (in_parts || is_passed).then_some(Reason::InParts)
    }
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
