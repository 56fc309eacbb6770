//! Shell completion of ids, sessions, projects, names of settings and keys.
//!
//! The scripts of `memctl completions` run memctl with [`VARIABLE`] and the words of the command line.
//! The help names the kind of each value, such as SESSION, and the kind names the candidates. Only words
//! that no shell interprets are offered, because a shell inserts them as they are.

use std::ffi::{OsStr, OsString};

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory, ValueHint};
use clap_complete::CompleteEnv;
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use rusqlite::Connection;

use super::{READ_TIMEOUT, format, lookup};
use crate::clock;
use crate::config::{self, Settings, default_key_names, process_env};
use crate::deliver::probe::{self, WorkerState};
use crate::failure::{Failure, Result, failed};
use crate::store::agent_sessions::{self, KeyPattern};
use crate::store::sessions::{self, Filter, Session};
use crate::store::{
    Reader, claims, observations, project_changes, projects, queue_admin, summaries,
};
use crate::text::{sanitize, truncate};

/// The variable that names the shell which completes a command line.
pub const VARIABLE: &str = "MEMCTL_COMPLETE";

/// How many sessions are offered.
const MAX_SESSIONS: usize = 50;

/// The memories of so many sessions are offered.
const MAX_SESSIONS_WITH_IDS: usize = 5;

/// How many memories of a session are offered.
const MAX_IDS: usize = 20;

/// Maximum length of the text beside a candidate.
const MAX_HELP: usize = 60;

/// Answers a shell that completes a command line. Returns `None` if no shell asks.
pub fn answer(args: &[OsString]) -> Option<Result<()>> {
    process_env(VARIABLE).filter(|shell| !shell.is_empty() && shell != "0")?;
    let words = std::iter::once(OsString::from("memctl")).chain(args.iter().cloned());
    let here = std::env::current_dir().ok();
    let env = CompleteEnv::with_factory(command).var(VARIABLE).completer("memctl");
    Some(env.try_complete(words, here.as_deref()).map(drop).map_err(failure))
}

fn failure(error: clap::Error) -> Failure {
    failed(error.to_string().trim())
}

/// The command line with the candidates of its values.
pub fn command() -> Command {
    with_candidates(super::Cli::command(), "")
}

fn with_candidates(command: Command, verb: &str) -> Command {
    command.mut_args(|arg| add_candidates(arg, verb)).mut_subcommands(|inner| {
        let verb = inner.get_name().to_owned();
        with_candidates(inner, &verb)
    })
}

/// Adds the candidates of a value, by its name in the help and the verb.
fn add_candidates(arg: Arg, verb: &str) -> Arg {
    let Some(kind) = arg.get_value_names().and_then(|names| Some(names.first()?.to_string()))
    else {
        return arg;
    };
    let list: fn() -> Vec<CompletionCandidate> = match (verb, kind.as_str()) {
        ("kill", "SESSION") => workers,
        ("finish", "SESSION") => active_sessions,
        (_, "SESSION") => all_sessions,
        ("pin" | "promote" | "hide" | "edit" | "feedback", "ID") => own_memories,
        (_, "ID") => memories,
        (_, "STEP") => steps,
        (_, "EVENT") => events,
        (_, "SETTING") => settings,
        (_, "API_KEY") => api_keys,
        (_, "KEY") => resume_keys,
        (_, "COMMAND") => verbs,
        (_, "TYPE") => types,
        (_, "BRANCH") => branches,
        (_, "CHANGE") => changes,
        (_, "PROJECT" | "INTO") => return arg.add(ArgValueCompleter::new(project)),
        (_, "DIR") => return arg.value_hint(ValueHint::DirPath),
        _ => return arg,
    };
    arg.add(ArgValueCandidates::new(list))
}

/// Candidates from words and the text beside each.
fn candidates(found: impl IntoIterator<Item = (String, String)>) -> Vec<CompletionCandidate> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._:/@%+-,".contains(c);
    let is_plain = |word: &str| !word.starts_with('-') && word.chars().all(plain);
    let candidate = |(word, help): (String, String)| {
        let help = truncate(&sanitize(help.trim()), MAX_HELP);
        let help = (!help.is_empty()).then(|| StyledStr::from(help));
        CompletionCandidate::new(word).help(help)
    };
    let found = found.into_iter().filter(|(word, _)| !word.is_empty() && is_plain(word));
    found.map(candidate).collect()
}

/// Runs a query. Returns nothing if the database cannot be read: a shell shows no errors.
fn query<T: Default>(run: impl FnOnce(&Connection) -> crate::store::Result<T>) -> T {
    let found = || {
        let settings = load()?;
        let reader = Reader::open(&settings.paths, READ_TIMEOUT).ok()??;
        run(reader.connection()).ok()
    };
    found().unwrap_or_default()
}

fn load() -> Option<Settings> {
    super::load_settings().ok().filter(|settings| settings.paths.check().is_ok())
}

fn all_sessions() -> Vec<CompletionCandidate> {
    sessions_with(Filter::default())
}

fn active_sessions() -> Vec<CompletionCandidate> {
    sessions_with(Filter { active: true, ..Filter::default() })
}

fn sessions_with(filter: Filter) -> Vec<CompletionCandidate> {
    let found = query(|conn| sessions::list(conn, filter, MAX_SESSIONS));
    candidates(words_of(&found))
}

fn words_of(found: &[Session]) -> Vec<(String, String)> {
    let now = clock::now_ms();
    let identities: Vec<lookup::Identity> =
        found.iter().map(|s| (s.client.as_str(), s.content_session_id.as_str())).collect();
    let help = |s: &Session| {
        let project = s.project.as_deref().unwrap_or("no project");
        format!("{project}, {}, {} ago", s.status, format::age(s.last_event_epoch, now))
    };
    lookup::labels(&identities).into_iter().zip(found.iter().map(help)).collect()
}

/// The sessions with a worker.
fn workers() -> Vec<CompletionCandidate> {
    let Some(settings) = load() else { return Vec::new() };
    let keys = probe::keys(&settings.paths);
    let holders = keys.iter().filter_map(|key| match probe::probe(&settings.paths, key) {
        WorkerState::Live { holder, .. } => Some((holder, "live")),
        WorkerState::Hung { holder } => Some((holder, "hung")),
        WorkerState::Elsewhere { .. } | WorkerState::Stale { .. } | WorkerState::Absent => None,
    });
    let holders: Vec<_> = holders.filter(|(holder, _)| !holder.session.is_empty()).collect();
    let identities: Vec<lookup::Identity> =
        holders.iter().map(|(h, _)| (h.client.as_str(), h.session.as_str())).collect();
    let states =
        holders.iter().map(|(holder, state)| format!("{state}, pid {}", holder.identity.pid));
    candidates(lookup::labels(&identities).into_iter().zip(states))
}

/// The memories of the latest sessions of this project, then all sessions.
fn memories() -> Vec<CompletionCandidate> {
    let found = query(|conn| {
        let mut found = Vec::new();
        for session in of_this_project(conn)? {
            for row in summaries::of_session(conn, session.id, MAX_IDS)? {
                found.push((format!("s{}", row.id), row.summary.request));
            }
            for row in observations::of_session(conn, session.id, MAX_IDS)? {
                found.push((format!("o{}", row.id), row.observation.title));
            }
            for prompt in sessions::prompts(conn, session.id)?.into_iter().rev().take(MAX_IDS) {
                found.push((format!("p{}", prompt.id), prompt.text.unwrap_or_default()));
            }
        }
        found.extend(words_of(&sessions::list(conn, Filter::default(), MAX_SESSIONS)?));
        Ok(found)
    });
    candidates(found)
}

/// The observations and summaries of the latest sessions of this project.
fn own_memories() -> Vec<CompletionCandidate> {
    let found = query(|conn| {
        let mut found = Vec::new();
        for session in of_this_project(conn)? {
            for row in observations::of_session(conn, session.id, MAX_IDS)? {
                found.push((format!("o{}", row.id), row.observation.title));
            }
            for row in summaries::of_session(conn, session.id, MAX_IDS)? {
                found.push((format!("s{}", row.id), row.summary.request));
            }
        }
        Ok(found)
    });
    candidates(found)
}

fn this_project(conn: &Connection) -> crate::store::Result<Option<i64>> {
    let Ok(here) = std::env::current_dir() else { return Ok(None) };
    let examined = claims::examine(conn, &crate::project::identify(&here))?;
    projects::find(conn, &examined.project)
}

fn of_this_project(conn: &Connection) -> crate::store::Result<Vec<Session>> {
    let Some(id) = this_project(conn)? else { return Ok(Vec::new()) };
    let filter = Filter { project_id: Some(id), ..Filter::default() };
    sessions::list(conn, filter, MAX_SESSIONS_WITH_IDS)
}

/// The summaries that tell the open steps of this project.
fn steps() -> Vec<CompletionCandidate> {
    let found = query(|conn| {
        let Ok(here) = std::env::current_dir() else { return Ok(Vec::new()) };
        let examined = claims::examine(conn, &crate::project::identify(&here))?;
        Ok(crate::context::steps(conn, &examined.project)?.open)
    });
    candidates(found.into_iter().map(|step| (format!("s{}", step.summary), step.text)))
}

/// Unfinished and failed events.
fn events() -> Vec<CompletionCandidate> {
    let items = query(|conn| queue_admin::open_items(conn, None, MAX_SESSIONS));
    let help = |item: &queue_admin::Item| {
        format!("{}, {} of {}", item.status, item.event, item.content_session_id)
    };
    candidates(items.iter().map(|item| (item.id.to_string(), help(item))))
}

/// The names of all projects, and directories.
fn project(current: &OsStr) -> Vec<CompletionCandidate> {
    let known = query(projects::list);
    let named = candidates(known.into_iter().map(|project| (project.name, project.root)));
    let starts = |candidate: &CompletionCandidate| {
        let value = candidate.get_value().to_string_lossy();
        value.starts_with(&*current.to_string_lossy())
    };
    let mut found: Vec<CompletionCandidate> = named.into_iter().filter(starts).collect();
    found.extend(PathCompleter::dir().complete(current));
    found
}

/// The changes of projects that can be undone.
fn changes() -> Vec<CompletionCandidate> {
    let found = query(|conn| project_changes::list(conn, None));
    candidates(found.into_iter().map(|s| (s.id.to_string(), s.change.kind.as_str().to_owned())))
}

/// The types of stored rows, and those that memctl makes itself.
fn types() -> Vec<CompletionCandidate> {
    let stored = query(observations::types);
    let known = ["decision", "discovery", "bugfix", "feature", "note", "summary", "prompt"];
    let known = known.into_iter().map(str::to_owned).filter(|known| !stored.contains(known));
    let known: Vec<String> = known.collect();
    candidates(stored.into_iter().chain(known).map(|name| (name, String::new())))
}

/// The branches of this project's rows.
fn branches() -> Vec<CompletionCandidate> {
    let found = query(|conn| match this_project(conn)? {
        Some(id) => observations::branches(conn, id),
        None => Ok(Vec::new()),
    });
    candidates(found.into_iter().map(|name| (name, String::new())))
}

fn settings() -> Vec<CompletionCandidate> {
    candidates(config::KEYS.iter().map(|key| (key.name.to_owned(), key.doc.to_owned())))
}

fn api_keys() -> Vec<CompletionCandidate> {
    let mut names: Vec<&str> = default_key_names().collect();
    names.sort_unstable();
    names.dedup();
    candidates(names.into_iter().map(|name| (name.to_owned(), String::new())))
}

fn resume_keys() -> Vec<CompletionCandidate> {
    let all = KeyPattern { prefix: "", suffix: "" };
    let found = query(|conn| agent_sessions::list(conn, all));
    candidates(found.into_iter().map(|row| (row.key, row.agent_session_id)))
}

fn verbs() -> Vec<CompletionCandidate> {
    let command = super::Cli::command();
    let about = |verb: &Command| verb.get_about().map(ToString::to_string).unwrap_or_default();
    candidates(command.get_subcommands().map(|verb| (verb.get_name().to_owned(), about(verb))))
}
