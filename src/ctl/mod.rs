//! What people and programs ask: one verb, one file, with its words, its help and its printing.
//!
//! stdout is data, stderr is talk. Verbs that only read create nothing.

mod cleanup;
mod client_hooks;
mod completions;
mod config;
mod context;
mod doctor;
mod drain;
mod finish;
mod forget;
mod format;
mod health;
mod help;
mod kill;
mod logs;
mod lookup;
mod man;
mod overview;
mod poll;
mod ps;
mod queue;
mod replay;
mod resume;
mod show;
mod stats;
mod status;
mod style;
mod table;
mod terminal;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::Settings;
use crate::failure::{Result, failed};
use crate::process;
use crate::store::{self, Reader};

/// How long a command waits for a lock on what it reads.
const PATIENCE: Duration = Duration::from_secs(2);

/// Memory for coding agents: never blocks, never loses, never lingers
#[derive(Parser)]
#[command(name = "memctl", disable_help_subcommand = true, max_term_width = terminal::READABLE)]
#[command(version, long_version = help::BUILD)]
#[command(after_help = help::AFTER, after_long_help = help::PROGRAM)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    Ps(ps::Args),
    Kill(kill::Args),
    Status(status::Args),
    Doctor(doctor::Args),
    Stats(stats::Args),
    Show(show::Args),
    Queue(queue::Args),
    Finish(finish::Args),
    Cleanup(cleanup::Args),
    Forget(forget::Args),
    Context(context::Args),
    Config(config::Args),
    Logs(logs::Args),
    Replay(replay::Args),
    Resume(resume::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Parses the words of the command line and does what they say.
pub fn run(args: &[OsString]) -> u8 {
    process::set_private_umask();
    let command = help::fitted(Cli::command(), terminal::width());
    let args = std::iter::once(OsStr::new("memctl")).chain(args.iter().map(OsString::as_os_str));
    let parsed =
        command.try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(answer) => {
            // A reader that has gone away is no failure.
            let _ = answer.print();
            return answer.exit_code() as u8;
        }
    };
    exit(serve(cli.verb))
}

fn serve(verb: Option<Verb>) -> Result<()> {
    match verb {
        None => overview::run(&load()?),
        Some(Verb::Ps(args)) => ps::run(&load()?, &args),
        Some(Verb::Kill(args)) => kill::run(&load()?, &args),
        Some(Verb::Status(args)) => status::run(&load()?, &args),
        Some(Verb::Doctor(args)) => doctor::run(&load_quietly()?, &args),
        Some(Verb::Stats(args)) => stats::run(&load()?, &args),
        Some(Verb::Show(args)) => show::run(&load()?, &args),
        Some(Verb::Queue(args)) => queue::run(&load()?, &args),
        Some(Verb::Finish(args)) => finish::run(&load()?, &args),
        Some(Verb::Cleanup(args)) => cleanup::run(&load()?, &args),
        Some(Verb::Forget(args)) => forget::run(&load()?, &args),
        Some(Verb::Context(args)) => context::run(&load()?, &args),
        Some(Verb::Config(args)) => config::run(&load()?, &args),
        Some(Verb::Logs(args)) => logs::run(&load()?, &args),
        Some(Verb::Replay(args)) => replay::run(load()?, &args),
        Some(Verb::Resume(args)) => resume::run(&load()?, &args),
        // A package is built where there is no home.
        Some(Verb::Completions(args)) => completions::run(&args),
        Some(Verb::Man(args)) => man::run(&args),
    }
}

/// For the one that says by itself what is wrong with the settings.
fn load_quietly() -> Result<Settings> {
    let here = std::env::current_dir().ok();
    crate::config::load(&crate::config::process_env, here.as_deref()).map_err(failed)
}

fn load() -> Result<Settings> {
    let settings = load_quietly()?;
    for trouble in &settings.config.problems {
        tell(&format!("memctl: {trouble}"));
    }
    Ok(settings)
}

/// The one place that prints a failure. A reader that has gone away is no failure.
pub fn exit(outcome: Result<()>) -> u8 {
    match outcome {
        Ok(()) => 0,
        Err(failure) if failure.is_broken_pipe() => 0,
        Err(failure) => {
            tell(&failure.to_string());
            failure.exit_code()
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

/// Writes a line to stderr, to whom it may concern.
fn tell(line: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Writes a value as one line of JSON.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print(&format!("{}\n", serde_json::to_string(value).map_err(failed)?))
}

/// How much is remembered in all. `None`: nothing yet.
fn probe_store(settings: &Settings) -> store::Result<Option<store::StoreCounts>> {
    match Reader::open(&settings.paths, PATIENCE)? {
        Some(reader) => store::counts(reader.connection()).map(Some),
        None => Ok(None),
    }
}
