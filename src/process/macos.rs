//! The same answers from macOS: `proc_pidinfo` for `/proc`, a kqueue for a pidfd. There are no
//! pid namespaces, and nobody says who holds an flock.
//!
//! A kqueue tells of a process's end but cannot signal it, so signals go by pid, right after the
//! start time was compared.

use std::ffi::{CStr, CString, c_void};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::ptr;

use nix::libc;
use nix::sys::signal::Signal;

use super::{Memory, Stat};

/// Of a zombie the kernel tells nothing, so it is `None` as well as dead.
pub fn stat(pid: i32) -> Option<Stat> {
    let info: libc::proc_bsdinfo = pid_info(pid, libc::PROC_PIDTBSDINFO)?;
    let name: Vec<u8> =
        info.pbi_comm.iter().take_while(|c| **c != 0).map(|c| c.cast_unsigned()).collect();
    Some(Stat {
        name: String::from_utf8_lossy(&name).into_owned(),
        parent: info.pbi_ppid.cast_signed(),
        // Microseconds since the epoch, as they were noted at birth.
        start: info.pbi_start_tvsec * 1_000_000 + info.pbi_start_tvusec,
        dead: info.pbi_status == libc::SZOMB,
    })
}

/// Where a file's size says what is in it, nothing can be kept for it here.
pub fn preallocate(_file: &std::fs::File, _bytes: i64) -> io::Result<()> {
    Ok(())
}

fn pid_info<T>(pid: i32, flavor: i32) -> Option<T> {
    if pid <= 0 {
        return None;
    }
    let size = mem::size_of::<T>() as i32;
    let mut info = mem::MaybeUninit::<T>::zeroed();
    // SAFETY: the kernel writes at most `size` bytes; the structures are plain numbers.
    let n = unsafe { libc::proc_pidinfo(pid, flavor, 0, info.as_mut_ptr().cast::<c_void>(), size) };
    // SAFETY: filled whole.
    (n == size).then(|| unsafe { info.assume_init() })
}

/// Empty when it cannot be read, which proves nothing.
pub fn boot_id() -> String {
    let mut id = [0u8; 64];
    let mut n = id.len();
    let name = c"kern.bootsessionuuid".as_ptr();
    // SAFETY: the kernel writes at most `n` bytes and says how many.
    let done =
        unsafe { libc::sysctlbyname(name, id.as_mut_ptr().cast(), &mut n, ptr::null_mut(), 0) };
    if done != 0 {
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

/// A queue that is readable once the process has ended.
pub fn watch(pid: i32) -> Option<OwnedFd> {
    // SAFETY: takes nothing.
    let queue = unsafe { libc::kqueue() };
    if queue < 0 {
        return None;
    }
    // SAFETY: a descriptor just opened, nobody else's. Queues are not inherited by children.
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
    // SAFETY: one change is read, no event is written.
    let done = unsafe { libc::kevent(fd, &exit, 1, ptr::null_mut(), 0, ptr::null()) };
    (done == 0).then_some(queue)
}

pub fn signal(_held: Option<BorrowedFd>, pid: i32, signal: Signal) -> nix::Result<()> {
    super::signal_by_pid(pid, signal)
}

pub fn lock_holder(_dev: u64, _inode: u64) -> Option<i32> {
    None
}

/// What is anonymous is not told apart here: all of it is counted.
pub fn memory(pid: i32) -> Option<Memory> {
    let info: libc::proc_taskinfo = pid_info(pid, libc::PROC_PIDTASKINFO)?;
    Some(Memory { resident: info.pti_resident_size, anonymous: info.pti_resident_size })
}

pub fn peer_uid(stream: BorrowedFd) -> io::Result<u32> {
    Ok(nix::unistd::getpeereid(stream)?.0.as_raw())
}

pub fn program() -> io::Result<CString> {
    Ok(CString::new(std::env::current_exe()?.into_os_string().into_vec())?)
}

pub fn mark_all_cloexec() -> bool {
    false
}

/// There is no such thing here: a child ends when its input does.
pub fn die_with_parent() -> io::Result<()> {
    Ok(())
}

pub fn set_name(_name: &CStr) {}
