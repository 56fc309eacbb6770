//! `memctl context`: prints exactly the context that a new session in this directory receives.

use std::path::PathBuf;

use serde::Serialize;

use super::overview;
use crate::config::Settings;
use crate::context::start;
use crate::failure::{Context as _, Result};
use crate::project::{self, recording};
use crate::store::{Reader, claims};

const HELP: &str = "\
Examples
  memctl context                        Context for the current directory
  memctl context --project ~/src/app    Context for another directory

Keys of --json
  project  Name of the project
  text     The context; empty if nothing is stored or the project is not recorded
  tokens   Estimated number of tokens in text
";

/// Print the context that the next session receives
///
/// The setting context.tokens limits its length.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Directory of the project [default: the current directory]
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Output {
    project: String,
    text: String,
    tokens: usize,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let dir = match &args.project {
        Some(dir) => dir.canonicalize().context(dir.display())?,
        None => std::env::current_dir().context("current directory")?,
    };
    let project = project::identify(&dir);
    if let Some(why) = recording::not_recorded(&[&dir], &settings.config.recording) {
        super::note(&format!("a session here receives no context: {why}"));
        super::hint(&why.fix());
        return match args.json {
            true => {
                super::print_json(&Output { project: project.name, text: String::new(), tokens: 0 })
            }
            false => Ok(()),
        };
    }
    let text = match Reader::open(&settings.paths, super::READ_TIMEOUT).context("database")? {
        Some(reader) => {
            let conn = reader.connection();
            let examined = claims::examine(conn, &project).context("database")?;
            if let Some(refused) = examined.refused.filter(|refused| !refused.separated) {
                super::note(&refused.sentence(&project.root));
            }
            start::block(
                conn,
                &examined.project,
                &start::AlreadyShown::Nothing,
                settings.config.context.tokens,
            )
            .context("database")?
            .text
        }
        None => String::new(),
    };
    if args.json {
        let tokens = crate::context::budget::tokens(&text);
        return super::print_json(&Output { project: project.name, text, tokens });
    }
    if text.is_empty() {
        super::note(&format!("nothing is stored for project {} yet", project.name));
        if let Some(hint) = overview::hint(settings) {
            super::hint(&hint);
        }
        return Ok(());
    }
    super::print(&text)
}
