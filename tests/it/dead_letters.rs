//! What goes to the dead-letter directory, and how it comes back: a change of the schema buries
//! nothing, and `memctl queue retry` takes in what can be read.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::World;
use crate::support::recordings::{end, prompt, start, stop, tool};

const TOOLS: &str = "SELECT tool_use_id FROM pending_messages WHERE event = 'tool' AND tool_use_id LIKE 'u%' ORDER BY id";
const STOPS: &str = "SELECT count(*) FROM pending_messages WHERE event = 'stop'";

fn dead_letters(w: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(w.data().join("spool/dead")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// Changes that other programs make to a database while its worker lives.
const CHANGES: [(&str, &str); 7] = [
    ("a column", "ALTER TABLE pending_messages DROP COLUMN prompt_events"),
    ("a column that every event reads", "ALTER TABLE user_prompts DROP COLUMN finalized_by"),
    ("an index that an upsert needs", "DROP INDEX sessions_identity"),
    ("all indexes of the queue", ""),
    ("a unique index of another program", "CREATE UNIQUE INDEX x ON pending_messages(tool_name)"),
    ("a table", "DROP TABLE tombstones"),
    (
        "an old version",
        "DROP TABLE agent_usage; ALTER TABLE observations DROP COLUMN tokens; PRAGMA user_version = 2",
    ),
];

#[test]
fn a_schema_that_changes_under_a_live_worker_buries_no_event() {
    for (what, sql) in CHANGES {
        let w = World::lingering();
        w.worker_of("s");
        let sql = match sql {
            "" => w
                .rows("SELECT 'DROP INDEX ' || name || ';' FROM sqlite_schema WHERE type = 'index' AND sql NOTNULL")
                .concat(),
            sql => sql.to_owned(),
        };
        w.execute_sql(&sql);
        for n in 1..=3 {
            w.hook(&tool("s", "t", &format!("u{n}"), "ls", "x"));
        }
        w.hook(&stop("s", "t", "Listed."));
        w.until_count(STOPS, 1);
        assert_eq!(w.rows(TOOLS), ["u1", "u2", "u3"], "{what}");
        assert_eq!(dead_letters(&w), [] as [PathBuf; 0], "{what}");
    }
}

/// Nothing writes to the database between the change and these readers.
#[test]
fn a_start_and_doctor_repair_a_changed_schema() {
    let w = World::new();
    w.hooks(&[
        prompt("s", "t", "Fix the export of the page, it is cut off."),
        stop("s", "t", "The export is whole now.\n\nNext steps:\n- Export the archive, too."),
        end("s"),
    ]);
    w.settle();
    let damage = "ALTER TABLE session_summaries DROP COLUMN turn_id; DROP INDEX observations_turn";
    let finding = |w: &World| {
        let findings = w.memctl(&["doctor", "--json"]);
        let findings: Value = serde_json::from_str(&findings.out).unwrap();
        let all = findings["findings"].as_array().unwrap();
        all.iter().find(|f| f["check"] == "database").unwrap().clone()
    };
    let intact = finding(&w);
    w.execute_sql(damage);
    let found = finding(&w);
    assert_eq!(found["level"], "wrong", "{found}");
    assert!(found["do"].as_str().unwrap().contains("memctl doctor --fix"), "{found}");
    let fixed = w.memctl(&["doctor", "--fix", "--json"]);
    assert!(fixed.out.contains("added the missing tables"), "{fixed:?}");
    assert_eq!(finding(&w)["level"], intact["level"]);

    w.execute_sql(damage);
    w.execute_sql("ALTER TABLE observations DROP COLUMN subtitle");
    let context = w.hook(&start("other")).to_string();
    assert!(context.contains("Export the archive"), "{context}");
    w.settle();
}

/// Moves the spooled files of a session to the dead-letter directory, as an earlier release did.
fn bury_spool(w: &World) {
    let dead = w.data().join("spool/dead");
    fs::create_dir_all(&dead).unwrap();
    for spool in w.spools() {
        for file in fs::read_dir(&spool).unwrap() {
            let file = file.unwrap();
            let name = format!("0199-{}", file.file_name().to_str().unwrap());
            fs::rename(file.path(), dead.join(name)).unwrap();
        }
        fs::remove_dir(spool).unwrap();
    }
}

/// A turn of session `s` in the dead-letter directory, beside a file without an event.
fn buried_turn(w: &World) {
    w.spool(&prompt("s", "t", "go"));
    for n in 1..=3 {
        w.spool(&tool("s", "t", &format!("u{n}"), "ls", "x"));
    }
    w.spool(&stop("s", "t", "Listed."));
    bury_spool(w);
    fs::write(w.data().join("spool/dead/0199-broken.json"), "{").unwrap();
}

fn spool_finding(w: &World) -> Option<String> {
    let report: Value = serde_json::from_str(&w.memctl(&["doctor", "--json"]).out).unwrap();
    let all = report["findings"].as_array().unwrap().iter();
    let mut wrong = all.filter(|f| f["check"] == "spool" && f["level"] == "wrong");
    wrong.next().map(|f| format!("{} {}", f["says"], f["do"]))
}

#[test]
fn a_retry_takes_dead_letters_in_and_names_what_stays() {
    let w = World::new();
    buried_turn(&w);
    let found = spool_finding(&w).unwrap();
    assert!(found.contains("6 spooled files not taken in"), "{found}");
    assert!(found.contains("memctl queue retry --dead-letters"), "{found}");
    let listed = w.memctl(&["queue", "--json"]).json();
    assert_eq!(listed["dead_letters"], 6, "{listed}");

    let output = w.memctl(&["queue", "retry", "--dead-letters"]);
    assert!(output.err.contains("1 file in "), "{output:?}");
    assert!(output.err.contains("memctl queue abort --dead-letters"), "{output:?}");
    assert_eq!(output.ok(), "5 events scheduled for retry\n");
    w.settle();
    assert_eq!(w.rows(TOOLS), ["u1", "u2", "u3"]);
    assert_eq!((w.summaries().len(), dead_letters(&w).len()), (1, 1));

    let repeated = w.memctl(&["queue", "retry", "--dead-letters"]).ok();
    assert_eq!(repeated, "no matching event\n");
    assert_eq!(w.memctl(&["queue", "abort", "--dead-letters"]).ok(), "1 event given up\n");
    assert_eq!(spool_finding(&w), None);
}

/// The event was stored, and a copy of it was moved to the dead-letter directory.
#[test]
fn a_dead_letter_of_a_stored_event_has_no_second_effect() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    w.kill(pid);
    w.spool(&tool("s", "t", "u1", "ls", "x"));
    let spool = w.spools().remove(0);
    let file = fs::read_dir(&spool).unwrap().next().unwrap().unwrap();
    let copy = fs::read(file.path()).unwrap();
    w.memctl(&["queue", "retry", "s"]).ok();
    w.hook(&stop("s", "t", "Listed."));
    w.until_count("SELECT count(*) FROM session_summaries", 1);
    let pid = w.worker();
    let dead = w.data().join("spool/dead");
    fs::create_dir_all(&dead).unwrap();
    fs::write(dead.join("0199-0000000001.json"), copy).unwrap();
    // The live worker takes it in.
    assert_eq!(w.memctl(&["queue", "retry", "s"]).ok(), "1 event scheduled for retry\n");
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.rows(TOOLS), ["u1"]);
    assert_eq!((w.summaries().len(), dead_letters(&w).len()), (1, 0));
    assert!(w.processes().iter().all(|p| *p != pid));
}

/// The events around it are stored.
#[test]
fn a_file_that_is_too_large_for_an_event_goes_to_the_dead_letters_alone() {
    let w = World::new();
    w.spool(&prompt("s", "t", "go"));
    w.spool(&tool("s", "t", "u1", "ls", "a response"));
    w.spool(&tool("s", "t", "u2", "ls", "x"));
    w.spool(&stop("s", "t", "Listed."));
    let file = w.spools().remove(0).join("0000000002.json");
    let event = fs::read_to_string(&file).unwrap().replace("a response", &"y".repeat(65 << 20));
    fs::write(&file, event).unwrap();
    w.hook(&start("other"));
    w.settle();
    assert_eq!(w.rows(TOOLS), ["u2"]);
    assert_eq!((w.summaries().len(), dead_letters(&w).len()), (1, 1));
}

#[test]
fn a_dead_letter_of_one_session_comes_back_alone() {
    let w = World::new();
    w.hooks(&[prompt("s", "t0", "go"), end("s")]);
    w.settle();
    for session in ["s", "other"] {
        w.spool(&tool(session, "t0", &format!("u-{session}"), "ls", "x"));
    }
    let spools = w.spools();
    assert_eq!(spools.len(), 2);
    // The files of both sessions have the same name.
    let dead = w.data().join("spool/dead");
    fs::create_dir_all(&dead).unwrap();
    for (n, spool) in spools.iter().enumerate() {
        let file = fs::read_dir(spool).unwrap().next().unwrap().unwrap();
        fs::rename(file.path(), dead.join(format!("0199-{n}.json"))).unwrap();
        fs::remove_dir(spool).unwrap();
    }
    let young = ["queue", "retry", "s", "--older-than", "1h"];
    assert_eq!(w.memctl(&young).ok(), "no matching event\n");
    assert_eq!(w.memctl(&["queue", "retry", "s"]).ok(), "1 event scheduled for retry\n");
    w.settle();
    assert_eq!(w.rows(TOOLS), ["u-s"]);
    assert_eq!(dead_letters(&w).len(), 1);
    assert_eq!(w.memctl(&["queue", "abort", "--all"]).ok(), "1 event given up\n");
    assert_eq!(dead_letters(&w).len(), 0);
}
