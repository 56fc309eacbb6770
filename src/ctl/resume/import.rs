//! `memctl resume import`: a legacy file becomes rows, then goes.
//!
//! It may be cut off anywhere: rows that are there win, so a second run adds what is missing, and
//! the file is removed last, when all of it is in the store and it says still the same.

use std::fs;
use std::path::{Path, PathBuf};

use super::legacy::{self, Read, Rewrite};
use super::{open, writable};
use crate::clock;
use crate::config::{Settings, process_env};
use crate::ctl::format::count;
use crate::failure::{Context, Result, failed};
use crate::store::agent_sessions::{self, PIECE};
use crate::testpoint;

/// A file that is written while it is read is read again, so often.
const ATTEMPTS: usize = 5;

#[derive(clap::Args)]
pub struct Args {
    /// The file; without it claude-hooks/sessions.json in $XDG_STATE_HOME
    file: Option<PathBuf>,
    /// The forge of keys that name none
    #[arg(long, value_name = "NAME", default_value = "github")]
    forge: String,
    /// Write an agent's old name as a new one; may be given again
    #[arg(long, value_name = "OLD=NEW", value_parser = rename)]
    rename: Vec<(String, String)>,
}

fn rename(text: &str) -> std::result::Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((old, new)) if !old.trim().is_empty() && !new.trim().is_empty() => {
            Ok((old.trim().to_owned(), new.trim().to_owned()))
        }
        _ => Err("write OLD=NEW"),
    }
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let path = match &args.file {
        Some(file) => file.clone(),
        None => usual(settings)?,
    };
    let now = clock::now_ms();
    let rewrite = Rewrite { forge: &args.forge, renames: &args.rename, now };
    for _ in 0..ATTEMPTS {
        let text = match fs::read_to_string(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && args.file.is_none() => {
                let path = path.display();
                return super::super::print(&format!("nothing to import: {path} is not there\n"));
            }
            read => read.context(path.display())?,
        };
        let read = legacy::read(&text, &rewrite)
            .map_err(|why| failed(format!("{}: {why}", path.display())))?;
        let added = add(settings, &read)?;
        testpoint::at("resume.imported");
        if fs::read_to_string(&path).is_ok_and(|again| again == text) {
            return finish(&path, &read, added);
        }
    }
    Err(failed(format!("{} is being written: it was imported and stays", path.display()))
        .hint("end what writes it, and import once more"))
}

fn finish(path: &Path, read: &Read, added: usize) -> Result<()> {
    let known = read.sessions.len() - added;
    let mut out = format!("{} imported", count(added as u64, "session"));
    if known > 0 {
        out.push_str(&format!(", {known} known already"));
    }
    if !read.not_understood.is_empty() {
        super::super::print(&format!("{out}\n"))?;
        let names: Vec<String> = read.not_understood.iter().map(|k| format!("'{k}'")).collect();
        return Err(failed(format!(
            "{} stays: not understood are {}",
            path.display(),
            names.join(", ")
        ))
        .hint("correct these entries or take them out, and import once more"));
    }
    fs::remove_file(path).context(path.display())?;
    super::super::print(&format!("{out}; {} is removed\n", path.display()))
}

fn add(settings: &Settings, read: &Read) -> Result<usize> {
    if read.sessions.is_empty() {
        return Ok(0);
    }
    let mut store = open(&writable(settings)?)?;
    let mut added = 0;
    for piece in read.sessions.chunks(PIECE) {
        added += store
            .write(|tx| {
                let mut added = 0;
                for session in piece {
                    added += usize::from(agent_sessions::add(tx, session)?);
                }
                Ok(added)
            })
            .context("database")?;
        testpoint::at("resume.piece");
    }
    Ok(added)
}

/// Where dispatchers kept it.
fn usual(settings: &Settings) -> Result<PathBuf> {
    let state = process_env("XDG_STATE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let state = state.or_else(|| Some(settings.home.as_ref()?.join(".local/state")));
    let state = state.ok_or_else(|| failed("no home is known: name the file"))?;
    Ok(state.join("claude-hooks/sessions.json"))
}
