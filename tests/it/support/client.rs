//! A shell that acts as the client: it runs hooks as its children, and a test can kill it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::World;
use super::world::Output;

/// The exit code that a shell reports for a killed child.
const KILLED: i32 = 128 + 9;

pub struct Client {
    shell: Child,
    requests: ChildStdin,
    exit_codes: BufReader<ChildStdout>,
    /// The path of a hook's input and output files, without their extensions.
    files: PathBuf,
}

impl Client {
    pub fn new(w: &World) -> Client {
        // The shell passes the world's environment to its children but does not have it itself, so
        // `World::processes` does not list it.
        let world = w.command(Path::new("/bin/sh"));
        let exports: String = world
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)))
            .map(|(name, value)| format!("export {name}='{value}'\n"))
            .collect();
        let memctl = env!("CARGO_BIN_EXE_memctl");
        let script = format!(
            "{exports}
             while read -r files points; do
               MEMCTL_TESTPOINT=$points CLAUDE_PID=$$ '{memctl}' hook \
                 <$files.in >$files.out 2>$files.err
               echo $?
             done"
        );
        let mut shell = Command::new("/bin/sh");
        shell.env_clear().args(["-c", &script]);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = shell.spawn().unwrap();
        Client {
            requests: shell.stdin.take().unwrap(),
            exit_codes: BufReader::new(shell.stdout.take().unwrap()),
            files: w.path(&format!("client-{}", shell.id())),
            shell,
        }
    }

    pub fn pid(&self) -> i32 {
        self.shell.id().cast_signed()
    }

    /// Runs a hook with test points. Returns `None` if the client is killed meanwhile, because the
    /// outcome of the hook is unknown then.
    pub fn hook(&mut self, payload: &Value, points: &str) -> Option<Output> {
        let file = |kind: &str| self.files.with_extension(kind);
        fs::write(file("in"), payload.to_string()).unwrap();
        writeln!(self.requests, "{} {points}", self.files.display()).ok()?;
        let mut code = String::new();
        self.exit_codes.read_line(&mut code).ok()?;
        let code: i32 = code.trim().parse().ok()?;
        let read = |kind| fs::read_to_string(file(kind)).unwrap_or_default();
        Some(Output { code: (code != KILLED).then_some(code), out: read("out"), err: read("err") })
    }

    pub fn kill(mut self) {
        self.shell.kill().unwrap();
        self.shell.wait().unwrap();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
