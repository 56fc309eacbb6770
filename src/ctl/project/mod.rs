//! `memctl project`: which directories and sessions share a memory.

mod change;
mod list;
mod pauses;
mod report;
pub(in crate::ctl) mod rows;
mod show;
mod undo;

use std::path::{Path, PathBuf};

use super::time::parse_past;
use crate::config::Settings;
use crate::ctl::lookup;
use crate::failure::{Result, usage};

const HELP: &str = "\
Examples
  memctl project list                            List all projects
  memctl project show tally                      Show what belongs to a project, and what looks like it
  memctl project rename tally ledger             Call it by another name
  memctl project move ~/old/tally ~/tally        Record that a directory was moved
  memctl project merge tally-old tally           Make one project of two
  memctl project split tally --dir ~/tally/docs  Give the sessions in a directory a project of their own
  memctl project split tally 6f2b9c54 --to docs  Move a session to another project
  memctl project link                            Let this directory share the memory of the origin it names
  memctl project link --to tally                 Let this directory share the memory of another project
  memctl project unlink                          Give this directory a memory of its own
  memctl project undo                            Undo the latest of these changes

Keys of list --json
  name              Name of the project
  root              Directory of its latest session
  keys              Origin URLs (git:) and directories (dir:) that belong to it
  separate          true if the directory was separated with unlink
  sessions          Number of sessions
  observations      Number of observations
  last_event_epoch  Time of the last event in milliseconds; null without a session

Keys of show --json
  name, root, keys, separate, sessions, observations, last_event_epoch  As in list --json
  directories        The directories of its keys: path, and whether it exists
  merged             Names of the projects that were merged into it
  prompts            Number of prompts
  summaries          Number of summaries
  bytes              Size of its texts
  first_event_epoch  When its first session began, in milliseconds; null without one
  not_recorded       Why it is not recorded: paused, excluded and so on; null if it is
  look_alikes        Projects that are likely the same: a sentence, and the command that joins them
  changes            What can be undone, the latest first: change, kind, what, at_epoch

Keys of --json of the other commands
  change        Number of the change, by which it can be undone; null with --dry-run
  kind          rename, move, merge, split, link or unlink
  what          The change as a sentence
  sessions      How many sessions go to another project; the same for summaries and observations
  keys          The keys that go to another project, are new, or are renamed
  dry_run       true with --dry-run: nothing was changed
  undone        true if the change was undone
  stays         With undo: sessions that began since and stay where the change put them
";

/// Show and change which directories and sessions share a memory
///
/// Clones and work trees of a repository share one memory. Anybody can write an origin into a folder's
/// .git, so a new directory joins a known project only if it has a commit that a session of the
/// project had checked out, or if git's own link leads from the repository to it. Otherwise its memory
/// is separate until you link it. A directory that is moved, renamed or made a repository keeps its
/// memory. `memctl doctor` lists projects that are likely one.
///
/// With --dry-run, a change prints what it would do. Each change can be undone.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List all projects, last used first
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Show what belongs to a project
    Show {
        /// The project, given as a directory or a name [default: the current directory]
        #[arg(value_name = "PROJECT")]
        project: Option<String>,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Give a project a name, which its directories do not change any more
    Rename {
        /// The project, given as a directory or a name
        #[arg(value_name = "PROJECT")]
        project: String,
        /// The new name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        how: How,
    },
    /// Record that a directory was moved or renamed, with everything below it
    Move {
        /// Where it was, or the name of its project
        #[arg(value_name = "PROJECT")]
        old: String,
        /// Where it is
        #[arg(value_name = "DIR")]
        new: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// Make a project part of another one: its directories, sessions and memories
    Merge {
        /// The project that becomes part of the other one
        #[arg(value_name = "PROJECT")]
        from: String,
        /// The project that stays
        #[arg(value_name = "INTO")]
        into: String,
        #[command(flatten)]
        how: How,
    },
    /// Move sessions and their memories out of a project
    ///
    /// Notes that belong to no session stay.
    Split(Split),
    /// Let a directory share the memory of the project that it claims
    Link {
        /// Directory [default: the current one]
        dir: Option<PathBuf>,
        /// The project, given as a directory or a name [default: the origin in the directory's .git]
        #[arg(long, value_name = "PROJECT")]
        to: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// Give a directory a memory of its own
    Unlink {
        /// Directory [default: the current one]
        dir: Option<PathBuf>,
        #[command(flatten)]
        how: How,
    },
    /// Undo a change
    ///
    /// Sessions that began since then stay where the change put them.
    Undo {
        /// Number of the change [default: the latest one]
        #[arg(value_name = "CHANGE")]
        change: Option<i64>,
        #[command(flatten)]
        how: How,
    },
}

/// How a change is made and told.
#[derive(clap::Args)]
struct How {
    /// Print what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Split {
    /// The project, given as a directory or a name
    #[arg(value_name = "PROJECT")]
    project: String,
    /// Prefixes of session ids
    #[arg(value_name = "SESSION", conflicts_with_all = ["dir", "after", "before"])]
    sessions: Vec<String>,
    /// The sessions in this directory or below, and the directory itself
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Only sessions that began at this time or later (2h, 7d, 2026-11-24, 2026-11-24T09:30Z)
    #[arg(long, value_name = "TIME", value_parser = parse_past)]
    after: Option<i64>,
    /// Only sessions that began before this time
    #[arg(long, value_name = "TIME", value_parser = parse_past)]
    before: Option<i64>,
    /// The project that gets them, given as a directory or a name
    #[arg(long, value_name = "PROJECT", conflicts_with = "name")]
    to: Option<String>,
    /// Name of a new project that gets them [default: the name of --dir]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    how: How,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    match &args.action {
        Action::List { json } => list::run(settings, *json),
        Action::Show { project, json } => show::run(settings, project.as_deref(), *json),
        Action::Rename { project, name, how } => change::rename(settings, project, name, how),
        Action::Move { old, new, how } => change::relocate(settings, old, new, how),
        Action::Merge { from, into, how } => change::merge(settings, from, into, how),
        Action::Split(args) => change::split(settings, args),
        Action::Link { dir, to, how } => change::link(settings, dir.as_deref(), to.as_deref(), how),
        Action::Unlink { dir, how } => change::unlink(settings, dir.as_deref(), how),
        Action::Undo { change, how } => undo::run(settings, *change, how),
    }
}

/// The directory without symbolic links.
fn resolve(dir: Option<&Path>) -> Result<PathBuf> {
    match dir {
        Some(dir) => dir.canonicalize().map_err(|e| usage(format!("{}: {e}", dir.display()))),
        None => lookup::here(),
    }
}
