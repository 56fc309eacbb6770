//! Commands: arguments, output and exit codes.

use serde_json::Value;

use crate::support::recordings::{end, prompt, stop, tool};
use crate::support::{World, until};

#[test]
fn commands_work_before_anything_is_stored() {
    let w = World::new();
    let text = w.memctl(&[]).ok();
    assert!(text.starts_with("memctl "), "{text}");
    assert!(text.contains("Nothing is stored yet.") && text.contains("plugin install"), "{text}");
    assert_eq!(w.memctl(&["ps"]).ok(), "no worker is running\n");
    assert_eq!(w.memctl(&["ps", "--json"]).ok(), "[]\n");
    let status = w.memctl(&["status"]).ok();
    assert!(status.ends_with("\nnothing is stored yet\n"), "{status}");
    assert!(status.contains("  claude plugin install memctl@memctl\n"), "{status}");
    assert_eq!(w.memctl(&["queue", "--json"]).json()["items"], serde_json::json!([]));
    let context = w.memctl(&["context"]);
    assert_eq!((context.code, context.out.as_str()), (Some(0), ""));
    assert!(!w.data().exists(), "reading creates no data directory");
}

#[test]
fn ps_lists_workers_and_kill_ends_them() {
    let w = World::lingering();
    w.hook(&prompt("session-one", "t", "go"));
    w.hook(&prompt("session-two", "t", "go"));
    until("two workers", || if w.socket_files().len() == 2 { Ok(()) } else { Err(String::new()) });
    w.until_count("SELECT count(*) FROM user_prompts", 2);
    // An event may be stored before the worker's event loop counts it.
    let rows = until("both workers report prompt 1", || {
        let rows = w.memctl(&["ps", "--json"]).json();
        let all_report = rows.as_array().unwrap().iter().all(|row| row["prompt"] == 1);
        if all_report { Ok(rows) } else { Err(rows.to_string()) }
    });
    let mut sessions: Vec<&str> =
        rows.as_array().unwrap().iter().map(|r| r["session"].as_str().unwrap()).collect();
    sessions.sort_unstable();
    assert_eq!(sessions, ["session-one", "session-two"]);
    for row in rows.as_array().unwrap() {
        assert_eq!(row["state"], "serving", "{row}");
        assert_eq!(row["backend"], "extractive");
        for key in [
            "project",
            "pid",
            "doing",
            "socket",
            "queue",
            "started_at_epoch",
            "idle_ms",
            "rss_bytes",
        ] {
            assert!(!row[key].is_null(), "{key} of {row}");
        }
    }
    let table = w.memctl(&["ps"]).ok();
    assert!(table.lines().count() == 3 && table.starts_with("SESSION"), "{table}");

    let ambiguous = w.memctl(&["kill", "session-"]);
    assert_eq!(ambiguous.code, Some(2), "{ambiguous:?}");
    let unknown = w.memctl(&["kill", "nobody"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("memctl ps"), "{unknown:?}");
    let foreign = w.memctl(&["kill", "--pid", "1"]);
    assert_eq!(foreign.code, Some(1), "{foreign:?}");

    assert_eq!(w.memctl(&["kill", "session-o"]).ok(), "session-one: exited\n");
    assert_eq!(w.memctl(&["ps", "--json"]).json().as_array().unwrap().len(), 1);
    let pid = w.worker().to_string();
    assert_eq!(w.memctl(&["kill", "--pid", &pid]).ok(), "session-two: exited\n");
    assert!(w.session_locks().is_empty() && w.socket_files().is_empty());
    assert_eq!(w.memctl(&["kill", "--all"]).ok(), "no worker is running\n");
}

/// Clients choose their session ids, so two of them may choose the same one.
#[test]
fn a_session_id_of_two_clients_is_named_with_the_client() {
    let w = World::lingering();
    let payload = prompt("twin", "t", "go").to_string();
    for client in ["claude-code", "codex"] {
        let _ = w.hook_bytes(&["--client", client], payload.as_bytes()).ok();
    }
    w.until_count("SELECT count(*) FROM user_prompts", 2);
    until("two workers answer", || {
        let rows = w.memctl(&["ps", "--json"]).json();
        let n = rows.as_array().unwrap().iter().filter(|row| row["state"] == "serving").count();
        if n == 2 { Ok(()) } else { Err(rows.to_string()) }
    });
    let ps = w.memctl(&["ps"]).ok();
    assert!(ps.starts_with("CLIENT") && ps.contains("codex  "), "{ps}");
    for verb in ["show", "queue", "finish", "kill"] {
        let output = w.memctl(&[verb, "twin"]);
        assert_eq!(output.code, Some(2), "{verb}: {output:?}");
        assert!(output.err.contains("claude-code:twin"), "{verb}: {output:?}");
        assert!(output.err.contains("codex:twin"), "{verb}: {output:?}");
        assert!(output.err.contains("hint: use CLIENT:SESSION"), "{verb}: {output:?}");
    }
    let unnamed = w.memctl(&["kill"]);
    assert!(unnamed.err.contains("claude-code:twin"), "{unnamed:?}");
    assert!(unnamed.err.contains("codex:twin"), "{unnamed:?}");
    let shown = w.memctl(&["show", "codex:twin", "--json"]).json();
    assert_eq!((&shown["client"], &shown["session"]), (&"codex".into(), &"twin".into()));
    assert_eq!(w.memctl(&["queue", "codex:tw", "--json"]).json()["pending"], 0);
    let logs = w.memctl(&["logs", "-n", "9999"]).ok();
    assert!(logs.contains("codex:twin") && logs.contains("claude-code:twin"), "{logs}");
    let of_one = w.memctl(&["logs", "codex:twin", "-n", "9999"]).ok();
    assert!(!of_one.is_empty() && of_one.lines().count() < logs.lines().count(), "{of_one}");
    assert_eq!(w.memctl(&["kill", "codex:twin"]).ok(), "codex:twin: exited\n");
    let rows = w.memctl(&["ps", "--json"]).json();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["client"]), (1, &"claude-code".into()));
    assert!(w.memctl(&["ps"]).ok().starts_with("SESSION"), "one client needs no column");
    assert_eq!(w.memctl(&["finish", "claude-code:t"]).ok(), "twin: ended\n");
    let shown = w.memctl(&["show", "codex:twin", "--json"]).json();
    assert_eq!(shown["status"], "active");
}

#[test]
fn kill_without_arguments_says_what_can_be_named() {
    let w = World::lingering();
    let output = w.memctl(&["kill"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.err.contains("use --all"), "{output:?}");
    assert!(output.err.contains("hint: no worker is running"), "{output:?}");
    w.worker_of("session-one");
    let output = w.memctl(&["kill"]);
    assert!(output.err.contains("hint: running: session-one"), "{output:?}");
    assert_eq!(w.processes().len(), 1);
}

#[test]
fn ps_lists_a_dead_worker_as_stale_and_a_stopped_one_as_hung() {
    let w = World::lingering();
    w.hook(&prompt("s", "t", "go"));
    let pid = nix::unistd::Pid::from_raw(w.worker());
    until("the worker answers", || match w.memctl(&["ps", "--json"]).json()[0]["state"].as_str() {
        Some("serving") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    assert_eq!(w.memctl(&["ps", "--json"]).json()[0]["state"], "hung");
    assert_eq!(w.memctl(&["kill", "s"]).ok(), "s: killed\n");
    assert_eq!(w.memctl(&["ps", "--json"]).json()[0]["state"], "stale");
}

#[test]
fn kill_does_not_signal_a_foreign_pid_in_a_lock_file() {
    let w = World::lingering();
    w.hook(&prompt("s", "t", "go"));
    let worker = w.worker();
    let lock = w.session_locks().remove(0);
    let mut holder: Value = until("the lock file names its holder", || {
        let text = std::fs::read_to_string(&lock).map_err(|e| e.to_string())?;
        serde_json::from_str(&text).map_err(|e| e.to_string())
    });
    let mut victim =
        std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
    holder["pid"] = victim.id().into();
    std::fs::write(&lock, holder.to_string()).unwrap();
    let output = w.memctl(&["kill", "--pid", &victim.id().to_string()]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(victim.try_wait().unwrap().is_none(), "the foreign process is alive");
    victim.kill().unwrap();
    victim.wait().unwrap();
    w.kill(worker);
}

#[test]
fn show_prints_stored_memory() {
    let w = World::new();
    w.hook(&prompt("session-x", "t", "make the tests pass"));
    w.hook(&tool("session-x", "t", "u", "cargo test", "test result: ok. 7 passed; 0 failed"));
    w.hook(&stop("session-x", "t", "All 7 tests pass now. Next: write the changelog."));
    w.hook(&end("session-x"));
    w.settle();
    let summary = w.memctl(&["show", "s1"]).ok();
    assert!(summary.contains("make the tests pass") && summary.contains("7"), "{summary}");
    let prompt = w.memctl(&["show", "p1"]).ok();
    assert!(prompt.contains("make the tests pass"), "{prompt}");
    let session = w.memctl(&["show", "session"]).ok();
    assert!(session.contains("s1") && session.contains("completed"), "{session}");
    let json = w.memctl(&["show", "s1", "--json"]).json();
    assert_eq!(json["prompt_number"], 1);
    assert!(w.memctl(&["queue"]).ok().starts_with("0 pending, 0 processing, 0 failed"));
    let status = w.memctl(&["status", "--json"]).json();
    assert_eq!((&status["sessions"], &status["summaries"]), (&1.into(), &1.into()));
    assert!(w.memctl(&[]).ok().contains("1 session"));
    let unknown = w.memctl(&["show", "o999"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("o999") && unknown.err.contains("hint"), "{unknown:?}");
}

#[test]
fn context_prints_what_a_session_start_gets() {
    let w = World::new();
    let home = w.path("home");
    let cwd = home.to_str().unwrap();
    let mut first = prompt("s1", "t", "teach the parser about leap days");
    first["cwd"] = cwd.into();
    w.hook(&first);
    w.hook(&stop("s1", "t", "The parser knows leap days. Next: dotted dates."));
    w.hook(&end("s1"));
    w.settle();
    let text = w.memctl(&["context"]).ok();
    let start = serde_json::json!({"session_id": "s2", "cwd": cwd, "hook_event_name": "SessionStart", "source": "startup"});
    let answer = w.hook(&start);
    assert_eq!(answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap(), text);
    assert!(text.contains("leap days") && text.contains("dotted dates"), "{text}");
    // Another project gets none of it.
    let mut elsewhere = start;
    elsewhere["cwd"] = "/".into();
    assert_eq!(w.hook(&elsewhere).to_string(), r#"{"continue":true,"suppressOutput":true}"#);
}

/// The name of a project, a directory that is gone, and a directory below it.
#[test]
fn context_finds_a_project_by_its_name_and_by_a_removed_directory() {
    let w = World::new();
    let git = |dir: &std::path::Path| {
        std::fs::create_dir_all(dir.join(".git")).unwrap();
        std::fs::write(dir.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    };
    let (repository, plain) = (w.path("home/src/tally"), w.path("home/notes"));
    git(&repository);
    std::fs::create_dir_all(repository.join("deep")).unwrap();
    std::fs::create_dir_all(&plain).unwrap();
    for (session, dir, words) in
        [("s1", repository.join("deep"), "leap days"), ("s2", plain.clone(), "garden plans")]
    {
        let mut asked = prompt(session, "t", &format!("teach the parser about {words}"));
        asked["cwd"] = dir.to_str().unwrap().into();
        w.hooks(&[asked, stop(session, "t", &format!("It knows {words}.")), end(session)]);
    }
    w.settle();
    let check = |project: &str, words: &str| {
        let text = w.memctl(&["context", "--project", project]).ok();
        assert!(text.contains(words), "{project}: {text}");
        let json = w.memctl(&["context", "--project", project, "--json"]).json();
        assert_eq!(json["text"], text);
    };
    let path = |dir: &std::path::Path| dir.to_str().unwrap().to_owned();
    let deep = path(&repository.join("deep"));
    for name in ["tally", &path(&repository), &deep, "src/tally", "src/../src/tally/deep/"] {
        check(name, "leap days");
    }
    check("notes", "garden plans");
    std::fs::remove_dir_all(w.path("home/src")).unwrap();
    std::fs::remove_dir_all(&plain).unwrap();
    for name in ["tally", &path(&repository), &deep, "src/tally"] {
        check(name, "leap days");
    }
    check(&path(&plain), "garden plans");
    let forget = w.memctl(&["forget", "--project", &deep, "--dry-run", "--json"]).json();
    assert_eq!(forget["sessions"], 1, "forget finds it too");
    let unknown = w.memctl(&["context", "--project", "no-such-project"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(1), ""));
    assert!(unknown.err.contains("nothing is stored for project 'no-such-project'"), "{unknown:?}");
    w.memctl(&["config", "set", "exclude", "*/tally"]).ok();
    let excluded = w.memctl(&["context", "--project", "tally"]);
    assert_eq!(excluded.out, "");
    assert!(excluded.err.contains("exclude contains */tally"), "{excluded:?}");
}

/// Commands name the zone of a time, or print local days. JSON has UTC.
#[test]
fn times_are_local_everywhere() {
    let clock = tempfile::NamedTempFile::new().unwrap();
    let mut w = World::new().with("MEMCTL_TESTCLOCK", clock.path().to_str().unwrap());
    w.set("TZ", "XYZ12");
    let now = now_ms();
    // Noon of today in UTC, which is midnight twelve hours to the west.
    let noon = now - now % 86_400_000 + 43_200_000;
    std::fs::write(clock.path(), (noon + 3_600_000 - now).to_string()).unwrap();
    w.hooks(&[prompt("s", "t", "go"), stop("s", "t", "Done."), end("s")]);
    w.settle();
    let stored = w.memctl(&["show", "p1", "--json"]).json()["created_at_epoch"].clone();
    let stored = stored.as_i64().unwrap();
    assert!((noon..noon + 7_200_000).contains(&stored), "{stored}");
    let local = (stored - 43_200_000) / 60_000;
    let clock_of = format!(" {:02}:{:02} XYZ", local % 1440 / 60, local % 60);
    for id in ["p1", "s1", "s"] {
        let text = w.memctl(&["show", id]).ok();
        assert!(text.lines().next().unwrap().ends_with(&clock_of), "{clock_of}: {text}");
    }
    let shown = w.memctl(&["show", "p1"]).ok();
    let day = shown.split(" · ").last().unwrap().split(' ').next().unwrap().to_owned();
    let stats = w.memctl(&["stats"]).ok();
    assert!(stats.contains(&format!("{day}  ")), "{day}: {stats}");
    let logs = w.memctl(&["logs", "s"]).ok();
    assert!(logs.lines().all(|line| line.contains("-12:00 ")), "{logs}");
    let json = w.memctl(&["logs", "s", "-n", "1", "--json"]).json();
    assert!(json["time"].as_str().unwrap().ends_with('Z'), "{json}");
    // A day begins at local midnight for each command.
    let since = |args: &[&str]| w.memctl(args).json();
    assert_eq!(since(&["stats", "--since", &day, "--json"])["total"]["prompts"], 1);
    let forget = since(&["forget", "--since", &day, "--dry-run", "--json"]);
    assert_eq!(forget["prompts"], 1);
    let forget = since(&["forget", "--before", &day, "--dry-run", "--json"]);
    assert_eq!(forget["prompts"], 0, "local midnight is noon in UTC");
}

/// Milliseconds since the epoch.
fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_millis() as i64
}

#[test]
fn wrong_arguments_are_usage_errors() {
    let w = World::new();
    for args in [&["dance"][..], &["finish", "a", "b"], &["show"], &["ps", "--colour"]] {
        let output = w.memctl(args);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.err.contains("Usage"), "{output:?}");
    }
    assert!(w.memctl(&["--help"]).ok().contains("\nFind and read:\n"));
    assert!(w.memctl(&["--version"]).ok().starts_with("memctl "));
}
