//! `memctl why`: the sessions that changed a file, and why.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde::Serialize;

use super::format::{self, count};
use super::style::{HEAD, ID, paint};
use super::terminal::{self, wrapped};
use super::{lookup, open};
use crate::config::Settings;
use crate::failure::{Context, Failure, Result, failed, no_match, usage};
use crate::memory::Change;
use crate::project::{self, PathBase};
use crate::recall::known::{
    FileTurn, Known, KnownKind, about_file, changes_of_file, paths_ending, said, title,
};
use crate::store::projects;
use crate::text::sanitize;

/// Longer files are not read for a line.
const MAX_FILE: u64 = 16 << 20;
/// Maximum number of rules and failures that are printed.
const MAX_KNOWN: usize = 8;

const HELP: &str = "\
Examples
  memctl why src/parser.rs              Print the sessions that changed a file, newest first
  memctl why src/parser.rs:42           Print the session whose edit wrote this line
  memctl why parser.rs --limit 3        Find a file by its name, and print its latest changes
  memctl why src/gone.rs                Works for a file that is gone, and follows a moved one
  memctl why a.rs --json | jq -r '.changes[].id' | xargs memctl show

Keys of --json
  file     The path, relative to the project's root or absolute
  project  Name of the project
  line     Number of the line; null without one
  found    Whether the edit that wrote the line is known; null without a line
  known    Rules that name the file, and what was refused, taken back or left failing: id, kind, text, \
created_at_epoch
  changes  One object per turn that changed the file, newest first; with a line that is found, only \
the turn that wrote it: id, session, title, request, did, from, to, edits, said, commits, observations, \
created_at_epoch
";

/// Print which sessions changed a file, and why
///
/// A line is found by its text, among the lines that edits of recorded sessions added. What you or a
/// program wrote outside of the client's edits is not known.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The file, and after a colon the number of a line
    #[arg(value_name = "FILE[:LINE]", value_hint = clap::ValueHint::FilePath)]
    file: String,
    /// Print at most this many turns
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Output<'a> {
    file: &'a str,
    project: &'a str,
    line: Option<usize>,
    found: Option<bool>,
    known: Vec<Note<'a>>,
    changes: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Note<'a> {
    id: String,
    kind: &'static str,
    text: &'a str,
    created_at_epoch: i64,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: String,
    session: Option<&'a str>,
    title: &'a str,
    request: &'a str,
    did: &'static str,
    from: Option<&'a str>,
    to: Option<&'a str>,
    edits: u32,
    said: Vec<String>,
    commits: Vec<Commit<'a>>,
    observations: Vec<String>,
    created_at_epoch: i64,
}

#[derive(Serialize)]
struct Commit<'a> {
    hash: &'a str,
    subject: &'a str,
}

/// The changes of a file in one project.
struct History {
    project: i64,
    path: String,
    turns: Vec<FileTurn>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let here = lookup::here()?;
    let (file, line) = split(&args.file, &here);
    let text = line.map(|line| read_line(&here.join(file), line)).transpose()?.flatten();
    let reader = open::stored(settings)?;
    let conn = reader.connection();
    let Some(history) = history(conn, &here, file)? else {
        return unknown(file, line, args.json);
    };
    let wrote = |text: &String| history.turns.iter().find(|turn| turn.added(text));
    let writer = text.as_ref().and_then(wrote);
    let shown: Vec<&FileTurn> = match writer {
        Some(turn) => vec![turn],
        None => history.turns.iter().take(args.limit).collect(),
    };
    let project = projects::name(conn, history.project)?;
    let known = notes(conn, &history)?;
    if args.json {
        return super::print_json(&Output {
            file: &history.path,
            project: &project,
            line,
            found: line.map(|_| writer.is_some()),
            known: known.iter().map(Note::new).collect(),
            changes: shown.into_iter().map(Entry::new).collect(),
        });
    }
    let n = history.turns.len();
    let path = sanitize(&history.path);
    let width = terminal::width();
    let head = match (line, writer) {
        (Some(line), Some(_)) => format!("{path}: line {line} was written in"),
        _ if n > shown.len() => format!("{path}: {n} turns changed it, the last {}", shown.len()),
        _ => format!("{path}: {} changed it", count(n as u64, "turn")),
    };
    if let (Some(line), None) = (line, writer) {
        super::note(&format!(
            "no recorded edit wrote line {line} as it is now, so this is about the whole file"
        ));
    }
    let mut out = format!("{}\n", paint(&head, HEAD));
    for known in &known {
        let row = known.row.to_string();
        let first = format!("  {} ", paint(&row, ID));
        out.push_str(&wrapped(&first, row.len() + 3, &sanitize(&known.text), width));
    }
    for turn in shown {
        out.push('\n');
        out.push_str(&entry(turn, width));
    }
    super::print(&out)
}

/// Divides `FILE:LINE` or `FILE:LINE:COLUMN`. A file may have a colon in its name.
fn split<'a>(arg: &'a str, here: &Path) -> (&'a str, Option<usize>) {
    if here.join(arg).exists() {
        return (arg, None);
    }
    let Some((file, last)) = numbered(arg) else { return (arg, None) };
    // A compiler prints a column after the line.
    match numbered(file) {
        Some((file, line)) => (file, Some(line)),
        None => (file, Some(last)),
    }
}

fn numbered(text: &str) -> Option<(&str, usize)> {
    let (file, number) = text.rsplit_once(':')?;
    let number = number.parse().ok().filter(|n| *n > 0)?;
    (!file.is_empty()).then_some((file, number))
}

/// The text of a line. `None` if the file is gone.
fn read_line(path: &Path, number: usize) -> Result<Option<String>> {
    let Ok(about) = fs::metadata(path) else { return Ok(None) };
    if !about.is_file() || about.len() > MAX_FILE {
        return Ok(None);
    }
    let bytes = fs::read(path).context(path.display())?;
    let text = String::from_utf8_lossy(&bytes);
    match text.lines().nth(number - 1) {
        Some(line) => Ok(Some(line.to_owned())),
        None => {
            let n = count(text.lines().count() as u64, "line");
            Err(usage(format!("{} has only {n}", path.display())))
        }
    }
}

/// What is known of a file, in the project of its directory or of the current one.
fn history(conn: &Connection, here: &Path, file: &str) -> Result<Option<History>> {
    let full = full_path(here, file);
    let dirs = [here, full.parent().unwrap_or(here)];
    let mut projects: Vec<(i64, String)> = Vec::new();
    for dir in dirs.into_iter().filter_map(existing) {
        let Some(id) = lookup::project_of(conn, dir)? else { continue };
        let root = PathBuf::from(project::identify(dir).root);
        let path = PathBase { root: Some(&root), cwd: None }.relative(&full.to_string_lossy());
        if !projects.contains(&(id, path.clone())) {
            projects.push((id, path));
        }
    }
    for (project, path) in &projects {
        let turns = changes_of_file(conn, *project, path)?;
        if !turns.is_empty() {
            return Ok(Some(History { project: *project, path: path.clone(), turns }));
        }
    }
    // A name without its folder.
    let Some((project, _)) = projects.first().filter(|_| !full.exists()) else { return Ok(None) };
    let name = file.trim_start_matches("./");
    let paths = paths_ending(conn, *project, name)?;
    match paths.as_slice() {
        [] => Ok(None),
        [path] => {
            let turns = changes_of_file(conn, *project, path)?;
            Ok(Some(History { project: *project, path: path.clone(), turns }))
        }
        several => Err(ambiguous(name, several)),
    }
}

/// The nearest directory upward that exists.
fn existing(dir: &Path) -> Option<&Path> {
    dir.ancestors().find(|dir| dir.is_dir())
}

/// The absolute path, with the links in its directory resolved as the project's root is.
fn full_path(here: &Path, file: &str) -> PathBuf {
    let full = here.join(file);
    let resolved = full.parent().and_then(|dir| dir.canonicalize().ok());
    match resolved.zip(full.file_name()) {
        Some((dir, name)) => dir.join(name),
        None => full,
    }
}

fn ambiguous(name: &str, paths: &[String]) -> Failure {
    let shown: Vec<&str> = paths.iter().take(8).map(String::as_str).collect();
    usage(format!("{} files have the name '{name}': {}", paths.len(), shown.join(", ")))
        .hint("use the path of one of them")
}

fn unknown(file: &str, line: Option<usize>, json: bool) -> Result<()> {
    if json {
        let (found, known, changes) = (line.map(|_| false), Vec::new(), Vec::new());
        super::print_json(&Output { file, project: "", line, found, known, changes })?;
        return Err(no_match());
    }
    Err(failed(format!("no recorded session changed '{file}'"))
        .hint("`memctl search` also finds sessions that only read or mention it"))
}

/// What a person should know before the next change. The list of turns tells the rest.
fn notes(conn: &Connection, history: &History) -> Result<Vec<Known>> {
    let known = about_file(conn, history.project, &history.path, MAX_KNOWN)?;
    let tells = |known: &Known| !matches!(known.kind, KnownKind::Noted | KnownKind::Changed);
    Ok(known.into_iter().filter(tells).collect())
}

impl Note<'_> {
    fn new(known: &Known) -> Note<'_> {
        Note {
            id: known.row.to_string(),
            kind: known.kind.as_str(),
            text: &known.text,
            created_at_epoch: known.created_at_epoch,
        }
    }
}

impl Entry<'_> {
    fn new(turn: &FileTurn) -> Entry<'_> {
        let row = &turn.row;
        let commits = row.turn.evidence.commits.iter();
        Entry {
            id: format!("s{}", row.id),
            session: row.session.as_deref(),
            title: title(row),
            request: &row.request,
            did: did(turn),
            from: turn.from.as_deref(),
            to: turn.to.as_deref(),
            edits: turn.edits,
            said: said(row),
            commits: commits.map(|c| Commit { hash: &c.hash, subject: &c.subject }).collect(),
            observations: turn.notes.iter().map(|id| format!("o{id}")).collect(),
            created_at_epoch: row.created_at_epoch,
        }
    }
}

fn did(turn: &FileTurn) -> &'static str {
    match turn.change {
        _ if turn.to.is_some() => "moved",
        _ if turn.put_back && turn.edits == 0 => "put_back",
        Change::Created if turn.from.is_none() => "created",
        Change::Edited => "edited",
        Change::Removed => "removed",
        Change::Created | Change::Moved => "moved",
    }
}

fn entry(turn: &FileTurn, width: Option<usize>) -> String {
    let row = &turn.row;
    let did = match (did(turn), &turn.from) {
        ("moved", Some(from)) => format!("moved from {from}"),
        ("moved", None) => format!("moved to {}", turn.to.as_deref().unwrap_or_default()),
        ("put_back", _) => "an earlier change was taken back".to_owned(),
        (did, _) if turn.edits > 1 => format!("{did}, {}", count(turn.edits.into(), "edit")),
        (did, _) => did.to_owned(),
    };
    let id = format!("s{}", row.id);
    let head = format!("{id} · {} · {}", format::at(row.created_at_epoch), sanitize(&did));
    let mut out = wrapped("", 0, &head, width).replacen(&id, &paint(&id, ID), 1);
    let mut line = |text: &str| out.push_str(&wrapped("  ", 2, &sanitize(text), width));
    line(title(row));
    let said = said(row);
    said.iter().filter(|text| *text != title(row)).for_each(|text| line(text));
    for commit in &row.turn.evidence.commits {
        line(&format!("commit {} {}", commit.hash, commit.subject));
    }
    let session = row.session.as_deref().map(|id| format!("session {}", format::short(id, 13)));
    let notes = turn.notes.iter().map(|id| format!("o{id}"));
    let rest: Vec<String> = session.into_iter().chain(notes).collect();
    if !rest.is_empty() {
        out.push_str(&wrapped("  ", 2, &rest.join(" · "), width));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_line_follows_a_colon() {
        let check = |arg, want| assert_eq!(split(arg, Path::new("/nowhere")), want, "{arg}");
        check("a.rs", ("a.rs", None));
        check("src/a.rs:42", ("src/a.rs", Some(42)));
        check("src/a.rs:42:7", ("src/a.rs", Some(42)));
        check("a.rs:", ("a.rs:", None));
        check("a.rs:0", ("a.rs:0", None));
        check(":3", (":3", None));
        check("a:b", ("a:b", None));
    }
}
