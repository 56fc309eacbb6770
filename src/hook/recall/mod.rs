//! Answers a hook with memories: about a prompt, a file, a failure or a risky command. Called after the
//! event is delivered. Reads the store within `hook.recall` and stays silent if that is not possible.
//!
//! The hook reports what it gave with an event of its own, because it never writes the database. Such an
//! event starts no worker; it waits in the spool for one.

mod evidence;
pub mod given;
mod question;

use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use memctl_proto::Event;
use memctl_proto::event::{Project, Use};
use rusqlite::Connection;

use crate::config::Settings;
use crate::context::native::Native;
use crate::context::recalled::{self, Memory};
use crate::deliver;
use crate::paths::session_key;
use crate::project;
use crate::recall::known;
use crate::recall::{Filters, Hit, Request, RowId, RowKind, SURE};
use crate::store::{self, Reader, claims, memory_use, projects, sessions};
use crate::truth::{self, Statement};
use given::Given;
pub use question::Question;

/// What is known of a file is told in at most so many lines.
const MAX_ABOUT_FILE: usize = 5;

/// A prompt receives at most so many rows, and only those whose score is near the best one.
const MAX_FOR_PROMPT: usize = 4;
const NEAR: f64 = 0.6;
/// Bytes of a prompt that are searched for.
const MAX_QUERY: usize = 4096;

/// A question with its session.
pub struct Asked<'a> {
    pub client: &'a str,
    pub session: &'a str,
    /// The directory in which the client was started.
    pub project_dir: Option<&'a Path>,
    pub cwd: Option<&'a str>,
    /// Milliseconds since the epoch.
    pub at: i64,
    /// Until when a report to the worker may wait for a reply.
    pub deadline: Instant,
}

/// The block that answers a question. `None` if memory has nothing to say, has said it, or does not
/// answer in time.
pub fn answer(settings: &Settings, asked: &Asked, question: &Question) -> Option<String> {
    let key = session_key(asked.client, asked.session);
    let found = settings.paths.data_dir_exists().then(|| recall(settings, asked, question, &key));
    let (block, uses) = found.flatten().unwrap_or_default();
    report(settings, asked, &key, uses);
    Some(block).filter(|block| !block.is_empty())
}

/// Reports memories that the session's start was given, once the session has a prompt.
pub fn report_start(settings: &Settings, asked: &Asked) {
    let key = session_key(asked.client, asked.session);
    let uses = given::take_unreported(&settings.paths, &key, asked.at);
    report(settings, asked, &key, uses);
}

fn report(settings: &Settings, asked: &Asked, key: &str, uses: Vec<Use>) {
    if !uses.is_empty() {
        let event = Event::recalled(asked.client, asked.session, asked.at, uses);
        let _ = deliver::deliver(settings, key, &event, asked.deadline);
    }
}

/// The block, and what is to be reported of it.
fn recall(
    settings: &Settings,
    asked: &Asked,
    question: &Question,
    key: &str,
) -> Option<(String, Vec<Use>)> {
    let subject = question.subject(asked.cwd);
    let given = Given::read(&settings.paths, key);
    let earlier = given.about(question.place(), &subject);
    let is_resent = matches!(question, Question::Prompt { .. });
    if earlier.is_some() && !is_resent {
        return None;
    }
    let reader = Reader::open_within(&settings.paths, settings.config.hook.recall).ok()??;
    let conn = reader.connection();
    let place = SessionPlace::find(conn, asked).ok()??;
    let introduction = introduction(question, &place, asked);
    if let Some(rows) = earlier {
        let native = native(settings, asked);
        let memories = recalled::memories(conn, &rows, asked.at, &native).ok()?;
        return Some((recalled::block(&introduction, &memories), Vec::new()))
            .filter(|_| !memories.is_empty());
    }
    let mut found = find(settings, conn, asked, question, &place).ok()?;
    let told = place.session.map(|id| memory_use::given(conn, id)).transpose().ok()?;
    let told = told.unwrap_or_default();
    let counts = |place: &str| question.repeats(place);
    let is_told = |row: RowId| told.iter().any(|(told, place)| *told == row && counts(place));
    let known = given.rows(counts);
    found.retain(|memory| !known.contains(&memory.row) && !is_told(memory.row));
    let found = recalled::fitting(&introduction, found, settings.config.recall.tokens);
    let rows = found.iter().map(|memory| (memory.row, memory.tokens())).collect();
    let place = question.place();
    let claim = given::claim(&settings.paths, key, asked.at, place, &subject, rows, counts).ok()?;
    let is_free = |memory: &Memory| claim.rows.iter().any(|(row, _)| *row == memory.row);
    let free: Vec<Memory> = found.into_iter().filter(is_free).collect();
    (!free.is_empty()).then(|| (recalled::block(&introduction, &free), claim.uses))
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
        let session = sessions::find(conn, asked.client, asked.session)?;
        let dir = asked.project_dir.or(asked.cwd.map(Path::new));
        let claimed: Project = dir.map(project::identify).unwrap_or_default();
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
            let path = place.relative(path, asked.cwd);
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
    question: &Question,
    place: &SessionPlace,
) -> store::Result<Vec<Memory>> {
    let mut found = match question {
        Question::Prompt { text, .. } => {
            let rows = rows_for(conn, asked, text, place)?;
            return match rows.is_empty() {
                true => Ok(Vec::new()),
                false => Ok(recalled::memories(conn, &rows, asked.at, &native(settings, asked))?),
            };
        }
        Question::File(path) => {
            let path = place.relative(path, asked.cwd);
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
    found.retain(|known| known.session.as_deref() != Some(asked.session));
    match found.is_empty() {
        true => Ok(Vec::new()),
        false => Ok(recalled::known(conn, &found, asked.at, &native(settings, asked))?),
    }
}

/// What the client's own memory says in the directory in which it was started.
fn native(settings: &Settings, asked: &Asked) -> Rc<Native> {
    let dir = asked.project_dir.or(asked.cwd.map(Path::new));
    let read = |dir| Native::of_session(settings, asked.client, dir);
    Rc::new(dir.map_or_else(Native::default, read))
}

/// The rows that answer a prompt, the best first. None if memory is not sure.
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
            not_session: Some(asked.session.to_owned()),
            ..Filters::default()
        },
        limit: MAX_FOR_PROMPT,
        for_injection: true,
    };
    let found = crate::recall::search(conn, &request)?;
    if found.confidence < SURE {
        return Ok(Vec::new());
    }
    let best = found.hits.first().map_or(0.0, |hit| hit.score);
    let near = found.hits.iter().take_while(|hit| hit.score >= best * NEAR);
    let says_enough =
        |hit: &&Hit| evidence::suffices(hit.explain.words.iter().map(|(word, _)| word.as_str()));
    let told: Vec<&Hit> = near.filter(says_enough).collect();
    let is_current = |hit: &&&Hit| !told.iter().any(|other| answers_anew(other, hit));
    Ok(told.iter().filter(is_current).map(|hit| hit.stored.row).collect())
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
