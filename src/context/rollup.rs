//! Folds the turns of a session into one record: what was asked, what tools prove, and what is left
//! when the session ends.

use std::collections::BTreeMap;

use super::blocks;
use super::deeds::{Deeds, has_share};
use super::open::{self, Open};
use super::similarity::{WordSet, sentences};
use super::stored_turn::{StoredTurn, covers, is_informative, is_small_talk, names_something};
use crate::activity::line_prints;
use crate::git::FileState;
use crate::memory::{
    Block, BlockKind, Change, CheckRun, Claim, CommitMade, Effect, Ending, FileChange, Head,
    Outcome, Sender, Turn,
};

/// A session in one record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RollUp {
    pub session_id: Option<i64>,
    /// Ids of the summaries, oldest first.
    pub ids: Vec<i64>,
    /// The session can be understood by this line alone. Empty: the session is not told.
    pub title: String,
    /// Id of the summary of the request that is the title.
    pub title_id: Option<i64>,
    /// The user typed one of the prompts.
    pub by_user: bool,
    /// The first request, if it reports that something is done which was left to the user.
    pub report: Option<String>,
    /// The user's informative requests, oldest first.
    pub asks: Vec<Said>,
    pub commits: Vec<CommitMade>,
    /// Ids of the summaries of the turns that made them, if they have the work of these turns.
    pub committed: Vec<Option<i64>>,
    /// Files that differ from the beginning of the session, without scratch files.
    pub files: Vec<FileChange>,
    /// Those of them that are at another path now, or gone.
    pub lost: BTreeMap<String, FileState>,
    /// A later session changed some of the files again. What was said of them may no longer be so.
    pub overtaken: bool,
    pub effects: Vec<Effect>,
    /// The last run of each check.
    pub checks: Vec<CheckRun>,
    pub gotchas: Vec<Gotcha>,
    /// What the last turn that did something says about it, and the id of its summary.
    pub done: Vec<Block>,
    pub done_id: Option<i64>,
    /// Claims about `done` that the evidence does not bear out.
    pub claims: Vec<Claim>,
    /// What earlier turns said about their work, oldest first. Not if later turns replaced all the lines that
    /// it wrote: it may no longer be so.
    pub done_before: Vec<Vec<Block>>,
    pub answers: Vec<Answered>,
    /// What is left when the session ends.
    pub open: Vec<Open>,
    /// What each turn did.
    pub deeds: Vec<Deeds>,
    pub head: Option<Head>,
    /// Milliseconds since the epoch.
    pub ended_at_epoch: i64,
    /// Minutes east of UTC at the end.
    pub utc_offset: i32,
    pub n_turns: usize,
    pub tool_uses: u32,
    pub provisional: bool,
    pub ending: Ending,
    pub error_codes: Vec<String>,
}

/// A text and the summary that it comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub id: i64,
    pub text: String,
}

/// A failure, its cause, and what was done about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gotcha {
    pub id: i64,
    pub failure: String,
    pub cause: Vec<Block>,
    /// A commit's subject, else the first line about what was done. Empty if nothing was.
    pub fix: String,
}

/// A question of the user with its answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answered {
    pub id: i64,
    pub question: String,
    pub answer: Vec<Block>,
    /// Files that were read for it.
    pub read: Vec<String>,
}

impl Answered {
    /// Whether the answer still holds after a later turn that changes something. It does not if the turn changes
    /// a file that the answer is about, or does what it says; of a list, only the items about the file do not hold.
    /// The next turn may accept or deny the answer: then it needs a subject of its own. Only lasting lines stay.
    fn outlasts(&mut self, later: &StoredTurn, is_next: bool) -> bool {
        // A turn with this percentage of the answer's words does what it says.
        const SAME: usize = 30;
        // With more words of the exchange, the next turn is about the same.
        const BY_ACCIDENT: usize = 1;
        let turn = &later.turn;
        let replies = turn.continues || turn.complains || !turn.re.is_empty();
        if is_next && (replies || !WordSet::has_words(&turn.request, 3)) {
            return false;
        }
        self.answer = blocks::lasting(&self.answer);
        let changed = || turn.evidence.files.iter().filter(|file| !file.scratch);
        let names = |text: &str, file: &FileChange| {
            text.contains(file.path.rsplit('/').next().unwrap_or_default())
        };
        for block in self.answer.iter_mut().filter(|block| block.kind != BlockKind::Paragraph) {
            block.lines.retain(|line| !changed().any(|file| names(line, file)));
        }
        self.answer.retain(|block| !block.lines.is_empty());
        let lines: Vec<&str> =
            self.answer.iter().flat_map(|block| &block.lines).map(String::as_str).collect();
        let text = lines.join("\n");
        let is_about = |file: &FileChange| self.read.contains(&file.path) || names(&text, file);
        let words = WordSet::stems(&text);
        let mut exchange = WordSet::stems(&self.question);
        exchange.extend(&words);
        let does = |deeds: &Deeds| {
            has_share(words.common(deeds.words()), &words, SAME)
                || is_next && exchange.common(deeds.words()) > BY_ACCIDENT
        };
        !text.is_empty() && !changed().any(is_about) && !later.deeds().is_some_and(does)
    }
}

impl RollUp {
    /// Removes statements that do not hold any more from what the user asked for. Returns `false` if nothing
    /// is left to tell.
    pub fn withdraw(&mut self, statements: &[String]) -> bool {
        // `Rules:` alone introduces nothing.
        const MIN_WORDS: usize = 2;
        let quotes = |text: &str| statements.iter().any(|s| text.contains(s.as_str()));
        let without = |text: &str| {
            let rest = statements.iter().fold(text.to_owned(), |text, s| text.replace(s, ""));
            let rest = rest.trim_matches(|c: char| !c.is_alphanumeric() && c != '`').to_owned();
            if crate::text::words(&rest).count() < MIN_WORDS { String::new() } else { rest }
        };
        self.asks.retain_mut(|ask| {
            let is_quoting = quotes(&ask.text);
            if is_quoting {
                ask.text = without(&ask.text);
            }
            !is_quoting || !ask.text.is_empty()
        });
        self.answers.retain(|answered| !quotes(&answered.question));
        if quotes(&self.title) {
            let rest = without(&self.title);
            if rest.is_empty() && !self.has_change() {
                return false;
            }
            if !rest.is_empty() {
                self.title = rest;
            }
        }
        true
    }

    /// Folds the turns of one session, oldest first.
    pub fn fold(turns: &[StoredTurn]) -> RollUp {
        let mut all = RollUp::fold_past(turns);
        all.done_before = done_before(turns);
        all.open = open::at_end(turns, &all.checks);
        all.deeds = turns.iter().filter_map(StoredTurn::deeds).cloned().collect();
        all
    }

    /// Folds the turns of a session that ended so long ago that what it left open is history: without
    /// `open`, `deeds` and `done_before`.
    pub fn fold_past(turns: &[StoredTurn]) -> RollUp {
        let mut all = RollUp::default();
        for (at, stored) in turns.iter().enumerate() {
            all.add(stored, &turns[..=at]);
        }
        (all.title, all.title_id) = title(turns, &all.commits);
        // What held when that turn ended may not hold after the next.
        if turns
            .last()
            .is_some_and(|stored| stored.turn.done.is_empty() && !is_small_talk(&stored.turn))
        {
            all.done = blocks::lasting(&all.done);
        }
        all.session_id = turns.first().and_then(|first| first.session_id);
        all.n_turns = turns.len();
        all
    }

    /// Adds a turn. `turns` are those of the session up to it.
    fn add(&mut self, stored: &StoredTurn, turns: &[StoredTurn]) {
        let (id, turn) = (stored.id, &stored.turn);
        let evidence = &turn.evidence;
        self.ids.push(id);
        self.by_user |= turn.sender == Sender::User && !turn.request.trim().is_empty();
        let is_talk = !turn.answer.is_empty() && is_small_talk(turn);
        let asks = turn.sender == Sender::User && !turn.continues && is_informative(&turn.request);
        // A complaint tells how it was then.
        if asks
            && !is_talk
            && !turn.complains
            && !self.asks.iter().any(|ask| ask.text == turn.request)
        {
            self.asks.push(Said { id, text: turn.request.clone() });
        }
        for commit in &evidence.commits {
            if commit.amends {
                self.commits.pop();
            }
            // A turn that only commits has the work of earlier turns.
            let has_work = evidence.files.iter().any(|file| !file.scratch);
            self.committed.push(has_work.then_some(id));
            if !self.commits.iter().any(|known| known.hash == commit.hash) {
                self.commits.push(commit.clone());
            }
        }
        evidence.files.iter().for_each(|file| add_file(&mut self.files, file));
        evidence.effects.iter().for_each(|effect| add_effect(&mut self.effects, effect));
        if evidence.files.iter().any(|file| !file.scratch) {
            self.checks.iter_mut().for_each(|check| check.edited_since = true);
        }
        evidence.checks.iter().for_each(|check| add_check(&mut self.checks, check));
        let before = turns.iter().rev().nth(1).map(|before| before.id);
        if refutes(turn) {
            self.gotchas.retain(|gotcha| Some(gotcha.id) != before);
        }
        if self.ids.len() == 1 && turn.did {
            self.report = Some(turn.request.clone());
        }
        if !turn.cause.is_empty() {
            self.gotchas.push(gotcha(stored, self.asks.last()));
        }
        if !turn.done.is_empty() {
            self.done.clone_from(&turn.done);
            self.done_id = Some(id);
            self.claims.clone_from(&turn.claims);
        }
        if evidence.has_change() {
            self.answers
                .retain_mut(|answered| answered.outlasts(stored, Some(answered.id) == before));
        }
        if !turn.answer.is_empty() && is_informative(&turn.request) && self.is_answer(turn, turns) {
            let (question, answer) = (turn.request.clone(), turn.answer.clone());
            self.answers.push(Answered { id, question, answer, read: evidence.read.clone() });
        }
        self.head = turn.head.clone().or(self.head.take());
        self.ended_at_epoch = self.ended_at_epoch.max(stored.created_at_epoch);
        self.utc_offset = turn.utc_offset;
        self.tool_uses += evidence.tool_uses;
        self.provisional = stored.provisional;
        self.ending = turn.ending;
        self.error_codes.clone_from(&turn.error_codes);
    }

    /// Whether the turn's answer says something that the session has not said. After work, without a tool
    /// use and a question, it may be a goodbye, or a report of the day's work.
    fn is_answer(&self, turn: &Turn, turns: &[StoredTurn]) -> bool {
        let lines: Vec<&str> =
            turn.answer.iter().flat_map(|block| &block.lines).map(String::as_str).collect();
        let is_question = turn.request.contains(['?', '？', '؟']);
        if turn.evidence.tool_uses > 0 || is_question || !self.has_change() {
            return !lines.is_empty() && !is_small_talk(turn);
        }
        let is_short = lines.iter().map(|line| line.chars().count()).sum::<usize>() < 160;
        let words = WordSet::stems(&lines.join(" "));
        let mut said = WordSet::default();
        let before = &turns[..turns.len() - 1];
        before.iter().filter_map(StoredTurn::deeds).for_each(|deeds| said.extend(deeds.words()));
        let is_report = self.has_change() && words.common(&said) * 10 >= words.len() * 4;
        let names = lines.iter().any(|line| names_something(line));
        !lines.is_empty() && (!is_short || names) && !is_report
    }

    /// Something was changed: files, commits, effects, or an older release says so.
    pub fn has_change(&self) -> bool {
        !self.files.is_empty()
            || !self.commits.is_empty()
            || !self.effects.is_empty()
            || !self.done.is_empty()
    }

    /// Whether there is anything to tell besides the title.
    pub fn has_content(&self) -> bool {
        self.has_change()
            || !self.answers.is_empty()
            || !self.gotchas.is_empty()
            || !self.open.is_empty()
    }

    /// The branch on which it ended.
    pub fn branch(&self) -> Option<&str> {
        self.head.as_ref().map(|head| head.branch.as_str()).filter(|branch| !branch.is_empty())
    }

    /// The request that the turn with this id answers: its own, or the one that it goes on with. `None` if the
    /// title tells it.
    pub fn asked_in(&self, id: i64) -> Option<&Said> {
        let place = |id: i64| self.ids.iter().position(|known| *known == id);
        let (title, at) = (place(self.title_id?)?, place(id)?);
        let of = |ask: &&Said| place(ask.id).is_some_and(|asked| asked > title && asked <= at);
        self.asks.iter().rev().find(of)
    }

    /// Ids of the summaries of the turns that a line about the session tells. `None` if that is not known.
    pub fn told_turns(&self) -> Option<Vec<i64>> {
        let result = self.gotchas.last().map(|gotcha| gotcha.id);
        let result = result.or(self.committed.last().copied().flatten()).or(self.done_id);
        let result = result.or(self.answers.last().map(|answered| answered.id));
        Some([self.title_id, result].into_iter().flatten().collect())
            .filter(|_| self.title_id.is_some())
    }

    /// Id of the summary of the turn whose result a line about the session tells. A session that receives the
    /// line has received nothing of the other turns.
    pub fn result_id(&self) -> i64 {
        let told = self.told_turns().unwrap_or_default();
        told.last().copied().unwrap_or_else(|| self.id())
    }

    /// Id of the newest summary.
    pub fn id(&self) -> i64 {
        self.ids.last().copied().unwrap_or_default()
    }
}

/// See [`RollUp::done_before`].
fn done_before(turns: &[StoredTurn]) -> Vec<Vec<Block>> {
    fn files(stored: &StoredTurn) -> impl Iterator<Item = &FileChange> {
        stored.turn.evidence.files.iter().filter(|file| !file.scratch)
    }
    let last = turns.iter().rposition(|stored| !stored.turn.done.is_empty()).unwrap_or(0);
    let mut before = Vec::new();
    for (at, stored) in turns[..last.min(turns.len())].iter().enumerate() {
        let done = blocks::lasting(&stored.turn.done);
        let later: Vec<&FileChange> = turns[at + 1..].iter().flat_map(files).collect();
        let is_stale =
            files(stored).next().is_some() && files(stored).all(|file| is_replaced(file, &later));
        // The user, who came back, says that it is not so.
        let is_refuted = turns.get(at + 1).is_some_and(|next| refutes(&next.turn));
        // What was only measured or run may be different now.
        let has_work = files(stored).next().is_some() || !stored.turn.evidence.commits.is_empty();
        let is_told = !done.is_empty() && has_work && !is_stale && !is_refuted;
        before.extend(is_told.then_some(done));
    }
    before
}

/// Whether the user says that what the turn before told is not so.
fn refutes(turn: &Turn) -> bool {
    turn.complains || turn.denies
}

/// Whether later changes leave nothing of what a turn wrote into a file. If its lines are not known, each
/// later change counts.
pub fn is_replaced(file: &FileChange, later: &[&FileChange]) -> bool {
    let mut later = later.iter().filter(|change| change.path == file.path).peekable();
    if file.added.is_empty() || later.peek().is_none() {
        return later.peek().is_some();
    }
    let mut left = file.added.clone();
    for change in later {
        if change.change == Change::Removed {
            return true;
        }
        left = line_prints::without(&left, &change.replaced);
    }
    left.is_empty()
}

/// The first informative request with the id of its summary, else a title that the turn's rules made, else a
/// commit's subject.
fn title(turns: &[StoredTurn], commits: &[CommitMade]) -> (String, Option<i64>) {
    let by_user = || turns.iter().filter(|stored| stored.turn.sender == Sender::User);
    let asks = |turn: &Turn| !turn.continues && is_informative(&turn.request);
    if let Some(first) = by_user().find(|stored| asks(&stored.turn)) {
        return (first.turn.request.clone(), Some(first.id));
    }
    let title = || by_user().map(|t| &t.turn.title).find(|title| !title.is_empty()).cloned();
    let subject = || commits.iter().map(|c| &c.subject).find(|s| !s.is_empty()).cloned();
    let any_request = || by_user().map(|t| &t.turn.request).find(|r| !r.trim().is_empty()).cloned();
    let of_others = || turns.iter().map(|t| &t.turn.title).find(|t| !t.is_empty()).cloned();
    let text = title().or_else(subject).or_else(any_request).or_else(of_others);
    (text.unwrap_or_default(), None)
}

/// Adds a change of a later turn. Files that were created and removed leave nothing.
fn add_file(files: &mut Vec<FileChange>, new: &FileChange) {
    if new.scratch {
        files.retain(|file| file.path != new.path);
        return;
    }
    let mut former = |path: &str| {
        let at = files.iter().position(|file| file.path == path)?;
        Some(files.remove(at))
    };
    let before = former(&new.path);
    let moved = new.from.as_deref().and_then(former);
    let was_created =
        [&before, &moved].into_iter().flatten().any(|file| file.change == Change::Created);
    let change = match new.change {
        Change::Removed if was_created => return,
        Change::Edited | Change::Moved if was_created => Change::Created,
        Change::Created if before.is_some_and(|file| file.change == Change::Removed) => {
            Change::Edited
        }
        change => change,
    };
    files.push(FileChange { change, ..new.clone() });
}

fn add_effect(effects: &mut Vec<Effect>, new: &Effect) {
    match effects.iter_mut().find(|effect| effect.text == new.text) {
        Some(known) => known.count += new.count.max(1),
        None => effects.push(new.clone()),
    }
}

/// Adds the state of a check after a later turn. A pass covers earlier failures.
fn add_check(checks: &mut Vec<CheckRun>, new: &CheckRun) {
    let failed_before =
        checks.iter().any(|old| old.key == new.key && old.outcome == Outcome::Fail && !old.covered);
    for old in checks.iter_mut() {
        old.covered |= covers(new, old);
    }
    // A run with an unknown outcome tells nothing about the last known one.
    if new.outcome == Outcome::Unknown {
        return;
    }
    checks.retain(|old| old.key != new.key || old.arguments != new.arguments);
    let fixed = new.fixed || (failed_before && new.outcome == Outcome::Pass);
    checks.push(CheckRun { fixed, ..new.clone() });
}

fn gotcha(stored: &StoredTurn, ask: Option<&Said>) -> Gotcha {
    let turn = &stored.turn;
    let failure = match &turn.evidence.failed_before_edit {
        _ if is_informative(&turn.request) => turn.request.clone(),
        Some(check) => format!("`{check}` failed"),
        None => ask.map_or_else(|| turn.title.clone(), |ask| ask.text.clone()),
    };
    let subject = turn.evidence.commits.iter().map(|c| c.subject.as_str()).find(|s| !s.is_empty());
    let done = || {
        let line = blocks::lasting(&turn.done).into_iter().flat_map(|block| block.lines).next()?;
        sentences(&line).first().map(|sentence| (*sentence).to_owned())
    };
    let fix = subject.map(str::to_owned).or_else(done).unwrap_or_default();
    Gotcha { id: stored.id, failure, cause: turn.cause.clone(), fix }
}

#[cfg(test)]
#[path = "rollup_tests.rs"]
mod tests;
