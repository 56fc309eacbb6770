//! `memctl import`: takes in what other programs have written.

mod claude_code;
mod claude_mem;
mod jsonl;
mod rows;

use crate::config::Settings;
use crate::failure::Result;

pub use claude_code::offer;

const HELP: &str = "\
Examples
  memctl import claude-code               Take in the sessions that Claude Code has kept
  memctl import claude-code --since 90d   Those of the last 90 days
  memctl import claude-mem                Take in the memory of claude-mem
  memctl import jsonl memory.jsonl        Take in what `memctl export` has written

Keys of --json
  claude-code: dry_run, transcripts, subagents, bytes, seconds, sessions (imported, continued and skipped ones), \
events, observations, summaries (stored now), skipped (what is no event), known (now)
  claude-mem: sessions, prompts, observations, summaries (read), and the keys of jsonl
  jsonl: new, known, forgotten, unknown, damaged (numbers of rows: stored now, stored before, forgotten \
here, of an unknown type or session, not readable)
";

/// Take in past sessions, notes and other memories
///
/// A second import changes nothing, and one that was ended continues where it stopped.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    #[command(subcommand)]
    source: Source,
}

#[derive(clap::Subcommand)]
enum Source {
    ClaudeCode(claude_code::Args),
    ClaudeMem(claude_mem::Args),
    Jsonl(jsonl::Args),
}

pub fn run(settings: Settings, args: &Args) -> Result<()> {
    match &args.source {
        Source::ClaudeCode(args) => claude_code::run(settings, args),
        Source::ClaudeMem(args) => claude_mem::run(settings, args),
        Source::Jsonl(args) => jsonl::run(settings, args),
    }
}
