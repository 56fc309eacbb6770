//! memctl: memory for coding agents.

mod config;
mod failure;
mod memory;
mod paths;

fn main() {}
