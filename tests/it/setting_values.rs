//! Values of settings: what is refused or reported, and how `memctl config` prints them.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use crate::support::World;
use crate::support::agent::configure;

#[test]
fn a_mistake_in_the_file_is_named_with_its_line_and_the_default_applies() {
    let w = World::new();
    let file = w.path("home/.config/memctl/config.toml");
    let warnings = |text: &str| {
        configure(&w, text);
        let output = w.memctl(&["config", "get", "context.tokens"]);
        assert_eq!(output.out, "2000\n", "{output:?}");
        output.err
    };
    let check = |text: &str, line: usize, want: &str| {
        let err = warnings(text);
        let place = format!("warning: {}, line {line}: ", file.display());
        assert!(err.contains(&place) && err.contains(want), "{err}");
    };
    check("# mine\n[context]\ntokens = 0\n", 3, "invalid value '0' for context.tokens");
    check("[context]\nsources = [\n 'startup',\n 'foo']\n", 2, "expected some of startup");
    check("\n[log]\nmax = 1\n", 3, "expected at least 64KiB");
    check("[agent]\n\nbackend = 'claud'\n", 3, "did you mean 'claude'?");
    check("[worker]\nlingr = '5s'\n", 2, "did you mean 'worker.linger'?");
    check("[worker]\nlinger = '5s\n", 2, "not valid TOML: ");
    check("exclude = [\n'[',\n'/a']\n", 1, "expected a glob pattern");
    assert_eq!(warnings("[context]\nsources = ['clear', 'startup']\ntokens = 2_000\n"), "");
    let doctor = {
        configure(&w, "[log]\nmax = 1\n");
        w.memctl(&["doctor"])
    };
    assert!(
        doctor.out.contains("config.toml, line 2: invalid value '1' for log.max"),
        "{doctor:?}"
    );
}

#[test]
fn a_misspelled_variable_is_reported() {
    for (variable, want) in [
        (
            "MEMCTL_WORKER_LINGR",
            "MEMCTL_WORKER_LINGR has no effect, did you mean MEMCTL_WORKER_LINGER?",
        ),
        ("MEMCTL_DISABLED", "did you mean MEMCTL_DISABLE?"),
        ("MEMCTL_DATADIR", "did you mean MEMCTL_DATA_DIR?"),
    ] {
        let w = World::new().with(variable, "1");
        assert!(w.memctl(&["doctor"]).out.contains(want), "{:?}", w.memctl(&["doctor"]));
        assert!(w.memctl(&["config"]).err.contains(want));
    }
    let w = World::new().with("MEMCTL_SOAK_EVENTS", "1");
    assert!(!w.memctl(&["doctor"]).out.contains("has no effect"));
}

#[test]
fn every_meaning_is_printed_in_full_on_any_terminal() {
    let mut w = World::new();
    let rows = w.memctl(&["config", "--json"]).json();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for columns in ["60", "80", "100", "300"] {
        w.set("COLUMNS", columns);
        let text = w.memctl(&["config"]).ok();
        assert!(!text.contains('…'), "{columns}: {text}");
        for row in rows.as_array().unwrap() {
            let meaning = row["meaning"].as_str().unwrap();
            assert!(words(&text).contains(meaning), "{columns}: {meaning}\n{text}");
        }
        let is_table = text.contains("SETTING");
        assert_eq!(is_table, columns == "300", "{text}");
    }
}

#[test]
fn config_get_prints_the_meaning_on_a_terminal_only() {
    let w = World::new();
    let pty = nix::pty::openpty(None, None).unwrap();
    let mut command = w.program();
    command.args(["config", "get", "worker.linger"]).env("COLUMNS", "80");
    command.stdout(pty.slave).stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    drop(command);
    let mut shown = Vec::new();
    let _ = File::from(pty.master).read_to_end(&mut shown);
    let shown = String::from_utf8_lossy(&shown).replace('\r', "");
    assert!(shown.contains("how long a worker waits for more events"), "{shown}");
    assert!(shown.contains("100ms (environment)"), "{shown}");
    assert_eq!(w.memctl(&["config", "get", "worker.linger"]).ok(), "100ms\n");
}
