//! Sessions in directories, each with a word by which its memory is recognized.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::World;
use super::recordings::{end, prompt, start, stop, tool};

pub fn write(path: &Path, text: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub fn in_dir(mut payload: Value, dir: &Path) -> Value {
    payload["cwd"] = dir.display().to_string().into();
    payload
}

/// The payload with this directory as its work tree: the recordings work in `/work`.
pub fn moved_to(payload: Value, dir: &Path) -> Value {
    let text = in_dir(payload, dir).to_string();
    serde_json::from_str(&text.replace("/work/", &format!("{}/", dir.display()))).unwrap()
}

/// Records a session in this directory. Its answer contains `word`.
pub fn session(w: &World, dir: &Path, name: &str, word: &str) {
    w.hooks(
        &[
            prompt(name, "t", &format!("make the tests of {word} pass")),
            tool(name, "t", &format!("{name}1"), "cargo test", "error[E0308]: mismatched types"),
            tool(
                name,
                "t",
                &format!("{name}2"),
                "cargo test",
                "test result: ok. 7 passed; 0 failed",
            ),
            stop(name, "t", &format!("The {word} parser was wrong. All 7 tests pass now.")),
            end(name),
        ]
        .map(|payload| in_dir(payload, dir)),
    );
    w.settle();
}

/// The response to a session that starts in this directory.
pub fn started(w: &World, dir: &Path, name: &str) -> Value {
    let response = w.hook(&in_dir(start(name), dir));
    w.hook(&in_dir(end(name), dir));
    w.settle();
    response
}

pub fn context(response: &Value) -> String {
    response["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default().to_owned()
}

/// The line that the user sees.
pub fn notice(response: &Value) -> &str {
    response["systemMessage"].as_str().unwrap_or_default()
}

/// Runs git with the world's home directory and without the system's configuration.
#[track_caller]
pub fn git(w: &World, dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", w.path("home"));
    command.env("GIT_CONFIG_NOSYSTEM", "1").current_dir(dir);
    let settings = ["user.name=A", "user.email=a@example.org", "init.defaultBranch=main"];
    command.args(settings.iter().flat_map(|setting| ["-c", setting]));
    let output = command.args(["-c", "protocol.file.allow=always"]).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?} in {}: {output:?}", dir.display());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A directory below the home directory.
pub fn directory(w: &World, name: &str) -> PathBuf {
    let dir = w.path("home").join(name);
    fs::create_dir_all(&dir).unwrap();
    dir.canonicalize().unwrap()
}

/// A repository with one commit, which `name` makes unlike others.
pub fn repository(w: &World, name: &str) -> PathBuf {
    let dir = directory(w, name);
    git(w, &dir, &["init", "-q"]);
    commit(w, &dir, name);
    dir
}

pub fn commit(w: &World, dir: &Path, what: &str) {
    git(w, dir, &["commit", "-q", "--allow-empty", "-m", what]);
}
