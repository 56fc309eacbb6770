//! `memctl why`: which sessions changed a file, and why.

use std::fs;

use serde_json::Value;

use crate::support::{Work, World};

/// The ids of the printed turns.
fn ids(json: &Value) -> Vec<String> {
    let changes = json["changes"].as_array().unwrap();
    changes.iter().map(|change| change["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_turns_that_changed_a_file_are_told_newest_first() {
    let w = World::new();
    let mut work = Work::new(&w, "app", "one");
    work.prompt("Write a parser for the price list");
    work.write(
        "src/parser.rs",
        "pub fn parse_price(text: &str) -> u32 {\n    text.len() as u32\n}\n",
    );
    work.runs(
        "git add -A && git commit -m 'feat: a price parser'",
        "[main (root-commit) 1a2b3c4] feat: a price parser\n 1 file changed, 3 insertions(+)",
    );
    work.stop("The parser reads one price per line, because the supplier's list has no header.");
    let mut work = Work::new(&w, "app", "two");
    work.prompt("The parser loops on empty input, fix it");
    work.edit(
        "src/parser.rs",
        "    text.len() as u32\n",
        "    let digits = text.trim_start();\n    digits.len() as u32\n",
    );
    work.stop(
        "An empty line never advanced the reader, so the loop did not end. It trims first now.",
    );

    let shown = work.memctl("", &["why", "src/parser.rs"]).ok();
    let fix = shown.find("The parser loops on empty input").expect(&shown);
    let first = shown.find("Write a parser for the price list").expect(&shown);
    assert!(fix < first, "{shown}");
    for part in [
        "2 turns changed it",
        "An empty line never advanced the reader",
        "created",
        "commit 1a2b3c4 feat: a price parser",
        "session one",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json = work.memctl("", &["why", "src/parser.rs", "--json"]).json();
    assert_eq!(ids(&json), ["s2", "s1"]);
    let [last, first] = &json["changes"].as_array().unwrap()[..] else { panic!("{json}") };
    assert_eq!(
        (&last["did"], &last["edits"], &last["session"]),
        (&"edited".into(), &1.into(), &"two".into())
    );
    assert_eq!(first["commits"][0]["hash"], "1a2b3c4");
    assert_eq!(json["project"], "app");
    // Every way to name the file leads to it.
    let absolute = work.dir.join("src/parser.rs");
    for (dir, file) in [
        ("src", "parser.rs"),
        ("", "./src/../src/parser.rs"),
        ("", "parser.rs"),
        ("src", absolute.to_str().unwrap()),
    ] {
        let json = work.memctl(dir, &["why", file, "--json"]).json();
        assert_eq!((&json["file"], ids(&json).len()), (&"src/parser.rs".into(), 2), "{file}");
    }
    let from_home = work.memctl("..", &["why", "app/src/parser.rs", "--json"]).json();
    assert_eq!(ids(&from_home), ["s2", "s1"]);
    assert_eq!(
        ids(&work.memctl("", &["why", "src/parser.rs", "--json", "--limit", "1"]).json()),
        ["s2"]
    );
}

#[test]
fn a_line_leads_to_the_session_that_wrote_it() {
    let w = World::new();
    let mut work = Work::new(&w, "app", "one");
    work.prompt("Write the price module");
    work.write("price.py", "def price(net):\n    rate = load_rate()\n    return net * rate\n");
    work.stop("The module computes the price.");
    work.prompt("Round to cents");
    work.edit("price.py", "    return net * rate\n", "    return round(net * rate, 2)\n");
    work.stop("Prices are rounded to cents, as the invoices need it.");
    let line = |n: &str| work.memctl("", &["why", &format!("price.py:{n}"), "--json"]).json();
    assert_eq!((ids(&line("2")), &line("2")["found"]), (vec!["s1".to_owned()], &true.into()));
    assert_eq!((ids(&line("3")), &line("3")["line"]), (vec!["s2".to_owned()], &3.into()));
    // A compiler prints a column, too.
    assert_eq!(ids(&line("3:5")), ["s2"]);
    let shown = work.memctl("", &["why", "price.py:3"]).ok();
    assert!(shown.contains("line 3 was written in") && shown.contains("as the invoices need it"));
    let file = work.dir.join("price.py");
    let by_hand = fs::read_to_string(&file).unwrap() + "print(price(3))  # by hand\n";
    fs::write(&file, by_hand).unwrap();
    assert_eq!(
        (ids(&line("4")), &line("4")["found"]),
        (vec!["s2".to_owned(), "s1".to_owned()], &false.into())
    );
    let shown = work.memctl("", &["why", "price.py:4"]);
    assert!(shown.err.contains("no recorded edit wrote line 4"), "{shown:?}");
    assert!(shown.ok().contains("2 turns changed it"));
    let beyond = work.memctl("", &["why", "price.py:99"]);
    assert_eq!(beyond.code, Some(2));
    assert!(beyond.err.contains("has only 4 lines"), "{beyond:?}");
}

#[test]
fn moved_removed_and_foreign_files_are_found() {
    let w = World::new();
    let mut work = Work::new(&w, "app", "one");
    work.prompt("Write a lexer");
    work.write("src/old.rs", "pub fn next_token() -> Option<char> { None }\n");
    work.stop("The lexer is written.");
    work.prompt("Call the file lexer.rs");
    work.runs("git mv src/old.rs src/lexer.rs", "");
    fs::rename(work.dir.join("src/old.rs"), work.dir.join("src/lexer.rs")).unwrap();
    work.stop("It is called lexer.rs now.");
    let outside = w.path("home").join("notes.md");
    fs::write(&outside, "# Notes\n").unwrap();
    work.prompt("Note it in my notes");
    work.edit("../notes.md", "# Notes\n", "# Notes\nThe lexer has a file of its own.\n");
    work.stop("It is in your notes.");
    let json = work.memctl("", &["why", "src/lexer.rs", "--json"]).json();
    assert_eq!(ids(&json), ["s2", "s1"], "{json}");
    assert_eq!(
        (&json["changes"][0]["did"], &json["changes"][0]["from"]),
        (&"moved".into(), &"src/old.rs".into())
    );
    let json = work.memctl("", &["why", outside.to_str().unwrap(), "--json"]).json();
    assert_eq!(ids(&json), ["s3"], "{json}");
    let json = work.memctl("", &["why", "src/old.rs", "--json"]).json();
    assert_eq!(json["changes"][0]["to"], "src/lexer.rs", "{json}");
    let mut work = Work::new(&w, "app", "two");
    work.prompt("Remove the lexer");
    work.runs("git rm src/lexer.rs", "rm 'src/lexer.rs'");
    fs::remove_file(work.dir.join("src/lexer.rs")).unwrap();
    work.stop("The lexer is gone, since nothing used it.");
    let json = work.memctl("", &["why", "src/lexer.rs", "--json"]).json();
    assert_eq!(json["changes"][0]["did"], "removed", "{json}");
}

#[test]
fn an_unknown_file_and_an_empty_store_are_told() {
    let w = World::new();
    let empty = w.memctl(&["why", "a.rs"]);
    assert_eq!(empty.code, Some(1));
    assert!(empty.err.contains("nothing is stored yet"), "{empty:?}");
    assert!(!w.data().exists());
    let mut work = Work::new(&w, "app", "one");
    work.prompt("Write two modules");
    work.write("a/mod.rs", "pub fn first_module() {}\n");
    work.write("b/mod.rs", "pub fn second_module() {}\n");
    work.stop("Both modules are written.");
    let unknown = work.memctl("", &["why", "nothing.rs"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("no recorded session changed 'nothing.rs'"), "{unknown:?}");
    let json = work.memctl("", &["why", "nothing.rs", "--json"]);
    assert_eq!(json.code, Some(1));
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert!(ids(&json).is_empty());
    let several = work.memctl("", &["why", "mod.rs"]);
    assert_eq!(several.code, Some(2));
    assert!(several.err.contains("a/mod.rs, b/mod.rs"), "{several:?}");
}

#[test]
fn a_narrow_terminal_wraps_and_hostile_names_are_inert() {
    let w = World::new().with("COLUMNS", "30");
    let mut work = Work::new(&w, "app", "one");
    work.prompt("Write a rather long title that does not fit into a narrow terminal \u{1b}[31mred");
    work.write("a\u{1b}[31m.txt", "some text that is long enough\n");
    work.stop("It is written, and the text of this message is longer than a narrow line, too.");
    let shown = work.memctl("", &["why", "a\u{1b}[31m.txt"]).ok();
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert!(shown.lines().skip(1).all(|line| line.chars().count() <= 30), "{shown}");
}
