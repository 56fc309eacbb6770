//! Spawns a process that outlives its parent: fork, setsid, fork, exec of this program.
//!
//! A client whose hook times out kills all descendants of that hook, in any process session. The
//! new process must therefore be an orphan in its own session. Between fork and exec the child makes
//! only async-signal-safe calls. Everything they need is allocated before the fork.

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

/// Descriptors below this number are marked one by one if the kernel cannot mark all in one call.
const MAX_MARKED: c_int = 4096;

/// Starts this program with `args`, as an orphan in its own process session. Its command line is
/// `memctl ARGS`, its streams are on `/dev/null`, its cwd is `/`, its environment is exactly `env`.
/// It inherits no descriptors, and its signal handlers and mask are the defaults.
///
/// Returns after the fork, about 0.5 ms before the new program runs. A failed exec is not reported:
/// the caller does not wait for a worker, and its event is already durable.
///
/// The caller must be single-threaded, or hold no lock that the child would need.
///
/// # Errors
/// `InvalidInput` if an argument or variable contains a NUL byte, else the error of fork.
pub fn spawn_detached(args: &[&OsStr], env: &[(OsString, OsString)]) -> io::Result<()> {
    let exec = Exec::new(args, env)?;
    // SAFETY: the child calls only async-signal-safe functions, then execs or calls `_exit`.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => match reap(child) {
            Ok(WaitStatus::Exited(_, 0)) | Err(Errno::ECHILD) => Ok(()),
            Ok(WaitStatus::Exited(_, errno)) => Err(io::Error::from_raw_os_error(errno)),
            Ok(other) => Err(io::Error::other(format!("fork: {other:?}"))),
            Err(e) => Err(e.into()),
        },
        ForkResult::Child => {
            // SAFETY: as above; the child has one thread.
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

/// The arguments of exec, allocated before the fork.
struct Exec {
    program: CString,
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    null: File,
    /// Owns the strings that `argv` and `envp` point to.
    _strings: [Vec<CString>; 2],
}

impl Exec {
    fn new(args: &[&OsStr], env: &[(OsString, OsString)]) -> io::Result<Exec> {
        let mut strings = vec![c"memctl".to_owned()];
        for arg in args {
            strings.push(CString::new(arg.as_bytes())?);
        }
        let mut pairs = Vec::with_capacity(env.len());
        for (name, value) in env {
            pairs.push(CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())?);
        }
        Ok(Exec {
            program: os::program()?,
            argv: pointers(&strings),
            envp: pointers(&pairs),
            null: OpenOptions::new().read(true).write(true).open("/dev/null")?,
            _strings: [strings, pairs],
        })
    }

    /// # Safety
    /// Call only in a child that was just forked.
    unsafe fn run(&self) -> ! {
        // SAFETY: each call is async-signal-safe and uses memory allocated before the fork.
        unsafe {
            for stream in 0..=2 {
                libc::dup2(self.null.as_raw_fd(), stream);
            }
            // Descriptors without CLOEXEC, such as those that leaked from the client, must not reach
            // the new program.
            if !os::mark_all_cloexec() {
                for fd in 3..MAX_MARKED {
                    libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
                }
            }
            libc::chdir(c"/".as_ptr());
            // exec keeps ignored signals ignored. The call fails for SIGKILL and SIGSTOP.
            for signal in 1..=31 {
                libc::signal(signal, libc::SIG_DFL);
            }
            let mut empty = std::mem::zeroed();
            libc::sigemptyset(&raw mut empty);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const empty, ptr::null_mut());
            libc::execve(self.program.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr());
            libc::_exit(127)
        }
    }
}

/// A null-terminated array, as exec takes it.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::time::Duration;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
    use nix::unistd::{getppid, getsid};
    use serde_json::{Value, json};

    use super::*;

    const REPORT: &str = "MEMCTL_TEST_REPORT";

    /// Not a test: the program that the test below starts with [`spawn_detached`]. It reports its
    /// state over a socket. In an ordinary test run it returns at once.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "it reports its environment")]
    fn spawned_process() {
        let Some(socket) = std::env::var_os(REPORT) else { return };
        let mut open: Vec<String> = fs::read_dir("/proc/self/fd")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|e| Some(fs::read_link(e.path()).ok()?.to_string_lossy().into_owned()))
            .collect();
        open.sort();
        let streams = [0, 1, 2].map(|n| {
            // SAFETY: std keeps the three standard streams open.
            let stat = nix::sys::stat::fstat(unsafe { std::os::fd::BorrowedFd::borrow_raw(n) });
            stat.is_ok_and(|s| {
                Ok(s.st_rdev) == nix::sys::stat::stat("/dev/null").map(|n| n.st_rdev)
            })
        });
        let blocked = SigSet::thread_get_mask().unwrap().contains(Signal::SIGUSR2);
        // SAFETY: the default action runs no handler; this process runs one test.
        let previous = unsafe { signal(Signal::SIGUSR1, SigHandler::SigDfl) }.unwrap();
        let report = json!({
            "parent": getppid().as_raw(),
            "session": getsid(None).unwrap().as_raw(),
            "cwd": std::env::current_dir().unwrap(),
            "env": std::env::vars().collect::<Vec<_>>(),
            "argv": std::env::args().collect::<Vec<_>>(),
            "open": open,
            "null": streams,
            "blocked": blocked,
            "ignored": matches!(previous, SigHandler::SigIgn),
        });
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.write_all(report.to_string().as_bytes()).unwrap();
    }

    fn report(listener: &UnixListener) -> Value {
        let mut wait = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut wait, PollTimeout::from(30_000u16)), Ok(1), "no process reported");
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_spawned_process_inherits_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let leak = File::create(dir.path().join("leaked")).unwrap();
        // SAFETY: the copy has no other owner and is closed below.
        let leaked = unsafe { libc::dup(leak.as_raw_fd()) };
        // SAFETY: only reads a flag.
        assert_eq!(unsafe { libc::fcntl(leaked, libc::F_GETFD) }, 0, "would be inherited");
        // SAFETY: ignoring a signal runs no handler.
        unsafe { signal(Signal::SIGUSR1, SigHandler::SigIgn) }.unwrap();
        let usr2 = SigSet::from(Signal::SIGUSR2);
        usr2.thread_block().unwrap();

        let args = ["process::spawn::tests::spawned_process", "--exact", "--nocapture"];
        let env = [(REPORT.into(), socket.clone().into_os_string()), ("A".into(), "b=c".into())];
        let own = std::process::id();
        spawn_detached(&args.map(OsStr::new), &env).unwrap();
        let report = report(&listener);

        // SAFETY: as above.
        unsafe { signal(Signal::SIGUSR1, SigHandler::SigDfl) }.unwrap();
        usr2.thread_unblock().unwrap();
        // SAFETY: opened above, closed once.
        unsafe { libc::close(leaked) };
        assert_ne!(report["parent"], own);
        assert_ne!(report["session"], getsid(None).unwrap().as_raw());
        assert_eq!(report["cwd"], "/");
        assert_eq!(report["argv"], json!(["memctl", args[0], args[1], args[2]]));
        assert_eq!(report["env"], json!([[REPORT, socket], ["A", "b=c"]]));
        assert_eq!(report["null"], json!([true, true, true]));
        assert_eq!(report["blocked"], false);
        assert_eq!(report["ignored"], false);
        assert!(!report["open"].to_string().contains("leaked"), "{}", report["open"]);
    }

    #[test]
    fn a_nul_byte_is_refused_before_the_fork() {
        let e = spawn_detached(&[OsStr::new("a\0b")], &[]).unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::InvalidInput);
    }
}
