//! A child process that reads and writes lines. It has a process group of its own, which is killed on
//! every exit path.

use std::ffi::OsString;
use std::future::pending;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::error::AgentError;
use crate::process;

/// Maximum length of a line.
const MAX_LINE: usize = 8 << 20;

/// Bytes kept of stderr.
const MAX_STDERR: u64 = 4 << 10;

/// How long the program may take to exit, because it first writes its own files.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

pub struct Child {
    child: tokio::process::Child,
    /// `None` once it is closed.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    stderr: Option<JoinHandle<String>>,
    line: Vec<u8>,
}

impl Child {
    /// # Errors
    /// [`AgentError::Setup`] if the program does not exist or cannot be executed.
    pub fn start(
        program: &str,
        args: &[&str],
        dir: &Path,
        env: Vec<(OsString, OsString)>,
    ) -> Result<Child, AgentError> {
        let mut command = std::process::Command::new(program);
        command.args(args).env_clear().envs(env).current_dir(dir);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        process::kill_with_parent(&mut command);
        let mut command = Command::from(command);
        let started = command.kill_on_drop(true).spawn();
        let mut child = started.map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => {
                AgentError::Setup(format!("the program '{program}' was not found"))
            }
            io::ErrorKind::PermissionDenied => {
                AgentError::Setup(format!("no permission to execute '{program}'"))
            }
            _ => AgentError::Unreachable(format!("'{program}' could not be started: {e}")),
        })?;
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        Ok(Child {
            stdin: child.stdin.take(),
            stdout: BufReader::new(stdout),
            stderr: Some(tokio::spawn(read_stderr(stderr))),
            child,
            line: Vec::new(),
        })
    }

    pub async fn write_line(&mut self, line: &str) -> io::Result<()> {
        let Some(stdin) = &mut self.stdin else { return Ok(()) };
        stdin.write_all(line.as_bytes()).await?;
        stdin.write_all(b"\n").await?;
        stdin.flush().await
    }

    /// Reads the next line; `None` at the end of the output. When the program exits, kills its process
    /// group, because a grandchild may keep the output open.
    pub async fn read_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let pid = self.child.id();
        tokio::select! {
            biased;
            line = self.next_line() => return line,
            () = exited(pid) => {}
        }
        self.kill();
        self.next_line().await
    }

    async fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let piece = self.stdout.fill_buf().await?;
            if piece.is_empty() {
                return Ok(None);
            }
            let end = piece.iter().position(|b| *b == b'\n');
            let n = end.map_or(piece.len(), |end| end + 1);
            self.line.extend_from_slice(&piece[..n]);
            self.stdout.consume(n);
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.line)));
            }
            if self.line.len() > MAX_LINE {
                return Err(io::Error::other("a line of its output is too long"));
            }
        }
    }

    /// Why the program ended. If it failed before its first turn, its settings are wrong.
    pub async fn end_reason(&mut self, begun: bool) -> AgentError {
        let status = self.wait_or_kill().await;
        let text = match self.stderr.take() {
            Some(reader) => reader.await.unwrap_or_default(),
            None => String::new(),
        };
        let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
        if !begun && first.contains("unknown option") {
            return AgentError::Setup(
                "the program is too old: it does not accept a required option".into(),
            );
        }
        if let Some(error) = AgentError::from_text(first) {
            return error;
        }
        let status_text = match status {
            Some(status) => status.to_string(),
            None => "it hung and was killed".into(),
        };
        let failed = status.is_some_and(|status| status.code().is_some_and(|code| code != 0));
        if !begun && failed {
            AgentError::Setup(format!("the program fails at its start ({status_text})"))
        } else {
            AgentError::Died(status_text)
        }
    }

    /// Closes the input and waits for the exit. Kills the program after a timeout.
    pub async fn end(mut self) {
        let _ = self.wait_or_kill().await;
    }

    /// Closes the input, waits for the exit, then kills the process group. The status is `None` if
    /// the program had to be killed.
    async fn wait_or_kill(&mut self) -> Option<ExitStatus> {
        self.stdin = None;
        let exited = timeout(EXIT_TIMEOUT, exited(self.child.id())).await.is_ok();
        // The program has not been reaped, so the kernel cannot have reused its pid.
        self.kill();
        let status = self.child.wait().await.ok();
        status.filter(|_| exited)
    }

    fn kill(&mut self) {
        // `None` after the program was reaped, when the kernel may reuse the pid.
        if let Some(pid) = self.child.id() {
            process::kill_group(pid);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        if let Some(reader) = &self.stderr {
            reader.abort();
        }
    }
}

/// Waits for the exit of the program without reaping it. Returns at once for `None`, a reaped program.
async fn exited(pid: Option<u32>) {
    let Some(pid) = pid else { return };
    // Without SIGCHLD, the exit shows only as the end of the output.
    let Ok(mut children) = signal(SignalKind::child()) else { return pending().await };
    while !process::has_exited(pid) && children.recv().await.is_some() {}
}

/// Reads the beginning of stderr, and discards the rest so that the program does not block.
async fn read_stderr(stderr: ChildStderr) -> String {
    let mut stderr = BufReader::new(stderr);
    let mut text = Vec::new();
    let _ = (&mut stderr).take(MAX_STDERR).read_to_end(&mut text).await;
    let _ = tokio::io::copy_buf(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&text).into_owned()
}
