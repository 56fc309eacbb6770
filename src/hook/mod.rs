//! `memctl hook [EVENT] [--client NAME]`: reads one event of a client from standard input, delivers
//! it to the session's worker or spool, and prints one JSON object.
//!
//! A hook never breaks its client: errors go to the log and to standard error, standard output is
//! valid JSON, and the exit code is 0. A hook starts no async runtime and does not use clap. It opens
//! the database only to read it: at a session's start, and to answer with memories ([`recall`]).

mod context;
mod fatal;
mod first_start;
mod recall;
mod response;
mod stdin;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use memctl_proto::{Event, Kind};
use tracing::Level;

use crate::capture::{
    self, BeforeTool, CaptureContext, Captured, Payload, PrivateTurns, PrivateWords, SessionEdge,
};
use crate::clock;
use crate::config::{self, Env, OffSwitch, Settings};
use crate::deliver::connect::Connection;
use crate::deliver::{self, Delivered, launch};
use crate::files::Place;
use crate::injection::{Asked, Question, given};
use crate::log::Log;
use crate::paths::{Paths, session_key};
use crate::project;
use crate::project::recording::NotRecorded;
use crate::text::one_line;
use crate::{process, spool, testpoint};
use context::StartContext;
use response::Response;

/// The last-resort timer ends a hook after this time, for example on a hanging file system. A
/// loaded disk needs less time to store an event.
const MAX_RUNTIME: Duration = Duration::from_secs(3);

/// The same for SessionEnd. Claude Code gives a plugin's SessionEnd hooks 1.5 s.
const MAX_END_RUNTIME: Duration = Duration::from_millis(1200);

const HELP: &str = "\
memctl hook [EVENT] [--client NAME]

Reads one JSON object from standard input and delivers it to the session's worker as an event.
Coding agents run this command from their hooks. EVENT defaults to the object's hook_event_name,
NAME to claude-code. A script sends events to a worker's socket instead: see hooks/observe.sh.
";

/// Runs `memctl hook` with the arguments that follow it. Errors are reported, not returned.
pub fn run(args: &[OsString]) {
    fatal::install();
    process::set_private_umask();
    let response = match run_hook(args) {
        Ok(response) => response,
        Err(HookExit::Help) => {
            print!("{HELP}");
            return;
        }
        Err(HookExit::Error(error)) => {
            error.report();
            Response::NoOp
        }
    };
    response.print();
}

/// Why a hook ends without a response to its event.
enum HookExit {
    /// Standard input is a terminal, or the arguments ask for help.
    Help,
    Error(HookError),
}

struct HookError {
    message: String,
    /// The log that gets the message; `None` if there is no data dir.
    log: Option<Log>,
}

impl HookError {
    fn new(message: impl ToString, settings: Option<&Settings>) -> HookError {
        HookError { message: message.to_string(), log: settings.and_then(general_log) }
    }

    fn of_session(message: impl ToString, settings: &Settings, key: &str) -> HookError {
        let log = log_at(settings, |paths| paths.log(key));
        HookError { message: message.to_string(), log }
    }

    /// Writes to standard error and to the log, which `memctl doctor` reads. Ignores write errors.
    fn report(&self) {
        let _ = writeln!(std::io::stderr(), "memctl: hook: {}", one_line(&self.message));
        if let Some(log) = &self.log {
            let _ = log.place.parent().make_dir();
            log.append(Level::WARN, &format!("hook: {}", self.message));
        }
    }
}

fn run_hook(args: &[OsString]) -> Result<Response, HookExit> {
    let env: Env = &config::process_env;
    if OffSwitch::find(env).is_some() {
        return Ok(Response::NoOp);
    }
    let wants_help = args.iter().any(|arg| arg == "--help" || arg == "-h");
    if wants_help || process::stdin().is_terminal() {
        return Err(HookExit::Help);
    }
    // A relative or foreign path (`C:\…`) would be resolved against the hook's own directory.
    let project_dir = env("CLAUDE_PROJECT_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let mut settings = project::settings(project_dir.as_deref().as_slice())
        .map_err(|e| HookExit::Error(HookError::new(e, None)))?;
    fatal::set_timer((stdin::FIRST_BYTE + 1) * settings.config.hook.stdin + MAX_RUNTIME);
    let event = read_event(args, env, project_dir.as_deref(), &mut settings);
    if !matches!(event, Ok(Read::Event(..))) {
        fatal::end_event();
    }
    let project_dir = project_dir.as_deref();
    match event.map_err(|e| HookExit::Error(HookError::new(e, Some(&settings))))? {
        Read::Event(received) => handle(&mut settings, *received, project_dir),
        Read::BeforeTool(tool, at) => Ok(before_tool(&settings, &tool, at, project_dir)),
        Read::Ignored => Ok(Response::NoOp),
        Read::NotRecorded(why, edge, received) => {
            Ok(leave_unrecorded(&mut settings, &why, edge, received))
        }
    }
    .map_err(HookExit::Error)
}

/// An event, and what is known of its arrival.
struct Received {
    event: Event,
    /// When its payload was complete.
    at: Instant,
    /// The session's private turns.
    turns: PrivateTurns,
    /// The session's private phrases, with those of the event.
    words: PrivateWords,
    /// Why only a part of the payload was used.
    damage: Option<String>,
    /// A connection to the session's worker.
    worker: Option<Connection>,
}

/// What was read from standard input.
enum Read {
    Event(Box<Received>),
    /// A tool is about to be used. The time is when the payload was complete.
    BeforeTool(Box<BeforeTool>, Instant),
    /// The event is not recorded.
    Ignored,
    /// The session is not recorded. The time is when the payload was complete.
    NotRecorded(NotRecorded, SessionEdge, Instant),
}

/// Reads the event from standard input.
fn read_event(
    args: &[OsString],
    env: Env,
    project_dir: Option<&Path>,
    settings: &mut Settings,
) -> Result<Read, String> {
    let args = Args::parse(args)?;
    // Nothing is recorded of this event, so nothing of it can be lost.
    let is_recorded = args.event.as_deref() != Some("PreToolUse");
    let begin = || {
        if is_recorded {
            fatal::begin_event(&settings.paths)
        }
    };
    let object = stdin::read(settings.config.hook.stdin, begin).map_err(|e| {
        if is_recorded && e.is_loss() {
            spool::record_loss(&settings.paths);
        }
        e.to_string()
    })?;
    let at = Instant::now();
    testpoint::at("hook.read");
    let (payload, invalid) = Payload::read(&object.text);
    let damage = object.missing.map(|e| e.to_string()).or(invalid.map(|e| e.to_string()));
    // Load again if a config file or directory is inside the project: it is not trusted then. The
    // settings were loaded for the project directory, which usually is the working directory too.
    if let Some(cwd) = payload.cwd.as_deref().map(Path::new)
        && project_dir != Some(cwd)
        && settings.may_be_in_project()
        && settings.are_in(&project::dir_of(cwd))
    {
        let dirs: Vec<&Path> = project_dir.into_iter().chain([cwd]).collect();
        *settings = project::settings(&dirs)?;
    }
    // Clients run hooks in the working directory of the session.
    let here = payload.cwd.is_none().then(std::env::current_dir).and_then(Result::ok);
    let session = payload.session_id.as_deref().unwrap_or_default().trim();
    let key = session_key(&args.client, session);
    if settings.paths.data_dir_exists() {
        // A data dir that others can write to is not read.
        let _ = settings.paths.restrict_data_dir();
    }
    let worker = is_recorded.then(|| deliver::connect_early(settings, &key)).flatten();
    let turns = PrivateTurns::read(&settings.paths, &key);
    let words = turns.words(payload.turn.as_deref());
    let context = CaptureContext {
        event: args.event.as_deref(),
        client: &args.client,
        project_dir,
        fallback_dir: here.as_deref(),
        recording: &settings.config.recording,
        limits: settings.config.capture,
        private: &words,
        redact: &settings.config.redact,
        now: clock::now_ms(),
        process: process::client_process(client_pid(env), &args.client),
    };
    let captured = capture::capture(&payload, &context).map_err(|e| {
        let is_cut = object.missing.is_some() || damage.is_some() && payload.session_id.is_some();
        if is_recorded && is_cut {
            spool::record_loss(&settings.paths);
        }
        damage.clone().unwrap_or_else(|| e.to_string())
    });
    match captured? {
        Captured::BeforeTool(tool) if turns.is_private(tool.turn.as_deref()) => Ok(Read::Ignored),
        Captured::BeforeTool(tool) => Ok(Read::BeforeTool(tool, at)),
        Captured::Ignored(_) => Ok(Read::Ignored),
        Captured::NotRecorded(why, edge) => Ok(Read::NotRecorded(why, edge, at)),
        Captured::Event(mut event) => {
            capture::hash_files(&mut event, &payload, &context);
            testpoint::at("hook.captured");
            Ok(Read::Event(Box::new(Received { event: *event, at, turns, words, damage, worker })))
        }
    }
}

/// Responds to an event of a session that is not recorded. Delivers its end if there is a worker, or
/// events for one, from the time when it was recorded.
fn leave_unrecorded(
    settings: &mut Settings,
    why: &NotRecorded,
    edge: SessionEdge,
    received: Instant,
) -> Response {
    match edge {
        SessionEdge::Start if why.is_reported_at_start() => {
            let notice = format!("memctl: {} (details: memctl status)", one_line(&why.to_string()));
            Response::start(String::new(), Some(notice))
        }
        SessionEdge::End(end) => {
            let key = session_key(&end.client, &end.session);
            let has_worker = settings.paths.session_lock(&key).exists();
            if has_worker || spool::exists(&settings.paths, &key) {
                let deadline = received + settings.config.hook.end_deadline;
                deliver::deliver(settings, &key, &end, deadline);
            }
            Response::NoOp
        }
        SessionEdge::Start | SessionEdge::Neither => Response::NoOp,
    }
}

/// Responds to a tool use that is about to happen. Records nothing of it.
fn before_tool(
    settings: &Settings,
    tool: &BeforeTool,
    received: Instant,
    project_dir: Option<&Path>,
) -> Response {
    fatal::set_timer(MAX_RUNTIME);
    let block = Question::before_tool(tool, &settings.config.recall).and_then(|question| {
        let asked = Asked {
            client: tool.client.clone(),
            session: tool.session.clone(),
            project_dir: project_dir.map(Path::to_owned),
            cwd: tool.cwd.clone(),
            at: clock::now_ms(),
            until: 0,
            tokens: settings.config.recall.tokens,
            question,
        };
        recall::answer(settings, asked, received + settings.config.hook.deadline)
    });
    Response::recalled("PreToolUse", block)
}

/// The response to an event that was delivered: memories, if it asks a question.
fn recalled(
    settings: &Settings,
    event: &Event,
    question: Option<Question>,
    delivered: &Delivered,
    deadline: Instant,
    project_dir: Option<&Path>,
) -> Response {
    let name = match event.kind {
        Kind::Prompt => "UserPromptSubmit",
        Kind::Tool => "PostToolUse",
        Kind::ToolFailed => "PostToolUseFailure",
        _ => return Response::NoOp,
    };
    let block = question.and_then(|question| {
        let asked = Asked {
            client: event.client.clone(),
            session: event.session.clone(),
            project_dir: project_dir.map(Path::to_owned),
            cwd: event.cwd.clone(),
            at: event.at,
            until: 0,
            tokens: settings.config.recall.tokens,
            question,
        };
        match delivered {
            Delivered::Accepted { .. } => recall::answer(settings, asked, deadline),
            _ => recall::answer_alone(settings, &asked, deadline),
        }
    });
    if block.is_none() && event.kind == Kind::Prompt {
        recall::report_start(settings, event, deadline);
    }
    Response::recalled(name, block)
}

/// Delivers the event. The response to a start contains context, that to other events may.
fn handle(
    settings: &mut Settings,
    received: Received,
    project_dir: Option<&Path>,
) -> Result<Response, HookError> {
    let Received { event, at, turns, words, damage, worker } = received;
    let key = session_key(&event.client, &event.session);
    if let Some(damage) = damage {
        let message = format!("{damage}; the fields before that are recorded");
        HookError::of_session(message, settings, &key).report();
    }
    let hook = &settings.config.hook;
    let limit = if event.kind == Kind::End { hook.end_deadline } else { hook.deadline };
    let deadline = at + limit;
    if event.kind == Kind::Start {
        fatal::set_timer(MAX_RUNTIME);
        fatal::end_event();
        // If this fails, the last valid list is an older one.
        let _ = settings.remember_exclusions();
        return Ok(start(settings, event, &key, deadline));
    }
    fatal::set_timer(if event.kind == Kind::End { MAX_END_RUNTIME } else { MAX_RUNTIME });
    let created = settings.paths.create_data_dir();
    fatal::begin_event(&settings.paths);
    testpoint::at("hook.prepared");
    let event = turns.redact(event, &words);
    testpoint::at("hook.marked");
    let ask = || Question::of_event(&event, &settings.config.recall);
    let mut question = None;
    let delivered = deliver::deliver_over(worker, settings, &key, &event, deadline, || {
        question = Some(ask());
    });
    testpoint::at("hook.delivered");
    fatal::end_event();
    if let Err(e) = created {
        // The fallback spool may still have the event.
        HookError::new(format!("cannot create the data dir: {e}"), Some(settings)).report();
    }
    if event.kind == Kind::End && matches!(delivered, Delivered::Accepted { .. }) {
        given::remove(&settings.paths, &key);
    }
    match delivered {
        Delivered::Accepted { .. } | Delivered::Spooled { warning: None } => {
            let question = question.unwrap_or_else(ask);
            Ok(recalled(settings, &event, question, &delivered, deadline, project_dir))
        }
        Delivered::Spooled { warning: Some(warning) } => {
            Err(HookError::of_session(warning, settings, &key))
        }
        Delivered::Lost { reason } => {
            Err(HookError::of_session(format!("an event was lost: {reason}"), settings, &key))
        }
    }
}

/// Returns the response to a start. If it continues a conversation, delivers the event with the
/// time of the newest row in the context.
fn start(settings: &Settings, event: Event, key: &str, deadline: Instant) -> Response {
    let (mut context, error) = context::load(settings, &event);
    if !context.block.is_empty() && !first_start::is_first(&settings.paths, key, &event) {
        let StartContext { notice, newest_epoch, unfinished, .. } = context;
        context = StartContext { notice, newest_epoch, unfinished, ..StartContext::default() };
    }
    if let Some(error) = error {
        HookError::of_session(error, settings, key).report();
    }
    let continues = matches!(event.reason.as_deref(), Some("resume" | "fork" | "compact"));
    let StartContext { rows, steps, .. } = &context;
    given::add_start(&settings.paths, key, event.at, rows, steps, continues);
    if continues && settings.paths.data_dir_exists() {
        let mut uses = given::uses(rows, given::START, event.at);
        uses.extend(given::uses(steps, given::OPEN, event.at));
        let event = Event { shown_epoch: context.newest_epoch, uses, ..event };
        let _ = deliver::deliver(settings, key, &event, deadline);
    }
    if context.unfinished {
        // If recovery cannot start now, the next SessionStart tries again.
        let _ = launch::start_recovery(settings);
    }
    let notice = context.notice_with_size(settings.config.context.notice);
    Response::start(context.block, notice)
}

struct Args {
    event: Option<String>,
    client: String,
}

impl Args {
    fn parse(args: &[OsString]) -> Result<Args, String> {
        let mut parsed = Args { event: None, client: "claude-code".into() };
        let mut args = args.iter().map(|a| a.to_string_lossy());
        while let Some(arg) = args.next() {
            if arg == "--client" {
                parsed.client = args.next().ok_or("--client needs a name")?.into_owned();
            } else if let Some(client) = arg.strip_prefix("--client=") {
                parsed.client = client.to_owned();
            } else if arg.starts_with('-') || parsed.event.is_some() {
                return Err(format!(
                    "unexpected argument '{arg}'; usage: memctl hook [EVENT] [--client NAME]"
                ));
            } else {
                parsed.event = Some(arg.into_owned());
            }
        }
        Ok(parsed)
    }
}

fn client_pid(env: Env) -> Option<i32> {
    env("CLAUDE_PID")?.to_str()?.parse().ok()
}

/// Returns the general log. The panic hook calls this because it has no settings.
fn panic_log() -> Option<Log> {
    general_log(&project::settings(&[]).ok()?)
}

fn general_log(settings: &Settings) -> Option<Log> {
    log_at(settings, Paths::general_log)
}

/// Returns `None` if there is no data dir.
fn log_at(settings: &Settings, place: impl Fn(&Paths) -> Place) -> Option<Log> {
    let Settings { paths, config, .. } = settings;
    paths.data_dir_exists().then(|| Log { place: place(paths), max_bytes: config.log_max })
}
