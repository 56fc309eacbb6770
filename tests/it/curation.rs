//! The user corrects, pins, hides and closes what memory holds, and takes it back.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::World;
use crate::support::directories::moved_to;
use crate::support::recordings::{edit, end, prompt, start, stop, tool};
use crate::support::world::{Output, run};

const RULE: &str = "From now on, deploy on Fridays only";
const STEPS: &str = "The importer skips empty lines now.\n\nNext steps:\n- Write the changelog entry\n\
                     - Deploy the importer to staging";

/// Moves a payload and its files to the directory in which commands run.
fn at_home(w: &World, payload: Value) -> Value {
    moved_to(payload, &w.path("home"))
}

fn play(w: &World, payloads: Vec<Value>) {
    for payload in payloads {
        w.hook(&at_home(w, payload));
    }
    w.settle();
}

/// Two sessions. The first one has a rule and two open steps.
fn world() -> World {
    let w = World::new();
    play(
        &w,
        vec![
            prompt("first", "t", &format!("{RULE}. Also fix the parser of the importer.")),
            edit("first", "t", "u1", "src/import.rs"),
            tool("first", "t", "u2", "cargo test", "test result: ok. 7 passed; 0 failed"),
            stop("first", "t", STEPS),
            end("first"),
        ],
    );
    play(
        &w,
        vec![
            prompt("second", "t", "Which exporter is in use, and where is it configured?"),
            tool("second", "t", "v", "cat exporter.toml", "kind = prometheus"),
            stop("second", "t", "The exporter is `prometheus`, set in `exporter.toml`."),
            end("second"),
        ],
    );
    w
}

fn context(w: &World) -> String {
    w.memctl(&["context"]).ok()
}

/// The id of the observation with this title.
fn observation(w: &World, title: &str) -> String {
    let rows = w.rows(&format!("SELECT 'o' || id FROM observations WHERE title LIKE '%{title}%'"));
    assert_eq!(rows.len(), 1, "{title}: {rows:?} {:?}", w.rows("SELECT title FROM observations"));
    rows[0].clone()
}

/// Runs `memctl edit` with a shell script as the editor. `$1` is the file.
fn edited(w: &World, script: &str, args: &[&str], points: &str) -> Output {
    let editor = w.path("editor.sh");
    fs::write(&editor, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = w.program();
    command.env("EDITOR", &editor).env("MEMCTL_TESTPOINT", points).arg("edit").args(args);
    run(&mut command, b"")
}

fn kept(w: &World) -> Vec<String> {
    let dir = fs::read_dir(w.data().join("edit")).into_iter().flatten().flatten();
    dir.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_wrong_memory_is_corrected() {
    let w = world();
    let (id, before) = (observation(&w, "Fridays"), context(&w));
    let output = edited(&w, "sed -i s/Fridays/Thursdays/ \"$1\"", &[&id], "");
    assert_eq!(
        output.out,
        format!(
            "changed \"From now on, deploy on Thursdays only\" ({id}). Undo: memctl edit --undo {id}\n"
        )
    );
    assert_eq!((output.code, output.err.as_str(), kept(&w).len()), (Some(0), "", 0));
    let corrected = context(&w);
    assert!(corrected.contains("Thursdays") && !corrected.contains("Fridays"), "{corrected}");
    let shown = w.memctl(&["show", &id, "--json"]).json();
    assert_eq!(shown["edited"], true, "{shown}");
    // The edited row keeps its place, and the session that continues does not restore the old text.
    assert_eq!(corrected, before.replace("Fridays", "Thursdays"));

    assert_eq!(edited(&w, "true", &[&id], "").out.lines().count(), 1);
    let undone = w.memctl(&["edit", "--undo", &id]).ok();
    assert_eq!(undone, format!("restored \"{RULE}\" ({id})\n"));
    assert_eq!(context(&w), before);
    let nothing = w.memctl(&["edit", "--undo", &id]);
    assert_eq!((nothing.code, nothing.err.contains("was not edited")), (Some(1), true));
}

#[test]
fn several_edits_are_undone_one_by_one() {
    let w = world();
    let (id, title) = (observation(&w, "Fridays"), |w: &World| context(w));
    for (from, to) in [("Fridays", "Mondays"), ("Mondays", "Fridays"), ("Fridays", "Sundays")] {
        assert_eq!(edited(&w, &format!("sed -i s/{from}/{to}/ \"$1\""), &[&id], "").code, Some(0));
        assert!(title(&w).contains(to), "{to}: {}", title(&w));
    }
    for day in ["Fridays", "Mondays", "Fridays"] {
        w.memctl(&["edit", "--undo", &id]).ok();
        assert!(title(&w).contains(day), "{day}: {}", title(&w));
    }
}

#[test]
fn an_edit_of_a_summary_changes_what_is_told() {
    let w = world();
    let script = "sed -i 's/skips empty lines now/rejects empty lines/' \"$1\"";
    let output = edited(&w, script, &["s1"], "");
    assert_eq!(output.code, Some(0), "{output:?}");
    let told = context(&w);
    assert!(told.contains("rejects empty lines") && !told.contains("skips empty"), "{told}");
    assert!(w.memctl(&["show", "s1"]).ok().contains("rejects empty lines"));
    w.memctl(&["edit", "--undo", "s1"]).ok();
    assert!(context(&w).contains("skips empty lines"));
}

#[test]
fn an_invalid_record_is_refused_and_its_text_kept() {
    let w = world();
    let (id, before) = (observation(&w, "Fridays"), context(&w));
    let output = edited(&w, "sed -i 's/^title:.*/title:/; s/rule/RULE/' \"$1\"", &[&id], "");
    assert_eq!((output.code, output.out.as_str()), (Some(2), ""));
    assert!(output.err.starts_with(&format!("error: {id} is not changed: the title is empty\n")));
    let file = w.data().join("edit").join(format!("{id}.md"));
    assert!(output.err.contains(&format!("kept in {}", file.display())), "{output:?}");
    assert!(fs::read_to_string(&file).unwrap().contains("RULE"));
    assert_eq!(context(&w), before);
    // The next edit continues with that text.
    let again = edited(&w, "sed -i 's/^title:.*/title: Deploy on Mondays/' \"$1\"", &[&id], "");
    assert!(again.err.contains("the text of an earlier edit"), "{again:?}");
    let shown = w.memctl(&["show", &id, "--json"]).json();
    assert_eq!(
        (&shown["title"], &shown["concepts"][0]),
        (&"Deploy on Mondays".into(), &"RULE".into())
    );
    assert_eq!(kept(&w), [""; 0]);

    let failed = edited(&w, "exit 3", &[&id], "");
    assert!(failed.err.contains("failed") && failed.code == Some(1), "{failed:?}");
    assert_eq!(kept(&w), [""; 0]);
    let prompt = edited(&w, "true", &["p1"], "");
    assert_eq!((prompt.code, prompt.err.contains("p1 is a prompt")), (Some(2), true));
    assert_eq!(edited(&w, "true", &["o999"], "").code, Some(1));
}

#[test]
fn secrets_and_private_texts_of_an_edit_are_not_stored() {
    let w = world();
    let id = observation(&w, "Fridays");
    let token = ["ghp_", "16C7e42F292c6912E7710c838347Ae178B4a"].concat();
    let script = format!(
        "printf 'the token is {token}\\n<private>Xylophon7731</private> stays\\n' >> \"$1\""
    );
    let output = edited(&w, &script, &[&id], "");
    assert!(output.code == Some(0) && output.err.contains("were removed"), "{output:?}");
    let shown = w.memctl(&["show", &id]).ok();
    assert!(shown.contains("the token is") && shown.contains("stays"), "{shown}");
    assert_eq!(w.files_with(&[token, "Xylophon7731".into()]), [""; 0]);
}

#[test]
fn a_killed_edit_leaves_the_old_text() {
    let w = world();
    let (id, before) = (observation(&w, "Fridays"), context(&w));
    for point in ["edit.read=kill", "edit.changed=kill"] {
        let output = edited(&w, "sed -i s/Fridays/Thursdays/ \"$1\"", &[&id], point);
        assert_eq!(output.code, None, "{point}: {output:?}");
        assert_eq!(context(&w), before, "{point}");
        assert_eq!(kept(&w), [format!("{id}.md")], "{point}");
    }
    // The text of the killed edit is not lost.
    let output = edited(&w, "true", &[&id], "");
    assert!(output.out.contains("deploy on Thursdays only"), "{output:?}");
    assert!(context(&w).contains("Thursdays"));
}

#[test]
fn a_memory_that_changes_during_the_edit_is_not_overwritten() {
    let w = world();
    let id = observation(&w, "Fridays");
    let memctl = env!("CARGO_BIN_EXE_memctl");
    assert_eq!(edited(&w, "sed -i s/Fridays/Mondays/ \"$1\"", &[&id], "").code, Some(0));
    let script =
        format!("sed -i s/Mondays/Thursdays/ \"$1\"; '{memctl}' edit --undo {id} >/dev/null");
    let output = edited(&w, &script, &[&id], "");
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.err.contains("it was changed meanwhile") && context(&w).contains("Fridays"));
    assert_eq!(kept(&w).len(), 1);
    let script = format!("sed -i s/Fridays/Sundays/ \"$1\"; '{memctl}' forget {id} >/dev/null");
    let output = edited(&w, &script, &[&id], "");
    assert!(output.code == Some(1) && output.err.contains("forgotten meanwhile"), "{output:?}");
    assert!(!context(&w).contains("only") && kept(&w).is_empty());
}

#[test]
fn a_step_is_closed_and_opened_again() {
    let w = world();
    let before = context(&w);
    assert_eq!(
        w.memctl(&["done"]).ok(),
        "s1    Write the changelog entry\ns1    Deploy the importer to staging\n"
    );
    let closed = w.memctl(&["done", "changelog"]).ok();
    assert_eq!(closed, "closed \"Write the changelog entry\" (s1). Undo: memctl done --undo\n");
    let after = context(&w);
    assert!(!after.contains("changelog") && after.contains("to staging"), "{after}");
    assert_eq!(w.memctl(&["done"]).ok(), "s1    Deploy the importer to staging\n");
    let again = w.memctl(&["done", "changelog"]).ok();
    assert_eq!(again, "\"Write the changelog entry\" is closed already\n");
    // By the id of the summary, which tells one step now.
    w.memctl(&["done", "s1"]).ok();
    assert!(!context(&w).contains("## Open"), "{}", context(&w));
    let none = w.memctl(&["done"]);
    assert!(none.out.is_empty() && none.err.contains("has no open steps"), "{none:?}");
    let block = w.hook(&at_home(&w, start("third"))).to_string();
    assert!(!block.contains("to staging"), "{block}");

    let open = w.memctl(&["done", "--undo"]).ok();
    assert_eq!(open, "\"Deploy the importer to staging\" (s1) is open again\n");
    w.memctl(&["done", "--undo", "changelog"]).ok();
    assert_eq!(context(&w), before);
    assert_eq!(w.memctl(&["done", "--undo"]).code, Some(1));
}

#[test]
fn steps_of_another_project_are_listed_and_closed_by_its_name() {
    let w = World::new();
    let elsewhere = w.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let mut left = stop("there", "t", STEPS);
    let mut asked = prompt("there", "t", "Fix the parser of the importer.");
    for payload in [&mut asked, &mut left] {
        payload["cwd"] = elsewhere.to_str().unwrap().into();
    }
    w.hook(&asked);
    w.hook(&left);
    w.hook(&end("there"));
    w.settle();
    assert_eq!(w.memctl(&["done"]).out, "", "not in this directory");
    let listed = w.memctl(&["done", "--project", "elsewhere"]).ok();
    assert!(listed.contains("Write the changelog entry"), "{listed}");
    w.memctl(&["done", "--project", "elsewhere", "changelog"]).ok();
    let listed = w.memctl(&["done", "--project", elsewhere.to_str().unwrap()]).ok();
    assert!(!listed.contains("changelog") && listed.contains("staging"), "{listed}");
}

#[test]
fn a_shown_memory_names_its_prompt_session_and_project() {
    let w = world();
    let rule = observation(&w, "Fridays");
    for (id, prompt) in [(rule.as_str(), "prompt p1 · "), ("s1", "prompt p1 · "), ("p1", "")] {
        let text = w.memctl(&["show", id]).ok();
        let head = text.lines().next().unwrap();
        assert!(head.contains(&format!("{prompt}session first · home")), "{id}: {head}");
        let json = w.memctl(&["show", id, "--json"]).json();
        let of = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        assert_eq!([of("session"), of("client"), of("project")], ["first", "claude-code", "home"]);
        assert_eq!(of("prompt"), "p1", "{json}");
    }
    let w = World::new();
    w.memctl(&["remember", "Releases are cut from main"]).ok();
    let shown = w.memctl(&["show", "o1", "--json"]).json();
    assert!(shown["session"].is_null() && shown["prompt"].is_null(), "{shown}");
}

#[test]
fn a_word_of_two_steps_lists_both() {
    let w = world();
    let output = w.memctl(&["done", "the"]);
    assert_eq!((output.code, output.out.as_str()), (Some(2), ""));
    let lines: Vec<&str> = output.err.lines().collect();
    assert_eq!(lines[0], "s1    Write the changelog entry");
    assert_eq!(lines[1], "s1    Deploy the importer to staging");
    assert_eq!(lines[2], "error: 2 steps match 'the'");
    assert_eq!(w.memctl(&["done", "s1"]).code, Some(2));
    assert_eq!(w.memctl(&["done", "zebra"]).code, Some(1));
    assert_eq!(w.memctl(&["done", &observation(&w, "Fridays")]).code, Some(2));
    assert!(
        w.memctl(&["done", "Deploy", "the", "importer", "to", "staging"]).ok().contains("closed")
    );
    assert_eq!(w.memctl(&["done", "--json"]).json().as_array().unwrap().len(), 1);
}

#[test]
fn a_closed_step_comes_back_only_if_a_later_session_names_it() {
    let w = world();
    w.memctl(&["done", "changelog"]).ok();
    let again = |session: &str| {
        play(
            &w,
            vec![
                prompt(session, "t2", "Fix the lexer of the importer, too"),
                edit(session, "t2", "x1", "src/lexer.rs"),
                stop(
                    session,
                    "t2",
                    "The lexer is fixed.\n\nNext steps:\n- Write the changelog entry",
                ),
                end(session),
            ],
        );
    };
    again("first");
    assert!(!w.memctl(&["done"]).ok().contains("changelog"), "the session of the step");
    again("third");
    assert!(w.memctl(&["done"]).ok().contains("changelog"), "a later session");
}

/// Without a terminal, vi would wait for keys that nobody presses.
#[test]
fn an_edit_without_a_terminal_needs_a_named_editor() {
    let w = world();
    let rule = observation(&w, "Fridays");
    let output = w.memctl(&["edit", &rule]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.err.contains("no terminal") && output.err.contains("EDITOR"), "{output:?}");
    assert!(w.memctl(&["show", &rule]).ok().contains(RULE));
}

/// One rule: a list may be empty, a name or a word that finds nothing is a failure, and a file that cannot
/// be read is a wrong argument.
#[test]
fn exit_codes_follow_one_rule() {
    let w = World::new();
    let code = |args: &[&str]| w.memctl(args).code.unwrap();
    let lists: [&[&str]; 9] = [
        &["list"],
        &["last"],
        &["timeline"],
        &["injected"],
        &["done"],
        &["queue"],
        &["stats"],
        &["project", "list"],
        &["ps"],
    ];
    let check = |state: &str| {
        for args in lists {
            assert_eq!(code(args), 0, "{args:?} {state}");
            if args != ["queue"] && args != ["stats"] {
                w.memctl(&[args, &["--json"]].concat()).json();
            }
        }
        let lookups: [&[&str]; 10] = [
            &["show", "o9"],
            &["forget", "o9"],
            &["forget", "p9"],
            &["timeline", "o9"],
            &["injected", "nosession"],
            &["search", "walnut"],
            &["why", "src/none.rs"],
            &["how", "walnut"],
            &["pin", "o9"],
            &["supersede", "o8", "o9"],
        ];
        for args in lookups {
            assert_eq!(code(args), 1, "{args:?} {state}");
        }
        let missing = "/nonexistent/file";
        let files: [&[&str]; 6] = [
            &["search", "--batch", missing],
            &["remember", "--jsonl", missing],
            &["import", "jsonl", missing],
            &["replay", missing],
            &["restore", missing],
            &["redact", missing],
        ];
        // A directory is no file, and the other way round.
        let home = w.path("home").display().to_string();
        let backup = format!("{missing}/b.db");
        let kinds: [&[&str]; 7] = [
            &["search", "--batch", &home],
            &["remember", "--jsonl", &home],
            &["import", "jsonl", &home],
            &["replay", &home],
            &["redact", &home],
            &["man", "--dir", missing],
            &["backup", &backup],
        ];
        let absurd: [&[&str]; 4] = [
            &["remember", "--expires", "99999999999d", "x"],
            &["pause", "--for", "99999999999d"],
            &["forget", "--since", "99999999999d"],
            &["cleanup", "--max-age", "99999999999d"],
        ];
        for args in files.iter().chain(&kinds).chain(&absurd) {
            assert_eq!(code(args), 2, "{args:?} {state}");
        }
        for args in absurd {
            assert!(w.memctl(args).err.contains("at most 36500d"), "{args:?} {state}");
        }
    };
    check("in an empty home");
    w.memctl(&["remember", "--global", "Releases are cut from main"]).ok();
    check("with a note for all projects");
}

#[test]
fn pinned_memories_come_first_and_hidden_ones_are_not_told() {
    let w = world();
    let before = context(&w);
    let (rule, change) = (observation(&w, "Fridays"), observation(&w, "import.rs"));
    let pinned = w.memctl(&["pin", &change]).ok();
    assert!(
        pinned.starts_with("pinned \"") && pinned.contains("). Undo: memctl pin --undo"),
        "{pinned}"
    );
    assert!(w.memctl(&["pin", &change]).ok().contains("is pinned already"));
    let told = context(&w);
    let place = |id: &str| told.find(id).unwrap_or(usize::MAX);
    assert!(place(&change) < place(&rule), "{told}");
    w.memctl(&["pin", "--undo", &change]).ok();
    assert_eq!(context(&w), before);

    w.memctl(&["hide", &rule, "s2"]).ok();
    let told = context(&w);
    assert!(!told.contains(&rule) && !told.contains("prometheus"), "{told}");
    assert!(w.memctl(&["show", &rule]).ok().contains("hidden"));
    assert!(w.memctl(&["show", "s2"]).ok().contains("prometheus"));
    w.memctl(&["hide", "--undo", &rule, "s2"]).ok();
    assert_eq!(context(&w), before);
    // A summary stands for its turn.
    let hidden = w.memctl(&["hide", "s1"]).ok();
    assert!(hidden.contains(&format!("({rule}). Undo: memctl hide --undo {rule}")), "{hidden}");
    let told = context(&w);
    assert!(!told.contains(&rule) && !told.contains(&change), "{told}");
    assert!(!told.contains("changelog") && told.contains("prometheus"), "{told}");
    w.memctl(&["hide", "--undo", "s1"]).ok();
    assert_eq!(context(&w), before);
    // One unknown name, and nothing is changed.
    assert_eq!(w.memctl(&["hide", &rule, "o999"]).code, Some(1));
    assert_eq!(w.memctl(&["hide", "p1"]).code, Some(2));
    assert_eq!(context(&w), before);
}

#[test]
fn a_pinned_session_precedes_newer_ones() {
    let w = world();
    for n in 0..3 {
        let name = format!("later{n}");
        play(
            &w,
            vec![
                prompt(&name, "t", &format!("Rename the widget number {n} of the dashboard panel")),
                edit(&name, "t", "u", &format!("src/widget{n}.rs")),
                stop(&name, "t", &format!("Widget {n} of the panel has its new name.")),
                end(&name),
            ],
        );
    }
    let earlier = |w: &World| {
        let text = context(w);
        text.split("## Earlier sessions\n").nth(1).unwrap().lines().next().unwrap().to_owned()
    };
    assert!(!earlier(&w).contains("(s1)"), "{}", earlier(&w));
    w.memctl(&["pin", "s1"]).ok();
    assert!(earlier(&w).contains("(s1)"), "{}", earlier(&w));
    w.memctl(&["feedback", "stale", "s4"]).ok();
    let text = context(&w);
    let sessions: Vec<&str> = text.lines().filter(|line| line.contains("widget number")).collect();
    assert!(sessions.last().unwrap().contains("(s4)"), "{text}");
}

#[test]
fn a_session_is_told_without_its_stale_turn() {
    let w = world();
    play(
        &w,
        vec![
            prompt("third", "t1", "Move the widgets of the dashboard to the new grid"),
            edit("third", "t1", "u", "src/grid.rs"),
            stop("third", "t1", "The widgets use the new grid of twelve columns."),
            prompt("third", "t2", "Print the invoices in landscape"),
            edit("third", "t2", "v", "src/invoice.rs"),
            stop("third", "t2", "Invoices are printed in landscape now."),
            end("third"),
        ],
    );
    assert!(context(&w).contains("twelve columns"), "{}", context(&w));
    let turn = w.rows("SELECT id FROM session_summaries WHERE request LIKE '%widgets of%'");
    let turn = format!("s{}", turn[0]);
    let said = w.memctl(&["feedback", "stale", &turn]).ok();
    assert!(said.contains("its session is told without it"), "{said}");
    let text = context(&w);
    assert!(!text.contains("twelve columns") && text.contains("landscape"), "{text}");
    w.memctl(&["feedback", "--undo", &turn]).ok();
    assert!(context(&w).contains("twelve columns"));
}

#[test]
fn stale_rules_come_last() {
    let w = world();
    play(
        &w,
        vec![
            prompt("third", "t", "Always write tests in the same commit."),
            stop("third", "t", "Noted."),
            end("third"),
        ],
    );
    let order = |w: &World| {
        let text = context(w);
        (text.find("same commit").unwrap(), text.find("Fridays").unwrap())
    };
    assert!(order(&w).0 < order(&w).1);
    let newer = observation(&w, "same commit");
    let said = w.memctl(&["feedback", "stale", &newer]).ok();
    assert!(said.contains("is stale") && said.contains("memctl feedback --undo"), "{said}");
    assert!(order(&w).0 > order(&w).1);
    w.memctl(&["feedback", "--undo", &newer]).ok();
    assert!(order(&w).0 < order(&w).1);
    assert_eq!(w.memctl(&["feedback", "good", &newer]).code, Some(2));
    assert_eq!(w.memctl(&["feedback", "wrong"]).code, Some(2));
}

#[test]
fn the_context_does_not_depend_on_when_it_is_read() {
    let mut w = world();
    w.memctl(&["pin", "s1"]).ok();
    w.memctl(&["done", "changelog"]).ok();
    w.memctl(&["feedback", "helpful", &observation(&w, "Fridays")]).ok();
    let first = context(&w);
    for (zone, clock) in [("UTC", "1900000000000"), ("Asia/Tokyo", "1900086400000")] {
        w.set("TZ", zone);
        w.set("MEMCTL_TESTCLOCK", clock);
        assert_eq!(context(&w), first, "{zone} {clock}");
    }
}

#[test]
fn earlier_texts_are_forgotten_too() {
    let w = world();
    let id = observation(&w, "Fridays");
    let to = |from: &str, to: &str| format!("sed -i s/{from}/{to}/ \"$1\"");
    for (from, into) in [("Fridays", "Xylophon7731"), ("Xylophon7731", "Thursdays")] {
        assert_eq!(edited(&w, &to(from, into), &[&id], "").code, Some(0));
    }
    let traces = || w.files_with(&["Xylophon7731".to_owned()]);
    assert!(!traces().is_empty());
    // Only the earlier text has the word: the memory stays.
    let args = ["forget", "--query", "xylophon7731", "--yes", "--json"];
    assert_eq!(w.memctl(&args).json()["versions"], 1);
    assert!(context(&w).contains("Thursdays"));
    w.memctl(&["forget", "--undo"]).ok();
    let output = w.memctl(&["forget", "--query", "xylophon7731", "--now", "--yes", "--verify"]);
    assert_eq!((output.code, traces()), (Some(0), Vec::new()), "{output:?}");
    // What is left of the history can be undone.
    w.memctl(&["edit", "--undo", &id]).ok();
    assert!(context(&w).contains("Fridays"), "{}", context(&w));
    assert_eq!(edited(&w, &to("Fridays", "Xylophon7731"), &[&id], "").code, Some(0));
    assert_eq!(edited(&w, &to("Xylophon7731", "Mondays"), &[&id], "").code, Some(0));
    assert_eq!(edited(&w, "echo Xylophon7731 > \"$1\"", &[&id], "").code, Some(2));
    assert_eq!(kept(&w).len(), 1);
    // The prompt has the rule, too.
    let output = w.memctl(&["forget", &id, "p1", "--now", "--yes", "--verify"]);
    assert_eq!((output.code, traces(), kept(&w)), (Some(0), vec![], vec![]), "{output:?}");
}

#[test]
fn a_forgotten_memory_comes_back_with_its_marks_and_earlier_texts() {
    let w = world();
    let id = observation(&w, "Fridays");
    assert_eq!(edited(&w, "sed -i s/Fridays/Thursdays/ \"$1\"", &[&id], "").code, Some(0));
    w.memctl(&["pin", &id, "s1"]).ok();
    w.memctl(&["done", "changelog"]).ok();
    let before = context(&w);
    for selection in [&["first"][..], &[&id], &["s1"], &["--query", "Thursdays"]] {
        w.memctl(&[&["forget", "--yes"], selection].concat()).ok();
        assert_ne!(context(&w), before, "{selection:?}");
        w.memctl(&["forget", "--undo"]).ok();
        w.settle();
        assert_eq!(context(&w), before, "{selection:?}");
    }
    w.memctl(&["edit", "--undo", &id]).ok();
    assert!(context(&w).contains("Fridays"));
}
