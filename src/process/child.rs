//! Children that must not outlive this process. Each runs in its own process group, which is killed
//! as a whole. The kernel kills the child if this process dies.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::os;

/// Runs the child in its own process group, and makes the kernel kill it when this process dies
/// (Linux only; see `die_with_parent`).
///
/// The kernel watches the *thread* that spawns the child. Spawn it from the main thread, which
/// exists as long as the process.
pub fn kill_with_parent(command: &mut Command) {
    let parent = std::process::id().cast_signed();
    command.process_group(0);
    // SAFETY: the closure makes only async-signal-safe calls.
    unsafe {
        command.pre_exec(move || {
            os::die_with_parent()?;
            // The parent may have died before the call took effect.
            if libc::getppid() != parent {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
}

/// Whether `child` has exited. Does not reap it, so its pid is not reused.
pub fn has_exited(child: u32) -> bool {
    // SAFETY: all-zero bytes are a valid `siginfo_t`.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` outlives the call.
    let result = unsafe { libc::waitid(libc::P_PID, child, &raw mut info, flags) };
    // The call fails if the child has already been reaped.
    result != 0 || info.si_signo == libc::SIGCHLD
}

/// Kills a child and everything in its process group. `leader` is the child's pid. The caller must
/// not have reaped the child: the pid could belong to another process.
pub fn kill_group(leader: u32) {
    let leader = leader.cast_signed();
    if leader > 1 {
        let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
    }
}
