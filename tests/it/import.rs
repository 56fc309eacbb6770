//! `memctl import claude-code`: what the client has written becomes memory, once, with its own dates, by
//! the local rules.

use std::fs;

use serde_json::{Value, json};

use crate::support::World;
use crate::support::recordings::{edit, end, prompt, start, stop};
use crate::support::transcripts::{Transcript, projects};

const TABLES: [&str; 4] = ["sessions", "user_prompts", "observations", "session_summaries"];

fn import(w: &World, args: &[&str]) -> Value {
    let output = w.memctl(&[&["import", "claude-code", "--json"], args].concat()).json();
    assert!(w.processes().is_empty(), "an import starts no worker");
    output
}

fn counts(w: &World) -> Vec<i64> {
    TABLES.map(|table| w.count(&format!("SELECT count(*) FROM {table}"))).to_vec()
}

fn five_sessions(w: &World) {
    for (n, day) in [(1, 3), (2, 7), (3, 5), (4, 9), (5, 1)] {
        let request = format!("Port exporter number {n} to the new format.");
        let answer = format!("Exporter {n} is ported; it writes version 2 now.");
        let session = Transcript::new(&format!("s{n}"), day).turn(&request, 30, &answer);
        session.turn("Now test it.", 3, "All tests pass.").write(w);
    }
}

#[test]
fn all_transcripts_become_sessions_with_their_own_dates_once() {
    let w = World::new();
    five_sessions(&w);
    let text = w.memctl(&["import", "claude-code"]).ok();
    assert!(text.contains("5 sessions imported"), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("memctl knows your last 5 sessions in 1 project; try: "), "{text}");
    // The newest first, so that an import that is ended early has what matters most.
    let order = w.rows("SELECT content_session_id FROM sessions ORDER BY id");
    assert_eq!(order, ["s4", "s2", "s3", "s1", "s5"]);
    let state = "SELECT DISTINCT status || '|' || ifnull(backend, '-') FROM sessions";
    assert_eq!(w.rows(state), ["completed|extractive"]);
    let days = "SELECT strftime('%d', created_at_epoch / 1000, 'unixepoch') FROM session_summaries
        WHERE prompt_number = 1 ORDER BY created_at_epoch";
    assert_eq!(w.rows(days), ["01", "03", "05", "07", "09"]);
    assert_eq!(w.unfinished(), 0);
    let texts = "SELECT count(*) FROM pending_messages WHERE tool_input NOTNULL";
    assert_eq!(w.count(texts), 0, "the texts of events are deleted");
    let first = counts(&w);
    assert_eq!(first[..2], [5, 10]);
    let again = import(&w, &[]);
    assert_eq!(again["sessions"]["already_imported"], 5, "{again}");
    assert_eq!(again["events"]["stored"], 0);
    assert_eq!(counts(&w), first);
}

#[test]
fn an_import_that_is_killed_continues_without_duplicates() {
    let whole = World::new();
    five_sessions(&whole);
    let expected = import(&whole, &[]);
    assert_eq!(expected["events"]["known"], 0, "{expected}");
    for point in ["import.committed=kill", "import.committing#2=kill", "import.committed#2=kill"] {
        let mut w = World::new();
        five_sessions(&w);
        w.set("MEMCTL_TESTPOINT", point);
        assert_eq!(w.memctl(&["import", "claude-code"]).code, None, "killed");
        w.set("MEMCTL_TESTPOINT", "");
        // A killed import leaves nothing that a worker would give to the configured agent.
        assert_eq!(w.unfinished(), 0, "{point}");
        let before = w.count("SELECT count(*) FROM user_prompts");
        let report = import(&w, &[]);
        assert!(
            before < 10 && report["events"]["stored"].as_i64().unwrap() > 0,
            "{point}: {report}"
        );
        assert_eq!(counts(&w), counts(&whole), "{point}");
        let titles = "SELECT title FROM observations ORDER BY title, narrative";
        assert_eq!(w.rows(titles), whole.rows(titles), "{point}");
        let turns = "SELECT request || completed FROM session_summaries ORDER BY 1";
        assert_eq!(w.rows(turns), whole.rows(turns), "{point}");
    }
}

#[test]
fn the_newest_live_session_stays_the_newest_of_its_project() {
    let w = World::new();
    let dir = w.path("home").join("app");
    fs::create_dir(&dir).unwrap();
    let dir = dir.to_str().unwrap();
    let live = |mut payload: Value| {
        payload["cwd"] = json!(dir);
        w.hook(&payload);
    };
    live(start("live"));
    live(prompt("live", "p1", "Rewrite the scheduler in one pass."));
    let mut edited = edit("live", "p1", "u1", "src/scheduler.rs");
    edited["tool_input"]["file_path"] = json!(format!("{dir}/src/scheduler.rs"));
    edited["tool_response"]["filePath"] = edited["tool_input"]["file_path"].clone();
    live(edited);
    let checked =
        json!({"stdout": "test result: ok. 9 passed", "stderr": "", "interrupted": false});
    live(json!({"session_id": "live", "prompt_id": "p1", "hook_event_name": "PostToolUse",
        "tool_name": "Bash", "tool_input": {"command": "cargo test"}, "tool_response": checked,
        "tool_use_id": "u2"}));
    live(stop("live", "p1", "The scheduler is rewritten; it runs in one pass now."));
    live(end("live"));
    w.settle();
    for (n, day) in [(1, 3), (2, 7)] {
        let request = format!("Port exporter number {n} to the new format.");
        let answer = format!("Exporter {n} is ported; it writes version 2 now.");
        Transcript::new(&format!("old{n}"), day).in_dir(dir).turn(&request, 2, &answer).write(&w);
    }
    import(&w, &[]);
    let context = w.memctl(&["context", "--project", dir]).ok();
    let at = |text: &str| context.find(text).unwrap_or_else(|| panic!("{text}: {context}"));
    assert!(at("## Last session") < at("Rewrite the scheduler"), "{context}");
    assert!(at("Rewrite the scheduler") < at("exporter number 2"), "{context}");
    assert!(at("exporter number 2") < at("exporter number 1"), "{context}");
}

#[test]
fn an_empty_memory_offers_the_import_and_nothing_is_imported_unasked() {
    let w = World::new();
    let offer = "memctl import claude-code";
    assert!(!w.memctl(&[]).ok().contains(offer), "there are no transcripts");
    five_sessions(&w);
    assert!(w.memctl(&[]).ok().contains(offer));
    let report = import(&w, &["--dry-run"]);
    assert_eq!(report["sessions"]["imported"], 5, "{report}");
    assert!(!w.data().exists(), "a dry run creates nothing");
    import(&w, &[]);
    assert!(!w.memctl(&[]).ok().contains(offer), "the memory is not empty");
}

#[test]
fn the_rules_of_recording_apply() {
    let w = World::new();
    let config = w.path("home").join(".config/memctl");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.toml"), "exclude = [\"/gone/secret\"]\n").unwrap();
    let token = ["ghp_", "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2"].concat();
    Transcript::new("hidden", 2).in_dir("/gone/secret").turn("Excluded.", 1, "Done.").write(&w);
    let request = format!("Use {token} and <private>the falcon lands at dawn</private> now.");
    Transcript::new("open", 3).turn(&request, 1, "It is configured.").write(&w);
    Transcript::new("forgotten", 4).turn("Forget this one.", 1, "Done.").write(&w);
    w.hook(&prompt("live", "p", "typed live"));
    w.hook(&end("live"));
    w.settle();
    Transcript::new("live", 5).turn("typed live", 1, "Done.").write(&w);
    let forgotten = Transcript::new("forgotten", 4).turn("Forget this one.", 1, "Done.").write(&w);
    w.memctl(&["replay", forgotten.to_str().unwrap()]).ok();
    w.settle();
    w.memctl(&["forget", "forgotten", "--yes"]).ok();
    let report = import(&w, &[]);
    let sessions = &report["sessions"];
    assert_eq!(sessions["imported"], 1, "{report}");
    for why in ["excluded", "forgotten", "recorded_live"] {
        assert_eq!(sessions[why], 1, "{why}: {report}");
    }
    assert_eq!(w.count("SELECT count(*) FROM sessions WHERE content_session_id = 'hidden'"), 0);
    assert_eq!(w.files_with(&[token, "falcon lands".into()]), Vec::<String>::new());
    w.memctl(&["pause"]).ok();
    let output = w.memctl(&["import", "claude-code"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.err.contains("paused"), "{output:?}");
}

#[test]
fn what_is_no_event_is_counted_and_never_fatal() {
    let w = World::new();
    let flagged = |key: &str, text: &str| {
        let mut line = json!({"type": "user", "message": {"content": text}});
        line[key] = json!(true);
        line
    };
    let session = Transcript::new("main", 3)
        .turn("Port the exporter.", 2, "It is ported.")
        .line(flagged("isSidechain", "look around"))
        .line(flagged("isCompactSummary", "a long summary"))
        .line(flagged("isMeta", "a caveat"))
        .turn("Now the importer.", 2, "It is ported too.");
    let path = session.write(&w);
    let text = format!("{{\"type\":\"user\",\n{}\u{0}\n{{\"cut", session.text());
    fs::write(&path, text).unwrap();
    // The client's own subagent, which sums a conversation up, and one whose session is gone.
    Transcript::new("acompact-1", 3).turn("Sum it up.", 1, "Summed up.").write_subagent(&w, "main");
    Transcript::new("a1", 3).turn("Look.", 1, "Nothing.").write_subagent(&w, "gone");
    fs::write(projects(&w).join("-gone-app/empty.jsonl"), "").unwrap();
    let report = import(&w, &[]);
    assert_eq!(report["sessions"]["imported"], 1, "{report}");
    assert_eq!(report["sessions"]["without_prompt"], 1);
    assert_eq!(report["sessions"]["gone_directories"], 1);
    let skipped = &report["skipped"];
    for (what, n) in [
        ("damaged_lines", 3),
        ("sidechain_files", 2),
        ("sidechain_lines", 1),
        ("compactions", 1),
        ("generated", 1),
    ] {
        assert_eq!(skipped[what], n, "{what}: {report}");
    }
    assert_eq!(w.prompts(), ["1|stop", "2|stop"]);
}

/// A resumed session was copied by earlier clients, and a fork is a copy too. The copy has the uuids of
/// its origin.
#[test]
fn the_shared_history_of_forks_is_recorded_once() {
    let w = World::new();
    let shared = Transcript::new("origin", 3).turn("Port the exporter.", 2, "It is ported.");
    shared.write(&w);
    let mut copy = Transcript::new("copy", 3);
    let mut forked = Transcript::new("fork", 4);
    for (n, line) in shared.lines.iter().enumerate() {
        let mut line = line.clone();
        line["uuid"] = json!(format!("origin-{n}"));
        copy.lines.push(line.clone());
        line["forkedFrom"] = json!({"sessionId": "origin", "messageUuid": line["uuid"]});
        line["uuid"] = json!(format!("fork-{n}"));
        forked.lines.push(line);
    }
    copy.turn("Continue with the importer.", 1, "The importer works.").write(&w);
    forked.turn("Try it another way.", 1, "It works that way, too.").write(&w);
    let report = import(&w, &[]);
    let prompts = "SELECT s.content_session_id || ': ' || p.prompt_text FROM user_prompts p
        JOIN sessions s ON s.id = p.session_id ORDER BY 1";
    assert_eq!(
        w.rows(prompts),
        [
            "copy: Continue with the importer.",
            "fork: Try it another way.",
            "origin: Port the exporter.",
        ],
        "{report}"
    );
    assert!(report["skipped"]["forked_lines"].as_u64().unwrap() > 0, "{report}");
    let first = counts(&w);
    import(&w, &[]);
    assert_eq!(counts(&w), first);
}

#[test]
fn a_transcript_that_has_grown_continues_where_it_ended() {
    let w = World::new();
    let session = Transcript::new("s", 3).turn("Port the exporter.", 2, "It is ported.");
    session.write(&w);
    import(&w, &[]);
    session.turn("Now the importer.", 2, "It is ported too.").write(&w);
    // The client's own ids of old events may be gone.
    w.execute_sql("DELETE FROM pending_messages");
    let report = import(&w, &[]);
    assert_eq!(report["sessions"]["continued"], 1, "{report}");
    assert_eq!(w.prompts(), ["1|stop", "2|stop"]);
    assert_eq!(w.session_state(), "completed|other");
    let requests = "SELECT request FROM session_summaries ORDER BY prompt_number";
    assert_eq!(w.rows(requests), ["Port the exporter.", "Now the importer."]);
}

#[test]
fn options_select_sessions() {
    let w = World::new();
    five_sessions(&w);
    Transcript::new("other", 4).in_dir("/gone/other").turn("Port it.", 1, "Ported.").write(&w);
    let n = |args: &[&str]| {
        let report = import(&w, &[args, &["--dry-run"]].concat());
        report["sessions"]["imported"].as_u64().unwrap()
    };
    assert_eq!(n(&[]), 6);
    assert_eq!(n(&["--limit", "2"]), 2);
    assert_eq!(n(&["--project", "/gone/other"]), 1);
    assert_eq!(n(&["--since", "1h"]), 0);
    assert_eq!(n(&["--since", "36500d"]), 6);
    let other = projects(&w).join("-gone-other");
    assert_eq!(n(&[other.to_str().unwrap()]), 1);
    let output = w.memctl(&["import", "claude-code", "/nowhere"]);
    assert_eq!(output.code, Some(2));
    assert!(output.err.contains("kept no transcripts in /nowhere"), "{output:?}");
}

/// A session whose hooks are not installed yet runs while it is imported. Nothing is doubled when its
/// hooks report the same turn.
#[test]
fn live_sessions_go_on_during_an_import() {
    let mut w = World::new();
    five_sessions(&w);
    let held = w.path("held");
    w.set("MEMCTL_TESTPOINT", &format!("import.committed#2=pause:{}", held.display()));
    let child = w.spawn(&["import", "claude-code"]);
    crate::support::until("the import is under way", || {
        held.exists().then_some(()).ok_or_else(String::new)
    });
    w.set("MEMCTL_TESTPOINT", "");
    w.hook(&prompt("live", "p", "typed live"));
    w.hook(&stop("live", "p", "Answered live."));
    w.until_count("SELECT count(*) FROM session_summaries WHERE request = 'typed live'", 1);
    fs::remove_file(&held).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    w.hook(&end("live"));
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 6);
    assert_eq!(w.count("SELECT count(*) FROM user_prompts"), 11);
}
