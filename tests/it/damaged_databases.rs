//! Damaged databases: workers and commands quarantine them, and new events are stored.

use std::fs;
use std::path::PathBuf;
use std::thread;

use crate::support::recordings::{end, prompt, start, stop, tool};
use crate::support::{World, until};

const UNPROCESSED: &str = "SELECT count(*) FROM pending_messages WHERE status <> 'processed'";
const SUMMARIES: &str = "SELECT count(*) FROM session_summaries";

/// Quarantined databases.
fn quarantined(w: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(w.data()).unwrap().flatten().map(|entry| entry.path());
    entries.filter(|p| p.file_name().unwrap().to_str().unwrap().starts_with("corrupt-")).collect()
}

/// A world with one stored session, whose database file is then overwritten.
fn damaged() -> World {
    let w = World::new();
    w.hooks(&[prompt("before", "t", "go"), stop("before", "t", "Done."), end("before")]);
    w.settle();
    for file in ["memctl.db-wal", "memctl.db-shm"] {
        let _ = fs::remove_file(w.data().join(file));
    }
    fs::write(w.data().join("memctl.db"), "no database ".repeat(9999)).unwrap();
    w
}

#[test]
fn a_damaged_database_is_quarantined_while_events_arrive() {
    // The workers must quarantine it without help, so the recovery that they start exits at once.
    let w = damaged().with("MEMCTL_TESTPOINT", "recover.begun=exit");
    thread::scope(|scope| {
        for s in 0..3 {
            let w = &w;
            scope.spawn(move || {
                let session = format!("session-{s}");
                w.hook(&prompt(&session, "t", "go"));
                for n in 0..10 {
                    w.hook(&tool(&session, "t", &format!("u{n}"), "ls", "x"));
                }
                w.hook(&stop(&session, "t", "Done."));
                w.hook(&end(&session));
            });
        }
    });
    w.settle();
    let quarantines = quarantined(&w);
    assert_eq!(quarantines.len(), 1, "{quarantines:?}");
    let text = fs::read_to_string(quarantines[0].join("memctl.db")).unwrap();
    assert!(text.starts_with("no database"), "the damaged file is kept");
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE event = 'tool'"), 30);
    assert_eq!(w.count(UNPROCESSED), 0);
    assert_eq!(w.count(SUMMARIES), 3);
    assert_eq!(w.rows("SELECT DISTINCT status FROM sessions"), ["completed"]);
    // Only the next session start reports the directory.
    let message = w.hook(&start("other"))["systemMessage"].to_string();
    assert!(
        message.contains("damaged") && message.contains(quarantines[0].to_str().unwrap()),
        "{message}"
    );
    assert!(w.hook(&start("third"))["systemMessage"].is_null());
}

#[test]
fn a_damaged_database_is_quarantined_at_a_session_start() {
    let w = damaged();
    let answer = w.hook_bytes(&[], start("other").to_string().as_bytes());
    assert_eq!(answer.code, Some(0));
    assert_eq!(answer.out, "{\"continue\":true,\"suppressOutput\":true}\n");
    until("the database is quarantined", || match quarantined(&w).len() {
        1 => Ok(()),
        n => Err(n.to_string()),
    });
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 0);
}

/// Hooks open the database read-only.
#[test]
fn a_hook_never_quarantines_a_database() {
    let w = damaged();
    w.spool(&prompt("s", "t", "go"));
    assert!(quarantined(&w).is_empty());
    assert_eq!(w.spools().len(), 1);
}

#[test]
fn a_turn_that_cannot_be_read_is_named_and_not_restored_from() {
    let w = World::new();
    w.hook(&prompt("s", "t", "Make the parser strict."));
    w.hook(&stop("s", "t", "The parser rejects trailing commas now."));
    w.hook(&end("s"));
    w.settle();
    let said = |w: &World| w.memctl(&["doctor"]).out.contains("steps of 1 turn cannot be read");
    assert!(!said(&w));
    w.execute_sql("UPDATE session_summaries SET turn = '{'");
    assert!(said(&w));
    w.memctl(&["forget", "p1", "--yes"]).ok();
    w.execute_sql("UPDATE forgotten_rows SET content = '{'");
    let output = w.memctl(&["forget", "--undo"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.err.contains("cannot be read"), "{output:?}");
}
