//! `memctl`, `memctl status` and `memctl doctor` run one list of checks and print one verdict.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use serde_json::{Value, json};

use crate::support::recordings::{end, prompt, stop};
use crate::support::{World, notes};

/// A world with one finished session, and with the hooks installed in the client.
fn world() -> World {
    let w = World::new();
    install_hooks(&w);
    let asked = prompt("s", "t", "teach the parser about leap days");
    w.hooks(&[asked, stop("s", "t", "The parser knows leap days."), end("s")]);
    w.settle();
    w
}

fn install_hooks(w: &World) {
    fs::create_dir_all(w.path("home/.claude")).unwrap();
    let plugin = json!({"enabledPlugins": {"memctl@memctl": true}}).to_string();
    fs::write(w.path("home/.claude/settings.json"), plugin).unwrap();
}

/// Expects this verdict, and each finding that is not ok, from all three commands. `words` are part of
/// a finding.
#[track_caller]
fn check(w: &World, verdict: &str, words: &str) {
    let doctor = w.memctl(&["doctor", "--json"]);
    let report: Value = serde_json::from_str(&doctor.out).unwrap();
    let sentence = report["verdict"].as_str().unwrap();
    assert!(sentence.starts_with(verdict), "{report:#}");
    let status = w.memctl(&["status", "--json"]).json();
    assert_eq!((&status["verdict"], &status["healthy"]), (&report["verdict"], &report["healthy"]));
    let is_recorded = sentence.starts_with("Sessions in this directory are recorded");
    assert_eq!(status["recording"] == "on", is_recorded, "{status:#}");
    assert_eq!(status["recording_reason"].is_null(), is_recorded, "{status:#}");
    assert_eq!(report["healthy"], doctor.code == Some(0), "{report:#}");

    let bad: Vec<&Value> =
        report["findings"].as_array().unwrap().iter().filter(|f| f["level"] != "ok").collect();
    let is_named = bad.iter().any(|f| f["says"].as_str().unwrap().contains(words));
    assert!(is_named || words.is_empty(), "{words:?}: {report:#}");
    let stem = sentence.trim_end_matches('.');
    for command in [&[] as &[&str], &["status"], &["doctor"]] {
        let output = w.memctl(command);
        assert_eq!(output.code == Some(0), *command != ["doctor"] || doctor.code == Some(0));
        assert_eq!(output.out.matches(stem).count(), 1, "{command:?}: {stem}\n{}", output.out);
        for finding in &bad {
            let says = finding["says"].as_str().unwrap();
            assert!(output.out.contains(says), "{command:?} lacks {says}\n{}", output.out);
        }
    }
    let troubles = status["troubles"].as_array().unwrap();
    assert_eq!(troubles.len(), bad.len(), "{status:#}");
}

const RECORDED: &str = "Sessions in this directory are recorded.";
const FAILED: &str = "Sessions in this directory are recorded, but 1 check failed.";
const NOT_RECORDED: &str = "Sessions in this directory are not recorded: ";

#[test]
fn a_working_memory_is_said_to_record() {
    let w = World::new();
    install_hooks(&w);
    check(&w, RECORDED, "");
    check(&world(), RECORDED, "");
}

#[test]
fn without_hooks_nothing_is_said_to_be_recorded() {
    let w = World::new();
    check(&w, &format!("{NOT_RECORDED}the hooks are not installed in Claude Code."), "hooks");
    fs::create_dir_all(w.path("home/.claude")).unwrap();
    let plugin = json!({"enabledPlugins": {"memctl@memctl": false}}).to_string();
    fs::write(w.path("home/.claude/settings.json"), plugin).unwrap();
    check(&w, &format!("{NOT_RECORDED}the memctl plugin is disabled"), "plugin");
}

#[test]
fn rules_that_stop_recording_are_named() {
    let w = world();
    let home = w.path("home");
    w.memctl(&["config", "set", "exclude", home.to_str().unwrap()]).ok();
    let excluded = format!("exclude contains {}, which matches this project", home.display());
    check(&w, &format!("{NOT_RECORDED}{excluded}."), &excluded);
    assert!(!w.memctl(&[]).ok().contains("next session here receives"));
    let context = w.memctl(&["context"]);
    assert_eq!(context.out, "");
    assert!(context.err.contains(&excluded), "{context:?}");
    w.memctl(&["config", "unset", "exclude"]).ok();
    w.memctl(&["pause"]).ok();
    check(&w, &format!("{NOT_RECORDED}recording is paused."), "paused");
    w.memctl(&["unpause"]).ok();
    let settings = json!({
        "enabledPlugins": {"memctl@memctl": true}, "env": {"MEMCTL_DISABLE": "1"},
    });
    fs::write(w.path("home/.claude/settings.json"), settings.to_string()).unwrap();
    check(&w, NOT_RECORDED, "sets MEMCTL_DISABLE=1");
    let context = w.memctl(&["context"]);
    assert_eq!(context.out, "");
    assert!(context.err.contains("sets MEMCTL_DISABLE=1"), "{context:?}");
}

#[test]
fn context_is_empty_if_new_sessions_receive_none() {
    let w = world();
    assert!(w.memctl(&["context", "--project", "/"]).ok().contains("leap days"));
    w.memctl(&["config", "set", "context.sources", "resume,compact"]).ok();
    let context = w.memctl(&["context", "--project", "/"]);
    assert_eq!((context.code, context.out.as_str()), (Some(0), ""));
    assert!(context.err.contains("context.sources is 'resume, compact'"), "{context:?}");
}

#[test]
fn a_data_dir_that_cannot_be_used_is_reported_and_never_called_empty() {
    let unusable = |make: &dyn Fn(&World), words: &str| {
        let w = world();
        let data = w.data();
        fs::rename(&data, w.path("moved")).unwrap();
        make(&w);
        check(&w, NOT_RECORDED, words);
        for command in [&[] as &[&str], &["status"]] {
            let output = w.memctl(command).ok();
            assert!(!output.contains("stored yet"), "{words}: {output}");
            assert!(output.contains("cannot be read"), "{words}: {output}");
        }
    };
    unusable(&|w| fs::write(w.data(), "").unwrap(), "is not a directory");
    unusable(&|w| symlink(w.path("nowhere"), w.data()).unwrap(), "is a link to a directory");
    let give_away = |w: &World| {
        fs::rename(w.path("moved"), w.data()).unwrap();
        if let Err(e) = chown(w.data(), Some(1), None) {
            notes::skipped(&format!("only root can give files away: {e}"));
            fs::remove_dir_all(w.data()).unwrap();
            fs::write(w.data(), "").unwrap();
        }
    };
    unusable(&give_away, "");
    // A parent that is a file.
    let mut w = world();
    fs::write(w.path("file"), "").unwrap();
    w.set("MEMCTL_DATA_DIR", w.path("file/data").to_str().unwrap());
    check(&w, NOT_RECORDED, "Not a directory");
}

#[test]
fn failed_checks_are_counted() {
    let w = world();
    let open = |mode| fs::set_permissions(w.data(), Permissions::from_mode(mode)).unwrap();
    open(0o755);
    check(&w, FAILED, "is readable by other users (mode 755)");
    open(0o777);
    check(&w, FAILED, "other users can write to ");
    open(0o700);
    fs::write(w.data().join("lost"), "...").unwrap();
    check(&w, FAILED, "3 events lost");
    let mut w = world();
    w.set("MEMCTL_SOCKET_DIR", w.path("nowhere").to_str().unwrap());
    check(&w, FAILED, "nowhere does not exist");
    let mut w = world();
    w.set("MEMCTL_WORKER_LINGER", "soon");
    check(&w, FAILED, "worker.linger");
    let w = world();
    fs::write(w.data().join("memctl.db"), "no database ".repeat(999)).unwrap();
    check(&w, FAILED, "not a database");
}

#[test]
fn damage_inside_a_page_and_a_hung_worker_are_found_by_each_command() {
    let w = world();
    w.damage_page();
    check(&w, FAILED, "damaged");

    let w = World::lingering();
    install_hooks(&w);
    let pid = w.worker_of("s");
    w.signal(pid, nix::sys::signal::Signal::SIGSTOP);
    check(&w, FAILED, "1 worker not answering");
    w.kill(pid);
}
