//! `memctl hook [EVENT] [--client NAME]`: one event of a client, from standard input to the
//! session's worker or its spool, and one JSON object on standard output.
//!
//! This module keeps the promise that a hook never breaks its client: whatever goes wrong is
//! logged and said on standard error, standard output stays valid JSON, the exit code is 0.
//! No async runtime, no clap, and no database but for reading it at a session's start.

mod answer;
mod context;
mod fatal;
mod stdin;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use memctl_proto::{Event, Kind};
use tracing::Level;

use crate::capture::{self, Around, Captured, Payload};
use crate::config::{self, Env, Settings};
use crate::deliver::{self, Delivered, launch};
use crate::log;
use crate::paths::{Paths, session_key};
use crate::{process, testpoint};
use answer::Answer;

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
    process::private_umask();
    let answer = match hear(args) {
        Ok(answer) => answer,
        Err(Heard::Help) => {
            print!("{HELP}");
            return;
        }
        Err(Heard::Trouble { why, paths, key }) => {
            complain(&why, paths.as_ref(), key.as_deref());
            Answer::Neutral
        }
    };
    answer.print();
}

/// Why a hook has nothing to deliver.
enum Heard {
    /// A person at a terminal.
    Help,
    Trouble {
        why: String,
        paths: Option<Paths>,
        key: Option<String>,
    },
}

fn trouble(why: impl ToString, settings: Option<&Settings>) -> Heard {
    Heard::Trouble { why: why.to_string(), paths: settings.map(|s| s.paths.clone()), key: None }
}

fn hear(args: &[OsString]) -> Result<Answer, Heard> {
    let env: Env = &config::process_env;
    // A memory agent's own hooks: it never observes itself.
    if env("MEMCTL_INTERNAL").is_some_and(|v| v == "1") {
        return Ok(Answer::Neutral);
    }
    if std::io::stdin().is_terminal() {
        return Err(Heard::Help);
    }
    let project_dir = env("CLAUDE_PROJECT_DIR").filter(|d| !d.is_empty()).map(PathBuf::from);
    let mut settings =
        config::load(env, project_dir.as_deref()).map_err(|why| trouble(why, None))?;
    let words = Words::parse(args).map_err(|why| trouble(why, Some(&settings)))?;
    let read =
        stdin::read(settings.config.hook.stdin).map_err(|why| trouble(why, Some(&settings)))?;
    let started = Instant::now();
    testpoint::at("hook.read");

    let payload = Payload::parse(&read.text).map_err(|why| trouble(why, Some(&settings)))?;
    let around = Around {
        event: words.event.as_deref(),
        client: &words.client,
        project_dir: project_dir.as_deref(),
        home: settings.home.as_deref(),
        exclude: &settings.config.exclude,
        limits: settings.config.capture,
        now: now_ms(),
        process: process::client_process(client_pid(env), &words.client),
    };
    let captured =
        capture::capture(&payload, &around).map_err(|why| trouble(why, Some(&settings)))?;
    let Captured::Event(event) = captured else { return Ok(Answer::Neutral) };
    testpoint::at("hook.captured");
    let limit = match event.kind {
        Kind::End => settings.config.hook.end_deadline,
        _ => settings.config.hook.deadline,
    };
    fatal::give_up_after(limit);
    handle(&mut settings, *event, started + limit)
}

/// What the event calls for: delivery, and context where a session starts.
fn handle(settings: &mut Settings, event: Event, deadline: Instant) -> Result<Answer, Heard> {
    let key = session_key(&event.client, &event.session);
    let failed = |why: String, settings: &Settings| Heard::Trouble {
        why,
        paths: Some(settings.paths.clone()),
        key: Some(key.clone()),
    };
    if event.kind == Kind::Start {
        let (told, trouble) = context::tell(settings, &event);
        if let Some(why) = trouble {
            complain(&why.to_string(), Some(&settings.paths), Some(&key));
        }
        if moves_on(&event) && settings.paths.exist() {
            let event = Event { shown_epoch: told.newest_epoch, ..event };
            let _ = deliver::deliver(settings, &key, &event, deadline);
        }
        if told.unfinished {
            // What cannot be started now is asked for again at the next start.
            let _ = launch::recovery(&settings.paths);
        }
        return Ok(Answer::start(told.block, told.notice));
    }
    if let Err(e) = settings.paths.create() {
        // The second spool may still take it.
        complain(&format!("data dir: {e}"), None, None);
    }
    let event = mark_private(settings, &key, event);
    match deliver::deliver(settings, &key, &event, deadline) {
        Delivered::Accepted { .. } | Delivered::Spooled { trouble: None } => Ok(Answer::Neutral),
        Delivered::Spooled { trouble: Some(why) } => Err(failed(why, settings)),
        Delivered::Lost { why } => Err(failed(format!("an event was lost: {why}"), settings)),
    }
}

/// Whether the conversation of a starting session is one that was there before.
fn moves_on(event: &Event) -> bool {
    matches!(event.reason.as_deref(), Some("resume" | "fork" | "compact"))
}

/// While a wholly private turn runs, a file says so to the hooks of its other events, which may
/// have to spool what the store would drop.
fn mark_private(settings: &Settings, key: &str, event: Event) -> Event {
    let mark = settings.paths.private_mark(key);
    if event.kind == Kind::Prompt {
        if event.private {
            let _ = std::fs::write(&mark, "");
        } else {
            let _ = std::fs::remove_file(&mark);
        }
        return event;
    }
    if mark.exists() { Event { private: true, ..event.without_text() } } else { event }
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

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as i64
}

/// Standard error for whoever looks, the log for `memctl doctor`.
fn complain(why: &str, paths: Option<&Paths>, key: Option<&str>) {
    eprintln!("memctl: hook: {why}");
    if let Some(paths) = paths.filter(|p| p.exist()) {
        let file = key.map_or_else(|| paths.general_log(), |key| paths.log(key));
        log::line(&file, Level::WARN, &format!("hook: {why}"));
    }
}

/// For the panic hook, which knows nothing but where the log may be.
fn general_log() -> Option<PathBuf> {
    let settings = config::load(&config::process_env, None::<&Path>).ok()?;
    settings.paths.exist().then(|| settings.paths.general_log())
}
