//! What people and programs ask: one verb, one file, with its words, its help and its printing.
//!
//! stdout is data, stderr is talk. Verbs that only read create nothing.

mod config;
mod context;
mod kill;
mod overview;
mod ps;
mod queue;
mod replay;
mod show;
mod status;
mod table;
mod wait;
mod words;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::config::Settings;
use crate::failure::{Result, failed};
use crate::process;
use crate::store::{self, Reader};

/// How long a command waits for a lock on what it reads.
const PATIENCE: Duration = Duration::from_secs(2);

/// Memory for coding agents: never blocks, never loses, never lingers
#[derive(Parser)]
#[command(name = "memctl", version, disable_help_subcommand = true, max_term_width = 100)]
#[command(
    after_help = "Run `memctl` alone to see whether it works. Agents' hooks run `memctl hook`."
)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List the workers that live, hang or left something behind
    Ps(ps::Args),
    /// End workers, and return when they are gone
    Kill(kill::Args),
    /// Say what is remembered of this project and whether all is well
    Status(status::Args),
    /// Print one memory, or a session's
    Show(show::Args),
    /// Look into the queue between hooks and memory
    Queue(queue::Args),
    /// Print what the next session of this project is told
    Context(context::Args),
    /// List the settings, what they mean and where they come from
    Config(config::Args),
    /// Play a recorded transcript through hooks' own way
    Replay(replay::Args),
}

/// Parses the words of the command line and does what they say.
pub fn run() -> ExitCode {
    process::private_umask();
    let cli = Cli::parse();
    exit(load().and_then(|settings| match cli.verb {
        None => overview::run(&settings),
        Some(Verb::Ps(args)) => ps::run(&settings, &args),
        Some(Verb::Kill(args)) => kill::run(&settings, &args),
        Some(Verb::Status(args)) => status::run(&settings, &args),
        Some(Verb::Show(args)) => show::run(&settings, &args),
        Some(Verb::Queue(args)) => queue::run(&settings, &args),
        Some(Verb::Context(args)) => context::run(&settings, &args),
        Some(Verb::Config(args)) => config::run(&settings, &args),
        Some(Verb::Replay(args)) => replay::run(settings, &args),
    }))
}

fn load() -> Result<Settings> {
    let here = std::env::current_dir().ok();
    let settings =
        crate::config::load(&crate::config::process_env, here.as_deref()).map_err(failed)?;
    for trouble in &settings.config.troubles {
        anstream::eprintln!("memctl: {trouble}");
    }
    Ok(settings)
}

/// The one place that prints a failure. A reader that has gone away is no failure.
pub fn exit(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            anstream::eprintln!("{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Writes a verb's data to stdout.
fn print(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|e| match e.kind() {
        io::ErrorKind::BrokenPipe => crate::failure::broken_pipe(),
        _ => failed(format!("standard output: {e}")),
    })
}

/// Writes a value as one line of JSON.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print(&format!("{}\n", serde_json::to_string(value).map_err(failed)?))
}

/// How much is remembered in all. `None`: nothing yet.
fn probe_store(settings: &Settings) -> store::Result<Option<store::Held>> {
    match Reader::open(&settings.paths, PATIENCE)? {
        Some(reader) => store::held(reader.connection()).map(Some),
        None => Ok(None),
    }
}
