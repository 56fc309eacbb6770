//! What a client's own memory says is not told again: at a session's start, with a prompt, and in `memctl
//! context`. Its files are read, never written.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::World;

const NOTES: [&str; 4] = [
    "Money is integer cents everywhere",
    "Releases are cut from main",
    "The database listens on port 5433",
    "Tabs are four columns wide",
];

/// A world with a project that has four notes.
fn world() -> World {
    let w = World::new();
    fs::create_dir_all(app(&w)).unwrap();
    for note in NOTES {
        at(&w, &["remember", note]);
    }
    w
}

fn app(w: &World) -> PathBuf {
    w.path("home").join("app")
}

/// Runs memctl in the project, and returns what it prints.
fn at(w: &World, args: &[&str]) -> String {
    w.memctl_in(&app(w), args).ok()
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// `MEMORY.md` of the project.
fn client_notes(w: &World) -> PathBuf {
    let name: String = app(w)
        .to_str()
        .unwrap()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    w.path("home").join(".claude/projects").join(name).join("memory/MEMORY.md")
}

fn start(w: &World, client: &str) -> String {
    let payload = json!({"session_id": format!("s-{client}"), "cwd": app(w),
                         "hook_event_name": "SessionStart", "source": "startup"});
    let output = w.hook_bytes(&["--client", client], payload.to_string().as_bytes());
    let response: Value = output.json();
    response["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default().to_owned()
}

/// Which of the notes a text has.
fn told(text: &str) -> Vec<usize> {
    (0..NOTES.len()).filter(|n| text.contains(NOTES[*n])).collect()
}

#[track_caller]
fn check(w: &World, expected: &[usize]) {
    let context = at(w, &["context"]);
    assert_eq!(told(&context), expected, "{context}");
}

#[test]
fn what_the_clients_own_memory_says_is_not_told_again() {
    let w = world();
    check(&w, &[0, 1, 2, 3]);
    let own = w.path("home").join(".claude/CLAUDE.md");
    let project = app(&w).join("CLAUDE.md");
    let imported = app(&w).join("docs/rules.md");
    write(&own, "# Mine\n\n- **Money** is integer cents, everywhere.\n");
    write(&project, "See @docs/rules.md for more, and `@docs/none.md`.\n");
    write(&imported, "Releases are cut\nfrom `main`. Never on a Friday.\n");
    write(&client_notes(&w), "- [Database](db.md) — the database listens on port 5433\n");
    check(&w, &[3]);
    // The hook gives the same block.
    assert_eq!(start(&w, "claude-code"), at(&w, &["context"]));
    let doctor = at(&w, &["doctor"]);
    let line = |file: &Path| {
        let found = doctor.lines().find(|line| line.contains(&*file.to_string_lossy()));
        found.unwrap_or_else(|| panic!("{}: {doctor}", file.display())).to_owned()
    };
    assert!(line(&own).contains("instructions, 50 B, changed "), "{doctor}");
    for file in [&own, &imported, &client_notes(&w)] {
        assert!(line(file).ends_with("leaves out 1 sentence of it"), "{doctor}");
    }
    assert!(line(&project).ends_with("repeats nothing of it"), "{doctor}");
    assert!(line(&client_notes(&w)).contains("notes of Claude Code"), "{doctor}");
    // Reading changes nothing.
    assert_eq!(fs::read_to_string(&project).unwrap().len(), 50);
    // What the file no longer says is told again.
    fs::remove_file(&own).unwrap();
    write(&imported, "Never release on a Friday.\n");
    check(&w, &[0, 1, 3]);
}

#[test]
fn what_the_client_does_not_read_does_not_count() {
    let mut w = world();
    write(&client_notes(&w), &format!("{}- {}\n", "line\n".repeat(200), NOTES[0]));
    let elsewhere = w.path("home").join("elsewhere.md");
    write(&elsewhere, &format!("{}\n", NOTES[1]));
    let rule = format!("---\npaths: \"*.sql\"\n---\n{}\n", NOTES[2]);
    write(&app(&w).join(".claude/rules/sql.md"), &rule);
    write(&app(&w).join("CLAUDE.local.md"), "```\nTabs are four columns wide\n```\n");
    check(&w, &[0, 1, 2, 3]);
    // A file outside of the session's directory, which the client asks about.
    write(&app(&w).join("CLAUDE.local.md"), "@../elsewhere.md\n");
    check(&w, &[0, 1, 2, 3]);
    // A link to it, which the client follows.
    fs::remove_file(app(&w).join("CLAUDE.local.md")).unwrap();
    symlink(&elsewhere, app(&w).join("CLAUDE.local.md")).unwrap();
    check(&w, &[0, 2, 3]);
    fs::remove_file(app(&w).join("CLAUDE.local.md")).unwrap();
    // Notes that are off.
    write(&client_notes(&w), &format!("- {}\n", NOTES[0]));
    check(&w, &[1, 2, 3]);
    let settings = w.path("home").join(".claude/settings.json");
    write(&settings, r#"{"autoMemoryEnabled": false}"#);
    check(&w, &[0, 1, 2, 3]);
    assert!(at(&w, &["doctor"]).contains("keeps no notes: autoMemoryEnabled is false in "));
    write(&settings, r#"{"autoMemoryDirectory": "~/notes"}"#);
    write(&w.path("home").join("notes/MEMORY.md"), &format!("- {}\n", NOTES[3]));
    check(&w, &[0, 1, 2]);
    w.set("CLAUDE_CODE_DISABLE_AUTO_MEMORY", "1");
    check(&w, &[0, 1, 2, 3]);
    assert!(at(&w, &["doctor"]).contains("CLAUDE_CODE_DISABLE_AUTO_MEMORY is set"));
}

#[test]
fn huge_odd_and_endless_files_delay_no_session() {
    let w = world();
    write(&app(&w).join("CLAUDE.md"), &"Some words about nothing at all. ".repeat(300_000));
    write(&app(&w).join("CLAUDE.local.md"), "@CLAUDE.local.md @CLAUDE.md @. @/dev/zero @\u{0}");
    let pipe = app(&w).join(".claude/CLAUDE.md");
    fs::create_dir_all(pipe.parent().unwrap()).unwrap();
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    write(&w.path("home").join(".claude/CLAUDE.md"), "\u{fffd}\u{0}\n---\n```\n");
    assert_eq!(told(&start(&w, "claude-code")), [0, 1, 2, 3]);
}

#[test]
fn each_client_reads_its_own_files() {
    let w = world();
    write(&app(&w).join("AGENTS.md"), &format!("- {}\n", NOTES[0]));
    write(&w.path("home").join(".codex/AGENTS.md"), &format!("- {}\n", NOTES[1]));
    write(&app(&w).join("GEMINI.md"), &format!("- {}\n", NOTES[2]));
    write(&app(&w).join("CLAUDE.md"), &format!("- {}\n", NOTES[3]));
    assert_eq!(told(&start(&w, "codex")), [2, 3]);
    assert_eq!(told(&start(&w, "gemini-cli")), [0, 1, 3]);
    assert_eq!(told(&start(&w, "claude-code")), [0, 1, 2]);
}

#[test]
fn a_prompt_does_not_receive_what_the_clients_own_memory_says() {
    let w = world();
    let ask = |session: &str| {
        let payload = json!({"session_id": session, "cwd": app(&w), "prompt_id": "t1",
            "hook_event_name": "UserPromptSubmit",
            "prompt": "On which port does the database listen?"});
        let answer = w.hook(&payload);
        let stop = json!({"session_id": session, "cwd": app(&w), "prompt_id": "t1",
            "hook_event_name": "Stop", "last_assistant_message": "Done."});
        w.hook(&stop);
        answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default().to_owned()
    };
    assert!(ask("one").contains(NOTES[2]));
    write(&app(&w).join("CLAUDE.md"), &format!("{}.\n", NOTES[2]));
    assert!(!ask("two").contains(NOTES[2]));
    w.settle();
}

#[test]
fn doctor_names_the_registration_of_the_mcp_server() {
    let w = world();
    let line = || {
        let doctor = at(&w, &["doctor"]);
        let found = doctor.lines().find(|line| line.starts_with("ok    mcp"));
        found.unwrap_or_else(|| panic!("{doctor}")).to_owned()
    };
    assert!(line().contains("not registered"), "{}", line());
    write(
        &w.path("home").join(".claude/settings.json"),
        r#"{"enabledPlugins":{"memctl@memctl":true}}"#,
    );
    assert!(line().ends_with("registered in Claude Code by the plugin"), "{}", line());
    let server = r#"{"mcpServers":{"memory":{"command":"memctl","args":["mcp"]}}}"#;
    write(&app(&w).join(".mcp.json"), server);
    write(&w.path("home").join(".claude.json"), server);
    let both = line();
    assert!(
        both.contains("by the plugin and ") && both.contains("/home/.claude.json and "),
        "{both}"
    );
    assert!(both.ends_with("/app/.mcp.json, once you approve it there"), "{both}");
}
