//! The birth of a process that outlives its starter: fork, setsid, fork, exec of this program.
//!
//! Clients whose hook runs out of time kill every descendant of that hook, whatever its session,
//! so the new process must be nobody's child and in a session of its own. Between fork and exec
//! only calls are made that are safe after a fork; everything they need is made before.

use std::ffi::{CString, OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use nix::errno::Errno;
use nix::libc::{self, c_char, c_int};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use super::os;

/// Descriptors that are marked one by one where the kernel cannot do it at once.
const MAX_MARKED: c_int = 4096;

/// Starts this program with `args`, shown as `memctl ARGS`, orphaned and in a session of its own:
/// streams on /dev/null, cwd `/`, no descriptor of ours, signals as at boot, and exactly the
/// environment `env`.
///
/// Returns when it is forked, about half a millisecond before it runs. That its exec failed is
/// not told: nobody waits for a worker, and the event that asks for one is safe already.
///
/// The caller must be single-threaded, or at least hold no lock that its child would need.
///
/// # Errors
/// `InvalidInput` for NUL bytes, else what fork says.
pub fn spawn_detached(args: &[&OsStr], env: &[(OsString, OsString)]) -> io::Result<()> {
    let exec = Exec::new(args, env)?;
    // SAFETY: the child calls only async-signal-safe functions, then leaves by `_exit`.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => match reap(child) {
            Ok(WaitStatus::Exited(_, 0)) | Err(Errno::ECHILD) => Ok(()),
            Ok(WaitStatus::Exited(_, errno)) => Err(io::Error::from_raw_os_error(errno)),
            Ok(other) => Err(io::Error::other(format!("fork: {other:?}"))),
            Err(e) => Err(e.into()),
        },
        ForkResult::Child => {
            // SAFETY: as above; this process has one thread and owns all it touches.
            unsafe {
                libc::setsid();
                match libc::fork() {
                    0 => exec.run(),
                    -1 => libc::_exit(Errno::last_raw()),
                    _ => libc::_exit(0),
                }
            }
        }
    }
}

fn reap(child: nix::unistd::Pid) -> nix::Result<WaitStatus> {
    loop {
        match waitpid(child, None) {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// Everything exec needs, made before the fork.
struct Exec {
    program: CString,
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    null: File,
    /// Own what `argv` and `envp` point into.
    _words: [Vec<CString>; 2],
}

impl Exec {
    fn new(args: &[&OsStr], env: &[(OsString, OsString)]) -> io::Result<Exec> {
        let mut words = vec![c"memctl".to_owned()];
        for arg in args {
            words.push(CString::new(arg.as_bytes())?);
        }
        let mut pairs = Vec::with_capacity(env.len());
        for (name, value) in env {
            pairs.push(CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())?);
        }
        Ok(Exec {
            program: os::program()?,
            argv: pointers(&words),
            envp: pointers(&pairs),
            null: OpenOptions::new().read(true).write(true).open("/dev/null")?,
            _words: [words, pairs],
        })
    }

    /// # Safety
    /// Only in a child just forked, which has nothing to lose.
    unsafe fn run(&self) -> ! {
        // SAFETY: each call is async-signal-safe and is given memory that was made before.
        unsafe {
            for stream in 0..=2 {
                libc::dup2(self.null.as_raw_fd(), stream);
            }
            // Marked, not closed: another part of this program may still count on them.
            if !os::mark_all_cloexec() {
                for fd in 3..MAX_MARKED {
                    libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
                }
            }
            libc::chdir(c"/".as_ptr());
            // What is ignored stays ignored over an exec; the kernel refuses those it keeps.
            for signal in 1..=31 {
                libc::signal(signal, libc::SIG_DFL);
            }
            let mut none = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
            libc::execve(self.program.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr());
            libc::_exit(127)
        }
    }
}

/// As exec wants them: with a null at the end.
fn pointers(words: &[CString]) -> Vec<*const c_char> {
    words.iter().map(|w| w.as_ptr()).chain([ptr::null()]).collect()
}
