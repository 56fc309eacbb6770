//! Start and exit of the process, which the program implements instead of Rust's runtime.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use crate::support::World;
use crate::support::recordings::{end, prompt};

fn memctl(w: &World) -> Command {
    w.command(Path::new(env!("CARGO_BIN_EXE_memctl")))
}

/// `memctl` with redirections of the shell.
fn shell(w: &World, streams: &str) -> Command {
    let mut command = w.command(Path::new("/bin/sh"));
    command.args(["-c", &format!("\"$@\" {streams}"), "sh", env!("CARGO_BIN_EXE_memctl")]);
    command
}

#[test]
fn a_panic_still_runs_destructors() {
    let w = World::new().with("MEMCTL_TESTPOINT", "recover.begun=panic");
    std::fs::create_dir_all(w.data().join("run")).unwrap();
    let output = memctl(&w).arg("recover").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(101), "{errors}");
    assert!(errors.contains("test point recover.begun") && !errors.contains("fatal"), "{errors}");
}

/// Otherwise the first opened file gets the number of a closed stream, and output goes into it.
#[test]
fn closed_streams_are_not_reused() {
    let w = World::new();
    let payload = w.path("payload");
    std::fs::write(&payload, prompt("s", "t", "go").to_string()).unwrap();
    let streams = format!("hook <{} >&- 2>&-", payload.display());
    assert!(shell(&w, &streams).status().unwrap().success());
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.prompts().len(), 1);
    assert_eq!(w.rows("PRAGMA integrity_check"), ["ok"]);
    assert!(!w.logs().contains("continue"), "{}", w.logs());
    for streams in ["ps <&- >&- 2>&-", "status >&-", "--help <&- >&- 2>&-"] {
        let output = shell(&w, streams).output().unwrap();
        assert!(output.status.success(), "{streams}: {output:?}");
    }
}

#[test]
fn arguments_and_variables_may_be_invalid_utf8() {
    let w = World::new();
    let odd = OsStr::from_bytes(b"\xff\xfe");
    for words in [&[odd][..], &[OsStr::new("ps"), odd]] {
        let output = memctl(&w).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    let output = memctl(&w).arg("hook").arg(odd).output().unwrap();
    assert!(output.status.success(), "a hook always succeeds: {output:?}");
    let output = memctl(&w).env(odd, odd).env("MEMCTL_", odd).arg("ps").output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
