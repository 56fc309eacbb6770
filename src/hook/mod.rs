//! `memctl hook [EVENT] [--client NAME]`: one event of a client, from standard input to the
//! session's worker or its spool, and one JSON object on standard output.
//!
//! This module keeps the promise that a hook never breaks its client: whatever goes wrong is
//! logged and said on standard error, standard output stays valid JSON, the exit code is 0.
//! No async runtime, no clap, and no database but for reading it at a session's start.

mod answer;
mod context;
mod fatal;
mod once;
mod private;
mod stdin;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use memctl_proto::{Event, Kind};
use tracing::Level;

use crate::capture::{self, CaptureContext, Captured, Payload};
use crate::clock;
use crate::config::{self, Env, Settings};
use crate::deliver::{self, Delivered, launch};
use crate::log;
use crate::paths::{Paths, session_key};
use crate::{process, testpoint};
use answer::Answer;

/// When a hook is given up whatever it waits for: a file system that hangs must not hold the client
/// up for ever. Long enough that a disk under load can take an event.
const GRACE: Duration = Duration::from_secs(3);

/// The same at a session's end, where the client gives 1.5 s.
const END_GRACE: Duration = Duration::from_millis(1200);

const HELP: &str = "\
memctl hook [EVENT] [--client NAME]

Reads one JSON object, as a coding agent's hooks send it, on standard input and hands it to the
session's worker. Clients run this; to send something yourself, write a line to a worker's
socket (hooks/observe.sh shows how). EVENT defaults to the object's hook_event_name.
";

/// Runs the hook with the words behind `memctl hook`. Never returns an error: there is nobody
/// who could do anything about it.
pub fn run(args: &[OsString]) {
    fatal::install();
    process::set_private_umask();
    let answer = match hear(args) {
        Ok(answer) => answer,
        Err(Heard::Help) => {
            print!("{HELP}");
            return;
        }
        Err(Heard::Trouble(trouble)) => {
            trouble.tell();
            Answer::Neutral
        }
    };
    answer.print();
}

/// Why a hook has nothing to deliver.
enum Heard {
    /// A person, at a terminal or asking.
    Help,
    Trouble(Trouble),
}

/// What went wrong, and the log that is told, when there is one.
struct Trouble {
    why: String,
    log: Option<PathBuf>,
}

impl Trouble {
    fn new(why: impl ToString, settings: Option<&Settings>) -> Trouble {
        let paths = settings.map(|s| &s.paths).filter(|paths| paths.exist());
        Trouble { why: why.to_string(), log: paths.map(Paths::general_log) }
    }

    fn of_session(why: impl ToString, settings: &Settings, key: &str) -> Trouble {
        let log = settings.paths.exist().then(|| settings.paths.log(key));
        Trouble { why: why.to_string(), log }
    }

    /// Standard error for whoever looks, the log for `memctl status`. Neither may be there.
    fn tell(&self) {
        let _ = writeln!(std::io::stderr(), "memctl: hook: {}", self.why);
        if let Some(file) = &self.log {
            log::append(file, Level::WARN, &format!("hook: {}", self.why));
        }
    }
}

fn hear(args: &[OsString]) -> Result<Answer, Heard> {
    let env: Env = &config::process_env;
    // A memory agent's own hooks: it never observes itself.
    if env("MEMCTL_INTERNAL").is_some_and(|v| v == "1") {
        return Ok(Answer::Neutral);
    }
    let asked = args.iter().any(|arg| arg == "--help" || arg == "-h");
    if asked || std::io::stdin().is_terminal() {
        return Err(Heard::Help);
    }
    let project_dir = env("CLAUDE_PROJECT_DIR").filter(|d| !d.is_empty()).map(PathBuf::from);
    let mut settings = config::load(env, project_dir.as_deref())
        .map_err(|why| Heard::Trouble(Trouble::new(why, None)))?;
    fatal::give_up_after(settings.config.hook.stdin + GRACE);
    let event = listen(args, env, project_dir.as_deref(), &mut settings)
        .map_err(|why| Heard::Trouble(Trouble::new(why, Some(&settings))))?;
    match event {
        Some((event, since)) => handle(&mut settings, event, since),
        None => Ok(Answer::Neutral),
    }
    .map_err(Heard::Trouble)
}

/// The event that standard input tells of, and when its payload was complete. Nothing of an
/// event that leaves no trace.
fn listen(
    args: &[OsString],
    env: Env,
    project_dir: Option<&Path>,
    settings: &mut Settings,
) -> Result<Option<(Event, Instant)>, String> {
    let words = Words::parse(args)?;
    let text = stdin::read(settings.config.hook.stdin)?;
    let since = Instant::now();
    testpoint::at("hook.read");
    let payload = Payload::parse(&text).map_err(|e| e.to_string())?;
    if let (None, Some(cwd)) = (project_dir, &payload.cwd)
        && settings.config_file_is_in(Path::new(&**cwd))
    {
        *settings = config::load(env, Some(Path::new(&**cwd)))?;
    }
    let around = CaptureContext {
        event: words.event.as_deref(),
        client: &words.client,
        project_dir,
        home: settings.home.as_deref(),
        exclude: &settings.config.exclude,
        limits: settings.config.capture,
        now: clock::now_ms(),
        process: process::client_process(client_pid(env), &words.client),
    };
    match capture::capture(&payload, &around).map_err(|e| e.to_string())? {
        Captured::Ignored(_) => Ok(None),
        Captured::Event(mut event) => {
            capture::hash_files(&mut event, &payload, &around);
            testpoint::at("hook.captured");
            Ok(Some((*event, since)))
        }
    }
}

/// What the event calls for: delivery, and context where a session starts.
fn handle(settings: &mut Settings, event: Event, since: Instant) -> Result<Answer, Trouble> {
    let key = session_key(&event.client, &event.session);
    let hook = &settings.config.hook;
    let limit = if event.kind == Kind::End { hook.end_deadline } else { hook.deadline };
    let deadline = since + limit;
    if event.kind == Kind::Start {
        fatal::give_up_after(GRACE);
        return Ok(start(settings, event, &key, deadline));
    }
    // From here on the event counts as lost until it is kept.
    fatal::give_up_after(if event.kind == Kind::End { END_GRACE } else { GRACE });
    fatal::holds(&settings.paths);
    let created = settings.paths.create();
    testpoint::at("hook.prepared");
    let event = private::mark(&settings.paths, &key, event);
    testpoint::at("hook.marked");
    let delivered = deliver::deliver(settings, &key, &event, deadline);
    testpoint::at("hook.delivered");
    fatal::holds_nothing();
    if let Err(e) = created {
        // The second spool may have taken it all the same.
        Trouble::new(format!("data dir: {e}"), Some(settings)).tell();
    }
    match delivered {
        Delivered::Accepted { .. } | Delivered::Spooled { warning: None } => Ok(Answer::Neutral),
        Delivered::Spooled { warning: Some(why) } => Err(Trouble::of_session(why, settings, &key)),
        Delivered::Lost { reason: why } => {
            Err(Trouble::of_session(format!("an event was lost: {why}"), settings, &key))
        }
    }
}

/// Context for a session that starts, and a word to the store of what it was told.
fn start(settings: &Settings, event: Event, key: &str, deadline: Instant) -> Answer {
    let (mut told, trouble) = context::tell(settings, &event);
    if !told.block.is_empty() && !once::first_to_tell(&settings.paths, key, &event) {
        told.block.clear();
    }
    if let Some(why) = trouble {
        Trouble::of_session(why, settings, key).tell();
    }
    let moves_on = matches!(event.reason.as_deref(), Some("resume" | "fork" | "compact"));
    if moves_on && settings.paths.exist() {
        let event = Event { shown_epoch: told.newest_epoch, ..event };
        let _ = deliver::deliver(settings, key, &event, deadline);
    }
    if told.unfinished {
        // What cannot be started now is asked for again at the next start.
        let _ = launch::start_recovery(settings);
    }
    Answer::start(told.block, told.notice)
}

struct Words {
    event: Option<String>,
    client: String,
}

impl Words {
    fn parse(args: &[OsString]) -> Result<Words, String> {
        let mut words = Words { event: None, client: "claude-code".into() };
        let mut args = args.iter().map(|a| a.to_string_lossy());
        while let Some(arg) = args.next() {
            if arg == "--client" {
                words.client = args.next().ok_or("--client wants a name")?.into_owned();
            } else if let Some(client) = arg.strip_prefix("--client=") {
                words.client = client.to_owned();
            } else if arg.starts_with('-') || words.event.is_some() {
                return Err(format!(
                    "'{arg}' is not understood: memctl hook [EVENT] [--client NAME]"
                ));
            } else {
                words.event = Some(arg.into_owned());
            }
        }
        Ok(words)
    }
}

fn client_pid(env: Env) -> Option<i32> {
    env("CLAUDE_PID")?.to_str()?.parse().ok()
}

/// For the panic hook, which knows nothing but where the log may be.
fn general_log() -> Option<PathBuf> {
    let settings = config::load(&config::process_env, None::<&Path>).ok()?;
    settings.paths.exist().then(|| settings.paths.general_log())
}
