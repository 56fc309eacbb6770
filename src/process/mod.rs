//! Who a process is, whether it is still that one, and how it is watched, signalled and born.
//!
//! A pid alone names nobody: pids come back. A process is its pid and start time; on disk, where
//! reboots and containers pass by, also the boot and the pid namespace ([`Identity`]). Nothing is
//! signalled that these do not prove to be the one that was meant.
//!
//! This file alone asks which operating system it is. `macos.rs` answers the same questions as
//! `linux.rs`; it has not been compiled on a machine that has it.

mod birth;
mod lineage;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod macos;

#[cfg(target_os = "linux")]
use linux as os;
#[cfg(not(target_os = "linux"))]
use macos as os;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use memctl_proto::event::Process;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::stat::Mode;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

pub use birth::spawn_detached;
pub use lineage::client_process;

/// What the kernel says of one process.
#[derive(Clone, Debug, PartialEq)]
struct Stat {
    /// The program's file name, cut to 15 bytes.
    name: String,
    parent: i32,
    start: u64,
    /// Ended, though its parent has not asked yet.
    dead: bool,
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    pub resident: u64,
    pub anonymous: u64,
}

/// A process that can be told from every other one that reads the same file: also from those of
/// another boot or another container. Fields that a file lacks are zero and prove nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    pub pid: i32,
    /// As in [`Process::start`].
    pub start: u64,
    pub boot_id: String,
    /// Inode of the pid namespace; 0 where there are none.
    pub pid_ns: u64,
}

impl Identity {
    /// This process.
    ///
    /// # Errors
    /// `Unsupported` where the system does not say when a process began.
    pub fn own() -> io::Result<Identity> {
        let pid = std::process::id().cast_signed();
        let own = of(pid).ok_or_else(|| {
            io::Error::new(io::ErrorKind::Unsupported, "cannot read when this process began")
        })?;
        Ok(Identity { pid, start: own.start, boot_id: os::boot_id(), pid_ns: os::pid_namespace() })
    }

    pub fn process(&self) -> Process {
        Process { pid: self.pid, start: self.start }
    }
}

/// The process that has `pid` now. One that has ended but is not reaped is none.
pub fn of(pid: i32) -> Option<Process> {
    let stat = os::stat(pid).filter(|s| !s.dead)?;
    Some(Process { pid, start: stat.start })
}

pub fn alive(process: &Process) -> bool {
    of(process.pid).as_ref() == Some(process)
}

pub fn parent(pid: i32) -> Option<i32> {
    os::stat(pid).map(|s| s.parent)
}

/// The program's file name, cut to 15 bytes.
pub fn name(pid: i32) -> Option<String> {
    os::stat(pid).map(|s| s.name)
}

/// Why a process is not proven to be the one that a file names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotProven {
    /// The file was written before the machine's last start, or does not say when.
    OtherBoot,
    /// Its pid counts in another container.
    OtherNamespace,
    /// No process has the pid any more.
    Gone,
    /// A later process has the pid.
    OtherProcess,
}

impl fmt::Display for NotProven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotProven::OtherBoot => "it ran before the last boot",
            NotProven::OtherNamespace => "it runs in another container",
            NotProven::Gone => "it has ended",
            NotProven::OtherProcess => "its pid belongs to another process now",
        })
    }
}

impl std::error::Error for NotProven {}

/// A handle on the process that `identity` names, when everything agrees.
pub fn proven(identity: &Identity) -> Result<Handle, NotProven> {
    if identity.boot_id.is_empty() || identity.boot_id != os::boot_id() {
        return Err(NotProven::OtherBoot);
    }
    if identity.pid_ns != os::pid_namespace() {
        return Err(NotProven::OtherNamespace);
    }
    match Handle::open(&identity.process()) {
        Some(handle) => Ok(handle),
        None if of(identity.pid).is_some() => Err(NotProven::OtherProcess),
        None => Err(NotProven::Gone),
    }
}

/// A process held so that its pid cannot become another's between looking and signalling.
/// Where the kernel has no such thing, the start time is compared before every signal.
#[derive(Debug)]
pub struct Handle {
    process: Process,
    fd: Option<OwnedFd>,
}

impl Handle {
    /// `None` when the process is gone.
    pub fn open(process: &Process) -> Option<Handle> {
        // First hold, then compare: what is compared is what is held.
        let fd = os::watch(process.pid);
        alive(process).then_some(Handle { process: *process, fd })
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Readable once the process has ended. `None` where the kernel has no such descriptor.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// The same for an event loop, which wants to own it.
    pub fn into_fd(self) -> Option<OwnedFd> {
        self.fd
    }

    /// Sends a signal; false: it had ended already.
    ///
    /// # Errors
    /// `PermissionDenied` when it is another user's.
    pub fn signal(&self, signal: Signal) -> io::Result<bool> {
        if self.wait_gone(Duration::ZERO) {
            return Ok(false);
        }
        match os::signal(self.fd(), self.process.pid, signal) {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Waits until it has ended; false: the time was over first.
    pub fn wait_gone(&self, deadline: Duration) -> bool {
        let end = Instant::now() + deadline;
        let Some(fd) = self.fd() else { return self.poll_gone(end) };
        loop {
            // Rounded up, so that the last millisecond is waited and not spun.
            let left = end.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], left) {
                Ok(0) if Instant::now() >= end => return false,
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return true,
                Err(_) => return self.poll_gone(end),
            }
        }
    }

    fn poll_gone(&self, end: Instant) -> bool {
        const STEP: Duration = Duration::from_millis(10);
        loop {
            if !alive(&self.process) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            std::thread::sleep(left.min(STEP));
        }
    }
}

/// By pid, for kernels that hold no processes. Zero and below would be whole groups.
fn signal_by_pid(pid: i32, signal: Signal) -> nix::Result<()> {
    if pid <= 0 { Err(Errno::ESRCH) } else { nix::sys::signal::kill(Pid::from_raw(pid), signal) }
}

/// Who holds an exclusive flock on this file, as far as the kernel says.
pub fn lock_holder(file: &File) -> io::Result<Option<i32>> {
    let meta = file.metadata()?;
    Ok(os::lock_holder(meta.dev(), meta.ino()))
}

pub fn memory(pid: i32) -> Option<Memory> {
    os::memory(pid)
}

/// Who is at the other end.
pub fn peer_uid(stream: &UnixStream) -> io::Result<u32> {
    os::peer_uid(stream.as_fd())
}

pub fn own_uid() -> u32 {
    nix::unistd::getuid().as_raw()
}

/// Files of this process are its user's alone. First of all in `main`, and never changed.
pub fn private_umask() {
    nix::sys::stat::umask(Mode::S_IRWXG | Mode::S_IRWXO);
}

/// The kernel ends this process after `seconds`, whatever its own timers do.
pub fn set_alarm(seconds: u32) {
    // SAFETY: the default action is no handler of ours that could be unsafe to run.
    let _ = unsafe { signal(Signal::SIGALRM, SigHandler::SigDfl) };
    nix::unistd::alarm::set(seconds.max(1));
}

/// Shows this process as `memctl` where only a program's file name is shown.
pub fn show_name() {
    os::show_name(c"memctl");
}

