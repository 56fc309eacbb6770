//! `memctl context`: prints exactly the context that a new session in this directory receives.

use std::path::PathBuf;
use std::rc::Rc;

use memctl_proto::event::Project;
use rusqlite::Connection;
use serde::Serialize;

use super::health::{self, Finding};
use super::{lookup, open};
use crate::config::Settings;
use crate::context::native::Native;
use crate::context::{Block, Line, Section, start};
use crate::failure::{Result, failed};
use crate::project;
use crate::store::{Reader, claims, projects};

/// The client whose own memory counts.
const CLAUDE_CODE: &str = "claude-code";

/// The source of a session start that continues no conversation.
const STARTUP: &str = "startup";

const HELP: &str = "\
Examples
  memctl context                        Context for the current directory
  memctl context --project ~/src/app    Context for another directory, even if it is gone
  memctl context --project app          Context for the project of this name

Keys of --json
  project   Name of the project
  text      The context; empty if nothing is stored or the project is not recorded
  tokens    Estimated number of tokens in text
  sections  Sections of the text, with heading and lines; of each line, its text and the ids of the \
rows that it rests on (memctl show ID)
";

/// Print the context that the next session receives
///
/// The setting context.tokens limits its length.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The project, given as a directory or a name [default: the current directory]
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
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
    let reader = open::reader(settings)?;
    let conn = reader.as_ref().map(Reader::connection);
    let (project, dir) = project(conn, args.project.as_deref())?;
    let obstacle = health::obstacle(settings, &dir);
    if let Some(why) = silence(settings, obstacle.as_ref()) {
        super::note(&format!("a session here receives no context: {}", why.message));
        why.fix.iter().for_each(|fix| super::hint(&fix.to_string()));
        return match args.json {
            true => super::print_json(&Output::new(project.name, Block::default())),
            false => Ok(()),
        };
    }
    let block = match conn {
        Some(conn) => {
            let shown = start::AlreadyShown::Nothing;
            let native = Rc::new(Native::of_session(settings, CLAUDE_CODE, &dir));
            start::block(conn, &project, &shown, &native, settings.config.context.tokens)?
        }
        None => Block::default(),
    };
    if args.json {
        return super::print_json(&Output::new(project.name, block));
    }
    if block.text.is_empty() {
        super::note(&format!("nothing is stored for project {} yet", project.name));
        if let Some(finding) = obstacle {
            super::hint(&format!("sessions here are not recorded: {}", finding.sentence()));
        }
        return Ok(());
    }
    super::print(&block.text)
}

/// The project and its directory.
fn project(conn: Option<&Connection>, name: Option<&str>) -> Result<(Project, PathBuf)> {
    let dir = match name {
        Some(name) => PathBuf::from(name),
        None => lookup::here()?,
    };
    if dir.is_dir() {
        let claimed = project::identify(&dir);
        let Some(conn) = conn else { return Ok((claimed, dir)) };
        let examined = claims::examine(conn, &claimed)?;
        let is_known = projects::find(conn, &examined.project)?.is_some();
        let has_name = || name.is_some_and(|name| lookup::project(conn, name).is_ok());
        if is_known || !has_name() {
            if let Some(note) = examined.refused.and_then(|r| r.sentence(&claimed.root)) {
                super::note(&note);
            }
            return Ok((examined.project, dir));
        }
    }
    let name = name.unwrap_or_default();
    let Some(conn) = conn else {
        return Err(failed(format!("nothing is stored for project '{name}'"))
            .hint("use the directory of a project"));
    };
    let project = projects::get(conn, lookup::project(conn, name)?)?;
    let root = PathBuf::from(&project.root);
    Ok((project, root))
}

/// Why no session of a directory receives a context. Without hooks no session is recorded, but what
/// the first one would receive is known.
fn silence(settings: &Settings, obstacle: Option<&Finding>) -> Option<Finding> {
    if let Some(finding) = obstacle.filter(|finding| finding.check != health::HOOKS) {
        return Some(finding.clone());
    }
    let sources = &settings.config.context.sources;
    (!sources.iter().any(|source| source == STARTUP)).then(|| {
        let message = format!("context.sources is '{}'", sources.join(", "));
        Finding::note("config", message).fix("run `memctl config unset context.sources`")
    })
}
