//! What the user rejected does not come back: not from a resend, a replay, the spool, or what a later
//! session says.

use std::fs;

use serde_json::{Value, json};

use crate::support::World;
use crate::support::directories::moved_to;
use crate::support::recordings::{edit, end, prompt, stop, tool};

const RULE: &str = "From now on, deploy on Fridays only";
const CLAIM: &str = "The importer listens on port 9090.";

fn session(w: &World, name: &str) -> Vec<Value> {
    let payloads = [
        prompt(name, "t", &format!("{RULE}. Also fix the parser of the importer.")),
        edit(name, "t", "u1", "src/import.rs"),
        tool(name, "t", "u2", "cargo test", "test result: ok. 7 passed; 0 failed"),
        stop(name, "t", &format!("The importer skips empty lines now.\n\n{CLAIM}")),
        end(name),
    ];
    payloads.map(|payload| moved_to(payload, &w.path("home"))).into()
}

fn play(w: &World, name: &str) {
    w.hooks(&session(w, name));
    w.settle();
}

fn world() -> World {
    let w = World::new();
    play(&w, "first");
    assert!(tells(&w, "Fridays") && tells(&w, "9090"), "{}", context(&w));
    w
}

fn context(w: &World) -> String {
    w.memctl(&["context"]).ok()
}

fn tells(w: &World, word: &str) -> bool {
    context(w).contains(word)
}

/// The ids of the stored observations with the rule.
fn rules(w: &World) -> Vec<String> {
    w.rows("SELECT 'o' || id FROM observations WHERE title LIKE '%Fridays%' ORDER BY id")
}

#[test]
fn a_rejected_rule_does_not_come_back() {
    let w = world();
    let id = rules(&w).remove(0);
    let said = w.memctl(&["feedback", "wrong", &id]).ok();
    assert!(said.contains("is wrong") && said.contains("memctl feedback --undo"), "{said}");
    assert!(!tells(&w, "Fridays"), "{}", context(&w));
    assert!(w.memctl(&["show", &id]).ok().contains("wrong"));
    // A resend.
    play(&w, "first");
    assert_eq!((rules(&w), tells(&w, "Fridays")), (vec![id.clone()], false));
    // Another session says it, in another form.
    play(&w, "second");
    w.hook(&json!({"session_id": "third", "cwd": w.path("home").to_str().unwrap(),
        "prompt_id": "t", "hook_event_name": "UserPromptSubmit",
        "prompt": "from now on deploy on **Fridays** only!"}));
    w.hooks(&session(&w, "third")[3..]);
    w.settle();
    assert_eq!((rules(&w), tells(&w, "Fridays")), (vec![id.clone()], false), "{}", context(&w));
    // From the spool.
    for payload in &session(&w, "fourth")[..4] {
        w.spool(payload);
    }
    w.hook(&session(&w, "fourth")[4]);
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM user_prompts"), 4);
    assert_eq!((rules(&w), tells(&w, "Fridays")), (vec![id.clone()], false), "{}", context(&w));
    w.memctl(&["feedback", "--undo", &id]).ok();
    assert!(tells(&w, "Fridays"));
}

#[test]
fn a_rejected_statement_is_not_in_the_next_summary() {
    let w = world();
    w.memctl(&["feedback", "wrong", "s1"]).ok();
    assert!(!tells(&w, "9090"), "{}", context(&w));
    play(&w, "second");
    assert!(!tells(&w, "9090"), "{}", context(&w));
    let shown = w.memctl(&["show", "s2", "s3"]);
    assert!(!shown.out.contains("9090"), "{shown:?}");
    assert!(w.memctl(&["show", "s1"]).ok().contains("9090"), "it is only kept out");
    w.memctl(&["feedback", "--undo", "s1"]).ok();
    // The second session asked for the same, and is told in place of the first.
    w.memctl(&["forget", "second"]).ok();
    assert!(tells(&w, "9090"), "{}", context(&w));
}

#[test]
fn a_replay_does_not_restore_what_was_rejected() {
    let w = world();
    w.memctl(&["feedback", "wrong", &rules(&w)[0]]).ok();
    let line = |kind: &str, uuid: &str, message: Value| {
        json!({"type": kind, "uuid": uuid, "parentUuid": null, "sessionId": "replayed",
            "cwd": w.path("home").to_str().unwrap(), "timestamp": "2026-11-21T10:00:00.000Z",
            "version": "2.1.329", "message": message})
        .to_string()
    };
    let transcript = [
        line("user", "a", json!({"role": "user", "content": format!("{RULE}. Fix the lexer.")})),
        line(
            "assistant",
            "b",
            json!({"role": "assistant", "stop_reason": "end_turn",
                "content": [{"type": "text", "text": "The lexer of the importer is fixed."}]}),
        ),
    ];
    let file = w.path("home").join("replayed.jsonl");
    fs::write(&file, transcript.join("\n") + "\n").unwrap();
    w.memctl(&["replay", file.to_str().unwrap()]).ok();
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM user_prompts"), 2);
    assert_eq!((rules(&w).len(), tells(&w, "Fridays")), (1, false), "{}", context(&w));
}

#[test]
fn forgotten_and_rejected_does_not_come_back() {
    let w = world();
    let before = context(&w);
    let id = rules(&w).remove(0);
    let forgot = w.memctl(&["forget", "--reject", &id]).ok();
    assert!(forgot.starts_with("forgot 1 observation, kept until "), "{forgot}");
    play(&w, "second");
    assert_eq!((rules(&w), tells(&w, "Fridays")), (vec![], false), "{}", context(&w));
    w.memctl(&["forget", "second"]).ok();
    // Undo of both: the rule is told, and may be said again.
    w.memctl(&["forget", "--undo"]).ok();
    assert!(!tells(&w, "Fridays"));
    w.memctl(&["forget", "second", "--now"]).ok();
    w.memctl(&["forget", "--undo"]).ok();
    assert_eq!(context(&w), before);
    play(&w, "third");
    assert_eq!(rules(&w).len(), 2);
    assert_eq!(w.memctl(&["forget", "--reject", "--query", "x"]).code, Some(2));
    // Nothing of the statement is left after it is deleted for good.
    w.memctl(&["forget", "--reject", &rules(&w)[0], &rules(&w)[1], "--yes"]).ok();
    w.memctl(&["forget", "first", "third", "--now", "--yes"]).ok();
    let output = w.memctl(&["forget", "--query", "fridays", "--now", "--yes", "--verify"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    play(&w, "fourth");
    assert_eq!((rules(&w), tells(&w, "Fridays")), (vec![], false));
}

#[test]
fn what_an_edit_replaced_does_not_come_back() {
    let w = world();
    let id = rules(&w).remove(0);
    let mut command = w.program();
    command.env("VISUAL", "sed -i s/Fridays/Thursdays/").args(["edit", &id]);
    assert!(command.output().unwrap().status.success());
    play(&w, "second");
    let told = context(&w);
    assert!(told.contains("Thursdays") && !told.contains("Fridays"), "{told}");
    // The session that made the memory continues.
    w.hooks(&session(&w, "first")[..1]);
    let mut more = session(&w, "first");
    more[3]["prompt_id"] = "t".into();
    w.hooks(&more[3..]);
    w.settle();
    let told = context(&w);
    assert!(told.contains("Thursdays") && !told.contains("Fridays"), "{told}");
    w.memctl(&["edit", "--undo", &id]).ok();
    assert!(tells(&w, "Fridays"));
}

#[test]
fn a_correction_is_not_rejected() {
    let w = world();
    w.memctl(&["feedback", "wrong", &rules(&w)[0]]).ok();
    w.hooks(&[
        json!({"session_id": "new", "cwd": w.path("home").to_str().unwrap(), "prompt_id": "t",
            "hook_event_name": "UserPromptSubmit",
            "prompt": "From now on, deploy on Mondays and Fridays only."}),
        stop("new", "t", "Noted."),
        end("new"),
    ]);
    w.settle();
    assert!(tells(&w, "Mondays and Fridays"), "{}", context(&w));
}
