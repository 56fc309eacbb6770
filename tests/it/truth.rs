//! Truth over time: what became of the files that a memory speaks of, and which of several statements holds.

use std::fs;

use serde_json::{Value, json};

use crate::support::World;
use crate::support::directories::{git, in_dir};
use crate::support::recordings::{end, prompt, start, stop};

/// A world with a repository in its home.
fn repository() -> World {
    let w = World::new();
    git(&w, &w.path("home"), &["init", "-q", "-b", "main"]);
    w
}

fn at_home(w: &World, payload: Value) -> Value {
    in_dir(payload, &w.path("home"))
}

/// A session in which the user says these sentences, each in a prompt of its own.
fn session(w: &World, id: &str, says: &[&str]) {
    w.hook(&at_home(w, start(id)));
    for (n, text) in says.iter().enumerate() {
        let turn = format!("t{n}");
        w.hook(&at_home(w, prompt(id, &turn, text)));
        w.hook(&at_home(w, stop(id, &turn, "I noted that.")));
    }
    w.hook(&at_home(w, end(id)));
    w.settle();
}

/// A session that edits a file and says so.
fn edit(w: &World, id: &str, file: &str, content: &str, says: &str) {
    let path = w.path("home").join(file);
    w.hook(&at_home(w, prompt(id, "t", &format!("Please change the {id} part"))));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    w.hook(&json!({"session_id": id, "cwd": w.path("home"), "prompt_id": "t",
        "hook_event_name": "PostToolUse", "tool_name": "Write",
        "tool_input": {"file_path": path, "content": content},
        "tool_response": {"type": "create", "filePath": path, "content": content},
        "tool_use_id": format!("u-{id}")}));
    w.hook(&at_home(w, stop(id, "t", says)));
    w.settle();
}

fn context(w: &World) -> String {
    w.memctl(&["context"]).ok()
}

/// The id of the observation whose title contains this text.
fn id_of(w: &World, text: &str) -> String {
    let sql = format!("SELECT 'o' || id FROM observations WHERE title LIKE '%{text}%' ORDER BY id");
    w.rows(&sql).first().unwrap_or_else(|| panic!("no row says {text}")).clone()
}

/// The lines of a context that contain this text.
fn lines<'a>(context: &'a str, text: &str) -> Vec<&'a str> {
    context.lines().filter(|line| line.contains(text)).collect()
}

#[test]
fn a_line_says_whether_its_file_is_current_changed_moved_or_gone() {
    let w = repository();
    let home = w.path("home");
    for (name, text) in
        [("alpha", "fn a() {}\n"), ("beta", "fn b() {}\n"), ("gamma", "fn c() {}\n")]
    {
        let says = format!("The {name} parser reads quoted fields now, as in the format's paper.");
        edit(&w, name, &format!("src/{name}.rs"), text, &says);
    }
    git(&w, &home, &["add", "src"]);
    git(&w, &home, &["commit", "-q", "-m", "Parsers"]);
    session(&w, "last", &["From now on, parsers read quoted fields."]);
    let state = |name: &str| {
        let row = id_of(&w, name);
        let shown = w.memctl(&["show", &row, "--json"]).json();
        let file = shown["files"][0].clone();
        assert_eq!(file["path"], format!("src/{name}.rs"), "{shown}");
        (file["state"].clone(), file["moved_to"].clone())
    };
    let names = ["alpha", "beta", "gamma"];
    assert!(names.iter().all(|name| state(name).0 == "current"), "{}", context(&w));
    // The sessions are told in their own sections. Without their turns, the rows are.
    w.execute_sql("DELETE FROM session_summaries WHERE session_id < 4");
    let before = context(&w);
    assert_eq!(before, context(&w));
    assert_eq!(lines(&before, "current").len(), 3, "{before}");

    fs::write(home.join("src/alpha.rs"), "fn a() { todo!() }\n").unwrap();
    fs::create_dir(home.join("lib")).unwrap();
    git(&w, &home, &["mv", "src/beta.rs", "lib/beta.rs"]);
    fs::remove_file(home.join("src/gamma.rs")).unwrap();
    assert_eq!(state("alpha"), (json!("changed"), Value::Null));
    assert_eq!(state("beta"), (json!("moved"), json!("lib/beta.rs")));
    assert_eq!(state("gamma"), (json!("gone"), Value::Null));
    let shown = w.memctl(&["show", &id_of(&w, "beta")]).ok();
    assert!(shown.contains("src/beta.rs (moved to lib/beta.rs)"), "{shown}");
    let after = context(&w);
    assert_eq!(lines(&after, "changed since").len(), 1, "{after}");
    assert_eq!(lines(&after, "moved to lib/beta.rs").len(), 1, "{after}");
    let rows: Vec<&str> = after.lines().filter(|line| line.contains(", o")).collect();
    assert!(
        rows.last().is_some_and(|row| row.contains("gone")),
        "what is gone ranks last: {after}"
    );
    assert_eq!(after, context(&w));
}

#[test]
fn a_session_says_which_of_its_files_are_moved_or_gone() {
    let w = repository();
    let home = w.path("home");
    for name in ["alpha", "beta", "gamma"] {
        let says = format!("The {name} parser reads quoted fields now, as in the format's paper.");
        edit(&w, name, &format!("src/{name}.rs"), name, &says);
    }
    git(&w, &home, &["add", "src"]);
    fs::write(home.join("src/alpha.rs"), "changed").unwrap();
    git(&w, &home, &["mv", "src/beta.rs", "src/renamed.rs"]);
    fs::remove_file(home.join("src/gamma.rs")).unwrap();
    let told = context(&w);
    // The turn of the file that is changed now is told by its row.
    for line in [
        "Files: src/gamma.rs: gone",
        "(src/beta.rs: moved to src/renamed.rs)",
        "(src/alpha.rs: changed since)",
    ] {
        assert_eq!(lines(&told, line).len(), 1, "{line}: {told}");
    }
}

#[test]
fn a_file_has_its_hash_also_if_the_turn_has_several_batches() {
    let w = repository();
    let home = w.path("home");
    w.hook(&at_home(&w, prompt("s", "t", "Please write the module and read all notes")));
    let written = home.join("module.rs");
    fs::write(&written, "fn module() {}\n").unwrap();
    w.hook(&json!({"session_id": "s", "cwd": home, "prompt_id": "t",
        "hook_event_name": "PostToolUse", "tool_name": "Write", "tool_use_id": "w",
        "tool_input": {"file_path": written, "content": "fn module() {}\n"},
        "tool_response": {"type": "create", "filePath": written}}));
    for n in 0..70 {
        let note = home.join(format!("note{n}.md"));
        fs::write(&note, format!("note {n}\n")).unwrap();
        w.hook(&json!({"session_id": "s", "cwd": home, "prompt_id": "t",
            "hook_event_name": "PostToolUse", "tool_name": "Read", "tool_use_id": format!("u{n}"),
            "tool_input": {"file_path": note},
            "tool_response": {"file": {"filePath": note, "content": "long ".repeat(4000)}}}));
    }
    w.until_count("SELECT count(*) > 20 FROM pending_messages WHERE status = 'processed'", 1);
    w.hook(&at_home(&w, stop("s", "t", "The module is written; the notes ask for nothing else.")));
    w.settle();
    let without = "SELECT path FROM observation_files WHERE blob IS NULL";
    assert_eq!(w.rows(without), [] as [&str; 0]);
    assert_eq!(w.count("SELECT count(*) FROM observation_files WHERE path = 'module.rs'"), 1);
    let kept = "SELECT 1 FROM session_summaries WHERE turn LIKE '%blobs%'";
    assert_eq!(w.rows(kept), [] as [&str; 0], "the rows have the hashes, the turn needs none");
}

const FIRST: &str = "From now on the staging API listens on port 8080.";
const SECOND: &str = "From now on the staging API listens on port 8443.";
const THIRD: &str = "From now on the staging API listens on port 9443.";

#[test]
fn of_a_decision_made_three_times_the_last_one_is_told() {
    let w = World::new();
    session(&w, "a", &[FIRST, "From now on amounts are integer cents."]);
    session(&w, "b", &[SECOND]);
    session(&w, "c", &["From now on the metrics listen on port 9090.", THIRD]);
    let told = context(&w);
    let rules = told.split("\n## ").find(|part| part.starts_with("Rules")).unwrap_or_default();
    assert!(rules.contains("9443") && rules.contains("9090"), "{told}");
    assert!(rules.contains("integer cents"), "{told}");
    assert!(!told.contains("8080") && !told.contains("8443"), "{told}");

    let (first, second, third) = (id_of(&w, "8080"), id_of(&w, "8443"), id_of(&w, "9443"));
    let shown = w.memctl(&["show", &first, "--json"]).json();
    assert_eq!(shown["superseded_kind"], "replaces");
    let shown = w.memctl(&["show", &third]).ok();
    assert!(shown.contains(&format!("Replaces\n  {second}")), "{shown}");

    let undone = w.memctl(&["supersede", "--undo", &second]).ok();
    assert_eq!(undone, format!("{second} holds again, beside {third}\n"));
    assert!(context(&w).contains("8443"));
    assert_eq!(w.memctl(&["supersede", "--undo", &second]).code, Some(1));
    session(&w, "d", &["From now on exports are Parquet."]);
    assert!(context(&w).contains("8443"), "the undone link is not made again");
    let done = w.memctl(&["supersede", &second, &third]).ok();
    assert!(done.starts_with(&format!("{third} replaces {second}")), "{done}");
    assert!(!context(&w).contains("8443"));
    let circle = w.memctl(&["supersede", &third, &second]);
    assert_eq!(circle.code, Some(1), "{circle:?}");
    let summary = w.memctl(&["supersede", "s1", &third]);
    assert_eq!(summary.code, Some(2), "{summary:?}");
    assert!(summary.err.contains("s1 is a summary; only observations"), "{summary:?}");
    let other = w.path("home/other");
    std::fs::create_dir(&other).unwrap();
    let elsewhere = ["remember", "Deploys are on Mondays", "--json", "--project"];
    let elsewhere = w.memctl(&[&elsewhere[..], &[other.to_str().unwrap()]].concat()).json();
    let elsewhere = elsewhere["id"].as_str().unwrap();
    let refused = w.memctl(&["supersede", &third, elsewhere]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains(&format!("{elsewhere} belongs to project other")), "{refused:?}");
    for wrong in [&["supersede", &first][..], &["supersede", "--undo", &first, &third]] {
        assert_eq!(w.memctl(wrong).code, Some(2));
    }
}

#[test]
fn copies_of_a_rule_over_sessions_are_told_once() {
    let w = World::new();
    let rule = "From now on all money is integer cents.";
    session(&w, "a", &[rule]);
    session(&w, "b", &["From now on, all money is integer cents!"]);
    session(&w, "c", &[rule]);
    let current = "SELECT 'o' || id FROM observations WHERE superseded_by IS NULL";
    let [newest] = &w.rows(current)[..] else { panic!("{:?}", w.rows(current)) };
    assert_eq!(context(&w).matches("integer cents").count(), 1, "{}", context(&w));
    let first = id_of(&w, "integer cents");
    let shown = w.memctl(&["show", &first]).ok();
    assert!(shown.contains("Same as"), "{shown}");
    let undone = w.memctl(&["supersede", "--undo", &first, "--json"]).json();
    assert_eq!((&undone["kind"], &undone["undone"]), (&json!("copies"), &json!(true)));
    assert_eq!(w.rows(current).len(), 2);
    // Whoever forgets a statement forgets its copies.
    w.memctl(&["forget", newest, "--yes"]).ok();
    assert_eq!(w.rows("SELECT 'o' || id FROM observations"), [first]);
}

#[test]
fn a_forgotten_decision_does_not_keep_the_former_one_out() {
    let w = World::new();
    session(&w, "a", &[FIRST]);
    session(&w, "b", &[SECOND]);
    let links = "SELECT old_id, new_id, kind, undone_at_epoch FROM observation_links";
    let rows = "SELECT * FROM observations ORDER BY id";
    let before = (w.rows(links), w.rows(rows));
    assert!(!context(&w).contains("8080"));
    w.memctl(&["forget", &id_of(&w, "8443"), "--yes"]).ok();
    let told = context(&w);
    let rules = told.split("\n## ").find(|part| part.starts_with("Rules")).unwrap_or_default();
    assert!(rules.contains("8080"), "{told}");
    assert_eq!(w.rows(links), [] as [&str; 0]);
    w.memctl(&["forget", "--undo"]).ok();
    assert_eq!((w.rows(links), w.rows(rows)), before);
    assert!(!context(&w).contains("8080"));
    // The same for a whole session.
    w.memctl(&["forget", "b", "--yes"]).ok();
    assert!(context(&w).contains("8080"));
    w.memctl(&["forget", "--undo"]).ok();
    assert_eq!((w.rows(links), w.rows(rows)), before);
}

#[test]
fn a_less_trusted_statement_replaces_nothing() {
    let w = World::new();
    session(&w, "a", &[FIRST, SECOND]);
    let links = "SELECT old_id, new_id FROM observation_links";
    assert_eq!(w.rows(links), ["1|2"]);
    // What a session before said was the assistant's; now it says it again.
    w.execute_sql("UPDATE observations SET origin = 'web', superseded_by = NULL");
    w.execute_sql("DELETE FROM observation_links");
    session(&w, "b", &[THIRD]);
    assert_eq!(w.rows(links), ["1|3", "2|3"], "the user outranks the web");
    let rank = "UPDATE observations SET origin = 'user', pinned = 1 WHERE id = 3";
    w.execute_sql(rank);
    session(&w, "c", &[FIRST]);
    assert_eq!(w.rows(links), ["1|3", "2|3"], "a pinned row stays");
}

#[test]
fn an_expired_row_is_out_although_it_is_pinned() {
    let mut w = World::new();
    session(&w, "a", &[FIRST, "From now on amounts are integer cents."]);
    let hour = 3_600_000_i64;
    w.execute_sql(&format!(
        "UPDATE observations SET pinned = 1, expires_at_epoch = created_at_epoch + {hour}
         WHERE title LIKE '%8080%'"
    ));
    let told = context(&w);
    assert!(lines(&told, "8080").iter().any(|line| line.contains("pinned")), "{told}");
    let clock = w.path("clock");
    fs::write(&clock, (2 * hour).to_string()).unwrap();
    w.set("MEMCTL_TESTCLOCK", clock.to_str().unwrap());
    let later = context(&w);
    assert!(!later.contains("pinned"), "{later}");
    assert!(later.contains("integer cents"), "{later}");
    // Nothing else depends on the clock.
    fs::write(&clock, (50 * 24 * hour).to_string()).unwrap();
    assert_eq!(context(&w), later);
}

#[test]
fn only_a_newer_note_takes_the_place_of_a_note() {
    let w = repository();
    w.memctl(&["remember", "The API listens on port 8080"]).ok();
    session(&w, "one", &["Rules:\n- The API listens on port 8443 now."]);
    let told = context(&w);
    assert!(told.contains("8080") && told.contains("8443"), "{told}");
    w.memctl(&["remember", "The API listens on port 9000 now"]).ok();
    let told = context(&w);
    assert!(told.contains("9000") && !told.contains("8080") && !told.contains("8443"), "{told}");
}

#[test]
fn what_a_wrong_note_replaced_is_told_again() {
    let w = repository();
    w.memctl(&["remember", "The API listens on port 8080"]).ok();
    w.memctl(&["remember", "The API listens on port 8443 now"]).ok();
    assert!(!context(&w).contains("8080"));
    w.memctl(&["feedback", "wrong", "o2"]).ok();
    let told = context(&w);
    assert!(told.contains("8080") && !told.contains("8443"), "{told}");
    // The user states it again, so it is not rejected any more.
    w.memctl(&["remember", "The API listens on port 8443 now"]).ok();
    let told = context(&w);
    assert!(told.contains("8443") && !told.contains("8080"), "{told}");
}

#[test]
fn rows_of_a_script_are_compared() {
    let w = repository();
    let rows = |rows: &[Value]| rows.iter().map(|row| format!("{row}\n")).collect::<String>();
    let row = |id: u64, text: &str| json!({"id": id.to_string(), "text": text, "type": "decision"});
    let texts = [row(1, "The ledger uses MySQL"), row(2, "Amounts are integer cents")];
    w.memctl_with(&["remember", "--jsonl", "-"], rows(&texts).as_bytes()).ok();
    let newer = row(3, "Switch the ledger from MySQL to PostgreSQL");
    w.memctl_with(&["remember", "--jsonl", "-"], rows(&[newer]).as_bytes()).ok();
    let out = "SELECT old_id || '<' || new_id FROM observation_links";
    assert_eq!(w.rows(out), ["1<3"]);
}
