//! What a session leaves open at its end.

use super::deeds::{self, Aim, Deeds};
use super::similarity::WordSet;
use super::stored_turn::{StoredTurn, is_informative, is_small_talk, names_something};
use crate::memory::{
    Blocker, BlockerKind, CheckRun, ClaimKind, Ending, Outcome, Question, Sender, StepKind,
    TaskState, Turn,
};

/// Something that a session leaves open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Open {
    /// See [`Step::said`](crate::memory::Step::said).
    pub said: bool,
    /// Id of the summary that tells it.
    pub id: i64,
    pub kind: OpenKind,
    pub text: String,
    /// When the turn ended: milliseconds since the epoch, and minutes east of UTC.
    pub at_epoch: i64,
    pub utc_offset: i32,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum OpenKind {
    /// The last run of this check failed.
    Failing(Box<CheckRun>),
    Blocked,
    /// The user reported that it still fails, and nothing was done after that.
    Complaint,
    /// The session ended in the midst of a turn.
    Unfinished,
    /// A question that nobody answered.
    Asked,
    #[default]
    Stated,
    Task,
    ForUser,
}

impl OpenKind {
    /// Something to do that somebody named.
    pub fn is_step(&self) -> bool {
        matches!(self, OpenKind::Stated | OpenKind::Task | OpenKind::ForUser)
    }
}

/// What is open after the last turn. `checks` is the last run of each check in the session.
pub fn at_end(turns: &[StoredTurn], checks: &[CheckRun]) -> Vec<Open> {
    let last_said = turns.iter().rposition(|stored| says_anything(&stored.turn)).unwrap_or(0);
    let mut open = Vec::new();
    for check in checks.iter().filter(|c| c.outcome == Outcome::Fail && !c.covered) {
        let ran = turns.iter().rposition(|stored| has_run(&stored.turn, check));
        let Some(at) = ran else { continue };
        if let Some(doubt) = still_fails(&turns[at..], check, at >= last_said) {
            let kind = OpenKind::Failing(Box::new(check.clone()));
            open.push(turns[at].open(kind, format!("{}{doubt}", failure(check))));
        }
    }
    for stored in turns.iter().skip(last_said) {
        let turn = &stored.turn;
        let confirmed = turn.confirmed_blockers.iter();
        let blockers = confirmed.filter_map(|at| turn.evidence.blockers.get(*at));
        open.extend(blockers.map(|blocker| stored.open(OpenKind::Blocked, blocked(blocker))));
    }
    open.extend(complaint(turns).or_else(|| unfinished(turns)));
    open.extend(question(turns));
    let steps = steps(turns);
    let tasks = earlier_tasks(turns, &steps);
    open.extend(steps.into_iter().chain(tasks));
    open
}

/// The last question, if the user does not answer it, or puts that off. `How can I help?` after a
/// greeting is none.
fn question(turns: &[StoredTurn]) -> Option<Open> {
    let at = turns.iter().rposition(|stored| stored.turn.asked.is_some())?;
    let stored = &turns[at];
    let answers =
        |turn: &Turn| turn.sender == Sender::User && (!turn.defers || turn.evidence.has_change());
    let is_answered = turns[at + 1..].iter().any(|stored| answers(&stored.turn));
    let asks = stored.turn.asked.as_ref().filter(|_| !is_answered)?;
    // `Go ahead?` says nothing alone.
    let is_empty = !WordSet::has_words(&asks.text, 3) && !names_something(&asks.text);
    let is_greeting = asks.options.is_empty() && (is_small_talk(&stored.turn) || is_empty);
    // After the work that was asked for, an offer of more is courtesy.
    let is_courtesy = asks.is_offer
        && (stored.turn.evidence.has_change() || !asks.text.contains(['?', '？', '؟']));
    (!is_greeting && !is_courtesy).then(|| stored.open(OpenKind::Asked, asked(asks)))
}

/// The steps that are left. A turn that lists steps plans anew. Other turns retire only what they do,
/// under whatever words, or by its number in the list.
fn steps(turns: &[StoredTurn]) -> Vec<Open> {
    let last_tasks = turns.iter().rposition(|stored| !stored.turn.evidence.tasks.is_empty());
    let mut left: Vec<Open> = Vec::new();
    let mut listed: Vec<&str> = Vec::new();
    for (at, stored) in turns.iter().enumerate() {
        let turn = &stored.turn;
        let list: Vec<&str> =
            turn.next.iter().filter(|s| is_listed(s.kind)).map(|s| s.text.as_str()).collect();
        // Nothing is compared before something is left.
        let deeds = if left.is_empty() { None } else { stored.deeds() };
        if let Some(deeds) = deeds {
            let numbers = deeds::numbers(&turn.request);
            let numbered: Vec<&str> =
                numbers.iter().filter_map(|n| listed.get(n - 1).copied()).collect();
            left.retain(|open| {
                !numbered.contains(&open.text.as_str()) && !deeds.does(&Aim::of(&open.text))
            });
            // The turn before waited for the user, who came back or did it.
            if turn.sender == Sender::User {
                let before = at.checked_sub(1).map(|before| &turns[before]);
                let is_done = |open: &Open| {
                    before.is_some_and(|before| {
                        let waited =
                            || open.kind == OpenKind::ForUser && !before.turn.evidence.has_change();
                        before.id == open.id
                            && (turn.did && reports(&turn.request, open) || waited())
                    })
                };
                left.retain(|open| !is_done(open));
            }
        }
        if !list.is_empty() {
            left.retain(|open| open.kind != OpenKind::Stated);
            listed = list;
        }
        for step in &turn.next {
            let kind = match step.kind {
                StepKind::Task if last_tasks.is_some_and(|last| at < last) => continue,
                StepKind::Task => OpenKind::Task,
                StepKind::ForUser => OpenKind::ForUser,
                StepKind::Stated | StepKind::Plan | StepKind::FollowUp => OpenKind::Stated,
            };
            left.retain(|open| open.text != step.text);
            left.push(Open { said: step.said, ..stored.open(kind, step.text.clone()) });
        }
    }
    left
}

/// Whether a user who reports to have done something means this: what was left to them, or a step that the
/// report has a word of.
pub fn reports(request: &str, open: &Open) -> bool {
    open.kind == OpenKind::ForUser
        || WordSet::stems(request).common(&WordSet::stems(&open.text)) > 0
}

fn is_listed(kind: StepKind) -> bool {
    matches!(kind, StepKind::Stated | StepKind::Plan | StepKind::FollowUp)
}

impl StoredTurn {
    fn open(&self, kind: OpenKind, text: String) -> Open {
        let utc_offset = self.turn.utc_offset;
        Open { id: self.id, kind, text, at_epoch: self.created_at_epoch, utc_offset, said: false }
    }
}

fn says_anything(turn: &Turn) -> bool {
    let has_words = [&turn.done, &turn.answer, &turn.cause].into_iter().any(|b| !b.is_empty());
    let has_steps = !turn.next.is_empty() || turn.asked.is_some();
    (has_words || has_steps || turn.evidence.has_change()) && !is_small_talk(turn)
}

fn has_run(turn: &Turn, check: &CheckRun) -> bool {
    let runs = &turn.evidence.checks;
    runs.iter().any(|run| run.key == check.key && run.arguments == check.arguments)
}

/// Whether a failure is open at the end, and what is said against it. `turns` begins with the turn of
/// the run. A failure from before the last plan counts only while no file was changed, or if a pass was
/// claimed. A commit changes no file.
fn still_fails(turns: &[StoredTurn], check: &CheckRun, is_recent: bool) -> Option<&'static str> {
    let claimed = |kind| {
        turns.iter().flat_map(|stored| &stored.turn.claims).any(|claim| {
            claim.kind == kind && (claim.subject.is_empty() || claim.subject == check.key)
        })
    };
    let later = turns.iter().skip(1).flat_map(|stored| &stored.turn.evidence.files);
    let was_edited = later.into_iter().any(|file| !file.scratch);
    if claimed(ClaimKind::FailedCheck) && (is_recent || !was_edited) {
        return Some("; a pass was claimed");
    }
    // Nobody knows: the files were changed, and the run that was claimed was not seen.
    if claimed(ClaimKind::UnprovenPass) && (check.edited_since || was_edited) {
        return None;
    }
    (is_recent || !was_edited).then_some("")
}

/// `` `cargo test` fails: 1 failed, 41 passed (parse_empty) ``.
fn failure(check: &CheckRun) -> String {
    let mut text = format!("`{}` fails", check.key);
    if !check.counts.is_empty() {
        text.push_str(&format!(": {}", check.counts));
    }
    let names: Vec<&str> = check.failing.iter().take(3).map(String::as_str).collect();
    match check.failing.len() - names.len() {
        _ if names.is_empty() => {}
        0 => text.push_str(&format!(" ({})", names.join(", "))),
        more => text.push_str(&format!(" ({} +{more})", names.join(", "))),
    }
    if check.edited_since {
        text.push_str("; files changed since that run");
    }
    text
}

/// Tells a blocker by names only: the words of its output are those of a third party.
fn blocked(blocker: &Blocker) -> String {
    let subject = blocker.subject.as_str();
    if blocker.kind == BlockerKind::Denied
        && !subject.is_empty()
        && !blocker.command.contains(subject)
    {
        return format!("`{}` was refused ({subject})", blocker.command);
    }
    let what = match blocker.kind {
        BlockerKind::Credentials => "needs a password or a login",
        BlockerKind::Missing => "is missing",
        BlockerKind::Service => "does not start or answer",
        BlockerKind::Hook => "was refused by a git hook",
        BlockerKind::Ci => "is red in CI",
        BlockerKind::Denied => "was denied (permission, quota or space)",
        BlockerKind::Other => "did not work",
    };
    match subject {
        "" => format!("`{}` {what}", blocker.command),
        subject if blocker.command.contains(subject) => format!("`{}` {what}", blocker.command),
        subject => format!("`{subject}` {what} (`{}`)", blocker.command),
    }
}

fn asked(question: &Question) -> String {
    match question.options.as_slice() {
        [] => question.text.clone(),
        options => format!("{} ({})", question.text, options.join(" | ")),
    }
}

/// The user's last message, if it reports a failure and nothing was changed or passed after it.
fn complaint(turns: &[StoredTurn]) -> Option<Open> {
    let last = turns.iter().rposition(|stored| {
        let turn = &stored.turn;
        turn.sender == Sender::User && is_informative(&turn.request)
    })?;
    let solved = turns[last..].iter().any(|stored| {
        let evidence = &stored.turn.evidence;
        evidence.has_change() || evidence.checks.iter().any(|c| c.outcome == Outcome::Pass)
    });
    let stored = &turns[last];
    (stored.turn.complains && !solved)
        .then(|| stored.open(OpenKind::Complaint, stored.turn.request.clone()))
}

/// The request of the last turn, if the user or an error ended it before the agent did.
fn unfinished(turns: &[StoredTurn]) -> Option<Open> {
    let stored = turns.last()?;
    let turn = &stored.turn;
    let was_ended = matches!(turn.ending, Ending::Interrupted | Ending::SessionEnd | Ending::Error);
    let is_work = turn.sender == Sender::User
        && is_informative(&turn.request)
        && (turn.evidence.tool_uses > 0 || turn.evidence.has_change());
    (was_ended && is_work && turn.done.is_empty() && turn.answer.is_empty())
        .then(|| stored.open(OpenKind::Unfinished, turn.request.clone()))
}

/// Open items of the client's task list that the turns after it neither name nor do.
fn earlier_tasks(turns: &[StoredTurn], steps: &[Open]) -> Vec<Open> {
    let Some(at) = turns.iter().rposition(|stored| !stored.turn.evidence.tasks.is_empty()) else {
        return Vec::new();
    };
    let later = &turns[at + 1..];
    if later.is_empty() {
        return Vec::new();
    }
    let deeds: Vec<&Deeds> = later.iter().filter_map(StoredTurn::deeds).collect();
    let is_done = |text: &str| deeds.iter().any(|deeds| deeds.does(&Aim::of(text)));
    let is_told = |text: &str| steps.iter().any(|step| step.text == text);
    let is_open = |state| matches!(state, TaskState::Open | TaskState::Started);
    let tasks = turns[at].turn.evidence.tasks.iter().filter(|task| is_open(task.state));
    let open = tasks.filter(|task| !is_told(&task.text) && !is_done(&task.text));
    open.map(|task| turns[at].open(OpenKind::Task, task.text.clone())).collect()
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
