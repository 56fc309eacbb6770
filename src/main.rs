//! memctl: memory for coding agents.
//!
//! One binary with three roles: **hook** handles one event within milliseconds, **worker** serves one
//! session (**recover** starts missing workers), and **ctl** is the command line, which also starts the
//! **mcp** server. ARCHITECTURE.md describes the flow of an event and where to change what.
//!
//! The modules below are listed in layers, and a module uses only its own layer and lower ones. Only
//! `store` contains SQL, only `proto` defines bytes on the wire, only `process` contains
//! `cfg(target_os)`, and only `capture` turns a client's text into events.

#![cfg_attr(not(test), no_main)]

mod ctl;
mod hook;
mod mcp;
mod recover;
mod worker;

mod injection;

mod agent;
mod context;
mod deliver;

mod recall;

mod freshness;
mod provenance;

mod capture;

mod spool;

mod store;

mod evidence;
mod truth;

mod activity;

mod clients;

mod memory;
mod project;

mod git;

mod lock;
mod log;
mod process;

mod clock;
mod config;
mod testpoint;

mod failure;
mod guard;
mod paths;
mod terms;
mod text;

mod files;

use std::ffi::{CStr, OsString, c_char, c_int};
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::panic;

/// Exit code after a panic, as in the Rust runtime.
const EXIT_PANIC: u8 = 101;

/// Entry point, called by the C library. It replaces the startup of the Rust runtime, which reads
/// `/proc/self/maps` and installs signal handlers: 16 system calls and a tenth of a hook's
/// instructions.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    process::init();
    let args = (1..usize::try_from(argc).unwrap_or(0)).map(|i| {
        // SAFETY: `argv` has `argc` C strings that live as long as the process.
        let arg = unsafe { CStr::from_ptr(*argv.add(i)) };
        OsString::from_vec(arg.to_bytes().to_vec())
    });
    let args: Vec<OsString> = args.collect();
    // A panic must not unwind across the C boundary.
    let code = panic::catch_unwind(|| run(&args)).unwrap_or(EXIT_PANIC);
    // Ignore flush errors; the reader may be gone.
    let _ = std::io::stdout().flush();
    code.into()
}

/// Runs the role that `args` names. Internal roles bypass clap, whose setup is 0.07 ms of a hook's
/// one millisecond.
fn run(args: &[OsString]) -> u8 {
    testpoint::override_protocol_version();
    match args.first().and_then(|verb| verb.to_str()) {
        Some("hook") => {
            hook::run(&args[1..]);
            0
        }
        Some("worker") => ctl::exit(worker::run(&args[1..])),
        Some("recover") => ctl::exit(recover::run(&args[1..])),
        _ => ctl::run(args, ctl::Roles { serve_mcp: mcp::serve }),
    }
}
