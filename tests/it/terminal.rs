//! Output on narrow and wide terminals and in pipes, with and without colours.

use std::path::Path;
use std::process::Stdio;

use crate::support::World;
use crate::support::directories::in_dir;
use crate::support::recordings::{end, prompt, stop, tool};

const SESSION: &str = "6f2b9c54-3d1e-4c0a-9b7e-2a5d8c41f0e3";
const SAME_PREFIX: &str = "6f2b9c54-3d1e-4c0a-9b7e-000000000000";

/// A world with one finished session and one live session with a prompt.
fn world() -> World {
    let mut w = World::new();
    let home = w.path("home");
    let at_home = |payload| in_dir(payload, &home);
    w.hook(&at_home(prompt(
        SESSION,
        "t",
        "The parser of `Vec<u8>` drops the last byte of every other line. Find out why, and fix it with a test.\n  - and say 記憶",
    )));
    w.hook(&tool(SESSION, "t", "u", "cargo test", "test result: ok. 7 passed; 0 failed"));
    w.hook(&stop(SESSION, "t", "All 7 tests pass now. Next: write the changelog."));
    w.hook(&end(SESSION));
    w.settle();
    w.set("MEMCTL_WORKER_LINGER", "60s");
    w.hook(&at_home(prompt(SAME_PREFIX, "t", "go on")));
    w.until_count("SELECT count(*) FROM user_prompts", 2);
    w
}

/// The columns that a line takes. Wide characters take two.
fn width(line: &str) -> usize {
    line.chars().map(|c| if ('\u{3000}'..'\u{ff00}').contains(&c) { 2 } else { 1 }).sum()
}

fn without_colours(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap().to_owned();
    let rest = parts.map(|part| part.split_once('m').expect("a colour ends").1);
    first + &rest.collect::<String>()
}

/// Commands that print tables or texts.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["ps"],
    &["list"],
    &["list", "--all-projects"],
    &["last"],
    &["timeline"],
    &["timeline", "s1"],
    &["done"],
    &["status"],
    &["queue"],
    &["queue", "--recent"],
    &["stats"],
    &["doctor"],
    &["stats", "--by", "session"],
    &["config"],
    &["config", "--help"],
    &["stats", "--help"],
    &["resume", "--help"],
    &["show", SESSION],
    &["show", "s1"],
    &["show", "p1"],
    &["search", "parser"],
    &["search", "--explain", "-C", "2", "last", "byte", "記憶"],
    &["search", "--help"],
    &["remember", "--help"],
    &["--help"],
    &["ps", "--help"],
    &["show", "--help"],
    &["queue", "-h"],
];

#[test]
fn no_line_is_wider_than_the_terminal() {
    let mut w = world();
    for columns in [60, 80, 200] {
        w.set("COLUMNS", &columns.to_string());
        for args in COMMANDS {
            let text = w.memctl(args).ok();
            // Paths and commands to copy are not wrapped.
            let too_wide = |line: &&str| width(line) > columns && !line.contains('/');
            assert_eq!(text.lines().find(too_wide), None, "{args:?} at {columns}:\n{text}");
            let trailing_blank = |line: &&str| line.ends_with(' ') && !line.trim().is_empty();
            assert_eq!(text.lines().find(trailing_blank), None, "{args:?} at {columns}:\n{text}");
        }
        let ps = w.memctl(&["ps"]).ok();
        assert_eq!(ps.lines().count(), 2, "one line per worker: {ps}");
        let recent = w.memctl(&["queue", "--recent"]).ok();
        let done = w.count("SELECT count(*) FROM pending_messages WHERE status = 'processed'");
        assert_eq!(recent.lines().count() as i64, 3 + done, "{recent}");
    }
}

/// What was done and what went wrong is wrapped, and a command that undoes something stays in one piece.
#[test]
fn sentences_fit_into_the_terminal() {
    let w = world().with("COLUMNS", "60");
    w.memctl(&["remember", "The walnut importer keeps blank lines at the end of a ledger"]).ok();
    let told: [&[&str]; 6] = [
        &["pin", "o1"],
        &["pin", "o1"],
        &["feedback", "stale", "o1"],
        &["hide", "o1"],
        &["hide", "--undo", "o1"],
        &["forget", "o1"],
    ];
    for args in told {
        let text = w.memctl(args).ok();
        assert_eq!(text.lines().find(|line| width(line) > 60), None, "{args:?}:\n{text}");
        let undo = text.lines().find(|line| line.contains("Undo: "));
        assert!(undo.is_none_or(|line| line.contains("Undo: memctl ")), "{text}");
    }
    for args in [&["show", "o1"][..], &["how", "walnut"], &["logs", "nosession"], &["pin", "o1"]] {
        let error = w.memctl(args).err;
        assert_eq!(error.lines().find(|line| width(line) > 60), None, "{args:?}:\n{error}");
    }
}

#[test]
fn a_narrow_list_cuts_titles_only() {
    let mut w = world();
    w.set("COLUMNS", "60");
    let text = w.memctl(&["list"]).ok();
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| line.contains("The parser")).expect(&text);
    assert!(lines[first].contains(" UTC  6f2b9c54"), "the time is whole: {text}");
    assert!(lines[first + 1].starts_with("    ") && lines[first + 1].contains("open"), "{text}");
    w.set("COLUMNS", "200");
    assert!(w.memctl(&["list"]).ok().lines().next().unwrap().contains("OUTCOME"));
}

#[test]
fn examples_of_the_help_are_readable_on_a_narrow_terminal() {
    let w = World::new().with("COLUMNS", "60");
    let help = w.memctl(&["help", "feedback"]).ok();
    let at = help.find("  memctl feedback wrong o412\n      It is not true").map(|_| ());
    assert_eq!(at, Some(()), "{help}");
}

#[test]
fn a_narrow_terminal_omits_columns() {
    let mut w = world();
    let mut head = |columns: &str| {
        w.set("COLUMNS", columns);
        let text = w.memctl(&["ps"]).ok();
        text.lines().next().unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let narrow = head("60");
    assert_eq!(narrow[..6], ["SESSION", "PROJECT", "PID", "STATE", "DOING", "QUEUE"]);
    assert!(!narrow.contains(&"RSS".to_owned()), "{narrow:?}");
    let all = ["SESSION", "PROJECT", "PID", "STATE", "DOING", "QUEUE", "IDLE", "AGE", "RSS"];
    assert_eq!(head("200"), all);
}

#[test]
fn output_in_a_pipe_is_not_cut() {
    let w = world();
    for args in [&["ps"][..], &["status"], &["queue", "--recent"]] {
        let text = w.memctl(args).ok();
        assert!(text.contains(SAME_PREFIX) || text.contains(SESSION), "{args:?}: {text}");
        assert!(!text.contains('…'), "{args:?}: {text}");
    }
    let session = w.memctl(&["show", SESSION]).ok();
    assert!(session.contains("of every other line. Find out why, and fix it"), "{session}");
}

#[test]
fn a_session_is_wrapped_at_the_width_of_the_terminal() {
    let w = world().with("COLUMNS", "60");
    let text = w.memctl(&["show", SESSION]).ok();
    let (head, rest) = text.split_once(" UTC\n").unwrap();
    assert!(head.starts_with(&format!("{SESSION} · home · 20")), "{head}");
    insta::assert_snapshot!(rest, @r#"
    completed (other): 1 prompt, 1 summary, 0 observations

    p1   The parser of `Vec<u8>` drops the last byte of every
         other line. Find out why, and fix it with a test.
           - and say 記憶
      s1   All 7 tests pass now.
           Open: write the changelog.
    "#);
}

#[test]
fn colours_are_only_for_terminals_unless_forced() {
    let mut w = world();
    let stable: Vec<&[&str]> =
        COMMANDS.iter().copied().filter(|args| !matches!(args, ["ps"])).collect();
    for args in &stable {
        let plain = w.memctl(args).ok();
        assert!(!plain.contains('\u{1b}'), "{args:?} in a pipe: {plain:?}");
        w.set("CLICOLOR_FORCE", "1");
        let forced = w.memctl(args).ok();
        w.set("NO_COLOR", "1");
        let refused = w.memctl(args).ok();
        w.set("CLICOLOR_FORCE", "");
        w.set("NO_COLOR", "");
        assert!(!refused.contains('\u{1b}'), "{args:?}: NO_COLOR wins: {refused:?}");
        if *args != ["queue"] {
            assert!(forced.contains('\u{1b}'), "{args:?} is forced: {forced:?}");
        }
        let n_words_except_ages =
            |text: &str| text.split(char::is_whitespace).filter(|w| !w.ends_with('s')).count();
        assert_eq!(
            n_words_except_ages(&without_colours(&forced)),
            n_words_except_ages(&plain),
            "{args:?}: only colours differ"
        );
    }
    w.set("CLICOLOR_FORCE", "1");
    let ps = w.memctl(&["ps"]).ok();
    assert!(ps.contains("\u{1b}[32mserving\u{1b}["), "{ps:?}");
    assert!(ps.contains(&format!("\u{1b}[2m{SAME_PREFIX}\u{1b}[")), "{ps:?}");
    let json = w.memctl(&["ps", "--json"]).ok();
    assert!(!json.contains('\u{1b}'), "{json:?}");
}

#[test]
fn numbers_and_nouns_agree() {
    let w = world();
    for args in COMMANDS {
        let text = w.memctl(args).ok();
        for wrong in
            ["1 sessions", "1 prompts", "1 observations", "1 summaries", "1 events", "1 rows"]
        {
            let Some((before, _)) = text.split_once(wrong) else { continue };
            let is_end_of_number = before.ends_with(|c: char| c.is_ascii_digit());
            assert!(is_end_of_number, "{args:?} prints {wrong}: {text}");
        }
    }
}

/// A title, a blinking color, a line break, a C1 sequence, bidi, a tag and zero width.
const HOSTILE: &str =
    "x\u{1b}]0;title\u{7}\u{1b}[5m\nFAKE line\r\u{9b}2Jy\u{202e}z\u{e0041}\u{200b}w";

/// Expects nothing in `text` that could control a terminal, but colors of memctl itself.
#[track_caller]
fn check_harmless(args: &[&str], text: &str) {
    let hidden = |c: char| matches!(c, '\u{200b}' | '\u{202e}' | '\u{e0041}');
    let bad = |c: char| (c.is_control() && !matches!(c, '\n' | '\u{1b}')) || hidden(c);
    assert_eq!(text.chars().find(|c| bad(*c)), None, "{args:?}: {text:?}");
    for sequence in text.split('\u{1b}').skip(1) {
        let color = sequence.strip_prefix('[').and_then(|rest| rest.split_once('m'));
        let is_ours =
            |color: &str| color != "5" && color.bytes().all(|b| b.is_ascii_digit() || b == b';');
        assert!(color.is_some_and(|(color, _)| is_ours(color)), "{args:?}: {text:?}");
    }
    assert!(!text.lines().any(|line| line.trim().starts_with("FAKE")), "{args:?}: {text}");
}

#[test]
fn hostile_names_do_not_control_the_terminal() {
    let w = World::new().with("CLICOLOR_FORCE", "1").with("MEMCTL_WORKER_LINGER", "60s");
    let dir = w.path("home").join(HOSTILE);
    std::fs::create_dir(&dir).unwrap();
    let in_dir = |payload| in_dir(payload, &dir);
    let memctl = |args: &[&str]| {
        let output = w.memctl_in(&dir, args);
        [output.out, output.err]
    };
    // A prompt may have several lines.
    let text = format!("Fix {}", HOSTILE.replace("FAKE", "second"));
    w.hook(&in_dir(prompt(HOSTILE, "t", &text)));
    let mut tool = in_dir(tool(HOSTILE, "t", "u", "cargo test", HOSTILE));
    w.hook(&tool);
    tool["tool_name"] = HOSTILE.into();
    tool["tool_use_id"] = "u2".into();
    w.hook(&tool);
    w.until_count("SELECT count(*) FROM pending_messages", 2);
    let transcript = w.path("transcript.jsonl");
    let line = serde_json::json!({
        "type": "user", "sessionId": format!("r{HOSTILE}"), "uuid": "u", "promptId": "t",
        "timestamp": "2026-11-24T21:09:00.123Z", "cwd": dir, "message": {"content": "go"}
    });
    std::fs::write(&transcript, format!("{line}\n")).unwrap();
    let transcript = transcript.to_str().unwrap();

    let with_json: &[&[&str]] = &[
        &["ps"],
        &["status"],
        &["queue"],
        &["queue", "--recent"],
        &["stats", "--by", "session"],
        &["stats", "--by", "project"],
        &["logs"],
        &["show", "x"],
        &["show", "p1"],
        &["context"],
        &["doctor"],
        &["forget", "--dry-run", "x"],
    ];
    for args in with_json {
        for text in memctl(args) {
            check_harmless(args, &text);
        }
        let json = memctl(&[*args, &["--json"]].concat());
        check_harmless(args, &json[0]);
        assert!(!json[0].contains('\u{1b}'), "{args:?}: {}", json[0]);
        for line in json[0].lines() {
            serde_json::from_str::<serde_json::Value>(line).expect(line);
        }
    }
    let ps: serde_json::Value = serde_json::from_str(&memctl(&["ps", "--json"])[0]).unwrap();
    assert_eq!(ps[0]["session"], HOSTILE);
    assert!(memctl(&["ps"])[0].contains("x\\u{1b}]0;title"), "{:?}", memctl(&["ps"]));

    let once: &[&[&str]] = &[
        &[],
        &["show", HOSTILE, "more"],
        &["show", &format!("no{HOSTILE}")],
        &["cleanup", "--dry-run"],
        &["replay", transcript],
        &["replay", transcript],
        &["show", "r"],
        &["finish", "x"],
        &["finish", "x"],
        &["kill", "x"],
        &["forget", "--yes", "x"],
        &["forget", "--undo"],
    ];
    for args in once {
        for text in memctl(args) {
            check_harmless(args, &text);
        }
    }
    let session_start = w.hook(&in_dir(crate::support::recordings::start("next")));
    check_harmless(&["hook"], &session_start.to_string());
}

#[test]
fn stored_text_is_shown_verbatim() {
    let w = World::new();
    w.hook(&prompt("s", "t", "why is <T: Vec<u8>> red \u{1b}[31mhere\u{1b}[0m?\n## no heading"));
    w.hook(&end("s"));
    w.settle();
    let text = w.memctl(&["show", "p1"]).ok();
    assert!(text.contains("why is <T: Vec<u8>> red here?\n## no heading\n"), "{text:?}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn an_ambiguous_session_prefix_lists_its_matches() {
    let w = world();
    for verb in ["show", "queue", "logs"] {
        let output = w.memctl(&[verb, "6f2b"]);
        assert_eq!((output.code, output.out.as_str()), (Some(2), ""), "{output:?}");
        assert!(output.err.contains("2 sessions start with '6f2b': "), "{output:?}");
        // Enough of both ids to distinguish them.
        for id in [SESSION, SAME_PREFIX] {
            assert!(output.err.contains(&id[..25]), "{output:?}");
        }
        let output = w.memctl(&[verb, "nobody"]);
        assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "{output:?}");
        assert!(output.err.contains("'nobody'") && output.err.contains("  hint: "), "{output:?}");
        let _ = w.memctl(&[verb, &SESSION[..25]]).ok();
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let w = world();
    let more: &[&[&str]] =
        &[&["logs"], &["logs", "--follow"], &["man"], &["completions", "bash"], &["ps", "--json"]];
    for args in COMMANDS.iter().chain(more) {
        let mut command = w.program();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.args(*args).stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*errors), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_full_disk_is_reported() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        crate::support::notes::skipped("this system has no /dev/full");
        return;
    }
    let w = world();
    let mut command = w.program();
    let out = std::fs::OpenOptions::new().write(true).open(full).unwrap();
    let output = command.arg("ps").stdout(out).stderr(Stdio::piped()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("error: cannot write to stdout: No space left"), "{errors}");
}

#[test]
fn missing_hooks_are_reported_with_instructions() {
    let w = World::new();
    let check = |settings: Option<&str>, json: &str, instructions: Option<&str>| {
        let dir = w.path("home/.claude");
        std::fs::create_dir_all(&dir).unwrap();
        if let Some(text) = settings {
            std::fs::write(dir.join("settings.json"), text).unwrap();
        }
        assert_eq!(w.memctl(&["status", "--json"]).json()["hooks"], json);
        let context = w.memctl(&["context"]);
        for text in [w.memctl(&[]).ok(), w.memctl(&["status"]).ok(), context.err] {
            match instructions {
                Some(instructions) => assert!(text.contains(instructions), "{text}"),
                None => assert!(!text.contains("claude plugin"), "{text}"),
            }
        }
    };
    check(None, "missing", Some("claude plugin marketplace add ~/.local/share/memctl-plugin"));
    check(Some("{}"), "missing", Some("claude plugin install memctl@memctl"));
    let disabled = r#"{"enabledPlugins":{"memctl@memctl":false}}"#;
    check(Some(disabled), "disabled", Some("claude plugin enable memctl@memctl"));
    check(Some(&disabled.replace("false", "true")), "installed", None);
    assert!(!w.data().exists(), "reading creates no data directory");
}
