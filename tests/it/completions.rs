//! Shell completion of ids, sessions, projects, names of settings and keys, in real shells.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::directories::in_dir;
use crate::support::recordings::{end, prompt, stop, tool};
use crate::support::{World, notes};

const ENDED: &str = "6f2b9c54-3d1e";
const LIVE: &str = "71aa0000-live";

/// Two projects, one of them with an ended session and a session with a worker.
fn world() -> World {
    let mut w = World::new();
    let app = w.path("home/app");
    fs::create_dir_all(app.join("sub")).unwrap();
    let in_app = |payload| in_dir(payload, &app);
    w.hooks(&[
        in_app(prompt(ENDED, "t", "make the tests pass")),
        in_app(tool(ENDED, "t", "u", "cargo test", "test result: ok. 7 passed; 0 failed")),
        in_app(stop(
            ENDED,
            "t",
            "All 7 tests pass now.\n\nNext steps:\n- Write the changelog entry",
        )),
        in_app(end(ENDED)),
    ]);
    w.settle();
    // A shell inserts a candidate as it is.
    w.hooks(&[prompt("$(touch pwned);x", "t", "go"), end("$(touch pwned);x")]);
    w.settle();
    w.memctl(&["resume", "set", "github:claude:owner/repo:12", "id"]).ok();
    w.set("MEMCTL_WORKER_LINGER", "60s");
    w.hook(&in_app(prompt(LIVE, "t", "go on")));
    w.until_count("SELECT count(*) FROM user_prompts", 3);
    w
}

/// Runs a script in a shell that has memctl in its PATH. `None` if the shell is not installed.
fn run(w: &World, shell: &str, script: &str) -> Option<String> {
    let bin = Path::new(env!("CARGO_BIN_EXE_memctl")).parent().unwrap().display();
    let mut command: Command = w.command(Path::new("/usr/bin/env"));
    command
        .env("PATH", format!("{bin}:/usr/local/bin:/usr/bin:/bin"))
        .current_dir(w.path("home/app"));
    let output = command.args([shell, "-c", script]).output().unwrap();
    if output.status.code() == Some(127) {
        notes::skipped(&format!("{shell} is not installed"));
        return None;
    }
    assert!(output.stderr.is_empty(), "{shell}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The words that bash offers for the last of these.
fn bash(w: &World, words: &[&str]) -> Vec<String> {
    let n = words.len();
    let last = words.last().unwrap();
    let words = words.join("' '");
    let script = format!(
        "source <(memctl completions bash)
         COMP_WORDS=(memctl '{words}'); COMP_CWORD={n}; COMP_TYPE=9
         _clap_complete_memctl memctl '{last}' x
         printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let out = run(w, "bash", &script).unwrap_or_default();
    let is_asked = |word: &&str| !word.starts_with("--") || last.starts_with("--");
    out.lines().filter(is_asked).map(str::to_owned).collect()
}

#[test]
fn bash_completes_the_words_of_each_kind() {
    let w = world();
    let check = |words: &[&str], want: &[&str], not: &[&str]| {
        let offered = bash(&w, words);
        for word in want {
            assert!(offered.iter().any(|o| o == word), "{words:?}: {word} in {offered:?}");
        }
        for word in not {
            assert!(!offered.iter().any(|o| o == word), "{words:?}: {word} in {offered:?}");
        }
    };
    check(&[""], &["ps", "help", "context"], &["hook", "worker"]);
    check(&["help", "con"], &["context", "config"], &["ps"]);
    check(&["show", ""], &["s1", "p1", ENDED, LIVE], &["--json"]);
    check(&["show", "6"], &[ENDED], &[LIVE, "s1"]);
    check(&["forget", "p"], &["p1"], &[ENDED]);
    check(&["timeline", ""], &["s1", "p1", ENDED], &[]);
    check(&["pin", ""], &["s1"], &["p1", ENDED]);
    check(&["edit", ""], &["s1"], &["p1"]);
    check(&["done", ""], &["s1"], &["p1", ENDED]);
    check(&["feedback", ""], &["helpful", "stale", "wrong"], &["s1"]);
    check(&["feedback", "wrong", ""], &["s1"], &["p1"]);
    check(&["logs", ""], &[ENDED, LIVE], &[]);
    check(&["queue", "retry", ""], &[ENDED, LIVE], &[]);
    check(&["finish", ""], &[LIVE], &[ENDED]);
    check(&["kill", ""], &[LIVE], &[ENDED]);
    check(&["config", "get", "worker.l"], &["worker.linger"], &["exclude"]);
    check(&["config", "unset", ""], &["exclude", "log.max"], &[]);
    check(&["config", "secret", "set", "ANTH"], &["ANTHROPIC_API_KEY"], &[]);
    check(&["forget", "--project", ""], &["app"], &[]);
    check(&["context", "--project", "s"], &["sub/"], &["app"]);
    check(&["project", "link", "--to", "a"], &["app"], &[]);
    check(&["search", "--type", ""], &["decision", "prompt", "summary"], &[]);
    check(&["search", "--session", ""], &[ENDED, LIVE], &[]);
    check(&["search", "--origin", "w"], &["web"], &["user"]);
    check(&["search", "--project", ""], &["app"], &[]);
    check(&["remember", "--project", "a"], &["app"], &[]);
    check(&["resume", "get", ""], &["github:claude:owner/repo:12"], &[]);
    check(&["ps", "--"], &["--json", "--help"], &["--all"]);
    let all = bash(&w, &["show", ""]).join(" ");
    assert!(!all.contains("touch"), "{all}");
    assert!(!w.path("home/app/pwned").exists());
}

#[test]
fn fish_completes_with_descriptions() {
    let w = world();
    let fish = |line: &str| {
        run(&w, "fish", &format!("memctl completions fish | source; complete -C '{line}'"))
    };
    let Some(offered) = fish("memctl show s") else { return };
    assert!(offered.contains("s1\tmake the tests pass\n"), "{offered}");
    let settings = fish("memctl config get worker.linge").unwrap();
    assert!(settings.starts_with("worker.linger\thow long a worker waits"), "{settings}");
}

/// zsh needs a terminal to complete, so only its answer and the syntax of its script are checked.
#[test]
fn zsh_accepts_the_script() {
    let w = world();
    let script = "autoload -U compinit; compinit -D -u; source <(memctl completions zsh)
        print ${_comps[memctl]}
        MEMCTL_COMPLETE=zsh _CLAP_COMPLETE_INDEX=2 _CLAP_IFS=$'\\n' memctl -- memctl show s";
    let Some(offered) = run(&w, "zsh", script) else { return };
    assert!(offered.starts_with("_clap_dynamic_completer_memctl\n"), "{offered}");
    assert!(offered.contains("s1:make the tests pass"), "{offered}");
}

/// A shell shows neither warnings nor errors of a completion.
#[test]
fn completion_is_silent_without_a_memory_and_with_a_broken_one() {
    let w = World::new();
    fs::create_dir_all(w.path("home/app")).unwrap();
    assert_eq!(bash(&w, &["show", ""]), [] as [&str; 0]);
    assert!(bash(&w, &["config", "get", "log"]).contains(&"log.max".to_owned()));
    assert!(!w.data().exists(), "completing creates no data directory");
    fs::create_dir_all(w.path("home/.config/memctl")).unwrap();
    fs::write(w.path("home/.config/memctl/config.toml"), "not toml").unwrap();
    fs::create_dir(w.data()).unwrap();
    fs::write(w.data().join("memctl.db"), "no database ".repeat(999)).unwrap();
    assert_eq!(bash(&w, &["show", ""]), [] as [&str; 0]);
    assert_eq!(bash(&w, &["kill", ""]), [] as [&str; 0]);
}
