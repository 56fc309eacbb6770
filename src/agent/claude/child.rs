//! The process: told and heard in lines, in a process group of its own that is killed on every
//! way out.

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

/// A longer line is no answer.
const LINE: usize = 8 << 20;

/// So much is kept of what it complains about.
const COMPLAINT: u64 = 4 << 10;

/// How long it may take to end by itself: it writes its own files down.
const FAREWELL: Duration = Duration::from_secs(2);

pub struct Child {
    child: tokio::process::Child,
    /// Gone once it was told that nothing more comes.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    complaint: Option<JoinHandle<String>>,
    line: Vec<u8>,
}

impl Child {
    /// # Errors
    /// [`AgentError::Setup`] where there is no such program, or it may not be run.
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
                AgentError::Setup(format!("there is no program '{program}'"))
            }
            io::ErrorKind::PermissionDenied => {
                AgentError::Setup(format!("'{program}' may not be run"))
            }
            _ => AgentError::Unreachable(format!("'{program}' could not be started: {e}")),
        })?;
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        Ok(Child {
            stdin: child.stdin.take(),
            stdout: BufReader::new(stdout),
            complaint: Some(tokio::spawn(complaint(stderr))),
            child,
            line: Vec::new(),
        })
    }

    pub async fn tell(&mut self, line: &str) -> io::Result<()> {
        let Some(stdin) = &mut self.stdin else { return Ok(()) };
        stdin.write_all(line.as_bytes()).await?;
        stdin.write_all(b"\n").await?;
        stdin.flush().await
    }

    /// The next line; `None` once it says nothing more. Whatever it has started may hold on to its
    /// output, and ends with it.
    pub async fn hear(&mut self) -> io::Result<Option<Vec<u8>>> {
        let pid = self.child.id();
        tokio::select! {
            biased;
            line = self.next_line() => return line,
            () = over(pid) => {}
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
            if self.line.len() > LINE {
                return Err(io::Error::other("its answer has no end"));
            }
        }
    }

    /// Why it ended. One that never began a turn cannot be used as it is set up.
    pub async fn ended(&mut self, begun: bool) -> AgentError {
        let status = self.farewell().await;
        let said = match self.complaint.take() {
            Some(said) => said.await.unwrap_or_default(),
            None => String::new(),
        };
        let first = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
        if !begun && first.contains("unknown option") {
            return AgentError::Setup("the program is too old: it does not know an option".into());
        }
        if let Some(error) = AgentError::of_words(first) {
            return error;
        }
        let how = match status {
            Some(status) => status.to_string(),
            None => "it hung".into(),
        };
        let by_itself = status.is_some_and(|status| status.code().is_some_and(|code| code != 0));
        if !begun && by_itself {
            AgentError::Setup(format!("the program does not begin ({how})"))
        } else {
            AgentError::Died(how)
        }
    }

    pub async fn end(mut self) {
        let _ = self.farewell().await;
    }

    /// Waits for its end, and makes one where none comes. What it has started goes with it.
    async fn farewell(&mut self) -> Option<ExitStatus> {
        self.stdin = None;
        let by_itself = timeout(FAREWELL, over(self.child.id())).await.is_ok();
        // Whoever ended by itself is still waited for, so its group is still its own.
        self.kill();
        let status = self.child.wait().await.ok();
        status.filter(|_| by_itself)
    }

    fn kill(&mut self) {
        // Gone from here once it was waited for: then its pid may be another's.
        if let Some(pid) = self.child.id() {
            process::kill_group(pid);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        if let Some(complaint) = &self.complaint {
            complaint.abort();
        }
    }
}

/// Comes back once the program has ended; it is not waited for yet. None: it was.
async fn over(pid: Option<u32>) {
    let Some(pid) = pid else { return };
    // Where nobody tells us, its silence will have to do.
    let Ok(mut children) = signal(SignalKind::child()) else { return pending().await };
    while !process::has_exited(pid) && children.recv().await.is_some() {}
}

/// The beginning of what it complains about; the rest is read and dropped, so that it is not kept
/// waiting.
async fn complaint(stderr: ChildStderr) -> String {
    let mut stderr = BufReader::new(stderr);
    let mut said = Vec::new();
    let _ = (&mut stderr).take(COMPLAINT).read_to_end(&mut said).await;
    let _ = tokio::io::copy_buf(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&said).into_owned()
}
