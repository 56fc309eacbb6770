//! Process start and exit, which memctl implements itself instead of using Rust's runtime.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use crate::support::World;
use crate::support::recordings::{end, prompt};

fn memctl(w: &World) -> Command {
    w.program()
}

/// `memctl` started by a shell with these arguments and redirections.
fn shell(w: &World, args: &str) -> Command {
    let mut command = w.command(Path::new("/bin/sh"));
    command.args(["-c", &format!("\"$@\" {args}"), "sh", env!("CARGO_BIN_EXE_memctl")]);
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

#[test]
fn recover_prints_its_help_and_refuses_arguments() {
    let w = World::new();
    w.spool(&prompt("s", "t", "go"));
    for help in ["--help", "-h"] {
        assert!(w.memctl(&["recover", help]).ok().starts_with("memctl recover\n"));
    }
    let output = w.memctl(&["recover", "now"]);
    assert_eq!((output.code, output.out.as_str()), (Some(2), ""));
    assert!(output.err.starts_with("error: unexpected argument 'now'\n"), "{output:?}");
    assert_eq!(w.spools().len(), 1, "nothing was recovered");
}

/// If a standard stream is closed at the start, the next opened file must not get its descriptor.
/// Otherwise output would go into that file.
#[test]
fn closed_streams_are_not_reused() {
    let w = World::new();
    let payload = w.path("payload");
    std::fs::write(&payload, prompt("s", "t", "go").to_string()).unwrap();
    let args = format!("hook <{} >&- 2>&-", payload.display());
    assert!(shell(&w, &args).status().unwrap().success());
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.prompts().len(), 1);
    assert_eq!(w.rows("PRAGMA integrity_check"), ["ok"]);
    assert!(!w.logs().contains("continue"), "{}", w.logs());
    for args in ["ps <&- >&- 2>&-", "status >&-", "--help <&- >&- 2>&-"] {
        let output = shell(&w, args).output().unwrap();
        assert!(output.status.success(), "{args}: {output:?}");
    }
}

#[test]
fn arguments_and_variables_may_be_invalid_utf8() {
    let w = World::new();
    let invalid = OsStr::from_bytes(b"\xff\xfe");
    for args in [&[invalid][..], &[OsStr::new("ps"), invalid]] {
        let output = memctl(&w).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    let output = memctl(&w).arg("hook").arg(invalid).output().unwrap();
    assert!(output.status.success(), "a hook always succeeds: {output:?}");
    let output =
        memctl(&w).env(invalid, invalid).env("MEMCTL_", invalid).arg("ps").output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
