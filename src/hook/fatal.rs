//! Ends a hook that cannot go on: on a panic, an abort (also out of memory), a stack overflow and a
//! last-resort timer. The handler prints the no-op response if no response was printed, writes a
//! line to standard error, counts an undelivered event as lost, and exits with 0.
//!
//! A client sends SIGTERM at its own timeout and when the user interrupts it. The hook then has
//! [`GRACE`] to deliver its event.

use std::cell::UnsafeCell;
use std::ffi::CString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};
use std::time::Duration;

use nix::libc;
use tracing::Level;

use super::response::{self, NO_OP};
use crate::guard;
use crate::paths::Paths;

/// The file that counts lost events while the hook has an event, else null.
static LOST_EVENTS: AtomicPtr<libc::c_char> = AtomicPtr::new(std::ptr::null_mut());

/// The directory of [`LOST_EVENTS`].
static LOST_EVENTS_DIR: AtomicI32 = AtomicI32::new(-1);

/// Time limit until the settings are read. A config file may be a pipe or on a hanging network
/// mount.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a hook goes on after SIGTERM. Claude Code sends SIGKILL 1.5 s after it and waits until
/// then; most hooks need 2 ms.
const GRACE: Duration = Duration::from_millis(500);

/// Whether the event was delivered, refused, not recorded, or counted as lost.
static IS_HANDLED: AtomicBool = AtomicBool::new(false);

/// Printed to standard error, because the no-op response alone looks like success.
const MAY_BE_LOST: &str = "memctl: hook: aborted; the event may be lost\n";
const NOT_LOST: &str = "memctl: hook: aborted after the event was delivered\n";

/// Size of the handler's own stack. A stack overflow leaves no room on the normal one.
const STACK_SIZE: usize = 32 << 10;
static STACK: Stack = Stack(UnsafeCell::new([0; STACK_SIZE]));

struct Stack(UnsafeCell<[u8; STACK_SIZE]>);

// SAFETY: only the kernel uses this memory, through sigaltstack.
unsafe impl Sync for Stack {}

/// Installs the signal handlers and the panic hook, and starts the timer.
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        // Log only the location; the message may contain user text.
        let location = info.location().map_or_else(String::new, ToString::to_string);
        if !guard::is_panic_caught() {
            let _ = writeln!(std::io::stderr(), "memctl: hook: panicked at {location}");
        }
        if let Some(log) = super::panic_log() {
            log.append(Level::ERROR, &format!("hook: panicked at {location}"));
        }
        if !guard::is_panic_caught() {
            exit();
        }
    }));
    set_timer(STARTUP_TIMEOUT);
    let alternate = libc::stack_t { ss_sp: STACK.0.get().cast(), ss_flags: 0, ss_size: STACK_SIZE };
    // SAFETY: the stack is static, and the handler only makes async-signal-safe calls.
    unsafe {
        libc::sigaltstack(&alternate, std::ptr::null_mut());
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_ONSTACK;
        for signal in [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGALRM] {
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
        action.sa_sigaction = on_terminate as *const () as usize;
        action.sa_flags |= libc::SA_RESTART;
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
        // A write beyond the file size limit then fails with EFBIG.
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// Ends the process after `time`. Replaces the previous timer.
pub fn set_timer(time: Duration) {
    let value = libc::timeval {
        tv_sec: time.as_secs() as libc::time_t,
        tv_usec: libc::suseconds_t::from(time.subsec_micros() as i32),
    };
    let zero = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let timer = libc::itimerval { it_interval: zero, it_value: value };
    // SAFETY: sets a timer of this process. `install` handles its signal.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) };
}

/// Called when the first byte of an event is read. From now on, the handler counts an event as lost
/// if it ends the process. Has no effect until the data dir exists.
pub fn begin_event(paths: &Paths) {
    let is_unset = LOST_EVENTS.load(Ordering::SeqCst).is_null();
    if is_unset
        && let Ok(dir) = paths.hold_data_dir()
        && let Ok(name) = CString::new(paths.lost_events().file_name().as_bytes())
    {
        LOST_EVENTS_DIR.store(dir, Ordering::SeqCst);
        LOST_EVENTS.store(name.into_raw(), Ordering::SeqCst);
    }
}

/// Called when the event is delivered, refused, not recorded, or already counted as lost.
pub fn end_event() {
    IS_HANDLED.store(true, Ordering::SeqCst);
    LOST_EVENTS.store(std::ptr::null_mut(), Ordering::SeqCst);
}

extern "C" fn on_signal(_: libc::c_int) {
    exit();
}

extern "C" fn on_terminate(_: libc::c_int) {
    set_timer(GRACE);
}

fn exit() -> ! {
    let lost_events = LOST_EVENTS.swap(std::ptr::null_mut(), Ordering::SeqCst);
    // SAFETY: openat, write and _exit are async-signal-safe. The path was leaked and the texts are
    // static.
    unsafe {
        if response::claim_stdout() {
            libc::write(1, NO_OP.as_ptr().cast(), NO_OP.len());
        }
        let is_handled = IS_HANDLED.load(Ordering::SeqCst);
        let message = if is_handled { NOT_LOST } else { MAY_BE_LOST };
        libc::write(2, message.as_ptr().cast(), message.len());
        if !lost_events.is_null() {
            let dir = LOST_EVENTS_DIR.load(Ordering::SeqCst);
            let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_NOFOLLOW;
            let fd = libc::openat(dir, lost_events, flags | libc::O_NONBLOCK, 0o600);
            libc::write(fd, c".".as_ptr().cast(), 1);
        }
        libc::_exit(0)
    }
}
