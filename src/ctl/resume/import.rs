//! `memctl resume import`: imports a legacy file and deletes it.
//!
//! The import may be interrupted at any point. Existing rows are kept, so a second run adds only the
//! missing ones. The file is deleted last, after all rows are committed and only if it is unchanged.

use std::fs;
use std::path::{Path, PathBuf};

use super::legacy::{self, Parsed, Rewrite};
use super::writable;
use crate::clock;
use crate::config::{Settings, process_env};
use crate::ctl::format::count;
use crate::ctl::open;
use crate::failure::{Context, Result, failed};
use crate::store::agent_sessions::{self, MAX_ROWS};
use crate::testpoint;

/// How often a file that changes during the import is read again.
const ATTEMPTS: usize = 5;

#[derive(clap::Args)]
pub struct Args {
    /// File to import [default: claude-hooks/sessions.json in $XDG_STATE_HOME]
    file: Option<PathBuf>,
    /// Forge for keys without one
    #[arg(long, value_name = "NAME", default_value = "github")]
    forge: String,
    /// Rename an agent; can be repeated
    #[arg(long, value_name = "OLD=NEW", value_parser = parse_rename)]
    rename: Vec<(String, String)>,
}

fn parse_rename(text: &str) -> std::result::Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((old, new)) if !old.trim().is_empty() && !new.trim().is_empty() => {
            Ok((old.trim().to_owned(), new.trim().to_owned()))
        }
        _ => Err("expected OLD=NEW"),
    }
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let path = match &args.file {
        Some(file) => file.clone(),
        None => default_path(settings)?,
    };
    let now = clock::now_ms();
    let rewrite = Rewrite { forge: &args.forge, renames: &args.rename, now };
    for _ in 0..ATTEMPTS {
        let text = match fs::read_to_string(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && args.file.is_none() => {
                let path = path.display();
                return super::super::print(&format!("nothing to import: {path} does not exist\n"));
            }
            read => read.context(format!("cannot read {}", path.display()))?,
        };
        let parsed = legacy::parse(&text, &rewrite)
            .map_err(|why| failed(format!("{}: {why}", path.display())))?;
        let added = add(settings, &parsed)?;
        testpoint::at("resume.imported");
        if fs::read_to_string(&path).is_ok_and(|now| now == text) {
            return finish(&path, &parsed, added);
        }
    }
    Err(failed(format!("{} keeps changing; it was imported but not deleted", path.display()))
        .hint("stop the program that writes it and import again"))
}

fn finish(path: &Path, parsed: &Parsed, added: usize) -> Result<()> {
    let n_stored = parsed.sessions.len() - added;
    let mut out = format!("{} imported", count(added as u64, "session"));
    if n_stored > 0 {
        out.push_str(&format!(", {n_stored} already stored"));
    }
    if !parsed.invalid.is_empty() {
        super::super::print(&format!("{out}\n"))?;
        let names: Vec<String> = parsed.invalid.iter().map(|k| format!("'{k}'")).collect();
        return Err(failed(format!(
            "{} was not deleted because of invalid entries: {}",
            path.display(),
            names.join(", ")
        ))
        .hint("fix or remove these entries and import again"));
    }
    fs::remove_file(path).context(format!("cannot delete {}", path.display()))?;
    super::super::print(&format!("{out}; deleted {}\n", path.display()))
}

fn add(settings: &Settings, parsed: &Parsed) -> Result<usize> {
    if parsed.sessions.is_empty() {
        return Ok(0);
    }
    let mut store = open::store(&writable(settings)?)?;
    let mut added = 0;
    for chunk in parsed.sessions.chunks(MAX_ROWS) {
        added += store.write(|tx| {
            let mut added = 0;
            for session in chunk {
                added += usize::from(agent_sessions::add(tx, session)?);
            }
            Ok(added)
        })?;
        testpoint::at("resume.piece");
    }
    Ok(added)
}

/// The path at which older dispatchers stored the file.
fn default_path(settings: &Settings) -> Result<PathBuf> {
    let state = process_env("XDG_STATE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let state = state.or_else(|| Some(settings.home.as_ref()?.join(".local/state")));
    let state =
        state.ok_or_else(|| failed("no home directory").hint("set HOME, or name the file"))?;
    Ok(state.join("claude-hooks/sessions.json"))
}
