//! Reads one JSON object from a hook's standard input. Stops at the end of the object, at end of
//! file or at a timeout, because some clients leave the pipe open.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::capture::{Object, ObjectReader, ReadError};
use crate::process;

/// The size of a pipe's buffer, so that a large payload needs few reads.
const CHUNK: usize = 64 << 10;

/// Why there is no object.
#[derive(Debug, thiserror::Error)]
pub enum StdinError {
    #[error("cannot read standard input: {0}")]
    Read(Errno),
    #[error("no input arrived within {0:?} (hook.stdin)")]
    NoInput(Duration),
    #[error(transparent)]
    Object(#[from] ReadError),
}

impl StdinError {
    /// Whether standard input had an event that cannot be recorded.
    pub fn is_loss(&self) -> bool {
        matches!(self, StdinError::Read(_) | StdinError::NoInput(_))
    }
}

/// How many times longer a hook waits for the first byte than for the rest. On an overloaded machine,
/// a client takes seconds from starting a hook to writing its event, and the hook does not delay it.
pub const FIRST_BYTE: u32 = 3;

/// Reads one object. Waits at most `FIRST_BYTE` × `timeout` for its first byte, then at most `timeout`
/// for the rest. Calls `begin` when the first bytes are read. If the object is cut, returns its
/// beginning.
pub fn read(timeout: Duration, begin: impl FnOnce()) -> Result<Object, StdinError> {
    let fd = process::stdin();
    let mut reader = ObjectReader::new();
    let mut deadline = Instant::now() + FIRST_BYTE * timeout;
    let mut begin = Some(begin);
    loop {
        if !wait_readable(fd, deadline)? {
            match begin {
                Some(_) => return Err(StdinError::NoInput(FIRST_BYTE * timeout)),
                None => break,
            }
        }
        match append(fd, reader.buffer(CHUNK)) {
            Ok(0) => break,
            Ok(_) => {
                if let Some(begin) = begin.take() {
                    begin();
                    deadline = Instant::now() + timeout;
                }
                if reader.examine() {
                    break;
                }
            }
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(e) => return Err(StdinError::Read(e)),
        }
    }
    Ok(reader.finish()?)
}

/// Appends the next bytes, at most [`CHUNK`]. Returns their number. A buffer of zeros would cost the pages that a
/// short input does not use.
fn append(fd: BorrowedFd, bytes: &mut Vec<u8>) -> nix::Result<usize> {
    let room = &mut bytes.spare_capacity_mut()[..CHUNK];
    // SAFETY: the kernel writes to the vector's own memory.
    let n = unsafe { libc::read(fd.as_raw_fd(), room.as_mut_ptr().cast(), room.len()) };
    let n = Errno::result(n)?.cast_unsigned();
    // SAFETY: the kernel has written this many bytes after the vector's own.
    unsafe { bytes.set_len(bytes.len() + n) };
    Ok(n)
}

/// Returns false at the deadline.
fn wait_readable(fd: BorrowedFd, deadline: Instant) -> Result<bool, StdinError> {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout) {
        Ok(n) => Ok(n > 0),
        Err(Errno::EINTR) => Ok(true),
        Err(e) => Err(StdinError::Read(e)),
    }
}
