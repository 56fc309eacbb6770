//! `hooks/observe.sh`, with a real `nc` or a stand-in for it.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::recordings::prompt;
use crate::support::{World, notes, until};

/// As `nc -U SOCKET`: sends standard input, then prints what arrives.
const STAND_IN: &str = r#"#!/usr/bin/perl
use IO::Socket::UNIX;
shift @ARGV;
my $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or exit 1;
print $socket $_ while <STDIN>;
$socket->flush;
print while <$socket>;
"#;

/// Directories with every `nc` that can be tested here, the stand-in among them.
fn all_nc(w: &World) -> Vec<PathBuf> {
    let runs = |program: &str, arg: &str| {
        let mut command = Command::new(program);
        command.arg(arg).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok()
    };
    let mut dirs = Vec::new();
    let mut add = |name: &str, program: Option<&Path>| {
        let dir = w.path(name);
        fs::create_dir(&dir).unwrap();
        symlink(env!("CARGO_BIN_EXE_memctl"), dir.join("memctl")).unwrap();
        match program {
            Some(program) => symlink(program, dir.join("nc")).unwrap(),
            None => write_program(&dir.join("nc"), STAND_IN),
        }
        dirs.push(dir);
    };
    for program in ["/usr/bin/nc.openbsd", "/usr/bin/ncat"] {
        if runs(program, "-h") {
            add(&program.replace('/', "-"), Some(Path::new(program)));
        }
    }
    if runs("/usr/bin/perl", "-MIO::Socket::UNIX") {
        add("stand-in", None);
    }
    dirs
}

fn write_program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

fn observe(w: &World, nc: &Path, args: &[&str], input: &[u8]) -> std::process::Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks/observe.sh");
    let mut observe = w.command(&script);
    observe.args(args).env("PATH", format!("{}:/usr/bin:/bin", nc.display()));
    observe.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut observe = observe.spawn().unwrap();
    let _ = observe.stdin.take().unwrap().write_all(input);
    observe.wait_with_output().unwrap()
}

/// Waits until a session's worker answers, and returns its pid.
fn serving(w: &World, session: &str) -> i32 {
    w.hook(&prompt(session, "t", "go"));
    until("the worker serves", || {
        let workers = w.memctl(&["ps", "--json"]).json();
        let own = workers.as_array().unwrap().iter().find(|row| row["session"] == session);
        match own.filter(|row| row["state"] == "serving") {
            Some(row) => Ok(row["pid"].as_i64().unwrap() as i32),
            None => Err(workers.to_string()),
        }
    })
}

#[test]
fn the_only_worker_that_answers_stores_the_tool_use() {
    let w = World::lingering();
    let nc = all_nc(&w);
    let Some(any) = nc.first() else {
        notes::skipped("neither nc.openbsd, ncat nor perl is installed");
        return;
    };
    let output = observe(&w, any, &["make"], b"");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && error.contains("no worker is running"), "{error}");

    // The socket of a dead worker is no choice.
    serving(&w, "s");
    let live = w.socket_files().remove(0).to_str().unwrap().to_owned();
    let dead = live.replace(&live[live.len() - 9..], "0000.sock");
    drop(std::os::unix::net::UnixListener::bind(dead).unwrap());
    let workers = w.memctl(&["ps", "--json"]).json();
    let state = |row: &Value| row["state"].as_str().unwrap_or_default().to_owned();
    let mut states: Vec<String> = workers.as_array().unwrap().iter().map(state).collect();
    states.sort_unstable();
    assert_eq!(states, ["serving", "stale"]);
    let text =
        "quote \" backslash \\ tab \t \u{1b}[31mred\u{7f} {\"state\":\"serving\"} é\nlast line";
    for (n, nc) in nc.iter().enumerate() {
        let command = format!("make test-{n} NAME='a \"b\"'");
        let output = observe(&w, nc, &[&command], text.as_bytes());
        assert!(output.status.success(), "{}: {output:?}", nc.display());
        let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&reply["ok"], &reply["duplicate"]), (&true.into(), &false.into()));
        let event = reply["id"].as_str().unwrap();
        let stored = format!(
            "SELECT tool_input || tool_response FROM pending_messages WHERE event_id = '{event}'"
        );
        let stored = w.rows(&stored).remove(0);
        let kept = "quote \" backslash \\ tab \t [31mred {\"state\":\"serving\"} é\nlast line";
        assert!(stored.contains(kept) && stored.contains(&format!("test-{n} ")), "{stored}");
    }

    // With two of them, the caller chooses.
    serving(&w, "t");
    let output = observe(&w, any, &["make"], b"");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    let sockets: Vec<&str> = error.lines().filter(|line| line.ends_with(".sock")).collect();
    assert_eq!(sockets.len(), 2, "{error}");
    let output =
        observe(&w, any, &["make", sockets[0]], &b"line of a long output\n".repeat(200_000));
    assert!(output.status.success(), "{output:?}");
    let output = observe(&w, any, &["make", "/nowhere"], b"");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_reply_without_success_is_a_failure() {
    let w = World::new();
    let dir = w.path("nc");
    fs::create_dir(&dir).unwrap();
    let socket = w.path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (reply, is_success) in [
        (r#"{"ok":true,"id":"x","duplicate":false}"#, true),
        (r#"{"duplicate":false,"id":"x","ok":true}"#, true),
        (r#"{"code":"store","message":"says \"ok\":true","ok":false}"#, false),
        ("", false),
    ] {
        write_program(&dir.join("nc"), &format!("#!/bin/sh\ncat >/dev/null\necho '{reply}'\n"));
        let output = observe(&w, &dir, &["make", socket.to_str().unwrap()], b"");
        assert_eq!(output.status.success(), is_success, "{reply}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), reply);
    }
}
