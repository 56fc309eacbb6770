//! The command line. Each verb has one file or folder with its arguments, help, code and output.
//!
//! Data goes to stdout, messages go to stderr. A verb that only reads never creates a data dir.

mod ask;
mod backup;
mod candidates;
pub mod change;
mod cleanup;
mod client_hooks;
mod client_mcp;
mod completions;
mod config;
mod context;
mod doctor;
mod done;
mod drain;
mod edit;
mod export;
mod feedback;
mod finish;
mod fix;
pub mod forget;
pub mod format;
mod health;
mod help;
mod hide;
mod how;
mod import;
mod injected;
mod kill;
mod last;
mod lines;
mod list;
mod logs;
pub mod lookup;
mod man;
mod mcp;
mod open;
mod overview;
mod pause;
mod pin;
mod poll;
mod progress;
mod project;
mod promote;
mod ps;
mod queue;
mod redact;
pub mod remember;
mod replay;
mod resume;
mod search;
mod show;
mod stats;
mod status;
mod style;
mod supersede;
mod table;
mod terminal;
pub mod time;
mod timeline;
mod transcript;
mod why;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::Settings;
use crate::failure::{Result, failed};
use crate::process;
use crate::store::{self, Reader};
use crate::text::{escape_json, for_terminal, one_line};
use open::READ_TIMEOUT;
use style::paint;

/// Memory for coding agents
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
    Search(search::Args),
    Why(why::Args),
    Fix(fix::Args),
    How(how::Args),
    Show(show::Args),
    List(list::Args),
    Last(last::Args),
    Timeline(timeline::Args),
    Context(context::Args),
    Injected(injected::Args),
    Remember(remember::Args),
    Done(done::Args),
    Edit(edit::Args),
    Pin(pin::Args),
    Hide(hide::Args),
    Feedback(feedback::Args),
    Promote(promote::Args),
    Supersede(supersede::Args),
    Forget(forget::Args),
    Pause(pause::PauseArgs),
    Unpause(pause::UnpauseArgs),
    Finish(finish::Args),
    Project(project::Args),
    Status(status::Args),
    Doctor(doctor::Args),
    Stats(stats::Args),
    Ps(ps::Args),
    Kill(kill::Args),
    Queue(queue::Args),
    Logs(logs::Args),
    Config(config::Args),
    Cleanup(cleanup::Args),
    Import(import::Args),
    Replay(replay::Args),
    Export(export::Args),
    Backup(backup::BackupArgs),
    Restore(backup::RestoreArgs),
    Mcp(mcp::Args),
    Redact(redact::Args),
    Resume(resume::Args),
    Completions(completions::Args),
    Man(man::Args),
    Help(help::Args),
}

/// The roles that other modules have and that the command line starts.
#[derive(Clone, Copy)]
pub struct Roles {
    /// The MCP server.
    pub serve_mcp: fn() -> Result<()>,
}

/// Parses the arguments and runs the verb. Returns the exit code.
pub fn run(args: &[OsString], roles: Roles) -> u8 {
    process::set_private_umask();
    if let Some(completed) = candidates::answer(args) {
        return exit(completed);
    }
    let args = std::iter::once(OsStr::new("memctl")).chain(args.iter().map(OsString::as_os_str));
    let args: Vec<&OsStr> = args.collect();
    let parsed = help::parse(Cli::command, &args, terminal::width())
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        // clap reports `--help` and `--version` as errors too.
        Err(error) => {
            // Ignore write errors: the reader may be gone.
            let _ = error.print();
            return error.exit_code() as u8;
        }
    };
    match cli.verb {
        Some(Verb::Help(asked)) => run(&asked.as_option(), roles),
        verb => exit(dispatch(verb, roles)),
    }
}

fn dispatch(verb: Option<Verb>, roles: Roles) -> Result<()> {
    match verb {
        None => overview::run(&load_settings()?),
        Some(Verb::Ps(args)) => ps::run(&load()?, &args),
        Some(Verb::Kill(args)) => kill::run(&load()?, &args),
        Some(Verb::Status(args)) => status::run(&load_settings()?, &args),
        Some(Verb::Doctor(args)) => doctor::run(&load_settings()?, &args),
        Some(Verb::Stats(args)) => stats::run(&load()?, &args),
        Some(Verb::Search(args)) => search::run(&load()?, &args),
        Some(Verb::Show(args)) => show::run(&load()?, &args),
        Some(Verb::Why(args)) => why::run(&load()?, &args),
        Some(Verb::Fix(args)) => fix::run(&load()?, &args),
        Some(Verb::How(args)) => how::run(&load()?, &args),
        Some(Verb::List(args)) => list::run(&load()?, &args),
        Some(Verb::Last(args)) => last::run(&load()?, &args),
        Some(Verb::Timeline(args)) => timeline::run(&load()?, &args),
        Some(Verb::Done(args)) => done::run(&load()?, &args),
        Some(Verb::Edit(args)) => edit::run(&load()?, &args),
        Some(Verb::Pin(args)) => pin::run(&load()?, &args),
        Some(Verb::Promote(args)) => promote::run(&load()?, &args),
        Some(Verb::Hide(args)) => hide::run(&load()?, &args),
        Some(Verb::Feedback(args)) => feedback::run(&load()?, &args),
        Some(Verb::Queue(args)) => queue::run(&load()?, &args),
        Some(Verb::Finish(args)) => finish::run(&load()?, &args),
        // Pauses apply to every data dir.
        Some(Verb::Pause(args)) => pause::pause(&load_and_warn()?, &args),
        Some(Verb::Unpause(args)) => pause::unpause(&load_and_warn()?, &args),
        Some(Verb::Cleanup(args)) => cleanup::run(&load()?, &args),
        Some(Verb::Forget(args)) => forget::run(&load()?, &args),
        Some(Verb::Supersede(args)) => supersede::run(&load()?, &args),
        Some(Verb::Project(args)) => project::run(&load()?, &args),
        Some(Verb::Context(args)) => context::run(&load()?, &args),
        Some(Verb::Injected(args)) => injected::run(&load()?, &args),
        // The data dir is not used.
        Some(Verb::Config(args)) => config::run(&load_and_warn()?, &args),
        Some(Verb::Logs(args)) => logs::run(&load()?, &args),
        Some(Verb::Import(args)) => import::run(load()?, &args),
        Some(Verb::Export(args)) => export::run(&load()?, &args),
        Some(Verb::Backup(args)) => backup::backup(&load()?, &args),
        Some(Verb::Restore(args)) => backup::restore(load()?, &args),
        Some(Verb::Replay(args)) => replay::run(load()?, &args),
        Some(Verb::Redact(args)) => redact::run(&load()?, &args),
        Some(Verb::Remember(args)) => remember::run(load()?, &args),
        Some(Verb::Resume(args)) => resume::run(&load()?, &args),
        Some(Verb::Mcp(_)) => mcp::run(roles.serve_mcp),
        Some(Verb::Help(_)) => unreachable!("`run` has turned it into --help"),
        // These need no settings: packages are built without a home directory.
        Some(Verb::Completions(args)) => completions::run(&args),
        Some(Verb::Man(args)) => man::run(&args),
    }
}

/// Loads the settings without printing their problems.
fn load_settings() -> Result<Settings> {
    let here = std::env::current_dir().ok();
    crate::project::settings(here.as_deref().as_slice()).map_err(failed)
}

/// Loads the settings and prints a warning for each problem.
fn load_and_warn() -> Result<Settings> {
    let settings = load_settings()?;
    settings.config.problems.iter().for_each(|problem| warn(problem));
    Ok(settings)
}

/// Loads the settings, prints a warning for each problem, and fails if the data dir must not be used:
/// a repository may have chosen it, it belongs to another user, or others can write to it.
fn load() -> Result<Settings> {
    let settings = load_and_warn()?;
    if let Some(why) = settings.paths.refusal() {
        return Err(failed(why).hint(health::data_dir::REFUSAL_FIX));
    }
    match settings.paths.check() {
        Ok(()) => Ok(settings),
        Err(e) => Err(failed(format!("cannot use the data dir: {e}"))
            .hint(health::data_dir::remedy(settings.paths.data()))),
    }
}

/// Prints a failure and returns the exit code. A closed pipe counts as success.
pub fn exit(outcome: Result<()>) -> u8 {
    match outcome {
        Ok(()) => 0,
        Err(failure) if failure.is_silent() => failure.exit_code(),
        Err(failure) => {
            message("error:", style::ERROR, &failure.to_string());
            failure.hints().iter().for_each(|text| hint(text));
            failure.exit_code()
        }
    }
}

/// Writes text to stdout. Escapes what could control a terminal.
fn print(text: &str) -> Result<()> {
    print_raw(&for_terminal(text))
}

/// Prints sentences that say what was done, wrapped at the width of the terminal.
fn say(text: &str) -> Result<()> {
    print(&terminal::wrapped("", 0, text, terminal::width()))
}

/// Writes the user's own data to stdout, unchanged.
fn print_raw(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|e| match e.kind() {
        io::ErrorKind::BrokenPipe => crate::failure::broken_pipe(),
        _ => failed(format!("cannot write to stdout: {e}")),
    })
}

/// Prints a problem that does not stop the command.
fn warn(text: &str) {
    message("warning:", style::WARNING, text);
}

/// Prints a message that is neither data nor a problem.
fn note(text: &str) {
    message("note:", style::HEAD, text);
}

/// Prints what the user can do, below an error, a warning or a note.
fn hint(text: &str) {
    message("  hint:", style::HEAD, text);
}

/// Writes a label and a text to stderr, wrapped at the width of the terminal.
fn message(label: &str, style: owo_colors::Style, text: &str) {
    let first = format!("{} ", paint(label, style));
    let indent = label.len() + 1;
    let width = terminal::error_width();
    let wrapped = terminal::wrapped(&first, indent, &one_line(text), width);
    eprint_line(wrapped.trim_end_matches('\n'));
}

/// Writes a line to stderr. Ignores errors: there is no other place to report them.
fn eprint_line(line: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Writes a value to stdout as one line of JSON.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print(&format!("{}\n", json_line(value)?))
}

/// A value as JSON without control characters and invisible characters.
fn json_line(value: &impl serde::Serialize) -> Result<String> {
    Ok(escape_json(&serde_json::to_string(value).map_err(failed)?).into_owned())
}

/// Counts the stored rows. Returns `None` if there is no database.
fn count_store(settings: &Settings) -> store::Result<Option<store::StoreCounts>> {
    match Reader::open(&settings.paths, READ_TIMEOUT)? {
        Some(reader) => store::counts(reader.connection()).map(Some),
        None => Ok(None),
    }
}
