//! `memctl context`: prints exactly the context that a new session in this directory receives.

use std::path::PathBuf;

use serde::Serialize;

use super::overview;
use crate::config::Settings;
use crate::context::{Block, Line, Section, start};
use crate::failure::{Context as _, Result};
use crate::project::{self, recording};
use crate::store::{Reader, claims};

const HELP: &str = "\
Examples
  memctl context                        Context for the current directory
  memctl context --project ~/src/app    Context for another directory

Keys of --json
  project   Name of the project
  text      The context; empty if nothing is stored or the project is not recorded
  tokens    Estimated number of tokens in text
  sections  Sections of the text, with heading and lines; of each line, its text and the ids of the
            rows that it rests on (memctl show ID)
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
    sections: Vec<OutputSection>,
}

#[derive(Serialize)]
struct OutputSection {
    heading: &'static str,
    lines: Vec<OutputLine>,
}

#[derive(Serialize)]
struct OutputLine {
    text: String,
    ids: Vec<String>,
}

impl Output {
    fn new(project: String, block: Block) -> Output {
        let lines = |lines: Vec<Line>| {
            lines
                .into_iter()
                .map(|line| OutputLine { text: line.text, ids: vec![line.id] })
                .collect()
        };
        let section = |section: Section| OutputSection {
            heading: section.heading,
            lines: lines(section.lines),
        };
        Output {
            project,
            tokens: crate::context::budget::tokens(&block.text),
            text: block.text,
            sections: block.page.sections.into_iter().map(section).collect(),
        }
    }
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
            true => super::print_json(&Output::new(project.name, Block::default())),
            false => Ok(()),
        };
    }
    let block = match Reader::open(&settings.paths, super::READ_TIMEOUT).context("database")? {
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
        }
        None => Block::default(),
    };
    if args.json {
        return super::print_json(&Output::new(project.name, block));
    }
    if block.text.is_empty() {
        super::note(&format!("nothing is stored for project {} yet", project.name));
        if let Some(hint) = overview::hint(settings) {
            super::hint(&hint);
        }
        return Ok(());
    }
    super::print(&block.text)
}
