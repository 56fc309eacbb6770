//! Rules about the sources that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(dir: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![root().join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The part of a file that is neither its tests nor a comment.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    code.lines().filter(is_code).map(|line| format!("{line}\n")).collect()
}

#[test]
fn arrows_point_down_only() {
    // Who may name whom, from the top of the program to its bottom.
    let layers: &[&[&str]] = &[
        &["ctl", "hook", "recover", "worker"],
        &["deliver", "context", "agent"],
        &["capture"],
        &["spool"],
        &["store"],
        &["memory", "project"],
        &["lock", "process", "log"],
        &["testpoint"],
        &["config"],
        &["paths", "failure"],
    ];
    let layer = |name: &str| layers.iter().position(|l| l.contains(&name));
    for (path, text) in sources("src") {
        let own = path.iter().nth(1).unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let Some(from) = layer(&own) else { continue };
        for used in code(&text).split("crate::").skip(1) {
            let name: String =
                used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(to) = layer(&name) else { continue };
            assert!(
                to >= from || name == own,
                "{} names {name}, which stands above it",
                path.display()
            );
        }
    }
}

#[test]
fn each_thing_has_one_home() {
    let homes = [
        ("cfg(target_os", "src/process/"),
        (
            "thread::sleep",
            "src/ctl/poll.rs src/worker/owner.rs src/recover/ src/testpoint.rs src/process/ src/lock/ src/store/ensure/",
        ),
        ("env::var", "src/config/ src/testpoint.rs src/process/"),
        ("bincode", "proto/"),
        ("INSERT INTO", "src/store/"),
        ("env::current_dir", "src/ctl/"),
        ("now().duration_since(UNIX_EPOCH", "src/clock.rs"),
    ];
    for (path, text) in sources("src") {
        if path.to_str().unwrap().contains("tests") {
            continue;
        }
        for (what, home) in homes {
            let at_home = home.split(' ').any(|h| path.to_str().unwrap().starts_with(h));
            assert!(at_home || !code(&text).contains(what), "{} has {what}", path.display());
        }
    }
}

#[test]
fn hooks_never_reach_the_runtime_or_the_parser_of_words() {
    for (path, text) in
        sources("src/hook").into_iter().chain(sources("src/deliver")).chain(sources("src/capture"))
    {
        for heavy in ["tokio", "clap", "crate::agent", "crate::worker", "crate::ctl"] {
            assert!(!code(&text).contains(heavy), "{} names {heavy}", path.display());
        }
    }
}

#[test]
fn files_can_be_read_in_one_go_and_say_what_they_own() {
    for (path, text) in sources("src").into_iter().chain(sources("proto/src")) {
        assert!(text.lines().count() <= 450, "{} is long", path.display());
        let is_test = path.to_str().unwrap().contains("tests");
        assert!(is_test || text.starts_with("//!"), "{} does not say what it owns", path.display());
    }
}

#[test]
fn every_hook_that_is_registered_is_understood() {
    let text = fs::read_to_string(root().join("hooks/hooks.json")).unwrap();
    let hooks: serde_json::Value = serde_json::from_str(&text).unwrap();
    let events = hooks["hooks"].as_object().unwrap();
    let names: Vec<&str> = events.keys().map(String::as_str).collect();
    let mut wanted = vec![
        "SessionStart",
        "UserPromptSubmit",
        "PostToolUse",
        "PostToolUseFailure",
        "SubagentStop",
        "Stop",
        "StopFailure",
        "SessionEnd",
    ];
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    for (event, groups) in events {
        for hook in groups.as_array().unwrap().iter().flat_map(|g| g["hooks"].as_array().unwrap()) {
            assert_eq!(hook["type"], "command");
            assert_eq!(hook["args"], serde_json::json!([event]), "exec form, the event its word");
            assert_eq!(hook["command"], "${CLAUDE_PLUGIN_ROOT}/hooks/run.sh");
            let seconds = hook["timeout"].as_u64().unwrap();
            assert!((1..=30).contains(&seconds), "timeouts are seconds");
            assert!(hook.get("async").is_none() && hook.get("onFailure").is_none());
        }
    }
}

#[test]
fn the_changelog_and_the_plugin_name_this_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(changelog.contains("## Unreleased") || changelog.contains(env!("CARGO_PKG_VERSION")));
    let plugin = fs::read_to_string(root().join(".claude-plugin/plugin.json")).unwrap();
    let plugin: serde_json::Value = serde_json::from_str(&plugin).unwrap();
    assert_eq!(plugin["version"], env!("CARGO_PKG_VERSION"));
}
