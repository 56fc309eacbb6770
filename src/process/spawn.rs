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

    /// Not a test by itself: what [`spawn_detached`] starts in the test below. It says what it
    /// finds on a socket; in an ordinary run there is none.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "it tells what environment it was given")]
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
            // SAFETY: std keeps the three streams open.
            let stat = nix::sys::stat::fstat(unsafe { std::os::fd::BorrowedFd::borrow_raw(n) });
            stat.is_ok_and(|s| {
                Ok(s.st_rdev) == nix::sys::stat::stat("/dev/null").map(|n| n.st_rdev)
            })
        });
        let blocked = SigSet::thread_get_mask().unwrap().contains(Signal::SIGUSR2);
        // SAFETY: the default action is no handler of ours; this process runs one test.
        let was = unsafe { signal(Signal::SIGUSR1, SigHandler::SigDfl) }.unwrap();
        let report = json!({
            "parent": getppid().as_raw(),
            "session": getsid(None).unwrap().as_raw(),
            "cwd": std::env::current_dir().unwrap(),
            "env": std::env::vars().collect::<Vec<_>>(),
            "argv": std::env::args().collect::<Vec<_>>(),
            "open": open,
            "null": streams,
            "blocked": blocked,
            "ignored": matches!(was, SigHandler::SigIgn),
        });
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.write_all(report.to_string().as_bytes()).unwrap();
    }

    fn report(listener: &UnixListener) -> Value {
        let mut wait = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut wait, PollTimeout::from(30_000u16)), Ok(1), "nobody was born");
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_newborn_has_nothing_of_its_starter() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let leak = File::create(dir.path().join("leaked")).unwrap();
        // SAFETY: the copy is closed below and owned by nobody else.
        let leaked = unsafe { libc::dup(leak.as_raw_fd()) };
        // SAFETY: asks for a flag.
        assert_eq!(unsafe { libc::fcntl(leaked, libc::F_GETFD) }, 0, "would be inherited");
        // SAFETY: no handler is installed, and no test sends this signal.
        unsafe { signal(Signal::SIGUSR1, SigHandler::SigIgn) }.unwrap();
        let usr2 = SigSet::from(Signal::SIGUSR2);
        usr2.thread_block().unwrap();

        let args = ["process::spawn::tests::spawned_process", "--exact", "--nocapture"];
        let env = [(REPORT.into(), socket.clone().into_os_string()), ("A".into(), "b=c".into())];
        let own = std::process::id();
        spawn_detached(&args.map(OsStr::new), &env).unwrap();
        let said = report(&listener);

        // SAFETY: as above.
        unsafe { signal(Signal::SIGUSR1, SigHandler::SigDfl) }.unwrap();
        usr2.thread_unblock().unwrap();
        // SAFETY: opened above.
        unsafe { libc::close(leaked) };
        assert_ne!(said["parent"], own);
        assert_ne!(said["session"], getsid(None).unwrap().as_raw());
        assert_eq!(said["cwd"], "/");
        assert_eq!(said["argv"], json!(["memctl", args[0], args[1], args[2]]));
        assert_eq!(said["env"], json!([[REPORT, socket], ["A", "b=c"]]));
        assert_eq!(said["null"], json!([true, true, true]));
        assert_eq!(said["blocked"], false);
        assert_eq!(said["ignored"], false);
        assert!(!said["open"].to_string().contains("leaked"), "{}", said["open"]);
    }

    #[test]
    fn a_nul_byte_is_refused_before_anything_is_forked() {
        let e = spawn_detached(&[OsStr::new("a\0b")], &[]).unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::InvalidInput);
    }
}
