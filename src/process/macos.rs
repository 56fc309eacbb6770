//! Process information on macOS: `proc_pidinfo` in place of `/proc`, a kqueue in place of a pidfd.
//! macOS has no pid namespaces, and it does not report which process holds an flock.
//!
//! A kqueue reports the exit of a process but cannot signal it. Signals go by pid, directly after
//! the start time was compared.

use std::ffi::{CStr, CString, c_void};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::ptr;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::{Memory, Stat};

/// `None` for most zombies: the kernel returns no information about them.
pub fn stat(pid: i32) -> Option<Stat> {
    let info: libc::proc_bsdinfo = pid_info(pid, libc::PROC_PIDTBSDINFO)?;
    let name: Vec<u8> =
        info.pbi_comm.iter().take_while(|c| **c != 0).map(|c| c.cast_unsigned()).collect();
    Some(Stat {
        name: String::from_utf8_lossy(&name).into_owned(),
        parent: info.pbi_ppid.cast_signed(),
        // Microseconds since the epoch, recorded when the process started.
        start: info.pbi_start_tvsec * 1_000_000 + info.pbi_start_tvusec,
        exited: info.pbi_status == libc::SZOMB,
    })
}

/// Does nothing: macOS cannot reserve space without changing the file's length.
pub fn preallocate(_file: &std::fs::File, _bytes: i64) -> io::Result<()> {
    Ok(())
}

fn pid_info<T>(pid: i32, flavor: i32) -> Option<T> {
    if pid <= 0 {
        return None;
    }
    let size = mem::size_of::<T>() as i32;
    let mut info = mem::MaybeUninit::<T>::zeroed();
    // SAFETY: the kernel writes at most `size` bytes into a structure of integers.
    let n = unsafe { libc::proc_pidinfo(pid, flavor, 0, info.as_mut_ptr().cast::<c_void>(), size) };
    // SAFETY: the kernel filled all of it.
    (n == size).then(|| unsafe { info.assume_init() })
}

/// Empty if it cannot be read. An empty id matches nothing.
pub fn boot_id() -> String {
    let mut id = [0u8; 64];
    let mut n = id.len();
    let name = c"kern.bootsessionuuid".as_ptr();
    // SAFETY: the kernel writes at most `n` bytes and sets `n` to their number.
    let result =
        unsafe { libc::sysctlbyname(name, id.as_mut_ptr().cast(), &mut n, ptr::null_mut(), 0) };
    if result != 0 {
        return String::new();
    }
    String::from_utf8_lossy(&id[..n]).trim_end_matches('\0').to_owned()
}

pub fn pid_namespace() -> u64 {
    0
}

pub fn pid_namespace_of(_pid: i32) -> u64 {
    0
}

pub fn mount_namespace() -> u64 {
    0
}

/// Opens a kqueue that becomes readable when the process exits.
pub fn watch(pid: i32) -> Option<OwnedFd> {
    // SAFETY: takes no arguments.
    let queue = unsafe { libc::kqueue() };
    if queue < 0 {
        return None;
    }
    // SAFETY: the descriptor was just opened and has no other owner. Forked children do not inherit
    // it.
    let queue = unsafe { OwnedFd::from_raw_fd(queue) };
    let exit = libc::kevent {
        ident: usize::try_from(pid).ok()?,
        filter: libc::EVFILT_PROC,
        flags: libc::EV_ADD | libc::EV_ONESHOT,
        fflags: libc::NOTE_EXIT,
        data: 0,
        udata: ptr::null_mut(),
    };
    let fd = queue.as_raw_fd();
    // SAFETY: reads one change and writes no event.
    let result = unsafe { libc::kevent(fd, &exit, 1, ptr::null_mut(), 0, ptr::null()) };
    (result == 0).then_some(queue)
}

pub fn signal(_queue: Option<BorrowedFd>, pid: i32, signal: Signal) -> nix::Result<()> {
    super::signal_by_pid(pid, signal)
}

pub fn lock_holder(_dev: u64, _inode: u64) -> Option<i32> {
    None
}

/// Resident memory counts as anonymous: `proc_taskinfo` does not separate the two.
pub fn memory(pid: i32) -> Option<Memory> {
    let info: libc::proc_taskinfo = pid_info(pid, libc::PROC_PIDTASKINFO)?;
    Some(Memory { resident: info.pti_resident_size, anonymous: info.pti_resident_size })
}

pub fn peer_uid(stream: BorrowedFd) -> io::Result<u32> {
    Ok(nix::unistd::getpeereid(stream)?.0.as_raw())
}

/// macOS has no flag that creates a socket with CLOEXEC. A fork on another thread between the two
/// calls would leak it, but the callers have one thread.
pub fn unix_stream_socket() -> io::Result<OwnedFd> {
    let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None)?;
    fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(fd)
}

pub fn program() -> io::Result<CString> {
    Ok(CString::new(std::env::current_exe()?.into_os_string().into_vec())?)
}

pub fn mark_all_cloexec() -> bool {
    false
}

/// Does nothing: macOS has no parent-death signal. The child exits when its stdin is closed.
pub fn die_with_parent() -> io::Result<()> {
    Ok(())
}

pub fn set_name(_name: &CStr) {}

/// The home directory of a user, from Open Directory.
pub fn account_home(uid: u32) -> Result<Option<PathBuf>, String> {
    let user = nix::unistd::User::from_uid(uid.into());
    let user = user.map_err(|e| format!("cannot look up user {uid}: {e}"))?;
    Ok(user.map(|user| user.dir))
}

/// Applies to the whole process.
pub fn lower_priority() {
    // SAFETY: only changes the priority of this process.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, super::LOW_PRIORITY);
    }
}

pub fn share_heap() {}

pub fn release_memory() {}
