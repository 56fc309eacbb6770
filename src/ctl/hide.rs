//! `memctl hide`: keeps a memory out of the context.

use super::change::{mark, titled};
use crate::config::Settings;
use crate::failure::Result;

const HELP: &str = "\
Examples
  memctl hide o412         Keep an observation out of the context
  memctl hide s37 s38      Keep two turns out of it
  memctl hide --undo o412  Let the context tell it again
";

/// Keep memories out of the context
///
/// `memctl show` still prints them, and a search finds them. `memctl feedback wrong` also keeps out what
/// states the same later; `memctl forget` removes a memory.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Ids of observations (o412) and summaries (s37), also of other projects
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Let the context tell them again
    #[arg(long)]
    undo: bool,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let hides = !args.undo;
    mark(
        settings,
        &args.ids,
        |marks| marks.hidden = hides,
        |memory| match hides {
            true => format!("hid {}; undo: memctl hide --undo {}", titled(memory), memory.id),
            false => format!("{} is not hidden any more", titled(memory)),
        },
        if hides { "is hidden already" } else { "is not hidden" },
    )
}
