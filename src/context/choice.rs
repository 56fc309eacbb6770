//! Chooses the sessions of a project that can be told, from a few columns of their turns.
//!
//! Programs start sessions too: schedules, loops, triage bots, hooks that ask for a title. There may
//! be hundreds of them for each session of a person. Equal and nearly equal requests are one group,
//! and groups have places of their own, so that they never take those of a person's work.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use rusqlite::Connection;

use super::rollup::RollUp;
use super::similarity::WordSet;
use super::stored_turn::names_something;
use crate::store::summaries::{self, TurnHead};
use crate::text::words;

/// The search ends at this many sessions or turns, whatever was found.
const MOST_SESSIONS: usize = 1_000;
const MOST_TURNS: usize = 4_000;
/// How many groups of equal requests, and how many sessions without a request.
const GROUPS: usize = 6;
/// A session with more requests is no repetition of another one.
const FEW_REQUESTS: usize = 2;
/// A person asks the same thing twice, with different work.
pub const TWICE: usize = 2;
/// Larger groups of requests that differ only in numbers are those of a program.
pub const OF_PERSON: usize = 4;

/// A session, or a row that belongs to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Session(i64),
    Row(i64),
}

/// A session that can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    pub key: Key,
    /// How many other sessions had an equal or nearly equal request.
    pub n_alike: usize,
}

/// The result of [`sessions`].
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Newest first.
    pub sessions: Vec<Chosen>,
    /// The latest `changed_at_epoch` and `created_at_epoch` of the turns that were visited.
    pub newest_changed: Option<i64>,
    pub newest_created: Option<i64>,
    /// When the newest turn of the oldest chosen session was made. `None` if all sessions were visited, or
    /// few of them are different: there are no older ones.
    pub since: Option<i64>,
}

impl Choice {
    /// Adds these sessions, if they are not chosen yet.
    pub fn add(&mut self, sessions: &[i64]) {
        for id in sessions {
            let key = Key::Session(*id);
            if !self.sessions.iter().any(|chosen| chosen.key == key) {
                self.sessions.push(Chosen { key, n_alike: 0 });
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Candidate {
    key: Key,
    /// The earliest request that was visited.
    request: String,
    beginning: OnceCell<String>,
    n_requests: usize,
    has_done: bool,
    has_content: bool,
    tool_uses: u32,
    /// When its newest turn was made.
    at_epoch: i64,
}

/// Chooses sessions of the project, at most `wanted` of them with different requests. Only turns that
/// changed after `newer_than` count.
pub fn sessions(
    conn: &Connection,
    project_id: i64,
    wanted: usize,
    excluded: &[i64],
    newer_than: Option<i64>,
) -> rusqlite::Result<Choice> {
    let mut choice = Choice::default();
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut index: BTreeMap<Key, usize> = BTreeMap::new();
    let (mut n_turns, mut next_check) = (0, 128);
    summaries::visit_heads_for_context(conn, project_id, excluded, |head| {
        n_turns += 1;
        choice.newest_created = choice.newest_created.max(Some(head.created_at_epoch));
        if newer_than.is_none_or(|epoch| head.changed_at_epoch > epoch) {
            choice.newest_changed = choice.newest_changed.max(Some(head.changed_at_epoch));
            let key = head.session_id.map_or(Key::Row(head.id), Key::Session);
            let at = *index.entry(key).or_insert_with(|| {
                candidates
                    .push(Candidate { at_epoch: head.created_at_epoch, ..Candidate::new(key) });
                candidates.len() - 1
            });
            candidates[at].add(head);
        }
        // The check is as dear as the visit of as many turns, so it doubles its distance.
        let is_enough = n_turns == next_check && {
            next_check *= 2;
            choose(&candidates, wanted).1 > wanted
        };
        if is_enough || n_turns == MOST_TURNS || candidates.len() == MOST_SESSIONS {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    let (sessions, n_different) = choose(&candidates, wanted);
    if n_different > wanted {
        let chosen: BTreeSet<Key> = sessions.iter().map(|chosen| chosen.key).collect();
        let chosen = candidates.iter().filter(|candidate| chosen.contains(&candidate.key));
        choice.since = chosen.map(|candidate| candidate.at_epoch).min();
    }
    choice.sessions = sessions;
    Ok(choice)
}

impl Candidate {
    fn new(key: Key) -> Candidate {
        Candidate {
            key,
            request: String::new(),
            beginning: OnceCell::new(),
            n_requests: 0,
            has_done: false,
            has_content: false,
            tool_uses: 0,
            at_epoch: 0,
        }
    }

    /// Adds an earlier turn.
    fn add(&mut self, head: TurnHead) {
        self.has_done |= head.has_done;
        self.has_content |= head.has_done || head.has_answer;
        self.tool_uses += head.tool_uses;
        if head.by_user && !head.request.trim().is_empty() {
            self.n_requests += 1;
            self.request = head.request;
            self.beginning.take();
        }
    }

    /// The [`beginning`] of the request.
    fn beginning(&self) -> &str {
        self.beginning.get_or_init(|| beginning(&self.request))
    }
}

/// The sessions to tell, in the order of `candidates`, and how many have a request of their own. Those are
/// more than the sessions to tell if not all are `wanted`.
fn choose(candidates: &[Candidate], wanted: usize) -> (Vec<Chosen>, usize) {
    let told = || candidates.iter().filter(|candidate| candidate.has_content);
    // Positions by the beginning of the request.
    let mut groups: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
    for candidate in told().filter(|candidate| candidate.n_requests <= FEW_REQUESTS) {
        groups.entry(candidate.beginning()).or_default().push(candidate);
    }
    let mut n_alike: BTreeMap<Key, usize> = BTreeMap::new();
    let mut dropped: BTreeSet<Key> = BTreeSet::new();
    for (beginning, group) in &groups {
        if beginning.is_empty() {
            dropped.extend(group.iter().skip(GROUPS).map(|candidate| candidate.key));
        } else if group.len() > OF_PERSON {
            collapse(group, &mut n_alike, &mut dropped);
        } else if group.len() > TWICE {
            let mut equal: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
            for candidate in group {
                equal.entry(candidate.request.as_str()).or_default().push(candidate);
            }
            let (repeated, others): (Vec<_>, Vec<_>) =
                equal.into_values().partition(|group| group.len() > TWICE);
            repeated.iter().for_each(|group| collapse(group, &mut n_alike, &mut dropped));
            // Only numbers differ. Where something was done, each is work of its own.
            let idle: Vec<&Candidate> = group
                .iter()
                .copied()
                .filter(|c| !c.has_done)
                .filter(|c| others.iter().flatten().any(|other| other.key == c.key))
                .collect();
            if idle.len() > TWICE {
                collapse(&idle, &mut n_alike, &mut dropped);
            }
        }
    }
    let (mut different, mut repeated) = (0, 0);
    let mut sessions = Vec::new();
    for candidate in told().filter(|candidate| !dropped.contains(&candidate.key)) {
        let n_alike = n_alike.get(&candidate.key).copied().unwrap_or_default();
        let is_program = n_alike >= OF_PERSON || candidate.request.is_empty();
        if is_program && candidate.tool_uses == 0 && !candidate.has_done {
            continue;
        }
        let (count, most) =
            if is_program { (&mut repeated, GROUPS) } else { (&mut different, wanted) };
        *count += 1;
        if *count <= most {
            sessions.push(Chosen { key: candidate.key, n_alike });
        }
    }
    (sessions, different)
}

/// Keeps the first of a group, which is the newest.
fn collapse(group: &[&Candidate], n_alike: &mut BTreeMap<Key, usize>, dropped: &mut BTreeSet<Key>) {
    n_alike.insert(group[0].key, group.len() - 1);
    dropped.extend(group[1..].iter().map(|candidate| candidate.key));
}

/// The first eight words without their numbers. A template continues with what it is about; two
/// requests of a person rarely share eight words.
fn beginning(request: &str) -> String {
    let mut text = String::new();
    for word in words(request).take(8) {
        let chars = word.chars().take(24).flat_map(char::to_lowercase);
        let mut last_was_digit = false;
        for c in chars {
            if !(c.is_numeric() && last_was_digit) {
                text.push(if c.is_numeric() { '#' } else { c });
            }
            last_was_digit = c.is_numeric();
        }
        text.push(' ');
    }
    text
}

/// Whether a session is the call of a program that wants a text: without tools or changes, and either
/// made again and again, or one turn whose prompt asks for a title or a summary, or describes a role.
pub fn is_call_of_program(session: &RollUp, n_alike: usize) -> bool {
    if session.tool_uses > 0 || session.has_change() {
        return false;
    }
    let request = session.asks.first().map_or(session.title.as_str(), |ask| ask.text.as_str());
    let request = request.to_lowercase();
    let mut first = words(&request).take(14);
    let verb = first.next().unwrap_or_default();
    let product = |word| {
        let products =
            ["title", "titles", "summary", "headline", "conversation", "transcript", "chat"];
        products.contains(&word)
    };
    let verbs =
        ["summarize", "summarise", "generate", "create", "write", "suggest", "analyze", "given"];
    let asks_for_text = verbs.contains(&verb) && first.any(product);
    let roles = ["you are a ", "you are an ", "your task is ", "your job is "];
    let has_role = roles.iter().any(|role| request.starts_with(role));
    let forms =
        ["respond with only", "reply with only", "return only", "output only", "only output"];
    let has_form = forms.iter().any(|form| request.contains(form));
    // A long text of which a few words are made.
    let answer = session.answers.iter().flat_map(|a| &a.answer).flat_map(|block| &block.lines);
    let length: usize = answer.map(|line| line.chars().count()).sum();
    let makes_title = request.chars().count() >= 240 && length < 100;
    let is_text = asks_for_text || has_role || has_form || makes_title;
    n_alike >= OF_PERSON || (session.n_turns == 1 && is_text && session.open.is_empty())
}

/// Whether a session of a short question or two says too little to be told: next to no tool use, and
/// answers of a few words that name nothing.
pub fn is_tiny(session: &RollUp) -> bool {
    let lines = || session.answers.iter().flat_map(|a| &a.answer).flat_map(|block| &block.lines);
    let max = match session.tool_uses {
        0 => 240,
        1 => 80,
        _ => return false,
    };
    session.n_turns <= 2
        && session.asks.iter().all(|ask| WordSet::words(&ask.text).len() <= 4)
        && !session.has_change()
        && session.gotchas.is_empty()
        && session.open.is_empty()
        && lines().map(|line| line.chars().count()).sum::<usize>() < max
        && !lines().any(|line| names_something(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: i64, request: &str, has_done: bool) -> Candidate {
        let key = Key::Session(id);
        Candidate {
            request: request.into(),
            n_requests: 1,
            has_done,
            has_content: true,
            tool_uses: 3,
            ..Candidate::new(key)
        }
    }

    #[track_caller]
    fn check(candidates: &[Candidate], expected: &[(i64, usize)]) {
        let chosen = choose(candidates, 40).0;
        let found: Vec<_> = chosen
            .iter()
            .map(|chosen| match chosen.key {
                Key::Session(id) | Key::Row(id) => (id, chosen.n_alike),
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn equal_requests_collapse_into_the_newest() {
        let equal = |id| candidate(id, "Update the lock file", true);
        check(
            &[equal(5), candidate(4, "Fix the parser", true), equal(3), equal(2)],
            &[(5, 2), (4, 0)],
        );
    }

    #[test]
    fn equal_requests_collapse_whether_something_was_done_or_not() {
        let poll = |id, has_done| candidate(id, "/poll-inbox", has_done);
        check(&[poll(4, true), poll(3, false), poll(2, true), poll(1, false)], &[(4, 3)]);
    }

    #[test]
    fn a_person_may_ask_the_same_twice() {
        let equal = |id| candidate(id, "make the tests pass", false);
        check(&[equal(2), equal(1)], &[(2, 0), (1, 0)]);
    }

    #[test]
    fn work_on_numbered_tickets_is_told_one_by_one() {
        let ticket = |id: i64| candidate(id, &format!("Fix ticket #{id}"), true);
        check(&[ticket(3), ticket(2), ticket(1)], &[(3, 0), (2, 0), (1, 0)]);
        let triage = |id: i64| candidate(id, &format!("Triage ticket #{id}"), false);
        check(&[triage(13), triage(12), triage(11)], &[(13, 2)]);
    }

    #[test]
    fn programs_take_no_place_of_a_person() {
        let mut all = Vec::new();
        for id in (1..=900).rev() {
            all.push(candidate(id * 10, &format!("Check deployment {id} of the service"), true));
            all.push(candidate(id * 10 + 1, "Summarize this session in a line", false));
        }
        all.push(candidate(7, "Rewrite the importer", true));
        check(&all, &[(9000, 899), (9001, 899), (7, 0)]);
    }

    #[test]
    fn templates_are_recognized_by_their_beginning() {
        let bot = |id: i64, about: &str| {
            candidate(id, &format!("A new issue was opened in our repository today: {about}"), true)
        };
        let about = ["crash", "typo in docs", "slow start", "no icon", "wrong sum"];
        let all: Vec<_> = about.iter().zip(1..).map(|(about, id)| bot(id, about)).collect();
        check(&all, &[(1, 4)]);
        assert_eq!(beginning("Fix #1234 in v2.10"), "fix # in v# # ");
    }

    #[test]
    fn sessions_of_several_requests_do_not_collapse() {
        let long = |id| Candidate { n_requests: 5, ..candidate(id, "Look at the tests", true) };
        check(&[long(2), long(1)], &[(2, 0), (1, 0)]);
    }

    #[test]
    fn a_session_without_content_is_not_told() {
        check(&[Candidate { has_content: false, ..candidate(1, "Fix the parser", false) }], &[]);
    }

    #[test]
    fn a_question_with_a_short_answer_is_tiny() {
        let check = |answer: &str, tool_uses, expected| {
            let lines = vec![answer.to_owned()];
            let answer = vec![crate::memory::Block { lines, ..Default::default() }];
            let answers = vec![super::super::rollup::Answered { answer, ..Default::default() }];
            let session = RollUp { answers, tool_uses, n_turns: 1, ..RollUp::default() };
            assert_eq!(is_tiny(&session), expected, "{session:?}");
        };
        check("It is half past four.", 1, true);
        check("It is set in `clock.rs`.", 1, false);
        check(
            "Locks are taken in the order of their age, as in most databases of that kind.",
            0,
            true,
        );
        check("The third replica lags.", 5, false);
    }

    #[test]
    fn calls_of_programs_are_recognized() {
        let check = |request: &str, tool_uses, expected| {
            let title = request.to_owned();
            let session = RollUp { title, tool_uses, n_turns: 1, ..RollUp::default() };
            assert_eq!(is_call_of_program(&session, 0), expected, "{request}");
        };
        check("Summarize the following conversation in 5 words", 0, true);
        check("Generate a short title for this chat", 0, true);
        check("You are a commit message generator", 0, true);
        check("Generate a Dockerfile for the worker", 0, false);
        check("Summarize the transcript in notes.md", 3, false);
        check("Which exporter is in use?", 0, false);
        check(&"Assistant: the exporter is in use. User: thanks. ".repeat(6), 0, true);
        let often = RollUp { title: "Anything new?".into(), n_turns: 1, ..RollUp::default() };
        assert!(is_call_of_program(&often, OF_PERSON));
    }
}
