//! A new user with a year of transcripts: `memctl` offers the import, the next session starts with what
//! matters of them, and what was decided is found.

use std::fs;

use serde_json::{Value, json};

use crate::support::World;
use crate::support::transcripts::Transcript;

const DECISION: &str = "The ledger is a text file, never a database";

/// Sessions of eleven months in two projects. Only the first month's has the decision.
fn write_year(w: &World, app: &str, site: &str) {
    for month in 1..=11 {
        let (id, dir) = (format!("s{month}"), if month % 3 == 0 { site } else { app });
        let request = match month {
            1 => format!("Write the ledger of hours. {DECISION}."),
            month => format!("Port report number {month} to the new format."),
        };
        let answer = format!("Report {month} is done; it writes version 2 now.");
        let session = Transcript::new(&id, 2 + month).in_month(month).in_dir(dir);
        session.turn(&request, 4, &answer).turn("Now test it.", 2, "All tests pass.").write(w);
    }
}

#[test]
fn a_new_user_imports_a_year_and_asks_what_was_decided() {
    let w = World::new();
    let (app, site) = (w.path("home").join("app"), w.path("home").join("site"));
    fs::create_dir_all(&app).unwrap();
    fs::create_dir_all(&site).unwrap();
    write_year(&w, app.to_str().unwrap(), site.to_str().unwrap());
    let at = |args: &[&str]| w.memctl_in(&app, args).ok();
    // The first look names the command.
    assert!(at(&[]).contains("`memctl import claude-code` takes them in"));
    assert!(
        at(&["import", "claude-code", "--dry-run"]).starts_with("11 sessions would be imported")
    );
    let report = at(&["import", "claude-code"]);
    assert!(report.starts_with("11 sessions imported in "), "{report}");
    let last = "memctl knows your last 11 sessions in 2 projects; try: memctl search WORDS\n";
    assert!(report.ends_with(last), "{report}");

    // A session starts with the rule, and with what the project did last.
    let hook = |name: &str, fields: Value| {
        let mut payload = json!({"session_id": "now", "cwd": app, "hook_event_name": name});
        payload.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let answer = w.hook(&payload);
        answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default().to_owned()
    };
    let context = hook("SessionStart", json!({"source": "startup"}));
    assert!(context.contains(DECISION), "{context}");
    assert!(context.contains("2026-11-13") && context.contains("report number 11"), "{context}");
    assert!(!context.contains("report number 9"), "{context}");

    // Both the user and the model find what was decided ten months ago.
    let found = at(&["search", "what did we decide about the ledger"]);
    let is_decision = |line: &&str| line.starts_with('o') && line.ends_with(DECISION);
    let line = found.lines().find(is_decision).unwrap_or_else(|| panic!("{found}"));
    let shown = at(&["show", line.split_whitespace().next().unwrap()]);
    assert!(shown.contains("decision") && shown.contains("2026-01-03"), "{shown}");
    hook("UserPromptSubmit", json!({"prompt_id": "t1", "prompt": "Go on."}));
    hook("Stop", json!({"prompt_id": "t1", "last_assistant_message": "Done."}));
    hook("SessionEnd", json!({"reason": "other"}));
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 12);
}
