//! Standard input of a hook: read until the JSON object is complete, its end, or a deadline, for
//! some clients leave it open.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::capture::ObjectReader;

/// What a pipe holds at most, so that a large payload needs few reads. Static: memory that is
/// zero by itself and touched only as far as it is used.
static CHUNK: Mutex<[u8; 64 << 10]> = Mutex::new([0; 64 << 10]);

/// Reads one object, waiting at most `patience` for the client to write it.
///
/// # Errors
/// A sentence that says what was there instead.
pub fn read(patience: Duration) -> Result<String, String> {
    let stdin = std::io::stdin();
    let fd = stdin.as_fd();
    let mut reader = ObjectReader::new();
    let mut chunk = CHUNK.lock().unwrap_or_else(PoisonError::into_inner);
    let deadline = Instant::now() + patience;
    while ready(fd, deadline)? {
        match nix::unistd::read(fd, &mut chunk[..]) {
            Ok(0) => break,
            Ok(n) if reader.feed(&chunk[..n]) => break,
            Ok(_) | Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(e) => return Err(format!("standard input: {e}")),
        }
    }
    reader.finish().map_err(|e| e.to_string())
}

/// Waits until there is something to read, or the deadline.
fn ready(fd: BorrowedFd, deadline: Instant) -> Result<bool, String> {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout) {
        Ok(n) => Ok(n > 0),
        Err(Errno::EINTR) => Ok(true),
        Err(e) => Err(format!("standard input: {e}")),
    }
}
