//! Process information on Linux: `/proc`, pidfds and `/proc/locks`.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, getsockopt, socket, sockopt};

pub use super::passwd::account_home;
use super::{Memory, Stat};

/// How often the holder of a lock is looked for.
const LOCK_READS: usize = 3;

/// Makes one `open` and one `read`, because every hook calls this.
pub fn stat(pid: i32) -> Option<Stat> {
    if pid <= 0 {
        return None;
    }
    // The line has 52 numbers and a name of at most 15 bytes. The needed fields are in the first half.
    let mut line = [0; 1024];
    let n = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut line).ok()?;
    parse_stat(&line[..n])
}

/// Parses `PID (name) S PPID …`, see proc_pid_stat(5). The name may contain spaces and parentheses.
pub(super) fn parse_stat(line: &[u8]) -> Option<Stat> {
    let open = line.iter().position(|b| *b == b'(')?;
    let close = line.iter().rposition(|b| *b == b')')?;
    let name = String::from_utf8_lossy(line.get(open + 1..close)?).into_owned();
    let mut fields = std::str::from_utf8(&line[close + 1..]).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // The state is field 3, the start time field 22.
    let start = fields.nth(22 - 5)?.parse().ok()?;
    Some(Stat { name, parent, start, exited: matches!(state, "Z" | "X" | "x") })
}

/// Empty if it cannot be read. An empty id matches nothing.
pub fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

pub fn pid_namespace() -> u64 {
    namespace("/proc/self/ns/pid")
}

/// Namespace of another process; 0 if it cannot be read.
pub fn pid_namespace_of(pid: i32) -> u64 {
    namespace(&format!("/proc/{pid}/ns/pid"))
}

pub fn mount_namespace() -> u64 {
    namespace("/proc/self/ns/mnt")
}

fn namespace(path: &str) -> u64 {
    fs::metadata(path).map(|m| m.ino()).unwrap_or(0)
}

/// Allocates blocks for `bytes` without changing the file's length.
pub fn preallocate(file: &File, bytes: i64) -> io::Result<()> {
    use nix::fcntl::{FallocateFlags, fallocate};
    Ok(fallocate(file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, bytes)?)
}

/// Opens a pidfd, which becomes readable when the process exits (Linux 5.3).
pub fn watch(pid: i32) -> Option<OwnedFd> {
    // SAFETY: takes two integers; the kernel opens the descriptor with CLOEXEC.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    // SAFETY: the descriptor was just opened and has no other owner.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

pub fn signal(pidfd: Option<BorrowedFd>, pid: i32, signal: Signal) -> nix::Result<()> {
    let Some(fd) = pidfd else { return super::signal_by_pid(pid, signal) };
    let none = std::ptr::null::<libc::siginfo_t>();
    let (call, fd, signal) = (libc::SYS_pidfd_send_signal, fd.as_raw_fd(), signal as i32);
    // SAFETY: siginfo may be null; the descriptor is borrowed for the call.
    Errno::result(unsafe { libc::syscall(call, fd, signal, none, 0) }).map(drop)
}

/// The kernel returns the list a page at a time. A line may be missing if other processes lock or
/// unlock files between two reads, so a holder that is not listed is looked for again.
pub fn lock_holder(dev: u64, inode: u64) -> Option<i32> {
    let listed = |_| holder_in(&fs::read_to_string("/proc/locks").ok()?, dev, inode);
    (0..LOCK_READS).find_map(listed)
}

/// Finds `1: FLOCK  ADVISORY  WRITE PID MAJOR:MINOR:INODE 0 EOF`. Waiters are marked with `->` and
/// do not match.
///
/// On some file systems (btrfs subvolumes, overlays) the device number differs from the one that
/// `stat` returns. If exactly one line has the inode, it matches without the device.
pub(super) fn holder_in(locks: &str, dev: u64, inode: u64) -> Option<i32> {
    let mut by_inode = Vec::new();
    for line in locks.lines() {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (Some("FLOCK"), Some(_), Some("WRITE")) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let (Some(pid), Some(file)) = (words.next(), words.next()) else { continue };
        let mut file = file.split(':');
        let mut hex = || u32::from_str_radix(file.next()?, 16).ok();
        let (Some(major), Some(minor)) = (hex(), hex()) else { continue };
        let (Ok(pid), Some(Ok(at))) = (pid.parse(), file.next().map(str::parse::<u64>)) else {
            continue;
        };
        if at == inode && pid > 0 {
            if libc::makedev(major, minor) == dev {
                return Some(pid);
            }
            by_inode.push(pid);
        }
    }
    if let [only] = by_inode[..] { Some(only) } else { None }
}

pub fn memory(pid: i32) -> Option<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let bytes = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    };
    Some(Memory { resident: bytes("VmRSS:")?, anonymous: bytes("RssAnon:")? })
}

pub fn peer_uid(stream: BorrowedFd) -> io::Result<u32> {
    Ok(getsockopt(&stream, sockopt::PeerCredentials)?.uid())
}

pub fn unix_stream_socket() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC;
    Ok(socket(AddressFamily::Unix, SockType::Stream, flags, None)?)
}

/// Path of the running program, valid even after an upgrade has replaced the file.
pub fn program() -> io::Result<CString> {
    Ok(c"/proc/self/exe".to_owned())
}

/// Sets CLOEXEC on every descriptor from 3 up in one call (Linux 5.11). `false` if the kernel does
/// not support it. Async-signal-safe.
pub fn mark_all_cloexec() -> bool {
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: only sets a flag.
    unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, flags) == 0 }
}

/// Makes the kernel kill this process when the thread that forked it exits. Async-signal-safe.
pub fn die_with_parent() -> io::Result<()> {
    // SAFETY: takes two integers.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub fn set_name(name: &CStr) {
    // SAFETY: the kernel copies the C string, which is shorter than 16 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// Applies to the calling thread, and to the threads that it starts.
pub fn lower_priority() {
    const WHO_PROCESS: libc::c_int = 1;
    const BEST_EFFORT: libc::c_int = 2 << 13;
    const LOWEST: libc::c_int = 7;
    // SAFETY: both calls only change the priority of the thread.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, super::LOW_PRIORITY);
        libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, BEST_EFFORT | LOWEST);
    }
}

#[cfg(target_env = "gnu")]
pub fn share_heap() {
    // SAFETY: sets a number of the allocator.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

#[cfg(not(target_env = "gnu"))]
pub fn share_heap() {}

pub fn release_memory() {
    // SAFETY: gives back what is freed.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
    unsafe extern "C" {
        // The linker's names for the first byte of the program and for the end of its code.
        static __executable_start: u8;
        static etext: u8;
    }
    let (first, end) = (&raw const __executable_start as usize, &raw const etext as usize);
    let len = (end - first) & !(PAGE - 1);
    // SAFETY: these pages are mapped from the program's file and are never written. The kernel reads them
    // from there again. On an error they stay mapped.
    unsafe {
        libc::madvise(first as *mut libc::c_void, len, libc::MADV_DONTNEED);
    }
}

/// The largest page of a Linux system.
const PAGE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn check_stat(line: &str, expected: Option<(&str, i32, u64, bool)>) {
        let parsed = parse_stat(line.as_bytes()).map(|s| (s.name, s.parent, s.start, s.exited));
        let expected = expected.map(|(n, p, s, d)| (n.to_owned(), p, s, d));
        assert_eq!(parsed, expected, "{line}");
    }

    #[test]
    fn a_name_may_contain_spaces_and_parentheses() {
        let rest = "10 42 42 0 -1 4194560 97 0 0 0 0 0 0 0 20 0 1 0 6543210 2998272 368 184";
        let ours = |name, dead| Some((name, 10, 6_543_210, dead));
        check_stat(&format!("42 (cat) S {rest}"), ours("cat", false));
        check_stat(&format!("42 (a) R 1 (b)) Z {rest}"), ours("a) R 1 (b)", true));
        check_stat(&format!("42 () X {rest}"), ours("", true));
        check_stat("42 (cat) S 10 42", None);
        check_stat("42 )cat( S 10 42", None);
        check_stat("", None);
    }

    #[test]
    fn the_stat_of_this_process() {
        let own = stat(std::process::id().cast_signed()).unwrap();
        assert_eq!(own.parent, nix::unistd::getppid().as_raw());
        assert!(!own.exited && own.start > 0 && !own.name.is_empty());
        assert_eq!(boot_id().len(), 36);
        assert!(pid_namespace() > 0);
    }

    fn check_holder(locks: &str, expected: Option<i32>) {
        assert_eq!(holder_in(locks, libc::makedev(0xfe, 1), 77), expected, "{locks}");
    }

    #[test]
    fn locks_are_found_by_inode_and_device() {
        let ours = "1: FLOCK  ADVISORY  WRITE 500 fe:01:77 0 EOF\n";
        let other_device = "2: FLOCK  ADVISORY  WRITE 600 00:2a:77 0 EOF\n";
        check_holder(ours, Some(500));
        check_holder(&format!("{other_device}{ours}"), Some(500));
        check_holder(other_device, Some(600));
        check_holder(&format!("{other_device}{}", other_device.replace("600", "601")), None);
        check_holder("1: FLOCK  ADVISORY  WRITE 500 fe:01:78 0 EOF\n", None);
        check_holder("1: FLOCK  ADVISORY  READ  500 fe:01:77 0 EOF\n", None);
        check_holder("1: POSIX  ADVISORY  WRITE 500 fe:01:77 0 EOF\n", None);
        check_holder("1: -> FLOCK  ADVISORY  WRITE 500 fe:01:77 0 EOF\n", None);
        check_holder("1: FLOCK  ADVISORY  WRITE 0 fe:01:77 0 EOF\n", None);
        check_holder("1: FLOCK ADVISORY WRITE\nnonsense\n\n", None);
    }

    #[test]
    fn the_holder_of_a_real_lock_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let file = File::create(&path).unwrap();
        let holder = || crate::process::lock_holder(&File::open(&path).unwrap()).unwrap();
        assert_eq!(holder(), None);
        file.lock().unwrap();
        assert_eq!(holder(), Some(std::process::id().cast_signed()));
        file.unlock().unwrap();
        assert_eq!(holder(), None);
    }
}
