//! memctl: memory for coding agents.

mod config;
mod failure;
mod lock;
mod log;
mod memory;
mod paths;
mod process;
mod testpoint;

fn main() {}
