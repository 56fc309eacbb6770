//! `memctl fix`: what was done after an error when it did not come back.

use serde_json::Value;

use crate::support::{Work, World};

const E0425: &str = "   Compiling app v0.1.0 (/home/u/app)\nerror[E0425]: cannot find function `left_pad` in this scope\n  --> src/main.rs:3:5\n   |\n3  |     left_pad(3);\n   |     ^^^^^^^^ not found in this scope\n\nFor more information about this error, try `rustc --explain E0425`.\nerror: could not compile `app` (bin \"app\") due to 1 previous error";
const BUILT: &str = "   Compiling app v0.1.0\n    Finished `dev` profile [unoptimized + debuginfo] target(s) in 0.3s";

/// A session that meets the error and fixes it.
fn fixed(w: &World) -> Work<'_> {
    let mut work = Work::new(w, "app", "one");
    work.prompt("Pad the table to the left");
    work.write("src/main.rs", "fn main() {\n    left_pad(3);\n}\n");
    work.fails("cargo build", 101, E0425);
    work.edit("src/main.rs", "fn main() {\n", "use text::left_pad;\n\nfn main() {\n");
    work.runs("cargo build", BUILT);
    work.stop("The function lives in the crate `text`, so main.rs imports it from there.");
    work
}

fn fixes(json: &Value) -> Vec<Value> {
    json["fixes"].as_array().unwrap().clone()
}

#[test]
fn the_change_that_helped_is_told() {
    let w = World::new();
    let work = fixed(&w);
    let error = "error[E0425]: cannot find function `left_pad` in this scope";
    let shown = work.memctl("", &["fix", error]).ok();
    for part in [
        "`cargo build` failed (E0425, left_pad).",
        "Changed: src/main.rs",
        "Then it worked.",
        "Pad the table to the left",
        "main.rs imports it from there",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // A whole log of another day, in other places.
    let log = E0425.replace("src/main.rs:3:5", "src/other.rs:812:17").replace("/home/u", "/srv");
    let json = work.memctl_with("", &["fix", "-", "--json"], log.as_bytes()).json();
    let [fix] = &fixes(&json)[..] else { panic!("{json}") };
    assert_eq!(fix["changed"], serde_json::json!(["src/main.rs"]));
    assert_eq!((&fix["command"], &fix["match"]), (&"cargo build".into(), &"code".into()));
    assert_eq!(
        (&fix["id"], &fix["session"], &fix["project"]),
        (&"s1".into(), &"one".into(), &"app".into())
    );
    // The code and the name alone, without quotes.
    let json = work.memctl("", &["fix", "E0425", "left_pad", "--json"]).json();
    assert_eq!(fixes(&json)[0]["match"], "name");
    // From another project.
    let other = Work::new(&w, "other", "two");
    let shown = other.memctl("", &["fix", error]).ok();
    assert!(shown.contains("project app"), "{shown}");
}

#[test]
fn an_error_that_differs_or_came_back_has_no_fix() {
    let w = World::new();
    let mut work = fixed(&w);
    for error in [
        "error[E0425]: cannot find function `right_pad` in this scope",
        "exit status 1",
        "E0426",
        "",
    ] {
        let unknown = work.memctl("", &["fix", error]);
        assert_eq!(unknown.code, Some(1), "{unknown:?}");
        assert!(unknown.err.contains("no fix of this error is known"), "{unknown:?}");
        assert!(unknown.err.contains("memctl search"), "{unknown:?}");
    }
    work.prompt("It is broken again");
    work.fails("cargo build", 101, E0425);
    work.stop("The build fails again.");
    let json = work.memctl_with("", &["fix", "-", "--json"], E0425.as_bytes());
    assert_eq!(json.code, Some(1), "{json:?}");
    assert!(fixes(&serde_json::from_str(&json.out).unwrap()).is_empty());
}

#[test]
fn a_pass_in_a_later_session_counts_and_a_flaky_one_does_not() {
    let w = World::new();
    let failing = "tests/test_tax.py F\nE   KeyError: 'vat_rate'\nFAILED tests/test_tax.py::test_vat - KeyError: 'vat_rate'\n1 failed, 3 passed in 0.12s";
    let mut work = Work::new(&w, "tax", "one");
    work.prompt("Run the tests");
    work.write("tax.py", "RATES = {}\n");
    work.fails("pytest", 1, failing);
    work.stop("One test fails: the rates lack VAT.");
    let ask = |work: &Work| work.memctl("", &["fix", "KeyError: 'vat_rate'", "--json"]);
    assert_eq!(ask(&work).code, Some(1));
    let mut work = Work::new(&w, "tax", "two");
    work.prompt("Add the VAT rate");
    work.edit("tax.py", "RATES = {}", "RATES = {'vat_rate': 19}");
    work.runs("pytest -q", "4 passed in 0.10s");
    work.write("notes.md", "Written after the tests passed.\n");
    work.stop("The table has the rate now.");
    let json = ask(&work).json();
    let fix = &fixes(&json)[0];
    assert_eq!((&fix["failed_id"], &fix["id"]), (&"s1".into(), &"s2".into()), "{json}");
    assert_eq!(fix["changed"], serde_json::json!(["tax.py"]));

    let mut work = Work::new(&w, "flaky", "three");
    let flaky = "FAILED tests/test_net.py::test_get - TimeoutError: probe_server took 30s\n1 failed in 30.1s";
    work.prompt("Run the tests of the network");
    work.fails("pytest", 1, flaky);
    work.runs("pytest", "1 passed in 0.2s");
    work.stop("They pass at the second try.");
    let found = work.memctl("", &["fix", "TimeoutError: probe_server took 31s"]);
    assert_eq!(found.code, Some(1), "{found:?}");
}

#[test]
fn installs_and_other_arguments_are_fixes() {
    let w = World::new();
    let mut work = Work::new(&w, "app", "one");
    work.prompt("Read the version");
    work.fails("jq .version package.json", 127, "bash: line 1: jq: command not found");
    work.runs("sudo apt-get install -y jq", "Setting up jq (1.7.1) ...");
    work.runs("jq .version package.json", "\"1.2.3\"");
    let upstream = "fatal: The current branch pads has no upstream branch.\nTo push the current branch and set the remote as upstream, use\n\n    git push --set-upstream origin pads";
    work.fails("git push", 128, upstream);
    work.runs("git push -u origin pads", "branch 'pads' set up to track 'origin/pads'.");
    work.stop("The version is 1.2.3, and the branch is pushed.");
    let shown = work.memctl("", &["fix", "zsh: command not found: jq"]).ok();
    assert!(shown.contains("Ran: sudo apt-get install -y jq"), "{shown}");
    let json = work.memctl_with("", &["fix", "-", "--json"], upstream.as_bytes()).json();
    assert_eq!(fixes(&json)[0]["worked_as"], "git push -u origin pads", "{json}");
}

#[test]
fn an_empty_store_is_told() {
    let w = World::new();
    let empty = w.memctl(&["fix", "error: x"]);
    assert_eq!(empty.code, Some(1));
    assert!(empty.err.contains("nothing is stored yet"), "{empty:?}");
    assert_eq!(w.memctl(&["fix"]).code, Some(2));
}
