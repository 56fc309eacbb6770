//! Finds private blocks in the files that a tool used. The printed part of a file may begin inside of a
//! block and have none of its tags: a read from line 40 on, the rows of a search, a diff.

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::files::VIRTUAL;
use super::tags::PrivateTagDetector;
use super::{CaptureContext, MAX_PATH, Payload, tags};
use crate::clients::{ToolKind, ToolUse, patch};
use crate::files::open_regular;
use crate::text::bytes::{memchr, memchr2_iter};

/// At most this many paths are looked up.
const MAX_PATHS: usize = 32;

/// At most this many bytes of files, and rows of an output, are read.
const MAX_BYTES: u64 = 8 << 20;
const MAX_ROWS: usize = 2000;

/// Adds the private parts of the files that a tool use names to the private words of `context`. Returns
/// whether there are any.
pub fn add_private_parts(payload: &Payload, used: &ToolUse, context: &CaptureContext) -> bool {
    let response = payload.tool_response.or(payload.error);
    // These print no other file than the one that they name.
    let names_all = matches!(used.kind, ToolKind::Read | ToolKind::Write | ToolKind::Fetch);
    let output = response.filter(|_| !names_all).map_or("", |response| response.get());
    let mut paths = Paths::default();
    used.paths.iter().for_each(|path| paths.add(path));
    let mut dirs: Vec<PathBuf> = payload.cwd.iter().map(|dir| PathBuf::from(&**dir)).collect();
    dirs.extend(context.project_dir.map(Path::to_owned));
    dirs.retain(|dir| dir.is_absolute());
    dirs.dedup();
    for command in &used.commands {
        let words: Vec<&str> = command.split(is_separator).filter(|w| !w.is_empty()).collect();
        let changes = words.windows(2).filter(|pair| pair[0] == "cd").map(|pair| pair[1]);
        let changes: Vec<PathBuf> =
            changes.flat_map(|to| dirs.iter().map(move |dir| dir.join(to))).take(4).collect();
        dirs.splice(0..0, changes);
        words.iter().for_each(|word| paths.add(word));
        // A name with spaces is quoted.
        command.split(['"', '\'']).skip(1).step_by(2).for_each(|quoted| paths.add(quoted));
    }
    paths_in_rows(output).for_each(|path| paths.add(path));
    let mut left = MAX_BYTES;
    let mut found = false;
    for file in paths.0.iter().filter_map(|path| existing(path, &dirs)) {
        if let Some((private, open)) = parts(&file, &mut left) {
            context.private.add_file(&private, &open);
            found = true;
        }
    }
    found
}

/// Different names that may be paths of files.
#[derive(Default)]
struct Paths(Vec<String>);

impl Paths {
    fn add(&mut self, path: &str) {
        let path = path.strip_prefix("file://").unwrap_or(path);
        let is_path = !path.is_empty() && path.len() <= MAX_PATH && !path.starts_with('-');
        let is_new = || !self.0.iter().any(|known| known == path);
        if is_path && self.0.len() < MAX_PATHS && !path.contains(['\n', '*', '\0']) && is_new() {
            self.0.push(path.to_owned());
        }
    }
}

/// Whether a character ends a word of a command. `:` separates a revision of git from a path.
fn is_separator(c: char) -> bool {
    c.is_whitespace() || "\"'`|;&<>(){}=,:".contains(c)
}

/// The paths that rows of an output begin with: `path:12:text`, `==> path <==`, headers of diffs, and
/// headings above numbered rows. `json` is not decoded: hardly a path has escapes.
fn paths_in_rows(json: &str) -> impl Iterator<Item = &str> {
    let mut rows = rows(json).take(MAX_ROWS).peekable();
    std::iter::from_fn(move || {
        let row = rows.next()?;
        Some(path_of(row, rows.peek().copied()))
    })
    .flatten()
}

/// The parts between quotes and escaped line breaks.
fn rows(json: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(json);
    std::iter::from_fn(move || {
        let text = rest?;
        let bytes = text.as_bytes();
        let len = |at: usize| match bytes[at] {
            b'"' => Some(1),
            _ => bytes[at + 1..].starts_with(b"n").then_some(2),
        };
        let end = memchr2_iter(b'"', b'\\', bytes).find_map(|at| Some((at, len(at)?)));
        let (at, len) = end.unwrap_or((text.len(), 0));
        rest = (len > 0).then(|| &text[at + len..]);
        Some(&text[..at])
    })
}

fn path_of<'a>(row: &'a str, next: Option<&str>) -> Option<&'a str> {
    let row = &row[..row.floor_char_boundary(MAX_PATH)];
    if row.trim_start().starts_with(['*', '+', '-', '=', 'I', 'F']) {
        let header = patch::header(row).map(|(_, path)| path).or_else(|| patch::diff_path(row));
        let banner = || row.strip_prefix("==> ").and_then(|rest| rest.strip_suffix(" <=="));
        if let Some(path) = header.or_else(banner) {
            return path.split('\\').next();
        }
        if let Some(path) = row.strip_prefix("File: ") {
            return Some(path);
        }
    }
    let is_number = |row: &str| {
        let rest = row.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
        rest.len() < row.trim_start().len() && rest.starts_with([':', '-', '\\'])
    };
    let path = match memchr(b':', row.as_bytes()) {
        Some(colon) => &row[..colon],
        None if next.is_some_and(is_number) => row,
        None => return None,
    };
    is_name(path).then_some(path)
}

/// Whether the start of a row may be a path: it has a dot or a slash.
fn is_name(path: &str) -> bool {
    path.contains(['.', '/']) && !path.contains(['(', '<', '=']) && !path.starts_with([' ', '\\'])
}

fn existing(path: &str, dirs: &[PathBuf]) -> Option<PathBuf> {
    let candidates = dirs.iter().map(|dir| dir.join(path));
    let candidates = candidates.chain(dirs.is_empty().then(|| PathBuf::from(path)));
    candidates
        .filter(|file| file.is_absolute() && !VIRTUAL.iter().any(|dir| file.starts_with(dir)))
        .find(|file| file.is_file())
}

/// The private parts of a file, and the rest of it. `None` if there are none, or if it cannot be read.
fn parts(file: &Path, left: &mut u64) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut file = open_regular(file).ok()?;
    if file.metadata().ok()?.len() > *left {
        return None;
    }
    file.by_ref().take(*left).read_to_end(&mut bytes).ok()?;
    *left -= bytes.len() as u64;
    let mut tags_in = PrivateTagDetector::default();
    tags_in.scan(&bytes);
    if !tags_in.found {
        return None;
    }
    let text: Cow<str> = String::from_utf8_lossy(&bytes);
    tags::split(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_from_rows() {
        let text = "src/a.rs:12:let x = \"1\";\nplain text\n==> b.md <==\n--- a/c.md\t2026\n\
            +++ b/d.md\ne.md\n3:x\nf.md\n\nFile: g.md\n/p/h.md:\n  Line 1: x\n  --> i.rs:1:2";
        let text = serde_json::json!({ "stdout": text }).to_string();
        let found: Vec<&str> = paths_in_rows(&text).collect();
        assert_eq!(found, ["src/a.rs", "b.md", "c.md", "d.md", "e.md", "g.md", "/p/h.md"]);
    }
}
