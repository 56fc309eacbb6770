//! A child that must not outlive us: in a process group of its own, killed as a whole, and by the
//! kernel when we die without a word.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::os;

/// Makes `command` one that dies with us.
///
/// The kernel watches the *thread* that starts it: that must be one which lives as long as the
/// process, the main thread.
pub fn kill_with_parent(command: &mut Command) {
    let parent = std::process::id().cast_signed();
    command.process_group(0);
    // SAFETY: between fork and exec only async-signal-safe calls are made.
    unsafe {
        command.pre_exec(move || {
            os::die_with_parent()?;
            // Who died before that was asked for is not watched any more.
            if libc::getppid() != parent {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
}

/// Whether a child has ended. It is not waited for: its pid stays its own.
pub fn has_exited(child: u32) -> bool {
    // SAFETY: zeroes are a value of this structure of numbers, which the call fills in.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` outlives the call.
    let done = unsafe { libc::waitid(libc::P_PID, child, &raw mut info, flags) };
    // A child that nobody knows has been waited for.
    done != 0 || info.si_signo == libc::SIGCHLD
}

/// Kills a child with all it has started. `leader` is its pid, which nobody has waited for yet, so
/// that it cannot be another's.
pub fn kill_group(leader: u32) {
    let leader = leader.cast_signed();
    if leader > 1 {
        let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
    }
}
