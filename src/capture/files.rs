//! Hashes the file that a tool used, as git does, so that a memory of the file can be compared with
//! its later content. Only hooks do this, because only they run right after the tool.
//!
//! The reads do not block: only regular files of limited size are opened, and symbolic links are not
//! followed. Secret files, files with private text and excluded files get no hash.

use std::path::Path;

use memctl_proto::event::SeenFile;
use memctl_proto::{Event, Kind};

use super::{CaptureContext, MAX_PATH, Payload, secret_files, tags};
use crate::clients::ToolUse;
use crate::git::{MAX_HASHED as MAX_SIZE, hash_file};
use crate::project::recording;

/// Directories of virtual files, which are not read.
pub const VIRTUAL: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Adds the hash of the tool's file to the event.
pub fn hash_files(event: &mut Event, payload: &Payload, context: &CaptureContext) {
    let Some(tool) = event.tool.as_mut().filter(|_| event.kind == Kind::Tool) else { return };
    if tool.input.is_none() {
        return; // The whole input was private.
    }
    // Files of MCP servers may be on another machine; `file` is `None` for their tools.
    let input = payload.tool_input.map(|input| input.get());
    let used = ToolUse::new(context.client, &tool.name, input);
    let Some(path) = used.file().map(str::to_owned) else { return };
    let base = event.cwd.as_deref().map(Path::new).or(context.project_dir);
    let file = base.unwrap_or(Path::new("")).join(&path);
    let readable = path.len() <= MAX_PATH && file.is_absolute() && !tags::strip(&path).private;
    let is_private = !context.private.find(&path).is_empty();
    if !readable
        || is_private
        || secret_files::is_secret_file(&path)
        || VIRTUAL.iter().any(|d| file.starts_with(d))
    {
        return;
    }
    let parent = file.parent().unwrap_or(&file);
    if recording::exclusion(parent, context.recording).is_none()
        && let Some(blob) = blob(&file)
    {
        tool.files = vec![SeenFile { path, blob }];
    }
}

/// Git's hash of a file's content, as `git hash-object --no-filters` makes it. `None` also if it has private
/// text.
pub fn blob(path: &Path) -> Option<String> {
    let mut private = tags::PrivateTagDetector::default();
    let hash = hash_file(path, MAX_SIZE, |part| private.scan(part))?;
    (!private.found).then_some(hash)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;
    use crate::capture::{Captured, PrivateWords, capture, parse};
    use crate::config::{Limits, Recording, Redact};

    /// Returns the files recorded for a tool use in `dir`.
    fn recorded_files(
        tool: &str,
        input: serde_json::Value,
        dir: &Path,
        exclude: &str,
    ) -> Vec<SeenFile> {
        let exclude =
            glob::Pattern::new(exclude).ok().filter(|pattern| !pattern.as_str().is_empty());
        let recording =
            Recording { exclude: exclude.into_iter().collect(), ..Recording::default() };
        let context = CaptureContext {
            event: Some("PostToolUse"),
            client: "claude-code",
            project_dir: Some(Path::new("/")),
            fallback_dir: None,
            recording: &recording,
            limits: Limits { input: 1 << 10, response: 1 << 10, text: 1 << 10 },
            private: &PrivateWords::default(),
            redact: &Redact::default(),
            now: 0,
            process: None,
        };
        let payload = serde_json::json!({
            "session_id": "s", "tool_name": tool, "tool_input": input, "cwd": dir,
        })
        .to_string();
        let payload = parse(&payload).unwrap();
        let Ok(Captured::Event(mut event)) = capture(&payload, &context) else { return Vec::new() };
        assert!(event.tool.as_ref().unwrap().files.is_empty(), "capture read a file");
        hash_files(&mut event, &payload, &context);
        event.tool.unwrap().files
    }

    fn read(dir: &Path, name: &str) -> Vec<SeenFile> {
        recorded_files("Read", serde_json::json!({ "file_path": dir.join(name) }), dir, "")
    }

    fn temp_dir() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        (dir, path)
    }

    #[test]
    fn the_hash_is_the_one_that_git_computes() {
        let (_kept, dir) = temp_dir();
        for (name, text) in [
            ("a.rs", "fn main() {}\n".to_owned()),
            ("empty", String::new()),
            ("long", "x\n".repeat(60_000)),
        ] {
            fs::write(dir.join(name), &text).unwrap();
            let git = Command::new("git")
                .args(["hash-object", "--no-filters"])
                .arg(dir.join(name))
                .output()
                .unwrap();
            let expected = String::from_utf8(git.stdout).unwrap();
            let absolute = dir.join(name).to_str().unwrap().to_owned();
            assert_eq!(
                read(&dir, name),
                [SeenFile { path: absolute, blob: expected.trim().to_owned() }]
            );
        }
        let relative = recorded_files("Edit", serde_json::json!({ "file_path": "a.rs" }), &dir, "");
        assert_eq!(relative[0].path, "a.rs");
        let notebook =
            recorded_files("NotebookEdit", serde_json::json!({"notebook_path": "a.rs"}), &dir, "");
        assert_eq!(notebook[0].blob, relative[0].blob);
    }

    #[test]
    fn secret_private_large_and_special_files_get_no_hash() {
        let (_kept, dir) = temp_dir();
        let write = |name: &str, text: &str| fs::write(dir.join(name), text).unwrap();
        write("a.rs", "fn main() {}\n");
        write(".env", "KEY=1\n");
        write("notes.md", "# Notes\n< Private >the code is 4711</private>\n");
        write("large", &"x".repeat(MAX_SIZE as usize + 1));
        std::os::unix::fs::symlink(dir.join("a.rs"), dir.join("link")).unwrap();
        nix::unistd::mkfifo(&dir.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for name in [".env", "notes.md", "large", "link", "fifo", "absent", "."] {
            assert_eq!(read(&dir, name), [], "{name}");
        }
        assert_eq!(read(Path::new("/proc/self"), "status"), []);
        // The file is excluded, but the session's project is not.
        let named = serde_json::json!({ "file_path": dir.join("a.rs") });
        let excluded = format!("{}*", dir.display());
        assert_eq!(recorded_files("Read", named.clone(), &dir, &excluded), []);
        assert_eq!(recorded_files("mcp__files__read", named.clone(), &dir, ""), []);
        assert_eq!(
            recorded_files("Grep", serde_json::json!({ "path": dir.join("a.rs") }), &dir, ""),
            []
        );
        assert_eq!(recorded_files("Read", named, &dir, "").len(), 1);
    }
}
