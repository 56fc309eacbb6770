//! Reads one JSON object from a hook's standard input. Stops at the end of the object, at end of
//! file or at a timeout, because some clients leave the pipe open.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::capture::ObjectReader;

/// The size of a pipe's buffer, so that a large payload needs few reads. Static, because the
/// kernel then maps only the pages that are used.
static CHUNK: Mutex<[u8; 64 << 10]> = Mutex::new([0; 64 << 10]);

/// Reads one object. Waits at most `timeout` for the client to write it.
pub fn read(timeout: Duration) -> Result<String, String> {
    let stdin = std::io::stdin();
    let fd = stdin.as_fd();
    let mut reader = ObjectReader::new();
    let mut chunk = CHUNK.lock().unwrap_or_else(PoisonError::into_inner);
    let deadline = Instant::now() + timeout;
    while wait_readable(fd, deadline)? {
        match nix::unistd::read(fd, &mut chunk[..]) {
            Ok(0) => break,
            Ok(n) if reader.feed(&chunk[..n]) => break,
            Ok(_) | Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(e) => return Err(format!("cannot read standard input: {e}")),
        }
    }
    reader.finish().map_err(|e| e.to_string())
}

/// Returns false at the deadline.
fn wait_readable(fd: BorrowedFd, deadline: Instant) -> Result<bool, String> {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout) {
        Ok(n) => Ok(n > 0),
        Err(Errno::EINTR) => Ok(true),
        Err(e) => Err(format!("cannot read standard input: {e}")),
    }
}
