//! Commands that run at a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;

use super::World;

/// Runs a command that asks a question, with a terminal on stdin and stderr. Returns its stdout and what
/// the terminal shows.
pub fn at_terminal(w: &World, args: &[&str], typed: &str) -> (String, String) {
    let pty = nix::pty::openpty(None, None).unwrap();
    let mut command = w.program();
    command.args(args).stdout(Stdio::piped());
    command.stdin(pty.slave.try_clone().unwrap()).stderr(pty.slave.try_clone().unwrap());
    let child = command.spawn().unwrap();
    let mut terminal = File::from(pty.master);
    terminal.write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut shown = String::new();
    while !shown.contains("[y/N]") {
        let mut bytes = [0; 4096];
        let n = terminal.read(&mut bytes).unwrap();
        shown.push_str(&String::from_utf8_lossy(&bytes[..n]));
    }
    (String::from_utf8_lossy(&output.stdout).into_owned(), shown)
}
