//! Notes of passing tests: a check that was not possible on this machine, or a warning.
//!
//! `make test` names a file in `MEMCTL_TEST_NOTES` and prints it at the end, because nextest hides
//! the output of tests that pass. Without the variable, notes go to stderr.

use std::fs::OpenOptions;
use std::io::Write;

/// Notes that the current test skipped a check, and why.
pub fn skipped(why: &str) {
    add("skipped", why);
}

pub fn add(kind: &str, text: &str) {
    let thread = std::thread::current();
    // One write, because tests run in parallel and append to the same file.
    let line = format!("{kind}: {}: {text}\n", thread.name().unwrap_or("?"));
    #[expect(clippy::disallowed_methods, reason = "a setting of the test run")]
    match std::env::var_os("MEMCTL_TEST_NOTES") {
        Some(file) => {
            let file = OpenOptions::new().create(true).append(true).open(file);
            file.and_then(|mut file| file.write_all(line.as_bytes())).expect("MEMCTL_TEST_NOTES");
        }
        None => eprint!("{line}"),
    }
}
