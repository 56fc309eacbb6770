use super::*;
use crate::memory::{CheckRun, Evidence, Outcome, Refusal};
use crate::recall::known::testing::{Memory, PROJECT, edited};

fn texts(memory: &Memory, path: &str) -> Vec<String> {
    let known = about_file(&memory.conn, PROJECT, path, 10).unwrap();
    known.into_iter().map(|known| format!("{} {}", known.row, known.text)).collect()
}

#[test]
fn the_most_specific_comes_first() {
    let memory = Memory::new();
    memory.note(10, 1, "assistant", "discovery", "The parser reads lines lazily", "src/a.rs");
    memory.note(11, 1, "user", "decision", "Never format src/a.rs by machine", "src/x.rs");
    let refusal = Refusal {
        what: "Edit /p/src/a.rs".into(),
        words: "leave the parser alone".into(),
        ..Default::default()
    };
    memory.turn(1, 1, "Try it", Evidence { refusals: vec![refusal], ..Default::default() });
    let back = Evidence { put_back: vec!["src/a.rs".into()], ..Default::default() };
    memory.turn(2, 1, "Undo that", back);
    let failing = CheckRun {
        key: "cargo test".into(),
        outcome: Outcome::Fail,
        failing: vec!["parser::empty".into(), "reads an empty file from disk".into()],
        ..Default::default()
    };
    let evidence =
        Evidence { files: vec![edited("src/a.rs")], checks: vec![failing], ..Default::default() };
    memory.turn(3, 2, "Guard empty input", evidence);
    assert_eq!(
        texts(&memory, "src/a.rs"),
        [
            "o11 The user said: Never format src/a.rs by machine",
            "s1 The user refused a change of this file and said: “leave the parser alone”",
            "s2 An earlier change of this file was taken back (“Undo that”).",
            "s3 `cargo test` failed after the last change (“Guard empty input”): `parser::empty`",
            "s3 Last changed: Guard empty input",
            "o10 discovery: The parser reads lines lazily",
        ]
    );
}

#[test]
fn a_check_that_failed_before_the_change_does_not_blame_it() {
    let check = |source: i64, edited_since| CheckRun {
        key: "cargo test".into(),
        outcome: Outcome::Fail,
        edited_since,
        sources: if source == 0 { vec![] } else { vec![source] },
        ..Default::default()
    };
    let told = |check: CheckRun| {
        let memory = Memory::new();
        let evidence =
            Evidence { files: vec![edited("src/a.rs")], checks: vec![check], ..Default::default() };
        memory.turn(3, 2, "Guard", evidence);
        texts(&memory, "src/a.rs").swap_remove(0)
    };
    // The file was changed by the event 5.
    assert!(told(check(4, true)).contains("failed before the last change, and was not run again"));
    assert!(told(check(6, true)).contains("failed after the last change"), "another file changed");
    assert!(told(check(0, false)).contains("failed after the last change"), "an older release");
    assert!(told(check(0, true)).contains("failed before the last change"));
}

#[test]
fn a_moved_file_keeps_its_notes_and_others_have_none() {
    let memory = Memory::new();
    memory.note(10, 1, "assistant", "bugfix", "An off-by-one in the lexer", "src/old.rs");
    let moved = FileChange {
        from: Some("src/old.rs".into()),
        change: Change::Moved,
        ..edited("src/new.rs")
    };
    memory.turn(3, 2, "Rename the lexer", Evidence { files: vec![moved], ..Default::default() });
    assert_eq!(
        texts(&memory, "src/new.rs"),
        [
            "s3 Moved here from `src/old.rs`: Rename the lexer",
            "o10 bugfix: An off-by-one in the lexer",
        ]
    );
    assert!(texts(&memory, "new.rs").is_empty());
    assert!(texts(&memory, "src/other.rs").is_empty());
}

#[test]
fn text_of_the_web_and_superseded_rows_are_not_told() {
    let memory = Memory::new();
    memory.note(10, 1, "web", "discovery", "A page about a.rs", "src/a.rs");
    memory.note(11, 1, "tool", "change", "An old one", "src/a.rs");
    memory.note(12, 1, "tool", "change", "An expired one", "src/a.rs");
    memory.note(13, 1, "tool", "change", "A suspicious one", "src/a.rs");
    memory
        .conn
        .execute_batch(
            "UPDATE observations SET superseded_by = 'o10' WHERE id = 11;
             UPDATE observations SET expires_at_epoch = 5 WHERE id = 12;
             UPDATE observations SET quarantined = 1 WHERE id = 13;",
        )
        .unwrap();
    assert!(texts(&memory, "src/a.rs").is_empty());
}
