//! Who a process is, whether it is still that one, and how it is watched, signalled and born.
//!
//! A pid alone names nobody: pids come back. A process is its pid and start time; on disk, where
//! reboots and containers pass by, also the boot and the pid namespace ([`Identity`]). Nothing is
//! signalled that these do not prove to be the one that was meant.
//!
//! This file alone asks which operating system it is. `macos.rs` answers the same questions as
//! `linux.rs`; it has not been compiled on a machine that has it.

mod child;
mod client;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod macos;
mod spawn;

#[cfg(target_os = "linux")]
use linux as os;
#[cfg(not(target_os = "linux"))]
use macos as os;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use memctl_proto::event::Process;
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::stat::Mode;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

pub use child::{has_exited, kill_group, kill_with_parent};
pub use client::client_process;
pub use spawn::spawn_detached;

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
        let own = lookup(pid).ok_or_else(|| {
            io::Error::new(io::ErrorKind::Unsupported, "cannot read when this process began")
        })?;
        Ok(Identity { pid, start: own.start, boot_id: os::boot_id(), pid_ns: os::pid_namespace() })
    }

    /// The process that has `pid` now, when it is one of this program in this pid namespace.
    pub fn of_memctl(pid: i32) -> Option<Identity> {
        let stat = os::stat(pid).filter(|s| !s.dead && s.name.starts_with(NAME))?;
        let pid_ns = os::pid_namespace();
        let here = os::pid_namespace_of(pid) == pid_ns;
        here.then(|| Identity { pid, start: stat.start, boot_id: os::boot_id(), pid_ns })
    }

    pub fn process(&self) -> Process {
        Process { pid: self.pid, start: self.start }
    }
}

/// The process that has `pid` now. One that has ended but is not reaped is none.
pub fn lookup(pid: i32) -> Option<Process> {
    let stat = os::stat(pid).filter(|s| !s.dead)?;
    Some(Process { pid, start: stat.start })
}

pub fn is_alive(process: &Process) -> bool {
    lookup(process.pid).as_ref() == Some(process)
}

/// Why a process is not proven to be the one that a file names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// The file was written before the machine's last start, or does not say when.
    OtherBoot,
    /// Its pid counts in another container.
    OtherNamespace,
    /// No process has the pid any more.
    Gone,
    /// A later process has the pid.
    OtherProcess,
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unverified::OtherBoot => "it ran before the last boot",
            Unverified::OtherNamespace => "it runs in another container",
            Unverified::Gone => "it has ended",
            Unverified::OtherProcess => "its pid belongs to another process now",
        })
    }
}

impl std::error::Error for Unverified {}

/// A handle on the process that `identity` names, when everything agrees.
pub fn verify(identity: &Identity) -> Result<Handle, Unverified> {
    if identity.boot_id.is_empty() || identity.boot_id != os::boot_id() {
        return Err(Unverified::OtherBoot);
    }
    if identity.pid_ns != os::pid_namespace() {
        return Err(Unverified::OtherNamespace);
    }
    match Handle::open(&identity.process()) {
        Some(handle) => Ok(handle),
        None if lookup(identity.pid).is_some() => Err(Unverified::OtherProcess),
        None => Err(Unverified::Gone),
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
        is_alive(process).then_some(Handle { process: *process, fd })
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
        if self.wait_exit(Duration::ZERO) {
            return Ok(false);
        }
        match os::signal(self.fd(), self.process.pid, signal) {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Waits until it has ended; false: the time was over first.
    pub fn wait_exit(&self, deadline: Duration) -> bool {
        let end = Instant::now() + deadline;
        let Some(fd) = self.fd() else { return self.poll_exit(end) };
        loop {
            // Rounded up, so that the last millisecond is waited and not spun.
            let left = end.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], left) {
                Ok(0) if Instant::now() >= end => return false,
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return true,
                Err(_) => return self.poll_exit(end),
            }
        }
    }

    fn poll_exit(&self, end: Instant) -> bool {
        const STEP: Duration = Duration::from_millis(10);
        loop {
            if !is_alive(&self.process) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            #[expect(clippy::disallowed_methods, reason = "without a pidfd nothing wakes us")]
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

/// Whose process is at the other end of a Unix socket. Not which one: in another pid namespace
/// that has no number here.
pub fn peer_uid(stream: impl AsFd) -> io::Result<u32> {
    os::peer_uid(stream.as_fd())
}

/// Has the disk keep room for what will be appended to a file, as far as it can.
pub fn preallocate(file: &File, bytes: i64) -> io::Result<()> {
    os::preallocate(file, bytes)
}

pub fn own_uid() -> u32 {
    nix::unistd::getuid().as_raw()
}

/// First of all in `main`: a pipe that breaks is an error and no end, and what is opened later
/// does not become a standard stream because the starter closed one.
pub fn init() {
    // SAFETY: ignoring a signal runs no handler.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
    for stream in 0..=2 {
        // SAFETY: asks about a number that may be no descriptor; opens at the lowest that is none.
        unsafe {
            if libc::fcntl(stream, libc::F_GETFD) == -1 {
                libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            }
        }
    }
}

/// Files of this process are its user's alone. Set before any is made, and never changed.
pub fn set_private_umask() {
    nix::sys::stat::umask(Mode::S_IRWXG | Mode::S_IRWXO);
}

/// The kernel ends this process after `seconds`, whatever its own timers do.
pub fn set_alarm(seconds: u32) {
    // SAFETY: the default action is no handler of ours that could be unsafe to run.
    let _ = unsafe { signal(Signal::SIGALRM, SigHandler::SigDfl) };
    nix::unistd::alarm::set(seconds.max(1));
}

/// What a process of ours is called.
const NAME: &str = "memctl";

/// Shows this process as `memctl` where only a program's file name is shown.
pub fn set_name() {
    os::set_name(c"memctl");
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::process::{Child, Command, Stdio};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// Lives until its stdin is closed or it is killed.
    fn child() -> (Child, Process) {
        let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let child = child.unwrap();
        let process = lookup(child.id().cast_signed()).expect("just born");
        (child, process)
    }

    #[test]
    fn an_identity_is_proven_by_all_it_says() {
        let own = Identity::own().unwrap();
        let check = |identity: Identity, expected| {
            assert_eq!(verify(&identity).err(), expected, "{identity:?}");
        };
        check(own.clone(), None);
        check(Identity { boot_id: "another".into(), ..own.clone() }, Some(Unverified::OtherBoot));
        check(Identity { boot_id: String::new(), ..own.clone() }, Some(Unverified::OtherBoot));
        check(Identity { pid_ns: 1, ..own.clone() }, Some(Unverified::OtherNamespace));
        check(Identity { start: own.start + 1, ..own.clone() }, Some(Unverified::OtherProcess));
        for pid in [i32::MAX, 0, -1, i32::MIN] {
            check(Identity { pid, ..own.clone() }, Some(Unverified::Gone));
        }
        check(Identity::default(), Some(Unverified::OtherBoot));
    }

    #[test]
    fn an_identity_may_lack_fields_and_have_others() {
        let read = |text| serde_json::from_str::<Identity>(text).unwrap();
        assert_eq!(read(r#"{"later":1}"#), Identity::default());
        assert_eq!(read(r#"{"pid":7,"start":9}"#).process(), Process { pid: 7, start: 9 });
    }

    fn check_handle(open: impl Fn(&Process) -> Handle) {
        let (mut child, process) = child();
        let handle = open(&process);
        let began = Instant::now();
        assert!(!handle.wait_exit(Duration::from_millis(20)));
        assert!(began.elapsed() >= Duration::from_millis(20));
        assert!(handle.signal(Signal::SIGCONT).unwrap(), "it lives");
        assert!(handle.signal(Signal::SIGKILL).unwrap());
        assert!(handle.wait_exit(LONG));
        // Not reaped yet: the kernel still knows it, and it is dead all the same.
        assert!(os::stat(process.pid).is_none_or(|s| s.dead));
        assert_eq!(lookup(process.pid), None);
        assert!(!handle.signal(Signal::SIGKILL).unwrap());
        child.wait().unwrap();
        assert!(!handle.signal(Signal::SIGKILL).unwrap());
        assert!(handle.wait_exit(Duration::ZERO));
    }

    #[test]
    fn a_process_is_signalled_and_watched() {
        check_handle(|p| Handle::open(p).unwrap());
    }

    #[test]
    fn the_same_where_the_kernel_holds_no_processes() {
        check_handle(|p| Handle { process: *p, fd: None });
    }

    #[test]
    fn a_later_process_of_the_same_pid_is_another() {
        let (mut child, process) = child();
        let earlier = Process { start: process.start - 1, ..process };
        assert!(is_alive(&process) && !is_alive(&earlier));
        assert!(Handle::open(&earlier).is_none());
        // A handle that was wrong from the start must not hit the one that lives.
        let stale = Handle { process: earlier, fd: None };
        assert!(!stale.signal(Signal::SIGKILL).unwrap());
        assert!(is_alive(&process));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Handle::open(&process).is_none());
    }

    #[test]
    fn a_watch_becomes_readable_at_the_end() {
        let (mut child, process) = child();
        let Some(fd) = Handle::open(&process).unwrap().into_fd() else { return };
        let readable = |ms: u16| {
            poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], PollTimeout::from(ms)).unwrap()
        };
        assert_eq!(readable(0), 0);
        drop(child.stdin.take());
        assert_eq!(readable(20_000), 1);
        child.wait().unwrap();
    }

    #[test]
    fn memory_is_in_bytes() {
        let own = memory(std::process::id().cast_signed()).unwrap();
        assert!(own.anonymous <= own.resident);
        assert!((100 << 10..4 << 30).contains(&own.resident), "{own:?}");
        assert_eq!(memory(i32::MAX), None);
    }

    #[test]
    fn the_peer_of_a_pair_is_us() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(peer_uid(&one).unwrap(), own_uid());
    }

    #[test]
    fn what_is_set_is_set() {
        set_private_umask();
        assert_eq!(nix::sys::stat::umask(Mode::from_bits_truncate(0o077)).bits(), 0o077);
        set_alarm(100_000);
        assert_eq!(nix::unistd::alarm::cancel(), Some(100_000));
    }
}
