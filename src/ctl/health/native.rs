//! Says which memory Claude Code has itself in a directory, and what memctl leaves out because of it.

use std::path::Path;
use std::rc::Rc;

use super::Finding;
use crate::clients::native::{self, Kind, MemoryFile};
use crate::clock;
use crate::config::Settings;
use crate::context::native::Native;
use crate::context::start::{self, AlreadyShown};
use crate::ctl::READ_TIMEOUT;
use crate::ctl::format::{age, bytes, count};
use crate::project;
use crate::store::{self, Reader, claims};

const CHECK: &str = "native";
pub const CLIENT: &str = "claude-code";
/// More files are counted, not listed.
const MOST: usize = 12;

/// One finding per file. `is_usable`: the database may be read.
pub fn findings(settings: &Settings, dir: Option<&Path>, is_usable: bool) -> Vec<Finding> {
    let Some(dir) = dir else { return Vec::new() };
    let found = native::find(settings, CLIENT, dir);
    let native = Rc::new(Native::new(&found.files));
    // An error of the database is the finding of another check.
    let is_read = is_usable && build(settings, dir, &native).is_ok_and(|is_read| is_read);
    let finding = |(at, file): (usize, &MemoryFile)| {
        let left_out = is_read.then(|| native.n_left_out(at));
        Finding::ok(CHECK, sentence(file, left_out))
    };
    let mut lines: Vec<Finding> = found.files.iter().enumerate().take(MOST).map(finding).collect();
    if let Some(more) = found.files.len().checked_sub(MOST).filter(|more| *more > 0) {
        lines.push(Finding::ok(CHECK, format!("{} more", count(more as u64, "file"))));
    }
    let has_notes = found.files.iter().any(|file| file.kind == Kind::Notes);
    match found.notes_off {
        Some(why) => lines.push(Finding::ok(CHECK, format!("Claude Code keeps no notes: {why}"))),
        None if !has_notes => {
            lines.push(Finding::ok(CHECK, "Claude Code keeps notes, but has none here yet"));
        }
        None => {}
    }
    lines
}

fn sentence(file: &MemoryFile, left_out: Option<usize>) -> String {
    let what = match file.kind {
        Kind::Instructions => "instructions",
        Kind::Notes => "notes of Claude Code",
    };
    let effect = match left_out {
        None => String::new(),
        Some(0) => "; the context repeats nothing of it".to_owned(),
        Some(n) => format!("; the context leaves out {} of it", count(n as u64, "sentence")),
    };
    let age = age(file.modified_epoch, clock::now_ms());
    format!("{}: {what}, {}, changed {age} ago{effect}", file.path.display(), bytes(file.bytes))
}

/// Builds the block of a session that starts here, which counts what is left out. Returns whether there is a
/// database.
fn build(settings: &Settings, dir: &Path, native: &Rc<Native>) -> store::Result<bool> {
    let Some(reader) = Reader::open(&settings.paths, READ_TIMEOUT)? else { return Ok(false) };
    let conn = reader.connection();
    let project = claims::examine(conn, &project::identify(dir))?.project;
    let tokens = settings.config.context.tokens;
    start::block(conn, &project, &AlreadyShown::Nothing, native, tokens)?;
    Ok(true)
}
