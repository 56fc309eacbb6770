//! `memctl hide`: keeps a memory out of the context.

use super::change::{MarkArgs, MarkWords, Reach, set_or_undo};
use crate::config::Settings;
use crate::failure::Result;

const HELP: &str = "\
Examples
  memctl hide o412         Keep an observation out of the context
  memctl hide s37 s38      Keep two turns out of it, with their observations
  memctl hide --undo o412  Include it in the context again
";

/// Keep memories out of the context
///
/// `memctl show` still prints them, and a search finds them. `memctl feedback wrong` also keeps out what
/// states the same later; `memctl forget` removes a memory.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    #[command(flatten)]
    mark: MarkArgs,
}

const WORDS: MarkWords = MarkWords {
    verb: "hide",
    set: "hid",
    removed: |memory| format!("{memory} is not hidden any more"),
    is_set: "is hidden already",
    is_not_set: "is not hidden",
    reach: Reach::Turn,
};

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    set_or_undo(settings, &args.mark, &WORDS, |marks, is_set| marks.hidden = is_set)
}
