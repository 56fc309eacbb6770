//! Builds the Markdown block that a new session starts with, within a token budget.
//!
//! The block is a function of the store, the client's own memory ([`native`]) and the work tree: its branch
//! with its history, its changed files, and the files that memories speak of. It depends on no counter and
//! no random number, and on the clock only to leave out what has expired. While memory and work tree stay
//! the same, the block has the same bytes, and the client's prompt cache stays valid. Recency is relative to
//! the project's newest row.
//!
//! The block tells sessions, not turns: [`choice`] finds the sessions that can be told, [`rollup`] folds
//! the turns of each into one record, [`retire`] keeps what is left to do, [`rules`] what the user
//! decided, [`related`] older memories about the work at hand, and [`page`] fills the
//! sections. Replaced and copied statements are linked when they are stored (`store::links`).
//!
//! Stored text is untrusted: [`markdown`] makes it inert, and [`screen`] removes what reads like an
//! instruction to the model, and what the user rejected. The queries in `store::observations` and
//! `store::summaries` exclude hidden, wrong, quarantined and superseded rows and those of origin `web`. The
//! words of tools, pages, servers and subagents are never told: [`lines`] renders no field that holds them.

mod answers;
mod blocks;
mod branches;
pub mod budget;
mod choice;
mod dates;
mod deeds;
mod earlier;
mod filler;
mod found;
mod last;
mod lines;
pub mod markdown;
pub mod native;
mod open;
mod outdated;
mod outline;
mod page;
pub mod recalled;
mod related;
mod results;
mod retire;
mod rollup;
mod rules;
mod screen;
mod seen;
pub mod start;
mod steps;
mod stored_turn;
mod tags;

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use rusqlite::Connection;

pub use answers::answers;
pub use filler::{Line, Section};
pub use outline::{Outline, outline};
pub use page::Page;
pub use retire::Reason;
pub use steps::{OpenStep, Steps, open_ends, steps};

use crate::capture;
use crate::freshness::{self, Freshness};
use crate::git::{FileState, Repository};
use crate::store::closed_steps::ClosedSteps;
use crate::store::marks;
use crate::store::observations::{self, Headline, Unscreened};
use crate::store::rejected::Rejected;
use crate::store::summaries::{self, SummaryRow};
use crate::store::words::RowId;
use crate::store::{self, links};
use crate::text::similarity::{self, Frequencies, WordSet};
use crate::truth::turns::Readings;
use branches::{Branches, Place};
use choice::{Choice, Chosen, Key};
use found::{Focus, Found};
use native::Native;
use outdated::Compared;
use related::Related;
use results::Results;
use retire::{Ends, Left};
use rollup::RollUp;
use stored_turn::StoredTurn;

/// Which rows a block may contain, and how long it may be.
#[derive(Clone, Default)]
pub struct Query<'a> {
    pub project_id: Option<i64>,
    /// Only rows that changed after this time, in milliseconds since the epoch. Set for a
    /// conversation that continues.
    pub newer_than: Option<i64>,
    /// Rows of these sessions are left out, because the conversation contains what they describe.
    pub not_sessions: Vec<i64>,
    /// The limit on the block's estimated tokens.
    pub max_tokens: usize,
    /// The root of the work tree, and its repository.
    pub root: Option<&'a Path>,
    pub repository: Option<&'a Repository>,
    /// Paths relative to the project's root.
    pub changed_files: Vec<String>,
    /// Tells the steps that the user closed, too.
    pub with_closed_steps: bool,
    /// The time of the start, in milliseconds since the epoch. Rows that have expired by then are left out;
    /// nothing else depends on it.
    pub now: i64,
    /// What the client's own memory says.
    pub native: Rc<Native>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Empty if no row was selected.
    pub text: String,
    /// The block as data. Its lines are those of `text`.
    pub page: Page,
    /// The latest `changed_at_epoch` of the candidate rows; `None` without candidates. The next
    /// block of this conversation contains only rows that changed later.
    pub newest_epoch: Option<i64>,
}

/// Builds the block for a session.
///
/// # Errors
/// An error of the store.
pub fn build(conn: &Connection, query: &Query) -> store::Result<Block> {
    let branches = Branches::new(query.repository);
    let screens = Screens::load(conn)?;
    let select = |n_sessions| -> store::Result<(Selection, Page)> {
        let mut selection = select(conn, query, &branches, &screens, n_sessions)?;
        relate(conn, query, &branches, &screens, &mut selection)?;
        selection.results = results(conn, query, &screens, &selection)?;
        let page = page::fill(&selection, query.max_tokens);
        Ok((selection, page))
    };
    let (mut selection, mut page) = select(FEW_SESSIONS)?;
    // More sessions are read only if these leave room.
    if selection.since.is_some() && !page.is_full(query.max_tokens) {
        (selection, page) = select(MANY_SESSIONS)?;
    }
    for line in page.sections.iter_mut().flat_map(|section| &mut section.lines) {
        line.text = capture::without_secrets(&line.text);
    }
    Ok(Block { text: page.text(), page, newest_epoch: selection.newest_epoch })
}

// Limits on the rows read. They bound the time of a build, however large the store is.
/// Sessions with different requests.
const FEW_SESSIONS: usize = 24;
const MANY_SESSIONS: usize = 40;
const NEWEST: usize = 120;
const OF_USER: usize = 300;
const PINNED: usize = 100;
const USER_SCOPE: usize = 100;
const CHANGED_FILES: usize = 30;
const ABOUT_CHANGED: usize = 100;
const WITHDRAWN: usize = 100;
/// Rows of each section that are told with what came of their turn.
const WITH_RESULT: usize = 8;
/// Rows of each section whose files are compared with the work tree.
const COMPARED: usize = 60;
/// Turns read of each of the newest sessions, and of each other one.
const TURNS_OF_NEWEST: usize = 40;
const TURNS: usize = 12;
const NEWEST_SESSIONS: usize = 3;
/// Sessions of the branch that is checked out.
const OF_BRANCH: usize = 3;

/// A session with what the block says about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    pub session: RollUp,
    pub place: Place,
    /// The user pinned one of its turns.
    pub pinned: bool,
    /// The user called all of its turns stale.
    pub stale: bool,
    /// How many other sessions had an equal or nearly equal request.
    pub n_alike: usize,
}

impl Told {
    /// Whether the user asked for it, and not a program in the user's name. A request that is repeated
    /// and changes no file is a loop.
    fn is_of_person(&self) -> bool {
        let session = &self.session;
        let is_work = !session.files.is_empty() || !session.commits.is_empty();
        session.by_user && self.n_alike < if is_work { choice::OF_PERSON } else { choice::TWICE }
    }
}

/// What a page is filled from.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub rules: Vec<Headline>,
    /// Texts of rules that newer ones replace.
    pub withdrawn: Vec<String>,
    pub open: Vec<Left>,
    /// What was open and is not told any more.
    pub retired: Vec<(Left, Reason)>,
    /// The newest session of the user that did something.
    pub last: Option<Told>,
    /// The other sessions in the order of their lines.
    pub earlier: Vec<Told>,
    /// Memories about the work at hand. The most specific come first.
    pub related: Vec<Related>,
    pub found: Found,
    /// What came of the turns of these rows.
    pub results: Results,
    /// The files of observations.
    pub freshness: Freshness,
    /// The files that most sessions changed, with the number of sessions.
    pub often_changed: Vec<(String, usize)>,
    /// Minutes east of UTC at the newest session's end.
    pub utc_offset: i32,
    /// See [`Block`].
    pub newest_epoch: Option<i64>,
    /// See [`Query`].
    pub native: Rc<Native>,
    /// See [`Choice`].
    since: Option<i64>,
}

impl Selection {
    /// All sessions, the last one first.
    pub fn sessions(&self) -> impl Iterator<Item = &Told> {
        self.last.iter().chain(&self.earlier)
    }
}

/// Adds memories about the work at hand. A conversation that continues has its work before it.
fn relate(
    conn: &Connection,
    query: &Query,
    branches: &Branches,
    screens: &Screens,
    selection: &mut Selection,
) -> store::Result<()> {
    if query.newer_than.is_some() {
        return Ok(());
    }
    let focus = Focus::new(branches.name(), &query.changed_files);
    let last = selection.last.as_ref().and_then(|told| told.session.session_id);
    let mut all = related::about_files(&mut selection.found, &focus, &selection.freshness, last);
    if let Some(since) = selection.since {
        let mut found = related::search(conn, query, selection, &focus, branches, screens, since)?;
        selection.freshness.extend(related::compare_files(conn, query, &mut found)?);
        all.extend(found);
    }
    selection.related = all;
    Ok(())
}

/// What came of the turns of the rows that a block most likely tells.
fn results(
    conn: &Connection,
    query: &Query,
    screens: &Screens,
    selection: &Selection,
) -> store::Result<Results> {
    let Found { discoveries, changes, .. } = &selection.found;
    let related = selection.related.iter().filter_map(|related| match related {
        Related::Row(row) => Some(&**row),
        Related::Turn(_) => None,
    });
    let found = discoveries.iter().take(WITH_RESULT).chain(changes.iter().take(WITH_RESULT));
    let rows: Vec<RowId> = related
        .chain(found)
        .filter(|row| row.has_result())
        .map(|row| RowId::observation(row.id))
        .collect();
    if rows.is_empty() {
        return Ok(Results::default());
    }
    Results::of(conn, &rows, query.project_id, screens, None)
}

/// Selects what a block tells, without what is related to the work at hand, from at most `n_sessions`
/// sessions with different requests.
fn select(
    conn: &Connection,
    query: &Query,
    branches: &Branches,
    screens: &Screens,
    n_sessions: usize,
) -> rusqlite::Result<Selection> {
    let mut headlines = candidates(conn, query)?;
    let mut choice = match query.project_id {
        Some(id) => choice::sessions(conn, id, n_sessions, &query.not_sessions, query.newer_than)?,
        None => Choice::default(),
    };
    choice.add(&pinned_sessions(conn, query)?);
    choice.add(&sessions_of_branch(conn, query, branches)?);
    let of_project = headlines.iter().filter(|h| h.project_id == query.project_id);
    let newest_created = of_project.map(|h| h.created_at_epoch).max().max(choice.newest_created);
    let newest_created = newest_created.or(headlines.iter().map(|h| h.created_at_epoch).max());
    let newest_created = newest_created.unwrap_or_default();
    if let Some(epoch) = query.newer_than {
        headlines.retain(|h| h.changed_at_epoch > epoch);
    }
    let newest_epoch =
        headlines.iter().map(|h| h.changed_at_epoch).max().max(choice.newest_changed);
    headlines.retain(|h| h.expires_at_epoch.is_none_or(|at| at > newest_created.max(query.now)));
    screen::headlines(&mut headlines, screens.unscreened);
    headlines.retain(|h| !screens.rejected.has(&h.title));

    let mut told = load(conn, query, &choice.sessions, screens, branches)?;
    // A replayed transcript has new ids but old times.
    told.sort_by_key(|told| Reverse((told.session.ended_at_epoch, told.session.id())));
    let withdrawn = match query.project_id {
        Some(id) => links::replaced_titles(conn, id, WITHDRAWN)?,
        None => Vec::new(),
    };
    told.retain_mut(|told| told.session.withdraw(&withdrawn));
    find_overtaken(&mut told);
    let here: Vec<&RollUp> =
        told.iter().filter(|t| t.place == Place::Here).map(|told| &told.session).collect();
    let frequencies = frequencies(&told);
    let mut rules = rules::take(&mut headlines, &here);
    let closed = match query.project_id {
        Some(id) if !query.with_closed_steps => ClosedSteps::load(conn, id)?,
        _ => ClosedSteps::default(),
    };
    let Ends { left: open, retired } = retire::ends(&here, &frequencies, &closed);
    let often_changed = often_changed(&here);
    let utc_offset = told.first().map_or(0, |told| told.session.utc_offset);
    let focus = Focus::new(branches.name(), &query.changed_files);
    // Work of other branches comes last. Of a row, it is not known whether its work is committed.
    let elsewhere: BTreeSet<(i64, &str)> = told
        .iter()
        .filter(|told| told.place != Place::Here)
        .filter_map(|told| Some((told.session.session_id?, told.session.branch()?)))
        .collect();
    headlines.retain(|h| {
        let head = h.head.as_ref();
        let branch = h.session_id.zip(head.map(|head| head.branch.as_str()));
        branches.place(head, h.created_at_epoch) == Place::Here
            && branch.is_none_or(|branch| !elsewhere.contains(&branch))
    });
    let mut found = found::order(headlines, &focus, newest_created);
    let freshness = freshness(conn, query, &rules, &found)?;
    rules.sort_by_key(|rule| (!rule.pinned, freshness.is_gone(rule.id)));
    for rows in [&mut found.discoveries, &mut found.changes] {
        rows.sort_by_key(|row| freshness.is_gone(row.id));
    }
    let mut last = last(&mut told);
    find_lost(conn, query, last.as_mut(), &mut told)?;
    // Stable: within each of these classes, newest first.
    told.sort_by_key(|told| {
        let session = &told.session;
        let is_idle = session.tool_uses == 0 && !session.has_change();
        let is_told_first = told.pinned && !told.stale;
        let is_of_branch = branches.is_topic() && session.branch() == branches.name();
        let is_elsewhere = told.place == Place::Gone;
        (!is_told_first, told.stale, is_elsewhere, !is_of_branch, !told.is_of_person(), is_idle)
    });
    Ok(Selection {
        rules,
        withdrawn,
        open,
        retired,
        last,
        earlier: told,
        related: Vec::new(),
        found,
        results: Results::default(),
        freshness,
        often_changed,
        utc_offset,
        newest_epoch,
        native: query.native.clone(),
        since: choice.since,
    })
}

/// Notes which sessions have files that later ones changed again. `told` is newest first.
fn find_overtaken(told: &mut [Told]) {
    let mut later: BTreeSet<String> = BTreeSet::new();
    for told in told.iter_mut().filter(|told| told.place == Place::Here) {
        let session = &mut told.session;
        session.overtaken = session.files.iter().any(|file| later.contains(&file.path));
        later.extend(session.files.iter().map(|file| file.path.clone()));
    }
}

/// What is removed from stored turns.
struct Screens {
    unscreened: Unscreened,
    rejected: Rejected,
    /// The turns that were compared with others.
    readings: RefCell<Readings>,
}

impl Screens {
    fn load(conn: &Connection) -> rusqlite::Result<Screens> {
        Ok(Screens {
            unscreened: observations::unscreened(conn)?,
            rejected: Rejected::load(conn)?,
            readings: RefCell::default(),
        })
    }
}

/// Notes which of the files that a block may tell are moved or gone. A later session usually changes a file,
/// so that says little. The work tree does not have the files of another branch.
fn find_lost(
    conn: &Connection,
    query: &Query,
    last: Option<&mut Told>,
    earlier: &mut [Told],
) -> rusqlite::Result<()> {
    let Some(root) = query.root else { return Ok(()) };
    let is_here = |told: &&mut Told| told.place == Place::Here;
    let last = last.into_iter().filter(is_here).map(|told| (&mut told.session, last::MAX_FILES));
    let earlier = earlier.iter_mut().filter(is_here);
    let earlier = earlier.map(|told| (&mut told.session, earlier::MAX_FILES));
    let mut told: Vec<(&mut RollUp, usize)> = last.chain(earlier).collect();
    let wanted = told.iter().filter_map(|(session, max)| {
        let paths = session.files.iter().take(*max).map(|file| file.path.as_str());
        Some((session.session_id?, paths.collect()))
    });
    let wanted: Vec<(i64, Vec<&str>)> = wanted.collect();
    let freshness = freshness::of_sessions(conn, root, query.repository, &wanted)?;
    for (session, _) in &mut told {
        let files = session.session_id.map_or(&[][..], |id| freshness.of(id));
        let lost = files.iter().filter(|(_, s)| matches!(s, FileState::Moved(_) | FileState::Gone));
        session.lost = lost.cloned().collect();
    }
    Ok(())
}

/// The files of the rows that may be told.
fn freshness(
    conn: &Connection,
    query: &Query,
    rules: &[Headline],
    found: &Found,
) -> rusqlite::Result<Freshness> {
    let Some(root) = query.root else { return Ok(Freshness::default()) };
    let lists = [rules, &found.discoveries, &found.changes];
    let ids: Vec<i64> =
        lists.iter().flat_map(|rows| rows.iter().take(COMPARED)).map(|row| row.id).collect();
    freshness::of_rows(conn, root, query.repository, &ids)
}

/// Reads the turns of the chosen sessions and folds them. Leaves out sessions that say nothing.
fn load(
    conn: &Connection,
    query: &Query,
    chosen: &[Chosen],
    screens: &Screens,
    branches: &Branches,
) -> rusqlite::Result<Vec<Told>> {
    let mut read: Vec<Read> = Vec::new();
    for (at, chosen) in chosen.iter().enumerate() {
        let limit = if at < NEWEST_SESSIONS { TURNS_OF_NEWEST } else { TURNS };
        let mut rows: Vec<SummaryRow> = match chosen.key {
            Key::Session(id) => {
                summaries::of_session_for_context(conn, id, query.project_id, limit)?
            }
            Key::Row(id) => summaries::by_id(conn, id)?.into_iter().collect(),
        };
        if let Some(epoch) = query.newer_than {
            rows.retain(|row| row.changed_at_epoch > epoch);
        }
        rows.retain(|row| row.marks.is_told());
        let pinned = rows.iter().any(|row| row.marks.pinned);
        let stale = rows.iter().all(|row| row.marks.is_stale());
        // A session that is not stale as a whole is told without its stale turns.
        rows.retain(|row| stale || !row.marks.is_stale());
        screen::summaries(&mut rows, screens.unscreened);
        let mut turns: Vec<StoredTurn> = rows.into_iter().map(StoredTurn::of_row).collect();
        turns.iter_mut().for_each(|stored| screen::turn(&mut stored.turn, &screens.rejected));
        read.push(Read { n_alike: chosen.n_alike, turns, pinned, stale });
    }
    let compared = read.iter_mut().flat_map(|one| one.compared(branches)).collect();
    outdated::withdraw(compared, &screens.readings);
    let mut told: Vec<Told> = Vec::new();
    // Sessions of the user on this branch.
    let mut n_of_user = 0;
    for Read { n_alike, turns, pinned, stale } in read {
        let session = match n_of_user < retire::SESSIONS {
            true => RollUp::fold(&turns),
            false => RollUp::fold_past(&turns),
        };
        let is_told =
            !session.title.is_empty() && session.has_content() && !choice::is_tiny(&session);
        if is_told && !choice::is_call_of_program(&session, n_alike) {
            let place = branches.place_of(&turns);
            n_of_user += usize::from(session.by_user && place == Place::Here);
            told.push(Told { session, place, pinned, stale, n_alike });
        }
    }
    Ok(told)
}

/// The turns of a session that may be told.
struct Read {
    n_alike: usize,
    /// Oldest first.
    turns: Vec<StoredTurn>,
    pinned: bool,
    stale: bool,
}

impl Read {
    fn compared(&mut self, branches: &Branches) -> Vec<Compared<'_>> {
        let is_here = branches.place_of(&self.turns) == Place::Here;
        self.turns.iter_mut().map(|stored| Compared { stored, is_here }).collect()
    }
}

/// Takes the newest session of the user on this branch that did something, else the newest that said
/// something.
fn last(told: &mut Vec<Told>) -> Option<Told> {
    let leads = |told: &Told| told.session.by_user && told.place == Place::Here && !told.stale;
    let works = |told: &Told| told.session.tool_uses > 0 || told.session.has_change();
    let of_person = |told: &Told| leads(told) && told.is_of_person();
    let at = told.iter().position(|t| of_person(t) && works(t));
    let at = at.or(told.iter().position(of_person)).or(told.iter().position(leads))?;
    Some(told.remove(at))
}

/// The sessions with a pinned turn that the block may tell.
fn pinned_sessions(conn: &Connection, query: &Query) -> rusqlite::Result<Vec<i64>> {
    let Some(project) = query.project_id else { return Ok(Vec::new()) };
    let mut sessions = marks::pinned_sessions(conn, project)?;
    sessions.retain(|session| !query.not_sessions.contains(session));
    Ok(sessions)
}

/// The newest sessions of the branch that is checked out, however old they are.
fn sessions_of_branch(
    conn: &Connection,
    query: &Query,
    branches: &Branches,
) -> rusqlite::Result<Vec<i64>> {
    let (Some(project), Some(branch)) = (query.project_id, branches.name()) else {
        return Ok(Vec::new());
    };
    let mut sessions = observations::sessions_of_branch(conn, project, branch, OF_BRANCH)?;
    sessions.retain(|session| !query.not_sessions.contains(session));
    Ok(sessions)
}

fn frequencies(told: &[Told]) -> Frequencies {
    let mut frequencies = Frequencies::default();
    for session in told.iter().map(|told| &told.session) {
        let asks = session.asks.iter().map(|ask| ask.text.as_str());
        let subjects = session.commits.iter().map(|commit| commit.subject.as_str());
        asks.chain(subjects).for_each(|text| frequencies.add(&WordSet::stems(text)));
    }
    frequencies
}

/// At most six files that at least two sessions changed.
fn often_changed(sessions: &[&RollUp]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in sessions.iter().flat_map(|session| &session.files) {
        *counts.entry(&file.path).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().filter(|(_, n)| *n >= 2).collect();
    counts.sort_by_key(|(path, n)| (Reverse(*n), *path));
    counts.into_iter().take(6).map(|(path, n)| (path.to_owned(), n)).collect()
}

/// Observations of scope `user`, and the project's newest ones, those in the user's words, pinned ones
/// and those about changed files. Sorted by id, without duplicates.
fn candidates(conn: &Connection, query: &Query) -> rusqlite::Result<Vec<Headline>> {
    let excluded = &query.not_sessions;
    let mut found = observations::user_for_context(conn, excluded, USER_SCOPE)?;
    if let Some(id) = query.project_id {
        found.extend(observations::newest_for_context(conn, id, excluded, NEWEST)?);
        found.extend(observations::said_by_user_for_context(conn, id, excluded, OF_USER)?);
        found.extend(observations::pinned_for_context(conn, id, excluded, PINNED)?);
        let known: BTreeSet<i64> = found.iter().map(|h| h.id).collect();
        let changed: BTreeSet<&str> = query.changed_files.iter().map(String::as_str).collect();
        let changed: Vec<&str> = changed.into_iter().take(CHANGED_FILES).collect();
        let mut about = observations::mentioning(conn, &changed)?;
        about.retain(|id| !known.contains(id));
        found.extend(observations::for_context_among(conn, id, &about, excluded, ABOUT_CHANGED)?);
    }
    let by_id: BTreeMap<i64, Headline> = found.into_iter().map(|h| (h.id, h)).collect();
    Ok(by_id.into_values().collect())
}

#[cfg(test)]
mod tests;
