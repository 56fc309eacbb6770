//! memctl: memory for coding agents.
//!
//! One binary, three roles: **hook** (milliseconds, speaks for one event), **worker** (one
//! process per session; **recover** starts those that are missing) and **ctl** (what people and
//! programs ask). ARCHITECTURE.md beside the sources draws the way of an event and says where to
//! change what.
//!
//! Arrows point down only: roles (hook, worker, recover, ctl) → deliver, capture, context, agent →
//! spool → store → memory, lock, process, project, paths, config. Nothing but `store` writes SQL,
//! nothing but `proto` knows bytes on the wire, nothing but `paths` builds file names, nothing but
//! `process` says `cfg(target_os)`, nothing but `capture` lets text in.

#![cfg_attr(not(test), no_main)]

mod ctl;
mod hook;
mod recover;
mod worker;

mod agent;
mod capture;
mod context;
mod deliver;

mod spool;
mod store;

mod clients;
mod memory;
mod project;

mod clock;
mod config;
mod failure;
mod lock;
mod log;
mod paths;
mod process;
mod testpoint;
mod text;

use std::ffi::{CStr, OsString, c_char, c_int};
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::panic;

/// The exit code after a panic, as Rust's own start has it.
const PANICKED: u8 = 101;

/// Called by the C library itself. What Rust's own start does for a program (it reads
/// `/proc/self/maps` and installs handlers: 16 system calls and a tenth of a hook's instructions)
/// is done here as far as it is wanted.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    process::init();
    let args = (1..usize::try_from(argc).unwrap_or(0)).map(|i| {
        // SAFETY: the C library gives `argc` strings that live as long as the process.
        let arg = unsafe { CStr::from_ptr(*argv.add(i)) };
        OsString::from_vec(arg.to_bytes().to_vec())
    });
    let args: Vec<OsString> = args.collect();
    // Nobody above would catch it, and then nothing is unwound and tidied up either.
    let code = panic::catch_unwind(|| run(&args)).unwrap_or(PANICKED);
    // Whoever does not listen any more is no trouble of ours.
    let _ = std::io::stdout().flush();
    code.into()
}

/// What clients and starters run is told apart before anything else is set up: a hook has a
/// millisecond.
fn run(args: &[OsString]) -> u8 {
    testpoint::override_protocol_version();
    match args.first().and_then(|verb| verb.to_str()) {
        Some("hook") => {
            hook::run(&args[1..]);
            0
        }
        Some("worker") => ctl::exit(worker::run(&args[1..])),
        Some("recover") => ctl::exit(recover::run()),
        _ => ctl::run(args),
    }
}
