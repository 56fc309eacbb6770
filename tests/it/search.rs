//! `memctl search`: what the user types and sees, and what scripts get.

use std::process::Stdio;

use nix::fcntl::{Flock, FlockArg};
use serde_json::{Value, json};

use crate::support::World;
use crate::support::directories::in_dir;
use crate::support::recordings::{end, prompt, stop, tool};
use crate::support::world::Output;

const DAY: i64 = 86_400_000;

/// 2025-03-04 09:30 UTC: long ago, so that rows are dated by their day.
const T: i64 = 1_741_080_600_000;

fn row(id: &str, text: &str) -> Value {
    json!({"id": id, "text": text, "project": "app", "created_at_epoch": T})
}

fn remember(w: &World, rows: &[Value]) {
    let input: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let output = w.memctl_with(&["remember", "--jsonl", "-"], input.as_bytes());
    assert_eq!(output.err, "");
    output.ok();
}

/// A world with these rows in the project `app`.
fn with_rows(rows: &[Value]) -> World {
    let w = World::new().with("TZ", "UTC");
    remember(&w, rows);
    w
}

fn search(w: &World, args: &[&str]) -> Output {
    w.memctl(&[&["search", "--project", "app"], args].concat())
}

/// The ids that scripts gave the rows found, best first.
#[track_caller]
fn found(w: &World, args: &[&str]) -> Vec<String> {
    let hits = search(w, &[args, &["--json"]].concat()).json();
    hits.as_array()
        .unwrap()
        .iter()
        .map(|hit| hit["external_id"].as_str().unwrap_or("-").to_owned())
        .collect()
}

/// The decision of three weeks ago and what surrounds it.
fn notebook() -> World {
    with_rows(&[
        json!({"id": "queue", "type": "decision", "project": "app", "session": "s-1", "created_at_epoch": T,
               "text": "Retries are capped at three.\nThe queue drops what fails three times, so that one \
                        poisoned message does not block the others. Operators see it in the dead letter \
                        box.", "files": ["src/queue/retry.rs"]}),
        json!({"id": "port", "project": "app", "session": "s-1", "created_at_epoch": T + 1000,
               "text": "The staging database listens on port 5433."}),
        json!({"id": "parser", "type": "bugfix", "project": "app", "session": "s-2", "created_at_epoch": T + DAY,
               "title": "The parser dropped the last byte of every other line",
               "text": "read_line kept the carriage return. thread 'main' panicked at \
                        src/parse/lexer.rs:412:17: index out of bounds: the len is 3 but the index is 3",
               "files": ["src/parse/lexer.rs"]}),
        json!({"id": "other", "project": "tally", "created_at_epoch": T,
               "text": "Retries of the month report are capped at five."}),
    ])
}

#[test]
fn the_user_finds_a_decision_by_a_half_remembered_word() {
    let mut w = notebook();
    insta::assert_snapshot!(search(&w, &["poisoned", "message", "retry"]).ok(), @r"
    o1  Retries are capped at three.
        2025-03-04 · decision
        …what fails three times, so that one poisoned message does not block the others. Operators see it in the dead letter box.

    o2  The staging database listens on port 5433.
        2025-03-04 · note · beside a row that fits
    ");
    // Keywords have no rows beside.
    insta::assert_snapshot!(search(&w, &["poisoned", "message"]).ok(), @r"
    o1  Retries are capped at three.
        2025-03-04 · decision
        …what fails three times, so that one poisoned message does not block the others. Operators see it in the dead letter box.
    ");
    w.set("COLUMNS", "60");
    insta::assert_snapshot!(search(&w, &["why is the parser slow"]).ok(), @r"
    o3  The parser dropped the last byte of every other line
        2025-03-05 · bugfix
        read_line kept the carriage return. thread 'main'
        panicked at src/parse/lexer.rs:412:17: index out of
        bounds: the len is 3 but the index is 3
    ");
    insta::assert_snapshot!(w.memctl(&["search", "-a", "-n", "2", "capped"]).ok(), @r"
    o4  Retries of the month report are capped at five.
        2025-03-04 · note · tally

    o1  Retries are capped at three.
        2025-03-04 · decision · app
        The queue drops what fails three times, so that one
        poisoned message does not block the others. Operators
        see it in the dead letter box.
    ");
    insta::assert_snapshot!(search(&w, &["-C", "1", "-n", "1", "staging"]).ok(), @r"
    o2  The staging database listens on port 5433.
        2025-03-04 · note
        before  o1  Retries are capped at three.
    ");
}

#[test]
fn nothing_found_is_exit_code_1_and_says_what_to_try() {
    let w = notebook();
    let none = search(&w, &["zanzibar"]);
    assert_eq!((none.code, none.out.as_str()), (Some(1), ""));
    assert_eq!(none.err, "note: nothing found for 'zanzibar' in project app\n");
    let elsewhere = search(&w, &["month", "report"]);
    assert_eq!(elsewhere.code, Some(1), "{elsewhere:?}");
    assert!(elsewhere.err.ends_with("  hint: --all-projects finds 1 row\n"), "{elsewhere:?}");
    let filtered = search(&w, &["--type", "discovery", "retries"]);
    assert_eq!(filtered.code, Some(1));
    assert!(filtered.err.ends_with("  hint: 2 rows without the filters\n"), "{filtered:?}");
    assert_eq!(search(&w, &["zanzibar", "--json"]).ok(), "[]\n");
    let empty = search(&w, &["--format", "{id}", "zanzibar"]);
    assert_eq!((empty.code, empty.out.as_str()), (Some(1), ""));
    let unknown = w.memctl(&["search", "--project", "no-such", "x"]);
    assert!(unknown.code == Some(1) && unknown.err.contains("no-such"), "{unknown:?}");
    for args in [&["search"][..], &["search", " "], &["search", "x", "--batch", "-"]] {
        let refused = w.memctl(args);
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{args:?}");
    }
}

#[test]
fn names_paths_and_errors_are_found_by_part_and_whole() {
    let w = with_rows(&[
        row("id", "getUserName reads user_name_cache before pre-edit-check runs"),
        row("path", "The tests of src/parse/lexer.rs:412:17 are slow"),
        row("error", "error[E0308]: mismatched types: expected `Vec<u8>`, found `&[u8]`"),
        row("frame", "at handleRequest (/srv/app/node_modules/express/lib/router.js:284:15)"),
        row("cpp", "The C++ build needs foo\"bar and a OR b"),
        row("cjk", "記憶の検索は速い"),
        row("nfd", "Cafe\u{301} opens at nine"),
        row("prose", "A note about the weather and nothing else"),
    ]);
    for (query, wanted) in [
        ("getUserName", "id"),
        ("user name cache", "id"),
        ("UserName", "id"),
        ("user_name_cache", "id"),
        ("pre-edit-check", "id"),
        ("src/parse/lexer.rs", "path"),
        ("lexer.rs:412", "path"),
        ("lexer", "path"),
        ("E0308", "error"),
        ("error[E0308]: mismatched types", "error"),
        ("expected `Vec<u8>`, found `&[u8]`", "error"),
        ("at handleRequest (/srv/app/node_modules/express/lib/router.js:284:15)", "frame"),
        ("express router.js", "frame"),
        ("C++", "cpp"),
        ("foo\"bar", "cpp"),
        ("a OR b", "cpp"),
        ("検索", "cjk"),
        ("caf\u{e9}", "nfd"),
        ("cafe", "nfd"),
        ("CAFE\u{301}", "nfd"),
    ] {
        assert_eq!(found(&w, &[query]).first().map(String::as_str), Some(wanted), "{query}");
    }
}

#[test]
fn no_input_is_an_error() {
    let w = notebook();
    let brackets = "([{<\"'*".repeat(1500);
    for query in [
        "pre-edit-check",
        "C++",
        "foo\"bar",
        "()*\"",
        "NOT",
        "a OR",
        "AND",
        "NEAR(a b)",
        "\"",
        "''",
        "-",
        "--",
        "*",
        "^retries",
        "a:b:c",
        "type:",
        "file:\"",
        "after:never",
        "🦀 🚀",
        "\u{1b}[31mred",
        "retries\0",
        "a\nb\tc",
        "\u{feff}",
        "記",
        "%_",
        "1; DROP TABLE observations",
        &brackets,
    ] {
        if query.contains('\0') {
            continue; // No argument has a NUL.
        }
        let output = search(&w, &["--json", "--", query]);
        let is_said = query == "after:never" && output.err.starts_with("note: ");
        assert!(
            is_said || output.err.is_empty() || query.trim().is_empty(),
            "{query:?}: {output:?}"
        );
        if !query.trim().is_empty() {
            assert!(output.json().is_array(), "{query:?}");
        }
        let line = json!({"id": 1, "query": format!("{query}\0 {query}"), "project": "app"});
        let answer =
            w.memctl_with(&["search", "--batch", "-"], format!("{line}\n").as_bytes()).json();
        assert!(answer["results"].is_array(), "{query:?}: {answer}");
    }
}

#[test]
fn filters_are_options_and_words_of_the_query() {
    let w = with_rows(&[
        json!({"id": "a", "text": "cache of the parser", "project": "app", "type": "decision",
               "session": "one", "files": ["src/a.rs"], "created_at_epoch": T}),
        json!({"id": "b", "text": "cache of the report", "project": "app", "type": "bugfix",
               "session": "two", "files": ["lib/b.rs"], "created_at_epoch": T + 2 * DAY}),
        json!({"id": "c", "text": "cache of the web", "project": "app", "origin": "web",
               "created_at_epoch": T + 4 * DAY}),
    ]);
    w.execute_sql("UPDATE observations SET branch = 'topic' WHERE external_id = 'jsonl:b'");
    let check = |option: &[&str], word: &str, wanted: &[&str]| {
        let mut by_option = found(&w, &[&["cache"], option].concat());
        let mut by_word = found(&w, &["cache", word]);
        by_option.sort();
        by_word.sort();
        assert_eq!(by_option, wanted, "{option:?}");
        assert_eq!(by_word, wanted, "{word}");
    };
    check(&["--type", "decision"], "type:decision", &["a"]);
    check(&["--file", "src/a.rs"], "file:src/a.rs", &["a"]);
    check(&["--file", "lib"], "file:lib", &["b"]);
    check(&["--session", "two"], "session:two", &["b"]);
    check(&["--branch", "topic"], "branch:topic", &["b"]);
    check(&["--after", "2025-03-05"], "after:2025-03-05", &["b", "c"]);
    check(&["--before", "2025-03-05"], "before:2025-03-05", &["a"]);
    check(&["--origin", "web"], "origin:web", &["c"]);
    assert_eq!(found(&w, &["cache -report", "--type", "bugfix"]), [] as [&str; 0]);
    assert_eq!(found(&w, &["\"cache of the report\""]), ["b"]);
    assert_eq!(found(&w, &["--type", "bugfix", "--type", "decision", "cache", "-n", "1"]).len(), 1);
    // Without words, the newest rows that meet the filters.
    assert_eq!(found(&w, &["--after", "2025-03-05"]), ["c", "b"]);
}

#[test]
fn a_filter_that_is_not_understood_is_searched_as_text_and_said() {
    let w = notebook();
    let output = search(&w, &["retries", "after:soon"]);
    let note = "note: after:soon is searched as text: this is no date, such as 2026-11-30 or 2w\n";
    assert_eq!(output.err, note);
    assert!(output.ok().contains("Retries are capped at three"));
    let output = search(&w, &["retries", "project:nowhere", "--json"]);
    assert_eq!(output.err, "note: project:nowhere is searched as text: no project has this name\n");
    assert_eq!(output.json()[0]["external_id"], "queue");
    assert_eq!(search(&w, &["retries", "after:2024", "error: capped"]).err, "");
}

#[test]
fn text_from_the_web_is_found_but_never_told() {
    let w = World::new();
    let project = w.path("home");
    remember(
        &w,
        &[
            json!({"id": 1, "text": "The gateway wants an Idempotency-Key header", "origin": "web", "project": project}),
            json!({"id": 2, "text": "Our gateway client lives in src/pay.rs", "project": project}),
        ],
    );
    let args = ["search", "--json", "--origin", "web", "gateway Idempotency-Key"];
    let hits = w.memctl(&args).json();
    assert_eq!((&hits[0]["external_id"], &hits[0]["origin"]), (&json!("1"), &json!("web")));
    assert!(w.memctl(&["search", "gateway", "idempotency"]).ok().contains("from the web"));
    let context = w.memctl(&["context"]).ok();
    assert!(context.contains("src/pay.rs") && !context.contains("Idempotency"), "{context}");
}

#[test]
fn what_is_forgotten_is_not_found_and_in_no_file() {
    let w = notebook();
    let word = "Xylophon7731";
    remember(&w, &[row("x", &format!("The {word} is in the cellar"))]);
    assert_eq!(found(&w, &[word]), ["x"]);
    assert!(!w.files_with(&[word.to_owned()]).is_empty());
    w.memctl(&["forget", "--query", word, "--yes"]).ok();
    assert_eq!(found(&w, &[word]), [] as [&str; 0]);
    w.memctl(&["forget", "--undo"]).ok();
    assert_eq!(found(&w, &[word]), ["x"]);
    w.memctl(&["forget", "--query", word, "--yes", "--now"]).ok();
    assert_eq!(found(&w, &[word]), [] as [&str; 0]);
    assert_eq!(w.files_with(&[word.to_owned(), word.to_lowercase()]), [] as [&str; 0]);
}

#[test]
fn a_changed_row_is_found_by_its_new_words_only() {
    let w = notebook();
    remember(&w, &[row("x", "the walrus sleeps")]);
    remember(&w, &[row("x", "the penguin sleeps")]);
    assert_eq!(found(&w, &["walrus"]), [] as [&str; 0]);
    assert_eq!(found(&w, &["penguin"]), ["x"]);
}

#[test]
fn a_flood_from_the_web_changes_nothing() {
    let w = notebook();
    let before = search(&w, &["--json", "staging database port"]).json();
    let flood: Vec<Value> = (0..10_000)
        .map(|n| {
            json!({"id": format!("w{n}"), "project": "app", "origin": "web", "created_at_epoch": T + n,
                   "text": format!("staging database port {n} staging database port")})
        })
        .collect();
    remember(&w, &flood);
    let after = search(&w, &["--json", "staging database port"]).json();
    assert_eq!(before[0]["external_id"], "port");
    assert_eq!(after[0]["external_id"], "port", "{after:#}");
    let told = w.memctl(&["context", "--project", "app"]).ok();
    assert!(told.contains("port 5433") && !told.contains("staging database port"), "{told}");
}

#[test]
fn a_session_of_hooks_is_found_with_its_prompts_and_summaries() {
    let w = World::new();
    let home = w.path("home");
    let at_home = |payload| in_dir(payload, &home);
    w.hooks(&[
        at_home(prompt("abc-1", "t", "Why does the ferret importer skip Tuesdays?")),
        at_home(tool("abc-1", "t", "u", "cargo test", "test result: ok. 7 passed; 0 failed")),
        at_home(stop(
            "abc-1",
            "t",
            "The ferret importer read the weekday from a table without Tuesday.",
        )),
        at_home(end("abc-1")),
    ]);
    w.settle();
    let hits = w.memctl(&["search", "--json", "ferret importer"]).json();
    assert_eq!(hits.as_array().unwrap().len(), 1, "one hit for the turn: {hits:#}");
    assert_eq!(hits[0]["session"], "abc-1");
    let rows = format!("{} {}", hits[0]["id"], hits[0]["same_turn"]);
    assert!(rows.contains("\"p1\"") && rows.contains("\"s1\""), "{hits:#}");
    let prompts = w.memctl(&["search", "--json", "--type", "prompt", "ferret"]).json();
    assert_eq!((prompts.as_array().unwrap().len(), &prompts[0]["id"]), (1, &json!("p1")));
    let around = w.memctl(&["search", "--json", "-C", "3", "--type", "prompt", "ferret"]).json();
    assert!(around[0]["after"].to_string().contains("\"s1\""), "{around:#}");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let w = with_rows(&[row("x", "walrus \u{1b}[31mred\u{7} \u{202e}turned\u{0} end")]);
    for args in [
        &["walrus"][..],
        &["--explain", "walrus"],
        &["--json", "walrus"],
        &["--format", "{title}|{snippet}", "walrus"],
    ] {
        let out = search(&w, args).ok();
        let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!out.contains(bad), "{args:?}: {out:?}");
    }
}

#[test]
fn a_picker_gets_a_line_per_row() {
    let w = notebook();
    let lines = search(
        &w,
        &["--format", "{id}\\t{date}\\t{title}\\t{{{type}}}", "retries", "parser", "port"],
    )
    .ok();
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "o1\t2025-03-04\tRetries are capped at three.\t{decision}",
            "o2\t2025-03-04\tThe staging database listens on port 5433.\t{note}",
            "o3\t2025-03-05\tThe parser dropped the last byte of every other line\t{bugfix}",
        ]
    );
    let wrong = search(&w, &["--format", "{titel}", "x"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("did you mean 'title'?"), "{wrong:?}");
}

#[test]
fn a_batch_answers_line_by_line() {
    let w = notebook();
    let lines = [
        json!({"id": "q1", "query": "retries capped", "project": "app"}).to_string(),
        json!({"id": 2, "query": "retries capped", "project": null, "limit": 1}).to_string(),
        json!({"id": "q3", "query": "retries capped", "before_epoch": T}).to_string(),
        json!({"id": "q4", "query": "port", "project": "app", "not_session": "s-1"}).to_string(),
        json!({"id": "q5", "query": "retries", "project": "never-seen"}).to_string(),
        "{\"id\": \"q6\"".to_owned(),
        json!({"id": "q7", "qeury": "x"}).to_string(),
    ];
    let output =
        w.memctl_with(&["search", "--batch", "-"], format!("{}\n", lines.join("\n")).as_bytes());
    assert_eq!((output.code, output.err.as_str()), (Some(1), "error: 2 lines were not answered\n"));
    let answers: Vec<Value> =
        output.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let ids: Vec<&Value> = answers.iter().map(|a| &a["id"]).collect();
    assert_eq!(
        ids,
        [
            &json!("q1"),
            &json!(2),
            &json!("q3"),
            &json!("q4"),
            &json!("q5"),
            &Value::Null,
            &json!("q7")
        ]
    );
    let results = |n: usize| answers[n]["results"].as_array().unwrap();
    assert_eq!(results(0)[0]["external_id"], "queue");
    assert_eq!(results(0)[0]["confidence"], answers[0]["confidence"]);
    assert_eq!(results(1).len(), 1);
    assert_eq!((results(2).len(), results(3).len(), results(4).len()), (0, 0, 0));
    assert_eq!(answers[5]["error"], "invalid JSON at column 11");
    assert_eq!(answers[5]["line"], 6);
    assert_eq!(answers[6]["error"], "unknown field 'qeury'; did you mean 'query'?");
    // The same rows in the same order as the command prints.
    let direct = search(&w, &["--json", "retries capped"]).json();
    assert_eq!(&direct, &answers[0]["results"]);
}

#[test]
fn reasons_are_shown() {
    let w = notebook();
    let text = search(&w, &["--explain", "retries", "capped"]).ok();
    assert!(
        text.contains("WORD") && text.contains("IDF") && text.contains("confidence "),
        "{text}"
    );
    assert!(text.contains("passage") && text.contains("pairs"), "{text}");
    let hits = search(&w, &["--explain", "--json", "retries", "capped"]).json();
    let explain = &hits[0]["explain"];
    assert!(
        explain["words"].as_object().unwrap().values().any(|word| word["n"].as_i64() > Some(0)),
        "{explain}"
    );
    assert!(
        explain["row"].as_f64() > Some(0.0) && explain["passage"].as_f64() > Some(0.0),
        "{explain}"
    );
}

#[test]
fn an_empty_memory_says_so_and_is_not_created() {
    let w = World::new();
    let none = w.memctl(&["search", "x"]);
    assert_eq!((none.code, none.out.as_str()), (Some(1), ""));
    assert!(none.err.starts_with("error: nothing is stored yet\n"), "{none:?}");
    assert_eq!(w.memctl(&["search", "x", "--json"]).ok(), "[]\n");
    let batch = w.memctl_with(&["search", "--batch", "-"], b"{\"id\":1,\"query\":\"x\"}\n").json();
    assert_eq!(batch, json!({"id": 1, "confidence": 0.0, "results": []}));
    assert!(!w.data().exists());
    // A project without a row.
    remember(&w, &[row("x", "walrus")]);
    let elsewhere = w.memctl(&["search", "walrus"]);
    assert_eq!(elsewhere.code, Some(1));
    assert!(elsewhere.err.contains("--all-projects finds 1 row"), "{elsewhere:?}");
}

#[test]
fn a_locked_store_can_be_searched_and_is_not_written() {
    let w = notebook();
    let lock = std::fs::File::open(w.data().join("run/store.lock")).unwrap();
    let _lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).unwrap();
    assert_eq!(found(&w, &["staging"])[0], "port");
}

#[test]
fn global_notes_are_found_in_every_project() {
    let w = notebook();
    w.memctl(&["remember", "--global", "I prefer walrus diagrams"]).ok();
    assert!(search(&w, &["walrus"]).ok().contains("I prefer walrus diagrams"));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let w = notebook();
    let mut memctl = w.program();
    memctl.args(["search", "-a", "retries"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = memctl.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
