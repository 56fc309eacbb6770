//! The one way out of a hook that goes down: panic, abort (out of memory ends there), stack
//! overflow, and a deadline that everything else has missed. It prints the neutral answer if none
//! was printed and ends the process with 0.

use std::cell::UnsafeCell;
use std::time::Duration;

use nix::libc;
use tracing::Level;

use super::answer::{self, NEUTRAL};
use crate::log;

/// How much later than its own deadline a hook is given up: long enough that a disk under load
/// can take an event, short enough that a client never kills us first.
const GRACE: u32 = 3;

/// Where the handler runs when the stack itself is what ran out. Only the kernel writes to it.
const STACK_SIZE: usize = 32 << 10;
static STACK: Stack = Stack(UnsafeCell::new([0; STACK_SIZE]));

struct Stack(UnsafeCell<[u8; STACK_SIZE]>);

// SAFETY: nothing in this program reads or writes it.
unsafe impl Sync for Stack {}

/// Installs handlers and the panic hook.
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        eprintln!("memctl: hook: {info}");
        if let Some(path) = super::general_log() {
            log::line(&path, Level::ERROR, &format!("hook: {info}"));
        }
        leave();
    }));
    let alternate = libc::stack_t { ss_sp: STACK.0.get().cast(), ss_flags: 0, ss_size: STACK_SIZE };
    // SAFETY: the stack lives for ever, and the handler only writes and exits, both of which are
    // async-signal-safe.
    unsafe {
        libc::sigaltstack(&alternate, std::ptr::null_mut());
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_ONSTACK;
        for signal in [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGALRM] {
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
        // A client that is gone must not end us before the event is kept.
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
}

/// A disk or a file system that hangs must not hold the client up for ever.
pub fn give_up_after(deadline: Duration) {
    let seconds = (deadline.as_millis() as u32).div_ceil(1000).saturating_mul(GRACE).max(1);
    // SAFETY: sets a timer of this process; its signal is handled above.
    unsafe { libc::alarm(seconds) };
}

extern "C" fn on_signal(_: libc::c_int) {
    leave();
}

fn leave() -> ! {
    // SAFETY: write and _exit are async-signal-safe, and the bytes are static.
    unsafe {
        if answer::claim() {
            libc::write(1, NEUTRAL.as_ptr().cast(), NEUTRAL.len());
        }
        libc::_exit(0)
    }
}
