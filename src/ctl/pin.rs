//! `memctl pin`: the context begins with a memory.

use super::change::{MarkArgs, MarkWords, Reach, set_or_undo};
use crate::config::Settings;
use crate::failure::Result;

const HELP: &str = "\
Examples
  memctl pin o412         Every session of the project receives this observation, first of all
  memctl pin s37          Put the session of this summary before all other earlier sessions
  memctl pin --undo o412  Treat it like the others again
";

/// Put memories at the beginning of the context
///
/// A pinned memory that has expired is not included.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    #[command(flatten)]
    mark: MarkArgs,
}

const WORDS: MarkWords = MarkWords {
    verb: "pin",
    set: "pinned",
    removed: |memory| format!("unpinned {memory}"),
    is_set: "is pinned already",
    is_not_set: "is not pinned",
    reach: Reach::Memory,
};

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    set_or_undo(settings, &args.mark, &WORDS, |marks, is_set| marks.pinned = is_set)
}
