//! `memctl resume`, used in the way of a dispatcher's script.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::support::World;
use crate::support::recordings::{end, prompt};
use crate::support::terminal::at_terminal;

const LIVE: &str = "6f2b9c54-3d1e-4c0a-9b7e-2a5d8c41f0e3";
const DEAD: &str = "00000000-3d1e-4c0a-9b7e-2a5d8c41f0e3";

#[test]
fn a_session_can_be_stored_marked_as_failed_and_dropped() {
    let w = World::new();
    let resume = |args: &[&str]| w.memctl(&[&["resume"], args].concat());
    assert_eq!(resume(&["list"]).ok(), "no session is stored\n");
    assert_eq!(resume(&["get", "k"]).code, Some(1));
    assert_eq!(resume(&["failed"]).ok(), "0\n");
    assert_eq!(resume(&["drop", "k"]).ok(), "removed 0 sessions\n");
    assert!(!w.data().exists(), "reading creates no data directory");

    let key = resume(&["key", "GitHub", "claude", "owner/repo", "12"]).ok();
    let key = key.trim_end();
    assert_eq!(key, "github:claude:owner/repo:12");
    assert_eq!(resume(&["set", key, LIVE]).ok(), "");
    assert_eq!(resume(&["get", key]).ok(), format!("{LIVE}\n"));
    assert_eq!(resume(&["failed", key]).ok(), "1\n");
    assert_eq!(resume(&["failed", key]).ok(), "2\n");
    assert_eq!(resume(&["failed"]).ok(), "2\n");
    assert_eq!(resume(&["failed", "other"]).code, Some(1));
    let list = resume(&["list", "--json"]).json();
    assert_eq!((&list[0]["key"], &list[0]["failures"]), (&key.into(), &2.into()));
    resume(&["set", key, DEAD]).ok();
    let list = resume(&["list", "--json"]).json();
    assert_eq!(list[0]["failures"], 0, "a new session has no failures");
    assert_eq!(resume(&["failed"]).ok(), "2\n", "the total stays");
    resume(&["set", "github:claude:owner/repo:12b", LIVE]).ok();
    resume(&["set", "github:claude:owner_repo:12", LIVE]).ok();
    assert_eq!(resume(&["live"]).ok(), format!("{DEAD}\n{LIVE}\n"));

    assert_eq!(resume(&["drop"]).code, Some(2), "drop needs a selection");
    assert_eq!(resume(&["drop", "k", "--prefix", "x"]).code, Some(2));
    assert_eq!(resume(&["drop", "--prefix", "github:claude:owner_"]).ok(), "removed 1 session\n");
    assert_eq!(resume(&["drop", "--suffix", ":12"]).ok(), "removed 1 session\n");
    assert_eq!(resume(&["drop", "github:claude:owner/repo:12b"]).ok(), "removed 1 session\n");
    assert_eq!(resume(&["failed"]).ok(), "2\n", "the total stays");
    for wrong in [["set", "", "id"], ["set", "k", "two\nlines"]] {
        assert_eq!(resume(&wrong).code, Some(2), "{wrong:?}");
    }
}

#[test]
fn sweep_keeps_recently_used_sessions() {
    let w = World::new();
    let resume = |args: &[&str]| w.memctl(&[&["resume"], args].concat()).ok();
    for key in ["a", "b", "c"] {
        resume(&["set", key, key]);
    }
    w.execute_sql("UPDATE agent_sessions SET last_used_at_epoch = 1000, created_at_epoch = 1000");
    resume(&["get", "a"]);
    resume(&["get", "b", "--peek"]);
    assert_eq!(resume(&["sweep", "--dry-run"]), "b\nc\nwould remove 2 sessions\n");
    assert_eq!(resume(&["sweep", "--max-age", "36500d"]), "removed 0 sessions\n");
    assert_eq!(resume(&["sweep"]), "b\nc\nremoved 2 sessions\n");
    assert_eq!(resume(&["live"]), "a\n");
}

#[test]
fn sweep_removes_only_unresumable_transcripts_of_the_named_directory() {
    let w = World::new();
    let dir = w.path("transcripts");
    fs::create_dir_all(dir.join("sub")).unwrap();
    let name = |id: &str| format!("{id}.jsonl");
    for file in [name(LIVE), name(DEAD), "notes.jsonl".into(), format!("sub/{DEAD}.jsonl")] {
        fs::write(dir.join(file), "{}\n").unwrap();
    }
    w.memctl(&["resume", "set", "k", LIVE]).ok();
    let sweep = |more: &[&str]| {
        let args = ["resume", "sweep", "--transcripts", dir.to_str().unwrap()];
        w.memctl(&[&args, more].concat()).ok()
    };
    assert!(sweep(&[]).ends_with("removed 0 transcripts\n"), "the transcript is new");
    let dry = sweep(&["--idle", "0s", "--dry-run"]);
    assert!(dry.contains(&name(DEAD)) && dry.ends_with("would remove 1 transcript\n"), "{dry}");
    assert!(dir.join(name(DEAD)).exists());
    assert!(sweep(&["--idle", "0s"]).ends_with("removed 1 transcript\n"));
    let mut remaining: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    remaining.sort();
    assert_eq!(remaining, [name(LIVE), "notes.jsonl".into(), "sub".into()]);
    assert!(dir.join("sub").join(name(DEAD)).exists());
}

/// A directory with the transcripts of two sessions.
fn two_transcripts(w: &World) -> PathBuf {
    let dir = w.path("transcripts");
    fs::create_dir_all(&dir).unwrap();
    for id in [LIVE.to_uppercase(), DEAD.to_uppercase()] {
        fs::write(dir.join(format!("{id}.jsonl")), "{}\n").unwrap();
    }
    dir
}

#[test]
fn sweep_keeps_all_transcripts_if_no_session_is_stored() {
    let w = World::new();
    let dir = two_transcripts(&w);
    let sweep = ["resume", "sweep", "--idle", "0s", "--transcripts", dir.to_str().unwrap()];
    let refuses = || {
        let output = w.memctl(&sweep);
        assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "{output:?}");
        let error = "error: no session is stored, so that 2 transcripts in ";
        assert!(output.err.starts_with(error) && output.err.contains("--force"), "{output:?}");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
    };
    refuses();
    assert!(!w.data().exists());
    w.memctl(&["resume", "set", "k", LIVE]).ok();
    w.execute_sql("UPDATE agent_sessions SET last_used_at_epoch = 1000");
    refuses();
    assert_eq!(w.memctl(&["resume", "live"]).ok(), format!("{LIVE}\n"), "nothing is swept");
    let forced = w.memctl(&[&sweep[..], &["--force"]].concat()).ok();
    assert!(forced.ends_with("removed 2 transcripts\n"), "{forced}");
    assert!(w.memctl(&sweep).ok().ends_with("removed 0 transcripts\n"));
}

#[test]
fn sweep_compares_ids_whatever_their_case_and_asks_at_a_terminal() {
    let w = World::new();
    let dir = two_transcripts(&w);
    w.memctl(&["resume", "set", "k", LIVE]).ok();
    let sweep = ["resume", "sweep", "--idle", "0s", "--transcripts", dir.to_str().unwrap()];
    let answered = |typed: &str| {
        let (stdout, shown) = at_terminal(&w, &sweep, typed);
        assert!(shown.contains("Remove 1 transcript from /"), "{shown}");
        stdout
    };
    assert_eq!(answered("n\n"), "nothing was removed\n");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
    assert!(answered("y\n").ends_with("removed 1 transcript\n"));
    assert!(dir.join(format!("{}.jsonl", LIVE.to_uppercase())).exists());
}

#[test]
fn a_starting_worker_sweeps_unused_keys_once_a_day() {
    let w = World::new();
    let keys = || w.memctl(&["resume", "list"]).ok();
    let run_session = |session: &str| {
        w.hooks(&[prompt(session, "t", "go"), end(session)]);
        w.settle();
    };
    w.memctl(&["resume", "set", "unused", "a"]).ok();
    w.memctl(&["resume", "set", "used", "b"]).ok();
    let is_old = "UPDATE agent_sessions SET last_used_at_epoch = 1000 WHERE key LIKE 'un%'";
    w.execute_sql(is_old);
    run_session("one");
    assert!(!keys().contains("unused") && keys().contains("used"), "{}", keys());
    w.memctl(&["resume", "set", "unused", "a"]).ok();
    w.execute_sql(is_old);
    run_session("two");
    assert!(keys().contains("unused"), "it swept today");
    w.execute_sql("UPDATE meta SET value = value - 86400000 WHERE key = 'resume_swept'");
    run_session("three");
    assert!(!keys().contains("unused") && keys().contains("used"), "{}", keys());
}

/// Writes a legacy file with `n` entries to its usual path.
fn write_legacy_file(w: &World, n: usize) -> PathBuf {
    let dir = w.path("home/.local/state/claude-hooks");
    fs::create_dir_all(&dir).unwrap();
    let entry = |i: usize| {
        (
            format!("bot:owner/repo:{i}"),
            json!({"session_id": format!("id-{i}"), "last_used": 1_700_000_000}),
        )
    };
    let sessions: serde_json::Map<_, _> = (0..n).map(entry).collect();
    let file = dir.join("sessions.json");
    fs::write(&file, json!({"sessions": sessions}).to_string()).unwrap();
    file
}

#[test]
fn a_legacy_file_is_imported_once() {
    let w = World::new();
    let import = ["resume", "import", "--rename", "bot=claude"];
    let none = w.memctl(&import).ok();
    assert!(none.starts_with("nothing to import: /") && !w.data().exists(), "{none}");
    let file = write_legacy_file(&w, 3);
    w.memctl(&["resume", "set", "github:claude:owner/repo:1", "mine"]).ok();
    let output = w.memctl(&import).ok();
    assert!(output.starts_with("2 sessions imported, 1 already stored; deleted /"), "{output}");
    assert!(!file.exists());
    assert_eq!(w.memctl(&["resume", "get", "github:claude:owner/repo:1"]).ok(), "mine\n");
    assert_eq!(w.memctl(&["resume", "get", "github:claude:owner/repo:2"]).ok(), "id-2\n");
    assert!(w.memctl(&import).ok().starts_with("nothing to import"));
    assert_eq!(w.memctl(&["resume", "import", "/nonexistent"]).code, Some(1));
}

#[test]
fn an_interrupted_import_can_be_repeated() {
    for point in ["resume.piece=kill", "resume.imported=kill"] {
        let mut w = World::new();
        let file = write_legacy_file(&w, 1200);
        w.set("MEMCTL_TESTPOINT", point);
        let interrupted = w.memctl(&["resume", "import"]);
        assert_eq!(interrupted.code, None, "{point}: {interrupted:?}");
        assert!(file.exists(), "{point}");
        w.set("MEMCTL_TESTPOINT", "");
        w.memctl(&["resume", "import"]).ok();
        assert!(!file.exists());
        assert_eq!(w.count("SELECT count(*) FROM agent_sessions"), 1200, "{point}");
    }
}

#[test]
fn unknown_entries_of_a_legacy_file_are_kept() {
    let w = World::new();
    let file = w.path("odd.json");
    fs::write(&file, r#"{"gh:a:r:1":"id","gh:a:r:2":{"nothing":1}}"#).unwrap();
    let output = w.memctl(&["resume", "import", file.to_str().unwrap()]);
    assert_eq!(output.code, Some(1));
    assert!(
        output.err.contains("odd.json was not deleted") && output.err.contains("'gh:a:r:2'"),
        "{output:?}"
    );
    assert!(file.exists());
    assert_eq!(w.memctl(&["resume", "get", "gh:a:r:1"]).ok(), "id\n");
    fs::write(&file, "no JSON").unwrap();
    assert_eq!(w.memctl(&["resume", "import", file.to_str().unwrap()]).code, Some(1));
    assert!(file.exists());
}
