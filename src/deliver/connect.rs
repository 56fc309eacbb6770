//! One request and its reply over a worker's socket, within one timeout.
//!
//! Sockets are in `/tmp`, where any user can create files. A socket is used only if its path names
//! a socket of this user (not a link) and the process that listens there belongs to this user.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use memctl_proto::{Reply, Request, io::call};
use nix::sys::socket::{self, UnixAddr, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::process;

/// Sends `request` to the socket at `path` and reads the reply. `timeout` covers the whole
/// exchange, so a peer that replies one byte at a time cannot extend it.
///
/// # Errors
/// `NotFound`, `ConnectionRefused` or `PermissionDenied` if no worker of this user listens there.
/// `InvalidData` if the reply is not a frame of a version that this program speaks. Any other error
/// means that a worker may listen there and did not reply.
pub fn request(path: &Path, request: &Request, timeout: Duration) -> io::Result<Reply> {
    let deadline = Instant::now() + timeout;
    let stream = connect(path, timeout)?;
    call(&mut DeadlineStream { stream, deadline, timeout }, request)
}

/// Connects to the socket of a process of this user. Each call on the stream times out after
/// `timeout`.
fn connect(path: &Path, timeout: Duration) -> io::Result<UnixStream> {
    let meta = fs::symlink_metadata(path)?;
    if !meta.file_type().is_socket() || meta.uid() != process::own_uid() {
        return Err(foreign_socket(path));
    }
    let fd = process::unix_stream_socket()?;
    // The send timeout also bounds `connect` when the listener's backlog is full.
    let timeval = TimeVal::microseconds(timeout.as_micros().max(1) as i64);
    socket::setsockopt(&fd, sockopt::SendTimeout, &timeval)?;
    socket::setsockopt(&fd, sockopt::ReceiveTimeout, &timeval)?;
    socket::connect(std::os::fd::AsRawFd::as_raw_fd(&fd), &UnixAddr::new(path)?)?;
    let stream = UnixStream::from(fd);
    if process::peer_uid(&stream)? != process::own_uid() {
        return Err(foreign_socket(path));
    }
    Ok(stream)
}

fn foreign_socket(path: &Path) -> io::Error {
    let message = format!("{} is not a socket of this user", path.display());
    io::Error::new(ErrorKind::PermissionDenied, message)
}

/// A stream with one deadline for all its reads and writes.
struct DeadlineStream {
    stream: UnixStream,
    deadline: Instant,
    /// The socket's current timeout, which the kernel applies to each call separately.
    timeout: Duration,
}

impl DeadlineStream {
    /// Lowers the socket's timeout to the time that is left, unless it is at most one eighth too
    /// long. With a peer that replies promptly, that saves two system calls.
    fn limit_next_call(&mut self) -> io::Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        // A socket timeout of zero means no timeout.
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        if left < self.timeout - self.timeout / 8 {
            self.stream.set_read_timeout(Some(left))?;
            self.stream.set_write_timeout(Some(left))?;
            self.timeout = left;
        }
        Ok(())
    }
}

impl Read for DeadlineStream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.limit_next_call()?;
        self.stream.read(bytes)
    }
}

impl Write for DeadlineStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.limit_next_call()?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_bytes_does_not_extend_the_deadline() {
        let (stream, mut peer) = UnixStream::pair().unwrap();
        peer.write_all(b"hello world").unwrap();
        let minute = Duration::from_secs(60);
        let mut stream =
            DeadlineStream { stream, deadline: Instant::now() + minute, timeout: minute };
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        stream.deadline = Instant::now();
        assert_eq!(stream.read(&mut byte).unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(stream.write(&byte).unwrap_err().kind(), ErrorKind::TimedOut);
        // A read that blocks times out at the deadline.
        stream.deadline = Instant::now() + minute;
        stream.read_exact(&mut [0; 10]).unwrap();
        stream.deadline = Instant::now() + Duration::from_millis(20);
        let e = stream.read(&mut byte).unwrap_err();
        assert!(matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{e}");
        assert!(Instant::now() >= stream.deadline);
    }
}
