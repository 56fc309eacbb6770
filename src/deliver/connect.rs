//! One request and its reply over a worker's socket, within one timeout.
//!
//! Sockets are in `/tmp`, where any user can create files. A socket is used only if its path names
//! a socket of this user (not a link) and the process that listens there belongs to this user.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use memctl_proto::io::{call, call_while};
use memctl_proto::{Reply, Request};
use nix::sys::socket::{self, UnixAddr};

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
    // The send timeout also bounds `connect` when the listener's backlog is full.
    let stream = connect(path, |stream| limit_calls(stream, timeout))?;
    call(&mut DeadlineStream { stream, deadline, timeout }, request)
}

/// A connection that is made before its request is known.
#[derive(Debug)]
pub struct Connection(UnixStream);

impl Connection {
    /// Connects to the socket at `path` without waiting.
    ///
    /// # Errors
    /// As [`request`](fn@request), and `WouldBlock` if the listener's backlog is full.
    pub fn open(path: &Path) -> io::Result<Connection> {
        let stream = connect(path, |stream| stream.set_nonblocking(true))?;
        stream.set_nonblocking(false)?;
        Ok(Connection(stream))
    }

    /// Sends `request`, does `work` and reads the reply. `timeout` covers all of it.
    ///
    /// # Errors
    /// As [`request`](fn@request).
    pub fn request_while(
        self,
        request: &Request,
        timeout: Duration,
        work: impl FnOnce(),
    ) -> io::Result<Reply> {
        let deadline = Instant::now() + timeout;
        limit_calls(&self.0, timeout)?;
        call_while(&mut DeadlineStream { stream: self.0, deadline, timeout }, request, work)
    }
}

/// Connects to the socket of a process of this user. `prepare` sets the options of the new socket.
fn connect(
    path: &Path,
    prepare: impl FnOnce(&UnixStream) -> io::Result<()>,
) -> io::Result<UnixStream> {
    let meta = fs::symlink_metadata(path)?;
    if !meta.file_type().is_socket() || meta.uid() != process::own_uid() {
        return Err(foreign_socket(path));
    }
    let stream = UnixStream::from(process::unix_stream_socket()?);
    prepare(&stream)?;
    socket::connect(stream.as_raw_fd(), &UnixAddr::new(path)?)?;
    if process::peer_uid(&stream)? != process::own_uid() {
        return Err(foreign_socket(path));
    }
    Ok(stream)
}

/// Lets each call on the stream time out after `timeout`, which is not zero.
fn limit_calls(stream: &UnixStream, timeout: Duration) -> io::Result<()> {
    stream.set_write_timeout(Some(timeout))?;
    stream.set_read_timeout(Some(timeout))
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
            limit_calls(&self.stream, left)?;
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
    use std::os::unix::net::UnixListener;

    use memctl_proto::frame;

    use super::*;

    #[test]
    fn an_early_connection_takes_its_request_later_and_never_waits_for_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        assert!(Connection::open(&path).is_err());
        let listener = UnixListener::bind(&path).unwrap();
        let early = Connection::open(&path).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let pong = Reply::Pong { version: "1".into(), pid: 7 };
        let sent = frame::encode(&pong).unwrap();
        peer.write_all(&sent).unwrap();
        let minute = Duration::from_secs(60);
        let mut worked = false;
        assert_eq!(early.request_while(&Request::Ping, minute, || worked = true).unwrap(), pong);
        assert!(worked);
        // The same request takes its whole timeout if the worker does not reply.
        let early = Connection::open(&path).unwrap();
        let e = early.request_while(&Request::Ping, Duration::from_millis(20), || ()).unwrap_err();
        assert!(matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{e}");
        // Nobody accepts, so the backlog fills up.
        let mut waiting = Vec::new();
        let full = loop {
            match Connection::open(&path) {
                Ok(connection) => waiting.push(connection),
                Err(e) => break e,
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock, "{full}");
        drop(listener);
        assert!(waiting.pop().unwrap().request_while(&Request::Ping, minute, || ()).is_err());
    }

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
