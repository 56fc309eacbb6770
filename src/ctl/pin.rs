//! `memctl pin`: the context begins with a memory.

use super::change::{mark, titled};
use crate::config::Settings;
use crate::failure::Result;

const HELP: &str = "\
Examples
  memctl pin o412         Every session of the project receives this observation, first of all
  memctl pin s37          Tell the session of this summary before all other earlier sessions
  memctl pin --undo o412  Treat it like the others again
";

/// Put memories at the beginning of the context
///
/// A pinned memory that has expired is not told.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Ids of observations (o412) and summaries (s37), also of other projects
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Treat them like the others again
    #[arg(long)]
    undo: bool,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let pins = !args.undo;
    mark(
        settings,
        &args.ids,
        |marks| marks.pinned = pins,
        |memory| match pins {
            true => format!("pinned {}; undo: memctl pin --undo {}", titled(memory), memory.id),
            false => format!("unpinned {}", titled(memory)),
        },
        if pins { "is pinned already" } else { "is not pinned" },
    )
}
