//! One request over a worker's socket: connected, sent, answered, all within one patience.
//!
//! A socket is trusted only when the path holds a socket of our own user, no link, and the
//! process behind it is ours too: `/tmp` is everybody's.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use memctl_proto::{Reply, Request, io::call};
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::process;

/// Sends `request` to the socket at `path` and reads the answer, all within `patience`: a peer that
/// answers by the byte is waited for no longer than one that is silent.
///
/// # Errors
/// `NotFound`, `ConnectionRefused` or `PermissionDenied` if no worker of this user listens there,
/// `InvalidData` if the reply is no frame of a version that this program speaks.
pub fn request(path: &Path, request: &Request, patience: Duration) -> io::Result<Reply> {
    let until = Instant::now() + patience;
    let stream = connect(path, patience)?;
    call(&mut DeadlineStream { stream, until, set: patience }, request)
}

/// Connects to the socket of a process of our own user. Its time-outs are `patience` for each call.
fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let meta = fs::symlink_metadata(path)?;
    if !meta.file_type().is_socket() || meta.uid() != process::own_uid() {
        return Err(stranger());
    }
    let fd: OwnedFd =
        socket::socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // The send time-out bounds connecting to a full backlog as well.
    let patience_val = TimeVal::microseconds(patience.as_micros().max(1) as i64);
    socket::setsockopt(&fd, sockopt::SendTimeout, &patience_val)?;
    socket::setsockopt(&fd, sockopt::ReceiveTimeout, &patience_val)?;
    socket::connect(std::os::fd::AsRawFd::as_raw_fd(&fd), &UnixAddr::new(path)?)?;
    let stream = UnixStream::from(fd);
    if process::peer_uid(&stream)? != process::own_uid() {
        return Err(stranger());
    }
    Ok(stream)
}

/// A connection on which nothing is waited for past one moment, however many calls it takes.
struct DeadlineStream {
    stream: UnixStream,
    until: Instant,
    /// What the socket's own time-outs stand at, which count for each call anew.
    set: Duration,
}

impl DeadlineStream {
    /// Has the next call wait no longer than what is left. A peer that answers in time costs no
    /// call for it: an eighth too much is let pass.
    fn bound(&mut self) -> io::Result<()> {
        let left = self.until.saturating_duration_since(Instant::now());
        // A socket's time-out of zero would mean none at all.
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        if left < self.set - self.set / 8 {
            self.stream.set_read_timeout(Some(left))?;
            self.stream.set_write_timeout(Some(left))?;
            self.set = left;
        }
        Ok(())
    }
}

impl Read for DeadlineStream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.bound()?;
        self.stream.read(bytes)
    }
}

impl Write for DeadlineStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bound()?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn stranger() -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, "what stands at the socket's path is not ours")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Or a peer that answers by the byte could keep a hook for as long as it likes.
    #[test]
    fn no_byte_makes_the_time_begin_anew() {
        let (stream, mut peer) = UnixStream::pair().unwrap();
        peer.write_all(b"by the byte").unwrap();
        let minute = Duration::from_secs(60);
        let mut within = DeadlineStream { stream, until: Instant::now() + minute, set: minute };
        let mut byte = [0];
        within.read_exact(&mut byte).unwrap();
        within.until = Instant::now();
        assert_eq!(within.read(&mut byte).unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(within.write(&byte).unwrap_err().kind(), ErrorKind::TimedOut);
        // A call that does wait, waits for what is left.
        within.until = Instant::now() + minute;
        within.read_exact(&mut [0; 10]).unwrap();
        within.until = Instant::now() + Duration::from_millis(20);
        let e = within.read(&mut byte).unwrap_err();
        assert!(matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{e}");
        assert!(Instant::now() >= within.until);
    }
}
