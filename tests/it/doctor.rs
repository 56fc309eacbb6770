//! `memctl doctor` reports each problem with a remedy, and `--fix` repairs what it can.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::recordings::{end, prompt, stop, tool};
use crate::support::{World, until};

/// A world with one finished session.
fn world() -> World {
    let w = World::new();
    w.hook(&prompt("session-one", "t", "make the tests pass"));
    w.hook(&tool("session-one", "t", "u", "cargo test", "test result: ok. 7 passed; 0 failed"));
    w.hook(&stop("session-one", "t", "All 7 tests pass now."));
    w.hook(&end("session-one"));
    w.settle();
    w
}

/// Runs `doctor` with these arguments. Returns its exit code and its findings.
fn findings(w: &World, args: &[&str]) -> (Option<i32>, Value) {
    let output = w.memctl(&[&["doctor", "--json"], args].concat());
    let report: Value =
        serde_json::from_str(&output.out).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    assert_eq!(report["healthy"], output.code == Some(0), "{output:?}");
    (output.code, report)
}

/// Expects exactly one finding of the check `name` that is not ok.
#[track_caller]
fn check(w: &World, name: &str, level: &str, message: &str, remedy: &str) {
    let (code, report) = findings(w, &[]);
    let all = report["findings"].as_array().unwrap();
    let bad: Vec<&Value> =
        all.iter().filter(|f| f["check"] == name && f["level"] != "ok").collect();
    let [finding] = bad[..] else { panic!("{name}: {report:#}") };
    assert_eq!(finding["level"], level, "{finding}");
    assert!(finding["says"].as_str().unwrap().contains(message), "{finding}");
    assert!(finding["do"].as_str().unwrap_or_default().contains(remedy), "{finding}");
    assert_eq!(code, Some(if level == "wrong" { 1 } else { 0 }), "{report:#}");
}

/// Expects that nothing is wrong. A note that the client has no hooks is allowed.
#[track_caller]
fn healthy(w: &World) {
    let (code, report) = findings(w, &[]);
    assert_eq!(code, Some(0));
    let notes: Vec<&Value> =
        report["findings"].as_array().unwrap().iter().filter(|f| f["level"] != "ok").collect();
    assert!(notes.iter().all(|f| f["check"] == "hooks"), "{notes:#?}");
}

#[test]
fn empty_and_intact_stores_are_healthy() {
    let w = World::new();
    healthy(&w);
    assert!(!w.data().exists(), "doctor creates nothing");
    let w = world();
    healthy(&w);
    let text = w.memctl(&["doctor"]).ok();
    for line in
        ["ok    data ", "ok    database  intact, ", "ok    queue ", "ok    agent     extractive"]
    {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    assert_eq!(findings(&w, &["--fix"]).1["fixed"], json!([]));
}

#[test]
fn doctor_agent_runs_a_test_batch() {
    let w = World::new();
    let (code, report) = findings(&w, &["--agent"]);
    assert_eq!(code, Some(0));
    let finding = report["findings"].as_array().unwrap().last().unwrap().clone();
    assert!(
        finding["says"].as_str().unwrap().starts_with("extractive returned 1 observation"),
        "{finding}"
    );
}

#[test]
fn fix_restricts_files_that_others_can_read() {
    let w = world();
    let database = w.data().join("memctl.db");
    for (path, mode) in [(w.data(), 0o755), (database.clone(), 0o644)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        check(&w, "data", "wrong", &format!("(mode {mode:o})"), "doctor --fix");
        let fixed = findings(&w, &["--fix"]).1["fixed"].clone();
        assert!(fixed[0].as_str().unwrap().starts_with("changed the mode of /"), "{fixed}");
        healthy(&w);
    }
    assert_eq!(fs::metadata(database).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn fix_quarantines_a_damaged_database() {
    let w = world();
    fs::write(w.data().join("memctl.db"), "no database ".repeat(999)).unwrap();
    check(&w, "database", "wrong", "not a database", "doctor --fix");
    let (code, report) = findings(&w, &["--fix"]);
    assert_eq!(code, Some(0), "{report:#}");
    assert!(report["fixed"][0].as_str().unwrap().contains("/corrupt-"), "{report:#}");
    check(&w, "notice", "note", "memctl started a new one", "");
    let entries = fs::read_dir(w.data()).unwrap().flatten();
    let is_quarantine = |e: &fs::DirEntry| e.file_name().to_str().unwrap().starts_with("corrupt-");
    assert_eq!(entries.filter(is_quarantine).count(), 1);
}

#[test]
fn damage_inside_a_page_is_found() {
    let w = world();
    w.damage_page();
    check(&w, "database", "wrong", "damaged", "--fix");
}

#[test]
fn a_newer_database_is_left_alone() {
    let w = world();
    w.execute_sql("PRAGMA user_version = 999");
    check(&w, "database", "wrong", "update memctl", "");
    assert_eq!(findings(&w, &["--fix"]).1["fixed"], json!([]));
}

#[test]
fn fix_removes_the_files_of_a_dead_worker() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    w.kill(pid);
    check(&w, "workers", "note", "stale files of 1 dead worker", "--fix");
    let fixed = findings(&w, &["--fix"]).1["fixed"].clone();
    assert!(
        fixed[0].as_str().unwrap().starts_with("removed the files of a dead worker"),
        "{fixed}"
    );
    assert!(w.session_locks().is_empty() && w.socket_files().is_empty());
}

#[test]
fn a_hung_worker_is_reported() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    w.signal(pid, nix::sys::signal::Signal::SIGSTOP);
    check(&w, "workers", "wrong", "1 worker not answering", "memctl kill --stale");
    assert_eq!(findings(&w, &["--fix"]).1["fixed"], json!([]), "it holds its session lock");
    w.kill(pid);
}

#[test]
fn failed_and_waiting_events_are_reported_with_their_reason() {
    let w = world();
    let insert = |event: &str, status: &str, error: &str| {
        w.execute_sql(&format!(
            "INSERT INTO pending_messages (event_id, session_id, content_session_id, message_type,
               event, status, error, created_at_epoch)
             VALUES ('{event}', 1, 'session-one', 'observation', 'tool', '{status}', {error}, 1000)"
        ));
    };
    insert("a", "pending", "'rate limit of anthropic'");
    check(&w, "queue", "note", "1 event waiting: rate limit of anthropic", "memctl queue");
    w.execute_sql("DELETE FROM pending_messages WHERE event_id = 'a'");
    insert("b", "pending", "NULL");
    check(&w, "queue", "wrong", "events of 1 session wait", "memctl cleanup");
    w.execute_sql("UPDATE pending_messages SET status = 'failed' WHERE event_id = 'b'");
    check(&w, "queue", "wrong", "1 event failed", "memctl queue retry --all");
}

#[test]
fn an_expensive_session_is_reported() {
    let w = world();
    w.execute_sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)
         INSERT INTO observations (uuid, session_id, origin, type, title, backend, content_hash,
           created_at_epoch, changed_at_epoch) SELECT 'u' || i, 1, 'tool', 'change', 't', 'b', 'h' || i, 1, 1 FROM n",
    );
    check(&w, "sessions", "note", "session session-one has 100", "memctl show");
    w.execute_sql(
        "INSERT INTO agent_usage (day, session_id, backend, model, input_tokens, cost, created_at_epoch)
         VALUES ('2026-01-01', 1, 'claude', 'haiku', 1200000, 2.5, 1)",
    );
    check(&w, "sessions", "note", "models used 1.2M tokens, $2.50", "");
}

#[test]
fn a_spent_budget_is_reported() {
    let w = world();
    let add_cost = |cost: f64| {
        w.execute_sql(&format!(
            "INSERT INTO agent_usage (day, session_id, backend, model, cost, created_at_epoch)
             VALUES (date('now', 'localtime'), 1, 'claude', 'haiku', {cost}, 1)"
        ));
    };
    add_cost(2.0);
    healthy(&w);
    add_cost(1.0);
    check(&w, "budget", "note", "today $3.00 of $3.00", "agent.budget.day_cost");
}

#[test]
fn lost_events_are_reported() {
    let w = world();
    fs::write(w.data().join("lost"), "...").unwrap();
    check(&w, "spool", "wrong", "3 events lost", "");
    fs::remove_file(w.data().join("lost")).unwrap();
}

#[test]
fn a_foreign_file_at_a_socket_path_is_reported() {
    let w = world();
    let name =
        format!("memctl-{}-{}0123456789abcdef.sock", nix::unistd::getuid(), data_dir_hash(&w));
    fs::write(w.sockets().join(name), "").unwrap();
    let (_, report) = findings(&w, &[]);
    let sockets = report["findings"].as_array().unwrap().iter().find(|f| f["check"] == "sockets");
    let sockets = sockets.unwrap_or_else(|| panic!("{report:#}"));
    assert_eq!(sockets["level"], "wrong");
    assert!(sockets["says"].as_str().unwrap().contains("is not a socket"), "{sockets}");
}

/// The hash of the data directory in the names of its sockets.
fn data_dir_hash(w: &World) -> String {
    let mut other = World::new();
    other.set("MEMCTL_DATA_DIR", w.data().to_str().unwrap());
    other.set("MEMCTL_SOCKET_DIR", w.sockets().to_str().unwrap());
    other.set("MEMCTL_WORKER_LINGER", "60s");
    other.hook(&prompt("three", "t", "go"));
    let name = until("a socket", || {
        let name = w.socket_files().first().map(|f| f.file_name().unwrap().to_owned());
        name.ok_or_else(|| "none".to_owned())
    });
    other.memctl(&["kill", "--all"]).ok();
    let name = name.into_string().unwrap();
    name.rsplit('-').next().unwrap()[..8].to_owned()
}

#[test]
fn unreachable_sockets_are_reported() {
    let mut w = world();
    w.set("MEMCTL_SOCKET_DIR", w.path("nowhere").to_str().unwrap());
    check(&w, "sockets", "wrong", "nowhere does not exist", "mkdir -m 700 ");
    let long = w.path(&"x".repeat(90));
    fs::create_dir(&long).unwrap();
    w.set("MEMCTL_SOCKET_DIR", long.to_str().unwrap());
    check(&w, "sockets", "wrong", "the limit is 103", "");
    let writable = w.path("writable");
    fs::create_dir(&writable).unwrap();
    fs::set_permissions(&writable, Permissions::from_mode(0o777)).unwrap();
    w.set("MEMCTL_SOCKET_DIR", writable.to_str().unwrap());
    check(&w, "sockets", "wrong", "any user can remove sockets", "chmod +t");
}

#[test]
fn unusable_and_unsafe_settings_are_reported() {
    let mut w = world();
    w.set("MEMCTL_AGENT_OPENAI_BASE_URL", "https://evil.example");
    check(&w, "config", "wrong", "MEMCTL_AGENT_OPENAI_BASE_URL is ignored", "memctl config");
    let mut w = world();
    w.set("MEMCTL_WORKER_LINGER", "soon");
    check(&w, "config", "wrong", "worker.linger", "");
    let w = world();
    w.memctl(&["config", "set", "agent.backend", "anthropic"]).ok();
    check(&w, "agent", "wrong", "anthropic has no API key", "");
    w.memctl_with(&["config", "secret", "set", "ANTHROPIC_API_KEY"], b"key").ok();
    healthy(&w);
    let config = w.path("home/.config/memctl/config.toml");
    let secrets = config.with_file_name("secrets.toml");
    fs::set_permissions(&secrets, Permissions::from_mode(0o644)).unwrap();
    check(&w, "secrets", "wrong", "is readable by other users", "");
    fs::set_permissions(&secrets, Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&config, Permissions::from_mode(0o666)).unwrap();
    check(&w, "config", "wrong", "other users can change", "are ignored");
    fs::set_permissions(&config, Permissions::from_mode(0o600)).unwrap();

    w.memctl(&["config", "set", "agent.anthropic.model", "brand-new"]).ok();
    check(&w, "agent", "note", "no price for brand-new", "agent.prices brand-new=IN/OUT");
    w.memctl(&["config", "set", "agent.prices", "brand-new=1/5"]).ok();
    healthy(&w);
    w.memctl(&["config", "set", "agent.anthropic.base_url", "http://llm.example.com"]).ok();
    check(&w, "agent", "note", "unencrypted", "https");
    w.memctl(&["config", "set", "agent.backend", "claude"]).ok();
    check(&w, "agent", "wrong", "program claude not found", "agent.claude.command");
    w.memctl(&["config", "set", "agent.claude.command", "/bin/cat"]).ok();
    healthy(&w);
}

#[test]
fn hooks_installed_twice_are_reported() {
    let w = world();
    let claude = w.path("home/.claude");
    fs::create_dir_all(&claude).unwrap();
    let plugin = r#"{"enabledPlugins":{"memctl@memctl":true}}"#;
    fs::write(claude.join("settings.json"), plugin).unwrap();
    let (_, report) = findings(&w, &[]);
    let hooks =
        report["findings"].as_array().unwrap().iter().find(|f| f["check"] == "hooks").unwrap();
    assert_eq!(hooks["level"], "ok");
    let both = r#"{"enabledPlugins":{"memctl@memctl":true},
        "hooks":{"Stop":[{"hooks":[{"command":"/opt/memctl hook Stop"}]}]}}"#;
    fs::write(claude.join("settings.json"), both).unwrap();
    check(&w, "hooks", "note", "installed twice", "settings.json");
}

#[test]
fn warnings_in_the_log_are_reported() {
    let w = world();
    let output = w.hook_bytes(&[], b"no JSON");
    assert_eq!(output.code, Some(0));
    check(&w, "logs", "note", "1 warning in the last 24 hours, latest: hook: ", "memctl logs");
}
