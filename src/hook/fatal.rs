//! The one way out of a hook that goes down: panic, abort (out of memory ends there), stack
//! overflow, and a deadline that everything else has missed. It prints the neutral answer if none
//! was printed, complains on standard error, and ends the process with 0.

use std::cell::UnsafeCell;
use std::ffi::CString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use nix::libc;
use tracing::Level;

use super::answer::{self, NEUTRAL};
use crate::log;
use crate::paths::Paths;

/// While an event is in our hands and kept nowhere: the file in which its loss is counted.
static LOSS: AtomicPtr<libc::c_char> = AtomicPtr::new(std::ptr::null_mut());

/// Reading the payload and all before it: a config file may be a pipe, a directory far away.
const AT_ALL: Duration = Duration::from_secs(4);

/// The neutral answer alone would say that the event is kept.
const COMPLAINT: &str = "memctl: hook: given up, its event may be lost\n";

/// Where the handler runs when the stack itself is what ran out. Only the kernel writes to it.
const STACK_SIZE: usize = 32 << 10;
static STACK: Stack = Stack(UnsafeCell::new([0; STACK_SIZE]));

struct Stack(UnsafeCell<[u8; STACK_SIZE]>);

// SAFETY: nothing in this program reads or writes it.
unsafe impl Sync for Stack {}

/// Installs handlers and the panic hook.
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        // Where, and not what: a message may quote text.
        let place = info.location().map_or_else(String::new, ToString::to_string);
        let _ = writeln!(std::io::stderr(), "memctl: hook: panicked at {place}");
        if let Some(path) = super::general_log() {
            log::append(&path, Level::ERROR, &format!("hook: panicked at {place}"));
        }
        leave();
    }));
    give_up_after(AT_ALL);
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
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// The process ends after so long, whatever it does.
pub fn give_up_after(time: Duration) {
    let value = libc::timeval {
        tv_sec: time.as_secs() as libc::time_t,
        tv_usec: libc::suseconds_t::from(time.subsec_micros() as i32),
    };
    let zero = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let timer = libc::itimerval { it_interval: zero, it_value: value };
    // SAFETY: sets a timer of this process; its signal is handled above.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) };
}

/// An event is in our hands: going down now would lose it.
pub fn holds(paths: &Paths) {
    if let Ok(file) = CString::new(paths.lost_events().as_os_str().as_bytes()) {
        LOSS.store(file.into_raw(), Ordering::SeqCst);
    }
}

/// It is kept, or counted.
pub fn holds_nothing() {
    LOSS.store(std::ptr::null_mut(), Ordering::SeqCst);
}

extern "C" fn on_signal(_: libc::c_int) {
    leave();
}

fn leave() -> ! {
    let loss = LOSS.swap(std::ptr::null_mut(), Ordering::SeqCst);
    // SAFETY: open, write and _exit are async-signal-safe; the path was leaked, the bytes are
    // static.
    unsafe {
        if answer::claim() {
            libc::write(1, NEUTRAL.as_ptr().cast(), NEUTRAL.len());
        }
        libc::write(2, COMPLAINT.as_ptr().cast(), COMPLAINT.len());
        if !loss.is_null() {
            let fd = libc::open(loss, libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT, 0o600);
            libc::write(fd, c".".as_ptr().cast(), 1);
        }
        libc::_exit(0)
    }
}
