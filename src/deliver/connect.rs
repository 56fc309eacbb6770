//! One request over a worker's socket: connected, sent, answered, each within its patience.
//!
//! A socket is trusted only when the path holds a socket of our own user, no link, and the
//! process behind it is ours too: `/tmp` is everybody's.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use memctl_proto::{Reply, Request, io::ask as exchange};
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::process;

/// Sends `request` to the socket at `path` and reads the answer, waiting at most `patience` for
/// each of connecting, sending and reading.
///
/// # Errors
/// See [`is_nobody`]; anything else means that somebody may be there and did not answer.
pub fn ask(path: &Path, request: &Request, patience: Duration) -> io::Result<Reply> {
    let mut stream = connect(path, patience)?;
    exchange(&mut stream, request)
}

/// Connects to the socket of a process of our own user.
pub fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
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

/// Whether an error of [`ask`] means that no worker of ours listens there.
pub fn is_nobody(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::PermissionDenied
    )
}

fn stranger() -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, "what stands at the socket's path is not ours")
}
