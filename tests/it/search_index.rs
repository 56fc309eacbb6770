//! The index of words: it is what building it again gives, whatever happened to the store, its words
//! leave the files with their rows, and neither damage nor a kill costs an event or a row.

use rusqlite::Connection;

use crate::support::recordings::{end, prompt, stop, tool};
use crate::support::{World, until};

/// Every word of the index with the row that has it.
fn entries(w: &World) -> Vec<String> {
    let conn = Connection::open(w.data().join("memctl.db")).unwrap();
    conn.execute_batch("CREATE VIRTUAL TABLE temp.listing USING fts5vocab(main, words, instance)")
        .unwrap();
    let mut rows = conn.prepare("SELECT term || ' ' || doc FROM temp.listing").unwrap();
    let rows = rows.query_map([], |r| r.get(0)).unwrap();
    let mut entries: Vec<String> = rows.collect::<rusqlite::Result<_>>().unwrap();
    entries.sort();
    entries
}

fn totals(w: &World) -> Vec<String> {
    w.rows("SELECT scope, kind, n_rows, n_words FROM word_totals WHERE n_rows > 0 ORDER BY 1, 2")
}

/// Makes the store forget what is in the index, and builds it again.
fn rebuild(w: &World) {
    w.execute_sql("UPDATE meta SET value = '0 0 0 0 0 0 0' WHERE key = 'words'");
    let fixed = w.memctl(&["doctor", "--fix"]);
    assert!(fixed.out.contains("built the search index"), "{fixed:?}");
}

#[track_caller]
fn check(w: &World) {
    let before = (entries(w), totals(w));
    assert!(!before.0.is_empty());
    rebuild(w);
    assert_eq!((entries(w), totals(w)), before);
}

/// A session of a few turns.
fn session(w: &World, name: &str, word: &str) {
    w.hook(&prompt(name, "t1", &format!("fix the {word} parser in getUserId")));
    w.hook(&tool(name, "t1", "u1", "cargo test", "error[E0308]: mismatched types"));
    w.hook(&tool(name, "t1", "u2", "cargo test", "test result: ok. 7 passed; 0 failed"));
    w.hook(&stop(name, "t1", &format!("The {word} parser works. Next: document it.")));
    w.hook(&prompt(name, "t2", "go on"));
    w.hooks(&[stop(name, "t2", "Documented."), end(name)]);
}

#[test]
fn the_index_is_what_building_it_again_gives() {
    let w = World::new();
    for (name, word) in [("one", "quokka"), ("two", "wombat"), ("three", "numbat")] {
        session(&w, name, word);
    }
    w.hook(&prompt("three", "t3", "<private>my platypus</private>"));
    w.hooks(&[stop("three", "t3", "Done."), end("three")]);
    w.settle();
    check(&w);
    w.memctl(&["forget", "two", "--yes"]).ok();
    w.memctl(&["forget", "--query", "quokka", "--yes"]).ok();
    check(&w);
    w.memctl(&["forget", "--undo"]).ok();
    check(&w);
    w.memctl(&["forget", "--undo"]).ok();
    check(&w);
    let words = entries(&w).join("\n");
    assert!(words.contains("quokka") && words.contains("wombat"), "{words}");
    assert!(!words.contains("platypu"), "{words}");
}

#[test]
fn a_forgotten_word_is_in_no_file() {
    let w = World::new();
    session(&w, "one", "xylophonist");
    session(&w, "two", "wombat");
    w.settle();
    // The stem, as the index has it.
    let stem = ["xylophonist".to_owned()];
    assert!(!w.files_with(&stem).is_empty());
    w.memctl(&["forget", "--query", "xylophonist", "--now", "--yes"]).ok();
    w.memctl(&["logs", "--help"]).ok();
    assert_eq!(w.files_with(&stem), [] as [&str; 0]);
    check(&w);
}

#[test]
fn a_database_of_an_earlier_release_gets_its_index_from_a_worker() {
    let w = World::new();
    session(&w, "one", "quokka");
    w.settle();
    let before = entries(&w);
    w.execute_sql(
        "DROP TABLE words; DROP TABLE word_totals; DELETE FROM meta WHERE key IN ('words', 'schema');
         PRAGMA user_version = 10",
    );
    w.hooks(&[prompt("two", "t", "go"), stop("two", "t", "Done."), end("two")]);
    w.settle();
    let after = entries(&w);
    assert!(before.iter().all(|entry| after.contains(entry)), "{before:?} {after:?}");
    check(&w);
}

#[test]
fn a_killed_worker_leaves_an_index_that_the_next_one_completes() {
    let w = World::new();
    session(&w, "one", "quokka");
    w.settle();
    w.execute_sql("UPDATE meta SET value = '0 0 0 0 0 0 0' WHERE key = 'words'");
    let _ = w.hook_at(&prompt("two", "t", "go"), "words.rebuilt=abort,recover.begun=exit");
    until("the worker is gone", || match w.processes().is_empty() {
        true => Ok(()),
        false => Err("it is alive".to_owned()),
    });
    w.hooks(&[stop("two", "t", "Done."), end("two")]);
    w.settle();
    w.until_count("SELECT count(*) FROM meta WHERE key = 'words' AND value NOT LIKE '0 %'", 1);
    check(&w);
}

#[test]
fn damage_of_the_index_costs_no_event_and_no_database() {
    let w = World::new();
    session(&w, "one", "quokka");
    w.settle();
    w.execute_sql("UPDATE words_data SET block = zeroblob(length(block)) WHERE id > 10");
    let doctor = w.memctl(&["doctor"]);
    assert!(doctor.out.contains("the search index is damaged"), "{doctor:?}");
    session(&w, "two", "wombat");
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM user_prompts"), 4);
    let _ = w.memctl(&["doctor", "--fix"]);
    let corrupt = std::fs::read_dir(w.data()).unwrap().flatten();
    let corrupt: Vec<_> =
        corrupt.filter(|e| e.file_name().to_string_lossy().starts_with("corrupt")).collect();
    assert!(corrupt.is_empty(), "the database is not quarantined");
    check(&w);
}
