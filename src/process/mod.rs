//! Process identity, watching, signaling and spawning.
//!
//! A pid does not identify a process, because the kernel reuses pids. In memory a process is its
//! pid and start time. On disk, where reboots and containers matter, it is also the boot id and the
//! pid namespace ([`Identity`]). No process is signaled unless all of these match.
//!
//! Only this file selects by operating system. `macos.rs` has the same functions as `linux.rs`.
//! `make check-macos` type-checks it. No test has run on macOS.

mod child;
mod client;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod macos;
#[cfg(target_os = "linux")]
mod passwd;
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
use std::path::PathBuf;
use std::sync::OnceLock;
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

use crate::{files, testpoint};

/// What the kernel reports about one process.
#[derive(Clone, Debug, PartialEq)]
struct Stat {
    /// The program's file name, truncated to 15 bytes.
    name: String,
    parent: i32,
    start: u64,
    /// A zombie: the process has exited and its parent has not reaped it.
    exited: bool,
}

/// Memory use of a process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    pub resident: u64,
    pub anonymous: u64,
}

/// Identifies a process in a file, which may be read after a reboot or in another container. A
/// field that the file lacks is zero or empty and matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    pub pid: i32,
    /// As in [`Process::start`].
    pub start: u64,
    pub boot_id: String,
    /// Inode of the pid namespace; 0 on systems without pid namespaces.
    pub pid_ns: u64,
}

impl Identity {
    /// Identity of this process.
    ///
    /// # Errors
    /// `Unsupported` if the system does not report when a process started.
    pub fn own() -> io::Result<Identity> {
        let pid = std::process::id().cast_signed();
        let own = lookup(pid).ok_or_else(|| {
            io::Error::new(io::ErrorKind::Unsupported, "cannot read this process's start time")
        })?;
        Ok(Identity { pid, start: own.start, boot_id: os::boot_id(), pid_ns: os::pid_namespace() })
    }

    /// Identity of the process that has `pid` now, if it is a memctl process in this pid namespace.
    pub fn of_memctl(pid: i32) -> Option<Identity> {
        let stat = os::stat(pid).filter(|s| !s.exited && s.name.starts_with(NAME))?;
        let pid_ns = os::pid_namespace();
        let same_ns = os::pid_namespace_of(pid) == pid_ns;
        same_ns.then(|| Identity { pid, start: stat.start, boot_id: os::boot_id(), pid_ns })
    }

    pub fn process(&self) -> Process {
        Process { pid: self.pid, start: self.start }
    }
}

/// Inode of this process's mount namespace; 0 if it cannot be read, and on systems without namespaces.
pub fn mount_namespace() -> u64 {
    os::mount_namespace()
}

/// Whether the record of a process was written since the system started, on this machine.
pub fn is_of_this_boot(identity: &Identity) -> bool {
    identity.boot_id == os::boot_id()
}

/// Returns the process that has `pid` now, or `None` if it has exited, reaped or not.
pub fn lookup(pid: i32) -> Option<Process> {
    let stat = os::stat(pid).filter(|s| !s.exited)?;
    Some(Process { pid, start: stat.start })
}

pub fn is_alive(process: &Process) -> bool {
    lookup(process.pid).as_ref() == Some(process)
}

/// Why [`verify`] could not prove that the process named in a file is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// The file was written before the last reboot, or has no boot id.
    OtherBoot,
    /// The pid belongs to another pid namespace.
    OtherNamespace,
    /// No process has the pid.
    Gone,
    /// Another process has the pid now.
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

/// Returns a handle on the process that `identity` names, if every field matches.
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

/// A process that can be signaled even if its pid may be reused: it is pinned by a pidfd. Where the
/// kernel has no pidfd, the start time is compared before every signal.
#[derive(Debug)]
pub struct Handle {
    process: Process,
    fd: Option<OwnedFd>,
}

impl Handle {
    /// `None` if the process has exited.
    pub fn open(process: &Process) -> Option<Handle> {
        // Open first, then compare the start time: the pidfd pins the process that is compared.
        let fd = os::watch(process.pid);
        is_alive(process).then_some(Handle { process: *process, fd })
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    /// A descriptor that becomes readable when the process exits. `None` where the kernel has none.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// As [`Handle::fd`], owned.
    pub fn into_fd(self) -> Option<OwnedFd> {
        self.fd
    }

    /// Sends `signal`. `false` if the process has already exited.
    ///
    /// # Errors
    /// `PermissionDenied` if the process belongs to another user.
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

    /// Waits until the process has exited. `false` if `timeout` passes first.
    pub fn wait_exit(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let Some(fd) = self.fd() else { return self.poll_exit(deadline) };
        loop {
            // Round up: rounding down would spin through the last millisecond.
            let left =
                deadline.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], left) {
                Ok(0) if Instant::now() >= deadline => return false,
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return true,
                Err(_) => return self.poll_exit(deadline),
            }
        }
    }

    fn poll_exit(&self, deadline: Instant) -> bool {
        const STEP: Duration = Duration::from_millis(10);
        loop {
            if !is_alive(&self.process) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "without a pidfd there is nothing to wait on"
            )]
            std::thread::sleep(left.min(STEP));
        }
    }
}

/// Signals by pid, for kernels without pidfds. A pid of zero or below would signal a group.
fn signal_by_pid(pid: i32, signal: Signal) -> nix::Result<()> {
    if pid <= 0 { Err(Errno::ESRCH) } else { nix::sys::signal::kill(Pid::from_raw(pid), signal) }
}

/// Returns the pid that holds an exclusive flock on `file`, if the kernel reports one.
pub fn lock_holder(file: &File) -> io::Result<Option<i32>> {
    let meta = file.metadata()?;
    Ok(os::lock_holder(meta.dev(), meta.ino()))
}

pub fn memory(pid: i32) -> Option<Memory> {
    os::memory(pid)
}

/// Returns the uid of the process at the other end of a Unix socket. The peer's pid is not used,
/// because a process of another pid namespace has none here.
pub fn peer_uid(stream: impl AsFd) -> io::Result<u32> {
    os::peer_uid(stream.as_fd())
}

/// Creates an unconnected Unix stream socket with CLOEXEC.
pub fn unix_stream_socket() -> io::Result<OwnedFd> {
    os::unix_stream_socket()
}

/// Reserves disk space for bytes that will be appended to `file`, where the system supports it.
pub fn preallocate(file: &File, bytes: i64) -> io::Result<()> {
    os::preallocate(file, bytes)
}

pub fn own_uid() -> u32 {
    files::own_uid()
}

/// The home directory of this user in the password database, which the environment does not change. The
/// database is read once. `None`: the database does not list the user, or without a home directory.
///
/// # Errors
/// A message if the database does not answer.
pub fn account_home() -> Result<Option<PathBuf>, String> {
    if let Some(home) = testpoint::account_home() {
        return Ok(Some(home));
    }
    static KNOWN: OnceLock<Option<PathBuf>> = OnceLock::new();
    if let Some(home) = KNOWN.get() {
        return Ok(home.clone());
    }
    let home = os::account_home(own_uid())?.filter(|home| home.is_absolute());
    Ok(KNOWN.get_or_init(|| home).clone())
}

/// Prepares the process. `main` calls this first. It ignores SIGPIPE, so that a broken pipe is an
/// error. It opens closed standard streams on `/dev/null`, so that no later file gets their number.
pub fn init() {
    // SAFETY: ignoring a signal runs no handler.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
    for stream in 0..=2 {
        // SAFETY: `fcntl` accepts a closed descriptor; `open` takes the lowest free number.
        unsafe {
            if libc::fcntl(stream, libc::F_GETFD) == -1 {
                libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            }
        }
    }
}

/// Standard input, without the buffer of [`std::io::stdin`].
pub fn stdin() -> BorrowedFd<'static> {
    // SAFETY: `init` has opened the descriptor if it was closed, and nothing closes it.
    unsafe { BorrowedFd::borrow_raw(libc::STDIN_FILENO) }
}

/// Makes new files accessible to this user only. Called before any file is created.
pub fn set_private_umask() {
    nix::sys::stat::umask(Mode::S_IRWXG | Mode::S_IRWXO);
}

/// Makes the kernel kill this process after `seconds`, even if its own timers do not work.
pub fn set_alarm(seconds: u32) {
    // SAFETY: the default action runs no handler.
    let _ = unsafe { signal(Signal::SIGALRM, SigHandler::SigDfl) };
    nix::unistd::alarm::set(seconds.max(1));
}

/// The nice value of work that can wait.
const LOW_PRIORITY: i32 = 10;

/// Makes all threads share one heap. Otherwise the C library keeps the freed memory of each thread apart. For a
/// process whose threads allocate one after the other.
pub fn share_heap() {
    os::share_heap();
}

/// Gives the kernel what a waiting process does not need: freed memory, and the mapped pages of the program's
/// code. Code is mapped again when it runs, 64 KiB at a time, from the kernel's page cache.
pub fn release_memory() {
    os::release_memory();
}

/// Gives way to other work, on the processor and on the disk, as far as the system allows it.
pub fn lower_priority() {
    os::lower_priority();
}

/// The name that [`set_name`] gives every memctl process.
const NAME: &str = "memctl";

/// Sets the process name. A spawned process is otherwise named `exe`, after `/proc/self/exe`.
pub fn set_name() {
    os::set_name(c"memctl");
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::process::{Child, Command, Stdio};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// A child that runs until its stdin is closed or it is killed.
    fn child() -> (Child, Process) {
        let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let child = child.unwrap();
        let process = lookup(child.id().cast_signed()).expect("running");
        (child, process)
    }

    #[test]
    fn an_identity_is_verified_by_all_its_fields() {
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
    fn missing_and_unknown_identity_fields_are_accepted() {
        let read = |text| serde_json::from_str::<Identity>(text).unwrap();
        assert_eq!(read(r#"{"later":1}"#), Identity::default());
        assert_eq!(read(r#"{"pid":7,"start":9}"#).process(), Process { pid: 7, start: 9 });
    }

    fn check_handle(open: impl Fn(&Process) -> Handle) {
        let (mut child, process) = child();
        let handle = open(&process);
        let started = Instant::now();
        assert!(!handle.wait_exit(Duration::from_millis(20)));
        assert!(started.elapsed() >= Duration::from_millis(20));
        assert!(handle.signal(Signal::SIGCONT).unwrap(), "running");
        assert!(handle.signal(Signal::SIGKILL).unwrap());
        assert!(handle.wait_exit(LONG));
        // A zombie counts as exited.
        assert!(os::stat(process.pid).is_none_or(|s| s.exited));
        assert_eq!(lookup(process.pid), None);
        assert!(!handle.signal(Signal::SIGKILL).unwrap());
        child.wait().unwrap();
        assert!(!handle.signal(Signal::SIGKILL).unwrap());
        assert!(handle.wait_exit(Duration::ZERO));
    }

    #[test]
    fn a_process_is_signaled_and_watched() {
        check_handle(|p| Handle::open(p).unwrap());
    }

    #[test]
    fn a_process_is_signaled_and_watched_without_a_pidfd() {
        check_handle(|p| Handle { process: *p, fd: None });
    }

    #[test]
    fn a_process_with_another_start_time_is_not_signaled() {
        let (mut child, process) = child();
        let earlier = Process { start: process.start - 1, ..process };
        assert!(is_alive(&process) && !is_alive(&earlier));
        assert!(Handle::open(&earlier).is_none());
        // A handle with the wrong start time must not signal the live process.
        let stale = Handle { process: earlier, fd: None };
        assert!(!stale.signal(Signal::SIGKILL).unwrap());
        assert!(is_alive(&process));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Handle::open(&process).is_none());
    }

    #[test]
    fn a_pidfd_becomes_readable_when_the_process_exits() {
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
    fn the_peer_of_a_socket_pair_has_our_uid() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(peer_uid(&one).unwrap(), own_uid());
    }

    #[test]
    fn umask_and_alarm_are_set() {
        set_private_umask();
        assert_eq!(nix::sys::stat::umask(Mode::from_bits_truncate(0o077)).bits(), 0o077);
        set_alarm(100_000);
        assert_eq!(nix::unistd::alarm::cancel(), Some(100_000));
    }
}
