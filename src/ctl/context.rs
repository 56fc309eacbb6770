//! `memctl context`: exactly what a session that starts here is told.

use std::path::PathBuf;

use serde::Serialize;

use super::overview;
use crate::config::Settings;
use crate::context::start;
use crate::failure::{Context as _, Result};
use crate::project;
use crate::store::Reader;

const HELP: &str = "\
Examples
  memctl context                        for this directory
  memctl context --project ~/src/app    for another one

Keys of --json
  project  name of the project
  text     what a session is told, empty when nothing is remembered
  tokens   how many these are, estimated
";

/// Print what the next session of this project is told
///
/// Prints nothing, and says so, when there is nothing to tell. The setting context.tokens bounds
/// how much is told.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Directory of the project, instead of this one
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Print an object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told {
    project: String,
    text: String,
    /// Estimated.
    tokens: usize,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let dir = match &args.project {
        Some(dir) => dir.canonicalize().context(dir.display())?,
        None => std::env::current_dir().context("this directory")?,
    };
    let project = project::identify(&dir);
    let text = match Reader::open(&settings.paths, super::PATIENCE).context("database")? {
        Some(reader) => {
            let conn = reader.connection();
            start::tell(conn, &project, &start::Told::Nothing, settings.config.context.tokens)
                .context("database")?
                .text
        }
        None => String::new(),
    };
    if args.json {
        let tokens = crate::context::budget::tokens(&text);
        return super::print_json(&Told { project: project.name, text, tokens });
    }
    if text.is_empty() {
        super::tell(&format!("memctl: nothing remembered of {} yet", project.name));
        if let Some(hint) = overview::hint(settings) {
            super::tell(&format!("  hint: {hint}"));
        }
        return Ok(());
    }
    super::print(&text)
}
