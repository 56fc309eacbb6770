//! What is not recorded: pauses, switches, `exclude` and `capture.mode`, with every sign of it that a
//! user can see. An excluded project stays excluded whatever happens to the config file.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::agent::configure;
use crate::support::directories::in_dir;
use crate::support::recordings::{end, prompt, start, stop, tool};
use crate::support::world::files_below;
use crate::support::{World, until};

/// A word of the user that must not be found in a file.
const WORD: &str = "Zebrafish";

const NO_OP: &str = r#"{"continue":true,"suppressOutput":true}"#;

fn config_file(w: &World) -> PathBuf {
    w.path("home/.config/memctl/config.toml")
}

/// Creates a repository in the world.
fn repository(w: &World, name: &str) -> PathBuf {
    let root = w.path(name);
    fs::create_dir_all(root.join(".git")).unwrap();
    fs::write(root.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    root
}

/// The payloads of a session whose texts contain [`WORD`], without its start.
fn session_in(dir: &Path) -> Vec<Value> {
    let payloads = [
        prompt("s", "t", &format!("feed the {WORD}")),
        tool("s", "t", "u", &format!("cat {WORD}"), WORD),
        stop("s", "t", &format!("The {WORD} is fed.")),
        end("s"),
    ];
    payloads.into_iter().map(|payload| in_dir(payload, dir)).collect()
}

fn start_in(w: &World, dir: &Path) -> Value {
    w.hook(&in_dir(start("s"), dir))
}

/// The files below the world that contain [`WORD`].
fn traces(w: &World) -> Vec<PathBuf> {
    let has_word = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(WORD.len()).any(|part| part == WORD.as_bytes())
    };
    files_below(vec![w.path("")]).into_iter().filter(has_word).collect()
}

/// Runs a session in `dir` and expects no trace of it.
#[track_caller]
fn assert_not_recorded(w: &World, dir: &Path, what: &str) {
    for payload in session_in(dir) {
        let output = w.hook_bytes(&[], payload.to_string().as_bytes());
        assert_eq!((output.code, output.out.trim()), (Some(0), NO_OP), "{what}: {output:?}");
    }
    w.settle();
    assert_eq!(traces(w), Vec::<PathBuf>::new(), "{what}");
    let sessions = w.memctl(&["status", "--json"]).json()["sessions"].clone();
    assert_eq!(sessions, 0, "{what}");
}

/// Runs a session in `dir` and expects that it is stored.
#[track_caller]
fn assert_recorded(w: &World, dir: &Path, what: &str) {
    w.hooks(&session_in(dir));
    w.settle();
    assert!(!traces(w).is_empty(), "{what}");
}

/// What a session start in `dir` tells the user.
fn notice(w: &World, dir: &Path) -> String {
    start_in(w, dir)["systemMessage"].as_str().unwrap_or_default().to_owned()
}

/// `recording` and `recording_reason` of `memctl status --json` in `dir`.
fn status_in(w: &World, dir: &Path) -> (String, String) {
    let status: Value = serde_json::from_str(&w.memctl_in(dir, &["status", "--json"]).out).unwrap();
    let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
    // No hooks are installed in these worlds: that is the reason if the rules have none.
    match text("recording").as_str() {
        "hooks" => ("on".into(), String::new()),
        _ => (text("recording"), text("recording_reason")),
    }
}

fn memctl_in(w: &World, dir: &Path, args: &[&str]) -> (String, String) {
    let output = w.memctl_in(dir, args);
    (output.out, output.err)
}

/// Sends a tool use without a directory to the worker, as a line. Returns the reply.
fn send_line(w: &World) -> String {
    let mut socket = until("a socket that accepts", || {
        let socket = w.socket_files().pop().ok_or("none")?;
        UnixStream::connect(socket).map_err(|e| e.to_string())
    });
    let line = json!({"type": "observation", "tool_name": "Bash", "tool_input": {"command": WORD}});
    writeln!(socket, "{line}").unwrap();
    let mut reply = String::new();
    BufReader::new(socket).read_line(&mut reply).unwrap();
    reply
}

#[test]
fn a_pause_ends_recording_until_it_is_over() {
    let w = World::new();
    let home = w.path("home");
    let paused = w.memctl(&["pause"]);
    assert_eq!(paused.out, "recording is paused\n");
    assert_eq!(paused.err.trim(), "hint: run `memctl unpause` to record again");
    assert_not_recorded(&w, &home, "paused");
    assert!(!w.data().exists(), "not even a data dir");
    let said = "memctl: recording is paused (details: memctl status)";
    assert_eq!([notice(&w, &home), notice(&w, &home)], [said, said], "at each start");
    let (state, reason) = status_in(&w, &home);
    assert_eq!(state, "paused");
    assert_eq!(reason, "recording is paused; run `memctl unpause` to record again");
    let status = w.memctl(&["status"]).ok();
    let verdict = "Sessions in this directory are not recorded: recording is paused;";
    assert!(status.contains(verdict), "{status}");
    let doctor = w.memctl(&["doctor"]);
    assert!(doctor.out.contains("note  recording recording is paused"), "{doctor:?}");
    let context = w.memctl(&["context"]);
    assert_eq!(context.out, "");
    assert!(context.err.contains("note: a session here receives no context: recording is paused"));

    assert_eq!(w.memctl(&["unpause"]).ok(), "the pause is over\n");
    assert_eq!(w.memctl(&["unpause"]).ok(), "recording was not paused\n");
    assert_eq!(status_in(&w, &home), ("on".into(), String::new()));
    assert_recorded(&w, &home, "after the pause");
}

#[test]
fn a_pause_can_have_an_end() {
    let clock = tempfile::NamedTempFile::new().unwrap();
    let w = World::new().with("MEMCTL_TESTCLOCK", clock.path().to_str().unwrap());
    let home = w.path("home");
    for wrong in ["2", "soon", "0s", "-2h", ""] {
        let output = w.memctl(&["pause", &format!("--for={wrong}")]);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.err.contains("use a time such as 30min, 2h or 1d"), "{output:?}");
    }
    assert_eq!(status_in(&w, &home).0, "on", "a mistake pauses nothing");
    let said = "recording is paused for another 2h\n";
    assert_eq!(w.memctl(&["pause", "--for", "2h"]).ok(), said);
    fs::write(clock.path(), "3900000").unwrap();
    assert!(status_in(&w, &home).1.starts_with("recording is paused for another 55min;"));
    assert_not_recorded(&w, &home, "paused for two hours");
    fs::write(clock.path(), "7260000").unwrap();
    assert_eq!(status_in(&w, &home).0, "on");
    assert_recorded(&w, &home, "after two hours");
}

#[test]
fn a_running_session_is_paused_too_and_its_worker_exits_with_it() {
    let w = World::new();
    let worker = w.worker_of("s");
    w.memctl(&["pause"]).ok();
    let [asked, used, stopped] =
        [prompt("s", "t", WORD), tool("s", "t", "u", WORD, WORD), stop("s", "t", WORD)];
    for payload in [asked, used, stopped] {
        assert_eq!(w.hook(&payload).to_string(), NO_OP);
    }
    let reply = send_line(&w);
    assert!(reply.contains("not recorded: recording is paused"), "{reply}");
    assert_eq!(w.processes(), [worker]);
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.session()["end_reason"], "other");
    assert_eq!(traces(&w), Vec::<PathBuf>::new());
    assert_eq!(w.prompts().len(), 1);
}

#[test]
fn a_paused_project_is_paused_in_each_clone_and_work_tree() {
    let w = World::new();
    let (app, other) = (repository(&w, "app"), repository(&w, "other"));
    let origin = "[remote \"origin\"]\n\turl = https://example.com/me/app.git\n";
    fs::write(app.join(".git/config"), origin).unwrap();
    let clone = repository(&w, "elsewhere/clone");
    fs::write(clone.join(".git/config"), origin).unwrap();
    let tree = w.path("tree");
    fs::create_dir_all(&tree).unwrap();
    fs::create_dir_all(app.join(".git/worktrees/tree")).unwrap();
    fs::write(app.join(".git/worktrees/tree/HEAD"), "ref: refs/heads/b\n").unwrap();
    fs::write(app.join(".git/worktrees/tree/commondir"), "../..\n").unwrap();
    let link = format!("gitdir: {}\n", app.join(".git/worktrees/tree").display());
    fs::write(tree.join(".git"), link).unwrap();
    fs::create_dir(app.join("src")).unwrap();

    let (out, err) = memctl_in(&w, &app, &["pause", "--project", "--for", "90min"]);
    assert_eq!(out, "recording of project app is paused for another 1h 30min\n");
    assert!(err.contains("memctl unpause --project"), "{err}");
    for dir in [&app, &app.join("src"), &clone, &tree] {
        assert_eq!(status_in(&w, dir).0, "paused", "{}", dir.display());
        assert_not_recorded(&w, dir, "a paused project");
        assert!(notice(&w, dir).contains("recording of project app is paused"));
    }
    assert_eq!(status_in(&w, &other).0, "on");
    let (out, err) = memctl_in(&w, &app, &["unpause"]);
    assert_eq!(out, "recording was not paused\n");
    assert!(err.contains("note: recording of project app is paused"), "{err}");
    let (out, _) = memctl_in(&w, &clone, &["unpause", "--project"]);
    assert_eq!(out, "the pause of this project is over\n");
    assert_recorded(&w, &app, "after the pause");
}

#[test]
fn events_without_a_directory_belong_to_the_project_of_their_session() {
    let w = World::new();
    let app = repository(&w, "app");
    w.hook(&in_dir(prompt("s", "t", "recorded"), &app));
    until("the prompt is stored", || match w.prompts().len() {
        1 => Ok(()),
        n => Err(n.to_string()),
    });
    memctl_in(&w, &app, &["pause", "--project"]);
    let reply = send_line(&w);
    assert!(reply.contains("not recorded: recording of project app is paused"), "{reply}");
    let mut payload = stop("s", "t", WORD);
    payload.as_object_mut().unwrap().remove("cwd");
    let mut hook = w.program();
    hook.arg("hook").current_dir(&app).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut hook = hook.spawn().unwrap();
    write!(hook.stdin.take().unwrap(), "{payload}").unwrap();
    let output = hook.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), NO_OP);
    w.hook(&in_dir(end("s"), &app));
    w.settle();
    assert_eq!(traces(&w), Vec::<PathBuf>::new());
    assert!(memctl_in(&w, &app, &["unpause", "--project"]).0.contains("is over"));
}

#[test]
fn neither_the_environment_nor_damage_ends_a_pause() {
    for (name, value) in [
        ("MEMCTL_DATA_DIR", "other-data"),
        ("XDG_DATA_HOME", "other-data"),
        ("MEMCTL_CONFIG", "absent.toml"),
        ("XDG_CONFIG_HOME", "absent"),
        ("HOME", "other-home"),
        ("XDG_STATE_HOME", "absent"),
    ] {
        let mut w = World::new();
        w.memctl(&["pause"]).ok();
        w.set(name, w.path(value).to_str().unwrap());
        assert_not_recorded(&w, &w.path("home"), name);
    }
    let w = World::new();
    w.memctl(&["pause"]).ok();
    let file = w.path("home/.local/state/memctl/paused.json");
    fs::write(&file, "{").unwrap();
    assert_not_recorded(&w, &w.path("home"), "a damaged file");
    let (state, reason) = status_in(&w, &w.path("home"));
    assert_eq!(state, "fault");
    assert!(reason.contains("paused.json") && reason.contains("`memctl unpause`"), "{reason}");
    assert_eq!(w.memctl(&["unpause"]).ok(), "the pause is over\n");
    assert_eq!(status_in(&w, &w.path("home")).0, "on");
}

#[test]
fn variables_switch_recording_off_and_status_says_so() {
    for (variable, value) in
        [("MEMCTL_DISABLE", "1"), ("MEMCTL_DISABLE", "true"), ("MEMCTL_INTERNAL", "1")]
    {
        let w = World::new().with(variable, value);
        let home = w.path("home");
        assert_not_recorded(&w, &home, variable);
        assert_eq!(start_in(&w, &home).to_string(), NO_OP, "a start says nothing");
        let (state, reason) = status_in(&w, &home);
        assert_eq!(state, "disabled");
        let said =
            format!("recording is switched off by {variable} in the environment; unset {variable}");
        assert_eq!(reason, said);
        assert!(w.memctl(&["doctor"]).out.contains(&format!("off by {variable}")));
        let replay = w.memctl(&["replay", "/dev/null"]);
        assert_eq!(replay.code, Some(1));
        assert!(replay.err.contains(variable), "{replay:?}");
    }
    let w = World::new().with("MEMCTL_DISABLE", "0");
    assert_recorded(&w, &w.path("home"), "MEMCTL_DISABLE=0");
}

#[test]
fn variables_in_the_settings_of_the_client_are_reported() {
    let w = World::new();
    let project = repository(&w, "project");
    fs::create_dir(project.join(".claude")).unwrap();
    fs::create_dir(project.join("src")).unwrap();
    let settings = json!({"env": {"MEMCTL_DISABLE": "1", "MEMCTL_SPOOL_MAX": 0, "PATH": "/x"}});
    fs::write(project.join(".claude/settings.json"), settings.to_string()).unwrap();
    let text = |args: &[&str]| memctl_in(&w, &project.join("src"), args).0.replace('\n', " ");
    for printed in [text(&["status", "--json"]), text(&["doctor", "--json"])] {
        assert!(
            printed.contains(
                "settings.json sets MEMCTL_DISABLE=1: sessions of Claude Code are not recorded"
            ),
            "{printed}"
        );
        assert!(printed.contains("settings.json sets MEMCTL_SPOOL_MAX=0: "), "{printed}");
    }
}

#[test]
fn settings_that_leave_texts_out_are_reported() {
    for (variable, value, want) in [
        (
            "MEMCTL_SPOOL_MAX",
            "0",
            "spool.max is 0: events that wait for a worker are stored without",
        ),
        (
            "MEMCTL_CAPTURE_TEXT",
            "0KiB",
            "capture.text is 0KiB: prompts and messages are not stored",
        ),
        ("MEMCTL_HOOK_STDIN", "0ms", "hook.stdin is 0ms: hooks do not wait for their events"),
    ] {
        let w = World::new().with(variable, value);
        let troubles = w.memctl(&["status", "--json"]).json()["troubles"].to_string();
        assert!(troubles.contains(want), "{troubles}");
        assert!(troubles.contains(&format!("unset {variable}")), "{troubles}");
        assert!(w.memctl(&["doctor", "--json"]).out.contains(want));
    }
    let w = World::new();
    let troubles = w.memctl(&["status", "--json"]).json()["troubles"].to_string();
    assert!(!troubles.contains(" is 0"), "{troubles}");
}

#[test]
fn only_marked_projects_are_recorded_if_the_user_wants_that() {
    let w = World::new();
    let (app, listed, other) =
        (repository(&w, "app"), repository(&w, "x/listed"), repository(&w, "other"));
    w.memctl(&["config", "set", "capture.mode", "marked"]).ok();
    w.memctl(&["config", "set", "capture.allow", "*/x/*"]).ok();
    fs::write(app.join(".memctl"), "").unwrap();
    let (state, reason) = status_in(&w, &other);
    assert_eq!(state, "unmarked");
    let fix = format!("create {}/.memctl, or add the project to capture.allow", other.display());
    assert!(reason.ends_with(&fix), "{reason}");
    assert_eq!(start_in(&w, &other).to_string(), NO_OP, "a start says nothing");
    assert_not_recorded(&w, &other, "no marker");
    assert_not_recorded(&w, &w.path("home"), "no repository");
    for dir in [&app, &listed] {
        assert_eq!(status_in(&w, dir).0, "on");
    }
    assert_recorded(&w, &app, "a marker");
    // Neither the environment nor a config file that it names turns the mode off.
    let mut w = w;
    fs::write(w.path("m.toml"), "capture.mode = 'all'\ncapture.allow = ['*']\n").unwrap();
    w.set("MEMCTL_CONFIG", w.path("m.toml").to_str().unwrap());
    w.set("MEMCTL_CAPTURE_MODE", "all");
    assert_eq!(status_in(&w, &other).0, "unmarked");
}

/// A world whose config excludes the returned project.
fn excluding(more: &str) -> (World, PathBuf) {
    let w = World::new();
    let secret = repository(&w, "home/clients/acme");
    configure(&w, &format!("exclude = ['~/clients/*']\n{more}"));
    fs::set_permissions(config_file(&w), Permissions::from_mode(0o600)).unwrap();
    (w, secret)
}

#[test]
fn an_excluded_project_leaves_no_trace_and_is_shown_as_excluded() {
    let (w, secret) = excluding("");
    assert_not_recorded(&w, &secret, "excluded");
    assert_eq!(start_in(&w, &secret).to_string(), NO_OP);
    let (state, reason) = status_in(&w, &secret);
    assert_eq!(state, "excluded");
    assert!(reason.starts_with("exclude contains ~/clients/*, which matches this project;"));
    assert_eq!(status_in(&w, &w.path("home")).0, "on");
    assert!(memctl_in(&w, &secret, &["doctor"]).0.contains("exclude contains ~/clients/*"));
    assert!(memctl_in(&w, &secret, &["context"]).1.contains("receives no context"));
    assert_recorded(&w, &w.path("home"), "another project");
}

#[test]
fn the_environment_does_not_end_an_exclusion() {
    for (name, value) in [
        ("MEMCTL_CONFIG", "{}/empty.toml"),
        ("MEMCTL_CONFIG", "{}/absent.toml"),
        ("MEMCTL_CONFIG", "{}"),
        ("MEMCTL_CONFIG", "{}/bytes.toml"),
        ("MEMCTL_CONFIG", "empty.toml"),
        ("MEMCTL_CONFIG", "/dev/null"),
        ("XDG_CONFIG_HOME", "{}/absent"),
        ("HOME", "{}/absent"),
        ("HOME", "/"),
        ("HOME", ""),
        ("MEMCTL_EXCLUDE", ""),
        ("CLAUDE_PROJECT_DIR", "{}/home"),
        ("CLAUDE_PROJECT_DIR", "{}/absent"),
        ("CLAUDE_PROJECT_DIR", ""),
    ] {
        let (mut w, secret) = excluding("");
        fs::write(w.path("empty.toml"), "exclude = []\n").unwrap();
        fs::write(w.path("bytes.toml"), b"exclude = []\n# \xff").unwrap();
        let base = w.path("");
        let value = value.replace("{}", base.to_str().unwrap().trim_end_matches('/'));
        w.set(name, &value);
        assert_not_recorded(&w, &secret, &format!("{name}={value}"));
        assert_ne!(status_in(&w, &secret).0, "on", "{name}={value}");
    }
}

#[test]
fn a_config_file_that_cannot_be_read_stops_recording_and_each_start_says_so() {
    let file_becomes = |w: &World, what: &str| {
        let file = config_file(w);
        let text = fs::read_to_string(&file).unwrap();
        let write = |text: &str| fs::write(&file, text).unwrap();
        match what {
            "one bad pattern" => write("exclude = ['[', '~/clients/*']"),
            "a pattern that matches nothing" => write("exclude = ['clients/*']"),
            "a number" => write("exclude = ['~/clients/*', 5]"),
            "a misspelled name" => write("exlude = ['~/clients/*']"),
            "the wrong table" => write(&format!("[worker]\nlinger = '1s'\n{text}")),
            "an error elsewhere" => write(&format!("{text}[worker\n")),
            "a key twice" => write(&format!("{text}{text}")),
            "bytes" => fs::write(&file, [text.as_bytes(), b"# \xff\n"].concat()).unwrap(),
            "a directory" => {
                fs::remove_file(&file).unwrap();
                fs::create_dir(&file).unwrap();
            }
            "a pipe" => {
                fs::remove_file(&file).unwrap();
                nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
            }
            "a link to nothing" => {
                fs::remove_file(&file).unwrap();
                symlink("absent", &file).unwrap();
            }
            "a link to itself" => {
                fs::remove_file(&file).unwrap();
                symlink("config.toml", &file).unwrap();
            }
            "a file in place of its directory" => {
                fs::remove_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file.parent().unwrap(), "").unwrap();
            }
            other => panic!("{other}"),
        }
    };
    for what in [
        "one bad pattern",
        "a pattern that matches nothing",
        "a number",
        "a misspelled name",
        "the wrong table",
        "an error elsewhere",
        "a key twice",
        "bytes",
        "a directory",
        "a pipe",
        "a link to nothing",
        "a link to itself",
        "a file in place of its directory",
    ] {
        let (w, secret) = excluding("");
        let open = repository(&w, "open");
        file_becomes(&w, what);
        assert_not_recorded(&w, &secret, what);
        assert_not_recorded(&w, &open, what);
        for _ in 0..2 {
            let notice = notice(&w, &open);
            assert!(notice.starts_with("memctl: nothing is recorded: "), "{what}: {notice}");
            assert_eq!(notice.lines().count(), 1, "{what}: {notice}");
        }
        let (state, reason) = status_in(&w, &open);
        assert_eq!(state, "fault", "{what}: {reason}");
        let (doctor, _) = memctl_in(&w, &open, &["doctor"]);
        assert!(doctor.contains("wrong recording "), "{what}: {doctor}");
    }
}

#[test]
fn the_last_valid_list_applies_while_the_config_file_is_missing() {
    let (w, secret) = excluding("");
    let open = repository(&w, "open");
    start_in(&w, &open);
    fs::remove_file(config_file(&w)).unwrap();
    assert_not_recorded(&w, &secret, "the file is missing");
    assert_eq!(status_in(&w, &secret).0, "excluded");
    assert_recorded(&w, &open, "another project");
    let notice = notice(&w, &open);
    assert!(
        notice.contains("config.toml is missing; its last exclude list still applies"),
        "{notice}"
    );
    assert_eq!(status_in(&w, &open).0, "on");
    let unset = w.memctl(&["config", "unset", "exclude"]);
    assert_eq!(unset.code, Some(0), "{unset:?}");
    assert_eq!(status_in(&w, &secret).0, "on", "the user ended the exclusion");

    // Another user could have removed a pattern.
    w.memctl(&["config", "set", "exclude", "~/clients/*"]).ok();
    fs::write(config_file(&w), "").unwrap();
    fs::set_permissions(config_file(&w), Permissions::from_mode(0o666)).unwrap();
    assert_eq!(status_in(&w, &secret).0, "excluded");
    // The user's own changes apply at once.
    fs::set_permissions(config_file(&w), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(status_in(&w, &secret).0, "on");
}
