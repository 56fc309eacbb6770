//! Loads an arbitrary config file, and changes a setting in it.

#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use memctl_fuzz::{HOME, config};

fuzz_target!(|bytes: &[u8]| {
    let dir = HOME.path().join(".config/memctl");
    fs::create_dir_all(&dir).unwrap();
    let file = dir.join("config.toml");
    fs::write(&file, bytes).unwrap();
    let settings = memctl_fuzz::settings();
    let agent = format!("{:?}", **settings.config.agent);
    assert!(!agent.is_empty());
    for problem in &settings.config.problems {
        assert!(!problem.contains(|c: char| c.is_control()), "{problem:?}");
    }
    let key = config::find("worker.linger").unwrap();
    if config::edit::set(&file, key, "7s").is_ok() {
        assert!(config::edit::unset(&file, key).unwrap());
    }
});
