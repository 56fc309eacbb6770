//! `memctl redact`: shows what the redaction of secrets does to a text.

use std::fs::File;
use std::io::Read;

use serde::Serialize;
use serde_json::json;

use crate::capture::{self, Finding};
use crate::config::Settings;
use crate::failure::{Context, Result, no_match, usage};

const HELP: &str = "\
Examples
  memctl redact notes.txt           Print the file with secrets replaced
  memctl redact --check notes.txt   List the secrets without printing them
  git diff | memctl redact --check  Check what a command prints
  ! memctl redact --check *.log     Fail if there is a secret, for scripts

Exit codes of --check
  0  At least one secret was found
  1  No secret was found
  2  A file cannot be read, or invalid arguments

Keys of --json
  findings  One object per secret: file (null for stdin), line and column (from 1, column in bytes), length \
(in bytes), kind (as in the marker), rule (config, private-key, token, vendor, url, option, name)
";

/// Replace secrets in a text as hooks do
///
/// Hooks replace each secret by `[redacted:kind]` before anything is written. This command does the same
/// to files or stdin. It reads no memory and changes nothing.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Files to read; - is stdin
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<String>,
    /// List line, column, kind and rule of each secret instead of the text
    #[arg(long)]
    check: bool,
    /// Print a JSON object
    #[arg(long, requires = "check")]
    json: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    file: Option<&'a str>,
    line: usize,
    column: usize,
    length: usize,
    kind: &'a str,
    rule: &'a str,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let own = &settings.config.redact;
    let mut n_found = 0;
    let mut rows = Vec::new();
    for file in &args.files {
        let text = read(file)?;
        let found = capture::find_secrets(&text, own);
        n_found += found.len();
        match (args.check, args.json) {
            (false, _) => super::print_raw(&capture::redact_secrets(&text, own))?,
            (true, false) => super::print(&report(file, &text, &found))?,
            (true, true) => rows.extend(located(&text, &found).map(|(line, column, finding)| {
                json!(Row {
                    file: (file != "-").then_some(file),
                    line,
                    column,
                    length: finding.range.len(),
                    kind: &finding.kind,
                    rule: finding.rule.as_str(),
                })
            })),
        }
    }
    if args.json {
        super::print_json(&json!({ "findings": rows }))?;
    }
    if args.check && n_found == 0 { Err(no_match()) } else { Ok(()) }
}

/// Reads a file. Each byte that is not UTF-8 becomes a question mark, so that columns stay correct.
fn read(file: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let read = match file {
        "-" => std::io::stdin().lock().read_to_end(&mut bytes),
        path => File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    let name = if file == "-" { "stdin" } else { file };
    read.context(format!("cannot read {name}")).map_err(usage)?;
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    Ok(text)
}

fn report(file: &str, text: &str, found: &[Finding]) -> String {
    let name = if file == "-" { "stdin" } else { file };
    located(text, found)
        .map(|(line, column, finding)| {
            format!("{name}:{line}:{column}: {} ({})\n", finding.kind, finding.rule.as_str())
        })
        .collect()
}

/// The findings with line and column.
fn located<'a>(
    text: &str,
    found: &'a [Finding],
) -> impl Iterator<Item = (usize, usize, &'a Finding)> {
    let (mut line, mut line_start, mut at) = (1, 0, 0);
    found.iter().map(move |finding| {
        let start = finding.range.start;
        line += text[at..start].matches('\n').count();
        line_start = text[at..start].rfind('\n').map_or(line_start, |end| at + end + 1);
        at = start;
        (line, start - line_start + 1, finding)
    })
}
