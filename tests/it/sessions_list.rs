//! `memctl list`, `last`, `timeline`, and `show` with several ids.

use std::path::Path;

use serde_json::Value;

use crate::support::directories::{directory, moved_to};
use crate::support::recordings::{edit, end, prompt, stop, tool};
use crate::support::{Work, World};

/// Two finished sessions of the directory in which commands run, and one of another project.
fn world() -> World {
    let w = World::new();
    let (home, other) = (w.path("home"), directory(&w, "other"));
    let play = |dir: &Path, payloads: Vec<Value>| {
        payloads.into_iter().for_each(|payload| drop(w.hook(&moved_to(payload, dir))));
        w.settle();
    };
    play(
        &home,
        vec![
            prompt("first", "t", "Fix the parser of the importer, please"),
            edit("first", "t", "u1", "src/import.rs"),
            tool("first", "t", "u2", "cargo test", "test result: FAILED. 6 passed; 1 failed"),
            stop("first", "t", "The parser is fixed.\n\nNext steps:\n- Write the changelog entry"),
            end("first"),
        ],
    );
    play(
        &other,
        vec![
            prompt("elsewhere", "t", "Rename the widget of the dashboard"),
            edit("elsewhere", "t", "u1", "src/widget.rs"),
            stop("elsewhere", "t", "The widget has its new name."),
            end("elsewhere"),
        ],
    );
    play(
        &home,
        vec![
            prompt("second", "t", "Which exporter is in use, and where is it configured?"),
            tool("second", "t", "v", "cat exporter.toml", "kind = prometheus"),
            stop("second", "t", "The exporter is `prometheus`, set in `exporter.toml`."),
            end("second"),
        ],
    );
    w
}

fn texts(rows: &Value, key: &str) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
}

#[test]
fn sessions_are_listed_newest_first() {
    let w = world();
    let listed = w.memctl(&["list", "--json"]).json();
    assert_eq!(texts(&listed, "session"), ["second", "first"]);
    assert_eq!(listed[1]["title"], "Fix the parser of the importer, please");
    assert_eq!((&listed[1]["prompts"], &listed[1]["open"]), (&1.into(), &2.into()), "{listed}");
    assert!(listed[1]["outcome"].as_str().unwrap().contains("cargo test fails"), "{listed}");
    assert_eq!(listed[0]["outcome"], "answered");
    let all = w.memctl(&["list", "--all-projects", "--json"]).json();
    assert_eq!(texts(&all, "session"), ["second", "elsewhere", "first"]);
    assert_eq!(texts(&w.memctl(&["list", "-n", "1", "--json"]).json(), "session"), ["second"]);
    let named = w.memctl(&["list", "--project", "other", "--json"]).json();
    assert_eq!(texts(&named, "session"), ["elsewhere"]);
    let text = w.memctl(&["list"]).ok();
    let heads: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heads, ["DATE", "SESSION", "TITLE", "OUTCOME", "PROMPTS", "MEMORIES"]);
    assert!(w.memctl(&["list", "-a"]).ok().contains("PROJECT"));
    assert_eq!(w.memctl(&["list", "-n", "0"]).code, Some(2));
}

#[test]
fn the_latest_session_is_told() {
    let w = world();
    let last = w.memctl(&["last", "--json"]).json();
    assert_eq!(last["session"], "second");
    assert!(last["done"][0].as_str().unwrap().contains("prometheus"), "{last}");
    let text = w.memctl(&["last", "--project", "other"]).ok();
    for part in ["elsewhere", "Asked", "Rename the widget", "Done", "new name", "src/widget.rs"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    w.memctl(&["forget", "second"]).ok();
    let text = w.memctl(&["last"]).ok();
    assert!(text.contains("Open\n") && text.contains("Write the changelog entry"), "{text}");
    w.memctl(&["done", "changelog"]).ok();
    assert!(!w.memctl(&["last"]).ok().contains("changelog"));
}

/// What a later session did is not open any more, whichever command counts.
#[test]
fn all_commands_count_the_same_open_ends() {
    let w = World::new();
    let mut work = Work::new(&w, "app", "one");
    work.prompt("Read the orders from CSV files");
    work.write("load.py", "def load(): ...\n");
    work.stop(
        "`load` reads CSV files.\n\nNext steps:\n- Write `docs/load.md` about `load`\n\
         - Make `load` read the zipped exports of the archive",
    );
    w.hook(&end("one"));
    w.settle();
    let counts = || {
        let done = work.memctl("", &["done", "--json"]).json().as_array().unwrap().len();
        let last = work.memctl("", &["last", "--json"]).json();
        let listed = work.memctl("", &["list", "--json"]).json();
        let open = listed.as_array().unwrap().iter().map(|row| row["open"].as_u64().unwrap());
        (done, last["left"].as_array().unwrap().len(), open.sum::<u64>() as usize)
    };
    assert_eq!(counts(), (2, 2, 2));
    work.memctl("", &["done", "zipped"]).ok();
    assert_eq!(counts(), (1, 1, 1));
    let mut later = Work::new(&w, "app", "two");
    later.prompt("Write docs/load.md about load");
    later.write("docs/load.md", "`load` reads CSV files.\n");
    later.stop("`docs/load.md` describes `load`.");
    w.hook(&end("two"));
    w.settle();
    let (done, _, listed) = counts();
    assert_eq!((done, listed), (0, 0));
}

/// A later turn of the session changes another line of the same file.
#[test]
fn the_work_of_all_turns_is_told_until_it_is_replaced() {
    let w = World::new();
    let mut work = Work::new(&w, "app", "one");
    work.prompt("Add pagination to the list of orders");
    work.write("orders.py", "page_size = 20\n\n\norder_name = 1\n");
    work.stop("The order list has pages of twenty rows in `orders.py`.");
    work.prompt("Rename the field of the order");
    work.edit("orders.py", "order_name = 1", "order_title = 1");
    work.stop("The field is called `order_title` now.");
    let done = work.memctl("", &["last", "--json"]).json()["done"].to_string();
    let context = work.memctl("", &["context"]).ok();
    for text in [&done, &context] {
        assert!(text.contains("pages of twenty") && text.contains("`order_title`"), "{text}");
    }
    let order = |part: &str| done.find(part).unwrap();
    assert!(order("pages of twenty") < order("`order_title`"), "newest last: {done}");
    work.prompt("Load the orders while scrolling instead");
    work.edit("orders.py", "page_size = 20", "scroll_step = 20");
    work.edit("orders.py", "order_title = 1", "order_label = 1");
    work.stop("The order list loads more rows while it is scrolled.");
    let last = work.memctl("", &["last", "--json"]).json();
    assert!(!last["done"].to_string().contains("pages of twenty"), "{last}");
    assert!(last["done"].to_string().contains("while it is scrolled"), "{last}");
}

#[test]
fn a_timeline_surrounds_a_row() {
    let w = world();
    let all = w.memctl(&["timeline", "--json"]).json();
    let names = texts(&all, "id");
    let times: Vec<i64> =
        all.as_array().unwrap().iter().map(|row| row["at_epoch"].as_i64().unwrap()).collect();
    assert!(times.is_sorted(), "{all}");
    assert_eq!((names[0].as_str(), names.last().unwrap().as_str()), ("p1", "s3"), "{names:?}");
    assert!(!names.contains(&"p2".to_owned()), "another project: {names:?}");
    let around = w.memctl(&["timeline", "s1", "-n", "1", "--json"]).json();
    let around_names = texts(&around, "id");
    let at = names.iter().position(|name| name == "s1").unwrap();
    assert_eq!(around_names, names[at - 1..=at + 1]);
    let anchors: Vec<bool> =
        around.as_array().unwrap().iter().map(|row| row["anchor"].as_bool().unwrap()).collect();
    assert_eq!(anchors, [false, true, false]);
    // Rows of other projects, and sessions.
    assert_eq!(texts(&w.memctl(&["timeline", "p2", "--json"]).json(), "session")[0], "elsewhere");
    let session = w.memctl(&["timeline", "first", "--json"]).json();
    assert!(texts(&session, "session").iter().all(|name| name == "first"), "{session}");
    let text = w.memctl(&["timeline", "s1"]).ok();
    assert!(text.contains("> The parser is fixed."), "{text}");
    // A forgotten prompt has no text.
    w.memctl(&["forget", "p1", "--yes"]).ok();
    let rest = texts(&w.memctl(&["timeline", "--json"]).json(), "id");
    assert!(!rest.contains(&"p1".to_owned()) && rest.contains(&"p3".to_owned()), "{rest:?}");
    assert_eq!(w.memctl(&["timeline", "7"]).code, Some(2));
    assert_eq!(w.memctl(&["timeline", "s99"]).code, Some(1));
}

#[test]
fn several_ids_are_shown_even_if_one_is_unknown() {
    let w = world();
    let output = w.memctl(&["show", "s1", "o99", "p1", "--json"]);
    assert_eq!((output.code, output.out.lines().count()), (Some(1), 2), "{output:?}");
    assert!(output.err.contains("'o99'"), "{output:?}");
}

#[test]
fn an_empty_memory_lists_nothing() {
    let w = World::new();
    for verb in ["list", "timeline", "done"] {
        assert_eq!(w.memctl(&[verb, "--json"]).json().as_array().unwrap().len(), 0, "{verb}");
    }
    assert_eq!(w.memctl(&["last", "--json"]).json().as_object().unwrap().len(), 0);
    for args in [&["list"][..], &["last"], &["done"]] {
        let output = w.memctl(args);
        assert!(output.code == Some(0) && output.out.is_empty(), "{output:?}");
    }
    for args in [&["pin", "o1"][..], &["done", "x"], &["edit", "o1"], &["feedback", "wrong", "o1"]]
    {
        assert_eq!(w.memctl(args).code, Some(1), "{args:?}");
    }
    assert!(!w.data().exists());
}
