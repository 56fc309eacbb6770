//! Renders the section about earlier sessions: a line for each.

use std::cell::OnceCell;

use super::Told;
use super::blocks::{self, MAX_TITLE, whole_sentences};
use super::branches::Place;
use super::dates::{date_and_id, day};
use super::filler::Filler;
use super::last::{commits, effects, files, telling};
use super::markdown::{self, paragraph};
use super::rollup::RollUp;
use super::seen::Seen;
use super::stored_turn::has_substance;
use crate::memory::Block;

/// Lengths of a line, in characters, shortest first.
const LENGTHS: [usize; 7] = [100, 150, 210, 300, 420, 600, 900];
/// Most files of a line.
pub const MAX_FILES: usize = 1;
/// Shorter lines do not tell the answer to the first request beside what came of a later one.
const FIRST_ANSWER: usize = 210;
/// The section is full after this many lines that did not fit.
const MISSES: usize = 3;

/// One line per session. The lines are as long as they can be without telling fewer sessions.
pub fn earlier(sessions: &[Earlier], filler: &mut Filler, seen: &mut Seen) {
    let fill = |at: usize| {
        let (mut trial, mut trial_seen) = (filler.clone(), seen.clone());
        let mut misses = 0;
        for session in sessions {
            let Some((text, said)) = session.line(at, &trial_seen) else { continue };
            if trial.push(text, format!("s{}", session.told.session.result_id())) {
                said.iter().for_each(|text| trial_seen.add(text));
                trial_seen.add_session(session.told.session.session_id);
            } else {
                misses += 1;
            }
            if misses == MISSES {
                break;
            }
        }
        (trial, trial_seen)
    };
    let mut best = fill(0);
    for at in 1..LENGTHS.len() {
        let longer = fill(at);
        if longer.0.lines.len() < best.0.lines.len() {
            best.0.wants_more |= !best.0.lines.is_empty();
            break;
        }
        best = longer;
    }
    (*filler, *seen) = best;
}

/// What can be told about an earlier session, as inert texts.
pub struct Earlier<'a> {
    told: &'a Told,
    /// Date, id, branch and sender.
    start: String,
    title: String,
    /// What came of it, by position in `LENGTHS`.
    upshots: [OnceCell<Upshots>; LENGTHS.len()],
    /// How many sessions were alike.
    alike: String,
    files: OnceCell<String>,
    findings: OnceCell<Vec<Finding>>,
}

/// What a turn found out.
pub struct Finding {
    /// Id of its summary.
    pub id: i64,
    /// When its session ended.
    pub day: String,
    /// A failure, its cause and its fix, or a question and its answer. Inert.
    pub texts: Vec<String>,
}

/// What came of a session, in texts that fit into a line of a certain length.
enum Upshots {
    Solved {
        cause: Later,
        fix: String,
    },
    Worked {
        /// The answer to the title, if a later request is told, too.
        first: String,
        commits: Later,
        done: Later,
        answer: Option<Later>,
        effects: String,
    },
}

/// What came of a turn, and its request. The request is empty if the title tells it.
#[derive(Default)]
struct Later {
    asked: String,
    text: String,
}

/// The part of a line that is put together of texts which the block does not contain yet.
struct LineText<'a> {
    seen: &'a Seen,
    said: Vec<String>,
    text: String,
}

impl LineText<'_> {
    fn is_new(&self, text: &str) -> bool {
        !text.is_empty() && !self.seen.contains(text) && !self.seen.is_among(text, &self.said)
    }

    /// Returns whether the text is new.
    fn add(&mut self, text: &str) -> bool {
        let is_new = self.is_new(text);
        if is_new {
            let arrow = if self.text.is_empty() { "" } else { " → " };
            self.text.push_str(&format!("{arrow}{text}"));
            self.said.push(text.to_owned());
        }
        is_new
    }

    fn add_later(&mut self, later: &Later) -> bool {
        if self.is_new(&later.text) && self.is_new(&later.asked) {
            let then = match &self.text {
                text if text.is_empty() => "",
                text if text.ends_with(['?', '!', '…', '？']) => " Then: ",
                _ => ". Then: ",
            };
            self.text.push_str(&format!("{then}{}", later.asked));
            self.said.push(later.asked.clone());
        }
        self.add(&later.text)
    }
}

impl<'a> Earlier<'a> {
    pub fn new(told: &'a Told) -> Earlier<'a> {
        let session = &told.session;
        let place = match (told.place, &session.head) {
            (Place::Elsewhere, Some(head)) => {
                format!("on branch {}: ", markdown::code(&head.branch))
            }
            (Place::Gone, Some(head)) => {
                format!("on branch {}, which is not here: ", markdown::code(&head.branch))
            }
            _ => String::new(),
        };
        let sender = if session.by_user { "" } else { "not asked by the user: " };
        Earlier {
            told,
            start: format!("- {}: {place}{sender}", date_and_id(session)),
            title: paragraph(&session.title),
            upshots: Default::default(),
            alike: match told.n_alike {
                0 => String::new(),
                n => format!(" (newest of {} alike)", n + 1),
            },
            files: OnceCell::new(),
            findings: OnceCell::new(),
        }
    }

    /// `- 2026-11-23 (s36): title → cause → fix (src/a.rs +2)`, and the texts that it consists of. What came of
    /// a later request stands behind it: `title → answer. Then: request → result`.
    /// `None` if the block contains it already.
    pub fn line(&self, at: usize, seen: &Seen) -> Option<(String, Vec<String>)> {
        let (session, max) = (&self.told.session, LENGTHS[at]);
        // The same request again, without a change.
        if seen.contains(&self.title) && !session.has_change() && session.gotchas.is_empty() {
            return None;
        }
        // A row of the turn is told, with what came of it.
        if self
            .told
            .session
            .told_turns()
            .is_some_and(|turns| turns.iter().all(|id| seen.has_turn(*id)))
        {
            return None;
        }
        let mut line = LineText { seen, said: Vec::new(), text: String::new() };
        line.add(&self.short_title(max, seen));
        match self.upshots[at].get_or_init(|| Upshots::new(session, max)) {
            Upshots::Solved { cause, fix } => {
                line.add_later(cause);
                line.add(fix);
            }
            Upshots::Worked { first, commits, done, answer, effects } => {
                line.add(first);
                let has_commits = line.add_later(commits);
                // What was said of commits or of files that changed again may no longer be so.
                if !has_commits {
                    let is_done = !session.overtaken && line.add_later(done);
                    match answer {
                        Some(answer) if !is_done => line.add_later(answer),
                        None if !is_done => line.add(effects),
                        _ => false,
                    };
                }
            }
        }
        let LineText { said, text, .. } = line;
        // A commit without its subject says nothing alone.
        if said.iter().all(|text| is_only_hashes(text)) {
            return None;
        }
        let files = self.files_unless_in(&said);
        Some((format!("{}{text}{}{files}", self.start, self.alike), said))
    }

    /// The same with this sentence in place of what came of the session.
    pub fn line_with(&self, answer: String, seen: &Seen) -> (String, Vec<String>) {
        let said: Vec<String> = vec![self.short_title(2 * MAX_TITLE, seen), answer];
        let files = self.files_unless_in(&said);
        let text: Vec<&str> = said.iter().map(String::as_str).filter(|t| !t.is_empty()).collect();
        (format!("{}{}{files}", self.start, text.join(" → ")), said)
    }

    fn short_title(&self, max: usize, seen: &Seen) -> String {
        shorten(&blocks::without_seen(&self.title, seen), (max / 2).min(MAX_TITLE))
    }

    /// ` (src/a.rs +2)`, unless one of the texts has it.
    fn files_unless_in(&self, said: &[String]) -> String {
        match self.files.get_or_init(|| files(&self.told.session, MAX_FILES)) {
            files if said.iter().any(|text| text.contains(files)) => String::new(),
            files => format!(" ({files})"),
        }
    }

    /// What was found out in a session on this branch.
    pub fn findings(&self) -> &[Finding] {
        self.findings.get_or_init(|| {
            let session = &self.told.session;
            if self.told.place != Place::Here {
                return Vec::new();
            }
            let short = |text: &str| whole_sentences(&paragraph(text), 120);
            let day = day(session.ended_at_epoch, session.utc_offset);
            let finding = |id: i64, texts: Vec<String>| Finding { id, day: day.clone(), texts };
            let solved = session.gotchas.iter().rev().take(2).map(|gotcha| {
                let cause = paragraph(&blocks::text(&gotcha.cause, 200));
                finding(gotcha.id, vec![short(&gotcha.failure), cause, short(&gotcha.fix)])
            });
            let answered = session.answers.iter().rev().take(2).map(|answered| {
                let answer = paragraph(&blocks::text(&blocks::lasting(&answered.answer), 240));
                finding(answered.id, vec![short(&answered.question), answer])
            });
            solved.chain(answered).collect()
        })
    }
}

fn is_only_hashes(text: &str) -> bool {
    let mut words = text.split([' ', ',']).filter(|word| !word.is_empty());
    words.all(|word| word.len() >= 7 && word.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl Upshots {
    fn new(session: &RollUp, max: usize) -> Upshots {
        let text = |blocks: &[Block]| paragraph(&blocks::text(blocks, max / 2));
        let asked = |id: Option<i64>| {
            let asked = id.and_then(|id| session.asked_in(id));
            asked.map_or_else(String::new, |ask| shorten(&telling(&paragraph(&ask.text)), max / 4))
        };
        if let Some(gotcha) = session.gotchas.last() {
            let cause = shorten(&format!("cause: {}", text(&gotcha.cause)), max / 3);
            let cause = Later { asked: asked(Some(gotcha.id)), text: cause };
            return Upshots::Solved { cause, fix: shorten(&paragraph(&gotcha.fix), max / 3) };
        }
        let said = |blocks: &[Block]| {
            let text = text(blocks);
            if has_substance(&text) { shorten(&text, max / 2) } else { String::new() }
        };
        let commits = Later {
            // Some of the commits may be of the title.
            asked: match session.committed.iter().all(|id| !asked(*id).is_empty()) {
                true => asked(session.committed.last().copied().flatten()),
                false => String::new(),
            },
            text: shorten(&commits(session, max / 3), max / 2),
        };
        let done = Later {
            asked: asked(session.done_id),
            text: said(&blocks::gist(&blocks::lasting(&session.done))),
        };
        let answer = session.answers.last().filter(|_| !session.has_change()).map(|last| Later {
            asked: asked(Some(last.id)),
            text: said(&blocks::lasting(&last.answer)),
        });
        let is_later = |later: &Later| !later.asked.is_empty();
        let has_later =
            is_later(&commits) || is_later(&done) || answer.as_ref().is_some_and(is_later);
        let first = session.answers.iter().find(|answered| Some(answered.id) == session.title_id);
        let first = first.filter(|_| has_later && max >= FIRST_ANSWER);
        let first = first.map(|first| shorten(&text(&blocks::lasting(&first.answer)), max / 3));
        Upshots::Worked {
            first: first.unwrap_or_default(),
            commits,
            done,
            answer,
            effects: shorten(&effects(session), max / 3),
        }
    }
}

/// As many whole sentences as fit, without the last stop.
fn shorten(text: &str, max: usize) -> String {
    whole_sentences(text, max).trim_end_matches(['.', ';', ':']).to_owned()
}
