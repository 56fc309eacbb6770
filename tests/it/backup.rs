//! `memctl backup` and `memctl restore`: a checked copy while sessions go on, and the way back.

use std::fs;

use crate::support::World;
use crate::support::recordings::{end, prompt, stop};

fn session(w: &World, id: &str) {
    w.hook(&prompt(id, "p1", &format!("Port the exporter of {id} to the new format.")));
    w.hook(&stop(id, "p1", "The exporter is ported; it writes version 2 now."));
}

#[test]
fn a_backup_is_complete_while_a_worker_runs_and_comes_back() {
    let w = World::new();
    session(&w, "first");
    w.until_count("SELECT count(*) FROM session_summaries", 1);
    let file = w.path("backup.db");
    let path = file.to_str().unwrap();
    let said = w.memctl(&["backup", path, "--json"]).json();
    assert_eq!((&said["sessions"], &said["summaries"]), (&1.into(), &1.into()), "{said}");
    assert_eq!(
        fs::read_dir(w.path(""))
            .unwrap()
            .flatten()
            .filter(|entry| { entry.file_name().to_string_lossy().contains("backup.db") })
            .count(),
        1,
        "no file beside it"
    );
    let output = w.memctl(&["backup", path]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.err.contains("exists already"), "{output:?}");
    w.hook(&end("first"));
    session(&w, "second");
    w.until_count("SELECT count(*) FROM session_summaries", 2);
    // The worker of the second session lives.
    let output = w.memctl(&["restore", path]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.err.contains("--end-workers"), "{output:?}");
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 2, "nothing has changed");
    let said = w.memctl(&["restore", path, "--end-workers", "--json"]).json();
    assert_eq!(said["sessions"], 1, "{said}");
    assert_eq!(w.rows("SELECT content_session_id FROM sessions"), ["first"]);
    let doctor = w.memctl(&["doctor"]).out;
    assert!(doctor.contains("1 former database of a repair or a restore"), "{doctor}");
    // The earlier database can be restored in the same way.
    let kept = format!("{}/memctl.db", said["kept"].as_str().unwrap());
    w.memctl(&["backup", w.path("again.db").to_str().unwrap()]).ok();
    w.memctl(&["restore", &kept]).ok();
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 2);
    // Sessions go on in the restored database.
    session(&w, "third");
    w.hook(&end("third"));
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 3);
}

#[test]
fn a_damaged_or_foreign_file_is_not_restored() {
    let w = World::new();
    session(&w, "first");
    w.hook(&end("first"));
    w.settle();
    let file = w.path("backup.db");
    let path = file.to_str().unwrap();
    w.memctl(&["backup", path]).ok();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 9000].fill(0x55);
    fs::write(&file, &bytes).unwrap();
    let foreign = w.path("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let text = w.path("text.db");
    fs::write(&text, "no database ".repeat(500)).unwrap();
    for (file, code) in [(&file, 1), (&foreign, 1), (&text, 1), (&w.path("missing.db"), 2)] {
        let output = w.memctl(&["restore", file.to_str().unwrap()]);
        assert_eq!(output.code, Some(code), "{file:?}: {output:?}");
        assert!(output.err.contains("`memctl backup` has written"), "{file:?}: {output:?}");
    }
    assert_eq!(w.rows("SELECT content_session_id FROM sessions"), ["first"]);
    let aside = |name: &str| name.starts_with("replaced-") || name.starts_with("restoring-");
    let mut names = fs::read_dir(w.data()).unwrap().flatten();
    assert!(!names.any(|entry| aside(&entry.file_name().to_string_lossy())));
    let empty = World::new().memctl(&["backup", w.path("empty.db").to_str().unwrap()]);
    assert!(empty.err.contains("nothing is stored"), "{empty:?}");
}

/// A restore puts a database of an earlier schema in place, which the next process migrates.
#[test]
fn a_backup_into_an_empty_data_dir_is_a_new_memory() {
    let w = World::new();
    session(&w, "first");
    w.hook(&end("first"));
    w.settle();
    let file = w.path("backup.db");
    w.memctl(&["backup", file.to_str().unwrap()]).ok();
    let other = World::new();
    let said = other.memctl(&["restore", file.to_str().unwrap()]).ok();
    assert!(!said.contains("earlier database"), "{said}");
    assert_eq!(other.memctl(&["export"]).ok(), w.memctl(&["export"]).ok());
}

#[test]
fn what_was_deleted_for_good_is_not_restored() {
    let w = World::new();
    for text in ["The vault code is hunter-green", "The harbour opens at seven", "Tea is at four"] {
        w.memctl(&["remember", "--global", text]).ok();
    }
    let backup = w.path("backup.db");
    let path = backup.to_str().unwrap();
    w.memctl(&["backup", path]).ok();
    w.memctl(&["forget", "o1", "--now"]).ok();
    // This one can be undone, so the user may want it back.
    w.memctl(&["forget", "o2"]).ok();
    let said = w.memctl(&["restore", path]);
    assert!(said.out.contains("Left out: 1 row"), "{said:?}");
    assert_eq!(w.rows("SELECT id FROM observations ORDER BY id"), ["2", "3"]);
    let left: Vec<String> = w
        .files_with(&["hunter-green".into()])
        .into_iter()
        .filter(|file| !file.contains("backup.db") && !file.contains("replaced-"))
        .collect();
    assert_eq!(left, [] as [&str; 0]);
    // A second restore does the same, and an import does not bring it back.
    let again = w.memctl(&["restore", path, "--json"]).json();
    assert_eq!((&again["left_out"], &again["observations"]), (&1.into(), &2.into()), "{again}");
}
