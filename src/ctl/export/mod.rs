//! `memctl export`: the memory as JSON lines for another store, or as Markdown for a person.

mod markdown;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::lookup;
use super::terminal;
use crate::config::Settings;
use crate::ctl::open;
use crate::failure::{Context, Result, broken_pipe, failed, usage};
use crate::store::portable;
use crate::text::escape_json;

const HELP: &str = "\
Examples
  memctl export > memory.jsonl                     The whole memory
  memctl export --project . --output app.jsonl     That of this project, to a new file
  memctl export --format markdown --output notes   A file per project, to read
  memctl import jsonl memory.jsonl                 Take an export into another store
";

/// Print the memory as JSON lines, or as Markdown
///
/// Each line is a JSON object: a project, session, prompt, observation or summary, and what you decided about
/// them. Rejected statements are hashes. Events that are not distilled yet, earlier texts of edited memories, and
/// what was forgotten are not exported. An export that is imported into an empty store and exported again has
/// the same bytes.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Only this project, given as a directory or a name
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Form of the export
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Write to a new file, or with --format markdown to a directory
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Jsonl,
    Markdown,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let reader = open::reader(settings)?;
    let Some(reader) = reader else {
        return Err(failed("nothing is stored yet"));
    };
    let reader = reader.without_time_limit()?;
    let conn = reader.connection();
    let project = args.project.as_deref().map(|name| lookup::project(conn, name)).transpose()?;
    match (args.format, &args.output) {
        (Format::Jsonl, None) => jsonl(conn, project, &mut io::stdout().lock(), "stdout"),
        (Format::Jsonl, Some(path)) => {
            let mut file = BufWriter::new(create(path)?);
            jsonl(conn, project, &mut file, &path.display().to_string())
        }
        (Format::Markdown, None) => markdown::print(conn, project),
        (Format::Markdown, Some(dir)) => markdown::write(conn, project, dir),
    }
}

fn jsonl(
    conn: &rusqlite::Connection,
    project: Option<i64>,
    out: &mut impl Write,
    name: &str,
) -> Result<()> {
    let mut written = Ok(());
    portable::visit(conn, project, |line| {
        written = writeln!(out, "{}", escape_json(line));
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written.and_then(|()| out.flush()).map_err(|e| match e.kind() {
        io::ErrorKind::BrokenPipe => broken_pipe(),
        _ => failed(format!("cannot write to {name}: {e}")),
    })
}

/// Creates a file that only this user can read.
fn create(path: &Path) -> Result<File> {
    match File::create_new(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            Err(usage(format!("{} exists already", path.display())).hint("name a new file"))
        }
        created => created.context(path.display()),
    }
}

/// Replaces a file of an earlier export, and no other one.
fn replace(path: &Path, text: &str) -> Result<()> {
    let is_ours =
        |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.starts_with(markdown::MARK));
    if path.symlink_metadata().is_ok() && !is_ours(path) {
        return Err(
            usage(format!("{} is not of an export", path.display())).hint("name another directory")
        );
    }
    let new = path.with_extension("md.new");
    fs::write(&new, text).context(new.display())?;
    fs::rename(&new, path).context(path.display())
}

fn is_terminal() -> bool {
    terminal::width().is_some()
}
