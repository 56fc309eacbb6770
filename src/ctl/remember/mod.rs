//! `memctl remember`: stores what the user says, and the rows of a script.

pub mod agent;
mod draft;
mod jsonl;
mod line;
mod place;
mod text;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::time::parse_future;
use super::{format, health, lookup};
use crate::capture;
use crate::clients;
use crate::clock;
use crate::config::{self, Settings};
use crate::ctl::change::say_undoable;
use crate::ctl::open;
use crate::failure::{Context, Result, failed, usage};
use crate::memory::Origin;
use crate::project::{self, PathBase, recording};
use crate::store::notes::{self, Note, Stored};
use crate::store::{self, LockWait, Store, StoreError, claims, projects};
use draft::{Draft, Redacted};
use place::Target;

/// A longer text is refused.
const MAX_INPUT: u64 = 1 << 20;

const HELP: &str = "\
Examples
  memctl remember Releases are cut from main, never from a branch
  memctl remember --type decision 'Money is integer cents' --file src/money.rs
  memctl remember --expires 30d 'The staging database is read-only'
  memctl remember --global 'I prefer short answers'
  memctl remember - < notes.md         Take the text from stdin
  memctl remember --metadata ticket=OPS-7 'Retries are capped at three'
  memctl remember --jsonl rows.jsonl   Store the rows of a script

What becomes of a note
  told     At the start of the next session of the project, with --global of every project
  found    By memctl search
  removed  By memctl forget ID; memctl forget --undo restores it

Fields of a line of --jsonl
  id                Names the row: a later line with this id updates it. The only field that is needed, \
beside text or title
  project           A directory (/…, ./…, ~/…), a key (git:…, dir:…, name:…) or a name: the project \
of this name, or a new one that has only the name [default: --project]
  session           Any id. Rows of a session are neighbours, in the order of time, then of lines
  title, text       The memory. Without a title, the first line or sentence of the text is the title
  files             An array of paths, relative to the project's root
  type              One word, such as decision, discovery or bugfix [default: note]
  origin            import, or web for what a search finds and no session receives unasked [default: import]
  created_at_epoch  Milliseconds since 1970 [default: now]
  expires_at_epoch  When it leaves the context [default: never]
  metadata          An object of your own

Exit codes
  0  Everything was stored
  1  A line was not stored, or the project is not recorded
  2  Invalid arguments

Keys of --json
  id                Id of the note
  stored            added, updated or known
  project           Name of the project, null if there is none
  scope             project, or user with --global
  type, title       What is stored
  quarantined       true: it reads like an instruction to a model, and no session gets it
  expires_at_epoch  When it leaves the context; null: never

Keys of --jsonl --json
  added             Number of new rows
  updated           Number of rows that have changed
  unchanged         Number of rows that were stored already
  forgotten         Number of lines left out, because you forgot their rows
  invalid           Number of bad lines
  errors            Bad lines, at most 100: line and error
";

/// Store a note for later sessions
///
/// The note goes through the same rules as everything else: private text and secrets are removed,
/// and nothing is stored for a project that is not recorded. If a coding agent's model runs the command,
/// the note counts as the model's, not as yours.
#[derive(clap::Args, Default)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The text; - reads it from stdin
    #[arg(value_name = "TEXT", required_unless_present = "jsonl")]
    text: Vec<String>,
    /// One word that says what it is, such as decision, discovery or bugfix [default: note]
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// A file that the note is about; may be given several times
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: Vec<String>,
    /// Leave the context after this time (30d) or day (2026-12-31)
    #[arg(long, value_name = "TIME", value_parser = parse_future)]
    expires: Option<i64>,
    /// Include it in the context of all projects
    #[arg(long)]
    global: bool,
    /// The project, given as a directory or a name [default: the current directory]
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Title of the note [default: its first line or sentence]
    #[arg(long, value_name = "TITLE")]
    title: Option<String>,
    /// Data of your own; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_metadata)]
    metadata: Vec<(String, String)>,
    /// Store the rows in a file, one JSON object per line; - is stdin
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with_all = ["text", "kind", "file", "expires", "global", "title", "metadata"])]
    jsonl: Option<String>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

fn parse_metadata(text: &str) -> std::result::Result<(String, String), &'static str> {
    let is_key = |key: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        (1..=64).contains(&key.len()) && key.chars().all(plain)
    };
    match text.split_once('=') {
        Some((key, value)) if is_key(key) => Ok((key.to_owned(), value.to_owned())),
        Some(_) => Err("a key has letters, digits, '_', '-' and '.'"),
        None => Err("expected KEY=VALUE"),
    }
}

pub fn run(mut settings: Settings, args: &Args) -> Result<()> {
    health::recording::refuse_if_off(&settings)?;
    if let Some(file) = &args.jsonl {
        let store = open(&mut settings)?;
        let (target, _) = target(store.connection(), args.project.as_deref())?;
        let default = jsonl::recorded(store.connection(), &settings, target);
        return jsonl::run(&settings, store, file, default, args.json);
    }
    let draft = draft(args)?;
    let by_model = clients::is_run_by_model(&config::process_env);
    if by_model && args.global {
        return Err(failed("a command of a model may not store a note for all projects")
            .hint("run it in a terminal of your own"));
    }
    let origin = if by_model { Origin::Assistant } else { Origin::User };
    let redacted =
        draft.redact(origin, settings.config.capture, &settings.config.redact).map_err(usage)?;
    let here = lookup::here()?;
    if args.project.is_none()
        && let Some(why) = recording::not_recorded(&[&here], &settings.config.recording)
    {
        return Err(failed(&why).hint(why.fix()));
    }
    remember(&mut settings, args, &draft, redacted, &here)
}

fn draft(args: &Args) -> Result<Draft> {
    let text = match &args.text[..] {
        [dash] if dash == "-" => read_stdin()?,
        words => words.join(" "),
    };
    let metadata: Map<String, Value> =
        args.metadata.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    let (title, kind) = (args.title.clone(), args.kind.clone());
    Ok(Draft { title, text, kind, files: args.file.clone(), metadata })
}

fn read_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(MAX_INPUT + 1).read_to_end(&mut bytes);
    read.context("cannot read stdin")?;
    match bytes.len() as u64 > MAX_INPUT {
        true => Err(usage(format!("the text is longer than {} MiB", MAX_INPUT >> 20))),
        false => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

fn remember(
    settings: &mut Settings,
    args: &Args,
    draft: &Draft,
    redacted: Redacted,
    here: &Path,
) -> Result<()> {
    let mut store = open(settings)?;
    let (target, notice) = target(store.connection(), project_of(args))?;
    if let Some(why) = target.not_recorded(store.connection(), settings) {
        return Err(failed(&why).hint(why.fix()));
    }
    let note = note(settings, args, redacted, &target, here);
    let now = clock::now_ms();
    let stored = store.write(|tx| {
        let project = target.resolve(tx)?;
        let name = project.map(|id| projects::name(tx, id)).transpose()?;
        Ok((notes::remember(tx, project, &note, now)?, name))
    });
    let (stored, project) = stored.context("the note is not stored: database")?;
    if let Err(e) = record_place(&mut store, &target, now) {
        tracing::warn!("the directory of a note was not recorded: {e}");
    }
    notice.iter().for_each(|text| super::note(text));
    report_changes(settings, draft, &note);
    print(args, &note, stored, project.as_deref())
}

/// Records the directory, so that the note follows when it is renamed.
fn record_place(store: &mut Store, target: &Target, now: i64) -> store::Result<()> {
    let Target::Directory { dir, .. } = target else { return Ok(()) };
    if !dir.is_dir() {
        return Ok(());
    }
    match claims::unrecorded(store.connection(), &project::identify(dir))? {
        Some(new) => store.write(|tx| claims::record(tx, &new, now)),
        None => Ok(()),
    }
}

/// `metadata.project` counts as the project, too.
fn project_of(args: &Args) -> Option<&str> {
    let of_metadata = args.metadata.iter().find(|(key, _)| key == "project");
    args.project.as_deref().or(of_metadata.map(|(_, value)| value.as_str()))
}

/// The project of a note: a directory, or a known project with this name.
fn target(conn: &Connection, name: Option<&str>) -> Result<(Target, Option<String>)> {
    let here = || lookup::here();
    match name {
        None => place::of_directory(conn, &here()?),
        Some(name) => {
            let is_dir = || Path::new(name).is_dir().then(|| PathBuf::from(name));
            if let Some(dir) = project::typed_path(name).or_else(is_dir) {
                let dir = if dir.is_absolute() { dir } else { here()?.join(dir) };
                return place::of_directory(conn, &dir);
            }
            let project = projects::get(conn, lookup::project(conn, name)?)?;
            let dir = project.root.clone().into();
            Ok((Target::Directory { project, dir }, None))
        }
    }
}

fn note(
    settings: &Settings,
    args: &Args,
    redacted: Redacted,
    target: &Target,
    here: &Path,
) -> Note {
    let Redacted { mut observation, metadata } = redacted;
    let rules = &settings.config.recording;
    let hash = |path: &String| capture::hash_named_file(&here.join(path), rules);
    let blobs = observation.files_read.iter().map(hash).collect();
    let base = PathBase { root: target.root(), cwd: Some(here) };
    for path in &mut observation.files_read {
        *path = base.relative(path);
    }
    Note {
        observation,
        blobs,
        is_global: args.global,
        metadata,
        head: project::head(target.root().unwrap_or(here)),
        expires_at_epoch: args.expires,
        created_at_epoch: None,
    }
}

/// Tells what is not stored as it was typed.
fn report_changes(settings: &Settings, draft: &Draft, note: &Note) {
    let typed = [draft.title.as_deref().unwrap_or_default(), &draft.text];
    let n_secrets: usize =
        typed.iter().map(|text| capture::find_secrets(text, &settings.config.redact).len()).sum();
    if n_secrets > 0 {
        let secrets = format::count(n_secrets as u64, "secret");
        super::note(&format!("{secrets} in the text replaced"));
        super::hint("`memctl redact --check -` lists them");
    }
    if draft.text.len() > settings.config.capture.text {
        super::warn("the text is stored without its middle (setting capture.max_text)");
    }
    if note.observation.quarantined {
        super::warn("it reads like an instruction to a model: it is found, but no session gets it");
    }
}

fn print(args: &Args, note: &Note, stored: Stored, project: Option<&str>) -> Result<()> {
    let (word, id) = match stored {
        Stored::Added(id) => ("added", id),
        Stored::Updated(id) => ("updated", id),
        Stored::Known(id) => ("known", id),
        Stored::Forgotten => return Err(failed("the note was forgotten")),
    };
    let o = &note.observation;
    if args.json {
        return super::print_json(&json!({
            "id": format!("o{id}"), "stored": word, "project": project,
            "scope": if note.is_global { "user" } else { "project" },
            "type": o.kind, "title": o.title, "quarantined": o.quarantined,
            "expires_at_epoch": note.expires_at_epoch,
        }));
    }
    let verb = match stored {
        Stored::Added(_) => "remembered",
        Stored::Updated(_) => "updated",
        _ => "already remembered:",
    };
    let place = match (note.is_global, project) {
        (true, _) => "all projects".to_owned(),
        (false, Some(name)) => format!("project {name}"),
        (false, None) => "no project".to_owned(),
    };
    let until = note.expires_at_epoch.map(|at| format!(" until {}", format::at(at)));
    let until = until.unwrap_or_default();
    say_undoable(&format!("{verb} o{id} for {place}{until}"), &format!("forget o{id}"))
}

/// Opens the database, and creates it if it is missing.
fn open(settings: &mut Settings) -> Result<Store> {
    settings.paths.create().context("cannot create the data dir")?;
    Store::open_within(&settings.paths, LockWait::Within(open::LOCK_TIMEOUT)).map_err(|e| match e {
        StoreError::Busy(why) => failed(format!("the database is busy: {why}"))
            .hint("another process holds it; try again"),
        e => failed(format!("nothing can be stored in {}: {e}", settings.paths.data().display()))
            .hint("`memctl doctor` shows all problems"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_a_key_and_a_value() {
        let pair = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
        assert_eq!(parse_metadata("a=b=c"), pair("a", "b=c"));
        assert_eq!(parse_metadata("a.b-c_1="), pair("a.b-c_1", ""));
        for text in ["", "a", "=b", "a b=c", "é=1"] {
            assert!(parse_metadata(text).is_err(), "{text}");
        }
    }
}
