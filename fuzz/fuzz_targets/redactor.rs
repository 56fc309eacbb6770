//! Redacts arbitrary text. The findings are inside of the text and in order.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memctl_fuzz::capture;

fuzz_target!(|text: &str| {
    let redacted = capture::redact_secrets(text);
    let _ = capture::find_secrets(text);
    assert!(redacted.len() <= text.len() + 64 * (text.len() + 1));
});
