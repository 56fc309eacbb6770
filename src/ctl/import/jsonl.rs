//! `memctl import jsonl`: the lines of an export. Rows that the store has, and those that were forgotten
//! here, change nothing.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::rows::Rows;
use crate::config::Settings;
use crate::ctl::format::count;
use crate::ctl::lines::open_file;
use crate::ctl::progress::Progress;
use crate::failure::{Context, Result, failed};
use crate::store::portable::{self, Line};

/// A longer line is none of an export.
const MAX_LINE: u64 = 64 << 20;

const HELP: &str = "\
Examples
  memctl import jsonl memory.jsonl                   Take in an export
  ssh laptop memctl export | memctl import jsonl -   Take in the memory of another machine
";

/// Take in a file that `memctl export` has written
///
/// Import only files that you trust: their rows become part of what the agent knows.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The export, or - for stdin
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(mut settings: Settings, args: &Args) -> Result<()> {
    let name = args.file.display().to_string();
    let input: Box<dyn Read> = match args.file == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => Box::new(open_file(&args.file)?),
    };
    let mut lines = BufReader::new(input);
    check_header(&name, &read_line(&mut lines).context(&name)?.unwrap_or_default())?;
    let mut rows = Rows::open(&mut settings)?;
    let progress = Progress::new(&name);
    while let Some(line) = read_line(&mut lines).context(&name)? {
        match Line::parse(&line) {
            Ok(line) => rows.push(line)?,
            Err(_) if line.trim().is_empty() => {}
            Err(_) => rows.counts.damaged += 1,
        }
        progress.set(|| format!("{name}: {}", count(rows.n(), "row")));
    }
    let counts = rows.finish()?;
    drop(progress);
    match args.json {
        true => crate::ctl::print_json(&counts.json()),
        false => crate::ctl::print(&format!("{name}: {}\n", counts.text())),
    }
}

fn check_header(name: &str, line: &str) -> Result<()> {
    let header: Value = serde_json::from_str(line).unwrap_or_default();
    match header["version"].as_u64().filter(|_| header["type"] == "memctl") {
        None => {
            Err(failed(format!("{name} is not an export of memctl"))
                .hint("`memctl export` writes one"))
        }
        Some(version) if version > portable::VERSION => {
            Err(failed(format!("{name} is of a newer release (version {version})"))
                .hint("update memctl"))
        }
        Some(_) => Ok(()),
    }
}

/// Reads a line. `None` at the end. A line that is too long ends early, and is damaged.
fn read_line(lines: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}
