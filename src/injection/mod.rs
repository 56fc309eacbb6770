//! Memories that a session receives while it works: about a prompt, a file, a failure or a risky command.
//!
//! The session's worker answers its hooks. A hook without a worker reads the store itself.

mod evidence;
pub mod given;
mod question;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use memctl_proto::event::{Project, Use};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::config::Settings;
use crate::context::native::Native;
use crate::context::recalled::{self, Memory};
use crate::paths::{Paths, session_key};
use crate::project;
use crate::recall::known;
use crate::recall::{self, Filters, Hit, Request, RowId, RowKind, SURE, Unit};
use crate::store::{self, claims, memory_use, projects, sessions};
use crate::truth::{self, Statement};
use given::Given;
pub use question::Question;

/// What is known of a file is told in at most so many lines.
const MAX_ABOUT_FILE: usize = 5;

/// A prompt receives at most so many rows, and only those whose score is near the best one.
const MAX_FOR_PROMPT: usize = 4;
/// A turn has several rows, and one that has no answer is read but not told.
const MAX_HITS: usize = 12;
const MAX_TURNS: usize = 6;
const NEAR: f64 = 0.6;
/// Bytes of a prompt that are searched for.
const MAX_QUERY: usize = 4096;

/// A question with its session. Its JSON may grow, as that of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    pub client: String,
    pub session: String,
    /// The directory in which the client was started.
    #[serde(default)]
    pub project_dir: Option<PathBuf>,
    #[serde(default)]
    pub cwd: Option<String>,
    /// Milliseconds since the epoch.
    pub at: i64,
    /// Until when the hook waits for the worker's answer, in milliseconds since the epoch.
    #[serde(default)]
    pub until: i64,
    /// Maximum number of tokens of the block.
    pub tokens: usize,
    pub question: Question,
}

/// What a session is given.
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    /// Empty if memory has nothing to say, or has said it.
    pub block: String,
    /// What is to be reported to the worker.
    pub uses: Vec<Use>,
}

/// Whether the session has received the answer and does not receive it again. The store is not needed to
/// know that.
pub fn is_answered(paths: &Paths, asked: &Asked) -> bool {
    let given = Given::read(paths, &asked.key());
    asked.given_rows(&given).is_some() && !asked.question.may_be_sent_again()
}

/// Answers the question from the store, and lists what is given.
///
/// # Errors
/// An error of the store, or the list cannot be written: nothing is given then.
pub fn answer(settings: &Settings, conn: &Connection, asked: &Asked) -> store::Result<Answer> {
    let (key, question) = (asked.key(), &asked.question);
    let subject = question.subject(asked.cwd.as_deref());
    let given = Given::read(&settings.paths, &key);
    let earlier = asked.given_rows(&given);
    if earlier.is_some() && !question.may_be_sent_again() {
        return Ok(Answer::default());
    }
    let Some(place) = SessionPlace::find(conn, asked)? else { return Ok(Answer::default()) };
    let introduction = introduction(question, &place, asked);
    if let Some(rows) = earlier {
        let native = native(settings, asked);
        let wanted = question.wanted();
        let memories = recalled::memories(conn, &rows, asked.at, &native, wanted.as_ref())?;
        return Ok(Answer { block: block(&introduction, &memories), uses: Vec::new() });
    }
    let mut found = find(settings, conn, asked, &place)?;
    let told = place.session.map(|id| memory_use::given(conn, id)).transpose()?;
    let told = told.unwrap_or_default();
    let counts = |place: &str| question.repeats(place);
    let is_told = |row: RowId| told.iter().any(|(told, place)| *told == row && counts(place));
    let known = given.rows(counts);
    found.retain(|memory| !known.contains(&memory.row) && !is_told(memory.row));
    if question.may_be_sent_again() && !found.is_empty() {
        let told = told.iter().filter(|(_, place)| counts(place)).map(|(row, _)| *row);
        found = of_other_turns(conn, found, told.chain(known.iter().copied()))?;
        found.truncate(MAX_FOR_PROMPT);
    }
    let found = recalled::fitting(&introduction, found, asked.tokens);
    let rows = found.iter().map(|memory| (memory.row, memory.tokens())).collect();
    let place = question.place();
    let claim = given::claim(&settings.paths, &key, asked.at, place, &subject, rows, counts)?;
    let is_free = |memory: &Memory| claim.rows.iter().any(|(row, _)| *row == memory.row);
    let free: Vec<Memory> = found.into_iter().filter(is_free).collect();
    Ok(Answer { block: block(&introduction, &free), uses: claim.uses })
}

/// The memories of turns that the session has received nothing of. Rows of one turn say the same.
fn of_other_turns(
    conn: &Connection,
    memories: Vec<Memory>,
    told: impl Iterator<Item = RowId>,
) -> store::Result<Vec<Memory>> {
    let told: BTreeSet<Unit> =
        told.map(|row| recall::unit_of(conn, row)).collect::<store::Result<_>>()?;
    let mut others = Vec::new();
    for memory in memories {
        if !told.contains(&recall::unit_of(conn, memory.row)?) {
            others.push(memory);
        }
    }
    Ok(others)
}

fn block(introduction: &str, memories: &[Memory]) -> String {
    match memories.is_empty() {
        true => String::new(),
        false => recalled::block(introduction, memories),
    }
}

impl Asked {
    /// The hash that names the session's files.
    pub fn key(&self) -> String {
        session_key(&self.client, &self.session)
    }

    /// The rows that the session received as the answer to this question.
    fn given_rows(&self, given: &Given) -> Option<Vec<RowId>> {
        given.about(self.question.place(), &self.question.subject(self.cwd.as_deref()))
    }

    fn dir(&self) -> Option<&Path> {
        self.project_dir.as_deref().or(self.cwd.as_deref().map(Path::new))
    }
}

/// Where a session is, as the store knows it.
struct SessionPlace {
    session: Option<i64>,
    project: i64,
    /// What the paths of the project are relative to.
    root: String,
}

impl SessionPlace {
    /// `None` if nothing is stored for the project.
    fn find(conn: &Connection, asked: &Asked) -> store::Result<Option<SessionPlace>> {
        let session = sessions::find(conn, &asked.client, &asked.session)?;
        let claimed: Project = asked.dir().map(project::identify).unwrap_or_default();
        let project = match session.as_ref().and_then(|session| session.project_id) {
            Some(id) => Some(id),
            None => projects::find(conn, &claims::examine(conn, &claimed)?.project)?,
        };
        let Some(project) = project else { return Ok(None) };
        Ok(Some(SessionPlace { session: session.map(|s| s.id), project, root: claimed.root }))
    }

    /// The path relative to the project's root.
    fn relative(&self, path: &str, cwd: Option<&str>) -> String {
        let root = Some(Path::new(&self.root)).filter(|root| !root.as_os_str().is_empty());
        project::PathBase { root, cwd: cwd.map(Path::new) }.relative(path)
    }
}

/// Says where the memories come from and what they are about.
fn introduction(question: &Question, place: &SessionPlace, asked: &Asked) -> String {
    match question {
        Question::Prompt { .. } => "What memory holds about this prompt.".into(),
        Question::File(path) => {
            let path = place.relative(path, asked.cwd.as_deref());
            format!("What memory holds about {}.", recalled::path(&path))
        }
        Question::Error(_) => "What was done when this failed before.".into(),
        Question::Command(_) => "What went wrong with this command before.".into(),
    }
}

/// The memories that answer the question, the best first.
fn find(
    settings: &Settings,
    conn: &Connection,
    asked: &Asked,
    place: &SessionPlace,
) -> store::Result<Vec<Memory>> {
    let mut found = match &asked.question {
        Question::Prompt { text, .. } => {
            let rows = rows_for(conn, asked, &Question::own_words(text), place)?;
            if rows.is_empty() {
                return Ok(Vec::new());
            }
            let (native, wanted) = (native(settings, asked), asked.question.wanted());
            return recalled::memories(conn, &rows, asked.at, &native, wanted.as_ref());
        }
        Question::File(path) => {
            let path = place.relative(path, asked.cwd.as_deref());
            known::about_file(conn, place.project, &path, MAX_ABOUT_FILE)?
        }
        Question::Error(text) => {
            known::about_error(conn, place.project, text)?.into_iter().collect()
        }
        Question::Command(command) => {
            known::about_command(conn, place.project, command)?.into_iter().collect()
        }
    };
    // The conversation contains what its own session did.
    found.retain(|known| known.session.as_ref() != Some(&asked.session));
    match found.is_empty() {
        true => Ok(Vec::new()),
        false => Ok(recalled::known(conn, &found, asked.at, &native(settings, asked))?),
    }
}

/// What the client's own memory says in the directory in which it was started.
fn native(settings: &Settings, asked: &Asked) -> Rc<Native> {
    let read = |dir| Native::of_session(settings, &asked.client, dir);
    Rc::new(asked.dir().map_or_else(Native::default, read))
}

/// The rows that answer a prompt, the best first, one of each turn. None if memory is not sure.
fn rows_for(
    conn: &Connection,
    asked: &Asked,
    text: &str,
    place: &SessionPlace,
) -> store::Result<Vec<RowId>> {
    let request = Request {
        query: &text[..text.floor_char_boundary(MAX_QUERY)],
        project: Some(place.project),
        filters: Filters {
            kinds: vec![RowKind::Observation, RowKind::Summary],
            not_session: Some(asked.session.clone()),
            ..Filters::default()
        },
        limit: MAX_HITS,
        for_injection: true,
    };
    let found = recall::search(conn, &request)?;
    if found.confidence < SURE {
        return Ok(Vec::new());
    }
    let best = found.hits.first().map_or(0.0, |hit| hit.score);
    let near = found.hits.iter().take_while(|hit| hit.score >= best * NEAR);
    let says_enough =
        |hit: &&Hit| evidence::suffices(hit.explain.words.iter().map(|(word, _)| word.as_str()));
    let told: Vec<&Hit> = near.filter(says_enough).collect();
    let is_current = |hit: &&&Hit| !told.iter().any(|other| answers_anew(other, hit));
    let (mut turns, mut rows) = (BTreeSet::new(), Vec::new());
    for hit in told.iter().filter(is_current) {
        let turn = recall::turn_of(conn, hit.stored.row, &hit.stored.kind)?;
        if rows.len() < MAX_TURNS && turn.is_none_or(|turn| turns.insert(turn)) {
            rows.push(hit.stored.row);
        }
    }
    Ok(rows)
}

/// Whether a row answers the same question later: its title begins with the same subject, and it has all words of
/// the prompt that the older one has. What was found out or repaired stays true, and two rows of one session that
/// disagree are told both.
fn answers_anew(newer: &Hit, older: &Hit) -> bool {
    const FINDINGS: [&str; 3] = ["discovery", "bugfix", "summary"];
    let is_state = |hit: &Hit| !FINDINGS.contains(&hit.stored.kind.as_str());
    let has = |(word, _): &(String, usize)| newer.explain.words.iter().any(|(w, _)| w == word);
    newer.stored.created_at_epoch > older.stored.created_at_epoch
        && newer.stored.session_id != older.stored.session_id
        && truth::may_replace(newer.stored.origin, older.stored.origin)
        && is_state(newer)
        && is_state(older)
        && !older.stored.pinned
        && older.explain.words.iter().all(has)
        && truth::begin_alike(
            &Statement::read(newer.stored.title()),
            &Statement::read(older.stored.title()),
        )
}
