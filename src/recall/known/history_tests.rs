use super::*;
use crate::memory::Evidence;
use crate::recall::known::testing::{Memory, PROJECT, edited};

fn told(memory: &Memory, path: &str) -> Vec<(i64, Vec<i64>)> {
    let turns = changes_of_file(&memory.conn, PROJECT, path).unwrap();
    turns.into_iter().map(|turn| (turn.row.id, turn.notes)).collect()
}

fn changing(file: FileChange) -> Evidence {
    Evidence { files: vec![file], ..Evidence::default() }
}

#[test]
fn a_file_is_followed_to_its_former_path() {
    let memory = Memory::new();
    memory.turn(1, 1, "Write the lexer", changing(edited("src/old.rs")));
    memory.note(1, 1, "tool", "feature", "A lexer", "src/old.rs");
    let moved = FileChange {
        from: Some("src/old.rs".into()),
        change: Change::Moved,
        ..edited("src/new.rs")
    };
    memory.turn(2, 2, "Rename it", changing(moved));
    memory.turn(3, 3, "Another file of that name", changing(edited("src/old.rs")));
    memory.turn(4, 3, "Fix it", changing(edited("src/new.rs")));
    memory.turn(5, 3, "Another file", changing(edited("src/new.rs.bak")));
    assert_eq!(told(&memory, "src/new.rs"), [(4, vec![]), (2, vec![]), (1, vec![1])]);
    assert_eq!(told(&memory, "src/old.rs"), [(3, vec![]), (2, vec![]), (1, vec![1])]);
    assert_eq!(paths_ending(&memory.conn, PROJECT, "new.rs").unwrap(), ["src/new.rs"]);
}

#[test]
fn a_line_leads_to_the_turn_that_added_it() {
    let memory = Memory::new();
    let added = line_prints::of_lines(["    let total = price * rate;"]);
    memory.turn(1, 1, "Compute it", changing(FileChange { added, ..edited("a.rs") }));
    memory.turn(2, 1, "Format it", changing(edited("a.rs")));
    let turns = changes_of_file(&memory.conn, PROJECT, "a.rs").unwrap();
    let wrote = |line| turns.iter().find(|turn| turn.added(line)).map(|turn| turn.row.id);
    assert_eq!(wrote("let total = price * rate;"), Some(1));
    assert_eq!(wrote("let total = 0;"), None);
    assert_eq!(wrote("}"), None);
}
