//! `memctl context`: exactly what a session that starts here is told.

use std::path::PathBuf;

use serde::Serialize;

use crate::config::Settings;
use crate::context::start;
use crate::failure::{Context as _, Result};
use crate::project;
use crate::store::Reader;

/// Prints nothing when there is nothing to tell.
#[derive(clap::Args)]
pub struct Args {
    /// Directory of the project, instead of this one
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Print an object: project, text, tokens
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
        anstream::eprintln!("memctl: nothing remembered of {} yet", project.name);
        return Ok(());
    }
    super::print(&text)
}
