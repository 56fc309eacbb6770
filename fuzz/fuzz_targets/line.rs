//! Parses arbitrary lines of the JSON dialect, and captures what they report.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memctl_fuzz::capture::PrivateWords;
use memctl_proto::line::{self, Request};

fuzz_target!(|text: &str| {
    if let Ok(Request::Observation(text)) = line::parse(text) {
        memctl_fuzz::captured(&text, Some("PostToolUse"), &PrivateWords::default());
    }
});
