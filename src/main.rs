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

use std::ffi::OsString;
use std::process::ExitCode;

/// What clients and starters run is told apart before anything else is set up: a hook has a
/// millisecond.
fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    match args.first().and_then(|verb| verb.to_str()) {
        Some("hook") => {
            hook::run(&args[1..]);
            ExitCode::SUCCESS
        }
        Some("worker") => ctl::exit(worker::run(&args[1..])),
        Some("recover") => ctl::exit(recover::run()),
        _ => ctl::run(),
    }
}
